"""Quotients and square roots: a committed value that two remainders enclose.

    Divide        y = floor(n / d), d >= 1        rho = n - y d,    0 <= rho <= d - 1
    SquareRoot    y = floor(sqrt(v)), v >= 0      rho = v - y^2,    0 <= rho <= 2 y

Committed: y and limbs. The product y d or y^2 is an accumulator of the operator's own, so rho and the slack (d - 1 -
rho, 2 y - rho) are virtual. Identity: y - low, rho and the slack each lie in a range, by limbs (`ciro_zk.ops.limbs`).
Why this is exact: y is an integer of known reach, so rho and the slack are integers that cannot wrap around (the bound
below); neither is negative, and exactly one y has both. Without the range of rho any greater quotient would pass,
without the slack's any smaller one, without y's own any at all, since fractions in F_p would do. The widths are the
circuit's choice: a result that does not fit them cannot be proven.

Bound: max|n| + reach(y) (max d + 2) + 2 reach(rho) < p / 2. Soundness: that of the lookups. Source: protocol.md,
section 4 (Div, Softmax, LayerNorm).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import ClassVar, Self

import numpy as np

from ciro_zk.circuit.error import SLACK, Approximation, Deviation, Error, Floats, Interval
from ciro_zk.circuit.op import HALF_FIELD, CircuitError, Column, CommitOp, Integers, Lookup, ProductOp, register
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import Range, Table
from ciro_zk.ops.limbs import limb_lookups, limb_tensors, lower_limbs, num_limbs, reach
from ciro_zk.ops.products import Hadamard
from ciro_zk.ops.requantise import table_at

MAX_WIDTH = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Enclosed(CommitOp):
    """y - low has `width` bits, rho and the slack `rest_width`. Outputs: y, the product, then the limbs of y - low, rho, slack."""

    range_table: int
    low: int
    width: int
    rest_width: int

    @classmethod
    def of(cls, inputs: Sequence[int], operands: Sequence[Interval], range_table: int = 0) -> Self:
        """The operator with the least widths for operands anywhere within their intervals."""
        low, high, rest = cls.bounds([(int(lowest.min()), int(highest.max())) for lowest, highest in operands])
        width, rest_width = max(1, (high - low).bit_length()), max(1, rest.bit_length())
        return cls(inputs=tuple(inputs), range_table=range_table, low=low, width=width, rest_width=rest_width)

    @classmethod
    @abstractmethod
    def bounds(cls, operands: Sequence[tuple[int, int]]) -> tuple[int, int, int]:
        """The range of y and the greatest rho, from the operands' ranges; `CircuitError` where these do not allow the operator."""

    @abstractmethod
    def _product(self, y: int) -> Hadamard:
        """What is subtracted from the first input."""

    @abstractmethod
    def _limit(self, y: int) -> Column:
        """The greatest rho that is allowed."""

    @abstractmethod
    def _value(self, inputs: Sequence[Integers]) -> Integers:
        """y."""

    @abstractmethod
    def _values(self, y: Integers, inputs: Sequence[Integers]) -> tuple[Integers, Integers]:
        """The product, and the greatest rho that is allowed."""

    @abstractmethod
    def _ideal(self, inputs: Sequence[Approximation]) -> tuple[Floats, Floats]:
        """The least and greatest real results of ideal inputs."""

    @abstractmethod
    def _variation(self, inputs: Sequence[Approximation], y: Interval) -> Floats:
        """How far the real result of ideal inputs is at most from that of integers within their ends, whose results are those of y."""

    def error(
        self, inputs: Sequence[Approximation], outputs: Sequence[Interval], tables: Sequence[Table], deviation: Deviation
    ) -> tuple[Error, ...]:
        """Y - y over all ideal inputs, Y without rounding; the product and the limbs stand for nothing."""
        y = outputs[0]
        if all(x.is_known for x in inputs):
            least, most = self._ideal(inputs)
            if deviation.whole:
                doubt = SLACK * (sum(x.error.bound for x in inputs) > 0)
                least, most = np.floor(least - doubt * np.abs(least)), np.floor(most + doubt * np.abs(most))
            error = Error.between(least - y[0] - deviation.cells, most - y[0] + deviation.cells, SLACK * np.abs(y[0]))
        else:
            error = Error(self._variation(inputs, y) + 1.0 + deviation.cells)
        return (error, *(Error(np.zeros(low.shape)) for low, _ in outputs[1:]))

    def _bits(self, tables: Sequence[Table]) -> int:
        return table_at(tables, self.range_table, Range).bits

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        bits = self._bits(tables)
        if len(inputs) != len(self.inputs) or len({x.shape for x in inputs}) != 1:
            raise CircuitError(f"{self.kind}: its operands need one shape")
        if not (1 <= self.width <= MAX_WIDTH and 1 <= self.rest_width <= MAX_WIDTH):
            raise CircuitError(f"{self.kind}: widths lie in [1, {MAX_WIDTH}]")
        low, high, _ = self.bounds([(x.low, x.high) for x in inputs])
        greatest = self.low + reach(self.width, bits)
        low, high = max(low, self.low), min(high, greatest)
        if low > high:
            raise CircuitError(f"{self.kind}: no result fits its limbs, [{self.low}, {greatest}]")
        y_reach = max(abs(self.low), abs(greatest))
        other = y_reach if len(inputs) == 1 else inputs[1].high
        total = inputs[0].magnitude + y_reach * (other + 2) + 2 * reach(self.rest_width, bits)
        if total >= HALF_FIELD:
            raise CircuitError(f"{self.kind}: values up to {total} would wrap around the field; use fewer bits")
        shape, product = inputs[0].shape, y_reach * other
        return (
            Tensor(name="out", shape=shape, storage=Storage.WITNESS, low=low, high=high, bounded_by="range lookups"),
            Tensor(name="product", shape=shape, storage=Storage.ACCUMULATOR, low=-product, high=product, bounded_by="its operands"),
            *limb_tensors("limb", shape, self.width, bits),
            *limb_tensors("rem", shape, self.rest_width, bits),
            *limb_tensors("slack", shape, self.rest_width, bits),
        )

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        bits, y = self._bits(tables), self._value(inputs)
        product, limit = self._values(y, inputs)
        rest = inputs[0] - product
        return (
            y,
            product,
            *lower_limbs(y - self.low, self.width, bits),
            *lower_limbs(rest, self.rest_width, bits),
            *lower_limbs(limit - rest, self.rest_width, bits),
        )

    def products(self, outputs: Sequence[int]) -> Mapping[int, ProductOp]:
        return {outputs[1]: self._product(outputs[0])}

    def lookups(self, outputs: Sequence[int], inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Lookup, ...]:
        y, product, *limbs = outputs
        bits, limit = self._bits(tables), self._limit(y)
        rest = ((self.inputs[0], 1), (product, P - 1))
        values = (
            (Column(terms=((y, 1),), constant=-self.low % P), self.width),
            (Column(terms=rest), self.rest_width),
            (Column(terms=(*limit.terms, *((t, P - c) for t, c in rest)), constant=limit.constant), self.rest_width),
        )
        found: list[Lookup] = []
        for value, width in values:
            count = num_limbs(width, bits) - 1
            found += limb_lookups(self.range_table, inputs[0].shape, value, limbs[:count], width, bits)
            limbs = limbs[count:]
        return tuple(found)


