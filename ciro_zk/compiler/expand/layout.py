"""Rearrangements and linear maps along axes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from ciro_zk.compiler.evaluate import evaluate
from ciro_zk.compiler.expand.parts import Kept, Parts, expands
from ciro_zk.compiler.load import FLOATS


@expands("DepthToSpace", 1, 11, 13, 28)
def depth_to_space(parts: Parts) -> None:
    n, c, h, w = parts.shape(0)
    b = int(parts.attribute("blocksize"))
    if parts.attribute("mode", "DCR") == "DCR":
        split, order = [n, b, b, c // (b * b), h, w], [0, 3, 4, 1, 5, 2]
    else:
        split, order = [n, c // (b * b), b, b, h, w], [0, 1, 4, 2, 5, 3]
    turned = parts.add("Transpose", parts.reshape(parts.name(0), split), perm=order)
    parts.reshape(turned, [n, c // (b * b), h * b, w * b], parts.node.output[0])


@expands("SpaceToDepth", 1, 13, 28)
def space_to_depth(parts: Parts) -> None:
    n, c, h, w = parts.shape(0)
    b = int(parts.attribute("blocksize"))
    order = [0, 3, 5, 1, 2, 4] if parts.attribute("mode", "DCR") == "DCR" else [0, 1, 3, 5, 2, 4]
    turned = parts.add("Transpose", parts.reshape(parts.name(0), [n, c, h // b, b, w // b, b]), perm=order)
    parts.reshape(turned, [n, c * b * b, h // b, w // b], parts.node.output[0])


@expands("Upsample", 9)
def upsample(parts: Parts) -> None:
    mode = parts.attribute("mode", "nearest")
    shape = parts.shape(0)
    scales = [float(v) for v in parts.array(1)]
    target = [int(np.floor(d * s)) for d, s in zip(shape, scales, strict=True)]
    maps: dict[int, NDArray[np.float64]] = {}
    for axis, (d, s) in enumerate(zip(shape, scales, strict=True)):
        if d != target[axis]:
            settings = {"mode": mode, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            maps[axis] = _resize_matrix(d, target[axis], s, settings)
    _along_axes(parts, maps)


@expands("Resize", 10, 11, 13, 18, 19)
def resize(parts: Parts) -> None:
    """Every mode is a linear map along each axis: its matrix is what the operator makes of unit vectors."""
    shape = parts.shape(0)
    target = parts.static.shapes.get(parts.node.output[0]) or _resized(parts)
    names = ("antialias", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside", "mode", "nearest_mode")
    settings = {name: parts.attribute(name) for name in names}
    if settings["coordinate_transformation_mode"] == "tf_crop_and_resize":
        _cropped(parts, settings)
        return
    if parts.opset == 10:
        settings = {"mode": settings["mode"], "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    maps: dict[int, NDArray[np.float64]] = {}
    for axis, (length, wanted, scale) in enumerate(zip(shape, target, _scales(parts, shape, target), strict=True)):
        if scale != 1.0 or length != wanted:
            maps[axis] = _resize_matrix(length, wanted, scale, settings)
    _along_axes(parts, maps)


def _cropped(parts: Parts, settings: dict[str, Any]) -> None:
    """A part of each axis, resized; places outside the input have a constant value."""
    shape = parts.shape(0)
    given = _sizes(parts, shape)
    if given is None or parts.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Kept("a part of the input resized by scales", "give the sizes")
    axes, roi = _axes(parts, len(shape)), parts.array(1).astype(np.float32).reshape(2, -1)
    value, outside = float(parts.attribute("extrapolation_value", 0.0)), 0
    maps: dict[int, NDArray[np.float64]] = {}
    for (start, end), axis in zip(roi.T, axes, strict=True):
        length, wanted = shape[axis], given[1][axis]
        node = helper.make_node("Resize", ["x", "roi", "", "sizes"], ["y"], **{k: v for k, v in settings.items() if v is not None})
        bounds, sizes = np.array([0, start, 1, end], dtype=np.float32), np.array([length, wanted])
        maps[axis] = evaluate(node, 19, {0: np.eye(length, dtype=np.float32), 1: bounds, 3: sizes})[0].astype(np.float64).T
        outside += int((maps[axis].sum(axis=1) < 0.5).sum())
    if value == 0.0 or outside == 0:
        _along_axes(parts, maps)
        return
    # zeros outside, of x less the value
    moved = parts.add("Sub", parts.name(0), parts.constant(value, parts.dtype(0)))
    parts.result("Add", _along_axes(parts, maps, moved), parts.constant(value, parts.dtype(0)))


def _axes(parts: Parts, rank: int) -> list[int]:
    found = parts.attribute("axes")
    return [int(a) % rank for a in found] if found else list(range(rank))


def _sizes(parts: Parts, shape: tuple[int, ...]) -> tuple[list[float], list[int]] | None:
    """(scales, lengths) where the node is given lengths; its policy may keep the aspect ratio."""
    if parts.opset == 10 or not parts.has(3):
        return None
    axes = _axes(parts, len(shape))
    wanted = [int(v) for v in parts.array(3)]
    ratios = [w / shape[a] for a, w in zip(axes, wanted, strict=True)]
    policy = parts.attribute("keep_aspect_ratio_policy", "stretch")
    scales, lengths = [1.0] * len(shape), list(shape)
    for a, w, r in zip(axes, wanted, ratios, strict=True):
        common = {"stretch": r, "not_larger": min(ratios), "not_smaller": max(ratios)}[policy]
        scales[a], lengths[a] = common, w if policy == "stretch" else int(np.floor(common * shape[a] + 0.5))
    return scales, lengths


def _scales(parts: Parts, shape: tuple[int, ...], target: tuple[int, ...]) -> list[float]:
    given = _sizes(parts, shape)
    if given is not None:
        return given[0]
    scales = [1.0] * len(shape)
    values = parts.array(1 if parts.opset == 10 else 2)
    for a, s in zip(_axes(parts, len(shape)), values.reshape(-1), strict=True):
        scales[a] = float(s)
    return scales


def _resized(parts: Parts) -> tuple[int, ...]:
    shape = parts.shape(0)
    given = _sizes(parts, shape)
    if given is not None:
        return tuple(given[1])
    return tuple(int(np.floor(d * s)) for d, s in zip(shape, _scales(parts, shape, shape), strict=True))


def _resize_matrix(length: int, wanted: int, scale: float, settings: dict[str, Any]) -> NDArray[np.float64]:
    """`(wanted, length)`: what Resize makes of each unit vector."""
    attributes = {k: v for k, v in settings.items() if v is not None}
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], **attributes)
    units, scales = np.eye(length, dtype=np.float32), np.array([1.0, scale], dtype=np.float32)
    made = evaluate(node, 19, {0: units, 2: scales})[0].astype(np.float64)
    if made.shape != (length, wanted):
        raise Kept
    return made.T


def _along_axes(parts: Parts, maps: dict[int, NDArray[np.float64]], source: str = "") -> str:
    """Apply a matrix along each axis: a choice of cells where it has one 1 in every row, a product otherwise.

    The node's input becomes its output, unless a tensor of the input's shape is given: what becomes of that is returned.
    """
    current, rank = source or parts.name(0), len(parts.shape(0))
    chosen = {a for a, m in maps.items() if ((m == 0) | (m == 1)).all() and (m.sum(axis=1) == 1).all()}
    for axis, matrix in sorted(maps.items(), key=lambda entry: (entry[0] in chosen, entry[0])):
        if axis in chosen:
            current = parts.add("Gather", current, parts.constant(matrix.argmax(axis=1), np.int64), axis=axis)
            continue
        if parts.static.types[parts.name(0)] not in FLOATS:
            raise Kept
        last = rank - 1
        order = [a for a in range(rank) if a != axis] + [axis]
        moved = parts.add("Transpose", current, perm=order) if axis != last else current
        product = parts.add("MatMul", moved, parts.constant(matrix.T, parts.dtype(0)))
        back = [order.index(a) for a in range(rank)]
        current = parts.add("Transpose", product, perm=back) if axis != last else product
    return current if source else parts.add("Identity", current, output=parts.node.output[0])


@expands("ReverseSequence", 10, 28)
def reverse_sequence(parts: Parts) -> None:
    """Cells by index: the operator on the cells' own numbers."""
    numbers = np.arange(prod(parts.shape(0))).reshape(parts.shape(0))
    lengths = parts.array(1)
    time, batch = int(parts.attribute("time_axis", 0)), int(parts.attribute("batch_axis", 1))
    turned = np.moveaxis(numbers, (batch, time), (0, 1)).copy()
    for row, length in zip(turned, lengths, strict=True):
        row[: int(length)] = row[: int(length)][::-1].copy()
    order = np.moveaxis(turned, (0, 1), (batch, time)).reshape(-1)
    flat = parts.add("Gather", parts.reshape(parts.name(0), [-1]), parts.constant(order, np.int64))
    parts.reshape(flat, parts.shape(0), parts.node.output[0])


@expands("Compress", 9, 11, 28)
def compress(parts: Parts) -> None:
    """The cells of an axis, or of all, whose condition holds."""
    kept = np.flatnonzero(parts.array(1))
    axis = parts.attribute("axis")
    source = parts.reshape(parts.name(0), [-1]) if axis is None else parts.name(0)
    parts.result("Gather", source, parts.constant(kept, np.int64), axis=0 if axis is None else int(axis))
