"""Whatever compiles, proves: random models, every input in the declared range, against onnxruntime within the certified bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import assume, event, given, note, settings
from onnx import helper, numpy_helper
from unit.compiler.checks import Array, check_witness, corners, model, run_float
from unit.compiler.random_models import Drawn, models

from ciro_zk.compiler import compile as compile_model
from ciro_zk.errors import BoundsError
from ciro_zk.params import TESTING
from ciro_zk.program.circuit import Circuit
from ciro_zk.prover import prove, setup
from ciro_zk.verifier import verify
from ciro_zk.witness import infer

FLOAT32 = 2e-6
"""The float model's own rounding, relative to its greatest value on the way."""
SELU = (1.67326319217681884765625, 1.05070102214813232421875)


def precise(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with e^x - 1 as 2 u / (1 - u), u = tanh(x / 2): onnxruntime takes it from a float32 e^x, which leaves no digits near 0."""
    found = onnx.ModelProto()
    found.CopyFrom(proto)
    del found.graph.node[:]
    for node in proto.graph.node:
        found.graph.node.extend(exponential(node, found.graph) if node.op_type in ("Celu", "Elu", "Selu") else [node])
    return found


def exponential(node: onnx.NodeProto, graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """gamma (max(x, 0) + alpha (e^(min(x, 0) / divisor) - 1))."""
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    alpha, gamma = SELU if node.op_type == "Selu" else (1.0, 1.0)
    alpha, gamma = attributes.get("alpha", alpha), attributes.get("gamma", gamma)
    (x,), (y,) = node.input, node.output
    values = {"zero": 0.0, "one": 1.0, "half": 0.5 / (alpha if node.op_type == "Celu" else 1.0), "twice": 2 * alpha, "gamma": gamma}
    graph.initializer.extend(numpy_helper.from_array(np.float32(value), f"{y}/{name}") for name, value in values.items())
    steps: list[tuple[str, ...]] = [
        ("Min", x, "zero", "low"), ("Max", x, "zero", "high"), ("Mul", "low", "half", "t"), ("Tanh", "t", "u"), ("Sub", "one", "u", "d"),
        ("Mul", "u", "twice", "n"), ("Div", "n", "d", "e"), ("Add", "high", "e", "s"), ("Mul", "s", "gamma", y),
    ]  # fmt: skip
    inner = {name: f"{y}/{name}" for _, *names in steps for name in names if name not in (x, y)}
    return [helper.make_node(kind, [inner.get(n, n) for n in names], [inner.get(to, to)]) for kind, *names, to in steps]


def compiled(drawn: Drawn) -> Circuit:
    """The circuit; a model whose weights are within reason is never refused."""
    try:
        circuit = compile_model(drawn.proto, drawn.samples, bits=drawn.bits, input_range={"x": (drawn.low, drawn.high)})
    except BoundsError as error:
        event(f"refused: {str(error)[:60]}")
        assume(drawn.tame)
        raise
    return replace(circuit, preset=TESTING)


def inputs(drawn: Drawn, circuit: Circuit) -> list[Array]:
    """Inputs all over the declared range: its ends, random ends by cell, random cells."""
    (port,) = circuit.graph.inputs
    shape = tuple(d.dim_value for d in drawn.proto.graph.input[0].type.tensor_type.shape.dim)
    found = corners(circuit.graph, np.random.default_rng(0), count=2)
    real = [np.clip((leaves[port.tensor] * port.scale).astype(np.float32), drawn.low, drawn.high).reshape(shape) for leaves in found]
    return [*real, drawn.samples[: shape[0]].reshape(shape)]


def check(drawn: Drawn) -> None:
    note(drawn.text)
    circuit, reference = compiled(drawn), precise(drawn.proto)
    proving, verifying = setup(circuit, threads=1)
    for i, x in enumerate(inputs(drawn, circuit)):
        run = infer(proving, x)
        check_witness(circuit.graph, dict(run.values))
        wanted = run_float(reference, {"x": x}, every=True)
        made = [wanted[name] for node in drawn.proto.graph.node for name in node.output if name in wanted]
        peak = max((float(np.abs(v.astype(np.float64)).max()) for v in made if v.size), default=0.0)
        bound = circuit.error_bound(x)
        for port in circuit.graph.outputs:
            error = np.abs(run.outputs[port.name].reshape(-1) - wanted[port.name].reshape(-1).astype(np.float64))
            assert (error <= bound[port.name].reshape(-1) + FLOAT32 * peak).all(), (i, port.name, error.max(), bound[port.name].max(), peak)
        if i < 2:
            verify(verifying, prove(proving, run, threads=1), inputs=x, allow_testing=True)


@settings(max_examples=60)
@given(models())
def test_what_compiles_proves(drawn: Drawn) -> None:
    check(drawn)


@pytest.mark.long
@settings(max_examples=1500)
@given(models())
def test_what_compiles_proves_at_length(drawn: Drawn) -> None:
    check(drawn)


@pytest.mark.parametrize(("kind", "alpha"), [("Celu", 0.5), ("Celu", 2.0), ("Elu", 0.7), ("Selu", None)])
def test_the_reference_is_the_model(kind: str, alpha: float | None) -> None:
    """To float32's rounding; and near 0, where the function is alpha / divisor x, to a share of the value."""
    node = helper.make_node(kind, ["x"], ["y"], **({} if alpha is None else {"alpha": alpha}))
    proto = model([node], {"x": (1, 200)})
    x = np.linspace(-9, 9, 200, dtype=np.float32)[None]
    exact = run_float(precise(proto), {"x": x})["y"]
    assert np.allclose(exact, run_float(proto, {"x": x})["y"], rtol=0, atol=2e-6)
    slope = 1.0 if kind == "Celu" else (alpha or SELU[0]) * (SELU[1] if kind == "Selu" else 1.0)
    tiny = run_float(precise(proto), {"x": np.full_like(x, -1e-9)})["y"]
    assert np.allclose(tiny, -1e-9 * slope, rtol=1e-6, atol=0)
