"""Scatter with a reduction: the updates of one cell come one after another, in layers of at most one update a cell.

With computed indices: `ciro_zk.compiler.expand.indexing`.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from ciro_zk.compiler.expand import indexing
from ciro_zk.compiler.expand.parts import Kept, Parts, expands

MAX_LAYERS = 64
OPERATORS = {"add": "Add", "mul": "Mul", "max": "Max", "min": "Min"}


@expands("Scatter", 9)
@expands("ScatterElements", 11, 13, 16, 18)
def scatter_elements(parts: Parts) -> None:
    if indexing.is_computed(parts, 1):
        indexing.scatter_elements(parts)
        return
    indices = parts.array(1).astype(np.int64)
    shape = parts.shape(0)
    axis = int(parts.attribute("axis", 0)) % len(shape)
    grid: list[NDArray[np.int64]] = list(np.indices(indices.shape, dtype=np.int64))
    grid[axis] = np.mod(indices, shape[axis])
    _layers(parts, np.ravel_multi_index(grid, shape).reshape(-1))


@expands("ScatterND", 11, 13, 16, 18)
def scatter_nd(parts: Parts) -> None:
    if indexing.is_computed(parts, 1):
        indexing.scatter_nd(parts)
        return
    indices = parts.array(1).astype(np.int64)
    shape = parts.shape(0)
    depth = indices.shape[-1]
    numbers = np.arange(prod(shape)).reshape(shape)
    chosen = tuple(indices[..., a] % shape[a] for a in range(depth))
    _layers(parts, numbers[chosen].reshape(-1))


def _layers(parts: Parts, targets: NDArray[np.int64]) -> None:
    """Layer k holds the k-th update of every cell that has so many, and the cell itself, or what changes nothing, elsewhere."""
    reduction = str(parts.attribute("reduction", "none"))
    if reduction == "none":
        raise Kept
    cells = prod(parts.shape(0))
    order = np.argsort(targets, kind="stable")
    starts = np.searchsorted(targets[order], targets[order])
    rank = np.empty(targets.size, dtype=np.int64)
    rank[order] = np.arange(targets.size) - starts
    if rank.max(initial=0) >= MAX_LAYERS:
        raise Kept
    flat = parts.reshape(parts.name(0), [-1])
    neutral = parts.constant([1 if reduction == "mul" else 0], parts.dtype(0))
    pool = parts.add("Concat", flat, parts.reshape(parts.name(2), [-1]), neutral, axis=0)
    own = np.arange(cells) if reduction in ("max", "min") else np.full(cells, cells + targets.size)
    current = flat
    for layer in range(int(rank.max(initial=0)) + 1):
        source = own.copy()
        updates = np.flatnonzero(rank == layer)
        source[targets[updates]] = cells + updates
        current = parts.add(OPERATORS[reduction], current, parts.add("Gather", pool, parts.constant(source, np.int64)))
    parts.reshape(current, parts.shape(0), parts.node.output[0])
