"""What closeness to a Reed-Solomon code is worth: radius, list size, bad folding challenges and queries, in exact integers.

The code: polynomials of degree at most d = 2^c - 1 on n = 2^(c+b) points, rate rho = 2^-b. An interleaved word of any
number of rows is *close* if it agrees with an interleaved codeword in at least alpha n columns. Two regimes:

    unique decoding, m = 0     alpha = (1 + rho) / 2                    at most 1 close codeword
                               bad challenges per row variable: n (Ben-Sasson, Carmon, Ishai, Kopparty, Saraf, eprint
                               2020/654, theorem 4.1; interleaved: Diamond, Gruen, eprint 2024/1351)
    list decoding, m >= 3      alpha = (1 + 1/(2m)) sqrt(rho)           fewer than l = (m + 1/2) / sqrt(d / n) close codewords
                               bad challenges per row variable: l^7 / 3 d^2 (Haboeck, eprint 2025/2110, theorem 2)

The list: L codewords that agree with one word in alpha n columns each, and with each other in at most d < rho n, have
L <= (alpha - rho) / (alpha^2 - rho) < alpha / (alpha^2 - rho) < (m + 1/2) / sqrt(rho) (Johnson 1962; two ways of counting
the pairs of codewords that agree with the word in the same column). The theorem's radius is that of d / n, a little
larger than the one used here, and its number of challenges grows as d falls: it is computed with d, not with 2^c.

Numbers are exact and rounded to the safe side, so that every implementation chooses the same parameters.
"""

from __future__ import annotations

from functools import cache
from math import ceil, isqrt, log2

MIN_MULTIPLICITY = 3
ERROR_BITS = 256
"""Errors are integers in units of 2^-ERROR_BITS."""


def agreement_squared(log_blowup: int, multiplicity: int) -> tuple[int, int]:
    """alpha^2 as a fraction."""
    if multiplicity:
        return (2 * multiplicity + 1) ** 2, 4 * multiplicity**2 << log_blowup
    return ((1 << log_blowup) + 1) ** 2, 4 << 2 * log_blowup


@cache
def list_size(log_columns: int, log_blowup: int, multiplicity: int) -> int:
    """The most codewords close to one word; `log_columns` is at least 1 in list decoding."""
    if not multiplicity:
        return 1
    degree, length = (1 << log_columns) - 1, 1 << log_columns + log_blowup
    return isqrt((2 * multiplicity + 1) ** 2 * length // (4 * degree))


@cache
def bad_challenges(log_columns: int, log_blowup: int, multiplicity: int) -> int:
    """For how many challenges at most a fold of two words is close where the words are not, or to what is no fold of codewords close
    to them."""
    degree, length = (1 << log_columns) - 1, 1 << log_columns + log_blowup
    if not multiplicity:
        return length
    # its square: ((m + 1/2)^7 / 3)^2 n^7 / d^3
    return isqrt((2 * multiplicity + 1) ** 14 * length**7 // (9 << 14) // degree**3) + 1


@cache
def query_error(log_blowup: int, multiplicity: int, num_queries: int) -> int:
    """alpha^q in units of 2^-ERROR_BITS: a word that is not close passes every query."""
    over, under = agreement_squared(log_blowup, multiplicity)
    return isqrt((over**num_queries << 2 * ERROR_BITS) // under**num_queries) + 1


@cache
def num_queries_for(quarters: int, log_blowup: int, multiplicity: int) -> int:
    """The least number of queries worth `quarters` / 4 bits: alpha^(4 q) 2^quarters <= 1."""
    over, under = (value**2 for value in agreement_squared(log_blowup, multiplicity))

    def enough(queries: int) -> bool:
        return bool(over**queries << quarters <= under**queries)

    queries = max(ceil(quarters / log2(under / over)), 1)  # a guess
    while not enough(queries):
        queries += 1
    while queries > 1 and enough(queries - 1):
        queries -= 1
    return queries
