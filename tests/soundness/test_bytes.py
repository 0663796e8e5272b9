"""Damaged and forged files: proofs, keys, circuits and manifests, thousands of mutations by hypothesis.

None is accepted, and nothing escapes but `ProofRejected` or `ProofFormatError`. A mutated key that parses defines another program (another
digest, so that old proofs are rejected), or is rejected itself. What is accepted has one encoding: bytes(parse(x)) == x.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from soundness.malicious import accepted, forgotten_registrations, honest, kernels, keys
from strategies import byte_mutations, deep, json_mutations, repack, reseal, sections, tiny, tiny_input, toy, toy_input, two_ports

from ciro_zk.circuit.manifest import canonical_json
from ciro_zk.container import pack
from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.field.extension import P
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.program.program import Program
from ciro_zk.proof import Proof
from ciro_zk.prover import prove
from ciro_zk.witness import infer

REFUSALS = (ProofRejected, ProofFormatError)
ODD_WORDS = (0, 1, P - 1, P, P + 1, 2**64 - 1, 2**63, 2**32 - 1)
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def many(examples: int) -> settings:
    """So many examples, five times as many under the thorough profile."""
    return settings(max_examples=examples * (5 if THOROUGH else 1))


@cache
def files() -> dict[str, tuple[bytes, bytes]]:
    """(verifying key, proof) of a few circuits."""
    x = np.arange(-3, 3).reshape(2, 3)
    found = {}
    for name, circuit, inputs in (
        ("tiny", tiny(), (tiny_input(),)),
        ("ports", two_ports(), (x, x[::-1])),
        ("deep", deep(), (toy_input(),)),
    ):
        _, vk, proof = honest(circuit, *inputs)
        found[name] = bytes(vk), bytes(proof)
    return found


@cache
def key(name: str) -> VerifyingKey:
    """The key of one of `files`; the deep one cannot be read back, since its opening is not the one that its size would take."""
    return keys(deep())[1] if name == "deep" else VerifyingKey.from_bytes(files()[name][0])


def refuse_proof(name: str, data: bytes) -> None:
    """The proof is not accepted, unless it is the true one."""
    if data == files()[name][1]:
        return
    with pytest.raises(REFUSALS):
        accepted(key(name), Proof.from_bytes(data))


# Proofs --------------------------------------------------------------------------------------------------------------------------


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


# Keys and circuits ---------------------------------------------------------------------------------------------------------------


def refuse_key(name: str, data: bytes) -> None:
    """The key does not parse, or no proof of the true key passes under it. A key that parses has one encoding."""
    true, proof_bytes = files()[name]
    if data == true:
        return
    try:
        vk = VerifyingKey.from_bytes(data)
    except ProofFormatError:
        return
    assert bytes(vk) == data
    proof = Proof.from_bytes(proof_bytes)
    # as it is, and relabelled: even a proof that says it is for this key
    for shown in (proof, replace(proof, program_digest=vk.program.digest, model_commitment=vk.model_commitment)):
        with pytest.raises(REFUSALS), forgotten_registrations():
            accepted(vk, shown)


@pytest.mark.parametrize("name", ["tiny", "ports"])
@many(500)
@given(mutate=byte_mutations(), seal=st.booleans())
def test_verifying_key_bytes(name: str, mutate: Callable[[bytes], bytes], seal: bool) -> None:
    data = mutate(files()[name][0])
    refuse_key(name, reseal(data) if seal else data)


@pytest.mark.parametrize("section", range(3))
@many(250)
@given(mutate=byte_mutations())
def test_verifying_key_sections(section: int, mutate: Callable[[bytes], bytes]) -> None:
    for name in ("tiny", "ports"):
        data = files()[name][0]
        parts = sections(data)
        parts[section] = parts[section][0], mutate(parts[section][1])
        refuse_key(name, repack(data, parts))


@pytest.mark.parametrize("name", ["tiny", "ports"])
@many(800)
@given(change=json_mutations())
def test_verifying_key_manifest(name: str, change: Callable[[bytes], bytes]) -> None:
    """The program changed, canonically."""
    data = files()[name][0]
    (manifest, payload), *rest = sections(data)
    refuse_key(name, repack(data, [(manifest, change(payload)), *rest]))


@many(200)
@given(first=json_mutations(), second=json_mutations(), third=json_mutations())
def test_manifest_of_the_toy(first: Callable[[bytes], bytes], second: Callable[[bytes], bytes], third: Callable[[bytes], bytes]) -> None:
    """Up to three values of a larger program changed: refused, or another program with one encoding."""
    manifest = toy().program.manifest
    for change in (first, second, third):
        try:
            manifest = change(manifest)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):  # nothing left to change
            return
        try:
            program = Program.from_manifest(manifest)
        except ProofFormatError:
            continue
        assert program.manifest == manifest
        assert (program.digest == toy().program.digest) == (manifest == toy().program.manifest)


@many(500)
@given(mutate=byte_mutations())
def test_manifest_bytes(mutate: Callable[[bytes], bytes]) -> None:
    manifest = mutate(toy().program.manifest)
    if manifest != toy().program.manifest:
        try:
            program = Program.from_manifest(manifest)
        except ProofFormatError:
            return
        assert program.manifest == manifest
        assert program.digest != toy().program.digest


@cache
def proving_key() -> bytes:
    return bytes(keys(tiny())[0])


def refuse_proving_key(data: bytes) -> None:
    """The key does not parse, or does not prove, or what it proves is for another key."""
    if data == proving_key():
        return
    pk_true, vk_true = keys(tiny())
    try:
        pk = ProvingKey.from_bytes(data)
        if pk.program.digest != pk_true.program.digest:
            return
        proof = prove(pk, infer(pk, tiny_input() * 0.5), kernels=kernels())
    except ProofFormatError:
        return
    assert pk.vk != vk_true  # weights, program and commitment are the true ones: only the registration can differ
    with pytest.raises(REFUSALS), forgotten_registrations():
        accepted(pk.vk, proof)


@many(500)
@given(mutate=byte_mutations(), seal=st.booleans())
def test_proving_key_bytes(mutate: Callable[[bytes], bytes], seal: bool) -> None:
    data = mutate(proving_key())
    refuse_proving_key(reseal(data) if seal else data)


@pytest.mark.parametrize("section", range(2))
@many(400)
@given(mutate=byte_mutations())
def test_proving_key_sections(section: int, mutate: Callable[[bytes], bytes]) -> None:
    parts = sections(proving_key())
    parts[section] = parts[section][0], mutate(parts[section][1])
    refuse_proving_key(repack(proving_key(), parts))


@many(200)
@given(weights=st.lists(st.integers(-9, 8), min_size=12, max_size=12))
def test_proving_key_of_other_weights(weights: list[int]) -> None:
    """Weights that are not those of the commitment do not prove."""
    pk, _ = keys(tiny())
    (vk, payload), (name, cells) = sections(proving_key())
    data = np.array(weights, dtype="<i1").tobytes()
    assert len(data) == len(cells)
    if data == cells:
        return
    with pytest.raises(ProofFormatError):
        other = ProvingKey.from_bytes(repack(proving_key(), [(vk, payload), (name, data)]))
        prove(other, infer(pk, tiny_input() * 0.5), kernels=kernels())


def refuse_circuit(data: bytes) -> None:
    """The circuit does not parse, or is another one, in its one encoding."""
    if data == bytes(tiny()):
        return
    try:
        circuit = Circuit.from_bytes(data)
    except ProofFormatError:
        return
    assert bytes(circuit) == data


@many(500)
@given(mutate=byte_mutations(), seal=st.booleans())
def test_circuit_bytes(mutate: Callable[[bytes], bytes], seal: bool) -> None:
    data = mutate(bytes(tiny()))
    refuse_circuit(reseal(data) if seal else data)


@pytest.mark.parametrize("section", range(3))
@many(500)
@given(mutate=byte_mutations(), change=json_mutations(), as_json=st.booleans())
def test_circuit_sections(section: int, mutate: Callable[[bytes], bytes], change: Callable[[bytes], bytes], as_json: bool) -> None:
    parts = sections(bytes(tiny()))
    name, payload = parts[section]
    parts[section] = name, change(payload) if as_json and section != 1 else mutate(payload)
    refuse_circuit(repack(bytes(tiny()), parts))


# Containers ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["proof", "key", "circuit", "proving key"])
def test_sections_swapped_dropped_and_doubled(kind: str) -> None:
    data, parse = {
        "proof": (files()["tiny"][1], Proof.from_bytes),
        "key": (files()["tiny"][0], VerifyingKey.from_bytes),
        "circuit": (bytes(tiny()), Circuit.from_bytes),
        "proving key": (proving_key(), ProvingKey.from_bytes),
    }[kind]
    parts = sections(data)
    variants: list[Any] = [parts[::-1], parts[:-1], parts[1:], [*parts, ("more", b"")], []]
    payloads = [payload for _, payload in parts]
    variants.append([(name, payload) for (name, _), payload in zip(parts, payloads[1:] + payloads[:1], strict=True)])
    for variant in variants:
        with pytest.raises(ProofFormatError):
            parse(repack(data, variant))
    for kind_bytes, version in ((b"PROF", 0), (b"PROF", 1), (b"PROF", 3), (b"VKEY", 9), (b"CIRC", 7), (b"XXXX", 1)):
        with pytest.raises(ProofFormatError):
            parse(pack(kind_bytes, version, parts))
    with pytest.raises(ProofFormatError):
        parse(data + b"\0")
    for length in range(0, len(data), max(len(data) // 200, 1)):
        with pytest.raises(ProofFormatError):
            parse(data[:length])


def test_other_kinds_of_files() -> None:
    """A key given as a proof, a proof as a circuit, and so on."""
    data = {
        Proof.from_bytes: files()["tiny"][1],
        VerifyingKey.from_bytes: files()["tiny"][0],
        Circuit.from_bytes: bytes(tiny()),
        ProvingKey.from_bytes: proving_key(),
    }
    for parse in data:
        for other, content in data.items():
            if other is not parse:
                with pytest.raises(ProofFormatError):
                    parse(content)  # type: ignore[operator]


# Hostile programs ----------------------------------------------------------------------------------------------------------------


def edited(edit: Callable[[dict[str, Any]], None]) -> bytes:
    """tiny's manifest after an edit, written canonically."""
    value = json.loads(tiny().program.manifest)
    edit(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def node(value: dict[str, Any], kind: str) -> Any:
    return next(n for n in value["graph"]["nodes"] if n["kind"] == kind)


def inserted(views: list[dict[str, Any]]) -> Callable[[dict[str, Any]], None]:
    """Views put between the input and the product."""

    def edit(value: dict[str, Any]) -> None:
        nodes = value["graph"]["nodes"]
        at = nodes.index(node(value, "matmul"))
        nodes[at:at] = views
        last = 1 + len(views)
        node(value, "matmul")["inputs"] = [last, 1]
        node(value, "requantise")["inputs"] = [last + 1]
        value["graph"]["outputs"][0]["tensor"] = last + 2

    return edit


def reshape(source: int) -> dict[str, Any]:
    return {"kind": "reshape", "name": "", "inputs": [source], "shape": [1, 1, 4]}


def twice(source: int) -> dict[str, Any]:
    return {"kind": "combine", "name": "", "inputs": [source, source], "coefficients": [1, 0], "offset": 0}


@pytest.mark.parametrize("count", [1, 10, 100])
def test_chains_of_views(count: int) -> None:
    program = Program.from_manifest(edited(inserted([reshape(0 if i == 0 else 1 + i) for i in range(count)])))
    assert program.digest != tiny().program.digest


@pytest.mark.parametrize(
    "views",
    [
        [reshape(0 if i == 0 else 1 + i) for i in range(3000)],
        [twice(0 if i == 0 else 1 + i) for i in range(40)],
        [{"kind": "axis_map", "name": "", "inputs": [0], "axis": 2, "index": [[0]] * 4, "weight": [[1 << 63]] * 4}],
        [{"kind": "axis_map", "name": "", "inputs": [0], "axis": 2, "index": [[0]] * 4, "weight": [[-(1 << 63)]] * 4}],
        [{"kind": "axis_map", "name": "", "inputs": [0], "axis": 2, "index": [[-1]] * 4, "weight": [[1]] * 4}],
        [{"kind": "reshape", "name": "", "inputs": [0], "shape": [-1, -1, 4]}],
        [{"kind": "reshape", "name": "", "inputs": [0], "shape": []}],
        [{"kind": "transpose", "name": "", "inputs": [0], "permutation": [0, 0, 2]}],
        [{"kind": "combine", "name": "", "inputs": [], "coefficients": [], "offset": 0}],
    ],
    ids=["long", "exponential", "2^63", "-2^63", "index", "negative", "empty", "permutation", "nothing"],
)
def test_hostile_views(views: list[dict[str, Any]]) -> None:
    with pytest.raises(ProofFormatError):
        Program.from_manifest(edited(inserted(views)))


def test_names_that_cannot_be_encoded() -> None:
    for edit in (
        lambda value: value.update(name="\ud800"),
        lambda value: value["graph"]["outputs"][0].update(name="\udfff"),
        lambda value: node(value, "input").update(name="\ud800"),
    ):
        with pytest.raises(ProofFormatError):
            Program.from_manifest(edited(edit))


@pytest.mark.parametrize("depth", [3, 6, 300, 900, 5000, 100_000])
def test_deep_json(depth: int) -> None:
    """Deeper than any field, than Python's recursion, than the parser's."""
    manifest = tiny().program.manifest.replace(b'"bits":4,"kind":"range"', b'"bits":' + b"[" * depth + b"]" * depth + b',"kind":"range"')
    assert manifest != tiny().program.manifest
    with pytest.raises(ProofFormatError):
        Program.from_manifest(manifest)


def test_a_key_without_weights_has_no_registration_to_hide_things_in() -> None:
    """Bytes that nobody reads would make a second key of the same model."""
    vk = VerifyingKey.from_bytes(files()["ports"][0])
    with pytest.raises(REFUSALS):
        accepted(replace(vk, registration=b"anything"), Proof.from_bytes(files()["ports"][1]))


def test_canonical_json_refuses_what_has_no_form() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            canonical_json({"a": value})
