"""Measuring a step in a process of its own: wall and CPU seconds, peak memory, a limit on both, and what the step said of itself.

Standard library only, and so it must stay: on Linux a child's `ru_maxrss` starts at its parent's memory, so the process that starts the
steps has to be a small one.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One process that ran."""

    outcome: str
    """"done", "failed", "timed out" or "out of memory"."""
    seconds: float
    """Wall time from start to end, interpreter start included."""
    cpu_seconds: float
    """User and system time of the process and of its children."""
    peak_rss_mb: float
    """Largest resident memory of the process or of one of its children, in MB (10^6 bytes)."""
    record: dict[str, Any] = field(default_factory=dict)
    """The last JSON object on its standard output."""
    error: str = ""
    """Why it did not end well, in one line."""

    @property
    def done(self) -> bool:
        return self.outcome == "done"


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    memory_mb: float,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Step:
    """Run a command to its end, or until it takes longer than `timeout` seconds or its processes together hold more than `memory_mb`."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            [os.fspath(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
        guard = _Guard(process.pid, timeout, memory_mb)
        guard.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            _kill(process.pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, 0)
            raise
        finally:
            guard.stop()
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout, stderr = (_text(file) for file in (out, err))
    record = last_object(stdout)
    outcome = guard.reason or ("done" if process.returncode == 0 else "failed")
    return Step(
        outcome=outcome,
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_rss_mb=max(usage.ru_maxrss * 1024 / 1e6, guard.peak_mb),
        record=record,
        error=_error(outcome, process.returncode, record, stderr, timeout, memory_mb),
    )


class _Guard(threading.Thread):
    """Kills a process group that goes past its limits."""

    def __init__(self, group: int, timeout: float, memory_mb: float) -> None:
        super().__init__(daemon=True)
        self.group, self.timeout, self.memory_mb = group, timeout, memory_mb
        self.reason, self.peak_mb = "", 0.0
        self._ended = threading.Event()

    def run(self) -> None:
        end = time.monotonic() + self.timeout
        while not self._ended.wait(POLL_SECONDS):
            held = group_rss_mb(self.group)
            if held > self.memory_mb:
                self.reason, self.peak_mb = "out of memory", held
            elif time.monotonic() > end:
                self.reason = "timed out"
            if self.reason:
                _kill(self.group)
                return

    def stop(self) -> None:
        self._ended.set()
        self.join()


def group_rss_mb(group: int) -> float:
    """Resident memory of all processes of a group together, in MB; 0 where /proc does not tell."""
    total = 0
    with contextlib.suppress(OSError):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    fields = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
                    if int(fields[2]) == group:
                        total += int(fields[21])
    return total * os.sysconf("SC_PAGE_SIZE") / 1e6


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _text(file: Any) -> str:
    file.seek(0)
    return bytes(file.read()).decode(errors="replace")


def last_object(text: str) -> dict[str, Any]:
    """The last line that is a JSON object; {} where none is."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict):
                    return value
    return {}


def _error(outcome: str, code: int, record: Mapping[str, Any], stderr: str, timeout: float, memory_mb: float) -> str:
    if outcome == "timed out":
        return f"killed after {timeout:.0f} s"
    if outcome == "out of memory":
        return f"killed at more than {memory_mb / 1e3:.1f} GB"
    if outcome == "failed":
        lines = [line.strip() for line in stderr.splitlines() if line.strip()]
        known = record.get("error") or record.get("reason")
        return str(record.get("message") or known or (lines[-1] if lines else f"exit code {code}"))[:400]
    return ""


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def p90(values: Sequence[float]) -> float:
    """The 90th percentile, linear between ranks (numpy's default)."""
    ordered = sorted(values)
    place = 0.9 * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (place - low) * (ordered[high] - ordered[low]))


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        fields = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
        known = {key.strip(): value.strip() for key, _, value in reversed(fields)}
        if "model name" in known:
            return f"{known['model name']} (family {known.get('cpu family', '?')}, model {known.get('model', '?')})"
    return platform.processor() or platform.machine()


def available_mb() -> float:
    """Memory that can be had without swapping, in MB."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 / 1e6
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6


def commit() -> dict[str, Any]:
    """The commit that is measured, and which of the library's files differ from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.rstrip() if done.returncode == 0 else ""

    changed = [line[3:] for line in git("status", "--porcelain", "--", "ciro_zk", "benches", "models").splitlines()]
    return {"commit": git("rev-parse", "--short=12", "HEAD") or "unknown", "changed_files": changed}


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
