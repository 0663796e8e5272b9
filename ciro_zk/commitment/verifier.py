"""Interleaved Reed-Solomon commitment with an opening of linear forms (Ligero: Ames, Hazay, Ishai, Venkitasubramaniam, CCS 2017;
multilinear: protocol.md, 7).

An oracle of 2^n cells is 2^(n-c) rows of 2^c; each row is read as a polynomial and encoded at rate rho; a Merkle leaf
is a column. To open sum_i <w_i, f_i> = v over several oracles f_i (the forms already batched by powers of gamma into
one w_i each):

    1. sumcheck of sum_x w_i(x) f_i(x), top variables first; a smaller oracle joins late, so that all oracles' rows are folded at the
    same round;
    2. there the prover sends each folded row g_i = sum_a eq(rho_i, a) f_i[a] in clear, and grinds; positions are drawn;
    3. every opened column of every oracle must agree: sum_a eq(rho_i, a) F_i[a][x] = Enc(g_i)[x];
    4. the rounds go on to one point z, where sum_i w_i(z_i) f_i(z_i) must meet the claim, f_i(z_i) from g_i and w_i(z_i) from the
    forms alone.

Soundness, unique decoding, delta = (1 - rho) / 2: queries (1 - delta)^q; folding (n - c)(delta 2^c / rho + 1) / |K| an oracle;
batching #forms / |K|; rounds 2 n / |K|.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ciro_zk.commitment.params import CommitmentParams
from ciro_zk.errors import ProofRejected
from ciro_zk.field import arrays, ntt
from ciro_zk.field.extension import ZERO, Ext
from ciro_zk.hash.blake2s import DIGEST_BYTES, hash_columns
from ciro_zk.hash.merkle import num_siblings, verify_multi
from ciro_zk.hash.transcript import VerifierTranscript
from ciro_zk.poly import multilinear
from ciro_zk.sumcheck.verifier import HALF, check_final, verify_rounds

STAGE = "opening"


@dataclass(frozen=True, slots=True)
class Opening:
    """Where the forms are evaluated: per oracle the point z_i and the value f_i(z_i)."""

    points: tuple[tuple[Ext, ...], ...]
    values: tuple[Ext, ...]


def verify_opening(
    transcript: VerifierTranscript,
    params: CommitmentParams,
    roots: Sequence[bytes],
    claim: Ext,
    form_at: Callable[[int, Sequence[Ext]], Ext],
) -> None:
    """Check an opening of the batched claim; `form_at(i, z)` is w_i(z). Raises `ProofRejected` (stage "opening")."""
    row_rounds = params.rounds - params.log_columns
    head, claim = verify_rounds(transcript, claim, row_rounds, 2, "opening")
    messages = [transcript.receive_extension("folded row", 1 << params.log_columns) for _ in roots]
    transcript.receive_work("query grinding", params.grinding_bits)
    positions = transcript.positions("positions", params.num_queries, params.log_length)
    for oracle, root in enumerate(roots):
        rho = head[row_rounds - (params.num_vars[oracle] - params.log_columns) :]
        _check_columns(transcript, params, oracle, root, positions, rho, messages[oracle])
    tail, claim = verify_rounds(transcript, claim, params.log_columns, 2, "opening")
    point = [*head, *tail]
    expected = ZERO
    for oracle, num_vars in enumerate(params.num_vars):
        scale = Ext(1)
        for _ in range(params.rounds - num_vars):
            scale = scale * HALF
        value = multilinear.evaluate(messages[oracle], tail)
        expected = expected + scale * form_at(oracle, point[params.rounds - num_vars :]) * value
    check_final(STAGE, expected, claim, "the linear forms at the final point do not meet the sumcheck's claim")


def _check_columns(
    transcript: VerifierTranscript,
    params: CommitmentParams,
    oracle: int,
    root: bytes,
    positions: Sequence[int],
    rho: Sequence[Ext],
    message: arrays.Extension,
) -> None:
    columns = transcript.receive_base("columns", (params.num_rows(oracle), len(positions)))
    data = transcript.receive_bytes("siblings", DIGEST_BYTES * num_siblings(params.log_length, positions))
    siblings = [data[i : i + DIGEST_BYTES] for i in range(0, len(data), DIGEST_BYTES)]
    try:
        verify_multi(root, params.log_length, positions, hash_columns(columns), siblings)
    except ValueError as error:
        raise ProofRejected(stage="merkle", reason=f"oracle {oracle}: {error}") from error
    folded = multilinear.contract_rows(multilinear.eq_table(rho), columns)
    codeword = ntt.encode_rows(message, params.log_blowup)[:, positions]
    wrong = np.nonzero(np.any(folded != codeword, axis=0))[0]
    if wrong.size:
        raise ProofRejected(
            stage="columns",
            reason=f"oracle {oracle}: {wrong.size} opened columns do not agree with the folded row",
            round=positions[int(wrong[0])],
            expected=arrays.get(codeword, int(wrong[0])),
            actual=arrays.get(folded, int(wrong[0])),
        )
