"""Options and arguments that several commands share, and how their text is read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from ciro_zk.errors import InputError

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output's last line, progress on standard error.")]
Index = Annotated[int | None, typer.Option("--index", min=0, help="Which sample, when the .npz holds several.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Threads to use; all processors by default.")]
Codewords = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        metavar="PATH",
        help="Where the weights' codewords are kept; by default in memory, and in the user's cache folder where they are over 1 GiB.",
    ),
]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the compiled circuit.")]


def parse_ranges(texts: list[str], names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """`lo,hi` for every input or `NAME=lo,hi` for one, as a mapping by input name.

    Raises
    ------
    InputError
        The text is not of that form, the bounds are not finite or not in order, or the name is no input.
    """
    ranges: dict[str, tuple[float, float]] = {}
    for text in texts:
        name, _, bounds = text.rpartition("=")
        try:
            low, high = (float(part) for part in bounds.split(","))
        except ValueError:
            low, high = math.nan, math.nan
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(f"{text!r} is no range", field="--input-range", remedy="give lo,hi or NAME=lo,hi with lo < hi")
        if name and name not in names:
            raise InputError(f"the model has no input {name!r}", field="--input-range", remedy=f"its inputs are: {', '.join(names)}")
        for target in (name,) if name else names:
            ranges[target] = (low, high)
    return ranges


def parse_shapes(texts: list[str], names: tuple[str, ...]) -> dict[str, tuple[int, ...] | int]:
    """`NAME=1,3,224,224` for an input or `AXIS=7` for a symbolic axis, as a mapping; raises `InputError` when it is not of that form."""
    shapes: dict[str, tuple[int, ...] | int] = {}
    for text in texts:
        name, equals, extents = text.rpartition("=")
        try:
            shape = tuple(int(part) for part in extents.split(",")) if extents else ()
        except ValueError:
            shape = (0,)
        if not equals or any(extent < 1 for extent in shape):
            raise InputError(f"{text!r} is no shape", field="--shape", remedy="give NAME=1,3,224,224: every extent a whole number above 0")
        if name in names:
            shapes[name] = shape
        elif len(shape) == 1:
            shapes[name] = shape[0]
        else:
            raise InputError(f"the model has no input {name!r}", field="--shape", remedy=f"its inputs are: {', '.join(names)}")
    return shapes
