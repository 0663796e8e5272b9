"""Committing to oracles and opening linear forms on them, the prover's half; see `ciro_zk.commitment.verifier` for the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ciro_zk.commitment.params import CommitmentParams
from ciro_zk.field import goldilocks
from ciro_zk.field.extension import ONE, Ext
from ciro_zk.hash.merkle import MerkleTree
from ciro_zk.hash.transcript import ProverTranscript
from ciro_zk.kernels import Kernels
from ciro_zk.sumcheck.verifier import HALF, complete, horner

Base = NDArray[np.uint64]
Extension = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Committed:
    """An oracle's cells `(2^n,)`, its codewords `(rows, length)` and the Merkle tree over their columns."""

    cells: Base
    codewords: Base
    tree: MerkleTree

    @property
    def root(self) -> bytes:
        return self.tree.root


def commit(kernels: Kernels, params: CommitmentParams, oracle: int, cells: Base) -> Committed:
    """Encode and hash an oracle."""
    codewords = kernels.encode_rows(cells.reshape(params.num_rows(oracle), -1), params.log_blowup)
    return Committed(cells, codewords, MerkleTree(kernels.hash_columns(codewords), kernels))


@dataclass(slots=True)
class _State:
    """One oracle during the rounds: cells and form, folded so far, its share of the claim and its weight."""

    cells: NDArray[np.uint64]
    form: Extension
    start: int
    claim: Ext
    scale: Ext


def open_forms(
    transcript: ProverTranscript,
    kernels: Kernels,
    params: CommitmentParams,
    oracles: Sequence[Committed],
    forms: Sequence[Extension],
) -> None:
    """Open sum_i <forms[i], oracles[i]>; the forms are `(2, 2^n_i)`."""
    states = [
        _State(oracle.cells, form, params.rounds - n, kernels.inner_product_base(form, oracle.cells), ONE)
        for oracle, form, n in zip(oracles, forms, params.num_vars, strict=True)
    ]
    row_rounds = params.rounds - params.log_columns
    for k in range(row_rounds):
        _round(transcript, kernels, states, k)
    for state in states:
        if state.cells.ndim == 1:
            state.cells = np.stack([state.cells, np.zeros_like(state.cells)])
        transcript.send_base("folded row", state.cells)
    bits = params.grinding_bits
    transcript.send_work("query grinding", kernels.grind(transcript.work_state(), bits) if bits else 0, bits)
    positions = transcript.positions("positions", params.num_queries, params.log_length)
    for oracle in oracles:
        transcript.send_base("columns", oracle.codewords[:, positions])
        transcript.send_bytes("siblings", b"".join(oracle.tree.open(positions)))
    for k in range(row_rounds, params.rounds):
        _round(transcript, kernels, states, k)


def _round(transcript: ProverTranscript, kernels: Kernels, states: list[_State], k: int) -> None:
    coefficients: list[list[Ext]] = []
    for state in states:
        if k < state.start:
            state.scale = state.scale * HALF
            coefficients.append([state.claim * HALF, Ext(0), Ext(0)])
            continue
        half = state.form.shape[1] // 2
        low, step = state.form[:, :half], _difference(state.form)
        if state.cells.ndim == 1:
            at_zero = kernels.inner_product_base(np.ascontiguousarray(low), state.cells[:half])
            leading = kernels.inner_product_base(step, kernels.sub(state.cells[half:], state.cells[:half]))
        else:
            at_zero = kernels.inner_product(np.ascontiguousarray(low), np.ascontiguousarray(state.cells[:, :half]))
            leading = kernels.inner_product(step, _difference(state.cells))
        coefficients.append(complete(state.claim, [at_zero * state.scale, leading * state.scale]))
    sent = [coefficients[0][j] for j in range(3)]
    for polynomial in coefficients[1:]:
        sent = [a + b for a, b in zip(sent, polynomial, strict=True)]
    transcript.send_elements("opening round", [sent[0], sent[2]])
    x = transcript.challenge("opening challenge")
    for state, polynomial in zip(states, coefficients, strict=True):
        state.claim = horner(polynomial, x)
        if k < state.start:
            continue
        state.form = kernels.fold_stack(state.form[None], x)[0]
        if state.cells.ndim == 1:
            state.cells = kernels.fold_base(state.cells, x)
        else:
            state.cells = kernels.fold_stack(state.cells[None], x)[0]


def _difference(table: Extension) -> Extension:
    """hi - lo of an extension table `(2, n)`."""
    half = table.shape[1] // 2
    return goldilocks.sub(table[:, half:], table[:, :half])
