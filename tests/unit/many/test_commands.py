"""`ciro-zk prove --all` and `--each`, and what `verify` says of a batch, through real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from unit.cli.commands import MODEL, PROVE, ROOT, Done, ciro

import ciro_zk
from ciro_zk.cli.inputs import Wanted
from ciro_zk.cli.prove import load_samples

COUNT = 5


@dataclass(frozen=True)
class Made:
    """A model set up, five samples, and their proof as a batch."""

    folder: Path
    samples: Path
    proof: Path
    proven: Done


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    base = tmp_path_factory.mktemp("digits")
    folder, samples, proof = base / "circuit", base / "five.npz", base / "batch.proof"
    np.savez(samples, input=np.load(MODEL / "samples.npz")["input"][:COUNT])
    assert ciro("compile", MODEL / "digits_mlp.onnx", "--calibration", MODEL / "calibration.npz", "-o", folder).code == 0
    assert ciro("setup", folder).code == 0
    proven = ciro("prove", folder, "--input", samples, "--all", "-o", proof)
    assert proven.code == 0, proven.err
    return Made(folder, samples, proof, proven)


def test_all_in_one_proof(made: Made) -> None:
    fields = made.proven.fields
    assert set(fields) == PROVE | {"batch"}
    assert fields["batch"] == COUNT
    (outputs,) = (np.array(value) for value in fields["outputs"].values())
    assert len(outputs) == COUNT
    assert outputs.reshape(COUNT, -1).argmax(axis=1).tolist() == np.load(MODEL / "samples.npz")["label"][:COUNT].tolist()
    assert 0 <= fields["max_abs_error"] < 1
    assert fields["bytes"] == made.proof.stat().st_size
    vk = ciro_zk.VerifyingKey.load(made.folder / "vk.bin")
    verified = ciro_zk.verify(vk, ciro_zk.Proof.load(made.proof), inputs=np.load(made.samples)["input"])
    assert verified.security.summed_bits == fields["security_bits"] >= 100
    np.testing.assert_array_equal(next(iter(verified.outputs.values())), outputs)


def test_verify_prints_the_batch(made: Made) -> None:
    done = ciro("verify", made.folder / "vk.bin", made.proof)
    assert done.code == 0, done.err
    assert done.fields["outputs"] == made.proven.fields["outputs"]


def test_each_alone(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "proofs" / "new"
    done = ciro("prove", made.folder, "--input", made.samples, "--each", "-o", folder, "--workers", "2")
    assert done.code == 0, done.err
    assert set(done.fields) == PROVE | {"proofs"}
    assert done.fields["proofs"] == COUNT
    assert done.fields["outputs"] == made.proven.fields["outputs"]
    assert done.fields["max_abs_error"] == made.proven.fields["max_abs_error"]
    assert {path.name for path in folder.iterdir()} == {f"{i}.proof" for i in range(COUNT)}
    assert done.fields["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert json.loads(done.err.splitlines()[0]) == {"progress": "prove", "done": 0, "total": COUNT}
    one = ciro("prove", made.folder, "--input", made.samples, "--index", "3", "-o", tmp_path / "one.proof")
    assert set(one.fields) == PROVE
    assert (tmp_path / "one.proof").read_bytes() == (folder / "3.proof").read_bytes()
    assert ciro("verify", made.folder / "vk.bin", folder / "3.proof", "--input", made.samples, "--index", "3").code == 0


def test_each_stops_at_a_wrong_sample(made: Made, tmp_path: Path) -> None:
    samples = np.load(made.samples)["input"].copy()
    samples[2, 7] = np.nan
    np.savez(tmp_path / "bad.npz", input=samples)
    done = ciro("prove", made.folder, "--input", tmp_path / "bad.npz", "--each", "-o", tmp_path / "proofs", "--workers", "1")
    assert done.code == 2
    assert done.fields["field"] == "inputs[2].input"
    assert done.fields["file"].endswith("bad.npz")
    assert "2 of 5 proofs are in" in done.err
    assert {path.name for path in (tmp_path / "proofs").iterdir()} == {"0.proof", "1.proof"}
    done = ciro("prove", made.folder, "--input", tmp_path / "bad.npz", "--all", "-o", tmp_path / "all.proof")
    assert done.code == 2
    assert not (tmp_path / "all.proof").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_each_interrupted(made: Made, tmp_path: Path, number: signal.Signals) -> None:
    """Whole proofs or none, and no process stays."""
    np.savez(tmp_path / "many.npz", input=np.repeat(np.load(made.samples)["input"], 200, axis=0))
    folder = tmp_path / "proofs"
    command = [sys.executable, "-m", "ciro_zk", "prove", str(made.folder), "--input", str(tmp_path / "many.npz"), "--each"]
    process = subprocess.Popen([*command, "-o", str(folder), "--workers", "2"], cwd=ROOT, start_new_session=True)
    end = time.monotonic() + 60
    while not (folder / "1.proof").exists():
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, number)
    assert process.wait(20) == 128 + number
    assert all(ciro_zk.Proof.load(path) for path in folder.iterdir())
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < end:
            os.killpg(process.pid, 0)  # the resource tracker of multiprocessing takes a moment
            time.sleep(0.05)


@pytest.mark.parametrize(
    "options", [("--all", "--each"), ("--all", "--index", "1"), ("--each", "--index", "1"), ("--workers", "2"), ("--all", "--workers", "2")]
)
def test_options_that_clash(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = ciro("prove", tmp_path, "--input", tmp_path / "x.npz", "-o", tmp_path / "proof", *options)
    assert done.code == 2
    assert done.fields["field"] in options
    assert done.fields["remedy"]


def test_a_folder_that_cannot_be_made(made: Made, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = ciro("prove", made.folder, "--input", made.samples, "--each", "-o", tmp_path / "file")
    assert (done.code, done.fields["file"]) == (2, str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("wanted", "given", "count"),
    [((1, 4), (3, 4), 3), ((1, 4), (3, 1, 4), 3), ((1, 4), (1, 4), 1), ((2, 4), (2, 4), 1), ((2, 4), (5, 2, 4), 5), ((4,), (4, 4), 4)],
)
def test_samples(wanted: tuple[int, ...], given: tuple[int, ...], count: int, tmp_path: Path) -> None:
    array = np.arange(np.prod(given), dtype=np.float32).reshape(given)
    np.savez(tmp_path / "x.npz", x=array)
    samples = load_samples(tmp_path / "x.npz", (Wanted("x", wanted),))
    assert [sample["x"].shape for sample in samples] == [wanted] * count
    np.testing.assert_array_equal(np.concatenate([sample["x"].reshape(-1) for sample in samples]), array.reshape(-1))


@pytest.mark.parametrize(("x", "y"), [((3, 5), (3, 4)), ((3, 4), (2, 4)), ((0, 4), (0, 4)), ((), (1, 4))])
def test_samples_that_do_not_fit(x: tuple[int, ...], y: tuple[int, ...], tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros(x), y=np.zeros(y))
    with pytest.raises(ciro_zk.InputError, match=r"x\.npz"):
        load_samples(tmp_path / "x.npz", (Wanted("x", (1, 4)), Wanted("y", (1, 4))))


def test_verify_false_batches(made: Made, tmp_path: Path) -> None:
    """One inference's output changed, two inferences in another order, the count in the header changed."""
    proof = ciro_zk.Proof.load(made.proof)
    order = [1, 0, *range(2, COUNT)]
    (output,), (given,) = proof.outputs, proof.inputs
    changed = proof.outputs[output].copy()
    changed[2, 0] -= 1
    false = {
        "lookup": (
            replace(proof, outputs={output: changed}),
            replace(proof, inputs={given: proof.inputs[given][order]}, outputs={output: proof.outputs[output][order]}),
        ),
        "statement": (replace(proof, batch=COUNT - 1),),
    }
    for stage, proofs in false.items():
        for number, one in enumerate(proofs):
            one.save(tmp_path / f"{number}.proof")
            done = ciro("verify", made.folder / "vk.bin", tmp_path / f"{number}.proof")
            assert (done.code, done.fields["verified"], done.fields["stage"]) == (10, False, stage)


