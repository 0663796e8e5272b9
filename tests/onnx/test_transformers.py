"""Attention, softmax and normalisation: accuracy, masks, and whole blocks that prove."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from unit.compiler.checks import check_complete, check_witness, floats, model, run, run_float

from benches.transformer import gpt
from ciro_zk.compiler import compile as compile_model
from ciro_zk.compiler.fold import fold
from ciro_zk.compiler.load import load
from ciro_zk.compiler.lower.patterns import Norm, norms
from ciro_zk.ops import Requantise
from ciro_zk.program.circuit import Circuit
from ciro_zk.prover import prove, setup
from ciro_zk.verifier import verify
from ciro_zk.witness import infer


def node(op: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], name=output, **attributes)


def error(circuit: Circuit) -> tuple[float, float]:
    """(greatest error of y, its greatest value)."""
    found = circuit.accuracy["outputs"]["y"]
    return found["max_abs_error"], found["max_abs"]


@pytest.mark.parametrize("cells", [2, 10, 100])
def test_softmax_is_within_2_to_the_minus_10(cells: int) -> None:
    """Scores made by a product of 12-bit numbers; the inputs' own rounding moves no score by more than 2^-10."""
    rng = np.random.default_rng(cells)
    weight = floats(rng, 4, cells, scale=0.4)
    circuit = compile_model(
        model([node("MatMul", "x w", "s"), node("Softmax", "s", "y")], {"x": (3, 4)}, {"w": weight}), floats(rng, 60, 4)
    )
    assert error(circuit)[0] <= 2**-10
    check_complete(circuit)


@pytest.mark.parametrize("function", ["Softmax", "Sigmoid"])
def test_a_constant_much_greater_than_what_it_is_added_to(function: str) -> None:
    """The sum is quantised by its own range, not by that of the function's values."""
    rng = np.random.default_rng(0)
    constants = {"small": np.float32(1e-3), "c": 4 * floats(rng, 30)}
    nodes = [node("Mul", "x small", "m"), node("Add", "m c", "s"), node(function, "s", "y")]
    circuit = compile_model(model(nodes, {"x": (2, 30)}, constants), floats(rng, 20, 30))
    assert error(circuit)[0] <= 2e-3


def test_softmax_of_large_scores() -> None:
    """Beyond what their unit can tell apart, scores saturate; far below the greatest they do not matter."""
    rng = np.random.default_rng(0)
    samples = floats(rng, 40, 6, scale=20)
    circuit = compile_model(model([node("Softmax", "x", "y")], {"x": (1, 6)}), samples, bits=16)
    assert error(circuit)[0] <= 2**-9
    check_complete(circuit)


@pytest.mark.parametrize("scale", [0.01, 1, 100])
@pytest.mark.parametrize("cells", [3, 64, 300])
def test_layer_norm_is_within_a_thousandth(cells: int, scale: float) -> None:
    """Of the output's range, where the rows are of about one size: the input's unit is one for all."""
    rng = np.random.default_rng(cells)
    constants = {"s": np.ones(cells, np.float32), "b": np.zeros(cells, np.float32)}
    proto = model([node("LayerNormalization", "x s b", "y", epsilon=1e-12)], {"x": (2, cells)}, constants)
    samples = (scale * rng.uniform(-1, 1, (20, cells))).astype(np.float32)
    samples[:, 0], samples[:, 1] = scale, -scale
    circuit = compile_model(proto, samples)
    found, greatest = error(circuit)
    assert found <= 1e-3 * 2 * greatest
    check_complete(circuit)


DIVISIONS = {
    "div": [("Sqrt", "e", "r"), ("Div", "c r", "y")],
    "reciprocal": [("Sqrt", "e", "r"), ("Reciprocal", "r", "i"), ("Mul", "c i", "y")],
    "one over": [("Sqrt", "e", "r"), ("Div", "one r", "i"), ("Mul", "i c", "y")],
    "power": [("Pow", "e half", "i"), ("Mul", "c i", "y")],
}


@pytest.mark.parametrize("division", DIVISIONS)
@pytest.mark.parametrize("square", ["c two", "c"])
@pytest.mark.parametrize("centred", [True, False])
def test_a_norm_written_as_its_parts_is_one(division: str, square: str, centred: bool) -> None:
    """As precise as the operator, with the same circuit."""
    rng = np.random.default_rng(1)
    constants = {"two": np.float32(2), "half": np.float32(-0.5), "one": np.float32(1), "epsilon": np.float32(1e-5)}
    first = [node("ReduceMean", "x", "m", axes=[-1]), node("Sub", "x m", "c")] if centred else [node("Identity", "x", "c")]
    middle = [
        node("Pow" if square == "c two" else "Mul", square if square == "c two" else "c c", "q"),
        node("ReduceMean", "q", "v", axes=[2]),
    ]
    last = [node("Add", "epsilon v", "e"), *(node(op, inputs, output) for op, inputs, output in DIVISIONS[division])]
    samples = floats(rng, 12, 3, 8)
    parts = compile_model(model([*first, *middle, *last], {"x": (1, 3, 8)}, constants), samples)
    op = node("LayerNormalization", "x one", "y") if centred else node("RMSNormalization", "x one", "y")
    whole = compile_model(model([op], {"x": (1, 3, 8)}, {"one": np.ones(8, np.float32)}, opset=17 if centred else 23), samples)
    assert [n.op for n in parts.graph.nodes] == [n.op for n in whole.graph.nodes]
    assert error(parts)[0] <= 0.003 * error(parts)[1]


