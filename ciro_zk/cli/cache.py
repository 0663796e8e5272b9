"""`ciro-zk cache warm|clear`: the compiled kernels on disk, and the codewords of large weights beside them."""

from __future__ import annotations

from typing import Any

import typer

from ciro_zk.cli.options import Json
from ciro_zk.cli.report import Stopwatch, bytes_text, rounded, seconds_text
from ciro_zk.cli.session import session

app = typer.Typer(help="The cache of compiled kernels and of large weights' codewords.", no_args_is_help=True)


def cache_state() -> dict[str, Any]:
    """Folder of this version's kernels, whether they are all there, and the size of all versions' kernels and of codewords."""
    from ciro_zk import kernel_cache

    return {"folder": str(kernel_cache.cache_dir()), "complete": kernel_cache.is_complete(), "size_bytes": kernel_cache.size()}


@app.command("warm")
def warm_command(json: Json = False) -> None:
    """Compile all kernels now, so that the first proof need not wait for them."""
    with session(json) as out:
        from ciro_zk.kernels import warm

        watch = Stopwatch()
        warm()
        state = cache_state()
        out.say(f"kernels ready in {seconds_text(watch.seconds)}, {bytes_text(state['size_bytes'])} in {state['folder']}")
        out.result({"seconds": rounded(watch.seconds), **state})


@app.command("clear")
def clear_command(json: Json = False) -> None:
    """Remove the compiled kernels and the codewords of large weights; both are made again when next needed."""
    with session(json) as out:
        from ciro_zk import kernel_cache

        state = cache_state()
        num_folders = kernel_cache.clear()
        out.say(f"removed {num_folders} folders, {bytes_text(state['size_bytes'])}")
        out.result({"removed_folders": num_folders, "removed_bytes": state["size_bytes"]})
