"""The artefacts of circuits/ are what compiling the models gives, byte for byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import ciro_zk
from circuits import build

CIRCUITS = Path(build.__file__).resolve().parent


@pytest.mark.parametrize("name", build.NAMES)
def test_files_are_current(name: str) -> None:
    assert [path.name for path in build.stale(name, build.build(name))] == [], "run: python circuits/build.py"


@pytest.mark.parametrize("name", build.NAMES)
def test_program_is_reproducible(name: str) -> None:
    stored = CIRCUITS / name
    manifest = (stored / build.MANIFEST).read_bytes()
    report = json.loads((stored / build.REPORT).read_bytes())
    circuit = ciro_zk.compile(build.model_file(name), stored / build.CALIBRATION)
    assert circuit.manifest().encode() == manifest
    assert circuit.program.digest.hex() == report["program_digest"]
    assert hashlib.blake2s(manifest, person=b"ciroprog").hexdigest() == report["program_digest"]
    again = ciro_zk.compile(build.model_file(name), circuit.calibration)
    assert again.program.digest == circuit.program.digest


@pytest.mark.parametrize("name", build.NAMES)
def test_setup_has_the_reviewed_commitment(name: str) -> None:
    report = json.loads((CIRCUITS / name / build.REPORT).read_bytes())
    circuit = ciro_zk.compile(build.model_file(name), CIRCUITS / name / build.CALIBRATION)
    _, vk = ciro_zk.setup(circuit)
    assert vk.model_commitment.hex() == report["model_commitment"]
    assert vk.program.digest.hex() == report["program_digest"]
    assert report["proof"]["summed_bits"] >= 100


def test_every_model_has_a_circuit() -> None:
    models = {path.parent.name for path in build.MODELS.glob("*/*.onnx")}
    assert models == set(build.NAMES) == {path.parent.name for path in CIRCUITS.glob(f"*/{build.MANIFEST}")}


def test_check_names_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--check"]) == 0
    copy = tmp_path / "circuits"
    for name in build.NAMES:
        (copy / name).mkdir(parents=True)
        for file in (build.CALIBRATION, build.MANIFEST, build.REPORT):
            (copy / name / file).write_bytes((CIRCUITS / name / file).read_bytes())
    monkeypatch.setattr(build, "HERE", copy)
    (copy / "lenet5" / build.MANIFEST).write_bytes(b"{}")
    assert build.main(["--check"]) == 1
    assert capsys.readouterr().out.split() == ["differs", "circuits/lenet5/manifest.json"]
    assert build.main(["lenet5"]) == 0
    assert build.main(["--check"]) == 0
