"""Views, free but for the pieces of a concatenation that have another scale, and maxima of several tensors."""

from __future__ import annotations

from math import ldexp

import numpy as np

from ciro_zk.compiler.emit.context import Context, Value, cells
from ciro_zk.compiler.quantise import Ratio, fixed_ratio, largest
from ciro_zk.compiler.steps import Concat, Fixed, Greatest, OneHot, Reshape, Select, Step, Transpose
from ciro_zk.lookup.tables import Clamp
from ciro_zk.ops import Combine
from ciro_zk.ops import OneHot as OneHotOp
from ciro_zk.ops.maximum import MAX_OPERANDS as ARITY


def reshape(context: Context, step: Reshape) -> Value:
    value = context.values[step.inputs[0]]
    return Value(context.reshape(value.tensor, step.shape, step.output), step.shape, value.scale)


def transpose(context: Context, step: Transpose) -> Value:
    value = context.values[step.inputs[0]]
    return Value(context.transpose(value.tensor, step.permutation, step.output), step.shape, value.scale)


def select(context: Context, step: Select) -> Value:
    value = context.values[step.inputs[0]]
    tensor = value.tensor
    for axis, index in step.axes:
        tensor = context.gather(tensor, axis, index, step.output)
    return Value(tensor, step.shape, value.scale)


def one_hot(context: Context, step: OneHot) -> Value:
    op = OneHotOp(inputs=(context.values[step.inputs[0]].tensor,), length=step.shape[-1])
    return Value(context.reshape(context.draft.add(op, step.output), step.shape, step.output), step.shape, 1.0)


def fixed(context: Context, step: Fixed) -> None:
    """A constant waits for the step that quantises it."""
    context.fixed[step.output] = step.value
    if step.exact:
        context.whole.add(step.output)


def fixed_output(context: Context, name: str) -> Value:
    """A constant that is an output of the model: a view of a weight."""
    value = context.fixed[name]
    scale = 1.0 if name in context.whole else (largest(value) or 1.0) / context.top
    values = value.reshape(cells(value.shape))
    tensor = context.constant(values, scale, values.shape, name)
    return Value(context.draft.add(Combine(inputs=(tensor,), coefficients=(1,)), f"{name}.view"), value.shape, scale)


def concat(context: Context, step: Concat) -> Value:
    """Every piece at the common scale, put at its place by a matrix of zeros and ones, and summed."""
    common = _refined_scale(context, step) or _common_scale(context, step)
    finely = step.output in context.refined and any(context.values[name].scale != common for name in step.inputs if name in context.values)
    if finely:
        common = ldexp(_common_scale(context, step) * context.top / context.coarse_top, -context.extra)
    total = step.shape[step.axis]
    placed, start = [], 0
    for position, name in enumerate(step.inputs):
        length = (context.fixed[name].shape if name in context.fixed else context.values[name].shape)[step.axis]
        restate = _fine_piece if finely else _piece
        piece = restate(context, step, name, common, f"{step.output}.piece{position}")
        index = np.full(total, -1, dtype=np.int64)
        index[start : start + length] = np.arange(length)
        placed.append(context.gather(piece, step.axis, [int(i) for i in index], step.output))
        start += length
    tensor = context.draft.add(Combine(inputs=tuple(placed), coefficients=(1,) * len(placed)), step.output)
    return Value(tensor, step.shape, common)


def greatest(context: Context, step: Greatest) -> Value:
    """Every operand at the common scale, then a tree of maxima."""
    common = _common_scale(context, step)
    level = [
        _narrow(context, _piece(context, step, name, common, f"{step.output}.operand{i}"), step.output)
        for i, name in enumerate(step.inputs)
    ]
    while len(level) > 1:
        groups = [level[i : i + ARITY] for i in range(0, len(level), ARITY)]
        level = [group[0] if len(group) == 1 else context.draft.greatest(group, step.output) for group in groups]
    return Value(level[0], step.shape, common)


def _narrow(context: Context, tensor: int, name: str) -> int:
    """A tensor whose soundness range is far wider than its values (a constant's limbs, a sum of pieces), committed within theirs."""
    limit = (1 << context.draft.magnitude(tensor).bit_length()) - 1
    if context.draft.tensors[tensor].magnitude <= 2 * limit + 1:
        return tensor
    return context.draft.rescale(tensor, 0, Clamp(minimum=-limit, maximum=limit), f"{name}.narrow")


def _common_scale(context: Context, step: Step) -> float:
    """One scale for all operands: 1 for whole numbers, otherwise one at which none of them saturates."""
    return 1.0 if step.exact else max(_least_scale(context, name) for name in step.inputs) or 1.0


def _refined_scale(context: Context, step: Concat) -> float | None:
    """The scale that all pieces have, zeros aside, where tensors are refined: these do not fit within [-M, M]."""
    scales = {context.values[name].scale for name in step.inputs if name not in context.fixed}
    zeros = not any(context.fixed[name].any() for name in step.inputs if name in context.fixed)
    return scales.pop() if context.refined and len(scales) == 1 and zeros else None


def _least_scale(context: Context, name: str) -> float:
    """The least scale at which a piece's integers, wherever they can lie, are within [-M, M]; not below its own."""
    if name in context.fixed:
        return largest(context.fixed[name]) / context.top
    value = context.values[name]
    return value.scale * max(context.draft.magnitude(value.tensor) / context.top, 1.0)


def _piece(context: Context, step: Step, name: str, common: float, label: str) -> int:
    """A piece at the common scale."""
    if name in context.fixed:
        values = context.fixed[name].reshape(cells(context.fixed[name].shape))
        return context.constant(values, common, values.shape, label)
    return context.restated(context.values[name], common, label).tensor


def _fine_piece(context: Context, step: Step, name: str, common: float, label: str) -> int:
    """A piece at the common scale, refined."""
    if name in context.fixed:
        return _piece(context, step, name, common, label)
    value = context.values[name]
    ratio = fixed_ratio(value.scale, common, context.draft.magnitude(value.tensor))
    tensor = context.multiplied(value.tensor, ratio, value.scale, label)
    return context.refine(tensor, Ratio(1, ratio.shift + context.extra, ldexp(common, context.extra)), label)
