"""Operators that are compositions of others, rewritten as such before anything else: their parts are calibrated one by one."""

from __future__ import annotations

import onnx
from onnx import defs

from ciro_zk.compiler.expand import elementwise, layout, reductions
from ciro_zk.compiler.expand.parts import EXPANSIONS, Kept, Parts
from ciro_zk.compiler.static import Static

__all__ = ["EXPANSIONS", "expand"]

_FAMILIES = (elementwise, layout, reductions)


def expand(static: Static, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
    """The nodes that a node stands for; None where it is one of its own."""
    entry = EXPANSIONS.get(node.op_type)
    if entry is None:
        return None
    try:
        if defs.get_schema(node.op_type, static.model.opset, "").since_version not in entry.versions:
            return None
        parts = Parts(static, node)
        entry.expansion(parts)
    except (Kept, defs.SchemaError, ValueError, TypeError, IndexError, KeyError, OverflowError):
        return None  # the lowering says what is wrong
    return parts.nodes
