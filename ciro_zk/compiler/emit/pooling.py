"""Max pools as trees of maxima of 2 to 4 views. Border windows hold real cells only: a short window repeats one of its own.

Windows of more than 4 cells are split into at most 4 overlapping parts (a maximum may count a cell twice), and equal
parts of different windows are computed once: a pool of 5 at stride 1 costs 3 + 2 lookups a cell, not 5 + 1.
"""

from __future__ import annotations

from itertools import permutations, product
from math import prod

from ciro_zk.compiler.emit.context import Context, Value
from ciro_zk.compiler.steps import MaxPool, Windows

ARITY = 4
Plan = tuple[tuple[tuple[int, Windows], ...], ...]
"""Stages, each a set of axes pooled jointly."""


def max_pool(context: Context, step: MaxPool) -> Value:
    value = context.values[step.inputs[0]]
    tensor = value.tensor
    shape = list(value.shape)
    for stage in _plan(shape, step.windows):
        tensor = _joint(context, tensor, stage, step.output) if len(stage) > 1 else along(context, tensor, *stage[0], step.output)
    return Value(tensor, step.shape, value.scale)


def _width(windows: Windows) -> int:
    return max(len(window) for window in windows)


def _plan(shape: list[int], windows: tuple[tuple[int, Windows], ...]) -> Plan:
    """The order of axes, with at most 4 cells pooled jointly where that is cheaper."""
    choices: list[Plan] = []
    for order in permutations(windows):
        choices.append(tuple((axis,) for axis in order))
        for cut in range(2, len(order) + 1):
            if prod(_width(w) for _, w in order[:cut]) <= ARITY:
                choices.append((tuple(sorted(order[:cut])), *((axis,) for axis in order[cut:])))
                choices.append((*((axis,) for axis in order[cut:]), tuple(sorted(order[:cut]))))
    return min(choices, key=lambda plan: _cost(shape, plan))


def _cost(shape: list[int], plan: Plan) -> int:
    """Lookups and committed cells."""
    current, cost = list(shape), 0
    for stage in plan:
        if len(stage) > 1:
            for axis, windows in stage:
                current[axis] = len(windows)
            cost += (prod(_width(w) for _, w in stage) + 1) * prod(current)
            continue
        axis, windows = stage[0]
        for level in _levels(windows):
            current[axis] = len(level)
            cost += (_width(level) + 1) * prod(current)
    return cost


def _parts(window: tuple[int, ...], width: int) -> list[tuple[int, ...]]:
    """At most 4 parts of equal length that cover a window of up to `width` cells."""
    size = max(1, -(-width // ARITY))
    while size > ARITY and size % ARITY:
        size += 1
    if len(window) <= size:
        return [window]
    starts = [*range(0, len(window) - size, size), len(window) - size]
    return [window[s : s + size] for s in starts]


def _split(windows: Windows) -> tuple[Windows, Windows]:
    """Windows of more than 4 cells as windows over parts: (parts, windows of part numbers)."""
    width = _width(windows)
    numbers: dict[tuple[int, ...], int] = {}
    outer = tuple(tuple(numbers.setdefault(part, len(numbers)) for part in _parts(window, width)) for window in windows)
    return tuple(numbers), outer


def _levels(windows: Windows) -> list[Windows]:
    """The stages of the tree along one axis, innermost first."""
    if _width(windows) <= ARITY:
        return [windows]
    parts, outer = _split(windows)
    return [*_levels(parts), outer]


def along(context: Context, tensor: int, axis: int, windows: Windows, name: str) -> int:
    """Pool one axis."""
    for level in _levels(windows):
        tensor = _joint(context, tensor, ((axis, level),), name)
    return tensor


def _joint(context: Context, tensor: int, stage: tuple[tuple[int, Windows], ...], name: str) -> int:
    """One maximum over all cells of windows with at most 4 in all."""
    views = []
    for offsets in product(*(range(_width(windows)) for _, windows in stage)):
        view = tensor
        for (axis, windows), j in zip(stage, offsets, strict=True):
            index = [window[min(j, len(window) - 1)] for window in windows]
            if index != list(range(context.draft.tensors[view].shape[axis])):
                view = context.gather(view, axis, index, name)
        views.append(view)
    return views[0] if len(views) == 1 else context.draft.greatest(views, name)
