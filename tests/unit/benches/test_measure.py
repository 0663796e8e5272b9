"""Measuring a process: its record, its memory, its limits."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from benches import measure


def run(code: str, timeout: float = 60, memory_mb: float = 4000) -> measure.Step:
    return measure.run([sys.executable, "-c", code], timeout=timeout, memory_mb=memory_mb)


def test_last_object_is_the_record() -> None:
    step = run("print('{\"seconds\": 1}'); print('noise'); print('{\"seconds\": 2}'); print('{broken')")
    assert step.done and step.error == ""
    assert step.record == {"seconds": 2}
    assert step.cpu_seconds > 0 and 0 < step.seconds < 60


def test_peak_memory_is_the_childs() -> None:
    # From a small process of its own: a child's peak starts at its parent's memory, and pytest's may be large.
    hog = "held = bytearray(400_000_000)\nfor i in range(0, len(held), 4096): held[i] = 1"
    code = f"import sys; from benches import measure; step = measure.run([sys.executable, '-c', {hog!r}], timeout=60, memory_mb=4000)"
    code += "; print(step.peak_rss_mb)"
    done = subprocess.run([sys.executable, "-c", code], cwd=measure.ROOT, capture_output=True, text=True, check=True)
    assert 400 < float(done.stdout) < 450


def test_the_measuring_process_is_small() -> None:
    code = "import sys; from benches import compare, measure; step = measure.run([sys.executable, '-c', ''], timeout=60, memory_mb=4000)"
    command = [sys.executable, "-c", code + "\nprint(step.peak_rss_mb)"]
    done = subprocess.run(command, cwd=measure.ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 40


def test_failure_has_a_reason() -> None:
    step = run("raise ValueError('no such thing')")
    assert step.outcome == "failed" and step.error == "ValueError: no such thing"
    step = run('import sys; print(\'{"error": "PanicException: boom"}\'); sys.exit(1)')
    assert step.error == "PanicException: boom"


def test_timeout_kills_children_too() -> None:
    step = run("import subprocess; subprocess.run(['sleep', '600'])", timeout=0.5)
    assert step.outcome == "timed out" and step.seconds < 30


def test_memory_limit() -> None:
    step = run("import time\nheld = b'x' * 500_000_000\ntime.sleep(600)", memory_mb=300)
    assert step.outcome == "out of memory" and step.error == "killed at more than 0.3 GB"
    assert step.peak_rss_mb > 300


@pytest.mark.parametrize("count", [1, 2, 7, 20])
def test_p90_is_numpys(count: int) -> None:
    values = np.random.default_rng(count).random(count).tolist()
    assert measure.p90(values) == pytest.approx(np.percentile(values, 90))
    assert measure.median(values) == pytest.approx(np.median(values))


def test_machine_and_commit() -> None:
    machine = measure.machine()
    assert machine["cores"] >= 1 and machine["memory_gb"] > 0 and machine["processor"]
    assert set(measure.commit()) == {"commit", "changed_files"}
    assert measure.available_mb() > 0
