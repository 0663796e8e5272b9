"""The table of ONNX operators and what a lowering sees of its node.

A lowering appends steps (`ciro_zk.compiler.steps`) for one node, or raises `Refused`. It is registered with the
schema versions it was written and tested for; a model that uses another version is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeVar

import numpy as np
import onnx

from ciro_zk.compiler import steps
from ciro_zk.compiler.evaluate import evaluate
from ciro_zk.compiler.load import FLOATS, WHOLE, Array, type_name
from ciro_zk.compiler.static import Static, label
from ciro_zk.compiler.steps import Floats, Shape, Step

MAX_RANK = 8
MAX_CELLS = 1 << 28
LAYOUT_VERSIONS = (13, 21, 23, 24, 25)
"""Versions that only widened the types which a layout operator moves."""


class Refused(Exception):
    """A node that cannot be lowered."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


@dataclass(slots=True)
class Program:
    """The steps of a model, its inputs' shapes and its outputs as (name, tensor)."""

    inputs: dict[str, Shape]
    steps: list[Step] = field(default_factory=list)
    outputs: list[tuple[str, str]] = field(default_factory=list)
    tied: list[frozenset[str]] = field(default_factory=list)
    """Groups of ONNX tensors that get one scale."""


AnyStep = TypeVar("AnyStep", bound=Step)


