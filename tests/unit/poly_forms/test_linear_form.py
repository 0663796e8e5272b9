"""Linear forms: every pull-back keeps the value, <A^T w, x> = <w, A x>, and no form reads past an axis's real length."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciro_zk.circuit.plan import point_term
from ciro_zk.field import arrays, goldilocks
from ciro_zk.field.extension import ONE, ZERO, Ext, total
from ciro_zk.poly import linear_form
from ciro_zk.poly.linear_form import Dense, Eq, Term, num_vars
from tests.unit.poly_forms.reference import (
    SEEDS,
    from_table,
    pair,
    random_ext,
    random_point,
    random_table,
    random_term,
    same,
    shapes,
    spelled,
    spelled_eq,
)


def test_an_axis_of_d_cells_takes_ceil_log2_d_variables() -> None:
    assert [num_vars(d) for d in (0, 1, 2, 3, 4, 5, 8, 9, 768, 1024, 1025)] == [0, 0, 1, 2, 2, 3, 3, 4, 10, 10, 11]


def test_eq_by_hand_on_an_axis_of_three() -> None:
    a, b = Ext(3), Ext(0, 5)
    eq = Eq((a, b), 3)
    expected = [(ONE - a) * (ONE - b), (ONE - a) * b, a * (ONE - b)]
    assert eq.dims == (3,)
    assert arrays.to_list(eq.dense()) == expected  # the fourth weight, a b, is not there
    assert linear_form.ones_value(Term((eq,))) == ONE - a * b


def test_eq_on_a_unit_axis_is_one() -> None:
    assert arrays.to_list(Eq((), 1).dense()) == [ONE]


def test_dense_by_hand() -> None:
    row = Dense(np.array([[1, 2], [0, 0]], dtype=np.uint64))
    column = Dense(np.array([[3, 0], [0, 1]], dtype=np.uint64))
    term = Term((row, column), Ext(10))
    assert term.shape == (2, 2)
    assert arrays.to_list(linear_form.dense(term)) == [Ext(30), Ext(0, 10), Ext(60), Ext(0, 20)]


def test_a_term_without_groups_is_its_coefficient() -> None:
    assert arrays.to_list(linear_form.dense(Term((), Ext(7)))) == [Ext(7)]
    assert linear_form.value_on(Term((), Ext(7)), np.array([3])) == Ext(21)
    assert linear_form.ones_value(Term((), Ext(7))) == Ext(7)


@given(SEEDS, shapes())
def test_dense_ones_value_and_value_on_agree_with_the_spelled_form(seed: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    term = random_term(rng, shape)
    weights = spelled(term)
    assert term.shape == shape
    assert same(from_table(linear_form.dense(term)), weights.reshape(-1))
    assert linear_form.ones_value(term) == total(weights.reshape(-1).tolist())
    for bound in (1, 1 << 11, 1 << 40, 1 << 60):
        cells = rng.integers(-bound, bound, prod(shape), endpoint=True)
        cells[rng.random(cells.size) < 0.3] = -bound
        assert linear_form.value_on(term, cells) == pair(weights, goldilocks.from_signed(cells))


def test_public_cells_of_long_axes() -> None:
    """A long Eq is split; short axes are summed together."""
    rng = np.random.default_rng(3)
    for shape in ((1 << 14, 2), (1 << 14,), (20_000,), (3, 1, 1 << 15), (100, 90)):
        term = point_term(random_point(rng, sum(num_vars(d) for d in shape)), shape).scaled(random_ext(rng))
        cells = rng.integers(-2048, 2048, prod(shape))
        assert linear_form.value_on(term, cells) == arrays.inner_product_base(linear_form.dense(term), goldilocks.from_signed(cells))


@given(SEEDS, shapes())
def test_scaling_a_term_scales_its_weights(seed: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    term, factor = random_term(rng, shape), random_ext(rng)
    assert same(spelled(term.scaled(factor)), spelled(term) * factor)
    assert same(spelled(term.scaled(5)), spelled(term) * Ext(5))


# Reshape ---------------------------------------------------------------------------------------------------------------------------


@st.composite
def refactored(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes of the same size: one list of factors, grouped in two ways, unit axes anywhere."""
    factors = draw(st.lists(st.sampled_from([2, 2, 2, 3, 4, 5, 6]), max_size=5).filter(lambda f: prod(f) <= 240))

    def grouped() -> tuple[int, ...]:
        shape: list[int] = []
        current = 1
        for factor in factors:
            current *= factor
            if draw(st.booleans()):
                shape.append(current)
                current = 1
        shape.append(current)
        for _ in range(draw(st.integers(0, 2))):
            shape.insert(draw(st.integers(0, len(shape))), 1)
        return tuple(shape)

    return grouped(), grouped()


