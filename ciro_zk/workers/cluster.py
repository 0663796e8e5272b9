"""A Ray cluster (docs.ray.io): jobs are tasks, the key lies in the object store and is loaded once by each worker process.

ciro_zk has to be installed on every node, in the same version. Ray begins a task again when its worker dies, on any node, at most `RETRIES`
times. Only bytes, strings and numbers are handed to Ray.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
from typing import Any

from ciro_zk.errors import CiroError, ResourceError
from ciro_zk.workers.engine import RETRIES, KeySource, Outcome
from ciro_zk.workers.job import JobProver, pack_error, unpack_answer

_LOADED: dict[tuple[str, int], JobProver] = {}
"""In a Ray worker process: the prover of the last key."""


def load_ray() -> Any:
    """Ray, if it is installed. Raises `CiroError` saying how to install it."""
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise CiroError("Ray is not installed", remedy="pip install 'ciro-zk[ray]', or use engine='processes'") from error


def prove_remotely(key: list[Any], digest: str, threads: int, job: bytes) -> bytes:
    """The task: an answer (see `ciro_zk.workers.job`). `key` holds a reference, so that the key is fetched only where it is not there."""
    try:
        if (digest, threads) not in _LOADED:
            _LOADED.clear()
            _LOADED[digest, threads] = JobProver(KeySource.from_bytes(load_ray().get(key[0])), threads)
    except Exception as error:
        return pack_error(error)
    return _LOADED[digest, threads].answer(job)


class RayCluster:
    """The engine "ray".

    Parameters
    ----------
    address : str, optional
        The cluster's, where the program has not called `ray.init` itself; by default Ray's own choice: the cluster of RAY_ADDRESS, else a
        new one on this machine.
    """

    def __init__(self, address: str | None = None) -> None:
        self._address = address

    def open(self, key: KeySource, workers: int | None, threads: int) -> RayWorkers:
        """Connects if need be; `workers` tasks at once, by default as many as the cluster has processors for."""
        ray = load_ray()
        connected = not ray.is_initialized()
        if connected:
            ray.init(address=self._address, log_to_driver=False)
        try:
            return RayWorkers(ray, key, workers, threads, connected)
        except BaseException:
            if connected:
                ray.shutdown()
            raise

    def __repr__(self) -> str:
        return f"RayCluster({self._address or ''})"


class RayWorkers:
    """The tasks under way."""

    def __init__(self, ray: Any, key: KeySource, workers: int | None, threads: int, connected: bool) -> None:
        self._ray, self._threads, self._connected = ray, threads, connected
        self.slots = workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
        data = bytes(key)
        self._digest = hashlib.blake2s(data).hexdigest()
        self._key = ray.put(data)
        self._task = ray.remote(prove_remotely).options(num_cpus=threads, max_retries=RETRIES)
        self._tasks: dict[Any, int] = {}

    def submit(self, index: int, job: bytes) -> None:
        self._tasks[self._task.remote([self._key], self._digest, self._threads, job)] = index

    def wait(self) -> Outcome:
        (task, *_), _ = self._ray.wait(list(self._tasks), num_returns=1)
        index = self._tasks.pop(task)
        try:
            return Outcome(index, unpack_answer(self._ray.get(task)))
        except self._ray.exceptions.RayError as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            remedy = "see Ray's logs on the cluster; out of memory is most likely: use fewer workers or a smaller batch"
            lost = ResourceError(f"proof {index}: lost {RETRIES + 1} times by the Ray cluster ({reason})", remedy=remedy)
            lost.__cause__ = error
            return Outcome(index, lost)

    def close(self) -> None:
        """Cancels the tasks under way; a connection that `open` made is closed."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks:
            with contextlib.suppress(Exception):  # it has ended in the meantime, or the cluster has
                self._ray.cancel(task, force=True)
        if self._connected:
            self._connected = False
            self._ray.shutdown()
