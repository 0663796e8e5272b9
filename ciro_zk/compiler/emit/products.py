"""Products with constants: the accumulator, its bias and residual tensors, and one requantisation with the activation.

q = round((m (acc + bias) + sum_i c_i x_i) / 2^s): m is a power of two that makes room for the c_i where the weights'
shift is small. The requantisation keeps the accumulator's own axes, so that forms on it stay products of one vector
per axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import frexp, ldexp, prod

import numpy as np

from ciro_zk.circuit.error import Deviation
from ciro_zk.circuit.op import Op
from ciro_zk.compiler.emit.context import Context, Value, aligned, cells
from ciro_zk.compiler.quantise import ProductScale, Ratio, largest, product_scale, quantise, round_half_up, top, useful_shift
from ciro_zk.compiler.steps import Affine, Convolution, Curve, Floats, MatMul, Product, Scores, Shape, Test
from ciro_zk.ops import AxisMap, Combine, Conv, Hadamard
from ciro_zk.ops import MatMul as MatMulOp

MAX_MAPPED = 1 << 14
MAX_FINE, MAX_REFINED = 1 << 50, 1 << 54
"""Weights of more bits than asked for must leave the accumulator's soundness bound below this, far from the field's half; nearer where
tensors are refined: their range table is small."""
MAX_FREE_OFFSET_BITS = 2
"""A constant of up to this many bits more than an activation's is added without a requantisation."""


@dataclass(frozen=True, slots=True)
class Operands:
    """How a product looks in the circuit: operands in the accumulator's layout."""

    x: Shape
    weight: Floats
    shape: Shape
    """The accumulator's."""
    bias: Callable[[Floats], Floats]
    """From a constant with as many axes as the output to one that broadcasts to the accumulator."""
    op: Callable[[int, int], Op]
    terms: int
    """Products in one sum."""


def _matmul_operands(step: MatMul, x: Shape) -> Operands:
    if step.weight.ndim == 2:
        rows, lead = prod(x[:-1]), 1
    else:
        rows, lead = x[-2], prod(x[:-2])
    inner, columns = step.weight.shape[-2:]
    shape = (lead, rows, columns)

    def bias(values: Floats) -> Floats:
        if all(d == 1 for d in values.shape[:-1]):
            return values.reshape(1, 1, -1)
        return np.broadcast_to(values, (*step.shape[:-1], values.shape[-1])).reshape(lead, rows, -1)

    def op(a: int, b: int) -> Op:
        return MatMulOp(inputs=(a, b))

    return Operands((lead, rows, inner), step.weight.reshape(lead, inner, columns), shape, bias, op, inner)


