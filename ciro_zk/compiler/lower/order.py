"""The greatest cells of an axis: Max, Min, ReduceMax, ReduceMin, ArgMax, ArgMin, TopK; and OneHot.

    m = max x;  hit_i = zero(m - x_i);  score_i = max(0, n hit_i - i) = n - i at a hit, else 0;  index = n - max score

The scores of hits are distinct, so the greatest belongs to the first of equal cells (to the last with score_i = (n + 1) hit_i -
(n - i) = i + 1). TopK takes the greatest away and starts again: chosen_i = zero(max score - score_i), and x_i below all others
where it is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ciro_zk.compiler import steps
from ciro_zk.compiler.lower.activation import NONE, ONE
from ciro_zk.compiler.lower.pooling import reduced_axes, whole_axes
from ciro_zk.compiler.lower.registry import NodeView, Refused, lowers
from ciro_zk.compiler.steps import Clip, Curve, Floats, Test

MAX_TOP = 64


@lowers("Max", 8, 12, 13)
def max_(view: NodeView) -> None:
    _extreme(view, 1.0)


@lowers("Min", 8, 12, 13)
def min_(view: NodeView) -> None:
    _extreme(view, -1.0)


def _extreme(view: NodeView, sign: float) -> None:
    """The greatest of sign * x over the operands, times the sign."""
    view.require_numbers(*range(len(view.node.input)))
    target = view.shape(view.output)
    names, constants = [], []
    for i in range(len(view.node.input)):
        if view.is_constant(i):
            constant = sign * view.constant(i, "an operand", infinite=True)
            if not np.isneginf(constant).all():  # what exporters start a maximum from
                constants.append(sign * view.constant(i, "an operand"))
        else:
            name = view.broadcast(view.name(i), target, f"operand{i}")
            names.append(name if sign > 0 else _negated(view, name, f"negated{i}"))
    if constants:
        bound: Floats = np.asarray(np.maximum.reduce([np.broadcast_to(c, target) for c in constants]))
        names.append(view.emit(steps.Fixed, [], view.fresh("bound", target), value=np.ascontiguousarray(bound)))
    if len(names) == 1:
        view.alias(names[0] if sign > 0 else view.emit(steps.Affine, names, weight=NONE))
    elif sign > 0:
        view.emit(steps.Greatest, names)
    else:
        view.emit(steps.Affine, [view.emit(steps.Greatest, names, view.fresh("greatest", target))], weight=NONE)


def _negated(view: NodeView, name: str, suffix: str, *, exact: bool | None = None) -> str:
    return view.emit(steps.Affine, [name], view.fresh(suffix, view.shape(name)), weight=NONE, exact=exact)


@lowers("ReduceMax", 1, 11, 12, 13, 18, 20)
def reduce_max(view: NodeView) -> None:
    _reduce(view, 1.0)


@lowers("ReduceMin", 1, 11, 12, 13, 18, 20)
def reduce_min(view: NodeView) -> None:
    _reduce(view, -1.0)


def _reduce(view: NodeView, sign: float) -> None:
    view.require_numbers(0)
    axes, kept, target = reduced_axes(view)
    name = view.name(0)
    if sign < 0:
        name = _negated(view, name, "negated")
    name = view.emit(steps.MaxPool, [name], view.fresh("kept", kept), windows=whole_axes(view.shape(view.name(0)), axes))
    if sign < 0:
        name = _negated(view, name, "least")
    view.alias(name) if kept == target else view.emit(steps.Reshape, [name])


def greatest(view: NodeView, name: str, axis: int, suffix: str, *, exact: bool) -> str:
    """The maximum over one axis, which stays with length 1."""
    shape = view.shape(name)
    kept = tuple(1 if a == axis else d for a, d in enumerate(shape))
    return view.emit(steps.MaxPool, [name], view.fresh(suffix, kept), windows=whole_axes(shape, [axis]), exact=exact)


def _weights(shape: Sequence[int], axis: int, values: Floats) -> Floats:
    return values.reshape([-1 if a == axis else 1 for a in range(len(shape))])


def scores(view: NodeView, name: str, top: str, axis: int, suffix: str, *, last: bool) -> str:
    """Distinct positive whole numbers at the cells that equal `top`, greatest at the first of them (the last), 0 elsewhere."""
    shape = view.shape(name)
    length = shape[axis]
    wide = view.broadcast(top, shape, f"{suffix}.top", exact=False)
    hit = view.test("zero", [wide, name], (1, -1), view.fresh(f"{suffix}.hit", shape))
    order = np.arange(length, dtype=np.float64)
    factor, offset = (length + 1.0, order - length) if last else (float(length), -order)
    return view.emit(
        steps.Affine,
        [hit],
        view.fresh(f"{suffix}.score", shape),
        weight=np.asarray(factor),
        offset=_weights(shape, axis, offset),
        function=Clip(0.0, None),
        exact=True,
    )


def _position(view: NodeView, best: str, length: int, output: str | None, *, last: bool) -> str:
    """The index that a greatest score stands for."""
    weight, offset = (ONE, -1.0) if last else (NONE, float(length))
    return view.emit(steps.Affine, [best], output, weight=weight, offset=np.asarray(offset), exact=True)


@lowers("ArgMax", 1, 11, 12, 13)
def arg_max(view: NodeView) -> None:
    _arg(view, 1.0)


@lowers("ArgMin", 1, 11, 12, 13)
def arg_min(view: NodeView) -> None:
    _arg(view, -1.0)


def _arg(view: NodeView, sign: float) -> None:
    view.require_numbers(0)
    source = view.name(0)
    exact = view.is_whole(view.node.input[0])
    shape, target = view.shape(source), view.shape(view.output)
    axis = int(view.attribute("axis", 0)) % len(shape)
    last = bool(view.attribute("select_last_index", 0))
    x = source if sign > 0 else _negated(view, source, "negated", exact=exact)
    top = greatest(view, x, axis, "top", exact=exact)
    best = greatest(view, scores(view, x, top, axis, "arg", last=last), axis, "best", exact=True)
    kept = view.shape(best)
    index = _position(view, best, shape[axis], None if kept == target else view.fresh("index", kept), last=last)
    if kept != target:
        view.emit(steps.Reshape, [index])


@lowers("TopK", 10, 11, 24)
def top_k(view: NodeView) -> None:
    """The k greatest (least) cells in order, with their indices: k rounds of ArgMax."""
    view.require_numbers(0)
    (k,) = view.integers(1, "the number of cells")
    if k > MAX_TOP:
        raise Refused(f"k = {k}", f"at most {MAX_TOP} are supported")
    x, sign = view.name(0), 1.0 if view.attribute("largest", 1) else -1.0
    exact = view.is_whole(view.node.input[0])
    shape = view.shape(x)
    axis = int(view.attribute("axis", -1)) % len(shape)
    current = x if sign > 0 else _negated(view, x, "negated", exact=exact)
    values, indices = [], []
    for i in range(k):
        top = greatest(view, current, axis, f"top{i}", exact=exact)
        score = scores(view, current, top, axis, f"round{i}", last=False)
        best = greatest(view, score, axis, f"best{i}", exact=True)
        indices.append(_position(view, best, shape[axis], view.fresh(f"index{i}", view.shape(best)), last=False))
        values.append(top if sign > 0 else _negated(view, top, f"value{i}", exact=exact))
        if i + 1 < k:
            wide = view.broadcast(best, shape, f"chosen{i}", exact=True)
            chosen = view.test("zero", [wide, score], (1, -1), view.fresh(f"chosen{i}.bit", shape))
            current = view.emit(steps.Without, [current, chosen], view.fresh(f"left{i}", shape), exact=exact)
    for position, names in enumerate((values, indices)):
        if position < len(view.node.output) and view.node.output[position]:
            output = view.node.output[position]
            if k == 1:
                view.aliases[output] = names[0]
            else:
                view.emit(steps.Concat, names, output, axis=axis, exact=exact if position == 0 else True)


@lowers("OneHot", 9, 11, 28)
def one_hot(view: NodeView) -> None:
    """off + (on - off) zero(id - v) for every v along the new axis; a negative id counts from the end."""
    view.require_numbers(0)
    depth = int(view.constant(1, "the depth").reshape(-1)[0])
    off, on = (float(v) for v in view.constant(2, "the values"))
    ids = view.name(0)
    shape, target = view.shape(ids), view.shape(view.output)
    axis = int(view.attribute("axis", -1)) % len(target)
    if target != (*shape[:axis], depth, *shape[axis:]):
        raise Refused(f"a depth of {depth} for an output of shape {target}", "export the model again")
    is_public = ids in view.program.inputs and view.is_whole(ids)
    hot = (_public_ids if is_public else _computed_ids)(view, ids, axis, depth)
    if (off, on) == (0.0, 1.0):
        view.alias(hot)
    else:
        view.emit(steps.Affine, [hot], weight=np.asarray(on - off), offset=np.asarray(off))


def _public_ids(view: NodeView, ids: str, axis: int, depth: int) -> str:
    """Of an input of the model: the verifier computes them."""
    shape = view.shape(ids)
    hot = view.emit(steps.OneHot, [ids], view.fresh("hot", (*shape, depth)), exact=True)
    order = (*range(axis), len(shape), *range(axis, len(shape)))
    if axis == len(shape):
        return hot
    return view.emit(steps.Transpose, [hot], view.fresh("turned", view.shape(view.output)), permutation=order, exact=True)


def _computed_ids(view: NodeView, ids: str, axis: int, depth: int) -> str:
    """zero(id - v) for every v along the new axis."""
    shape, target = view.shape(ids), view.shape(view.output)
    if not view.is_whole(view.node.input[0]):
        truncate = Curve("truncate", view.node.input[0], exact_output=True)
        ids = view.emit(steps.Activation, [ids], view.fresh("truncated", shape), function=truncate, exact=True)
    negative = view.emit(steps.Affine, [ids], view.fresh("negative", shape), weight=NONE, function=Test("positive"), exact=True)
    wrapped = view.emit(steps.Affine, [negative], view.fresh("wrapped", shape), weight=np.asarray(float(depth)), exact=True)
    whole = view.emit(steps.Sum, [ids, wrapped], view.fresh("ids", shape), signs=(1, 1), exact=True)
    thin = view.emit(steps.Reshape, [whole], view.fresh("thin", (*shape[:axis], 1, *shape[axis:])), exact=True)
    wide = view.broadcast(thin, target, "wide", exact=True)
    offset = _weights(target, axis, -np.arange(depth, dtype=np.float64))
    hot = view.fresh("hot", target)
    return view.emit(steps.Affine, [wide], hot, weight=ONE, offset=offset, function=Test("zero"), exact=True)
