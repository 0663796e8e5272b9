"""The benchmark of large weights, scaled down: all its steps, the estimates of memory, and the table that it writes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from benches import large


def check(scale: int, folder: Path) -> None:
    report = large.measure(scale, folder)
    assert report["parameters"] >= report["compile"]["weights"] > 0
    assert abs(report["parameters"] * scale / 123_656_017 - 1) < 0.1
    assert report["verify"]["security_bits"] >= 100
    assert report["verify"]["verify_seconds"] < 5 and report["verify"]["registration_seconds"] < 5
    assert report["setup"]["pk_bytes"] < 4.5 * report["parameters"] + (2 << 20)  # small tensors have fine weights, of 4 bytes
    for step in ("setup", "prove"):
        taken = report[step]["peak_bytes"] - report[step]["base_bytes"]
        assert 0.6 < taken / report[step]["estimated_bytes"] < 1.15, (step, taken, report[step]["estimated_bytes"])
    table = large.table(report)
    assert [line.split(" | ")[0] for line in table.splitlines()[4:]] == [f"| {step}" for step in large.STEPS]


def test_a_sixty_fourth(tmp_path: Path) -> None:
    check(64, tmp_path)


@pytest.mark.long
def test_an_eighth(tmp_path: Path) -> None:
    check(8, tmp_path)


def test_in_full_it_is_gpt_2s() -> None:
    layers, tokens = large.widths(1)
    assert (layers, tokens) == ([768, 1536, 768, 3072, 768], 50257)
    weights = large.BLOCKS * sum(a * b for a, b in pairwise(layers)) + 768 * tokens
    assert 123e6 < weights < 125e6
