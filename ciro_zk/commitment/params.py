"""The shape of a commitment and its opening: levels of rows, columns, rates and queries.

One object that prover, verifier and security report share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, log2

MAX_LOG_BLOWUP = 6
MIN_CLEAR_VARS = 7
ROUND_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level's oracles: rows of 2^log_columns cells encoded at rate 2^-log_blowup, queried at `num_queries` positions."""

    log_columns: int
    log_blowup: int
    num_queries: int
    grinding_bits: int

    @property
    def log_length(self) -> int:
        """log2 of a codeword's length, and the depth of the Merkle trees."""
        return self.log_columns + self.log_blowup

    @property
    def relative_distance(self) -> float:
        """The unique-decoding radius (1 - rate) / 2."""
        return (1 - 2.0**-self.log_blowup) / 2

    @property
    def query_bits(self) -> float:
        """-log2 of the chance that a word beyond the radius passes every query."""
        return -self.num_queries * log2(1 - self.relative_distance)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentParams:
    """Level 0 holds the base-field oracles of 2^num_vars[i] cells; each later level one extension-field oracle, the packed
    folds of the one before."""

    num_vars: tuple[int, ...]
    levels: tuple[Level, ...]

    @property
    def pack_vars(self) -> int:
        """Variables that tell the oracles' folds apart in the packed message."""
        return (len(self.num_vars) - 1).bit_length()

    @property
    def head_rounds(self) -> int:
        """Rounds that fold level 0's rows."""
        return max(self.num_vars) - self.levels[0].log_columns

    @property
    def rounds(self) -> int:
        """All sumcheck rounds of an opening."""
        return self.head_rounds + self.message_vars(0)

    def num_rows(self, oracle: int) -> int:
        """Rows of a level-0 oracle."""
        return 1 << (self.num_vars[oracle] - self.levels[0].log_columns)

    def message_vars(self, level: int) -> int:
        """Variables of what a level folds to: the next level's oracle, or the message in clear."""
        return self.levels[level].log_columns + (self.pack_vars if level == 0 else 0)

    def fold_rounds(self, level: int) -> int:
        """Rounds that fold a level's rows."""
        return self.head_rounds if level == 0 else self.message_vars(level - 1) - self.levels[level].log_columns

    @property
    def clear_vars(self) -> int:
        """log2 of the message sent in clear at the end."""
        return self.message_vars(len(self.levels) - 1)


def num_queries_for(bits: float, log_blowup: int) -> int:
    """The least number of queries worth `bits` in unique decoding."""
    return max(ceil(bits / -log2(1 - (1 - 2.0**-log_blowup) / 2)), 1)


def opening_bytes(params: CommitmentParams) -> float:
    """Expected bytes of an opening, Merkle siblings for positions spread evenly."""
    size = 0.0
    for i, level in enumerate(params.levels):
        length = float(1 << level.log_length)
        positions = length * (1 - (1 - 1 / length) ** level.num_queries)
        nodes = [min(float(1 << d), positions) for d in range(1, level.log_length + 1)]
        siblings = sum(n * (1 - n / (1 << d)) for d, n in enumerate(nodes, 1))
        trees = len(params.num_vars) if i == 0 else 1
        cells = sum(8 * params.num_rows(o) for o in range(len(params.num_vars))) if i == 0 else 16 << params.fold_rounds(i)
        size += positions * cells + trees * 32 * siblings + 40
    return size + ROUND_BYTES * params.rounds + (16 << params.clear_vars)


def candidates(
    num_vars: tuple[int, ...], log_blowup: int, bits: float, grinding_bits: int, first: tuple[int, int] | None
) -> Iterator[CommitmentParams]:
    """Every sensible sequence of levels whose queries are worth `bits` each, grinding included.

    `first` fixes level 0's (log_columns, log_blowup).
    """

    def level(log_columns: int, blowup: int) -> Level:
        queries = num_queries_for(bits - grinding_bits, blowup)
        return Level(log_columns=log_columns, log_blowup=blowup, num_queries=queries, grinding_bits=grinding_bits)

    columns = range(4, max(*num_vars, 5) + 1) if first is None else range(first[0], first[0] + 1)
    blowup = log_blowup if first is None else first[1]
    pack = (len(num_vars) - 1).bit_length()
    for log_columns in columns:
        levels = [level(log_columns, blowup)]
        padded = tuple(max(n, log_columns) for n in num_vars)
        yield CommitmentParams(num_vars=padded, levels=tuple(levels))
        for fold in (3, 4, 5):
            chain, message = list(levels), log_columns + pack
            while message - fold >= MIN_CLEAR_VARS:
                chain.append(level(message - fold, min(blowup + len(chain) + 1, MAX_LOG_BLOWUP)))
                message -= fold
                yield CommitmentParams(num_vars=padded, levels=tuple(chain))


def choose_levels(
    num_vars: tuple[int, ...], log_blowup: int, bits: float, grinding_bits: int, first: tuple[int, int] | None = None
) -> CommitmentParams:
    """The levels with the smallest opening among those whose folds stay cheap to commit to."""
    budget = 4.0 * sum(1 << n for n in num_vars) + (1 << 16)

    def cost(params: CommitmentParams) -> tuple[bool, float]:
        folded = sum(2.0 * (1 << (params.message_vars(i) + params.levels[i + 1].log_blowup)) for i in range(len(params.levels) - 1))
        return folded > budget, opening_bytes(params)

    return min(candidates(num_vars, log_blowup, bits, grinding_bits, first), key=cost)
