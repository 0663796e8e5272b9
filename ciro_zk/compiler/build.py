"""From a prepared model to the integer circuit, at given bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import reduce
from math import floor, ldexp

import numpy as np

from ciro_zk.compiler.assemble import Assembled, assemble
from ciro_zk.compiler.calibrate import Calibration
from ciro_zk.compiler.curves import LINEAR_BEYOND, SATURATING, saturation
from ciro_zk.compiler.emit import Context, emit
from ciro_zk.compiler.emit.context import FINER_CURVE, MAX_WHOLE, CurveRange, Value, cells
from ciro_zk.compiler.emit.views import fixed_output
from ciro_zk.compiler.fine import HEADROOM as HEADROOM_FINE
from ciro_zk.compiler.fine import fine_inputs
from ciro_zk.compiler.lower import Program
from ciro_zk.compiler.prepare import Prepared
from ciro_zk.compiler.refine import refined
from ciro_zk.compiler.samples import input_types
from ciro_zk.compiler.static import Static
from ciro_zk.compiler.steps import Activation, Curve, CurveUse, Product, Requantised, Softmax
from ciro_zk.compiler.ties import check_state, groups, tied_ranges
from ciro_zk.errors import BoundsError, InputError
from ciro_zk.lookup.tables import Graph, Range, Window

HEADROOM = 1.25
"""Of inner tensors over the greatest value seen: an input that calibration has not seen may have greater ones."""
HEADROOM_FINER = 2.0
"""Of refined tensors, and of activations that grow like x, where arguments are finer: part of it is spent on room for greater values; in
recurrences, which are calibrated on many steps, it is not."""
OUTPUT_HEADROOM = 1.5
"""Of outputs: one that saturates is a wrong result, where a saturated inner value hardly shows."""
MAX_SPREAD = 2.0
"""Greatest ratio of two ranges for uses of a curve to share a table: none loses more than a bit by it."""

MAX_FINE = 1 << 25
"""Weights of a model: of one with more, those that are larger than `LARGE_MODEL_FINE_CELLS` keep to b bits."""
LARGE_MODEL_FINE_CELLS = 1 << 16

MAX_FILLED = 1 << 23
"""Weights of a model that is built several times to fill what padding leaves: more take minutes each time."""

MAX_EXTRA = 15
"""Bits that a refined tensor keeps of its remainder, at most: those of more leave products of it too few bits of the field."""
MAX_FINER = 3
"""Bits of a curve's argument beyond those of an activation, at most."""
MAX_COARSER, WORTH_SAVING = 2, 1.2
"""Bits of weights given up, at most, where there are at most so many times more leaves than a power of two."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is decided by the number of leaves."""

    coarser: int = 0
    """Bits given up in weights."""
    finer: int = 0
    """Bits that arguments of curves have beyond those of an activation."""
    extra: int = 0
    """Bits that refined tensors keep of their remainders."""
    relu: bool = False
    """Whether outputs of Relus are refined."""
    inputs: bool = False
    """Whether inputs are refined."""


@dataclass(frozen=True, slots=True)
class Built:
    """A circuit, and where it holds the tensors of the float model: (tensor id, scale) by ONNX name."""

    assembled: Assembled
    layers: Mapping[str, tuple[int, float]]
    thresholds: Mapping[str, tuple[int, int]]
    """By node of decision trees: how many decisions differ in the model, and how many in the circuit."""
    choice: _Choice
    is_refined: bool
    curve_rows: int
    """Rows of the tables of curves."""


def build(
    prepared: Prepared, bits: int, precision: Mapping[str, int] | None = None, state: Mapping[str, str] | None = None, *, fill: bool = True
) -> Built:
    """Quantise and assemble; `precision` are the bits of single steps, by the name of their output, and of inputs.

    Leaves are padded to a power of two, and so are witness cells. What fits them anyway is made finer (`_refined`); without `fill`, where
    bits are searched for or the model is large, in a recurrence only, as far as it is refined. Where weights coarser by one or two bits
    save a power of two of the leaves, they are.
    """
    precision = precision or {}
    program = prepared.program
    fill = fill and _num_weights(program) <= MAX_FILLED
    recurrent = bool(program.tied or state)
    tied = groups(program, check_state(program, state, prepared.calibration.input_range))
    refinable = recurrent or (fill and bool(refined(program, tied, relu=False) - program.inputs.keys()))

    def made(choice: _Choice) -> Built:
        return _build(prepared, bits, precision, state, choice)

    found = made(_Choice())
    padded = 1 << (found.assembled.leaves - 1).bit_length()
    for coarser in range(1, MAX_COARSER + 1):
        if 2 * found.assembled.leaves > padded * WORTH_SAVING:
            break
        other = made(_Choice(coarser=coarser))
        if 2 * other.assembled.leaves <= padded:
            return _refined(other, made, recurrent, refinable, fill)
    return _refined(found, made, recurrent, refinable, fill)


