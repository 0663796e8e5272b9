"""Ranges of all tensors over the calibration data, and their stored form.

The result is what quantisation needs and no more: static shapes, declared ranges, max|x| of every float tensor and,
where ranges are clipped, its range (`ciro_zk.compiler.clipping`), as exact hexadecimal floats. A model compiled from a
stored result gives the same circuit on every machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ciro_zk.compiler.clipping import Magnitudes, Method
from ciro_zk.compiler.load import FLOATS, WHOLE, Array, Model
from ciro_zk.compiler.runtime import FloatModel
from ciro_zk.compiler.samples import SAMPLE_SUFFIXES, Feeds
from ciro_zk.compiler.shapes import MAX_RANK, Shape
from ciro_zk.compiler.static import Static
from ciro_zk.errors import InputError, ModelError
from ciro_zk.progress import Progress, Step

FORMAT = "ciro_zk.calibration"
VERSION = 2
MAX_BYTES = 1 << 26
REMEDY = "calibrate again: compile the model with calibration data"


@dataclass(frozen=True, slots=True)
class Calibration:
    """A calibration result."""

    model: str
    """Digest of the model it belongs to."""
    shapes: dict[str, Shape]
    input_range: dict[str, tuple[float, float]]
    max_abs: dict[str, float]
    """Largest magnitude by ONNX tensor name, inputs included; a bool is 0 or 1."""
    num_samples: int
    method: str = "max"
    """How ranges were chosen; `clipped` has them by tensor name, empty for "max"."""
    clipped: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """A canonical JSON object."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "model": self.model,
            "num_samples": self.num_samples,
            "method": self.method,
            "shapes": {name: list(shape) for name, shape in sorted(self.shapes.items())},
            "input_range": {name: [low.hex(), high.hex()] for name, (low, high) in sorted(self.input_range.items())},
            "max_abs": {name: peak.hex() for name, peak in sorted(self.max_abs.items())},
            "clipped": {name: limit.hex() for name, limit in sorted(self.clipped.items())},
        }


def digest(model: Model) -> str:
    """SHA-256 of what the model computes: nodes, weights, inputs and outputs; names of nodes and comments aside."""
    found = hashlib.sha256()

    def absorb(*parts: bytes) -> None:
        for part in parts:
            found.update(len(part).to_bytes(8, "little"))
            found.update(part)

    graph = model.proto.graph
    absorb(json.dumps(sorted(model.opsets.items())).encode())
    for node in graph.node:
        copy = type(node)()
        copy.CopyFrom(node)
        copy.ClearField("name")
        copy.ClearField("doc_string")
        absorb(b"node", copy.SerializeToString(deterministic=True))
    for name in sorted(model.constants):
        array = model.constants[name]
        content = array.tobytes() if array.dtype.kind in "fiub" else repr(array.tolist()).encode()
        absorb(b"constant", name.encode(), str(array.dtype).encode(), repr(array.shape).encode(), content)
    for value in (*model.inputs, *graph.output):
        absorb(b"port", value.name.encode(), str(value.type.tensor_type.elem_type).encode())
    return found.hexdigest()


def is_stored(calibration: object) -> bool:
    """Whether a calibration argument is a stored result: its dict, or the path of a file that is no archive of samples."""
    if isinstance(calibration, (str, Path)):
        path = Path(calibration)
        return not path.is_dir() and path.suffix not in SAMPLE_SUFFIXES
    return isinstance(calibration, Mapping) and calibration.get("format") == FORMAT


