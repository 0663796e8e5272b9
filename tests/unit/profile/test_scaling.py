"""The scaling benchmark: its circuit fills the witness it says, its page and plot are what it measured."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benches import scaling

ROWS = [
    {"log_cells": 14, "prove_seconds": 0.05, "verify_seconds": 0.03, "proof_bytes": 80000, "peak_mb": 170.0, "threads": 2, "load": 0.1},
    {"log_cells": 16, "prove_seconds": 0.2, "verify_seconds": 0.03, "proof_bytes": 100000, "peak_mb": 190.0, "threads": 2, "load": 0.1},
    {"log_cells": 26, "error": "ciro_zk.errors.ResourceError: the proof does not fit in memory"},
]


@pytest.mark.parametrize("log_cells", [14, 15, 18, 22, 26])
def test_circuit_fills_the_witness(log_cells: int) -> None:
    plan = scaling.circuit(log_cells).program.plan
    assert plan.witness_layout.num_vars == log_cells
    assert plan.log_leaves == log_cells


def test_measured() -> None:
    row = scaling.measure(14, 1, 1)
    assert row["prove_seconds"] > 0 and row["proof_bytes"] > 10_000 and row["security_bits"] >= 100


def test_growth_is_per_doubling() -> None:
    text = scaling.table(ROWS)
    assert "0.200 (x 2.00)" in text and "does not fit" in text


def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAGE", "PLOT", "FIGURES"):
        monkeypatch.setattr(scaling, name, tmp_path / name)
    scaling.PAGE.write_text(f"before\n{scaling.BEGIN}\nold\n{scaling.END}\nafter\n")
    scaling.write(ROWS[:1])
    scaling.write(ROWS[1:])
    page = scaling.PAGE.read_text()
    assert page.startswith("before\n") and page.endswith("\nafter\n") and "old" not in page
    assert "2^14" in page and "2^16" in page
    assert len(ET.parse(scaling.PLOT).getroot().findall("{http://www.w3.org/2000/svg}polyline")) == 3


def test_page_needs_its_markers() -> None:
    with pytest.raises(ValueError, match="markers"):
        scaling.page_with("text", "no markers")
