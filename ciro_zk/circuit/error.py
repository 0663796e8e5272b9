"""How far the integers of a circuit can be from the real numbers they stand for.

A tensor of integers x stands for an *ideal* tensor X of real numbers: what exact real arithmetic of the float model
gives, in units of the tensor. Running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
section 3.3): for one inference every operator turns bounds |x - X| <= e on its inputs, cell by cell, into one on its
output. Errors come in at the inputs and weights (rounding), at coefficients (m / 2^s beside a real ratio), at function
tables and where an activation saturates. `Deviation` says by how much; the compiler knows, the graph alone does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.lookup.tables import Clamp, Function

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Approximation = tuple[Integers, Floats]
"""A tensor and a bound on the error of every cell, in units of the tensor."""

MAX_SEARCHED = 1 << 40
ROUNDING = 0.5


@dataclass(frozen=True, slots=True)
class Deviation:
    """How an operator, or a weight, differs from what it stands for.

    `cells`: by how much every cell does, beyond what its inputs' errors and its own rounding explain. `coefficients`:
    |integer coefficient - ideal one| by operand (`combine`), for all entries (`axis_map`), for the negative slope (the
    clamp of a `requantise`). `exact_low`, `exact_high`: whether a function is constant beyond that end in the model
    too; otherwise the ideal function goes on, and a value there is saturated. `reach`: how far, in units of its argument, a jump of
    the ideal function may lie from the table's. `whole`: its values are whole numbers, not rounded ones, and between two
    arguments it has one of the two's values. `limit`: a value of this size or more stands for all beyond; 0 for none.
    """

    cells: float = 0.0
    coefficients: tuple[float, ...] = ()
    exact_low: bool = False
    exact_high: bool = False
    reach: float = 0.0
    whole: bool = False
    limit: int = 0

    def coefficient(self, position: int) -> float:
        """The deviation of one coefficient."""
        return self.coefficients[position] if position < len(self.coefficients) else 0.0

    def as_json(self) -> list[Any]:
        """[cells, coefficients, exact_low, exact_high, reach, whole, limit]."""
        return [self.cells, list(self.coefficients), self.exact_low, self.exact_high, self.reach, self.whole, self.limit]

    @staticmethod
    def from_json(value: object) -> Deviation:
        """The reverse of `as_json`; `ValueError` for anything else."""
        if not isinstance(value, list) or len(value) != 7 or not isinstance(value[1], list):
            raise ValueError("a deviation has seven entries")
        cells, coefficients, low, high, reach, whole, limit = value
        for number in (cells, *coefficients, reach):
            if not isinstance(number, float) or not isfinite(number) or number < 0:
                raise ValueError("a deviation is a number of at least 0")
        if not isinstance(low, bool) or not isinstance(high, bool) or not isinstance(whole, bool):
            raise ValueError("the ends of a deviation, and whether it is whole, are true or false")
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
            raise ValueError("the limit of a deviation is a whole number of at least 0")
        return Deviation(cells, tuple(coefficients), low, high, reach, whole, limit)


EXACT = Deviation()


def searched(inputs: Sequence[Approximation]) -> list[tuple[Integers, Integers]] | None:
    """Integers around all ideal values, or None where they are too far apart for integer arithmetic."""
    found = []
    for values, errors in inputs:
        low, high = np.floor(values - errors), np.ceil(values + errors)
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
