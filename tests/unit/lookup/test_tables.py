"""Tables: `rows` undoes `columns` and finds nothing else, contents are those of the functions, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import MAX_CELL, Clamp, Function, Graph, Range, Sampled, Sign, Table, Window, round_shift


@st.composite
def clamps(draw: st.DrawFn) -> Clamp:
    a, b = draw(st.integers(-300, 300)), draw(st.integers(-300, 300))
    shift = draw(st.integers(0, 8))
    return Clamp(minimum=min(a, b), maximum=max(a, b), numerator=draw(st.integers(0, 1 << shift)), shift=shift)


SAMPLED = st.builds(Sampled, low=st.integers(-50, 50), values=st.lists(st.integers(-99, 99), min_size=1, max_size=40).map(tuple))
FUNCTIONS = st.one_of(clamps(), SAMPLED)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    low = draw(st.integers(-300, 300))
    return Graph(function=draw(FUNCTIONS), low=low, high=low + draw(st.integers(0, 400)))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    function = draw(FUNCTIONS)
    low, high = function.window
    start = low - draw(st.integers(0, 20))
    bits = max((high - start).bit_length(), 1)
    return Window(function=function, low=start, bits=min(bits + draw(st.integers(0, 1)), 16))


TABLES = st.one_of(
    st.builds(Range, bits=st.integers(1, 9)), graphs(), st.builds(Sign, limit=st.integers(1, 300)), windows().filter(lambda w: w.bits <= 11)
)


# Contents ------------------------------------------------------------------------------------------------------------------------------


def test_contents_by_hand() -> None:
    assert [c.tolist() for c in Range(bits=2).columns()] == [[0, 1, 2, 3]]
    assert [c.tolist() for c in Sign(limit=2).columns()] == [[-2, -1, 0, 1, 2], [-1, -1, 0, 1, 1]]
    relu = Clamp(minimum=0, maximum=2)
    assert [c.tolist() for c in Graph(function=relu, low=-1, high=3).columns()] == [[-1, 0, 1, 2, 3], [0, 0, 1, 2, 2]]
    sign, offset, out = Window(function=relu, low=-1, bits=2).columns()
    assert sign.tolist() == [-1] * 4 + [0] * 4 + [1] * 4
    assert offset.tolist() == [0, 1, 2, 3] * 3
    assert out.tolist() == [0] * 4 + [0, 0, 1, 2] + [2] * 4


@given(TABLES)
def test_rows_undoes_columns(table: Table) -> None:
    table.check()
    columns = table.columns()
    assert len(columns) == table.num_columns
    assert all(column.shape == (table.num_rows,) and column.dtype == np.int64 for column in columns)
    assert np.array_equal(table.rows(columns), np.arange(table.num_rows))


@given(TABLES, st.data())
def test_rows_is_minus_one_for_what_is_no_row(table: Table, data: st.DataObject) -> None:
    """Entries near and far, also those to which an index computation would wrap around."""
    far = [-(1 << 63), (1 << 63) - 1, 1 << 62, (P - 1) // 2, -((P - 1) // 2)]
    cells = st.one_of(st.integers(-600, 600), st.sampled_from(far))
    entries = [data.draw(st.lists(cells, min_size=20, max_size=20)) for _ in range(table.num_columns)]
    listed = {row: i for i, row in enumerate(zip(*(c.tolist() for c in table.columns()), strict=True))}
    expected = [listed.get(row, -1) for row in zip(*entries, strict=True)]
    assert table.rows([np.array(e, dtype=np.int64) for e in entries]).tolist() == expected


@given(TABLES, st.data())
def test_a_row_with_one_entry_changed_is_that_of_its_new_entries_or_none(table: Table, data: st.DataObject) -> None:
    column, step = data.draw(st.integers(0, table.num_columns - 1)), data.draw(st.sampled_from([-1, 1, 2, -7, 1 << 40]))
    changed = [c.copy() for c in table.columns()]
    changed[column] += step
    listed = {row: i for i, row in enumerate(zip(*(c.tolist() for c in table.columns()), strict=True))}
    assert table.rows(changed).tolist() == [listed.get(row, -1) for row in zip(*(c.tolist() for c in changed), strict=True)]


@given(windows())
def test_a_window_table_holds_the_function_and_its_ends(table: Window) -> None:
    table.check()
    q = np.arange(table.low - 3 * (1 << table.bits), table.low + 4 * (1 << table.bits))
    offset = (q - table.low) % (1 << table.bits)
    sign = np.sign((q - table.low) >> table.bits)
    assert np.all(table.rows([sign, offset, table.function(q)]) >= 0)


# Functions -----------------------------------------------------------------------------------------------------------------------------


def clamp_value(f: Clamp, q: int) -> int:
    if q < 0 and f.shift:
        q = (q * f.numerator + 2 ** (f.shift - 1)) // 2**f.shift
    elif q < 0:
        q = q * f.numerator
    return min(max(q, f.minimum), f.maximum)


@given(clamps(), st.lists(st.integers(-(10**6), 10**6), min_size=1))
def test_clamp(function: Clamp, q: list[int]) -> None:
    function.check()
    assert function(np.array(q)).tolist() == [clamp_value(function, v) for v in q]


@given(SAMPLED, st.lists(st.integers(-(10**6), 10**6), min_size=1))
def test_sampled(function: Sampled, q: list[int]) -> None:
    function.check()
    last = len(function.values) - 1
    assert function(np.array(q)).tolist() == [function.values[min(max(v - function.low, 0), last)] for v in q]


def test_sampled_by_hand() -> None:
    function = Sampled(low=-1, values=(5, 6, 7))
    assert function(np.array([-9, -1, 0, 1, 2])).tolist() == [5, 5, 6, 7, 7]
    assert (function.window, function.range) == ((-1, 1), (5, 7))


@given(FUNCTIONS, st.integers(1, 1 << 30))
def test_a_function_is_constant_outside_its_window(function: Function, far: int) -> None:
    """Close to the ends, where the window could be too narrow, and far away."""
    low, high = function.window
    assert low <= high
    near = np.arange(1, 1200)
    below, above = np.append(low - near, low - far), np.append(high + near, high + far)
    assert set(function(below).tolist()) == {int(function(np.array([low]))[0])}
    assert set(function(above).tolist()) == {int(function(np.array([high]))[0])}


@given(FUNCTIONS)
def test_a_function_stays_in_its_range(function: Function) -> None:
    low, high = function.range
    values = function(np.arange(-2000, 2000))
    assert low <= int(values.min()) and int(values.max()) <= high


@pytest.mark.parametrize(
    ("function", "window"),
    [
        (Clamp(minimum=0, maximum=127), (0, 127)),
        (Clamp(minimum=-127, maximum=127), (-127, 127)),
        (Clamp(minimum=-127, maximum=127, numerator=0), (0, 127)),
        (Clamp(minimum=-5, maximum=-2), (-5, 0)),
        (Clamp(minimum=3, maximum=9), (0, 9)),
        (Clamp(minimum=-10, maximum=10, numerator=1, shift=1), (-22, 10)),
    ],
)
def test_windows_by_hand(function: Clamp, window: tuple[int, int]) -> None:
    assert function.window == window


def test_rounding_shift_by_hand() -> None:
    assert round_shift(np.array([-3, -2, -1, 0, 1, 2, 3]), 1).tolist() == [-1, -1, 0, 0, 1, 1, 2]
    assert round_shift(np.array([-24, -8, 7, 8, 24]), 4).tolist() == [-1, 0, 0, 1, 2]
    assert round_shift(np.array([-3, 5]), 0).tolist() == [-3, 5]


@given(st.integers(-(1 << 61), 1 << 61), st.integers(1, 48))
def test_rounding_shift_is_the_floor(value: int, shift: int) -> None:
    assert int(round_shift(np.array([value]), shift)[0]) == (value + 2 ** (shift - 1)) // 2**shift


# Refusals ------------------------------------------------------------------------------------------------------------------------------

RELU = Clamp(minimum=0, maximum=9)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (Range(bits=0), "1 to 18 bits"),
        (Range(bits=19), "1 to 18 bits"),
        (Range(bits=-1), "1 to 18 bits"),
        (Sign(limit=0), "limit lies in"),
        (Sign(limit=1 << 17), "limit lies in"),
        (Graph(function=RELU, low=1, high=0), "domain has"),
        (Graph(function=RELU, low=0, high=1 << 18), "domain has"),
        (Graph(function=RELU, low=MAX_CELL, high=MAX_CELL + 1), "domain has"),
        (Graph(function=RELU, low=-MAX_CELL - 1, high=-MAX_CELL), "domain has"),
        (Window(function=RELU, low=0, bits=0), "a window has"),
        (Window(function=RELU, low=0, bits=17), "a window has"),
        (Window(function=RELU, low=-MAX_CELL - 1, bits=16), "a window has"),
        (Window(function=RELU, low=1, bits=8), "not constant outside"),
        (Window(function=RELU, low=-7, bits=4), "not constant outside"),
        (Graph(function=Clamp(minimum=2, maximum=1), low=0, high=1), "minimum <= maximum"),
        (Graph(function=Clamp(minimum=-MAX_CELL - 1, maximum=1), low=0, high=1), "minimum <= maximum"),
        (Graph(function=Clamp(minimum=0, maximum=MAX_CELL + 1), low=0, high=1), "minimum <= maximum"),
        (Graph(function=Clamp(minimum=0, maximum=1, numerator=2, shift=0), low=0, high=1), "negative slope"),
        (Graph(function=Clamp(minimum=0, maximum=1, numerator=-1, shift=3), low=0, high=1), "negative slope"),
        (Graph(function=Clamp(minimum=0, maximum=1, numerator=1, shift=21), low=0, high=1), "negative slope"),
        (Graph(function=Clamp(minimum=0, maximum=1, numerator=0, shift=-1), low=0, high=1), "negative slope"),
        (Graph(function=Sampled(low=0, values=()), low=0, high=1), "a sampled function has"),
        (Graph(function=Sampled(low=0, values=(0,) * ((1 << 18) + 1)), low=0, high=1), "a sampled function has"),
        (Graph(function=Sampled(low=MAX_CELL + 1, values=(0,)), low=0, high=1), "cells are below"),
        (Graph(function=Sampled(low=0, values=(0, MAX_CELL + 1)), low=0, high=1), "cells are below"),
        (Graph(function=Sampled(low=0, values=(0, -MAX_CELL - 1)), low=0, high=1), "cells are below"),
    ],
)
def test_refusals(table: Table, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        table.check()


def test_the_largest_tables_pass() -> None:
    for table in (Range(bits=18), Sign(limit=(1 << 17) - 1), Graph(function=RELU, low=-1, high=(1 << 18) - 2)):
        table.check()
        assert table.num_rows <= 1 << 18
    Window(function=RELU, low=-6, bits=4).check()
