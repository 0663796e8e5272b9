"""Proofs and keys by the malicious prover."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from soundness.malicious.keys import kernels, keys
from soundness.malicious.lie import Lie
from soundness.malicious.prover import Malicious
from soundness.malicious.runs import Cells, Integers, Values, run_field, run_graph

from ciro_zk.circuit.graph import Graph, as_field
from ciro_zk.commitment.prover import Committed
from ciro_zk.field import goldilocks
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.program.program import Program
from ciro_zk.program.statement import statement_of
from ciro_zk.proof import Proof
from ciro_zk.prover import Witness, committed_weights, multiplicities, weights_sample


def leaves_of(pk: ProvingKey, *inputs: Integers, batch: int = 1) -> Values:
    """Leaf tensors of a run, or of a batch (inputs with the batch in front): the inputs in port order, and the key's weights."""
    graph = pk.program.batched(batch).graph
    given = {port.tensor: np.asarray(value, dtype=np.int64) for port, value in zip(graph.inputs, inputs, strict=True)}
    return given | {i: pk.weights[j] for i, j in zip(graph.weights, pk.program.graph.weights, strict=True)}


def outputs_of(graph: Graph, values: Mapping[int, Any]) -> dict[str, Integers]:
    """The output tensors of a run, by name; field cells are taken as signed."""
    found = {}
    for port in graph.outputs:
        value = values[port.tensor]
        value = goldilocks.to_signed(value) if value.dtype == np.uint64 else value
        found[port.name] = np.ascontiguousarray(value.reshape(graph.tensors[port.tensor].shape))
    return found


def inputs_of(graph: Graph, values: Mapping[int, Any]) -> dict[str, Integers]:
    """The input tensors of a run, by name."""
    found = {}
    for port in graph.inputs:
        value = values[port.tensor]
        value = goldilocks.to_signed(value) if value.dtype == np.uint64 else value
        found[port.name] = np.ascontiguousarray(value.reshape(graph.tensors[port.tensor].shape))
    return found


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """What a forged proof is of and about; what is left None follows from the run and the key."""

    values: Mapping[int, Any]
    """The run: int64 arrays or field cells by tensor id."""
    inputs: Mapping[str, Integers] | None = None
    outputs: Mapping[str, Integers] | None = None
    weights: Committed | None = None
    root: bytes | None = None
    sample: bytes | None = None
    program: Program | None = None
    batch: int = 1


def proving_of(pk: ProvingKey, claimed: Claimed, lie: Lie) -> tuple[Malicious, dict[str, Integers], dict[str, Integers]]:
    """The malicious prover, and the public tensors that it claims."""
    single = claimed.program or pk.program
    program = single.batched(claimed.batch)
    graph, plan = program.graph, program.plan
    inputs = dict(claimed.inputs if claimed.inputs is not None else inputs_of(graph, claimed.values))
    outputs = dict(claimed.outputs if claimed.outputs is not None else outputs_of(graph, claimed.values))
    cells = {i: value.copy() if value.dtype == np.uint64 else as_field(value) for i, value in claimed.values.items()}
    if not lie.count:
        cells |= multiplicities(kernels(), plan, cells)
    if lie.cells is not None:
        lie.cells(cells)
    if lie.count:
        cells |= multiplicities(kernels(), plan, cells)
    root = claimed.root or (claimed.weights.root if claimed.weights else pk.vk.model_commitment)
    weights = claimed.weights or committed_weights(kernels(), pk)
    sample = weights_sample(kernels(), single, weights) if claimed.sample is None else claimed.sample
    statement = statement_of(single, root, inputs, outputs, claimed.batch, sample)
    return Malicious(program, statement, weights, Witness(cells), lie, inputs, outputs), inputs, outputs


def forge(pk: ProvingKey, claimed: Claimed, lie: Lie | None = None) -> Proof:
    """A proof by the malicious prover."""
    proving, inputs, outputs = proving_of(pk, claimed, lie or Lie())
    return Proof(
        program_digest=proving.statement.program_digest,
        model_commitment=proving.statement.model_commitment,
        inputs=inputs,
        outputs=outputs,
        body=proving.run(),
        batch=claimed.batch,
    )


def honest(circuit: Circuit, *inputs: Integers) -> tuple[ProvingKey, VerifyingKey, Proof]:
    """Keys and an honest proof, by way of the harness."""
    pk, vk = keys(circuit)
    return pk, vk, forge(pk, Claimed(values=run_graph(pk.program.graph, leaves_of(pk, *inputs))))


def forged_registration(program: Program, weights: Committed, cells: Mapping[int, Cells], lie: Lie | None = None) -> VerifyingKey:
    """A key whose registration proof was made for these weight cells (by the program's tensor ids), whatever they are."""
    registration = program.registration
    if registration is None:
        raise ValueError("the program has no weights")
    graph = registration.graph
    leaves = {i: cells[j] for i, j in zip(graph.weights, program.graph.weights, strict=True)}
    values = run_field(graph, leaves)
    sample = weights_sample(kernels(), program, weights)
    statement = VerifyingKey(program, weights.root, b"", sample).registration_statement
    lie = lie or Lie()
    if lie.cells is not None:
        lie.cells(values)
    values |= multiplicities(kernels(), registration.plan, values)
    body = Malicious(registration, statement, weights, Witness(values), lie, {}, {}).run()
    return VerifyingKey(program, weights.root, body, sample)
