"""The certified error bound: no circuit is further from the float model, and for single operators it is of use."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from unit.compiler.case import Case
from unit.compiler.cases import CASES
from unit.compiler.checks import corners, floats, model, run_float

from benches.transformer import gpt_blocks
from ciro_zk.compiler import compile as compile_model
from ciro_zk.program.circuit import Circuit
from ciro_zk.witness import infer

FLOAT32 = 1e-5
"""The float model's own rounding, relative to its greatest output."""


def excess(circuit: Circuit, proto: onnx.ModelProto, x: Any) -> tuple[float, float]:
    """(greatest error beyond the bound, greatest bound), relative to the greatest output."""
    wanted = run_float(proto, {"x": x})["y"].astype(np.float64)
    bound = circuit.error_bound(x)["y"].reshape(wanted.shape)
    found = infer(circuit, x).outputs["y"].reshape(wanted.shape)
    peak = max(float(np.abs(wanted).max()), 1e-9)
    return float((np.abs(found - wanted) - bound).max()) / peak, float(bound.max()) / peak


@pytest.mark.parametrize("case", CASES, ids=str)
def test_single_operators(case: Case) -> None:
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    opset = case.opsets[-1]
    constants = case.constants(opset) if callable(case.constants) else case.constants
    samples = floats(rng, 3 * case.shape[0], *case.shape[1:], scale=case.scale)
    proto = model(case.nodes(opset), {"x": case.shape}, constants, opset=opset)
    circuit = compile_model(proto, samples)
    beyond, bound = excess(circuit, proto, samples[: case.shape[0]])
    assert beyond <= FLOAT32 and bound <= case.bound


def network(rng: np.random.Generator, last: str) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["g"]), helper.make_node(last, ["g"], ["a"]),
        helper.make_node("Add", ["a", "g"], ["s"]), helper.make_node("Concat", ["s", "a"], ["c"], axis=1),
        helper.make_node("MatMul", ["c", "v"], ["y"]),
    ]  # fmt: skip
    return model(nodes, {"x": (1, 6)}, {"w": floats(rng, 6, 8), "b": floats(rng, 8), "v": floats(rng, 16, 3)})


@pytest.mark.parametrize("last", ["Relu", "LeakyRelu", "Sigmoid", "Tanh"])
@pytest.mark.parametrize("bits", [6, 10, 14])
def test_networks_at_the_ends_of_the_declared_range(last: str, bits: int) -> None:
    """Calibrated on small values: the inputs at the ends saturate inside, and the bound says so."""
    rng = np.random.default_rng(bits)
    proto = network(rng, last)
    circuit = compile_model(proto, floats(rng, 16, 6, scale=0.3), bits=bits, input_range={"x": (-4.0, 4.0)})
    (port,) = circuit.graph.inputs
    for leaves in corners(circuit.graph, rng):
        x = (np.clip(leaves[port.tensor] * port.scale, -4, 4)).astype(np.float32)
        assert excess(circuit, proto, x)[0] <= FLOAT32


@pytest.mark.parametrize("last", ["Relu", "LeakyRelu", "Sigmoid", "Tanh"])
def test_a_bound_for_all_inputs(last: str) -> None:
    """Of the declared range: no run has a greater error, and its own bound is smaller."""
    rng = np.random.default_rng(1)
    proto = network(rng, last)
    circuit = compile_model(proto, np.clip(floats(rng, 64, 6), -1, 1), input_range={"x": (-1.0, 1.0)})
    (port,) = circuit.graph.inputs
    bound = circuit.error_bound()["y"]
    assert np.isfinite(bound).all()
    for leaves in corners(circuit.graph, rng):
        x = (np.clip(leaves[port.tensor] * port.scale, -1, 1)).astype(np.float32)
        wanted = run_float(proto, {"x": x})["y"].reshape(bound.shape)
        assert (np.abs(infer(circuit, x).outputs["y"].reshape(bound.shape) - wanted) <= bound + FLOAT32 * np.abs(wanted).max()).all()
        assert (circuit.error_bound(x)["y"].reshape(bound.shape) <= bound).all()


def test_the_report_has_the_bound_for_all_inputs() -> None:
    rng = np.random.default_rng(1)
    circuit = compile_model(network(rng, "Relu"), floats(rng, 8, 6))
    report = circuit.report()
    (found,) = report.static_bounds.values()
    assert found.bound == circuit.error_bound()["y"].max() and not found.reason
    assert f"at most {found.bound:.3g}" in str(report)
    assert report.as_dict()["static_bounds"] == {"y": {"bound": found.bound, "reason": ""}}


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (lambda: [helper.make_node("Div", ["one", "x"], ["y"])], "y.quotient.out: its divisor may be 0"),
        (lambda: [helper.make_node("Exp", ["x"], ["e"]), helper.make_node("Neg", ["e"], ["y"])], "e.out: its function may pass"),
    ],
    ids=["Div", "Exp"],
)
def test_the_report_says_why_there_is_no_bound(nodes: Any, reason: str) -> None:
    """The circuit's tensor that it starts at, which need not be the output."""
    rng = np.random.default_rng(0)
    proto = model(nodes(), {"x": (1, 6)}, {"one": np.ones((1, 6), dtype=np.float32)})
    circuit = compile_model(proto, rng.uniform(0.5, 1, (8, 6)).astype(np.float32), input_range={"x": (0.0, 8.0)})
    report = circuit.report()
    found = report.static_bounds["y"]
    assert found.bound is None and reason in found.reason
    assert f"no bound: {found.reason}" in str(report)
    assert np.isinf(circuit.error_bound()["y"].max())


def test_the_bound_of_a_transformer_is_finite() -> None:
    """Softmax and normalisation keep it so, for one input and for all."""
    rng = np.random.default_rng(0)
    proto = gpt_blocks(layers=1, tokens=4, width=8, heads=2)
    samples = floats(rng, 9, 4, 8)
    circuit = compile_model(proto, samples)
    x = samples[:1]
    error = np.abs(infer(circuit, x).outputs["hidden"].reshape(-1) - run_float(proto, {"embeddings": x})["hidden"].reshape(-1))
    bound = circuit.error_bound(x)["hidden"].reshape(-1)
    assert (error <= bound + FLOAT32).all() and np.isfinite(bound).all()
    assert circuit.accuracy["outputs"]["hidden"]["error_bound"] is not None


def test_a_wrong_circuit_is_outside_the_bound() -> None:
    rng = np.random.default_rng(0)
    proto = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": (1, 6)}, {"w": floats(rng, 6, 4)})
    x = floats(rng, 1, 6)
    circuit = compile_model(proto, x)
    wrong = replace(circuit, weights={i: -values for i, values in circuit.weights.items()})
    assert excess(circuit, proto, x)[0] <= 0 < excess(wrong, proto, x)[0]


def test_the_bound_survives_the_file() -> None:
    rng = np.random.default_rng(0)
    circuit = compile_model(network(rng, "LeakyRelu"), floats(rng, 8, 6))
    x = floats(rng, 1, 6, scale=0.3)
    assert (Circuit.from_bytes(bytes(circuit)).error_bound(x)["y"] == circuit.error_bound(x)["y"]).all()
