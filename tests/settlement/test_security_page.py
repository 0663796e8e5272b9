"""The numbers of docs/settlement-security.md are those of the parameters."""

from __future__ import annotations

from math import comb
from pathlib import Path

import pytest

from ciro_zk.settlement.parameters import ATTESTER_SIZES, COMMITTEE_QUORUM, COMMITTEE_SIZE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settlement-security.md"


def at_least(count: int, share: float) -> float:
    """Of a committee."""
    return sum(comb(COMMITTEE_SIZE, k) * share**k * (1 - share) ** (COMMITTEE_SIZE - k) for k in range(count, COMMITTEE_SIZE + 1))


def row(share: float) -> str:
    sample = share ** ATTESTER_SIZES[0]
    false = at_least(COMMITTEE_QUORUM, share)
    blocked = at_least(COMMITTEE_SIZE - COMMITTEE_QUORUM + 1, share)
    return f"| {share:.0%} | {sample:.3%} | {false:.3%} | {sample * false:.4%} | {blocked:.2%} |"


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 1 / 3, 0.5])
def test_row(share: float) -> None:
    assert row(share) in PAGE.read_text()
