"""Conv and BatchNormalization (inference)."""

from __future__ import annotations

import numpy as np

from ciro_zk.compiler import steps
from ciro_zk.compiler.lower.registry import NodeView, Refused, lowers
from ciro_zk.compiler.lower.windows import settings
from ciro_zk.compiler.steps import Floats


@lowers("Conv", 1, 11, 22)
def conv(view: NodeView) -> None:
    view.require_float(0)
    offset = view.constant(2, "the bias") if view.has(2) else None
    _convolution(view, view.name(0), view.constant(1, "the kernel"), offset)


@lowers("ConvInteger", 10)
def conv_integer(view: NodeView) -> None:
    """Of whole numbers less their zero points: exact."""
    view.require_numbers(0)
    x, weight = view.name(0), view.constant(1, "the kernel")
    if view.has(2):
        zero = view.constant(2, "the zero point").reshape(-1)[:1]
        if zero.any():
            x = view.emit(steps.Affine, [x], view.fresh("centred", view.shape(x)), weight=np.ones(1), offset=-zero)
    if view.has(3):
        weight = weight - view.constant(3, "the kernel's zero point").reshape(-1, *[1] * (weight.ndim - 1))
    _convolution(view, x, weight, None)


def _convolution(view: NodeView, x: str, weight: Floats, offset: Floats | None) -> None:
    shape = view.shape(x)
    rank = len(shape) - 2
    if not 1 <= rank <= 3:
        raise Refused(f"a convolution over {rank} axes", "1 to 3 are supported")
    groups = int(view.attribute("group", 1))
    fits = weight.ndim == rank + 2 and groups >= 1 and weight.shape[0] % groups == 0 and weight.shape[1] * groups == shape[1]
    if not fits or (offset is not None and offset.shape != weight.shape[:1]):
        raise Refused(f"its kernel {weight.shape}, bias and {groups} groups do not fit an input of shape {shape}", "export the model again")
    window = settings(view, shape[2:], weight.shape[2:])
    if min(*window.pads_begin, *window.pads_end) < 0:
        raise Refused("negative pads", "slice before the convolution")
    view.emit(
        steps.Convolution,
        [x],
        weight=weight,
        offset=None if offset is None else offset.reshape(1, -1, *[1] * rank),
        groups=groups,
        strides=window.strides,
        pads_begin=window.pads_begin,
        pads_end=window.pads_end,
        dilations=window.dilations,
    )


@lowers("ConvTranspose", 1, 11, 22)
def conv_transpose(view: NodeView) -> None:
    """A convolution of the input, spread out by the strides, with the kernel turned over."""
    view.require_float(0)
    weight = view.constant(1, "the kernel")
    offset = view.constant(2, "the bias") if view.has(2) else None
    shape, target = view.shape(view.name(0)), view.shape(view.output)
    rank, groups = len(shape) - 2, int(view.attribute("group", 1))
    if not 1 <= rank <= 3:
        raise Refused(f"a convolution over {rank} axes", "1 to 3 are supported")
    if weight.ndim != rank + 2 or weight.shape[0] != shape[1] or shape[1] % groups:
        raise Refused(f"its kernel {weight.shape} and {groups} groups do not fit an input of shape {shape}", "export the model again")
    window = settings(view, shape[2:], weight.shape[2:])
    extra, auto = view.attribute("output_padding", [0] * rank), view.attribute("auto_pad", "NOTSET")
    begin = list(window.pads_begin)
    if view.attribute("output_shape") or auto in ("SAME_UPPER", "SAME_LOWER"):
        for a in range(rank):
            reach = window.dilations[a] * (weight.shape[2 + a] - 1) + 1
            total = max(window.strides[a] * (shape[2 + a] - 1) + extra[a] + reach - target[2 + a], 0)
            begin[a] = total // 2 if auto == "SAME_UPPER" else total - total // 2
    axes = []
    for a in range(rank):
        reach = window.dilations[a] * (weight.shape[2 + a] - 1)
        positions = range(begin[a] - reach, begin[a] - reach + target[2 + a] + reach)
        stride = window.strides[a]
        axes.append((2 + a, tuple(p // stride if p % stride == 0 and 0 <= p // stride < shape[2 + a] else -1 for p in positions)))
    spread = (*shape[:2], *(len(index) for _, index in axes))
    x = view.emit(steps.Select, [view.name(0)], view.fresh("spread", spread), axes=tuple(axes), lengths=shape)
    split = weight.reshape(groups, shape[1] // groups, *weight.shape[1:])
    turned = np.flip(np.swapaxes(split, 1, 2), axis=tuple(range(3, 3 + rank)))
    view.emit(
        steps.Convolution,
        [x],
        weight=np.ascontiguousarray(turned.reshape(-1, shape[1] // groups, *weight.shape[2:])),
        offset=None if offset is None else offset.reshape(1, -1, *[1] * rank),
        groups=groups,
        strides=(1,) * rank,
        pads_begin=(0,) * rank,
        pads_end=(0,) * rank,
        dilations=window.dilations,
    )


@lowers("BatchNormalization", 9, 14, 15)
def batch_normalization(view: NodeView) -> None:
    """y = (x - mean) / sqrt(variance + epsilon) * scale + bias, per channel."""
    view.require_float(0)
    if view.attribute("training_mode", 0) or sum(1 for name in view.node.output if name) > 1:
        raise Refused("batch statistics at run time", "export the model for inference (model.eval())")
    scale, bias, mean, variance = (view.constant(i, what) for i, what in enumerate(("scale", "bias", "the mean", "the variance"), start=1))
    shape = view.shape(view.name(0))
    rank = len(shape)
    if {scale.shape, bias.shape, mean.shape, variance.shape} != {shape[1:2]}:
        raise Refused(f"its statistics do not fit an input of shape {shape}", "export the model again")
    if variance.min() < 0:
        raise Refused("a negative variance", "export the model again")
    factor = scale / np.sqrt(variance + float(view.attribute("epsilon", 1e-5)))
    channels = (1, -1, *[1] * (rank - 2))
    view.emit(steps.Affine, [view.name(0)], weight=factor.reshape(channels), offset=(bias - mean * factor).reshape(channels))
