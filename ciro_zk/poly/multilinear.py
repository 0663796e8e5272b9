"""Multilinear polynomials by their tables over the hypercube, in numpy.

The table of f in k variables is its 2^k values, the *first* variable the most significant bit of the index, so that f(r, x) = lo + r (hi -
lo) joins the two contiguous halves. eq(r, x) = prod_i (r_i x_i + (1 - r_i)(1 - x_i)), and f(r) = sum_x eq(r, x) f(x).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field import arrays
from ciro_zk.field import goldilocks as gl
from ciro_zk.field.arrays import Extension, inner_product, inner_product_base
from ciro_zk.field.extension import NON_RESIDUE, ONE, Ext, P
from ciro_zk.field.goldilocks import Base

__all__ = [
    "add_outer",
    "contract_axis",
    "contract_columns",
    "contract_integers",
    "contract_rows",
    "eq",
    "eq_range",
    "eq_suffixes",
    "eq_table",
    "evaluate",
    "evaluate_base",
    "fold_base",
    "fold_stack",
    "inner_product",
    "inner_product_base",
    "outer",
    "selector",
]

_CHUNK = 1 << 18
_LEAST_LIMB_BITS = 8
_SMALL_VARS = 5  # up to here integers are faster than numpy's calls


def eq(a: Sequence[Ext], b: Sequence[Ext]) -> Ext:
    """eq(a, b) for two points of the same length; `ValueError` if the lengths differ."""
    result = ONE
    for x, y in zip(a, b, strict=True):
        xy = x * y
        result = result * (ONE - x - y + xy + xy)
    return result


def eq_table(point: Sequence[Ext], scale: Ext = ONE) -> Extension:
    """(2, 2^k): scale eq(point, x) for every x of the hypercube, point[0] matching the top index bit."""
    if len(point) > _SMALL_VARS:
        half = len(point) // 2
        return outer(eq_table(point[:half], scale), eq_table(point[half:]))
    c0, c1 = [scale.c0], [scale.c1]
    for r in reversed(point):
        r0, r1, s1 = r.c0, r.c1, NON_RESIDUE * r.c1
        high0 = [(a * r0 + b * s1) % P for a, b in zip(c0, c1, strict=True)]
        high1 = [(a * r1 + b * r0) % P for a, b in zip(c0, c1, strict=True)]
        c0 = [(a - h) % P for a, h in zip(c0, high0, strict=True)] + high0
        c1 = [(a - h) % P for a, h in zip(c1, high1, strict=True)] + high1
    return np.array([c0, c1], dtype=np.uint64)


def eq_suffixes(point: Sequence[Ext]) -> list[Extension]:
    """eq_table(point[k:]) for k = 0, ..., len(point)."""
    return [eq_table(point[k:]) for k in range(len(point) + 1)]


def selector(point: Sequence[Ext], index: int) -> Ext:
    """eq(point, bits of index), point[0] matching the top bit."""
    value = ONE
    for i, r in enumerate(reversed(point)):
        value = value * (r if index >> i & 1 else ONE - r)
    return value


def eq_range(point: Sequence[Ext], start: int, length: int) -> Extension:
    """(2, length): eq(point, start + i) for 0 <= i < length, from the one or two aligned blocks of 2^ceil(log2 length) that hold them; a
    long range from one of the upper variables and a table of the lower."""
    if length > 1 << _SMALL_VARS:
        low = (length - 1).bit_length() // 2
        first, last = start >> low, start + length - 1 >> low
        table = outer(eq_range(point[: len(point) - low], first, last - first + 1), eq_table(point[len(point) - low :]))
        return np.ascontiguousarray(table[:, start - (first << low) :][:, :length])
    split = len(point) - min((length - 1).bit_length(), len(point))
    size = 1 << (len(point) - split)
    parts, stop = [], start + length
    for block in range(start // size, (stop - 1) // size + 1):
        table = eq_table(point[split:], selector(point[:split], block))
        parts.append(table[:, max(start - block * size, 0) : min(stop - block * size, size)])
    return np.concatenate(parts, axis=1)


def fold_stack(stack: NDArray[np.uint64], r: Ext) -> NDArray[np.uint64]:
    """(k, 2, n) -> (k, 2, n/2): lo + r (hi - lo), the top variable of each table bound to r."""
    half = stack.shape[2] // 2
    low, high = stack[:, :, :half], stack[:, :, half:]
    step = arrays.scale(gl.sub(high, low).transpose(1, 0, 2), r).transpose(1, 0, 2)
    return np.ascontiguousarray(gl.add(low, step))


def fold_base(values: Base, r: Ext) -> Extension:
    """(n,) -> (2, n/2), as `fold_stack` for one table of base elements."""
    half = values.shape[0] // 2
    low, high = values[:half], values[half:]
    step = arrays.scale_base(gl.sub(high, low), r)
    return np.stack([gl.add(low, step[0]), step[1]])


def evaluate(table: Extension, point: Sequence[Ext]) -> Ext:
    """f(point) from its table (2, 2^k); `ValueError` unless the point has k coordinates."""
    _check_point(table.shape[1], point)
    return inner_product(eq_table(point), table)


def evaluate_base(values: Base, point: Sequence[Ext]) -> Ext:
    """f(point) from its base table (2^k,); `ValueError` unless the point has k coordinates."""
    _check_point(values.shape[0], point)
    if not point:
        return Ext(int(values[0]))
    return evaluate(fold_base(values, point[0]), point[1:])


def outer(a: Extension, b: Extension) -> Extension:
    """(2, n), (2, m) -> (2, n m): a[i] b[j] at i m + j."""
    return arrays.mul(a[:, :, None], b[:, None, :]).reshape(2, -1)


def add_outer(target: Extension, offset: int, a: Extension, b: Extension) -> None:
    """(2, N), (2, n), (2, m): target[offset + i m + j] += a[i] b[j], in place."""
    cut = slice(offset, offset + a.shape[1] * b.shape[1])
    target[:, cut] = gl.add(target[:, cut], outer(a, b))


def contract_rows(weights: Extension, matrix: Base) -> Extension:
    """(2, R), (R, C) base -> (2, C): the sum over r of weights[r] matrix[r, c]."""
    rows, columns = matrix.shape
    result = arrays.zeros(columns)
    step = max(1, _CHUNK // max(1, columns))
    for start in range(0, rows, step):
        block = matrix[start : start + step]
        for c in range(2):
            part = gl.sum_axis(gl.mul(block, weights[c, start : start + step, None]), axis=0)
            result[c] = gl.add(result[c], part)
    return result


def contract_columns(matrix: Base, weights: Extension) -> Extension:
    """(R, C) base, (2, C) -> (2, R): the sum over c of matrix[r, c] weights[c]."""
    rows, columns = matrix.shape
    result = arrays.zeros(rows)
    step = max(1, _CHUNK // max(1, columns))
    for start in range(0, rows, step):
        block = matrix[start : start + step]
        for c in range(2):
            result[c, start : start + step] = gl.sum_axis(gl.mul(block, weights[c]), axis=1)
    return result


def contract_integers(matrix: NDArray[np.int64], weights: Extension) -> Extension:
    """(R, C) integers, (2, C) -> (2, R): as `contract_columns`, for integers that are small.

    The weights are cut into limbs of so few bits that every sum is an integer below 2^53 in magnitude: exact in float64, whatever the
    order of the additions.
    """
    peak = max(abs(int(matrix.min())), abs(int(matrix.max())), 1)
    bits = min(52 - (peak * matrix.shape[1]).bit_length(), 32)
    if bits < _LEAST_LIMB_BITS:
        return contract_columns(gl.from_signed(matrix), weights)
    shifts = range(0, 64, bits)
    mask = np.uint64((1 << bits) - 1)
    limbs = np.stack([weights >> np.uint64(shift) & mask for shift in shifts], axis=1).reshape(-1, matrix.shape[1])
    sums = gl.from_signed((matrix.astype(np.float64) @ limbs.T.astype(np.float64)).astype(np.int64).T).reshape(2, len(shifts), -1)
    result = sums[:, 0]
    for i, shift in enumerate(shifts[1:], 1):
        result = gl.add(result, gl.mul(sums[:, i], np.full(1, (1 << shift) % P, dtype=np.uint64)))
    return result


def contract_axis(cells: NDArray[np.uint64], rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(c, before, length, after), (k, 2, length) -> (2, before, k, after): the sum over i of rows[j][i] cells[.., i, ..], base cells for
    c = 1, extension cells for c = 2."""
    results = []
    for row in rows:
        by_parts = [np.stack([gl.sum_axis(gl.mul(part, weights[:, None]), axis=1) for weights in row]) for part in cells]
        value = by_parts[0]
        if len(by_parts) == 2:
            value = arrays.add(value, arrays.times_x(by_parts[1]))
        results.append(value)
    return np.stack(results, axis=2)


def _check_point(size: int, point: Sequence[Ext]) -> None:
    if size != 1 << len(point):
        raise ValueError(f"a point of {len(point)} coordinates does not fit a table of {size} values")
