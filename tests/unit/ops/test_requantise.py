"""Requantisation: the one rounding rule, its limbs, both forms of the function lookup, and that no other cells meet the lookups."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.circuit.op import HALF_FIELD, CircuitError
from ciro_zk.circuit.tensor import Storage
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import Clamp, Function, Graph, Range, Sampled, Sign, Table, Window
from ciro_zk.ops import Requantise
from ciro_zk.ops.limbs import inverse_power
from tests.unit.ops.checks import check_commitment, check_interval, lookup_rows, random_values, signed, tensor
from tests.unit.poly_forms.reference import SEEDS

RELU = Clamp(minimum=0, maximum=127)
IDENTITY = Clamp(minimum=-127, maximum=127)
LEAKY = Clamp(minimum=-100, maximum=127, numerator=3, shift=5)
CURVE = Sampled(low=-6, values=(-9, -9, -4, 3, -7, 0, 1, 5, 20, 21, 21))


def graph_form(function: Function, low: int = -600, high: int = 600, bits: int = 4) -> tuple[Table, ...]:
    return (Range(bits=bits), Graph(function=function, low=low, high=high))


def window_form(function: Function, low: int = -1100, log: int = 11, limit: int = 1, bits: int = 4) -> tuple[Table, ...]:
    tables = (Range(bits=bits), Sign(limit=limit), Window(function=function, low=low, bits=log))
    for table in tables:
        table.check()
    return tables


def requantise(shift: int, tables: tuple[Table, ...]) -> Requantise:
    return Requantise(inputs=(0,), shift=shift, tables=tuple(range(1, len(tables))), range_table=0)


def rounded(x: int, shift: int) -> int:
    """floor((x + 2^(s-1)) / 2^s) over Python integers."""
    return x if shift == 0 else (x + 2 ** (shift - 1)) // 2**shift


def function_value(function: Function, q: int) -> int:
    """The functions above over Python integers."""
    if isinstance(function, Sampled):
        return function.values[min(max(q - function.low, 0), len(function.values) - 1)]
    scaled = rounded(q * function.numerator, function.shift) if q < 0 else q
    return min(max(scaled, function.minimum), function.maximum)


# Rounding ------------------------------------------------------------------------------------------------------------------------------


def test_ties_go_upward_for_negatives_too() -> None:
    x = np.array([-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5])
    out, *_ = requantise(1, graph_form(IDENTITY)).run([x], graph_form(IDENTITY))
    assert out.tolist() == [-2, -2, -1, -1, 0, 0, 1, 1, 2, 2, 3]


def test_the_rule_is_not_that_of_numpy_or_python() -> None:
    """Half to even makes 0.5 a 0 and -1.5 a -2; here they are 1 and -1."""
    x = np.array([1, 5, -3])
    out, *_ = requantise(1, graph_form(IDENTITY)).run([x], graph_form(IDENTITY))
    assert out.tolist() == [1, 3, -1]
    assert np.rint(x / 2).tolist() == [0, 2, -2] == [round(v / 2) for v in x.tolist()]


@given(st.integers(0, 20), st.sampled_from([RELU, IDENTITY, LEAKY, CURVE]), SEEDS)
def test_run_against_python_integers(shift: int, function: Function, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-(590 << shift), (590 << shift) + 1, 50)
    x[:9] = [(k << shift) + (1 << shift >> 1) + d for k in (-3, -1, 2) for d in (-1, 0, 1)]
    tables = graph_form(function)
    out, *limbs = requantise(shift, tables).run([x], tables)
    assert out.tolist() == [function_value(function, rounded(int(v), shift)) for v in x]
    rem = sum(limb.astype(object) << (0 if i == 0 else shift - 4 * (len(limbs) - i)) for i, limb in enumerate(limbs))
    assert np.all(x + (1 << shift >> 1) == (np.array([rounded(int(v), shift) for v in x]) << shift) + rem)


# Lookups -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0, 1, 3, 4, 5, 7, 8, 9, 11, 12, 13, 25])
@pytest.mark.parametrize("form", [graph_form, window_form])
@pytest.mark.parametrize("function", [RELU, IDENTITY, LEAKY, CURVE])
def test_honest_cells_meet_every_lookup(shift: int, form: object, function: Function) -> None:
    """Shifts below, at and above one, two and three limbs of four bits."""
    tables = form(function)  # type: ignore[operator]
    x = tensor((5, 7), -(590 << shift), (590 << shift) - 1)
    op = requantise(shift, tables)
    outputs = check_commitment(op, [x], [random_values(np.random.default_rng(shift), x)], tables)
    num_limbs = -(-shift // 4)
    assert len(outputs) == 1 + num_limbs + (2 if form is window_form else 0)
    assert [t.storage for t in op.infer([x], tables)] == [Storage.WITNESS] * len(outputs)


@given(st.integers(0, 16), st.sampled_from([RELU, IDENTITY, LEAKY, CURVE]), SEEDS)
def test_the_window_form_is_the_graph_form(shift: int, function: Function, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-(600 << shift), 600 << shift, 40)
    graph, window = graph_form(function), window_form(function)
    assert np.array_equal(requantise(shift, graph).run([x], graph)[0], requantise(shift, window).run([x], window)[0])


def test_the_domain_of_either_form_ends_where_the_lookups_do() -> None:
    for tables in (graph_form(RELU, -20, 30), window_form(RELU, low=-5, log=8, limit=2)):
        op = requantise(3, tables)
        low, high = op.domain(tables)
        x = tensor((4,), -(1 << 20), 1 << 20)
        inside = np.array([low << 3, (low << 3) - 4, (high << 3) + 3, high << 3])
        outside = np.array([(low << 3) - 5, (low - 1) << 3, (high << 3) + 4, (high + 1) << 3])
        assert all(np.all(rows >= 0) for rows in lookup_rows(op, [x], [inside], op.run([inside], tables), tables))
        rows = np.stack(lookup_rows(op, [x], [outside], op.run([outside], tables), tables))
        assert np.all(rows.min(axis=0) == -1)


def test_the_domains_by_hand() -> None:
    tables = window_form(RELU, low=-5, log=8, limit=2)
    assert requantise(3, tables).domain(tables) == (-5 - 2 * 256, -5 + 3 * 256 - 1)
    tables = graph_form(RELU, -20, 30)
    assert requantise(3, tables).domain(tables) == (-20, 30)


# Exactness: soundness over the integers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [1, 2, 3, 4, 5])
def test_no_other_cells_meet_the_lookups(shift: int) -> None:
    """Of all limbs that a two-bit range lookup admits, fractions v / 2^gap of F_p too, only the honest ones give a q in the table."""
    tables = (Range(bits=2), Graph(function=Clamp(minimum=-2, maximum=2), low=-3, high=3))
    widths = [shift - 2 * ((shift - 1) // 2)] + [2] * ((shift - 1) // 2)
    gap = inverse_power(2 - widths[0])
    admitted = [range(-3, 4), [v * gap % P for v in range(4)], *[range(4)] * (len(widths) - 1)]
    check_only_honest_cells(requantise(shift, tables), tables, list(product(*admitted)), range(-(3 << shift), 3 << shift))


def test_no_other_cells_meet_the_window_lookups() -> None:
    tables = window_form(Clamp(minimum=-2, maximum=1), low=-2, log=2, limit=2, bits=2)
    op = requantise(1, tables)
    low, high = op.domain(tables)
    limbs = [v * inverse_power(1) % P for v in range(4)]
    check_only_honest_cells(op, tables, list(product(range(-3, 3), limbs, range(4), (-1, 0, 1))), range(low << 1, high << 1))


def check_only_honest_cells(op: Requantise, tables: tuple[Table, ...], candidates: list[tuple[int, ...]], inputs: range) -> None:
    """Of all candidate outputs, exactly the run's meet the lookups, for every input cell."""
    x = tensor((len(candidates),), inputs.start, inputs.stop)
    outputs = [np.array(column, dtype=object) for column in zip(*candidates, strict=True)]
    for value in inputs:
        honest = tuple(int(v[0]) for v in op.run([np.array([value])], tables))
        rows = np.stack(lookup_rows(op, [x], [np.full(len(candidates), value)], outputs, tables))
        assert [candidates[i] for i in np.flatnonzero(np.all(rows >= 0, axis=0))] == [honest]


