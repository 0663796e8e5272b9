"""The command line from end to end on the small model, through real processes: fields, exit codes and what is left on disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from unit.cli.commands import MODEL, PROVE, ROOT, Done, ciro

SAMPLES = MODEL / "samples.npz"

COMPILE = {"seconds", "bytes", "max_abs_error", "accuracy", "static_bounds", "security_bits"}
SETUP = {"seconds", "bytes", "peak_rss_mb"}
VERIFY = {"seconds", "total_seconds", "verified", "reason", "stage", "outputs", "security_bits"}


@dataclass(frozen=True)
class Made:
    """A compiled, set up and proven model."""

    folder: Path
    proof: Path
    compiled: Done
    ready: Done
    proven: Done


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    base = tmp_path_factory.mktemp("digits")
    folder, proof = base / "circuit", base / "proof.bin"
    compiled = ciro("compile", MODEL / "digits_mlp.onnx", "--calibration", MODEL / "calibration.npz", "-o", folder)
    assert compiled.code == 0, compiled.err
    ready = ciro("setup", folder)
    assert ready.code == 0, ready.err
    proven = ciro("prove", folder, "--input", SAMPLES, "--index", "3", "-o", proof)
    assert proven.code == 0, proven.err
    return Made(folder, proof, compiled, ready, proven)


@pytest.fixture
def folder(made: Made, tmp_path: Path) -> Iterator[Path]:
    """A copy to damage."""
    yield Path(shutil.copytree(made.folder, tmp_path / "copy"))


def resealed(data: bytes) -> bytes:
    return data[:-32] + hashlib.blake2s(data[:-32]).digest()


def test_fields(made: Made) -> None:
    assert set(made.compiled.fields) == COMPILE
    assert set(made.ready.fields) == SETUP
    assert set(made.proven.fields) == PROVE
    assert {path.name for path in made.folder.iterdir()} == {"circuit.bin", "manifest.json", "model.onnx", "pk.bin", "vk.bin"}
    assert made.compiled.fields["security_bits"] >= 100
    assert 0 < made.compiled.fields["max_abs_error"] < 1
    assert made.ready.fields["bytes"] == sum((made.folder / name).stat().st_size for name in ("pk.bin", "vk.bin"))
    prove = made.proven.fields
    assert prove["bytes"] == made.proof.stat().st_size
    assert prove["total_seconds"] >= prove["seconds"] + prove["load_seconds"] > 0
    assert 0 <= prove["max_abs_error"] < 1
    assert prove["peak_rss_mb"] < 1000
    assert prove["device"] == "cpu"
    logits = np.array(next(iter(prove["outputs"].values())))
    assert int(logits.argmax()) == int(np.load(SAMPLES)["label"][3])


def test_manifest_is_canonical(made: Made) -> None:
    text = (made.folder / "manifest.json").read_text()
    json.loads(text)
    again = ciro("compile", MODEL / "digits_mlp.onnx", "--calibration", MODEL / "calibration.npz", "-o", made.folder.parent / "again")
    assert again.code == 0
    assert (made.folder.parent / "again" / "manifest.json").read_text() == text
    assert (made.folder.parent / "again" / "circuit.bin").read_bytes() == (made.folder / "circuit.bin").read_bytes()


def test_verified(made: Made) -> None:
    done = ciro("verify", made.folder / "vk.bin", made.proof, "--input", SAMPLES, "--index", "3")
    assert done.code == 0, done.err
    assert set(done.fields) == VERIFY
    assert done.fields["verified"] is True
    assert done.fields["reason"] is None and done.fields["stage"] is None
    assert done.fields["outputs"] == made.proven.fields["outputs"]
    assert done.fields["security_bits"] >= 100
    assert ciro("verify", made.folder / "vk.bin", made.proof).code == 0


def test_codewords_in_a_directory(made: Made, folder: Path, tmp_path: Path) -> None:
    """The same keys and proof; `prove` finds the codewords where `setup` left them."""
    kept, proof = tmp_path / "codewords", tmp_path / "proof.bin"
    for name in ("pk.bin", "vk.bin"):
        (folder / name).unlink()
    ready = ciro("setup", folder, "--directory", kept)
    assert ready.code == 0 and ready.fields["peak_rss_mb"] > 0, ready.err
    assert all((folder / name).read_bytes() == (made.folder / name).read_bytes() for name in ("pk.bin", "vk.bin"))
    written = {path.suffix: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert set(written) == {".codewords", ".vkey"}
    proven = ciro("prove", folder, "--input", SAMPLES, "--index", "3", "-o", proof, "--directory", kept)
    assert proven.code == 0, proven.err
    assert proof.read_bytes() == made.proof.read_bytes()
    assert {path.suffix: path.stat().st_mtime_ns for path in kept.iterdir()} == written
    each = ciro("prove", folder, "--input", SAMPLES, "--each", "-o", tmp_path / "proofs", "--directory", kept)
    assert each.code == 2 and each.fields["field"] == "--directory"


def test_profile_while_proving(made: Made, tmp_path: Path) -> None:
    proof, chart = tmp_path / "proof.bin", tmp_path / "chart.svg"
    proven = ciro("prove", made.folder, "--input", SAMPLES, "--index", "3", "-o", proof, "--profile", chart)
    assert proven.code == 0, proven.err
    assert chart.read_text().startswith("<svg") and proven.fields["profile"]["phases"]
    assert ciro("verify", made.folder / "vk.bin", proof, "--input", SAMPLES, "--index", "3").code == 0
    each = ciro("prove", made.folder, "--input", SAMPLES, "--each", "-o", tmp_path / "proofs", "--profile", chart)
    assert each.code == 2 and "--profile" in each.fields["message"] + str(each.fields.get("field"))


def test_ezkl_json(made: Made, tmp_path: Path) -> None:
    values = np.load(SAMPLES)["input"][3].tolist()
    path = tmp_path / "input.json"
    path.write_text(json.dumps({"input_data": [values]}))
    proven = ciro("prove", made.folder, "--input", path, "-o", tmp_path / "proof.bin")
    assert proven.code == 0, proven.err
    assert proven.fields["outputs"] == made.proven.fields["outputs"]
    assert ciro("verify", made.folder / "vk.bin", tmp_path / "proof.bin", "--input", path).code == 0


def test_another_input_is_rejected(made: Made) -> None:
    done = ciro("verify", made.folder / "vk.bin", made.proof, "--input", SAMPLES, "--index", "4")
    assert done.code == 10
    assert set(done.fields) == VERIFY
    assert done.fields["verified"] is False
    assert done.fields["stage"] == "statement"
    assert done.fields["reason"]
    assert done.fields["outputs"] is None


def test_a_false_proof_is_rejected(made: Made, tmp_path: Path) -> None:
    """Single bits flipped all over the proof, the checksum made right: rejected, or refused as malformed; never accepted."""
    data = made.proof.read_bytes()
    codes = []
    for part in (0.1, 0.3, 0.5, 0.7, 0.9):
        damaged = bytearray(data)
        damaged[int(part * len(data))] ^= 1
        (tmp_path / "proof.bin").write_bytes(resealed(bytes(damaged)))
        done = ciro("verify", made.folder / "vk.bin", tmp_path / "proof.bin")
        assert done.fields["verified"] is False
        assert done.code in (2, 10), done.err
        codes.append(done.code)
    assert 10 in codes


def test_the_proof_of_another_model_is_rejected(made: Made, tmp_path: Path) -> None:
    """The same network with one weight changed: the key's commitment differs."""
    model = onnx.load(MODEL / "digits_mlp.onnx")
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 2)
    array = onnx.numpy_helper.to_array(weight).copy()
    array[0, 0] += 0.25
    weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
    onnx.save(model, tmp_path / "near.onnx")
    assert ciro("compile", tmp_path / "near.onnx", "--calibration", MODEL / "calibration.npz", "-o", tmp_path / "near").code == 0
    assert ciro("setup", tmp_path / "near").code == 0
    done = ciro("verify", tmp_path / "near" / "vk.bin", made.proof)
    assert done.code == 10, done.err
    assert done.fields["reason"]


