"""Attention as its products and softmax, and norms from sums; so scores are calibrated, and constant masks are recognised."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import numpy as np
from onnx import helper

from ciro_zk.compiler.expand.parts import Kept, Parts, expands
from ciro_zk.compiler.expand.reductions import axes_of
from ciro_zk.compiler.shapes import Shape
from ciro_zk.compiler.steps import Floats, Mask

NEVER = -6e4
"""Added to scores that a mask leaves out: a number of float16 too."""
SCORES, CAPPED, BIASED, WEIGHTS = range(4)
"""What the fourth output is."""


@expands("Attention", 23, 24, 25)
def attention(parts: Parts) -> None:
    """Softmax(cap(scale Q K^T) + mask) V by heads, keys and values after past ones; grouped heads share keys and values."""
    flat = len(parts.shape(0)) == 3
    q, (batch, heads, length, size) = _heads(parts, 0, "q_num_heads")
    k, k_shape = _heads(parts, 1, "kv_num_heads")
    v, v_shape = _heads(parts, 2, "kv_num_heads")
    past = 0
    if parts.has(4):
        past = parts.shape(4)[2]
        k = parts.add("Concat", parts.name(4), k, output=_output(parts, 1), axis=2)
        v = parts.add("Concat", parts.name(5), v, output=_output(parts, 2), axis=2)
    else:
        for index, name in ((1, k), (2, v)):
            if _output(parts, index):
                parts.add("Identity", name, output=_output(parts, index))
    total = past + k_shape[2]
    k, v = (_shared(parts, name, (batch, shape[1], total, shape[3]), heads) for name, shape in ((k, k_shape), (v, v_shape)))
    turned = parts.add("Transpose", k, perm=[0, 1, 3, 2])
    dtype = parts.dtype(0)
    scale = float(parts.attribute("scale", None) or 1.0 / sqrt(size))
    mask = _mask(parts, batch, length, total, past)
    stages = {SCORES: parts.add("Mul", parts.add("MatMul", q, turned), parts.constant(scale, dtype))}
    stages[CAPPED] = _capped(parts, stages[SCORES], dtype)
    biased = stages[CAPPED] if mask.computed is None else parts.add("Add", stages[CAPPED], mask.computed)
    if mask.constant is not None:
        biased = parts.add("Add", biased, parts.constant(mask.constant, dtype))
    stages[BIASED] = biased
    weights = parts.add("Softmax", biased, axis=-1)
    if mask.empty is not None:
        weights = parts.add("Mul", weights, parts.constant(~mask.empty, dtype))
    stages[WEIGHTS] = weights
    if _output(parts, 3):
        mode = int(parts.attribute("qk_matmul_output_mode", SCORES))
        if mode == BIASED and mask.left_out:
            raise Kept("scores of minus infinity as an output", "put out the scores before the mask (qk_matmul_output_mode 0 or 1)")
        parts.add("Identity", stages[mode], output=_output(parts, 3))
    if not flat:
        parts.result("MatMul", weights, v)
        return
    joined = parts.add("Transpose", parts.add("MatMul", weights, v), perm=[0, 2, 1, 3])
    parts.reshape(joined, (batch, length, heads * v_shape[3]), parts.node.output[0])


def _capped(parts: Parts, scores: str, dtype: np.dtype[Any]) -> str:
    """cap tanh(scores / cap)."""
    cap = float(parts.attribute("softcap", 0.0))
    if not cap:
        return scores
    bounded = parts.add("Tanh", parts.add("Div", scores, parts.constant(cap, dtype)))
    return parts.add("Mul", bounded, parts.constant(cap, dtype))


def _output(parts: Parts, index: int) -> str:
    return str(parts.node.output[index]) if index < len(parts.node.output) else ""


def _heads(parts: Parts, index: int, attribute: str) -> tuple[str, Shape]:
    """An operand as (batch, heads, rows, cells) with its shape."""
    shape, name = parts.shape(index), parts.name(index)
    if len(shape) == 4:
        return name, shape
    heads = int(parts.attribute(attribute, 0))
    if len(shape) != 3 or heads < 1 or shape[2] % heads:
        raise Kept
    batch, rows, cells = shape
    split = parts.reshape(name, (batch, rows, heads, cells // heads))
    return parts.add("Transpose", split, perm=[0, 2, 1, 3]), (batch, heads, rows, cells // heads)


def _shared(parts: Parts, name: str, shape: Shape, heads: int) -> str:
    """Keys or values of a group of heads for each of them."""
    batch, groups, rows, cells = shape
    if groups == heads:
        return name
    if heads % groups:
        raise Kept
    apart = parts.reshape(name, (batch, groups, 1, rows, cells))
    wide = parts.add("Expand", apart, parts.constant((batch, groups, heads // groups, rows, cells), np.int64))
    return parts.reshape(wide, (batch, heads, rows, cells))


def _allowed(parts: Parts, batch: int, length: int, total: int, past: int) -> Mask | None:
    """Which keys a query may see, (length, total) or (batch, 1, length, total); None for all."""
    offset, lengths = np.array(past), None
    if parts.has(6):
        lengths = parts.array(6).reshape(batch, 1, 1, 1).astype(np.int64)
        offset = lengths - length
    key, place = np.arange(total), np.arange(length)[:, None] + offset
    allowed = np.ones(np.broadcast_shapes(key.shape, place.shape), dtype=bool)
    left, right = (int(parts.attribute(f"{side}_window_size", -1)) for side in ("left", "right"))
    if left >= 0:
        allowed &= key >= place - left
    if right >= 0 or parts.attribute("is_causal", 0):
        allowed &= key <= place + (0 if parts.attribute("is_causal", 0) else right)
    if lengths is not None:
        allowed &= key < lengths
    return None if allowed.all() else allowed


@dataclass(frozen=True, slots=True)
class Added:
    """What is added to the scores."""

    constant: Floats | None
    """`NEVER` for keys that are left out; 0 in rows without any key."""
    empty: Mask | None
    """Rows without any key, (..., length, 1): their weights are zeros by convention."""
    computed: str | None
    """A tensor."""

    @property
    def left_out(self) -> bool:
        """Whether there are keys that a row does not see."""
        return self.empty is not None or (self.constant is not None and bool((self.constant <= NEVER).any()))


def _mask(parts: Parts, batch: int, length: int, total: int, past: int) -> Added:
    allowed = _allowed(parts, batch, length, total, past)
    mask = None if allowed is None else np.where(allowed, 0.0, NEVER)
    computed = None
    if parts.has(3):
        given = parts.static.constants.get(parts.name(3))
        if given is None:
            if parts.dtype(3).kind != "f" or parts.shape(3)[-1] != total:
                raise Kept("a computed mask of bools, or of fewer keys", "add a mask of floats to the scores")
            computed = parts.name(3)
        else:
            own = np.where(given, 0.0, NEVER) if given.dtype.kind == "b" else np.maximum(given.astype(np.float64), NEVER)
            own = np.pad(own, [(0, 0)] * (own.ndim - 1) + [(0, total - own.shape[-1])], constant_values=NEVER)
            mask = own if mask is None else np.maximum(mask + own, NEVER)
    if mask is None:
        return Added(None, None, computed)
    empty: Mask = np.asarray((mask <= NEVER / 2).all(axis=-1, keepdims=True))
    return Added(np.where(empty, 0.0, mask), empty if empty.any() else None, computed)


@expands("ReduceL2", 1, 11, 13, 18)
def reduce_l2(parts: Parts) -> None:
    axes, keep = axes_of(parts)
    square = parts.add("Mul", parts.name(0), parts.name(0))
    parts.result("Sqrt", parts.reduce("ReduceSum", square, axes, keep))


@expands("LpNormalization", 1, 22)
def l1_normalization(parts: Parts) -> None:
    """x / sum |x|; the norm for p = 2 is an operator of its own."""
    if int(parts.attribute("p", 2)) != 1:
        raise Kept
    axis = int(parts.attribute("axis", -1)) % len(parts.shape(0))
    total = parts.reduce("ReduceSum", parts.add("Abs", parts.name(0)), [axis])
    parts.result("Div", parts.name(0), total)


@expands("RMSNormalization", 23)
@expands("InstanceNormalization", 6, 22)
@expands("GroupNormalization", 21)
def computed_scale(parts: Parts) -> None:
    """A computed scale or bias is a factor or a summand of its own."""
    if all(name in parts.static.constants for name in parts.node.input[1:] if name):
        raise Kept
    kind, attributes = parts.dtype(0), {entry.name: helper.get_attribute_value(entry) for entry in parts.node.attribute}
    plain = [parts.constant(np.full(parts.shape(i), float(i == 1)), kind) for i in range(1, len(parts.node.input)) if parts.has(i)]
    current = parts.add(parts.node.op_type, parts.name(0), *plain, **attributes)
    by_channel = parts.node.op_type in ("InstanceNormalization", "GroupNormalization")
    for i, op in ((1, "Mul"), (2, "Add")):
        if parts.has(i):
            operand = parts.name(i)
            if by_channel:
                operand = parts.reshape(operand, (-1, *[1] * (len(parts.shape(0)) - 2)))
            current = parts.add(op, current, operand)
    parts.result("Identity", current)


@expands("LayerNormalization", 17)
def layer_normalization(parts: Parts) -> None:
    """With its mean and inverse deviation as outputs: these by their own sums. With a computed scale: `computed_scale`."""
    if not any(_output(parts, i) for i in (1, 2)):
        computed_scale(parts)
        return
    rank = len(parts.shape(0))
    axes = list(range(int(parts.attribute("axis", -1)) % rank, rank))
    x, epsilon = parts.name(0), float(parts.attribute("epsilon", 1e-5))
    mean = parts.reduce("ReduceMean", x, axes, output=_output(parts, 1))
    if _output(parts, 2):
        centred = parts.add("Sub", x, mean)
        variance = parts.reduce("ReduceMean", parts.add("Mul", centred, centred), axes)
        moved = parts.add("Add", variance, parts.constant(epsilon, parts.dtype(0)))
        parts.add("Reciprocal", parts.add("Sqrt", moved), output=_output(parts, 2))
    parts.result("LayerNormalization", *parts.node.input, axis=int(parts.attribute("axis", -1)), epsilon=epsilon)


@expands("MeanVarianceNormalization", 9, 13)
def mean_variance_normalization(parts: Parts) -> None:
    """Over any axes, moved to the end: less the mean, by the root of the variance."""
    shape = parts.shape(0)
    axes = sorted({int(a) % len(shape) for a in parts.attribute("axes") or (0, 2, 3)})
    order = [a for a in range(len(shape)) if a not in axes] + axes
    moved = [shape[a] for a in order]
    x = parts.reshape(parts.add("Transpose", parts.name(0), perm=order), [*moved[: -len(axes)], prod(shape[a] for a in axes)])
    centred = parts.add("Sub", x, parts.reduce("ReduceMean", x, [-1]))
    variance = parts.reduce("ReduceMean", parts.add("Mul", centred, centred), [-1])
    rows = parts.add("Div", centred, parts.add("Sqrt", variance))
    parts.result("Transpose", parts.reshape(rows, moved), perm=[order.index(a) for a in range(len(shape))])
