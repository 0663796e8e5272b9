"""What emitters share: the draft, the values made so far, the calibrated ranges and the requantisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from math import frexp, ldexp, prod

import numpy as np

from ciro_zk.circuit.error import EXACT, Deviation
from ciro_zk.circuit.op import Op
from ciro_zk.compiler import curves, scores
from ciro_zk.compiler.draft import Draft
from ciro_zk.compiler.quantise import Ratio, activation_top, dyadic, fixed_ratio, free_ratio, largest, quantise, round_half_up
from ciro_zk.compiler.refine import MIN_TABLE_BITS, REFINED_BITS
from ciro_zk.compiler.steps import Clip, Curve, CurveUse, Floats, Function, Leaky, Scores, Shape, Step, Test
from ciro_zk.lookup import tables
from ciro_zk.ops import AxisMap, Combine, Hadamard, Reshape, Transpose

RELATIVE = 1e-12
"""What rounding of float64 may make of equal numbers."""
CURVE_BITS, FINER_CURVE = 16, 2
"""Where tensors are refined: bits of the values of curves that saturate, and by how many bits more their tables reach."""
MAX_CURVE_BITS = 20
"""Arguments of a curve are calibrated up to 2^20 units."""
VALUE_BITS = 2
"""Bits of another curve's values beyond those of an activation: they are looked up, so that more of them cost no rows."""
FEW_SCORES = 1 << 12
"""A softmax of fewer cells makes room for finer curves."""
MAX_WHOLE = 1 << 24
"""Whole numbers that a curve makes stay within this, as in a float32 model."""
TESTS: dict[str, tables.Function] = {
    "positive": tables.Clamp(minimum=0, maximum=1),
    "sign": tables.Clamp(minimum=-1, maximum=1),
    "zero": tables.Sampled(low=-1, values=(0, 1, 0)),
}


