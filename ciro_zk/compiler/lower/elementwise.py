"""Add, Sub, Mul, Div, Neg and Sum: sums of tensors, and affine functions by constants."""

from __future__ import annotations

from ciro_zk.compiler import steps
from ciro_zk.compiler.lower.activation import ONE, curve
from ciro_zk.compiler.lower.registry import NodeView, Refused, lowers
from ciro_zk.compiler.steps import Floats


def _affine(view: NodeView, index: int, weight: Floats, offset: Floats | None) -> None:
    x = view.broadcast(view.name(index), view.shape(view.output), "x")
    view.emit(steps.Affine, [x], weight=weight, offset=offset)


def _sum(view: NodeView, signs: tuple[int, ...]) -> None:
    target = view.shape(view.output)
    names = [view.broadcast(view.name(i), target, f"operand{i}") for i in range(len(signs))]
    view.emit(steps.Sum, names, signs=signs)


@lowers("Add", 7, 13, 14)
def add(view: NodeView) -> None:
    view.require_numbers(0, 1)
    for i in (0, 1):
        if view.is_constant(i):
            _affine(view, 1 - i, ONE, view.constant(i, "an operand"))
            return
    _sum(view, (1, 1))


@lowers("Sub", 7, 13, 14)
def sub(view: NodeView) -> None:
    view.require_numbers(0, 1)
    if view.is_constant(1):
        _affine(view, 0, ONE, -view.constant(1, "an operand"))
    elif view.is_constant(0):
        _affine(view, 1, -ONE, view.constant(0, "an operand"))
    else:
        _sum(view, (1, -1))


@lowers("Sum", 8, 13)
def sum_(view: NodeView) -> None:
    count = len(view.node.input)
    view.require_numbers(*range(count))
    if count == 1:
        view.alias(view.name(0))
        return
    names = []
    for i in range(count):
        if view.is_constant(i):
            raise Refused("a constant operand", "use Add")
        names.append(i)
    _sum(view, (1,) * count)


@lowers("Neg", 6, 13)
def neg(view: NodeView) -> None:
    view.require_numbers(0)
    _affine(view, 0, -ONE, None)


@lowers("Mul", 7, 13, 14)
def mul(view: NodeView) -> None:
    view.require_numbers(0, 1)
    for i in (0, 1):
        if view.is_constant(i):
            _affine(view, 1 - i, view.constant(i, "a factor"), None)
            return
    target = view.shape(view.output)
    first, second = sorted((0, 1), key=lambda i: view.shape(view.name(i)) != target)
    a, b = view.broadcast(view.name(first), target, "a"), view.name(second)
    source = view.shape(b)
    aligned = (1,) * (len(target) - len(source)) + source
    if aligned != source:
        b = view.emit(steps.Reshape, [b], view.fresh("b.rank", aligned))
    view.emit(steps.Multiply, [a, b])


def _quotient(view: NodeView) -> None:
    """By a computed tensor."""
    target = view.shape(view.output)
    divisor = view.name(1)
    source = view.shape(divisor)
    aligned = (1,) * (len(target) - len(source)) + source
    if aligned != source:
        divisor = view.emit(steps.Reshape, [divisor], view.fresh("divisor.rank", aligned))
    if view.is_constant(0):
        value = view.constant(0, "the dividend")
        dividend = view.emit(steps.Fixed, [], view.fresh("dividend", value.shape), value=value)
    else:
        dividend = view.broadcast(view.name(0), target, "dividend")
    view.emit(steps.Quotient, [dividend, divisor])


@lowers("Div", 7, 13, 14)
def div(view: NodeView) -> None:
    view.require_numbers(0, 1)
    if not view.is_constant(1):
        if view.is_whole(view.output):
            raise Refused("a division of integers by a computed tensor", "divide by a constant, or divide floats and cast")
        _quotient(view)
        return
    divisor = view.constant(1, "the divisor")
    if (divisor == 0).any():
        raise Refused("a division by zero", "repair the constant")
    if view.is_whole(view.output):
        if divisor.size != 1 or view.shape(view.output) != view.shape(view.name(0)):
            raise Refused("a division of integers by different numbers", "at most 64 distinct constants are supported")
        curve(view, "quotient", (float(divisor.reshape(-1)[0]),))
        return
    _affine(view, 0, 1.0 / divisor, None)
