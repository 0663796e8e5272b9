"""Ranges from magnitudes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.compiler.clipping import NUM_BINS, Magnitudes, parse_method
from ciro_zk.errors import InputError


def counted(*arrays: np.ndarray) -> Magnitudes:
    found = Magnitudes()
    for array in arrays:
        found.add(array)
    return found


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 100))
def test_percentile(seed: int, scale: float) -> None:
    """So many values are within the range, to one bin and one value, however they arrive."""
    rng = np.random.default_rng(seed)
    values = scale * rng.standard_normal(5000)
    found = counted(values[:100], values[100:3000], values[3000:])
    bin_width = found.width / NUM_BINS
    for percent in (99.0, 99.9):
        limit = found.limit(parse_method(f"percentile:{percent}", 12))
        within, below = ((np.abs(values) <= bound).sum() for bound in (limit * (1 + 1e-12), limit - 1.01 * bin_width))
        assert within >= 50 * percent - 1 and below <= 50 * percent + 1
    assert found.limit(parse_method("max", 12)) == np.abs(values).max() and found.counts.sum() == 5000


@pytest.mark.parametrize("bits", [6, 8, 12])
def test_least_squared_error(bits: int) -> None:
    """No other range has a much smaller error, measured on the values themselves."""
    rng = np.random.default_rng(bits)
    values = rng.laplace(size=50_000)
    top = (1 << bits) - 1

    def error(limit: float) -> float:
        scale = limit / top
        return float(((np.clip(np.floor(values / scale + 0.5), -top, top) * scale - values) ** 2).mean())

    chosen = counted(values).limit(parse_method("mse", bits))
    best = min(error(limit) for limit in np.linspace(0.05, 1, 200) * np.abs(values).max())
    assert error(chosen) <= 1.02 * best
    assert bits == 12 or chosen < np.abs(values).max()


def test_zeros_and_nothing() -> None:
    assert counted(np.zeros(5)).limit(parse_method("mse", 8)) == 0.0
    found = counted(np.zeros(5), np.array([2.0, -3.0]))
    assert found.limit(parse_method("percentile", 8)) == 3.0 and found.counts.sum() == 2


def test_defaults() -> None:
    assert [parse_method(None, bits).name for bits in (6, 9, 10, 16)] == ["mse", "mse", "max", "max"]
    assert parse_method("percentile", 8).text == "percentile:99.99"
    with pytest.raises(InputError, match="no calibration method"):
        parse_method("kl", 8)


def test_magnitudes_too_small_to_divide_by() -> None:
    found = Magnitudes()
    found.add(np.array([5e-324, -1e-323, 0.0]))
    assert found.counts.sum() == 2