@settings(max_examples=200)
@given(SEEDS, refactored())
def test_reshape_keeps_every_weight_in_c_order(seed: int, both: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    have, want = both
    term = random_term(np.random.default_rng(seed), have)
    pulled = linear_form.reshape(term, want)
    assert pulled.shape == want
    assert same(spelled(pulled), spelled(term).reshape(want))


@given(SEEDS, refactored())
def test_reshaping_twice_returns_the_form(seed: int, both: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    have, want = both
    term = random_term(np.random.default_rng(seed), have)
    back = linear_form.reshape(linear_form.reshape(term, want), have)
    assert same(spelled(back), spelled(term))


def test_reshape_to_the_same_shape_is_the_term_itself() -> None:
    term = random_term(np.random.default_rng(0), (3, 5))
    assert linear_form.reshape(term, (3, 5)) is term


def test_an_eq_over_a_power_of_two_splits_into_eqs() -> None:
    point = random_point(np.random.default_rng(1), 5)
    pulled = linear_form.reshape(Term((Eq(point, 32),)), (4, 1, 2, 4))
    assert [(g.point, g.length) for g in pulled.groups if isinstance(g, Eq)] == [(point[:2], 4), ((), 1), (point[2:3], 2), (point[3:], 4)]


def test_aligned_groups_stay_apart() -> None:
    rng = np.random.default_rng(2)
    a, b = Eq(random_point(rng, 3), 6), Eq(random_point(rng, 2), 3)
    groups = linear_form.reshape(Term((a, b)), (1, 6, 1, 3, 1)).groups
    assert (groups[1], groups[3]) == (a, b)
    assert all(groups[i].is_one for i in (0, 2, 4))


def test_an_eq_over_six_cells_seen_as_two_by_three_becomes_dense() -> None:
    point = random_point(np.random.default_rng(3), 3)
    (group,) = linear_form.reshape(Term((Eq(point, 6),)), (2, 3)).groups
    assert isinstance(group, Dense) and group.dims == (2, 3)
    assert same(from_table(group.values), spelled_eq(point, 6).reshape(2, 3))


def test_unit_dense_groups_keep_their_weight() -> None:
    term = Term((Dense(np.array([[5], [0]], dtype=np.uint64)), Eq((Ext(2),), 2)))
    assert same(spelled(linear_form.reshape(term, (2,))), spelled(term).reshape(2))


@pytest.mark.parametrize(("have", "want"), [((6,), (5,)), ((2, 3), (2, 4)), ((4,), (2,)), ((2,), (4,)), ((6,), (4, 2)), ((3,), (1,))])
def test_reshape_refuses_another_number_of_cells(have: tuple[int, ...], want: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="cannot be read on shape"):
        linear_form.reshape(random_term(np.random.default_rng(0), have), want)


# Transpose -------------------------------------------------------------------------------------------------------------------------


def test_transpose_by_hand() -> None:
    a, b = Eq((Ext(2),), 2), Eq((Ext(3), Ext(4)), 3)
    assert linear_form.transpose(Term((a, b)), (1, 0)).groups == (b, a)


@given(SEEDS, shapes(), st.data())
def test_transpose_moves_every_weight(seed: int, shape: tuple[int, ...], data: st.DataObject) -> None:
    """<w, x.transpose(p)> = <w', x>."""
    rng = np.random.default_rng(seed)
    permutation = tuple(data.draw(st.permutations(range(len(shape)))))
    x = rng.integers(-50, 50, shape)
    y = x.transpose(permutation)
    term = random_term(rng, y.shape)
    pulled = linear_form.transpose(term, permutation)
    assert pulled.shape == shape
    assert pair(spelled(pulled), x) == pair(spelled(term), y)


# One axis ---------------------------------------------------------------------------------------------------------------------------


@given(SEEDS, shapes(), st.data())
def test_a_map_of_one_axis_is_pulled_back_by_its_transpose(seed: int, shape: tuple[int, ...], data: st.DataObject) -> None:
    """<w, A x> = <A^T w, x> for a dense matrix A along one axis, whether the axis has a group of its own or not."""
    rng = np.random.default_rng(seed)
    axis = data.draw(st.integers(0, len(shape) - 1))
    n_out = data.draw(st.integers(1, 5))
    matrix = rng.integers(0, 9, (n_out, shape[axis]))
    x = rng.integers(-50, 50, shape)
    y = np.moveaxis(np.tensordot(matrix, x, axes=(1, axis)), 0, axis)
    term = random_term(rng, y.shape)

    def pull(values: np.ndarray) -> np.ndarray:
        spelled_values = from_table(values)
        result = np.dot(spelled_values, np.vectorize(Ext.from_int, otypes=[object])(matrix))
        flat = result.reshape(-1).tolist()
        return arrays.from_list(flat).reshape(2, *result.shape)

    pulled = linear_form.map_axis(term, axis, pull)
    assert pulled.shape == shape
    assert pair(spelled(pulled), x) == pair(spelled(term), y)


def test_groups_beside_the_mapped_axis_stay_as_they_are() -> None:
    rng = np.random.default_rng(4)
    a, b, c = Eq(random_point(rng, 2), 3), Eq(random_point(rng, 1), 2), Dense(random_table(rng, 2, 2))
    pulled = linear_form.map_axis(Term((a, b, c)), 1, lambda values: np.concatenate([values, values], axis=-1))
    assert pulled.groups[0] is a and pulled.groups[2] is c
    assert pulled.groups[1].dims == (4,)


# Padding ------------------------------------------------------------------------------------------------------------------------------


@given(SEEDS, st.integers(1, 33))
def test_an_eq_has_weights_for_real_cells_only(seed: int, length: int) -> None:
    point = random_point(np.random.default_rng(seed), num_vars(length))
    eq = Eq(point, length)
    assert eq.dense().shape == (2, length)
    assert same(from_table(eq.dense()), spelled_eq(point, length))
    if length == 1 << num_vars(length):
        assert linear_form.ones_value(Term((eq,))) == ONE


def test_the_zero_form_is_zero() -> None:
    term = Term((Eq((Ext(9),), 2),), ZERO)
    assert linear_form.value_on(term, np.array([5, 6])) == ZERO
