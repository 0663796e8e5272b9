"""Functions and normalisations written as their parts become one step, however they are written."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from unit.compiler.checks import check_complete, check_witness, floats, model, run

from ciro_zk.compiler import compile as compile_model
from ciro_zk.ops import Requantise

CONSTANTS = {
    "half": 0.5, "one": 1.0, "two": 2.0, "three": 3.0, "zero": 0.0, "six": 6.0, "cube": 0.044715, "c": np.sqrt(2 / np.pi),
    "root": np.sqrt(2.0), "inverse": np.sqrt(0.5), "near": 0.05,
}  # fmt: skip


def nodes_of(text: str) -> list[onnx.NodeProto]:
    """One node a line: `output = Op a b`."""
    found = []
    for line in text.strip().splitlines():
        output, call = line.split("=")
        op, *inputs = call.split()
        found.append(helper.make_node(op, inputs, [output.strip()], name=f"{op}_{output.strip()}"))
    return found


GELU_ERF = "a = Div h root\nb = Erf a\nc1 = Add b one\nd = Mul h c1\ny = Mul d half"
GELU_ERF_2 = "a = Mul h inverse\nb = Erf a\nc1 = Add one b\nd = Mul half h\ny = Mul d c1"
GELU_TANH = "a = Mul cube h\nb = Mul h a\nd = Mul h b\ne = Add h d\nf = Mul c e\ng = Tanh f\ni = Add one g\nj = Mul half i\ny = Mul h j"
GELU_TANH_2 = "a = Pow h three\nb = Mul a cube\ne = Add h b\nf = Mul e c\ng = Tanh f\ni = Add g one\nj = Mul h i\ny = Mul j half"
SILU = "a = Sigmoid h\ny = Mul h a"
HARD_SWISH = "a = Add h three\nb = Clip a zero six\nd = Mul h b\ny = Div d six"
MISH = "a = Softplus h\nb = Tanh a\ny = Mul h b"


def compiled(text: str, width: int = 8, product: str = "h") -> tuple[Any, onnx.ModelProto, Any]:
    rng = np.random.default_rng(0)
    nodes = [helper.make_node("MatMul", ["x", "w"], [product], name="product"), *nodes_of(text)]
    names = {name for n in nodes for name in n.input}
    constants = {k: np.float32(v) for k, v in CONSTANTS.items() if k in names} | {"w": floats(rng, 4, width)}
    proto = model(nodes, {"x": (2, 4)}, constants)
    data = floats(rng, 40, 4, scale=1.5)
    return compile_model(proto, data), proto, data


@pytest.mark.parametrize("text", [GELU_ERF, GELU_ERF_2, GELU_TANH, GELU_TANH_2, SILU, HARD_SWISH, MISH])
def test_one_requantisation(text: str) -> None:
    circuit, proto, data = compiled(text)
    assert sum(isinstance(node.op, Requantise) for node in circuit.graph.nodes) == 1
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    values = run(circuit, {"x": data[:2]})
    (port,) = circuit.graph.outputs
    (expected,) = session.run(None, {"x": data[:2]})
    assert np.abs(values[port.tensor] * port.scale - expected).max() < 0.02
    check_witness(circuit.graph, values)
    check_complete(circuit)


@pytest.mark.parametrize("text", [GELU_ERF, GELU_TANH_2, HARD_SWISH])
def test_a_function_of_a_sum(text: str) -> None:
    """The sum could be one of its parts; the function is found behind it, and goes into the product's table."""
    circuit, _, _ = compiled("h = Add m x\n" + text, width=4, product="m")
    assert sum(isinstance(node.op, Requantise) for node in circuit.graph.nodes) == 1
    check_complete(circuit)


@pytest.mark.parametrize(
    "text",
    [GELU_TANH.replace("cube", "near"), HARD_SWISH.replace("six", "two"), SILU.replace("Mul h a", "Mul a a")],
    ids=["another cubic", "another bound", "another product"],
)
def test_what_is_nearly_a_known_function_stays_its_parts(text: str) -> None:
    circuit, proto, data = compiled(text)
    assert sum(isinstance(node.op, Requantise) for node in circuit.graph.nodes) > 1
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (port,) = circuit.graph.outputs
    (expected,) = session.run(None, {"x": data[:2]})
    found = run(circuit, {"x": data[:2]})[port.tensor] * port.scale
    assert np.abs(found - expected).max() < 0.03 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("axis", [1, 2])
