"""The statement of a proof: what is proven, bound into the transcript before the first challenge."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.graph import Port
from ciro_zk.circuit.tensor import Tensor
from ciro_zk.errors import ProofRejected
from ciro_zk.field.extension import Ext
from ciro_zk.hash.blake2s import DIGEST_BYTES
from ciro_zk.hash.merkle import MerkleTree, verify_multi
from ciro_zk.hash.transcript import Transcript
from ciro_zk.kernels import plain_kernels
from ciro_zk.program.program import Program
from ciro_zk.program.public import check_public

Integers = NDArray[np.int64]

PROTOCOL = "ciro_zk native 2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The program of digest `program_digest` with the weights under `model_commitment` maps these inputs to these outputs.

    `input_digest` and `output_digest` are of the public tensors (`tensors_digest`); of a batch of several inferences they are the Merkle
    roots over each inference's own, padded with zero digests to a power of two, so that one inference can be addressed alone.
    """

    program_digest: bytes
    model_commitment: bytes
    weights_sample: bytes
    """The weight oracle's value at its `sample_point`, 16 bytes; empty where the preset decodes uniquely."""
    preset: str
    batch: int
    input_digest: bytes
    output_digest: bytes

    def bind(self, transcript: Transcript) -> None:
        """Absorb every field."""
        transcript.absorb("program digest", self.program_digest)
        transcript.absorb("model commitment", self.model_commitment)
        if self.weights_sample:
            transcript.absorb("weights sample", self.weights_sample)
        transcript.absorb("preset", self.preset.encode())
        transcript.absorb("batch", self.batch.to_bytes(8, "little"))
        transcript.absorb("input digest", self.input_digest)
        transcript.absorb("output digest", self.output_digest)

    @property
    def digest(self) -> bytes:
        """BLAKE2s-256 of every field, each after its length: what receipts name the statement by."""
        digest = hashlib.blake2s(person=b"cirostat")
        for field in astuple(self):
            data = field if isinstance(field, bytes) else str(field).encode()
            digest.update(len(data).to_bytes(4, "little") + data)
        return digest.digest()


def sample_point(model_commitment: bytes, num_vars: int) -> tuple[Ext, ...]:
    """Where the weight oracle is sampled: drawn from its root alone, so that the registration and all proofs speak of the same
    weights."""
    transcript = Transcript(f"{PROTOCOL} weights sample")
    transcript.absorb("model commitment", model_commitment)
    return transcript.challenges("weights sample point", num_vars)


def tensors_digest(ports: Sequence[Port], tensors: Sequence[Tensor], values: Mapping[str, Integers]) -> bytes:
    """BLAKE2s-256 of public tensors in port order: name, shape and cells as little-endian int64."""
    digest = hashlib.blake2s(person=b"ciropubl")
    for port in ports:
        shape = tensors[port.tensor].shape
        name = port.name.encode()
        digest.update(len(name).to_bytes(4, "little") + name)
        digest.update(len(shape).to_bytes(4, "little") + b"".join(d.to_bytes(8, "little") for d in shape))
        digest.update(np.ascontiguousarray(values[port.name], dtype="<i8").reshape(-1).view(np.uint8).data)
    return digest.digest()


def statement_of(
    program: Program,
    model_commitment: bytes,
    inputs: Mapping[str, Integers],
    outputs: Mapping[str, Integers],
    batch: int = 1,
    weights_sample: bytes = b"",
) -> Statement:
    """The statement that a program with these weights maps these public tensors, which have the batch in front if it is over 1."""
    graph = program.graph
    return Statement(
        program_digest=program.digest,
        model_commitment=model_commitment,
        weights_sample=weights_sample,
        preset=program.preset.name,
        batch=batch,
        input_digest=digest_tree(inference_digests(graph.inputs, graph.tensors, inputs, batch)).root,
        output_digest=digest_tree(inference_digests(graph.outputs, graph.tensors, outputs, batch)).root,
    )


def inference_digests(ports: Sequence[Port], tensors: Sequence[Tensor], values: Mapping[str, Integers], batch: int) -> list[bytes]:
    """`tensors_digest` of each inference; `tensors` are those of the single program."""
    if batch == 1:
        return [tensors_digest(ports, tensors, values)]
    return [tensors_digest(ports, tensors, {name: value[i] for name, value in values.items()}) for i in range(batch)]


def digest_tree(digests: Sequence[bytes]) -> MerkleTree:
    """The tree over the inferences' digests; the root of one is the digest itself."""
    size = 1 << (len(digests) - 1).bit_length()
    leaves = np.zeros((size, DIGEST_BYTES), dtype=np.uint8)
    for i, digest in enumerate(digests):
        leaves[i] = np.frombuffer(digest, dtype=np.uint8)
    return MerkleTree(leaves, plain_kernels())


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """One inference of a proven statement: its public tensors as integers, with the paths of their digests to the statement's."""

    statement: Statement
    program: Program
    """The program of the single inference, which says what the tensors' names, shapes and ranges are."""
    index: int
    input_path: tuple[bytes, ...]
    output_path: tuple[bytes, ...]
    integer_inputs: Mapping[str, Integers]
    integer_outputs: Mapping[str, Integers]

    @property
    def input_digest(self) -> bytes:
        """Of this inference's public inputs."""
        return tensors_digest(self.program.graph.inputs, self.program.graph.tensors, self.integer_inputs)

    @property
    def output_digest(self) -> bytes:
        """Of this inference's outputs."""
        return tensors_digest(self.program.graph.outputs, self.program.graph.tensors, self.integer_outputs)

    def check(self) -> None:
        """`ProofRejected` (stage "statement") unless these tensors are the statement's at this index: a receiver who trusts the
        statement need trust nothing else here."""
        graph, depth = self.program.graph, (self.statement.batch - 1).bit_length()
        if self.program.digest != self.statement.program_digest:
            raise ProofRejected(stage="statement", reason="the inference is of another program")
        claims = (
            ("input", self.statement.input_digest, graph.inputs, self.integer_inputs, self.input_path),
            ("output", self.statement.output_digest, graph.outputs, self.integer_outputs, self.output_path),
        )
        for kind, root, ports, values, path in claims:
            check_public(kind, ports, graph.tensors, values)
            try:
                verify_multi(root, depth, [self.index], [tensors_digest(ports, graph.tensors, values)], path)
            except ValueError as error:
                raise ProofRejected(stage="statement", reason=f"{kind} digest at index {self.index}: {error}") from error
