"""The prover's side of one sumcheck round, in numpy: the round polynomial from the tables.

Tables are bound from the top: f(X, x) = lo(x) + X (hi(x) - lo(x)), lo and hi the halves of the table.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ciro_zk.field import arrays
from ciro_zk.field import goldilocks as gl
from ciro_zk.field.arrays import Extension
from ciro_zk.field.extension import Ext
from ciro_zk.field.goldilocks import Base
from ciro_zk.poly.multilinear import fold_stack, outer


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


def fraction_layer(stack: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(4, 2, n) -> (4, 2, n/2): the sums num_lo/den_lo + num_hi/den_hi, with the halves of their n points apart again."""
    num_low, num_high, den_low, den_high = stack
    num = gl.add(arrays.mul(num_low, den_high), arrays.mul(num_high, den_low))
    return halves(num, arrays.mul(den_low, den_high))


def halves(num: Extension, den: Extension) -> NDArray[np.uint64]:
    """(2, 2 n) each -> (4, 2, n): num_lo, num_hi, den_lo, den_hi."""
    half = num.shape[1] // 2
    return np.stack([num[:, :half], num[:, half:], den[:, :half], den[:, half:]])


def leaf_layer(numerators: Base, denominators: Extension) -> NDArray[np.uint64]:
    """`fraction_layer` on leaves, whose numerators (2 n,) are base elements: (4, 2, n/2)."""
    return fraction_layer(halves(arrays.from_base(numerators), denominators))


def leaf_round(numerators: Base, denominators: Extension, eq_high: Extension, eq_low: Extension, batch: Ext) -> tuple[Ext, Ext]:
    """`fraction_round` on leaves, whose numerators are base elements."""
    return fraction_round(halves(arrays.from_base(numerators), denominators), eq_high, eq_low, batch)


def fold_leaves(numerators: Base, denominators: Extension, r: Ext) -> NDArray[np.uint64]:
    """(2 n,), (2, 2 n) -> (4, 2, n/2): `fold_stack` on leaves."""
    return fold_stack(halves(arrays.from_base(numerators), denominators), r)


def leaf_term(target: Extension, offset: int, cells: Base, origin: int, box: NDArray[np.int64], weight: Ext, start: Ext | None) -> None:
    """target[:, leaf] = (start, or target[:, leaf]) - weight cells[cell] in place over a box (3, k): lengths, and the strides of its axes
    in `cells` from `origin` on and in the leaves from `offset` on."""
    lengths, cell_strides, leaf_strides = box
    values = as_strided(cells[origin:], lengths, 8 * cell_strides, writeable=False)
    for row, scale, first in zip(target, (weight.c0, weight.c1), (0, 0) if start is None else (start.c0, start.c1), strict=True):
        leaves = as_strided(row[offset:], lengths, 8 * leaf_strides)
        leaves[...] = gl.sub(
            leaves if start is None else np.full(1, first, dtype=np.uint64), gl.mul(values, np.full(1, scale, dtype=np.uint64))
        )


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
