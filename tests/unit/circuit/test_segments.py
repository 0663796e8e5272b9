"""Segments: every cell of every lookup and table has one leaf of its own, and a segment's term is eq there."""

from __future__ import annotations

from collections import Counter
from math import prod

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ciro_zk.circuit.segments import Segment, segments_of
from ciro_zk.field.extension import ZERO
from ciro_zk.poly import multilinear
from ciro_zk.poly.linear_form import Dense, Eq, Group, num_vars
from tests.unit.poly_forms.reference import SEEDS, from_table, random_point, spelled, spelled_eq

SHAPES = st.lists(st.integers(1, 13), min_size=1, max_size=3).map(tuple)
LOOKUPS = st.lists(st.tuples(SHAPES, st.booleans()), min_size=1, max_size=4)
TABLES = st.lists(st.integers(1, 40), min_size=1, max_size=3)


def leaf_of(segment: Segment, cell: tuple[int, ...]) -> int:
    """A cell's leaf, by the definition in protocol.md."""
    inner = [i - start for i, start in zip(cell, segment.starts, strict=True)]
    lengths = [1 << num_vars(d) for d in segment.lengths]
    if segment.cut is None:
        return segment.offset + int(np.ravel_multi_index(inner, lengths))
    run = inner.pop(segment.cut)
    del lengths[segment.cut]
    return segment.offset + run * prod(lengths) + (int(np.ravel_multi_index(inner, lengths)) if inner else 0)


def made(lookups: list[tuple[tuple[int, ...], bool]], tables: list[int]) -> tuple[Segment, ...]:
    return segments_of([shape for shape, _ in lookups], [may for _, may in lookups], tables, 1)


@given(LOOKUPS, TABLES)
@example([((12, 12), True)] * 3, [4])
@example([((3, 11, 11), True), ((7,), False)], [4, 4, 9])
def test_every_cell_has_one_leaf_of_its_own(lookups: list[tuple[tuple[int, ...], bool]], tables: list[int]) -> None:
    cells: Counter[tuple[bool, int, tuple[int, ...]]] = Counter()
    leaves: Counter[int] = Counter()
    end = 0
    for segment in made(lookups, tables):
        assert segment.offset == end and segment.offset % (1 << segment.log_run) == 0
        end += segment.size
        for index in np.ndindex(*segment.lengths):
            cell = tuple(i + start for i, start in zip(index, segment.starts, strict=True))
            cells[segment.is_table, segment.index, cell] += 1
            leaf = leaf_of(segment, cell)
            assert segment.offset <= leaf < end
            leaves[leaf] += 1
    shapes = [(False, i, shape) for i, (shape, _) in enumerate(lookups)] + [(True, i, (rows,)) for i, rows in enumerate(tables)]
    assert cells == Counter((is_table, i, cell) for is_table, i, shape in shapes for cell in np.ndindex(*shape))
    assert set(leaves.values()) == {1}


@settings(max_examples=40)
@given(LOOKUPS, TABLES, SEEDS)
@example([((12, 12), True)] * 3, [4], 0)
def test_a_segments_term_is_eq_on_its_leaves(lookups: list[tuple[tuple[int, ...], bool]], tables: list[int], seed: int) -> None:
    segments = made(lookups, tables)
    point = random_point(np.random.default_rng(seed), num_vars(segments[-1].offset + segments[-1].size))
    eq = from_table(multilinear.eq_table(point))
    for segment in segments:
        values = spelled(segment.term(point, {})).reshape(segment.shape)
        for cell in np.ndindex(*segment.shape):
            inside = all(start <= i < start + n for i, start, n in zip(cell, segment.starts, segment.lengths, strict=True))
            assert values[cell] == (eq[leaf_of(segment, cell)] if inside else ZERO)


