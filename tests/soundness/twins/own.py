"""Whose check a lie runs into: the constraints of a graph, node by node, and what the verifier says when one of them is broken.

The verifier checks all lookups in one argument and all products in another, so that its reason names the argument, not the node.
Which node it was is settled here: of all constraints, evaluated on the lie's cells one by one, only those of that node are broken.

    node            its constraint                                        the verifier
    linear          the output is the matrix of the inputs                opening: the forms of what uses it
    public          the output is what the inputs make it             opening: the verifier's own cells
    product         the output is the product of the inputs               products
    commit          rows of lookups are in their tables                   lookup
                    products of zero checks are zero                      products
                    accumulators of its own are products                  products
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from soundness.malicious import Claimed, accepted, forge, keys, run_graph
from soundness.twins.lies import lies, told
from soundness.verdicts import LOOKUP, OPENING, PRODUCTS
from unit.compiler.checks import column_values

from ciro_zk.circuit.graph import Graph, Node
from ciro_zk.circuit.op import CommitOp, ProductOp
from ciro_zk.errors import ProofRejected
from ciro_zk.field.extension import P
from ciro_zk.program.circuit import Circuit

VERDICTS = {"form": OPENING, "product": PRODUCTS, "zero check": PRODUCTS, "lookup": LOOKUP}
"""Stage and reason of the rejection, by the kind of the broken constraint."""


def broken(graph: Graph, values: Mapping[int, Any]) -> dict[int, set[str]]:
    """The kinds of broken constraints, by the number of the node that they are constraints of."""
    found = {number: set(_broken(graph, node, values)) for number, node in enumerate(graph.nodes)}
    return {number: kinds for number, kinds in found.items() if kinds}


def _broken(graph: Graph, node: Node, values: Mapping[int, Any]) -> Iterator[str]:
    op, inputs = node.op, graph.input_tensors(node.op)
    if not isinstance(op, CommitOp):
        (output,) = op.run([values[i] for i in op.inputs], graph.tables)
        if not np.array_equal(output, values[node.outputs[0]]):
            yield "product" if isinstance(op, ProductOp) else "form"
        return
    for lookup in op.lookups(node.outputs, inputs, graph.tables):
        columns = [column_values(c, values, lookup.shape).astype(np.int64) for c in lookup.columns]
        if graph.tables[lookup.table].rows(columns).min() < 0:
            yield "lookup"
    for check in op.zero_checks(node.outputs, inputs):
        product = np.ones(check.shape, dtype=object)
        for column in check.columns:
            product = product * column_values(column, values, check.shape) % P
        if product.any():
            yield "zero check"
    for tensor, product_op in op.products(node.outputs).items():
        (output,) = product_op.run([values[i] for i in product_op.inputs], graph.tables)
        if not np.array_equal(output, values[tensor]):
            yield "product"


def rejected_by_its_own(circuit: Circuit, number: int, kind: str, values: Mapping[int, Any]) -> None:
    """The run is honest but for a constraint of one node, and the verifier rejects the proof where such a constraint is checked."""
    assert broken(circuit.graph, values) == {number: {kind}}
    pk, vk = keys(circuit)
    with pytest.raises(ProofRejected) as error:
        accepted(vk, forge(pk, Claimed(values=values)))
    assert (error.value.stage, error.value.reason) == VERDICTS[kind]


def shows(graph: Graph, number: int, kind: str, honest: Mapping[int, Any], values: Mapping[int, Any]) -> bool:
    """Whether a lie breaks the one constraint, no other, and none of the statement's ranges.

    Cells that nothing uses are in no form and no product: a lie about them is none.
    """
    outputs, ports = graph.nodes[number].outputs, {port.tensor for port in graph.outputs}
    if any(values[i].min() < graph.tensors[i].low or values[i].max() > graph.tensors[i].high for i in ports):
        return False
    used = any((values[i] != honest[i]).any() for i in honest if i not in outputs or i in ports)
    return broken(graph, values) == {number: {kind}} and (used or kind in ("lookup", "zero check"))


def attack(circuit: Circuit, leaves: Mapping[int, Any], numbers: Iterable[int], shown: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """For every kind of operator among the nodes of those numbers and every kind of constraint of it, a near twin of the first node that
    has one is rejected by its own constraint; these are added to `shown`, and what is there already is left out.

    Returns the (kind of operator, kind of constraint) that there are.
    """
    graph, there = circuit.graph, set()
    honest = run_graph(graph, leaves)
    for number in numbers:
        for kind, twin in lies(graph, graph.nodes[number]):
            constraint = graph.nodes[number].op.kind, kind
            there.add(constraint)
            if constraint in shown:
                continue
            values = told(graph, leaves, number, twin)
            if shows(graph, number, kind, honest, values):
                rejected_by_its_own(circuit, number, kind, values)
                shown.add(constraint)
    return there
