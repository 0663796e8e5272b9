"""Proving with every kernel call counted and timed, and the rates to compare with, measured in the same process."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, cast

from ciro_zk import prover
from ciro_zk.hash.transcript import ProverTranscript
from ciro_zk.kernels import Kernels, numba_kernels
from ciro_zk.profile.formulas import PHASES, Drawn
from ciro_zk.profile.ops import op_shares
from ciro_zk.profile.report import Entry, Phase, Profile
from ciro_zk.profile.work import KERNELS, NONCE_INPUT_BYTES, Dims, Work, grind_work, random_words
from ciro_zk.program.keys import ProvingKey
from ciro_zk.progress import Progress, Step, silent
from ciro_zk.proof import Proof
from ciro_zk.witness import Run

CALIBRATION_SECONDS = 0.02
_PASS_THROUGH = ("ciro_zk.profile", "ciro_zk.hash.merkle")
TRANSCRIPT = "transcript"


@dataclass(slots=True)
class _Call:
    """Equal calls: of one kernel, on arguments of the same sizes, from one function of one phase."""

    work: Work = field(default_factory=Work)
    seconds: float = 0.0
    thread_seconds: float = 0.0


@dataclass(slots=True)
class Recorder:
    """What was called in the phase that runs."""

    phase: str = ""
    calls: dict[tuple[str, str, str, Dims], _Call] = field(default_factory=lambda: defaultdict(_Call))
    """By phase, calling function, kernel and sizes."""
    marks: list[tuple[str, float, float, float]] = field(default_factory=list)
    """Phase, and at its start the wall clock, the processor seconds of all threads and of this one."""
    positions: list[int] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)

    def enter(self, phase: str) -> None:
        """A phase starts, or with "" the last one ends."""
        self.phase = phase
        self.marks.append((phase, time.perf_counter(), time.process_time(), time.thread_time()))

    def add(self, where: str, kernel: str, dims: Dims, work: Work, seconds: float = 0.0, thread_seconds: float = 0.0) -> None:
        """One call."""
        call = self.calls[self.phase, where, kernel, dims]
        call.work += work
        call.seconds += seconds
        call.thread_seconds += thread_seconds

    def kernels(self, inner: Kernels) -> Kernels:
        """`inner`, recorded."""
        return cast(Kernels, _RecordingKernels(self, inner))

    @property
    def drawn(self) -> Drawn:
        """What the proof's transcript drew."""
        return Drawn(positions=tuple(self.positions), attempts=tuple(self.attempts))


def _caller() -> str:
    """The function that asked for a kernel."""
    frame = sys._getframe(2)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(_PASS_THROUGH):
        frame = frame.f_back
    return frame.f_code.co_name.lstrip("_")


