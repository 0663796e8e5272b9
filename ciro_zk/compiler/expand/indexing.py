"""Gather and scatter with computed indices: ones at the indices, and products with them.

    gather      y = hot x            hot_iv = 1 where index i is v, else 0
    scatter     y = x (1 - any hot) + hot^T updates

A negative index counts from the end; one outside its axis finds a zero, and what is scattered there is dropped. Indices of
a scatter without a reduction are distinct, as ONNX asks.
"""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import TensorProto

from ciro_zk.compiler.expand.parts import Kept, Parts, expands

MAX_HOT = 1 << 20


def one_hot(parts: Parts, ids: str, count: int, depth: int) -> str:
    """ONNX's numbers of the element type of input 0, `count` ids by `depth`, the depth last."""
    if count * depth > MAX_HOT:
        raise Kept(f"{count} computed indices into {depth} cells", "their product is at most 2^20")
    kind = parts.dtype(0) if parts.dtype(0).kind == "f" else np.dtype(np.int64)
    return parts.add("OneHot", ids, parts.constant(depth, np.int64), parts.constant([0, 1], kind), axis=-1)


def whole(parts: Parts, name: str) -> str:
    """Input 0's integers as int64, which products are defined for; floats as they are."""
    return name if parts.dtype(0).kind == "f" else parts.add("Cast", name, to=TensorProto.INT64)


def put(parts: Parts, name: str, shape: tuple[int, ...]) -> None:
    """The output from a tensor of `whole`'s type."""
    if parts.dtype(0).kind == "f":
        parts.reshape(name, shape, parts.node.output[0])
    else:
        parts.result("Cast", parts.reshape(name, shape), to=parts.static.types[parts.name(0)])


def is_computed(parts: Parts, index: int) -> bool:
    return parts.name(index) not in parts.static.constants


def gather_rows(parts: Parts, axis: int) -> None:
    """Rows of a computed tensor along an axis."""
    shape, ids = parts.shape(0), parts.shape(1)
    order = [axis, *(a for a in range(len(shape)) if a != axis)]
    rest = [shape[a] for a in order[1:]]
    hot = parts.reshape(one_hot(parts, parts.name(1), prod(ids), shape[axis]), [prod(ids), shape[axis]])
    table = parts.reshape(parts.add("Transpose", whole(parts, parts.name(0)), perm=order), [shape[axis], prod(rest)])
    found = parts.reshape(parts.add("MatMul", hot, table), [*ids, *rest])
    back = [*range(len(ids), len(ids) + axis), *range(len(ids)), *range(len(ids) + axis, len(ids) + len(rest))]
    put(parts, parts.add("Transpose", found, perm=back), (*shape[:axis], *ids, *shape[axis + 1 :]))


@expands("GatherElements", 11, 13)
def gather_elements(parts: Parts) -> None:
    if not is_computed(parts, 1):
        raise Kept
    shape, ids = parts.shape(0), parts.shape(1)
    axis = int(parts.attribute("axis", 0)) % len(shape)
    order = [*(a for a in range(len(shape)) if a != axis), axis]
    data = whole(parts, parts.name(0))
    for a in order[:-1]:
        if ids[a] != shape[a]:
            data = parts.add("Gather", data, parts.constant(np.arange(ids[a]), np.int64), axis=a)
    others = [ids[a] for a in order[:-1]]
    columns = parts.reshape(parts.add("Transpose", data, perm=order), [prod(others), shape[axis], 1])
    turned = parts.reshape(parts.add("Transpose", parts.name(1), perm=order), [prod(others), ids[axis]])
    found = parts.reshape(parts.add("MatMul", one_hot(parts, turned, prod(ids), shape[axis]), columns), [*others, ids[axis]])
    put(parts, parts.add("Transpose", found, perm=[order.index(a) for a in range(len(shape))]), ids)


def _flat(parts: Parts, shape: tuple[int, ...]) -> tuple[str, int, int]:
    """(numbers of cells or rows, how many numbers, how many rows there are) of indices in the last axis of input 1."""
    ids = parts.shape(1)
    depth, count = ids[-1], prod(ids[:-1])
    lengths = shape[:depth]
    steps = [prod(lengths[a + 1 :]) for a in range(depth)]
    given = parts.add("Cast", parts.name(1), to=TensorProto.INT64)
    if depth > 1:
        below = parts.add("Cast", parts.add("Less", given, parts.constant(0, np.int64)), to=TensorProto.INT64)
        given = parts.add("Add", given, parts.add("Mul", below, parts.constant(lengths, np.int64)))
        given = parts.reduce("ReduceSum", parts.add("Mul", given, parts.constant(steps, np.int64)), [len(ids) - 1], 0)
    return parts.reshape(given, [count]), count, prod(lengths)


@expands("GatherND", 11, 12, 13)
def gather_nd(parts: Parts) -> None:
    if not is_computed(parts, 1) or parts.attribute("batch_dims", 0):
        raise Kept
    shape, ids = parts.shape(0), parts.shape(1)
    flat, count, rows = _flat(parts, shape)
    rest = shape[ids[-1] :]
    table = parts.reshape(whole(parts, parts.name(0)), [rows, prod(rest)])
    put(parts, parts.add("MatMul", one_hot(parts, flat, count, rows), table), (*ids[:-1], *rest))


