"""Comparisons and logic. A bool is a whole number, 0 or 1; all of them are the sign of a difference, looked up in one small table.

    a > b     positive(a - b)        a == b   zero(a - b)
    a and b   positive(a + b - 1)    a or b   positive(a + b)       a xor b   zero(a + b - 1)       not a   1 - a

Floats are compared as integers, in units of the larger scale: closer than half a unit they may count as equal.
"""

from __future__ import annotations

import numpy as np

from ciro_zk.compiler import steps
from ciro_zk.compiler.lower.activation import NONE, ONE
from ciro_zk.compiler.lower.registry import NodeView, lowers
from ciro_zk.compiler.steps import Test


def _difference(view: NodeView, kind: str, first: int, second: int) -> None:
    """test(first - second), either of which may be constant."""
    view.require_numbers(0, 1)
    shape = view.shape(view.output)
    for index, weight in ((first, NONE), (second, ONE)):
        if view.is_constant(index):
            other = second if index == first else first
            offset = -weight * view.constant(index, "an operand")
            x = view.broadcast(view.name(other), shape, "x")
            view.emit(steps.Affine, [x], weight=weight, offset=offset, function=Test(kind), exact=True)
            return
    view.test(kind, [view.broadcast(view.name(i), shape, f"operand{i}") for i in (first, second)], (1, -1), view.output)


@lowers("Greater", 9, 13)
def greater(view: NodeView) -> None:
    _difference(view, "positive", 0, 1)


@lowers("Less", 9, 13)
def less(view: NodeView) -> None:
    _difference(view, "positive", 1, 0)


@lowers("Equal", 7, 11, 13, 19)
def equal(view: NodeView) -> None:
    _difference(view, "zero", 0, 1)


@lowers("Not", 1)
def not_(view: NodeView) -> None:
    view.invert(view.name(0))


def _total(view: NodeView, kind: str, offset: int) -> None:
    """test(a + b + offset) for bools."""
    shape = view.shape(view.output)
    for index in (0, 1):
        if view.is_constant(index):
            constant = view.constant(index, "an operand") + offset
            x = view.broadcast(view.name(1 - index), shape, "x")
            view.emit(steps.Affine, [x], weight=ONE, offset=constant, function=Test(kind), exact=True)
            return
    names = [view.broadcast(view.name(i), shape, f"operand{i}") for i in (0, 1)]
    if not offset:
        view.test(kind, names, (1, 1), view.output)
        return
    total = view.emit(steps.Sum, names, view.fresh("total", shape), signs=(1, 1), exact=True)
    view.emit(steps.Affine, [total], weight=ONE, offset=np.asarray(float(offset)), function=Test(kind), exact=True)


@lowers("And", 7)
def and_(view: NodeView) -> None:
    _total(view, "positive", -1)


@lowers("Or", 7)
def or_(view: NodeView) -> None:
    _total(view, "positive", 0)


@lowers("Xor", 7)
def xor(view: NodeView) -> None:
    _total(view, "zero", -1)
