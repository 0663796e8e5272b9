"""Public operators: their outputs follow from public inputs alone, so the verifier computes them.

    OneHot      y[.., i] = 1 where id = i, or id + length = i, for ids `(..)`; 0 elsewhere

Identity: none to prove, and no soundness error. A form on the output is evaluated by the verifier at the few cells that are not 0,
with the ids of the statement; times a table of weights, the output is the table's rows by those ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ciro_zk.circuit.error import Approximation, Deviation, Error, Interval
from ciro_zk.circuit.op import CircuitError, Integers, PublicOp, register
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.lookup.tables import Table

MAX_LENGTH = 1 << 20
MAX_AXES = 8


@register
@dataclass(frozen=True, slots=True, kw_only=True)
class OneHot(PublicOp):
    """Ids as rows of one 1 and zeros, of zeros alone for an id beyond [-length, length)."""

    kind: ClassVar[str] = "one_hot"
    length: int

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        (ids,) = inputs
        if ids.storage is not Storage.INPUT:
            raise CircuitError(f"one_hot: the ids must be a public input, not {ids.storage}")
        if len(ids.shape) >= MAX_AXES or not 1 <= self.length <= MAX_LENGTH:
            raise CircuitError(f"one_hot: {self.length} cells for ids of shape {ids.shape}")
        shape = (*ids.shape, self.length)
        return (Tensor(name="", shape=shape, storage=Storage.PUBLIC, low=0, high=1, bounded_by="the verifier's own computation"),)

    def ones(self, inputs: Sequence[Integers]) -> Integers:
        ids = inputs[0].reshape(-1)
        places = np.where(ids < 0, ids + self.length, ids)
        rows = np.flatnonzero((places >= 0) & (places < self.length))
        return rows * self.length + places[rows]

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        result = np.zeros((*inputs[0].shape, self.length), dtype=np.int64)
        result.reshape(-1)[self.ones(inputs)] = 1
        return (result,)

    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        low, high = (bound[..., None] for bound in inputs[0])
        cell = np.arange(self.length)
        may = ((low <= cell) & (cell <= high)) | ((low <= cell - self.length) & (cell - self.length <= high))
        return (((may & (low == high)).astype(np.int64), may.astype(np.int64)),)

    def error(
        self, inputs: Sequence[Approximation], outputs: Sequence[Interval], tables: Sequence[Table], deviation: Deviation
    ) -> tuple[Error, ...]:
        """An id that may be another one moves every cell of its row by at most 1."""
        off = (inputs[0].error.bound > 0).astype(np.float64)
        return (Error(np.broadcast_to(off[..., None], outputs[0][0].shape)),)
