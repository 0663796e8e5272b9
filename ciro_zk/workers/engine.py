"""The interface between `ciro_zk.prove_many` and whatever runs its jobs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

from ciro_zk.program.keys import ProvingKey

RETRIES = 3
"""How often a job whose worker died is begun again."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """The key of all jobs: itself, or the path of its file, which each worker then reads for itself."""

    key: ProvingKey | str

    def load(self) -> ProvingKey:
        """The key. Raises `InputError` (no such file) or `ProofFormatError`."""
        return ProvingKey.load(self.key) if isinstance(self.key, str) else self.key

    def __bytes__(self) -> bytes:
        return b"P" + os.fsencode(self.key) if isinstance(self.key, str) else b"K" + bytes(self.key)

    @staticmethod
    def from_bytes(data: bytes) -> KeySource:
        """What `__bytes__` wrote, in another process."""
        return KeySource(os.fsdecode(data[1:]) if data[:1] == b"P" else ProvingKey.from_bytes(data[1:], "proving key"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended."""

    index: int
    """The job's number, counted from 0."""
    result: bytes | Exception
    """The proof's bytes, or why there is none."""


class Workers(Protocol):
    """Workers that hold one key. Not thread-safe."""

    slots: int
    """Jobs that can be proven at once."""

    def submit(self, index: int, job: bytes) -> None:
        """Take a job (`Job.__bytes__`); returns at once."""

    def wait(self) -> Outcome:
        """The next job to end, in any order. Raises where no job can be proven at all, such as for a key that cannot be read."""

    def close(self) -> None:
        """End all workers at once, whatever they do; afterwards none is left. May be called twice."""


class Engine(Protocol):
    """Where jobs are proven."""

    def open(self, key: KeySource, workers: int | None, threads: int) -> Workers:
        """Workers for a key, each proving on `threads` threads; `workers` of them, by default as many as there are processors for."""


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
