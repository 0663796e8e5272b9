"""Graphs of near twins: another operator or table under the same ids and shapes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ciro_zk.circuit.graph import Graph


def with_op(graph: Graph, tensor: int, **attributes: Any) -> Graph:
    """The graph of a near twin: the operator that makes `tensor` has other attributes, ids and shapes stay."""
    nodes = tuple(replace(n, op=replace(n.op, **attributes)) if tensor in n.outputs else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


def with_table(graph: Graph, index: int, table: Any) -> Graph:
    """The graph of a near twin: another table in place of `index`."""
    return replace(graph, tables=tuple(table if i == index else t for i, t in enumerate(graph.tables)))
