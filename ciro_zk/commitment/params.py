"""The shape of a commitment and its opening: levels of rows, columns, rates and queries.

One object that prover, verifier and security report share.
"""

from __future__ import annotations

from dataclasses import dataclass

from ciro_zk.commitment import proximity


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An interleaved Reed-Solomon code: rows of 2^log_columns cells at rate 2^-log_blowup, queried at `num_queries` positions."""

    log_columns: int
    log_blowup: int
    num_queries: int
    multiplicity: int = 0
    """The regime its queries count in: m of list decoding up to Johnson's radius, or 0 for unique decoding."""

    @property
    def log_length(self) -> int:
        """log2 of a codeword's length, and the depth of the Merkle tree."""
        return self.log_columns + self.log_blowup

    @property
    def list_size(self) -> int:
        """The most codewords that are close to one word."""
        return proximity.list_size(self.log_columns, self.log_blowup, self.multiplicity)

    @property
    def bad_challenges(self) -> int:
        """For how many challenges at most folding two rows goes wrong."""
        return proximity.bad_challenges(self.log_columns, self.log_blowup, self.multiplicity)

    @property
    def query_error(self) -> int:
        """The chance that a word that is not close passes every query, in units of 2^-ERROR_BITS."""
        return proximity.query_error(self.log_blowup, self.multiplicity, self.num_queries)


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

    `grinding_bits` of work precede each level's positions, `fold_grinding_bits` each challenge that folds rows. With `is_sampled` every
    oracle is sampled out of its domain, which list decoding needs.
    """

    levels: tuple[tuple[Oracle, ...], ...]
    grinding_bits: int
    fold_grinding_bits: int = 0
    is_sampled: bool = False

    def __bytes__(self) -> bytes:
        """For the transcript: both grinding bits, 1 where oracles are sampled, then per level the number of oracles and each one's five
        sizes, u32 little-endian."""
        numbers = [self.grinding_bits, self.fold_grinding_bits, int(self.is_sampled)]
        for level in self.levels:
            numbers.append(len(level))
            for oracle in level:
                code = oracle.code
                numbers += [oracle.num_vars, code.log_columns, code.log_blowup, code.num_queries, code.multiplicity]
        return b"".join(number.to_bytes(4, "little") for number in numbers)

    @property
    def oracles(self) -> tuple[Oracle, ...]:
        """Level 0's oracles."""
        return self.levels[0]

    @property
    def num_samples(self) -> int:
        """Claims of samples on level 0."""
        return len(self.oracles) if self.is_sampled else 0

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
