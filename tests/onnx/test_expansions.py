"""Operators rewritten as others: the circuit against a runtime on the model as it was given, at every schema version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator
from unit.compiler.checks import check_complete, check_witness, run
from unit.compiler.expanded_cases import COUNT, EXPANDED, Expanded

from ciro_zk.compiler import compile as compile_model
from ciro_zk.prover import prove, setup
from ciro_zk.verifier import verify
from ciro_zk.witness import infer


def runtime(proto: onnx.ModelProto) -> Callable[..., list[Any]]:
    """onnxruntime where it has all kernels, else onnx.reference."""
    try:
        run: Callable[..., list[Any]] = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"]).run
    except Exception:  # its exception classes share no base
        run = ReferenceEvaluator(proto).run
    return run


@pytest.mark.parametrize(("case", "opset"), [(case, opset) for case in EXPANDED for opset in case.opsets], ids=str)
def test_expansion(case: Expanded, opset: int) -> None:
    proto, data = case.model(opset), case.data()
    circuit = compile_model(proto, data, validation=data)
    reference = runtime(proto)
    for i in range(COUNT):
        feeds = {name: array[i] for name, array in case.inputs.items()}
        values = run(circuit, feeds)
        for port, wanted in zip(circuit.graph.outputs, reference(list(case.outputs), feeds), strict=True):
            found = (values[port.tensor] * port.scale).reshape(np.shape(wanted))
            if wanted.dtype.kind == "f":
                assert np.abs(found - wanted).max() <= case.tolerance * np.abs(wanted).max() + port.scale, port.name
            else:
                assert np.array_equal(found, wanted), port.name
    check_witness(circuit.graph, values)
    check_complete(circuit, count=2)


@pytest.mark.parametrize("case", EXPANDED, ids=str)
def test_what_compiles_proves(case: Expanded) -> None:
    data = case.data()
    circuit = compile_model(case.model(case.opsets[-1]), data)
    first = {name: array[0] for name, array in case.inputs.items()}
    pk, vk = setup(circuit)
    assert verify(vk, prove(pk, infer(pk, first)), inputs=first)
