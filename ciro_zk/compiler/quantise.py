"""Scales: the real value of one unit of an integer tensor, and how to get from one to another by integers.

Symmetric, zero point 0, b bits. An activation with range R has s_y = R / M, M = 2^b - 1 (2^15 - 1 for 16 bits): b bits
and, where it can be negative, a sign.

For a product y = x w the weights' scale follows, s_w = s_y 2^(-s) / s_x, so that s_x s_w / s_y is exactly 2^(-s). The
shift s is the larger of two: the largest for which max|w| / s_w <= 2^(b-1) - 1, and the least at which the weights'
rounding is small beside the output's, as follows. Over K terms the former's standard deviation is at most 2^(-s) sqrt(K
/ 12) rms(x), the latter's 1 / sqrt(12) units; with rms(x) <= max|x| / 4 it is at most a half of it for 2^s >= sqrt(K)
max|x| / 2. That holds for every output channel, whatever the size of its weights: one scale does what a scale per
channel would, a small channel's weights have as fine a unit as they need, and a large one's integers are wider than b
bits. Integers that wide cost nothing but limbs in the weights' registration.

Only +, *, / and floor on float64 (correctly rounded on every machine), so that a stored calibration gives the same
integers everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, frexp, ldexp

import numpy as np
from numpy.typing import NDArray

from ciro_zk.compiler.steps import Floats

MAX_SHIFT = 32
MIN_MULTIPLIER = 64
"""A rescaling by m / 2^s with a free output scale takes the least s with m at least this: at most 1/64 of the range is left unused."""


def top(bits: int) -> int:
    """2^(b-1) - 1, which b bits and no sign more hold: the weights' size."""
    return (1 << (bits - 1)) - 1


def round_half_up(value: float) -> int:
    """floor(value + 1/2), exactly."""
    whole = floor(value)
    return whole + (value - whole >= 0.5)


def activation_top(bits: int) -> int:
    """The largest activation: 2^b - 1, but 2^15 - 1 for 16 bits, so that differences and windows fit 16-bit tables."""
    return (1 << min(bits, 15)) - 1


def quantise(values: Floats, scale: float) -> NDArray[np.int64]:
    """round_half_up(values / scale), cell by cell."""
    return np.asarray(np.floor(values / scale + 0.5), dtype=np.int64)


def largest(values: Floats) -> float:
    """max|values|; 0 for none."""
    return float(np.abs(values).max(initial=0.0))


@dataclass(frozen=True, slots=True)
class ProductScale:
    """q = multiplier * x w / 2^shift at the wanted scale, x w at scale s_x s_w."""

    shift: int
    multiplier: int
    weight: float


def useful_shift(terms: int, x_peak: int) -> int:
    """The least s with 2^s >= sqrt(K) max|x| / 2: finer weights hardly show in the output."""
    return max(0, ((terms * x_peak * x_peak).bit_length() + 1) // 2 - 1)


def product_scale(peak: float, x_scale: float, q_scale: float, bits: int, least: int = 0) -> ProductScale:
    """The weights' scale for weights up to `peak`, with a shift of `least` or more.

    Where even shift 0 is too much, since one unit of x moves q by more than the whole range, an integer multiplier.
    """
    limit = top(bits)
    if peak == 0.0:
        return ProductScale(bits, 1, ldexp(q_scale, -bits) / x_scale)
    ratio = limit * q_scale / (x_scale * peak)
    shift = min(frexp(ratio)[1] - 1, MAX_SHIFT)
    if shift >= 0:
        weight = ldexp(q_scale, -shift) / x_scale
        # the division may have rounded: the largest weight must still fit
        while shift > 0 and floor(peak / weight + 0.5) > limit:
            shift -= 1
            weight = ldexp(q_scale, -shift) / x_scale
        if floor(peak / weight + 0.5) <= limit:
            shift = max(shift, min(least, MAX_SHIFT))
            return ProductScale(shift, 1, ldexp(q_scale, -shift) / x_scale)
    multiplier = floor(1.0 / ratio) + 1
    return ProductScale(0, multiplier, q_scale * multiplier / x_scale)


@dataclass(frozen=True, slots=True)
class Ratio:
    """x -> multiplier * x / 2^shift, and the scale of the result."""

    multiplier: int
    shift: int
    scale: float


def free_ratio(scale: float, wanted: float) -> Ratio:
    """From `scale` to an output scale at or just above `wanted`, exactly."""
    ratio = scale / wanted
    if 1.0 <= ratio < 2.0:
        return Ratio(1, 0, scale)
    shift = 0
    while shift < MAX_SHIFT and floor(ldexp(ratio, shift)) < MIN_MULTIPLIER:
        shift += 1
    multiplier = max(1, floor(ldexp(ratio, shift)))
    return Ratio(multiplier, shift, ldexp(scale, shift) / multiplier)


def fixed_ratio(scale: float, wanted: float, magnitude: int) -> Ratio:
    """From `scale` to exactly `wanted`, approximated so that integers up to `magnitude` are off by at most 1/16."""
    power = frexp(scale / wanted)
    if power[0] == 0.5 and power[1] <= 1:
        return Ratio(1, 1 - power[1], wanted)
    shift = min(MAX_SHIFT, max(magnitude, 1).bit_length() + 3)
    return Ratio(max(1, round_half_up(ldexp(scale / wanted, shift))), shift, wanted)


def dyadic(value: float, shift: int = 16) -> tuple[int, int]:
    """(numerator, shift) of the fraction numerator / 2^shift nearest to `value` in [0, 1], reduced."""
    numerator = round_half_up(ldexp(value, shift))
    while shift and numerator % 2 == 0:
        numerator, shift = numerator // 2, shift - 1
    return numerator, shift