@register
@dataclass(frozen=True, slots=True, kw_only=True)
class Divide(_Enclosed):
    """floor(n / d), cell by cell; d is positive by its range."""

    kind: ClassVar[str] = "divide"
    unbounded: ClassVar[str] = "its divisor may be 0 in the float model"

    @classmethod
    def bounds(cls, operands: Sequence[tuple[int, int]]) -> tuple[int, int, int]:
        (n_low, n_high), (d_low, d_high) = operands
        if d_low < 1:
            raise CircuitError(f"divide: the divisor's range [{d_low}, {d_high}] must be positive")
        return n_low // (d_low if n_low < 0 else d_high), n_high // (d_high if n_high < 0 else d_low), d_high - 1

    def _product(self, y: int) -> Hadamard:
        return Hadamard(inputs=(y, self.inputs[1]))

    def _limit(self, y: int) -> Column:
        return Column(terms=((self.inputs[1], 1),), constant=P - 1)

    def _value(self, inputs: Sequence[Integers]) -> Integers:
        return inputs[0] // inputs[1]

    def _values(self, y: Integers, inputs: Sequence[Integers]) -> tuple[Integers, Integers]:
        return y * inputs[1], inputs[1] - 1

    def _ideal(self, inputs: Sequence[Approximation]) -> tuple[Floats, Floats]:
        (n_low, n_high), (d_low, d_high) = (x.ideal for x in inputs)
        known = d_low > 0
        least = np.where(known, d_low, 1.0)
        quotients = [n / d for n in (n_low, n_high) for d in (least, np.maximum(d_high, least))]
        return np.where(known, np.minimum.reduce(quotients), -np.inf), np.where(known, np.maximum.reduce(quotients), np.inf)

    def _variation(self, inputs: Sequence[Approximation], y: Interval) -> Floats:
        """|n / d - N / D| <= (e_n + |n / d| e_d) / D."""
        n, d = inputs
        least = d.low - d.error.bound
        largest = np.maximum(np.abs(y[0]), np.abs(y[1])) + 1.0
        return np.where(least > 0, (n.error.bound + largest * d.error.bound) / np.where(least > 0, least, 1.0), np.inf)

    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        (n_low, n_high), (d_low, d_high) = inputs
        return ((n_low // np.where(n_low < 0, d_low, d_high), n_high // np.where(n_high < 0, d_high, d_low)),)


@register
@dataclass(frozen=True, slots=True, kw_only=True)
class SquareRoot(_Enclosed):
    """floor(sqrt(v)), cell by cell; v is not negative by its range."""

    kind: ClassVar[str] = "square_root"

    @classmethod
    def bounds(cls, operands: Sequence[tuple[int, int]]) -> tuple[int, int, int]:
        ((low, high),) = operands
        if low < 0:
            raise CircuitError(f"square_root: the operand's range [{low}, {high}] must not be negative")
        return isqrt(low), isqrt(high), 2 * isqrt(high)

    def _product(self, y: int) -> Hadamard:
        return Hadamard(inputs=(y, y))

    def _limit(self, y: int) -> Column:
        return Column(terms=((y, 2),))

    def _value(self, inputs: Sequence[Integers]) -> Integers:
        return integer_root(inputs[0])

    def _values(self, y: Integers, inputs: Sequence[Integers]) -> tuple[Integers, Integers]:
        return y * y, 2 * y

    def _ideal(self, inputs: Sequence[Approximation]) -> tuple[Floats, Floats]:
        least, most = inputs[0].ideal
        return np.sqrt(np.maximum(least, 0.0)), np.sqrt(np.maximum(most, 0.0))

    def _variation(self, inputs: Sequence[Approximation], y: Interval) -> Floats:
        """|sqrt v - sqrt V| <= min(sqrt e, e / sqrt v)."""
        error = inputs[0].error.bound
        return np.minimum(np.sqrt(error), error / np.sqrt(np.maximum(inputs[0].low, 1)))

    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        return ((integer_root(inputs[0][0]), integer_root(inputs[0][1])),)


def integer_root(v: Integers) -> Integers:
    """floor(sqrt(v)) for 0 <= v < 2^62: the float root is off by less than one."""
    y = np.asarray(np.sqrt(v.astype(np.float64)), dtype=np.int64)
    y -= y * y > v
    return y + ((y + 1) * (y + 1) <= v)
