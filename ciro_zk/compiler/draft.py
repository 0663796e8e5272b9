"""The integer circuit before its tables are chosen: operators in order, with the interval that every cell can reach.

Tables are shared by all operators with the same function, so their domains are known only when all operators are.
Until then a requantisation names its function, a maximum, quotient or root no range table. `build` (in `ciro_zk.compiler.assemble`)
replays the draft into a graph.

Two bounds are carried along: the tensors' soundness range, which follows from what the circuit enforces, and the
cell-wise completeness interval, which uses the actual weights and holds for every input in the declared range. The
latter sizes the tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.error import EXACT, Deviation
from ciro_zk.circuit.law import Law
from ciro_zk.circuit.op import CircuitError, Op
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.errors import BoundsError
from ciro_zk.lookup.tables import Clamp, Function, Graph, Range, round_shift
from ciro_zk.ops import Divide, Maximum, Requantise, SquareRoot
from ciro_zk.ops.range_check import MAX_BITS, MAX_LIMBS

T = TypeVar("T")
Integers = NDArray[np.int64]
Interval = tuple[Integers, Integers]

DROPPED: Interval = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
FEWER_BITS = "compile with fewer bits, narrow the declared input range, or calibrate on inputs all over it"


@dataclass(frozen=True, slots=True)
class Leaf:
    """An input (scale given) or a weight (values given)."""

    tensor: Tensor
    scale: float | None = None
    values: Integers | None = None


@dataclass(frozen=True, slots=True)
class Plain:
    """A linear or product operator; its inputs are draft ids."""

    op: Op
    name: str


@dataclass(frozen=True, slots=True)
class Rescale:
    """A requantisation to be given tables. `low` and `high` bound q for completeness."""

    source: int
    shift: int
    function: Function
    name: str
    low: int
    high: int
    extra: int = 0
    """Bits of the remainder that are used too (`Refined`): those of the top limb, so of the range table; 0 for none."""

    @property
    def num_limbs(self) -> int:
        """Limbs of the remainder, where bits of it are used."""
        return -(-self.shift // self.extra)


@dataclass(frozen=True, slots=True)
class Ranged:
    """A maximum, quotient or root to be given the range table; its inputs are draft ids."""

    op: Maximum | Divide | SquareRoot
    name: str


@dataclass(frozen=True, slots=True)
class Refined:
    """A requantisation's result with the top limb of its remainder."""

    source: int
    extra: int
    name: str


Entry = Leaf | Plain | Rescale | Ranged | Refined


def relu_part(function: Function) -> Clamp | None:
    """clamp(q, 0, M) for a function clamp(slope q, -M, M), which may be written as relu(x) - relu(-slope x); None for others."""
    if isinstance(function, Clamp) and function.minimum == -function.maximum < 0 and function.numerator > 0:
        return Clamp(minimum=0, maximum=function.maximum)
    return None


def _wide(interval: Interval) -> Interval:
    """An interval in int64; weights, whose ends are one array, are kept in a narrower type."""
    low = interval[0].astype(np.int64, copy=False)
    return low, low if interval[1] is interval[0] else interval[1].astype(np.int64, copy=False)


