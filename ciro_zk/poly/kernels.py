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
    INDEX_IN,
    INT,
    MATRIX_IN,
    MATRIX_OUT,
    STACK_IN,
    STACK_OUT,
    WORD,
    add,
    dot,
    ext_mul,
    ext_mul_mul,
    from_columns,
    from_limb_sums,
    kernel,
    mul,
    mul_7,
    multiply_add,
    sub,
)

BLOCK = 1024
HALF_WORD, HALF_BITS = np.uint64(0xFFFFFFFF), np.uint64(32)


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


@kernel(STACK_IN, STACK_OUT, INT, INT)
def fraction_layer(stack, out, start, stop):  # type: ignore[no-untyped-def]
    """num_lo den_hi + num_hi den_lo and den_lo den_hi at the points start <= i < stop of the stack, their first half into the tables 0 and
    2 of out, their second into 1 and 3."""
    half = out.shape[2]
    for k in range(2):
        first, last = max(start, k * half), min(stop, (k + 1) * half)
        nl0, nl1, nh0, nh1 = stack[0, 0, first:last], stack[0, 1, first:last], stack[1, 0, first:last], stack[1, 1, first:last]
        dl0, dl1, dh0, dh1 = stack[2, 0, first:last], stack[2, 1, first:last], stack[3, 0, first:last], stack[3, 1, first:last]
        width = last - first
        first -= k * half
        last -= k * half
        num0, num1, den0, den1 = out[k, 0, first:last], out[k, 1, first:last], out[2 + k, 0, first:last], out[2 + k, 1, first:last]
        for i in range(width):
            a0, a1 = ext_mul_mul(nl0[i], nl1[i], dh0[i], dh1[i], nh0[i], nh1[i], dl0[i], dl1[i])
            c0, c1 = ext_mul(dl0[i], dl1[i], dh0[i], dh1[i])
            num0[i] = a0
            num1[i] = a1
            den0[i] = c0
            den1[i] = c1


@kernel(BASE_IN, MATRIX_IN, STACK_OUT, INT, INT)
def leaf_layer(numerators, denominators, out, start, stop):  # type: ignore[no-untyped-def]
    """`fraction_layer` on leaves, whose numerators are base elements."""
    half = out.shape[2]
    points = 2 * half
    for k in range(2):
        first, last = max(start, k * half), min(stop, (k + 1) * half)
        nl, nh = numerators[first:last], numerators[points + first : points + last]
        dl0, dl1 = denominators[0, first:last], denominators[1, first:last]
        dh0, dh1 = denominators[0, points + first : points + last], denominators[1, points + first : points + last]
        width = last - first
        first -= k * half
        last -= k * half
        num0, num1, den0, den1 = out[k, 0, first:last], out[k, 1, first:last], out[2 + k, 0, first:last], out[2 + k, 1, first:last]
        for i in range(width):
            c0, c1 = ext_mul(dl0[i], dl1[i], dh0[i], dh1[i])
            num0[i] = dot(nl[i], dh0[i], nh[i], dl0[i])
            num1[i] = dot(nl[i], dh1[i], nh[i], dl1[i])
            den0[i] = c0
            den1[i] = c1


@kernel(BASE_IN, MATRIX_IN, WORD, WORD, STACK_OUT, INT, INT)
def fold_leaves(numerators, denominators, r0, r1, out, start, stop):  # type: ignore[no-untyped-def]
    """out (4, 2, n / 4): the halves of the numerators and of the denominators, each with its top variable bound to r."""
    quarter = out.shape[2]
    s1 = mul_7(r1)
    for k in range(2):
        first = 2 * k * quarter
        low, high = numerators[first + start : first + stop], numerators[first + quarter + start : first + quarter + stop]
        out0, out1 = out[k, 0, start:stop], out[k, 1, start:stop]
        for i in range(stop - start):
            d = sub(high[i], low[i])
            out0[i] = add(low[i], mul(d, r0))
            out1[i] = mul(d, r1)
        low0, low1 = denominators[0, first + start : first + stop], denominators[1, first + start : first + stop]
        first += quarter
        high0, high1 = denominators[0, first + start : first + stop], denominators[1, first + start : first + stop]
        out0, out1 = out[2 + k, 0, start:stop], out[2 + k, 1, start:stop]
        for i in range(stop - start):
            a0, a1 = low0[i], low1[i]
            d0, d1 = sub(high0[i], a0), sub(high1[i], a1)
            out0[i] = add(a0, dot(d0, r0, d1, s1))
            out1[i] = add(a1, dot(d0, r1, d1, r0))


