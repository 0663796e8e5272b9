"""Add, Sub, Mul, Neg and Sum: sums of tensors, and affine functions by constants."""

from __future__ import annotations

from ciro_zk.compiler import steps
from ciro_zk.compiler.lower.activation import ONE
from ciro_zk.compiler.lower.registry import NodeView, Refused, lowers
from ciro_zk.compiler.steps import Floats


def affine(view: NodeView, index: int, weight: Floats, offset: Floats | None) -> None:
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
            affine(view, 1 - i, ONE, view.constant(i, "an operand"))
            return
    _sum(view, (1, 1))


@lowers("Sub", 7, 13, 14)
def sub(view: NodeView) -> None:
    view.require_numbers(0, 1)
    if view.is_constant(1):
        affine(view, 0, ONE, -view.constant(1, "an operand"))
    elif view.is_constant(0):
        affine(view, 1, -ONE, view.constant(0, "an operand"))
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
    affine(view, 0, -ONE, None)


@lowers("Mul", 7, 13, 14)
def mul(view: NodeView) -> None:
    view.require_numbers(0, 1)
    for i in (0, 1):
        if view.is_constant(i):
            affine(view, 1 - i, view.constant(i, "a factor"), None)
            return
    target = view.shape(view.output)
    first, second = sorted((0, 1), key=lambda i: view.shape(view.name(i)) != target)
    a, b = view.broadcast(view.name(first), target, "a"), view.name(second)
    source = view.shape(b)
    aligned = (1,) * (len(target) - len(source)) + source
    if aligned != source:
        b = view.emit(steps.Reshape, [b], view.fresh("b.rank", aligned))
    view.emit(steps.Multiply, [a, b])
