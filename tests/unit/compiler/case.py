"""What a case of the compiler's tests is: a small model around an operator, at every opset that matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper
from unit.compiler.checks import Array, Sensitivity

NEWEST = onnx.defs.onnx_opset_version()
COUNT = 6
"""Calibration samples."""


def version(op: str, opset: int) -> int:
    """The schema version of an operator under an opset."""
    return int(onnx.defs.get_schema(op, opset, "").since_version)


@dataclass
class Case:
    """A small model around one operator."""

    name: str
    shape: tuple[int, ...]
    nodes: Callable[[int], Sequence[onnx.NodeProto]]
    constants: dict[str, Array] | Callable[[int], dict[str, Array]] = field(default_factory=dict)
    sensitivity: Sensitivity = field(default_factory=Sensitivity)
    since: int = 9
    only: Sequence[int] = ()
    scale: float = 1.0
    bound: float = 0.02
    """The certified error bound is at most this share of the greatest output; 1e9 where the operator jumps."""

    @property
    def opsets(self) -> list[int]:
        """The first opset of every combination of schema versions, or those asked for."""
        if self.only:
            return list(self.only)
        first: dict[tuple[int, ...], int] = {}
        for opset in range(self.since, NEWEST + 1):
            first.setdefault(tuple(version(n.op_type, opset) for n in self.nodes(opset)), opset)
        return list(first.values())

    def __str__(self) -> str:
        return self.name


def node(op: str, inputs: str = "x", output: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], name=f"{op.lower()}_1", **attributes)


def one(op: str, inputs: str = "x", **attributes: Any) -> Callable[[int], list[onnx.NodeProto]]:
    return lambda opset: [node(op, inputs, **attributes)]


def axes_node(op: str, since: int, axes: Sequence[int], **attributes: Any) -> Callable[[int], list[onnx.NodeProto]]:
    """A node whose axes moved from an attribute to an input."""
    return lambda opset: [node(op, "x axes", **attributes)] if opset >= since else [node(op, axes=list(axes), **attributes)]


def axes_constants(since: int, axes: Sequence[int]) -> Callable[[int], dict[str, Array]]:
    return lambda opset: {"axes": np.array(axes, dtype=np.int64)} if opset >= since else {}
