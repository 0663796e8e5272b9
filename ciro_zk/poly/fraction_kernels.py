"""Kernels of fraction trees: sums of neighbouring fractions, and the rounds of their sumcheck.

A layer is a stack `(4, 2, n)`: the numerators of the low and of the high half, then the denominators. The leaves are kept as
base-field numerators `(2 n)` and denominators `(2, 2 n)`. Source: protocol.md, section 6.
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
    dot,
    ext_mul,
    ext_mul_mul,
    from_limb_sums,
    kernel,
    mul,
    mul_7,
    sub,
)

HALF_WORD, HALF_BITS = np.uint64(0xFFFFFFFF), np.uint64(32)


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
