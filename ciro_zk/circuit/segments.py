"""How lookups and tables lie among the leaves of the lookup argument.

A segment is a box of cells on consecutive leaves. One axis of it may be *cut*: its d cells lie one after another, as d runs of leaves;
within a run the other axes are padded to powers of two, in order. So a segment has d 2^k leaves, its offset is a multiple of 2^k, and
eq(point, .) on its cells is a product of one vector per axis: eq(top variables, first), eq(top variables, first + 1), ... on the cut
axis, and eq of the axis's own variables on the others.

Without need no axis is cut. What it takes to bring the leaves to a smaller power of two is done step by step, largest saving first: to cut
the axis that pads worst; and where that is not enough, to *split* others into their binary digits, which makes several boxes. Each box
costs a form, so there are at most twice as many as lookups and tables, and lookups whose forms reach an accumulator are not split: every
such form is a product more. A step that saves less than 2^11 leaves is not worth a vector of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from heapq import heappop, heappush
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field import arrays
from ciro_zk.field.extension import ONE, Ext
from ciro_zk.poly import multilinear
from ciro_zk.poly.linear_form import Dense, Eq, Group, Term, num_vars

Shape = tuple[int, ...]

LEAST_SAVING = 1 << 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The cells [starts[a], starts[a] + lengths[a]) of each axis a of a lookup or a table, on the leaves from `offset` on."""

    index: int
    is_table: bool
    shape: Shape
    starts: Shape
    lengths: Shape
    cut: int | None
    offset: int = 0

    @property
    def log_run(self) -> int:
        """log2 of the leaves of one cell of the cut axis."""
        return sum(num_vars(d) for a, d in enumerate(self.lengths) if a != self.cut)

    @property
    def size(self) -> int:
        """Leaves, padding included."""
        return (1 if self.cut is None else self.lengths[self.cut]) << self.log_run

    def box(self) -> tuple[int, NDArray[np.int64]]:
        """The number of the first cell in the tensor, and `(3, k)`: lengths of axes, the last of stride 1 in the tensor, and their strides
        in the tensor and in the leaves. Neighbouring axes that lie alike are one."""
        origin, axes = 0, list[list[int]]()
        cell_stride, leaf_stride = prod(self.shape), 1 << self.log_run
        for axis, (d, start, length) in enumerate(zip(self.shape, self.starts, self.lengths, strict=True)):
            cell_stride //= d
            origin += start * cell_stride
            if axis != self.cut:
                leaf_stride >>= num_vars(length)
            stride = 1 << self.log_run if axis == self.cut else leaf_stride
            if axes and axes[-1][1:] == [length * cell_stride, length * stride]:
                axes[-1] = [axes[-1][0] * length, cell_stride, stride]
            elif length > 1 or axis == len(self.shape) - 1:
                axes.append([length, cell_stride, stride])
        return origin, np.array(axes, dtype=np.int64).T.copy()

    def term(self, point: Sequence[Ext], shared: dict[tuple[int, int], Group]) -> Term:
        """eq(point, leaf of the cell) on the cells of the box, zero on the tensor's others: one group per axis.

        `shared` keeps the groups of an axis's own variables, by the place of these and the axis's length: segments have many in common.
        """
        split = len(point) - self.log_run
        top, first = point[:split], self.offset >> self.log_run
        coefficient = multilinear.selector(top, first) if self.cut is None else ONE
        groups: list[Group] = []
        for axis, (d, start, length) in enumerate(zip(self.shape, self.starts, self.lengths, strict=True)):
            if axis == self.cut:
                groups.append(Dense(multilinear.eq_range(top, first, length)))
                continue
            stop = split + num_vars(length)
            own = shared.setdefault((split, length), Eq(tuple(point[split:stop]), length))
            groups.append(own if length == d else _inside(own, start, d))
            split = stop
        return Term(tuple(groups), coefficient)


