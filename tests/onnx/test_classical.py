"""Trees and linear models of the domain ai.onnx.ml, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from soundness.malicious import Claimed, accepted, forge, keys, run_graph
from unit.compiler.checks import check_complete, check_witness, run
from unit.compiler.classical import FEATURES, ML, ml_model, ml_node, random_trees, samples, two_trees, zip_map

import ciro_zk as cz
from ciro_zk.compiler import compile as compile_model
from ciro_zk.compiler import supported_operators
from ciro_zk.errors import ProofRejected, UnsupportedOperator
from ciro_zk.program.circuit import Circuit

Array = NDArray[Any]


def compare(proto: onnx.ModelProto, data: Array, tolerance: float = 2e-3, count: int = 30) -> Circuit:
    """Compile, calibrated on all the data, and compare all outputs with onnxruntime; whole numbers must be equal."""
    circuit = compile_model(proto, data, validation=data)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for row in data[:count]:
        values = run(circuit, {"x": row[None]})
        expected = session.run([port.name for port in circuit.graph.outputs], {"x": row[None]})
        for port, wanted in zip(circuit.graph.outputs, expected, strict=True):
            found = (values[port.tensor] * port.scale).reshape(np.shape(wanted))
            if np.asarray(wanted).dtype.kind == "i":
                assert np.array_equal(found, wanted), port.name
            else:
                assert np.abs(found - wanted).max() <= tolerance * max(1.0, np.abs(wanted).max()) + port.scale, port.name
    check_witness(circuit.graph, values)
    check_complete(circuit, count=2)
    return circuit


@pytest.mark.parametrize("version", [1, 3])
@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
def test_regressor(aggregate: str, version: int) -> None:
    trees = random_trees(np.random.default_rng(1), "target", trees=5, depth=3, targets=2)
    node = ml_node("TreeEnsembleRegressor", "x", "y", n_targets=2, aggregate_function=aggregate, base_values=[0.5, -1.0], **trees)
    compare(ml_model([node], {"y": TensorProto.FLOAT}, version=version), samples())


def test_regressor_with_tensors() -> None:
    trees = random_trees(np.random.default_rng(2), "target", trees=3, depth=3, targets=1, modes=("BRANCH_LEQ",))
    for name in ("nodes_values", "target_weights"):
        trees[f"{name}_as_tensor"] = numpy_helper.from_array(np.array(trees.pop(name), dtype=np.float64))
    node = ml_node("TreeEnsembleRegressor", "d", "y", n_targets=1, **trees)
    cast = helper.make_node("Cast", ["x"], ["d"], to=TensorProto.DOUBLE)
    compare(ml_model([cast, node], {"y": TensorProto.FLOAT}), samples())


def test_equality() -> None:
    trees = random_trees(np.random.default_rng(3), "target", trees=4, depth=2, targets=1, modes=("BRANCH_EQ", "BRANCH_NEQ"))
    node = ml_node("TreeEnsembleRegressor", "x", "y", n_targets=1, **trees)
    compare(ml_model([node], {"y": TensorProto.FLOAT}), samples())


@pytest.mark.parametrize("post", ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"])
@pytest.mark.parametrize("labels", [[0, 1, 2], [7, -2, 5]])
def test_classifier(labels: list[int], post: str) -> None:
    trees = random_trees(np.random.default_rng(4), "class", trees=6, depth=3, targets=3)
    node = ml_node("TreeEnsembleClassifier", "x", "label p", classlabels_int64s=labels, post_transform=post, **trees)
    compare(ml_model([node], {"label": TensorProto.INT64, "p": TensorProto.FLOAT}), samples(), 5e-3)


@pytest.mark.parametrize("of_class", [0, 1])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("post", ["NONE", "LOGISTIC"])
def test_two_classes_with_one_score(post: str, positive: bool, of_class: int) -> None:
    trees = random_trees(np.random.default_rng(5), "class", trees=3, depth=3, targets=1)
    trees["class_ids"] = [of_class] * len(trees["class_ids"])
    if positive:
        trees["class_weights"] = [abs(w) / 4 for w in trees["class_weights"]]
    node = ml_node("TreeEnsembleClassifier", "x", "label p", classlabels_int64s=[0, 1], post_transform=post, **trees)
    compare(ml_model([node], {"label": TensorProto.INT64, "p": TensorProto.FLOAT}), samples(), 5e-3)


def test_tree_ensemble() -> None:
    """Version 5: the example of two trees in onnx's own documentation of the operator, by index."""
    compare(ml_model([two_trees()], {"y": TensorProto.FLOAT}, version=5), samples())


