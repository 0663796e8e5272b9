"""MaxPool with the places of its maxima."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from ciro_zk.compiler.expand.indexing import MAX_HOT
from ciro_zk.compiler.expand.parts import Kept, Parts, expands


@expands("MaxPool", 8, 10, 11, 12, 22)
def max_pool_with_indices(parts: Parts) -> None:
    """The number of each window's first greatest cell in the flat input: ones at the greatest times the cells' numbers."""
    if len(parts.node.output) < 2 or not parts.node.output[1]:
        raise Kept
    names = ("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides")
    settings = {name: parts.attribute(name) for name in names}
    shape = parts.shape(0)
    kernel, rank = list(settings["kernel_shape"]), len(shape) - 2
    strides, dilations = (list(settings[name] or [1] * rank) for name in ("strides", "dilations"))
    if (settings["auto_pad"] or b"NOTSET") not in (b"NOTSET", "NOTSET", "VALID"):
        raise Kept("indices of maxima under auto_pad", "give the pads")
    pads = list(settings["pads"] or [0] * 2 * rank)
    target = parts.static.shapes.get(parts.node.output[0])
    if target is None:
        grown = [shape[2 + a] + pads[a] + pads[rank + a] - dilations[a] * (kernel[a] - 1) - 1 for a in range(rank)]
        if settings["ceil_mode"]:
            raise Kept("indices of maxima under ceil_mode", "give the pads")
        target = (*shape[:2], *(g // s + 1 for g, s in zip(grown, strides, strict=True)))
    planes, places, cells = prod(shape[:2]), prod(target[2:]), prod(kernel)
    if planes * places * cells > MAX_HOT:
        raise Kept(f"{planes * places} windows of {cells} cells with their places", "2^20 cells of windows are supported")
    index = np.zeros((places, cells), dtype=np.int64)
    for p, corner in enumerate(product(*(range(d) for d in target[2:]))):
        found = []
        for offset in product(*(range(k) for k in kernel)):
            place = [c * s - b + o * d for c, s, b, o, d in zip(corner, strides, pads, offset, dilations, strict=False)]
            if all(0 <= q < d for q, d in zip(place, shape[2:], strict=True)):
                found.append(int(np.ravel_multi_index(place, shape[2:])))
        index[p] = (found + found[:1] * cells)[:cells]  # a cell again: the first of equal ones counts
    numbers = index
    if parts.attribute("storage_order", 0):
        order = np.arange(prod(shape[2:])).reshape(shape[2:])
        column_major = np.ravel_multi_index(np.unravel_index(order.reshape(-1), shape[2:]), shape[2:], order="F")
        numbers = column_major[index]
    flat = parts.reshape(parts.name(0), (planes, prod(shape[2:])))
    rows = parts.reshape(parts.add("Gather", flat, parts.constant(index.reshape(-1), np.int64), axis=1), (planes, places, cells))
    best = parts.add("ArgMax", rows, axis=2, keepdims=0)
    hot = parts.add("OneHot", best, parts.constant(cells, np.int64), parts.constant([0, 1], np.int64), axis=2)
    named = parts.reduce("ReduceSum", parts.add("Mul", hot, parts.constant(numbers, np.int64)), [2], 0)
    moved = parts.add("Add", named, parts.constant(np.arange(planes)[:, None] * prod(shape[2:]), np.int64))
    parts.reshape(moved, target, parts.node.output[1])
    parts.add("MaxPool", parts.name(0), output=parts.node.output[0], **settings)