def scatter_elements(parts: Parts) -> None:
    """Of the data's shape on all axes but one."""
    shape, ids = parts.shape(0), parts.shape(1)
    axis = int(parts.attribute("axis", 0)) % len(shape)
    if any(ids[a] != shape[a] for a in range(len(shape)) if a != axis):
        raise Kept("computed indices for a part of the other axes", "give indices of the data's shape but for the axis")
    order = [*(a for a in range(len(shape)) if a != axis), axis]
    others = [shape[a] for a in order[:-1]]
    turned = parts.reshape(parts.add("Transpose", parts.name(1), perm=order), [prod(others), ids[axis]])
    hot = one_hot(parts, turned, prod(ids), shape[axis])
    data = parts.reshape(parts.add("Transpose", whole(parts, parts.name(0)), perm=order), [prod(others), shape[axis]])
    updates = parts.reshape(parts.add("Transpose", whole(parts, parts.name(2)), perm=order), [prod(others), 1, ids[axis]])
    added = parts.reshape(parts.add("MatMul", updates, hot), [prod(others), shape[axis]])
    found = parts.reshape(_placed(parts, data, hot, added, (prod(others), shape[axis])), [*others, shape[axis]])
    put(parts, parts.add("Transpose", found, perm=[order.index(a) for a in range(len(shape))]), shape)


def scatter_nd(parts: Parts) -> None:
    shape, ids = parts.shape(0), parts.shape(1)
    flat, count, rows = _flat(parts, shape)
    width = prod(shape[ids[-1] :])
    hot = one_hot(parts, flat, count, rows)
    data = parts.reshape(whole(parts, parts.name(0)), [rows, width])
    updates = parts.reshape(whole(parts, parts.name(2)), [count, width])
    added = parts.add("MatMul", parts.add("Transpose", hot, perm=[1, 0]), updates)
    put(parts, _placed(parts, data, hot, added, (rows, 1)), shape)


def _placed(parts: Parts, data: str, hot: str, added: str, free: tuple[int, ...]) -> str:
    """data + added, or what is added instead of the data at rows where there is any; rows have the shape `free`."""
    reduction = str(parts.attribute("reduction", "none"))
    if reduction == "add":
        return parts.add("Add", data, added)
    if reduction != "none":
        raise Kept(f"the reduction {reduction!r} at computed indices", "'none' and 'add' are supported")
    taken = parts.add("Cast", parts.reduce("ReduceMax", hot, [-2], 0), to=TensorProto.BOOL)
    kind = parts.static.types[parts.name(0)] if parts.dtype(0).kind == "f" else TensorProto.INT64
    kept = parts.reshape(parts.add("Cast", parts.add("Not", taken), to=kind), free)
    return parts.add("Add", parts.add("Mul", data, kept), added)


@expands("TensorScatter", 24)
def tensor_scatter(parts: Parts) -> None:
    """Rows of a cache from the given position on, of each sample; circular: past the end from its start."""
    shape, update = parts.shape(0), parts.shape(1)
    axis = int(parts.attribute("axis", -2)) % len(shape)
    batch, length, count = shape[0], shape[axis], update[axis]
    ids = parts.constant(np.zeros((batch, count)), np.int64)
    if parts.has(2):
        first = parts.reshape(parts.add("Cast", parts.name(2), to=TensorProto.INT64), [batch, 1])
        ids = parts.add("Add", first, parts.constant(np.zeros((batch, count)), np.int64))
    back = length if parts.attribute("mode", "linear") == "circular" else 0
    ids = parts.add("Add", ids, parts.constant(np.arange(count) - back, np.int64))
    order = [0, axis, *(a for a in range(1, len(shape)) if a != axis)]
    hot = one_hot(parts, ids, batch * count, length)
    width = prod(shape) // (batch * length)
    data = parts.reshape(parts.add("Transpose", whole(parts, parts.name(0)), perm=order), [batch, length, width])
    rows = parts.reshape(parts.add("Transpose", whole(parts, parts.name(1)), perm=order), [batch, count, width])
    added = parts.add("MatMul", parts.add("Transpose", hot, perm=[0, 2, 1]), rows)
    found = parts.reshape(_placed(parts, data, hot, added, (batch, length, 1)), [shape[a] for a in order])
    put(parts, parts.add("Transpose", found, perm=[order.index(a) for a in range(len(shape))]), shape)


@expands("MaxUnpool", 9, 11, 22)
def max_unpool(parts: Parts) -> None:
    """Values back at the cells of their plane that the indices of a MaxPool name; zeros elsewhere."""
    shape = parts.shape(0)
    kernel, rank = list(parts.attribute("kernel_shape")), len(shape) - 2
    strides, pads = list(parts.attribute("strides") or [1] * rank), list(parts.attribute("pads") or [0] * 2 * rank)
    plane = [(shape[2 + a] - 1) * strides[a] + kernel[a] - pads[a] - pads[rank + a] for a in range(rank)]
    target = [int(v) for v in parts.array(2)][2:] if parts.has(2) else plane
    planes, count, cells = shape[0] * shape[1], prod(shape[2:]), prod(plane)
    starts = parts.constant(np.arange(planes)[:, None] * cells, np.int64)
    ids = parts.add("Sub", parts.reshape(parts.name(1), [planes, count]), starts)
    hot = one_hot(parts, ids, planes * count, cells)
    values = parts.reshape(parts.name(0), [planes, 1, count])
    found = parts.reshape(parts.add("MatMul", values, hot), [*shape[:2], *plane])
    if target == plane:
        parts.result("Identity", found)
        return
    grown = [0, 0, *[0] * rank, 0, 0, *(t - p for t, p in zip(target, plane, strict=True))]
    if parts.opset >= 11:
        parts.result("Pad", found, parts.constant(grown, np.int64))
    else:
        parts.result("Pad", found, pads=grown)
