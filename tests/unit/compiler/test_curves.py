"""Tables of smooth functions: correctly rounded, symmetric, the same everywhere."""

from __future__ import annotations

import hashlib
from decimal import Decimal, getcontext

import numpy as np
import pytest

from ciro_zk.compiler import curves


def decimal_value(name: str, x: Decimal) -> Decimal:
    if name == "sigmoid":
        return 1 / (1 + (-x).exp())
    return (1 - (-2 * x).exp()) / (1 + (-2 * x).exp())


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
@pytest.mark.parametrize("bits", [6, 12])
@pytest.mark.parametrize("scale", [0.004, 1.0 / 3, 7e-6])
def test_values(name: str, bits: int, scale: float) -> None:
    getcontext().prec = 60
    top = 2 ** (bits - 1) - 1
    table = curves.table(name, scale, top)
    assert table.low == -top and len(table.values) == 2 * top + 1
    for q in {-top, -top // 2, -7, -1, 0, 1, 3, top // 3, top}:
        exact = decimal_value(name, Decimal(scale) * q) * top
        assert abs(table.values[q + top] - exact) <= Decimal("0.5")


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_symmetric_and_monotone(name: str) -> None:
    values = np.array(curves.table(name, 0.01, 511).values)
    assert (np.diff(values) >= 0).all()
    mirrored = 511 - values[::-1] if name == "sigmoid" else -values[::-1]
    assert (np.delete(values, 511) == np.delete(mirrored, 511)).all()


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_saturation(name: str) -> None:
    """Beyond the saturation nothing changes by more than a quarter of a unit."""
    getcontext().prec = 40
    for bits in range(6, 17):
        top = 2 ** (bits - 1) - 1
        rest = 1 - decimal_value(name, Decimal(curves.saturation(name, bits)))
        assert rest * top < Decimal("0.26")


def test_golden() -> None:
    """A change here changes every circuit with such a function."""
    found = hashlib.sha256(repr([curves.table(n, 0.00390625, 2047).values for n in ("sigmoid", "tanh")]).encode()).hexdigest()
    assert found == "eeed133ba8fc015484a0e0241dafb09b4550b85cb70db2cda8cf42b9f4e6cdd8"
