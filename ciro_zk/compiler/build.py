"""From a prepared model to the integer circuit, at given bits."""

from __future__ import annotations

from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from math import floor, ldexp

import numpy as np

from ciro_zk.compiler.assemble import Assembled, assemble
from ciro_zk.compiler.calibrate import Calibration
from ciro_zk.compiler.curves import SATURATING, saturation
from ciro_zk.compiler.emit import Context, emit
from ciro_zk.compiler.emit.context import MAX_WHOLE, CurveRange, Value, cells
from ciro_zk.compiler.emit.views import fixed_output
from ciro_zk.compiler.fine import HEADROOM as HEADROOM_FINE
from ciro_zk.compiler.fine import fine_inputs
from ciro_zk.compiler.lower import Program
from ciro_zk.compiler.prepare import Prepared
from ciro_zk.compiler.refine import MIN_TABLE_BITS, REFINED_BITS, refined
from ciro_zk.compiler.samples import input_types
from ciro_zk.compiler.static import Static
from ciro_zk.compiler.steps import Activation, Curve, CurveUse, Product, Requantised, Softmax
from ciro_zk.compiler.ties import check_state, groups, tied_ranges
from ciro_zk.errors import BoundsError, InputError
from ciro_zk.lookup.tables import Range

HEADROOM = 1.25
"""Of inner tensors over the greatest value seen: an input that calibration has not seen may have greater ones."""
OUTPUT_HEADROOM = 1.5
"""Of outputs: one that saturates is a wrong result, where a saturated inner value hardly shows."""
MAX_SPREAD = 2.0
"""Greatest ratio of two ranges for uses of a curve to share a table: none loses more than a bit by it."""

MAX_FINE = 1 << 25
"""Weights of a model: of one with more, those that are larger than `LARGE_MODEL_FINE_CELLS` keep to b bits."""
LARGE_MODEL_FINE_CELLS = 1 << 16

MAX_COARSER, WORTH_SAVING = 2, 1.2
"""Bits of weights given up, at most, where there are at most so many times more leaves than a power of two."""


@dataclass(frozen=True, slots=True)
class Built:
    """A circuit, and where it holds the tensors of the float model: (tensor id, scale) by ONNX name."""

    assembled: Assembled
    layers: Mapping[str, tuple[int, float]]
    thresholds: Mapping[str, tuple[int, int]]
    """By node of decision trees: how many decisions differ in the model, and how many in the circuit."""


