"""Extension scalars and arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.field import arrays
from ciro_zk.field.extension import NON_RESIDUE, ONE, ZERO, Ext, P, powers, total

COORDINATES = st.one_of(st.sampled_from([0, 1, P - 1, 2**32 - 1, 2**32]), st.integers(0, P - 1))
SCALARS = st.builds(Ext, COORDINATES, COORDINATES)


def test_seven_is_no_square() -> None:
    assert pow(NON_RESIDUE, (P - 1) // 2, P) == P - 1


@given(SCALARS, SCALARS, SCALARS)
def test_field_axioms(a: Ext, b: Ext, c: Ext) -> None:
    assert a * (b + c) == a * b + a * c
    assert (a * b) * c == a * (b * c)
    assert a - b == a + (-b)
    assert a * 3 == a + a + a
    if a:
        assert a * a.inverse() == ONE


def test_the_generator_squares_to_seven() -> None:
    assert Ext(0, 1) * Ext(0, 1) == Ext(7)


def test_zero_has_no_inverse() -> None:
    with pytest.raises(ZeroDivisionError):
        ZERO.inverse()


@given(SCALARS)
def test_bytes_round_trip(a: Ext) -> None:
    assert Ext.from_bytes(bytes(a)) == a


@pytest.mark.parametrize("data", [b"", bytes(15), bytes(17), P.to_bytes(8, "little") + bytes(8), bytes(8) + b"\xff" * 8])
def test_bad_encodings_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes|canonical"):
        Ext.from_bytes(data)


def test_powers_and_total() -> None:
    base = Ext(3, 5)
    assert powers(base, 3) == [ONE, base, base * base]
    assert total(powers(base, 3)) == ONE + base + base * base


@given(st.lists(st.tuples(SCALARS, SCALARS), max_size=12), SCALARS)
def test_arrays_agree_with_scalars(pairs: list[tuple[Ext, Ext]], s: Ext) -> None:
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    a, b = arrays.from_list(left), arrays.from_list(right)
    assert a.shape == (2, len(pairs))
    assert arrays.to_list(a) == left
    assert arrays.to_list(arrays.add(a, b)) == [x + y for x, y in pairs]
    assert arrays.to_list(arrays.sub(a, b)) == [x - y for x, y in pairs]
    assert arrays.to_list(arrays.mul(a, b)) == [x * y for x, y in pairs]
    assert arrays.to_list(arrays.scale(a, s)) == [x * s for x in left]
    assert arrays.to_list(arrays.scale_base(a[0], s)) == [s * x.c0 for x in left]
    assert arrays.to_list(arrays.mul_base(a, b[0])) == [x * y.c0 for x, y in pairs]
    assert arrays.to_list(arrays.from_base(a[0])) == [Ext(x.c0) for x in left]
    assert arrays.total(a) == total(left)
    assert arrays.inner_product(a, b) == total(x * y for x, y in pairs)
    assert arrays.inner_product_base(a, b[1]) == total(x * y.c1 for x, y in pairs)
    for i, x in enumerate(left):
        assert arrays.get(a, i) == x


def test_zeros() -> None:
    assert arrays.to_list(arrays.zeros(3)) == [ZERO] * 3
    assert arrays.zeros(3).dtype == np.uint64
