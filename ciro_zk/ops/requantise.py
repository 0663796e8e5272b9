"""Rescaling by a power of two, rounding and a function of one variable, in one step.

    q = floor((x + 2^(s-1)) / 2^s)      ties upward, for negatives too (s = 0: q = x)
    out = function(q)

Committed: out and the limbs of rem = x + 2^(s-1) - 2^s q; q itself is virtual, q = (x + 2^(s-1) - rem) / 2^s in F_p.
Limbs have B bits (the range table's), the lowest one t = s - B (m - 1) bits: it is looked up as 2^(B-t) limb.

Identity: rem's limbs are in range and (q, out) is a row of the function's graph. Why this is exact: with x below p /
2^(B+1) in magnitude both sides of 2^(B-t) (2^s q + rem) = 2^(B-t) (x + 2^(s-1)) are integers below p/2, so the field
equation holds over the integers, the lowest limb is an integer in [0, 2^t), and 0 <= rem < 2^s makes q the floor.

Where q's range is too wide for one table: q = low + l + 2^k h, l committed, h virtual; (h, c) in a sign table and (c,
l, out) in a window table whose rows for c = -1 and 1 hold the function's end values. Also exact, since the function is
constant outside the window.

Soundness: that of the lookups (`ciro_zk.lookup`). Source: protocol.md, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ldexp
from typing import ClassVar, TypeVar

import numpy as np

from ciro_zk.circuit.error import ROUNDING, SLACK, Approximation, Deviation, Error, Interval, envelope, variation
from ciro_zk.circuit.op import HALF_FIELD, CircuitError, Column, CommitOp, Integers, Lookup, register
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import Clamp, Graph, Range, Sign, Table, Window, round_shift
from ciro_zk.ops.limbs import inverse_power

T = TypeVar("T", Range, Graph, Sign, Window)


def table_at(tables: Sequence[Table], index: int, kind: type[T]) -> T:
    """tables[index], of the wanted kind; `CircuitError` otherwise."""
    table = tables[index] if 0 <= index < len(tables) else None
    if not isinstance(table, kind):
        raise CircuitError(f"table {index} is no {kind.__name__.lower()} table")
    return table


@register
@dataclass(frozen=True, slots=True, kw_only=True)
class Requantise(CommitOp):
    """out = function(round(x / 2^shift)).

    `tables` names a graph table, or a sign and a window table; `range_table` the table of the limbs. Outputs: out, the
    limbs from the lowest, then for a window the offset l and the sign c.
    """

    kind: ClassVar[str] = "requantise"
    unbounded: ClassVar[str] = "its function may pass the greatest value that its table has"
    shift: int
    tables: tuple[int, ...]
    range_table: int

    def _function(self, tables: Sequence[Table]) -> Graph | tuple[Sign, Window]:
        if len(self.tables) == 1:
            return table_at(tables, self.tables[0], Graph)
        if len(self.tables) != 2:
            raise CircuitError("a requantisation names one graph table, or a sign and a window table")
        return table_at(tables, self.tables[0], Sign), table_at(tables, self.tables[1], Window)

    def domain(self, tables: Sequence[Table]) -> tuple[int, int]:
        """The q that the tables cover."""
        function = self._function(tables)
        if isinstance(function, Graph):
            return function.low, function.high
        sign, window = function
        size = 1 << window.bits
        return window.low - sign.limit * size, window.low + (sign.limit + 1) * size - 1

    def _limb_bits(self, tables: Sequence[Table]) -> list[int]:
        """Bits of each limb, lowest first; [] for shift 0."""
        if self.shift == 0:
            return []
        limb = table_at(tables, self.range_table, Range)
        count = -(-self.shift // limb.bits)
        return [self.shift - limb.bits * (count - 1)] + [limb.bits] * (count - 1)

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        (x,) = inputs
        if not 0 <= self.shift <= 48:
            raise CircuitError(f"a shift lies in [0, 48], got {self.shift}")
        low, high = self.domain(tables)
        limbs = self._limb_bits(tables)
        scale = 1 << self._lowest_gap(tables)
        reach = max(x.magnitude + (1 << self.shift), (max(abs(low), abs(high)) + 2) << self.shift)
        if reach * scale >= HALF_FIELD:
            raise CircuitError(f"values up to {reach} times {scale} would wrap around the field; use fewer bits")
        function = self._function(tables)
        f = function.function if isinstance(function, Graph) else function[1].function

        def cell(name: str, low: int, high: int, bounded_by: str) -> Tensor:
            return Tensor(name=name, shape=x.shape, storage=Storage.WITNESS, low=low, high=high, bounded_by=bounded_by)

        outputs = [cell("out", *f.range, "function lookup")]
        outputs += [cell(f"rem{i}", 0, (1 << bits) - 1, "range lookup") for i, bits in enumerate(limbs)]
        if not isinstance(function, Graph):
            outputs += [cell("offset", 0, (1 << function[1].bits) - 1, "window lookup"), cell("sign", -1, 1, "window lookup")]
        return tuple(outputs)

    def _lowest_gap(self, tables: Sequence[Table]) -> int:
        """B - t: how far the lowest limb falls short of the range table; 0 for shift 0."""
        limbs = self._limb_bits(tables)
        limb = tables[self.range_table] if limbs else None
        return limb.bits - limbs[0] if isinstance(limb, Range) else 0

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        (x,) = inputs
        q = round_shift(x, self.shift)
        function = self._function(tables)
        f = function.function if isinstance(function, Graph) else function[1].function
        outputs = [f(q)]
        if self.shift:
            rest = x + (1 << (self.shift - 1)) - (q << self.shift)
            for bits in self._limb_bits(tables):
                outputs.append(rest & ((1 << bits) - 1))
                rest = rest >> bits
        if not isinstance(function, Graph):
            window = function[1]
            offset = (q - window.low) & ((1 << window.bits) - 1)
            outputs += [offset, np.sign((q - window.low - offset) >> window.bits)]
        return tuple(outputs)

    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        function = self._function(tables)
        f = function.function if isinstance(function, Graph) else function[1].function
        low, high = (round_shift(bound, self.shift) for bound in inputs[0])
        lowest, highest = int(low.min()), int(high.max())
        ends = f(low), f(high)
        if f.kind == "clamp":
            return ((ends[0], ends[1]),)
        start, stop = max(lowest, f.window[0]), min(highest, f.window[1])
        inner = f(np.arange(start, stop + 1, dtype=np.int64)) if start <= stop else ends[0].reshape(-1)
        return ((np.full(low.shape, min(inner.min(), ends[0].min())), np.full(low.shape, max(inner.max(), ends[1].max()))),)

    def error(
        self, inputs: Sequence[Approximation], outputs: Sequence[Interval], tables: Sequence[Table], deviation: Deviation
    ) -> tuple[Error, ...]:
        """F(X / 2^s) - out over all ideal X; limbs, offset and sign stand for nothing."""
        x, function, out = inputs[0], self._function(tables), outputs[0]
        f = function.function if isinstance(function, Graph) else function[1].function
        rest = tuple(Error(np.zeros(x.low.shape)) for _ in outputs[1:])
        if x.is_known:
            low, high = (np.ldexp(bound, -self.shift) for bound in x.ideal)
            least, most = envelope(f, low, high, deviation)
            error = Error.between(least - out[0], most - out[0], SLACK * np.maximum(np.abs(low), np.abs(out[0])))
            if isinstance(f, Clamp) and not self.shift and not deviation.whole:
                # what is neither rounded nor clamped keeps its error to the last bit
                bottom = f.minimum if f.numerator == 1 << f.shift and not deviation.coefficient(0) else max(f.minimum, 0)
                error = error.unless((low > bottom) & (high < f.maximum), x.error)
            return (error, *rest)
        q = tuple(int(round_shift(end, self.shift)) for end in (x.low.min(), x.high.max()))
        reach = ldexp(float(x.error.bound.max()), -self.shift) + (ROUNDING if self.shift else 0.0)
        return (Error(np.full(x.low.shape, variation(f, (q[0], q[1]), reach, deviation))), *rest)

    def lookups(self, outputs: Sequence[int], inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Lookup, ...]:
        shape, limbs = inputs[0].shape, self._limb_bits(tables)
        out, rems = outputs[0], outputs[1 : 1 + len(limbs)]
        found = []
        position, q_terms = 0, [(self.inputs[0], 1)]
        for i, (rem, bits) in enumerate(zip(rems, limbs, strict=True)):
            scale = 1 << (self._lowest_gap(tables) if i == 0 else 0)
            found.append(Lookup(table=self.range_table, shape=shape, columns=(Column(terms=((rem, scale),)),)))
            q_terms.append((rem, P - (1 << position)))
            position += bits
        factor = inverse_power(self.shift)
        half = 1 << (self.shift - 1) if self.shift else 0
        q = Column(terms=tuple((t, c * factor % P) for t, c in q_terms), constant=half * factor % P)
        out_column = Column(terms=((out, 1),))
        function = self._function(tables)
        if isinstance(function, Graph):
            return (*found, Lookup(table=self.tables[0], shape=shape, columns=(q, out_column)))
        window = function[1]
        offset, sign = outputs[1 + len(limbs) :]
        inverse = inverse_power(window.bits)
        h_terms = (*((t, c * inverse % P) for t, c in q.terms), (offset, (P - inverse) % P))
        h = Column(terms=h_terms, constant=(q.constant - window.low) * inverse % P)
        sign_column = Column(terms=((sign, 1),))
        return (
            *found,
            Lookup(table=self.tables[0], shape=shape, columns=(h, sign_column)),
            Lookup(table=self.tables[1], shape=shape, columns=(sign_column, Column(terms=((offset, 1),)), out_column)),
        )
