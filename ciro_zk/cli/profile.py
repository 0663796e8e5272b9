"""`ciro-zk profile`: proves a run and says where the time went."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ciro_zk.cli.options import Directory, Index, Json, Threads
from ciro_zk.cli.session import session


def profile_command(
    directory: Directory,
    input: Annotated[Path, typer.Option("--input", "-i", metavar="X", help="The input: .npz by ONNX input name, or ezkl's JSON.")],
    index: Index = None,
    batch: Annotated[int, typer.Option("--batch", min=1, metavar="N", help="Prove the run N times over in one proof.")] = 1,
    repeats: Annotated[int, typer.Option("--repeats", min=1, metavar="N", help="Proofs timed; the fastest is reported.")] = 5,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Write a bar chart.")] = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Prove a run, count and time every kernel, and compare with the rates that the kernels reach alone."""
    with session(json) as out:
        import ciro_zk
        from ciro_zk.cli.folder import key_path
        from ciro_zk.cli.inputs import load_inputs
        from ciro_zk.cli.public import named_after, wanted_inputs
        from ciro_zk.container import atomic_write
        from ciro_zk.profile import profile_prove

        key = ciro_zk.ProvingKey.load(key_path(directory))
        inputs = load_inputs(input, wanted_inputs(key.program), index)
        with out.progress() as progress, named_after(input):
            run = ciro_zk.infer(key, inputs)
            _, profile = profile_prove(key, [run] * batch, threads=threads, repeats=repeats, progress=progress)
        if svg is not None:
            atomic_write(svg, profile.svg().encode())
        out.say(str(profile))
        out.result(profile.as_dict())
