"""Operators that only move cells: free in a proof, forms are pulled back through them."""

from __future__ import annotations

from math import prod

import numpy as np

from ciro_zk.compiler import steps
from ciro_zk.compiler.load import Array
from ciro_zk.compiler.lower.registry import LAYOUT_VERSIONS, NodeView, Refused, lowers


@lowers("Reshape", 5, 14, 19, *LAYOUT_VERSIONS)
@lowers("Flatten", 9, 11, *LAYOUT_VERSIONS)
@lowers("Squeeze", 1, 11, *LAYOUT_VERSIONS)
@lowers("Unsqueeze", 1, 11, *LAYOUT_VERSIONS)
def reshape(view: NodeView) -> None:
    """All of them keep the order of cells; the shape is inferred."""
    if view.shape(view.output) == view.shape(view.name(0)):
        view.alias(view.name(0))
    else:
        view.emit(steps.Reshape, [view.name(0)])


@lowers("Transpose", 1, *LAYOUT_VERSIONS)
def transpose(view: NodeView) -> None:
    rank = len(view.shape(view.name(0)))
    permutation = tuple(int(a) for a in view.attribute("perm", range(rank)[::-1]))
    if permutation == tuple(range(rank)):
        view.alias(view.name(0))
    else:
        view.emit(steps.Transpose, [view.name(0)], permutation=permutation)


@lowers("Identity", 1, 14, 16, 19, *LAYOUT_VERSIONS)
def identity(view: NodeView) -> None:
    if view.node.input[0] not in view.static.types:
        raise Refused("only tensors are supported, no sequences or optionals")
    view.alias(view.name(0))


@lowers("Dropout", 7, 10, 12, 13, 22)
def dropout(view: NodeView) -> None:
    if len(view.node.output) > 1 and view.node.output[1] and is_used(view, view.node.output[1]):
        raise Refused("its mask is used", "export the model for inference")
    if view.has(2):
        mode = view.array(2)
        if mode is None or bool(np.asarray(mode).reshape(-1)[0]):
            raise Refused("dropout in training mode is random", "export the model for inference (model.eval())")
    view.alias(view.name(0))


def is_used(view: NodeView, name: str) -> bool:
    graph = view.static.model.proto.graph
    return any(name in node.input for node in graph.node) or any(name == value.name for value in graph.output)


@lowers("Concat", 4, 11, 13)
def concat(view: NodeView) -> None:
    axis = int(view.attribute("axis")) % len(view.shape(view.output))
    names = []
    for i in range(len(view.node.input)):
        if 0 in view.static.shapes.get(view.node.input[i], ()):
            continue
        if view.is_constant(i):
            value = view.constant(i, "a piece")
            names.append(view.emit(steps.Fixed, [], view.fresh(f"piece{i}", value.shape), value=value))
        else:
            names.append(view.name(i))
    if len(names) == 1:
        view.alias(names[0])
    else:
        view.emit(steps.Concat, names, axis=axis)


@lowers("Slice", 1, 10, 11, 13)
def slice_(view: NodeView) -> None:
    shape = view.shape(view.name(0))
    if view.version == 1:
        starts, ends = list(view.attribute("starts")), list(view.attribute("ends"))
        axes, strides = list(view.attribute("axes", range(len(starts)))), [1] * len(starts)
    else:
        starts, ends = view.integers(1, "the starts"), view.integers(2, "the ends")
        axes = view.integers(3, "the axes") if view.has(3) else list(range(len(starts)))
        strides = view.integers(4, "the steps") if view.has(4) else [1] * len(starts)
    chosen: dict[int, tuple[int, ...]] = {}
    for start, end, axis, stride in zip(starts, ends, axes, strides, strict=True):
        a = axis % len(shape)
        chosen[a] = tuple(range(shape[a]))[slice(start, _end(end, stride, shape[a]), stride)]
    select(view, view.name(0), chosen)


def _end(end: int, stride: int, length: int) -> int | None:
    """ONNX's end as Python's: before the first cell for a negative stride is None."""
    return None if stride < 0 and end < -length else end


def select(view: NodeView, source: str, chosen: dict[int, tuple[int, ...]]) -> None:
    """The node's output as the chosen cells of each axis of `source`."""
    shape = view.shape(source)
    axes = tuple((a, index) for a, index in sorted(chosen.items()) if index != tuple(range(shape[a])))
    view.shape(view.output)
    if axes:
        view.emit(steps.Select, [source], axes=axes, lengths=shape)
    else:
        view.alias(source)


@lowers("Pad", 2, 11, 18, 19, *LAYOUT_VERSIONS)
def pad(view: NodeView) -> None:
    source = view.name(0)
    shape = view.shape(source)
    mode = view.attribute("mode", "constant")
    axes = list(range(len(shape)))
    if view.version == 2:
        pads, value = list(view.attribute("pads")), float(view.attribute("value", 0.0))
    else:
        pads = view.integers(1, "the pads")
        value = float(view.constant(2, "the pad value", infinite=True).reshape(-1)[0]) if view.has(2) else 0.0
        if view.has(3):
            axes = [a % len(shape) for a in view.integers(3, "the axes")]
    chosen = {}
    for i, axis in enumerate(axes):
        chosen[axis] = _padded(shape[axis], pads[i], pads[len(axes) + i], mode)
    outside = any(-1 in index for index in chosen.values())
    if value == 0.0 or not outside:
        select(view, source, chosen)
        return
    if not np.isfinite(value):
        raise Refused(f"a pad value of {value}", "pad inside the pooling operator, or with a finite value")
    # select(x - value) + value: constants of a view are free
    one = np.float64(1.0)
    moved = view.emit(steps.Affine, [source], view.fresh("moved", shape), weight=np.asarray(one), offset=np.asarray(-value))
    axes_map = tuple((a, index) for a, index in sorted(chosen.items()) if index != tuple(range(shape[a])))
    padded = view.emit(steps.Select, [moved], view.fresh("padded", view.shape(view.output)), axes=axes_map, lengths=shape)
    view.emit(steps.Affine, [padded], weight=np.asarray(one), offset=np.asarray(value))


