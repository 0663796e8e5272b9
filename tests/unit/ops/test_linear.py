"""Affine operators: run against numpy, and <term, A x + b> = sum of <pulled, x> + <term, b>."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.circuit.op import HALF_FIELD, CircuitError, LinearOp
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.field.extension import total
from ciro_zk.ops import AxisMap, Combine, Reshape, Transpose
from ciro_zk.poly import linear_form
from tests.unit.ops.checks import check_bounds, check_interval, random_values, tensor
from tests.unit.poly_forms.reference import SEEDS, pair, random_term, shapes, spelled, value_of

X = tensor((2, 3, 4), -9, 11)


def check_op(op: LinearOp, inputs: list[Tensor], seed: int) -> np.ndarray:
    """Bounds, interval and pull-back of an operator on random values; returns its output."""
    rng = np.random.default_rng(seed)
    values = [random_values(rng, x) for x in inputs]
    (y,) = check_bounds(op, inputs, values)
    check_interval(op, rng, inputs)
    (made,) = op.infer(inputs, ())
    assert made.storage is Storage.VIRTUAL
    term = random_term(rng, y.shape)
    pulled = op.pull_back(term, inputs)
    for source, part in pulled:
        assert part.shape == inputs[op.inputs.index(source)].shape
    offset = total(spelled(term).reshape(-1).tolist()) * op.constant()
    expected = pair(spelled(term), y)
    assert value_of(pulled, dict(zip(op.inputs, values, strict=True))) + offset == expected
    assert linear_form.ones_value(term) * op.constant() == offset
    return np.asarray(y)


# Reshape, Transpose ------------------------------------------------------------------------------------------------------------------


def test_reshape_by_hand() -> None:
    (y,) = Reshape(inputs=(0,), shape=(3, 2)).run([np.arange(6)], ())
    assert y.tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("shape", [(24,), (1, 24), (4, 6), (6, 4), (2, 12), (8, 3), (3, 8), (2, 3, 2, 2), (2, 1, 3, 4, 1), (2, 3, 4)])
def test_reshape(shape: tuple[int, ...]) -> None:
    for seed in range(3):
        check_op(Reshape(inputs=(0,), shape=shape), [X], seed)


@given(SEEDS, shapes(), st.data())
def test_transpose(seed: int, shape: tuple[int, ...], data: st.DataObject) -> None:
    permutation = tuple(data.draw(st.permutations(range(len(shape)))))
    x = tensor(shape, -5, 5)
    y = check_op(Transpose(inputs=(0,), permutation=permutation), [x], seed)
    assert np.array_equal(y, random_values(np.random.default_rng(seed), x).transpose(permutation))


# AxisMap -------------------------------------------------------------------------------------------------------------------------------


def test_axis_map_by_hand() -> None:
    """Sums, a repeated index, a left-out entry, a negative weight."""
    op = AxisMap(inputs=(0,), axis=1, index=((0, 1), (2, 2), (1, 0), (0, 2)), weight=((1, 1), (1, 2), (0, 3), (-1, 1)))
    (y,) = op.run([np.array([[1, 10, 100], [2, 20, 200]])], ())
    assert y.tolist() == [[11, 300, 3, 99], [22, 600, 6, 198]]
    (made,) = op.infer([tensor((2, 3), -1, 4)], ())
    assert (made.shape, made.low, made.high) == ((2, 4), -5, 12)


@st.composite
def axis_maps(draw: st.DrawFn) -> tuple[AxisMap, Tensor]:
    shape = draw(shapes(max_axes=3))
    axis = draw(st.integers(0, len(shape) - 1))
    n_out, width = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    index = draw(st.lists(st.tuples(*[st.integers(0, shape[axis] - 1)] * width), min_size=n_out, max_size=n_out))
    weights = st.sampled_from([0, 0, 1, 1, 1, -1, 2, -3, 7])
    weight = draw(st.lists(st.tuples(*[weights] * width), min_size=n_out, max_size=n_out))
    return AxisMap(inputs=(3,), axis=axis, index=tuple(index), weight=tuple(weight)), tensor(shape, -8, 13)


@given(axis_maps(), SEEDS)
def test_axis_map(case: tuple[AxisMap, Tensor], seed: int) -> None:
    op, x = case
    y = check_op(op, [x], seed)
    values = random_values(np.random.default_rng(seed), x)
    matrix = np.zeros((len(op.index), x.shape[op.axis]), dtype=np.int64)
    for i, (row, weights) in enumerate(zip(op.index, op.weight, strict=True)):
        for j, w in zip(row, weights, strict=True):
            matrix[i, j] += w
    assert np.array_equal(y, np.moveaxis(np.tensordot(matrix, values, axes=(1, op.axis)), 0, op.axis))


def test_axis_map_with_all_weights_zero_is_zero() -> None:
    op = AxisMap(inputs=(0,), axis=0, index=((0,), (1,)), weight=((0,), (0,)))
    assert not check_op(op, [tensor((2, 3), -4, 4)], 0).any()


def test_axis_map_of_large_weights() -> None:
    """Up to half the field: exact in the run, and the same in F_p."""
    op = AxisMap(inputs=(0,), axis=0, index=((0, 1), (1, 1)), weight=((1 << 61, -(1 << 61)), (-(1 << 62), 5)))
    check_op(op, [tensor((2,), -1, 1)], 3)


# Combine -------------------------------------------------------------------------------------------------------------------------------


def test_combine_by_hand() -> None:
    op = Combine(inputs=(0, 1), coefficients=(2, -3), offset=5)
    (y,) = op.run([np.array([1, 2]), np.array([10, 20])], ())
    assert y.tolist() == [-23, -51]
    (made,) = op.infer([tensor((2,), 0, 1), tensor((2,), -1, 4)], ())
    assert (made.low, made.high) == (5 - 12, 5 + 2 + 3)


@given(SEEDS, shapes(), st.lists(st.integers(-(1 << 40), 1 << 40), min_size=1, max_size=4), st.integers(-(1 << 50), 1 << 50))
def test_combine(seed: int, shape: tuple[int, ...], coefficients: list[int], offset: int) -> None:
    inputs = [tensor(shape, -5 - k, 7 * k) for k in range(len(coefficients))]
    op = Combine(inputs=tuple(range(len(inputs))), coefficients=tuple(coefficients), offset=offset)
    y = check_op(op, inputs, seed)
    rng = np.random.default_rng(seed)
    assert np.array_equal(y, offset + sum(c * random_values(rng, x) for c, x in zip(coefficients, inputs, strict=True)))


def test_combining_a_tensor_with_itself() -> None:
    op = Combine(inputs=(0, 0), coefficients=(3, -1))
    x = np.array([4, -2])
    term = random_term(np.random.default_rng(0), (2,))
    assert op.run([x, x], ())[0].tolist() == [8, -4]
    pulled = op.pull_back(term, [tensor((2,), -9, 9)] * 2)
    assert value_of(pulled, {0: x}) == pair(spelled(term), 2 * x)


# Refusals ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        (Reshape(inputs=(0,), shape=(5, 5)), "cannot reshape"),
        (Reshape(inputs=(0,), shape=(-4, -6)), "at least one cell"),
        (Reshape(inputs=(0,), shape=(1,) * 8 + (24,)), "1 to 8 axes"),
        (Transpose(inputs=(0,), permutation=(0, 1)), "no permutation"),
        (Transpose(inputs=(0,), permutation=(0, 1, 1)), "no permutation"),
        (Transpose(inputs=(0,), permutation=(-1, 0, 1)), "no permutation"),
        (AxisMap(inputs=(0,), axis=3, index=((0,),), weight=((1,),)), "no axis"),
        (AxisMap(inputs=(0,), axis=-1, index=((0,),), weight=((1,),)), "no axis"),
        (AxisMap(inputs=(0,), axis=0, index=((2,),), weight=((1,),)), "outside axis"),
        (AxisMap(inputs=(0,), axis=0, index=((-1,),), weight=((0,),)), "outside axis"),
        (AxisMap(inputs=(0,), axis=0, index=(), weight=()), "rectangles"),
        (AxisMap(inputs=(0,), axis=0, index=((0, 1), (0,)), weight=((1, 1), (1, 1))), "rectangles"),
        (AxisMap(inputs=(0,), axis=0, index=((0,),), weight=((1,), (1,))), "rectangles"),
        (AxisMap(inputs=(0,), axis=0, index=((0,),), weight=((HALF_FIELD // 11 + 1,),)), "wrap around"),
        (Combine(inputs=(0, 0), coefficients=(1,)), "one coefficient per tensor"),
        (Combine(inputs=(0,), coefficients=(HALF_FIELD,)), "does not fit the field"),
        (Combine(inputs=(0,), coefficients=(1,), offset=-HALF_FIELD), "does not fit the field"),
        (Combine(inputs=(0,), coefficients=(HALF_FIELD // 11 + 1,)), "wrap around"),
    ],
)
def test_refusals(op: LinearOp, reason: str) -> None:
    with pytest.raises(CircuitError, match=reason):
        op.infer([X] * len(op.inputs), ())


def test_the_largest_value_below_half_the_field_is_taken() -> None:
    (made,) = Combine(inputs=(0,), coefficients=(1,), offset=HALF_FIELD - 1 - 11).infer([X], ())
    assert made.high == HALF_FIELD - 1
    with pytest.raises(CircuitError, match="wrap around"):
        Combine(inputs=(0,), coefficients=(1,), offset=HALF_FIELD - 11).infer([X], ())


def test_combine_needs_one_shape() -> None:
    with pytest.raises(CircuitError, match="common shape"):
        Combine(inputs=(0, 1), coefficients=(1, 1)).infer([tensor((2, 3), 0, 1), tensor((3, 2), 0, 1)], ())


def test_a_broadcast_is_an_axis_map() -> None:
    op = AxisMap(inputs=(0,), axis=1, index=((0,),) * 5, weight=((1,),) * 5)
    y = check_op(op, [tensor((3, 1, 2), -4, 4)], 1)
    assert y.shape == (3, 5, 2) and np.array_equal(y, np.repeat(y[:, :1], 5, axis=1))
    assert prod(y.shape) == 30
