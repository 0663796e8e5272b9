"""Affine operators: their outputs are virtual, nothing is committed or sent for them.

    Reshape     y = x in C order under another shape
    Transpose   y = x with its axes permuted
    AxisMap     y[.., i, ..] = sum_j weight[i][j] x[.., index[i][j], ..]: slice, pad, broadcast, pooling sums, window elements
    Combine     y = sum_k coefficient_k x_k + constant

Identity: <w, A x + b> = <A^T w, x> + <w, b>, exact. Source: protocol.md, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.error import SLACK, Approximation, Deviation, Error, Floats, Interval
from ciro_zk.circuit.op import HALF_FIELD, Batcher, CircuitError, Integers, LinearOp, register
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.field import goldilocks
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import Table
from ciro_zk.poly import linear_form
from ciro_zk.poly.linear_form import Term

Number = TypeVar("Number", np.int64, np.float64)
MAX_AXES = 8


def virtual(shape: tuple[int, ...], low: int, high: int) -> Tensor:
    """A virtual output; `CircuitError` where a value could wrap around p."""
    if not 1 <= len(shape) <= MAX_AXES or any(d < 1 for d in shape):
        raise CircuitError(f"a tensor has 1 to {MAX_AXES} axes of at least one cell, got {shape}")
    if max(abs(low), abs(high)) >= HALF_FIELD:
        raise CircuitError(f"values up to {max(abs(low), abs(high))} would wrap around the field")
    return Tensor(name="", shape=shape, storage=Storage.VIRTUAL, low=low, high=high, bounded_by="its inputs")


@register
@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape(LinearOp):
    """The same cells in C order under another shape."""

    kind: ClassVar[str] = "reshape"
    shape: tuple[int, ...]

    def batch(self, batcher: Batcher, inputs: tuple[int, ...]) -> tuple[int, ...]:
        return batcher.add(Reshape(inputs=inputs, shape=(batcher.size, *self.shape)))

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        (x,) = inputs
        if prod(self.shape) != x.size:
            raise CircuitError(f"cannot reshape {x.shape} to {self.shape}")
        return (virtual(self.shape, x.low, x.high),)

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        return (inputs[0].reshape(self.shape),)

    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        return ((inputs[0][0].reshape(self.shape), inputs[0][1].reshape(self.shape)),)

    def error(
        self, inputs: Sequence[Approximation], outputs: Sequence[Interval], tables: Sequence[Table], deviation: Deviation
    ) -> tuple[Error, ...]:
        return (inputs[0].error.view(lambda cells: cells.reshape(self.shape)),)

    def pull_back(self, term: Term, inputs: Sequence[Tensor]) -> tuple[tuple[int, Term], ...]:
        return ((self.inputs[0], linear_form.reshape(term, inputs[0].shape)),)


@register
@dataclass(frozen=True, slots=True, kw_only=True)
class Transpose(LinearOp):
    """y = x.transpose(permutation)."""

    kind: ClassVar[str] = "transpose"
    permutation: tuple[int, ...]

    def batch(self, batcher: Batcher, inputs: tuple[int, ...]) -> tuple[int, ...]:
        return batcher.add(Transpose(inputs=inputs, permutation=(0, *(axis + 1 for axis in self.permutation))))

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        (x,) = inputs
        if sorted(self.permutation) != list(range(len(x.shape))):
            raise CircuitError(f"{self.permutation} is no permutation of the axes of {x.shape}")
        return (virtual(tuple(x.shape[axis] for axis in self.permutation), x.low, x.high),)

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        return (np.ascontiguousarray(inputs[0].transpose(self.permutation)),)

    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        low, high = inputs[0]
        return ((low.transpose(self.permutation), high.transpose(self.permutation)),)

    def error(
        self, inputs: Sequence[Approximation], outputs: Sequence[Interval], tables: Sequence[Table], deviation: Deviation
    ) -> tuple[Error, ...]:
        return (inputs[0].error.view(lambda cells: cells.transpose(self.permutation)),)

    def pull_back(self, term: Term, inputs: Sequence[Tensor]) -> tuple[tuple[int, Term], ...]:
        return ((self.inputs[0], linear_form.transpose(term, self.permutation)),)


@dataclass(frozen=True, slots=True)
class _Transpose:
    """A sparse matrix, transposed: its entries in the order of their `targets`."""

    rows: NDArray[np.int64]
    coefficients: NDArray[np.uint64] | None
    """None: all 1."""
    targets: NDArray[np.int64]
    """Distinct, ascending."""
    starts: NDArray[np.int64] | None
    """Where each target's entries start; None: one each."""

    @staticmethod
    def of(index: NDArray[np.int64], weight: NDArray[np.int64]) -> _Transpose:
        rows, columns = np.nonzero(weight)
        found, factors = index[rows, columns], weight[rows, columns]
        order = np.argsort(found, kind="stable")
        targets, starts = np.unique(found[order], return_index=True)
        coefficients = None if np.all(factors == 1) else goldilocks.from_signed(factors[order])
        return _Transpose(rows[order], coefficients, targets, None if targets.size == rows.size else starts)

    def place(self, result: NDArray[np.uint64], values: NDArray[np.uint64]) -> None:
        """Put the transpose of `values` `(..., n_out)` into the zeros of `result` `(..., n_in)`."""
        part = values[..., self.rows]
        if self.coefficients is not None:
            part = goldilocks.mul(part, self.coefficients)
        result[..., self.targets] = part if self.starts is None else goldilocks.sum_runs(part, self.starts)