class Draft:
    """A circuit under construction. Every entry makes one tensor, whose id is the entry's position."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.tensors: list[Tensor] = []
        self.intervals: list[Interval] = []
        self.deviations: dict[int, Deviation] = {}
        self.laws: dict[int, Law] = {}
        self._weights: dict[tuple[tuple[int, ...], int, float, bytes], int] = {}

    def _append(self, entry: Entry, tensor: Tensor, interval: Interval, deviation: Deviation = EXACT) -> int:
        self.entries.append(entry)
        self.tensors.append(tensor)
        self.intervals.append(interval)
        if deviation != EXACT:
            self.deviations[len(self.entries) - 1] = deviation
        return len(self.entries) - 1

    def drop(self, tensors: Iterable[int]) -> None:
        """Forget intervals that are no longer asked for."""
        for tensor in tensors:
            self.intervals[tensor] = DROPPED

    def magnitude(self, tensor: int) -> int:
        """The greatest |cell| that the interval allows."""
        low, high = self.intervals[tensor]
        return max(abs(int(low.min())), abs(int(high.max())))

    def input(self, name: str, shape: tuple[int, ...], low: int, high: int, scale: float) -> int:
        """A public input with integers in [low, high]."""
        tensor = Tensor(name=name, shape=shape, storage=Storage.INPUT, low=low, high=high, bounded_by="")
        ends = np.broadcast_to(np.int64(low), shape), np.broadcast_to(np.int64(high), shape)
        return self._append(Leaf(tensor, scale=scale), tensor, ends)

    @staticmethod
    def weight_bits(peak: int, bits: int) -> int:
        """Bits of a weight tensor with values in [-peak - 1, peak]: a multiple of `bits`."""
        return bits * max(1, -(-(peak.bit_length() + 1) // bits))

    def weight(self, name: str, values: Integers, bits: int, error: float = 0.0) -> int:
        """A weight tensor, in the least number of limbs of `bits` bits that holds it; `error` in units, of any cell.

        Equal weights are one tensor: those of a recurrence are committed once, whatever the number of its steps.
        """
        peak = max(int(values.max(initial=0)), -int(values.min(initial=0)) - 1)
        width = self.weight_bits(peak, bits)
        if width > min(MAX_BITS, MAX_LIMBS * bits):
            raise BoundsError("a constant does not fit the circuit's range", node=name, bound=peak, remedy=FEWER_BITS)
        half = 1 << (width - 1)
        tensor = Tensor(name=name, shape=values.shape, storage=Storage.WEIGHT, low=-half, high=half - 1, bounded_by="")
        values = values.astype(tensor.dtype, copy=False)
        key = (values.shape, bits, error, hashlib.blake2s(values.tobytes()).digest())
        if key not in self._weights:
            self._weights[key] = self._append(Leaf(tensor, values=values), tensor, (values, values), Deviation(error))
        found = self._weights[key]
        self.intervals[found] = (values, values)  # it may have been dropped
        return found

    def add(self, op: Op, name: str, deviation: Deviation = EXACT, known: tuple[int, int] | None = None) -> int:
        """A linear or product operator. `known` bounds its cells for a reason that intervals, cell by cell, do not see."""
        (tensor,) = self._guarded(lambda _, tensors: op.infer(tensors, ()), op.inputs, name)
        ((low, high),) = op.interval([_wide(self.intervals[i]) for i in op.inputs], ())
        if known is not None:
            low, high = np.maximum(low, known[0]), np.minimum(high, known[1])
        return self._append(Plain(op, name), tensor, (low, high), deviation)

    def rescale(self, source: int, shift: int, function: Function, name: str, deviation: Deviation = EXACT, extra: int = 0) -> int:
        """function(round(x / 2^shift)), committed; `extra` bits of the remainder are left to `refine`."""
        before = _wide(self.intervals[source])
        low, high = (round_shift(bound, shift) for bound in before)
        lowest, highest = int(low.min()), int(high.max())
        scratch = (Range(bits=16), Graph(function=function, low=lowest, high=highest))
        op = Requantise(inputs=(source,), shift=shift, tables=(1,), range_table=0)
        interval = op.interval([before], scratch)[0]
        if isinstance(function, Clamp) and function.shift and relu_part(function) is not None:
            # relu(x) - relu(-slope x) rounds once, not twice: below zero it may differ by one
            least, most = interval
            interval = np.maximum(least - (least <= 0), function.range[0]), most + (most < 0)
        out_low, out_high = function.range
        shape = self.tensors[source].shape
        tensor = Tensor(name="", shape=shape, storage=Storage.WITNESS, low=out_low, high=out_high, bounded_by="function lookup")
        return self._append(Rescale(source, shift, function, name, lowest, highest, extra), tensor, interval, deviation)

    def refine(self, tensor: int, name: str) -> int:
        """2^extra out + floor(rem / 2^(shift - extra)) - 2^(extra - 1) for the requantisation that `tensor` is."""
        entry = self.entries[tensor]
        if not isinstance(entry, Rescale):
            raise TypeError(f"{name} is no requantisation")
        out, half = self.tensors[tensor], 1 << entry.extra >> 1
        low, high = (ends << entry.extra for ends in _wide(self.intervals[tensor]))
        found = replace(out, storage=Storage.VIRTUAL, low=(out.low << entry.extra) - half, high=(out.high << entry.extra) + half - 1)
        return self._append(Refined(tensor, entry.extra, name), found, (low - half, high + half - 1), Deviation(cells=float(half)))

    def greatest(self, sources: Sequence[int], name: str) -> int:
        """The cell-wise maximum of 2 to 4 tensors, committed."""
        return self._ranged(Maximum(inputs=tuple(sources), range_table=0), name)

    def divide(self, numerator: int, divisor: int, name: str) -> int:
        """floor(n / d), committed; the divisor is positive by its range."""
        return self._enclosed(Divide, (numerator, divisor), name)

    def square_root(self, source: int, name: str) -> int:
        """floor(sqrt(v)), committed; v is not negative by its range."""
        return self._enclosed(SquareRoot, (source,), name)

    def _enclosed(self, kind: type[Divide] | type[SquareRoot], inputs: tuple[int, ...], name: str) -> int:
        return self._ranged(self._guarded(lambda ids, _: kind.of(ids, [self.intervals[i] for i in ids]), inputs, name), name)

    def _guarded(self, make: Callable[[Sequence[int], Sequence[Tensor]], T], inputs: Sequence[int], name: str) -> T:
        tensors = [self.tensors[i] for i in inputs]
        try:
            return make(inputs, tensors)
        except CircuitError as error:
            raise BoundsError(str(error), node=name, bound=max(t.magnitude for t in tensors), remedy=FEWER_BITS) from error

    def _ranged(self, op: Maximum | Divide | SquareRoot, name: str) -> int:
        scratch = (Range(bits=16),)
        tensor = self._guarded(lambda _, t: op.infer(t, scratch)[0], op.inputs, name)
        return self._append(Ranged(op, name), tensor, op.interval([_wide(self.intervals[i]) for i in op.inputs], ())[0])
