"""Interleaved Reed-Solomon commitment with an opening of linear forms by code switching (Ligero: Ames, Hazay, Ishai,
Venkitasubramaniam, CCS 2017; WHIR: eprint 2024/1586; Ligerito: eprint 2025/1187).

A level-0 oracle f_i of 2^n cells is 2^(n-c) rows of 2^c; each row is read as a polynomial and encoded at rate rho; a
Merkle leaf is a column. To open sum_i <w_i, f_i> = v (forms already batched by powers of gamma into one w_i each):

    1. rounds of the sumcheck of sum_x w_i(x) f_i(x) fold the rows, top variables first; a smaller oracle joins late, so
       that the rows of all of them are folded at the same round, to g_i = sum_a eq(r_i, a) f_i[a];
    2. the prover packs g = (g_0, g_1, ..) and commits to it as the next level, one oracle of extension elements, again
       interleaved and at a lower rate; after the last level it sends g in clear;
    3. it grinds; positions are drawn on the level just folded, its columns opened. A column at the point x says what
       Enc(g_i)(x) must be: y = sum_a eq(r_i, a) F_i[a][x] = <t(x), g_i>, t(x) = (1, x^(2^(c-1))) x .. x (1, x^2) x (1, x);
       the verifier computes y itself, and all these claims join the running one with powers of a fresh delta;
    4. repeat from 1 on g. After the clear message the rounds go on to one point z, where w(z) g(z) must meet the claim:
       g(z) from the clear message, w(z) from the forms and the t(x) alone, each evaluated once.

Where words are decoded to lists, two things are added. Each new root is sampled out of its domain: a point z is drawn, the
prover sends the value of the committed vector's multilinear extension there, and the claim <eq(z, .), g> = value joins the
running one with a fresh coefficient; it pins the one message of the list that all that follows is about. (Level 0's
samples are claims like any other, batched into the w_i.) And a proof of work precedes each challenge that folds rows.

Order at a level: rounds, new root and sample (or clear message), proof of work, positions, columns, delta.

Soundness: `ciro_zk.commitment.proximity` has the figures of both regimes, docs/protocol.md the argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ciro_zk.commitment.params import Code, CommitmentParams, Oracle
from ciro_zk.errors import ProofRejected
from ciro_zk.field import arrays, goldilocks, ntt
from ciro_zk.field.extension import ONE, ZERO, Ext, powers
from ciro_zk.hash.blake2s import DIGEST_BYTES
from ciro_zk.hash.merkle import num_siblings, verify_multi
from ciro_zk.hash.transcript import VerifierTranscript
from ciro_zk.kernels import Kernels
from ciro_zk.poly import multilinear
from ciro_zk.sumcheck.verifier import HALF, check_final, verify_rounds

STAGE = "opening"


@dataclass(frozen=True, slots=True)
class PointClaims:
    """sum_j weights[j] <t(points[j]), block> of a message of 2^message_vars cells, the block its `block`-th 2^vars cells."""

    points: NDArray[np.uint64]
    weights: arrays.Extension
    block: int
    vars: int
    start: int
    """The round from which the message's variables are bound."""
    message_vars: int

    def value_at(self, z: Sequence[Ext]) -> Ext:
        """The form's multilinear extension at `z`, all challenges of the opening."""
        point = z[self.start : self.start + self.message_vars]
        split = self.message_vars - self.vars
        own = point[split:]
        squares = [self.points]
        while len(squares) < self.vars:
            squares.append(goldilocks.mul(squares[-1], squares[-1]))
        factors = np.empty((2, self.vars + 1, len(self.points)), dtype=np.uint64)
        factors[:, 0] = self.weights
        if own:
            # 1 - r + r x^(2^i), the last variable first
            last_first = [arrays.from_list(values)[:, :, None] for values in (own[::-1], [ONE - r for r in reversed(own)])]
            factors[:, 1:] = goldilocks.add(goldilocks.mul(last_first[0], np.stack(squares)), last_first[1])
        while factors.shape[1] > 1:
            half = factors.shape[1] // 2
            products = arrays.mul(factors[:, :half], factors[:, half : 2 * half])
            factors = np.concatenate([products, factors[:, 2 * half :]], axis=1)
        return multilinear.selector(point[:split], self.block) * arrays.total(factors[:, 0])


@dataclass(frozen=True, slots=True)
class SampleClaim:
    """weight <eq(sampled, .), message>, the message's variables bound from round `start` on."""

    sampled: Sequence[Ext]
    weight: Ext
    start: int

    def value_at(self, z: Sequence[Ext]) -> Ext:
        """The form's multilinear extension at `z`, all challenges of the opening."""
        return self.weight * multilinear.eq(self.sampled, z[self.start : self.start + len(self.sampled)])


