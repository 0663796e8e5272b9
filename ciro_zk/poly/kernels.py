"""Multilinear tables and sumcheck rounds for Numba; the mathematics is in `ciro_zk.poly.multilinear` and `ciro_zk.poly.rounds`.

Sums are kept as the sums of 32-bit halves, which can not overflow below 2^32 terms, and reduced once. Kernels that work on a range [start,
stop) are called by several threads on disjoint ranges; those that return sums return the sum over their range. Loops run over slices from
index 0: an index that starts at `start` may be negative for all that the compiler knows, and the loop then stays scalar.
"""

from __future__ import annotations

import numpy as np

from ciro_zk.field.kernels import (
    BASE_IN,
    INDEX_IN,
    INT,
    MATRIX_IN,
    MATRIX_OUT,
    STACK_IN,
    STACK_OUT,
    WORD,
    add,
    ext_mul,
    from_limb_sums,
    kernel,
    mul,
    mul_7,
    sub,
)

BLOCK = 256


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
            out0[i] = add(a0, add(mul(d0, r0), mul(d1, s1)))
            out1[i] = add(a1, add(mul(d0, r1), mul(d1, r0)))


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


@kernel(MATRIX_IN, MATRIX_IN, INT, INT)
def inner_product(a, b, start, stop):  # type: ignore[no-untyped-def]
    """The sum over start <= i < stop of a[:, i] b[:, i], (c0, c1)."""
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    a0, a1, b0, b1 = a[0, start:stop], a[1, start:stop], b[0, start:stop], b[1, start:stop]
    l0 = h0 = l1 = h1 = np.uint64(0)
    for i in range(stop - start):
        c0, c1 = ext_mul(a0[i], a1[i], b0[i], b1[i])
        l0 += c0 & mask
        h0 += c0 >> shift
        l1 += c1 & mask
        h1 += c1 >> shift
    return from_limb_sums(l0, h0), from_limb_sums(l1, h1)


@kernel(MATRIX_IN, BASE_IN, INT, INT)
def inner_product_base(a, b, start, stop):  # type: ignore[no-untyped-def]
    """The sum over start <= i < stop of a[:, i] b[i], (c0, c1)."""
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    a0, a1, y = a[0, start:stop], a[1, start:stop], b[start:stop]
    l0 = h0 = l1 = h1 = np.uint64(0)
    for i in range(stop - start):
        c0, c1 = mul(a0[i], y[i]), mul(a1[i], y[i])
        l0 += c0 & mask
        h0 += c0 >> shift
        l1 += c1 & mask
        h1 += c1 >> shift
    return from_limb_sums(l0, h0), from_limb_sums(l1, h1)


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


@kernel(MATRIX_OUT, INDEX_IN, MATRIX_IN)
def scatter_add(target, index, values):  # type: ignore[no-untyped-def]
    """target[:, index[i]] += values[:, i]."""
    for i in range(index.shape[0]):
        j = index[i]
        target[0, j] = add(target[0, j], values[0, i])
        target[1, j] = add(target[1, j], values[1, i])


@kernel(MATRIX_IN, MATRIX_IN, MATRIX_OUT, INT, INT, INT, INT)
def contract_rows(weights, matrix, out, row_start, row_stop, start, stop):  # type: ignore[no-untyped-def]
    """out[:, c] = the sum over the given rows of weights[:, r] matrix[r, c], start <= c < stop, by blocks of columns."""
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    sums = np.empty((4, BLOCK), np.uint64)
    l0, h0, l1, h1 = sums[0], sums[1], sums[2], sums[3]
    for first in range(start, stop, BLOCK):
        width = min(BLOCK, stop - first)
        sums[:, :] = np.uint64(0)
        for r in range(row_start, row_stop):
            w0, w1 = weights[0, r], weights[1, r]
            row = matrix[r, first : first + width]
            for j in range(width):
                c0, c1 = mul(row[j], w0), mul(row[j], w1)
                l0[j] += c0 & mask
                h0[j] += c0 >> shift
                l1[j] += c1 & mask
                h1[j] += c1 >> shift
        for j in range(width):
            out[0, first + j] = from_limb_sums(l0[j], h0[j])
            out[1, first + j] = from_limb_sums(l1[j], h1[j])


@kernel(MATRIX_IN, MATRIX_IN, MATRIX_OUT, INT, INT)
def contract_columns(matrix, weights, out, start, stop):  # type: ignore[no-untyped-def]
    """out[:, r] = the sum over c of matrix[r, c] weights[:, c], start <= r < stop."""
    columns = matrix.shape[1]
    for r in range(start, stop):
        out[0, r], out[1, r] = inner_product_base(weights, matrix[r], 0, columns)


