"""A model with static shapes, between folding and lowering."""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx

from ciro_zk.compiler.load import Array, Model
from ciro_zk.compiler.shapes import Shape


@dataclass(slots=True)
class Static:
    """A model with static shapes and its constants folded away."""

    model: Model
    inputs: dict[str, Shape]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    """The nodes that compute on data, in order."""
    constants: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    """Static shapes; a tensor that depends on an unsupported operator may have none."""
    types: dict[str, int] = field(default_factory=dict)
    """ONNX element types."""


def label(node: onnx.NodeProto) -> str:
    """How messages name a node: its name, or its output when it has none."""
    return node.name or next((f"-> {name}" for name in node.output if name), node.op_type)


def names_used(node: onnx.NodeProto) -> set[str]:
    """The tensors that a node reads, those of its subgraphs included."""
    found = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                found |= names_used(inner)
    return found
