"""Models of the domain ai.onnx.ml: trees and linear models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
ML = "ai.onnx.ml"
FEATURES = 3
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")


def ml_model(
    nodes: Sequence[onnx.NodeProto],
    outputs: Mapping[str, int],
    constants: Mapping[str, Array] | None = None,
    *,
    version: int = 3,
    features: int = FEATURES,
    dtype: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "classical",
        [helper.make_tensor_value_info("x", dtype, [None, features])],
        [helper.make_tensor_value_info(name, kind, [None] if name == "label" else [None, None]) for name, kind in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(ML, version)], ir_version=8)


def ml_node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), outputs.split(), name=op.lower(), domain=ML, **attributes)


def random_trees(
    rng: np.random.Generator, kind: str, *, trees: int, depth: int, targets: int, modes: Sequence[str] = MODES
) -> dict[str, Any]:
    """Attributes of complete trees; thresholds on a coarse grid, so that trees share some."""
    found: dict[str, list[Any]] = {
        f"nodes_{k}": [] for k in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
    }
    leaves: dict[str, list[Any]] = {f"{kind}_{k}": [] for k in ("treeids", "nodeids", "ids", "weights")}
    inner = (1 << depth) - 1
    for tree in range(trees):
        for node in range(2 * inner + 1):
            is_leaf = node >= inner
            row = (
                tree, node, 0 if is_leaf else int(rng.integers(FEATURES)), "LEAF" if is_leaf else str(rng.choice(modes)),
                0.0 if is_leaf else float(rng.integers(-8, 9)) / 8, 0 if is_leaf else 2 * node + 1, 0 if is_leaf else 2 * node + 2,
            )  # fmt: skip
            for values, value in zip(found.values(), row, strict=True):
                values.append(value)
            if is_leaf:
                for target in range(targets):
                    for values, value in zip(leaves.values(), (tree, node, target, float(rng.normal())), strict=True):
                        values.append(value)
    return {**found, **leaves}


def samples(count: int = 40, seed: int = 0) -> Array:
    """Values on the thresholds' grid and between them."""
    rng = np.random.default_rng(seed)
    grid = rng.integers(-10, 11, (count, FEATURES)) / 8
    return np.where(rng.random(grid.shape) < 0.5, grid, rng.normal(size=grid.shape)).astype(np.float32)


def two_trees() -> onnx.NodeProto:
    """TreeEnsemble of version 5: the example of two trees in onnx's own documentation of the operator, by index."""
    splits = np.array([0.5, -0.25, 0.0, 0.75], dtype=np.float32)
    return ml_node(
        "TreeEnsemble", "x", "y", n_targets=2, aggregate_function=1, post_transform=0, tree_roots=[0, 2],
        nodes_featureids=[0, 1, 2, 0], nodes_splits=numpy_helper.from_array(splits),
        nodes_modes=numpy_helper.from_array(np.array([0, 1, 0, 3], dtype=np.uint8)),
        nodes_truenodeids=[1, 0, 3, 3], nodes_trueleafs=[0, 1, 0, 1], nodes_falsenodeids=[1, 2, 4, 5], nodes_falseleafs=[1, 1, 1, 1],
        leaf_targetids=[0, 1, 0, 1, 0, 1], leaf_weights=numpy_helper.from_array(np.array([1, 2, -3, 4, 5.5, -6], dtype=np.float32)),
    )  # fmt: skip


def zip_map() -> onnx.ModelProto:
    """Trees whose probabilities are a map."""
    trees = random_trees(np.random.default_rng(4), "class", trees=2, depth=2, targets=3)
    nodes = [
        ml_node("TreeEnsembleClassifier", "x", "label p", classlabels_int64s=[0, 1, 2], **trees),
        ml_node("ZipMap", "p", "z", classlabels_int64s=[0, 1, 2]),
    ]
    proto = ml_model(nodes, {"label": TensorProto.INT64})
    proto.graph.output.append(onnx.ValueInfoProto(name="z"))
    kind = proto.graph.output[1].type.sequence_type.elem_type.map_type
    kind.key_type, kind.value_type.tensor_type.elem_type = TensorProto.INT64, TensorProto.FLOAT
    return proto


def examples() -> dict[str, onnx.ModelProto]:
    """A model for every operator of the domain."""
    rng, y, both = np.random.default_rng(4), {"y": TensorProto.FLOAT}, {"label": TensorProto.INT64, "y": TensorProto.FLOAT}
    linear = {"coefficients": [0.5, -1.0, 2.0, 1.5, 0.25, -0.75], "intercepts": [0.1, -0.2]}
    classes = random_trees(rng, "class", trees=2, depth=2, targets=3)
    targets = random_trees(rng, "target", trees=2, depth=2, targets=1)
    nodes = [
        ml_node("Binarizer", "x", "y", threshold=0.25),
        ml_node("Imputer", "x", "y", imputed_value_floats=[0.0], replaced_value_float=float("nan")),
        ml_node("LinearRegressor", "x", "y", targets=2, **linear),
        ml_node("Scaler", "x", "y", offset=[0.5, 1.0, -1.0], scale=[2.0, 0.01, 100.0]),
        ml_node("TreeEnsembleRegressor", "x", "y", n_targets=1, **targets),
    ]
    return {
        **{node.op_type: ml_model([node], y) for node in nodes},
        "ArrayFeatureExtractor": ml_model([ml_node("ArrayFeatureExtractor", "x i", "y")], y, {"i": np.array([2, 0])}),
        "LinearClassifier": ml_model([ml_node("LinearClassifier", "x", "label y", classlabels_ints=[3, 5], **linear)], both),
        "Normalizer": ml_model([helper.make_node("Exp", ["x"], ["e"]), ml_node("Normalizer", "e", "y", norm="L1")], y),
        "TreeEnsemble": ml_model([two_trees()], y, version=5),
        "TreeEnsembleClassifier": ml_model(
            [ml_node("TreeEnsembleClassifier", "x", "label y", classlabels_int64s=[0, 1, 2], **classes)], both
        ),
        "ZipMap": zip_map(),
    }
