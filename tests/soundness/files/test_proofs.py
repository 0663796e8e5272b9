"""Damaged and forged proofs.

None is accepted, and nothing escapes but `ProofRejected` or `ProofFormatError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from soundness.files.true import REFUSALS, THOROUGH, files, key, many, refuse_proof
from soundness.malicious import accepted, honest
from strategies import byte_mutations, json_mutations, repack, reseal, sections, tiny, tiny_input

from ciro_zk.errors import ProofFormatError
from ciro_zk.field.extension import P
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.program.program import Program
from ciro_zk.proof import Proof

ODD_WORDS = (0, 1, P - 1, P, P + 1, 2**64 - 1, 2**63, 2**32 - 1)


@pytest.mark.parametrize("name", ["tiny", "ports"])
@many(500)
@given(mutate=byte_mutations())
def test_proof_bytes(name: str, mutate: Callable[[bytes], bytes]) -> None:
    """Any damage to the file."""
    refuse_proof(name, mutate(files()[name][1]))


@many(500)
@given(mutate=byte_mutations())
def test_proof_bytes_resealed(mutate: Callable[[bytes], bytes]) -> None:
    """Damage with the checksum made right."""
    refuse_proof("tiny", reseal(mutate(files()["tiny"][1])))


@pytest.mark.parametrize(("name", "section"), [("tiny", 0), ("tiny", 1), ("ports", 0), ("ports", 1), ("ports", 2)])
@many(500)
@given(mutate=byte_mutations())
def test_proof_sections(name: str, section: int, mutate: Callable[[bytes], bytes]) -> None:
    """Header, public tensors and body, each damaged in a container that is whole."""
    data = files()[name][1]
    parts = sections(data)
    parts[section] = parts[section][0], mutate(parts[section][1])
    refuse_proof(name, repack(data, parts))


@pytest.mark.parametrize("name", ["tiny", "deep"])
@many(400)
@given(mutate=byte_mutations(element=8))
def test_proof_body_by_words(name: str, mutate: Callable[[bytes], bytes]) -> None:
    """Messages changed, dropped, repeated, copied and exchanged by whole words, so that lengths and encodings often stay right."""
    data = files()[name][1]
    (header, public, (body, payload)) = sections(data)
    refuse_proof(name, repack(data, [header, public, (body, mutate(payload))]))


@many(400)
@given(where=st.floats(0, 1, exclude_max=True), word=st.sampled_from(ODD_WORDS), add=st.booleans())
def test_proof_body_elements(where: float, word: int, add: bool) -> None:
    """Single words set, or raised by p where they stay below 2^64: non-canonical elements."""
    data = files()["tiny"][1]
    (header, public, (body, payload)) = sections(data)
    at = 8 * int(where * (len(payload) // 8))
    old = int.from_bytes(payload[at : at + 8], "little")
    new = old + P if add and old + P < 1 << 64 else word
    refuse_proof("tiny", repack(data, [header, public, (body, payload[:at] + new.to_bytes(8, "little") + payload[at + 8 :])]))


def test_every_byte_of_a_body() -> None:
    """One bit of every eleventh byte of a proof (of every byte under the thorough profile), one after the other."""
    proof = Proof.from_bytes(files()["tiny"][1])
    for i in range(0, len(proof.body), 1 if THOROUGH else 11):
        body = bytearray(proof.body)
        body[i] ^= 1 << i % 8
        with pytest.raises(REFUSALS):
            accepted(key("tiny"), replace(proof, body=bytes(body)))


@many(500)
@given(change=json_mutations())
def test_proof_header(change: Callable[[bytes], bytes]) -> None:
    """The header's JSON, canonical but other."""
    for name in ("tiny", "ports"):
        data = files()[name][1]
        (header, payload), *rest = sections(data)
        refuse_proof(name, repack(data, [(header, change(payload)), *rest]))


@many(500)
@given(cells=st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=7, max_size=7))
@example(cells=[0] * 7)
def test_proof_public_tensors(cells: list[int]) -> None:
    """Any other public integers."""
    proof = Proof.from_bytes(files()["tiny"][1])
    inputs, outputs = np.array(cells[:4]).reshape(1, 1, 4), np.array(cells[4:]).reshape(1, 1, 3)
    refuse_proof("tiny", bytes(replace(proof, inputs={"x": inputs}, outputs={"y": outputs})))


@many(150)
@given(cut=st.floats(0, 1), mutate=byte_mutations())
def test_spliced_proofs(cut: float, mutate: Callable[[bytes], bytes]) -> None:
    """The first part of one true proof, the rest of another."""
    one = Proof.from_bytes(files()["tiny"][1])
    other = honest(tiny(), tiny_input(3))[2]
    at = int(cut * len(one.body))
    body = one.body[:at] + other.body[at:]
    if body not in (one.body, other.body):
        refuse_proof("tiny", bytes(replace(one, body=body)))
        refuse_proof("tiny", bytes(replace(one, body=mutate(body))))
    refuse_proof("tiny", bytes(replace(one, body=other.body)))


@given(st.binary(max_size=400))
def test_noise(data: bytes) -> None:
    for parse in (Proof.from_bytes, VerifyingKey.from_bytes, ProvingKey.from_bytes, Circuit.from_bytes, Program.from_manifest):
        with pytest.raises(ProofFormatError):
            parse(data)


def test_one_encoding() -> None:
    """A header with other spaces, key order, escapes, digits or digests' case is no header."""
    data = files()["tiny"][1]
    (header, payload), *rest = sections(data)
    value = json.loads(payload)
    digest = value["program"].encode()
    variants = [
        json.dumps(value).encode(),
        json.dumps(value, sort_keys=True, indent=1).encode(),
        json.dumps(dict(reversed(value.items())), separators=(",", ":")).encode(),
        payload.replace(b'"x"', b'"\\u0078"'),
        payload.replace(b"[1,1,4]", b"[1.0,1,4]"),
        payload.replace(b"[1,1,4]", b"[true,1,4]"),
        payload.replace(b'"batch":1', b'"batch":1,"batch":1'),
        payload.replace(b'"batch":1', b'"batch":true'),
        payload.replace(digest, digest.upper()),
        payload.replace(digest, b" " + digest),
        payload.replace(b'"batch":1', b'"batch":NaN'),
        payload.replace(b'"batch":1', b'"batch":Infinity'),
        payload.replace(b'"batch":1', b'"batch":1e400'),
        payload.replace(b'"batch":1', b'"batch":' + b"9" * 5000),
        payload.replace(b"[1,1,4]", b"[" * 3000 + b"]" * 3000),
        payload.replace(b"[1,1,4]", b"[" * 400 + b"]" * 400),
        payload.decode().encode("utf-16"),
        b"\xef\xbb\xbf" + payload,
        payload + b"\n",
    ]
    for variant in variants:
        assert variant != payload
        with pytest.raises(REFUSALS):
            accepted(key("tiny"), Proof.from_bytes(repack(data, [(header, variant), *rest])))