@given(SEEDS, st.integers(0, 3), st.sampled_from([-1, 1, 16, P - 1]))
def test_a_cell_off_by_something_misses_a_lookup(seed: int, which: int, error: int) -> None:
    """out, both limbs of a shift of seven, moved one at a time (x stays)."""
    tables = graph_form(IDENTITY, bits=4)
    op = requantise(7, tables)
    x = tensor((3,), -(120 << 7), 120 << 7)
    values = random_values(np.random.default_rng(seed), x)
    outputs = [v.astype(object) for v in op.run([values], tables)]
    target = which % len(outputs)
    outputs[target] = outputs[target].copy()
    outputs[target][1] += error
    rows = lookup_rows(op, [x], [values], outputs, tables)
    assert any(row[1] == -1 for row in rows)
    assert all(row[0] >= 0 and row[2] >= 0 for row in rows)


def test_signed_reads_elements_back() -> None:
    assert signed([0, 1, P - 1, P // 2, P // 2 + 1]).tolist() == [0, 1, -1, P // 2, -(P // 2)]


# Bounds --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [RELU, IDENTITY, LEAKY, CURVE])
@pytest.mark.parametrize("shift", [0, 1, 6])
def test_intervals(function: Function, shift: int) -> None:
    for tables in (graph_form(function), window_form(function)):
        for seed in range(10):
            x = tensor((3, 2), -(20 + 3 * seed), 5 << shift)
            check_interval(requantise(shift, tables), np.random.default_rng(seed), [x], tables=tables)


def test_the_interval_of_a_curve_sees_its_inner_extremes() -> None:
    tables = graph_form(CURVE)
    ((low, high),) = requantise(0, tables).interval([(np.array([-4]), np.array([5]))], tables)
    assert (low.item(), high.item()) == (-7, 21)


def test_values_that_could_wrap_around_the_field_are_refused() -> None:
    """2^gap (|x| + 2^s) stays below p / 2; gap = 16 - 5."""
    tables = (Range(bits=16), Graph(function=RELU, low=-100, high=100))
    op = requantise(5, tables)
    limit = (HALF_FIELD - 1) // (1 << 11) - (1 << 5)
    op.infer([tensor((1,), -limit, 0)], tables)
    with pytest.raises(CircuitError, match="wrap around"):
        op.infer([tensor((1,), -limit - 1, 0)], tables)
    requantise(16, tables).infer([tensor((1,), -(HALF_FIELD - (1 << 16) - 1), 0)], tables)  # whole limbs: no gap


def test_a_table_domain_that_could_wrap_around_the_field_is_refused() -> None:
    tables = (Range(bits=12), Graph(function=RELU, low=0, high=(1 << 18) - 1))
    requantise(36, tables).infer([tensor((1,), 0, 1)], tables)
    tables = (Range(bits=12), Graph(function=RELU, low=1 << 30, high=(1 << 30) + 9))
    with pytest.raises(CircuitError, match="wrap around"):
        requantise(36, tables).infer([tensor((1,), 0, 1)], tables)


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        (Requantise(inputs=(0,), shift=-1, tables=(1,), range_table=0), r"a shift lies in \[0, 48\]"),
        (Requantise(inputs=(0,), shift=49, tables=(1,), range_table=0), r"a shift lies in \[0, 48\]"),
        (Requantise(inputs=(0,), shift=3, tables=(0,), range_table=0), "no graph table"),
        (Requantise(inputs=(0,), shift=3, tables=(1,), range_table=1), "no range table"),
        (Requantise(inputs=(0,), shift=3, tables=(1,), range_table=9), "no range table"),
        (Requantise(inputs=(0,), shift=3, tables=(1,), range_table=-1), "no range table"),
        (Requantise(inputs=(0,), shift=3, tables=(3, 2), range_table=0), "no sign table"),
        (Requantise(inputs=(0,), shift=3, tables=(2, 1), range_table=0), "no window table"),
        (Requantise(inputs=(0,), shift=3, tables=(), range_table=0), "one graph table, or a sign and a window"),
        (Requantise(inputs=(0,), shift=3, tables=(2, 3, 1), range_table=0), "one graph table, or a sign and a window"),
    ],
)
def test_refusals(op: Requantise, reason: str) -> None:
    tables = (*graph_form(RELU), Sign(limit=3), Window(function=RELU, low=-1, bits=8))
    with pytest.raises(CircuitError, match=reason):
        op.infer([tensor((2,), -4, 4)], tables)


def test_without_a_shift_there_are_no_limbs_and_no_range_table_is_needed() -> None:
    tables: tuple[Table, ...] = (Graph(function=RELU, low=-9, high=9),)
    op = Requantise(inputs=(0,), shift=0, tables=(0,), range_table=7)
    x = tensor((4,), -9, 9)
    (out,) = check_commitment(op, [x], [np.array([-9, -1, 0, 9])], tables)
    assert out.tolist() == [0, 0, 0, 9]
