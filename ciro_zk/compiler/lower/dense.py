"""Gemm and MatMul by a constant."""

from __future__ import annotations

import numpy as np

from ciro_zk.compiler import steps
from ciro_zk.compiler.lower.registry import NodeView, Refused, lowers
from ciro_zk.compiler.steps import Floats

TWO_ACTIVATIONS = "a product of two computed tensors"
TWO_HINT = "only products with constant weights are supported yet"


@lowers("Gemm", 9, 11, 13)
def gemm(view: NodeView) -> None:
    """y = alpha A' B' + beta C."""
    view.require_float(0)
    alpha, beta = float(view.attribute("alpha", 1.0)), float(view.attribute("beta", 1.0))
    trans_a, trans_b = bool(view.attribute("transA", 0)), bool(view.attribute("transB", 0))
    rows, columns = view.shape(view.output)
    offset, addends = None, []
    if view.has(2) and beta != 0.0:
        if view.is_constant(2):
            offset = beta * view.constant(2, "C")
        else:
            addends.append(_scaled(view, view.broadcast(view.name(2), (rows, columns), "c"), beta))
    if view.is_constant(1):
        weight = view.constant(1, "B")
        x = _transposed(view, view.name(0), "a") if trans_a else view.name(0)
        view.emit(steps.MatMul, [x, *addends], weight=alpha * (weight.T if trans_b else weight), offset=offset, signs=(1,) * len(addends))
    elif view.is_constant(0):
        # y^T = B'^T A'^T
        weight = view.constant(0, "A")
        x = view.name(1) if trans_b else _transposed(view, view.name(1), "b")
        addends = [_transposed(view, name, "c") for name in addends]
        if offset is not None:
            offset = np.broadcast_to(offset, (rows, columns)).T
        product = view.fresh("product", (columns, rows))
        left = weight if trans_a else weight.T
        view.emit(steps.MatMul, [x, *addends], product, weight=alpha * left, offset=offset, signs=(1,) * len(addends))
        view.emit(steps.Transpose, [product], permutation=(1, 0))
    else:
        raise Refused(TWO_ACTIVATIONS, TWO_HINT)


def _scaled(view: NodeView, name: str, factor: float) -> str:
    if factor == 1.0:
        return name
    return view.emit(steps.Affine, [name], view.fresh("beta", view.shape(name)), weight=np.asarray(factor, dtype=np.float64))


def _transposed(view: NodeView, name: str, suffix: str) -> str:
    """`name` with its last two axes swapped."""
    shape = view.shape(name)
    order = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
    return view.emit(steps.Transpose, [name], view.fresh(f"{suffix}.transposed", [shape[a] for a in order]), permutation=order)


@lowers("MatMul", 9, 13)
def matmul(view: NodeView) -> None:
    """numpy's matmul with one constant operand."""
    view.require_float(0, 1)
    if view.is_constant(1):
        x, weight = view.name(0), view.constant(1, "B")
        shape = view.shape(x)
        if len(shape) == 1:
            x = view.emit(steps.Reshape, [x], view.fresh("row", (1, *shape)))
        _product(view, x, weight[:, None] if weight.ndim == 1 else weight, swapped=False)
    elif view.is_constant(0):
        x, weight = view.name(1), view.constant(0, "A")
        shape = view.shape(x)
        # y^T = x^T A^T; a vector x is a row already
        x = view.emit(steps.Reshape, [x], view.fresh("row", (1, *shape))) if len(shape) == 1 else _transposed(view, x, "b")
        _product(view, x, weight[:, None] if weight.ndim == 1 else np.swapaxes(weight, -1, -2), swapped=True)
    else:
        raise Refused(TWO_ACTIVATIONS, TWO_HINT)


def _product(view: NodeView, x: str, weight: Floats, *, swapped: bool) -> None:
    """x (..., s, k) by weight (..., k, o), then put the result into the output's layout."""
    while weight.ndim > 2 and weight.shape[0] == 1:
        weight = weight[0]
    shape, target = view.shape(x), view.shape(view.output)
    lead = shape[:-2]
    if weight.ndim > 2:
        lead = np.broadcast_shapes(lead, weight.shape[:-2])
        x = view.broadcast(x, (*lead, *shape[-2:]), "x")
        weight = np.ascontiguousarray(np.broadcast_to(weight, (*lead, *weight.shape[-2:])))
    result = (*lead, shape[-2], weight.shape[-1])
    swapped = swapped and min(result[-2:]) > 1
    order = (*range(len(lead)), len(lead) + 1, len(lead)) if swapped else tuple(range(len(result)))
    final = tuple(result[a] for a in order)
    if final == target and not swapped:
        view.emit(steps.MatMul, [x], weight=weight)
        return
    product = view.emit(steps.MatMul, [x], view.fresh("product", result), weight=weight)
    if swapped and final == target:
        view.emit(steps.Transpose, [product], permutation=order)
        return
    if swapped:
        product = view.emit(steps.Transpose, [product], view.fresh("turned", final), permutation=order)
    view.emit(steps.Reshape, [product])
