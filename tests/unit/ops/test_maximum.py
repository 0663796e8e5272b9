"""Maxima: equal to one operand and below none."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.circuit.op import CircuitError
from ciro_zk.lookup.tables import Range, Sign
from ciro_zk.ops import Maximum
from tests.unit.ops.checks import check_commitment, check_interval, lookup_rows, random_values, tensor, zero_check_values
from tests.unit.poly_forms.reference import SEEDS, shapes

TABLES = (Range(bits=5),)


def maximum(num: int) -> Maximum:
    return Maximum(inputs=tuple(range(num)), range_table=0)


def test_by_hand() -> None:
    a, b = np.array([1, -5, 3]), np.array([0, -4, 3])
    assert maximum(2).run([a, b], TABLES)[0].tolist() == [1, -4, 3]


@given(st.integers(2, 4), shapes(max_axes=3, max_size=30), SEEDS)
def test_maximum(num: int, shape: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = [tensor(shape, -16 + k, 13 - k) for k in range(num)]
    values = [random_values(rng, x) for x in inputs]
    (y,) = check_commitment(maximum(num), inputs, values, TABLES)
    assert y.tolist() == np.stack(values).max(axis=0).tolist()
    check_interval(maximum(num), rng, inputs, tables=TABLES)


@pytest.mark.parametrize("num", [2, 3, 4])
def test_no_other_value_passes(num: int) -> None:
    """Every y in a wide range against every choice of operands: lookups and zero check together admit the maximum alone."""
    inputs = [tensor((1,), -2, 2)] * num
    for operands in product((-2, 0, 1), repeat=num):
        values = [np.array([v]) for v in operands]
        passing = [
            y
            for y in range(-40, 41)
            if all(rows[0] >= 0 for rows in lookup_rows(maximum(num), inputs, values, [np.array([y])], TABLES))
            and zero_check_values(maximum(num), inputs, values, [np.array([y])]) == [[0]]
        ]
        assert passing == [max(operands)]


def test_the_bounds_are_those_of_the_operands() -> None:
    (y,) = maximum(2).infer([tensor((2,), -3, 5), tensor((2,), 0, 9)], TABLES)
    assert (y.low, y.high) == (-3, 9)


@pytest.mark.parametrize(
    ("num", "spans", "reason"),
    [
        (1, [(0, 3)], "2 to 4 tensors"),
        (5, [(0, 3)] * 5, "2 to 4 tensors"),
        (2, [(0, 32), (0, 3)], "do not fit the range table"),
        (2, [(0, 3), (-20, 12)], "do not fit the range table"),
    ],
)
def test_refusals(num: int, spans: list[tuple[int, int]], reason: str) -> None:
    with pytest.raises(CircuitError, match=reason):
        maximum(num).infer([tensor((2,), low, high) for low, high in spans], TABLES)


def test_a_difference_of_the_tables_last_row_fits() -> None:
    x = tensor((2,), -16, 15)
    check_commitment(maximum(2), [x, x], [np.array([-16, 15]), np.array([15, -16])], TABLES)


def test_the_operands_have_one_shape_and_the_table_is_a_range() -> None:
    with pytest.raises(CircuitError, match="one shape"):
        maximum(2).infer([tensor((2,), 0, 1), tensor((3,), 0, 1)], TABLES)
    with pytest.raises(CircuitError, match="no range table"):
        maximum(2).infer([tensor((2,), 0, 1)] * 2, (Sign(limit=3),))