@kernel(STACK_IN, MATRIX_OUT, INT, INT)
def product_round(factors, out, start, stop):  # type: ignore[no-untyped-def]
    """out[:, t] = the sum over start <= x < stop of prod_j f_j(t, x), t = 0, ..., degree, by blocks that stay in the first-level cache."""
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    degree = factors.shape[0]
    half = factors.shape[2] // 2
    sums = np.zeros((degree + 1, 4), np.uint64)
    current = np.empty((degree, 2, BLOCK), np.uint64)
    slope = np.empty((degree, 2, BLOCK), np.uint64)
    product = np.empty((2, BLOCK), np.uint64)
    p0, p1 = product[0], product[1]
    for first in range(start, stop, BLOCK):
        width = min(BLOCK, stop - first)
        for j in range(degree):
            for c in range(2):
                low, high = factors[j, c, first : first + width], factors[j, c, half + first : half + first + width]
                value, rise = current[j, c], slope[j, c]
                for i in range(width):
                    value[i] = low[i]
                    rise[i] = sub(high[i], low[i])
        for t in range(degree + 1):
            if t > 0:
                for j in range(degree):
                    for c in range(2):
                        value, rise = current[j, c], slope[j, c]
                        for i in range(width):
                            value[i] = add(value[i], rise[i])
            p0[:width] = current[0, 0, :width]
            p1[:width] = current[0, 1, :width]
            for j in range(1, degree):
                f0, f1 = current[j, 0], current[j, 1]
                for i in range(width):
                    c0, c1 = ext_mul(p0[i], p1[i], f0[i], f1[i])
                    p0[i] = c0
                    p1[i] = c1
            l0 = h0 = l1 = h1 = np.uint64(0)
            for i in range(width):
                l0 += p0[i] & mask
                h0 += p0[i] >> shift
                l1 += p1[i] & mask
                h1 += p1[i] >> shift
            sums[t, 0] += l0
            sums[t, 1] += h0
            sums[t, 2] += l1
            sums[t, 3] += h1
    for t in range(degree + 1):
        out[0, t] = from_limb_sums(sums[t, 0], sums[t, 1])
        out[1, t] = from_limb_sums(sums[t, 2], sums[t, 3])


@kernel(MATRIX_IN, MATRIX_IN, MATRIX_OUT, MATRIX_OUT, INT, INT)
def fraction_layer(num, den, num_out, den_out, start, stop):  # type: ignore[no-untyped-def]
    """num_out[:, i] = num_lo den_hi + num_hi den_lo, den_out[:, i] = den_lo den_hi, start <= i < stop."""
    half = num_out.shape[1]
    first, last = half + start, half + stop
    nl0, nl1, nh0, nh1 = num[0, start:stop], num[1, start:stop], num[0, first:last], num[1, first:last]
    dl0, dl1, dh0, dh1 = den[0, start:stop], den[1, start:stop], den[0, first:last], den[1, first:last]
    num0, num1, den0, den1 = num_out[0, start:stop], num_out[1, start:stop], den_out[0, start:stop], den_out[1, start:stop]
    for i in range(stop - start):
        a0, a1 = ext_mul(nl0[i], nl1[i], dh0[i], dh1[i])
        b0, b1 = ext_mul(nh0[i], nh1[i], dl0[i], dl1[i])
        c0, c1 = ext_mul(dl0[i], dl1[i], dh0[i], dh1[i])
        num0[i] = add(a0, b0)
        num1[i] = add(a1, b1)
        den0[i] = c0
        den1[i] = c1


@kernel(STACK_IN, MATRIX_IN, MATRIX_IN, WORD, WORD, MATRIX_OUT, INT, INT)
def fraction_round(stack, eq_high, eq_low, s0, s1, out, start, stop):  # type: ignore[no-untyped-def]
    """out[:, 0], out[:, 1] = the sums over the blocks start <= y < stop of eq_high of g(0, x) and of g's coefficient of X^2.

    With g = num_lo den_hi + (num_hi + batch den_hi) den_lo, four products a point and sum: three for g, one for the weight.
    """
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
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
            t0, t1 = ext_mul(add(b0, t0), add(b1, t1), c0, c1)
            u0, u1 = ext_mul(a0, a1, d0, d1)
            t0, t1 = ext_mul(add(t0, u0), add(t1, u1), w0[i], w1[i])
            l00 += t0 & mask
            h00 += t0 >> shift
            l01 += t1 & mask
            h01 += t1 >> shift
            a0, a1, b0, b1 = sub(NL0[i], a0), sub(NL1[i], a1), sub(NH0[i], b0), sub(NH1[i], b1)
            c0, c1, d0, d1 = sub(DL0[i], c0), sub(DL1[i], c1), sub(DH0[i], d0), sub(DH1[i], d1)
            t0, t1 = ext_mul(d0, d1, s0, s1)
            t0, t1 = ext_mul(add(b0, t0), add(b1, t1), c0, c1)
            u0, u1 = ext_mul(a0, a1, d0, d1)
            t0, t1 = ext_mul(add(t0, u0), add(t1, u1), w0[i], w1[i])
            l10 += t0 & mask
            h10 += t0 >> shift
            l11 += t1 & mask
            h11 += t1 >> shift
        e0, e1 = eq_high[0, y], eq_high[1, y]
        t0, t1 = ext_mul(from_limb_sums(l00, h00), from_limb_sums(l01, h01), e0, e1)
        total00, total01 = add(total00, t0), add(total01, t1)
        t0, t1 = ext_mul(from_limb_sums(l10, h10), from_limb_sums(l11, h11), e0, e1)
        total10, total11 = add(total10, t0), add(total11, t1)
    out[0, 0], out[1, 0], out[0, 1], out[1, 1] = total00, total01, total10, total11
