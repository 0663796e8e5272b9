"""Multilinear tables and sumcheck rounds for Numba; the mathematics is in `ciro_zk.poly.multilinear` and `ciro_zk.poly.rounds`.

Sums are kept as the sums of 32-bit halves, which can not overflow below 2^32 terms, and reduced once. Kernels that work on a range [start,
stop) are called by several threads on disjoint ranges; those that return sums return the sum over their range. Loops run over slices from
index 0: an index that starts at `start` may be negative for all that the compiler knows, and the loop then stays scalar.
"""

from __future__ import annotations

import numpy as np

from ciro_zk.field.kernels import (
    BASE_IN,
    BASE_OUT,
    INT,
    MATRIX_IN,
    MATRIX_OUT,
    STACK_IN,
    STACK_OUT,
    WORD,
    add,
    dot,
    ext_mul,
    from_columns,
    kernel,
    mul,
    mul_7,
    multiply_add,
    sub,
)

BLOCK = 1024


@kernel(MATRIX_IN, MATRIX_OUT)
def eq_table(point, out):  # type: ignore[no-untyped-def]
    """out (2, 2^k) = eq(point, .), point (2, k): the table doubles once per variable, last variable first."""
    out0, out1 = out[0], out[1]
    out0[0] = np.uint64(1)
    out1[0] = np.uint64(0)
    size = 1
    for v in range(point.shape[1] - 1, -1, -1):
        r0, r1 = point[0, v], point[1, v]
        low0, low1 = out0[:size], out1[:size]
        high0, high1 = out0[size : 2 * size], out1[size : 2 * size]
        for i in range(size):
            a0, a1 = low0[i], low1[i]
            c0, c1 = ext_mul(a0, a1, r0, r1)
            high0[i] = c0
            high1[i] = c1
            low0[i] = sub(a0, c0)
            low1[i] = sub(a1, c1)
        size *= 2


@kernel(MATRIX_IN, BASE_OUT)
def eq_suffixes(point, out):  # type: ignore[no-untyped-def]
    """eq of the last j variables of a point (2, k), j = 0, ..., k, one after another: (2, 2^j) each, flat."""
    out[0] = np.uint64(1)
    out[1] = np.uint64(0)
    size, at = 1, 0
    for v in range(point.shape[1] - 1, -1, -1):
        r0, r1 = point[0, v], point[1, v]
        a0, a1 = out[at : at + size], out[at + size : at + 2 * size]
        at += 2 * size
        low0, high0 = out[at : at + size], out[at + size : at + 2 * size]
        low1, high1 = out[at + 2 * size : at + 3 * size], out[at + 3 * size : at + 4 * size]
        for i in range(size):
            c0, c1 = ext_mul(a0[i], a1[i], r0, r1)
            high0[i] = c0
            high1[i] = c1
            low0[i] = sub(a0[i], c0)
            low1[i] = sub(a1[i], c1)
        size *= 2


@kernel(STACK_IN, WORD, WORD, STACK_OUT, INT, INT)
def fold_stack(stack, r0, r1, out, start, stop):  # type: ignore[no-untyped-def]
    """out[:, :, i] = lo + r (hi - lo), start <= i < stop."""
    half = out.shape[2]
    s1 = mul_7(r1)
    for k in range(stack.shape[0]):
        low0, low1 = stack[k, 0, start:stop], stack[k, 1, start:stop]
        high0, high1 = stack[k, 0, half + start : half + stop], stack[k, 1, half + start : half + stop]
        out0, out1 = out[k, 0, start:stop], out[k, 1, start:stop]
        for i in range(stop - start):
            a0, a1 = low0[i], low1[i]
            d0, d1 = sub(high0[i], a0), sub(high1[i], a1)
            out0[i] = add(a0, dot(d0, r0, d1, s1))
            out1[i] = add(a1, dot(d0, r1, d1, r0))


@kernel(BASE_IN, WORD, WORD, MATRIX_OUT, INT, INT)
def fold_base(values, r0, r1, out, start, stop):  # type: ignore[no-untyped-def]
    """out[:, i] = lo + r (hi - lo), start <= i < stop, for base values."""
    half = out.shape[1]
    low, high = values[start:stop], values[half + start : half + stop]
    out0, out1 = out[0, start:stop], out[1, start:stop]
    for i in range(stop - start):
        d = sub(high[i], low[i])
        out0[i] = add(low[i], mul(d, r0))
        out1[i] = mul(d, r1)


