"""Choosing the tables of a drafted circuit and building its graph.

Every lookup is a leaf of one tree and every table row a leaf of another, so the cost of a choice is counted in leaves: a lookup counts its cells, each axis
padded to a power of two.

    range table     one for the whole circuit: 2^B rows, against ceil(shift / B) limbs in every requantisation
    function table  a graph table over the whole domain (one lookup a cell), or a sign and a window table (two lookups a cell, few rows)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod

from ciro_zk.circuit.graph import Graph, GraphBuilder
from ciro_zk.circuit.op import CircuitError
from ciro_zk.circuit.tensor import Storage
from ciro_zk.compiler.draft import FEWER_BITS, Draft, Greatest, Integers, Leaf, Plain, Rescale
from ciro_zk.errors import BoundsError
from ciro_zk.lookup import tables
from ciro_zk.lookup.tables import Function
from ciro_zk.ops import Maximum, Requantise
from ciro_zk.poly.linear_form import num_vars

MAX_GRAPH_ROWS = 1 << 16
MAX_RANGE_BITS = 16
MAX_WINDOW_BITS = 16
HALF_FIELD_BITS = 63


@dataclass(frozen=True, slots=True)
class Assembled:
    """A graph, its weights by tensor id, and the graph's id of every drafted tensor."""

    graph: Graph
    weights: dict[int, Integers]
    ids: tuple[int, ...]


def padded_cells(shape: tuple[int, ...]) -> int:
    """Leaves of one lookup over a tensor."""
    return prod(1 << num_vars(d) for d in shape)


def range_bits(draft: Draft, bits: int) -> int:
    """B of the range table with the fewest leaves."""
    rescales = [(e, draft.tensors[e.source]) for e in draft.entries if isinstance(e, Rescale) and e.shift]
    least = max(bits, 8)
    for entry in draft.entries:
        if isinstance(entry, Greatest):
            tensors = [draft.tensors[i] for i in entry.sources]
            spread = max(t.high for t in tensors) - min(t.low for t in tensors)
            if spread.bit_length() > MAX_RANGE_BITS:
                raise BoundsError("differences in a maximum do not fit a range table", node=entry.name, bound=spread, remedy=FEWER_BITS)
            least = max(least, spread.bit_length())
    costs = {}
    for b in range(least, MAX_RANGE_BITS + 1):
        if all(_fits(e, t.magnitude, b) for e, t in rescales):
            costs[b] = (1 << b) + sum(-(-e.shift // b) * padded_cells(t.shape) for e, t in rescales)
    if not costs:
        entry, tensor = max(rescales, key=lambda pair: pair[1].magnitude)
        message = "values of this size cannot be requantised without wrapping around the field"
        raise BoundsError(message, node=entry.name, bound=tensor.magnitude, remedy=FEWER_BITS)
    return min(costs, key=lambda b: (costs[b], b))


def _fits(entry: Rescale, magnitude: int, b: int) -> bool:
    """Whether the soundness bound of a requantisation holds with limbs of b bits, as `Requantise.infer` checks it."""
    gap = -entry.shift % b
    domain = max(abs(entry.low), abs(entry.high)) + 2
    reach = max(magnitude + (1 << entry.shift), domain << entry.shift) << gap
    return reach.bit_length() < HALF_FIELD_BITS


def function_tables(function: Function, uses: Iterable[tuple[Rescale, int]]) -> tuple[tables.Table, ...]:
    """The tables of a function for requantisations given with their cells: those with the fewest leaves."""
    entries = list(uses)
    low, high = min(e.low for e, _ in entries), max(e.high for e, _ in entries)
    cells = sum(c for _, c in entries)
    choices: list[tuple[int, tuple[tables.Table, ...]]] = []
    if high - low < MAX_GRAPH_ROWS:
        choices.append((high - low + 1 + cells, (tables.Graph(function=function, low=low, high=high),)))
    start, stop = function.window
    least = max(1, (stop - start).bit_length())
    for bits in range(least, MAX_WINDOW_BITS + 1):
        limit = max(1, (high - start) >> bits, -((low - start) >> bits))
        if limit < 1 << (tables.MAX_LOG_ROWS - 1):
            pair = (tables.Sign(limit=limit), tables.Window(function=function, low=start, bits=bits))
            choices.append((sum(t.num_rows for t in pair) + 2 * cells, pair))
    if not choices:
        entry = max((e for e, _ in entries), key=lambda e: e.high - e.low)
        message = "the values before this function spread too widely for its table"
        raise BoundsError(message, node=entry.name, bound=(low, high), remedy=FEWER_BITS)
    return min(choices, key=lambda choice: choice[0])[1]


def assemble(draft: Draft, bits: int, outputs: Iterable[tuple[str, int, float]]) -> Assembled:
    """The graph of a draft; `outputs` are (name, draft tensor, scale)."""
    uses: dict[Function, list[tuple[Rescale, int]]] = defaultdict(list)
    for entry in draft.entries:
        if isinstance(entry, Rescale):
            uses[entry.function].append((entry, padded_cells(draft.tensors[entry.source].shape)))
    builder = GraphBuilder()
    needs_range = any(isinstance(e, Greatest) or isinstance(e, Rescale) and e.shift for e in draft.entries)
    range_table = builder.table(tables.Range(bits=range_bits(draft, bits))) if needs_range or uses else 0
    chosen = {f: tuple(builder.table(t) for t in function_tables(f, entries)) for f, entries in uses.items()}
    ids: list[int] = []
    weights: dict[int, Integers] = {}
    for entry in draft.entries:
        name = entry.tensor.name if isinstance(entry, Leaf) else entry.name
        try:
            ids.append(_replay(builder, entry, ids, chosen, range_table))
        except CircuitError as error:
            raise BoundsError(str(error), node=name, remedy=FEWER_BITS) from error
        if isinstance(entry, Leaf) and entry.values is not None:
            weights[ids[-1]] = entry.values
    for name, tensor, scale in outputs:
        builder.output(name, ids[tensor], scale=scale)
    return Assembled(builder.build(), weights, tuple(ids))


def _replay(builder: GraphBuilder, entry: object, ids: list[int], chosen: dict[Function, tuple[int, ...]], range_table: int) -> int:
    """Add one entry to the graph; returns its tensor's id."""
    if isinstance(entry, Leaf):
        tensor = entry.tensor
        if tensor.storage is Storage.INPUT:
            return builder.input(tensor.name, tensor.shape, low=tensor.low, high=tensor.high, scale=entry.scale or 1.0)
        return builder.weight(tensor.name, tensor.shape, low=tensor.low, high=tensor.high)
    if isinstance(entry, Plain):
        return builder.add(replace(entry.op, inputs=tuple(ids[i] for i in entry.op.inputs)), entry.name)[0]
    if isinstance(entry, Rescale):
        op = Requantise(inputs=(ids[entry.source],), shift=entry.shift, tables=chosen[entry.function], range_table=range_table)
        return builder.add(op, entry.name)[0]
    if isinstance(entry, Greatest):
        return builder.add(Maximum(inputs=tuple(ids[i] for i in entry.sources), range_table=range_table), entry.name)[0]
    raise TypeError(f"unknown entry {entry!r}")
