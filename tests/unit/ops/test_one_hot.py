"""One-hot ids: run, bounds, and forms that the verifier evaluates at the ones alone."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.circuit.error import EXACT, Approximation, Error
from ciro_zk.circuit.op import CircuitError
from ciro_zk.circuit.tensor import Storage
from ciro_zk.ops import OneHot
from ciro_zk.poly import linear_form
from tests.unit.ops.checks import check_bounds, check_interval, random_values, tensor
from tests.unit.poly_forms.reference import SEEDS, pair, random_term, shapes, spelled


def test_by_hand() -> None:
    """Negative ids count from the end; beyond it there is no cell."""
    (y,) = OneHot(inputs=(0,), length=3).run([np.array([[0, 2], [-1, 3], [-3, -4]])], ())
    assert y.tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 0, 1], [0, 0, 0]], [[1, 0, 0], [0, 0, 0]]]


@given(SEEDS, shapes(), st.integers(1, 7))
def test_forms_are_evaluated_at_the_ones(seed: int, shape: tuple[int, ...], length: int) -> None:
    rng = np.random.default_rng(seed)
    ids = tensor(shape, -length - 1, length, Storage.INPUT)
    op = OneHot(inputs=(0,), length=length)
    values = [random_values(rng, ids)]
    (y,) = check_bounds(op, [ids], values)
    check_interval(op, rng, [ids])
    term = random_term(rng, (*shape, length))
    assert linear_form.value_at(term, op.ones(values)) == pair(spelled(term), y)
    assert op.ones(values).size <= prod(shape)


def test_an_id_that_may_be_another_one_moves_its_row() -> None:
    op, ids = OneHot(inputs=(0,), length=4), np.array([1, 2])
    (hot,) = op.run([ids], ())
    (error,) = op.error([Approximation.known(ids, Error(np.array([0.0, 0.5])))], [(hot, hot)], (), EXACT)
    assert error.bound.tolist() == [[0.0] * 4, [1.0] * 4]


@pytest.mark.parametrize("storage", [s for s in Storage if s is not Storage.INPUT])
def test_ids_that_the_verifier_does_not_hold_are_refused(storage: Storage) -> None:
    with pytest.raises(CircuitError, match="public input"):
        OneHot(inputs=(0,), length=4).infer([tensor((3,), 0, 3, storage)], ())


@pytest.mark.parametrize(("shape", "length"), [((3,), 0), ((3,), (1 << 20) + 1), ((1,) * 8, 4)])
def test_too_many_cells_or_axes(shape: tuple[int, ...], length: int) -> None:
    with pytest.raises(CircuitError, match="one_hot"):
        OneHot(inputs=(0,), length=length).infer([tensor(shape, 0, 3, Storage.INPUT)], ())