@kernel(BASE_IN, BASE_IN, BASE_IN, BASE_IN)
def product_sum(a0, a1, b0, b1):  # type: ignore[no-untyped-def]
    """The sum of a b, (c0, c1), for extension elements given by their coordinates: three sums of products, reduced at the end."""
    r0 = r1 = r2 = r3 = s0 = s1 = s2 = s3 = t0 = t1 = t2 = t3 = np.uint64(0)
    for i in range(a0.shape[0]):
        r0, r1, r2, r3 = multiply_add(r0, r1, r2, r3, a0[i], b0[i])
        s0, s1, s2, s3 = multiply_add(s0, s1, s2, s3, a1[i], b1[i])
        t0, t1, t2, t3 = multiply_add(t0, t1, t2, t3, a0[i], b1[i])
        t0, t1, t2, t3 = multiply_add(t0, t1, t2, t3, a1[i], b0[i])
    return add(from_columns(r0, r1, r2, r3), mul_7(from_columns(s0, s1, s2, s3))), from_columns(t0, t1, t2, t3)


@kernel(MATRIX_IN, MATRIX_IN, INT, INT)
def inner_product(a, b, start, stop):  # type: ignore[no-untyped-def]
    """The sum over start <= i < stop of a[:, i] b[:, i], (c0, c1)."""
    return product_sum(a[0, start:stop], a[1, start:stop], b[0, start:stop], b[1, start:stop])


@kernel(MATRIX_IN, BASE_IN, INT, INT)
def inner_product_base(a, b, start, stop):  # type: ignore[no-untyped-def]
    """The sum over start <= i < stop of a[:, i] b[i], (c0, c1)."""
    a0, a1, y = a[0, start:stop], a[1, start:stop], b[start:stop]
    s0 = s1 = s2 = s3 = t0 = t1 = t2 = t3 = np.uint64(0)
    for i in range(stop - start):
        s0, s1, s2, s3 = multiply_add(s0, s1, s2, s3, a0[i], y[i])
        t0, t1, t2, t3 = multiply_add(t0, t1, t2, t3, a1[i], y[i])
    return from_columns(s0, s1, s2, s3), from_columns(t0, t1, t2, t3)


@kernel(MATRIX_IN, MATRIX_IN, MATRIX_OUT, INT, INT)
def outer(a, b, out, start, stop):  # type: ignore[no-untyped-def]
    """out[:, i m + j] = a[:, i] b[:, j], start <= i < stop."""
    m = b.shape[1]
    b0, b1 = b[0], b[1]
    for i in range(start, stop):
        a0, a1 = a[0, i], a[1, i]
        out0, out1 = out[0, i * m : (i + 1) * m], out[1, i * m : (i + 1) * m]
        for j in range(m):
            c0, c1 = ext_mul(a0, a1, b0[j], b1[j])
            out0[j] = c0
            out1[j] = c1


@kernel(MATRIX_OUT, INT, MATRIX_IN, MATRIX_IN, INT, INT, INT, INT)
def add_outer(target, offset, a, b, row_start, row_stop, start, stop):  # type: ignore[no-untyped-def]
    """target[:, offset + i m + j] += a[:, i] b[:, j], row_start <= i < row_stop, start <= j < stop."""
    m = b.shape[1]
    b0, b1 = b[0, start:stop], b[1, start:stop]
    for i in range(row_start, row_stop):
        a0, a1 = a[0, i], a[1, i]
        first = offset + i * m + start
        out0, out1 = target[0, first : first + stop - start], target[1, first : first + stop - start]
        for j in range(stop - start):
            c0, c1 = ext_mul(a0, a1, b0[j], b1[j])
            out0[j] = add(out0[j], c0)
            out1[j] = add(out1[j], c1)


