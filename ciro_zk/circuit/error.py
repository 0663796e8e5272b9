"""How far the integers of a circuit can be from the real numbers they stand for.

A tensor of integers x stands for an *ideal* tensor X of real numbers: what exact real arithmetic of the float model
gives, in units of the tensor. Error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section
3.3) in interval arithmetic by centre and radius (Rump, Acta Numerica 2010, section 9): every operator turns bounds
|X - x - c| <= r on its inputs, cell by cell, into one on its output. For one inference (the *running* bound) x is known:
what was rounded away moves the centre and leaves the radius as it is. Over a whole range of inputs (the *static* bound) x
lies between two ends and every centre is 0. Errors come in at the inputs and weights (rounding), at coefficients (m / 2^s
beside a real ratio), at function tables and where an activation saturates. `Deviation` says by how much; the compiler
knows, the graph alone does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, ldexp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.lookup.tables import Clamp, Function

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Interval = tuple[Integers, Integers]

MAX_SEARCHED = 1 << 40
ROUNDING = 0.5
SLACK = 2.0**-48
"""Share of a centre, or of the integer beside it, that float64 may be off by."""


@dataclass(frozen=True, slots=True)
class Error:
    """X - x lies in centre +- radius, cell by cell, in units of the tensor; without a centre that is 0."""

    radius: Floats
    centre: Floats | None = None

    @staticmethod
    def between(low: Floats, high: Floats, slack: Floats | float = 0.0) -> Error:
        """X - x in [low, high], either of which may be infinite; `slack` is what these may be off by unless both are 0."""
        centre, radius = (low + high) / 2, (high - low) / 2
        known = np.isfinite(centre) & np.isfinite(radius)
        exact = (low == 0) & (high == 0)
        return Error(np.where(known, radius + np.where(exact, 0.0, slack), np.inf), np.where(known, centre, 0.0))

    @property
    def ends(self) -> tuple[Floats, Floats]:
        """The least and greatest X - x."""
        return (-self.radius, self.radius) if self.centre is None else (self.centre - self.radius, self.centre + self.radius)

    @property
    def bound(self) -> Floats:
        """The greatest |X - x|."""
        return self.radius if self.centre is None else np.abs(self.centre) + self.radius

    @property
    def uncertain(self) -> Floats:
        """The radius with what float64 makes of a multiple of the centre."""
        return self.radius if self.centre is None else self.radius + SLACK * np.abs(self.centre)

    def view(self, look: Callable[[Floats], Floats]) -> Error:
        """The error of the same cells in another order or shape."""
        return Error(look(self.radius), None if self.centre is None else look(self.centre))

    def within(self, other: Error) -> Error:
        """What both say."""
        (low, high), (least, most) = self.ends, other.ends
        below, above = np.maximum(low, least), np.minimum(high, most)
        return Error.between(np.minimum(below, above), np.maximum(below, above))

    def unless(self, where: NDArray[np.bool_], other: Error) -> Error:
        """`other` in the cells `where`."""
        centres = [np.zeros(where.shape) if e.centre is None else e.centre for e in (self, other)]
        return Error(np.where(where, other.radius, self.radius), np.where(where, centres[1], centres[0]))

    def settled(self) -> Error:
        """No bound at all where arithmetic with infinities has led to no number."""
        known = np.isfinite(self.radius) if self.centre is None else np.isfinite(self.radius) & np.isfinite(self.centre)
        if known.all():
            return self
        return Error(np.where(known, self.radius, np.inf), None if self.centre is None else np.where(known, self.centre, 0.0))


@dataclass(frozen=True, slots=True)
class Approximation:
    """A tensor whose integers lie in [low, high] (one array, twice, where they are known), with its error."""

    low: Integers
    high: Integers
    error: Error

    @staticmethod
    def known(x: Integers, error: Error) -> Approximation:
        """A tensor of one inference, or weights."""
        return Approximation(x, x, error)

    @property
    def is_known(self) -> bool:
        return self.low is self.high

    def symmetric(self) -> Approximation:
        """The same without a centre."""
        return self if self.error.centre is None else Approximation(self.low, self.high, Error(self.error.bound))

    @property
    def ideal(self) -> tuple[Floats, Floats]:
        """The least and greatest X."""
        least, most = self.error.ends
        return self.low + least, self.high + most

    @property
    def middle(self) -> Floats:
        """The greatest |x + centre|."""
        if self.is_known:
            return np.abs(self.low if self.error.centre is None else self.low + self.error.centre).astype(np.float64)
        return np.maximum(np.abs(self.low), np.abs(self.high)) + (0.0 if self.error.centre is None else np.abs(self.error.centre))


def bilinear(x: Approximation, w: Approximation, apply: Callable[[Floats, Floats], Floats]) -> Error:
    """The error of a sum of products x w, where `apply(a, b)` sums those of floats.

    With X = x + c + d, W = w + f + g, |d| <= r, |g| <= s: X W - x w = c w + x f + c f, the centre, and at most r (|w + f| +
    s) + |x + c| s.
    """
    if not (x.is_known and w.is_known):
        x, w = x.symmetric(), w.symmetric()
    centre: Floats | None = None
    if x.error.centre is not None:
        centre = apply(x.error.centre, w.low.astype(np.float64))
    if w.error.centre is not None:
        moved = x.low.astype(np.float64) if x.error.centre is None else x.low + x.error.centre
        shifted = apply(moved, w.error.centre)
        centre = shifted if centre is None else centre + shifted
    radius = apply(x.error.uncertain, w.middle + w.error.radius) + apply(x.middle, np.asarray(w.error.uncertain))
    return Error(radius, centre)


@dataclass(frozen=True, slots=True)
class Deviation:
    """How an operator, or a weight, differs from what it stands for.

    `cells`: by how much every cell does, beyond what its inputs' errors and its own rounding explain. `coefficients`:
    |integer coefficient - ideal one| by operand (`combine`), for all entries (`axis_map`), for the negative slope (the
    clamp of a `requantise`). `exact_low`, `exact_high`: whether a function is constant beyond that end in the model
    too; otherwise the ideal function goes on, and a value there is saturated. `reach`: how far, in units of its argument, a jump of
    the ideal function may lie from the table's. `whole`: its values are whole numbers, not rounded ones, and between two
    arguments it has one of the two's values. `limit`: a value of this size or more stands for all beyond; 0 for none. `sign`: it
    depends on the argument's sign alone.
    """

    cells: float = 0.0
    coefficients: tuple[float, ...] = ()
    exact_low: bool = False
    exact_high: bool = False
    reach: float = 0.0
    whole: bool = False
    limit: int = 0
    sign: bool = False

    def coefficient(self, position: int) -> float:
        """The deviation of one coefficient."""
        return self.coefficients[position] if position < len(self.coefficients) else 0.0

    def as_json(self) -> list[Any]:
        """[cells, coefficients, exact_low, exact_high, reach, whole, limit, sign]."""
        return [self.cells, list(self.coefficients), self.exact_low, self.exact_high, self.reach, self.whole, self.limit, self.sign]

    @staticmethod
    def from_json(value: object) -> Deviation:
        """The reverse of `as_json`; `ValueError` for anything else."""
        if not isinstance(value, list) or len(value) != 8 or not isinstance(value[1], list):
            raise ValueError("a deviation has eight entries")
        cells, coefficients, low, high, reach, whole, limit, sign = value
        for number in (cells, *coefficients, reach):
            if not isinstance(number, float) or not isfinite(number) or number < 0:
                raise ValueError("a deviation is a number of at least 0")
        if not all(isinstance(flag, bool) for flag in (low, high, whole, sign)):
            raise ValueError("the ends of a deviation, and whether it is whole or a sign's, are true or false")
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
            raise ValueError("the limit of a deviation is a whole number of at least 0")
        return Deviation(cells, tuple(coefficients), low, high, reach, whole, limit, sign)


EXACT = Deviation()


def searched(inputs: Sequence[Approximation]) -> list[Interval] | None:
    """Integers around all ideal values, or None where they are too far apart for integer arithmetic."""
    found = []
    for x in inputs:
        least, most = x.ideal
        low, high = np.floor(least), np.ceil(most)
        if not (np.abs(low).max() < MAX_SEARCHED and np.abs(high).max() < MAX_SEARCHED):
            return None
        found.append((low.astype(np.int64), high.astype(np.int64)))
    return found


def envelope(function: Function, low: Floats, high: Floats, deviation: Deviation) -> tuple[Floats, Floats]:
    """The least and greatest values of the ideal function over real arguments in [low, high], cell by cell.

    Of a sampled function it is known that its table holds its values rounded to the nearest integer, that it has no
    extremum between neighbouring samples by which it would leave their range, and that beyond an end that is not exact
    it is no steeper than in its table.
    """
    if deviation.sign:
        low, high = np.sign(low), np.sign(high)
    if isinstance(function, Clamp) and deviation.whole:
        # a step: any argument but the integer itself may be on either side
        return np.clip(np.floor(low), *function.range), np.clip(np.ceil(high), *function.range)
    if isinstance(function, Clamp):
        slope = function.numerator / (1 << function.shift)
        steep, flat = slope + deviation.coefficient(0), max(slope - deviation.coefficient(0), 0.0)
        least = np.where(low < 0, low * steep, low)
        most = np.where(high < 0, high * flat, high)
        bottom = function.minimum if deviation.exact_low else -np.inf
        ceiling = function.maximum if deviation.exact_high else np.inf
        return np.clip(least, bottom, ceiling) - deviation.cells, np.clip(most, bottom, ceiling) + deviation.cells
    start, stop = function.window
    values = function(np.arange(start, stop + 1, dtype=np.int64))
    low, high = low - deviation.reach, high + deviation.reach
    first = np.clip(np.nan_to_num(np.floor(low), nan=-np.inf), start, stop).astype(np.int64) - start
    last = np.clip(np.nan_to_num(np.ceil(high), nan=np.inf), start, stop).astype(np.int64) - start
    smallest, greatest = _extrema(values, first, last)
    steepest = 1.0 + float(np.abs(np.diff(values)).max(initial=0))
    excess = np.zeros_like(low)
    if not deviation.exact_low:
        excess += np.maximum(start - low, 0.0)
    if not deviation.exact_high:
        excess += np.maximum(high - stop, 0.0)
    slack = (0.0 if deviation.whole else ROUNDING) + deviation.cells + np.where(excess > 0, steepest * excess, 0.0)
    least, most = smallest - slack, greatest + slack
    if deviation.limit:
        least, most = np.where(smallest <= -deviation.limit, -np.inf, least), np.where(greatest >= deviation.limit, np.inf, most)
    return least, most


def variation(function: Function, q: tuple[int, int], reach: float, deviation: Deviation) -> float:
    """The greatest |function(q) - F(q + t)| over the integers q of a range and |t| <= reach, F the ideal function (see `envelope`)."""
    if isinstance(function, Clamp):
        spread = float(function.maximum - function.minimum)
        if deviation.whole:
            return min(float(np.ceil(reach)), spread)
        slope = ldexp(function.numerator, -function.shift) if q[0] < 0 else 1.0
        # the unclamped functions differ by so much, since neither is steeper than 1
        moved = reach + deviation.coefficient(0) * max(0.0, reach - q[0]) + ROUNDING * (function.shift > 0)
        if deviation.exact_low and deviation.exact_high:
            return min(moved, spread) + deviation.cells
        above = 0.0 if deviation.exact_high else q[1] - function.maximum
        below = 0.0 if deviation.exact_low else function.minimum - slope * q[0]
        return moved + max(above, below, 0.0) + deviation.cells
    start, stop = function.window
    inside = np.arange(max(q[0], start), min(q[1], stop) + 1, dtype=np.int64)
    arguments = np.concatenate([np.array(q, dtype=np.int64), inside])
    least, most = envelope(function, arguments - reach, arguments + reach, deviation)
    values = function(arguments)
    return float(np.maximum(values - least, most - values).max())


def _extrema(values: Integers, first: Integers, last: Integers) -> tuple[Integers, Integers]:
    """min and max of values[first..last], cell by cell."""
    steps = np.diff(values)
    if (steps >= 0).all():
        return values[first], values[last]
    if (steps <= 0).all():
        return values[last], values[first]
    level = np.frexp((last - first + 1).astype(np.float64))[1] - 1
    smallest, greatest = np.empty_like(first), np.empty_like(first)
    low, high = values, values
    for k in range(int(level.max()) + 1):
        # low[i], high[i]: extrema of the 2^k values from i on
        chosen = level == k
        a, b = first[chosen], last[chosen] - (1 << k) + 1
        smallest[chosen], greatest[chosen] = np.minimum(low[a], low[b]), np.maximum(high[a], high[b])
        half = 1 << k
        low, high = np.minimum(low[:-half], low[half:]), np.maximum(high[:-half], high[half:])
    return smallest, greatest


def read_deviations(value: object) -> dict[int, Deviation]:
    """Deviations by tensor id from a list of [id, deviation]; `ValueError` for anything else."""
    if not isinstance(value, list):
        raise ValueError("deviations are a list")
    found: dict[int, Deviation] = {}
    for entry in value:
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], int):
            raise ValueError("a deviation names its tensor")
        found[entry[0]] = Deviation.from_json(entry[1])
    return found


def write_deviations(deviations: Mapping[int, Deviation]) -> list[Any]:
    """The reverse of `read_deviations`, by rising id."""
    return [[tensor, deviation.as_json()] for tensor, deviation in sorted(deviations.items())]
