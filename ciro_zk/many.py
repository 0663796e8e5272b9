"""Many proofs at once: inputs go in one after the other, proofs come out in the same order."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sized

from numpy.typing import ArrayLike

from ciro_zk.errors import InputError
from ciro_zk.ops.batch import MAX_BATCH
from ciro_zk.program.keys import ProvingKey
from ciro_zk.progress import Progress, Step, silent
from ciro_zk.proof import Proof
from ciro_zk.workers.cluster import RayCluster
from ciro_zk.workers.engine import Engine, KeySource, Workers
from ciro_zk.workers.job import Job, Sample, as_sample
from ciro_zk.workers.local import LocalProcesses
from ciro_zk.workers.serial import Serial

ENGINES: Mapping[str, type[Engine]] = {"processes": LocalProcesses, "serial": Serial, "ray": RayCluster}
AHEAD = 2
"""Inputs are read ahead of the next proof by this many jobs for each worker."""

Input = ArrayLike | Mapping[str, ArrayLike]


def prove_many(
    key: ProvingKey | str | os.PathLike[str],
    inputs: Iterable[Input],
    *,
    engine: str | Engine = "processes",
    workers: int | None = None,
    batch: int = 1,
    threads: int = 1,
    device: str = "auto",
    progress: Progress = silent,
) -> Generator[Proof, None, None]:
    """Run and prove many inputs on many workers; yields the proofs in the order of the inputs.

    Workers start with the first proof that is asked for. They end when the iterator does: after the last proof, with an error, with
    Ctrl-C, and when it is closed (`contextlib.closing`) or dropped. Inputs are read as they are needed, so they may be endless.

    Parameters
    ----------
    key : ProvingKey or path
        From `setup`, or the file of one: workers then read it themselves, on Ray each on its own machine.
    inputs : iterable
        What `infer` takes: arrays, or dicts by input name.
    engine : str or Engine
        "processes" (of this machine), "ray" (a cluster; extra `[ray]`), "serial" (this process). The proofs' bytes do not depend on it.
    workers : int, optional
        Proofs at once; by default as many as there are processors for.
    batch : int
        Inputs in each proof; the last may hold fewer. Several in one proof cost less than one proof each.
    threads : int
        Threads of each worker.
    device : str
        Where a worker computes its witness; see `infer`.
    progress : callable
        Receives `Step("prove", proofs done, proofs in all)`, 0 in all where `inputs` has no length.

    Raises
    ------
    InputError
        An input is wrong; its `field` begins with its position, as in `inputs[3]`. The proofs before it are yielded first.
    ResourceError
        A worker died on the same proof again and again, most likely out of memory. The proofs before it are yielded first.
    CiroError
        The engine cannot start, or the key cannot be used.
    """
    if isinstance(engine, str):
        if engine not in ENGINES:
            raise InputError("is no engine", field="engine", value=engine, remedy=f"use one of {', '.join(ENGINES)}")
        engine = ENGINES[engine]()
    for name, value, most in (("workers", workers, 1 << 16), ("batch", batch, MAX_BATCH), ("threads", threads, 1 << 10)):
        if value is not None and not 1 <= value <= most:
            raise InputError("is out of bounds", field=name, value=value, remedy=f"give 1 to {most}")
    if isinstance(inputs, Mapping | str | bytes):
        raise InputError("is one input", field="inputs", remedy="give a list of inputs, or use infer and prove")
    source = KeySource(key if isinstance(key, ProvingKey) else os.path.abspath(key))
    return _Proving(engine, source, inputs, workers=workers, batch=batch, threads=threads, device=device, progress=progress).proofs()


class _Proving:
    """One call of `prove_many`: keeps the workers busy and the proofs in order."""

    def __init__(
        self,
        engine: Engine,
        source: KeySource,
        inputs: Iterable[Input],
        *,
        workers: int | None,
        batch: int,
        threads: int,
        device: str,
        progress: Progress,
    ) -> None:
        self.engine, self.source, self.workers, self.threads = engine, source, workers, threads
        self.jobs = _jobs(inputs, batch, device)
        self.progress, self.done = progress, 0
        self.total = -(-len(inputs) // batch) if isinstance(inputs, Sized) else 0
        self.results: dict[int, bytes | Exception] = {}
        self.taken = 0
        """Jobs read so far."""
        self.ended = False
        """Whether no more are to be read."""

    def proofs(self) -> Generator[Proof, None, None]:
        pool = self.engine.open(self.source, self.workers, self.threads)
        try:
            self.progress(Step("prove", 0, self.total))
            index = 0
            self.read_ahead(pool, index)
            while index < self.taken:
                while index not in self.results:
                    self.collect(pool)
                result = self.results.pop(index)
                if isinstance(result, Exception):
                    raise result
                index += 1
                self.read_ahead(pool, index)  # before the caller looks at the proof: the workers are to go on meanwhile
                yield Proof.from_bytes(result, f"proof {index - 1}")
        finally:
            pool.close()

    def read_ahead(self, pool: Workers, index: int) -> None:
        """Read and submit jobs, `AHEAD` for each worker beyond proof `index`."""
        while not self.ended and self.taken < index + AHEAD * pool.slots:
            try:
                job = next(self.jobs, None)
                data = None if job is None else bytes(job)
            except Exception as error:  # from the caller's iterable, or a wrong input: to be raised in its turn
                self.results[self.taken] = error
                self.taken += 1
                self.ended = True
                return
            if data is None:
                self.ended = True
                return
            pool.submit(self.taken, data)
            self.taken += 1

    def collect(self, pool: Workers) -> None:
        """Wait for one job to end."""
        outcome = pool.wait()
        self.results[outcome.index] = outcome.result
        if isinstance(outcome.result, Exception):
            self.ended = True
            return
        self.done += 1
        self.progress(Step("prove", self.done, self.total))


def _jobs(inputs: Iterable[Input], batch: int, device: str) -> Iterator[Job]:
    """The inputs in jobs of `batch`."""
    samples: list[Sample] = []
    position = 0
    for position, given in enumerate(inputs, 1):
        samples.append(as_sample(position - 1, given))
        if len(samples) == batch:
            yield Job(first=position - batch, samples=samples, device=device)
            samples = []
    if samples:
        yield Job(first=position - len(samples), samples=samples, device=device)
