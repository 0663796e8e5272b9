"""`ciro-zk doctor`: what this machine and installation have to offer."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ciro_zk.cli.options import Json
from ciro_zk.cli.report import bytes_text
from ciro_zk.cli.session import session

_REQUIRED = ("numpy", "numba", "llvmlite", "onnx", "onnxruntime", "typer", "rich")
_OPTIONAL = ("torch", "scikit-learn", "ezkl", "starknet-py", "web3", "ray")


def doctor_command(json: Json = False) -> None:
    """Show versions, processor, kernel cache, GPU and disk."""
    with session(json) as out:
        facts: dict[str, Any] = {
            "versions": versions(),
            "processor": processor(),
            "memory": memory(),
            "kernel_cache": kernel_cache(),
            "gpu": gpus(),
            "disk": disk(),
        }
        facts["problems"] = problems(facts)
        for title, content in facts.items():
            if title == "problems":
                continue
            out.say(title.replace("_", " "))
            if isinstance(content, list):
                content = {str(number): item for number, item in enumerate(content)} or {"": "none found"}
            out.rows({name: _text(name, value) for name, value in content.items() if value is not None})
        out.say("no problems found" if not facts["problems"] else "problems")
        for problem in facts["problems"]:
            out.say(f"  - {problem}")
        out.result(facts)


def _text(name: str, value: Any) -> str:
    if name.endswith("bytes") and isinstance(value, int):
        return bytes_text(value)
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def versions() -> dict[str, str | None]:
    """Versions of Python, the library and what it uses, without importing any of them; None when one is not installed."""
    from ciro_zk import __version__

    found: dict[str, str | None] = {"ciro_zk": __version__, "python": platform.python_version()}
    for name in (*_REQUIRED, *_OPTIONAL):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def processor() -> dict[str, Any]:
    """Name, usable cores and the vector instructions that kernels profit from."""
    name, flags = platform.processor() or platform.machine(), set[str]()
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            elif key.strip() in ("flags", "Features"):
                flags = set(value.split())
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    wide = [flag for flag in ("avx2", "avx512f", "avx512dq", "avx512ifma", "bmi2", "asimd", "sve") if flag in flags]
    return {"name": name, "architecture": platform.machine(), "cores": cores, "instructions": wide}


def memory() -> dict[str, int | None]:
    """Memory of the machine in bytes."""
    found: dict[str, int | None] = {"total_bytes": None, "available_bytes": None}
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            for key, field in (("MemTotal:", "total_bytes"), ("MemAvailable:", "available_bytes")):
                if line.startswith(key):
                    found[field] = int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return found


def kernel_cache() -> dict[str, Any]:
    """Where compiled kernels are kept and how much of them is there."""
    from ciro_zk.cli.cache import cache_state

    try:
        return cache_state()
    except (ImportError, OSError) as error:
        return {"problem": f"the kernel cache cannot be used: {error}"}


def gpus() -> list[str]:
    """Name, memory and driver of each NVIDIA GPU."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]


def disk() -> dict[str, Any]:
    """Free space where the command runs."""
    here = Path.cwd()
    return {"folder": str(here), "free_bytes": shutil.disk_usage(here).free}


def problems(facts: dict[str, Any]) -> list[str]:
    """What is missing or short, each with its remedy."""
    found = [f"{name} is not installed: pip install {name}" for name in _REQUIRED if facts["versions"][name] is None]
    if facts["disk"]["free_bytes"] < 1 << 30:
        found.append("less than 1 GB of free disk space: free some before making keys")
    available = facts["memory"]["available_bytes"]
    if available is not None and available < 500e6:
        found.append("less than 500 MB of free memory: end other programs before proving")
    if facts["kernel_cache"].get("problem"):
        found.append(str(facts["kernel_cache"]["problem"]))
    return found