def verify_opening(
    transcript: VerifierTranscript,
    kernels: Kernels,
    params: CommitmentParams,
    roots: Sequence[bytes],
    claim: Ext,
    form_at: Callable[[int, Sequence[Ext]], Ext],
) -> None:
    """Check an opening of the batched claim; `form_at(i, z)` is w_i(z).

    Raises `ProofRejected` (stage "opening", "grinding" or "merkle").
    """
    point: list[Ext] = []
    added: list[PointClaims | SampleClaim] = []
    for index, level in enumerate(params.levels):
        head, claim = verify_rounds(transcript, claim, params.fold_rounds(index), 2, "opening", params.fold_grinding_bits)
        point += head
        last = index == len(params.levels) - 1
        if last:
            message = transcript.receive_extension("clear message", 1 << params.clear_vars)
        else:
            next_root = transcript.receive_bytes("folded root", DIGEST_BYTES)
            if params.is_sampled:
                sampled = transcript.challenges("sample point", params.message_vars(index))
                (value,) = transcript.receive_elements("sample", 1)
                weight = transcript.challenge("sample batch")
                claim = claim + weight * value
                added.append(SampleClaim(sampled, weight, len(point)))
        transcript.receive_work("query grinding", params.grinding_bits)
        for i, (oracle, root, offset) in enumerate(zip(level, roots, params.block_offsets(index), strict=True)):
            positions = transcript.positions("positions", oracle.code.num_queries, oracle.code.log_length)
            name = f"level {index}, oracle {i}"
            values = _folded_columns(transcript, kernels, oracle, root, positions, head[len(head) - oracle.row_vars :], index == 0, name)
            delta = transcript.challenge("query batch")
            weights = arrays.from_list(powers(delta, len(positions) + 1)[1:])
            claim = claim + arrays.inner_product(weights, values)
            points = evaluation_points(oracle.code, positions)
            block = offset >> oracle.code.log_columns
            added.append(PointClaims(points, weights, block, oracle.code.log_columns, len(point), params.message_vars(index)))
        roots = () if last else (next_root,)
    tail, claim = verify_rounds(transcript, claim, params.clear_vars, 2, "opening")
    point += tail
    total = forms_value(params, point, form_at)
    for claims in added:
        total = total + claims.value_at(point)
    expected = total * multilinear.evaluate(message, tail)
    check_final(STAGE, expected, claim, "the linear forms at the final point do not meet the sumcheck's claim")


def evaluation_points(code: Code, positions: Sequence[int]) -> NDArray[np.uint64]:
    """The points of a code at some positions."""
    return np.array([ntt.evaluation_point(code.log_length, position) for position in positions], dtype=np.uint64)


def forms_value(params: CommitmentParams, point: Sequence[Ext], form_at: Callable[[int, Sequence[Ext]], Ext]) -> Ext:
    """sum_i eq(pack variables, block i) 2^-(rounds before i joins) w_i(z_i)."""
    head, message = params.fold_rounds(0), params.message_vars(0)
    value = ZERO
    for i, (oracle, offset) in enumerate(zip(params.oracles, params.block_offsets(0), strict=True)):
        columns = oracle.code.log_columns
        late = head - oracle.row_vars
        scale = ONE
        for _ in range(late):
            scale = scale * HALF
        scale = scale * multilinear.selector(point[head : head + message - columns], offset >> columns)
        value = value + scale * form_at(i, [*point[late:head], *point[head + message - columns : head + message]])
    return value


def _folded_columns(
    transcript: VerifierTranscript,
    kernels: Kernels,
    oracle: Oracle,
    root: bytes,
    positions: Sequence[int],
    challenges: Sequence[Ext],
    is_base: bool,
    name: str,
) -> arrays.Extension:
    """An oracle's columns at some positions, checked against its root and folded: `(2, positions)`."""
    columns = transcript.receive_base("columns", ((1 if is_base else 2) << oracle.row_vars, len(positions)))
    data = transcript.receive_bytes("siblings", DIGEST_BYTES * num_siblings(oracle.code.log_length, positions))
    siblings = [data[i : i + DIGEST_BYTES] for i in range(0, len(data), DIGEST_BYTES)]
    try:
        verify_multi(root, oracle.code.log_length, positions, kernels.hash_columns(columns), siblings)
    except ValueError as error:
        raise ProofRejected(stage="merkle", reason=f"{name}: {error}") from error
    weights = kernels.eq_table(challenges)
    if is_base:
        return kernels.contract_rows(weights, columns)
    half = columns.shape[0] // 2
    return times_x(kernels.contract_rows(weights, columns[:half]), kernels.contract_rows(weights, columns[half:]))


def times_x(c0: arrays.Extension, c1: arrays.Extension) -> arrays.Extension:
    """c0 + X c1, both `(2, n)`: the value of an extension-field combination from its coordinates' combinations."""
    seven = np.full(1, 7, dtype=np.uint64)
    return np.stack([goldilocks.add(c0[0], goldilocks.mul(seven, c1[1])), goldilocks.add(c0[1], c1[0])])
