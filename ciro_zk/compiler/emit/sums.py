"""Sums and averages of tensors, activations by themselves."""

from __future__ import annotations

from math import lcm, ldexp

from ciro_zk.circuit.error import Deviation
from ciro_zk.compiler.emit.context import Context, Value, cells
from ciro_zk.compiler.quantise import Ratio, round_half_up
from ciro_zk.compiler.refine import REFINED_BITS
from ciro_zk.compiler.steps import Activation, Average, Averages, Magnitude, Sum, Test, Without
from ciro_zk.lookup.tables import Clamp
from ciro_zk.ops import AxisMap, Combine, Hadamard

MAX_COMMON_COUNT = 1 << 12
GUARD_BITS = 4
"""Bits of a square root below its operands' unit."""


def total(context: Context, step: Sum) -> Value:
    """round(sum_i c_i x_i / 2^s), c_i = s_i 2^s / s_q to the nearest integer: each operand is off by at most a quarter of a unit.

    Whole numbers and tensors of one scale that are compared need no rounding: s = 0.
    """
    values = [context.values[name] for name in step.inputs]
    compared = isinstance(step.function, Test)
    q_scale = max(value.scale for value in values) if compared else context.q_scale(step, step.function)
    shift = 0
    if not (step.exact or compared) or any(value.scale != q_scale for value in values):
        shift = context.sum_shift(step, values, q_scale)
    exact = [ldexp(value.scale / q_scale, shift) for value in values]
    rounded = [max(1, round_half_up(c)) for c in exact]
    op = Combine(inputs=tuple(v.tensor for v in values), coefficients=tuple(sign * c for sign, c in zip(step.signs, rounded, strict=True)))
    off = tuple(abs(c - wanted) for c, wanted in zip(rounded, exact, strict=True))
    tensor = context.draft.add(op, f"{step.output}.sum", Deviation(coefficients=off))
    if step.exact and step.function is None and shift == 0:
        return Value(tensor, step.shape, q_scale)
    result = context.rescale(step, tensor, cells(step.shape), Ratio(1, shift, q_scale), step.function)
    return Value(result.tensor, step.shape, result.scale)


def magnitude(context: Context, step: Magnitude) -> Value:
    """floor(2^g sqrt(sum of squares)) of integers, exact, then requantised."""
    values = [context.values[name] for name in step.inputs]
    scale = max(value.scale for value in values)
    peak = max(context.draft.magnitude(value.tensor) for value in values)
    guard = max(0, REFINED_BITS - peak.bit_length()) if step.output in context.refined else GUARD_BITS
    squares = []
    for i, value in enumerate(values):
        x = context.restated(value, scale, f"{step.output}.operand{i}").tensor
        squares.append(context.draft.add(Hadamard(inputs=(x, x)), f"{step.output}.square{i}"))
    op = Combine(inputs=tuple(squares), coefficients=(1 << 2 * guard,) * len(squares))
    root = context.draft.square_root(context.draft.add(op, f"{step.output}.sum"), f"{step.output}.root")
    if step.output in context.refined:
        return Value(root, step.shape, ldexp(scale, -guard))
    result = context.requantise(step, root, ldexp(scale, -guard), step.function)
    return Value(result.tensor, step.shape, result.scale)


def averaged(context: Context, tensor: int, averages: Averages, name: str) -> tuple[int, int]:
    """(tensor, divisor): the averages are tensor / divisor. Windows are summed by integer matrices, one per axis.

    Where the counts of an axis differ, row i is weighted by L / count_i, L their least common multiple.
    """
    divisor = 1
    for axis, windows, counts in averages:
        common = lcm(*counts)
        if common > MAX_COMMON_COUNT:
            common = MAX_COMMON_COUNT * max(counts)
        weights = [round_half_up(common / count) for count in counts]
        width = max(len(window) for window in windows)
        index = tuple((*window, *[0] * (width - len(window))) for window in windows)
        weight = tuple((w,) * len(window) + (0,) * (width - len(window)) for w, window in zip(weights, windows, strict=True))
        off = max(abs(w - common / count) for w, count in zip(weights, counts, strict=True))
        op = AxisMap(inputs=(tensor,), axis=axis, index=index, weight=weight)
        tensor = context.draft.add(op, f"{name}.axis{axis}", Deviation(coefficients=(off,)))
        divisor *= common
    return tensor, divisor


def average(context: Context, step: Average) -> Value:
    value = context.values[step.inputs[0]]
    tensor, divisor = averaged(context, value.tensor, step.windows, step.output)
    if step.exact and step.function is None and divisor == 1:
        return Value(tensor, step.shape, value.scale)
    result = context.requantise(step, tensor, value.scale / divisor, step.function)
    return Value(result.tensor, step.shape, result.scale)


def activation(context: Context, step: Activation) -> Value:
    value = context.values[step.inputs[0]]
    result = context.requantise(step, value.tensor, value.scale, step.function)
    return Value(result.tensor, step.shape, result.scale)


def without(context: Context, step: Without) -> Value:
    """max(x - 2 (M + 1) bit, -M - 1) with |x| <= M: a chosen cell is one below the range."""
    value, bit = (context.values[name] for name in step.inputs)
    peak = context.draft.magnitude(value.tensor)
    taken = Combine(inputs=(value.tensor, bit.tensor), coefficients=(1, -2 * (peak + 1)))
    tensor = context.draft.add(taken, f"{step.output}.taken")
    deviation = Deviation(exact_low=True)
    result = context.draft.rescale(tensor, 0, Clamp(minimum=-peak - 1, maximum=peak), step.output, deviation)
    return Value(result, step.shape, value.scale)
