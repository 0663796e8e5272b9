"""Choosing the tables of a drafted circuit and building its graph.

Every lookup and every table row is a leaf of one tree, so the cost of a choice is counted in leaves: a lookup counts
its cells, each axis padded to a power of two, a table its rows padded to one.

    range table     one for the whole circuit: 2^B rows, against ceil(shift / B) limbs in every requantisation
    function table  a graph table over the whole domain (one lookup a cell), or a sign and a window table (two lookups
    a cell, few rows) split functions identity and LeakyRelu by a table of their own, or as relu(q) - relu(-slope q)
    with the table that Relu has anyway
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from math import ldexp, prod

from ciro_zk.circuit.error import EXACT, Deviation
from ciro_zk.circuit.graph import Graph, GraphBuilder
from ciro_zk.circuit.manifest import MAX_NAME, is_text
from ciro_zk.circuit.notes import Notes
from ciro_zk.circuit.op import CircuitError
from ciro_zk.circuit.plan import Plan
from ciro_zk.circuit.tensor import Storage
from ciro_zk.compiler.draft import FEWER_BITS, Draft, Entry, Integers, Leaf, Plain, Ranged, Refined, Rescale, relu_part
from ciro_zk.errors import BoundsError, ModelError
from ciro_zk.lookup import tables
from ciro_zk.lookup.tables import Clamp, Function
from ciro_zk.ops import Combine, Requantise
from ciro_zk.poly.linear_form import num_vars

MAX_GRAPH_ROWS = 1 << tables.MAX_LOG_ROWS
MAX_SHIFT = 48
MAX_SUBSETS = 4
MIN_RANGE_BITS, MAX_RANGE_BITS = 4, 16
MAX_WINDOW_BITS = 16
HALF_FIELD_BITS = 63
SHOWN_NAME = 40


@dataclass(frozen=True)
class Assembled:
    """A graph, its weights, what the error bound needs to know of the float model, and the tensor ids by draft id."""

    graph: Graph
    weights: dict[int, Integers]
    notes: Notes
    ids: list[int]

    @cached_property
    def leaves(self) -> int:
        """Leaves of all lookups and tables, unpadded."""
        last = Plan(self.graph).segments[-1]
        return last.offset + last.size

    def costs_as(self, other: Assembled) -> bool:
        """Whether it is proven at the other's cost at most: leaves and witness cells, each padded to a power of two."""
        cells = (Plan(assembled.graph).witness_layout.num_vars for assembled in (self, other))
        return num_vars(self.leaves) <= num_vars(other.leaves) and next(cells) <= next(cells)


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
    split: frozenset[Function]
    """Functions that are written with Relu's table."""
    cost: int


@dataclass(frozen=True, slots=True)
class Part:
    """A requantisation of coefficient * x + offset, where x has `shape` and `magnitude`."""

    coefficient: int
    offset: int
    entry: Rescale
    shape: tuple[int, ...]
    magnitude: int


def choose(draft: Draft) -> Tables:
    """The tables with the fewest leaves."""
    options = []
    failure: BoundsError | None = None
    for split in _subsets({e.function for e in draft.entries if isinstance(e, Rescale) and not e.extra and relu_part(e.function)}):
        found = [p for e in draft.entries if isinstance(e, Rescale) for p in parts(draft, e, split)]
        try:
            bits, cost = _range_bits(draft, found)
            uses: dict[Function, list[Use]] = defaultdict(list)
            for part in found:
                uses[part.entry.function].append(Use(part.entry.low, part.entry.high, padded_cells(part.shape), part.entry.name))
            functions = {f: function_tables(f, entries) for f, entries in uses.items()}
        except BoundsError as error:
            failure = failure or error
            continue
        options.append(Tables(bits, functions, split, cost + sum(c.cost for c in functions.values())))
    if not options:
        raise failure or BoundsError("no tables fit", remedy=FEWER_BITS)
    return min(options, key=lambda o: o.cost)


def _subsets(functions: set[Function]) -> list[frozenset[Function]]:
    """Sets of functions to split, the empty one first; all or none where they are many."""
    ordered = sorted(functions, key=repr)
    if len(ordered) > MAX_SUBSETS:
        return [frozenset(), frozenset(ordered)]
    return [frozenset(chosen) for size in range(len(ordered) + 1) for chosen in combinations(ordered, size)]


