"""The verifier needs Python and numpy: it runs where importing anything else fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from strategies import tiny, tiny_input

from ciro_zk import prover
from ciro_zk.kernels import plain_kernels
from ciro_zk.params import STANDARD
from ciro_zk.witness import infer
from tests.unit.program.made import setup, toy_keys, toy_proof

BLOCKED = ("numba", "llvmlite", "onnx", "onnxruntime", "typer", "rich", "torch", "scipy", "hypothesis", "pytest", "galois")

SCRIPT = """
import json, sys
for name in {blocked!r}:
    sys.modules[name] = None
from ciro_zk.program.keys import VerifyingKey
from ciro_zk.proof import Proof
from ciro_zk.verifier import verify
from ciro_zk.errors import ProofRejected
key, proof = VerifyingKey.load(sys.argv[1]), Proof.load(sys.argv[2])
verified = verify(key, proof, allow_testing=sys.argv[3] == "testing")
found = {{name.split(".")[0] for name, module in sys.modules.items() if module is not None}}
own = [name for name in sys.modules if name.startswith("ciro_zk")]
print(json.dumps({{
    "outputs": {{name: value.tolist() for name, value in verified.integer_outputs.items()}},
    "third party": sorted(found - set(sys.stdlib_module_names) - {{"__main__", "__mp_main__"}}),
    "own": own,
}}))
"""


def run_isolated(*arguments: str) -> dict[str, object]:
    command = [sys.executable, "-c", SCRIPT.format(blocked=BLOCKED), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("preset", ["testing", "standard"])
def test_verifying_needs_numpy_alone(preset: str, tmp_path: Path) -> None:
    if preset == "testing":
        (_, vk), (run, proof) = toy_keys(), toy_proof()
    else:
        pk, vk = setup(tiny(STANDARD))
        run = infer(pk, tiny_input() / 2)
        proof = prover.prove(pk, run, kernels=plain_kernels())
    vk.save(tmp_path / "vk")
    proof.save(tmp_path / "proof")
    found = run_isolated(str(tmp_path / "vk"), str(tmp_path / "proof"), preset)
    assert found["outputs"] == {name: value.tolist() for name, value in run.integer_outputs.items()}
    assert set(found["third party"]) - {"ciro_zk", "numpy"} <= editable_hooks()  # type: ignore[arg-type]
    own = set(found["own"])  # type: ignore[arg-type]
    assert not {name for name in own if name.endswith(".kernels") and name != "ciro_zk.kernels"}
    assert own.isdisjoint({"ciro_zk.prover", "ciro_zk.accelerated", "ciro_zk.compiler", "ciro_zk.witness", "ciro_zk.cli"})


def editable_hooks() -> set[str]:
    """What an interpreter of this environment has imported before any script runs."""
    code = "import sys, json; print(json.dumps(sorted({n.split('.')[0] for n in sys.modules} - set(sys.stdlib_module_names))))"
    return set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout))


def test_the_package_itself_imports_nothing_heavy() -> None:
    code = "import sys, ciro_zk; print(sorted(m for m in ('numba', 'onnx', 'onnxruntime', 'torch', 'typer', 'numpy') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert done.stdout.strip() == "[]"
