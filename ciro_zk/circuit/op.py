"""What every operator of a circuit says about itself. Concrete operators are in `ciro_zk.ops`, one file per family.

Four kinds: a `LinearOp` output is virtual (forms are pulled back through it), a `PublicOp` output follows from public inputs (the
verifier computes it), a `ProductOp` output is an accumulator (its claims go to the batched sumcheck), a `CommitOp` commits its
outputs and constrains them by lookups and zero checks; it may have accumulators of its own among its outputs, which the lookups
refer to.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.error import Approximation, Deviation, Error, Interval, searched
from ciro_zk.circuit.factor import Factor
from ciro_zk.circuit.tensor import Tensor
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import Table
from ciro_zk.poly.linear_form import Term

Integers = NDArray[np.int64]

HALF_FIELD = P // 2


class CircuitError(ValueError):
    """A circuit that breaks its own rules (shapes, bounds, references): never built by the compiler, possible in an untrusted file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A lookup column: sum of coefficient * tensor over tensors of one shape, plus a constant, in F_p."""

    terms: tuple[tuple[int, int], ...]
    constant: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Every row (column[0][i], column[1][i], ...) is a row of table `table`."""

    table: int
    shape: tuple[int, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroCheck:
    """The product of the columns is zero in every cell of `shape`."""

    shape: tuple[int, ...]
    columns: tuple[Column, ...]


class Batcher(Protocol):
    """What an operator rewrites itself with; see `ciro_zk.ops.batch`."""

    size: int

    def add(self, op: Op) -> tuple[int, ...]:
        """Append an operator to the batched graph; returns the ids of its outputs."""

    def shape(self, tensor: int) -> tuple[int, ...]:
        """The shape of a tensor of the batched graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Op(ABC):
    """An operator: tensor ids in, tensors out. Attribute fields are ints, strings and nested tuples of them (the manifest's JSON)."""

    kind: ClassVar[str]
    unbounded: ClassVar[str] = "the errors of its operands are too large to add up"
    """Why its error has no bound where those of its operands have one."""
    inputs: tuple[int, ...]

    @abstractmethod
    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        """The output tensors: shape, storage and soundness range. Raises `CircuitError` where the operator's rules or bounds do not
        hold."""

    @abstractmethod
    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        """The integer semantics: the specification of the operator. int64 arrays of the inputs' shapes to those of the outputs."""

    def batch(self, batcher: Batcher, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """The operator on tensors that have the batch as an axis of their own in front; `inputs` are ids of such tensors."""
        return batcher.add(replace(self, inputs=inputs))

    @abstractmethod
    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        """Completeness: cell-wise (lowest, highest) of the outputs for inputs anywhere within theirs; a weight's two arrays are
        equal."""

    def error(
        self, inputs: Sequence[Approximation], outputs: Sequence[Interval], tables: Sequence[Table], deviation: Deviation
    ) -> tuple[Error, ...]:
        """The outputs' errors from those of the inputs (`ciro_zk.circuit.error`); `outputs` are the integers' ends, as of inputs.

        By default from `interval` over the integers around the ideal inputs, one unit more for the operator's own
        rounding: for operators that round to the nearest integer, or down, what has no extremum between neighbours.
        """
        around = searched(inputs)
        if around is None:
            return tuple(Error(np.full(low.shape, np.inf)) for low, _ in outputs)
        slack = 1.0 + deviation.cells
        bounds = self.interval(around, tables)
        return tuple(Error(np.maximum(high - out[0], out[1] - low) + slack) for out, (low, high) in zip(outputs, bounds, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearOp(Op):
    """One virtual output, affine in the inputs."""

    @abstractmethod
    def pull_back(self, term: Term, inputs: Sequence[Tensor]) -> tuple[tuple[int, Term], ...]:
        """(tensor id, term) pairs whose values sum to <term, output> less `constant_value`."""

    def constant(self) -> int:
        """The constant added to every cell of the output."""
        return 0

    @property
    def num_entries(self) -> int:
        """Entries of the operator's own that pulling a form back goes through."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicOp(Op):
    """One output of zeros and a few ones, a function of public inputs: forms on it are evaluated by the verifier."""

    @abstractmethod
    def ones(self, inputs: Sequence[Integers]) -> Integers:
        """Where the output is 1: indices of its cells in C order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductOp(Op):
    """One accumulator output, a sum of products of two tensors."""

    @abstractmethod
    def factors(self, term: Term, inputs: Sequence[Tensor]) -> tuple[Factor, Factor]:
        """Two factors over the same variables whose product sums to <term, output> / term.coefficient; `term` has one group per
        axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOp(Op):
    """Committed outputs, each constrained by the lookups and zero checks; accumulators that these refer to."""

    @abstractmethod
    def lookups(self, outputs: Sequence[int], inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Lookup, ...]:
        """The lookups; `outputs` are the ids of this operator's outputs."""

    def zero_checks(self, outputs: Sequence[int], inputs: Sequence[Tensor]) -> tuple[ZeroCheck, ...]:
        return ()

    def products(self, outputs: Sequence[int]) -> Mapping[int, ProductOp]:
        """The accumulators among the outputs, by id: products of inputs and outputs that the lookups refer to."""
        return {}


_REGISTRY: dict[str, type[Op]] = {}


def register(cls: type[Op]) -> type[Op]:
    """Make an operator class known to the manifest reader under its `kind`."""
    _REGISTRY[cls.kind] = cls
    return cls


def op_class(kind: str) -> type[Op]:
    """The class registered for `kind`; `CircuitError` for an unknown one."""
    if kind not in _REGISTRY:
        raise CircuitError(f"unknown operator kind {kind!r}")
    return _REGISTRY[kind]


def attributes(op: Op) -> Mapping[str, Any]:
    """The attribute fields of an operator, `inputs` aside."""
    return {f.name: getattr(op, f.name) for f in fields(op) if f.name != "inputs"}
