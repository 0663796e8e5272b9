"""Static quantisation: integer products are exact, and one table rounds, adds the zero point and saturates."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from ciro_zk.compiler.expand.parts import Kept, Parts, expands
from ciro_zk.compiler.load import Array

VERSIONS = (10, 13, 19, 21, 23, 24, 25, 28)
MAX_SCALES = 64


def _aligned(parts: Parts, values: Array, shape: tuple[int, ...]) -> Array:
    """Scales or zero points, per tensor, per axis or per block, cell by cell."""
    if values.size == 1:
        return np.broadcast_to(values.reshape(()), shape)
    axis = int(parts.attribute("axis", 1)) % len(shape)
    block = int(parts.attribute("block_size", 0) or 0)
    if block:
        return np.repeat(values, block, axis=axis)[tuple(slice(d) for d in shape)]
    wide = [1] * len(shape)
    wide[axis] = shape[axis]
    return np.broadcast_to(values.reshape(wide), shape)


@expands("DequantizeLinear", *VERSIONS)
def dequantize(parts: Parts) -> None:
    """(x - zero) scale."""
    shape, scale = parts.shape(0), parts.array(1)
    number = helper.np_dtype_to_tensor_dtype(scale.dtype)
    current = parts.add("Cast", parts.name(0), to=number)
    if parts.has(2):
        zero = _aligned(parts, parts.array(2), shape).astype(scale.dtype)
        current = parts.add("Sub", current, parts.constant(_least(zero)))
    current = parts.add("Mul", current, parts.constant(_least(_aligned(parts, scale, shape))))
    target = parts.attribute("output_dtype", 0) or number
    parts.result("Cast", current, to=target)


def _least(values: Array) -> Array:
    """A single number where all are equal, else the whole array."""
    first = values.reshape(-1)[:1]
    return first.reshape(()) if (values == first).all() else np.ascontiguousarray(values)


@expands("QuantizeLinear", *VERSIONS)
def quantize(parts: Parts) -> None:
    """Cells of one scale and zero point at a time."""
    shape, scale = parts.shape(0), parts.array(1)
    if scale.size == 1:
        raise Kept
    kind = parts.attribute("output_dtype", 0) or TensorProto.UINT8
    zero = parts.array(2) if parts.has(2) else np.zeros(scale.shape, helper.tensor_dtype_to_np_dtype(kind))
    scales, zeros = (_aligned(parts, values, shape).reshape(-1) for values in (scale, zero))
    kinds = sorted(set(zip(scales.tolist(), zeros.tolist(), strict=True)))
    if len(kinds) > MAX_SCALES:
        raise Kept
    flat = parts.reshape(parts.name(0), [-1])
    pieces, order = [], []
    for one_scale, one_zero in kinds:
        chosen = np.flatnonzero((scales == scales.dtype.type(one_scale)) & (zeros == one_zero))
        piece = parts.add("Gather", flat, parts.constant(chosen, np.int64))
        numbers = parts.constant(one_scale, scale.dtype), parts.constant(one_zero, zero.dtype)
        pieces.append(parts.add("QuantizeLinear", piece, *numbers))
        order.append(chosen)
    joined = parts.add("Concat", *pieces, axis=0)
    back = parts.add("Gather", joined, parts.constant(np.argsort(np.concatenate(order)), np.int64))
    parts.reshape(back, shape, parts.node.output[0])


def _centred(parts: Parts, index: int, zero: int) -> str:
    """An operand less its zero point, as int32."""
    if parts.name(index) in parts.static.constants:
        value = parts.array(index).astype(np.int32)
        shift = parts.array(zero).astype(np.int32) if parts.has(zero) else np.int32(0)
        if np.ndim(shift) == 1 and np.size(shift) > 1:
            shift = shift.reshape(-1, *[1] * (value.ndim - 1)) if "Conv" in parts.node.op_type else shift
        return parts.constant(value - shift)
    whole = parts.add("Cast", parts.name(index), to=TensorProto.INT32)
    return parts.add("Sub", whole, parts.constant(parts.array(zero).astype(np.int32))) if parts.has(zero) else whole


@expands("MatMulInteger", 10)
def matmul_integer(parts: Parts) -> None:
    parts.result("MatMul", _centred(parts, 0, 2), _centred(parts, 1, 3))


def _requantised(parts: Parts, product: str) -> None:
    """An integer product in units of x_scale w_scale, quantised again."""
    unit = _least(parts.array(6).astype(np.float64) / (parts.array(1).astype(np.float64) * parts.array(4).astype(np.float64)))
    number = parts.add("Cast", product, to=TensorProto.FLOAT)
    axis = 1 if unit.size > 1 else None
    parts.result("QuantizeLinear", number, parts.constant(unit.astype(np.float32)), parts.name(7), axis=axis)


@expands("QLinearMatMul", 10, 21)
def qlinear_matmul(parts: Parts) -> None:
    if parts.array(4).size > 1 or parts.array(6).size > 1:
        raise Kept
    _requantised(parts, parts.add("MatMul", _centred(parts, 0, 2), _centred(parts, 3, 5)))


@expands("QLinearConv", 10)
def qlinear_conv(parts: Parts) -> None:
    """The bias is in units of x_scale w_scale."""
    names = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    settings = {name: parts.attribute(name) for name in names}
    inputs = [parts.name(0), parts.name(3), parts.name(2), parts.name(5)]
    product = parts.add("ConvInteger", *inputs, **settings)
    rank = len(parts.shape(0)) - 2
    if parts.has(8):
        product = parts.add("Add", product, parts.constant(parts.array(8).astype(np.int32).reshape(-1, *[1] * rank)))
    _requantised(parts, product)
