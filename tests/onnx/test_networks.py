"""Whole networks: fusions, shared tables, batches, several inputs and outputs, and that what compiles proves."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from unit.compiler.checks import Sensitivity, check_complete, check_witness, compile_and_compare, floats, model, run

from ciro_zk.circuit.graph import Graph
from ciro_zk.compiler import compile as compile_model
from ciro_zk.errors import AccuracyWarning
from ciro_zk.ops import Hadamard, Maximum, Requantise
from ciro_zk.program.circuit import Circuit


def count(graph: Graph, kind: type) -> int:
    return sum(isinstance(node.op, kind) for node in graph.nodes)


def relative_error(circuit: Circuit) -> float:
    """The greatest error of any output relative to its range."""
    return max(found["max_abs_error"] / found["max_abs"] for found in circuit.accuracy["outputs"].values())


def node(op: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), output.split(), name=f"{op}_{output}", **attributes)


def lenet(rng: np.random.Generator, *, relu_after_pool: bool = False) -> onnx.ModelProto:
    first = ["MaxPool", "Relu"] if relu_after_pool else ["Relu", "MaxPool"]
    nodes = [node("Conv", "x k1 b1", "c1")]
    last = "c1"
    for op in first:
        nodes.append(node(op, last, f"{op}1", **({"kernel_shape": [2, 2], "strides": [2, 2]} if op == "MaxPool" else {})))
        last = f"{op}1"
    nodes += [
        node("Conv", f"{last} k2 b2", "c2"),
        node("Relu", "c2", "r2"),
        node("MaxPool", "r2", "p2", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "p2", "f"),
        node("Gemm", "f w3 b3", "g3", transB=1),
        node("Relu", "g3", "r3"),
        node("Gemm", "r3 w4 b4", "y", transB=1),
    ]
    constants = {
        "k1": floats(rng, 3, 1, 3, 3, scale=0.4), "b1": floats(rng, 3, scale=0.1),
        "k2": floats(rng, 4, 3, 3, 3, scale=0.2), "b2": floats(rng, 4, scale=0.1),
        "w3": floats(rng, 12, 16, scale=0.3), "b3": floats(rng, 12, scale=0.1),
        "w4": floats(rng, 5, 12, scale=0.3), "b4": floats(rng, 5, scale=0.1),
    }  # fmt: skip
    return model(nodes, {"x": (1, 1, 14, 14)}, constants)


def test_lenet_shape() -> None:
    rng = np.random.default_rng(0)
    data = rng.random((16, 1, 14, 14), dtype=np.float32)
    circuit = compile_model(lenet(rng), data)
    assert relative_error(circuit) < 0.01
    # conv, conv, dense once each; the logits' identity with Relu's table takes two
    assert count(circuit.graph, Requantise) == 5 and count(circuit.graph, Maximum) == 2
    assert [table.kind for table in circuit.graph.tables] in (["range", "sign", "window"], ["range", "graph"])
    check_complete(circuit)


def test_relu_moves_before_the_pool() -> None:
    rng = np.random.default_rng(0)
    data = rng.random((8, 1, 14, 14), dtype=np.float32)
    plain = compile_model(lenet(np.random.default_rng(1)), data)
    moved = compile_model(lenet(np.random.default_rng(1), relu_after_pool=True), data)
    assert count(moved.graph, Requantise) == count(plain.graph, Requantise)
    assert moved.accuracy["outputs"] == plain.accuracy["outputs"]


def test_batch_norm_is_folded() -> None:
    rng = np.random.default_rng(0)
    constants = {"k": floats(rng, 4, 2, 3, 3), "b": floats(rng, 4), "s": floats(rng, 4), "o": floats(rng, 4), "m": floats(rng, 4)}
    constants["v"] = np.abs(floats(rng, 4)) + np.float32(0.1)
    nodes = [node("Conv", "x k b", "c", pads=[1, 1, 1, 1]), node("BatchNormalization", "c s o m v", "n"), node("Relu", "n", "y")]
    circuit = compile_model(model(nodes, {"x": (1, 2, 6, 6)}, constants), floats(rng, 8, 2, 6, 6))
    assert count(circuit.graph, Requantise) == 1 and relative_error(circuit) < 0.005
    check_complete(circuit)


def test_scalars_and_bias_are_folded() -> None:
    """(x - 0.5) / 0.25 is a view; MatMul + Add + Mul by channel + Relu is one requantisation."""
    rng = np.random.default_rng(0)
    nodes = [
        node("Sub", "x half", "a"), node("Div", "a quarter", "d"),
        node("MatMul", "d w", "m"), node("Add", "b m", "s"), node("Mul", "s g", "t"), node("Relu", "t", "y"),
    ]  # fmt: skip
    constants = {"half": np.float32(0.5), "quarter": np.float32(0.25), "w": floats(rng, 6, 4), "b": floats(rng, 4), "g": floats(rng, 4)}
    circuit = compile_model(model(nodes, {"x": (3, 6)}, constants), rng.random((12, 6), dtype=np.float32))
    assert count(circuit.graph, Requantise) == 1 and relative_error(circuit) < 0.005
    check_complete(circuit)


@pytest.mark.parametrize(("uses", "even"), [(1, True), (2, True), (1, False)])
def test_scale_and_bias_before_products_join_them(uses: int, even: bool) -> None:
    """Where nothing else uses them, and no entry is so great that the others would lose their bits."""
    rng = np.random.default_rng(0)
    scale = np.array([1, -2, 0.5, 1, 1, 1, 1, 1], dtype=np.float32)
    if not even:
        scale[2] = 1000
    nodes = [
        node("Relu", "x", "r"),
        node("Mul", "r g", "m"),
        node("Add", "m b", "a"),
        node("MatMul", "a w", "p"),
        node("MatMul", "a v", "q"),
    ]
    last = node("Add", "p q", "y") if uses == 1 else node("Concat", "p q a", "y", axis=1)
    constants = {"g": scale, "b": floats(rng, 8), "w": floats(rng, 8, 5), "v": floats(rng, 8, 5)}
    circuit = compile_model(model([*nodes, last], {"x": (2, 8)}, constants), floats(rng, 20, 8))
    hadamards = sum(isinstance(n.op, Hadamard) for n in circuit.graph.nodes)
    assert hadamards == int(uses == 2 or not even)
    assert relative_error(circuit) < 0.01


def test_pad_becomes_the_convolutions() -> None:
    rng = np.random.default_rng(0)
    nodes = [node("Pad", "x pads", "p"), node("Conv", "p k", "y", pads=[0, 1, 0, 0])]
    constants = {"pads": np.array([0, 0, 1, 0, 0, 0, 2, 1]), "k": floats(rng, 2, 1, 3, 3)}
    circuit = compile_model(model(nodes, {"x": (1, 1, 5, 5)}, constants), floats(rng, 4, 1, 5, 5))
    convolution = next(n.op for n in circuit.graph.nodes if n.op.kind == "conv")
    assert convolution.pads_begin == (1, 1) and convolution.pads_end == (2, 1)  # type: ignore[attr-defined]
    assert relative_error(circuit) < 0.005 and not any(n.op.kind == "axis_map" for n in circuit.graph.nodes)


@pytest.mark.parametrize("last", ["clip", "relu"])
def test_clamps_in_a_row_are_one(last: str) -> None:
    rng = np.random.default_rng(0)
    clamps = (
        [node("Clip", "m low high", "c"), node("Relu", "c", "y")]
        if last == "relu"
        else [node("Relu", "m", "c"), node("Clip", "c low high", "y")]
    )
    constants = {"w": floats(rng, 6, 5), "low": np.float32(-0.5), "high": np.float32(0.75)}
    circuit = compile_model(model([node("MatMul", "x w", "m"), *clamps], {"x": (1, 6)}, constants), floats(rng, 32, 6))
    assert count(circuit.graph, Requantise) == 1 and relative_error(circuit) < 0.005
    check_complete(circuit)


def residual(two_products: bool) -> tuple[onnx.ModelProto, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(3)
    side = node("Conv", "r k3 b3", "s") if two_products else node("Identity", "r", "s")
    nodes = [
        node("Conv", "x k1", "c1", pads=[1, 1, 1, 1]), node("Relu", "c1", "r"),
        node("Conv", "r k2 b2", "c2", pads=[1, 1, 1, 1]), side, node("Add", "c2 s", "a"), node("Relu", "a", "y"),
    ]  # fmt: skip
    constants = {"k1": floats(rng, 4, 2, 3, 3), "k2": floats(rng, 4, 4, 3, 3, scale=0.2), "b2": floats(rng, 4)}
    constants |= {"k3": floats(rng, 4, 4, 1, 1), "b3": floats(rng, 4)}
    return model(nodes, {"x": (1, 2, 6, 6)}, constants), floats(rng, 8, 2, 6, 6)


@pytest.mark.parametrize("two_products", [False, True])
@pytest.mark.parametrize("bits", [6, 8, 12, 16])
def test_residual_joins_the_accumulator(two_products: bool, bits: int) -> None:
    proto, data = residual(two_products)
    circuit = compile_model(proto, data, bits=bits)
    assert count(circuit.graph, Requantise) == 2
    assert relative_error(circuit) < 16 / 2**bits
    check_complete(circuit)


def test_curves_share_one_table() -> None:
    rng = np.random.default_rng(0)
    nodes = [node("MatMul", "x w1", "a"), node("Tanh", "a", "b"), node("MatMul", "b w2", "c"), node("Tanh", "c", "y")]
    circuit = compile_model(model(nodes, {"x": (1, 8)}, {"w1": floats(rng, 8, 8), "w2": floats(rng, 8, 3)}), floats(rng, 32, 8))
    assert sum(table.kind in ("graph", "window") for table in circuit.graph.tables) == 1
    assert relative_error(circuit) < 0.02
    check_complete(circuit)


def test_curves_of_far_ranges_have_tables_of_their_own() -> None:
    """The first function's values are a hundredth of the second's: one unit for both would leave it a few bits."""
    rng = np.random.default_rng(0)
    nodes = [node("MatMul", "x w1", "a"), node("Gelu", "a", "b"), node("MatMul", "b w2", "c"), node("Gelu", "c", "y")]
    constants = {"w1": floats(rng, 8, 8, scale=0.01), "w2": floats(rng, 8, 3, scale=30.0)}
    circuit = compile_model(model(nodes, {"x": (1, 8)}, constants, opset=20), floats(rng, 32, 8))
    assert sum(table.kind in ("graph", "window") for table in circuit.graph.tables) == 2
    assert relative_error(circuit) < 0.003
    check_complete(circuit)


@pytest.mark.parametrize("bias", [(4, 1), (1,)])
def test_a_bias_behind_a_squeeze_joins_the_convolution(bias: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    nodes = [node("Conv", "x k", "c"), node("Reshape", "c shape", "s"), node("Add", "s b", "y")]
    constants = {"k": floats(rng, 4, 2, 3, 1), "shape": np.array((1, 4, 6)), "b": floats(rng, *bias)}
    circuit = compile_model(model(nodes, {"x": (1, 2, 8, 1)}, constants), floats(rng, 16, 2, 8, 1))
    assert count(circuit.graph, Requantise) == 1 and relative_error(circuit) < 0.002
    check_complete(circuit)


def test_leaky_relu_with_a_small_slope_at_16_bits() -> None:
    """Too wide for a table of its own: relu(x) - relu(-slope x)."""
    rng = np.random.default_rng(0)
    nodes = [node("MatMul", "x w", "a"), node("LeakyRelu", "a", "y", alpha=0.01)]
    proto = model(nodes, {"x": (1, 64)}, {"w": floats(rng, 64, 4)})
    circuit = compile_model(proto, floats(rng, 16, 64), bits=16)
    assert relative_error(circuit) < 1e-3
    check_complete(circuit, count=8)


def test_several_inputs_and_outputs() -> None:
    rng = np.random.default_rng(0)
    nodes = [
        node("Concat", "a b", "c", axis=1), node("MatMul", "c w", "y"), node("Relu", "y", "z"),
        node("Identity", "a", "same"), node("Constant", "", "fixed", value=onnx.numpy_helper.from_array(np.float32([1, -3]))),
    ]  # fmt: skip
    nodes[-1].ClearField("input")
    proto = model(nodes, {"a": (2, 3), "b": (2, 2)}, {"w": floats(rng, 5, 4)}, ["y", "z", "same", "fixed"])
    samples = {"a": floats(rng, 12, 3, scale=10), "b": floats(rng, 12, 2, scale=0.1)}
    circuit = compile_model(proto, samples)
    assert [port.name for port in circuit.graph.outputs] == ["y", "z", "same", "fixed"]
    assert relative_error(circuit) < 0.01 if "fixed" in circuit.accuracy["outputs"] else True
    values = run(circuit, {name: value[:2] for name, value in samples.items()})
    fixed = circuit.graph.outputs[-1]
    assert np.allclose(values[fixed.tensor] * fixed.scale, [1, -3], atol=2e-3)
    check_complete(circuit)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT32, TensorProto.BOOL, TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_input_types(kind: int) -> None:
    rng = np.random.default_rng(0)
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    nodes = [node("Cast", "x", "f", to=TensorProto.FLOAT), node("MatMul", "f w", "y")]
    proto = model(nodes, {"x": (1, 6)}, {"w": floats(rng, 6, 3)}, dtype=kind)
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    data = {"b": rng.random((8, 6)) < 0.5, "f": rng.standard_normal((8, 6))}.get(dtype.kind, rng.integers(0, 200, (8, 6))).astype(dtype)
    circuit = compile_model(proto, data)
    assert relative_error(circuit) < 0.01
    port = circuit.graph.inputs[0]
    if dtype.kind in "iub":
        assert port.scale == 1.0
    if dtype.kind == "b":
        assert (circuit.graph.tensors[port.tensor].low, circuit.graph.tensors[port.tensor].high) == (0, 1)
    check_complete(circuit)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_weight_types(kind: type) -> None:
    rng = np.random.default_rng(0)
    dtype = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    nodes = [node("MatMul", "x w", "m"), node("Relu", "m", "y")]
    proto = model(nodes, {"x": (1, 6)}, {"w": rng.standard_normal((6, 3)).astype(kind)}, dtype=dtype)
    circuit = compile_model(proto, rng.standard_normal((8, 6)))
    assert relative_error(circuit) < 0.01


def test_shape_plumbing_is_folded() -> None:
    """Shape, Gather, Concat, Reshape as exporters write them, with a symbolic batch."""
    rng = np.random.default_rng(0)
    nodes = [
        node("Shape", "x", "shape"), node("Gather", "shape zero", "n"), node("Unsqueeze", "n axes", "n1"),
        node("Concat", "n1 rest", "target", axis=0), node("Reshape", "x target", "flat"), node("MatMul", "flat w", "y"),
    ]  # fmt: skip
    constants = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1]), "w": floats(rng, 12, 3)}
    proto = model(nodes, {"x": ("batch", 3, 4)}, constants)
    circuit = compile_model(proto, floats(rng, 8, 3, 4))
    assert circuit.graph.tensors[circuit.graph.inputs[0].tensor].shape == (1, 3, 4)
    assert relative_error(circuit) < 0.01
    batched = compile_model(proto, floats(rng, 8, 3, 4), shapes={"batch": 4})
    assert batched.graph.tensors[batched.graph.inputs[0].tensor].shape == (4, 3, 4)
    assert batched.accuracy["num_samples"] == 2


def test_unused_nodes_are_left_out() -> None:
    rng = np.random.default_rng(0)
    nodes = [node("Relu", "x", "y"), node("Softmax", "x", "unused")]
    circuit = compile_model(model(nodes, {"x": (1, 4)}), floats(rng, 4, 4))
    assert count(circuit.graph, Requantise) == 1


def test_outputs_that_are_views_of_inputs() -> None:
    rng = np.random.default_rng(0)
    circuit = compile_model(model([node("Flatten", "x", "y")], {"x": (1, 2, 3)}), floats(rng, 2, 2, 3))
    assert circuit.graph.tensors[circuit.graph.outputs[0].tensor].shape == (1, 6)


def test_dead_values_and_zero_weights() -> None:
    """A tensor that is zero on all samples still gets a scale."""
    rng = np.random.default_rng(0)
    nodes = [node("Gemm", "x w b", "m"), node("Relu", "m", "r"), node("MatMul", "r v", "y")]
    constants = {"w": np.zeros((4, 3), np.float32), "b": np.full(3, -1, np.float32), "v": floats(rng, 3, 2)}
    circuit = compile_model(model(nodes, {"x": (1, 4)}, constants), floats(rng, 4, 4))
    check_complete(circuit)
    assert circuit.accuracy["outputs"]["y"]["max_abs_error"] == 0


@pytest.mark.parametrize("power", [-40, -10, 10, 40])
def test_extreme_magnitudes(power: int) -> None:
    rng = np.random.default_rng(0)
    nodes = [node("Gemm", "x w b", "m"), node("Relu", "m", "y")]
    constants = {"w": floats(rng, 8, 4) * np.float32(2.0**power), "b": floats(rng, 4) * np.float32(2.0**power)}
    circuit = compile_model(model(nodes, {"x": (1, 8)}, constants), floats(rng, 16, 8))
    assert relative_error(circuit) < 0.01
    check_complete(circuit)


def test_cancelling_products_are_certified() -> None:
    """Products far larger than their sum: the sum is coarse, but the circuit is complete."""
    nodes = [node("MatMul", "x w", "y")]
    w = np.array([[1e6], [-1e6]], dtype=np.float32)
    data = np.repeat(np.random.default_rng(0).random((8, 1), dtype=np.float32), 2, axis=1) + np.float32([0, 1e-6])
    check_complete(compile_model(model(nodes, {"x": (1, 2)}, {"w": w}), data))


def test_declared_ranges() -> None:
    rng = np.random.default_rng(0)
    proto = model([node("MatMul", "x w", "y")], {"x": (1, 4)}, {"w": floats(rng, 4, 3)})
    with pytest.warns(AccuracyWarning, match="random inputs"):
        circuit = compile_model(proto, input_range={"x": (0.0, 255.0)})
    tensor = circuit.graph.tensors[circuit.graph.inputs[0].tensor]
    assert (tensor.low, tensor.high) == (0, 4095) and relative_error(circuit) < 0.01
    check_complete(circuit)
    narrow = compile_model(proto, rng.random((4, 4)), input_range={"x": (-0.5, 2.0)})
    tensor = narrow.graph.tensors[narrow.graph.inputs[0].tensor]
    assert (tensor.low, tensor.high) == (-1024, 4095)


def test_witness_checker_sees_a_wrong_cell() -> None:
    rng = np.random.default_rng(0)
    circuit = compile_model(lenet(rng), rng.random((2, 1, 14, 14), dtype=np.float32))
    values = run(circuit, {"x": rng.random((1, 1, 14, 14))})
    check_witness(circuit.graph, values)
    target = next(n for n in circuit.graph.nodes if isinstance(n.op, Requantise)).outputs[0]
    values[target] = values[target].copy()
    values[target].reshape(-1)[0] ^= 1
    with pytest.raises(AssertionError):
        check_witness(circuit.graph, values)


def test_compare_is_what_it_says() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError):
        compile_and_compare(model([node("Relu", "x", "y")], {"x": (1, 4)}), {"x": floats(rng, 4, 4)}, Sensitivity(0, 0, 0, 0), bits=6)


def test_magnitudes_are_exact_up_to_their_root() -> None:
    """sqrt(a^2 + b^2) of a spectrum: squares are not rounded, so small magnitudes keep their digits."""
    rng = np.random.default_rng(3)
    nodes = [
        node("MatMul", "x w", "s"),
        node("Slice", "s zero half last", "a"),
        node("Slice", "s half end last", "b"),
        node("Pow", "a two", "a2"),
        node("Pow", "b two", "b2"),
        node("Add", "a2 b2", "sum"),
        node("Sqrt", "sum", "y"),
    ]
    constants = {
        "w": floats(rng, 6, 8),
        "two": np.float32(2),
        **{name: np.array([value]) for name, value in {"zero": 0, "half": 4, "end": 8, "last": -1}.items()},
    }
    data = floats(rng, 40, 6)
    data[:20] /= 100
    circuit = compile_model(model(nodes, {"x": (1, 6)}, constants), data)
    check_complete(circuit)
    check_witness(circuit.graph, run(circuit, {"x": data[:1]}))
    assert relative_error(circuit) < 2e-3
    bound = circuit.error_bound(data[:1])["y"]
    assert 0 < bound.max() < 0.05
