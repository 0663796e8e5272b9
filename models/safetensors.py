"""Read a safetensors file with numpy alone: an 8-byte length, a JSON header, and the tensors' bytes one after another."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_HEADER = 1 << 24
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U8": "|u1"}


class SafetensorsError(ValueError):
    """The file breaks the format, or goes beyond its bounds."""


def read(path: Path) -> dict[str, NDArray[Any]]:
    """All tensors by name, as views of the file's bytes. Raises `SafetensorsError` with the tensor and what is wrong."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(MAX_HEADER, len(content) - 8):
        raise SafetensorsError(f"{path.name}: a header of {length} bytes in a file of {len(content)}")
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise SafetensorsError(f"{path.name}: the header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise SafetensorsError(f"{path.name}: the header is no object")
    data = memoryview(content)[8 + length :]
    return {name: _tensor(path.name, name, entry, data) for name, entry in header.items() if name != "__metadata__"}


def _tensor(file: str, name: str, entry: Any, data: memoryview) -> NDArray[Any]:
    try:
        dtype, shape, (start, end) = np.dtype(DTYPES[entry["dtype"]]), tuple(entry["shape"]), entry["data_offsets"]
        if any(type(n) is not int or n < 0 for n in (*shape, start, end)):
            raise ValueError("lengths and offsets are integers from 0")
        if end > len(data) or end - start != dtype.itemsize * prod(shape):
            raise ValueError(f"bytes {start} to {end} of {len(data)} for {prod(shape)} numbers of {dtype.itemsize} bytes")
    except (KeyError, TypeError, ValueError) as error:
        raise SafetensorsError(f"{file}: tensor {name!r}: {error}") from error
    return np.frombuffer(data[start:end], dtype=dtype).reshape(shape)