def parts(draft: Draft, entry: Rescale, split: frozenset[Function]) -> tuple[Part, ...]:
    """The requantisations that stand for a drafted one: itself, or relu(x) and relu(-slope x).

    Ties go upward: floor((-x - 1 + 2^(s-1)) / 2^s) = -floor((x + 2^(s-1)) / 2^s), so the second takes one unit off.
    """
    tensor = draft.tensors[entry.source]
    f, relu = entry.function, relu_part(entry.function)
    if relu is None or entry.extra or entry.function not in split or not isinstance(f, Clamp):
        return (Part(1, 0, entry, tensor.shape, tensor.magnitude),)
    above = replace(entry, function=relu, name=f"{entry.name}.above")
    # x lies within half a unit of q; a unit more on either side covers all roundings
    low, high = -((entry.high + 1) * f.numerator >> f.shift) - 2, ((1 - entry.low) * f.numerator >> f.shift) + 2
    below = replace(entry, function=relu, name=f"{entry.name}.below", shift=entry.shift + f.shift, low=low, high=high)
    if below.shift > MAX_SHIFT:
        raise BoundsError("this slope needs too large a shift", node=entry.name, bound=MAX_SHIFT, remedy=FEWER_BITS)
    tie = -1 if below.shift else 0
    return (
        Part(1, 0, above, tensor.shape, tensor.magnitude),
        Part(-f.numerator, tie, below, tensor.shape, tensor.magnitude * f.numerator + 1),
    )


