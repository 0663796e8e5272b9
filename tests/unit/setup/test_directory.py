"""Setup with the codewords in a directory: the same keys and proofs, nothing half-valid after an interruption, finished parts taken up."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from strategies import tiny, tiny_input, toy, toy_input

import ciro_zk
from ciro_zk import prover
from ciro_zk.circuit.graph import Graph
from ciro_zk.commitment import files
from ciro_zk.errors import InputError, ProofFormatError, ResourceError
from ciro_zk.kernels import plain_kernels
from ciro_zk.program.keys import ProvingKey

STEPS: dict[str, tuple[Any, str]] = {
    "before the codewords": (files, "encoded_rows"),
    "before the columns are hashed": (files, "column_digests"),
    "before the header": (files, "_header"),
    "before the file is renamed": (os, "fsync"),
    "before the registration": (prover, "_registration"),
    "before the verifying key is kept": (prover.VerifyingKey, "save"),
}


def suffixes(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.iterdir())


def check(folder: Path) -> None:
    """Setup in the folder gives the keys and proofs that it gives in memory, and leaves two whole files."""
    circuit = toy()
    expected, vk = ciro_zk.setup(circuit, threads=1)
    pk, found = ciro_zk.setup(circuit, directory=folder, threads=1)
    assert bytes(found) == bytes(vk)
    assert suffixes(folder) == [".codewords", ".vkey"]
    run = ciro_zk.infer(pk, toy_input() / 128)
    assert ciro_zk.prove(pk, run).body == ciro_zk.prove(expected, run).body
    again = ProvingKey.from_bytes(bytes(pk))
    proof = ciro_zk.prove(again, run, directory=folder, kernels=plain_kernels())
    assert proof.body == ciro_zk.prove(expected, run).body
    ciro_zk.verify(vk, proof, allow_testing=True)


def test_keys_and_proofs_are_those_made_in_memory(tmp_path: Path) -> None:
    check(tmp_path / "made" / "here")
    check(tmp_path / "made" / "here")


def test_finished_parts_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ciro_zk.setup(toy(), directory=tmp_path, threads=1)
    for owner, name in STEPS.values():
        if owner is not files or name != "_header":
            monkeypatch.setattr(owner, name, forbidden)
    ciro_zk.setup(toy(), directory=tmp_path, threads=1)


def forbidden(*_: Any, **__: Any) -> Any:
    raise AssertionError("this was finished")


class Interrupted(BaseException):
    """As KeyboardInterrupt, which pytest would take for its own."""


@pytest.mark.parametrize("step", STEPS)
def test_an_interrupted_setup_leaves_nothing_half_valid(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name = STEPS[step]

    def interrupt(*_: Any, **__: Any) -> Any:
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupt)
        with pytest.raises(Interrupted):
            ciro_zk.setup(toy(), directory=tmp_path, threads=1)
    assert suffixes(tmp_path) == ([".codewords"] if owner in (prover, prover.VerifyingKey) else [])
    check(tmp_path)


KILLED = """
import os, signal, sys
sys.path[:0] = ["tests", "."]
from tests.unit.setup.test_directory import STEPS
import ciro_zk
from strategies import toy
owner, name = STEPS[sys.argv[2]]
setattr(owner, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
ciro_zk.setup(toy(), directory=sys.argv[1], threads=1)
"""


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_setup_leaves_nothing_half_valid(step: str, tmp_path: Path) -> None:
    """What is left is never taken for a finished part: under another name, or whole."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), step], check=False)
    assert done.returncode == -signal.SIGKILL
    assert suffixes(tmp_path) == ([".codewords"] if STEPS[step][0] in (prover, prover.VerifyingKey) else [".partial"])
    check(tmp_path)


def the_file(folder: Path, suffix: str = ".codewords") -> Path:
    (path,) = folder.glob(f"*{suffix}")
    return path


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: bytes(8) + data[8:], lambda data: data[:60] + bytes(4) + data[64:], lambda _: b""]
)
def test_a_file_that_is_not_whole_is_made_again(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    ciro_zk.setup(toy(), directory=tmp_path, threads=1)
    path = the_file(tmp_path)
    data = path.read_bytes()
    path.write_bytes(damage(data))
    check(tmp_path)
    assert path.read_bytes() == data
    kept = the_file(tmp_path, ".vkey")
    kept.write_bytes(damage(kept.read_bytes()))
    check(tmp_path)


def test_damage_inside_is_found_when_it_is_opened(tmp_path: Path) -> None:
    pk, _ = ciro_zk.setup(toy(), directory=tmp_path, threads=1)
    run = ciro_zk.infer(pk, toy_input() / 128)
    path = the_file(tmp_path)
    data = bytearray(path.read_bytes())
    rows = int.from_bytes(data[8:16], "little")
    data[files.HEADER_BYTES : files.HEADER_BYTES + 8 * rows * int.from_bytes(data[16:24], "little")] = bytes(
        8 * rows * int.from_bytes(data[16:24], "little")
    )
    path.write_bytes(data)
    with pytest.raises(ProofFormatError) as caught:
        ciro_zk.prove(ProvingKey.from_bytes(bytes(pk)), run, directory=tmp_path)
    assert (caught.value.file, caught.value.field) == (str(path), "codewords")


def test_other_weights_have_another_file(tmp_path: Path) -> None:
    for seed in (1, 2):
        ciro_zk.setup(tiny(seed=seed), directory=tmp_path, threads=1)
    assert suffixes(tmp_path) == [".codewords", ".codewords", ".vkey", ".vkey"]


def test_space_is_checked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5000))
    monkeypatch.setattr(files, "encoded_rows", forbidden)
    with pytest.raises(ResourceError) as caught:
        ciro_zk.setup(toy(), directory=tmp_path, threads=1)
    oracle = toy().program.params.oracles[0]
    assert caught.value.needed == files.file_bytes(oracle.code, 1 << oracle.num_vars)
    assert caught.value.available == 5000 and "directory" in caught.value.remedy
    assert suffixes(tmp_path) == []


def test_a_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError):
        ciro_zk.setup(toy(), directory=tmp_path / "file", threads=1)


def test_two_setups_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []

    def second(*_: Any) -> Any:
        with pytest.raises(InputError, match="another process") as caught:
            ciro_zk.setup(toy(), directory=tmp_path, threads=1)
        found.append(caught.value)
        raise Interrupted

    monkeypatch.setattr(files, "encoded_rows", second)
    with pytest.raises(Interrupted):
        ciro_zk.setup(toy(), directory=tmp_path, threads=1)
    assert len(found) == 1 and suffixes(tmp_path) == []


def test_large_codewords_go_to_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prover.kernel_cache, "root", lambda: tmp_path)
    program, weights = toy().program, toy().weights
    assert prover.codewords_path(program, weights, None) is None
    monkeypatch.setattr(prover, "MEMORY_CODEWORDS", 1000)
    pk, _ = ciro_zk.setup(toy(), threads=1)
    assert suffixes(tmp_path / "codewords") == [".codewords", ".vkey"]
    read = ProvingKey.from_bytes(bytes(pk))
    assert prover.committed_weights(plain_kernels(), read).file == str(the_file(tmp_path / "codewords"))


def test_weights_stay_narrow_in_a_run() -> None:
    pk, _ = ciro_zk.setup(tiny(), threads=1)
    graph: Graph = pk.program.graph
    values = ciro_zk.infer(pk, tiny_input() / 2).values
    assert {values[i].dtype for i in graph.weights} == {np.dtype(np.int8)}
    assert {value.dtype for i, value in values.items() if i not in graph.weights} == {np.dtype(np.int64)}