def read(source: str | Path | Mapping[str, Any], model: Model) -> Calibration:
    """A stored result, checked to be well-formed and this model's."""
    file = str(source) if isinstance(source, (str, Path)) else ""
    data = _parse(file) if file else source
    try:
        if not isinstance(data, Mapping) or data["format"] != FORMAT or data["version"] != VERSION:
            raise ValueError(f"not a calibration result of version {VERSION}")
        shapes = {str(name): tuple(_length(d) for d in shape) for name, shape in data["shapes"].items()}
        ranges = {str(name): (_number(low), _number(high)) for name, (low, high) in data["input_range"].items()}
        peaks = {str(name): _number(peak) for name, peak in data["max_abs"].items()}
        clipped = {str(name): _number(limit) for name, limit in data["clipped"].items()}
        if any(len(shape) > MAX_RANK for shape in shapes.values()) or any(v < 0 for v in (*peaks.values(), *clipped.values())):
            raise ValueError("a shape or a range is out of bounds")
        result = Calibration(str(data["model"]), shapes, ranges, peaks, int(data["num_samples"]), str(data["method"]), clipped)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"this is no stored calibration result: {error}", file=file, field="calibration", remedy=REMEDY) from error
    if result.model != digest(model):
        raise InputError("the stored calibration result belongs to another model", file=file, field="calibration", remedy=REMEDY)
    if set(shapes) != {value.name for value in model.inputs}:
        raise InputError("the stored calibration result has other inputs than the model", file=file, field="calibration", remedy=REMEDY)
    return result


def _parse(file: str) -> object:
    path = Path(file)
    if not path.is_file():
        raise InputError("no such calibration file", file=file, remedy="check the path")
    if path.stat().st_size > MAX_BYTES:
        raise InputError("a stored calibration result is at most 64 MiB", file=file, remedy=REMEDY)
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"this is no JSON: {error}", file=file, field="calibration", remedy=REMEDY) from error


def _length(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1 << 28:
        raise ValueError(f"{value!r} is no axis length")
    return value


def _number(text: object) -> float:
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no hexadecimal float")
    value = float.fromhex(text)
    if not isfinite(value):
        raise ValueError(f"{text!r} is not finite")
    return value


def _check_shapes(static: Static, found: Mapping[str, Array]) -> None:
    """The float model has the shapes that the circuit is made for."""
    for name, array in found.items():
        if name in static.shapes and array.shape != static.shapes[name]:
            message = f"it has shape {array.shape} when run, but {static.shapes[name]} by ONNX's shape inference"
            raise ModelError(message, file=static.model.file, node=name, remedy="export the model again, with a newer opset")


def calibrate(
    static: Static,
    known: Sequence[Feeds],
    every: Sequence[Feeds],
    ranges: Mapping[str, tuple[float, float]],
    method: Method,
    progress: Progress,
) -> Calibration:
    """Run the float model on the samples in `known`. Input ranges are those declared, else what covers `every` sample."""
    made = [name for node in static.nodes for name in node.output if name]
    names = [name for name in (*static.inputs, *made) if name not in static.constants and static.types.get(name) in (*FLOATS, *WHOLE)]
    outputs = [value.name for value in static.model.proto.graph.output if value.name not in static.constants]
    model = FloatModel(static, list(dict.fromkeys((*names, *outputs))))
    seen = {name: Magnitudes() for name in (*static.inputs, *names)}
    for i, feeds in enumerate(known):
        progress(Step("calibrate", i, len(known)))
        found = model.run(feeds)
        if i == 0:
            _check_shapes(static, found)
        for name, array in found.items():
            if name in seen and name not in static.inputs:
                values = array.astype(np.float64)
                if not np.isfinite(values).all():
                    message = f"the float model's values are not finite on calibration sample {i}"
                    raise ModelError(message, file=static.model.file, node=name, remedy="check the model and the data")
                seen[name].add(values)
    progress(Step("calibrate", len(known), len(known)))
    peaks = {name: magnitudes.peak for name, magnitudes in seen.items()}
    clipped = {} if method.name == "max" else {name: m.limit(method) for name, m in seen.items() if name not in static.inputs}
    for name in static.inputs:
        low, high = ranges.get(name, (0.0, 0.0))
        given = (float(np.abs(feeds[name].astype(np.float64)).max(initial=0.0)) for feeds in every)
        peaks[name] = max(abs(low), abs(high)) if name in ranges else max(given)
    return Calibration(digest(static.model), dict(static.inputs), dict(ranges), peaks, len(known), method.text, clipped)