@register
@dataclass(frozen=True, kw_only=True)
class AxisMap(LinearOp):
    """A sparse integer matrix along one axis: row i of `index` and `weight` lists what output cell i sums. A weight of 0 leaves an
    entry out."""

    kind: ClassVar[str] = "axis_map"
    axis: int
    index: tuple[tuple[int, ...], ...]
    weight: tuple[tuple[int, ...], ...]

    def batch(self, batcher: Batcher, inputs: tuple[int, ...]) -> tuple[int, ...]:
        return batcher.add(replace(self, inputs=inputs, axis=self.axis + 1))

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        (x,) = inputs
        if not 0 <= self.axis < len(x.shape):
            raise CircuitError(f"{x.shape} has no axis {self.axis}")
        widths = set(map(len, (*self.index, *self.weight)))
        if len(self.index) != len(self.weight) or len(widths) != 1 or widths == {0}:
            raise CircuitError("index and weight must be equal non-empty rectangles")
        if min(map(min, self.index)) < 0 or max(map(max, self.index)) >= x.shape[self.axis]:
            raise CircuitError(f"an index is outside axis {self.axis} of {x.shape}")
        if max(max(map(max, self.weight)), -min(map(min, self.weight))) >= HALF_FIELD:
            raise CircuitError("a weight does not fit the field")
        weight = np.array(self.weight, dtype=object)  # the sums of a row may pass 64 bits
        up, down = np.maximum(weight, 0).sum(axis=1), np.minimum(weight, 0).sum(axis=1)
        low, high = min(up * x.low + down * x.high), max(up * x.high + down * x.low)
        return (virtual((*x.shape[: self.axis], len(self.index), *x.shape[self.axis + 1 :]), low, high),)

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return np.array(self.index, dtype=np.int64), np.array(self.weight, dtype=np.int64)

    @cached_property
    def _transpose(self) -> _Transpose:
        return _Transpose.of(*self._arrays)

    @property
    def num_entries(self) -> int:
        return len(self.index) * len(self.index[0])

    def _apply(self, x: NDArray[Number], weight: NDArray[Number]) -> NDArray[Number]:
        index, _ = self._arrays
        shape = [1] * x.ndim
        shape[self.axis] = -1
        result: NDArray[Number] = np.zeros((*x.shape[: self.axis], index.shape[0], *x.shape[self.axis + 1 :]), dtype=x.dtype)
        for j in range(index.shape[1]):
            result += np.take(x, index[:, j], axis=self.axis) * weight[:, j].reshape(shape)
        return result

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        return (self._apply(inputs[0], self._arrays[1]),)

    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        (low, high), weight = inputs[0], self._arrays[1]
        up, down = np.maximum(weight, 0), np.minimum(weight, 0)
        return ((self._apply(low, up) + self._apply(high, down), self._apply(high, up) + self._apply(low, down)),)

    def error(
        self, inputs: Sequence[Approximation], outputs: Sequence[Interval], tables: Sequence[Table], deviation: Deviation
    ) -> tuple[Error, ...]:
        """sum w c, and sum |w| r + |w - W| (|x + c| + r)."""
        x, weight = inputs[0], self._arrays[1].astype(np.float64)
        centre = None if x.error.centre is None else self._apply(x.error.centre, weight)
        # signs and copies are exact
        spread = x.error.radius if weight.shape[1] == 1 and np.abs(weight).max() <= 1 else x.error.uncertain
        radius = self._apply(spread, np.abs(weight)) + deviation.cells
        if deviation.coefficient(0):
            radius += self._apply(x.middle + x.error.radius, np.where(weight != 0, deviation.coefficient(0), 0.0))
        return (Error(radius, centre),)

    def pull_back(self, term: Term, inputs: Sequence[Tensor]) -> tuple[tuple[int, Term], ...]:
        length = inputs[0].shape[self.axis]

        def pull(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
            linear_form.check_dense(length * prod(values.shape[1:-1]))
            result = np.zeros((*values.shape[:-1], length), dtype=np.uint64)
            self._transpose.place(result, values)
            return result

        return ((self.inputs[0], linear_form.map_axis(term, self.axis, pull)),)


@register
@dataclass(frozen=True, slots=True, kw_only=True)
class Combine(LinearOp):
    """sum_k coefficients[k] x_k + offset, over tensors of one shape."""

    kind: ClassVar[str] = "combine"
    coefficients: tuple[int, ...]
    offset: int = 0

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        if len(inputs) != len(self.coefficients) or not inputs or len({x.shape for x in inputs}) != 1:
            raise CircuitError("a combination needs one coefficient per tensor and one common shape")
        if any(abs(c) >= HALF_FIELD for c in (*self.coefficients, self.offset)):
            raise CircuitError("a coefficient does not fit the field")
        low = sum(c * (x.low if c > 0 else x.high) for c, x in zip(self.coefficients, inputs, strict=True)) + self.offset
        high = sum(c * (x.high if c > 0 else x.low) for c, x in zip(self.coefficients, inputs, strict=True)) + self.offset
        return (virtual(inputs[0].shape, low, high),)

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        total = np.full(inputs[0].shape, self.offset, dtype=np.int64)
        for c, x in zip(self.coefficients, inputs, strict=True):
            total += c * x
        return (total,)

    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        low = np.full(inputs[0][0].shape, self.offset, dtype=np.int64)
        high = low.copy()
        for c, (x_low, x_high) in zip(self.coefficients, inputs, strict=True):
            low += c * (x_low if c > 0 else x_high)
            high += c * (x_high if c > 0 else x_low)
        return ((low, high),)

    def error(
        self, inputs: Sequence[Approximation], outputs: Sequence[Interval], tables: Sequence[Table], deviation: Deviation
    ) -> tuple[Error, ...]:
        """sum a c over the coefficients a, and sum |a| r + |a - A| (|x + c| + r)."""
        radius = np.full(outputs[0][0].shape, deviation.cells, dtype=np.float64)
        moved: list[Floats] = []
        for k, (x, factor) in enumerate(zip(inputs, self.coefficients, strict=True)):
            # signs are exact
            radius += abs(factor) * (x.error.radius if abs(factor) == 1 else x.error.uncertain)
            if deviation.coefficient(k):
                radius += deviation.coefficient(k) * (x.middle + x.error.radius)
            if x.error.centre is not None and factor:
                moved.append(factor * x.error.centre)
        if not moved:
            return (Error(radius),)
        centre = sum(moved[1:], moved[0])
        # one addition is rounded once: 0 where both are equal
        terms = sum((part != 0).astype(np.int64) for part in moved)
        radius += SLACK * np.where(terms > 2, sum(map(np.abs, moved)), np.where(terms > 1, np.abs(centre), 0.0))
        return (Error(radius, centre),)

    def pull_back(self, term: Term, inputs: Sequence[Tensor]) -> tuple[tuple[int, Term], ...]:
        return tuple((x, term.scaled(c % P)) for x, c in zip(self.inputs, self.coefficients, strict=True))

    def constant(self) -> int:
        return self.offset
