"""Reductions over axes, from sums, maxima and functions of one variable."""

from __future__ import annotations

import numpy as np

from ciro_zk.compiler.expand.parts import Kept, Parts, expands


def axes_of(parts: Parts) -> tuple[list[int], int]:
    """(the axes reduced, keepdims); `Kept` for a reduction over no axes."""
    axes = parts.attribute("axes")
    if parts.has(1):
        axes = [int(v) for v in parts.array(1).reshape(-1)]
    rank = len(parts.shape(0))
    if not axes:
        if parts.attribute("noop_with_empty_axes", 0):
            raise Kept
        axes = range(rank)
    return sorted({int(a) % rank for a in axes}), int(parts.attribute("keepdims", 1))


@expands("ReduceL1", 1, 11, 13, 18)
def reduce_l1(parts: Parts) -> None:
    axes, keep = axes_of(parts)
    parts.reduce("ReduceSum", parts.add("Abs", parts.name(0)), axes, keep, parts.node.output[0])


@expands("ReduceSumSquare", 1, 11, 13, 18)
def reduce_sum_square(parts: Parts) -> None:
    axes, keep = axes_of(parts)
    square = parts.add("Pow", parts.name(0), parts.constant(2, parts.dtype(0)))
    parts.reduce("ReduceSum", square, axes, keep, parts.node.output[0])


@expands("ReduceLogSum", 1, 11, 13, 18, 28)
def reduce_log_sum(parts: Parts) -> None:
    axes, keep = axes_of(parts)
    parts.result("Log", parts.reduce("ReduceSum", parts.name(0), axes, keep))


@expands("ReduceLogSumExp", 1, 11, 13, 18, 28)
def reduce_log_sum_exp(parts: Parts) -> None:
    """m + ln sum e^(x - m), m the greatest x."""
    axes, keep = axes_of(parts)
    x = parts.name(0)
    greatest = parts.reduce("ReduceMax", x, axes)
    powers = parts.add("Exp", parts.add("Sub", x, greatest))
    total = parts.add("Log", parts.reduce("ReduceSum", powers, axes))
    if keep:
        parts.result("Add", total, greatest)
    else:
        parts.squeeze(parts.add("Add", total, greatest), axes, parts.node.output[0])


@expands("ReduceProd", 1, 11, 13, 18)
def reduce_prod(parts: Parts) -> None:
    """A tree of products, as deep as the logarithm of the number of factors."""
    axes, keep = axes_of(parts)
    shape = parts.shape(0)
    current = parts.name(0)
    for axis in axes:
        length = shape[axis]
        if length > MAX_FACTORS:
            raise Kept
        pieces = [parts.add("Gather", current, parts.constant([i], np.int64), axis=axis) for i in range(length)]
        while len(pieces) > 1:
            pairs = [parts.add("Mul", a, b) for a, b in zip(pieces[::2], pieces[1::2], strict=False)]
            pieces = pairs + pieces[2 * len(pairs) :]
        current = pieces[0]
    if keep:
        parts.result("Identity", current)
    else:
        parts.squeeze(current, axes, parts.node.output[0])


MAX_FACTORS = 16


@expands("LpPool", 2, 11, 18, 22)
def lp_pool(parts: Parts) -> None:
    """(sum over windows of |x|^p)^(1/p): the average, padding counted, times the size of the window."""
    order, kernel = int(parts.attribute("p", 2)), list(parts.attribute("kernel_shape"))
    names = ("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides")
    settings = {name: parts.attribute(name) for name in names}
    powers = _powers(parts, order)
    average = parts.add("AveragePool", powers, count_include_pad=1, **settings)
    _rooted(parts, parts.add("Mul", average, parts.constant(np.prod(kernel), parts.dtype(0))), order)


@expands("GlobalLpPool", 2, 22)
def global_lp_pool(parts: Parts) -> None:
    order = int(parts.attribute("p", 2))
    _rooted(parts, parts.reduce("ReduceSum", _powers(parts, order), range(2, len(parts.shape(0)))), order)


def _powers(parts: Parts, order: int) -> str:
    """|x|^order."""
    x = parts.name(0) if order % 2 == 0 else parts.add("Abs", parts.name(0))
    return x if order == 1 else parts.add("Pow", x, parts.constant(order, parts.dtype(0)))


def _rooted(parts: Parts, total: str, order: int) -> None:
    if order == 1:
        parts.result("Identity", total)
    elif order == 2:
        parts.result("Sqrt", total)
    else:
        parts.result("Pow", total, parts.constant(1 / order, parts.dtype(0)))
