"""The typer app and the entry point of `ciro-zk`."""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from ciro_zk.cli import report  # noqa: F401  its import marks the start of the process
from ciro_zk.cli.cache import app as cache_app
from ciro_zk.cli.compile import compile_command
from ciro_zk.cli.demo.command import demo_command
from ciro_zk.cli.doctor import doctor_command
from ciro_zk.cli.inspect import inspect_command
from ciro_zk.cli.profile import profile_command
from ciro_zk.cli.prove import prove_command
from ciro_zk.cli.session import ExitCode, write_json
from ciro_zk.cli.settle import GROUPS, group_command, ledger_app
from ciro_zk.cli.setup import setup_command
from ciro_zk.cli.verify import verify_command

app = typer.Typer(
    name="ciro-zk",
    help="Proves that an ONNX model produced an output, and verifies such proofs.",
    epilog="Exit codes: 0 done or verified, 10 rejected, 2 bad input or usage, 3 unsupported model, 4 out of memory or space.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("compile")(compile_command)
app.command("setup")(setup_command)
app.command("prove")(prove_command)
app.command("verify")(verify_command)
app.command("inspect")(inspect_command)
app.command("profile")(profile_command)
app.command("demo")(demo_command)
app.command("doctor")(doctor_command)
for group in GROUPS:
    app.command(group)(group_command(group))
app.add_typer(cache_app, name="cache")
app.add_typer(ledger_app, name="ledger")


def _show_version(value: bool) -> None:
    if value:
        from ciro_zk import __version__

        typer.echo(f"ciro-zk {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    """Proves that an ONNX model produced an output, and verifies such proofs."""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)  # an exception, so that temporary files are removed on the way out


def run() -> NoReturn:
    """Entry point: runs the command line and exits with its code."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode shows "?" rather than ending the command
    as_json = "--json" in sys.argv[1:]
    try:
        app(prog_name="ciro-zk")
    except SystemExit as leave:
        if as_json and leave.code == ExitCode.BAD_INPUT and leave.__context__ is not None and _is_usage(leave.__context__):
            usage = {"error": "UsageError", "message": str(leave.__context__), "remedy": "see --help", "exit_code": int(ExitCode.BAD_INPUT)}
            write_json(usage)
        raise
    except BrokenPipeError:  # the reader of our output has gone: end as a program killed by SIGPIPE does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(128 + signal.SIGPIPE) from None
    raise SystemExit(0)


def _is_usage(error: BaseException) -> bool:
    """Whether typer (which brings its own click, or uses the installed one) raised this for wrong arguments."""
    return any(base.__name__ == "UsageError" for base in type(error).__mro__)
