"""The operator graph of a circuit, built node by node; every shape, storage and soundness bound is inferred here, never taken on
trust."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.error import EXACT, ROUNDING, Approximation, Error, Floats, Interval
from ciro_zk.circuit.notes import Notes
from ciro_zk.circuit.op import CircuitError, CommitOp, Integers, LinearOp, Op, ProductOp, PublicOp
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.field.extension import ZERO, Ext
from ciro_zk.lookup.tables import Table
from ciro_zk.poly import linear_form
from ciro_zk.poly.linear_form import Term

MAX_CELLS = 1 << 30
MAX_NODES = 1 << 16
FLOAT64 = 1e-9
"""Share of an error bound by which its own evaluation in float64 can be off."""
STEP = 1 << 8
"""What it costs to pull a form through one operator, whatever its size, in cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An operator with the ids of its outputs."""

    op: Op
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A named public tensor and the real value of one unit of it: real = scale * integer."""

    name: str
    tensor: int
    scale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Tensors by id and the nodes that make them, in order of creation (leaves have no node)."""

    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    tables: tuple[Table, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    _producers: dict[int, Node] = field(init=False, repr=False, compare=False)

    @property
    def weights(self) -> tuple[int, ...]:
        """Ids of the weight tensors, in order."""
        return tuple(i for i, tensor in enumerate(self.tensors) if tensor.storage is Storage.WEIGHT)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_producers", {output: node for node in self.nodes for output in node.outputs})

    def producer(self, tensor: int) -> Node:
        """The node that makes a tensor."""
        if tensor not in self._producers:
            raise CircuitError(f"tensor {tensor} has no producer")
        return self._producers[tensor]

    def product(self, accumulator: int) -> ProductOp:
        """The product that an accumulator is."""
        node = self.producer(accumulator)
        op = node.op.products(node.outputs).get(accumulator) if isinstance(node.op, CommitOp) else node.op
        if not isinstance(op, ProductOp):
            raise CircuitError(f"accumulator {accumulator} is made by {node.op.kind}")
        return op

    def ones(self, tensor: int, inputs: Mapping[int, Integers]) -> Integers:
        """Where a public tensor that is no input itself is 1, from the inputs by id."""
        op = self.producer(tensor).op
        if not isinstance(op, PublicOp):
            raise CircuitError(f"public tensor {tensor} is made by {op.kind}")
        return op.ones([inputs[i] for i in op.inputs])

    def input_tensors(self, op: Op) -> tuple[Tensor, ...]:
        return tuple(self.tensors[i] for i in op.inputs)

    def run(self, leaves: Mapping[int, Integers]) -> dict[int, Integers]:
        """All tensors from the inputs and weights, which stay as they are (weights may be narrow); operators work on int64."""
        values: dict[int, Integers] = dict(leaves)
        for node in self.nodes:
            results = node.op.run([wide(values[i]) for i in node.op.inputs], self.tables)
            values.update(zip(node.outputs, results, strict=True))
        return values

    def intervals(self, weights: Mapping[int, Integers]) -> dict[int, Interval]:
        """The ends of every tensor's cells over all inputs in their declared ranges; of weights one array, twice."""
        found: dict[int, Interval] = {}
        for i, values in weights.items():
            known = wide(values)
            found[i] = (known, known)
        for port in self.inputs:
            found[port.tensor] = self._declared(port.tensor)
        for node in self.nodes:
            # limbs and the like have their declared ranges
            ends = node.op.interval([found[i] for i in node.op.inputs], self.tables)
            found.update((i, ends[k] if k < len(ends) else self._declared(i)) for k, i in enumerate(node.outputs))
        return found

    def _declared(self, tensor: int) -> Interval:
        shape = self.tensors[tensor].shape
        return np.full(shape, self.tensors[tensor].low), np.full(shape, self.tensors[tensor].high)

    def errors(self, ends: Mapping[int, Interval], inputs: Mapping[int, Error], notes: Notes) -> dict[int, Error]:
        """The error of every tensor from those of the inputs: for integers within `ends`, of one run (one array, twice) or of all."""
        errors = dict(inputs)
        for weight in self.weights:
            off = notes.deviations.get(weight, EXACT).cells
            errors[weight] = Error(np.broadcast_to(np.float64(off), self.tensors[weight].shape))
        with np.errstate(over="ignore", invalid="ignore"):
            for node in self.nodes:
                around = [Approximation(*ends[i], errors[i]) for i in node.op.inputs]
                deviation = notes.deviations.get(node.outputs[0], EXACT)
                found = node.op.error(around, [ends[i] for i in node.outputs], self.tables, deviation)
                for i, error in zip(node.outputs, found, strict=True):
                    errors[i] = error.settled()
                    if i in notes.laws:
                        law = notes.laws[i]
                        errors[i] = errors[i].within(law.error(Approximation(*ends[law.source], errors[law.source]), ends[i]).settled())
        return errors

    def run_errors(self, values: Mapping[int, Integers], inputs: Mapping[str, NDArray[Any]], notes: Notes) -> dict[str, Floats]:
        """`output_bounds` of one run: its tensors, and the real inputs by name, which are taken as so many units in float64."""
        errors: dict[int, Error] = {}
        for port in self.inputs:
            x = values[port.tensor]
            units = inputs[port.name].astype(np.float64).reshape(x.shape) / port.scale
            errors[port.tensor] = Error(np.zeros(x.shape), units - x)
        ends = {i: (cells, cells) for i, cells in zip(values, map(wide, values.values()), strict=True)}
        return self.output_bounds(self.errors(ends, errors, notes))

    def range_errors(self, weights: Mapping[int, Integers], notes: Notes) -> dict[int, Error]:
        """`errors` of all runs on inputs in their declared ranges, with these weights."""
        rounded = {port.tensor: Error(np.full(self.tensors[port.tensor].shape, ROUNDING)) for port in self.inputs}
        return self.errors(self.intervals(weights), rounded, notes)

    def output_bounds(self, errors: Mapping[int, Error]) -> dict[str, Floats]:
        """Bounds on the outputs' errors by name, in real units; infinite where there is none."""
        return {port.name: errors[port.tensor].bound * port.scale * (1 + FLOAT64) for port in self.outputs}

    def unbounded_from(self, errors: Mapping[int, Error], tensor: int) -> int:
        """The tensor on the way to one without a bound whose operands still have one."""
        while without := [i for i in self.producer(tensor).op.inputs if not np.isfinite(errors[i].bound).all()]:
            tensor = without[0]
        return tensor

    def resolve(self, tensor: int, term: Term, spend: Callable[[int], None] | None = None) -> tuple[tuple[tuple[int, Term], ...], Ext]:
        """Pull <term, tensor> back through virtual tensors: (stored or accumulator tensor, term) pairs, and the constant to add to
        their sum. `spend` is told the work of every step, in cells."""
        if self.tensors[tensor].storage is not Storage.VIRTUAL:
            return ((tensor, term),), ZERO
        op = self.producer(tensor).op
        if not isinstance(op, LinearOp):
            raise CircuitError(f"virtual tensor {tensor} is made by {op.kind}")
        offset = linear_form.ones_value(term) * op.constant() if op.constant() else ZERO
        pairs: list[tuple[int, Term]] = []
        for source, pulled in op.pull_back(term, self.input_tensors(op)):
            if spend:
                spend(STEP + op.num_entries + linear_form.dense_cells(pulled))
            more, constant = self.resolve(source, pulled, spend)
            pairs.extend(more)
            offset = offset + constant
        return tuple(pairs), offset