@kernel(MATRIX_IN, MATRIX_IN, MATRIX_OUT, INT, INT, INT, INT)
def contract_rows(weights, matrix, out, row_start, row_stop, start, stop):  # type: ignore[no-untyped-def]
    """out[:, c] = the sum over the given rows of weights[:, r] matrix[r, c], start <= c < stop: blocks of columns, four rows at a time."""
    sums = np.empty((2, 4, BLOCK), np.uint64)
    for first in range(start, stop, BLOCK):
        width = min(BLOCK, stop - first)
        sums[:, :, :] = np.uint64(0)
        for r in range(row_start, row_stop - 3, 4):
            a, b, c, d = (
                matrix[r, first : first + width],
                matrix[r + 1, first : first + width],
                matrix[r + 2, first : first + width],
                matrix[r + 3, first : first + width],
            )
            for k in range(2):
                v, w, x, y = weights[k, r], weights[k, r + 1], weights[k, r + 2], weights[k, r + 3]
                c0, c1, c2, c3 = sums[k, 0, :width], sums[k, 1, :width], sums[k, 2, :width], sums[k, 3, :width]
                for i in range(width):
                    s0, s1, s2, s3 = multiply_add(c0[i], c1[i], c2[i], c3[i], a[i], v)
                    s0, s1, s2, s3 = multiply_add(s0, s1, s2, s3, b[i], w)
                    s0, s1, s2, s3 = multiply_add(s0, s1, s2, s3, c[i], x)
                    s0, s1, s2, s3 = multiply_add(s0, s1, s2, s3, d[i], y)
                    c0[i] = s0
                    c1[i] = s1
                    c2[i] = s2
                    c3[i] = s3
        for r in range(row_stop - (row_stop - row_start) % 4, row_stop):
            a = matrix[r, first : first + width]
            for k in range(2):
                v = weights[k, r]
                c0, c1, c2, c3 = sums[k, 0, :width], sums[k, 1, :width], sums[k, 2, :width], sums[k, 3, :width]
                for i in range(width):
                    s0, s1, s2, s3 = multiply_add(c0[i], c1[i], c2[i], c3[i], a[i], v)
                    c0[i] = s0
                    c1[i] = s1
                    c2[i] = s2
                    c3[i] = s3
        for k in range(2):
            for i in range(width):
                out[k, first + i] = from_columns(sums[k, 0, i], sums[k, 1, i], sums[k, 2, i], sums[k, 3, i])


@kernel(MATRIX_IN, MATRIX_IN, MATRIX_OUT, INT, INT)
def contract_columns(matrix, weights, out, start, stop):  # type: ignore[no-untyped-def]
    """out[:, r] = the sum over c of matrix[r, c] weights[:, c], start <= r < stop."""
    columns = matrix.shape[1]
    for r in range(start, stop):
        out[0, r], out[1, r] = inner_product_base(weights, matrix[r], 0, columns)


@kernel(BASE_IN, BASE_IN, INT, INT, MATRIX_OUT, BASE_OUT)
def weighted_rows(cells, weights, first, stride, sums, out):  # type: ignore[no-untyped-def]
    """out[i] = the sum over r of weights[r] cells[first + r stride + i], i < out's length; `sums` (4, BLOCK) is scratch."""
    width = out.shape[0]
    if stride == 1:
        s0 = s1 = s2 = s3 = np.uint64(0)
        row = cells[first : first + weights.shape[0]]
        for r in range(weights.shape[0]):
            s0, s1, s2, s3 = multiply_add(s0, s1, s2, s3, row[r], weights[r])
        out[0] = from_columns(s0, s1, s2, s3)
        return
    c0, c1, c2, c3 = sums[0, :width], sums[1, :width], sums[2, :width], sums[3, :width]
    sums[:, :width] = np.uint64(0)
    for r in range(weights.shape[0]):
        a, v = cells[first + r * stride : first + r * stride + width], weights[r]
        for i in range(width):
            s0, s1, s2, s3 = multiply_add(c0[i], c1[i], c2[i], c3[i], a[i], v)
            c0[i] = s0
            c1[i] = s1
            c2[i] = s2
            c3[i] = s3
    for i in range(width):
        out[i] = from_columns(c0[i], c1[i], c2[i], c3[i])


