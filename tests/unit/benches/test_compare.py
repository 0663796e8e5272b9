"""compare.py and its tables: peers that are absent, runs that end early, figures as text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benches import compare, measure, tables

ROOT = measure.ROOT


def settings(**changed: Any) -> compare.Settings:
    given = {
        "repeats": 2,
        "peer_repeats": 1,
        "timeout": 60,
        "memory_mb": 4000,
        "ezkl_scale": 13,
        "ezkl_columns": (2,),
        "ezkl_max_log_rows": 22,
        "cold": False,
        "profile": False,
    }
    return compare.Settings(**(given | changed))


def ours(**changed: Any) -> dict[str, Any]:
    result = {
        "model": "lenet5",
        "system": "ours",
        "outcome": "done",
        "reason": "",
        "bits": "12/12",
        "security_bits": 100.17,
        "compile_seconds": 0.35,
        "setup_seconds": 0.08,
        "prove_seconds": 0.0661,
        "prove_p90": 0.0738,
        "num_proofs": 20,
        "verify_seconds": 0.0502,
        "peak_rss_mb": {"compile": 100.4, "setup": 187.0, "prove": 193.0, "verify": 39.0},
        "proof_bytes": 134_600,
        "proof_file_bytes": 141_000,
        "max_abs_error": 0.0376,
        "median_max_abs_error": 0.0061,
        "argmax_same": 20,
        "num_compared": 20,
        "max_abs_output": 5.81,
        "details": {
            "security_bits_without_grinding": 82.2,
            "weight_cells": 44_426,
            "witness_cells": 30_211,
            "lookups": 18_592,
            "table_rows": 10_275,
            "log_leaves": 16,
            "log_oracles": [16, 16],
            "levels": [[{"num_vars": 16, "code": {"num_queries": 123}}, {"num_vars": 16, "code": {"num_queries": 91}}]],
            "grinding_bits": 18,
            "phases": {"inference": 0.0013, "opening": 0.029},
            "grinding_seconds": 0.0086,
            "grinding_max": 0.024,
            "first_proof_seconds": 0.078,
            "load_seconds": 0.021,
            "kernel_load_seconds": 0.38,
            "prove_threads": 2,
            "registration_seconds": 0.031,
            "pk_bytes": 481_000,
            "vk_bytes": 125_500,
            "verify_heavy_modules": [],
        },
    }
    return result | changed


def report(*results: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": 1,
        "commit": "0123456789ab",
        "changed_files": [],
        "date": "2026-01-02 03:04 UTC",
        "machine": {"processor": "A CPU", "cores": 2, "memory_gb": 25.3, "system": "Linux", "load_average": [0.1, 0.1, 0.1]},
        "versions": {"python": "3.11.7"},
        "models": {"lenet5": {"input_shape": {"image": [1, 1, 28, 28]}, "parameters": 44_426}},
        "results": list(results),
        "kernels": {"compile_seconds": 10.7, "load_seconds": 0.36},
        "command_line": {"model": "lenet5", "prove_total_seconds": 1.05, "verify_total_seconds": 0.4},
    }


def test_absent_peers_are_reported_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "ROOT", tmp_path)
    session = compare.Session(tmp_path, settings(), {})
    results = [compare.measured(session, system, "lenet5") for system in ("ezkl", "jstprove")]
    assert [r["outcome"] for r in results] == ["absent", "absent"]
    assert results[0]["reason"] == "no .venv-ezkl: run `make peers`"
    for text in (tables.plain(report(ours(), *results)), tables.markdown(report(ours(), *results))):
        assert "ezkl on LeNet-5: absent: no .venv-ezkl: run `make peers`." in text
        assert "jstprove on LeNet-5: absent" in text
        assert "KZG" not in text  # no notes on systems that did not run


def test_a_step_that_fails_ends_its_system(tmp_path: Path) -> None:
    session = compare.Session(tmp_path, settings(), {})
    with pytest.raises(compare.Stopped) as stopped:
        session.step("ours lenet5 setup", [sys.executable, "-c", "raise SystemExit('no')"])
    assert (stopped.value.outcome, stopped.value.reason) == ("failed", "setup: no")
    with pytest.raises(compare.Stopped) as stopped:
        compare.Session(tmp_path, settings(timeout=0.3), {}).step("ezkl lenet5 prove", ["sleep", "600"])
    assert stopped.value.outcome == "timed out"


def test_partial_figures_are_kept() -> None:
    partial = {"model": "lenet5", "system": "jstprove", "version": "2.1.0", "outcome": "out of memory", "reason": "prove: killed"}
    line = tables.row(partial | {"compile_seconds": 64.2, "peak_rss_mb": {"compile": 3200.0}})
    assert line == ["LeNet-5", "jstprove 2.1.0", "64.2 s", "-", "out of memory", "-", "-", "3.2 GB", "-", "-", "-"]


def test_difference_from_float(tmp_path: Path) -> None:
    session = compare.Session(tmp_path, settings(), {"m": {"float_outputs": [[1.0, 2.0], [0.5, -3.0], [9.0, 9.0]]}})
    found = session.difference("m", [[1.25, 2.0], [-0.5, 0.0]])
    assert found == {"max_abs_error": 3.0, "median_max_abs_error": 1.625, "argmax_same": 1, "num_compared": 2, "max_abs_output": 3.0}


def test_row_and_notes() -> None:
    line = tables.row(ours())
    assert line[:5] == ["LeNet-5", "ciro_zk", "0.35 s", "80 ms", "66 ms (p90 74 ms)"]
    assert line[5:] == ["50 ms", "193 MB", "193 MB", "134.6 kB", "0.0376 of 5.8", "12/12"]
    text = tables.markdown(report(ours()))
    for part in (
        "Commit 0123456789ab, 2026-01-02",
        "100.2 bits of security summed (82.2 without grinding)",
        "[1, 1, 28, 28]",
        "10.7 s, once",
    ):
        assert part in text
    changed = report(ours()) | {"changed_files": ["ciro_zk/prover.py"]}
    assert "with 1 changed files" in tables.heading(changed)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.00123, "1.2 ms"), (0.0502, "50 ms"), (0.1843, "0.18 s"), (14.72, "14.7 s"), (131.4, "131 s"), (1234.0, "1,234 s")],
)
def test_seconds(value: float | None, text: str) -> None:
    assert tables.seconds(value) == text


def test_targets() -> None:
    lines = tables.targets(report(ours(prove_seconds=0.31)))
    assert "MISSED LeNet-5 prove: 0.31 s (target 0.30 s)" in lines
    assert "met    LeNet-5 command line prove: 1.05 s (target 3.00 s)" in lines


def test_markdown_of_a_file_measures_nothing(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(report(ours())))
    command = [sys.executable, str(ROOT / "benches" / "compare.py"), "--markdown", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == tables.markdown(report(ours()))


def test_readme_holds_the_tables_of_the_results() -> None:
    results = ROOT / "benches" / "results.json"
    if not results.exists():
        pytest.skip("no stored results")
    assert tables.markdown(json.loads(results.read_text())) in (ROOT / "README.md").read_text()


def test_quick_run_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    command = [sys.executable, str(ROOT / "benches" / "compare.py"), "--quick", "--only", "ours", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    measured = json.loads(path.read_text())
    (result,) = measured["results"]
    assert result["outcome"] == "done" and result["argmax_same"] == result["num_compared"] == 3
    assert result["details"]["verify_heavy_modules"] == []
    assert measured["command_line"]["verified"] is True
    assert tables.markdown(measured) in done.stdout
