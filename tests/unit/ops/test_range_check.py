"""Range checks: limbs that rebuild the value, met by every value of the range and by none outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.circuit.op import CircuitError
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import Clamp, Graph, Range
from ciro_zk.ops import RangeCheck
from tests.unit.ops.checks import check_commitment, check_interval, lookup_rows, random_values, tensor
from tests.unit.poly_forms.reference import SEEDS

TABLES = (Graph(function=Clamp(minimum=0, maximum=3), low=-4, high=4), Range(bits=4))


def check(low: int, num_limbs: int) -> RangeCheck:
    return RangeCheck(inputs=(0,), range_table=1, low=low, num_limbs=num_limbs)


def test_by_hand() -> None:
    x = tensor((3,), -2048, 2047)
    low, middle = check_commitment(check(-2048, 3), [x], [np.array([-2048, 2047, 0x123 - 2048])], TABLES)
    assert low.tolist() == [0, 15, 3]
    assert middle.tolist() == [0, 15, 2]


def test_one_limb_commits_nothing() -> None:
    x = tensor((16,), -8, 7)
    assert check_commitment(check(-8, 1), [x], [np.arange(-8, 8)], TABLES) == ()


@given(st.integers(1, 8), st.integers(-(1 << 40), 1 << 40), SEEDS)
def test_every_value_in_range_passes(num_limbs: int, low: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = tensor((4, 3), low, low + (1 << 4 * num_limbs) - 1)
    values = random_values(rng, x)
    limbs = check_commitment(check(low, num_limbs), [x], [values], TABLES)
    top = (values - low) >> 4 * (num_limbs - 1)
    rebuilt = low + sum(limb << 4 * i for i, limb in enumerate((*limbs, top)))
    assert np.array_equal(rebuilt, values)
    check_interval(check(low, num_limbs), rng, [x], tables=TABLES)


@pytest.mark.parametrize("num_limbs", [1, 2])
@pytest.mark.parametrize("error", [-1, 1])
def test_no_limbs_admit_a_value_outside(num_limbs: int, error: int) -> None:
    """All limbs of the range table's size, for the values next to the range and for a value 2^4 away from it."""
    low, high = -100, -100 + (1 << 4 * num_limbs) - 1
    x, op = tensor((1,), low, high), check(low, num_limbs)
    for value in (low - 1, low - 16, high + 1, high + 16) if error < 0 else (low + (P - 1) // 2, high + 256):
        for limb in range(16) if num_limbs == 2 else [0]:
            outputs = [np.array([limb])] * (num_limbs - 1)
            rows = lookup_rows(op, [x], [np.array([value])], outputs, TABLES)
            assert any(row[0] == -1 for row in rows)


@pytest.mark.parametrize(
    ("op", "low", "high", "reason"),
    [
        (check(0, 0), 0, 15, "1 to 8 limbs"),
        (check(0, 9), 0, (1 << 36) - 1, "1 to 8 limbs"),
        (check(0, 2), 0, 254, "do not make the range"),
        (check(0, 2), 0, 256, "do not make the range"),
        (check(0, 2), -1, 254, "do not make the range"),
        (RangeCheck(inputs=(0,), range_table=0, low=0, num_limbs=1), 0, 15, "no range table"),
        (RangeCheck(inputs=(0,), range_table=2, low=0, num_limbs=1), 0, 15, "no range table"),
    ],
)
def test_refusals(op: RangeCheck, low: int, high: int, reason: str) -> None:
    with pytest.raises(CircuitError, match=reason):
        op.infer([tensor((2,), low, high)], TABLES)


def test_at_most_60_bits() -> None:
    tables = (Range(bits=16),)
    op = RangeCheck(inputs=(0,), range_table=0, low=0, num_limbs=4)
    with pytest.raises(CircuitError, match="at most 60 bits"):
        op.infer([tensor((2,), 0, (1 << 64) - 1)], tables)
