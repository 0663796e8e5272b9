"""The shape of a commitment and its opening: levels of rows, columns, rates and queries.

One object that prover, verifier and security report share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil, log2

MAX_LOG_BLOWUP = 6
MIN_CLEAR_VARS = 7
ROUND_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An interleaved Reed-Solomon code: rows of 2^log_columns cells at rate 2^-log_blowup, queried at `num_queries` positions."""

    log_columns: int
    log_blowup: int
    num_queries: int

    @property
    def log_length(self) -> int:
        """log2 of a codeword's length, and the depth of the Merkle tree."""
        return self.log_columns + self.log_blowup

    @property
    def radius(self) -> float:
        """The unique-decoding radius (1 - rate) / 2, relative to the length."""
        return (1 - 2.0**-self.log_blowup) / 2

    @property
    def query_bits(self) -> float:
        """-log2 of the chance that a word beyond the radius passes every query."""
        return -self.num_queries * log2(1 - self.radius)


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """A committed vector of 2^num_vars cells under a code."""

    num_vars: int
    code: Code

    @property
    def row_vars(self) -> int:
        """log2 of the number of rows."""
        return self.num_vars - self.code.log_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentParams:
    """Level 0 holds the base-field oracles (weights, witness), each later level one extension-field oracle: the packed folds
    of the level before.

    `grinding_bits` of work precede each level's positions.
    """

    levels: tuple[tuple[Oracle, ...], ...]
    grinding_bits: int

    def __bytes__(self) -> bytes:
        """For the transcript: the grinding bits, then per level the number of oracles and each one's four sizes, u32 little-endian."""
        numbers = [self.grinding_bits]
        for level in self.levels:
            numbers.append(len(level))
            for oracle in level:
                numbers += [oracle.num_vars, oracle.code.log_columns, oracle.code.log_blowup, oracle.code.num_queries]
        return b"".join(number.to_bytes(4, "little") for number in numbers)

    @property
    def oracles(self) -> tuple[Oracle, ...]:
        """Level 0's oracles."""
        return self.levels[0]

    def message_vars(self, level: int) -> int:
        """Variables of what a level folds to: the next level's oracle, or the message in clear."""
        return (sum(1 << oracle.code.log_columns for oracle in self.levels[level]) - 1).bit_length()

    def block_offsets(self, level: int) -> tuple[int, ...]:
        """Where each oracle's folded row lies in the packed message: in descending size, so that offsets are aligned."""
        oracles = self.levels[level]
        offsets, at = [0] * len(oracles), 0
        for i in sorted(range(len(oracles)), key=lambda i: (-oracles[i].code.log_columns, i)):
            offsets[i] = at
            at += 1 << oracles[i].code.log_columns
        return tuple(offsets)

    def fold_rounds(self, level: int) -> int:
        """Rounds that fold a level's rows: those of its tallest oracle; the others join late."""
        return max(oracle.row_vars for oracle in self.levels[level])

    @property
    def rounds(self) -> int:
        """All sumcheck rounds of an opening."""
        return self.fold_rounds(0) + self.message_vars(0)

    @property
    def clear_vars(self) -> int:
        """log2 of the message sent in clear at the end."""
        return self.message_vars(len(self.levels) - 1)


def num_queries_for(bits: float, log_blowup: int) -> int:
    """The least number of queries worth `bits` in unique decoding."""
    return max(ceil(bits / -log2(1 - (1 - 2.0**-log_blowup) / 2)), 1)


def opening_bytes(params: CommitmentParams) -> float:
    """Expected bytes of an opening, Merkle siblings for positions spread evenly."""
    size = float(ROUND_BYTES * params.rounds + (16 << params.clear_vars))
    for i, level in enumerate(params.levels):
        size += 40
        for oracle in level:
            length = float(1 << oracle.code.log_length)
            positions = length * (1 - (1 - 1 / length) ** oracle.code.num_queries)
            nodes = [min(float(1 << d), positions) for d in range(1, oracle.code.log_length + 1)]
            siblings = sum(n * (1 - n / (1 << d)) for d, n in enumerate(nodes, 1))
            size += positions * ((8 if i == 0 else 16) << oracle.row_vars) + 32 * siblings
    return size


def _chains(first: tuple[Oracle, ...], bits: float, grinding_bits: int) -> Iterator[CommitmentParams]:
    """Every sensible sequence of levels after these oracles; each code's queries and work are worth `bits`."""
    params = CommitmentParams(levels=(first,), grinding_bits=grinding_bits)
    yield params
    for fold in (3, 4, 5):
        levels, message = [first], params.message_vars(0)
        while message - fold >= MIN_CLEAR_VARS:
            blowup = min(max(oracle.code.log_blowup for oracle in first) + len(levels) + 1, MAX_LOG_BLOWUP)
            levels.append((Oracle(num_vars=message, code=code_for(message - fold, blowup, bits - grinding_bits)),))
            message -= fold
            yield CommitmentParams(levels=tuple(levels), grinding_bits=grinding_bits)


def code_for(log_columns: int, log_blowup: int, bits: float) -> Code:
    """A code whose queries are worth `bits`."""
    return Code(log_columns=log_columns, log_blowup=log_blowup, num_queries=num_queries_for(bits, log_blowup))


def choose_levels(
    num_vars: tuple[int, ...], log_blowup: int, bits: float, grinding_bits: int, first: tuple[int, int] | None = None
) -> CommitmentParams:
    """The levels with the smallest opening among those whose folds stay cheap to commit to.

    `first` fixes the first oracle's (log_columns, log_blowup): weights are committed once, proofs of many shapes open them.
    """
    budget = 4.0 * sum(1 << n for n in num_vars) + (1 << 16)
    query_bits = bits - grinding_bits

    def cost(params: CommitmentParams) -> tuple[bool, float]:
        folded = sum(2 << level[0].code.log_length + level[0].row_vars for level in params.levels[1:])
        return folded > budget, opening_bytes(params)

    def oracle(n: int, log_columns: int, blowup: int = log_blowup) -> Oracle:
        return Oracle(num_vars=max(n, log_columns), code=code_for(log_columns, blowup, query_bits))

    def columns(n: int) -> range:
        return range(max(n // 2, 4), max(n, 5) + 1)

    options = [[oracle(n, c) for c in columns(n)] for n in num_vars]
    if first is not None:
        options[0] = [oracle(num_vars[0], *first)]
    chains = (params for chosen in product(*options) for params in _chains(chosen, bits, grinding_bits))
    return min(chains, key=cost)
