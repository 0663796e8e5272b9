"""A model with static shapes, between folding and lowering."""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx
from onnx import helper

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
    kept: dict[str, tuple[str, str]] = field(default_factory=dict)
    """(reason, hint) by first output of the nodes that could not be expanded."""
    tied: list[frozenset[str]] = field(default_factory=list)
    """Groups of tensors that get one scale."""
    labels: dict[str, list[str]] = field(default_factory=dict)
    """The texts that an output's numbers stand for."""

    def fix(self, name: str, value: Array) -> None:
        """Enter a constant."""
        self.constants[name], self.shapes[name] = value, value.shape
        self.types[name] = helper.np_dtype_to_tensor_dtype(value.dtype)


DOMAINS = ("", "ai.onnx.ml")
"""The standard operators, and those of classical machine learning."""


def domain_of(node: onnx.NodeProto) -> str:
    """A node's domain, '' for the standard set under either name."""
    domain: str = node.domain
    return "" if domain == "ai.onnx" else domain


def schema_of(model: Model, node: onnx.NodeProto) -> onnx.defs.OpSchema:
    """The schema that a node of a model refers to; `onnx.defs.SchemaError` where there is none."""
    return onnx.defs.get_schema(node.op_type, model.opsets.get(domain_of(node), 0), domain_of(node))


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
