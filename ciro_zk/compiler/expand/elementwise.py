"""Functions of cells that are written with simpler ones."""

from __future__ import annotations

from functools import reduce

import numpy as np
from onnx import TensorProto, helper

from ciro_zk.compiler.expand import indexing
from ciro_zk.compiler.expand.parts import Kept, Parts, expands

MAX_DISTINCT = 64


@expands("Mean", 8, 13)
def mean(parts: Parts) -> None:
    count = len(parts.node.input)
    parts.result("Mul", parts.add("Sum", *parts.node.input), parts.constant(1 / count, parts.dtype(0)))


@expands("Sum", 8, 13)
def constant_sum(parts: Parts) -> None:
    """Constant operands are added last, as one."""
    computed = [name for name in parts.node.input if name not in parts.static.constants]
    if len(computed) == len(parts.node.input):
        raise Kept
    total = parts.add("Sum", *computed) if len(computed) > 1 else computed[0]
    constants = [parts.static.constants[name] for name in parts.node.input if name in parts.static.constants]
    parts.result("Add", total, parts.constant(reduce(np.add, constants)))


@expands("PRelu", 9, 16)
def prelu(parts: Parts) -> None:
    """relu(x) - slope relu(-x)."""
    slope = parts.static.constants.get(parts.name(1))
    if slope is not None and slope.size == 1 and parts.dtype(0).kind == "f":
        parts.result("LeakyRelu", parts.name(0), alpha=float(slope.reshape(-1)[0]))
        return
    x = parts.name(0)
    below = parts.add("Relu", parts.add("Neg", x))
    parts.result("Sub", parts.add("Relu", x), parts.add("Mul", below, parts.name(1)))


@expands("CastLike", 15, 19, 21, 23, 24, 25)
def cast_like(parts: Parts) -> None:
    parts.result("Cast", parts.name(0), to=parts.static.types[parts.name(1)])


@expands("Pow", 7, 12, 13, 15)
@expands("Mod", 10, 13, 28)
@expands("Div", 7, 13, 14)
def by_distinct(parts: Parts) -> None:
    """Cells by the distinct values of a constant second operand: each value is a function of its own."""
    second = parts.array(1)
    values = np.unique(second)
    if parts.node.op_type == "Div" and second.dtype.kind == "f":
        raise Kept
    if second.size == 1 or len(values) > MAX_DISTINCT:
        raise Kept
    shape = np.broadcast_shapes(parts.shape(0), second.shape)
    wide = np.broadcast_to(second, shape).reshape(-1)
    x = parts.name(0)
    if parts.shape(0) != shape:
        x = parts.add("Expand", x, parts.constant(shape, np.int64))
    flat = parts.reshape(x, [-1])
    pieces, order = [], []
    for value in values:
        chosen = np.flatnonzero(wide == value)
        piece = parts.add("Gather", flat, parts.constant(chosen, np.int64))
        fields = {"fmod": parts.attribute("fmod")} if parts.node.op_type == "Mod" else {}
        pieces.append(parts.add(parts.node.op_type, piece, parts.constant(value, second.dtype), **fields))
        order.append(chosen)
    joined = parts.add("Concat", *pieces, axis=0) if len(pieces) > 1 else pieces[0]
    back = parts.add("Gather", joined, parts.constant(np.argsort(np.concatenate(order)), np.int64))
    parts.reshape(back, shape, parts.node.output[0])


@expands("GreaterOrEqual", 12, 16)
def greater_or_equal(parts: Parts) -> None:
    parts.result("Not", parts.add("Less", parts.name(0), parts.name(1)))


@expands("LessOrEqual", 12, 16)
def less_or_equal(parts: Parts) -> None:
    parts.result("Not", parts.add("Greater", parts.name(0), parts.name(1)))


@expands("Where", 9, 16)
def where(parts: Parts) -> None:
    """b + condition (a - b); of two constants, infinite ones are the greatest float32, as a mask has them."""
    a, b = parts.name(1), parts.name(2)
    if a in parts.static.constants and b in parts.static.constants and parts.dtype(1) == np.float32:
        ends = np.finfo(np.float32)
        a, b = (parts.constant(np.clip(parts.array(i), ends.min, ends.max), np.float32) for i in (1, 2))
    condition = parts.add("Cast", parts.name(0), to=parts.static.types[a])
    change = parts.add("Mul", condition, parts.add("Sub", a, b))
    parts.result("Add", b, change)