def test_members() -> None:
    """Sets of one, several and no members of the data, and a set inside another one's branch."""
    members = np.array([5, np.nan, 2, 1, 7, np.nan, 3, np.nan], dtype=np.float32)
    node = ml_node(
        "TreeEnsemble", "x", "y", n_targets=1, aggregate_function=1, post_transform=0, tree_roots=[0, 2],
        nodes_featureids=[0, 0, 1], nodes_splits=numpy_helper.from_array(np.zeros(3, dtype=np.float32)),
        nodes_modes=numpy_helper.from_array(np.array([6, 6, 6], dtype=np.uint8)), membership_values=numpy_helper.from_array(members),
        nodes_truenodeids=[0, 1, 3], nodes_trueleafs=[1, 1, 1], nodes_falsenodeids=[1, 2, 4], nodes_falseleafs=[0, 1, 1],
        leaf_targetids=[0] * 5, leaf_weights=numpy_helper.from_array(np.array([1, -2, 4, 8, -16], dtype=np.float32)),
    )  # fmt: skip
    data = samples(60)
    data[:, :2] = np.random.default_rng(0).integers(0, 9, (60, 2))
    compare(ml_model([node], {"y": TensorProto.FLOAT}, version=5), data, count=60)


def test_labels_that_are_texts() -> None:
    """The label's number is proven; the report says which text it stands for."""
    trees = random_trees(np.random.default_rng(4), "class", trees=6, depth=3, targets=3)
    texts = ["setosa", "versicolor", "virginica"]
    node = ml_node("TreeEnsembleClassifier", "x", "label p", classlabels_strings=texts, **trees)
    proto, data = ml_model([node], {"label": TensorProto.STRING, "p": TensorProto.FLOAT}), samples()
    circuit = compile_model(proto, data, validation=data)
    assert circuit.accuracy["labels"] == {"label": texts}
    assert "0 setosa, 1 versicolor, 2 virginica" in str(circuit.report())
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for row in data[:10]:
        ((label,), _) = session.run(None, {"x": row[None]})
        assert texts[int(cz.infer(circuit, row[None]).outputs["label"].reshape(-1)[0])] == label


