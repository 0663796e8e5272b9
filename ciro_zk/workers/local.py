"""Processes of this machine, started afresh (spawn) and watched by their parent.

A worker says hello, gets the key, says that it is ready, then turns jobs into answers. Its end of the pipe is held by it alone: when it
dies, whatever the cause, the parent reads the end of the stream, starts another worker and gives the job to the next free one, at most
`RETRIES` times. A worker whose parent dies ends too. Ctrl-C reaches the parent alone, which then ends the workers.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from ciro_zk.errors import CiroError, ResourceError
from ciro_zk.workers.engine import RETRIES, KeySource, Outcome, processors
from ciro_zk.workers.job import JobProver, pack_error, unpack_answer, unpack_error

HELLO, READY = b"H", b"R"
ENDING_SECONDS = 5.0
"""How long a process whose pipe is closed may take to end, with its exit code, before it is killed."""


def main(pipe: Connection, threads: int) -> None:
    """What a worker process runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        pipe.send_bytes(HELLO)
        source = KeySource.from_bytes(pipe.recv_bytes())
        try:
            prover = JobProver(source, threads)
        except Exception as error:
            pipe.send_bytes(pack_error(error))
            return
        pipe.send_bytes(READY)
        while True:
            pipe.send_bytes(prover.answer(pipe.recv_bytes()))
    except (EOFError, OSError):
        return  # the parent has closed its end


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


class State(Enum):
    """Where a worker stands."""

    STARTING = auto()
    LOADING = auto()
    IDLE = auto()
    PROVING = auto()


@dataclass(slots=True)
class Worker:
    """A worker process as its parent sees it."""

    process: SpawnProcess
    pipe: Connection
    state: State = State.STARTING
    job: int | None = None


class LocalProcesses:
    """The engine "processes"."""

    def open(self, key: KeySource, workers: int | None, threads: int) -> LocalWorkers:
        """At most `workers` processes; one starts when a job has no other to wait for."""
        return LocalWorkers(key, workers or max(1, processors() // threads), threads)

    def __repr__(self) -> str:
        return "LocalProcesses()"


class LocalWorkers:
    """The supervisor: jobs that wait, and the processes."""

    def __init__(self, key: KeySource, slots: int, threads: int) -> None:
        self.slots = slots
        self._threads = threads
        self._key = bytes(key)
        self._jobs: dict[int, bytes] = {}
        self._waiting: deque[int] = deque()
        self._losses: dict[int, int] = {}
        self._outcomes: deque[Outcome] = deque()
        self._workers: list[Worker] = []
        self._failed_starts = 0

    def submit(self, index: int, job: bytes) -> None:
        self._jobs[index] = job
        self._waiting.append(index)
        self._assign()

    def wait(self) -> Outcome:
        while not self._outcomes:
            self._assign()
            ready = connection.wait([worker.pipe for worker in self._workers])
            for worker in [worker for worker in self._workers if worker.pipe in ready]:
                self._listen(worker)
            self._assign()
        return self._outcomes.popleft()

    def close(self) -> None:
        """Workers keep nothing that a sudden end could harm: files are written whole or not at all."""
        workers, self._workers = self._workers, []
        self._waiting.clear()
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            _bury(worker)

    def _assign(self) -> None:
        """Give jobs to idle workers, and start workers for the jobs left."""
        for worker in [worker for worker in self._workers if worker.state is State.IDLE]:
            if self._waiting:
                self._hand_out(worker, self._waiting.popleft())
        coming = sum(worker.state in (State.STARTING, State.LOADING) for worker in self._workers)
        for _ in range(min(len(self._waiting) - coming, self.slots - len(self._workers))):
            self._start()

    def _hand_out(self, worker: Worker, index: int) -> None:
        worker.state, worker.job = State.PROVING, index
        try:
            worker.pipe.send_bytes(self._jobs[index])
        except OSError:
            self._lost(worker)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        # A new process inherits the mask: Ctrl-C, which a terminal sends to all, is then for the parent only from the worker's first
        # moment on; and the parent cannot lose sight of a process that has just started.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            ours, theirs = context.Pipe()
            process = context.Process(target=main, args=(theirs, self._threads), name="ciro_zk worker", daemon=True)
            process.start()
            theirs.close()
            self._workers.append(Worker(process, ours))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _listen(self, worker: Worker) -> None:
        """Read one message of a worker, and answer it."""
        try:
            message = worker.pipe.recv_bytes()
            if worker.state is State.STARTING:
                worker.state = State.LOADING
                worker.pipe.send_bytes(self._key)  # it reads already: this does not wait
                return
        except (EOFError, OSError):
            self._lost(worker)
            return
        if worker.state is State.LOADING and message != READY:
            raise unpack_error(message[1:])
        if worker.job is not None:
            self._outcomes.append(Outcome(worker.job, unpack_answer(message)))
            del self._jobs[worker.job]
        self._failed_starts = 0
        worker.state, worker.job = State.IDLE, None

    def _lost(self, worker: Worker) -> None:
        """A worker is dead: its job, if it had one, goes to the next."""
        self._workers.remove(worker)
        worker.process.join(ENDING_SECONDS)
        worker.process.kill()
        code = _bury(worker)
        if worker.job is not None:
            self._retry(worker.job, code)
        elif worker.state is not State.IDLE:
            self._failed_starts += 1
            if self._failed_starts > RETRIES or (worker.state is State.STARTING and code > 0):
                raise CiroError(
                    f"worker processes end before they can prove ({_ending(code)})",
                    remedy="see their messages on standard error; a script has to call prove_many under if __name__ == '__main__':",
                )

    def _retry(self, index: int, code: int) -> None:
        losses = self._losses[index] = self._losses.get(index, 0) + 1
        if losses <= RETRIES:
            self._waiting.appendleft(index)
            return
        del self._jobs[index]
        error = ResourceError(
            f"proof {index}: its worker process died each of the {losses} times it was begun (the last: {_ending(code)})",
            remedy="it is most likely out of memory: use fewer workers, a smaller batch, or a machine with more memory",
        )
        self._outcomes.append(Outcome(index, error))


def _bury(worker: Worker) -> int:
    """Wait for a killed worker and free what it held; its exit code, negative for a signal."""
    worker.process.join()
    code = worker.process.exitcode
    worker.process.close()
    worker.pipe.close()
    return -signal.SIGKILL if code is None else code


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
