"""The Ray engine: against a stand-in for the few calls that it makes, and on a real cluster of this machine where Ray is installed."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from strategies import tiny, tiny_input

import ciro_zk
from ciro_zk.errors import CiroError, InputError, ResourceError
from ciro_zk.workers import cluster
from ciro_zk.workers.engine import RETRIES


@cache
def key() -> ciro_zk.ProvingKey:
    return ciro_zk.setup(tiny())[0]


def sample(seed: int) -> np.ndarray:
    return tiny_input(seed) * 0.5


def expected(*seeds: int) -> list[bytes]:
    return [bytes(ciro_zk.prove(key(), ciro_zk.infer(key(), sample(seed)))) for seed in seeds]


class RayError(Exception):
    """The stand-in's."""


class Ref:
    """A reference to an object or a task of the stand-in."""

    def __init__(self, value: Any) -> None:
        self.value = value


class FakeRay(ModuleType):
    """What the engine uses of Ray, in this process. Tasks end in reverse order; whatever is handed over must be plain."""

    exceptions = SimpleNamespace(RayError=RayError)

    def __init__(self) -> None:
        super().__init__("ray")
        self.connected = False
        self.puts = self.gets = 0
        self.options: dict[str, Any] = {}
        self.cancelled: list[Ref] = []
        self.lost: set[int] = set()
        self.started = 0

    def is_initialized(self) -> bool:
        return self.connected

    def init(self, **options: Any) -> None:
        self.connected = True

    def shutdown(self) -> None:
        self.connected = False

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 3.0}

    def put(self, value: bytes) -> Ref:
        assert type(value) is bytes
        self.puts += 1
        return Ref(value)

    def get(self, ref: Ref) -> Any:
        if not callable(ref.value):
            self.gets += 1
            return ref.value
        return ref.value()

    def remote(self, function: Callable[..., bytes]) -> Any:
        def start(refs: list[Ref], digest: str, threads: int, job: bytes) -> Ref:
            assert (type(digest), type(threads), type(job)) == (str, int, bytes)
            number, self.started = self.started, self.started + 1

            def task() -> bytes:
                if number in self.lost:
                    raise RayError("The worker died unexpectedly\nwith many details")
                return function(refs, digest, threads, job)

            return Ref(task)

        def options(**options: Any) -> Any:
            self.options = options
            return SimpleNamespace(remote=start)

        return SimpleNamespace(options=options)

    def wait(self, refs: list[Ref], *, num_returns: int) -> tuple[list[Ref], list[Ref]]:
        assert num_returns == 1
        return refs[-1:], refs[:-1]

    def cancel(self, ref: Ref, *, force: bool) -> None:
        assert force
        self.cancelled.append(ref)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    cluster._LOADED.clear()
    return fake


def test_proofs_in_order_and_the_key_once(ray: FakeRay) -> None:
    proofs = list(ciro_zk.prove_many(key(), [sample(i) for i in range(7)], engine="ray", workers=2))
    assert [bytes(proof) for proof in proofs] == expected(*range(7))
    assert (ray.puts, ray.gets) == (1, 1)
    assert ray.options == {"num_cpus": 1, "max_retries": RETRIES}
    assert not ray.connected


def test_a_connection_of_the_callers_stays(ray: FakeRay) -> None:
    ray.init()
    with closing(ciro_zk.prove_many(key(), [sample(i) for i in range(9)], engine="ray")) as proofs:
        next(proofs)
    assert ray.connected
    assert ray.cancelled


def test_a_wrong_input(ray: FakeRay) -> None:
    proofs = ciro_zk.prove_many(key(), [sample(0), np.full(4, np.nan), sample(1)], engine="ray")
    assert bytes(next(proofs)) == expected(0)[0]
    with pytest.raises(InputError, match=r"inputs\[1\]\.x: is not finite"):
        next(proofs)
    assert not ray.connected


def test_a_lost_task(ray: FakeRay) -> None:
    ray.lost = {1}
    proofs = ciro_zk.prove_many(key(), [sample(i) for i in range(3)], engine="ray")
    next(proofs)
    with pytest.raises(ResourceError, match=r"proof 1: .*\(The worker died unexpectedly\)"):
        next(proofs)


def test_a_key_that_cannot_be_read(ray: FakeRay) -> None:
    with pytest.raises(InputError, match=r"missing\.bin"):
        next(ciro_zk.prove_many("missing.bin", [sample(0)], engine="ray"))


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CiroError, match="Ray is not installed") as caught:
        next(ciro_zk.prove_many(key(), [sample(0)], engine="ray"))
    assert "ciro-zk[ray]" in caught.value.remedy


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (extra [ray])")
def test_a_real_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, the same bytes, a worker killed in the middle, a wrong input."""
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray = cluster.load_ray()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}})
    try:
        proofs = ciro_zk.prove_many(key(), [sample(i) for i in range(8)], engine="ray")
        found = [bytes(next(proofs))]
        pids = ray_workers()
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        found += [bytes(proof) for proof in proofs]
        assert found == expected(*range(8))
        wrong = ciro_zk.prove_many(key(), [sample(0), np.full(4, 99.0)], engine="ray", batch=2)
        with pytest.raises(InputError, match=r"inputs\[1\]\.x"):
            next(wrong)
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def ray_workers() -> list[int]:
    """Processes below this one that prove or have proven: Ray names them after their task."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                name = file.read()
        except OSError:
            continue
        if name.startswith((b"ray::prove_remotely", b"ray::IDLE")) and is_below(int(entry)):
            found.append(int(entry))
    return found


def is_below(pid: int) -> bool:
    """Whether this process is an ancestor of `pid`."""
    while pid > 1 and pid != os.getpid():
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            return False
    return pid == os.getpid()
