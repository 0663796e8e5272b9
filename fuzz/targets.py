"""What the fuzzer calls and what must hold: no parser lets anything but its own errors escape, and what it accepts it writes back alike.

A target takes the bytes of a file; `check` runs one. Nothing here needs atheris: the tests replay the corpus with it.
"""

from __future__ import annotations

import atexit
import io
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from ciro_zk import verifier
from ciro_zk.cli.inputs import Wanted, load_inputs
from ciro_zk.container import outline
from ciro_zk.errors import InputError, ProofFormatError, ProofRejected
from ciro_zk.kernels import plain_kernels
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.program.program import Program
from ciro_zk.program.public import check_given
from ciro_zk.proof import Proof
from ciro_zk.prover import prove, setup
from ciro_zk.witness import infer
from verifier.spec.circuits import least, varied

CORPUS = Path(__file__).parent / "corpus"
ALLOWED = (ProofFormatError, ProofRejected, InputError)
MAX_VERIFIED_BYTES = 1 << 12
"""Registrations of longer manifests are not verified: fuzzing wants many runs a second."""


class Finding(Exception):
    """A parser accepted bytes that it does not write back."""


@cache
def keys() -> tuple[ProvingKey, VerifyingKey]:
    return setup(least(), threads=1)


def seeds() -> dict[str, list[tuple[str, bytes]]]:
    """An honest file or two for every target, by name."""
    pk, vk = keys()
    pk2, vk2 = setup(varied(), threads=1)
    runs = [infer(pk, np.array([[[0.5 * i, -1, 2, 3]]])) for i in range(3)]
    proofs = [prove(pk, run, threads=1, kernels=plain_kernels()) for run in (runs[0], runs)]
    archive = io.BytesIO()
    np.savez_compressed(archive, x=np.arange(4.0).reshape(1, 1, 4))
    return {
        "proof": [("single", bytes(proofs[0])), ("batch", bytes(proofs[1]))],
        "vkey": [("tiny", bytes(vk)), ("varied", bytes(vk2))],
        "pkey": [("tiny", bytes(pk)), ("varied", bytes(pk2))],
        "circuit": [("tiny", bytes(least())), ("varied", bytes(varied()))],
        "manifest": [("tiny", least().program.manifest), ("varied", varied().program.manifest)],
        "inputs": [("npz", archive.getvalue()), ("json", b'{"input_data": [[0.5, -1, 2, 3]]}')],
    }


def _same(again: bytes, data: bytes) -> None:
    if again != data:
        raise Finding("accepted, but written back otherwise")


def fuzz_proof(data: bytes) -> None:
    proof = Proof.from_bytes(data)
    _same(bytes(proof), data)
    verified = verifier.verify(keys()[1], proof, allow_testing=True)
    repr(verified)


def fuzz_vkey(data: bytes) -> None:
    vk = VerifyingKey.from_bytes(data)
    _same(bytes(vk), data)
    repr(vk)
    if len(vk.program.manifest) <= MAX_VERIFIED_BYTES and vk.program.shape.log_leaves <= 12:
        verifier.check_registration(vk)
        _statement(vk)


def _statement(vk: VerifyingKey) -> None:
    """A proof of zeros under the key is refused, whatever the key."""
    graph = vk.program.graph
    inputs, outputs = (
        {port.name: np.zeros(graph.tensors[port.tensor].shape, dtype=np.int64) for port in ports} for ports in (graph.inputs, graph.outputs)
    )
    proof = Proof(program_digest=vk.program.digest, model_commitment=vk.model_commitment, inputs=inputs, outputs=outputs, body=bytes(256))
    try:
        verifier.verify(vk, proof, allow_testing=True)
    except ALLOWED:
        return
    raise Finding("a proof of zeros is accepted")


def fuzz_pkey(data: bytes) -> None:
    pk = ProvingKey.from_bytes(data)
    _same(bytes(pk), data)
    repr(pk)


def fuzz_circuit(data: bytes) -> None:
    made = Circuit.from_bytes(data)
    _same(bytes(made), data)
    repr(made)


def fuzz_manifest(data: bytes) -> None:
    program = Program.from_manifest(data)
    _same(program.manifest, data)
    _ = program.security, program.registration
    if program.shape.log_leaves <= 12:
        zeros = {port.name: np.zeros(program.graph.tensors[port.tensor].shape) for port in program.graph.inputs}
        integers = {name: value.astype(np.int64) for name, value in zeros.items()}
        check_given("input", program.graph.inputs, program.graph.tensors, integers, zeros)


@cache
def _scratch() -> Path:
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    handle, name = tempfile.mkstemp(prefix="ciro-fuzz-", dir=folder)
    os.close(handle)
    atexit.register(os.unlink, name)
    return Path(name)


def fuzz_inputs(data: bytes) -> None:
    _scratch().write_bytes(data)
    for index in (None, 0) if data[:2] == b"PK" else (None,):
        arrays = load_inputs(_scratch(), [Wanted("x", (1, 1, 4))], index)
        if arrays["x"].shape != (1, 1, 4) or arrays["x"].dtype.kind not in "biuf":
            raise Finding(f"inputs of shape {arrays['x'].shape} and type {arrays['x'].dtype}")


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "proof": fuzz_proof,
    "vkey": fuzz_vkey,
    "pkey": fuzz_pkey,
    "circuit": fuzz_circuit,
    "manifest": fuzz_manifest,
    "inputs": fuzz_inputs,
}


def check(target: str, data: bytes) -> str:
    """Run a target; the name of the error it raised, "accepted" otherwise. Anything but the library's own errors escapes."""
    try:
        if target not in ("manifest", "inputs") and data:
            outline_or_refuse(data)
        TARGETS[target](data)
    except ALLOWED as error:
        str(error)
        return type(error).__name__
    return "accepted"


def outline_or_refuse(data: bytes) -> None:
    """The outline's reader meets the same bytes as the parsers, and its refusals are of the same class."""
    try:
        outline(data)
    except ProofFormatError as error:
        str(error)
