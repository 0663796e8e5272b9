"""Classical machine learning (domain ai.onnx.ml) in standard operators; trees stay one operator, which puts out raw scores.

The conventions for two classes with one score s are onnxruntime's: probabilities (1 - s, s) where all leaves are
positive, (-s, s) where they are not, (sigmoid(-s), sigmoid(s)) after LOGISTIC; the second class where s > 1/2, else s > 0. A
score that the node gives to the second class is that class's, beside 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from ciro_zk.compiler.expand.parts import Kept, Parts, expands
from ciro_zk.compiler.forest import attributes, read_forest

ML = "ai.onnx.ml"
FLOAT = onnx.TensorProto.FLOAT


def _float(parts: Parts, name: str) -> str:
    """`name` as float32."""
    return name if parts.static.types[name] == FLOAT else parts.add("Cast", name, to=FLOAT)


def _transformed(parts: Parts, scores: str, post: str, output: str = "") -> str:
    """Scores after a post transform."""
    if post == "NONE":
        return parts.add("Identity", scores, output=output) if output else scores
    if post == "LOGISTIC":
        return parts.add("Sigmoid", scores, output=output)
    if post == "SOFTMAX":
        return parts.add("Softmax", scores, output=output, axis=-1)
    if post == "SOFTMAX_ZERO":
        # over the scores that are not zero; the others stay zero
        zero = parts.add("Equal", scores, parts.constant(0, np.float32))
        counted = parts.add("Mul", parts.add("Softmax", scores, axis=-1), parts.add("Cast", parts.add("Not", zero), to=FLOAT))
        return parts.add("Div", counted, parts.reduce("ReduceSum", counted, [-1]), output=output)
    raise Kept(f"the post transform {post}", "NONE, LOGISTIC, SOFTMAX and SOFTMAX_ZERO are supported")


def _is_used(parts: Parts, name: str) -> bool:
    graph = parts.static.model.proto.graph
    return bool(name) and (any(name in node.input for node in graph.node) or any(name == value.name for value in graph.output))


def _labelled(parts: Parts, index: str, labels: list[Any]) -> None:
    """The label output from the number of a class `(rows,)`."""
    if labels == list(range(len(labels))):
        parts.add("Identity", index, output=parts.node.output[0])
    else:
        parts.add("Gather", parts.constant(labels, np.int64), index, output=parts.node.output[0], axis=0)


def _labels(parts: Parts, *names: str) -> list[Any]:
    """Class labels. Texts are put out as their numbers in the list, which the report shows; `Kept` where a node reads them."""
    label = parts.node.output[0]
    for name in names:
        found = parts.attribute(name)
        if not found:
            continue
        if not isinstance(found[0], bytes):
            return list(found)
        if any(label in node.input for node in parts.static.model.proto.graph.node):
            raise Kept("labels that are texts and that a node reads", "let the model end with the label")
        parts.static.labels[label] = [text.decode(errors="replace") for text in found]
        return list(range(len(found)))
    raise Kept("no class labels", "export the model again")


def _classified(parts: Parts, scores: str, labels: list[Any], post: str, width: int, *, positive: bool, of_second: bool = False) -> None:
    """Labels and probabilities from raw scores (rows, width)."""
    named = _is_used(parts, parts.node.output[0])
    given = _is_used(parts, parts.node.output[1])
    if width == 1 and len(labels) == 2:
        if named:
            level = parts.constant(0.5 if positive else 0.0, np.float32)
            above = parts.add("Cast", parts.add("Greater", scores, level), to=onnx.TensorProto.INT64)
            _labelled(parts, parts.squeeze(above, [1]), labels)
        if given and of_second:
            nothing = parts.add("Mul", scores, parts.constant(0, np.float32))
            _transformed(parts, parts.add("Concat", nothing, scores, axis=1), post, parts.node.output[1])
        elif given:
            if post not in ("NONE", "LOGISTIC"):
                raise Kept(f"the post transform {post} of one score for two classes", "NONE and LOGISTIC are supported")
            second = _transformed(parts, scores, post)
            complement = post == "LOGISTIC" or positive
            first = parts.add("Sub", parts.constant(1, np.float32), second) if complement else parts.add("Neg", second)
            parts.add("Concat", first, second, output=parts.node.output[1], axis=1)
        return
    if named:
        _labelled(parts, parts.add("ArgMax", scores, axis=1, keepdims=0), labels)
    if given:
        _transformed(parts, scores, post, parts.node.output[1])


@expands("TreeEnsemble", 5, domain=ML)
@expands("TreeEnsembleRegressor", 1, 3, domain=ML)
def tree_ensemble(parts: Parts) -> None:
    """Raw scores, then the post transform."""
    try:
        forest = read_forest(parts.node)
    except (ValueError, KeyError, IndexError) as error:
        raise Kept(f"its trees contradict one another: {error}", "export the model again") from error
    output = parts.node.output[0]
    if forest.post == "NONE":
        shape = parts.shape(0)
        parts.static.shapes[output] = (shape[0] if len(shape) > 1 else 1, forest.targets)
        parts.static.types[output] = FLOAT
        raise Kept
    raw = onnx.NodeProto()
    raw.CopyFrom(parts.node)
    del raw.attribute[:]
    raw.attribute.extend(entry for entry in parts.node.attribute if entry.name != "post_transform")
    raw.output[0] = f"{output}/raw"
    parts.nodes.append(raw)
    _transformed(parts, raw.output[0], forest.post, output)


@expands("TreeEnsembleClassifier", 1, 3, domain=ML)
def tree_classifier(parts: Parts) -> None:
    """A regressor's scores by class."""
    given = attributes(parts.node)
    labels = _labels(parts, "classlabels_int64s", "classlabels_strings")
    ids = [int(v) for v in given["class_ids"]]
    single = len(labels) == 2 and len(set(ids)) == 1
    width = 1 if single else max(len(labels), max(ids) + 1)
    base = np.asarray(given.get("base_values", ()), dtype=np.float64).reshape(-1)
    settings: dict[str, Any] = {"n_targets": width}
    for entry in parts.node.attribute:
        if entry.name.startswith("nodes_"):
            settings[entry.name] = onnx.helper.get_attribute_value(entry)
        elif entry.name.startswith(("class_treeids", "class_nodeids", "class_weights")):
            settings[entry.name.replace("class_", "target_", 1)] = onnx.helper.get_attribute_value(entry)
    settings["target_ids"] = [0] * len(ids) if single else ids
    if base.size:
        settings["base_values"] = [float(v) for v in (base[-1:] if single else np.broadcast_to(base, (width,)))]
    scores = parts.add("TreeEnsembleRegressor", parts.name(0), domain=ML, **settings)
    positive = bool((np.asarray(given["class_weights"], dtype=np.float64) >= 0).all())
    _classified(parts, scores, labels, given.get("post_transform", "NONE"), width, positive=positive, of_second=ids[0] == 1)


