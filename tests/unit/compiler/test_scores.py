"""The tables and units of a softmax."""

from __future__ import annotations

from math import exp, log

import pytest

from ciro_zk.compiler import scores


@pytest.mark.parametrize("peak", [0.0, 0.001, 1.0, 20.0, 40.0, 100.0, 1e4, 1e30])
def test_units_and_limits(peak: float) -> None:
    unit, limit = scores.unit(peak), scores.limit(peak)
    assert unit in (2**-10, 2**-9, 2**-8) and 1 <= limit <= 2**15 - 1
    assert limit & (limit + 1) == 0
    if peak <= 100:
        assert peak <= unit * limit


@pytest.mark.parametrize("scale", [2**-10, 2**-8])
def test_the_exponential(scale: float) -> None:
    table = scores.exponential(scale, 18)
    assert table.low == 0 and table.values[-1] == 0 and table.values[-2] > 0
    assert all(abs(v - (1 << 18) * exp(-scale * q)) <= 0.5 + 1e-9 for q, v in enumerate(table.values))


def test_the_logarithm() -> None:
    table = scores.logarithm(2**-10, 6, 3, 5000)
    assert len(table.values) == 4998
    assert all(abs(v - log(q / 64) * 1024) <= 0.5 + 1e-9 for q, v in enumerate(table.values, start=3))


def test_mass() -> None:
    assert [scores.mass_bits(n) for n in (1, 2, 3, 16, 17, 1024)] == [13, 13, 14, 16, 17, 22]
