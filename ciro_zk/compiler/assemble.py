"""Choosing the tables of a drafted circuit and building its graph.

Every lookup and every table row is a leaf of one tree, so the cost of a choice is counted in leaves: a lookup counts its cells, each axis padded to a power
of two, a table its rows padded to one.

    range table     one for the whole circuit: 2^B rows, against ceil(shift / B) limbs in every requantisation
    function table  a graph table over the whole domain (one lookup a cell), or a sign and a window table (two lookups a cell, few rows)
    identity        clamp(q, -M, M), or clamp(q, 0, M) - clamp(-q, 0, M) with the table that Relu has anyway
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

from ciro_zk.circuit.graph import Graph, GraphBuilder
from ciro_zk.circuit.op import CircuitError
from ciro_zk.circuit.tensor import Storage
from ciro_zk.compiler.draft import FEWER_BITS, Draft, Entry, Greatest, Integers, Leaf, Plain, Rescale
from ciro_zk.errors import BoundsError
from ciro_zk.lookup import tables
from ciro_zk.lookup.tables import Clamp, Function
from ciro_zk.ops import Combine, Maximum, Requantise
from ciro_zk.poly.linear_form import num_vars

MAX_GRAPH_ROWS = 1 << 16
MIN_RANGE_BITS, MAX_RANGE_BITS = 4, 16
MAX_WINDOW_BITS = 16
HALF_FIELD_BITS = 63


@dataclass(frozen=True, slots=True)
class Assembled:
    """A graph and its weights by tensor id."""

    graph: Graph
    weights: dict[int, Integers]


def padded_cells(shape: Sequence[int]) -> int:
    """Leaves of one lookup over a tensor."""
    return prod(1 << num_vars(d) for d in shape)


@dataclass(frozen=True, slots=True)
class Use:
    """One requantisation as far as its function's tables are concerned."""

    low: int
    high: int
    cells: int
    node: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Tables and what they cost with their lookups, in leaves."""

    cost: int
    tables: tuple[tables.Table, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables of a circuit."""

    range_bits: int
    functions: dict[Function, Choice]
    split: bool
    """Whether the identity is written with Relu's table."""
    cost: int


def choose(draft: Draft) -> Tables:
    """The tables with the fewest leaves."""
    options = []
    failure: BoundsError | None = None
    for split in (False, True):
        rescales = _rescales(draft, split)
        if split and not any(_parts(e.function) for e in draft.entries if isinstance(e, Rescale)):
            continue
        try:
            bits, limbs = _range_bits(draft, rescales)
            uses: dict[Function, list[Use]] = defaultdict(list)
            for entry, shape, _ in rescales:
                uses[entry.function].append(Use(entry.low, entry.high, padded_cells(shape), entry.name))
            functions = {f: function_tables(f, found) for f, found in uses.items()}
        except BoundsError as error:
            failure = failure or error
            continue
        options.append(Tables(bits, functions, split, limbs + sum(c.cost for c in functions.values())))
    if not options:
        raise failure or BoundsError("no tables fit", remedy=FEWER_BITS)
    return min(options, key=lambda o: o.cost)


def _parts(function: Function) -> Clamp | None:
    """clamp(q, 0, M) for an identity clamp(q, -M, M); None for other functions."""
    if isinstance(function, Clamp) and function.minimum == -function.maximum < 0 and function.numerator == 1 << function.shift:
        return Clamp(minimum=0, maximum=function.maximum)
    return None


def _halves(entry: Rescale) -> tuple[Rescale, Rescale] | None:
    """An identity as two requantisations of x and -x with Relu's function."""
    part = _parts(entry.function)
    if part is None:
        return None
    above = replace(entry, function=part, name=f"{entry.name}.above")
    # round(-x) is -round(x), or one more at ties
    below = replace(entry, function=part, name=f"{entry.name}.below", low=-entry.high, high=-entry.low + (1 if entry.shift else 0))
    return above, below


def _rescales(draft: Draft, split: bool) -> list[tuple[Rescale, tuple[int, ...], int]]:
    """Every requantisation with its shape and the magnitude of what it rounds."""
    found = []
    for entry in draft.entries:
        if isinstance(entry, Rescale):
            tensor = draft.tensors[entry.source]
            halves = _halves(entry) if split else None
            found.extend((e, tensor.shape, tensor.magnitude) for e in halves or (entry,))
    return found


