"""Quotients and square roots: the one integer that both remainders allow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.circuit.op import CircuitError
from ciro_zk.circuit.tensor import Tensor
from ciro_zk.lookup.tables import Range, Sign
from ciro_zk.ops import Divide, Hadamard, SquareRoot
from ciro_zk.ops.enclosed import integer_root
from ciro_zk.ops.limbs import lower_limbs, num_limbs, reach
from tests.strategies import ends
from tests.unit.ops.checks import Integers, check_commitment, check_interval, lookup_rows, random_values, tensor
from tests.unit.poly_forms.reference import SEEDS, shapes


def divide(n: Tensor, d: Tensor) -> Divide:
    return Divide.of((0, 1), (ends(n), ends(d)))


def root(v: Tensor) -> SquareRoot:
    return SquareRoot.of((0,), (ends(v),))


def test_by_hand() -> None:
    n, d = np.array([7, -7, 6, 0, -1]), np.array([3, 3, 3, 5, 5])
    op = divide(tensor((5,), -7, 7), tensor((5,), 3, 5))
    assert op.run([n, d], (Range(bits=4),))[0].tolist() == [2, -3, 2, 0, -1]
    v = np.array([0, 1, 3, 4, 8, 9, 15])
    assert root(tensor((7,), 0, 15)).run([v], (Range(bits=4),))[0].tolist() == [0, 1, 1, 2, 2, 3, 3]


@given(st.integers(1, 16), st.integers(1, 40))
def test_limbs_hold_what_they_should(bits: int, width: int) -> None:
    """Every value up to 2^width - 1 has limbs in range, and no limbs stand for more than `reach`."""
    values = np.array([0, 1, (1 << width) - 1, (1 << width) // 3, ((1 << width) - 1) ^ ((1 << width) // 5)])
    limbs = lower_limbs(values, width, bits)
    assert len(limbs) == num_limbs(width, bits) - 1
    top = values - sum((limb << (bits * i) for i, limb in enumerate(limbs)), np.zeros_like(values))
    step = 1 << max(0, width - bits)
    assert not np.any(top % step)
    assert np.all(top // step >= 0) and np.all(top // step < 1 << bits)
    ends = [(1 << bits) - 1] * len(limbs)
    assert reach(width, bits) == sum(e << (bits * i) for i, e in enumerate(ends)) + ((1 << bits) - 1) * step
    assert (1 << width) - 1 <= reach(width, bits) < max(1 << bits, 1 << (width + 1))


@given(shapes(max_axes=3, max_size=30), SEEDS, st.integers(3, 12), st.booleans())
def test_divide(shape: tuple[int, ...], seed: int, bits: int, signed: bool) -> None:
    rng = np.random.default_rng(seed)
    inputs = [tensor(shape, -5000 if signed else 0, int(rng.integers(1, 100_000))), tensor(shape, int(rng.integers(1, 50)), 3000)]
    values = [random_values(rng, x) for x in inputs]
    op, tables = divide(*inputs), (Range(bits=bits),)
    y, quotient_times_d, *_ = check_commitment(op, inputs, values, tables)
    assert y.tolist() == (values[0] // values[1]).tolist()
    assert np.array_equal(quotient_times_d, y * values[1])
    check_interval(op, rng, inputs, tables=tables)


@given(shapes(max_axes=3, max_size=30), SEEDS, st.integers(3, 12), st.integers(1, 44))
def test_square_root(shape: tuple[int, ...], seed: int, bits: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    v = tensor(shape, int(rng.integers(0, 3)), 1 << width)
    values = [random_values(rng, v)]
    op, tables = root(v), (Range(bits=bits),)
    y, square, *_ = check_commitment(op, [v], values, tables)
    assert y.reshape(-1).tolist() == [isqrt(int(x)) for x in values[0].reshape(-1)]
    assert np.array_equal(square, y * y)
    check_interval(op, rng, [v], tables=tables)


@given(st.integers(0, (1 << 31) - 2), st.integers(-2, 2))
def test_roots_near_squares(y: int, off: int) -> None:
    v = max(0, y * y + off)
    assert integer_root(np.array([v])).tolist() == [isqrt(v)]


def passing(
    op: Divide | SquareRoot, inputs: Sequence[Tensor], values: Sequence[Integers], candidates: Sequence[int], bits: int
) -> list[int]:
    """The y for which some limbs meet every lookup, the product being y times the other operand."""
    tables = (Range(bits=bits),)
    num = len(op.infer(inputs, tables)) - 2
    found = []
    for y in candidates:
        other = values[1][0] if len(values) == 2 else y
        for limbs in product(range(1 << bits), repeat=num):
            outputs = [np.array([v]) for v in (y, y * other, *limbs)]
            if all(rows[0] >= 0 for rows in lookup_rows(op, inputs, values, outputs, tables)):
                found.append(y)
                break
    return found


@pytest.mark.parametrize("bits", [2, 5])
def test_no_other_quotient_passes(bits: int) -> None:
    """Any y and any limbs: the quotient alone passes."""
    inputs = [tensor((1,), -7, 7), tensor((1,), 1, 4)]
    op = divide(*inputs)
    for n, d in product((-7, -4, -1, 0, 3, 6, 7), (1, 3, 4)):
        assert passing(op, inputs, [np.array([n]), np.array([d])], range(-30, 31), bits) == [n // d]


@pytest.mark.parametrize("bits", [2, 5])
def test_no_other_root_passes(bits: int) -> None:
    inputs = [tensor((1,), 0, 12)]
    op = root(inputs[0])
    for v in range(13):
        assert passing(op, inputs, [np.array([v])], range(-20, 21), bits) == [isqrt(v)]


def test_the_product_is_the_operators_own() -> None:
    n, d = tensor((2,), 0, 9), tensor((2,), 1, 3)
    assert divide(n, d).products((7, 8)) == {8: Hadamard(inputs=(7, 1))}
    assert root(n).products((7, 8)) == {8: Hadamard(inputs=(7, 7))}


def test_bounds() -> None:
    y, *_ = divide(tensor((1,), -100, 60), tensor((1,), 3, 7)).infer([tensor((1,), -100, 60), tensor((1,), 3, 7)], (Range(bits=4),))
    assert (y.low, y.high) == (-34, 20)
    y, *_ = root(tensor((1,), 5, 99)).infer([tensor((1,), 5, 99)], (Range(bits=4),))
    assert (y.low, y.high) == (2, 9)


def divide_by(low: int, width: int, rest_width: int) -> Divide:
    return Divide(inputs=(0, 1), range_table=0, low=low, width=width, rest_width=rest_width)


def root_of(width: int, rest_width: int) -> SquareRoot:
    return SquareRoot(inputs=(0,), range_table=0, low=0, width=width, rest_width=rest_width)


@pytest.mark.parametrize(
    ("op", "ranges", "reason"),
    [
        (divide_by(0, 4, 4), [(0, 9), (0, 9)], "must be positive"),
        (divide_by(10, 4, 4), [(0, 9), (1, 9)], "no result fits its limbs"),
        (divide_by(-30, 4, 4), [(0, 9), (1, 9)], "no result fits its limbs"),
        (divide_by(0, 61, 4), [(0, 9), (1, 9)], "widths lie in"),
        (divide_by(0, 4, 0), [(0, 9), (1, 9)], "widths lie in"),
        (divide_by(0, 40, 30), [(0, 9), (1, 1 << 30)], "wrap around"),
        (divide_by(0, 40, 30), [(0, 9)], "one shape"),
        (root_of(4, 4), [(-1, 9)], "must not be negative"),
        (root_of(32, 34), [(0, 1 << 62)], "wrap around"),
    ],
)
def test_refusals(op: Divide | SquareRoot, ranges: list[tuple[int, int]], reason: str) -> None:
    with pytest.raises(CircuitError, match=reason):
        op.infer([tensor((1,), low, high) for low, high in ranges], (Range(bits=4),))


def test_limbs_may_be_narrower_than_the_operands_allow() -> None:
    """The result's range follows, and what lies outside has no row."""
    inputs = [tensor((1,), 0, 90), tensor((1,), 1, 9)]
    op = divide_by(5, 2, 4)
    out = op.infer(inputs, (Range(bits=2),))[0]
    assert (out.low, out.high) == (5, 8)
    assert passing(op, inputs, [np.array([21]), np.array([4])], range(-30, 31), 2) == [5]
    assert passing(op, inputs, [np.array([90]), np.array([9])], range(-30, 31), 2) == []


def test_operands_of_other_shapes() -> None:
    with pytest.raises(CircuitError, match="one shape"):
        divide_by(0, 4, 4).infer([tensor((1,), 0, 9), tensor((2,), 1, 9)], (Range(bits=4),))


def test_the_table_is_a_range() -> None:
    with pytest.raises(CircuitError, match="no range table"):
        root(tensor((1,), 0, 9)).infer([tensor((1,), 0, 9)], (Sign(limit=3),))