def _convolution_operands(step: Convolution, x: Shape) -> Operands:
    groups, spatial = step.groups, step.shape[2:]
    channels = step.shape[1]
    shape = (x[0], groups, channels // groups, *spatial)
    weight = step.weight.reshape(groups, channels // groups, *step.weight.shape[1:])

    def bias(values: Floats) -> Floats:
        split = (1, 1) if values.shape[1] == 1 else (groups, channels // groups)
        return values.reshape(values.shape[0], *split, *values.shape[2:])

    def op(a: int, b: int) -> Op:
        return Conv(inputs=(a, b), strides=step.strides, pads_begin=step.pads_begin, pads_end=step.pads_end, dilations=step.dilations)

    return Operands((x[0], groups, x[1] // groups, *x[2:]), weight, shape, bias, op, prod(weight.shape[2:]))


def _affine_operands(step: Affine, x: Shape) -> Operands:
    shape = cells(x)
    return Operands(shape, aligned(step.weight, len(shape)), shape, lambda values: values, lambda a, b: Hadamard(inputs=(a, b)), 1)


def _operands(step: Product, x: Shape) -> Operands:
    if isinstance(step, MatMul):
        return _matmul_operands(step, x)
    if isinstance(step, Convolution):
        return _convolution_operands(step, x)
    if isinstance(step, Affine):
        return _affine_operands(step, x)
    raise TypeError(f"unknown product {type(step).__name__}")


def product(context: Context, step: Product) -> Value:
    """Accumulate, add, requantise."""
    if isinstance(step, Affine) and step.weight.size == 1 and not step.signs:
        return _scalar(context, step)
    if step.exact and isinstance(step, Affine) and not step.signs and prod(step.shape) <= MAX_MAPPED:
        return _mapped(context, step)
    if isinstance(step, MatMul) and step.is_tied:
        return _tied(context, step)
    name = step.output
    q_scale = context.q_scale(step, step.function)
    main = _accumulate(context, step, step.inputs[0], q_scale, name)
    found = [main]
    if step.partner is not None:
        found.append(_accumulate(context, step.partner, step.inputs[-1], q_scale, f"{name}.second"))
    shift = max(f.plan.shift for f in found)
    if step.signs and not step.exact:
        shift = max(shift, context.sum_shift(step, [context.values[name] for name in step.inputs[1 : 1 + len(step.signs)]], q_scale))
    terms = [(f.tensor, f.plan.multiplier << (shift - f.plan.shift)) for f in found]
    off = [0.0] * len(terms)
    if step.offset is not None and step.offset.any():
        constant = main.operands.bias(aligned(step.offset, len(cells(step.shape))))
        terms.append((context.constant(constant, main.unit, main.operands.shape, f"{name}.bias"), terms[0][1]))
        off.append(0.0)
    for other, sign in zip(step.inputs[1:], step.signs, strict=False):
        addend = context.values[other]
        exact = ldexp(addend.scale / q_scale, shift)
        coefficient = max(1, round_half_up(exact))
        terms.append((context.reshape(addend.tensor, main.operands.shape, f"{name}.{other}"), sign * coefficient))
        off.append(abs(coefficient - exact))
    tensor = terms[0][0]
    if len(terms) > 1 or terms[0][1] != 1:
        op = Combine(inputs=tuple(t for t, _ in terms), coefficients=tuple(c for _, c in terms))
        tensor = context.draft.add(op, f"{name}.sum", Deviation(coefficients=tuple(off)))
    result = context.rescale(step, tensor, main.operands.shape, Ratio(1, shift, q_scale), step.function)
    return Value(context.reshape(result.tensor, step.shape, name), step.shape, result.scale)


def _tied(context: Context, step: MatMul) -> Value:
    """By a weight that other steps have too: one tensor at one scale, so that each step rescales its own result."""
    name, value = step.output, context.values[step.inputs[0]]
    operands = _operands(step, value.shape)
    scale = (largest(operands.weight) or 1.0) / top(context.base_bits)
    weight = context.weight(np.swapaxes(operands.weight, 1, 2) if step.turned else operands.weight, scale, f"{name}.weight")
    if step.turned:
        weight = context.transpose(weight, (0, 2, 1), f"{name}.weight")
    x = context.reshape(value.tensor, operands.x, f"{name}.x")
    tensor, unit = context.draft.add(operands.op(x, weight), f"{name}.acc"), value.scale * scale
    if step.offset is not None and step.offset.any():
        constant = operands.bias(aligned(step.offset, len(cells(step.shape))))
        bias = context.constant(constant, unit, operands.shape, f"{name}.bias")
        tensor = context.draft.add(Combine(inputs=(tensor, bias), coefficients=(1, 1)), f"{name}.sum")
    result = context.requantise(step, tensor, unit, step.function)
    return Value(context.reshape(result.tensor, step.shape, name), step.shape, result.scale)


@dataclass(frozen=True, slots=True)
class Accumulated:
    """An accumulator: q = multiplier * acc / 2^shift, one unit of acc is `unit`."""

    tensor: int
    operands: Operands
    plan: ProductScale
    unit: float


def _accumulate(context: Context, step: Product, source: str, q_scale: float, name: str) -> Accumulated:
    value = context.values[source]
    operands = _operands(step, value.shape)
    plan = ProductScale(0, 1, 1.0) if step.exact else _scale(context, step, operands, value, q_scale)
    x = context.reshape(value.tensor, operands.x, f"{name}.x")
    weight = context.weight(operands.weight, plan.weight, f"{name}.weight")
    return Accumulated(context.draft.add(operands.op(x, weight), f"{name}.acc"), operands, plan, value.scale * plan.weight)


def _scale(context: Context, step: Product, operands: Operands, value: Value, q_scale: float) -> ProductScale:
    """The weights' scale: as fine as the output needs it, where soundness allows it. It depends on x's soundness range, not on its
    interval, so that the steps of an unrolled recurrence have the same weights."""
    peak, x_peak = largest(operands.weight), max(context.top, context.draft.tensors[value.tensor].magnitude)
    wanted = useful_shift(operands.terms, x_peak) - context.coarser
    finest = wanted + (context.extra if step.output in context.refined else 0)
    limit = MAX_REFINED if context.refined else MAX_FINE
    for least in range(finest, -1, -1) if operands.weight.size <= context.max_fine_cells else ():
        plan = product_scale(peak, value.scale, q_scale, step.weight_bits or context.bits, least)
        width = context.draft.weight_bits(max(1, round_half_up(peak / plan.weight)), context.base_bits)
        if operands.terms * x_peak << width <= limit:
            return plan
    return product_scale(peak, value.scale, q_scale, context.bits)


def _scalar(context: Context, step: Affine) -> Value:
    """factor * x + offset for one factor: a new scale, a sign, and a constant at the tensor's own scale."""
    value = context.values[step.inputs[0]]
    factor = float(step.weight.reshape(-1)[0])
    if step.exact or isinstance(step.function, Test):
        return _whole(context, step, value, round_half_up(factor))
    scale = value.scale * abs(factor)
    # of what a function is applied to, not of what it makes
    before = step.function.statistic if isinstance(step.function, Curve | Scores) else step.statistic
    sign = 1 if factor > 0 else -1 if factor < 0 else 0
    if not sign:
        # the output is the offset alone
        scale = context.scale(before)
    offset = step.offset
    peak = 0.0 if offset is None else largest(offset)
    limit = ldexp(1.0, context.bits + MAX_FREE_OFFSET_BITS)
    fine = Ratio(sign, 0, scale)
    if peak and sign:
        # one unit of x may be coarse beside the constant: whole numbers have unit 1
        spare = max(0, frexp(scale / context.scale(before))[1] - 1)
        scale = ldexp(scale, -spare)
        fine = Ratio(sign << spare if sign > 0 else -(1 << spare), 0, scale)
    if peak > limit * scale:
        # x is small beside the constant: units such that the sum fits, x coarser
        wanted = context.scale(before)
        shift = context.bits
        fine = Ratio(sign * round_half_up(ldexp(scale / wanted, shift)), shift, wanted)
    off = abs(abs(fine.multiplier) - ldexp(value.scale * abs(factor) / fine.scale, fine.shift)) if sign else 0.0
    tensor = _shifted(context, step, value.tensor, fine, off)
    if fine.shift:
        result = context.rescale(step, tensor, cells(step.shape), Ratio(1, fine.shift, fine.scale), None)
        tensor, scale = result.tensor, result.scale
    if step.function is None:
        return Value(tensor, step.shape, scale)
    result = context.requantise(step, tensor, scale, step.function)
    return Value(result.tensor, step.shape, result.scale)


def _whole(context: Context, step: Affine, value: Value, factor: int) -> Value:
    """A whole multiple of a tensor and a constant in its own units, without rounding: whole numbers and comparisons."""
    tensor = _shifted(context, step, value.tensor, Ratio(factor, 0, value.scale), 0.0)
    if step.function is None:
        return Value(tensor, step.shape, value.scale)
    result = context.rescale(step, tensor, cells(step.shape), Ratio(1, 0, value.scale), step.function)
    return Value(result.tensor, step.shape, result.scale)


def _mapped(context: Context, step: Affine) -> Value:
    """Whole numbers times whole constants, cell by cell: a diagonal matrix, free and not rounded."""
    value = context.values[step.inputs[0]]
    size = prod(step.shape)
    flat = context.reshape(value.tensor, (size,), f"{step.output}.flat")
    weight = tuple((int(w),) for w in quantise(np.broadcast_to(step.weight, step.shape).reshape(-1), 1.0))
    diagonal = AxisMap(inputs=(flat,), axis=0, index=tuple((i,) for i in range(size)), weight=weight)
    tensor = context.reshape(context.draft.add(diagonal, f"{step.output}.diagonal"), step.shape, step.output)
    scaled = replace(step, weight=np.ones(1), inputs=(step.output,))
    return _whole(context, scaled, Value(tensor, step.shape, 1.0), 1)


def _shifted(context: Context, step: Affine, tensor: int, ratio: Ratio, off: float) -> int:
    """multiplier * x + offset / unit, the offset a public number where it is one, else a weight; the multiplier is off by `off`."""
    unit = ldexp(ratio.scale, -ratio.shift)
    shape = cells(step.shape)
    if step.offset is None or not step.offset.any():
        if ratio.multiplier == 1:
            return tensor
        op = Combine(inputs=(tensor,), coefficients=(ratio.multiplier,))
        return context.draft.add(op, step.output, Deviation(coefficients=(off,)))
    if step.offset.size == 1:
        exact = float(step.offset.reshape(-1)[0]) / unit
        number = round_half_up(exact)
        op = Combine(inputs=(tensor,), coefficients=(ratio.multiplier,), offset=number)
        return context.draft.add(op, step.output, Deviation(cells=abs(number - exact), coefficients=(off,)))
    constant = context.constant(aligned(step.offset, len(shape)), unit, shape, f"{step.output}.offset")
    op = Combine(inputs=(tensor, constant), coefficients=(ratio.multiplier, 1))
    return context.draft.add(op, step.output, Deviation(coefficients=(off,)))