def test_what_is_no_norm_stays_as_it_is() -> None:
    """The mean of another tensor is subtracted, another one is squared: nothing is recognised."""
    nodes = [
        node("Relu", "x", "z"), node("ReduceMean", "z", "m", axes=[-1]), node("Sub", "x m", "c"), node("Mul", "c c", "q"),
        node("ReduceMean", "q", "v", axes=[-1]), node("Sqrt", "v", "r"), node("Div", "c r", "y"),
    ]  # fmt: skip
    static = fold(load(model(nodes, {"x": (1, 8)})), {"x": (1, 8)})
    assert norms(static) == {"y": Norm("c", False, 0.0)}
    nodes[3] = node("Mul", "z z", "q")
    assert norms(fold(load(model(nodes, {"x": (1, 8)})), {"x": (1, 8)})) == {}


def attention(mask: np.ndarray | None) -> onnx.ModelProto:
    """Softmax(x x^T / 2 + mask) x over rows of 4 cells."""
    nodes = [node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t", "m"), node("Div", "m two", "s")]
    constants: dict[str, Any] = {"two": np.float32(2)}
    last = "s"
    if mask is not None:
        nodes.append(node("Add", "s mask", "a"))
        constants["mask"], last = mask, "a"
    nodes += [node("Softmax", last, "p"), node("MatMul", "p x", "y")]
    return model(nodes, {"x": (1, 5, 4)}, constants)


MASKS = {
    "causal": np.where(np.triu(np.ones((5, 5)), 1) > 0, -1e9, 0),
    "padding": np.array([0, 0, 0, -1e4, -3.4e38]),
    "both": np.where(np.triu(np.ones((1, 5, 5)), 2) > 0, -1e9, np.linspace(-1, 1, 25).reshape(1, 5, 5)),
    "first": np.where(np.arange(5) == 0, -1e5, 0) * np.ones((5, 1)),
}


@pytest.mark.parametrize("name", MASKS)
def test_masked_cells_are_left_out(name: str) -> None:
    rng = np.random.default_rng(1)
    circuit = compile_model(attention(MASKS[name].astype(np.float32)), floats(rng, 20, 5, 4))
    found, greatest = error(circuit)
    assert found <= 0.004 * greatest
    check_complete(circuit)


def test_a_masked_cell_has_no_influence() -> None:
    """What it is computed from may be anything."""
    rng = np.random.default_rng(1)
    circuit = compile_model(attention(MASKS["padding"].astype(np.float32)), floats(rng, 20, 5, 4))
    (port,), (out,) = circuit.graph.inputs, circuit.graph.outputs
    first = rng.integers(-2047, 2048, (1, 5, 4))
    other = first.copy()
    other[0, 4] = -other[0, 4]
    rows = [circuit.graph.run({**circuit.weights, port.tensor: x})[out.tensor].reshape(5, 4)[:4] for x in (first, other)]
    assert np.array_equal(*rows)


def test_a_row_that_is_masked_whole_is_no_mask() -> None:
    """Softmax of equal numbers, however negative, is uniform."""
    mask = np.zeros((5, 5), dtype=np.float32)
    mask[2] = -1e4
    circuit = compile_model(attention(mask), floats(np.random.default_rng(0), 20, 5, 4, scale=0.1))
    assert error(circuit)[0] < 0.2


def block(
    rng: np.random.Generator, *, width: int = 16, heads: int = 2, tokens: int = 6, activation: str = "Relu", causal: bool = True
) -> onnx.ModelProto:
    """A pre-norm transformer block as exporters write it, and a last normalisation."""
    head = width // heads
    constants: dict[str, Any] = {
        "split": np.array([1, tokens, heads, head]), "join": np.array([1, tokens, width]), "root": np.float32(np.sqrt(head)),
        "mask": np.where(np.triu(np.ones((tokens, tokens)), 1) > 0, -1e9, 0).astype(np.float32),
        "w1": floats(rng, width, 4 * width, scale=width**-0.5), "w2": floats(rng, 4 * width, width, scale=(4 * width) ** -0.5),
    }  # fmt: skip
    for name in "qkvo":
        constants[f"w{name}"], constants[f"b{name}"] = floats(rng, width, width, scale=width**-0.5), floats(rng, width, scale=0.1)
    for name in ("n1", "n2", "n3"):
        constants[f"{name}.s"], constants[f"{name}.b"] = 1 + floats(rng, width, scale=0.1), floats(rng, width, scale=0.1)
    nodes = [node("LayerNormalization", "x n1.s n1.b", "n1")]
    for name in "qkv":
        nodes += [
            node("MatMul", f"n1 w{name}", f"{name}.m"), node("Add", f"{name}.m b{name}", f"{name}.a"),
            node("Reshape", f"{name}.a split", f"{name}.r"),
            node("Transpose", f"{name}.r", name, perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]),
        ]  # fmt: skip
    nodes += [node("MatMul", "q k", "s"), node("Div", "s root", "s.d")]
    nodes += [node("Add", "s.d mask", "s.m")] if causal else []
    nodes += [
        node("Softmax", "s.m" if causal else "s.d", "p"), node("MatMul", "p v", "o"), node("Transpose", "o", "o.t", perm=[0, 2, 1, 3]),
        node("Reshape", "o.t join", "o.j"), node("MatMul", "o.j wo", "o.m"), node("Add", "o.m bo", "o.a"), node("Add", "x o.a", "r"),
        node("LayerNormalization", "r n2.s n2.b", "n2"), node("MatMul", "n2 w1", "f"), node(activation, "f", "g"),
        node("MatMul", "g w2", "h"), node("Add", "r h", "r2"), node("LayerNormalization", "r2 n3.s n3.b", "y"),
    ]  # fmt: skip
    return model(nodes, {"x": (1, tokens, width)}, constants)