@kernel(MATRIX_IN, STACK_IN, STACK_OUT, INT, INT)
def contract_axis(cells, rows, out, start, stop):  # type: ignore[no-untyped-def]
    """out (2, before, k after) from cells (parts, before length after), rows (k, 2, length), for start <= index before the axis < stop."""
    count, length = rows.shape[0], rows.shape[2]
    after = out.shape[2] // count
    sums, other = np.empty((4, BLOCK), np.uint64), np.empty((2, BLOCK), np.uint64)
    for b in range(start, stop):
        for k in range(count):
            for column in range(0, after, BLOCK):
                width = min(BLOCK, after - column)
                first, at = b * length * after + column, k * after + column
                out0, out1 = out[0, b, at : at + width], out[1, b, at : at + width]
                weighted_rows(cells[0], rows[k, 0], first, after, sums, out0)
                weighted_rows(cells[0], rows[k, 1], first, after, sums, out1)
                if cells.shape[0] == 2:
                    other0, other1 = other[0, :width], other[1, :width]
                    weighted_rows(cells[1], rows[k, 1], first, after, sums, other0)
                    weighted_rows(cells[1], rows[k, 0], first, after, sums, other1)
                    for i in range(width):
                        out0[i] = add(out0[i], mul_7(other0[i]))
                        out1[i] = add(out1[i], other1[i])


@kernel(STACK_IN, INT, INT, MATRIX_OUT)
def block_sum(tables, first, width, product):  # type: ignore[no-untyped-def]
    """The sum over first <= x < first + width of the product of the tables (d, 2, n); `product` (2, BLOCK) is scratch."""
    last, stop = tables.shape[0] - 1, first + width
    right0, right1 = tables[last, 0, first:stop], tables[last, 1, first:stop]
    p0, p1 = product[0, :width], product[1, :width]
    if last == 0:
        p0[:] = np.uint64(1)
        p1[:] = np.uint64(0)
        return product_sum(p0, p1, right0, right1)
    if last == 1:
        return product_sum(tables[0, 0, first:stop], tables[0, 1, first:stop], right0, right1)
    a0, a1, b0, b1 = tables[0, 0, first:stop], tables[0, 1, first:stop], tables[1, 0, first:stop], tables[1, 1, first:stop]
    for i in range(width):
        c0, c1 = ext_mul(a0[i], a1[i], b0[i], b1[i])
        p0[i] = c0
        p1[i] = c1
    for j in range(2, last):
        b0, b1 = tables[j, 0, first:stop], tables[j, 1, first:stop]
        for i in range(width):
            c0, c1 = ext_mul(p0[i], p1[i], b0[i], b1[i])
            p0[i] = c0
            p1[i] = c1
    return product_sum(p0, p1, right0, right1)


@kernel(STACK_IN, MATRIX_OUT, INT, INT)
def product_round(factors, out, start, stop):  # type: ignore[no-untyped-def]
    """out[:, t] = the sum over start <= x < stop of prod_j f_j(t, x), t = 0, ..., degree, by blocks that stay in the first-level cache.

    At t = 0 and 1 the tables are read as they are; from t = 2 on, block by block, f_j(t) = f_j(t - 1) + (hi - lo).
    """
    degree = factors.shape[0]
    half = factors.shape[2] // 2
    current = np.empty((degree, 2, BLOCK), np.uint64)
    slope = np.empty((degree, 2, BLOCK), np.uint64)
    product = np.empty((2, BLOCK), np.uint64)
    out[:, :] = np.uint64(0)
    for first in range(start, stop, BLOCK):
        width = min(BLOCK, stop - first)
        for t in range(degree + 1):
            for j in range(degree):
                for c in range(2):
                    value, rise = current[j, c, :width], slope[j, c, :width]
                    if t == 2:
                        low, high = factors[j, c, first : first + width], factors[j, c, half + first : half + first + width]
                        for i in range(width):
                            rise[i] = sub(high[i], low[i])
                            value[i] = add(high[i], rise[i])
                    elif t > 2:
                        for i in range(width):
                            value[i] = add(value[i], rise[i])
            if t < 2:
                c0, c1 = block_sum(factors, first + t * half, width, product)
            else:
                c0, c1 = block_sum(current, 0, width, product)
            out[0, t], out[1, t] = add(out[0, t], c0), add(out[1, t], c1)
