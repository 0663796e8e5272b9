"""The proof plan: everything about a circuit's proof that prover and verifier must agree on, derived from the graph alone.

Leaves of the lookup argument: every lookup and every table has its segments (`ciro_zk.circuit.segments`). Padding and unassigned leaves are
the fraction 0 / 1.

At a point r of the 2^L leaves (protocol.md, section 6), with e_S the vector of eq(r, .) on the cells of a segment S and 1(S) its sum,

    numerator(r)   = sum_lookups 1(S) - sum_tables <e_S, m_T>
    denominator(r) = 1 + (alpha - 1) sum_segments 1(S) - sum_segments <e_S, phi>,   phi = id 1 + beta c_1 + beta^2 c_2 + ...

which are linear forms in the committed cells, the weights, the public inputs and the accumulators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ciro_zk.circuit.factor import Factor, Keep
from ciro_zk.circuit.graph import Graph
from ciro_zk.circuit.layout import Layout
from ciro_zk.circuit.op import CircuitError, Column, CommitOp, LinearOp, Lookup, ZeroCheck
from ciro_zk.circuit.segments import Segment, segments_of
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.field import arrays
from ciro_zk.field.extension import ONE, ZERO, Ext
from ciro_zk.poly.linear_form import Eq, Group, Term, num_vars

MAX_LOG_LEAVES = 31
MAX_DEPTH = 128
MAX_WAYS = 1 << 12
MAX_FORM_WORK = 1 << 27


def point_term(point: Sequence[Ext], shape: tuple[int, ...]) -> Term:
    """eq(point, cell) over the real cells of a tensor, one group per axis."""
    groups, start = [], 0
    for d in shape:
        stop = start + num_vars(d)
        groups.append(Eq(tuple(point[start:stop]), d))
        start = stop
    return Term(tuple(groups))


def padded_vars(shape: tuple[int, ...]) -> int:
    """Variables of a tensor's index space with every axis padded to a power of two."""
    return sum(num_vars(d) for d in shape)


