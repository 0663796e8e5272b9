"""Pools, means and sums: windows along each axis."""

from __future__ import annotations

from collections.abc import Sequence

from ciro_zk.compiler import steps
from ciro_zk.compiler.lower.registry import NodeView, Refused, lowers
from ciro_zk.compiler.lower.windows import Settings, settings, windows
from ciro_zk.compiler.steps import Windows

MAX_CUMULATIVE = 1 << 10


def _pool_settings(view: NodeView) -> tuple[Settings, tuple[int, ...], tuple[int, ...]]:
    """(geometry, spatial axes of the input, of the output)."""
    view.require_numbers(0)
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


def reduced_axes(view: NodeView) -> tuple[list[int], tuple[int, ...], tuple[int, ...]]:
    """(axes of a reduction, the shape with them kept, the output's shape)."""
    shape = view.shape(view.name(0))
    axes = view.integers(1, "the axes") if view.has(1) else view.attribute("axes")
    if not axes:
        axes = [] if view.attribute("noop_with_empty_axes", 0) else range(len(shape))
    found = sorted({int(a) % len(shape) for a in axes})
    return found, tuple(1 if a in found else d for a, d in enumerate(shape)), view.shape(view.output)


def whole_axes(shape: Sequence[int], axes: Sequence[int]) -> tuple[tuple[int, Windows], ...]:
    """One window over each axis."""
    return tuple((a, (tuple(range(shape[a])),)) for a in axes)


@lowers("ReduceMean", 1, 11, 13, 18)
def reduce_mean(view: NodeView) -> None:
    view.require_float(0)
    axes, _, _ = reduced_axes(view)
    _mean(view, axes, view.shape(view.name(0)))


@lowers("ReduceSum", 1, 11, 13)
def reduce_sum(view: NodeView) -> None:
    view.require_numbers(0)
    axes, _, _ = reduced_axes(view)
    shape = view.shape(view.name(0))
    _total(view, tuple((a, window, (1,)) for a, window in whole_axes(shape, axes)))


@lowers("CumSum", 11, 14)
def cum_sum(view: NodeView) -> None:
    """The sum of the cells before each one on an axis, itself included unless exclusive."""
    view.require_numbers(0)
    shape = view.shape(view.name(0))
    axis = view.integers(1, "the axis")[0] % len(shape)
    length, exclusive = shape[axis], int(view.attribute("exclusive", 0))
    if length > MAX_CUMULATIVE:
        raise Refused(f"a cumulative sum over {length} cells", f"at most {MAX_CUMULATIVE} are supported")
    if view.attribute("reverse", 0):
        windows = tuple(tuple(range(i + exclusive, length)) for i in range(length))
    else:
        windows = tuple(tuple(range(i + 1 - exclusive)) for i in range(length))
    view.emit(steps.Average, [view.name(0)], windows=((axis, windows, (1,) * length),))


def _mean(view: NodeView, axes: list[int], shape: tuple[int, ...]) -> None:
    """The mean over whole axes, which stay with length 1 and are dropped where the output has none."""
    _total(view, tuple((a, window, (shape[a],)) for a, window in whole_axes(shape, axes)))


def _total(view: NodeView, windows: tuple[tuple[int, Windows, tuple[int, ...]], ...]) -> None:
    """Sums over whole axes, each divided by its count."""
    shape, target = view.shape(view.name(0)), view.shape(view.output)
    whole = tuple(entry for entry in windows if shape[entry[0]] > 1)
    reduced = {a for a, _, _ in windows}
    kept = tuple(1 if a in reduced else d for a, d in enumerate(shape))
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
