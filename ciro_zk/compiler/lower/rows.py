"""Softmax and normalisations: one axis, or several in a row, are moved to the last place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod, sqrt

import numpy as np

from ciro_zk.compiler import steps
from ciro_zk.compiler.lower.layout import is_used
from ciro_zk.compiler.lower.patterns import Norm, Shares
from ciro_zk.compiler.lower.registry import NodeView, Refused, lowers
from ciro_zk.compiler.steps import Scores


@lowers("Softmax", 1, 11, 13)
@lowers("LogSoftmax", 1, 11, 13)
def softmax(view: NodeView) -> None:
    """Up to version 11 over all axes from the given one on, then over the given one alone."""
    view.require_float(0)
    source = view.node.input[0]
    shape = view.shape(view.name(0))
    last = len(shape) - 1
    axis = int(view.attribute("axis", -1 if view.version >= 13 else 1))
    if not -len(shape) <= axis <= last + (view.version < 13):
        raise Refused(f"axis {axis} of a tensor with {len(shape)} axes", "export the model again")
    axis += len(shape) if axis < 0 else 0
    if view.version < 13 and axis != last:
        rows = (prod(shape[:axis]), prod(shape[axis:]))
        x = view.emit(steps.Reshape, [view.name(0)], view.fresh("rows", rows))
        view.emit(steps.Reshape, [_softmax(view, x, source, view.fresh("result", rows))])
        return
    _along(view, view.name(0), view.output, axis, lambda x, output: _softmax(view, x, source, output))


def _softmax(view: NodeView, x: str, statistic: str, output: str) -> str:
    scores = view.emit(steps.Activation, [x], view.fresh("scores", view.shape(x)), function=Scores(statistic))
    return view.emit(steps.Softmax, [scores], output, logarithm=view.node.op_type == "LogSoftmax")


@lowers("LayerNormalization", 17)
@lowers("RMSNormalization", 23)
def layer_normalization(view: NodeView) -> None:
    """Over all axes from the given one on; scale and bias have these axes, or broadcast to them."""
    view.require_float(0)
    if any(is_used(view, name) for name in view.node.output[1:] if name):
        raise Refused("its mean and inverse deviation as outputs", "export the model for inference (model.eval())")
    shape = view.shape(view.name(0))
    axis = int(view.attribute("axis", -1)) % len(shape)
    scale = view.constant(1, "the scale") if view.has(1) else None
    bias = view.constant(2, "the bias") if view.has(2) else None
    rows = (*shape[:axis], prod(shape[axis:]))
    centred = view.node.op_type == "LayerNormalization"
    _normalised(view, view.name(0), rows, centred, float(view.attribute("epsilon", 1e-5)), scale, bias)


@lowers("InstanceNormalization", 6, 22)
def instance_normalization(view: NodeView) -> None:
    """Each channel of each image; scale and bias by channel."""
    view.require_float(0)
    shape = view.shape(view.name(0))
    channels = (-1, *[1] * (len(shape) - 2))
    scale, bias = view.constant(1, "the scale").reshape(channels), view.constant(2, "the bias").reshape(channels)
    rows = (*shape[:2], prod(shape[2:]))
    _normalised(view, view.name(0), rows, True, float(view.attribute("epsilon", 1e-5)), scale, bias)


@lowers("GroupNormalization", 21)
def group_normalization(view: NodeView) -> None:
    """Groups of channels; scale and bias by channel."""
    view.require_float(0)
    shape = view.shape(view.name(0))
    groups = int(view.attribute("num_groups"))
    channels = (-1, *[1] * (len(shape) - 2))
    scale, bias = view.constant(1, "the scale").reshape(channels), view.constant(2, "the bias").reshape(channels)
    rows = (shape[0], groups, shape[1] // groups * prod(shape[2:]))
    _normalised(view, view.name(0), rows, True, float(view.attribute("epsilon", 1e-5)), scale, bias)


@lowers("LpNormalization", 1, 22)
def lp_normalization(view: NodeView) -> None:
    view.require_float(0)
    if int(view.attribute("p", 2)) != 2:
        raise Refused("the norm for p = 1", "p = 2 is supported")
    shape = view.shape(view.name(0))
    axis = int(view.attribute("axis", -1)) % len(shape)
    _along(
        view,
        view.name(0),
        view.output,
        axis,
        lambda x, output: view.emit(steps.Normalise, [x], output, centred=False, epsilon=0.0, factor=1.0),
    )


def _along(view: NodeView, source: str, target: str, axis: int, emit: Callable[[str, str], str]) -> None:
    """A step along the last axis, from a tensor to a tensor, along any."""
    shape = view.shape(source)
    order = (*(a for a in range(len(shape)) if a != axis), axis)
    if order == tuple(range(len(shape))):
        emit(source, target)
        return
    moved = tuple(shape[a] for a in order)
    x = view.emit(steps.Transpose, [source], view.fresh("moved", moved), permutation=order)
    result = emit(x, view.fresh("result", moved))
    view.emit(steps.Transpose, [result], target, permutation=tuple(order.index(a) for a in range(len(shape))))


def shares(view: NodeView, found: Shares) -> None:
    """A softmax that was written as its parts."""
    source = view.aliases.get(found.source, found.source)
    if source not in view.static.shapes:
        return  # behind a node that is refused itself
    _along(view, source, view.output, found.axis, lambda x, output: _softmax(view, x, found.source, output))


def norm(view: NodeView, found: Norm) -> None:
    """One that was written as its parts."""
    source = view.aliases.get(found.source, found.source)
    if source not in view.static.shapes:
        return  # behind a node that is refused itself
    shape = view.shape(source)
    axis = found.axis % len(shape)
    count = shape[axis]
    target = view.output if found.scale is None else view.fresh("normalised", shape)

    def normalise(x: str, output: str) -> str:
        return view.emit(steps.Normalise, [x], output, centred=found.centred, epsilon=found.epsilon * count, factor=sqrt(count))

    _along(view, source, target, axis, normalise)
    if found.scale is not None:
        view.emit(steps.Affine, [target], weight=found.scale)


def _normalised(
    view: NodeView,
    x: str,
    rows: Sequence[int],
    centred: bool,
    epsilon: float,
    scale: steps.Floats | None,
    bias: steps.Floats | None,
) -> None:
    """x in rows, normalised, put back into its shape, scaled and moved."""
    shape, count = view.shape(x), rows[-1]
    if epsilon < 0:
        raise Refused(f"an epsilon of {epsilon}", "export the model again")
    affine = (scale is not None and (scale != 1).any()) or (bias is not None and bias.any())
    current = x if tuple(rows) == shape else view.emit(steps.Reshape, [x], view.fresh("rows", rows))
    back = tuple(rows) != shape
    target = view.fresh("rows.normalised", rows) if back else view.fresh("normalised", shape) if affine else view.output
    view.emit(steps.Normalise, [current], target, centred=centred, epsilon=epsilon * count, factor=sqrt(count))
    if back:
        target = view.emit(steps.Reshape, [target], view.fresh("normalised", shape) if affine else view.output)
    if affine:
        weight = np.asarray(1.0) if scale is None else scale
        view.emit(steps.Affine, [target], weight=weight, offset=None if bias is None or not bias.any() else bias)
