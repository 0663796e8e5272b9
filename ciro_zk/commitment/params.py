"""The shape of a commitment and its opening: rows, columns, rate, queries. One object that prover, verifier and security report
share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentParams:
    """Oracles of 2^num_vars[i] cells, each 2^(num_vars[i] - log_columns) rows of 2^log_columns, encoded at rate 2^-log_blowup."""

    num_vars: tuple[int, ...]
    log_columns: int
    log_blowup: int
    num_queries: int
    grinding_bits: int

    @property
    def log_length(self) -> int:
        """log2 of a codeword's length, and the depth of the Merkle trees."""
        return self.log_columns + self.log_blowup

    @property
    def rounds(self) -> int:
        """Sumcheck rounds of an opening."""
        return max(self.num_vars)

    def num_rows(self, oracle: int) -> int:
        return 1 << (self.num_vars[oracle] - self.log_columns)


def choose_log_columns(num_vars: tuple[int, ...], log_blowup: int, num_queries: int) -> int:
    """The row length 2^c with the smallest opening: q columns, paths and the folded rows in clear. Every oracle has at least one
    row."""

    def opening_bytes(log_columns: int) -> int:
        columns = sum(8 * num_queries << max(n - log_columns, 0) for n in num_vars)
        paths = 32 * num_queries * max(log_columns + log_blowup - num_queries.bit_length() + 1, 1) * len(num_vars)
        return columns + paths + (16 << log_columns) * len(num_vars)

    return min(range(4, max(*num_vars, 5) + 1), key=opening_bytes)