def _inside(group: Group, start: int, length: int) -> Dense:
    """A group's vector from `start` on, zero elsewhere on an axis of `length`."""
    values = arrays.zeros(length)
    values[:, start : start + group.dims[0]] = group.dense()
    return Dense(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Division:
    """How a lookup or a table is divided: its cut axis, and how many binary digits, from the top, are split off each other axis."""

    shape: Shape
    may_split: bool
    cut: int | None = None
    splits: Shape = ()

    def parts(self, axis: int) -> list[tuple[int, int]]:
        """(start, length) of an axis's parts."""
        found, start, stop = [], 0, self.shape[axis]
        for _ in range(self.splits[axis]):
            size = 1 << ((stop - start).bit_length() - 1)
            found.append((start, size))
            start += size
        return [*found, (start, stop - start)]

    @property
    def boxes(self) -> int:
        return prod(count + 1 for count in self.splits)

    @property
    def leaves(self) -> int:
        axes = enumerate(self.shape)
        return prod(d if a == self.cut else sum(1 << num_vars(length) for _, length in self.parts(a)) for a, d in axes)

    def steps(self) -> Iterator[_Division]:
        """The next cut, if none is made yet, or splits."""
        if self.cut is None:
            waste = [Fraction(1 << num_vars(d), d) for d in self.shape]
            yield replace(self, cut=waste.index(max(waste)))
        elif self.may_split:
            for axis, d in enumerate(self.shape):
                for count in range(self.splits[axis] + 1, 0 if axis == self.cut else d.bit_count()):
                    yield replace(self, splits=(*self.splits[:axis], count, *self.splits[axis + 1 :]))

    @property
    def best_step(self) -> _Division:
        """The first of the steps that save most leaves; itself where none saves any."""
        return min([self, *self.steps()], key=lambda division: division.leaves)


def _divisions(shapes: Sequence[Shape], may_split: Sequence[bool], least_saving: int) -> list[_Division]:
    """The divisions with the least number of steps that bring all leaves to the least power of two in reach."""
    divisions = [_Division(shape=d, may_split=may, splits=(0,) * len(d)) for d, may in zip(shapes, may_split, strict=True)]
    total, spare = sum(division.leaves for division in divisions), len(shapes)
    kept, log_size, least = list(divisions), num_vars(total), num_vars(sum(prod(shape) for shape in shapes))
    steps: list[tuple[int, int, int, _Division]] = []

    def offer(index: int) -> None:
        step = divisions[index].best_step
        added, change = step.boxes - divisions[index].boxes, step.leaves - divisions[index].leaves
        if -change >= least_saving:
            heappush(steps, (added and 1, change, index, step))

    for index in range(len(shapes)):
        offer(index)
    while steps and least < log_size:
        _, change, index, step = heappop(steps)
        spare -= step.boxes - divisions[index].boxes
        if spare < 0:
            break
        divisions[index], total = step, total + change
        offer(index)
        if num_vars(total) < log_size:
            kept, log_size = list(divisions), num_vars(total)
    return kept


def segments_of(
    lookups: Sequence[Shape], may_split: Sequence[bool], tables: Sequence[int], least_saving: int = LEAST_SAVING
) -> tuple[Segment, ...]:
    """The segments of lookups of these shapes and of tables of so many rows: by descending run, lookups first, then by number and place."""
    shapes = [*lookups, *((rows,) for rows in tables)]
    found: list[Segment] = []
    for number, division in enumerate(_divisions(shapes, [*may_split, *(False for _ in tables)], least_saving)):
        is_table = number >= len(lookups)
        for box in product(*(division.parts(axis) for axis in range(len(division.shape)))):
            starts, lengths = (tuple(values) for values in zip(*box, strict=True))
            index = number - len(lookups) if is_table else number
            found.append(Segment(index=index, is_table=is_table, shape=division.shape, starts=starts, lengths=lengths, cut=division.cut))
    found.sort(key=lambda s: (-s.log_run, s.is_table, s.index, s.starts))
    placed, offset = [], 0
    for segment in found:
        placed.append(replace(segment, offset=offset))
        offset += segment.size
    return tuple(placed)