@given(LOOKUPS, TABLES)
@example([((12, 12), True)] * 3, [4])
def test_axes_are_split_only_for_fewer_leaves(lookups: list[tuple[tuple[int, ...], bool]], tables: list[int]) -> None:
    """At most twice as many segments, none where a form is a product, and fewer variables than without."""
    segments = made(lookups, tables)
    whole = made([(shape, False) for shape, _ in lookups], tables)
    assert len(whole) == len(lookups) + len(tables)
    assert len(segments) <= 2 * (len(lookups) + len(tables))
    if len(segments) > len(whole):
        assert num_vars(sum(s.size for s in segments)) < num_vars(sum(s.size for s in whole))
    padded = [sum(num_vars(d) for d in shape) for shape, _ in lookups] + [num_vars(rows) for rows in tables]
    if any(s.cut is not None for s in segments):
        assert num_vars(sum(s.size for s in segments)) < num_vars(sum(1 << n for n in padded))
    else:
        assert sorted(s.log_run for s in segments) == sorted(padded)
    for index, (_, may_split) in enumerate(lookups):
        assert may_split or len([s for s in segments if not s.is_table and s.index == index]) == 1


def test_a_step_that_saves_little_is_not_taken() -> None:
    """A table of 6144 rows saves 2048 leaves, one of 6145 saves 2047; either would do beside lookups of 20 cells."""
    assert [s.cut for s in segments_of([(20,)], [True], [6144])] == [None, 0]
    assert [s.cut for s in segments_of([(20,)], [True], [6145])] == [None, None]


def test_splits_by_hand() -> None:
    """Three matrices of 12 x 12 and 30 rows of a table have 800 leaves. One axis of each is cut: 606; two are split in 8 and 4: 510."""
    segments = segments_of([(12, 12)] * 3, [True] * 3, [30], 1)
    boxes = [(s.index, s.starts, s.lengths, s.size) for s in segments]
    assert boxes[:3] == [(2, (0, 0), (12, 12), 192), (0, (0, 0), (12, 8), 96), (1, (0, 0), (12, 8), 96)]
    assert boxes[3:] == [(0, (0, 8), (12, 4), 48), (1, (0, 8), (12, 4), 48), (0, (0,), (30,), 30)]
    assert all(s.cut is None for s in segments_of([(12, 12)] * 3, [True] * 3, [90], 1))  # 522 cells: no smaller power of two


@pytest.mark.parametrize(
    ("shape", "axis"), [((4, 1, 8), None), ((3,), 0), ((1, 6, 20, 24), 2), ((3, 6), 0), ((5, 3), 0), ((7, 5), 1), ((1,), None)]
)
def test_the_axis_that_pads_worst_is_cut(shape: tuple[int, ...], axis: int | None) -> None:
    """With a table's one row beside it a lookup does not fit a power of two unless it is cut."""
    segments = segments_of([shape], [False], [1], 1)
    assert next(s.cut for s in segments if not s.is_table) == axis


@given(SEEDS, st.integers(0, 9), st.data())
def test_eq_range(seed: int, log_size: int, data: st.DataObject) -> None:
    point = random_point(np.random.default_rng(seed), log_size)
    start = data.draw(st.integers(0, (1 << log_size) - 1))
    length = data.draw(st.integers(1, (1 << log_size) - start))
    found = from_table(multilinear.eq_range(point, start, length)).tolist()
    assert found == spelled_eq(point, 1 << log_size).tolist()[start : start + length]


def test_a_cut_axis_has_an_explicit_vector_and_others_share_theirs() -> None:
    one, other = (s for s in segments_of([(3, 4), (3, 4)], [True] * 2, [8], 1) if not s.is_table)
    shared: dict[tuple[int, int], Group] = {}
    point = random_point(np.random.default_rng(0), 5)
    (cut, own), (second, same) = one.term(point, shared).groups, other.term(point, shared).groups
    assert isinstance(cut, Dense) and cut.dims == second.dims == (3,) and cut is not second
    assert isinstance(own, Eq) and own is same and own.length == 4
