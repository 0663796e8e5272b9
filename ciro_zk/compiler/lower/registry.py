"""The table of ONNX operators and what a lowering sees of its node.

A lowering appends steps (`ciro_zk.compiler.steps`) for one node, or raises `Refused`. It is registered with the
schema versions it was written and tested for; a model that uses another version is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeVar

import numpy as np
import onnx

from ciro_zk.compiler import steps
from ciro_zk.compiler.fold import Static, label
from ciro_zk.compiler.load import FLOATS, Array, type_name
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

    def fresh(self, suffix: str, shape: Sequence[int]) -> str:
        """The name of an intermediate tensor."""
        name = f"{self.output}#{suffix}"
        self.static.shapes[name] = tuple(shape)
        return name

    def alias(self, source: str) -> None:
        """The output is `source` under another name."""
        self.aliases[self.output] = source

    def emit(self, kind: type[AnyStep], inputs: Iterable[str], output: str | None = None, **fields: Any) -> str:
        """Append a step; returns its output's name."""
        target = self.output if output is None else output
        shape = self.shape(target)
        step = kind(node=label(self.node), inputs=tuple(inputs), output=target, shape=shape, statistic=self.output, **fields)
        self.program.steps.append(step)
        return target

    def broadcast(self, name: str, shape: Shape, suffix: str) -> str:
        """`name` broadcast to `shape` by views."""
        source = self.shape(name)
        aligned = (1,) * (len(shape) - len(source)) + source
        if aligned != source:
            name = self.emit(steps.Reshape, [name], self.fresh(f"{suffix}.rank", aligned))
        axes = tuple((a, (0,) * d) for a, d in enumerate(shape) if aligned[a] == 1 and d > 1)
        if axes:
            name = self.emit(steps.Select, [name], self.fresh(f"{suffix}.broadcast", shape), axes=axes, lengths=aligned)
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


REGISTRY: dict[str, Entry] = {}


def lowers(op: str, *versions: int) -> Callable[[Lowering], Lowering]:
    """Register a lowering for an ONNX operator at the given schema versions."""

    def add(function: Lowering) -> Lowering:
        REGISTRY[op] = Entry(frozenset(versions), function)
        return function

    return add
