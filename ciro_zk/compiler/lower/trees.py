"""Tree ensembles: decisions, leaves, and a product with the leaves' values."""

from __future__ import annotations

import numpy as np

from ciro_zk.compiler import steps
from ciro_zk.compiler.forest import Forest, read_forest
from ciro_zk.compiler.lower.registry import NodeView, Refused, lowers

VALUE_BITS = 24
"""Leaves are bits, so their values may be as precise as float32 without a table of that size."""


@lowers("TreeEnsemble", 5, domain="ai.onnx.ml")
@lowers("TreeEnsembleRegressor", 1, 3, domain="ai.onnx.ml")
def tree_ensemble(view: NodeView) -> None:
    view.require_numbers(0)
    forest = read_forest(view.node)
    x = view.name(0)
    shape = view.shape(x)
    if len(shape) == 1:
        shape = (1, *shape)
        x = view.emit(steps.Reshape, [x], view.fresh("row", shape))
    rows, found = shape[0], forest.decisions
    if not found:
        raise Refused("trees without a decision", "their output is a constant")
    if any(not 0 <= d.feature < shape[1] for d in found):
        raise Refused("a decision on a feature that the input does not have", "export the model again")
    bits = view.emit(
        steps.Decisions,
        [x],
        view.fresh("decisions", (rows, len(found))),
        exact=True,
        features=tuple(d.feature for d in found),
        thresholds=tuple(d.threshold for d in found),
        strict=tuple(d.strict for d in found),
    )
    leaves = view.emit(steps.Leaves, [bits], view.fresh("leaves", (rows, len(forest.paths))), exact=True, paths=tuple(forest.paths))
    if forest.aggregate in ("SUM", "AVERAGE"):
        count = forest.num_trees if forest.aggregate == "AVERAGE" else 1
        values = _values(forest, len(forest.paths)) / count
        view.emit(steps.MatMul, [leaves], weight=values, offset=forest.base, weight_bits=VALUE_BITS)
    elif forest.aggregate in ("MIN", "MAX"):
        _extreme(view, forest, leaves, rows, 1.0 if forest.aggregate == "MAX" else -1.0)
    else:
        raise Refused(f"aggregate function {forest.aggregate!r}", "export the model again")


def _values(forest: Forest, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(leaves, targets)"""
    values = np.zeros((count, forest.targets), dtype=np.float64)
    for i, of_leaf in enumerate(forest.values):
        for target, value in of_leaf.items():
            values[i, target] = value
    return values


def _extreme(view: NodeView, forest: Forest, leaves: str, rows: int, sign: float) -> None:
    """The greatest value of any tree, or with sign -1 the least; then the base values."""
    trees, targets = forest.num_trees, forest.targets
    values = np.zeros((len(forest.paths), trees, targets), dtype=np.float64)
    values[np.arange(len(forest.paths)), forest.trees] = sign * _values(forest, len(forest.paths))
    each = view.emit(
        steps.MatMul,
        [leaves],
        view.fresh("each", (rows, trees * targets)),
        weight=values.reshape(-1, trees * targets),
        weight_bits=VALUE_BITS,
    )
    split = view.emit(steps.Reshape, [each], view.fresh("trees", (rows, trees, targets)))
    best = view.emit(steps.MaxPool, [split], view.fresh("best", (rows, 1, targets)), windows=((1, (tuple(range(trees)),)),))
    flat = view.emit(steps.Reshape, [best], view.fresh("flat", (rows, targets)))
    view.emit(steps.Affine, [flat], weight=np.asarray(sign), offset=forest.base if forest.base.any() else None)