def test_verify_against_all_samples(made: Made, tmp_path: Path) -> None:
    done = ciro("verify", made.folder / "vk.bin", made.proof, "--input", made.samples)
    assert done.code == 0, done.err
    assert done.fields["batch"] == COUNT
    assert done.fields["outputs"] == made.proven.fields["outputs"]
    text = subprocess.run(
        [sys.executable, "-m", "ciro_zk", "verify", str(made.folder / "vk.bin"), str(made.proof)], capture_output=True, text=True, cwd=ROOT
    )
    assert f"VERIFIED {COUNT} inferences" in text.stdout
    samples = np.load(made.samples)["input"]
    np.savez(tmp_path / "swapped.npz", input=samples[[1, 0, *range(2, COUNT)]])
    done = ciro("verify", made.folder / "vk.bin", made.proof, "--input", tmp_path / "swapped.npz")
    assert (done.code, done.fields["stage"]) == (10, "statement")
    np.savez(tmp_path / "fewer.npz", input=samples[:-1])
    assert ciro("verify", made.folder / "vk.bin", made.proof, "--input", tmp_path / "fewer.npz").code == 2


def test_verify_shows_one_inference(made: Made) -> None:
    vk = made.folder / "vk.bin"
    done = ciro("verify", vk, made.proof, "--inference", "3")
    assert done.code == 0, done.err
    assert (done.fields["batch"], done.fields["inference"]) == (COUNT, 3)
    assert done.fields["outputs"] == {name: value[3] for name, value in made.proven.fields["outputs"].items()}
    assert ciro("verify", vk, made.proof, "--inference", "3", "--input", made.samples, "--index", "3").code == 0
    other = ciro("verify", vk, made.proof, "--inference", "3", "--input", made.samples, "--index", "2")
    assert (other.code, other.fields["stage"]) == (10, "statement")
    assert ciro("verify", vk, made.proof, "--inference", str(COUNT)).fields["field"] == "--inference"
