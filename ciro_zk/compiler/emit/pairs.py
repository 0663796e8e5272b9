"""Products of two computed tensors: attention's Q K^T and P V, and Mul."""

from __future__ import annotations

from math import prod

from ciro_zk.compiler.emit.context import Context, Value, cells
from ciro_zk.compiler.steps import Contraction, Multiply, Pair
from ciro_zk.ops import Combine, Hadamard, MatMul


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
    return _requantised(context, step, context.draft.add(Hadamard(inputs=(a.tensor, right)), f"{step.output}.acc"))


def _requantised(context: Context, step: Pair, tensor: int) -> Value:
    a, b = (context.values[name] for name in step.inputs)
    if step.factor < 0:
        tensor = context.draft.add(Combine(inputs=(tensor,), coefficients=(-1,)), f"{step.output}.negated")
    result = context.requantise(step, tensor, a.scale * b.scale * abs(step.factor), step.function)
    return Value(context.reshape(result.tensor, step.shape, step.output), step.shape, result.scale)
