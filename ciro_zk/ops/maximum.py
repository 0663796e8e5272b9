"""y = max(x_1, ..., x_m), cell by cell, 2 <= m <= 4: pooling windows, reductions and the Max operator are trees of these.

Committed: y. Identity: y - x_i is in [0, 2^B) for every i, and prod_i (y - x_i) = 0 in every cell: y bounds all of them
and equals one of them. The products are one zero check, sum over cells of eq(tau, cell) prod_i (y - x_i) = 0 at a
random tau: degree m + 1 <= 5 per variable, soundness error (variables + degree * variables) / |K|. Source: protocol.md,
section 4 (MaxPool).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from ciro_zk.circuit.error import SLACK, Approximation, Deviation, Error, Interval
from ciro_zk.circuit.op import CircuitError, Column, CommitOp, Integers, Lookup, ZeroCheck, register
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import Range, Table
from ciro_zk.ops.requantise import table_at

MAX_OPERANDS = 4


@register
@dataclass(frozen=True, slots=True, kw_only=True)
class Maximum(CommitOp):
    """The greatest of 2 to 4 tensors of one shape, cell by cell."""

    kind: ClassVar[str] = "maximum"
    range_table: int

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        if not 2 <= len(inputs) <= MAX_OPERANDS or len({x.shape for x in inputs}) != 1:
            raise CircuitError(f"a maximum takes 2 to {MAX_OPERANDS} tensors of one shape")
        table = table_at(tables, self.range_table, Range)
        low, high = min(x.low for x in inputs), max(x.high for x in inputs)
        if high - low >= table.num_rows:
            raise CircuitError(f"differences up to {high - low} do not fit the range table of {table.num_rows} rows; use fewer bits")
        bound = "equality with an operand (zero check)"
        return (Tensor(name="max", shape=inputs[0].shape, storage=Storage.WITNESS, low=low, high=high, bounded_by=bound),)

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        return (reduce(np.maximum, inputs),)

    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        return ((reduce(np.maximum, [low for low, _ in inputs]), reduce(np.maximum, [high for _, high in inputs])),)

    def error(
        self, inputs: Sequence[Approximation], outputs: Sequence[Interval], tables: Sequence[Table], deviation: Deviation
    ) -> tuple[Error, ...]:
        """The maximum of the ideal operands; over a range that of their errors."""
        if not all(x.is_known for x in inputs):
            return (Error(reduce(np.maximum, [x.error.bound for x in inputs])),)
        y, lowest, highest = outputs[0][0], [], []
        for x in inputs:
            # of an operand that is the maximum the error is that of the result, to the last bit
            (low, high), below = x.error.ends, x.low - y
            slack = SLACK * np.where(below == 0, 0.0, np.abs(below) + x.error.bound)
            lowest.append(below + low - slack)
            highest.append(below + high + slack)
        return (Error.between(reduce(np.maximum, lowest), reduce(np.maximum, highest)),)

    def _differences(self, outputs: Sequence[int]) -> tuple[Column, ...]:
        return tuple(Column(terms=((outputs[0], 1), (x, P - 1))) for x in self.inputs)

    def lookups(self, outputs: Sequence[int], inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Lookup, ...]:
        shape = inputs[0].shape
        return tuple(Lookup(table=self.range_table, shape=shape, columns=(column,)) for column in self._differences(outputs))

    def zero_checks(self, outputs: Sequence[int], inputs: Sequence[Tensor]) -> tuple[ZeroCheck, ...]:
        return (ZeroCheck(shape=inputs[0].shape, columns=self._differences(outputs)),)
