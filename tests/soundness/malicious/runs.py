"""The runs that a lie starts from: any tensor overridden, everything after it honest; on integers, or on any field elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.graph import Graph, as_field
from ciro_zk.circuit.op import CommitOp
from ciro_zk.field import goldilocks
from ciro_zk.field.extension import P

Integers = NDArray[np.int64]


Cells = NDArray[np.uint64]


Values = dict[int, Integers]


Override = Callable[[Mapping[int, Any]], Any]


def run_graph(graph: Graph, leaves: Mapping[int, Integers], overrides: Mapping[int, Override] | None = None) -> Values:
    """All tensors, int64. An override replaces a tensor as soon as its node has run; everything after it is honest about the lie."""
    values: Values = {i: leaf.astype(np.int64) for i, leaf in leaves.items()}
    for node in graph.nodes:
        values.update(zip(node.outputs, node.op.run([values[i] for i in node.op.inputs], graph.tables), strict=True))
        for i in node.outputs:
            if overrides and i in overrides:
                values[i] = np.asarray(overrides[i](values), dtype=np.int64).reshape(graph.tensors[i].shape)
    return values


_LIMB = 22


def run_field(graph: Graph, leaves: Mapping[int, Cells]) -> dict[int, Cells]:
    """All tensors as field cells `(size,)`, from leaves that may be any field elements: affine operators and products modulo p.

    Committed tensors are what the operator makes of the representatives in (-p/2, p/2).
    """
    cells = {i: np.asarray(value, dtype=np.uint64).reshape(-1) for i, value in leaves.items()}

    def shaped(i: int, values: Cells) -> Integers:
        return values.astype(np.int64).reshape(graph.tensors[i].shape)

    def limbs(i: int) -> list[Integers]:
        return [shaped(i, cells[i] >> np.uint64(_LIMB * k) & np.uint64((1 << _LIMB) - 1)) for k in range(3)]

    for node in graph.nodes:
        op, inputs = node.op, node.op.inputs
        if isinstance(op, CommitOp):
            outputs = op.run([goldilocks.to_signed(cells[i]).reshape(graph.tensors[i].shape) for i in inputs], graph.tables)
            cells.update((o, as_field(value)) for o, value in zip(node.outputs, outputs, strict=True))
            continue
        zeros = [np.zeros(graph.tensors[i].shape, dtype=np.int64) for i in inputs]
        offset = op.run(zeros, graph.tables)[0].reshape(-1).astype(object)
        total = offset.copy()
        parts = [limbs(i) for i in inputs]
        bilinear = graph.tensors[node.outputs[0]].storage.value == "accumulator"
        if bilinear:
            for a in range(3):
                for b in range(3):
                    part = op.run([parts[0][a], parts[1][b]], graph.tables)[0].reshape(-1).astype(object)
                    total = total + part * (1 << _LIMB * (a + b))
        else:
            for j in range(len(inputs)):
                for a in range(3):
                    given = [parts[j][a] if k == j else zeros[k] for k in range(len(inputs))]
                    total = total + (op.run(given, graph.tables)[0].reshape(-1).astype(object) - offset) * (1 << _LIMB * a)
        cells[node.outputs[0]] = np.array([int(v) % P for v in total], dtype=np.uint64)
    return cells


def as_cells(values: Mapping[int, Integers]) -> dict[int, Cells]:
    """A run's integers as field cells."""
    return {i: as_field(value) for i, value in values.items()}


def fraction(numerator: int, denominator: int) -> int:
    """numerator / denominator in F_p."""
    return numerator * pow(denominator % P, P - 2, P) % P


def signed(value: int) -> int:
    """The representative in (-p/2, p/2)."""
    value %= P
    return value - P if value > P // 2 else value
