"""Input files: `.npz` by ONNX input name, and ezkl's `{"input_data": [[...]]}` JSON. Sizes are bounded and nothing is unpickled.

Values are not checked here: `infer` and `verify` check range and finiteness against the circuit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ciro_zk.cli.archive import is_archive, read_archive
from ciro_zk.container import read_file
from ciro_zk.errors import InputError, ProofFormatError

MAX_JSON_BYTES = 256 << 20
_FORMS = 'give a .npz with the arrays by ONNX input name, or JSON {"input_data": [[...]]}'


@dataclass(frozen=True, slots=True)
class Wanted:
    """An input that the circuit wants."""

    name: str
    shape: tuple[int, ...]


def load_inputs(path: Path, wanted: Sequence[Wanted], index: int | None = None) -> dict[str, NDArray[Any]]:
    """The inputs of one run, in the circuit's shapes.

    Parameters
    ----------
    path : Path
        The file; its content says which of the two formats it is.
    wanted : sequence of Wanted
        The circuit's inputs, in order.
    index : int, optional
        Which sample, when the arrays of a `.npz` hold several along axis 0.

    Raises
    ------
    InputError
        The file is missing or malformed, an input is missing, or a shape does not fit.
    """
    if is_archive(path):
        arrays = read_archive(path, tuple(item.name for item in wanted))
        return {item.name: _sample(arrays[item.name], item, path, index) for item in wanted}
    if index is not None:
        raise InputError("only a .npz can hold several samples", file=str(path), field="--index", remedy="leave --index out")
    return _from_json(path, wanted)


def _sample(array: NDArray[Any], wanted: Wanted, path: Path, index: int | None) -> NDArray[Any]:
    """The sample `index` of `array`, in the wanted shape."""
    shape = wanted.shape
    if shape[:1] == (1,) and array.ndim == len(shape) and array.shape[1:] == shape[1:]:
        samples = array[:, np.newaxis]
    elif array.shape == shape:
        samples = array[np.newaxis]
    elif array.ndim == len(shape) + 1 and array.shape[1:] == shape:
        samples = array
    else:
        _refuse(path, wanted.name, f"has shape {array.shape}", f"give shape {shape}, or several samples along axis 0")
    count = samples.shape[0]
    if index is None and count != 1:
        _refuse(path, wanted.name, f"holds {count} samples", f"choose one with --index 0 to {count - 1}" if count else "give at least one")
    if index is not None and index >= count:
        _refuse(path, wanted.name, f"holds {count} samples, there is no number {index}", f"give an --index below {count}")
    return np.ascontiguousarray(samples[index or 0]).reshape(shape)


def _refuse(path: Path, field: str, message: str, remedy: str) -> NoReturn:
    raise InputError(message, file=str(path), field=field, remedy=remedy)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a finite number")


def _from_json(path: Path, wanted: Sequence[Wanted]) -> dict[str, NDArray[Any]]:
    try:
        content = json.loads(read_file(path, MAX_JSON_BYTES), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise InputError(f"neither a .npz nor JSON: {error}", file=str(path), remedy=_FORMS) from error
    except ProofFormatError as error:
        raise InputError(error.reason, file=str(path), field="size", remedy="use a .npz for large inputs") from error
    data = content.get("input_data") if isinstance(content, dict) else None
    if not isinstance(data, list):
        raise InputError('there is no list "input_data"', file=str(path), field="input_data", remedy=_FORMS)
    if len(data) != len(wanted):
        names = ", ".join(item.name for item in wanted)
        _refuse(path, "input_data", f"{len(data)} lists for {len(wanted)} inputs", f"give one flat list for each of: {names}")
    return {item.name: _reshaped(values, item, path, number) for number, (values, item) in enumerate(zip(data, wanted, strict=True))}


def _reshaped(values: Any, wanted: Wanted, path: Path, number: int) -> NDArray[Any]:
    field = f"input_data[{number}] ({wanted.name})"
    flat: list[Any] = []
    _flatten(values if isinstance(values, list) else [values], flat, 0, path, field)
    for position, value in enumerate(flat):
        if not isinstance(value, int | float):
            raise InputError("is not a number", file=str(path), field=field, index=position, value=value, remedy="give numbers only")
    size = math.prod(wanted.shape)
    if len(flat) != size:
        _refuse(path, field, f"{len(flat)} numbers, shape {wanted.shape} has {size}", f"give exactly {size} numbers")
    try:
        return np.array(flat, dtype=np.float64).reshape(wanted.shape)
    except OverflowError as error:
        raise InputError("a number is too large", file=str(path), field=field, remedy="give numbers that a float can hold") from error


def _flatten(values: list[Any], flat: list[Any], depth: int, path: Path, field: str) -> None:
    if depth > 32:
        _refuse(path, field, "lists are nested too deeply", "give a flat list")
    for value in values:
        if isinstance(value, list):
            _flatten(value, flat, depth + 1, path, field)
        else:
            flat.append(value)