def _refined(plain: Built, made: Callable[[_Choice], Built], recurrent: bool, refinable: bool, fill: bool) -> Built:
    """The circuit with what can be refined (`ciro_zk.compiler.refine`) and with finer arguments of curves, if it costs as much as the plain
    one; in a recurrence, whose errors add up from step to step, outputs of Relus and inputs are refined too."""

    def tried(choice: _Choice) -> Built | None:
        with suppress(BoundsError):
            other = made(choice)
            return other if other.assembled.costs_as(plain.assembled) else None
        return None

    def refined_from(found: Built) -> Built:
        extra = min(MAX_EXTRA, next(table.bits for table in found.assembled.graph.tables if isinstance(table, Range)))
        for relu in (True, False) if recurrent else (False,):
            other = tried(replace(found.choice, extra=extra, relu=relu, inputs=recurrent))
            if other is not None and other.is_refined:
                return other
        return found

    found = refined_from(plain) if refinable else plain
    limit = 1 << (plain.assembled.leaves - 1).bit_length()
    for finer in range(1, MAX_FINER + 1) if fill else ():
        rows = found.curve_rows if found.choice.finer else 0
        if not found.curve_rows or found.assembled.leaves + rows > limit:
            break
        other = tried(replace(found.choice, finer=finer))
        if other is None:
            break
        found = other
    return refined_from(found) if refinable and found.choice.finer and not found.is_refined else found


def _num_weights(program: Program) -> int:
    """Cells of the weights of products."""
    return sum(step.weight.size for step in program.steps if isinstance(step, Product))


def _build(prepared: Prepared, bits: int, precision: Mapping[str, int], state: Mapping[str, str] | None, choice: _Choice) -> Built:
    program, result = prepared.program, prepared.calibration
    links = check_state(program, state, result.input_range)
    tied = groups(program, links)
    names = refined(program, tied, relu=choice.relu) - (set() if choice.inputs else program.inputs.keys()) if choice.extra else set()
    headroom = HEADROOM_FINER if choice.finer and not choice.inputs else HEADROOM
    ranges = tied_ranges(program, tied, _ranges(program, result, names, headroom))
    every = frozenset().union(*tied)
    context = Context(bits, ranges, _curve_ranges(program, ranges, bits), every, precision, choice.coarser, finer=choice.finer)
    if _num_weights(program) > MAX_FINE:
        context.max_fine_cells = LARGE_MODEL_FINE_CELLS
    if choice.extra or choice.finer:
        context.fine_curves = _fine_curves(program, every)
        context.joined = SATURATING.keys() <= context.fine_curves and _join(context.curve_ranges, bits)
    if choice.extra:
        context.extra = choice.extra
        context.refined = names
    fine, steps = fine_inputs(program, ranges)
    _inputs(context, prepared.static, result, fine)
    emit(context, steps, (tensor for _, tensor in program.outputs))
    assembled = assemble(context.draft, _outputs(context, program, links))
    made = {step.output for step in program.steps if isinstance(step, (Activation, Requantised))}
    layers = {name: (assembled.ids[v.tensor], v.scale) for name, v in context.values.items() if name in made}
    rows = sum(
        table.num_rows for table in assembled.graph.tables if isinstance(table, Graph | Window) and table.function in context.curve_tables
    )
    return Built(assembled, layers, context.thresholds, choice, bool(context.refined), rows)


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


def _join(uses: Mapping[CurveUse, CurveRange], bits: int) -> bool:
    """Whether sigmoid and tanh are both there, with arguments that lose little by the range at which they saturate."""
    found = [(use.key, r.argument) for use, r in uses.items() if use.key[0] in SATURATING]
    near = all(argument * MAX_SPREAD >= saturation(name, bits + FINER_CURVE) for (name, *_), argument in found)
    return {key[0] for key, _ in found} == SATURATING.keys() and near and not any(whole for key, _ in found for whole in key[2:])


def _inputs(context: Context, static: Static, result: Calibration, fine: Mapping[str, float]) -> None:
    """The public inputs: their scales and declared integer ranges."""
    types = input_types(static.model)
    for name, shape in static.inputs.items():
        context.bits = context.precision.get(name, context.base_bits)
        whole = types[name].kind != "f"
        scale = 1.0 if whole else (context.ranges[name] or 1.0) / context.argument_top
        reach = max(context.top, floor(result.max_abs[name])) if whole else context.argument_top
        if name in context.refined and not whole:
            half = 1 << context.extra >> 1
            scale = ldexp(context.coarse_scale(name), -context.extra)
            reach = (context.coarse_top << context.extra) + half
        elif name in fine and not whole:
            peak = scale * context.argument_top
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


def _ranges(program: Program, result: Calibration, fine: Set[str], headroom: float) -> dict[str, float]:
    """The range that every tensor's integers cover: with headroom where it is the greatest value seen, as it is where it was chosen by
    clipping, but for outputs."""
    made = [s for s in program.steps if isinstance(s, (Activation, Requantised))]
    smooth = [(s.statistic, s.function.statistic) for s in made if isinstance(s.function, Curve) and s.function.name in LINEAR_BEYOND]
    roomy = {s.statistic for s in made if s.output in fine}.union(*smooth)
    room = dict.fromkeys(roomy, headroom) | dict.fromkeys(program.inputs, 1.0)
    ranges = {name: result.clipped.get(name, peak * room.get(name, HEADROOM)) for name, peak in result.max_abs.items()}
    pending = {tensor for _, tensor in program.outputs}
    for step in reversed(program.steps):
        if step.output in pending:
            if isinstance(step, Requantised | Softmax):
                curve = isinstance(step, Requantised) and isinstance(step.function, Curve)
                ranges[step.statistic] = result.max_abs[step.statistic] * (max(headroom, OUTPUT_HEADROOM) if curve else OUTPUT_HEADROOM)
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
