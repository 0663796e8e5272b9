"""Choosing an opening's levels: the one with the fewest expected bytes in which every oracle's queries and folds are worth what is asked.

The bytes of what follows a level depend on that level only by the size of its message, so the best tail is found once per size.
All arithmetic is in integers: implementations agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from ciro_zk.commitment.params import Code, CommitmentParams, Oracle
from ciro_zk.commitment.proximity import MIN_MULTIPLICITY, bad_challenges, num_queries_for
from ciro_zk.field.extension import P
from ciro_zk.hash.blake2s import DIGEST_BYTES
from ciro_zk.hash.transcript import NONCE_BYTES

MAX_LOG_BLOWUP = 6
MIN_CLEAR_VARS = 7
FOLDS = (3, 4, 5)
ROUND_BYTES = 32
SAMPLE_BYTES = 16
BASE_BYTES, EXTENSION_BYTES = 8, 16
_FRACTION = 8
"""Binary digits behind the point of an expected number of positions."""

Levels = tuple[tuple[Oracle, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What an opening is asked for, bits in quarters and proofs of work counted."""

    log_blowup: int
    max_multiplicity: int
    grinding_bits: int
    fold_grinding_bits: int
    query_quarters: int
    """What each oracle's queries are worth."""
    fold_quarters: int
    """What folding each oracle is worth."""

    def code(self, log_columns: int, log_blowup: int, row_vars: int) -> Code | None:
        """The code of fewest queries; None where no folding of that length is worth enough."""
        quarters = self.query_quarters - 4 * self.grinding_bits
        limit = (self.fold_quarters - 4 * self.fold_grinding_bits, self.max_multiplicity)
        coded = [
            Code(
                log_columns=log_columns,
                log_blowup=log_blowup,
                num_queries=num_queries_for(quarters, log_blowup, multiplicity),
                multiplicity=multiplicity,
            )
            for multiplicity in _multiplicities(log_columns, log_blowup, row_vars, *limit)
        ]
        return min(coded, key=lambda code: code.num_queries, default=None)


@cache
def _multiplicities(log_columns: int, log_blowup: int, row_vars: int, fold_quarters: int, most: int) -> tuple[int, ...]:
    """Unique decoding and the largest multiplicity, where folding is worth the quarters: row_vars bad / |K| <= 2^-(quarters / 4)."""

    def enough(multiplicity: int) -> bool:
        return (row_vars * bad_challenges(log_columns, log_blowup, multiplicity)) ** 4 << fold_quarters <= P**8

    listed = next((m for m in range(most, MIN_MULTIPLICITY - 1, -1) if enough(m)), 0)
    return tuple(sorted({m for m in (0, listed) if enough(m)}))


@cache
def _positions_and_siblings(log_length: int, num_queries: int) -> tuple[int, int]:
    """The expected number of distinct positions, and of siblings for positions spread evenly; both times 2^_FRACTION."""
    length = 1 << log_length
    missed = ((length - 1) ** num_queries << _FRACTION) // length ** (num_queries - 1)
    positions = (length << _FRACTION) - missed
    nodes = [min(1 << d + _FRACTION, positions) for d in range(1, log_length + 1)]
    return positions, sum(n - (n * n >> d + _FRACTION) for d, n in enumerate(nodes, 1))


def _oracle_bytes(oracle: Oracle, cell_bytes: int) -> int:
    positions, siblings = _positions_and_siblings(oracle.code.log_length, oracle.code.num_queries)
    return (positions * (cell_bytes << oracle.row_vars) + siblings * DIGEST_BYTES) >> _FRACTION


def _fixed_bytes(fold_rounds: int, grinding_bits: int, fold_grinding_bits: int) -> int:
    """A level's nonces."""
    return NONCE_BYTES * ((grinding_bits > 0) + fold_rounds * (fold_grinding_bits > 0))


