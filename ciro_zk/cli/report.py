"""Figures of a command: clocks, memory, and how they read."""

from __future__ import annotations

import math
import os
import time
from typing import Any

from ciro_zk.memory import peak_bytes

_LOADED = time.time()


def process_seconds() -> float:
    """Seconds since this process started, the interpreter's own start included."""
    since_loading = time.time() - _LOADED
    try:
        with open("/proc/self/stat", "rb") as file:
            # Field 22, counted after the command's name, which may hold spaces: the start in clock ticks since boot.
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        started = ticks / os.sysconf("SC_CLK_TCK")
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return since_loading
    return seconds if since_loading <= seconds < since_loading + 600 else since_loading


def peak_rss_mb() -> float:
    """Largest resident memory of this process so far, in MB (10^6 bytes)."""
    return peak_bytes() / 1e6


class Stopwatch:
    """`seconds` since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._start


def plain(value: Any) -> Any:
    """`value` as JSON has it: arrays become lists, numpy scalars Python's, numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value
    return str(value)


def rounded(seconds: float) -> float:
    """Seconds to the tenth of a millisecond, for JSON."""
    return round(seconds, 4)


def seconds_text(seconds: float) -> str:
    """A duration in words: "31 ms", "2.40 s"."""
    return f"{seconds * 1e3:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def bytes_text(num_bytes: float) -> str:
    """A size in words: "812 bytes", "51.3 kB", "2.1 MB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= size:
            return f"{num_bytes / size:.1f} {unit}"
    return f"{int(num_bytes)} bytes"
