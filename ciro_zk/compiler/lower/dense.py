"""Gemm and MatMul, by a constant or of two computed tensors."""

from __future__ import annotations

import numpy as np

from ciro_zk.compiler import steps
from ciro_zk.compiler.lower.registry import NodeView, lowers
from ciro_zk.compiler.steps import Floats


@lowers("Gemm", 9, 11, 13)
def gemm(view: NodeView) -> None:
    """y = alpha A' B' + beta C."""
    view.require_numbers(0)
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
        a = _transposed(view, view.name(0), "a") if trans_a else view.name(0)
        b = _transposed(view, view.name(1), "b") if trans_b else view.name(1)
        if offset is None and not addends:
            view.emit(steps.Contraction, [a, b], factor=alpha)
            return
        product = view.emit(steps.Contraction, [a, b], view.fresh("product", (rows, columns)), factor=alpha)
        if addends:
            view.emit(steps.Sum, [product, *addends], signs=(1, 1))
        else:
            view.emit(steps.Affine, [product], weight=np.asarray(1.0), offset=offset)


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
    """numpy's matmul."""
    view.require_numbers(0, 1)
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
        _contraction(view)


def _contraction(view: NodeView) -> None:
    """Two computed tensors; a vector is a row on the left, a column on the right, and leading axes broadcast."""
    a, b = view.name(0), view.name(1)
    a_shape, b_shape = view.shape(a), view.shape(b)
    if len(a_shape) == 1:
        a_shape = (1, *a_shape)
        a = view.emit(steps.Reshape, [a], view.fresh("row", a_shape))
    if len(b_shape) == 1:
        b_shape = (*b_shape, 1)
        b = view.emit(steps.Reshape, [b], view.fresh("column", b_shape))
    lead = np.broadcast_shapes(a_shape[:-2], b_shape[:-2])
    a, b = view.broadcast(a, (*lead, *a_shape[-2:]), "a"), view.broadcast(b, (*lead, *b_shape[-2:]), "b")
    result = (*lead, a_shape[-2], b_shape[-1])
    if result == view.shape(view.output):
        view.emit(steps.Contraction, [a, b])
    else:
        view.emit(steps.Reshape, [view.emit(steps.Contraction, [a, b], view.fresh("product", result))])


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
