"""Base-field arrays against Python integers and galois."""

from __future__ import annotations

import galois
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.field import goldilocks as gl
from ciro_zk.field.extension import P

EDGES = [0, 1, 2, 7, 2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1, 2**63, (P - 1) // 2, (P + 1) // 2, 2**64 - 2**33, P - 2**32, P - 2, P - 1]
ELEMENTS = st.one_of(st.sampled_from(EDGES), st.integers(0, P - 1))


def words(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


PAIRS = [(x, y) for x in EDGES for y in EDGES]
LEFT, RIGHT = words(*[x for x, _ in PAIRS]), words(*[y for _, y in PAIRS])


def test_edges_against_python_integers() -> None:
    assert gl.add(LEFT, RIGHT).tolist() == [(x + y) % P for x, y in PAIRS]
    assert gl.sub(LEFT, RIGHT).tolist() == [(x - y) % P for x, y in PAIRS]
    assert gl.mul(LEFT, RIGHT).tolist() == [x * y % P for x, y in PAIRS]
    assert gl.neg(LEFT).tolist() == [-x % P for x, _ in PAIRS]


def test_agrees_with_galois() -> None:
    field = galois.GF(P)
    x, y = EDGES[1:], EDGES[::-1][:-1]
    assert (field(x) * field(y)).tolist() == gl.mul(words(*x), words(*y)).tolist()
    assert (field(x) ** -1).tolist() == gl.inverse(words(*x)).tolist()


@given(ELEMENTS, ELEMENTS, ELEMENTS)
def test_field_axioms(x: int, y: int, z: int) -> None:
    a, b, c = words(x), words(y), words(z)
    assert gl.mul(a, gl.add(b, c)).tolist() == gl.add(gl.mul(a, b), gl.mul(a, c)).tolist()
    assert gl.mul(gl.mul(a, b), c).tolist() == gl.mul(a, gl.mul(b, c)).tolist()
    assert gl.sub(gl.add(a, b), b).tolist() == a.tolist()
    assert gl.add(a, gl.neg(a)).tolist() == [0]
    assert gl.mul(a, b).tolist() == gl.mul(b, a).tolist() == [x * y % P]
    if x:
        assert gl.mul(a, gl.inverse(a)).tolist() == [1]


@given(st.integers(-(2**30), 2**30), st.integers(0, 31))
def test_a_signed_multiple_of_a_power_of_two_divides_back(q: int, s: int) -> None:
    half = pow(pow(2, s, P), P - 2, P)
    product = gl.mul(gl.from_signed(np.array([q << s])), words(half))
    assert product.tolist() == [q % P]
    assert gl.to_signed(product).tolist() == [q]


@given(st.lists(st.integers(-(2**63) + 2**32, 2**63 - 2**32), min_size=1))
def test_signed_round_trip(values: list[int]) -> None:
    signed = np.array(values, dtype=np.int64)
    images = gl.from_signed(signed)
    assert images.tolist() == [v % P for v in values]
    assert gl.is_canonical(images)
    assert gl.to_signed(images).tolist() == values


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.bool_])
def test_small_integers_convert(dtype: type) -> None:
    values = np.array([0, 1], dtype=dtype)
    assert gl.from_signed(values).tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [np.float64, np.uint64])
def test_other_numbers_are_refused(dtype: type) -> None:
    with pytest.raises(TypeError, match="signed integers"):
        gl.from_signed(np.array([1], dtype=dtype))


def test_canonical_check() -> None:
    assert gl.is_canonical(words(0, P - 1))
    assert not gl.is_canonical(words(0, P))
    assert not gl.is_canonical(words(2**64 - 1))


@given(st.lists(ELEMENTS, max_size=40))
def test_sums(values: list[int]) -> None:
    assert gl.sum_all(words(*values)) == sum(values) % P
    if values:
        column = words(*values)[:, None]
        assert gl.sum_axis(column, axis=0).tolist() == [sum(values) % P]
        assert gl.sum_axis(column[:, 0]).tolist() == sum(values) % P


@given(st.lists(st.lists(ELEMENTS, min_size=1, max_size=5), min_size=1, max_size=5))
def test_sums_of_runs(runs: list[list[int]]) -> None:
    starts = np.cumsum([0, *(len(run) for run in runs[:-1])])
    values = words(*[value for run in runs for value in run])
    assert gl.sum_runs(values, starts).tolist() == [sum(run) % P for run in runs]
    assert gl.sum_runs(np.stack([values, values]), starts).tolist() == [[sum(run) % P for run in runs]] * 2


def test_power_and_powers() -> None:
    assert gl.power(words(3, 0), 100).tolist() == [pow(3, 100, P), 0]
    assert gl.power(words(3, 0), 0).tolist() == [1, 1]
    assert gl.powers(7, 11).tolist() == [pow(7, i, P) for i in range(11)]
    with pytest.raises(ValueError, match="negative"):
        gl.power(words(3), -1)


def test_zero_has_no_inverse() -> None:
    with pytest.raises(ZeroDivisionError):
        gl.inverse(words(1, 0))