@kernel(BASE_IN, MATRIX_IN, MATRIX_IN, MATRIX_IN, WORD, WORD, MATRIX_OUT, INT, INT)
def leaf_round(numerators, denominators, eq_high, eq_low, s0, s1, out, start, stop):  # type: ignore[no-untyped-def]
    """`fraction_round` on leaves, whose numerators are base elements."""
    m = eq_low.shape[1]
    half = numerators.shape[0] // 2
    quarter = half // 2
    w0, w1 = eq_low[0], eq_low[1]
    total00 = total01 = total10 = total11 = np.uint64(0)
    for y in range(start, stop):
        first, last = y * m, (y + 1) * m
        nl, nh = numerators[first:last], numerators[half + first : half + last]
        dl0, dl1 = denominators[0, first:last], denominators[1, first:last]
        dh0, dh1 = denominators[0, half + first : half + last], denominators[1, half + first : half + last]
        first, last = quarter + first, quarter + last
        NL, NH = numerators[first:last], numerators[half + first : half + last]
        DL0, DL1 = denominators[0, first:last], denominators[1, first:last]
        DH0, DH1 = denominators[0, half + first : half + last], denominators[1, half + first : half + last]
        l00 = h00 = l01 = h01 = l10 = h10 = l11 = h11 = np.uint64(0)
        for i in range(m):
            a, b, c0, c1, d0, d1 = nl[i], nh[i], dl0[i], dl1[i], dh0[i], dh1[i]
            t0, t1 = ext_mul(d0, d1, s0, s1)
            t0, t1 = ext_mul(add(b, t0), t1, c0, c1)
            t0, t1 = ext_mul(add(t0, mul(a, d0)), add(t1, mul(a, d1)), w0[i], w1[i])
            l00 += t0 & HALF_WORD
            h00 += t0 >> HALF_BITS
            l01 += t1 & HALF_WORD
            h01 += t1 >> HALF_BITS
            a, b = sub(NL[i], a), sub(NH[i], b)
            c0, c1, d0, d1 = sub(DL0[i], c0), sub(DL1[i], c1), sub(DH0[i], d0), sub(DH1[i], d1)
            t0, t1 = ext_mul(d0, d1, s0, s1)
            t0, t1 = ext_mul(add(b, t0), t1, c0, c1)
            t0, t1 = ext_mul(add(t0, mul(a, d0)), add(t1, mul(a, d1)), w0[i], w1[i])
            l10 += t0 & HALF_WORD
            h10 += t0 >> HALF_BITS
            l11 += t1 & HALF_WORD
            h11 += t1 >> HALF_BITS
        e0, e1 = eq_high[0, y], eq_high[1, y]
        t0, t1 = ext_mul(from_limb_sums(l00, h00), from_limb_sums(l01, h01), e0, e1)
        total00, total01 = add(total00, t0), add(total01, t1)
        t0, t1 = ext_mul(from_limb_sums(l10, h10), from_limb_sums(l11, h11), e0, e1)
        total10, total11 = add(total10, t0), add(total11, t1)
    out[0, 0], out[1, 0], out[0, 1], out[1, 1] = total00, total01, total10, total11


@kernel(MATRIX_OUT, INT, BASE_IN, INT, INDEX_IN, INDEX_IN, INDEX_IN, WORD, WORD, WORD, WORD, INT, INT, INT)
def leaf_term(target, offset, cells, origin, lengths, cell_strides, leaf_strides, w0, w1, s0, s1, starts, start, stop):  # type: ignore[no-untyped-def]
    """target[:, leaf] = (s if starts, else as it is) - w cells[cell] on the rows start <= row < stop, along its last axis, of a box."""
    last = lengths.shape[0] - 1
    width, step = lengths[last], leaf_strides[last]
    for row in range(start, stop):
        cell, leaf, left = origin, offset, row
        for axis in range(last - 1, -1, -1):
            i = left % lengths[axis]
            left //= lengths[axis]
            cell += i * cell_strides[axis]
            leaf += i * leaf_strides[axis]
        x = cells[cell : cell + width]
        if step == 1:
            out0, out1 = target[0, leaf : leaf + width], target[1, leaf : leaf + width]
            if starts:
                for i in range(width):
                    out0[i] = sub(s0, mul(x[i], w0))
                    out1[i] = sub(s1, mul(x[i], w1))
            else:
                for i in range(width):
                    out0[i] = sub(out0[i], mul(x[i], w0))
                    out1[i] = sub(out1[i], mul(x[i], w1))
        else:
            for i in range(width):
                at = leaf + i * step
                a0, a1 = (s0, s1) if starts else (target[0, at], target[1, at])
                target[0, at] = sub(a0, mul(x[i], w0))
                target[1, at] = sub(a1, mul(x[i], w1))


