"""The public side of a program: which inputs it wants, and errors about them that name the file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ciro_zk.cli.inputs import Wanted
from ciro_zk.errors import InputError

if TYPE_CHECKING:
    from ciro_zk.program.program import Program


def wanted_inputs(program: Program) -> tuple[Wanted, ...]:
    """Names and shapes of the program's inputs, in order."""
    graph = program.graph
    return tuple(Wanted(port.name, graph.tensors[port.tensor].shape) for port in graph.inputs)


@contextlib.contextmanager
def named_after(path: Path | None, field: str = "") -> Iterator[None]:
    """Adds the file's name to errors about what came from it: those that name no file yet, and a field starting with `field`."""
    try:
        yield
    except InputError as error:
        if path is None or error.file or not error.field.startswith(field):
            raise
        message = str(error.args[0])
        raise InputError(message, file=str(path), field=error.field, index=error.index, value=error.value, remedy=error.remedy) from error
