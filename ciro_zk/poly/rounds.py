"""The prover's side of one sumcheck round, in numpy: the round polynomial from the tables.

Tables are bound from the top: f(X, x) = lo(x) + X (hi(x) - lo(x)), lo and hi the halves of the table.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field import arrays
from ciro_zk.field import goldilocks as gl
from ciro_zk.field.arrays import Extension
from ciro_zk.field.extension import Ext
from ciro_zk.poly.multilinear import outer


def product_round(factors: NDArray[np.uint64]) -> list[Ext]:
    """(d, 2, n) -> the values at X = 0, 1, ..., d of the sum over x of prod_j f_j(X, x), x over n/2 points."""
    degree, _, n = factors.shape
    current, high = factors[:, :, : n // 2], factors[:, :, n // 2 :]
    step = gl.sub(high, current)
    values = []
    for x in range(degree + 1):
        if x:
            current = gl.add(current, step)
        product = current[0]
        for factor in current[1:]:
            product = arrays.mul(product, factor)
        values.append(arrays.total(product))
    return values


def fraction_layer(num: Extension, den: Extension) -> tuple[Extension, Extension]:
    """The halves (lo, hi) of (2, n) tables -> (2, n/2): num_lo den_hi + num_hi den_lo and den_lo den_hi, that is, num_lo/den_lo +
    num_hi/den_hi."""
    half = num.shape[1] // 2
    num_low, num_high, den_low, den_high = num[:, :half], num[:, half:], den[:, :half], den[:, half:]
    return gl.add(arrays.mul(num_low, den_high), arrays.mul(num_high, den_low)), arrays.mul(den_low, den_high)


def fraction_round(stack: NDArray[np.uint64], eq_high: Extension, eq_low: Extension, batch: Ext) -> tuple[Ext, Ext]:
    """One round of a LogUp-GKR layer in Gruen's form (eprint 2024/108); see `ciro_zk.kernels.Kernels.fraction_round`."""
    half = stack.shape[2] // 2
    low, high = stack[:, :, :half], stack[:, :, half:]
    weights = outer(eq_high, eq_low)
    return _weighted(low, weights, batch), _weighted(gl.sub(high, low), weights, batch)


def _weighted(tables: NDArray[np.uint64], weights: Extension, batch: Ext) -> Ext:
    num_low, num_high, den_low, den_high = tables
    cross = gl.add(arrays.mul(num_low, den_high), arrays.mul(num_high, den_low))
    return arrays.inner_product(weights, cross) + batch * arrays.inner_product(weights, arrays.mul(den_low, den_high))
