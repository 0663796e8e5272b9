"""Every cell of a tensor lies in its declared range [low, high], high - low + 1 = 2^(B m).

Committed: m - 1 limbs of x - low, all but the top one, which is virtual. Identity: every limb is in [0, 2^B). It is
what the weights' registration proves once at setup, so that soundness bounds may use the weights' range. Source:
protocol.md, section 4 (Weights).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ciro_zk.circuit.op import CircuitError, Column, CommitOp, Integers, Lookup, register
from ciro_zk.circuit.tensor import Tensor
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import Range, Table
from ciro_zk.ops.limbs import limb_lookups, limb_tensors, lower_limbs
from ciro_zk.ops.requantise import table_at

MAX_LIMBS, MAX_BITS = 8, 60


@register
@dataclass(frozen=True, slots=True, kw_only=True)
class RangeCheck(CommitOp):
    """low <= x <= high as the tensor declares them. Outputs: the limbs but the top one, lowest first."""

    kind: ClassVar[str] = "range_check"
    range_table: int
    low: int
    num_limbs: int

    def _bits(self, tables: Sequence[Table]) -> int:
        return table_at(tables, self.range_table, Range).bits

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        (x,) = inputs
        bits = self._bits(tables)
        if not 1 <= self.num_limbs <= MAX_LIMBS or bits * self.num_limbs > MAX_BITS:
            raise CircuitError(f"a range check has 1 to {MAX_LIMBS} limbs and at most {MAX_BITS} bits")
        if (x.low, x.high) != (self.low, self.low + (1 << (bits * self.num_limbs)) - 1):
            raise CircuitError(f"{self.num_limbs} limbs of {bits} bits from {self.low} do not make the range [{x.low}, {x.high}]")
        return limb_tensors("limb", x.shape, bits * self.num_limbs, bits)

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        bits = self._bits(tables)
        return lower_limbs(inputs[0] - self.low, bits * self.num_limbs, bits)

    def interval(self, inputs: Sequence[tuple[Integers, Integers]], tables: Sequence[Table]) -> tuple[tuple[Integers, Integers], ...]:
        top = (1 << self._bits(tables)) - 1
        return tuple((np.zeros_like(inputs[0][0]), np.full_like(inputs[0][0], top)) for _ in range(self.num_limbs - 1))

    def lookups(self, outputs: Sequence[int], inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Lookup, ...]:
        (x,) = inputs
        value = Column(terms=((self.inputs[0], 1),), constant=-x.low % P)
        bits = self._bits(tables)
        return limb_lookups(self.range_table, x.shape, value, outputs, bits * self.num_limbs, bits)
