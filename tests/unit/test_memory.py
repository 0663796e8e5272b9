"""What memory there is, and that work which does not fit is refused before it begins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from strategies import toy, toy_input

import ciro_zk
from ciro_zk import memory, prover
from ciro_zk.errors import ResourceError
from ciro_zk.program.report import cost_report, memory_bytes, setup_bytes


def test_the_peak_grows_with_what_is_held() -> None:
    before = memory.peak_bytes()
    held = np.ones((before + (64 << 20)) // 8)
    assert memory.peak_bytes() >= held.nbytes


def test_the_least_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for free, group, space, least in ((5, 4, 3, 3), (None, 4, None, 4), (5, None, 7, 5), (None, None, None, None)):
        for name, value in (("_free", free), ("_left_in_group", group), ("_left_of_address_space", space)):
            monkeypatch.setattr(memory, name, lambda value=value: value)
        assert memory.available_bytes() == least
    memory.check_memory(1 << 60)  # nothing says


def test_a_containers_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory._left_in_group() is None
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\nfile 200\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._left_in_group() is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory._left_in_group() == 500


def test_the_processs_own_limit() -> None:
    code = "import resource, ciro_zk.memory as m; resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32)); print(m.available_bytes())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert 0 < int(done.stdout) < 1 << 32


def refused(work: Callable[[], Any]) -> ResourceError:
    with pytest.raises(ResourceError) as caught:
        work()
    return caught.value


def test_what_does_not_fit_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    circuit = toy()
    pk, _ = ciro_zk.setup(circuit, threads=1)
    run = ciro_zk.infer(pk, toy_input() / 128)
    limits = setup_bytes(circuit.program), memory_bytes(circuit.program)
    assert limits[1] == cost_report(circuit.program).memory_bytes
    for name in ("numba_kernels", "commit_weights", "committed_weights", "commit"):
        monkeypatch.setattr(prover, name, lambda *_, **__: pytest.fail("work had begun"))
    for limit, work in zip(limits, (lambda: ciro_zk.setup(circuit), lambda: ciro_zk.prove(pk, run)), strict=True):
        monkeypatch.setattr(memory, "available_bytes", lambda limit=limit: limit - 1)
        error = refused(work)
        assert (error.needed, error.available) == (limit, limit - 1) and error.remedy
    monkeypatch.setattr(memory, "available_bytes", lambda: 0)
    refused(lambda: ciro_zk.setup(circuit, directory=tmp_path / "made"))
    assert not (tmp_path / "made").exists()
