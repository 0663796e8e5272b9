"""The wheel: what is in it, and that a proof is verified in a fresh environment that has nothing but the wheel and numpy."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

import ciro_zk

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "models" / "digits_mlp"

VERIFY = """
import importlib.util, sys
for name in ("numba", "onnx", "onnxruntime", "typer", "rich", "torch"):
    assert importlib.util.find_spec(name) is None, name
import ciro_zk
folder = sys.argv[1]
key, proof = ciro_zk.VerifyingKey.load(folder + "/vk.bin"), ciro_zk.Proof.load(folder + "/proof.bin")
verified = ciro_zk.verify(key, proof)
print(int(verified.outputs["logits"].argmax()), ciro_zk.__file__)
body = bytearray(proof.body)
body[len(body) // 2] ^= 1
import dataclasses
try:
    ciro_zk.verify(key, dataclasses.replace(proof, body=bytes(body)))
except (ciro_zk.ProofRejected, ciro_zk.ProofFormatError):
    print("rejected")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_only(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {"ciro_zk", f"ciro_zk-{ciro_zk.__version__}.dist-info"}
    assert "ciro_zk/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.endswith((".pyc", ".onnx", ".npz"))]


def test_verifies_beside_numpy_alone(wheel: Path, tmp_path: Path) -> None:
    samples = np.load(MODEL / "samples.npz")
    circuit = ciro_zk.compile(str(MODEL / "digits_mlp.onnx"), np.load(MODEL / "calibration.npz")["input"])
    proving_key, verifying_key = ciro_zk.setup(circuit)
    ciro_zk.prove(proving_key, ciro_zk.infer(proving_key, samples["input"][:1])).save(tmp_path / "proof.bin")
    verifying_key.save(tmp_path / "vk.bin")

    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    (packages,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    for name in ("numpy", "numpy.libs"):  # as it is installed here: the test needs no network
        source = Path(np.__file__).parents[1] / name
        if source.exists():
            (packages / name).symlink_to(source)

    done = subprocess.run(
        [python, "-I", "-c", VERIFY, str(tmp_path)], capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    label, file = first.split(maxsplit=1)
    assert int(label) == int(samples["label"][0])
    assert file.startswith(str(packages))
    assert second == "rejected"
