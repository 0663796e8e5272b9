"""ONNX in, integer circuit out.

    load        parse, check, weights finite                              -> Model
    fold        static shapes, constants folded                           -> Static
    lower       ONNX nodes to steps; all unsupported ones at once         -> Program
    fuse        bias, BatchNorm, activation, residual into products       -> Program
    calibrate   max|x| of every tensor over the data                      -> Calibration
    emit        steps to integer operators, intervals carried along       -> Draft
    assemble    tables chosen and shared                                  -> Graph

The interval analysis certifies completeness: whatever compiles proves, for every input in the declared range, or
`BoundsError` names node and bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from ciro_zk.errors import InputError
from ciro_zk.params import PRESETS
from ciro_zk.progress import Progress, Step, silent

if TYPE_CHECKING:
    from pathlib import Path

    from ciro_zk.compiler.calibrate import Calibration, Observed
    from ciro_zk.compiler.emit import Context
    from ciro_zk.compiler.emit.context import CurveKey, CurveRange
    from ciro_zk.compiler.load import Model, Source
    from ciro_zk.compiler.lower import Program
    from ciro_zk.compiler.static import Static
    from ciro_zk.program.circuit import Circuit

__all__ = ["compile", "supported_operators"]

MIN_BITS, MAX_BITS = 6, 16
OUTPUT_HEADROOM = 1.5
MIN_COMPARED, MAX_COMPARED = 4, 64
COMPARED_PRODUCTS = 2 << 30
"""Multiplications that the comparison with the float model may take."""


def compile(
    model: Source,
    calibration: ArrayLike | Mapping[str, Any] | str | Path | None = None,
    *,
    input_range: Mapping[str, Sequence[float]] | None = None,
    shapes: Mapping[str, Sequence[int] | int] | None = None,
    bits: int = 12,
    preset: str = "standard",
    state: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Circuit:
    """Compile an ONNX model to an integer circuit.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto
        Opset 9 to the newest that the installed onnx knows.
    calibration : array, dict of arrays, or stored calibration result
        Samples by input name (an array for a model with one input), exactly of the model's shape or any number of
        samples on axis 0. A stored result, the dict `Circuit.calibration` or the path of its JSON, gives the same
        circuit as the data did.
    input_range : dict, optional
        (lowest, highest) by input name: the declared range, for which every input proves. By default all that the
        input's scale represents.
    shapes : dict, optional
        Full shapes by input name, or lengths by symbolic axis. A symbolic axis 0 is 1 by default.
    bits : int
        Bits of weights and activations, 6 to 16.
    preset : str
        The security settings: "standard", "conservative", "johnson" (smaller proofs for more work), or "testing"
        (no security). They become part of the program.
    state : dict, optional
        The output that holds the new state by the input that takes it: both get one scale, so that the proofs of
        several steps can be chained (`verify_chain`).
    progress : callable, optional
        Receives a `Step` now and then.

    Raises
    ------
    ModelError
        The model is broken.
    UnsupportedOperator
        It has nodes that cannot be proven: all of them are listed.
    InputError
        Calibration data, ranges, shapes, bits or preset are wrong or missing.
    BoundsError
        A bound that soundness or completeness needs cannot be certified.
    """
    from ciro_zk.compiler.assemble import assemble, check_name
    from ciro_zk.compiler.emit import Context, emit
    from ciro_zk.compiler.report import accuracy
    from ciro_zk.compiler.ties import check_state, groups, tied_ranges
    from ciro_zk.program.circuit import Circuit
    from ciro_zk.program.program import MAX_NAME

    report = progress or silent
    if isinstance(bits, bool) or not isinstance(bits, int) or not MIN_BITS <= bits <= MAX_BITS:
        raise InputError(f"bits lie in [{MIN_BITS}, {MAX_BITS}]", field="bits", value=bits, remedy="12 is a good choice")
    if preset not in PRESETS:
        raise InputError("there is no such preset", field="preset", value=preset, remedy=f"give one of {', '.join(PRESETS)}")
    report(Step("read the model"))
    loaded, static, program, result, observed = _prepare(model, calibration, input_range, shapes, report)
    check_name(loaded.name, MAX_NAME)
    links = check_state(program, state, result.input_range)
    report(Step("quantise"))
    tied = groups(program, links)
    ranges = tied_ranges(program, tied, _ranges(program, result))
    context = Context(bits, ranges, _curve_ranges(program, result, ranges), frozenset().union(*tied))
    _inputs(context, static, result)
    emit(context, program.steps, (tensor for _, tensor in program.outputs))
    assembled = assemble(context.draft, _outputs(context, program, links))
    return Circuit(
        graph=assembled.graph,
        weights=assembled.weights,
        name=loaded.name,
        bits=bits,
        calibration=result.as_json(),
        preset=PRESETS[preset],
        accuracy=accuracy(assembled.graph, assembled.weights, observed, report),
        deviations=assembled.deviations,
    )


def supported_operators() -> dict[str, tuple[int, ...]]:
    """ONNX operators that can be proven, with the schema versions accepted."""
    from ciro_zk.compiler.lower import supported_operators as operators

    return operators()


def _prepare(
    source: Source, calibration: Any, input_range: Any, shapes: Any, progress: Progress
) -> tuple[Model, Static, Program, Calibration, Observed]:
    """Everything up to quantisation."""
    from ciro_zk.compiler import samples
    from ciro_zk.compiler.calibrate import Observed, calibrate, is_stored, read
    from ciro_zk.compiler.fold import fold
    from ciro_zk.compiler.fuse import fuse
    from ciro_zk.compiler.load import load
    from ciro_zk.compiler.lower import lower
    from ciro_zk.compiler.shapes import fix_shapes

    model = load(source)
    samples.input_types(model)
    ranges = samples.check_ranges(model, input_range)
    stored = read(calibration, model) if is_stored(calibration) else None
    arrays = {} if stored else samples.by_name(model, calibration)
    if stored:
        if ranges and ranges != stored.input_range:
            remedy = "leave input_range out, or compile with calibration data"
            raise InputError("the stored calibration result has another declared range", field="input_range", remedy=remedy)
        static = fold(model, fix_shapes(model, stored.shapes, None))
    else:
        samples.check_inside(arrays, ranges)
        fixed = fix_shapes(model, shapes, arrays)
        count = samples.fit_shapes(arrays, fixed)
        static = fold(model, fixed)
    program = lower(static)
    fuse(program)
    if stored:
        missing = sorted(_statistics(program) - set(stored.max_abs))
        if missing:
            raise InputError(f"the stored calibration result lacks {missing[0]!r}", field="calibration", remedy="calibrate again")
        return model, static, program, stored, Observed()
    data, count = samples.complete(model, arrays, count, fixed, ranges)
    result, observed = calibrate(static, data, count, ranges, _num_compared(program), progress)
    return model, static, program, result, observed


def _num_compared(program: Program) -> int:
    """How many samples to compare with the float model: fewer of a large model."""
    from math import prod

    from ciro_zk.compiler.steps import Convolution, Product

    cost = 1
    for step in program.steps:
        if isinstance(step, Product):
            kernel = step.weight.shape[1:] if isinstance(step, Convolution) else step.weight.shape[-2:-1]
            cost += prod(step.shape) * prod(kernel)
    return min(MAX_COMPARED, max(MIN_COMPARED, COMPARED_PRODUCTS // cost))


def _statistics(program: Program) -> set[str]:
    """The tensors whose ranges the circuit is made from."""
    from ciro_zk.compiler.steps import Activation, Curve, Requantised, Scores

    found = set(program.inputs)
    for step in program.steps:
        if isinstance(step, (Activation, Requantised)):
            found.add(step.statistic)
            if isinstance(step.function, Curve | Scores):
                found.add(step.function.statistic)
    return found


def _curve_ranges(program: Program, result: Calibration, ranges: Mapping[str, float]) -> dict[CurveKey, CurveRange]:
    """The ranges of each curve: one input and one output scale, hence one table, for all its uses."""
    from ciro_zk.compiler.emit.context import CurveRange
    from ciro_zk.compiler.steps import Activation, Curve, Requantised

    found: dict[CurveKey, CurveRange] = {}
    for step in program.steps:
        function = step.function if isinstance(step, (Activation, Requantised)) else None
        if isinstance(function, Curve):
            before = found.get(function.key, CurveRange(0.0, 0.0))
            argument, value = result.max_abs[function.statistic], ranges[step.statistic]
            found[function.key] = CurveRange(max(before.argument, argument), max(before.value, value))
    return found


def _inputs(context: Context, static: Static, result: Calibration) -> None:
    """The public inputs: their scales and declared integer ranges."""
    import numpy as np

    from ciro_zk.compiler.emit.context import MAX_WHOLE, Value, cells
    from ciro_zk.compiler.samples import input_types

    types = input_types(static.model)
    for name, shape in static.inputs.items():
        whole = types[name].kind != "f"
        scale = 1.0 if whole else context.scale(name)
        reach = max(context.top, floor(result.max_abs[name])) if whole else context.top
        if reach > MAX_WHOLE:
            raise InputError(
                "whole numbers beyond 2^24 are not supported", field=name, value=reach, remedy="use a float input, or narrow it"
            )
        if whole and types[name].kind != "b":
            reach = min(reach, int(np.iinfo(types[name]).max))
        low, high = 0 if types[name].kind == "u" else -reach, reach
        if types[name].kind == "b":
            low, high = 0, 1
        elif name in result.input_range:
            low, high = (floor(v / scale + 0.5) for v in result.input_range[name])
            high = max(high, low + 1)
        tensor = context.draft.input(name, cells(shape), low, high, scale)
        context.values[name] = Value(tensor, shape, scale)


def _ranges(program: Program, result: Calibration) -> dict[str, float]:
    """The calibrated range of every tensor, the outputs' wider: an input that calibration has not seen may well have a greater output,
    and an output that saturates is a wrong result, where a saturated inner value hardly shows."""
    from ciro_zk.compiler.steps import Requantised, Softmax

    ranges = dict(result.max_abs)
    pending = {tensor for _, tensor in program.outputs}
    for step in reversed(program.steps):
        if step.output in pending:
            if isinstance(step, Requantised | Softmax):
                ranges[step.statistic] = result.max_abs[step.statistic] * OUTPUT_HEADROOM
            else:
                pending.update(step.inputs)
    return ranges


def _outputs(context: Context, program: Program, state: Mapping[str, str]) -> list[tuple[str, int, float]]:
    """The public outputs as (name, draft tensor, scale), a new state at the scale of the state."""
    from ciro_zk.compiler.emit.views import fixed_output

    inputs = {target: source for source, target in state.items()}
    found = []
    for name, tensor in program.outputs:
        value = fixed_output(context, tensor) if tensor in context.fixed else context.values[tensor]
        if name in inputs:
            value = context.restated(value, context.values[inputs[name]].scale, name)
        found.append((name, value.tensor, value.scale))
    return found
