"""Jobs in this process, one after the other: no isolation, nothing to start."""

from __future__ import annotations

from collections import deque

from ciro_zk.workers.engine import KeySource, Outcome
from ciro_zk.workers.job import JobProver, unpack_answer


class Serial:
    """The engine "serial"."""

    def open(self, key: KeySource, workers: int | None, threads: int) -> SerialWorkers:
        """One worker, whatever `workers` says; the key is used as it is."""
        return SerialWorkers(JobProver(key, threads))

    def __repr__(self) -> str:
        return "Serial()"


class SerialWorkers:
    """The jobs taken; `wait` proves the oldest."""

    slots = 1

    def __init__(self, prover: JobProver) -> None:
        self._prover = prover
        self._jobs: deque[tuple[int, bytes]] = deque()

    def submit(self, index: int, job: bytes) -> None:
        self._jobs.append((index, job))

    def wait(self) -> Outcome:
        index, job = self._jobs.popleft()
        return Outcome(index, unpack_answer(self._prover.answer(job)))

    def close(self) -> None:
        self._jobs.clear()