def _range_bits(draft: Draft, found: Sequence[Part]) -> tuple[int, int]:
    """(B of the range table with the fewest leaves, those leaves)."""
    ranged = [entry for entry in draft.entries if isinstance(entry, Ranged)]
    shifted = [part for part in found if part.entry.shift]
    if not (ranged or shifted):
        return MIN_RANGE_BITS, 1 << MIN_RANGE_BITS
    costs = {}
    refined = {part.entry.extra for part in found if part.entry.extra}
    for b in refined or range(MIN_RANGE_BITS, MAX_RANGE_BITS + 1):
        # at the greatest b every maximum, quotient and root fits: the draft has seen to that
        with suppress(CircuitError):
            others = sum(_ranged_cost(draft, entry, b) for entry in ranged)
            if all(_fits(part, b) for part in shifted):
                costs[b] = (1 << b) + others + sum(-(-part.entry.shift // b) * padded_cells(part.shape) for part in shifted)
    if not costs:
        worst = max(shifted, key=lambda part: part.magnitude)
        message = "values of this size cannot be requantised without wrapping around the field"
        raise BoundsError(message, node=worst.entry.name, bound=worst.magnitude, remedy=FEWER_BITS)
    best = min(costs, key=lambda b: (costs[b], -b))
    return best, costs[best]


def _ranged_cost(draft: Draft, entry: Ranged, b: int) -> int:
    """The leaves of an operator's lookups in a range table of b bits; `CircuitError` where it does not fit."""
    tables_of = (tables.Range(bits=b),)
    operands = [draft.tensors[i] for i in entry.op.inputs]
    outputs = range(len(entry.op.infer(operands, tables_of)))
    return sum(padded_cells(lookup.shape) for lookup in entry.op.lookups(outputs, operands, tables_of))


def _fits(part: Part, b: int) -> bool:
    """Whether the soundness bound of a requantisation holds with limbs of b bits, as `Requantise.infer` checks it."""
    entry = part.entry
    gap = -entry.shift % b
    domain = max(abs(entry.low), abs(entry.high)) + 2
    reach = max(part.magnitude + (1 << entry.shift), domain << entry.shift) << gap
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


def assemble(draft: Draft, outputs: Sequence[tuple[str, int, float]]) -> Assembled:
    """The graph of a draft; `outputs` are (name, draft tensor, scale). `ModelError` for a name that a manifest cannot hold."""
    for name in (*(entry.tensor.name for entry in draft.entries if isinstance(entry, Leaf)), *(name for name, _, _ in outputs)):
        check_name(name, MAX_NAME)
    builder = GraphBuilder()
    plan = choose(draft)
    range_table = builder.table(tables.Range(bits=plan.range_bits))
    replay = _Replay(builder, draft, plan.split, range_table, {f: tuple(map(builder.table, c.tables)) for f, c in plan.functions.items()})
    weights: dict[int, Integers] = {}
    for position, entry in enumerate(draft.entries):
        name = entry.tensor.name if isinstance(entry, Leaf) else entry.name
        try:
            tensor = replay.add(entry, draft.deviations.get(position, EXACT))
        except CircuitError as error:
            raise BoundsError(str(error), node=name, remedy=FEWER_BITS) from error
        if isinstance(entry, Leaf) and entry.values is not None:
            weights[tensor] = entry.values
    for name, source, scale in outputs:
        builder.output(name, replay.ids[source], scale=scale)
    laws = {replay.ids[i]: law.of(replay.ids[law.source]) for i, law in draft.laws.items()}
    return Assembled(builder.build(), weights, Notes(replay.deviations, laws), replay.ids)


def check_name(name: str, limit: int) -> None:
    """`ModelError` for a name that its reader would refuse."""
    if not is_text(name, limit):
        shown = f"{name[:SHOWN_NAME]!a}..." if len(name) > SHOWN_NAME else f"{name!a}"
        message = f"a circuit's file holds names of at most {limit} Unicode characters, this one has {len(name)}"
        raise ModelError(message, node=shown, remedy="rename it in the model")


class _Replay:
    """Adds drafted entries to a graph; `ids` are the graph's tensors by draft id, `deviations` those of the graph's tensors."""

    def __init__(
        self, builder: GraphBuilder, draft: Draft, split: frozenset[Function], range_table: int, chosen: dict[Function, tuple[int, ...]]
    ) -> None:
        self.builder, self.draft, self.split, self.range_table, self.chosen = builder, draft, split, range_table, chosen
        self.ids: list[int] = []
        self.deviations: dict[int, Deviation] = {}
        self.top_limbs: dict[int, int] = {}

    def add(self, entry: Entry, deviation: Deviation) -> int:
        """Add one entry; returns its tensor."""
        if isinstance(entry, Leaf):
            tensor = self._leaf(entry)
        elif isinstance(entry, Plain):
            op = replace(entry.op, inputs=tuple(self.ids[i] for i in entry.op.inputs))
            tensor = self.builder.add(op, entry.name)[0]
        elif isinstance(entry, Rescale):
            tensor = self._rescale(entry, deviation)
        elif isinstance(entry, Refined):
            tensor = self._refined(entry)
        else:
            ranged = replace(entry.op, inputs=tuple(self.ids[i] for i in entry.op.inputs), range_table=self.range_table)
            tensor = self.builder.add(ranged, entry.name)[0]
        self.ids.append(tensor)
        if deviation != EXACT and not isinstance(entry, Rescale):
            self.deviations[tensor] = deviation
        return tensor

    def _leaf(self, entry: Leaf) -> int:
        tensor = entry.tensor
        if tensor.storage is Storage.INPUT:
            return self.builder.input(tensor.name, tensor.shape, low=tensor.low, high=tensor.high, scale=entry.scale or 1.0)
        return self.builder.weight(tensor.name, tensor.shape, low=tensor.low, high=tensor.high)

    def _rescale(self, entry: Rescale, deviation: Deviation) -> int:
        found = parts(self.draft, entry, self.split)
        source = self.ids[entry.source]
        if len(found) == 1:
            return self._requantise(source, entry, deviation)
        below = found[1]
        scaled = Combine(inputs=(source,), coefficients=(below.coefficient,), offset=below.offset)
        negated = self.builder.add(scaled, f"{below.entry.name}.scaled")[0]
        steeper = ldexp(deviation.coefficient(0), below.entry.shift - entry.shift)
        self.deviations[negated] = Deviation(cells=float(abs(below.offset)), coefficients=(steeper,))
        ends = (deviation.exact_high, deviation.exact_low)
        made = tuple(
            self._requantise(tensor, part.entry, Deviation(deviation.cells, exact_low=True, exact_high=exact))
            for tensor, part, exact in zip((source, negated), found, ends, strict=True)
        )
        return self.builder.add(Combine(inputs=made, coefficients=(1, -1)), entry.name)[0]

    def _requantise(self, source: int, entry: Rescale, deviation: Deviation) -> int:
        op = Requantise(inputs=(source,), shift=entry.shift, tables=self.chosen[entry.function], range_table=self.range_table)
        made = self.builder.add(op, entry.name)
        if entry.extra:
            self.top_limbs[made[0]] = made[entry.num_limbs]
        if deviation != EXACT:
            self.deviations[made[0]] = deviation
        return made[0]

    def _refined(self, entry: Refined) -> int:
        out = self.ids[entry.source]
        inputs = out, self.top_limbs[out]
        return self.builder.add(Combine(inputs=inputs, coefficients=(1 << entry.extra, 1), offset=-(1 << entry.extra >> 1)), entry.name)[0]
