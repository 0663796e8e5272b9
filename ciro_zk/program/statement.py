"""The statement of a proof: what is proven, bound into the transcript before the first challenge."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.graph import Port
from ciro_zk.circuit.tensor import Tensor
from ciro_zk.hash.transcript import Transcript
from ciro_zk.program.program import Program

Integers = NDArray[np.int64]

PROTOCOL = "ciro_zk native 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The program of digest `program_digest` with the weights under `model_commitment` maps these inputs to these outputs."""

    program_digest: bytes
    model_commitment: bytes
    preset: str
    batch: int
    input_digest: bytes
    output_digest: bytes

    def bind(self, transcript: Transcript) -> None:
        """Absorb every field."""
        transcript.absorb("program digest", self.program_digest)
        transcript.absorb("model commitment", self.model_commitment)
        transcript.absorb("preset", self.preset.encode())
        transcript.absorb("batch", self.batch.to_bytes(8, "little"))
        transcript.absorb("input digest", self.input_digest)
        transcript.absorb("output digest", self.output_digest)


def tensors_digest(ports: Sequence[Port], tensors: Sequence[Tensor], values: Mapping[str, Integers]) -> bytes:
    """BLAKE2s-256 of public tensors in port order: name, shape and cells as little-endian int64."""
    digest = hashlib.blake2s(person=b"ciropubl")
    for port in ports:
        shape = tensors[port.tensor].shape
        name = port.name.encode()
        digest.update(len(name).to_bytes(4, "little") + name)
        digest.update(len(shape).to_bytes(4, "little") + b"".join(d.to_bytes(8, "little") for d in shape))
        digest.update(np.ascontiguousarray(values[port.name]).astype("<i8").tobytes())
    return digest.digest()


def statement_of(program: Program, model_commitment: bytes, inputs: Mapping[str, Integers], outputs: Mapping[str, Integers]) -> Statement:
    """The statement that a program with these weights maps these public tensors."""
    graph = program.graph
    return Statement(
        program_digest=program.digest,
        model_commitment=model_commitment,
        preset=program.preset.name,
        batch=1,
        input_digest=tensors_digest(graph.inputs, graph.tensors, inputs),
        output_digest=tensors_digest(graph.outputs, graph.tensors, outputs),
    )