@pytest.mark.parametrize("name", ["circuit.bin", "pk.bin", "vk.bin", "proof.bin", "manifest.json"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "surplus", "flipped", "missing", "foreign"])
def test_damaged_files(made: Made, folder: Path, name: str, damage: str) -> None:
    shutil.copy(made.proof, folder / "proof.bin")
    path = folder / name
    data = path.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 4
    foreign = (folder / ("vk.bin" if name == "proof.bin" else "proof.bin")).read_bytes()
    changes = {
        "truncated": data[: len(data) * 2 // 3],
        "empty": b"",
        "surplus": data + b"\x00",
        "flipped": bytes(flipped),
        "foreign": foreign,
    }
    path.unlink()
    if damage != "missing":
        path.write_bytes(changes[damage])
    before = {item.name for item in folder.iterdir()}
    commands: dict[str, tuple[str | Path, ...]] = {
        "circuit.bin": ("setup", folder),
        "manifest.json": ("setup", folder),
        "pk.bin": ("prove", folder, "--input", SAMPLES, "--index", "3", "-o", folder / "new.bin"),
        "vk.bin": ("verify", path, folder / "proof.bin"),
        "proof.bin": ("verify", folder / "vk.bin", path),
    }
    done = ciro(*commands[name])
    assert done.code == 2, done.err
    assert done.fields["error"] in ("ProofFormatError", "InputError")
    assert name in done.fields["message"]
    assert done.fields["remedy"]
    assert {item.name for item in folder.iterdir()} == before


def test_newer_version(made: Made, tmp_path: Path) -> None:
    data = bytearray(made.proof.read_bytes())
    data[12] += 1
    (tmp_path / "proof.bin").write_bytes(resealed(bytes(data)))
    done = ciro("verify", made.folder / "vk.bin", tmp_path / "proof.bin")
    assert done.code == 2
    assert "newer" in done.fields["message"]


def bad_samples(tmp_path: Path, change: str) -> Path:
    sample = np.load(SAMPLES)["input"][3:4].copy()
    if change == "nan":
        sample[0, 5] = np.nan
    elif change == "infinite":
        sample[0, 5] = np.inf
    elif change == "range":
        sample[0, 5] = 1e6
    elif change == "shape":
        sample = sample.reshape(8, 8)
    np.savez(tmp_path / "x.npz", **{"picture" if change == "name" else "input": sample})
    return tmp_path / "x.npz"


@pytest.mark.parametrize("change", ["nan", "infinite", "range", "shape", "name"])
def test_bad_inputs(made: Made, tmp_path: Path, change: str) -> None:
    path = bad_samples(tmp_path, change)
    done = ciro("prove", made.folder, "--input", path, "-o", tmp_path / "proof.bin")
    assert done.code == 2, done.err
    assert done.fields["error"] == "InputError"
    assert str(path) in done.fields["message"] and "input" in done.fields["message"]
    assert done.fields["remedy"]
    if change in ("nan", "infinite", "range"):
        assert done.fields["index"] is not None
    assert [item.name for item in tmp_path.iterdir()] == ["x.npz"]


def test_several_samples_want_an_index(made: Made, tmp_path: Path) -> None:
    done = ciro("prove", made.folder, "--input", SAMPLES, "-o", tmp_path / "proof.bin")
    assert done.code == 2
    assert "--index" in done.fields["remedy"]


def compile_bad(tmp_path: Path, model: Path, *options: str | Path, calibrated: bool = True) -> Done:
    calibration = ("--calibration", MODEL / "calibration.npz") if calibrated else ()
    done = ciro("compile", model, *calibration, "-o", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()
    assert done.fields["remedy"]
    return done


def test_models_that_do_not_parse(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    for data in (b"", b"nonsense", (MODEL / "digits_mlp.onnx").read_bytes()[:-100]):
        path.write_bytes(data)
        done = compile_bad(tmp_path, path)
        assert done.code == 2, done.err
        assert "bad.onnx" in done.fields["message"]
    assert compile_bad(tmp_path, tmp_path / "missing.onnx").code == 2


def test_nan_weights(tmp_path: Path) -> None:
    model = onnx.load(MODEL / "digits_mlp.onnx")
    weight = model.graph.initializer[0]
    array = onnx.numpy_helper.to_array(weight).copy()
    array.flat[0] = np.nan
    weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
    onnx.save(model, tmp_path / "nan.onnx")
    done = compile_bad(tmp_path, tmp_path / "nan.onnx")
    assert done.code == 2, done.err
    assert weight.name in done.fields["message"]


def test_missing_external_data(tmp_path: Path) -> None:
    model = onnx.load(MODEL / "digits_mlp.onnx")
    onnx.save(model, tmp_path / "ext.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    os.unlink(tmp_path / "weights.bin")
    done = compile_bad(tmp_path, tmp_path / "ext.onnx")
    assert done.code == 2, done.err
    assert "weights.bin" in done.fields["message"] + done.fields["remedy"]


def tiny_model(path: Path, op: str, shape: list[int | str], **attributes: Any) -> Path:
    nodes = [
        helper.make_node(op, ["input"], ["y"], name="first", **attributes),
        helper.make_node(op, ["y"], ["z"], name="second", **attributes),
    ]
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("input", "z")]
    graph = helper.make_graph(nodes, "tiny", value[:1], value[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_unsupported_operators_are_all_listed(tmp_path: Path) -> None:
    done = compile_bad(tmp_path, tiny_model(tmp_path / "random.onnx", "RandomUniformLike", [1, 64]))
    assert done.code == 3, done.err
    assert [node["node"] for node in done.fields["nodes"]] == ["first", "second"]
    assert all(node["op"] == "RandomUniformLike" and node["opset"] == 17 and node["reason"] for node in done.fields["nodes"])


def test_dynamic_axes(tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "dynamic.onnx", "Relu", [1, "width"])
    done = compile_bad(tmp_path, path, "--input-range", "-1,1", calibrated=False)
    assert done.code == 2, done.err
    assert "width" in done.fields["message"] or "input" in done.fields["message"]
    fixed = ciro("compile", path, "--input-range", "-1,1", "--shape", "input=1,64", "-o", tmp_path / "fixed")
    assert fixed.code == 0, fixed.err


@pytest.mark.parametrize("change", ["nan", "shape", "name", "words"])
def test_bad_calibration(tmp_path: Path, change: str) -> None:
    data = np.load(MODEL / "calibration.npz")["input"].copy()
    if change == "nan":
        data[7, 3] = np.nan
    elif change == "shape":
        data = data[:, :60]
    elif change == "words":
        data = data.astype(str)
    path = tmp_path / "cal.npz"
    np.savez(path, **{"picture" if change == "name" else "input": data})
    done = compile_bad(tmp_path, MODEL / "digits_mlp.onnx", "--calibration", path, calibrated=False)
    assert done.code == 2, done.err
    assert "cal.npz" in done.fields["message"] and "input" in done.fields["message"]


def test_no_calibration_and_no_range(tmp_path: Path) -> None:
    done = compile_bad(tmp_path, MODEL / "digits_mlp.onnx", calibrated=False)
    assert done.code == 2, done.err
    assert "range" in done.fields["remedy"] or "calibration" in done.fields["remedy"]


@pytest.mark.parametrize(
    "options", [("--bits", "5"), ("--bits", "17"), ("--input-range", "1,0"), ("--shape", "input=0"), ("--preset", "none"), ("--nonsense",)]
)
def test_bad_usage(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert compile_bad(tmp_path, MODEL / "digits_mlp.onnx", *options).code == 2


def test_a_preset_from_compile_to_verify(tmp_path: Path) -> None:
    """Smaller proofs by list decoding; the commands after `compile` need not be told."""
    folder, proof = tmp_path / "listed", tmp_path / "proof.bin"
    compiled = ciro("compile", MODEL / "digits_mlp.onnx", "--calibration", MODEL / "calibration.npz", "--preset", "johnson", "-o", folder)
    assert compiled.code == 0 and compiled.fields["security_bits"] >= 100
    assert ciro("setup", folder).code == 0
    assert ciro("prove", folder, "--input", SAMPLES, "--index", "0", "-o", proof).code == 0
    done = ciro("verify", folder / "vk.bin", proof, "--input", SAMPLES, "--index", "0")
    assert done.code == 0 and done.fields["verified"] is True and done.fields["security_bits"] >= 100
    assert json.loads((folder / "manifest.json").read_bytes())["preset"] == "johnson"


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    done = ciro("compile", MODEL / "digits_mlp.onnx", "--calibration", MODEL / "calibration.npz", "--dry-run", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert set(done.fields) == {*COMPILE, "estimate"}
    assert done.fields["estimate"]["proof_bytes"] > 0
    assert list(tmp_path.iterdir()) == []


def test_an_accuracy_is_asked_for(tmp_path: Path) -> None:
    data = ("--calibration", MODEL / "calibration.npz", "--validation", MODEL / "samples.npz")
    chart = tmp_path / "errors.svg"
    asked = ("--max-error", "0.01", "--min-agreement", "0.9", "--calibration-method", "max", "--svg", chart)
    done = ciro("compile", MODEL / "digits_mlp.onnx", *data, *asked, "--dry-run")
    assert done.code == 0, done.err
    found = done.fields["accuracy"]
    assert found["outputs"]["logits"]["relative_error"] <= 0.01 and found["source"] == "validation" and found["search"]["bits"] < 12
    assert chart.read_text().startswith("<svg")
    assert ciro("compile", MODEL / "digits_mlp.onnx", *data, "--max-error", "1e-9", "--dry-run").fields["error"] == "AccuracyError"


def test_random_calibration_is_a_remark(tmp_path: Path) -> None:
    done = ciro("compile", MODEL / "digits_mlp.onnx", "--input-range", "0,16", "--dry-run")
    assert done.code == 0 and "warning: calibrated on random inputs" in done.err


def test_keys_of_another_circuit_are_removed(folder: Path) -> None:
    same = ciro("compile", MODEL / "digits_mlp.onnx", "--calibration", MODEL / "calibration.npz", "-o", folder)
    assert same.code == 0 and (folder / "pk.bin").exists()
    other = ciro("compile", MODEL / "digits_mlp.onnx", "--calibration", MODEL / "calibration.npz", "--bits", "10", "-o", folder)
    assert other.code == 0 and not (folder / "pk.bin").exists() and not (folder / "vk.bin").exists()
    assert "removed" in other.err
    missing = ciro("prove", folder, "--input", SAMPLES, "--index", "3", "-o", folder / "proof.bin")
    assert missing.code == 2 and "setup" in missing.fields["remedy"]


def test_nothing_to_write_to(made: Made, tmp_path: Path) -> None:
    done = ciro("prove", made.folder, "--input", SAMPLES, "--index", "3", "-o", tmp_path / "no" / "proof.bin")
    assert done.code == 2
    assert "cannot write" in done.fields["message"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_no_space(made: Made) -> None:
    done = ciro("prove", made.folder, "--input", SAMPLES, "--index", "3", "-o", "/dev/full")
    assert done.code == 4
    assert done.fields["error"] == "ResourceError"
    assert done.fields["remedy"]


@pytest.mark.parametrize("name", ["circuit.bin", "pk.bin", "vk.bin", "manifest.json"])
def test_inspect(made: Made, name: str) -> None:
    done = ciro("inspect", made.folder / name)
    assert done.code == 0, done.err
    assert done.fields["bytes"] == (made.folder / name).stat().st_size
    assert done.fields["kind"]


def test_inspect_proof(made: Made) -> None:
    done = ciro("inspect", made.proof)
    assert done.code == 0
    assert done.fields["kind"] == "proof"
    assert sum(done.fields["sections"].values()) < done.fields["bytes"]
    assert ciro("inspect", SAMPLES).code == 2


def test_ctrl_c_leaves_nothing_behind(made: Made, tmp_path: Path) -> None:
    """Interrupted at several moments: exit code 130, and no proof or temporary file unless it was done before."""
    command = [
        sys.executable,
        "-m",
        "ciro_zk",
        "prove",
        str(made.folder),
        "--input",
        str(SAMPLES),
        "--index",
        "3",
        "-o",
        str(tmp_path / "p.bin"),
    ]
    codes = []
    for wait in (0.35, 0.6, 0.9):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT) as child:
            time.sleep(wait)
            child.send_signal(signal.SIGINT)
            child.wait(timeout=60)
            codes.append(child.returncode)
        left = {item.name for item in tmp_path.iterdir()}
        assert left <= {"p.bin"}
        assert child.returncode != 0 or left
        if left:  # it came too late: the proof is whole
            assert (tmp_path / "p.bin").stat().st_size == made.proof.stat().st_size
        for item in tmp_path.iterdir():
            item.unlink()
    assert set(codes) <= {0, 130, -signal.SIGINT}
    assert codes[0] != 0
