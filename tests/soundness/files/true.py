"""The true files that are damaged, and what a damaged one may not do."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import settings
from soundness.malicious import accepted, forgotten_registrations, honest, kernels, keys
from strategies import deep, tiny, tiny_input, toy_input, two_ports

from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.proof import Proof
from ciro_zk.prover import prove
from ciro_zk.witness import infer

REFUSALS = (ProofRejected, ProofFormatError)


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


@cache
def proving_key() -> bytes:
    return bytes(keys(tiny())[0])


def refuse_proof(name: str, data: bytes) -> None:
    """The proof is not accepted, unless it is the true one."""
    if data == files()[name][1]:
        return
    with pytest.raises(REFUSALS):
        accepted(key(name), Proof.from_bytes(data))


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


def refuse_circuit(data: bytes) -> None:
    """The circuit does not parse, or is another one, in its one encoding."""
    if data == bytes(tiny()):
        return
    try:
        circuit = Circuit.from_bytes(data)
    except ProofFormatError:
        return
    assert bytes(circuit) == data
