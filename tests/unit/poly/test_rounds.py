"""Round polynomials against their definitions in scalars."""

from __future__ import annotations

import numpy as np
import pytest

from ciro_zk.field import arrays
from ciro_zk.field.extension import ONE, Ext, P, total
from ciro_zk.poly import multilinear, rounds


def tables(k: int, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, P, (k, 2, n), dtype=np.uint64)


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
@pytest.mark.parametrize("half", [1, 2, 3])
def test_product_round(degree: int, half: int) -> None:
    factors = tables(degree, 2 * half)
    values = rounds.product_round(factors)
    assert len(values) == degree + 1
    for x, value in enumerate(values):
        bound = multilinear.fold_stack(factors, Ext(x))
        expected = []
        for i in range(half):
            term = ONE
            for table in bound:
                term = term * arrays.get(table, i)
            expected.append(term)
        assert value == total(expected)


def test_fraction_layer_adds_fractions() -> None:
    num, den = tables(2, 8)
    n_lo, n_hi, d_lo, d_hi = rounds.fraction_layer(rounds.halves(num, den))
    num_out, den_out = np.concatenate([n_lo, n_hi], axis=1), np.concatenate([d_lo, d_hi], axis=1)
    for i in range(4):
        left = arrays.get(num, i) * arrays.get(den, i).inverse()
        right = arrays.get(num, i + 4) * arrays.get(den, i + 4).inverse()
        assert arrays.get(num_out, i) * arrays.get(den_out, i).inverse() == left + right


@pytest.mark.parametrize(("high", "low"), [(1, 1), (1, 4), (4, 1), (2, 2)])
def test_fraction_round(high: int, low: int) -> None:
    half = high * low
    stack, batch = tables(4, 2 * half), Ext(11, 13)
    eq_high, eq_low = tables(2, high, 1)[0], tables(2, low, 2)[0]
    weights = arrays.to_list(multilinear.outer(eq_high, eq_low))

    def g(x: int) -> Ext:
        a, b, c, d = (arrays.to_list(t) for t in multilinear.fold_stack(stack, Ext(x)))
        return total(weights[i] * (a[i] * d[i] + b[i] * c[i] + batch * c[i] * d[i]) for i in range(half))

    constant, square = rounds.fraction_round(stack, eq_high, eq_low, batch)
    assert constant == g(0)
    assert square * 2 == g(0) - g(1) * 2 + g(2)
