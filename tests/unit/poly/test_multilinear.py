"""Multilinear tables: folding is evaluation, eq is what it says."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.field import arrays
from ciro_zk.field.extension import ONE, ZERO, Ext, P, total
from ciro_zk.poly import multilinear as ml

COORDINATES = st.one_of(st.sampled_from([0, 1, P - 1, 2**32]), st.integers(0, P - 1))
SCALARS = st.builds(Ext, COORDINATES, COORDINATES)
POINTS = st.lists(SCALARS, max_size=5)


def table_of(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, P, (2, size), dtype=np.uint64)


def vertex(index: int, variables: int) -> list[Ext]:
    return [Ext(index >> (variables - 1 - i) & 1) for i in range(variables)]


@given(POINTS)
def test_eq_table_is_eq_at_every_vertex_and_sums_to_one(point: list[Ext]) -> None:
    table = arrays.to_list(ml.eq_table(point))
    assert table == [ml.eq(point, vertex(i, len(point))) for i in range(1 << len(point))]
    assert total(table) == ONE


@given(POINTS)
def test_evaluation_is_the_inner_product_with_eq(point: list[Ext]) -> None:
    table = table_of(1 << len(point))
    weights = ml.eq_table(point)
    assert ml.evaluate(table, point) == ml.inner_product(weights, table)
    assert ml.evaluate_base(table[0], point) == ml.inner_product_base(weights, table[0])


def test_evaluation_at_a_vertex_is_the_entry() -> None:
    table = table_of(8)
    assert [ml.evaluate(table, vertex(i, 3)) for i in range(8)] == arrays.to_list(table)


@given(SCALARS, st.lists(SCALARS, min_size=2, max_size=2))
def test_folding_binds_the_first_variable(r: Ext, rest: list[Ext]) -> None:
    table = table_of(8)
    folded = ml.fold_stack(np.stack([table, table_of(8, 1)]), r)
    assert folded.shape == (2, 2, 4) and folded.flags.c_contiguous
    assert ml.evaluate(folded[0], rest) == ml.evaluate(table, [r, *rest])
    assert ml.evaluate(ml.fold_base(table[1], r), rest) == ml.evaluate_base(table[1], [r, *rest])


@given(POINTS, POINTS)
def test_outer_of_eq_tables_is_the_eq_table_of_both_points(a: list[Ext], b: list[Ext]) -> None:
    assert np.array_equal(ml.outer(ml.eq_table(a), ml.eq_table(b)), ml.eq_table([*a, *b]))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (8, 2), (5, 1 << 17)])
def test_contractions(rows: int, columns: int) -> None:
    matrix = np.random.default_rng(2).integers(0, P, (rows, columns), dtype=np.uint64)
    left, right = table_of(rows), table_of(columns, 3)
    by_rows, by_columns = ml.contract_rows(left, matrix), ml.contract_columns(matrix, right)
    assert arrays.get(by_columns, rows - 1) == ml.inner_product_base(right, matrix[-1])
    assert arrays.get(by_rows, columns - 1) == ml.inner_product_base(left, matrix[:, -1])
    assert ml.inner_product(by_rows, right) == ml.inner_product(left, by_columns)


def test_add_outer_changes_only_its_range() -> None:
    target, a, b = table_of(9), table_of(2, 1), table_of(3, 2)
    expected = arrays.to_list(target)
    for i, x in enumerate(arrays.to_list(a)):
        for j, y in enumerate(arrays.to_list(b)):
            expected[2 + 3 * i + j] = expected[2 + 3 * i + j] + x * y
    ml.add_outer(target, 2, a, b)
    assert arrays.to_list(target) == expected


def test_points_must_fit() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        ml.evaluate(table_of(4), [ONE])
    with pytest.raises(ValueError, match="does not fit"):
        ml.evaluate_base(table_of(4)[0], [ONE, ONE, ONE])
    with pytest.raises(ValueError, match="shorter"):
        ml.eq([ONE, ZERO], [ONE])


def test_eq_on_the_hypercube_is_equality() -> None:
    for a, b in product(range(4), repeat=2):
        assert ml.eq(vertex(a, 2), vertex(b, 2)) == (ONE if a == b else ZERO)