@given(trees=st.integers(1, 4), depth=st.integers(1, 4), targets=st.integers(1, 3), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_any_forest(trees: int, depth: int, targets: int, seed: int) -> None:
    attributes = random_trees(np.random.default_rng(seed), "target", trees=trees, depth=depth, targets=targets)
    node = ml_node("TreeEnsembleRegressor", "x", "y", n_targets=targets, **attributes)
    compare(ml_model([node], {"y": TensorProto.FLOAT}), samples(12, seed), count=12)


def test_values_on_a_threshold_decide_as_in_the_model() -> None:
    """x <= t and x < t where x = t, for thresholds that are no multiples of the unit."""
    rng = np.random.default_rng(6)
    data = rng.normal(size=(30, FEATURES)).astype(np.float32)
    trees = random_trees(rng, "target", trees=8, depth=2, targets=1)
    picked = rng.integers(0, len(data), len(trees["nodes_values"]))
    trees["nodes_values"] = [float(data[i, f]) for i, f in zip(picked, trees["nodes_featureids"], strict=True)]
    node = ml_node("TreeEnsembleRegressor", "x", "y", n_targets=1, **trees)
    compare(ml_model([node], {"y": TensorProto.FLOAT}), data)


def test_the_report_counts_thresholds_that_collide() -> None:
    trees = random_trees(np.random.default_rng(7), "target", trees=1, depth=2, targets=1, modes=("BRANCH_LEQ",))
    trees["nodes_featureids"] = [0] * 7
    trees["nodes_values"] = [1.0, 1.0 + 2**-22, 0.5, 0, 0, 0, 0]
    node = ml_node("TreeEnsembleRegressor", "x", "y", n_targets=1, **trees)
    data = samples()
    assert compile_model(ml_model([node], {"y": TensorProto.FLOAT}), data).accuracy["thresholds"] == {"treeensembleregressor": [3, 3]}
    data[0] = 2e5
    circuit = compile_model(ml_model([node], {"y": TensorProto.FLOAT}), data)
    assert circuit.accuracy["thresholds"] == {"treeensembleregressor": [3, 2]}
    assert "3 different decisions, 2 after quantisation" in str(circuit.report())


def forest_circuit() -> tuple[Circuit, Array]:
    trees = random_trees(np.random.default_rng(8), "target", trees=2, depth=2, targets=1)
    node = ml_node("TreeEnsembleRegressor", "x", "y", n_targets=1, **trees)
    return compile_model(ml_model([node], {"y": TensorProto.FLOAT}), samples()), samples()


def test_proof() -> None:
    circuit, data = forest_circuit()
    pk, vk = cz.setup(circuit)
    runs = [cz.infer(pk, data[i : i + 1]) for i in range(3)]
    assert cz.verify(vk, cz.prove(pk, runs))
    assert cz.verify(vk, cz.prove(pk, runs[0]), inputs=data[:1])


def test_a_decision_or_a_leaf_cannot_be_altered() -> None:
    """A flipped bit, everything after it honest, is rejected; so is a leaf that the decisions do not lead to."""
    circuit, data = forest_circuit()
    pk, vk = keys(circuit)
    graph = circuit.graph
    port = graph.inputs[0]
    integers = np.floor(data[:1] / port.scale + 0.5).astype(np.int64)
    leaves = {port.tensor: integers, **pk.weights}
    honest = run_graph(graph, leaves)
    assert accepted(vk, forge(pk, Claimed(values=honest)))
    bits = [n.outputs[0] for n in graph.nodes if n.op.kind == "requantise" and graph.tensors[n.outputs[0]].high == 1]
    assert len(bits) == 2
    for tensor in bits:
        for cell in range(graph.tensors[tensor].size):
            flipped = honest[tensor].copy()
            flipped.reshape(-1)[cell] ^= 1
            lie = run_graph(graph, leaves, {tensor: lambda values, f=flipped: f})
            with pytest.raises(ProofRejected):
                accepted(vk, forge(pk, Claimed(values=lie)))


LINEAR = {"coefficients": [0.5, -1.0, 2.0, 1.5, 0.25, -0.75], "intercepts": [0.1, -0.2]}


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        ([ml_node("LinearRegressor", "x", "y", targets=2, **LINEAR)], {"y": TensorProto.FLOAT}),
        ([ml_node("LinearRegressor", "x", "y", targets=2, coefficients=LINEAR["coefficients"])], {"y": TensorProto.FLOAT}),
        (
            [ml_node("LinearClassifier", "x", "label y", classlabels_ints=[3, 5], post_transform="SOFTMAX", **LINEAR)],
            {"label": TensorProto.INT64, "y": TensorProto.FLOAT},
        ),
        ([ml_node("Scaler", "x", "y", offset=[0.5, 1.0, -1.0], scale=[2.0, 0.01, 100.0])], {"y": TensorProto.FLOAT}),
        ([ml_node("Scaler", "x", "y", offset=[0.5], scale=[2.0])], {"y": TensorProto.FLOAT}),
        ([ml_node("Binarizer", "x", "y", threshold=0.25)], {"y": TensorProto.FLOAT}),
        ([ml_node("ArrayFeatureExtractor", "x i", "y")], {"y": TensorProto.FLOAT}),
        ([ml_node("Imputer", "x", "y", imputed_value_floats=[0.0], replaced_value_float=float("nan"))], {"y": TensorProto.FLOAT}),
        (
            [helper.make_node("Exp", ["x"], ["e"]), ml_node("Normalizer", "e", "y", norm="L1")],
            {"y": TensorProto.FLOAT},
        ),
        (
            [helper.make_node("Exp", ["x"], ["e"]), ml_node("Normalizer", "e", "y", norm="MAX")],
            {"y": TensorProto.FLOAT},
        ),
    ],
    ids=lambda value: "-".join(n.op_type for n in value) if isinstance(value, list) else "",
)
def test_operator(nodes: list[onnx.NodeProto], outputs: dict[str, int]) -> None:
    used = {name for n in nodes for name in n.input}
    data = np.clip(samples(), -1.5, 1.5)
    compare(ml_model(nodes, outputs, {"i": np.array([2, 0])} if "i" in used else None, version=1), data, 0.01)


