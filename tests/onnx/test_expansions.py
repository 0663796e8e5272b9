"""Operators rewritten as others: the circuit against a runtime on the model as it was given, at every schema version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator
from soundness.malicious import Claimed, accepted, forge, keys, run_graph
from unit.compiler.checks import check_complete, check_witness, run
from unit.compiler.expanded_cases import COUNT, EXPANDED, Expanded

from ciro_zk.compiler import compile as compile_model
from ciro_zk.compiler.report import quantise_inputs
from ciro_zk.errors import ProofRejected
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


def test_a_quotient_or_a_rest_cannot_be_altered() -> None:
    """Of whole numbers: one more or one less, everything after it honest."""
    case = next(case for case in EXPANDED if case.name == "mod_positive")
    data = {name: array[:, :1] if array.ndim == 3 else array for name, array in case.inputs.items()}
    small = Expanded(case.name, case.nodes, data)
    circuit = compile_model(small.model(24), small.data(), validation=small.data())
    pk, vk = keys(circuit)
    graph = circuit.graph
    leaves = {**quantise_inputs(graph, {name: array[0] for name, array in data.items()}), **pk.weights}
    honest = run_graph(graph, leaves)
    assert accepted(vk, forge(pk, Claimed(values=honest)))
    quotient = next(n.outputs[0] for n in graph.nodes if n.op.kind == "divide")
    rest = next(n.outputs[0] for n in graph.nodes if n.op.kind == "requantise")
    for tensor in (quotient, rest):
        for step in (1, -1):
            changed = honest[tensor].copy()
            changed.reshape(-1)[0] += step
            lie = run_graph(graph, leaves, {tensor: lambda values, c=changed: c})
            with pytest.raises(ProofRejected):
                accepted(vk, forge(pk, Claimed(values=lie)))
