"""Small models around every supported operator, with the bound on each one's rounding error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from unit.compiler.case import Case, axes_constants, axes_node, node, one
from unit.compiler.checks import Array, Sensitivity, floats
from unit.compiler.more_cases import MORE_CASES

RNG = np.random.default_rng(7)


def linear(weight: Array, axis: int | tuple[int, ...], peak: float, units: float = 1.5) -> Sensitivity:
    """Of a linear map with `weight` summed over `axis` for inputs up to `peak`."""
    count = int(np.prod([weight.shape[a] for a in np.atleast_1d(axis)]))
    return Sensitivity(float(np.abs(weight).sum(axis=axis).max()), count * peak, float(np.abs(weight).max()), units)


PEAK = 5.0  # normal samples stay below
W = floats(RNG, 6, 4)
B = floats(RNG, 4)
K = floats(RNG, 4, 2, 3, 3)
K1 = floats(RNG, 4, 3, 3)
K3 = floats(RNG, 2, 1, 2, 3, 2)
KG = floats(RNG, 6, 2, 3, 3)
KD = floats(RNG, 4, 1, 3, 3)
BK = floats(RNG, 4)
NORM = {"s": floats(RNG, 3), "b": floats(RNG, 3), "m": floats(RNG, 3), "v": np.abs(floats(RNG, 3)) + np.float32(0.5)}
ROWS = {"s": floats(RNG, 8), "b": floats(RNG, 8)}
CHANNELS = {"s": floats(RNG, 3), "b": floats(RNG, 3)}
FACTOR = float((np.abs(NORM["s"]) / np.sqrt(NORM["v"])).max())


def padded(pads: Sequence[int], **attributes: Any) -> Callable[[int], list[onnx.NodeProto]]:
    """Pad, whose pads moved from an attribute to an input."""

    def nodes(opset: int) -> list[onnx.NodeProto]:
        if opset < 11:
            return [node("Pad", pads=list(pads), **attributes)]
        tail = " value" if tuple(pads) in VALUES and "mode" not in attributes else ""
        return [node("Pad", f"x pads{tail}", **attributes)]

    return nodes


VALUES: dict[tuple[int, ...], dict[str, float]] = {(0, 1, 0, 2): {"value": 0.75}}


def pad_constants(pads: Sequence[int]) -> Callable[[int], dict[str, Array]]:
    def constants(opset: int) -> dict[str, Array]:
        if opset < 11:
            return {}
        extra = {name: np.float32(v) for name, v in VALUES.get(tuple(pads), {}).items()}
        return {"pads": np.array(pads, dtype=np.int64), **extra}

    return constants


def sliced(opset: int) -> list[onnx.NodeProto]:
    return [node("Slice", starts=[1, 0], ends=[5, 1000], axes=[1, 2])] if opset < 10 else [node("Slice", "x starts ends axes steps")]


def slice_constants(opset: int) -> dict[str, Array]:
    if opset < 10:
        return {}
    return {n: np.array(v, dtype=np.int64) for n, v in {"starts": [-1, 0], "ends": [-1000, 4], "axes": [1, -1], "steps": [-2, 1]}.items()}


def clipped(low: float | None, high: float | None) -> Callable[[int], list[onnx.NodeProto]]:
    def nodes(opset: int) -> list[onnx.NodeProto]:
        if opset < 11:
            return [node("Clip", **{k: v for k, v in (("min", low), ("max", high)) if v is not None})]
        return [helper.make_node("Clip", ["x", "" if low is None else "low", "" if high is None else "high"], ["y"])]

    return nodes


def clip_constants(low: float | None, high: float | None) -> Callable[[int], dict[str, Array]]:
    return lambda opset: {} if opset < 11 else {k: np.float32(v) for k, v in (("low", low), ("high", high)) if v is not None}


CASES = [
    Case("matmul", (1, 6), one("MatMul", "x w"), {"w": W}, linear(W, 0, PEAK)),
    Case("matmul_3d", (2, 3, 6), one("MatMul", "x w"), {"w": W}, linear(W, 0, PEAK), only=(13,)),
    Case("matmul_vector", (1, 6), one("MatMul", "x w"), {"w": W[:, 0]}, linear(W[:, :1], 0, PEAK), only=(13,)),
    Case("matmul_left", (6, 3), one("MatMul", "w x"), {"w": W.T}, linear(W, 0, PEAK), only=(13,)),
    Case("matmul_left_1d", (6,), one("MatMul", "w x"), {"w": W.T}, linear(W, 0, PEAK), only=(13,)),
    Case("matmul_batched", (2, 1, 3, 6), one("MatMul", "x w"), {"w": floats(RNG, 5, 6, 4)}, Sensitivity(30, 30, 5, 2), only=(13,)),
    Case("gemm", (3, 6), one("Gemm", "x w b"), {"w": W, "b": B}, linear(W, 0, PEAK, 2), only=(9, 11, 13)),
    Case(
        "gemm_scaled",
        (6, 3),
        one("Gemm", "x w b", alpha=0.5, beta=2.0, transA=1, transB=1),
        {"w": W.T, "b": B},
        linear(W, 0, PEAK, 2),
        only=(9, 13),
    ),
    Case(
        "gemm_left", (3, 6), one("Gemm", "w x b", transA=1, transB=1), {"w": W, "b": floats(RNG, 4, 1)}, linear(W, 0, PEAK, 2), only=(13,)
    ),
    Case("conv", (1, 2, 7, 6), one("Conv", "x w b", pads=[1, 0, 2, 1], strides=[2, 1]), {"w": K, "b": BK}, linear(K, (1, 2, 3), PEAK, 2)),
    Case("conv_1d", (2, 3, 9), one("Conv", "x w", dilations=[2], auto_pad="SAME_LOWER"), {"w": K1}, linear(K1, (1, 2), PEAK), only=(11,)),
    Case("conv_3d", (1, 1, 4, 5, 3), one("Conv", "x w", strides=[1, 2, 1]), {"w": K3}, linear(K3, (1, 2, 3, 4), PEAK), only=(11,)),
    Case(
        "conv_groups",
        (1, 6, 5, 5),
        one("Conv", "x w", group=3, auto_pad="SAME_UPPER", strides=[2, 2]),
        {"w": KG},
        linear(KG, (1, 2, 3), PEAK),
        only=(11,),
    ),
    Case("conv_depthwise", (1, 4, 5, 5), one("Conv", "x w b", group=4), {"w": KD, "b": BK}, linear(KD, (1, 2, 3), PEAK, 2), only=(11,)),
    Case("batch_norm", (2, 3, 4), one("BatchNormalization", "x s b m v"), NORM, Sensitivity(FACTOR, PEAK, FACTOR, 2), only=(9, 14, 15)),
    Case("relu", (1, 10), one("Relu"), only=(9, 13, 14)),
    Case("leaky_relu", (1, 10), one("LeakyRelu", alpha=0.1), sensitivity=Sensitivity(units=1.1), only=(9, 16)),
    Case("clip", (1, 10), clipped(-0.5, 1.2), clip_constants(-0.5, 1.2), sensitivity=Sensitivity(units=1.5), only=(9, 11, 12, 13)),
    Case("clip_low", (1, 10), clipped(0.2, None), clip_constants(0.2, None), sensitivity=Sensitivity(units=1.5)),
    Case("clip_high", (1, 10), clipped(None, 0.2), clip_constants(None, 0.2), sensitivity=Sensitivity(units=1.5)),
    Case("sigmoid", (1, 10), one("Sigmoid"), sensitivity=Sensitivity(0.5, units=2), only=(9, 13), scale=3),
    Case("tanh", (1, 10), one("Tanh"), sensitivity=Sensitivity(2, units=2), only=(9, 13), scale=3),
    Case("max_pool", (1, 2, 6, 6), one("MaxPool", kernel_shape=[2, 2], strides=[2, 2]), only=(9, 10, 11, 12, 22)),
    Case(
        "max_pool_3x3", (1, 2, 7, 6), one("MaxPool", kernel_shape=[3, 3], strides=[2, 1], pads=[1, 1, 1, 1], dilations=[1, 2]), only=(12,)
    ),
    Case("max_pool_ceil", (1, 1, 7, 8), one("MaxPool", kernel_shape=[3, 2], strides=[2, 3], ceil_mode=1), only=(12, 22)),
    Case("max_pool_5", (1, 1, 13), one("MaxPool", kernel_shape=[5], pads=[2, 2]), only=(12,)),
    Case("max_pool_3d", (1, 1, 4, 4, 4), one("MaxPool", kernel_shape=[2, 2, 2], strides=[2, 2, 2]), only=(12,)),
    Case("average_pool", (1, 2, 6, 6), one("AveragePool", kernel_shape=[2, 3], strides=[2, 1]), only=(9, 10, 11, 19, 22)),
    Case("average_pool_border", (1, 1, 6, 5), one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 1]), only=(11, 19)),
    Case("average_pool_pads", (1, 1, 6, 5), one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1), only=(11, 19)),
    Case("average_pool_ceil", (1, 1, 7, 6), one("AveragePool", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1), only=(19,)),
    Case("global_average_pool", (2, 3, 4, 5), one("GlobalAveragePool"), only=(9, 22)),
    Case("global_max_pool", (2, 3, 4, 5), one("GlobalMaxPool"), only=(9, 22)),
    Case("reduce_mean", (2, 3, 4), axes_node("ReduceMean", 18, [1, -1], keepdims=0), axes_constants(18, [1, -1])),
    Case("reduce_mean_all", (2, 3, 4), one("ReduceMean")),
    Case("add_constant", (2, 3, 4), one("Add", "x c"), {"c": floats(RNG, 3, 1)}, Sensitivity(units=1.5), only=(9, 13, 14)),
    Case("add_number", (2, 3), one("Add", "c x"), {"c": np.float32(0.3)}, Sensitivity(units=1.5), only=(13,)),
    Case("add_large", (2, 3), one("Add", "c x"), {"c": np.float32(100.0)}, Sensitivity(units=1.5), only=(13,)),
    Case("add_larger", (2, 3), one("Add", "x c"), {"c": np.array([[1e5], [1]], dtype=np.float32)}, Sensitivity(units=1.5), only=(13,)),
    Case("add_broadcast", (3, 1), one("Add", "x c"), {"c": floats(RNG, 2, 1, 4)}, Sensitivity(units=1.5), only=(13,)),
    Case("add_itself", (2, 3), one("Add", "x x"), {}, Sensitivity(2, units=1), only=(13,)),
    Case("sub_constant", (2, 3), one("Sub", "x c"), {"c": floats(RNG, 3)}, Sensitivity(units=1.5), only=(9, 13, 14)),
    Case("sub_from", (2, 3), one("Sub", "c x"), {"c": floats(RNG, 3)}, Sensitivity(units=1.5), only=(13,)),
    Case(
        "sum", (2, 3), lambda opset: [node("Neg", output="a"), node("Relu", output="r"), node("Sum", "a r x")], {}, Sensitivity(3, units=3)
    ),
    Case("mul_number", (2, 3), one("Mul", "c x"), {"c": np.float32(-2.5)}, Sensitivity(2.5), only=(9, 13, 14)),
    Case("mul_zero", (2, 3), one("Mul", "c x"), {"c": np.float32(0)}, Sensitivity(0), only=(13,)),
    Case("mul_constant", (2, 3, 4), one("Mul", "x c"), {"c": floats(RNG, 3, 1)}, Sensitivity(4, PEAK, 4, 1.5), only=(9, 13)),
    Case("mul_full", (1, 4), one("Mul", "x c"), {"c": floats(RNG, 3, 4)}, Sensitivity(4, PEAK, 4, 1.5), only=(13,)),
    Case("div_number", (2, 3), one("Div", "x c"), {"c": np.float32(255)}, Sensitivity(1 / 255), only=(9, 13, 14)),
    Case(
        "div_constant", (2, 3), one("Div", "x c"), {"c": np.array([1, -2, 0.5], dtype=np.float32)}, Sensitivity(2, PEAK, 2, 1.5), only=(13,)
    ),
    Case("neg", (2, 3), one("Neg"), only=(9, 13)),
    Case("matmul_computed", (2, 3, 3), one("MatMul", "x x"), {}, Sensitivity(6 * PEAK, units=1), only=(13,)),
    Case("matmul_vectors", (5,), one("MatMul", "x x"), {}, Sensitivity(10 * PEAK, units=1), only=(13,)),
    Case(
        "matmul_broadcast",
        (2, 3, 4),
        lambda opset: [
            node("Slice", "x zero one zero", "s"),
            node("Transpose", output="t", perm=[0, 2, 1]),
            node("MatMul", "s t"),
        ],
        {"zero": np.array([0]), "one": np.array([1])},
        Sensitivity(8 * PEAK, units=1),
        only=(13,),
    ),
    Case("gemm_computed", (3, 3), one("Gemm", "x x b", alpha=0.5, transA=1), {"b": B[:3]}, Sensitivity(3 * PEAK, units=3), only=(13,)),
    Case("gemm_all_computed", (3, 3), one("Gemm", "x x x", beta=-2.0, transB=1), {}, Sensitivity(6 * PEAK + 2, units=3), only=(13,)),
    Case("mul_square", (2, 3), one("Mul", "x x"), {}, Sensitivity(2 * PEAK), only=(9, 13, 14)),
    Case(
        "div_computed",
        (2, 3),
        lambda opset: [node("Sigmoid", output="a"), node("Add", "a c", "s"), node("Div", "x s")],
        {"c": np.float32(0.5)},
        Sensitivity(4, units=12),
        only=(9, 13, 14),
    ),
    Case(
        "div_by_rows",
        (2, 3, 4),
        lambda opset: [node("Sigmoid", output="a"), node("ReduceMean", "a", "m", axes=[2]), node("Sub", "c m", "s"), node("Div", "x s")],
        {"c": np.float32(-0.5)},
        Sensitivity(4, units=12),
        only=(13,),
    ),
    Case(
        "div_from",
        (2, 3),
        lambda opset: [node("Sigmoid", output="a"), node("Add", "a c", "s"), node("Div", "d s")],
        {"c": np.float32(0.5), "d": np.array([1, -2, 4], dtype=np.float32)},
        Sensitivity(4, units=12),
        only=(13,),
    ),
    Case(
        "mul_computed",
        (2, 3),
        lambda opset: [node("ReduceMean", output="m", axes=[1]), node("Mul", "m x")],
        {},
        Sensitivity(2 * PEAK, units=PEAK + 1),
        only=(13,),
    ),
    Case("attention", (1, 2, 3, 4), one("Attention", "x x x", is_causal=1), {}, Sensitivity(12, units=3), since=23, scale=0.5),
    Case(
        "attention_flat",
        (1, 3, 8),
        one("Attention", "x x x", q_num_heads=2, kv_num_heads=2, softcap=2.0),
        {},
        Sensitivity(12, units=3),
        only=(23,),
        scale=0.5,
    ),
    Case("l1_norm", (2, 5), one("LpNormalization", p=1), {}, Sensitivity(4, units=8), only=(22,)),
    Case("reduce_l2", (2, 3, 4), axes_node("ReduceL2", 18, [1, -1]), axes_constants(18, [1, -1]), Sensitivity(4, units=8)),
    Case("softmax", (2, 3, 5), one("Softmax"), {}, Sensitivity(0.5, units=3), only=(9, 11, 13), scale=2),
    Case("softmax_axis", (2, 5, 3), one("Softmax", axis=1), {}, Sensitivity(0.5, units=3), only=(13,), scale=2),
    Case("softmax_rows", (3, 2, 4), one("Softmax", axis=2), {}, Sensitivity(0.5, units=3), only=(11,)),
    Case("log_softmax", (2, 7), one("LogSoftmax", axis=1), {}, Sensitivity(2, units=3), only=(9, 11, 13), scale=2),
    Case("layer_norm", (2, 3, 8), one("LayerNormalization", "x s b"), ROWS, Sensitivity(12, units=4), only=(17,)),
    Case(
        "layer_norm_axes",
        (2, 3, 8),
        one("LayerNormalization", "x w", axis=1),
        {"w": floats(RNG, 3, 8)},
        Sensitivity(12, units=4),
        only=(17,),
    ),
    Case("rms_norm", (3, 8), one("RMSNormalization", "x s"), {"s": ROWS["s"]}, Sensitivity(12, units=4), only=(23,)),
    Case("rms_norm_plain", (3, 8), one("RMSNormalization", "x s"), {"s": np.ones(8, np.float32)}, Sensitivity(8, units=3), only=(23,)),
    Case("instance_norm", (2, 3, 4, 3), one("InstanceNormalization", "x s b"), CHANNELS, Sensitivity(12, units=4), only=(9, 22)),
    Case("group_norm", (1, 3, 4, 2), one("GroupNormalization", "x s b", num_groups=1), CHANNELS, Sensitivity(12, units=4), only=(21,)),
    Case("lp_norm", (2, 5, 3), one("LpNormalization", axis=1), {}, Sensitivity(4, units=8), only=(9, 22)),
    Case("flatten", (2, 3, 4), one("Flatten", axis=-1), since=11),
    Case("flatten_0", (2, 3, 4), one("Flatten", axis=0)),
    Case("reshape", (2, 3, 4), one("Reshape", "x shape"), {"shape": np.array([0, -1, 2])}),
    Case("transpose", (2, 3, 4), one("Transpose", perm=[1, 2, 0])),
    Case("transpose_default", (2, 3, 4), one("Transpose")),
    Case("squeeze", (2, 1, 4, 1), axes_node("Squeeze", 13, [1, 3]), axes_constants(13, [1, 3])),
    Case("unsqueeze", (2, 4), axes_node("Unsqueeze", 13, [0, 2]), axes_constants(13, [0, 2])),
    Case(
        "concat",
        (2, 3),
        lambda opset: [node("Relu", output="r"), node("Concat", "x c r", axis=1)],
        {"c": floats(RNG, 2, 2)},
        Sensitivity(units=2),
    ),
    Case("concat_same", (2, 3), one("Concat", "x x", axis=-1), only=(11, 13)),
    Case("slice", (2, 6, 5), sliced, slice_constants),
    Case("pad", (2, 3, 4), padded([0, 1, 2, 1, 0, 1]), pad_constants([0, 1, 2, 1, 0, 1])),
    Case("pad_crop", (2, 3, 4), padded([0, -1, 2, 0, 0, -1]), pad_constants([0, -1, 2, 0, 0, -1])),
    Case("pad_value", (2, 3), padded([0, 1, 0, 2]), pad_constants([0, 1, 0, 2]), since=11, sensitivity=Sensitivity(units=1.5)),
    Case("pad_edge", (2, 3), padded([0, 1, 0, 2], mode="edge"), pad_constants([0, 1, 0, 2]), since=11),
    Case("pad_reflect", (2, 4), padded([0, 3, 0, 2], mode="reflect"), pad_constants([0, 3, 0, 2])),
    Case("pad_wrap", (2, 4), padded([0, 3, 0, 2], mode="wrap"), pad_constants([0, 3, 0, 2]), since=19),
    Case("identity", (2, 3), one("Identity")),
    Case("dropout", (2, 3), one("Dropout"), only=(9, 10, 12, 13, 22)),
    Case(
        "cast", (2, 3), lambda opset: [node("Cast", output="d", to=onnx.TensorProto.DOUBLE), node("Cast", "d", to=onnx.TensorProto.FLOAT)]
    ),
    Case("expand", (3, 1), one("Expand", "x shape"), {"shape": np.array([2, 1, 4])}, only=(9, 13)),
    *(
        # every step adds the errors of its sums and tables to those that its weights carry on from the step before
        Case(
            f"{op.lower()}_steps",
            (3, 2, 4),
            one(op, "x w r", hidden_size=3),
            {"w": floats(RNG, 1, 3 * gates, 4, scale=0.3), "r": floats(RNG, 1, 3 * gates, 3, scale=0.3)},
            Sensitivity(4, 12 * PEAK, PEAK * 0.3, units=12),
        )
        for op, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4))
    ),
    *MORE_CASES,
]