def build(prepared: Prepared, bits: int, precision: Mapping[str, int] | None = None, state: Mapping[str, str] | None = None) -> Built:
    """Quantise and assemble; `precision` are the bits of single steps, by the name of their output, and of inputs.

    Leaves are padded to a power of two. In a recurrence, whose errors add up from step to step, what can be refined within it is
    (`ciro_zk.compiler.refine`), the outputs of Relus too if they fit. Otherwise, where weights coarser by one or two bits save the next
    power, they are.
    """
    precision = precision or {}
    found = _build(prepared, bits, precision, state, _Choice())
    padded = 1 << (found.assembled.leaves - 1).bit_length()
    extra = next(table.bits for table in found.assembled.graph.tables if isinstance(table, Range))
    for relu in (True, False) if (prepared.program.tied or state) and extra <= REFINED_BITS - MIN_TABLE_BITS else ():
        with suppress(BoundsError):
            finer = _build(prepared, bits, precision, state, _Choice(extra=extra, relu=relu))
            if finer.assembled.leaves <= padded:
                return finer
    for coarser in range(1, MAX_COARSER + 1):
        if 2 * found.assembled.leaves > padded * WORTH_SAVING:
            break
        other = _build(prepared, bits, precision, state, _Choice(coarser=coarser))
        if 2 * other.assembled.leaves <= padded:
            return other
    return found


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is decided by the number of leaves."""

    coarser: int = 0
    """Bits given up in weights."""
    extra: int = 0
    """Bits that refined tensors keep of their remainders."""
    relu: bool = False
    """Whether outputs of Relus are refined."""


def _build(prepared: Prepared, bits: int, precision: Mapping[str, int], state: Mapping[str, str] | None, choice: _Choice) -> Built:
    program, result = prepared.program, prepared.calibration
    links = check_state(program, state, result.input_range)
    tied = groups(program, links)
    ranges = tied_ranges(program, tied, _ranges(program, result))
    every = frozenset().union(*tied)
    context = Context(bits, ranges, _curve_ranges(program, ranges, bits), every, precision, choice.coarser)
    if sum(step.weight.size for step in program.steps if isinstance(step, Product)) > MAX_FINE:
        context.max_fine_cells = LARGE_MODEL_FINE_CELLS
    if choice.extra:
        context.extra = choice.extra
        context.refined = refined(program, tied, relu=choice.relu)
        context.fine_curves = _fine_curves(program, every)
    fine, steps = fine_inputs(program, ranges)
    _inputs(context, prepared.static, result, fine)
    emit(context, steps, (tensor for _, tensor in program.outputs))
    assembled = assemble(context.draft, _outputs(context, program, links))
    made = {step.output for step in program.steps if isinstance(step, (Activation, Requantised))}
    layers = {name: (assembled.ids[v.tensor], v.scale) for name, v in context.values.items() if name in made}
    return Built(assembled, layers, context.thresholds)


def _curve_ranges(program: Program, ranges: Mapping[str, float], bits: int) -> dict[CurveUse, CurveRange]:
    """The ranges of every use of a curve. Uses whose ranges are alike have the same: one input and one output scale, hence one table."""
    uses: dict[CurveUse, CurveRange] = {}
    for step in program.steps:
        function = step.function if isinstance(step, (Activation, Requantised)) else None
        if isinstance(function, Curve):
            found = CurveRange(ranges[function.statistic], ranges[step.statistic])
            uses[function.use] = found.cover(uses.get(function.use, found))
    groups: list[list[CurveUse]] = []
    for use in sorted(uses, key=lambda use: (use.key[0], uses[use].argument)):
        near = (g for g in groups if g[0].key == use.key and all(_alike(use, uses[use], uses[other], bits) for other in g))
        group = next(near, None)
        if group is None:
            groups.append([use])
        else:
            group.append(use)
    return {use: reduce(CurveRange.cover, (uses[other] for other in group)) for group in groups for use in group}


def _alike(use: CurveUse, a: CurveRange, b: CurveRange, bits: int) -> bool:
    """Whether two uses of a curve lose little by sharing their scales, where these follow from the ranges."""
    name, _, exact_input, exact_output = use.key
    most = saturation(name, bits)
    arguments = sorted(min(r.argument, most) for r in (a, b))
    values = sorted(r.value for r in (a, b))
    free = exact_output or name in SATURATING
    return (exact_input or arguments[1] <= MAX_SPREAD * arguments[0]) and (free or values[1] <= MAX_SPREAD * values[0])


def _fine_curves(program: Program, tied: Set[str]) -> set[str]:
    """The saturating curves none of whose values is tied to others."""
    functions = [(s.statistic, s.function) for s in program.steps if isinstance(s, (Activation, Requantised))]
    return SATURATING.keys() - {f.name for statistic, f in functions if isinstance(f, Curve) and statistic in tied}


def _inputs(context: Context, static: Static, result: Calibration, fine: Mapping[str, float]) -> None:
    """The public inputs: their scales and declared integer ranges."""
    types = input_types(static.model)
    for name, shape in static.inputs.items():
        context.bits = context.precision.get(name, context.base_bits)
        whole = types[name].kind != "f"
        scale = 1.0 if whole else context.scale(name)
        reach = max(context.top, floor(result.max_abs[name])) if whole else context.top
        if name in context.refined and not whole:
            half = 1 << context.extra >> 1
            scale = ldexp(context.coarse_scale(name), -context.extra)
            reach = (context.coarse_top << context.extra) + half
        elif name in fine and not whole:
            peak = scale * context.top
            scale = min(scale, fine[name])
            reach = floor(HEADROOM_FINE * peak / scale)
        if whole and reach > MAX_WHOLE:
            raise InputError(
                "whole numbers beyond 2^24 are not supported", field=name, value=reach, remedy="use a float input, or narrow it"
            )
        low, high = -reach, reach
        if types[name].kind == "b":
            low, high = 0, 1
        elif whole:
            ends = np.iinfo(types[name])
            low, high = max(-reach - (ends.max <= reach), int(ends.min)), min(reach, int(ends.max))
        if types[name].kind != "b" and name in result.input_range:
            low, high = (floor(v / scale + 0.5) for v in result.input_range[name])
            high = max(high, low + 1)
        tensor = context.draft.input(name, cells(shape), low, high, scale)
        context.values[name] = Value(tensor, shape, scale)


def _ranges(program: Program, result: Calibration) -> dict[str, float]:
    """The range that every tensor's integers cover: with headroom where it is the greatest value seen, as it is where it was chosen by
    clipping, but for outputs."""
    ranges = {name: result.clipped.get(name, peak if name in program.inputs else peak * HEADROOM) for name, peak in result.max_abs.items()}
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
    inputs = {target: source for source, target in state.items()}
    found = []
    for name, tensor in program.outputs:
        value = fixed_output(context, tensor) if tensor in context.fixed else context.values[tensor]
        if name in inputs:
            value = context.restated(value, context.values[inputs[name]].scale, name)
        found.append((name, value.tensor, value.scale))
    return found
