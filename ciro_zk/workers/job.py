"""One job, from its inputs to its proof, and how both travel: as bytes.

A job is a JSON header (its length before it, 8 bytes little-endian) and the inputs' cells as float64; an answer is a letter and the proof's
bytes, or an error as JSON. Both stay between processes of one user.
"""

from __future__ import annotations

import fcntl
import json
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ciro_zk import kernel_cache
from ciro_zk.errors import CiroError, FormatError, InputError, ProofFormatError, ResourceError
from ciro_zk.kernels import numba_kernels, warm
from ciro_zk.prover import committed_weights, prove
from ciro_zk.witness import infer
from ciro_zk.workers.engine import KeySource

Reals = NDArray[np.float64]
Sample = Reals | dict[str, Reals]

PROOF, ERROR = b"P", b"E"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Inputs to prove in one proof."""

    first: int
    """Position of the first of them among all inputs; errors name it."""
    samples: Sequence[Sample]
    """Each an array, or arrays by input name."""
    device: str = "auto"

    def __bytes__(self) -> bytes:
        shapes: list[Any] = []
        cells: list[bytes] = []
        for sample in self.samples:
            named = isinstance(sample, dict)
            arrays = sample if isinstance(sample, dict) else {"": sample}
            shapes.append([named, [[name, list(array.shape)] for name, array in arrays.items()]])
            cells += [array.astype("<f8").tobytes() for array in arrays.values()]
        header = json.dumps({"first": self.first, "device": self.device, "samples": shapes}).encode()
        return b"".join([len(header).to_bytes(8, "little"), header, *cells])

    @staticmethod
    def from_bytes(data: bytes) -> Job:
        """What `__bytes__` wrote."""
        at = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:at])
        samples: list[Sample] = []
        for named, entries in header["samples"]:
            arrays = {}
            for name, shape in entries:
                arrays[name] = np.frombuffer(data, dtype="<f8", count=prod(shape), offset=at).reshape(shape)
                at += 8 * prod(shape)
            samples.append(arrays if named else arrays[""])
        return Job(first=header["first"], samples=samples, device=header["device"])


def as_sample(position: int, given: ArrayLike | Mapping[str, ArrayLike]) -> Sample:
    """One input of the caller's as float64 arrays. Raises `InputError` for one that is not of numbers."""

    def real(value: ArrayLike, name: str) -> Reals:
        try:
            array = np.asarray(value)
        except (TypeError, ValueError) as error:
            raise placed(InputError(f"is no array: {error}", field=name, remedy="give arrays of numbers"), position) from error
        if array.dtype.kind not in "biuf":
            raise placed(InputError(f"has type {array.dtype}", field=name, remedy="give bool, integer or float values"), position)
        return array.astype(np.float64)

    return {name: real(value, name) for name, value in given.items()} if isinstance(given, Mapping) else real(given, "")


def placed(error: InputError, position: int) -> InputError:
    """The error with the input's position among all inputs before its field: `inputs[3].image`."""
    field = f"inputs[{position}]" + (f".{error.field}" if error.field else "")
    return InputError(str(error.args[0]), file=error.file, field=field, index=error.index, value=error.value, remedy=error.remedy)


class JobProver:
    """A key made ready, and the jobs it proves: what every worker is, wherever it runs."""

    def __init__(self, source: KeySource, threads: int) -> None:
        self._key = source.load()
        compile_once()
        self._kernels = numba_kernels(threads)
        committed_weights(self._kernels, self._key)

    def prove(self, job: bytes) -> bytes:
        """The proof's bytes."""
        parsed = Job.from_bytes(job)
        runs = []
        for i, sample in enumerate(parsed.samples):
            try:
                runs.append(infer(self._key, sample, device=parsed.device))
            except InputError as error:
                raise placed(error, parsed.first + i) from error
        return bytes(prove(self._key, runs, kernels=self._kernels))

    def answer(self, job: bytes) -> bytes:
        """The proof or the error, as it travels."""
        try:
            return PROOF + self.prove(job)
        except Exception as error:
            return pack_error(error)


def compile_once() -> None:
    """Compile the kernels unless that is done; workers that start together on a fresh machine wait for the first one's."""
    if not kernel_cache.is_complete():
        with open(kernel_cache.cache_dir() / "compiling", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kernel_cache.is_complete():
                warm()


def pack_error(error: Exception) -> bytes:
    """An error as it travels."""
    fields: dict[str, Any] = {"remedy": str(getattr(error, "remedy", "")), "message": str(error.args[0]) if error.args else str(error)}
    if isinstance(error, InputError):
        value = error.value if isinstance(error.value, bool | int | float | str | None) else repr(error.value)
        fields |= {"kind": "input", "file": error.file, "field": error.field, "index": error.index, "value": value}
    elif isinstance(error, FormatError):
        fields |= {"kind": "format", "file": error.file, "field": error.field}
    elif isinstance(error, ResourceError):
        fields |= {"kind": "resource", "needed": error.needed, "available": error.available}
    elif isinstance(error, MemoryError):
        remedy = "use fewer workers, a smaller batch, or a machine with more memory"
        fields = {"kind": "resource", "message": "a worker is out of memory", "needed": None, "available": None, "remedy": remedy}
    elif isinstance(error, CiroError):
        fields |= {"kind": "other", "message": error.message}
    else:
        fields = {"kind": "defect", "message": "".join(traceback.format_exception(error)), "remedy": ""}
    return ERROR + json.dumps(fields).encode()


def unpack_error(data: bytes) -> Exception:
    """The error that `pack_error` wrote; a `RuntimeError` with the worker's traceback for a defect."""
    fields = json.loads(data)
    kind, message, remedy = fields["kind"], fields["message"], fields["remedy"]
    if kind == "input":
        index = tuple(fields["index"]) if isinstance(fields["index"], list) else fields["index"]
        return InputError(message, file=fields["file"], field=fields["field"], index=index, value=fields["value"], remedy=remedy)
    if kind == "format":
        return ProofFormatError(message, file=fields["file"], field=fields["field"], remedy=remedy)
    if kind == "resource":
        return ResourceError(message, needed=fields["needed"], available=fields["available"], remedy=remedy)
    if kind == "other":
        return CiroError(message, remedy=remedy)
    return RuntimeError("a worker failed:\n" + message)


def unpack_answer(data: bytes) -> bytes | Exception:
    """The proof's bytes, or the error."""
    return data[1:] if data[:1] == PROOF else unpack_error(data[1:])
