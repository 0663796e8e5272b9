"""Everything before quantisation: the model read, folded and lowered, its ranges calibrated, samples held back.

Samples are split once, by their position: of 8 or more every fourth is held back. Ranges come from the others; accuracy
is measured on those held back, or on `validation` where it is given. Declared input ranges cover all of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from ciro_zk.compiler import samples
from ciro_zk.compiler.calibrate import Calibration, calibrate, is_stored, read
from ciro_zk.compiler.clipping import Method
from ciro_zk.compiler.fold import fold
from ciro_zk.compiler.fuse import fuse
from ciro_zk.compiler.load import Array, Model, Source, load
from ciro_zk.compiler.lower import Program, lower
from ciro_zk.compiler.shapes import fix_shapes
from ciro_zk.compiler.static import Static
from ciro_zk.compiler.steps import Activation, Convolution, Curve, Product, Requantised, Scores
from ciro_zk.compiler.ties import tie_weights
from ciro_zk.errors import AccuracyWarning, InputError
from ciro_zk.progress import Progress

MIN_COMPARED, MAX_COMPARED = 4, 64
COMPARED_PRODUCTS = 2 << 30
"""Multiplications that the comparison with the float model may take."""

HELD_BACK, VALIDATION, CALIBRATED, SYNTHETIC = "held back", "validation", "calibration", "synthetic"


@dataclass(frozen=True, slots=True)
class Compared:
    """Samples to measure accuracy on, one dict of inputs each, and where they are from: one of the four words above."""

    feeds: list[dict[str, Array]]
    source: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model ready to be quantised."""

    model: Model
    static: Static
    program: Program
    calibration: Calibration
    compared: Compared


def prepare(
    source: Source, calibration: Any, validation: Any, input_range: Any, shapes: Any, method: Method, progress: Progress
) -> Prepared:
    """Read, fold, lower, fuse and calibrate."""
    model = load(source)
    samples.input_types(model)
    ranges = samples.check_ranges(model, input_range)
    stored = read(calibration, model) if is_stored(calibration) else None
    if stored and ranges and ranges != stored.input_range:
        remedy = "leave input_range out, or compile with calibration data"
        raise InputError("the stored calibration result has another declared range", field="input_range", remedy=remedy)
    ranges = stored.input_range if stored else ranges
    arrays = {} if stored else samples.by_name(model, samples.read_samples(calibration, model))
    checked = samples.by_name(model, samples.read_samples(validation, model))
    for field, found in (("calibration", arrays), ("validation", checked)):
        samples.check_inside(found, ranges, field)
    fixed = fix_shapes(model, stored.shapes, None) if stored else fix_shapes(model, shapes, arrays or checked)
    count = samples.fit_shapes(arrays, fixed, "calibration")
    num_checked = samples.fit_shapes(checked, fixed, "validation")
    static = fold(model, fixed)
    program = lower(static)
    tie_weights(program)
    fuse(program, _bits(model, ranges))
    keep = _num_compared(program)
    given = _feeds(*samples.complete(model, checked, num_checked, fixed, ranges), keep) if checked else []
    if stored:
        missing = sorted(_statistics(program) - set(stored.max_abs))
        if missing:
            raise InputError(f"the stored calibration result lacks {missing[0]!r}", field="calibration", remedy="calibrate again")
        return Prepared(model, static, program, stored, Compared(given, VALIDATION))
    data, count = samples.complete(model, arrays, count, fixed, ranges)
    if not arrays:
        message = "calibrated on random inputs from the declared range: real inputs may give other ranges, and another accuracy"
        warnings.warn(AccuracyWarning(message, remedy="give calibration samples"), stacklevel=4)
    feeds = _feeds(data, count)
    kept, held = samples.split(feeds)
    if given:
        compared = Compared(given, VALIDATION)
    elif not held:
        compared = Compared(feeds[:keep], CALIBRATED)
    else:
        compared = Compared(held[:keep], HELD_BACK if arrays else SYNTHETIC)
    known = feeds if given or not held else kept
    result = calibrate(static, known, [*feeds, *given], ranges, method, progress)
    return Prepared(model, static, program, result, compared)


def _bits(model: Model, ranges: Mapping[str, tuple[float, float]]) -> set[str]:
    """The inputs that hold zeros and ones alone."""
    types = samples.input_types(model)
    declared = {name for name, (low, high) in ranges.items() if low >= 0 and high <= 1 and types[name].kind in "iu"}
    return declared | {name for name, kind in types.items() if kind.kind == "b"}


def _feeds(data: dict[str, Array], count: int, limit: int | None = None) -> list[dict[str, Array]]:
    """One dict of inputs per sample."""
    return [{name: array[i] for name, array in data.items()} for i in range(count if limit is None else min(count, limit))]


def _num_compared(program: Program) -> int:
    """How many samples to compare with the float model: fewer of a large model."""
    cost = 1
    for step in program.steps:
        if isinstance(step, Product):
            kernel = step.weight.shape[1:] if isinstance(step, Convolution) else step.weight.shape[-2:-1]
            cost += prod(step.shape) * prod(kernel)
    return min(MAX_COMPARED, max(MIN_COMPARED, COMPARED_PRODUCTS // cost))


def _statistics(program: Program) -> set[str]:
    """The tensors whose ranges the circuit is made from."""
    found = set(program.inputs)
    for step in program.steps:
        if isinstance(step, (Activation, Requantised)):
            found.add(step.statistic)
            if isinstance(step.function, Curve | Scores):
                found.add(step.function.statistic)
    return found
