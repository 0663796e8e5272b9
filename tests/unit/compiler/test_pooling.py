"""Trees of maxima: every window is covered, at the least cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.compiler.emit.pooling import ARITY, _levels, _plan, _width
from ciro_zk.compiler.steps import Windows


def sliding(length: int, kernel: int, stride: int = 1) -> Windows:
    return tuple(tuple(range(i, i + kernel)) for i in range(0, length - kernel + 1, stride))


def covered(windows: Windows) -> list[set[int]]:
    """The input cells that each output of the tree depends on."""
    cells: list[set[int]] | None = None
    for level in _levels(windows):
        assert _width(level) <= ARITY
        current = cells
        cells = [set().union(*(current[i] for i in window)) if current else set(window) for window in level]
    return cells or []


@given(st.lists(st.sets(st.integers(0, 40), min_size=1, max_size=30), min_size=1, max_size=8))
def test_every_window_is_covered(sets: list[set[int]]) -> None:
    windows = tuple(tuple(sorted(s)) for s in sets)
    assert covered(windows) == sets


def test_equal_parts_are_shared() -> None:
    """A pool of 5 at stride 1: two levels with about as many cells as there are outputs."""
    levels = _levels(sliding(64, 5))
    assert len(levels) == 2 and len(levels[0]) <= 64 and sum(map(_width, levels)) == 5
    assert sum(map(_width, _levels(sliding(64, 9)))) == 6


def test_small_windows_are_pooled_jointly() -> None:
    two = sliding(8, 2, 2)
    assert _plan([8, 8], ((0, two), (1, two))) == (((0, two), (1, two)),)
    three = sliding(9, 3, 3)
    assert all(len(stage) == 1 for stage in _plan([9, 9], ((0, three), (1, three))))