class _RecordingKernels:
    """Every method of a `Kernels`, made here from `KERNELS`."""

    def __init__(self, recorder: Recorder, inner: Kernels) -> None:
        self.name, self.threads = inner.name, inner.threads
        for name in KERNELS:
            setattr(self, name, self._recorded(recorder, name, getattr(inner, name)))

    @staticmethod
    def _recorded(recorder: Recorder, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        kernel = KERNELS[name]

        def call(*args: Any) -> Any:
            started, thread_started = time.perf_counter(), time.thread_time()
            result = function(*args)
            thread_seconds, seconds = time.thread_time() - thread_started, time.perf_counter() - started
            dims = kernel.dims(*args)
            if name == "grind":
                recorder.attempts.append(result + 1)
                work = grind_work(result + 1)
            else:
                work = kernel.work(*dims)
            recorder.add(_caller(), name, dims, work, seconds, thread_seconds)
            return result

        return call


def _recording_transcript(recorder: Recorder) -> type[ProverTranscript]:
    """`ProverTranscript`, its hashing timed and its positions noted."""

    class RecordingTranscript(ProverTranscript):
        nested = False

        def _timed(self, hashed: int, function: Callable[[], Any]) -> Any:
            if self.nested:
                recorder.add(TRANSCRIPT, TRANSCRIPT, (), Work(hashed=hashed))
                return function()
            self.nested = True
            started, thread_started = time.perf_counter(), time.thread_time()
            result = function()
            thread_seconds, seconds = time.thread_time() - thread_started, time.perf_counter() - started
            self.nested = False
            recorder.add(TRANSCRIPT, TRANSCRIPT, (), Work(calls=1, hashed=hashed), seconds, thread_seconds)
            return result

        def _advance(self, tag: bytes, label: str, data: bytes) -> None:
            self._timed(43 + len(label.encode()) + len(data), lambda: ProverTranscript._advance(self, tag, label, data))

        def _words(self, label: str, count: int) -> list[int]:
            words: list[int] = self._timed(
                NONCE_INPUT_BYTES * -(-count // 4), lambda: ProverTranscript._words(self, label, count)
            )  # four words a block; that one is rejected has a chance of 2^-32
            return words

        def positions(self, label: str, count: int, log_length: int) -> list[int]:
            found = super().positions(label, count, log_length)
            recorder.positions.append(len(found))
            return found

    return RecordingTranscript


@contextlib.contextmanager
def _installed(transcript: type[ProverTranscript]) -> Iterator[None]:
    """The prover makes its transcripts from this class; one profile at a time."""
    names = vars(prover)
    before = names["ProverTranscript"]
    names["ProverTranscript"] = transcript
    try:
        yield
    finally:
        names["ProverTranscript"] = before


def record(pk: ProvingKey, runs: Run | Sequence[Run], kernels: Kernels, progress: Progress = silent) -> tuple[Proof, Recorder]:
    """Prove once, recorded."""
    recorder = Recorder()

    def stepped(step: Step) -> None:
        progress(step)
        recorder.enter(step.stage)

    prover.committed_weights(kernels, pk)
    with _installed(_recording_transcript(recorder)):
        proof = prover.prove(pk, runs, kernels=recorder.kernels(kernels), progress=stepped)
    recorder.enter("")
    return proof, recorder


def profile_prove(
    pk: ProvingKey,
    runs: Run | Sequence[Run],
    *,
    threads: int | None = None,
    kernels: Kernels | None = None,
    repeats: int = 5,
    progress: Progress = silent,
) -> tuple[Proof, Profile]:
    """Prove as `ciro_zk.prove` does, some times over, and say where the time went.

    Parameters
    ----------
    pk, runs, threads, kernels, progress
        See `ciro_zk.prove`.
    repeats : int
        Proofs timed as they are, and as many recorded; the fastest of each is reported, phase by phase and call by call.
    """
    kernels = kernels or numba_kernels(threads=threads)
    proof = prover.prove(pk, runs, kernels=kernels, progress=progress)
    plain = min(_seconds(lambda: prover.prove(pk, runs, kernels=kernels)) for _ in range(repeats))
    recorders = [record(pk, runs, kernels)[1] for _ in range(repeats)]
    recorder, calls = recorders[0], recorders[0].calls
    for other in recorders[1:]:  # the same proof, hence the same calls
        for key, call in other.calls.items():
            calls[key].seconds = min(calls[key].seconds, call.seconds)
            calls[key].thread_seconds = min(calls[key].thread_seconds, call.thread_seconds)
    sizes = {(name, dims) for _, _, name, dims in calls if name != TRANSCRIPT}
    alone = {key: _best(kernels, *key) for key in sizes}
    rates: dict[str, float] = {}
    for name, dims in sizes | {(name, KERNELS[name].bulk) for name, _ in sizes}:
        seconds = alone[name, dims] if (name, dims) in alone else _best(kernels, name, dims)
        rates[name] = max(rates.get(name, 0.0), KERNELS[name].work(*dims).units / seconds)
    entries: dict[tuple[str, str, str], Entry] = {}
    for (phase, where, name, dims), call in calls.items():
        if name == TRANSCRIPT:
            single = bulk = call.seconds
        elif name == "grind":
            single = bulk = call.work.units / rates[name]
        else:
            single, bulk = alone[name, dims] * call.work.calls, call.work.units / rates[name]
        entry = Entry(
            phase=phase,
            where=where,
            kernel=name,
            work=call.work,
            seconds=call.seconds,
            thread_seconds=call.thread_seconds,
            alone_seconds=single,
            bulk_seconds=bulk,
        )
        entries[phase, where, name] = entry + entries[phase, where, name] if (phase, where, name) in entries else entry
    batch = 1 if isinstance(runs, Run) else len(runs)
    program = pk.program.batched(batch)
    phases = _phases(recorders)
    return proof, Profile(
        circuit=program.name,
        program_digest=program.digest.hex(),
        batch=batch,
        threads=kernels.threads,
        plain_seconds=plain,
        proof_bytes=len(bytes(proof)),
        phases=phases,
        entries=tuple(entries.values()),
        ops=op_shares(program, recorder.drawn, {phase.name: phase.seconds for phase in phases}),
        rates=dict(sorted(rates.items())),
    )


def _phases(recorders: Sequence[Recorder]) -> tuple[Phase, ...]:
    """The fastest of each phase."""
    found: dict[str, Phase] = {}
    for recorder in recorders:
        for (name, *start), (_, *end) in pairwise(recorder.marks):
            if name not in PHASES:
                continue
            wall, processor, thread = (after - before for before, after in zip(start, end, strict=True))
            phase = Phase(name=name, seconds=wall, processor_seconds=processor, thread_seconds=thread)
            old = found.get(name, phase)
            found[name] = replace(
                old if old.seconds < phase.seconds else phase, thread_seconds=min(old.thread_seconds, phase.thread_seconds)
            )
    return tuple(found.values())


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _best(kernels: Kernels, name: str, dims: Dims) -> float:
    """The least seconds of a call on random arguments of these sizes."""
    arguments = KERNELS[name].sample(random_words(1), *dims)
    function = getattr(kernels, name)
    if name == "grind":  # the rate does not depend on the bits; this state's nonce is the work
        nonce = function(*arguments)
        seconds = min(_seconds(lambda: function(*arguments)) for _ in range(5))
        return seconds * float(1 << dims[0]) / float(nonce + 1)
    end = time.perf_counter() + CALIBRATION_SECONDS
    best = min(_seconds(lambda: function(*arguments)) for _ in range(2))
    while time.perf_counter() < end:
        best = min(best, _seconds(lambda: function(*arguments)))
    return best
