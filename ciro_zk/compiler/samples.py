"""Calibration data and declared ranges as the caller gives them: checked here, before anything is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike
from onnx import helper

from ciro_zk.compiler.load import Array, Model, type_name
from ciro_zk.compiler.shapes import Shape
from ciro_zk.errors import InputError, ModelError

NUM_RANDOM = 64
MIN_SPLIT, SPLIT = 8, 4
SAMPLE_SUFFIXES = (".npz", ".npy")
MAX_FILES = 1 << 16
Ranges = Mapping[str, tuple[float, float]]
Feeds = dict[str, Array]
"""One sample: inputs by name."""


def input_types(model: Model) -> dict[str, np.dtype[Any]]:
    """The numpy type of every input; `ModelError` for one that holds no real numbers."""
    types: dict[str, np.dtype[Any]] = {}
    for value in model.inputs:
        kind = value.type.tensor_type.elem_type
        try:
            types[value.name] = np.dtype(helper.tensor_dtype_to_np_dtype(kind))
        except (KeyError, TypeError, ValueError):
            types[value.name] = np.dtype(object)
        if not value.type.HasField("tensor_type") or types[value.name].kind not in "fiub" or types[value.name].name == "bfloat16":
            name = type_name(kind)
            raise ModelError(
                f"inputs of type {name} are not supported", file=model.file, node=value.name, remedy="use float, integer or bool inputs"
            )
    if not types:
        raise ModelError(
            "the model has no inputs", file=model.file, remedy="a model without inputs needs no proof: its outputs are constants"
        )
    return types


def split(feeds: Sequence[Feeds]) -> tuple[list[Feeds], list[Feeds]]:
    """(samples to calibrate on, samples held back): of 8 or more every fourth is held back."""
    if len(feeds) < MIN_SPLIT:
        return list(feeds), []
    return [f for i, f in enumerate(feeds) if i % SPLIT != SPLIT - 1], list(feeds[SPLIT - 1 :: SPLIT])


def read_samples(source: Any, model: Model) -> Any:
    """Arrays as they are; the content of a .npz (by input name) or .npy, or of all those in a folder, joined along axis 0."""
    if not isinstance(source, (str, Path)):
        return source
    path = Path(source)
    files = sorted(p for p in path.iterdir() if p.suffix in SAMPLE_SUFFIXES) if path.is_dir() else [path]
    if not files or len(files) > MAX_FILES:
        raise InputError(f"{len(files)} .npz or .npy files in the folder", file=str(path), remedy="give 1 to 65,536 files of samples")
    first = model.inputs[0].name
    pieces: dict[str, list[Array]] = {}
    for file in files:
        try:
            loaded = np.load(file, allow_pickle=False)
            found = {name: loaded[name] for name in loaded.files} if file.suffix == ".npz" else {first: loaded}
        except (OSError, ValueError, EOFError, BadZipFile) as error:
            raise InputError(f"cannot read samples: {error}", file=str(file), remedy="write it with numpy.savez or numpy.save") from error
        for name, array in found.items():
            pieces.setdefault(name, []).append(array)
    try:
        return {name: np.concatenate(found) if found[0].ndim else found[0] for name, found in pieces.items()}
    except ValueError as error:
        raise InputError(f"the samples do not fit together: {error}", file=str(path), remedy="give every file the same shape") from error


def by_name(model: Model, calibration: ArrayLike | Mapping[str, ArrayLike] | None) -> dict[str, Array]:
    """The calibration arrays by input name, of a real type and finite."""
    names = [value.name for value in model.inputs]
    if calibration is None:
        return {}
    if not isinstance(calibration, Mapping):
        if len(names) != 1:
            remedy = f"pass a dict with the inputs {', '.join(names)}"
            raise InputError(f"the model has {len(names)} inputs, one array is not enough", field="calibration", remedy=remedy)
        calibration = {names[0]: calibration}
    unknown = sorted(set(calibration) - set(names))
    if unknown:
        raise InputError("the model has no such input", field=f"calibration[{unknown[0]!r}]", remedy=f"its inputs are: {', '.join(names)}")
    return {name: _checked(name, data) for name, data in calibration.items()}


def _checked(name: str, data: ArrayLike) -> Array:
    field = f"calibration[{name!r}]"
    try:
        array: Array = np.asarray(data)
    except (ValueError, TypeError) as error:
        raise InputError("the data is no rectangular array", field=field, remedy="give every sample the same shape") from error
    if array.dtype.kind not in "fiub":
        raise InputError(f"data of type {array.dtype} is not supported", field=field, remedy="use float, integer or bool arrays")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError("the data is not finite", field=field, index=index, value=float(array[index]), remedy="remove such samples")
    return array


def fit_shapes(arrays: Mapping[str, Array], shapes: Mapping[str, Shape], argument: str) -> int:
    """The number of samples, checked against the inputs' shapes: the same for every input, axis 0 a multiple of the model's."""
    counts: dict[str, int] = {}
    for name, array in arrays.items():
        shape = shapes[name]
        wanted = f"{shape}, or any number of samples on axis 0" if shape else "()"
        fits = array.shape[1:] == shape[1:] and array.ndim == len(shape) and (not shape or array.shape[0] % shape[0] == 0)
        if not fits or array.size == 0:
            field = f"{argument}[{name!r}]"
            raise InputError(f"the data has shape {array.shape}, the model wants {wanted}", field=field, remedy="reshape the data")
        counts[name] = array.shape[0] // shape[0] if shape else 1
    if len(set(counts.values())) > 1:
        listing = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise InputError(
            f"the inputs have different numbers of samples ({listing})", field=argument, remedy="give each input the same number"
        )
    return next(iter(counts.values()), 0)


def check_ranges(model: Model, ranges: Mapping[str, Sequence[float]] | None) -> dict[str, tuple[float, float]]:
    """Declared ranges by input name, finite and not empty."""
    names = [value.name for value in model.inputs]
    found = {}
    for name, pair in (ranges or {}).items():
        field = f"input_range[{name!r}]"
        if name not in names:
            raise InputError("the model has no such input", field=field, remedy=f"its inputs are: {', '.join(names)}")
        try:
            low, high = (float(v) for v in pair)
        except (TypeError, ValueError) as error:
            raise InputError("a range is a pair of numbers", field=field, value=pair, remedy="pass (lowest, highest)") from error
        if not (isfinite(low) and isfinite(high) and low < high):
            raise InputError("a range needs lowest < highest, both finite", field=field, value=(low, high), remedy="pass (lowest, highest)")
        found[name] = (low, high)
    return found


def check_inside(arrays: Mapping[str, Array], ranges: Ranges, argument: str) -> None:
    """Samples lie in the declared ranges."""
    for name, (low, high) in ranges.items():
        if name not in arrays:
            continue
        values: Any = arrays[name]
        outside = (values < low) | (values > high)
        if outside.any():
            index = tuple(int(i) for i in np.argwhere(outside)[0])
            message = f"the data lies outside the declared range [{low}, {high}]"
            value = arrays[name][index].item()
            raise InputError(
                message, field=f"{argument}[{name!r}]", index=index, value=value, remedy="widen input_range or drop the sample"
            )


def complete(
    model: Model, arrays: dict[str, Array], count: int, shapes: Mapping[str, Shape], ranges: Ranges
) -> tuple[dict[str, Array], int]:
    """Data for every input, of the model's types: inputs with a declared range and no data get uniform values, both ends among them."""
    types = input_types(model)
    missing = [name for name in types if name not in arrays]
    lacking = [name for name in missing if name not in ranges]
    if lacking:
        remedy = f"pass calibration={{{lacking[0]!r}: samples}} or input_range={{{lacking[0]!r}: (lowest, highest)}}"
        raise InputError("nothing tells how large this input's values are", field=lacking[0], remedy=remedy)
    if missing and not arrays:
        count = NUM_RANDOM
    result = {}
    generator = np.random.Generator(np.random.PCG64(0))
    for name, dtype in types.items():
        shape = shapes[name]
        if name in arrays:
            result[name] = np.ascontiguousarray(arrays[name].astype(dtype)).reshape(count, *shape)
            continue
        low, high = ranges[name]
        values = low + (high - low) * generator.random((count, *shape))
        values[0], values[min(1, count - 1)] = high, low
        result[name] = values.astype(dtype) if dtype.kind == "f" else np.floor(values).astype(dtype)
    return result, count
