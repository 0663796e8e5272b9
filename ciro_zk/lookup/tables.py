"""Lookup tables: public integer contents, part of the program digest, never recomputed with floating point.

A table is a list of rows of small integers. A lookup proves that a row of committed or virtual cells is one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

MAX_LOG_ROWS = 18
MAX_CELL = 1 << 40


def round_shift(values: Integers, shift: int) -> Integers:
    """floor((v + 2^(shift-1)) / 2^shift): the one rounding rule, ties upward for negatives too; the identity for shift 0."""
    return values if shift == 0 else (values + (1 << (shift - 1))) >> shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """One column: the integers [0, 2^bits)."""

    kind: ClassVar[str] = "range"
    bits: int

    def check(self) -> None:
        """`ValueError` unless 1 <= bits <= 18."""
        if not 1 <= self.bits <= MAX_LOG_ROWS:
            raise ValueError(f"a range table has 1 to {MAX_LOG_ROWS} bits, got {self.bits}")

    @property
    def num_rows(self) -> int:
        return 1 << self.bits

    @property
    def num_columns(self) -> int:
        return 1

    def columns(self) -> tuple[Integers, ...]:
        return (np.arange(1 << self.bits, dtype=np.int64),)

    def rows(self, columns: Sequence[Integers]) -> Integers:
        """The row each entry is, -1 for none."""
        return _inside(columns[0], columns[0], 0, self.num_rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamp:
    """The function q -> clamp(q, minimum, maximum), negative q first scaled to round(q numerator / 2^shift) (1 / 2^0: left as it
    is)."""

    kind: ClassVar[str] = "clamp"
    minimum: int
    maximum: int
    numerator: int = 1
    shift: int = 0

    def check(self) -> None:
        """`ValueError` for an empty range or a slope outside [0, 1]."""
        if not -MAX_CELL <= self.minimum <= self.maximum <= MAX_CELL:
            raise ValueError("a clamp needs minimum <= maximum, both below 2^40")
        if not (0 <= self.shift <= 20 and 0 <= self.numerator <= 1 << self.shift):
            raise ValueError("a clamp's negative slope lies in [0, 1], with a shift of at most 20")

    def __call__(self, q: Integers) -> Integers:
        scaled = np.where(q < 0, round_shift(q * self.numerator, self.shift), q)
        return np.clip(scaled, self.minimum, self.maximum)

    @property
    def window(self) -> tuple[int, int]:
        """The least [low, high] outside of which the function is constant."""
        if self.numerator == 0 or self.minimum == 0:
            return (min(0, self.maximum), max(self.maximum, 0))
        low = self.minimum if self.numerator == 1 << self.shift else -(((-self.minimum) << self.shift) // self.numerator + 2)
        return (min(low, 0), max(self.maximum, 0))

    @property
    def range(self) -> tuple[int, int]:
        return (self.minimum, self.maximum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """The function with the given values on [low, low + len(values)), constant beyond both ends."""

    kind: ClassVar[str] = "sampled"
    low: int
    values: tuple[int, ...]

    def check(self) -> None:
        """`ValueError` for no values, too many, or values past 2^40."""
        if not 1 <= len(self.values) <= 1 << MAX_LOG_ROWS:
            raise ValueError(f"a sampled function has 1 to 2^{MAX_LOG_ROWS} values")
        if abs(self.low) > MAX_CELL or max(self.values) > MAX_CELL or min(self.values) < -MAX_CELL:
            raise ValueError("a sampled function's cells are below 2^40")

    def __call__(self, q: Integers) -> Integers:
        return np.array(self.values, dtype=np.int64)[np.clip(q - self.low, 0, len(self.values) - 1)]

    @property
    def window(self) -> tuple[int, int]:
        return (self.low, self.low + len(self.values) - 1)

    @property
    def range(self) -> tuple[int, int]:
        return (min(self.values), max(self.values))


Function = Clamp | Sampled


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Two columns (q, function(q)) for low <= q <= high."""

    kind: ClassVar[str] = "graph"
    function: Function
    low: int
    high: int

    def check(self) -> None:
        """`ValueError` for an empty or too large domain."""
        self.function.check()
        if not -MAX_CELL <= self.low <= self.high <= MAX_CELL or self.high - self.low >= 1 << MAX_LOG_ROWS:
            raise ValueError(f"a function table's domain has 1 to 2^{MAX_LOG_ROWS} integers")

    @property
    def num_rows(self) -> int:
        return self.high - self.low + 1

    @property
    def num_columns(self) -> int:
        return 2

    def columns(self) -> tuple[Integers, ...]:
        q = np.arange(self.low, self.high + 1, dtype=np.int64)
        return (q, self.function(q))

    def rows(self, columns: Sequence[Integers]) -> Integers:
        """The row each entry is, -1 for none."""
        q, out = columns
        return _matching(self, _inside(q - self.low, q, self.low, self.high + 1), (q, out))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Two columns (h, sign(h)) for -limit <= h <= limit."""

    kind: ClassVar[str] = "sign"
    limit: int

    def check(self) -> None:
        """`ValueError` unless 1 <= limit < 2^17."""
        if not 1 <= self.limit < 1 << (MAX_LOG_ROWS - 1):
            raise ValueError(f"a sign table's limit lies in [1, 2^{MAX_LOG_ROWS - 1})")

    @property
    def num_rows(self) -> int:
        return 2 * self.limit + 1

    @property
    def num_columns(self) -> int:
        return 2

    def columns(self) -> tuple[Integers, ...]:
        h = np.arange(-self.limit, self.limit + 1, dtype=np.int64)
        return (h, np.sign(h))

    def rows(self, columns: Sequence[Integers]) -> Integers:
        """The row each entry is, -1 for none."""
        h, sign = columns
        return _matching(self, _inside(h + self.limit, h, -self.limit, self.limit + 1), (h, sign))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Three columns (sign, l, out), 0 <= l < 2^bits: out = function(low + l) for sign 0, the function's last value below or above
    the window for -1 and 1."""

    kind: ClassVar[str] = "window"
    function: Function
    low: int
    bits: int

    def check(self) -> None:
        """`ValueError` unless the function is constant outside the window."""
        self.function.check()
        if not 1 <= self.bits <= MAX_LOG_ROWS - 2 or abs(self.low) > MAX_CELL:
            raise ValueError(f"a window has 1 to {MAX_LOG_ROWS - 2} bits")
        low, high = self.function.window
        if low < self.low or high > self.low + (1 << self.bits) - 1:
            raise ValueError("the function is not constant outside the window")

    @property
    def num_rows(self) -> int:
        return 3 << self.bits

    @property
    def num_columns(self) -> int:
        return 3

    def columns(self) -> tuple[Integers, ...]:
        size = 1 << self.bits
        offsets = np.arange(size, dtype=np.int64)
        ends = self.function(np.array([self.low, self.low + size - 1], dtype=np.int64))
        out = np.concatenate([np.full(size, ends[0]), self.function(self.low + offsets), np.full(size, ends[1])])
        return (np.repeat(np.array([-1, 0, 1], dtype=np.int64), size), np.tile(offsets, 3), out)

    def rows(self, columns: Sequence[Integers]) -> Integers:
        """The row each entry is, -1 for none."""
        sign, offset, out = columns
        size = 1 << self.bits
        row = _inside(sign * size + offset + size, sign, -1, 2)
        row = np.where((offset >= 0) & (offset < size), row, -1)
        return _matching(self, row, (sign, offset, out))


Table = Range | Graph | Sign | Window


def _inside(row: Integers, key: Integers, low: int, stop: int) -> Integers:
    """row where low <= key < stop, else -1."""
    return np.where((key >= low) & (key < stop), row, -1)


def _matching(table: Table, row: Integers, entries: Sequence[Integers]) -> Integers:
    """row where the table's row equals the entries, else -1."""
    found = row >= 0
    for column, entry in zip(table.columns(), entries, strict=True):
        found &= column[np.maximum(row, 0)] == entry
    return np.where(found, row, -1)
