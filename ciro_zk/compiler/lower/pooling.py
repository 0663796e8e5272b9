"""Pools and means: windows along each axis."""

from __future__ import annotations

from ciro_zk.compiler import steps
from ciro_zk.compiler.lower.registry import NodeView, Refused, lowers
from ciro_zk.compiler.lower.windows import Settings, settings, windows


def _pool_settings(view: NodeView) -> tuple[Settings, tuple[int, ...], tuple[int, ...]]:
    """(geometry, spatial axes of the input, of the output)."""
    view.require_float(0)
    spatial, out = view.shape(view.name(0))[2:], view.shape(view.output)[2:]
    if not 1 <= len(spatial) <= 3:
        raise Refused(f"a pool over {len(spatial)} axes", "1 to 3 are supported")
    return settings(view, spatial, view.attribute("kernel_shape")), spatial, out


@lowers("MaxPool", 8, 10, 11, 12, 22)
def max_pool(view: NodeView) -> None:
    if len(view.node.output) > 1 and view.node.output[1]:
        raise Refused("its Indices output", "export the model without it")
    found, spatial, out = _pool_settings(view)
    axes = tuple((2 + a, windows(found, a, spatial[a], out[a])[0]) for a in range(len(spatial)))
    view.emit(steps.MaxPool, [view.name(0)], windows=axes)


@lowers("AveragePool", 7, 10, 11, 19, 22)
def average_pool(view: NodeView) -> None:
    found, spatial, out = _pool_settings(view)
    include = bool(view.attribute("count_include_pad", 0))
    axes = []
    for a in range(len(spatial)):
        cells, real, padded = windows(found, a, spatial[a], out[a])
        axes.append((2 + a, cells, padded if include else real))
    view.emit(steps.Average, [view.name(0)], windows=tuple(axes))


@lowers("GlobalAveragePool", 1, 22)
def global_average_pool(view: NodeView) -> None:
    view.require_float(0)
    shape = view.shape(view.name(0))
    _mean(view, list(range(2, len(shape))), shape)


@lowers("GlobalMaxPool", 1, 22)
def global_max_pool(view: NodeView) -> None:
    view.require_float(0)
    shape = view.shape(view.name(0))
    view.emit(steps.MaxPool, [view.name(0)], windows=tuple((a, (tuple(range(shape[a])),)) for a in range(2, len(shape))))


@lowers("ReduceMean", 1, 11, 13, 18)
def reduce_mean(view: NodeView) -> None:
    view.require_float(0)
    shape = view.shape(view.name(0))
    axes = view.attribute("axes")
    if view.version >= 18 and view.has(1):
        axes = view.integers(1, "the axes")
    if not axes:
        if view.attribute("noop_with_empty_axes", 0):
            view.alias(view.name(0))
            return
        axes = range(len(shape))
    _mean(view, sorted({int(a) % len(shape) for a in axes}), shape)


def _mean(view: NodeView, axes: list[int], shape: tuple[int, ...]) -> None:
    """The mean over whole axes, which stay with length 1 and are dropped where the output has none."""
    kept = tuple(1 if a in axes else d for a, d in enumerate(shape))
    whole = tuple((a, (tuple(range(shape[a])),), (shape[a],)) for a in axes if shape[a] > 1)
    target = view.shape(view.output)
    if not whole:
        if shape == target:
            view.alias(view.name(0))
        else:
            view.emit(steps.Reshape, [view.name(0)])
    elif kept == target:
        view.emit(steps.Average, [view.name(0)], windows=whole)
    else:
        mean = view.emit(steps.Average, [view.name(0)], view.fresh("kept", kept), windows=whole)
        view.emit(steps.Reshape, [mean])