@kernel(STACK_IN, MATRIX_IN, MATRIX_IN, WORD, WORD, MATRIX_OUT, INT, INT)
def fraction_round(stack, eq_high, eq_low, s0, s1, out, start, stop):  # type: ignore[no-untyped-def]
    """out[:, 0], out[:, 1] = the sums over the blocks start <= y < stop of eq_high of g(0, x) and of g's coefficient of X^2.

    With g = num_lo den_hi + (num_hi + batch den_hi) den_lo, four products a point and sum: three for g, one for the weight.
    """
    m = eq_low.shape[1]
    half = stack.shape[2] // 2
    w0, w1 = eq_low[0], eq_low[1]
    total00 = total01 = total10 = total11 = np.uint64(0)
    for y in range(start, stop):
        first, last = y * m, (y + 1) * m
        nl0, nl1, nh0, nh1 = stack[0, 0, first:last], stack[0, 1, first:last], stack[1, 0, first:last], stack[1, 1, first:last]
        dl0, dl1, dh0, dh1 = stack[2, 0, first:last], stack[2, 1, first:last], stack[3, 0, first:last], stack[3, 1, first:last]
        first, last = half + first, half + last
        NL0, NL1, NH0, NH1 = stack[0, 0, first:last], stack[0, 1, first:last], stack[1, 0, first:last], stack[1, 1, first:last]
        DL0, DL1, DH0, DH1 = stack[2, 0, first:last], stack[2, 1, first:last], stack[3, 0, first:last], stack[3, 1, first:last]
        l00 = h00 = l01 = h01 = l10 = h10 = l11 = h11 = np.uint64(0)
        for i in range(m):
            a0, a1, b0, b1, c0, c1, d0, d1 = nl0[i], nl1[i], nh0[i], nh1[i], dl0[i], dl1[i], dh0[i], dh1[i]
            t0, t1 = ext_mul(d0, d1, s0, s1)
            t0, t1 = ext_mul_mul(add(b0, t0), add(b1, t1), c0, c1, a0, a1, d0, d1)
            t0, t1 = ext_mul(t0, t1, w0[i], w1[i])
            l00 += t0 & HALF_WORD
            h00 += t0 >> HALF_BITS
            l01 += t1 & HALF_WORD
            h01 += t1 >> HALF_BITS
            a0, a1, b0, b1 = sub(NL0[i], a0), sub(NL1[i], a1), sub(NH0[i], b0), sub(NH1[i], b1)
            c0, c1, d0, d1 = sub(DL0[i], c0), sub(DL1[i], c1), sub(DH0[i], d0), sub(DH1[i], d1)
            t0, t1 = ext_mul(d0, d1, s0, s1)
            t0, t1 = ext_mul_mul(add(b0, t0), add(b1, t1), c0, c1, a0, a1, d0, d1)
            t0, t1 = ext_mul(t0, t1, w0[i], w1[i])
            l10 += t0 & HALF_WORD
            h10 += t0 >> HALF_BITS
            l11 += t1 & HALF_WORD
            h11 += t1 >> HALF_BITS
        e0, e1 = eq_high[0, y], eq_high[1, y]
        t0, t1 = ext_mul(from_limb_sums(l00, h00), from_limb_sums(l01, h01), e0, e1)
        total00, total01 = add(total00, t0), add(total01, t1)
        t0, t1 = ext_mul(from_limb_sums(l10, h10), from_limb_sums(l11, h11), e0, e1)
        total10, total11 = add(total10, t0), add(total11, t1)
    out[0, 0], out[1, 0], out[0, 1], out[1, 1] = total00, total01, total10, total11
