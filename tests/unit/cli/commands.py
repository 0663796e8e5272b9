"""Running the command line as a user does: a process of its own, `--json`, and what it left."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
MODEL = ROOT / "models" / "digits_mlp"
PROVE = {"seconds", "load_seconds", "total_seconds", "bytes", "peak_rss_mb", "security_bits", "outputs", "max_abs_error", "device"}
"""The fields that `prove` prints, whatever its options."""


@dataclass(frozen=True)
class Done:
    code: int
    fields: dict[str, Any]
    err: str


def ciro(*arguments: str | Path) -> Done:
    """Runs a command with --json."""
    command = [sys.executable, "-m", "ciro_zk", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.stdout.count("\n") == 1, done.stdout + done.stderr
    return Done(done.returncode, json.loads(done.stdout), done.stderr)
