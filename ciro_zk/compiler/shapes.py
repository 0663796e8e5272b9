"""Fixing the inputs' shapes.

A symbolic axis 0 becomes 1, other symbolic axes come from `shapes`, else from the calibration data, else it is an
error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import onnx

from ciro_zk.compiler.load import Array, Model
from ciro_zk.errors import InputError, ModelError

MAX_RANK = 8
MAX_INPUT_CELLS = 1 << 28
Shape = tuple[int, ...]
Shapes = Mapping[str, Sequence[int] | int]


def _dims(value: onnx.ValueInfoProto) -> list[int | str | None] | None:
    """Axes of an input: a length, a symbol, None where it says nothing; None altogether where the rank is unknown."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [_dim(d) for d in kind.shape.dim]


def _dim(d: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if not d.HasField("dim_value"):
        return None if d.dim_param in ("", "?") else str(d.dim_param)
    # Paddle and TensorFlow write a dynamic axis as -1, or as "?", which is no symbol: axes of that name differ
    return None if d.dim_value < 0 else int(d.dim_value)


def fix_shapes(model: Model, shapes: Shapes | None, samples: Mapping[str, Array] | None) -> dict[str, Shape]:
    """The static shape of every input.

    Parameters
    ----------
    shapes : mapping, optional
        Full shapes by input name, or lengths by symbol ("seq": 128).
    samples : mapping, optional
        Calibration arrays by input name; their axes but the first fix what is left.
    """
    given = dict(shapes or {})
    dims = {value.name: _dims(value) for value in model.inputs}
    known = {*dims, *(d for axes in dims.values() for d in axes or () if isinstance(d, str))}
    for name in sorted(set(given) - known):
        choices = ", ".join(sorted(known)) or "none"
        raise InputError("no input or symbolic axis has this name", field=f"shapes[{name!r}]", remedy=f"use one of: {choices}")
    symbols: dict[str, int] = {}
    return {name: _fix_one(model, name, axes, given, samples, symbols) for name, axes in dims.items()}


def _fix_one(
    model: Model,
    name: str,
    dims: list[int | str | None] | None,
    given: Mapping[str, Sequence[int] | int],
    samples: Mapping[str, Array] | None,
    symbols: dict[str, int],
) -> Shape:
    sample = None if samples is None else samples.get(name)
    whole = given.get(name)
    field = f"shapes[{name!r}]"
    if isinstance(whole, (int, np.integer)):
        raise InputError("an input's shape is a sequence of lengths", field=field, value=whole, remedy=f"pass {name!r}: (...)")
    if dims is None:
        if whole is None and sample is None:
            raise ModelError("this input has no shape at all", file=model.file, node=name, remedy=f"pass shapes={{{name!r}: (...)}}")
        dims = [None] * (len(whole) if whole is not None else np.ndim(sample))  # type: ignore[arg-type]
    if whole is not None and len(whole) != len(dims):
        raise InputError(f"the model's input has {len(dims)} axes", field=field, value=tuple(whole), remedy="give one length per axis")
    lengths = []
    for axis, d in enumerate(dims):
        length = _axis(model, name, axis, d, whole, given, sample, len(dims), symbols)
        if isinstance(d, str) and symbols.setdefault(d, length) != length:
            raise InputError(f"axis {d!r} would be both {symbols[d]} and {length}", field=name, remedy="give the inputs shapes that agree")
        if length < 1:
            raise ModelError(f"axis {axis} has {length} cells", file=model.file, node=name, remedy="give every axis at least one cell")
        lengths.append(length)
    if len(lengths) > MAX_RANK or prod(lengths) > MAX_INPUT_CELLS:
        message = f"shape {tuple(lengths)} is too large: at most {MAX_RANK} axes and 2^28 cells"
        raise ModelError(message, file=model.file, node=name, remedy="use a smaller batch or input")
    return tuple(lengths)


def _axis(
    model: Model,
    name: str,
    axis: int,
    d: int | str | None,
    whole: Sequence[int] | None,
    given: Mapping[str, Sequence[int] | int],
    sample: Array | None,
    rank: int,
    symbols: Mapping[str, int],
) -> int:
    """The length of one axis."""
    wanted = None if whole is None else int(whole[axis])
    if isinstance(d, int):
        if wanted is not None and wanted != d:
            remedy = "leave static axes as the model has them"
            raise InputError(f"axis {axis} of the model's input is {d}", field=f"shapes[{name!r}]", value=tuple(whole or ()), remedy=remedy)
        return d
    if wanted is not None:
        return wanted
    if isinstance(d, str):
        length = given.get(d)
        if length is not None:
            if not isinstance(length, (int, np.integer)):
                raise InputError("a symbolic axis takes one length", field=f"shapes[{d!r}]", value=length, remedy="pass an int")
            return int(length)
        if d in symbols:
            return symbols[d]
    if axis == 0:
        return 1
    if sample is not None and sample.ndim == rank:
        return int(sample.shape[axis])
    label = f"{d!r} (axis {axis})" if d else f"axis {axis}"
    remedy = f"pass shapes={{{name!r}: (...)}} or calibration data, which fixes it"
    raise ModelError(f"the length of {label} is dynamic and nothing fixes it", file=model.file, node=name, remedy=remedy)
