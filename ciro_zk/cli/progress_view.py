"""Shows progress on standard error: bars on a terminal, JSON lines with `--json`, nothing otherwise."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator

from ciro_zk.progress import Progress, Step, silent

_INTERVAL = 0.2
"""Seconds between two JSON lines of the same stage."""


@contextlib.contextmanager
def progress_view(as_json: bool) -> Iterator[Progress]:
    """The callback for a command; the bars are gone when the context ends."""
    if as_json:
        yield _json_lines()
    elif sys.stderr.isatty():
        with _bars() as callback:
            yield callback
    else:
        yield silent


def _json_lines() -> Progress:
    last_stage, last_time = "", 0.0

    def show(step: Step) -> None:
        nonlocal last_stage, last_time
        now = time.monotonic()
        if step.stage != last_stage or now - last_time >= _INTERVAL:
            last_stage, last_time = step.stage, now
            line = {"progress": step.stage, "done": step.done, "total": step.total}
            print(json.dumps(line), file=sys.stderr, flush=True)

    return show


@contextlib.contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)
        stage = ""

        def show(step: Step) -> None:
            nonlocal stage
            if step.stage != stage:
                stage = step.stage
                bars.reset(task, description=escape(stage), total=step.total or None)
            bars.update(task, completed=step.done, total=step.total or None)

        yield show
