"""`ciro-zk cache warm|clear`: the compiled kernels on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from ciro_zk.cli.options import Json
from ciro_zk.cli.report import Stopwatch, bytes_text, rounded, seconds_text
from ciro_zk.cli.session import session

app = typer.Typer(help="The cache of compiled kernels.", no_args_is_help=True)


def cache_state() -> dict[str, Any]:
    """Folder, files and size of the kernel cache."""
    from ciro_zk import kernel_cache

    folder = Path(kernel_cache.cache_dir())
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return {"folder": str(folder), "files": len(files), "size_bytes": sum(path.stat().st_size for path in files)}


@app.command("warm")
def warm_command(json: Json = False) -> None:
    """Compile all kernels now, so that the first proof need not wait for them."""
    with session(json) as out:
        from ciro_zk import kernel_cache

        watch = Stopwatch()
        with out.progress() as progress:
            kernel_cache.warm(progress=progress)
        state = cache_state()
        out.say(f"kernels compiled in {seconds_text(watch.seconds)}: {state['files']} files, {bytes_text(state['size_bytes'])}")
        out.say(f"  {state['folder']}")
        out.result({"seconds": rounded(watch.seconds), **state})


@app.command("clear")
def clear_command(json: Json = False) -> None:
    """Remove the compiled kernels; they are compiled again when next needed."""
    with session(json) as out:
        from ciro_zk import kernel_cache

        state = cache_state()
        kernel_cache.clear()
        out.say(f"removed {state['files']} files, {bytes_text(state['size_bytes'])} from {state['folder']}")
        out.result({"removed_files": state["files"], "removed_bytes": state["size_bytes"], "folder": state["folder"]})
