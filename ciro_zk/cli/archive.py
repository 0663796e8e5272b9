"""Reads `.npz` archives from strangers: bounded, without pickle, each malformation an `InputError` naming file and array."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ciro_zk.errors import InputError

MAX_ARRAY_BYTES = 2 << 30
"""Largest array that is read, unpacked."""
_MAX_HEADER = 10_000
_REMEDY = "write it with numpy.savez, as numbers and not objects"


def is_archive(path: Path) -> bool:
    """Whether the file starts like a zip archive; raises `InputError` when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"PK"
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror or error}", file=str(path), remedy="check the path and its permissions") from error


def read_archive(path: Path, names: Sequence[str], *, max_bytes: int = MAX_ARRAY_BYTES) -> dict[str, NDArray[Any]]:
    """The named arrays of a `.npz`; others in it are ignored.

    Raises
    ------
    InputError
        The file is no archive, damaged or too large, an array is missing, or one is not of numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            held = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            missing = [name for name in names if name not in held]
            if missing:
                reason, there = f"there is no array {missing[0]!r}", ", ".join(sorted(held)[:20]) or "nothing"
                remedy = f"name the arrays as the model's inputs ({', '.join(names)}); the file has: {there}"
                raise InputError(reason, file=str(path), field=missing[0], remedy=remedy)
            return {name: _read(archive, held[name], path, name, max_bytes) for name in names}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise InputError(f"not a readable .npz: {error}", file=str(path), remedy=_REMEDY) from error


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, name: str, max_bytes: int) -> NDArray[Any]:
    if info.file_size > max_bytes:
        reason = f"{info.file_size} bytes, at most {max_bytes} are read"
        raise InputError(reason, file=str(path), field=name, remedy="give fewer samples")
    data = archive.read(info)
    try:
        stream = io.BytesIO(data)
        version = npy.read_magic(stream)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = read_header(stream, max_header_size=_MAX_HEADER)
    except (ValueError, EOFError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise InputError(f"not an array: {str(error).splitlines()[0]}", file=str(path), field=name, remedy=_REMEDY) from error
    body = memoryview(data)[stream.tell() :]
    if dtype.hasobject or dtype.kind not in "biuf" or any(extent < 0 for extent in shape):
        raise InputError(f"elements of type {dtype}", file=str(path), field=name, remedy="give bool, int or float arrays")
    if math.prod(shape) * dtype.itemsize != len(body):
        reason = f"shape {shape} of {dtype} does not fit its {len(body)} bytes"
        raise InputError(reason, file=str(path), field=name, remedy=_REMEDY)
    array = np.frombuffer(body, dtype=dtype).reshape(shape, order="F" if fortran_order else "C")
    return np.ascontiguousarray(array).reshape(shape)