@pytest.mark.parametrize("causal", [True, False])
def test_a_transformer_block_proves(causal: bool) -> None:
    """Alone and in a batch."""
    rng = np.random.default_rng(3)
    samples = floats(rng, 16, 6, 16)
    circuit = compile_model(block(rng, causal=causal), samples)
    found, greatest = error(circuit)
    assert found <= 0.01 * greatest
    check_witness(circuit.graph, run(circuit, {"x": samples[:1]}))
    check_complete(circuit)
    pk, vk = setup(circuit)
    runs = [infer(pk, samples[i : i + 1]) for i in range(3)]
    verify(vk, prove(pk, runs[0]), inputs=samples[:1])
    verify(vk, prove(pk, runs))


def test_scores_take_three_requantisations() -> None:
    """The scores with their division and mask, their exponential, the result."""
    rng = np.random.default_rng(3)
    circuit = compile_model(block(rng), floats(rng, 8, 6, 16))
    names = {circuit.graph.tensors[n.outputs[0]].name for n in circuit.graph.nodes if isinstance(n.op, Requantise)}
    found = {name.replace(".above", "").replace(".below", "") for name in names if name.startswith(("s.", "p.", "p#"))}
    assert found == {"p#scores.out", "p.exp.out", "p.out"}


def test_an_embedding_and_its_head_are_one_tensor() -> None:
    """A GPT from ids to the logits of its last token; the scale and bias of its last norm stay out of the head."""
    rng = np.random.default_rng(0)
    source = gpt(layers=1, tokens=4, width=32, heads=2, vocabulary=2048, positions=8)
    circuit = compile_model(source, rng.integers(0, 2048, (12, 4)), input_range={"ids": (0, 2047)})
    large = [t for t in (circuit.graph.tensors[i] for i in circuit.graph.weights) if np.prod(t.shape) >= 2048 * 32]
    assert len(large) == 1
    assert circuit.accuracy["outputs"]["logits"]["max_abs_error"] <= 0.01 * circuit.accuracy["outputs"]["logits"]["max_abs"]
    pk, vk = setup(circuit)
    ids = np.array([[0, 2047, 5, 5]])
    expected = run_float(source, {"ids": ids})["logits"]
    verified = verify(vk, prove(pk, infer(pk, ids)), inputs=ids)
    assert np.abs(verified.outputs["logits"] - expected).max() <= 0.01 * np.abs(expected).max()


def test_a_weight_of_several_products_is_one_tensor() -> None:
    """As it is, transposed, and with a bias: each product has the scale of its own result."""
    rng = np.random.default_rng(0)
    w, b = floats(rng, 256, 256, scale=0.1), floats(rng, 256)
    nodes = [node("MatMul", "x w", "s"), node("Gemm", "s w b", "t", transB=1), node("Gemm", "t w b", "y")]
    circuit = compile_model(model(nodes, {"x": (1, 256)}, {"w": w, "b": b}), floats(rng, 12, 256))
    shapes = [circuit.graph.tensors[i].shape for i in circuit.graph.weights]
    assert shapes.count((1, 256, 256)) == 1
    found, peak = error(circuit)
    assert found <= 0.01 * peak
    check_complete(circuit)
