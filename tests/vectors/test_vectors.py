"""Our verifier holds to the vectors of `verifier/spec`: every state, challenge, claim, value and verdict.

The vectors are what a verifier in another language is built against; they change with the protocol's version only.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ciro_zk.program.keys import VerifyingKey
from ciro_zk.program.statement import PROTOCOL
from verifier.spec import make_vectors as vectors
from verifier.spec.record import check
from verifier.spec.reference import parameters

FOLDER = vectors.FOLDER
HONEST = ("varied", "blocks", "batch", "standard", "listed")
FALSE: dict[str, dict[str, Any]] = json.loads((FOLDER / "false" / "verdicts.json").read_bytes())
STAGES = {"statement", "grinding", "lookup", "products", "merkle", "opening", "registration"}


@cache
def read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def compare(path: str, found: Any, wanted: Any) -> None:
    """Equality that names the first difference."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        assert found.keys() == wanted.keys(), path
        for key in wanted:
            compare(f"{path}.{key}", found[key], wanted[key])
    elif isinstance(wanted, list) and isinstance(found, list):
        assert len(found) == len(wanted), path
        for i, (a, b) in enumerate(zip(found, wanted, strict=True)):
            compare(f"{path}[{i}]", a, b)
    else:
        assert found == wanted, path


def test_protocol_version() -> None:
    assert PROTOCOL == "ciro_zk native 2", "another protocol: make its vectors (python verifier/spec/make_vectors.py --write)"


@pytest.mark.parametrize("name", HONEST)
def test_honest_proof(name: str) -> None:
    found = json.loads(vectors.text(vectors.honest_entry(read(f"{name}.vkey"), read(f"{name}.proof"))))
    compare(name, found, json.loads(read(f"{name}.json")))


@pytest.mark.parametrize("name", sorted(FALSE))
def test_false_proof(name: str) -> None:
    wanted = FALSE[name]
    vk = read(f"false/{name}") if name.endswith(".vkey") else read("varied.vkey")
    proof = read("varied.proof") if name.endswith(".vkey") else read(f"false/{name}")
    found, _, log = check(vk, proof)
    for key in ("verdict", "stage", "field", "round"):
        assert found.get(key) == wanted.get(key), key
    if "steps" in wanted:
        assert (len(log.steps), log.last_state) == (wanted["steps"], wanted["last state"])
    if "claims" in wanted:
        assert log.claims[-1] == wanted["claims"]


def test_false_proofs_of_every_kind() -> None:
    found = {(entry["verdict"], entry.get("stage")) for entry in FALSE.values()}
    assert {stage for verdict, stage in found if verdict == "rejected"} == STAGES
    assert ("malformed", None) in found
    files = {path.name for path in (FOLDER / "false").iterdir()} - {"verdicts.json"}
    assert files == set(FALSE) and len(files) >= 10


@pytest.mark.parametrize("name", ["primitives", "layouts"])
def test_parts(name: str) -> None:
    compare(name, json.loads(vectors.text(getattr(vectors, name)())), json.loads(read(f"{name}.json")))


def test_levels() -> None:
    compare("levels", json.loads(vectors.text(vectors.levels())), json.loads(read("levels.json"))["entries"])


def test_columns_of_tables_in_a_small_number_of_bytes() -> None:
    """The vectors stay small: under 2 MB."""
    assert sum(path.stat().st_size for path in Path(FOLDER).rglob("*") if path.is_file()) < 2 << 20


@pytest.mark.parametrize("name", HONEST)
def test_steps_are_a_chain(name: str) -> None:
    """The recorded states follow from the recorded messages alone, computed here with hashlib only."""
    import hashlib

    entry = json.loads(read(f"{name}.json"))
    body = _body(read(f"{name}.proof"))
    statement = entry["statement"]
    sample = VerifyingKey.from_bytes(read(f"{name}.vkey")).weights_sample
    public = [
        b"ciro_zk native 2", bytes.fromhex(statement["program digest"]), bytes.fromhex(statement["model commitment"]),
        *([sample] if sample else []), statement["preset"].encode(), statement["batch"].to_bytes(8, "little"),
        bytes.fromhex(statement["input digest"]), bytes.fromhex(statement["output digest"]), parameters(entry["plan"]),
    ]  # fmt: skip
    state, at = bytes(32), 0
    for number, (kind, label, detail, recorded) in enumerate(entry["run"]["steps"]):
        data = b""
        if kind == "absorb":
            data = public[number] if number < len(public) else body[at : at + detail]
            at += 0 if number < len(public) else detail
            assert len(data) == detail
        tag = b"A" if kind == "absorb" else b"S"
        header = state + tag + len(label).to_bytes(2, "little") + label.encode() + len(data).to_bytes(8, "little")
        state = hashlib.blake2s(header + data, person=b"ciro_fs1").digest()
        assert state.hex() == recorded, (number, label)
        if kind == "draw":
            blocks = [hashlib.blake2s(state + i.to_bytes(8, "little"), person=b"ciro_fs1").digest() for i in range(len(detail) // 4 + 1)]
            assert np.frombuffer(b"".join(blocks), dtype="<u8")[: len(detail)].tolist() == detail
    assert at == len(body)


def _body(proof: bytes) -> bytes:
    """The last section of a proof."""
    at = 16
    for _ in range(3):
        at += 1 + proof[at]
        length = int.from_bytes(proof[at : at + 8], "little")
        at += 8 + length
    return proof[at - length : at]