@expands("Hardmax", 1, 11, 13)
def hardmax(parts: Parts) -> None:
    """1 at the first greatest cell of the axis, 0 elsewhere; before version 13 the axis starts all the axes after it."""
    shape = parts.shape(0)
    axis = int(parts.attribute("axis", -1 if parts.opset >= 13 else 1)) % len(shape)
    x = parts.name(0)
    if parts.opset < 13:
        x = parts.reshape(x, [int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))])
    last = axis if parts.opset >= 13 else 1
    length = shape[axis] if parts.opset >= 13 else int(np.prod(shape[axis:]))
    first = parts.add("ArgMax", x, axis=last, keepdims=0)
    values = parts.constant([0, 1], parts.dtype(0))
    hot = parts.add("OneHot", first, parts.constant(length, np.int64), values, axis=last)
    parts.reshape(hot, shape, parts.node.output[0])


@expands("Gather", 1, 11, 13)
def gather(parts: Parts) -> None:
    """Rows of a table by computed ids: one-hot ids times the table."""
    if parts.name(1) in parts.static.constants:
        raise Kept
    if indexing.is_computed(parts, 0):
        indexing.gather_rows(parts, int(parts.attribute("axis", 0)) % len(parts.shape(0)))
        return
    table = np.moveaxis(parts.array(0), int(parts.attribute("axis", 0)) % parts.array(0).ndim, 0)
    axis = int(parts.attribute("axis", 0)) % table.ndim
    if table.dtype.kind not in "fiu":
        raise Kept
    kind = table.dtype if table.dtype.kind == "f" else np.dtype(np.int64)
    hot = parts.add("OneHot", parts.name(1), parts.constant(len(table), np.int64), parts.constant([0, 1], kind))
    ids = parts.shape(1)
    if table.ndim == 2 and axis == 0 and kind == table.dtype:
        parts.result("MatMul", hot, parts.constant(table, kind))
        return
    rows = parts.reshape(hot, [int(np.prod(ids)), len(table)])
    found = parts.add("MatMul", rows, parts.constant(table.reshape(len(table), -1), kind))
    rest = table.shape[1:]
    if kind != table.dtype:
        found = parts.add("Cast", found, to=helper.np_dtype_to_tensor_dtype(table.dtype))
    if axis == 0:
        parts.reshape(found, [*ids, *rest], parts.node.output[0])
        return
    wide = parts.reshape(found, [*ids, *rest])
    order = [*range(len(ids), len(ids) + axis), *range(len(ids)), *range(len(ids) + axis, len(ids) + len(rest))]
    parts.result("Transpose", wide, perm=order)


@expands("IsNaN", 9, 13, 20)
@expands("IsInf", 10, 20)
def never(parts: Parts) -> None:
    """A circuit's integers are finite, and an input that is not is refused."""
    parts.static.fix(parts.node.output[0], np.zeros(parts.shape(0), dtype=bool))


@expands("BitShift", 11, 28)
def bit_shift(parts: Parts) -> None:
    """By constants: times a power of two, which does not wrap around, or the floor of a division by it."""
    shifts, kind = parts.array(1), parts.dtype(0)
    if shifts.max(initial=0) >= 31 or shifts.min(initial=0) < 0:
        raise Kept(f"shifts between {shifts.min()} and {shifts.max()} bits", "0 to 30 are supported")
    powers = parts.constant(np.left_shift(1, shifts.astype(np.int64)), np.int64)
    x = parts.add("Cast", parts.name(0), to=TensorProto.INT64)
    if parts.attribute("direction") == "RIGHT":
        rest = parts.add("Mod", x, powers) if kind.kind == "i" else ""
        moved = parts.add("Div", parts.add("Sub", x, rest) if rest else x, powers)
    else:
        moved = parts.add("Mul", x, powers)
    parts.result("Cast", moved, to=parts.static.types[parts.name(0)])


@expands("BitwiseNot", 18)
def bitwise_not(parts: Parts) -> None:
    """The greatest number of the type less x; -1 - x with signs."""
    kind = parts.dtype(0)
    if np.iinfo(kind).max >= 1 << 24 and kind.kind == "u":
        raise Kept(f"the complement of {kind.name}", "a circuit's integers are at most 2^24")
    x = parts.add("Cast", parts.name(0), to=TensorProto.INT64)
    top = -1 if kind.kind == "i" else np.iinfo(kind).max
    parts.result("Cast", parts.add("Sub", parts.constant(top, np.int64), x), to=parts.static.types[parts.name(0)])
