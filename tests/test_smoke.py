"""Under half a minute: it imports, lazily; the command line starts; the machine is described."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

import ciro_zk

HEAVY = ("numba", "llvmlite", "onnx", "onnxruntime", "torch", "scipy", "sklearn", "rich")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)


def loaded_after(code: str) -> set[str]:
    done = python("-c", f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_import_loads_nothing_heavy() -> None:
    assert not loaded_after("import ciro_zk") & {*HEAVY, "numpy", "typer"}


@pytest.mark.parametrize("module", ["errors", "container", "progress", "verifier"])
def test_what_a_verifier_needs_is_light(module: str) -> None:
    assert not loaded_after(f"import ciro_zk.{module}") & set(HEAVY)


def test_the_command_line_itself_is_light() -> None:
    assert not loaded_after("import ciro_zk.cli.main") & {*HEAVY, "numpy"} - {"rich"}


def test_import_is_quick() -> None:
    seconds = []
    for _ in range(3):
        done = python("-c", "import time; start = time.perf_counter(); import ciro_zk; print(time.perf_counter() - start)")
        seconds.append(float(done.stdout))
    assert min(seconds) <= 0.3


def test_public_names_are_there() -> None:
    assert set(ciro_zk.__all__) <= set(dir(ciro_zk))
    for name in ciro_zk.__all__:
        assert getattr(ciro_zk, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        ciro_zk.nonsense  # noqa: B018


def test_help_and_version() -> None:
    start = time.perf_counter()
    done = python("-m", "ciro_zk", "--help")
    seconds = time.perf_counter() - start
    assert done.returncode == 0
    for command in ("compile", "setup", "prove", "verify", "inspect", "demo", "doctor", "cache"):
        assert command in done.stdout
    assert seconds < 3
    version = python("-m", "ciro_zk", "--version")
    assert version.stdout == f"ciro-zk {ciro_zk.__version__}\n"


@pytest.mark.parametrize("command", ["compile", "setup", "prove", "verify", "inspect", "demo", "doctor", "cache"])
def test_every_command_has_help(command: str) -> None:
    done = python("-m", "ciro_zk", command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_doctor() -> None:
    done = python("-m", "ciro_zk", "doctor", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert set(facts) == {"versions", "processor", "memory", "kernel_cache", "gpu", "disk", "problems"}
    assert facts["versions"]["ciro_zk"] == ciro_zk.__version__
    assert facts["processor"]["cores"] >= 1
    assert facts["disk"]["free_bytes"] > 0
    spoken = python("-m", "ciro_zk", "doctor")
    assert spoken.returncode == 0
    assert "processor" in spoken.stdout
