"""Committing to oracles and opening linear forms on them, the prover's half; see `ciro_zk.commitment.verifier` for the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ciro_zk.commitment.params import Code, CommitmentParams
from ciro_zk.commitment.verifier import evaluation_points
from ciro_zk.field import arrays, goldilocks
from ciro_zk.field.extension import ONE, ZERO, Ext, powers
from ciro_zk.hash.merkle import MerkleTree
from ciro_zk.hash.transcript import ProverTranscript
from ciro_zk.kernels import Kernels
from ciro_zk.sumcheck.verifier import HALF, complete, horner

Base = NDArray[np.uint64]
Extension = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Committed:
    """An oracle's cells (base `(2^n,)` or extension `(2, 2^n)`), its codewords `(rows, length)` and the Merkle tree over their columns.

    An extension oracle has its c0 rows first, then its c1 rows.
    """

    cells: NDArray[np.uint64]
    codewords: Base
    tree: MerkleTree

    @property
    def root(self) -> bytes:
        return self.tree.root


def commit(kernels: Kernels, code: Code, cells: NDArray[np.uint64]) -> Committed:
    """Encode and hash an oracle."""
    codewords = kernels.encode_rows(cells.reshape(-1, 1 << code.log_columns), code.log_blowup)
    return Committed(cells, codewords, MerkleTree(kernels.hash_columns(codewords), kernels))


@dataclass(slots=True)
class _Share:
    """One oracle's part of the running sum: cells and form, folded so far, its claim, its weight, the round it joins at."""

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
    head = params.fold_rounds(0)
    shares = [
        _Share(committed.cells, form, head - oracle.row_vars, kernels.inner_product_base(form, committed.cells), ONE)
        for committed, form, oracle in zip(oracles, forms, params.oracles, strict=True)
    ]
    for index, level in enumerate(params.levels):
        for k in range(params.fold_rounds(index)):
            _round(transcript, kernels, shares, k)
        offsets = params.block_offsets(index)
        share = _packed(shares, offsets, params.message_vars(index))
        folded: list[Committed] = []
        if index == len(params.levels) - 1:
            transcript.send_base("clear message", share.cells)
        else:
            folded = [commit(kernels, params.levels[index + 1][0].code, share.cells)]
            transcript.send_bytes("folded root", folded[0].root)
        bits = params.grinding_bits
        transcript.send_work("query grinding", kernels.grind(transcript.work_state(), bits) if bits else 0, bits)
        for committed, oracle, offset in zip(oracles, level, offsets, strict=True):
            positions = transcript.positions("positions", oracle.code.num_queries, oracle.code.log_length)
            transcript.send_base("columns", committed.codewords[:, positions])
            transcript.send_bytes("siblings", b"".join(committed.tree.open(positions)))
            _add_point_claims(transcript, kernels, oracle.code, share, positions, offset)
        oracles, shares = folded, [share]
    for k in range(params.clear_vars):
        _round(transcript, kernels, shares, k)


def _packed(shares: Sequence[_Share], offsets: Sequence[int], message_vars: int) -> _Share:
    """The folded messages side by side in one message; the forms carry the scales."""
    cells, form = np.zeros((2, 1 << message_vars), dtype=np.uint64), np.zeros((2, 1 << message_vars), dtype=np.uint64)
    claim = ZERO
    for share, offset in zip(shares, offsets, strict=True):
        cut = slice(offset, offset + share.form.shape[1])
        if share.cells.ndim == 1:
            cells[0, cut] = share.cells
        else:
            cells[:, cut] = share.cells
        form[:, cut] = share.form if share.scale == ONE else arrays.scale(share.form, share.scale)
        claim = claim + share.claim
    return _Share(cells, form, 0, claim, ONE)


def _add_point_claims(
    transcript: ProverTranscript, kernels: Kernels, code: Code, share: _Share, positions: Sequence[int], offset: int
) -> None:
    """Join <t(x), block> at every position to the running claim."""
    delta = transcript.challenge("query batch")
    weights = arrays.from_list(powers(delta, len(positions) + 1)[1:])
    tensor = combined_powers(kernels, evaluation_points(code, positions), weights, code.log_columns)
    cut = slice(offset, offset + (1 << code.log_columns))
    share.claim = share.claim + kernels.inner_product(tensor, np.ascontiguousarray(share.cells[:, cut]))
    share.form[:, cut] = goldilocks.add(share.form[:, cut], tensor)


def combined_powers(kernels: Kernels, points: Base, weights: Extension, log_size: int) -> Extension:
    """`(2, 2^log_size)`: sum_j weights[j] points[j]^i at every i, from the powers of the low and the high half of i's bits."""
    low_vars = log_size // 2
    low, step = _powers(kernels, points, low_vars)
    high, _ = _powers(kernels, step, log_size - low_vars)
    rows = [kernels.contract_rows(kernels.ext_mul_base(weights, row), low) for row in high.T.copy()]
    return np.concatenate(rows, axis=1)


def _powers(kernels: Kernels, points: Base, log_size: int) -> tuple[Base, Base]:
    """`(q, 2^log_size)`: row j is 1, x_j, x_j^2, ...; and the next power of every x_j."""
    matrix = np.ones((1 << log_size, points.shape[0]), dtype=np.uint64)
    power = points
    for k in range(log_size):
        filled = 1 << k
        matrix[filled : 2 * filled] = kernels.mul(matrix[:filled].reshape(-1), np.tile(power, filled)).reshape(filled, -1)
        power = kernels.mul(power, power)
    return np.ascontiguousarray(matrix.T), power


def _round(transcript: ProverTranscript, kernels: Kernels, shares: Sequence[_Share], k: int) -> None:
    coefficients: list[list[Ext]] = []
    for share in shares:
        if k < share.start:
            share.scale = share.scale * HALF
            coefficients.append([share.claim * HALF, ZERO, ZERO])
            continue
        half = share.form.shape[1] // 2
        low, step = np.ascontiguousarray(share.form[:, :half]), _difference(kernels, share.form)
        if share.cells.ndim == 1:
            at_zero = kernels.inner_product_base(low, share.cells[:half])
            leading = kernels.inner_product_base(step, kernels.sub(share.cells[half:], share.cells[:half]))
        else:
            at_zero = kernels.inner_product(low, np.ascontiguousarray(share.cells[:, :half]))
            leading = kernels.inner_product(step, _difference(kernels, share.cells))
        coefficients.append(complete(share.claim, [at_zero * share.scale, leading * share.scale]))
    sent = coefficients[0]
    for polynomial in coefficients[1:]:
        sent = [a + b for a, b in zip(sent, polynomial, strict=True)]
    transcript.send_elements("opening round", [sent[0], sent[2]])
    x = transcript.challenge("opening challenge")
    for share, polynomial in zip(shares, coefficients, strict=True):
        share.claim = horner(polynomial, x)
        if k < share.start:
            continue
        share.form = kernels.fold_stack(share.form[None], x)[0]
        share.cells = kernels.fold_base(share.cells, x) if share.cells.ndim == 1 else kernels.fold_stack(share.cells[None], x)[0]


def _difference(kernels: Kernels, table: Extension) -> Extension:
    """hi - lo of an extension table `(2, n)`."""
    half = table.shape[1] // 2
    return np.stack([kernels.sub(table[i, half:], table[i, :half]) for i in range(2)])