class GraphBuilder:
    """Adds leaves and operators in order; ids are handed out in that order."""

    def __init__(self, tables: Sequence[Table] = ()) -> None:
        self.tables: list[Table] = list(tables)
        self.tensors: list[Tensor] = []
        self.nodes: list[Node] = []
        self.inputs: list[Port] = []
        self.outputs: list[Port] = []

    def _append(self, tensor: Tensor) -> int:
        if tensor.size > MAX_CELLS:
            raise CircuitError(f"{tensor.name}: {tensor.size} cells are more than 2^30")
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _leaf(self, name: str, shape: tuple[int, ...], storage: Storage, low: int, high: int, bounded_by: str) -> int:
        if not 1 <= len(shape) <= 8 or min(shape) < 1 or not -(1 << 60) < low <= high < 1 << 60:
            raise CircuitError(f"{name}: shape {shape} or range [{low}, {high}] is not allowed")
        return self._append(Tensor(name=name, shape=shape, storage=storage, low=low, high=high, bounded_by=bounded_by))

    def input(self, name: str, shape: tuple[int, ...], *, low: int, high: int, scale: float) -> int:
        """A public input; returns its id."""
        tensor = self._leaf(name, shape, Storage.INPUT, low, high, "the verifier's check of public values")
        self.inputs.append(Port(name=name, tensor=tensor, scale=scale))
        return tensor

    def weight(self, name: str, shape: tuple[int, ...], *, low: int, high: int) -> int:
        """A weight tensor; returns its id."""
        return self._leaf(name, shape, Storage.WEIGHT, low, high, "registration proof")

    def table(self, table: Table) -> int:
        """The index of a table, added unless an equal one is there."""
        table.check()
        if table not in self.tables:
            self.tables.append(table)
        return self.tables.index(table)

    def add(self, op: Op, name: str = "") -> tuple[int, ...]:
        """Append an operator; returns the ids of its outputs. Raises `CircuitError` with the reason."""
        if any(not 0 <= i < len(self.tensors) for i in op.inputs):
            raise CircuitError(f"{op.kind}: an input refers to a tensor that does not exist yet")
        if len(self.nodes) >= MAX_NODES:
            raise CircuitError(f"more than {MAX_NODES} operators")
        outputs = op.infer([self.tensors[i] for i in op.inputs], self.tables)
        ids = tuple(self._append(replace(t, name=f"{name}.{t.name}" if t.name and name else t.name or name)) for t in outputs)
        self.nodes.append(Node(op=op, outputs=ids))
        return ids

    def output(self, name: str, tensor: int, *, scale: float) -> None:
        """Declare a public output."""
        if not 0 <= tensor < len(self.tensors):
            raise CircuitError(f"output {name} refers to no tensor")
        self.outputs.append(Port(name=name, tensor=tensor, scale=scale))

    def build(self) -> Graph:
        """The finished graph; `CircuitError` for repeated names."""
        for ports in (self.inputs, self.outputs):
            if len({port.name for port in ports}) != len(ports):
                raise CircuitError("input and output names must be distinct")
        return Graph(
            tensors=tuple(self.tensors),
            nodes=tuple(self.nodes),
            tables=tuple(self.tables),
            inputs=tuple(self.inputs),
            outputs=tuple(self.outputs),
        )


def wide(values: NDArray[np.signedinteger[Any]]) -> Integers:
    """Integers as operators take them; weights are kept in a narrower type."""
    return values.astype(np.int64, copy=False)


def as_field(values: Integers) -> NDArray[np.uint64]:
    """Cells `(size,)` of an integer tensor as canonical field elements."""
    from ciro_zk.field import goldilocks

    return goldilocks.from_signed(np.ascontiguousarray(values).reshape(-1))
