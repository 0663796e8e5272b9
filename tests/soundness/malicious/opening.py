"""An opening of a false total: a folded message, and columns, that meet it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from soundness.malicious.lie import Repair
from soundness.malicious.runs import Cells
from soundness.malicious.transcript import MaliciousTranscript

from ciro_zk.commitment import prover as commitment
from ciro_zk.commitment.cells import field_cells
from ciro_zk.commitment.params import Code, CommitmentParams
from ciro_zk.commitment.prover import Committed
from ciro_zk.commitment.verifier import times_x
from ciro_zk.field import arrays, goldilocks
from ciro_zk.field.extension import Ext, P
from ciro_zk.kernels import Kernels
from ciro_zk.poly import multilinear


def elements(data: bytes) -> list[Ext]:
    """The extension elements of a message."""
    return [Ext.from_bytes(data[i : i + 16]) for i in range(0, len(data), 16)]


def forged_opening(
    transcript: MaliciousTranscript,
    kernels: Kernels,
    params: CommitmentParams,
    oracles: Sequence[Committed],
    forms: Sequence[Any],
    total: Ext,
    repair: Repair,
) -> None:
    """`open_forms` for a false total: at one level the folded message is chosen to meet the running claim."""
    missing = total
    for oracle, form in zip(oracles, forms, strict=True):
        missing = missing - kernels.inner_product_base(form, field_cells(oracle.cells, 0, oracle.cells.size))
    start, calls = len(transcript.log), 0
    message: Any = None
    pack = commitment._packed
    code = params.levels[repair.level][repair.block].code

    def challenges() -> list[Ext]:
        return [Ext(*words) for kind, label, words in transcript.log[start:] if (kind, label) == ("draw", "opening challenge")]

    def packed(shares: Any, offsets: Sequence[int], message_vars: int) -> Any:
        nonlocal calls, message
        share, calls = pack(shares, offsets, message_vars), calls + 1
        if calls - 1 == repair.level:
            # The rounds' linear coefficient took all of the error: <form, message> is short of the claim by that much. Change one cell of
            # the block, where the form is not zero.
            lack = missing
            for x in challenges():
                lack = lack * x
            at = offsets[repair.block]
            cell = at + int(np.nonzero(share.form[:, at : at + (1 << code.log_columns)].any(axis=0))[0][0])
            changed = arrays.get(share.cells, cell) + lack * arrays.get(share.form, cell).inverse()
            share.cells[:, cell] = (changed.c0, changed.c1)
            share.claim = share.claim + lack
            message = np.ascontiguousarray(share.cells[:, at : at + (1 << code.log_columns)])
        return share

    def forge_columns(columns: Cells) -> Cells:
        words = next(words for kind, label, words in reversed(transcript.log) if (kind, label) == ("draw", "positions"))
        positions = sorted({word & ((1 << code.log_length) - 1) for word in words})
        return agreeing(kernels, code, columns, positions, challenges(), message, base=repair.level == 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commitment, "_packed", packed)
        if repair.forget:
            patch.setattr(commitment, "_add_point_claims", lambda transcript, *arguments: transcript.challenge("query batch"))
        if repair.columns:
            number = repair.block if repair.level == 0 else len(params.levels[0]) + repair.level - 1
            transcript.arrays[("columns", number)] = forge_columns
        commitment.open_forms(transcript, kernels, params, oracles, list(forms))


def agreeing(
    kernels: Kernels, code: Code, columns: Cells, positions: Sequence[int], point: Sequence[Ext], message: Any, base: bool
) -> Cells:
    """The columns with two cells changed so that they fold to the message's codeword: of a base oracle the first two, of an extension
    oracle both coordinates of the first."""
    rows = columns.shape[0] if base else columns.shape[0] // 2
    weights = multilinear.eq_table(point[len(point) - (rows.bit_length() - 1) :] if rows > 1 else ())
    folded = multilinear.contract_rows(weights, columns[:rows])
    if not base:
        folded = times_x(folded, multilinear.contract_rows(weights, columns[rows:]))
    lack = goldilocks.sub(kernels.encode_rows(message, code.log_blowup)[:, positions], folded)
    a = arrays.get(weights, 0)
    b = arrays.get(weights, 1) if base else a * Ext(0, 1)
    other = 1 if base else rows
    inverse = pow((a.c0 * b.c1 - a.c1 * b.c0) % P, P - 2, P)
    out = columns.copy()
    for i in range(columns.shape[1]):
        u, v = int(lack[0, i]), int(lack[1, i])
        first, second = (u * b.c1 - v * b.c0) * inverse % P, (a.c0 * v - a.c1 * u) * inverse % P
        out[0, i], out[other, i] = (int(out[0, i]) + first) % P, (int(out[other, i]) + second) % P
    return out