def _padded(length: int, begin: int, end: int, mode: str) -> tuple[int, ...]:
    """Source indices of a padded axis, -1 for the constant; negative pads cut."""
    positions = range(-begin, length + end)
    if mode == "constant":
        return tuple(p if 0 <= p < length else -1 for p in positions)
    if mode == "edge":
        return tuple(min(max(p, 0), length - 1) for p in positions)
    if mode == "wrap":
        return tuple(p % length for p in positions)
    if mode == "reflect":
        if length == 1:
            return tuple(0 for _ in positions)
        period = 2 * (length - 1)
        return tuple(min(p % period, period - p % period) for p in positions)
    raise Refused(f"pad mode {mode!r} is unknown")


@lowers("Expand", 8, 13)
def expand(view: NodeView) -> None:
    shape = view.shape(view.output)
    view.alias(view.broadcast(view.name(0), shape, "expand"))


@lowers("Tile", 6, 13)
def tile(view: NodeView) -> None:
    shape = view.shape(view.name(0))
    repeats = view.integers(1, "the repeats")
    select(view, view.name(0), {a: tuple(range(d)) * r for a, (d, r) in enumerate(zip(shape, repeats, strict=True))})


@lowers("Split", 2, 11, 13, 18)
def split(view: NodeView) -> None:
    """Consecutive pieces of an axis; their lengths are inferred."""
    shape = view.shape(view.name(0))
    axis = int(view.attribute("axis", 0)) % len(shape)
    start = 0
    for name in view.node.output:
        length = view.shape(name)[axis]
        if length == shape[axis]:
            view.aliases[name] = view.name(0)
        else:
            index = tuple(range(start, start + length))
            view.emit(steps.Select, [view.name(0)], name, axes=((axis, index),), lengths=shape)
        start += length


@lowers("Gather", 1, 11, 13)
def gather(view: NodeView) -> None:
    """Cells of an axis by constant indices."""
    source = view.name(0)
    shape, target = view.shape(source), view.shape(view.output)
    if view.array(1) is None:
        raise Refused("rows of a computed tensor by computed ids", "make the table or the ids constant")
    axis = int(view.attribute("axis", 0)) % len(shape)
    indices = [i % shape[axis] for i in view.integers(1, "the indices")]
    if any(not -shape[axis] <= i < shape[axis] for i in view.integers(1, "the indices")):
        raise Refused(f"an index outside the axis of {shape[axis]} cells", "repair the indices")
    flat = (*shape[:axis], len(indices), *shape[axis + 1 :])
    if flat == target:
        select(view, source, {axis: tuple(indices)})
        return
    axes = ((axis, tuple(indices)),)
    chosen = view.emit(steps.Select, [source], view.fresh("chosen", flat), axes=axes, lengths=shape)
    view.emit(steps.Reshape, [chosen])


MAX_MOVED = 1 << 20
MOVES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "CenterCropPad": ((18,), (0,)),
    "GatherElements": ((11, 13), (0,)),
    "GatherND": ((11, 12, 13), (0,)),
    "Scatter": ((9,), (0, 2)),
    "ScatterElements": ((11, 13, 16, 18), (0, 2)),
    "ScatterND": ((11, 13, 16, 18), (0, 2)),
    "Trilu": ((14,), (0,)),
}
"""By operator its schema versions and the inputs whose cells it moves; the others must be constant."""


def _moves(view: NodeView) -> None:
    """An operator that only moves cells or drops in zeros: evaluated on the cells' own numbers, 1, 2, 3, ..., once, when compiling."""
    if view.attribute("reduction", "none") != "none":
        raise Refused(f"the reduction {view.attribute('reduction')!r}", "only 'none' is supported")
    moved = MOVES[view.node.op_type][1]
    numbers: dict[int, Array] = {}
    pieces, count = [], 0
    for index in moved:
        shape = view.shape(view.name(index))
        size = prod(shape)
        numbers[index] = np.arange(count + 1, count + size + 1, dtype=np.int64).reshape(shape)
        count += size
        if view.is_constant(index):
            value = view.constant(index, "an operand").reshape(-1)
            pieces.append(view.emit(steps.Fixed, [], view.fresh(f"fixed{index}", (size,)), value=value))
        else:
            pieces.append(view.emit(steps.Reshape, [view.name(index)], view.fresh(f"flat{index}", (size,))))
    target = view.shape(view.output)
    if max(count, prod(target)) > MAX_MOVED:
        raise Refused(f"{max(count, prod(target))} cells", "at most 2^20 are supported")
    order = view.evaluate(numbers).reshape(-1)
    cells = pieces[0] if len(pieces) == 1 else view.emit(steps.Concat, pieces, view.fresh("cells", (count,)), axis=0)
    chosen = tuple(int(i) - 1 for i in order)
    found = view.emit(steps.Select, [cells], view.fresh("chosen", (len(chosen),)), axes=((0, chosen),), lengths=(count,))
    view.emit(steps.Reshape, [found])


for _operator, (_versions, _) in MOVES.items():
    lowers(_operator, *_versions)(_moves)
