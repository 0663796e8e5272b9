"""Damaged keys, circuits and manifests.

A mutated key that parses defines another program (another digest, so that old proofs are rejected), or is rejected itself. What is
accepted has one encoding: bytes(parse(x)) == x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from soundness.files.true import REFUSALS, files, many, proving_key, refuse_circuit, refuse_key, refuse_proving_key
from soundness.malicious import accepted, kernels, keys
from strategies import byte_mutations, json_mutations, repack, reseal, sections, tiny, tiny_input, toy

from ciro_zk.errors import ProofFormatError
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.program.program import Program
from ciro_zk.proof import Proof
from ciro_zk.prover import prove
from ciro_zk.witness import infer


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


def test_a_key_without_weights_has_no_registration_to_hide_things_in() -> None:
    """Bytes that nobody reads would make a second key of the same model."""
    vk = VerifyingKey.from_bytes(files()["ports"][0])
    with pytest.raises(REFUSALS):
        accepted(replace(vk, registration=b"anything"), Proof.from_bytes(files()["ports"][1]))
