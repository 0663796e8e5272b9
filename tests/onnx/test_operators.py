"""Every supported operator at every schema version: the circuit against the float model, within a bound derived from the scales."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from onnx import defs
from unit.compiler.case import COUNT, Case, version
from unit.compiler.cases import CASES
from unit.compiler.checks import compile_and_compare, floats, model
from unit.compiler.expanded_cases import EXPANDED

from ciro_zk.compiler import compile as compile_model
from ciro_zk.compiler import supported_operators
from ciro_zk.prover import prove, setup
from ciro_zk.verifier import verify
from ciro_zk.witness import infer

CLASSICAL = {schema.name for schema in defs.get_all_schemas() if schema.domain == "ai.onnx.ml"}
"""Tested in test_classical.py."""


@pytest.mark.parametrize(("case", "opset"), [(case, opset) for case in CASES for opset in case.opsets], ids=str)
def test_operator(case: Case, opset: int) -> None:
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    samples = floats(rng, COUNT * case.shape[0], *case.shape[1:], scale=case.scale)
    constants = case.constants(opset) if callable(case.constants) else case.constants
    proto = model(case.nodes(opset), {"x": case.shape}, constants, opset=opset)
    compile_and_compare(proto, {"x": samples}, case.sensitivity)


def test_every_version_is_tested() -> None:
    """The accepted versions are those that some case compiled."""
    seen: dict[str, set[int]] = {}
    every = [(case.nodes, case.opsets) for case in CASES] + [(case.made, case.opsets) for case in EXPANDED]
    for nodes, opsets in every:
        for opset in opsets:
            for used in nodes(opset):
                seen.setdefault(used.op_type, set()).add(version(used.op_type, opset))
    seen |= {op: set(found) for op, found in supported_operators().items() if op in CLASSICAL}
    untested = {op: set(versions) - seen.get(op, set()) for op, versions in supported_operators().items()}
    assert not {op: v for op, v in untested.items() if v}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_compiles_proves(case: Case) -> None:
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    opset = case.opsets[-1]
    constants = case.constants(opset) if callable(case.constants) else case.constants
    samples = floats(rng, case.shape[0], *case.shape[1:], scale=case.scale)
    circuit = compile_model(model(case.nodes(opset), {"x": case.shape}, constants, opset=opset), samples)
    proving, verifying = setup(circuit)
    run = infer(proving, samples)
    assert verify(verifying, prove(proving, run), inputs=samples)
