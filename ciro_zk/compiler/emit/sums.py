"""Sums and averages of tensors, activations by themselves."""

from __future__ import annotations

from math import lcm, ldexp

from ciro_zk.circuit.error import Deviation
from ciro_zk.compiler.emit.context import Context, Value, cells
from ciro_zk.compiler.quantise import Ratio, round_half_up
from ciro_zk.compiler.steps import Activation, Average, Sum
from ciro_zk.ops import AxisMap, Combine

MAX_COMMON_COUNT = 1 << 12


def total(context: Context, step: Sum) -> Value:
    """round(sum_i c_i x_i / 2^s), c_i = s_i 2^s / s_q to the nearest integer: each operand is off by at most a quarter of a unit."""
    values = [context.values[name] for name in step.inputs]
    q_scale = context.q_scale(step, step.function)
    shift = context.bits
    exact = [ldexp(value.scale / q_scale, shift) for value in values]
    rounded = [max(1, round_half_up(c)) for c in exact]
    op = Combine(inputs=tuple(v.tensor for v in values), coefficients=tuple(sign * c for sign, c in zip(step.signs, rounded, strict=True)))
    off = tuple(abs(c - wanted) for c, wanted in zip(rounded, exact, strict=True))
    tensor = context.draft.add(op, f"{step.output}.sum", Deviation(coefficients=off))
    result = context.rescale(step, tensor, cells(step.shape), Ratio(1, shift, q_scale), step.function)
    return Value(result.tensor, step.shape, result.scale)


def average(context: Context, step: Average) -> Value:
    """Windows are summed by integer matrices, one per axis.

    Where the counts of an axis differ, row i is weighted by L / count_i, L their least common multiple.
    """
    value = context.values[step.inputs[0]]
    tensor, divisor = value.tensor, 1
    for axis, windows, counts in step.windows:
        common = lcm(*counts)
        if common > MAX_COMMON_COUNT:
            common = MAX_COMMON_COUNT * max(counts)
        weights = [round_half_up(common / count) for count in counts]
        width = max(len(window) for window in windows)
        index = tuple((*window, *[0] * (width - len(window))) for window in windows)
        weight = tuple((w,) * len(window) + (0,) * (width - len(window)) for w, window in zip(weights, windows, strict=True))
        off = max(abs(w - common / count) for w, count in zip(weights, counts, strict=True))
        op = AxisMap(inputs=(tensor,), axis=axis, index=index, weight=weight)
        tensor = context.draft.add(op, f"{step.output}.axis{axis}", Deviation(coefficients=(off,)))
        divisor *= common
    result = context.requantise(step, tensor, value.scale / divisor, step.function)
    return Value(result.tensor, step.shape, result.scale)


def activation(context: Context, step: Activation) -> Value:
    value = context.values[step.inputs[0]]
    result = context.requantise(step, value.tensor, value.scale, step.function)
    return Value(result.tensor, step.shape, result.scale)
