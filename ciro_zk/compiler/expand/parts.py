"""What an expansion builds with: nodes over the operands of the node that it replaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import helper

from ciro_zk.compiler.load import Array
from ciro_zk.compiler.shapes import Shape
from ciro_zk.compiler.static import Static, label


class Kept(Exception):
    """A node that is not expanded after all: lowered as it is, or refused, with the reason given here if there is one."""

    def __init__(self, reason: str = "", hint: str = "") -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


@dataclass(slots=True)
class Parts:
    """The nodes that stand for a node so far."""

    static: Static
    node: onnx.NodeProto
    nodes: list[onnx.NodeProto] = field(default_factory=list)

    @property
    def output(self) -> str:
        """The first output that is used."""
        found: str = next(name for name in self.node.output if name)
        return found

    @property
    def opset(self) -> int:
        return self.static.model.opset

    def name(self, index: int) -> str:
        """Input `index`; `Kept` where there is none."""
        if not self.has(index):
            raise Kept
        name: str = self.node.input[index]
        return name

    def has(self, index: int) -> bool:
        return index < len(self.node.input) and bool(self.node.input[index])

    def shape(self, index: int) -> Shape:
        """The static shape of input `index`; `Kept` where it has none."""
        shape = self.static.shapes.get(self.name(index))
        if shape is None:
            raise Kept
        return shape

    def dtype(self, index: int) -> np.dtype[Any]:
        """The element type of input `index`."""
        return np.dtype(helper.tensor_dtype_to_np_dtype(self.static.types[self.name(index)]))

    def array(self, index: int) -> Array:
        """Input `index` as a constant; `Kept` where it is computed."""
        array = self.static.constants.get(self.name(index))
        if array is None:
            raise Kept
        return array

    def attribute(self, name: str, default: Any = None) -> Any:
        for entry in self.node.attribute:
            if entry.name == name:
                value = helper.get_attribute_value(entry)
                return value.decode() if isinstance(value, bytes) else value
        return default

    def constant(self, value: ArrayLike, dtype: Any = None) -> str:
        """A constant of the expansion."""
        array = np.asarray(value, dtype=dtype)
        name = f"{self.output}/constant{len(self.static.constants)}"
        self.static.constants[name] = array
        self.static.shapes[name] = array.shape
        self.static.types[name] = helper.np_dtype_to_tensor_dtype(array.dtype)
        return name

    def add(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node; returns its output, a new tensor unless named."""
        made = output or f"{self.output}/{op.lower()}{len(self.nodes)}"
        settings = {k: v for k, v in attributes.items() if v is not None}
        self.nodes.append(helper.make_node(op, list(inputs), [made], name=label(self.node), **settings))
        return made

    def result(self, op: str, *inputs: str, **attributes: Any) -> None:
        """Append the node that makes the output."""
        self.add(op, *inputs, output=self.node.output[0], **attributes)

    def reshape(self, source: str, shape: Sequence[int], output: str = "") -> str:
        return self.add("Reshape", source, self.constant(shape, np.int64), output=output)

    def squeeze(self, source: str, axes: Sequence[int], output: str = "") -> str:
        if self.opset >= 13:
            return self.add("Squeeze", source, self.constant(axes, np.int64), output=output)
        return self.add("Squeeze", source, output=output, axes=list(axes))

    def reduce(self, op: str, source: str, axes: Sequence[int], keepdims: int = 1, output: str = "") -> str:
        """A reduction, its axes an attribute or an input as the opset has it."""
        if self.opset >= (13 if op == "ReduceSum" else 18):
            return self.add(op, source, self.constant(axes, np.int64), output=output, keepdims=keepdims)
        return self.add(op, source, output=output, axes=list(axes), keepdims=keepdims)


Expansion = Callable[[Parts], None]


@dataclass(frozen=True, slots=True)
class Entry:
    versions: frozenset[int]
    expansion: Expansion
    domain: str


EXPANSIONS: dict[str, Entry] = {}


def expands(op: str, *versions: int, domain: str = "") -> Callable[[Expansion], Expansion]:
    """Register an expansion for an operator at the given schema versions."""

    def add(function: Expansion) -> Expansion:
        EXPANSIONS[op] = Entry(frozenset(versions), function, domain)
        return function

    return add
