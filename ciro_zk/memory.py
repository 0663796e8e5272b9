"""How much memory there is, how much this process has taken, and whether a piece of work will fit."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from ciro_zk.errors import ResourceError

MEMORY_CODEWORDS = 1 << 30
"""Bytes of codewords that are kept in memory where no directory is given for them."""

_CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """What this process can still take: the system's free memory, its control group's and its own limits; None where nothing says."""
    limits = [_free(), _left_in_group(), _left_of_address_space()]
    return min((limit for limit in limits if limit is not None), default=None)


def peak_bytes() -> int:
    """The largest resident memory of this process so far."""
    peak = _field("/proc/self/status", "VmHWM:")  # unlike ru_maxrss it does not count the parent's memory before exec
    if peak is not None:
        return peak
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def check_memory(needed: int) -> None:
    """`ResourceError` where a piece of work takes more than there is; silent where the system does not say."""
    available = available_bytes()
    if available is not None and needed > available:
        raise ResourceError(
            "the proof does not fit in memory",
            needed=needed,
            available=available,
            remedy="close other programs, use a machine with more memory, or a smaller model",
        )


def _field(path: str, name: str) -> int | None:
    """A line "name: so many kB" in bytes."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith(name)), None)
    except (OSError, ValueError, IndexError):
        return None


def _free() -> int | None:
    return _field("/proc/meminfo", "MemAvailable:")


def _left_in_group() -> int | None:
    """What a container's limit leaves; pages of files, which it can drop, do not count as used."""
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        entries = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        return max(limit - used + int(entries.get("file", 0)), 0)
    except (OSError, ValueError):  # no control group, or "max"
        return None


def _left_of_address_space() -> int | None:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = _field("/proc/self/status", "VmSize:")
    return None if limit == resource.RLIM_INFINITY or used is None else max(limit - used, 0)
