"""Operators that are compositions of others, rewritten as such before anything else: their parts are calibrated one by one."""

from __future__ import annotations

import onnx
from onnx import defs

from ciro_zk.compiler.expand import (
    attention,
    classical,
    elementwise,
    indexing,
    layout,
    products,
    quantised,
    recurrent,
    reductions,
    rotary,
    sampling,
    scatter,
    signal,
    states,
    windows,
)
from ciro_zk.compiler.expand.parts import EXPANSIONS, Kept, Parts
from ciro_zk.compiler.static import Static, label, schema_of

__all__ = ["EXPANSIONS", "expand"]

_FAMILIES = (
    attention,
    classical,
    elementwise,
    indexing,
    layout,
    products,
    quantised,
    recurrent,
    reductions,
    rotary,
    sampling,
    scatter,
    signal,
    states,
    windows,
)


def expand(static: Static, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
    """The nodes that a node stands for; None where it is one of its own."""
    entry = EXPANSIONS.get(node.op_type)
    if entry is None:
        return None
    try:
        schema = schema_of(static.model, node)
        if schema.domain != entry.domain or schema.since_version not in entry.versions:
            return None
        parts = Parts(static, node)
        entry.expansion(parts)
    except Kept as kept:
        static.kept[label(node)] = kept.reason, kept.hint
        return None
    except (defs.SchemaError, ValueError, TypeError, IndexError, KeyError, OverflowError):
        return None  # the lowering says what is wrong
    return parts.nodes