@dataclass(slots=True)
class NodeView:
    """One ONNX node with what is known statically, and the program it appends to."""

    node: onnx.NodeProto
    version: int
    static: Static
    program: Program
    aliases: dict[str, str]

    def has(self, index: int) -> bool:
        return index < len(self.node.input) and bool(self.node.input[index])

    def name(self, index: int) -> str:
        """The tensor that input `index` is, behind identities."""
        name: str = self.node.input[index]
        return self.aliases.get(name, name)

    @property
    def output(self) -> str:
        name: str = self.node.output[0]
        return name

    def shape(self, name: str) -> Shape:
        """The static shape of a tensor; `Refused` where there is none or it is not provable."""
        shape = self.static.shapes.get(name)
        if shape is None:
            raise Refused(f"the shape of {name!r} depends on data", "use static shapes")
        if len(shape) > MAX_RANK:
            raise Refused(f"{name!r} has {len(shape)} axes", f"use at most {MAX_RANK}")
        if prod(shape) == 0:
            raise Refused(f"{name!r} has no cells (shape {shape})")
        if prod(shape) > MAX_CELLS:
            raise Refused(f"{name!r} has too many cells (shape {shape})", "at most 2^28 are supported")
        return shape

    def is_constant(self, index: int) -> bool:
        return self.node.input[index] in self.static.constants

    def array(self, index: int) -> Array | None:
        """Input `index` where it is a constant."""
        return self.static.constants.get(self.node.input[index]) if self.has(index) else None

    def constant(self, index: int, what: str, *, infinite: bool = False) -> Floats:
        """Input `index` as float64; `Refused` where it is computed, or infinite unless that is allowed."""
        array = self.array(index)
        if array is None:
            raise Refused(f"{what} is computed at run time", "make it an initialiser")
        values = as_floats(array, what)
        if not infinite and not np.isfinite(values).all():
            raise Refused(f"{what} is infinite", "use a finite number")
        return values

    def integers(self, index: int, what: str) -> list[int]:
        """Input `index` as a list of ints; `Refused` where it is computed."""
        array = self.array(index)
        if array is None:
            raise Refused(f"{what} are computed at run time", "make them initialisers")
        return [int(v) for v in np.asarray(array).reshape(-1)]

    def evaluate(self, replaced: Mapping[int, Array]) -> Array:
        """The node's output for given arrays and constants; `Refused` where another input is computed."""
        values = dict(replaced)
        for index in range(len(self.node.input)):
            if self.has(index) and index not in values:
                found = self.array(index)
                if found is None:
                    raise Refused("its indices are computed at run time", "make them initialisers")
                values[index] = found
        return evaluate(self.node, self.static.model.opset, values)[0]

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute's value, or the default."""
        for entry in self.node.attribute:
            if entry.name == name:
                value = onnx.helper.get_attribute_value(entry)
                return value.decode() if isinstance(value, bytes) else value
        return default

    def require_float(self, *indices: int) -> None:
        """`Refused` unless the inputs are floats."""
        for index in indices:
            kind = self.static.types.get(self.node.input[index], 0)
            if kind not in FLOATS:
                name = type_name(kind)
                raise Refused(f"arithmetic on {name} is not supported", "cast to float32 first")

    def require_numbers(self, *indices: int) -> None:
        """`Refused` unless the inputs are floats, integers or bools."""
        for index in indices:
            kind = self.static.types.get(self.node.input[index], 0)
            if kind not in (*FLOATS, *WHOLE):
                raise Refused(f"arithmetic on {type_name(kind)} is not supported", "cast to float32 first")

    def is_whole(self, name: str) -> bool:
        """Whether an ONNX tensor holds integers or bools."""
        return self.static.types.get(name) in WHOLE

    def fresh(self, suffix: str, shape: Sequence[int]) -> str:
        """The name of an intermediate tensor."""
        name = f"{self.output}#{suffix}"
        self.static.shapes[name] = tuple(shape)
        return name

    def alias(self, source: str) -> None:
        """The output is `source` under another name."""
        self.aliases[self.output] = source

    def emit(
        self, kind: type[AnyStep], inputs: Iterable[str], output: str | None = None, *, exact: bool | None = None, **fields: Any
    ) -> str:
        """Append a step; returns its output's name. It is exact where the node's output holds integers or bools, unless told."""
        target = self.output if output is None else output
        shape = self.shape(target)
        whole = self.is_whole(self.output) if exact is None else exact
        step = kind(node=label(self.node), inputs=tuple(inputs), output=target, shape=shape, statistic=self.output, exact=whole, **fields)
        self.program.steps.append(step)
        return target

    def test(self, kind: str, names: Iterable[str], signs: tuple[int, ...], output: str | None = None) -> str:
        """A whole number from the sign of a sum of tensors of one shape."""
        inputs = list(names)
        target = self.fresh(kind, self.shape(inputs[0])) if output is None else output
        return self.emit(steps.Sum, inputs, target, signs=signs, function=steps.Test(kind), exact=True)

    def invert(self, name: str) -> None:
        """The output is 1 - x for a bool."""
        self.emit(steps.Affine, [name], weight=np.asarray(-1.0), offset=np.asarray(1.0), exact=True)

    def broadcast(self, name: str, shape: Shape, suffix: str, *, exact: bool | None = None) -> str:
        """`name` broadcast to `shape` by views."""
        source = self.shape(name)
        aligned = (1,) * (len(shape) - len(source)) + source
        if aligned != source:
            name = self.emit(steps.Reshape, [name], self.fresh(f"{suffix}.rank", aligned), exact=exact)
        axes = tuple((a, (0,) * d) for a, d in enumerate(shape) if aligned[a] == 1 and d > 1)
        if axes:
            wide = self.fresh(f"{suffix}.broadcast", shape)
            name = self.emit(steps.Select, [name], wide, exact=exact, axes=axes, lengths=aligned)
        return name


def as_floats(array: Array, what: str) -> Floats:
    """A constant as float64."""
    if array.dtype.kind not in "fiub":
        raise Refused(f"{what} has type {array.dtype}")
    return np.asarray(array, dtype=np.float64)


Lowering = Callable[[NodeView], None]


@dataclass(frozen=True, slots=True)
class Entry:
    versions: frozenset[int]
    lowering: Lowering
    domain: str


REGISTRY: dict[str, Entry] = {}


def lowers(op: str, *versions: int, domain: str = "") -> Callable[[Lowering], Lowering]:
    """Register a lowering for an operator at the given schema versions."""

    def add(function: Lowering) -> Lowering:
        REGISTRY[op] = Entry(frozenset(versions), function, domain)
        return function

    return add