@dataclass(frozen=True, slots=True)
class CurveRange:
    """The greatest |argument| and |value| of a curve."""

    argument: float
    value: float

    def cover(self, other: CurveRange) -> CurveRange:
        """The ranges of both."""
        return CurveRange(max(self.argument, other.argument), max(self.value, other.value))


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of the draft as the float model sees it: real = scale * integer."""

    tensor: int
    shape: Shape
    scale: float


def cells(shape: Sequence[int]) -> Shape:
    """The shape of a circuit tensor, which has at least one axis."""
    return tuple(shape) or (1,)


@dataclass(slots=True)
class Context:
    """The circuit under construction."""

    base_bits: int
    """Bits of a step that `precision` does not name, and of one limb of a weight."""
    ranges: Mapping[str, float]
    """max|x| by ONNX tensor name."""
    curve_ranges: Mapping[CurveUse, CurveRange]
    """Uses with equal ranges share a table."""
    tied: Set[str]
    """Statistics whose scale is hit exactly, since other tensors have the same."""
    precision: Mapping[str, int] = field(default_factory=dict)
    """Bits by the name of a step's output."""
    coarser: int = 0
    """Bits by which weights are coarser than `useful_shift` asks for."""
    max_fine_cells: int = 1 << 20
    """Larger weights keep to b bits: a second limb of every cell would double the memory of their registration."""
    extra: int = 0
    """Bits that refined tensors keep of their remainders (`ciro_zk.compiler.refine`); the range table has as many."""
    refined: Set[str] = frozenset()
    """Names of refined inputs and outputs of steps."""
    finer: int = 0
    """Bits of arguments of curves, and of inputs, beyond those of an activation."""
    fine_curves: Set[str] = frozenset()
    """Saturating curves whose values have `CURVE_BITS`."""
    joined: bool = False
    """Whether tanh x is 2 sigmoid(2 x) - 1, by sigmoid's table."""
    bits: int = 0
    """Those of the step being emitted."""
    draft: Draft = field(default_factory=Draft)
    values: dict[str, Value] = field(default_factory=dict)
    fixed: dict[str, Floats] = field(default_factory=dict)
    """Constants that a later step quantises at its own scale."""
    thresholds: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By node of decision trees: how many decisions differ in the model, and how many in the circuit."""
    whole: set[str] = field(default_factory=set)
    """Those of them that are whole numbers."""
    curve_tables: set[tables.Function] = field(default_factory=set)
    """Functions of arguments that `finer` is about."""

    def __post_init__(self) -> None:
        self.bits = self.base_bits

    @property
    def top(self) -> int:
        """M, the largest activation."""
        return activation_top(self.bits)

    @property
    def argument_top(self) -> int:
        """The largest argument of a curve, and the largest input."""
        return activation_top(self.bits + self.finer)

    @property
    def most(self) -> int:
        """Where a curve's values saturate: an eighth beyond those of calibration."""
        return self.curve_top + self.curve_top // 8

    @property
    def curve_top(self) -> int:
        """The largest value of a curve seen in calibration."""
        return activation_top(self.bits + VALUE_BITS)

    def scale(self, statistic: str) -> float:
        """The scale that a calibrated range asks for."""
        return (self.ranges[statistic] or 1.0) / self.top

    def coarse_scale(self, statistic: str) -> float:
        """The scale of a refined tensor's table: of tied ones a power of two, so that getting from one to another is a shift."""
        scale = (self.ranges[statistic] or 1.0) / self.coarse_top
        if statistic not in self.tied:
            return scale
        fraction, exponent = frexp(scale)
        return ldexp(1.0, exponent - (fraction == 0.5))

    @property
    def coarse_top(self) -> int:
        """Where the table of a refined tensor saturates."""
        return activation_top(max(REFINED_BITS - self.extra, MIN_TABLE_BITS))

    def curve_scale(self, curve: Curve) -> float:
        """The input scale of a curve: as fine as its bend asks for, unless its arguments are far larger."""
        if curve.exact_input:
            return 1.0
        if self.joined and curve.name in curves.SATURATING:
            scale = curves.saturation("sigmoid", self.bits + FINER_CURVE) / self.argument_top
            return scale / 2 if curve.name == "tanh" else scale
        peak = self.curve_ranges[curve.use].argument
        return max(min(peak if peak > 0 else 1.0, self.saturation(curve)) / self.argument_top, ldexp(peak, -MAX_CURVE_BITS))

    def saturation(self, curve: Curve) -> float:
        """The argument beyond which a curve's table is constant, where it saturates."""
        return curves.saturation(curve.name, self.bits + FINER_CURVE if curve.name in self.fine_curves else self.bits)

    def curve_unit(self, curve: Curve) -> float:
        """The output scale of a curve."""
        if curve.exact_output:
            return 1.0
        if curve.name in curves.SATURATING:
            return ldexp(1.0, -CURVE_BITS) if curve.name in self.fine_curves else 1.0 / self.top
        return (self.curve_ranges[curve.use].value or 1.0) / self.curve_top

    def q_scale(self, step: Step, function: Function | None) -> float:
        """The scale wanted before the function of a step."""
        if isinstance(function, Scores):
            return scores.unit(self.ranges[function.statistic], function.masked, self._few(step))
        if isinstance(function, Curve):
            return self.curve_scale(function)
        if step.exact:
            return 1.0
        if step.output in self.refined:
            return self.coarse_scale(step.statistic)
        scale = self.scale(step.statistic)
        if isinstance(function, Clip) and function.high is not None and function.low is not None and step.statistic not in self.tied:
            # beyond its bounds there is nothing to represent
            bound = max(abs(function.low), abs(function.high))
            return min(scale, bound / self.top) if bound > 0 else scale
        return scale

    def _few(self, step: Step) -> bool:
        """Whether scores are so few that their tables' rows are better spent on curves."""
        return self.finer > 0 and prod(step.shape) <= FEW_SCORES

    def sum_shift(self, step: Step, values: Sequence[Value], q_scale: float) -> int:
        """Bits below the unit of a sum to which its coefficients, ratios of scales, are rounded: so many that no operand is off by more
        than a unit, where they are powers of two those that these need."""
        extra = self.extra if step.output in self.refined else 0
        bits = max(self.draft.magnitude(value.tensor) for value in values).bit_length()
        if not self.refined or (not extra and bits <= self.bits + 2):
            return self.bits
        ratios = [frexp(value.scale / q_scale) for value in values]
        if all(fraction == 0.5 for fraction, _ in ratios):
            return max(0, *(1 - exponent for _, exponent in ratios))
        return bits + extra

    def limit(self, step: Step, function: Function | None, tensor: int) -> int:
        """Where values saturate: whole numbers nowhere within their interval."""
        if isinstance(function, Scores):
            return scores.limit(self.ranges[function.statistic], function.masked, self._few(step))
        whole = step.exact or (isinstance(function, Curve) and function.exact_input)
        return (1 << self.draft.magnitude(tensor).bit_length()) - 1 if whole else self.top

    def table_function(self, function: Function | None, scale: float, limit: int) -> tuple[tables.Function, float]:
        """The integer function on q at `scale`, with values within [-limit, limit], and the scale of its output.

        A curve of whole numbers is tabulated up to `limit`.
        """
        if isinstance(function, Curve):
            reach = limit if function.exact_input else self.argument_top
            unit = self.curve_unit(function)
            most = MAX_WHOLE if function.exact_output else self.most
            if function.name in self.fine_curves:
                most = 1 << CURVE_BITS
            found = curves.table(function.name, function.parameters, scale, reach, unit, most)
            if not function.exact_input:
                self.curve_tables.add(found)
            return found, unit
        if isinstance(function, Test):
            return TESTS[function.kind], 1.0
        if isinstance(function, Clip):
            low = -limit if function.low is None else _bound(function.low, scale, limit)
            high = limit if function.high is None else _bound(function.high, scale, limit)
            return tables.Clamp(minimum=low, maximum=max(low, high)), scale
        if isinstance(function, Leaky):
            numerator, shift = dyadic(function.slope)
            return tables.Clamp(minimum=-limit, maximum=limit, numerator=numerator, shift=shift), scale
        return tables.Clamp(minimum=-limit, maximum=limit), scale

    def ends(self, function: Function | None, f: tables.Function, scale: float, limit: int) -> Deviation:
        """How the integer function f on q at `scale` deviates from the step's, and which of its ends are the model's."""
        if isinstance(function, Curve):
            saturated = scale * self.argument_top >= self.saturation(function) * (1 - RELATIVE)
            # what is missing at the ends: half a unit of so many bits
            missing = ldexp(0.5, CURVE_BITS - self.bits - FINER_CURVE) if function.name in self.fine_curves else 0.0
            # between whole numbers a jump is of no account
            jumps = 0.5 + RELATIVE if function.name in curves.STEPPED and not function.exact_input else 0.0
            most = 0 if function.exact_output or function.name in curves.SATURATING else self.most
            ends = (saturated, saturated)
            if function.name == "quantise" and isinstance(f, tables.Sampled):
                *_, least, greatest = function.parameters
                ends = (f.values[0] == least, f.values[-1] == greatest)
            return Deviation(missing, exact_low=ends[0], exact_high=ends[1], reach=jumps, whole=function.exact_output, limit=most)
        if isinstance(function, Test):
            return Deviation(exact_low=True, exact_high=True, whole=True, sign=True)
        if isinstance(function, Leaky) and isinstance(f, tables.Clamp):
            return Deviation(coefficients=(abs(function.slope - ldexp(f.numerator, -f.shift)),))
        if isinstance(function, Clip):
            low = -np.inf if function.low is None else function.low / scale
            high = np.inf if function.high is None else function.high / scale
            off_low = abs(f.range[0] - low) if low >= -limit else 0.0
            off_high = abs(f.range[1] - high) if high <= limit else 0.0
            return Deviation(max(off_low, off_high), exact_low=low >= -limit, exact_high=high <= limit)
        return EXACT

    def requantise(self, step: Step, tensor: int, scale: float, function: Function | None) -> Value:
        """function(x) at the step's calibrated scale, for an integer tensor at any `scale`."""
        wanted = self.q_scale(step, function)
        shape = self.draft.tensors[tensor].shape
        if isinstance(function, Curve | Scores):
            # beyond the function's table nothing changes
            f, _ = self.table_function(function, wanted, self.limit(step, function, tensor))
            relevant = round_half_up(ldexp(wanted * f.window[1] / scale, 1)) + 1
            ratio = fixed_ratio(scale, wanted, min(self.draft.magnitude(tensor), relevant))
        elif isinstance(function, Test) or step.exact:
            ratio = Ratio(1, 0, scale)
        elif step.statistic in self.tied:
            ratio = fixed_ratio(scale, wanted, self.draft.magnitude(tensor))
        else:
            ratio = free_ratio(scale, wanted)
        return self.rescale(step, self.multiplied(tensor, ratio, scale, step.output), shape, ratio, function)

    def rescale(self, step: Step, tensor: int, shape: Shape, ratio: Ratio, function: Function | None) -> Value:
        """Commit function(round(x / 2^shift)); `ratio.scale` is the scale of the rounded value.

        Where q is never negative the identity is clamp(q, 0, M), Relu's function, so that both share a table.
        """
        if step.output in self.refined:
            refine = self.refine if function is None else self.refined_relu
            return Value(refine(tensor, ratio, step.output), shape, ldexp(ratio.scale, -self.extra))
        if self.joined and isinstance(function, Curve) and function.name == "tanh":
            sigmoid = replace(function, name="sigmoid")
            logistic = self.rescale(step, tensor, shape, replace(ratio, scale=2 * ratio.scale), sigmoid)
            twice = Combine(inputs=(logistic.tensor,), coefficients=(2,), offset=-1 << CURVE_BITS)
            return Value(self.draft.add(twice, f"{step.output}.tanh"), shape, logistic.scale)
        limit = self.limit(step, function, tensor)
        f, scale = self.table_function(function, ratio.scale, limit)
        deviation = self.ends(function, f, ratio.scale, limit)
        half = (1 << ratio.shift) >> 1
        if f == tables.Clamp(minimum=-limit, maximum=limit) and int(self.draft.intervals[tensor][0].min()) + half >= 0:
            f = tables.Clamp(minimum=0, maximum=limit)
            deviation = replace(deviation, exact_low=False)
        return Value(self.draft.rescale(tensor, ratio.shift, f, step.output, deviation), shape, scale)

    def refine(self, tensor: int, ratio: Ratio, name: str) -> int:
        """round(x / 2^(shift - extra)), saturating at about `coarse_top` in units of ratio.scale."""
        missing = max(0, self.extra - ratio.shift)
        shift = ratio.shift + missing
        half = 1 << (shift - self.extra) >> 1
        if missing or half:
            op = Combine(inputs=(tensor,), coefficients=(1 << missing,), offset=half)
            tensor = self.draft.add(op, f"{name}.centred", Deviation(cells=float(half)))
        function = tables.Clamp(minimum=-self.coarse_top, maximum=self.coarse_top)
        return self.draft.refine(self.draft.rescale(tensor, shift, function, f"{name}.coarse", extra=self.extra), name)

    def refined_relu(self, tensor: int, ratio: Ratio, name: str) -> int:
        """x [x >= 0] for a refined x: the product is committed once more."""
        x = self.refine(tensor, ratio, f"{name}.argument")
        after = self.draft.add(Combine(inputs=(x,), coefficients=(1,), offset=1), f"{name}.after")
        step = Deviation(exact_low=True, exact_high=True, whole=True)
        positive = self.draft.rescale(after, 0, TESTS["positive"], f"{name}.positive", step)
        product = self.draft.add(Hadamard(inputs=(x, positive)), f"{name}.product")
        return self.refine(product, Ratio(1, self.extra, ratio.scale), name)

    def restated(self, value: Value, scale: float, name: str) -> Value:
        """The same real numbers at another scale."""
        if value.scale == scale:
            return value
        ratio = fixed_ratio(value.scale, scale, self.draft.magnitude(value.tensor))
        function, _ = self.table_function(None, scale, self.top)
        tensor = self.multiplied(value.tensor, ratio, value.scale, name)
        return Value(self.draft.rescale(tensor, ratio.shift, function, name), value.shape, scale)

    def multiplied(self, tensor: int, ratio: Ratio, scale: float, name: str) -> int:
        """multiplier * x for x at `scale`, which is ratio.scale / 2^shift to so many bits."""
        off = abs(ratio.multiplier - ldexp(scale / ratio.scale, ratio.shift))
        if ratio.multiplier == 1 and not off:
            return tensor
        return self.draft.add(Combine(inputs=(tensor,), coefficients=(ratio.multiplier,)), f"{name}.scaled", Deviation(coefficients=(off,)))

    def reshape(self, tensor: int, shape: Sequence[int], name: str) -> int:
        """A view under another shape; the tensor itself where it has it already."""
        wanted = cells(shape)
        if self.draft.tensors[tensor].shape == wanted:
            return tensor
        return self.draft.add(Reshape(inputs=(tensor,), shape=wanted), f"{name}.view")

    def transpose(self, tensor: int, permutation: Sequence[int], name: str) -> int:
        return self.draft.add(Transpose(inputs=(tensor,), permutation=tuple(permutation)), f"{name}.view")

    def gather(self, tensor: int, axis: int, index: Sequence[int], name: str) -> int:
        """Cells of one axis by index, zero for -1."""
        rows = tuple((max(i, 0),) for i in index)
        weight = tuple((int(i >= 0),) for i in index)
        op: Op = AxisMap(inputs=(tensor,), axis=axis, index=rows, weight=weight)
        return self.draft.add(op, f"{name}.axis{axis}")

    def weight(self, values: Floats, scale: float, name: str) -> int:
        """A weight tensor of `values` at `scale`."""
        integers = quantise(values, scale)
        return self.draft.weight(name, integers, self.base_bits, largest(values / scale - integers))

    def constant(self, values: Floats, scale: float, shape: Shape, name: str) -> int:
        """A weight tensor of `values` at `scale`, broadcast to `shape`, which has as many axes."""
        tensor = self.weight(values, scale, name)
        for axis, (have, want) in enumerate(zip(values.shape, shape, strict=True)):
            if have != want:
                tensor = self.gather(tensor, axis, (0,) * want, name)
        return tensor


def _bound(value: float, scale: float, limit: int) -> int:
    """A clamp's bound in units of `scale`."""
    units = value / scale
    if abs(units) >= limit:
        return limit if units > 0 else -limit
    return round_half_up(units)


Emitter = Callable[[Context, Step], Value]


def aligned(values: Floats, rank: int) -> Floats:
    """A constant with leading axes of length 1 up to `rank`."""
    return np.asarray(values.reshape((1,) * (rank - values.ndim) + values.shape))