def _range_bits(draft: Draft, rescales: list[tuple[Rescale, tuple[int, ...], int]]) -> tuple[int, int]:
    """(B of the range table with the fewest leaves, those leaves)."""
    least, fixed, needed = MIN_RANGE_BITS, 0, False
    for entry in draft.entries:
        if isinstance(entry, Greatest):
            needed = True
            operands = [draft.tensors[i] for i in entry.sources]
            spread = max(t.high for t in operands) - min(t.low for t in operands)
            if spread.bit_length() > MAX_RANGE_BITS:
                raise BoundsError("differences in a maximum do not fit a range table", node=entry.name, bound=spread, remedy=FEWER_BITS)
            least = max(least, spread.bit_length())
            fixed += len(entry.sources) * padded_cells(operands[0].shape)
    shifted = [(e, shape, magnitude) for e, shape, magnitude in rescales if e.shift]
    if not (needed or shifted):
        return MIN_RANGE_BITS, 1 << MIN_RANGE_BITS
    costs = {}
    for b in range(least, MAX_RANGE_BITS + 1):
        if all(_fits(e, magnitude, b) for e, _, magnitude in shifted):
            costs[b] = (1 << b) + fixed + sum(-(-e.shift // b) * padded_cells(shape) for e, shape, _ in shifted)
    if not costs:
        worst, _, magnitude = max(shifted, key=lambda use: use[2])
        message = "values of this size cannot be requantised without wrapping around the field"
        raise BoundsError(message, node=worst.name, bound=magnitude, remedy=FEWER_BITS)
    best = min(costs, key=lambda b: (costs[b], -b))
    return best, costs[best]


def _fits(entry: Rescale, magnitude: int, b: int) -> bool:
    """Whether the soundness bound of a requantisation holds with limbs of b bits, as `Requantise.infer` checks it."""
    gap = -entry.shift % b
    domain = max(abs(entry.low), abs(entry.high)) + 2
    reach = max(magnitude + (1 << entry.shift), domain << entry.shift) << gap
    return reach.bit_length() < HALF_FIELD_BITS


def function_tables(function: Function, uses: Sequence[Use]) -> Choice:
    """The tables of a function with the fewest leaves, lookups counted."""
    low, high = min(use.low for use in uses), max(use.high for use in uses)
    cells = sum(use.cells for use in uses)
    choices = []
    if high - low < MAX_GRAPH_ROWS:
        choices.append(Choice(padded_cells((high - low + 1,)) + cells, (tables.Graph(function=function, low=low, high=high),)))
    start, stop = function.window
    for bits in range(max(1, (stop - start).bit_length()), MAX_WINDOW_BITS + 1):
        limit = max(1, (high - start) >> bits, -((low - start) >> bits))
        if limit < 1 << (tables.MAX_LOG_ROWS - 1):
            pair = (tables.Sign(limit=limit), tables.Window(function=function, low=start, bits=bits))
            choices.append(Choice(sum(padded_cells((t.num_rows,)) for t in pair) + 2 * cells, pair))
    if not choices:
        widest = max(uses, key=lambda use: use.high - use.low)
        message = "the values before this function spread too widely for its table"
        raise BoundsError(message, node=widest.node, bound=(low, high), remedy=FEWER_BITS)
    return min(choices, key=lambda choice: choice.cost)


def assemble(draft: Draft, outputs: Iterable[tuple[str, int, float]]) -> Assembled:
    """The graph of a draft; `outputs` are (name, draft tensor, scale)."""
    builder = GraphBuilder()
    plan = choose(draft)
    range_table = builder.table(tables.Range(bits=plan.range_bits))
    replay = _Replay(builder, plan.split, range_table, {f: tuple(map(builder.table, c.tables)) for f, c in plan.functions.items()})
    weights: dict[int, Integers] = {}
    for entry in draft.entries:
        name = entry.tensor.name if isinstance(entry, Leaf) else entry.name
        try:
            tensor = replay.add(entry)
        except CircuitError as error:
            raise BoundsError(str(error), node=name, remedy=FEWER_BITS) from error
        if isinstance(entry, Leaf) and entry.values is not None:
            weights[tensor] = entry.values
    for name, source, scale in outputs:
        builder.output(name, replay.ids[source], scale=scale)
    return Assembled(builder.build(), weights)


class _Replay:
    """Adds drafted entries to a graph; `ids` are the graph's tensors by draft id."""

    def __init__(self, builder: GraphBuilder, split: bool, range_table: int, chosen: dict[Function, tuple[int, ...]]) -> None:
        self.builder, self.split, self.range_table, self.chosen = builder, split, range_table, chosen
        self.ids: list[int] = []

    def add(self, entry: Entry) -> int:
        """Add one entry; returns its tensor."""
        if isinstance(entry, Leaf):
            tensor = self._leaf(entry)
        elif isinstance(entry, Plain):
            op = replace(entry.op, inputs=tuple(self.ids[i] for i in entry.op.inputs))
            tensor = self.builder.add(op, entry.name)[0]
        elif isinstance(entry, Rescale):
            tensor = self._rescale(entry)
        else:
            maximum = Maximum(inputs=tuple(self.ids[i] for i in entry.sources), range_table=self.range_table)
            tensor = self.builder.add(maximum, entry.name)[0]
        self.ids.append(tensor)
        return tensor

    def _leaf(self, entry: Leaf) -> int:
        tensor = entry.tensor
        if tensor.storage is Storage.INPUT:
            return self.builder.input(tensor.name, tensor.shape, low=tensor.low, high=tensor.high, scale=entry.scale or 1.0)
        return self.builder.weight(tensor.name, tensor.shape, low=tensor.low, high=tensor.high)

    def _rescale(self, entry: Rescale) -> int:
        halves = _halves(entry) if self.split else None
        source = self.ids[entry.source]
        if halves is None:
            return self._requantise(entry, source)
        above = self._requantise(halves[0], source)
        negative = self.builder.add(Combine(inputs=(source,), coefficients=(-1,)), f"{entry.name}.negative")[0]
        below = self._requantise(halves[1], negative)
        return self.builder.add(Combine(inputs=(above, below), coefficients=(1, -1)), entry.name)[0]

    def _requantise(self, entry: Rescale, source: int) -> int:
        op = Requantise(inputs=(source,), shift=entry.shift, tables=self.chosen[entry.function], range_table=self.range_table)
        return self.builder.add(op, entry.name)[0]
