"""Values of smooth functions for their tables, in 256-bit fixed point: the same integers on every machine.

sigmoid(x) = 1 / (1 + e^(-x))        tanh(x) = (1 - e^(-2x)) / (1 + e^(-2x))
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from ciro_zk.lookup.tables import Sampled

PRECISION = 256
ONE = 1 << PRECISION

# |f(x)| is within a quarter of a unit of its limit beyond (bits + offset) * slope
_SATURATION = {"sigmoid": (1, 0.6932), "tanh": (2, 0.3466)}


def saturation(name: str, bits: int) -> float:
    """The argument beyond which a function no longer changes at `bits` bits."""
    offset, slope = _SATURATION[name]
    return (bits + offset) * slope


def _exp_negative(x: Fraction) -> int:
    """e^(-x) 2^256 for x >= 0, to about 2^-240: Taylor on x / 2^k < 1/16, then k squarings."""
    halvings = max(0, (x.numerator // x.denominator).bit_length() + 4)
    reduced = (x.numerator << PRECISION) // (x.denominator << halvings)
    term = total = ONE
    n = 0
    while term:
        n += 1
        term = (term * reduced >> PRECISION) // n
        total += -term if n % 2 else term
    for _ in range(halvings):
        total = total * total >> PRECISION
    return total


@lru_cache(maxsize=16)
def table(name: str, scale: float, top: int) -> Sampled:
    """The function's integers at arguments q * scale, -top <= q <= top, in units of 1 / top."""
    step = Fraction(scale) * (2 if name == "tanh" else 1)
    base = _exp_negative(step)
    half, power = [], ONE
    for _ in range(top + 1):
        # power = e^(-q step)
        numerator = ONE - power if name == "tanh" else ONE
        half.append((2 * top * numerator + ONE + power) // (2 * (ONE + power)))
        power = power * base >> PRECISION
    # f(-x) = -f(x) for tanh, 1 - f(x) for sigmoid
    mirrored = [-v for v in half] if name == "tanh" else [top - v for v in half]
    return Sampled(low=-top, values=(*mirrored[:0:-1], *half))