def test_layer_norm_by_moments(axis: int) -> None:
    """As Flax exports it: the variance as a difference of means, bounded below by zero; also where the mean is large."""
    rng = np.random.default_rng(1)
    shape = (1, 6, 8)
    kept = tuple(1 if a == axis else d for a, d in enumerate(shape))
    count = shape[axis]
    text = """
        s = ReduceSum x axes
        q = Mul x x
        t = ReduceSum q axes
        e = Mul t inv
        m = Mul s inv
        mm = Mul m m
        v = Sub e mm
        v0 = Max zero v
        v1 = Reshape v0 kept
        v2 = Add v1 eps
        r = Sqrt v2
        i = Reciprocal r
        f = Mul i gamma
        m1 = Reshape m kept
        c = Sub x m1
        n = Mul c f
        y = Add n beta
    """
    nodes = nodes_of("\n".join(line.strip() for line in text.strip().splitlines()))
    for node in nodes:
        if node.op_type == "ReduceSum":
            node.attribute.append(helper.make_attribute("keepdims", 0))
    of_axis = tuple(d if a == axis else 1 for a, d in enumerate(shape))
    constants = {
        "axes": np.array([axis]), "inv": np.float32(1 / count), "zero": np.float32(0), "kept": np.array(kept), "eps": np.float32(1e-6),
        "gamma": floats(rng, *of_axis) + 1, "beta": floats(rng, *of_axis),
    }  # fmt: skip
    proto = model(nodes, {"x": shape}, constants)
    data = floats(rng, 30, *shape[1:], scale=0.2) + 3
    circuit = compile_model(proto, data)
    x = data[:1].astype(np.float64)
    centred = x - x.mean(axis=axis, keepdims=True)
    exact = centred / np.sqrt((centred**2).mean(axis=axis, keepdims=True) + 1e-6) * constants["gamma"] + constants["beta"]
    values = run(circuit, {"x": data[:1]})
    (port,) = circuit.graph.outputs
    assert np.abs(values[port.tensor].reshape(shape) * port.scale - exact).max() < 0.05
    check_witness(circuit.graph, values)
    check_complete(circuit, count=1)


SOFTMAX = "e = Exp x\ns = ReduceSum e axes\ny = Div e s"
SOFTMAX_SHIFTED = "m = ReduceMax x axes\nd = Sub x m\ne = Exp d\ns = ReduceSum e axes\ny = Div e s"
SOFTMAX_FLAX = "l = ReduceMax x axes\nm = Max l least\nd = Sub x m\ne = Exp d\nt = ReduceSum e axes\ns = Reshape t kept\ny = Div e s"


@pytest.mark.parametrize("text", [SOFTMAX, SOFTMAX_SHIFTED, SOFTMAX_FLAX])
@pytest.mark.parametrize("axis", [1, 2])
def test_softmax_by_its_parts(text: str, axis: int) -> None:
    """Sums of exponentials far beyond those of calibration cannot saturate: samples are peaked, the input is flat."""
    rng = np.random.default_rng(0)
    shape = (1, 6, 8)
    nodes = nodes_of(text)
    for made in nodes:
        if made.op_type == "ReduceMax":
            made.input.pop()
            made.attribute.append(helper.make_attribute("axes", [axis]))
        elif made.op_type == "ReduceSum" and "Reshape" in text:
            made.attribute.append(helper.make_attribute("keepdims", 0))
    constants = {"axes": np.array([axis]), "least": np.float32(-np.inf), "kept": np.array([*shape[:axis], 1, *shape[axis + 1 :]])}
    names = {name for n in nodes for name in n.input}
    proto = model(nodes, {"x": shape}, {k: v for k, v in constants.items() if k in names}, opset=17)
    circuit = compile_model(proto, floats(rng, 16, *shape[1:], scale=4.0))
    flat = np.zeros(shape, dtype=np.float32)
    values = run(circuit, {"x": flat})
    (port,) = circuit.graph.outputs
    assert np.abs(values[port.tensor] * port.scale - 1 / shape[axis]).max() < 1e-3
    check_witness(circuit.graph, values)


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMean"])
def test_sums_of_products_are_rounded_once(op: str) -> None:
    """Weights and values by position: their products, seen small in calibration, may be as great as the sum."""
    rng = np.random.default_rng(0)
    nodes = [*nodes_of("w = Softmax g\np = Mul x w"), helper.make_node(op, ["p", "axes"], ["y"], name="total", keepdims=0)]
    data = {"x": floats(rng, 16, 4, 8) + 2, "g": floats(rng, 16, 4, 8, scale=0.1)}
    proto = model(nodes, {"x": (1, 4, 8), "g": (1, 4, 8)}, {"axes": np.array([2])}, opset=18)
    circuit = compile_model(proto, data, input_range={"g": (-8.0, 8.0)})
    feeds = {"x": data["x"][:1], "g": np.eye(8, dtype=np.float32)[:4][None] * 7}
    values = run(circuit, feeds)
    (port,) = circuit.graph.outputs
    exact = np.exp(feeds["g"].astype(np.float64))
    exact = (exact / exact.sum(-1, keepdims=True) * feeds["x"]).sum(-1) / (8 if op == "ReduceMean" else 1)
    assert np.abs(values[port.tensor].reshape(1, 4) * port.scale - exact).max() < 2e-3 * np.abs(exact).max()
    check_witness(circuit.graph, values)
    check_complete(circuit)
