"""Quotients and roots that are not the right ones: each remainder's range, the value's own, and the product are all needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from soundness.malicious import Claimed, Lie, accepted, forge, fraction, keys, leaves_of, run_graph
from soundness.verdicts import LOOKUP, PRODUCTS
from strategies import QUIET, ends, tensor_ids

from ciro_zk.circuit.graph import Graph, GraphBuilder
from ciro_zk.errors import ProofRejected
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import Clamp, Range
from ciro_zk.lookup.tables import Graph as GraphTable
from ciro_zk.ops import Combine, Divide, Hadamard, Requantise, SquareRoot
from ciro_zk.program.circuit import Circuit

N = np.array([0, 6, 7, 40, -1, -40, 39, 11])
D = np.array([1, 3, 3, 4, 5, 7, 40, 2])


@cache
def circuit() -> Circuit:
    """q = floor(n / d) and h = floor(sqrt(v)) for v = n^2 + d, which is an accumulator and an input; both are put out."""
    b = GraphBuilder()
    limbs = b.table(Range(bits=4))
    identity = b.table(GraphTable(function=Clamp(minimum=-100, maximum=100), low=-100, high=100))
    n = b.input("n", (8,), low=-40, high=40, scale=1.0)
    d = b.input("d", (8,), low=1, high=40, scale=1.0)
    unit = b.weight("unit", (8,), low=-8, high=7)
    tensors = b.tensors
    q, *_ = b.add(Divide.of((n, d), (ends(tensors[n]), ends(tensors[d])), limbs), "quotient")
    (square,) = b.add(Hadamard(inputs=(n, n)), "square")
    (v,) = b.add(Combine(inputs=(square, d), coefficients=(1, 1)), "v")
    h, *_ = b.add(SquareRoot.of((v,), (ends(tensors[v]),), limbs), "root")
    (acc,) = b.add(Hadamard(inputs=(h, unit)), "scaled")
    y, *_ = b.add(Requantise(inputs=(acc,), shift=0, tables=(identity,), range_table=limbs), "y")
    b.output("q", q, scale=1.0)
    b.output("h", y, scale=1.0)
    return Circuit(b.build(), {unit: np.ones(8, dtype=np.int64)}, "enclosed", 4, preset=QUIET)


def leaves() -> dict[int, Any]:
    pk, _ = keys(circuit())
    return leaves_of(pk, N, D)


def twin(kind: type[Divide] | type[SquareRoot], wrong: Callable[..., Any], values: Callable[..., Any] | None = None) -> Graph:
    """The graph with another rule for the value of the operators of a kind; everything after it is honest about it."""
    methods = {"_value": wrong} | ({"_values": values} if values else {})
    lying = type("Lying", (kind,), methods)
    graph = circuit().graph
    nodes = []
    for node in graph.nodes:
        if isinstance(node.op, kind):
            node = replace(node, op=lying(**{f.name: getattr(node.op, f.name) for f in fields(node.op)}))
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def rejected(graph: Graph, lie: Lie | None = None) -> tuple[str, str]:
    pk, vk = keys(circuit())
    values = run_graph(graph, leaves())
    with pytest.raises(ProofRejected) as error:
        accepted(vk, forge(pk, Claimed(values=values), lie))
    return error.value.stage, error.value.reason


def test_honest() -> None:
    pk, vk = keys(circuit())
    verified = accepted(vk, forge(pk, Claimed(values=run_graph(circuit().graph, leaves()))))
    assert verified.integer_outputs["q"].tolist() == (N // D).tolist()
    assert verified.integer_outputs["h"].tolist() == np.floor(np.sqrt(N * N + D)).astype(int).tolist()


def shifted(by: np.ndarray) -> Callable[..., Any]:
    return lambda op, inputs: type(op).__mro__[1]._value(op, inputs) + by


CELL = np.eye(8, dtype=np.int64)[1]
OFFS = [np.eye(8, dtype=np.int64)[cell] * off for cell, off in ((0, 1), (3, -1), (5, 1), (7, 2), (2, -2))]


@pytest.mark.parametrize("by", OFFS, ids=str)
@pytest.mark.parametrize("kind", [Divide, SquareRoot])
def test_off_by_little_in_one_cell(kind: type[Divide] | type[SquareRoot], by: np.ndarray) -> None:
    """One more: the remainder is negative. One less: the slack is."""
    assert rejected(twin(kind, shifted(by))) == LOOKUP


def test_other_rounding() -> None:
    """Towards zero, as ONNX divides integers, and to the nearest."""
    assert rejected(twin(Divide, lambda op, inputs: np.trunc(inputs[0] / inputs[1]).astype(np.int64))) == LOOKUP
    assert rejected(twin(Divide, lambda op, inputs: (2 * inputs[0] + inputs[1]) // (2 * inputs[1]))) == LOOKUP
    assert rejected(twin(SquareRoot, lambda op, inputs: np.rint(np.sqrt(inputs[0])).astype(np.int64))) == LOOKUP


def test_negative_root() -> None:
    """Its square is the same; the slack 2 y - rho is not."""
    assert rejected(twin(SquareRoot, lambda op, inputs: -np.floor(np.sqrt(inputs[0])).astype(np.int64))) == LOOKUP


def edit(changes: dict[str, dict[int, int]]) -> Lie:
    """Cells of tensors by name replaced by field elements."""
    ids = tensor_ids(circuit())

    def apply(cells: dict[int, Any]) -> None:
        for name, values in changes.items():
            cells[ids[name]] = cells[ids[name]].copy()
            for cell, value in values.items():
                cells[ids[name]][cell] = value % P

    return Lie(cells=apply)


def test_quotient_that_is_a_fraction() -> None:
    """7 / 3 in F_p leaves no remainder: the quotient's own range."""
    ids = tensor_ids(circuit())
    limbs = {name: {2: 0} for name in ids if name.startswith("quotient.rem")}
    slack = {f"quotient.slack{i}": {2: 2 if i == 0 else 0} for i in range(len(limbs))}
    lie = edit({"quotient.out": {2: fraction(7, 3)}, "quotient.product": {2: 7}, **limbs, **slack})
    assert rejected(circuit().graph, lie) == LOOKUP


def test_remainder_of_any_size() -> None:
    """A quotient of 0 for 40 / 4: rho = 40 has limbs in range, the slack 3 - 40 has none."""
    ids = tensor_ids(circuit())
    assert "quotient.rem0" in ids
    changes = {"quotient.out": {3: 0}, "quotient.product": {3: 0}, "quotient.limb0": {3: 40 & 7}, "quotient.rem0": {3: 40 & 3}}
    assert rejected(circuit().graph, edit(changes)) == LOOKUP


@pytest.mark.parametrize("kind", [Divide, SquareRoot])
def test_product_that_is_not_one(kind: type[Divide] | type[SquareRoot]) -> None:
    """One less in cell 1, the product claimed as if it were not: every lookup holds, the sumcheck does not."""

    def values(op: Any, y: Any, inputs: Any) -> tuple[Any, Any]:
        product, _ = kind._values(op, y + CELL, inputs)
        return product, kind._values(op, y, inputs)[1]

    assert rejected(twin(kind, shifted(-CELL), values)) == PRODUCTS
