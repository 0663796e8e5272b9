"""Products and quotients of two computed tensors: attention's Q K^T and P V, Mul and Div."""

from __future__ import annotations

from math import ldexp, prod

from ciro_zk.circuit.error import Deviation
from ciro_zk.compiler.draft import FEWER_BITS
from ciro_zk.compiler.emit.context import Context, Value, aligned, cells
from ciro_zk.compiler.emit.sums import averaged
from ciro_zk.compiler.quantise import Ratio, fixed_ratio, free_ratio, largest
from ciro_zk.compiler.steps import Contraction, Curve, Floored, Multiply, Pair, Quotient, Remainder, Scores, Shape
from ciro_zk.errors import BoundsError
from ciro_zk.lookup.tables import Clamp, Sampled
from ciro_zk.ops import Combine, Hadamard, MatMul

MAX_SIGNED = 1 << 16
"""The greatest |divisor| of either sign, in units: its size is looked up."""


def contraction(context: Context, step: Contraction) -> Value:
    """Leading axes become one, which the accumulator keeps until it is requantised."""
    a, b = (context.values[name] for name in step.inputs)
    *lead, rows, inner = a.shape
    count, columns = prod(lead), b.shape[-1]
    left = context.reshape(a.tensor, (count, rows, inner), f"{step.output}.left")
    right = context.reshape(b.tensor, (count, inner, columns), f"{step.output}.right")
    return _requantised(context, step, context.draft.add(MatMul(inputs=(left, right)), f"{step.output}.acc"))


def multiply(context: Context, step: Multiply) -> Value:
    a, b = (context.values[name] for name in step.inputs)
    right = context.reshape(b.tensor, cells(b.shape), f"{step.output}.right")
    product = context.draft.add(Hadamard(inputs=(a.tensor, right)), f"{step.output}.acc")
    return _requantised(context, step, *averaged(context, product, step.averages, step.output))


def quotient(context: Context, step: Quotient) -> Value:
    """round(m n / (2^s d)) = floor((2 m n + 2^s d) / (2^(s+1) d)), d > 0; a divisor of 0 counts as one unit."""
    shape, name, draft = cells(step.shape), step.output, context.draft
    a, b = _dividend(context, step, shape), context.values[step.inputs[1]]
    numerator, divisor = a.tensor, b.tensor
    if draft.tensors[divisor].low < 1 or int(draft.intervals[divisor][0].min()) < 1:
        numerator, divisor = _positive(context, numerator, divisor, shape, name)
    divisor = _wide(context, divisor, shape, name)
    scale = a.scale / b.scale * abs(step.factor)
    wanted = context.q_scale(step, step.function)
    if isinstance(step.function, Curve | Scores):
        ratio = fixed_ratio(scale, wanted, draft.magnitude(numerator))
    else:
        ratio = free_ratio(scale, wanted)
    off = abs(ratio.multiplier - ldexp(scale / ratio.scale, ratio.shift))
    sign = -1 if step.factor < 0 else 1
    op = Combine(inputs=(numerator, divisor), coefficients=(2 * sign * ratio.multiplier, 1 << ratio.shift))
    top = draft.add(op, f"{name}.numerator", Deviation(coefficients=(2 * off, float(1 << ratio.shift))))
    bottom = draft.add(Combine(inputs=(divisor,), coefficients=(2 << ratio.shift,)), f"{name}.divisor")
    result = draft.divide(top, bottom, f"{name}.quotient")
    return context.rescale(step, result, step.shape, Ratio(1, 0, ratio.scale), step.function)


def floored(context: Context, step: Floored) -> Value:
    """floor(n / d) of whole numbers: exact, so nothing is rounded and nothing rescaled."""
    shape, name, draft = cells(step.shape), step.output, context.draft
    numerator, divisor = _dividend(context, step, shape).tensor, context.values[step.inputs[1]].tensor
    if draft.tensors[divisor].low < 1 or int(draft.intervals[divisor][0].min()) < 1:
        numerator, divisor = _positive(context, numerator, divisor, shape, name)
    result = draft.divide(numerator, _wide(context, divisor, shape, name), f"{name}.quotient")
    return Value(result, step.shape, 1.0)


def remainder(context: Context, step: Remainder) -> Value:
    """n - d y, smaller than |d|: of which intervals, cell by cell, know nothing."""
    shape, name, draft = cells(step.shape), step.output, context.draft
    numerator, divisor = _dividend(context, step, shape).tensor, context.values[step.inputs[1]].tensor
    most = max(draft.magnitude(divisor) - 1, 0)
    product = draft.add(Hadamard(inputs=(context.values[step.inputs[2]].tensor, divisor)), f"{name}.product")
    rest = draft.add(Combine(inputs=(numerator, product), coefficients=(1, -1)), f"{name}.rest", known=(-most, most))
    limit = (1 << most.bit_length()) - 1
    return Value(draft.rescale(rest, 0, Clamp(minimum=-limit, maximum=limit), name), step.shape, 1.0)


def _dividend(context: Context, step: Quotient | Floored | Remainder, shape: Shape) -> Value:
    if step.inputs[0] not in context.fixed:
        return context.values[step.inputs[0]]
    values = aligned(context.fixed[step.inputs[0]], len(shape))
    scale = 1.0 if step.exact else (largest(values) or 1.0) / context.top
    return Value(context.constant(values, scale, shape, f"{step.output}.dividend"), step.shape, scale)


def _positive(context: Context, n: int, d: int, shape: Shape, name: str) -> tuple[int, int]:
    """(n, d) with n / d as before and d at least 1: clamped where it is not negative, else |d|, and n times its sign."""
    draft = context.draft
    peak = max(draft.magnitude(d), 1)
    if int(draft.intervals[d][0].min()) >= 0:
        return n, draft.rescale(d, 0, Clamp(minimum=1, maximum=peak), f"{name}.positive", Deviation(cells=1.0))
    if peak > MAX_SIGNED:
        raise BoundsError("a divisor of either sign has too many bits", node=name, bound=peak, remedy=FEWER_BITS)
    sizes = Sampled(low=-peak, values=tuple(max(abs(q), 1) for q in range(-peak, peak + 1)))
    size = draft.rescale(d, 0, sizes, f"{name}.size", Deviation(cells=1.0))
    odd = draft.add(Combine(inputs=(d,), coefficients=(2,), offset=1), f"{name}.odd", Deviation(cells=1.0))
    sign = draft.rescale(odd, 0, Clamp(minimum=-1, maximum=1), f"{name}.sign", Deviation(exact_low=True, exact_high=True))
    return draft.add(Hadamard(inputs=(n, _wide(context, sign, shape, name))), f"{name}.signed"), size


def _wide(context: Context, tensor: int, shape: Shape, name: str) -> int:
    """A tensor whose axes of length 1 are broadcast to `shape`."""
    for axis, (have, want) in enumerate(zip(context.draft.tensors[tensor].shape, shape, strict=True)):
        if have != want:
            tensor = context.gather(tensor, axis, (0,) * want, name)
    return tensor


def _requantised(context: Context, step: Pair, tensor: int, divisor: int = 1) -> Value:
    a, b = (context.values[name] for name in step.inputs)
    if step.factor < 0:
        tensor = context.draft.add(Combine(inputs=(tensor,), coefficients=(-1,)), f"{step.output}.negated")
    result = context.requantise(step, tensor, a.scale * b.scale * abs(step.factor) / divisor, step.function)
    return Value(context.reshape(result.tensor, step.shape, step.output), step.shape, result.scale)
