"""What the fuzzer calls and what must hold: no parser lets anything but its own errors escape, and what it accepts it writes back alike.

A target takes the bytes of a file; `check` runs one. Nothing here needs atheris: the tests replay the corpus with it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from ciro_zk import verifier
from ciro_zk.circuit.graph import GraphBuilder
from ciro_zk.cli.inputs import Wanted, load_inputs
from ciro_zk.container import outline
from ciro_zk.errors import InputError, ProofFormatError, ProofRejected
from ciro_zk.kernels import plain_kernels
from ciro_zk.lookup.tables import Clamp, Graph, Range, Sampled, Sign, Window
from ciro_zk.ops import AxisMap, Combine, Conv, Hadamard, MatMul, Maximum, Requantise, Reshape, Transpose
from ciro_zk.params import TESTING
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.program.program import Program
from ciro_zk.program.public import check_given
from ciro_zk.proof import Proof
from ciro_zk.prover import prove, setup
from ciro_zk.witness import infer

CORPUS = Path(__file__).parent / "corpus"
ALLOWED = (ProofFormatError, ProofRejected, InputError)
MAX_VERIFIED_BYTES = 1 << 12
"""Registrations of longer manifests are not verified: fuzzing wants many runs a second."""


class Finding(Exception):
    """A parser accepted bytes that it does not write back."""


@cache
def circuit() -> Circuit:
    """The least circuit with weights."""
    b = GraphBuilder()
    limbs = b.table(Range(bits=4))
    relu = b.table(Graph(function=Clamp(minimum=0, maximum=7), low=-60, high=60))
    x = b.input("x", (1, 1, 4), low=-8, high=7, scale=0.5)
    w = b.weight("w", (1, 4, 3), low=-8, high=7)
    (acc,) = b.add(MatMul(inputs=(x, w)), "dense")
    y, *_ = b.add(Requantise(inputs=(acc,), shift=3, tables=(relu,), range_table=limbs), "relu")
    b.output("y", y, scale=1.0)
    return Circuit(b.build(), {w: np.arange(12).reshape(1, 4, 3) - 6}, "tiny", 4, {"x": 1}, {"y": [0.5]}, TESTING)


@cache
def varied() -> Circuit:
    """Every operator, table and function in one small circuit."""
    b = GraphBuilder()
    limbs = b.table(Range(bits=6))
    sampled = b.table(Graph(function=Sampled(low=-2, values=(1, 0, 3, 2)), low=-16, high=16))
    sign = b.table(Sign(limit=8))
    window = b.table(Window(function=Clamp(minimum=-3, maximum=3, numerator=1, shift=2), low=-16, bits=5))
    x = b.input("x", (1, 1, 1, 3, 3), low=-4, high=3, scale=0.25)
    w = b.weight("w", (1, 2, 1, 2, 2), low=-32, high=31)
    h = b.weight("h", (1, 1, 2, 1, 1), low=-32, high=31)
    (acc,) = b.add(Conv(inputs=(x, w), strides=(1, 1), pads_begin=(0, 0), pads_end=(0, 0), dilations=(1, 1)), "conv")
    y, *_ = b.add(Requantise(inputs=(acc,), shift=2, tables=(sign, window), range_table=limbs), "y")
    (product,) = b.add(Hadamard(inputs=(y, h)), "scale")
    z, *_ = b.add(Requantise(inputs=(product,), shift=3, tables=(sampled,), range_table=limbs), "z")
    (left,) = b.add(AxisMap(inputs=(z,), axis=4, index=((0,),), weight=((1,),)))
    (right,) = b.add(AxisMap(inputs=(z,), axis=4, index=((1, 0),), weight=((1, 0),)))
    (top,) = b.add(Maximum(inputs=(left, right), range_table=limbs), "top")
    (turned,) = b.add(Transpose(inputs=(top,), permutation=(0, 1, 3, 2, 4)))
    (flat,) = b.add(Reshape(inputs=(turned,), shape=(4,)))
    (last,) = b.add(Combine(inputs=(flat,), coefficients=(2,), offset=-1))
    b.output("y", last, scale=1.0)
    weights = {w: np.arange(8).reshape(1, 2, 1, 2, 2) - 4, h: np.arange(2).reshape(1, 1, 2, 1, 1) + 3}
    return Circuit(b.build(), weights, "varied", 6, preset=TESTING)


@cache
def keys() -> tuple[ProvingKey, VerifyingKey]:
    return setup(circuit(), threads=1)


def seeds() -> dict[str, list[tuple[str, bytes]]]:
    """An honest file or two for every target, by name."""
    pk, vk = keys()
    pk2, vk2 = setup(varied(), threads=1)
    runs = [infer(pk, np.array([[[0.5 * i, -1, 2, 3]]])) for i in range(3)]
    proofs = [prove(pk, run, threads=1, kernels=plain_kernels()) for run in (runs[0], runs)]
    archive = tempfile.SpooledTemporaryFile()
    np.savez_compressed(archive, x=np.arange(4.0).reshape(1, 1, 4))
    archive.seek(0)
    return {
        "proof": [("single", bytes(proofs[0])), ("batch", bytes(proofs[1]))],
        "vkey": [("tiny", bytes(vk)), ("varied", bytes(vk2))],
        "pkey": [("tiny", bytes(pk)), ("varied", bytes(pk2))],
        "circuit": [("tiny", bytes(circuit())), ("varied", bytes(varied()))],
        "manifest": [("tiny", circuit().program.manifest), ("varied", varied().program.manifest)],
        "inputs": [("npz", archive.read()), ("json", b'{"input_data": [[0.5, -1, 2, 3]]}')],
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
    """A proof of zeros under the key: rejected or malformed, whatever the key."""
    graph = vk.program.graph
    tensors = [{port.name: np.zeros(graph.tensors[port.tensor].shape, dtype=np.int64) for port in p} for p in (graph.inputs, graph.outputs)]
    proof = Proof(
        program_digest=vk.program.digest, model_commitment=vk.model_commitment, inputs=tensors[0], outputs=tensors[1], body=bytes(256)
    )
    verifier.verify(vk, proof, allow_testing=True)


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
    return Path(name)


def fuzz_inputs(data: bytes) -> None:
    _scratch().write_bytes(data)
    for index in (None, 0):
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