def test_imputer_of_integers() -> None:
    node = ml_node("Imputer", "x", "y", imputed_value_int64s=[7], replaced_value_int64=-1)
    data = np.random.default_rng(0).integers(-2, 3, (20, FEATURES))
    compare(ml_model([node], {"y": TensorProto.INT64}, dtype=TensorProto.INT64), data)


def test_zip_map_is_dropped() -> None:
    proto = zip_map()
    circuit = compile_model(proto, samples())
    assert [graph_port.name for graph_port in circuit.graph.outputs] == ["label", "z"]
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    _, maps = session.run(None, {"x": samples()[:1]})
    found = cz.infer(circuit, samples()[:1]).outputs["z"]
    assert np.allclose(found, [list(maps[0].values())], atol=0.01)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (
            [ml_node("TreeEnsembleClassifier", "x", "y p", classlabels_strings=["a", "b", "c"]), ml_node("ZipMap", "y", "z")],
            "labels that are texts",
        ),
        ([ml_node("TreeEnsembleRegressor", "x", "y", n_targets=1, post_transform="PROBIT")], "post transform PROBIT"),
        ([ml_node("Imputer", "x", "y", imputed_value_floats=[0.0], replaced_value_float=1.0)], "a finite float that stands for"),
        ([ml_node("LabelEncoder", "x", "y", keys_floats=[1.0], values_int64s=[3])], "map the labels after verification"),
        ([ml_node("SVMRegressor", "x", "y")], "there is no circuit"),
        ([helper.make_node("Scaler", ["x"], ["y"], domain="com.example", name="s")], "domain 'com.example'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(nodes: list[onnx.NodeProto], reason: str) -> None:
    if nodes[0].op_type.startswith("Tree"):
        kind = "class" if nodes[0].op_type.endswith("Classifier") else "target"
        trees = random_trees(np.random.default_rng(0), kind, trees=1, depth=1, targets=1)
        nodes[0].attribute.extend(helper.make_attribute(k, v) for k, v in trees.items() if k not in {a.name for a in nodes[0].attribute})
    proto = ml_model(nodes, {"y": TensorProto.FLOAT})
    if nodes[0].domain != ML:
        proto.opset_import.append(helper.make_opsetid(nodes[0].domain, 1))
    with pytest.raises(UnsupportedOperator, match=reason):
        compile_model(proto, samples())


def test_all_are_listed() -> None:
    operators = supported_operators()
    assert operators["TreeEnsembleRegressor"] == (1, 3) and operators["TreeEnsemble"] == (5,) and "ZipMap" in operators
