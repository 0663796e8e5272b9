"""The proof file: which program and weights, the public tensors as integers, and the byte stream of the prover's messages."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.manifest import canonical_json
from ciro_zk.container import atomic_write, pack, pack_array, read_file, unpack, unpack_array
from ciro_zk.errors import ProofFormatError
from ciro_zk.hash.blake2s import DIGEST_BYTES
from ciro_zk.ops.batch import MAX_BATCH

KIND = b"PROF"
VERSION = 2
MAX_HEADER = 1 << 20
MAX_CELLS = 1 << 26
MAX_BODY = 1 << 28
LIMITS = {"header": MAX_HEADER, "public": 16 + 8 * MAX_CELLS, "body": MAX_BODY}

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One proof. Immutable; well-formed as far as its container goes, true only once verified."""

    program_digest: bytes
    model_commitment: bytes
    inputs: Mapping[str, Integers]
    outputs: Mapping[str, Integers]
    body: bytes
    batch: int = 1
    """Inferences in the proof; over 1, every public tensor has the batch as an axis in front."""
    source: str = "proof"

    def __bytes__(self) -> bytes:
        header = {
            "program": self.program_digest.hex(),
            "model": self.model_commitment.hex(),
            "batch": self.batch,
            "inputs": [[name, list(value.shape)] for name, value in self.inputs.items()],
            "outputs": [[name, list(value.shape)] for name, value in self.outputs.items()],
        }
        cells = [value.reshape(-1) for value in (*self.inputs.values(), *self.outputs.values())]
        public = pack_array(np.concatenate(cells).astype("<i8") if cells else np.zeros(0, dtype="<i8"))
        return pack(KIND, VERSION, [("header", canonical_json(header)), ("public", public), ("body", self.body)])

    @staticmethod
    def from_bytes(data: bytes, source: str = "<bytes>") -> Proof:
        """Parse an untrusted proof. Raises `ProofFormatError` naming the field."""
        sections = unpack(data, kind=KIND, version=VERSION, limits=LIMITS, source=source)
        raw = bytes(sections["header"])

        def fail(field: str, reason: str) -> ProofFormatError:
            return ProofFormatError(reason, file=source, field=field, remedy="get the proof again from its prover")

        try:
            header: Any = json.loads(raw)
            is_canonical = canonical_json(header) == raw
        except (ValueError, RecursionError) as error:  # NaN parses, and has no canonical form
            raise fail("header", "is not JSON") from error
        if not isinstance(header, dict) or set(header) != {"program", "model", "batch", "inputs", "outputs"} or not is_canonical:
            raise fail("header", "must be a canonical object with program, model, batch, inputs and outputs")
        if type(header["batch"]) is not int or not 1 <= header["batch"] <= MAX_BATCH:
            raise fail("batch", f"must be an integer from 1 to {MAX_BATCH}")
        cells = unpack_array(sections["public"], np.int64, (MAX_CELLS,), source=source, field="public")
        shapes = {kind: _shapes(header[kind], kind, fail) for kind in ("inputs", "outputs")}
        inputs, rest = _take(shapes["inputs"], cells)
        outputs, rest = _take(shapes["outputs"], rest)
        if inputs is None or outputs is None or rest is None or rest.size:
            raise fail("public", "does not hold as many cells as the header's shapes")
        return Proof(
            program_digest=_digest(header["program"], "program", fail),
            model_commitment=_digest(header["model"], "model", fail),
            inputs=inputs,
            outputs=outputs,
            body=bytes(sections["body"]),
            batch=header["batch"],
            source=source,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all."""
        atomic_write(path, bytes(self))

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Proof:
        """Read a proof file. Raises `InputError` (no such file) or `ProofFormatError`."""
        return Proof.from_bytes(read_file(path, MAX_BODY + 8 * MAX_CELLS + MAX_HEADER + 4096), os.fspath(path))

    def __repr__(self) -> str:
        return f"Proof({len(self.body)} bytes, program {self.program_digest.hex()[:12]}, outputs {', '.join(self.outputs)})"


def _digest(value: Any, field: str, fail: Any) -> bytes:
    try:
        digest = bytes.fromhex(value)
    except (TypeError, ValueError) as error:
        raise fail(field, "must be a hexadecimal digest") from error
    if len(digest) != DIGEST_BYTES or digest.hex() != value:
        raise fail(field, f"must be {DIGEST_BYTES} bytes in lower case")
    return digest


def _shapes(value: Any, kind: str, fail: Any) -> list[tuple[str, tuple[int, ...]]]:
    if not isinstance(value, list) or len(value) > 1024:
        raise fail(kind, "must be a list of names and shapes")
    found: list[tuple[str, tuple[int, ...]]] = []
    for entry in value:
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str) or not isinstance(entry[1], list):
            raise fail(kind, "must be a list of names and shapes")
        name, shape = entry
        if not 1 <= len(shape) <= 9 or any(type(d) is not int or not 1 <= d <= MAX_CELLS for d in shape) or len(name) > 512:
            raise fail(kind, f"has an entry {name[:40]!r} with a bad name or shape")
        found.append((name, tuple(shape)))
    if len({name for name, _ in found}) != len(found):
        raise fail(kind, "names a tensor twice")
    return found


def _take(shapes: Sequence[tuple[str, tuple[int, ...]]], cells: Integers | None) -> tuple[dict[str, Integers] | None, Integers | None]:
    """The tensors at the front of `cells`, and what is left; None where cells run out."""
    taken: dict[str, Integers] = {}
    for name, shape in shapes:
        size = prod(shape)
        if cells is None or size > cells.size:
            return None, None
        taken[name] = cells[:size].reshape(shape)
        cells = cells[size:]
    return taken, cells
