"""Circuits, keys and proofs as bytes: read back as they were, or refused with source, field and reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from strategies import repack, sections, tiny, tiny_input, toy, two_ports

from ciro_zk import prover
from ciro_zk.circuit.error import Deviation
from ciro_zk.circuit.manifest import canonical_json
from ciro_zk.circuit.notes import Notes
from ciro_zk.errors import InputError, ProofFormatError
from ciro_zk.kernels import plain_kernels
from ciro_zk.params import JOHNSON
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.proof import Proof
from ciro_zk.witness import infer
from tests.unit.program.made import tiny_keys, tiny_proof, toy_keys, toy_proof

DEVIATIONS = [b"{}", b"[1]", b"[[0,[]]]", b"[[0,[-0.5,[],false,false]]]", b"[[0,[1,[],false,false]]]", b"[[0,[0.5,[],0,false]]]"]

NORMALISE = b'[[1,"normalise",{"centred":false,"epsilon":%s,"peak":1.0,"source":%s}]]'
LAWS = [
    b"{}",
    b"[1]",
    b'[[1,"other",{}]]',
    b'[[1,"normalise",{}]]',
    NORMALISE % (b"-1.0", b"0"),
    NORMALISE % (b"1", b"0"),
    NORMALISE % (b"1.0", b"9"),
]

MAKERS: Mapping[str, Callable[[], Any]] = {
    "circuit": toy,
    "small circuit": tiny,
    "circuit without weights": two_ports,
    "circuit with notes": lambda: replace(tiny(), calibration={"x": [0.5]}, accuracy={"y": {"max_abs_error": 0.1}}),
    "circuit with deviations": lambda: replace(
        tiny(), notes=Notes({1: Deviation(0.5, (0.25,), exact_low=True), 0: Deviation(0.125, sign=True)})
    ),
    "proving key": lambda: toy_keys()[0],
    "small proving key": lambda: tiny_keys()[0],
    "verifying key": lambda: toy_keys()[1],
    "proof": lambda: toy_proof()[1],
}


@pytest.mark.parametrize("name", MAKERS)
def test_bytes_are_read_back(name: str, tmp_path: Path) -> None:
    made = MAKERS[name]()
    data = bytes(made)
    read = type(made).from_bytes(data)
    assert bytes(read) == data
    path = tmp_path / "file"
    made.save(path)
    assert path.read_bytes() == data
    assert bytes(type(made).load(path)) == data
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("cls", [Circuit, ProvingKey, VerifyingKey, Proof])
def test_a_missing_file_is_an_input_error(cls: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        cls.load(tmp_path / "none")


@pytest.mark.parametrize("name", MAKERS)
def test_no_kind_is_read_as_another(name: str) -> None:
    made = MAKERS[name]()
    for cls in (Circuit, ProvingKey, VerifyingKey, Proof):
        if not isinstance(made, cls):
            with pytest.raises(ProofFormatError):
                cls.from_bytes(bytes(made))


@pytest.mark.parametrize("name", ["small circuit", "proving key", "verifying key", "proof"])
def test_truncated_extended_or_flipped_files_are_refused(name: str) -> None:
    made = MAKERS[name]()
    data = bytes(made)
    rng = np.random.default_rng(0)
    damaged = [data[:-1], data[: len(data) // 2], b"", data + b"\0"]
    for at in rng.integers(0, len(data), 20):
        flipped = bytearray(data)
        flipped[at] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    for other in damaged:
        with pytest.raises(ProofFormatError) as caught:
            type(made).from_bytes(other, "the file")
        assert caught.value.file == "the file"


def test_what_a_circuit_and_its_keys_hold() -> None:
    circuit, (pk, vk) = toy(), toy_keys()
    read = Circuit.from_bytes(bytes(circuit))
    assert (read.name, read.bits, read.preset) == (circuit.name, circuit.bits, circuit.preset)
    assert list(read.weights) == list(circuit.weights)
    dtypes = {i: circuit.graph.tensors[i].dtype for i in circuit.weights}
    assert {dtype.itemsize for dtype in dtypes.values()} == {1, 2}
    assert all(np.array_equal(read.weights[i], w) and read.weights[i].dtype == w.dtype == dtypes[i] for i, w in circuit.weights.items())
    assert read.manifest() == circuit.manifest() == vk.program.manifest.decode()
    key = ProvingKey.from_bytes(bytes(pk))
    assert key.vk.digest == vk.digest == VerifyingKey.from_bytes(bytes(vk)).digest
    assert key.program.digest == circuit.program.digest
    assert bytes(vk) in bytes(pk)
    cells = b"".join(w.tobytes() for w in circuit.weights.values())
    assert cells in bytes(pk) and cells not in bytes(vk)


def test_reprs_are_short_and_tell_no_values() -> None:
    pk, vk = tiny_keys()
    run, proof = tiny_proof()
    for made in (tiny(), pk, vk, proof, run):
        assert len(repr(made)) < 200 and "\n" not in repr(made)
        assert "array" not in repr(made)


def test_the_keys_digest_covers_program_commitment_and_registration() -> None:
    _, vk = tiny_keys()
    others = [
        replace(vk, program=toy().program),
        replace(vk, model_commitment=bytes(32)),
        replace(vk, registration=vk.registration + b"\0"),
    ]
    assert len({vk.digest, *(other.digest for other in others)}) == 4


def test_the_keys_digest_covers_the_weights_sample() -> None:
    _, vk = listed_keys()
    other = replace(vk, weights_sample=bytes(16))
    assert other.weights_sample != vk.weights_sample and other.digest != vk.digest
    assert other.registration_statement != vk.registration_statement


# Contents that are wrong under a right checksum ------------------------------------------------------------------------------------------


def tampered(made: Any, section: str, payload: bytes) -> ProofFormatError:
    """What reading says when one section is replaced."""
    parts = [(name, payload if name == section else old) for name, old in sections(bytes(made))]
    assert section in dict(parts)
    with pytest.raises(ProofFormatError) as caught:
        type(made).from_bytes(repack(bytes(made), parts), "the file")
    assert caught.value.file == "the file"
    return caught.value


@cache
def listed_keys() -> tuple[ProvingKey, VerifyingKey]:
    return prover.setup(tiny(JOHNSON), threads=1)


def test_a_weights_sample_that_is_none() -> None:
    """Of another length, not canonical, missing in a preset that has one or there in one that has none."""
    _, vk = listed_keys()
    assert VerifyingKey.from_bytes(bytes(vk)) == vk
    for payload in (b"", vk.weights_sample[:-1], b"\xff" * 16):
        assert tampered(vk, "sample", payload).field == "sample"
        with pytest.raises(ProofFormatError, match="sample"):
            replace(vk, weights_sample=payload)
    _, without = tiny_keys()
    assert tampered(without, "sample", bytes(16)).field == "sample"


@pytest.mark.parametrize("name", ["small circuit", "small proving key"])
def test_weights_of_another_number_or_range(name: str) -> None:
    made = MAKERS[name]()
    ((_, weights),) = made.weights.items()
    cells = weights.reshape(-1)
    assert cells.dtype == np.int8
    for other in (cells[:-1], np.append(cells, np.int8(0)), cells.astype(np.int16), cells[:0]):
        assert "another number of cells" in tampered(made, "weights", other.tobytes()).reason
    for outside in (-9, 8, -128, 127):
        wrong = cells.copy()
        wrong[0] = outside
        assert "'w' is out of range" in tampered(made, "weights", wrong.tobytes()).reason


def test_weights_out_of_their_range_are_not_narrowed() -> None:
    """They stay what they are: a file of them is not written, and no proof of them would hold."""
    circuit = MAKERS["small circuit"]()
    ((tensor, weights),) = circuit.weights.items()
    for outside in (128, 1 << 40):
        wrong = weights.astype(np.int64)
        wrong.reshape(-1)[0] = outside
        made = replace(circuit, weights={tensor: wrong})
        assert made.weights[tensor].dtype == np.int64
        with pytest.raises(TypeError):
            bytes(made)


@pytest.mark.parametrize(
    "notes",
    [b"", b"[]", b"{}", b'{"accuracy":{}}', b'{"accuracy":{},"calibration":[]}', b'{"accuracy":{}, "calibration":{}}']
    + [b'{"accuracy":{},"calibration":{},"deviations":%s}' % d for d in DEVIATIONS]
    + [b'{"accuracy":{},"calibration":{},"laws":%s}' % law for law in LAWS],
)
def test_notes(notes: bytes) -> None:
    assert tampered(tiny(), "notes", notes).field == "notes"


def test_a_model_commitment_of_another_length() -> None:
    _, vk = tiny_keys()
    assert tampered(vk, "model", vk.model_commitment[:-1]).field == "model"
    assert tampered(vk, "model", vk.model_commitment + b"\0").field == "model"


@pytest.mark.parametrize("name", ["small circuit", "verifying key"])
def test_a_manifest_that_is_wrong(name: str) -> None:
    assert tampered(MAKERS[name](), "manifest", b"{}").field == "manifest"


HEADER = {"program": "00" * 32, "model": "11" * 32, "batch": 1, "inputs": [["x", [2, 3]]], "outputs": [["y", [4]]]}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"program": "00" * 31}, "program"),
        ({"program": 5}, "program"),
        ({"program": "zz" * 32}, "program"),
        ({"model": "AB" * 32}, "model"),
        ({"model": " " + "11" * 32}, "model"),
        ({"batch": 0}, "batch"),
        ({"batch": -1}, "batch"),
        ({"batch": 1 << 20}, "batch"),
        ({"batch": 1.5}, "batch"),
        ({"batch": "1"}, "batch"),
        ({"inputs": {}}, "inputs"),
        ({"inputs": [["x"]]}, "inputs"),
        ({"inputs": [["x", 6]]}, "inputs"),
        ({"inputs": [[7, [2, 3]]]}, "inputs"),
        ({"inputs": [["x", [2, -3]]]}, "inputs"),
        ({"inputs": [["x", [2, 0]]]}, "inputs"),
        ({"inputs": [["x", [2, 3.0]]]}, "inputs"),
        ({"inputs": [["x", [True, 6]]]}, "inputs"),
        ({"inputs": [["x", []]]}, "inputs"),
        ({"inputs": [["x", [1] * 10]]}, "inputs"),
        ({"inputs": [["x" * 513, [2, 3]]]}, "inputs"),
        ({"inputs": [["x", [1 << 27]]]}, "inputs"),
        ({"inputs": [["x", [3]], ["x", [3]]]}, "inputs"),
        ({"outputs": [["y", [2]], ["y", [2]]]}, "outputs"),
        ({"outputs": [["y", [5]]]}, "public"),
        ({"outputs": [["y", [3]]]}, "public"),
        ({"inputs": [["x", [1 << 20, 1 << 20, 1 << 20]]]}, "public"),
        ({"surplus": 1}, "header"),
    ],
)
def test_proof_headers(change: dict[str, Any], field: str) -> None:
    proof = Proof(
        program_digest=bytes(32),
        model_commitment=bytes([0x11] * 32),
        inputs={"x": np.arange(6).reshape(2, 3)},
        outputs={"y": np.arange(4)},
        body=b"abc",
    )
    assert dict(sections(bytes(proof)))["header"] == canonical_json(HEADER)
    assert tampered(proof, "header", canonical_json(HEADER | change)).field == field


@pytest.mark.parametrize("header", [b"", b"[]", b"NaN", b"[" * 50_000, json.dumps(HEADER).encode(), canonical_json(HEADER) + b" "])
def test_proof_headers_that_are_no_canonical_json(header: bytes) -> None:
    assert tampered(toy_proof()[1], "header", header).field == "header"


# Altered weights -------------------------------------------------------------------------------------------------------------------------


def test_a_proving_key_with_altered_weights_proves_nothing() -> None:
    """The altered weights lie in their range, so the key reads; they are not those under the model commitment."""
    pk, _ = tiny_keys()
    ((tensor, weights),) = pk.weights.items()
    altered = weights.copy()
    altered[0, 0, 0] = -altered[0, 0, 0] if altered[0, 0, 0] > -8 and altered[0, 0, 0] else 3
    read = ProvingKey.from_bytes(bytes(ProvingKey(pk.vk, {tensor: altered})))
    with pytest.raises(ProofFormatError, match="not those of the model commitment") as caught:
        prover.prove(read, infer(read, tiny_input() / 2), kernels=plain_kernels())
    assert caught.value.field == "weights"


def test_a_proving_key_read_back_proves_the_same() -> None:
    pk, _ = tiny_keys()
    read = ProvingKey.from_bytes(bytes(pk))
    proof = prover.prove(read, infer(read, tiny_input() / 2), kernels=plain_kernels())
    assert bytes(proof) == bytes(tiny_proof()[1])