def opening_bytes(params: CommitmentParams) -> int:
    """Expected bytes of an opening."""
    size = ROUND_BYTES * params.rounds + (EXTENSION_BYTES << params.clear_vars)
    size += (len(params.levels) - 1) * (DIGEST_BYTES + SAMPLE_BYTES * params.is_sampled)
    for i, level in enumerate(params.levels):
        size += _fixed_bytes(params.fold_rounds(i), params.grinding_bits, params.fold_grinding_bits)
        size += sum(_oracle_bytes(oracle, BASE_BYTES if i == 0 else EXTENSION_BYTES) for oracle in level)
    return size


def with_queries(params: CommitmentParams, quarters: int) -> CommitmentParams:
    """The same levels with the least queries that are worth the quarters, work counted."""

    def requeried(oracle: Oracle) -> Oracle:
        code = oracle.code
        queries = num_queries_for(quarters - 4 * params.grinding_bits, code.log_blowup, code.multiplicity)
        return replace(oracle, code=replace(code, num_queries=queries))

    return replace(params, levels=tuple(tuple(requeried(oracle) for oracle in level) for level in params.levels))


def choose_levels(num_vars: tuple[int, ...], demand: Demand, first: tuple[int, int] | None = None) -> CommitmentParams | None:
    """The smallest opening of oracles of so many variables among those whose folds stay cheap to commit to; None if there is none.

    `first` fixes the first oracle's (log_columns, log_blowup): weights are committed once, proofs of many shapes open them.
    """
    budget = 4 * sum(1 << n for n in num_vars) + (1 << 16)
    sampled = demand.max_multiplicity > 0
    work = (demand.grinding_bits, demand.fold_grinding_bits)

    @cache
    def tail(message_vars: int) -> tuple[int, Levels]:
        """(bytes but for rounds, levels) of what follows a level that folds to 2^message_vars cells."""
        best: tuple[int, Levels] = (EXTENSION_BYTES << message_vars, ())
        folds = [fold for fold in FOLDS if message_vars - fold >= MIN_CLEAR_VARS]
        blowups = [b for b in range(demand.log_blowup, MAX_LOG_BLOWUP + 1) if 2 << message_vars + b <= budget]
        for fold, blowup in product(folds, blowups):
            code = demand.code(message_vars - fold, blowup, fold)
            if code is not None:
                oracle = Oracle(num_vars=message_vars, code=code)
                size, levels = tail(message_vars - fold)
                size += DIGEST_BYTES + SAMPLE_BYTES * sampled + _oracle_bytes(oracle, EXTENSION_BYTES) + _fixed_bytes(fold, *work)
                if size < best[0]:
                    best = size, ((oracle,), *levels)
        return best

    options: list[list[tuple[int, Oracle]]] = []
    for i, n in enumerate(num_vars):
        columns = range(max(n // 2, 4), max(n, 5) + 1)
        shapes = [first] if i == 0 and first is not None else [(c, demand.log_blowup) for c in columns]
        coded = [(c, demand.code(c, b, max(n, c) - c)) for c, b in shapes]
        oracles = [Oracle(num_vars=max(n, c), code=code) for c, code in coded if code is not None]
        options.append([(_oracle_bytes(oracle, BASE_BYTES), oracle) for oracle in oracles])
    best: tuple[int, CommitmentParams] | None = None
    for chosen in product(*options):
        level = tuple(oracle for _, oracle in chosen)
        message_vars = (sum(1 << oracle.code.log_columns for oracle in level) - 1).bit_length()
        rounds = max(oracle.row_vars for oracle in level)
        size, levels = tail(message_vars)
        size += sum(part for part, _ in chosen) + ROUND_BYTES * (rounds + message_vars) + _fixed_bytes(rounds, *work)
        if best is None or size < best[0]:
            params = CommitmentParams(levels=(level, *levels), grinding_bits=work[0], fold_grinding_bits=work[1], is_sampled=sampled)
            best = size, params
    return None if best is None else best[1]
