"""What every command runs in: errors become messages and exit codes, results become text or one JSON object.

Exit codes: 0 done or verified, 10 rejected, 2 bad input or usage, 3 unsupported model, 4 out of memory or space, 130 interrupted.
1 is left to Python: a defect of ciro_zk, with its traceback.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

import typer

from ciro_zk import errors
from ciro_zk.cli import report
from ciro_zk.progress import Progress


class ExitCode(IntEnum):
    """How a command ends."""

    DONE = 0
    BAD_INPUT = 2
    UNSUPPORTED_MODEL = 3
    NO_RESOURCES = 4
    REJECTED = 10
    INTERRUPTED = 130


def exit_code_of(error: BaseException) -> ExitCode | None:
    """The exit code that an error stands for; None for a defect."""
    if isinstance(error, errors.ProofRejected):
        return ExitCode.REJECTED
    if isinstance(error, errors.UnsupportedOperator | errors.BoundsError):
        return ExitCode.UNSUPPORTED_MODEL
    if isinstance(error, errors.ResourceError | MemoryError):
        return ExitCode.NO_RESOURCES
    if isinstance(error, errors.CiroError):
        return ExitCode.BAD_INPUT
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM)
        return ExitCode.NO_RESOURCES if full else ExitCode.BAD_INPUT
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, ModuleNotFoundError) and not (error.name or "ciro_zk").startswith("ciro_zk"):
        return ExitCode.BAD_INPUT  # an installation without its dependencies, as a verifier's may be
    return None


class Session:
    """Output of one command."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.on_error: dict[str, Any] = {}
        """Fields that the JSON object has even when the command fails."""

    def say(self, text: str = "") -> None:
        """Text for a reader, on standard output; nothing with `--json`."""
        if not self.as_json:
            print(text, flush=True)

    def note(self, text: str) -> None:
        """A remark on standard error."""
        print(text, file=sys.stderr, flush=True)

    def rows(self, pairs: Mapping[str, str]) -> None:
        """Aligned name and value lines."""
        width = max((len(name) for name in pairs), default=0)
        for name, value in pairs.items():
            self.say(f"  {name:<{width}}  {value}")

    def result(self, fields: Mapping[str, Any]) -> None:
        """The one JSON object, on standard output's last line; nothing without `--json`."""
        if self.as_json:
            write_json(fields)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress]:
        """A progress callback for the library."""
        from ciro_zk.cli.progress_view import progress_view

        with progress_view(self.as_json) as callback:
            yield callback

    @contextlib.contextmanager
    def accuracy_warnings(self) -> Iterator[None]:
        """What the compiler warns about, as remarks."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", errors.AccuracyWarning)
            yield
        for warning in caught:
            self.note(f"warning: {warning.message}")

    def fail(self, error: BaseException, code: ExitCode) -> None:
        """Reports an error."""
        name = type(error).__name__
        text, remedy = str(getattr(error, "message", error)), str(getattr(error, "remedy", ""))
        if isinstance(error, KeyboardInterrupt):
            text = "interrupted; nothing was left behind"
        elif isinstance(error, MemoryError):
            text, remedy = f"out of memory: {error}", "use a smaller model or batch, or a machine with more memory"
        elif isinstance(error, ModuleNotFoundError):
            text, remedy = f"{error.name} is not installed", "install it: pip install ciro-zk brings all that it needs"
        print(f"ciro-zk: {text}", file=sys.stderr)
        if remedy:
            print(f"  remedy: {remedy}", file=sys.stderr, flush=True)
        fields: dict[str, Any] = {"error": name, "message": text, "remedy": remedy, "exit_code": int(code)}
        if isinstance(error, errors.UnsupportedOperator):
            fields["nodes"] = [
                {"node": n.node, "op": n.op, "domain": n.domain, "opset": n.opset, "reason": n.reason, "hint": n.hint} for n in error.nodes
            ]
        for attribute in ("file", "field", "index", "value", "stage"):
            value = report.plain(getattr(error, attribute, None))
            if value is not None and value != "":
                fields[attribute] = value
        self.result({**self.on_error, **fields})


def write_json(fields: Mapping[str, Any]) -> None:
    """One object, one line, on standard output."""
    sys.stdout.write(json.dumps(report.plain(dict(fields)), allow_nan=False) + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def session(as_json: bool) -> Iterator[Session]:
    """Runs a command's body; every foreseen error leaves through `typer.Exit` with its code."""
    current = Session(as_json)
    try:
        yield current
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        code = exit_code_of(error)
        if code is None or isinstance(error, typer.Exit):
            raise
        current.fail(error, code)
        raise typer.Exit(int(code)) from error
