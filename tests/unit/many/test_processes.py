"""Worker processes that die, and none that stays."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from strategies import toy, toy_input

import ciro_zk
from ciro_zk.errors import CiroError, ResourceError
from ciro_zk.progress import Step
from ciro_zk.workers import local
from ciro_zk.workers.engine import RETRIES, KeySource
from ciro_zk.workers.local import LocalProcesses, LocalWorkers, State, Worker

ROOT = Path(__file__).resolve().parents[3]


@cache
def key() -> ciro_zk.ProvingKey:
    return ciro_zk.setup(toy())[0]


def sample(seed: int) -> np.ndarray:
    return toy_input(seed) / 128


@cache
def expected(count: int) -> list[bytes]:
    return [bytes(ciro_zk.prove(key(), ciro_zk.infer(key(), sample(i)))) for i in range(count)]


def no_children() -> bool:
    return not multiprocessing.active_children()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


class Watched(LocalProcesses):
    """Processes whose supervisor shows itself, and meets accidents: `accident` is called after a job was handed out."""

    def __init__(self, accident: Callable[[Worker, int], None] = lambda worker, index: None) -> None:
        self.accident = accident
        self.opened: list[LocalWorkers] = []

    def open(self, key: KeySource, workers: int | None, threads: int) -> LocalWorkers:
        watched = self

        class Supervisor(LocalWorkers):
            def _hand_out(self, worker: Worker, index: int) -> None:
                super()._hand_out(worker, index)
                watched.accident(worker, index)

        self.opened.append(Supervisor(key, workers or 2, threads))
        return self.opened[-1]


def kill(worker: Worker) -> None:
    assert worker.process.pid is not None
    os.kill(worker.process.pid, signal.SIGKILL)


def test_workers_killed_while_proving() -> None:
    """From outside, by their process ids, again and again."""
    engine = Watched()
    killed: list[int] = []

    def step(now: Step) -> None:
        if now.done in (1, 4, 6):
            worker = next(worker for worker in engine.opened[0]._workers if worker.state is State.PROVING)
            assert worker.process.pid is not None
            killed.append(worker.process.pid)
            os.kill(worker.process.pid, signal.SIGKILL)

    proofs = list(ciro_zk.prove_many(key(), [sample(i) for i in range(10)], engine=engine, workers=2, progress=step))
    assert [bytes(proof) for proof in proofs] == expected(10)
    assert len(set(killed)) == 3
    assert not any(map(is_alive, killed))
    assert no_children()


def test_a_job_that_kills_now_and_then_is_proven() -> None:
    times: dict[int, int] = {}

    def accident(worker: Worker, index: int) -> None:
        times[index] = times.get(index, 0) + 1
        if index == 1 and times[index] <= RETRIES:
            kill(worker)

    proofs = list(ciro_zk.prove_many(key(), [sample(i) for i in range(4)], engine=Watched(accident), workers=2))
    assert [bytes(proof) for proof in proofs] == expected(4)
    assert times == {0: 1, 1: RETRIES + 1, 2: 1, 3: 1}


def test_a_job_that_always_kills_is_named() -> None:
    times: dict[int, int] = {}

    def accident(worker: Worker, index: int) -> None:
        times[index] = times.get(index, 0) + 1
        if index == 2:
            kill(worker)

    proofs = ciro_zk.prove_many(key(), [sample(i) for i in range(8)], engine=Watched(accident), workers=2)
    assert [bytes(next(proofs)), bytes(next(proofs))] == expected(2)
    with pytest.raises(ResourceError, match=r"proof 2: its worker process died each of the 4 times .*SIGKILL") as caught:
        next(proofs)
    assert caught.value.remedy
    assert times[2] == RETRIES + 1
    assert no_children()
    assert list(proofs) == []


def test_an_idle_worker_killed() -> None:
    engine = Watched()
    proofs = ciro_zk.prove_many(key(), iter([sample(0), sample(1)]), engine=engine, workers=1)
    assert bytes(next(proofs)) == expected(2)[0]
    for worker in engine.opened[0]._workers:
        kill(worker)
        worker.process.join()
    assert [bytes(proof) for proof in proofs] == expected(2)[1:]


def dies(pipe: object, threads: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fails(pipe: object, threads: int) -> None:
    raise SystemExit(3)


@pytest.mark.parametrize(("main", "ending"), [(dies, "SIGKILL"), (fails, "exit code 3")])
def test_workers_that_cannot_start(main: Callable[[object, int], None], ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "main", main)
    with pytest.raises(CiroError, match=rf"end before they can prove \(.*{ending}\)"):
        next(ciro_zk.prove_many(key(), [sample(0)], workers=1))
    assert no_children()


@pytest.mark.parametrize("way", ["close", "drop", "throw"])
def test_no_process_is_left(way: str) -> None:
    def endless() -> Iterator[np.ndarray]:
        while True:
            yield sample(0)

    proofs = ciro_zk.prove_many(key(), endless(), workers=2)
    next(proofs)
    assert wait_until(lambda: len(multiprocessing.active_children()) == 2)
    pids = [child.pid for child in multiprocessing.active_children()]
    if way == "close":
        proofs.close()
        assert list(proofs) == []
    elif way == "throw":
        with pytest.raises(KeyboardInterrupt):
            proofs.throw(KeyboardInterrupt)
    else:
        del proofs
        gc.collect()
    assert no_children()
    assert not any(is_alive(pid) for pid in pids if pid is not None)


def test_an_error_of_the_callback_ends_all() -> None:
    def step(now: Step) -> None:
        if now.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(ciro_zk.prove_many(key(), [sample(0)] * 6, workers=2, progress=step))
    assert no_children()


SCRIPT = """
import itertools, multiprocessing, sys
sys.path.insert(0, {tests!r})
from strategies import toy, toy_input
import ciro_zk

if __name__ == "__main__":
    sample = toy_input(2) / 128
    for number, proof in enumerate(ciro_zk.prove_many({key!r}, itertools.repeat(sample), workers=2)):
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_and_a_killed_parent(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C goes to the whole group, as a terminal sends it: one traceback, the parent's. A killed parent takes its workers along."""
    key().save(tmp_path / "pk.bin")
    (tmp_path / "script.py").write_text(SCRIPT.format(tests=str(ROOT / "tests"), key=str(tmp_path / "pk.bin")))
    with closing(open(tmp_path / "err", "w+")) as err:
        parent = subprocess.Popen(
            [sys.executable, str(tmp_path / "script.py")],
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert parent.stdout is not None
        pids: list[int] = []
        while len(pids) < 2:
            line = parent.stdout.readline()
            assert line, Path(tmp_path / "err").read_text()
            pids = [int(pid) for pid in line.split()]
        if number == signal.SIGINT:
            os.killpg(parent.pid, number)
        else:
            parent.kill()
        parent.stdout.close()
        assert parent.wait(20) == -number
        assert wait_until(lambda: not any(map(is_alive, pids)))
        text = Path(tmp_path / "err").read_text()
    assert text.count("Traceback") == (1 if number == signal.SIGINT else 0), text
    assert number != signal.SIGINT or text.rstrip().endswith("KeyboardInterrupt")
