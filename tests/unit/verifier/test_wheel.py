"""The wheel, installed beside numpy alone, verifies a saved proof with a saved key."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from strategies import tiny, tiny_input

from ciro_zk import prover
from ciro_zk.kernels import plain_kernels
from ciro_zk.params import STANDARD
from ciro_zk.witness import infer
from tests.unit.program.made import setup

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]

SCRIPT = """
import sys
from importlib.metadata import distributions
import ciro_zk
from ciro_zk.program.keys import VerifyingKey
from ciro_zk.proof import Proof
assert ciro_zk.__file__.startswith(sys.prefix), ciro_zk.__file__
assert {d.name for d in distributions()} - {"pip", "setuptools"} == {"ciro-zk", "numpy"}
print(ciro_zk.verify(VerifyingKey.load(sys.argv[1]), Proof.load(sys.argv[2])))
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    isolation = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *isolation, "--wheel-dir", folder, ".", cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"ciro_zk"}
    assert {"ciro_zk/__init__.py", "ciro_zk/py.typed", "ciro_zk/verifier.py"} <= set(names)
    assert not [name for name in names if "test" in name or name.endswith((".pyc", ".onnx", ".nbi", ".nbc"))]


def test_a_proof_verifies_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    pk, vk = setup(tiny(STANDARD))
    proof = prover.prove(pk, infer(pk, tiny_input() / 2), kernels=plain_kernels())
    vk.save(tmp_path / "vk")
    proof.save(tmp_path / "proof")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", f"numpy=={version('numpy')}", wheel, cwd=tmp_path)
    said = run(python, "-I", "-c", SCRIPT, tmp_path / "vk", tmp_path / "proof", cwd=tmp_path)
    assert said.startswith("Verified(y;") and "not zero-knowledge" in said
