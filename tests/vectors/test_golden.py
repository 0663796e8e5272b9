"""Formats are frozen: what a version wrote is read, verified and written back alike; another version is refused and says what to do."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable

import pytest
from vectors.golden import FOLDER, FORMATS, made, path_of

from ciro_zk.circuit.manifest import canonical_json
from ciro_zk.container import CHECKSUM_BYTES, outline
from ciro_zk.errors import ProofFormatError
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.program.program import Program
from ciro_zk.proof import Proof
from ciro_zk.verifier import verify

DIGESTS = {
    "circuit-v1.bin": "66ddac1d8b84d1de1d8ed66076ba016355f1aa6d7a48ac2656fed744085291dc",
    "manifest-v1.bin": "03a78f2820307c7808c366d9bec1ac7edd170a6ad7c2f793eabb20b3e8b7ab45",
    "pkey-v1.bin": "b23e9fd4ebfb83cd751e0b0ef4af5178433f7a195c90c14afa8877dc56b5ebb3",
    "proof-v1.bin": "1f3c4603442ae6c9fb7a9d8d7d2c2ece7004271b3f6ab2867e5b4768a7a85b2d",
    "vkey-v1.bin": "aedc089a04836e4320d6e753af3c8abfc8319d19a7624793cf51bad9be923ab6",
    "circuit-v2.bin": "09f2a5633f28f9f5b222f1c5f2b34087483c5002e2f470df3a72aea047357f94",
    "manifest-v2.bin": "c12bf912bb3a233ff58299d9bd6962d6e659aeeda4b61bd1d3c2d642bf0c444d",
    "pkey-v2.bin": "753017e7aff81e9d701c0cc1ad89bec2bb360e60d70addd74e367384c85de188",
    "proof-v2.bin": "aea6a6232eb28d93920d8dc7ee29138ed8ffb1a3fdb820e28274b05320065e4d",
    "vkey-v2.bin": "e5103c7933e2a6a3b9e4af800fac038adac3a317dc8ad92a587ec5939182174e",
}
"""BLAKE2s-256 of every golden file. A line is added with a version, none is ever changed."""

CONTAINERS = sorted(set(FORMATS) - {"manifest"})
AGAIN = {"circuit": "compile", "manifest": "compile", "pkey": "set up", "vkey": "set up", "proof": "prove again"}
"""What is to be done with a file of an older version."""


@pytest.fixture(scope="module")
def written() -> dict[str, bytes]:
    return made()


def test_golden_files_are_those_of_their_versions() -> None:
    found = {path.name: hashlib.blake2s(path.read_bytes()).hexdigest() for path in sorted(FOLDER.iterdir())}
    assert found == DIGESTS
    assert {path_of(kind).name for kind in FORMATS} <= set(found), "a version was bumped: python tests/vectors/golden.py --write"


@pytest.mark.parametrize("kind", FORMATS)
def test_golden_file_is_written_back_alike(kind: str) -> None:
    data = path_of(kind).read_bytes()
    assert FORMATS[kind].again(data) == data


@pytest.mark.parametrize("kind", FORMATS)
def test_writer_still_makes_the_golden_file(kind: str, written: dict[str, bytes]) -> None:
    assert written[kind] == path_of(kind).read_bytes(), f"the {kind} format or the protocol changed: bump a version"


def test_golden_proof_verifies() -> None:
    vk, proof = VerifyingKey.load(path_of("vkey")), Proof.load(path_of("proof"))
    assert verify(vk, proof, allow_testing=True).integer_outputs.keys() == {"sum", "top"}
    assert bytes(ProvingKey.load(path_of("pkey")).vk) == bytes(vk)


def with_version(data: bytes, version: int) -> bytes:
    """A container of another version, its checksum right."""
    body = data[:12] + struct.pack("<H", version) + data[14:-CHECKSUM_BYTES]
    return body + hashlib.blake2s(body).digest()


def refusal(parse: Callable[[bytes], object], data: bytes) -> ProofFormatError:
    with pytest.raises(ProofFormatError) as error:
        parse(data)
    return error.value


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_newer_version_is_refused(kind: str) -> None:
    data, version = path_of(kind).read_bytes(), FORMATS[kind].version
    error = refusal(FORMATS[kind].again, with_version(data, version + 1))
    assert error.field == "version"
    assert f"format {version + 1}" in str(error) and "newer" in str(error) and "upgrade ciro_zk" in error.remedy


@pytest.mark.parametrize("kind", CONTAINERS)
def test_an_older_version_is_refused(kind: str) -> None:
    data, version = path_of(kind).read_bytes(), FORMATS[kind].version
    error = refusal(FORMATS[kind].again, with_version(data, version - 1))
    assert error.field == "version"
    assert f"format {version - 1}" in str(error) and "older" in str(error) and AGAIN[kind] in error.remedy


def test_every_older_golden_file_is_refused() -> None:
    current = {path_of(kind).name for kind in FORMATS}
    for path in FOLDER.iterdir():
        if path.name not in current:
            error = refusal(FORMATS[path.name.split("-")[0]].again, path.read_bytes())
            assert error.field in ("version", "format")
            assert "made by an older ciro_zk" in error.reason and AGAIN[path.name.split("-")[0]] in error.remedy


@pytest.mark.parametrize("kind", CONTAINERS)
def test_another_container_layout_is_refused(kind: str) -> None:
    data = bytearray(path_of(kind).read_bytes())
    data[7] += 1
    error = refusal(FORMATS[kind].again, bytes(data))
    assert error.field == "magic" and "newer" in str(error) and "upgrade ciro_zk" in error.remedy


def test_the_version_of_a_key_inside_a_key_counts() -> None:
    data = path_of("pkey").read_bytes()
    (name, size), _ = outline(data).sections
    start = 16 + 1 + len(name) + 8
    inner = with_version(data[start : start + size], FORMATS["vkey"].version + 1)
    body = data[:start] + inner + data[start + size : -CHECKSUM_BYTES]
    error = refusal(ProvingKey.from_bytes, body + hashlib.blake2s(body).digest())
    assert error.field == "version" and "verifying key" in str(error) and "newer" in str(error)


@pytest.mark.parametrize("step", [1, -1])
def test_another_manifest_version_is_refused(step: int) -> None:
    value = json.loads(path_of("manifest").read_bytes())
    value["format"] += step
    error = refusal(Program.from_manifest, canonical_json(value))
    assert error.field == "format" and f"version {value['format']}" in str(error)
    assert ("newer" in error.reason and "upgrade ciro_zk" in error.remedy) if step > 0 else ("older" in error.reason)
