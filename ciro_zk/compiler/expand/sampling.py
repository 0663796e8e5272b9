"""Grids and samples of images at them.

A sample is a sum over all cells, each weighted by its distance to the place: a product of one kernel per axis. So with a
computed grid

    y_p = sum_i k(v_p - i) sum_j k(u_p - j) x_ij        k(d) = max(0, 1 - |d|)

which is zero outside the image by itself. With a constant grid all weights are constants: one product.
"""

from __future__ import annotations

from math import prod

import numpy as np

from ciro_zk.compiler.evaluate import evaluate
from ciro_zk.compiler.expand.parts import Kept, Parts, expands

MAX_WEIGHTS = 1 << 22


@expands("AffineGrid", 20)
def affine_grid(parts: Parts) -> None:
    """theta times the places of the cells, whose coordinates go from -1 to 1."""
    size = [int(v) for v in parts.array(1)]
    rank = len(size) - 2
    aligned = bool(parts.attribute("align_corners", 0))
    axes = [np.linspace(-1, 1, d) if aligned else (2 * np.arange(d) + 1) / d - 1 for d in size[2:]]
    grid = np.meshgrid(*axes, indexing="ij")[::-1]
    places = np.stack([*grid, np.ones(size[2:])], axis=-1).reshape(-1, rank + 1)
    turned = parts.add("Transpose", parts.name(0), perm=[0, 2, 1])
    product = parts.add("MatMul", parts.constant(places, parts.dtype(0)), turned)
    parts.reshape(product, (size[0], *size[2:], rank), parts.node.output[0])


@expands("GridSample", 16, 20, 22)
def grid_sample(parts: Parts) -> None:
    """All modes at constant places; linear ones, with zeros or the border outside, at computed ones."""
    if parts.name(1) in parts.static.constants:
        _at_constants(parts)
    else:
        _at_computed(parts)


def _at_constants(parts: Parts) -> None:
    """The weights of a cell are what the operator makes of it alone."""
    shape, grid = parts.shape(0), parts.array(1).astype(np.float32)
    cells, places = prod(shape[2:]), prod(grid.shape[1:-1])
    if shape[0] * cells * places > MAX_WEIGHTS:
        raise Kept(f"{places} samples of {cells} cells", "at most 2^22 weights are supported")
    units = np.eye(cells, dtype=np.float32).reshape(1, cells, *shape[2:])
    weights = [evaluate(parts.node, parts.opset, {0: units, 1: grid[n : n + 1]})[0].reshape(cells, places) for n in range(shape[0])]
    rows = parts.reshape(parts.name(0), (*shape[:2], cells))
    product = parts.add("MatMul", rows, parts.constant(np.stack(weights), parts.dtype(0)))
    parts.reshape(product, (*shape[:2], *grid.shape[1:-1]), parts.node.output[0])


def _at_computed(parts: Parts) -> None:
    shape, places = parts.shape(0), parts.shape(1)
    mode, outside = parts.attribute("mode", "linear"), parts.attribute("padding_mode", "zeros")
    if mode not in ("linear", "bilinear") or outside == "reflection" or len(shape) != 4:
        raise Kept(f"samples at computed places, mode {mode}, padding {outside}", "linear over two axes, zeros or border, is supported")
    batch, channels, height, width = shape
    count = prod(places[1:-1])
    flat = parts.reshape(parts.name(1), (batch, count, 2))
    across, down = (_kernel(parts, flat, axis, length, outside == "border") for axis, length in ((0, width), (1, height)))
    rows = parts.reshape(parts.name(0), (batch, channels * height, width))
    by_row = parts.add("MatMul", rows, parts.add("Transpose", across, perm=[0, 2, 1]))
    wide = parts.reshape(by_row, (batch, channels, height, count))
    weights = parts.reshape(parts.add("Transpose", down, perm=[0, 2, 1]), (batch, 1, height, count))
    total = parts.reduce("ReduceSum", parts.add("Mul", wide, weights), [2], 0)
    parts.reshape(total, (batch, channels, *places[1:-1]), parts.node.output[0])


def _kernel(parts: Parts, grid: str, axis: int, length: int, border: bool) -> str:
    """(batch, places, length): the weight of each cell of an axis, 1 less the distance."""
    kind = parts.dtype(1)
    place = parts.add("Gather", grid, parts.constant([axis], np.int64), axis=2)
    if parts.attribute("align_corners", 0):
        factor, offset = (length - 1) / 2, (length - 1) / 2
    else:
        factor, offset = length / 2, (length - 1) / 2
    cell = parts.add("Add", parts.add("Mul", place, parts.constant(factor, kind)), parts.constant(offset, kind))
    if border:
        cell = parts.add("Clip", cell, parts.constant(0, kind), parts.constant(length - 1, kind))
    distance = parts.add("Abs", parts.add("Sub", cell, parts.constant(np.arange(length), kind)))
    return parts.add("Relu", parts.add("Sub", parts.constant(1, kind), distance))