def _linear(parts: Parts, width: int) -> str:
    """x coefficients^T + intercepts, (rows, width)."""
    x = _float(parts, parts.name(0))
    coefficients = np.asarray(parts.attribute("coefficients"), dtype=np.float32).reshape(width, -1)
    product = parts.add("MatMul", x, parts.constant(np.ascontiguousarray(coefficients.T)))
    intercepts = parts.attribute("intercepts")
    return product if not intercepts else parts.add("Add", product, parts.constant(intercepts, np.float32))


@expands("LinearRegressor", 1, domain=ML)
def linear_regressor(parts: Parts) -> None:
    scores = _linear(parts, int(parts.attribute("targets", 1)))
    _transformed(parts, scores, parts.attribute("post_transform", "NONE"), parts.node.output[0])


@expands("LinearClassifier", 1, domain=ML)
def linear_classifier(parts: Parts) -> None:
    labels = _labels(parts, "classlabels_ints", "classlabels_strings")
    width = len(parts.attribute("coefficients")) // parts.shape(0)[-1]
    _classified(parts, _linear(parts, width), labels, parts.attribute("post_transform", "NONE"), width, positive=False)


@expands("Scaler", 1, domain=ML)
def scaler(parts: Parts) -> None:
    """(x - offset) * scale."""
    x = _float(parts, parts.name(0))
    offset, scale = (
        np.asarray(parts.attribute(name, default), dtype=np.float32) for name, default in (("offset", [0.0]), ("scale", [1.0]))
    )
    parts.result("Mul", parts.add("Sub", x, parts.constant(offset)), parts.constant(scale))


@expands("Normalizer", 1, domain=ML)
def normalizer(parts: Parts) -> None:
    """Rows divided by their norm."""
    x, norm = _float(parts, parts.name(0)), parts.attribute("norm", "MAX")
    if norm == "MAX":
        length = parts.reduce("ReduceMax", x, [-1])
    elif norm == "L1":
        length = parts.reduce("ReduceSum", parts.add("Abs", x), [-1])
    else:
        square = parts.reduce("ReduceSum", parts.add("Pow", x, parts.constant(2, np.float32)), [-1])
        length = parts.add("Sqrt", square)
    parts.result("Div", x, length)


@expands("Binarizer", 1, domain=ML)
def binarizer(parts: Parts) -> None:
    """1 above the threshold, else 0."""
    above = parts.add("Greater", parts.name(0), parts.constant(parts.attribute("threshold", 0.0), parts.dtype(0)))
    parts.result("Cast", above, to=parts.static.types[parts.name(0)])


@expands("ArrayFeatureExtractor", 1, domain=ML)
def array_feature_extractor(parts: Parts) -> None:
    """Columns by constant numbers."""
    columns = parts.constant(parts.array(1).reshape(-1), np.int64)
    shape = parts.shape(0)
    if len(shape) > 1:
        parts.result("Gather", parts.name(0), columns, axis=len(shape) - 1)
    else:
        parts.reshape(parts.add("Gather", parts.name(0), columns, axis=0), (1, parts.array(1).size), parts.node.output[0])


@expands("Imputer", 1, domain=ML)
def imputer(parts: Parts) -> None:
    """Values for missing ones: a float input is never NaN, an integer is replaced where it equals the mark."""
    floats, wholes = parts.attribute("imputed_value_floats"), parts.attribute("imputed_value_int64s")
    if floats:
        if np.isfinite(parts.attribute("replaced_value_float", 0.0)):
            raise Kept(
                "a finite float that stands for a missing one", "replace missing values before the model: equality of floats is not exact"
            )
        parts.result("Identity", parts.name(0))
    else:
        mark = parts.constant(parts.attribute("replaced_value_int64", 0), parts.dtype(0))
        values = parts.constant(wholes, parts.dtype(0))
        parts.result("Where", parts.add("Equal", parts.name(0), mark), values, parts.name(0))


@expands("ZipMap", 1, domain=ML)
def zip_map(parts: Parts) -> None:
    """Dropped: probabilities stay a tensor, in the order of the labels."""
    parts.result("Identity", parts.name(0))
