"""The proving and the verifying key of a circuit.

The verifying key holds the program, the model commitment and the proof that every committed weight lies in its range;
no weights. The proving key holds the weights besides. The key's digest is what a client should pin.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.manifest import MAX_BYTES
from ciro_zk.container import Buffer, atomic_write, pack, pieces, read_file, unpack
from ciro_zk.errors import ProofFormatError
from ciro_zk.field.extension import NUM_BYTES, Ext
from ciro_zk.hash.blake2s import DIGEST_BYTES
from ciro_zk.program.program import Program
from ciro_zk.program.statement import Statement, tensors_digest

Integers = NDArray[np.signedinteger[Any]]

VK_KIND = b"VKEY"
PK_KIND = b"PKEY"
VERSION = 2
MAX_REGISTRATION = 1 << 28
MAX_WEIGHTS = 1 << 28
VK_LIMITS = {"manifest": MAX_BYTES, "model": DIGEST_BYTES, "sample": NUM_BYTES, "registration": MAX_REGISTRATION}
PK_LIMITS = {"verifying key": MAX_BYTES + MAX_REGISTRATION + 4096, "weights": 8 * MAX_WEIGHTS}


@dataclass(frozen=True)
class VerifyingKey:
    """What a client needs to verify proofs of one registered model."""

    program: Program
    model_commitment: bytes
    registration: bytes
    weights_sample: bytes = b""
    """The weight oracle's value at its `sample_point`, an extension element; empty where the preset decodes uniquely."""

    def __post_init__(self) -> None:
        """`ProofFormatError` for a sample that is no element, missing, or there without need."""
        _check_sample(self.program, self.weights_sample, "<verifying key>")

    def __bytes__(self) -> bytes:
        sections = [("manifest", self.program.manifest), ("model", self.model_commitment), ("sample", self.weights_sample)]
        return pack(VK_KIND, VERSION, [*sections, ("registration", self.registration)])

    @cached_property
    def digest(self) -> bytes:
        """BLAKE2s-256 of the key's bytes."""
        return hashlib.blake2s(bytes(self), person=b"cirovkey").digest()

    @cached_property
    def registration_statement(self) -> Statement:
        """What the registration proves: the weights under the commitment lie in their ranges."""
        registration = self.program.registration
        digest = registration.digest if registration is not None else bytes(DIGEST_BYTES)
        empty = tensors_digest((), (), {})
        return Statement(
            program_digest=digest,
            model_commitment=self.model_commitment,
            weights_sample=self.weights_sample,
            preset=self.program.preset.name,
            batch=1,
            input_digest=empty,
            output_digest=empty,
        )

    @staticmethod
    def from_bytes(data: bytes, source: str = "<bytes>") -> VerifyingKey:
        """Parse an untrusted key. Raises `ProofFormatError` naming the field."""
        sections = unpack(data, kind=VK_KIND, version=VERSION, limits=VK_LIMITS, source=source)
        model = bytes(sections["model"])
        if len(model) != DIGEST_BYTES:
            raise ProofFormatError(f"must be {DIGEST_BYTES} bytes", file=source, field="model", remedy="set up the circuit again")
        program, sample = Program.from_manifest(bytes(sections["manifest"]), source), bytes(sections["sample"])
        _check_sample(program, sample, source)
        return VerifyingKey(program, model, bytes(sections["registration"]), sample)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all."""
        atomic_write(path, bytes(self))

    @staticmethod
    def load(path: str | os.PathLike[str]) -> VerifyingKey:
        """Read a key file. Raises `InputError` (no such file) or `ProofFormatError`."""
        return VerifyingKey.from_bytes(read_file(path, MAX_BYTES + MAX_REGISTRATION + 4096), os.fspath(path))

    def __repr__(self) -> str:
        return f"VerifyingKey({self.program.name}, {self.digest.hex()[:12]})"


def _check_sample(program: Program, sample: bytes, source: str) -> None:
    try:
        if len(sample) != (NUM_BYTES if program.preset.is_sampled else 0):
            raise ValueError("is not there where the preset has one, or there where it has none")
        if sample:
            Ext.from_bytes(sample)
    except ValueError as error:
        raise ProofFormatError(str(error), file=source, field="sample", remedy="set up the circuit again") from error


@dataclass(frozen=True, eq=False)
class ProvingKey:
    """The verifying key and the weights as integers, by tensor id, each in its range's narrowest type."""

    vk: VerifyingKey
    weights: Mapping[int, Integers]

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", narrow(self.program, self.weights))

    @property
    def program(self) -> Program:
        return self.vk.program

    def pieces(self) -> list[Buffer]:
        """The key's bytes, piece by piece."""
        return pieces(PK_KIND, VERSION, [("verifying key", bytes(self.vk)), ("weights", weight_pieces(self.program, self.weights))])

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces())

    @staticmethod
    def from_bytes(data: bytes, source: str = "<bytes>") -> ProvingKey:
        """Parse a key. Raises `ProofFormatError` naming the field."""
        sections = unpack(data, kind=PK_KIND, version=VERSION, limits=PK_LIMITS, source=source)
        vk = VerifyingKey.from_bytes(bytes(sections["verifying key"]), source)
        return ProvingKey(vk, unpack_weights(vk.program, sections["weights"], source))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all."""
        atomic_write(path, *self.pieces())

    @staticmethod
    def load(path: str | os.PathLike[str]) -> ProvingKey:
        """Read a key file. Raises `InputError` (no such file) or `ProofFormatError`."""
        return ProvingKey.from_bytes(read_file(path, sum(PK_LIMITS.values()) + 4096), os.fspath(path))

    def __repr__(self) -> str:
        return f"ProvingKey({self.program.name}, {sum(w.size for w in self.weights.values())} weights)"


def narrow(program: Program, weights: Mapping[int, Integers]) -> dict[int, Integers]:
    """Every weight tensor in the narrowest type that holds its range; as it is where it is out of it (no proof will hold)."""
    found = {}
    for i, values in weights.items():
        dtype = program.graph.tensors[i].dtype
        small = values.astype(dtype, copy=False)
        found[i] = small if np.array_equal(small, values) else values
    return found


def weight_pieces(program: Program, weights: Mapping[int, Integers]) -> list[Buffer]:
    """All weights in tensor order, each tensor's cells in C order and in its range's narrowest type, little-endian.

    `TypeError` for weights that do not fit it.
    """
    cells = [weights[i].astype(program.graph.tensors[i].dtype, order="C", casting="safe", copy=False) for i in program.graph.weights]
    return [values.reshape(-1).view(np.uint8).data for values in cells]


def unpack_weights(program: Program, data: memoryview, source: str) -> dict[int, Integers]:
    """The weights of a program. Raises `ProofFormatError` for another number of cells or a weight out of its range."""

    def fail(reason: str) -> ProofFormatError:
        return ProofFormatError(reason, file=source, field="weights", remedy="set up the circuit again")

    tensors = program.graph.tensors
    if len(data) != sum(tensors[i].size * tensors[i].dtype.itemsize for i in program.graph.weights):
        raise fail("has another number of cells than the program")
    found, start = {}, 0
    for i in program.graph.weights:
        tensor = tensors[i]
        stop = start + tensor.size * tensor.dtype.itemsize
        found[i] = np.frombuffer(data[start:stop], dtype=tensor.dtype).copy().reshape(tensor.shape)
        start = stop
        if found[i].min() < tensor.low or found[i].max() > tensor.high:
            raise fail(f"weight {tensor.name!r} is out of range")
    return found