@dataclass(frozen=True)
class Plan:
    """Layouts, lookups, tables and zero checks of one graph."""

    graph: Graph

    @cached_property
    def lookups(self) -> tuple[Lookup, ...]:
        return tuple(
            lookup
            for node in self.graph.nodes
            if isinstance(node.op, CommitOp)
            for lookup in node.op.lookups(node.outputs, self.graph.input_tensors(node.op), self.graph.tables)
        )

    @cached_property
    def zero_checks(self) -> tuple[ZeroCheck, ...]:
        return tuple(
            check
            for node in self.graph.nodes
            if isinstance(node.op, CommitOp)
            for check in node.op.zero_checks(node.outputs, self.graph.input_tensors(node.op))
        )

    @property
    def num_tensors(self) -> int:
        return len(self.graph.tensors)

    def multiplicity(self, table: int) -> int:
        """The id of a table's multiplicity tensor, beyond the graph's own."""
        return self.num_tensors + table

    @cached_property
    def weight_layout(self) -> Layout:
        return Layout.of((i, self.graph.tensors[i]) for i in self.graph.weights)

    @cached_property
    def witness_layout(self) -> Layout:
        tensors = [(i, t) for i, t in enumerate(self.graph.tensors) if t.storage is Storage.WITNESS]
        for i, table in enumerate(self.graph.tables):
            tensors.append((self.multiplicity(i), multiplicity_tensor(table.num_rows)))
        return Layout.of(tensors)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        accumulated = self._accumulated
        may_split = [not any(t in accumulated for column in lookup.columns for t, _ in column.terms) for lookup in self.lookups]
        return segments_of([lookup.shape for lookup in self.lookups], may_split, [table.num_rows for table in self.graph.tables])

    @property
    def _accumulated(self) -> set[int]:
        """Accumulators and the virtual tensors that are made of some."""
        found = {i for i, tensor in enumerate(self.graph.tensors) if tensor.storage is Storage.ACCUMULATOR}
        for node in self.graph.nodes:
            if isinstance(node.op, LinearOp) and found.intersection(node.op.inputs):
                found.update(node.outputs)
        return found

    @cached_property
    def log_leaves(self) -> int:
        last = self.segments[-1]
        return max(num_vars(last.offset + last.size), 1)

    @cached_property
    def max_columns(self) -> int:
        return max(table.num_columns for table in self.graph.tables)

    def check_factor(self, check: ZeroCheck, column: Column) -> Factor:
        """A zero check's column as a factor over its cells."""
        return Factor(
            tensors=column.terms, shape=check.shape, view=check.shape, roles=(Keep(),) * len(check.shape), constant=column.constant
        )

    @cached_property
    def max_degree(self) -> int:
        """The degree of the batched sumcheck's rounds."""
        return max([2, *(len(check.columns) + 1 for check in self.zero_checks)])

    def validate(self) -> None:
        """`CircuitError` unless every rule holds that soundness or a later stage relies on."""
        graph = self.graph
        if not graph.tables or not self.lookups:
            raise CircuitError("a circuit needs at least one lookup; every committed cell is bounded by one")
        if len(graph.tensors) > 1 << 16 or self.log_leaves > MAX_LOG_LEAVES:
            raise CircuitError("the circuit is too large")
        for lookup in self.lookups:
            if len(lookup.columns) != graph.tables[lookup.table].num_columns:
                raise CircuitError("a lookup has another number of columns than its table")
        self._check_range_ledger()
        self._check_depth()
        self._check_forms()

    def _check_depth(self) -> None:
        """Forms are pulled back through few virtual tensors, along few ways: pulling back is recursive and visits every way."""
        depth, ways = [0] * len(self.graph.tensors), [1] * len(self.graph.tensors)
        for node in self.graph.nodes:
            if isinstance(node.op, LinearOp):
                for output in node.outputs:
                    depth[output] = 1 + max(depth[i] for i in node.op.inputs)
                    ways[output] = sum(ways[i] for i in node.op.inputs)
                    if depth[output] > MAX_DEPTH or ways[output] > MAX_WAYS:
                        raise CircuitError(f"tensor {output} is {depth[output]} views deep and {ways[output]} ways from committed cells")

    def _check_forms(self) -> None:
        """Every form that a proof will need can be pulled back to stored cells, all together with bounded work."""
        graph, spent = self.graph, 0

        def spend(cells: int) -> None:
            nonlocal spent
            spent += cells
            if spent > MAX_FORM_WORK:
                raise CircuitError(f"pulling all forms back to committed cells takes more than {MAX_FORM_WORK} steps and cells")

        for lookup in self.lookups:
            for column in lookup.columns:
                for tensor, _ in column.terms:
                    self._check_form(tensor, lookup.shape, True, spend)
        for check in self.zero_checks:
            for column in check.columns:
                for tensor, _ in column.terms:
                    self._check_form(tensor, check.shape, False, spend)
        for port in graph.outputs:
            self._check_form(port.tensor, graph.tensors[port.tensor].shape, False, spend)
        for i, accumulator in enumerate(graph.tensors):
            if accumulator.storage is Storage.ACCUMULATOR:
                for tensor in graph.product(i).inputs:
                    self._check_form(tensor, graph.tensors[tensor].shape, False, spend)

    def _check_range_ledger(self) -> None:
        """Every witness tensor is bounded by a lookup column of its own or by a zero check against bounded cells."""
        looked_up = {t for lookup in self.lookups for column in lookup.columns for t, _ in column.terms}
        for i, tensor in enumerate(self.graph.tensors):
            if tensor.storage is Storage.WITNESS and i not in looked_up:
                raise CircuitError(f"no lookup bounds tensor {i} ({tensor.name})")

    def _check_form(self, tensor: int, shape: tuple[int, ...], accumulators: bool, spend: Callable[[int], None]) -> None:
        """A form on `tensor` reaches stored cells, through products only where allowed, and separates there."""
        if self.graph.tensors[tensor].shape != shape:
            raise CircuitError(f"tensor {tensor} has shape {self.graph.tensors[tensor].shape}, not {shape}")
        term = point_term([ONE + ONE] * padded_vars(shape), shape)
        for source, pulled in self.graph.resolve(tensor, term, spend)[0]:
            if self.graph.tensors[source].storage is Storage.ACCUMULATOR:
                if not accumulators:
                    raise CircuitError(f"accumulator {source} is used without requantisation")
                op = self.graph.product(source)
                op.factors(pulled, self.graph.input_tensors(op))

    def leaf_forms(self, point: Sequence[Ext], beta: Ext) -> LeafForms:
        """The parts of numerator(point) and denominator(point) that prover and verifier compute alike."""
        cells: list[tuple[int, Term]] = []
        multiplicities: list[tuple[int, Term]] = []
        lookup_weight, real_weight, phi = ZERO, ZERO, ZERO
        tables: list[tuple[int, Term]] = []
        shared: dict[tuple[int, int], Group] = {}
        for segment in self.segments:
            term = segment.term(point, shared)
            weight = total_weight(term)
            real_weight = real_weight + weight
            if segment.is_table:
                multiplicities.append((self.multiplicity(segment.index), term.scaled(-ONE)))
                tables.append((segment.index, term))
                phi = phi + weight * (segment.index + 1)
                continue
            lookup = self.lookups[segment.index]
            lookup_weight = lookup_weight + weight
            phi = phi + weight * (lookup.table + 1)
            power = beta
            for column in lookup.columns:
                if column.constant:
                    phi = phi + weight * power * column.constant
                for tensor, coefficient in column.terms:
                    pairs, offset = self.graph.resolve(tensor, term.scaled(power * coefficient))
                    cells.extend(pairs)
                    phi = phi + offset
                power = power * beta
        return LeafForms(tuple(cells), tuple(multiplicities), tuple(tables), lookup_weight, real_weight, phi)


@dataclass(frozen=True, slots=True)
class LeafForms:
    """numerator = lookup_weight + <multiplicities>; denominator = 1 + (alpha - 1) real_weight - phi - <cells> - table columns."""

    cells: tuple[tuple[int, Term], ...]
    multiplicities: tuple[tuple[int, Term], ...]
    tables: tuple[tuple[int, Term], ...]
    """The form on each table's columns."""
    lookup_weight: Ext
    real_weight: Ext
    phi: Ext


def total_weight(term: Term) -> Ext:
    """The sum of a term's weights; an `Eq` over all cells of a power-of-two axis sums to 1."""
    value = term.coefficient
    for group in term.groups:
        value = value * (eq_prefix(group.point, group.length) if isinstance(group, Eq) else arrays.total(group.values.reshape(2, -1)))
    return value


def eq_prefix(point: Sequence[Ext], length: int) -> Ext:
    """sum over i < length of eq(point, i), in one pass over the bits of length."""
    if length == 1 << len(point):
        return ONE
    value, prefix = ZERO, ONE
    for k, r in enumerate(point):
        if length >> (len(point) - 1 - k) & 1:
            value = value + prefix * (ONE - r)
            prefix = prefix * r
        else:
            prefix = prefix * (ONE - r)
    return value


def multiplicity_tensor(num_rows: int) -> Tensor:
    """A table's multiplicities: advice, exempt from the range ledger."""
    return Tensor(name="multiplicity", shape=(num_rows,), storage=Storage.WITNESS, low=0, high=1 << 40, bounded_by="exempt: multiplicity")
