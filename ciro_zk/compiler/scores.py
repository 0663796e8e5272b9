"""How a softmax is computed on integers.

    z    scores in units of u = 2^-10, 2^-9 or 2^-8, clamped to [-L, L]
    e    round(2^k e^(-u (m - z))) by table, m the greatest score of the row, k = 12 + ceil(log2 n) for n cells
    R    floor(N / (S + 1)), S the sum of e, N = M 2^s
    P    round(e R / 2^s) in units of 1 / M

A cell that bits leave out at run time has z - D in z's place, D = 2 L + Q with e^(-u Q) rounded to 0: then m - (z - D) >= Q for the
greatest m of the others, and e is exactly 0. All values lie within 4 L + Q < 2^16 of each other, so L < 2^13 and units are coarser.

The table holds the rounded values of 2^k e^(-u q) until they are 0. Rounding of e moves S by at most n / 2 units, a share of
2^-13 since S >= 2^k; that of z moves P by at most u / 4; floor(N / (S + 1)) is off by less than 2^-s of M each.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import frexp, ldexp

from ciro_zk.lookup.tables import Sampled

FINEST, COARSEST = 10, 8
LIMIT_BITS = 15
MASKED_COARSEST, MASKED_LIMIT_BITS = 7, 13
FEW_LIMIT_BITS = 12
"""Where cells are few, units are coarser so that scores have so many bits, if they can: their tables have more rows than lookups."""
HEADROOM = 1.25
MASS_BITS = 12
MAX_LOG_BITS = 16
PRECISION = 256
"""Bits of the fixed point in which tables are computed: the same integers on every machine."""
ONE = 1 << PRECISION


def _unit_bits(peak: float, masked: bool, few: bool) -> int:
    """The finest unit at which scores up to `peak` fit, else the coarsest: what is larger saturates."""
    coarsest, limit_bits = (MASKED_COARSEST, MASKED_LIMIT_BITS) if masked else (COARSEST, LIMIT_BITS)
    limit_bits = FEW_LIMIT_BITS if few else limit_bits
    return next((b for b in range(FINEST, coarsest, -1) if ldexp(peak * HEADROOM, b) < 1 << limit_bits), coarsest)


def unit(peak: float, masked: bool = False, few: bool = False) -> float:
    """The real value of one unit of the scores."""
    return ldexp(1.0, -_unit_bits(peak, masked, few))


def limit(peak: float, masked: bool = False, few: bool = False) -> int:
    """L: 2^j - 1 with room for scores up to `peak` and a quarter."""
    bits = frexp(ldexp(peak * HEADROOM, _unit_bits(peak, masked, few)) + 1.0)[1]
    return (1 << min(bits, MASKED_LIMIT_BITS if masked else LIMIT_BITS)) - 1


def mass_bits(cells: int) -> int:
    """k for rows of so many cells."""
    return MASS_BITS + max(cells - 1, 1).bit_length()


@lru_cache(maxsize=16)
def exponential(scale: float, bits: int) -> Sampled:
    """round(2^bits e^(-scale q)) for q = 0, 1, ... until it is 0."""
    step = Fraction(scale)
    fixed = (step.numerator << PRECISION) // step.denominator
    # e^(-scale) by its series, scale < 1
    term, base, n = ONE, ONE, 1
    while term := (term * fixed >> PRECISION) // n:
        base += -term if n % 2 else term
        n += 1
    power = ONE
    shift = PRECISION - bits
    values = []
    while (value := (power + (1 << (shift - 1))) >> shift) > 0:
        values.append(value)
        power = power * base >> PRECISION
    return Sampled(low=0, values=(*values, 0))


@lru_cache(maxsize=16)
def logarithm(scale: float, bits: int, low: int, high: int) -> Sampled:
    """round(ln(q / 2^bits) / scale) for low <= q <= high, low >= 1."""
    one = ONE
    units = Fraction(scale)

    def twice_artanh(denominator: int) -> int:
        """2 artanh(1 / d) = ln((d + 1) / (d - 1))."""
        term, total, n = 2 * one // denominator, 0, 1
        while term:
            total += term // n
            term //= denominator * denominator
            n += 2
        return total

    value = -bits * twice_artanh(3)
    for q in range(1, low):
        value += twice_artanh(2 * q + 1)
    values = []
    for q in range(low, high + 1):
        scaled = value * units.denominator // units.numerator
        values.append((scaled + one // 2) >> PRECISION)
        value += twice_artanh(2 * q + 1)
    return Sampled(low=low, values=tuple(values))
