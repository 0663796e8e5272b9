"""Linear forms <w, f> whose weights are tensor products of per-axis vectors.

A form on a tensor f of shape (d_1, ..., d_k) is a sum of terms c * (u_1 x u_2 x ...), each u a *group*: a vector over
one axis, or, where an axis product does not separate, an array over several consecutive axes. Every operation below is
a pull-back: from a form on y = A x it makes the form on x with the same value, A^T w. Nothing is sent for it and
nothing committed.

No form reads a padding cell: an `Eq` over an axis of length d holds eq(r, i) for i < d only, whatever power of two the axis is
padded to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field import arrays, goldilocks
from ciro_zk.field.extension import ONE, Ext
from ciro_zk.poly import multilinear

Extension = NDArray[np.uint64]


_JOINED_CELLS = 1 << 13
MAX_DENSE = 1 << 24


def num_vars(length: int) -> int:
    """The variables that index an axis of `length` cells: ceil(log2(length)), 0 for one cell."""
    return max(length - 1, 0).bit_length()


@dataclass(frozen=True, eq=False)
class Eq:
    """The vector eq(point, i), 0 <= i < length, on one axis; point[0] is the top bit of i."""

    point: tuple[Ext, ...]
    length: int

    @property
    def dims(self) -> tuple[int, ...]:
        return (self.length,)

    @property
    def is_one(self) -> bool:
        """One cell of weight 1."""
        return not self.point

    @cached_property
    def _dense(self) -> Extension:
        return np.ascontiguousarray(multilinear.eq_table(self.point)[:, : self.length])

    def dense(self) -> Extension:
        return self._dense


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """Explicit weights `(2, *dims)` over one or more consecutive axes."""

    values: Extension
    is_one: ClassVar[bool] = False

    @property
    def dims(self) -> tuple[int, ...]:
        return tuple(self.values.shape[1:])

    def dense(self) -> Extension:
        return self.values


Group = Eq | Dense
"""Compared by identity: forms that are derived from one form share its groups."""


@dataclass(frozen=True, slots=True)
class Term:
    """coefficient * (groups[0] x groups[1] x ...), over the axes of one tensor in order."""

    groups: tuple[Group, ...]
    coefficient: Ext = ONE

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(d for group in self.groups for d in group.dims)

    def scaled(self, factor: Ext | int) -> Term:
        return Term(self.groups, self.coefficient * factor)


def check_dense(cells: int) -> None:
    """`ValueError` for more explicit weights than a form may have: a shape says little of what there is, memory is."""
    if cells > MAX_DENSE:
        raise ValueError(f"a form would have {cells} explicit weights, more than {MAX_DENSE}")


def dense_cells(term: Term) -> int:
    """The explicit weights of a term."""
    return sum(prod(group.dims) for group in term.groups if isinstance(group, Dense))


def outer_group(groups: Sequence[Group]) -> Dense:
    """The product of neighbouring groups as one dense array over all their axes."""
    dims = tuple(d for group in groups for d in group.dims)
    check_dense(prod(dims))
    values = groups[0].dense().reshape(2, -1)
    for group in groups[1:]:
        values = multilinear.outer(values, np.ascontiguousarray(group.dense().reshape(2, -1)))
    return Dense(values.reshape(2, *dims))


def dense(term: Term) -> Extension:
    """All weights of a term, `(2, numel)`, coefficient included."""
    values = outer_group(term.groups).values.reshape(2, -1) if term.groups else arrays.from_list([ONE])
    return values if term.coefficient == ONE else arrays.scale(values, term.coefficient)


def reshape(term: Term, shape: Sequence[int]) -> Term:
    """The form on x of shape `shape`, where y = x.reshape(term.shape) in C order.

    Walks both shapes at once; wherever the sizes consumed agree, the groups so far become one group on the axes so far.
    """
    if term.shape == tuple(shape):
        return term
    coefficient = term.coefficient
    remaining: list[Group] = []
    for group in term.groups:
        if prod(group.dims) > 1:
            remaining.append(group)
        elif isinstance(group, Dense):
            coefficient = coefficient * arrays.get(group.values.reshape(2, 1), 0)
    groups: list[Group] = []
    pending: list[Group] = []
    axes: list[int] = []
    for d in shape:
        if d == 1 and not axes:
            groups.append(Eq((), 1))
            continue
        axes.append(d)
        while remaining and _size(pending) < prod(axes):
            pending.append(remaining.pop(0))
        if _size(pending) == prod(axes):
            groups.extend(_on_axes(pending, axes))
            pending, axes = [], []
    if pending or remaining or axes:
        raise ValueError(f"a form on shape {term.shape} cannot be read on shape {tuple(shape)}")
    return Term(tuple(groups), coefficient)


def _size(groups: Sequence[Group]) -> int:
    return prod(prod(group.dims) for group in groups)


def _on_axes(groups: list[Group], axes: list[int]) -> list[Group]:
    """Groups of the same total size as `axes`, on those axes: kept, split (a full `Eq` over powers of two), or merged into one dense
    group."""
    first = groups[0]
    if len(groups) == 1 and len(axes) == 1:
        return [first if isinstance(first, Eq) else Dense(first.values.reshape(2, -1))]
    if len(groups) == 1 and isinstance(first, Eq) and all(d == 1 << num_vars(d) for d in axes):
        split: list[Group] = []
        start = 0
        for d in axes:
            split.append(Eq(first.point[start : start + num_vars(d)], d))
            start += num_vars(d)
        return split
    return [Dense(outer_group(groups).values.reshape(2, *axes))]


def transpose(term: Term, permutation: Sequence[int]) -> Term:
    """The form on x, where y = x.transpose(permutation)."""
    inverse = [list(permutation).index(axis) for axis in range(len(permutation))]
    if all(len(group.dims) == 1 for group in term.groups):
        return Term(tuple(term.groups[axis] for axis in inverse), term.coefficient)
    merged = outer_group(term.groups).values
    return Term((Dense(np.ascontiguousarray(merged.transpose(0, *(axis + 1 for axis in inverse)))),), term.coefficient)


def map_axis(term: Term, axis: int, pull: Callable[[Extension], Extension]) -> Term:
    """The form on x, where y is x with a linear map along `axis`; `pull` applies its transpose to `(2, ..., n_out)` along the last
    axis."""
    groups: list[Group] = []
    start = 0
    for group in term.groups:
        stop = start + len(group.dims)
        if start <= axis < stop:
            moved = np.moveaxis(group.dense(), axis - start + 1, -1)
            groups.append(Dense(np.ascontiguousarray(np.moveaxis(pull(moved), -1, axis - start + 1))))
        else:
            groups.append(group)
        start = stop
    return Term(tuple(groups), term.coefficient)


def ones_value(term: Term) -> Ext:
    """<term, 1>: the sum of all weights."""
    value = term.coefficient
    for group in term.groups:
        value = value * arrays.total(np.ascontiguousarray(group.dense().reshape(2, -1)))
    return value


def value_on(term: Term, values: NDArray[np.int64]) -> Ext:
    """<term, values> for public integers `(numel,)`, the last axes summed first and together."""
    groups = [part for group in term.groups for part in _split(group)]
    last: list[Group] = []
    while groups and (not last or _size(last) * _size(groups[-1:]) <= _JOINED_CELLS):
        last.insert(0, groups.pop())
    weights = dense(Term(tuple(last)))
    current = multilinear.contract_integers(values.reshape(-1, weights.shape[1]), weights)
    for group in reversed(groups):
        weights = np.ascontiguousarray(group.dense().reshape(2, -1))
        rows = np.ascontiguousarray(current.reshape(2, -1, weights.shape[1]))
        current = goldilocks.sum_axis(arrays.mul(rows, weights[:, None, :]))
    return arrays.get(current, 0) * term.coefficient


def value_at(term: Term, cells: NDArray[np.int64]) -> Ext:
    """The sum of a term's weights at some cells, given by their indices in C order."""
    weights = arrays.from_list([ONE]).repeat(cells.size, axis=1)
    rest = cells
    for group in reversed(term.groups):
        values = group.dense().reshape(2, -1)
        weights = arrays.mul(weights, np.ascontiguousarray(values[:, rest % values.shape[1]]))
        rest = rest // values.shape[1]
    return arrays.total(weights) * term.coefficient


def _split(group: Group) -> list[Group]:
    """A long `Eq` over a power of two as two of about equal length."""
    if isinstance(group, Eq) and group.length == 1 << len(group.point) > _JOINED_CELLS:
        half = len(group.point) // 2
        return [Eq(group.point[:half], 1 << half), Eq(group.point[half:], group.length >> half)]
    return [group]
