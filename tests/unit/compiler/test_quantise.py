"""Scales and ratios: exact relations, and weights that fit."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.compiler.quantise import (
    MAX_SHIFT,
    dyadic,
    fixed_ratio,
    free_ratio,
    product_scale,
    quantise,
    round_half_up,
    top,
)

POSITIVE = st.floats(1e-30, 1e30)
BITS = st.integers(6, 16)


@given(st.floats(-1e15, 1e15))
def test_rounding(value: float) -> None:
    assert round_half_up(value) == floor(Fraction(value) + Fraction(1, 2))


def test_ties_go_up() -> None:
    assert quantise(np.array([-1.5, -0.5, 0.5, 1.5]), 1.0).tolist() == [-1, 0, 1, 2]


@given(peak=POSITIVE, x=POSITIVE, q=POSITIVE, bits=BITS)
def test_product_scale(peak: float, x: float, q: float, bits: int) -> None:
    plan = product_scale(peak, x, q, bits)
    assert 0 <= plan.shift <= MAX_SHIFT and plan.multiplier >= 1
    largest = floor(peak / plan.weight + 0.5)
    assert largest <= top(bits)
    # s_x s_w multiplier / 2^shift is s_q, but for one rounding of the division
    exact = Fraction(x) * Fraction(plan.weight) / plan.multiplier * 2**plan.shift / Fraction(q)
    assert abs(exact - 1) < Fraction(1, 2**50)
    if 0 < plan.shift < MAX_SHIFT:
        assert largest >= top(bits) // 2 - 1, "the shift is the largest that fits"


@given(scale=POSITIVE, wanted=POSITIVE)
def test_free_ratio(scale: float, wanted: float) -> None:
    ratio = free_ratio(scale, wanted)
    assert 0 <= ratio.shift <= MAX_SHIFT and ratio.multiplier >= 1
    if scale / wanted > 2.0**-25:
        assert wanted * (1 - 1e-12) <= ratio.scale < wanted * 2.01
    assert np.isclose(ratio.scale * ratio.multiplier / 2**ratio.shift, scale, rtol=1e-12)


@given(scale=st.floats(1e-6, 1.0), magnitude=st.integers(1, 1 << 18))
def test_fixed_ratio(scale: float, magnitude: int) -> None:
    ratio = fixed_ratio(scale, 1.0, magnitude)
    error = abs(Fraction(ratio.multiplier, 2**ratio.shift) - Fraction(scale)) * magnitude
    assert error <= Fraction(1, 16) or ratio.multiplier == 1


@given(st.floats(0, 1))
def test_dyadic(value: float) -> None:
    numerator, shift = dyadic(value)
    assert 0 <= numerator <= 1 << shift and (shift == 0 or numerator % 2)
    assert abs(Fraction(numerator, 1 << shift) - Fraction(value)) <= Fraction(1, 1 << 17)
