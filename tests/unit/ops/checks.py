"""What every operator must keep: bounds and intervals hold its run, honest cells meet its lookups and zero checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.op import Column, CommitOp, Op
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import Table

Integers = NDArray[np.int64]


def tensor(shape: Sequence[int], low: int, high: int, storage: Storage = Storage.WITNESS) -> Tensor:
    return Tensor(name="", shape=tuple(shape), storage=storage, low=low, high=high, bounded_by="the test")


def random_values(rng: np.random.Generator, of: Tensor) -> Integers:
    """Integers in a tensor's range, some at its ends."""
    values = rng.integers(of.low, of.high + 1, of.shape)
    ends = rng.random(of.shape)
    values[ends < 0.15] = of.low
    values[ends > 0.85] = of.high
    return values


def check_bounds(op: Op, inputs: Sequence[Tensor], values: Sequence[Integers], tables: Sequence[Table] = ()) -> tuple[Integers, ...]:
    """The run has the shapes that `infer` says and lies in its bounds; returns it."""
    outputs = op.run(values, tables)
    inferred = op.infer(inputs, tables)
    assert len(outputs) == len(inferred)
    for value, expected in zip(outputs, inferred, strict=True):
        assert value.shape == expected.shape
        assert value.dtype == np.int64
        assert expected.low <= int(value.min()) and int(value.max()) <= expected.high
    return outputs


def check_interval(
    op: Op, rng: np.random.Generator, inputs: Sequence[Tensor], fixed: Sequence[int] = (), tables: Sequence[Table] = ()
) -> None:
    """Runs on random intervals, of one point for the operands in `fixed`, lie inside: at both ends and between."""
    ends = []
    for k, of in enumerate(inputs):
        a, b = random_values(rng, of), random_values(rng, of)
        ends.append((a, a) if k in fixed else (np.minimum(a, b), np.maximum(a, b)))
    found = op.interval(ends, tables)
    for trial in range(6):
        values = [(low, high)[trial] if trial < 2 else rng.integers(low, high + 1) for low, high in ends]
        for (low, high), value in zip(found, op.run(values, tables), strict=False):
            assert low.shape == high.shape == value.shape
            assert np.all(low <= value) and np.all(value <= high)
    for bounds, of in zip(found, op.infer(inputs, tables), strict=False):
        assert of.low <= int(bounds[0].min()) and int(bounds[1].max()) <= of.high


def column_values(column: Column, cells: Mapping[int, Integers]) -> list[int]:
    """A column's cells in [0, p), over Python integers."""
    total = [column.constant] * cells[column.terms[0][0]].size
    for source, coefficient in column.terms:
        assert 0 <= coefficient < P and 0 <= column.constant < P
        total = [t + coefficient * int(v) for t, v in zip(total, cells[source].reshape(-1), strict=True)]
    return [t % P for t in total]


def signed(values: Sequence[int]) -> Integers:
    """Elements of [0, p) as integers of the least magnitude."""
    return np.array([v - P if v > P // 2 else v for v in values], dtype=np.int64)


def lookup_rows(
    op: CommitOp, inputs: Sequence[Tensor], values: Sequence[Integers], outputs: Sequence[Integers], tables: Sequence[Table]
) -> list[Integers]:
    """For each lookup of the operator the table row of every cell, -1 for none, with these input and output values."""
    ids = tuple(range(100, 100 + len(outputs)))
    cells = dict(zip(op.inputs, values, strict=True)) | dict(zip(ids, outputs, strict=True))
    found = []
    for lookup in op.lookups(ids, inputs, tables):
        table = tables[lookup.table]
        assert len(lookup.columns) == table.num_columns
        assert lookup.shape == inputs[0].shape
        found.append(table.rows([signed(column_values(column, cells)) for column in lookup.columns]))
    return found


def zero_check_values(op: CommitOp, inputs: Sequence[Tensor], values: Sequence[Integers], outputs: Sequence[Integers]) -> list[list[int]]:
    """For each zero check the product of its columns in every cell."""
    ids = tuple(range(100, 100 + len(outputs)))
    cells = dict(zip(op.inputs, values, strict=True)) | dict(zip(ids, outputs, strict=True))
    found = []
    for check in op.zero_checks(ids, inputs):
        assert check.shape == inputs[0].shape
        product = [1] * inputs[0].size
        for column in check.columns:
            product = [p * v % P for p, v in zip(product, column_values(column, cells), strict=True)]
        found.append(product)
    return found


def check_commitment(op: CommitOp, inputs: Sequence[Tensor], values: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
    """An honest run lies in its bounds, every lookup is a table row and every zero check vanishes; returns the run."""
    outputs = check_bounds(op, inputs, values, tables)
    for rows in lookup_rows(op, inputs, values, outputs, tables):
        assert np.all(rows >= 0)
    for product in zero_check_values(op, inputs, values, outputs):
        assert not any(product)
    return outputs
