"""Whatever compiles, proves: random models, every input in the declared range, against onnxruntime within the certified bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, event, given, note, settings
from unit.compiler.checks import Array, check_witness, corners, run_float
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
    circuit = compiled(drawn)
    proving, verifying = setup(circuit, threads=1)
    for i, x in enumerate(inputs(drawn, circuit)):
        run = infer(proving, x)
        check_witness(circuit.graph, dict(run.values))
        wanted = run_float(drawn.proto, {"x": x}, every=True)
        peak = max((float(np.abs(v.astype(np.float64)).max()) for v in wanted.values() if v.size), default=0.0)
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
