"""Small models around functions, comparisons, order and rearrangements; see `unit.compiler.cases`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from unit.compiler.case import Case, axes_constants, axes_node, node, one
from unit.compiler.checks import Array, Sensitivity, floats

RNG = np.random.default_rng(8)
Nodes = Callable[[int], list[onnx.NodeProto]]
EXACT = Sensitivity(0, units=0)
JUMPS = 1e9
"""The bound of what jumps: an argument at a jump may be on either side."""
CONSTANT = np.float32([-0.6, -0.4, 0.9, -1.5, -0.3])
INT = np.int64
PEAK = 4.0


def function(op: str, slope: float = 1.0, scale: float = 1.0, **attributes: Any) -> Case:
    """A function with a greatest slope over normal samples times `scale`."""
    return Case(op.lower(), (2, 5), one(op, **attributes), sensitivity=Sensitivity(slope, units=2), scale=scale, since=since(op))


def since(op: str) -> int:
    """The first opset that has the operator, 9 at least."""
    versions = [s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.name == op and s.domain == ""]
    return max(9, min(versions))


def positive(op: str, slope: float) -> Case:
    """Of |x| + 1/2."""
    return Case(op.lower(), (2, 5), after_positive(op), {"half": np.float32(0.5)}, Sensitivity(slope, units=2 + 2 * slope), since=since(op))


def after_positive(op: str, **attributes: Any) -> Nodes:
    return lambda opset: [node("Abs", output="a"), node("Add", "a half", "p"), node(op, "p", **attributes)]


def as_float(*nodes: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Nodes that end in "b", and their result as floats."""
    return [*nodes, node("Cast", "b", to=TensorProto.FLOAT)]


def compared(op: str, right: str = "c", since: int = 9) -> Case:
    constants: dict[str, Array] = {"c": CONSTANT} if right == "c" else {}
    nodes = (
        (lambda opset: as_float(node(op, "x c", "b")))
        if right == "c"
        else (lambda opset: as_float(node("Neg", output="n"), node(op, "x n", "b")))
    )
    return Case(f"{op.lower()}_{right}", (2, 5), nodes, constants, EXACT, since=since)


def logical(op: str) -> Case:
    def nodes(opset: int) -> list[onnx.NodeProto]:
        return as_float(node("Greater", "x c", "p"), node("Less", "x d", "q"), node(op, "p q" if op != "Not" else "p", "b"))

    return Case(op.lower(), (3, 5), nodes, {"c": np.float32(-0.3), "d": np.float32(0.4)}, EXACT)


def logical_constant(op: str) -> Case:
    nodes = lambda opset: as_float(node("Greater", "x c", "p"), node(op, "m p", "b"))  # noqa: E731
    return Case(f"{op.lower()}_constant", (3, 4), nodes, {"c": np.float32(0), "m": np.array([True, False, True, False])}, EXACT)


def reduction(op: str, axes: Sequence[int], since_input: int, slope: float, units: float, name: str = "", **attributes: Any) -> Case:
    return Case(
        f"{op}{name}".lower(),
        (2, 3, 4),
        axes_node(op, since_input, axes, **attributes),
        axes_constants(since_input, axes),
        Sensitivity(slope, units=units),
    )


def split(opset: int) -> list[onnx.NodeProto]:
    if opset < 13:
        found = helper.make_node("Split", ["x"], ["a", "b"], axis=1, split=[2, 4])
    else:
        found = helper.make_node("Split", ["x", "lengths"], ["a", "b"], axis=1)
    return [found, node("Relu", "b")]


def top_k(k: int, **attributes: Any) -> Nodes:
    return lambda opset: [helper.make_node("TopK", ["x", "k"], ["y", "i"], **attributes)]


def top_k_indices(opset: int) -> list[onnx.NodeProto]:
    return [helper.make_node("TopK", ["x", "k"], ["v", "i"], axis=0), node("Cast", "i", to=TensorProto.FLOAT)]


def index_of(op: str, **attributes: Any) -> Nodes:
    return lambda opset: as_float(node(op, output="b", **attributes))


def resize(opset: int) -> list[onnx.NodeProto]:
    if opset == 10:
        return [node("Resize", "x scales", mode="linear")]
    return [node("Resize", "x roi scales", mode="linear")]


def resize_constants(opset: int) -> dict[str, Array]:
    roi = {} if opset == 10 else {"roi": np.zeros(0, np.float32)}
    return {**roi, "scales": np.float32([1, 1, 2, 1.5])}


IDS = np.array([[0, 2], [1, 0]], dtype=INT)
KT = floats(RNG, 2, 3, 3, 3)
KTG = floats(RNG, 4, 2, 3)
TABLE = floats(RNG, 5, 3)

FUNCTIONS = [
    function("Abs"),
    function("Acos", 1.1, 0.1),
    function("Asin", 1.1, 0.1),
    function("Asinh"),
    function("Atan"),
    function("Atanh", 1.2, 0.1),
    function("Ceil", 0, 0.5),
    function("Celu", alpha=1.5),
    function("Cos"),
    function("Cosh", 15),
    function("Elu", alpha=0.7),
    function("Erf", 1.2),
    function("Exp", 30),
    function("Floor", 0, 0.5),
    function("Gelu", 1.2),
    function("HardSigmoid", 0.3, alpha=0.3),
    function("HardSwish", 1.5),
    function("Mish", 1.1),
    function("Round", 0, 0.6),
    function("Selu", 2),
    function("Shrink", bias=0.2, lambd=0.4),
    function("Sin"),
    function("Sinh", 15),
    function("Softplus"),
    function("Softsign"),
    function("Swish", 1.2, alpha=1.1),
    function("Tan", 3, 0.2),
    function("ThresholdedRelu", alpha=0.3),
    Case("gelu_tanh", (2, 5), one("Gelu", approximate="tanh"), sensitivity=Sensitivity(1.2, units=2), since=20),
    Case("leaky_relu_steep", (2, 5), one("LeakyRelu", alpha=2.0), sensitivity=Sensitivity(2, units=2)),
    Case(
        "acosh",
        (2, 5),
        lambda opset: [*after_positive("Add")(opset)[:2], node("Add", "p half", "q"), node("Acosh", "q")],
        {"half": np.float32(0.6)},
        Sensitivity(2, units=8),
    ),
    positive("Log", 2),
    positive("Reciprocal", 4),
    positive("Sqrt", 1),
    Case("pow", (2, 5), one("Pow", "x c"), {"c": np.float32(2)}, Sensitivity(2 * PEAK, units=2)),
    Case("pow_cells", (2, 3), one("Pow", "x c"), {"c": np.float32([1, 2, 3])}, Sensitivity(3 * PEAK**2, units=3)),
    Case("mod", (2, 5), one("Mod", "x c", fmod=1), {"c": np.float32(0.7)}, Sensitivity(1, units=2), since=10),
    Case("sign", (2, 5), one("Sign"), sensitivity=EXACT),
    Case("prelu", (2, 3, 2), one("PRelu", "x s"), {"s": np.float32([[0.1], [1.5], [-0.5]])}, Sensitivity(2.5, PEAK, 1.5, 4)),
    Case("prelu_number", (2, 3), one("PRelu", "x s"), {"s": np.float32(0.25)}, Sensitivity(units=2)),
    Case("mean", (2, 3), lambda opset: [node("Relu", output="r"), node("Mean", "r x")], {}, Sensitivity(1, units=3)),
    Case("cast_like", (2, 3), one("CastLike", "x c"), {"c": np.float64(0)}, since=15),
    Case("cast_to_integers", (2, 5), lambda opset: as_float(node("Cast", output="b", to=TensorProto.INT32)), {}, EXACT, scale=3),
    Case(
        "cast_to_bool", (2, 5), lambda opset: [node("Relu", output="r"), *as_float(node("Cast", "r", "b", to=TensorProto.BOOL))], {}, EXACT
    ),
    Case(
        "where",
        (2, 5),
        lambda opset: [node("Greater", "x c", "p"), node("Neg", output="n"), node("Where", "p n x")],
        {"c": np.float32(0.1)},
        Sensitivity(1, units=4),
    ),
    Case(
        "where_constant",
        (2, 5),
        one("Where", "m x c"),
        {"m": np.array([True, False, True, True, False]), "c": np.float32(0.3)},
        Sensitivity(1, 2 * PEAK, 1, 3),
        only=(9, 16),
    ),
]

LOGIC = [
    *(compared(op, right) for op in ("Greater", "Less") for right in ("c", "n")),
    *(compared(op, right, since=12) for op in ("GreaterOrEqual", "LessOrEqual") for right in ("c", "n")),
    *(logical(op) for op in ("And", "Or", "Xor", "Not")),
    *(logical_constant(op) for op in ("And", "Or", "Xor")),
    Case(
        "equal_whole",
        (2, 5),
        lambda opset: [node("Cast", output="i", to=TensorProto.INT64), *as_float(node("Equal", "i c", "b"))],
        {"c": np.array([0, 1, -1, 0, 0])},
        EXACT,
        scale=2,
        since=9,
    ),
    Case("equal", (2, 4), lambda opset: [node("Relu", output="r"), *as_float(node("Equal", "r x", "b"))], {}, EXACT, only=(11, 13, 19)),
    Case(
        "div_whole",
        (2, 5),
        lambda opset: [node("Cast", output="i", to=TensorProto.INT64), *as_float(node("Div", "i c", "b"))],
        {"c": np.array([3, -2, 2, 1, 3])},
        EXACT,
        scale=5,
        since=13,
    ),
]

ORDER = [
    Case(
        "max",
        (2, 3),
        lambda opset: [node("Neg", output="n"), node("Max", "n x c")],
        {"c": np.float32([0.1, 0.2, 0.3])},
        Sensitivity(1, units=2),
    ),
    Case("min", (2, 3), lambda opset: [node("Neg", output="n"), node("Min", "n x c")], {"c": np.float32(-0.2)}, Sensitivity(1, units=2)),
    reduction("ReduceMax", [1, -1], 18, 1, 1, keepdims=0),
    reduction("ReduceMin", [1], 18, 1, 1),
    reduction("ReduceSum", [0, 2], 13, 8, 2, keepdims=0),
    reduction("ReduceL1", [1], 18, 3, 5),
    reduction("ReduceSumSquare", [2], 18, 8 * PEAK, 5, keepdims=0),
    reduction("ReduceLogSumExp", [1, 2], 18, 2, 8, "_flat", keepdims=0),
    reduction("ReduceLogSumExp", [1], 18, 2, 8),
    reduction("ReduceProd", [1], 18, 3 * PEAK**2, 4),
    Case(
        "reduce_log_sum",
        (2, 3),
        lambda opset: [*after_positive("Abs")(opset)[:2], node("ReduceLogSum", "p")],
        {"half": np.float32(0.5)},
        Sensitivity(6, units=8),
    ),
    Case("cum_sum", (2, 4), one("CumSum", "x a"), {"a": np.array(1)}, Sensitivity(4, units=2), since=11),
    Case("cum_sum_back", (2, 4), one("CumSum", "x a", exclusive=1, reverse=1), {"a": np.array(-1)}, Sensitivity(3, units=2), only=(14,)),
    Case("arg_max", (3, 5), index_of("ArgMax", axis=1), sensitivity=EXACT),
    Case("arg_max_last", (3, 5), index_of("ArgMax", axis=0, keepdims=0, select_last_index=1), sensitivity=EXACT, since=12),
    Case("arg_min", (3, 5), index_of("ArgMin", axis=-1, keepdims=0), sensitivity=EXACT),
    Case("top_k", (2, 6), top_k(3), {"k": np.array([3])}, Sensitivity(1, units=1), since=10),
    Case("top_k_least", (2, 6), top_k(2, largest=0), {"k": np.array([2])}, Sensitivity(1, units=1), only=(11,)),
    Case("top_k_indices", (5, 3), top_k_indices, {"k": np.array([3])}, EXACT, since=10),
    Case(
        "one_hot",
        (3, 4),
        lambda opset: [node("ArgMax", output="i", axis=1, keepdims=0), node("OneHot", "i depth values")],
        {"depth": np.array(4), "values": np.float32([-0.5, 2])},
        Sensitivity(0),
    ),
    Case("hardmax", (2, 6), one("Hardmax", axis=1), sensitivity=EXACT),
    Case(
        "gather_rows",
        (3, 5),
        lambda opset: [node("ArgMax", output="i", axis=1, keepdims=0), node("Gather", "t i")],
        {"t": TABLE},
        Sensitivity(0, 2, 2, 2),
    ),
    Case(
        "gather_columns",
        (3, 5),
        lambda opset: [node("ArgMax", output="i", axis=1, keepdims=0), node("Gather", "t i", axis=1)],
        {"t": np.ascontiguousarray(TABLE.T)},
        Sensitivity(0, 2, 2, 2),
        only=(13,),
    ),
    Case(
        "lp_pool",
        (1, 1, 6),
        after_positive("LpPool", kernel_shape=[3], strides=[2], pads=[1, 1]),
        {"half": np.float32(0.5)},
        Sensitivity(2, units=8),
    ),
    Case("lp_pool_1", (1, 1, 6), one("LpPool", kernel_shape=[2], p=1), {}, Sensitivity(2, units=4), only=(18,)),
    Case("global_lp_pool", (1, 2, 3, 2), after_positive("GlobalLpPool"), {"half": np.float32(0.5)}, Sensitivity(3, units=8)),
]

LAYOUT = [
    Case("tile", (2, 3), one("Tile", "x r"), {"r": np.array([2, 3])}),
    Case("split", (2, 6), split, lambda opset: {} if opset < 13 else {"lengths": np.array([2, 4])}),
    Case("gather", (2, 4), one("Gather", "x i", axis=1), {"i": np.array([[0, -1], [2, 2]])}),
    Case("scatter", (2, 3), one("Scatter", "x i u", axis=1), {"i": IDS, "u": floats(RNG, *IDS.shape)}, Sensitivity(units=2), only=(9,)),
    Case("gather_elements", (2, 3), one("GatherElements", "x i", axis=1), {"i": IDS}, since=11),
    Case("gather_nd", (2, 3), one("GatherND", "x i"), {"i": np.array([[0, 1], [1, 2], [1, -1]])}, since=11),
    Case(
        "scatter_elements",
        (2, 3),
        one("ScatterElements", "x i u", axis=1),
        {"i": IDS, "u": floats(RNG, 2, 2)},
        Sensitivity(units=2),
        since=11,
    ),
    Case(
        "scatter_nd", (4, 2), one("ScatterND", "x i u"), {"i": np.array([[1], [3]]), "u": floats(RNG, 2, 2)}, Sensitivity(units=2), since=11
    ),
    Case("compress", (2, 3), one("Compress", "x c", axis=1), {"c": np.array([True, False, True])}),
    Case("trilu", (2, 3, 3), one("Trilu", upper=0), since=14),
    Case("center_crop_pad", (2, 5), one("CenterCropPad", "x s"), {"s": np.array([4, 3])}, since=18),
    Case("reverse_sequence", (4, 2), one("ReverseSequence", "x l"), {"l": np.array([3, 2])}, since=10),
    Case("depth_to_space", (1, 8, 2, 3), one("DepthToSpace", blocksize=2)),
    Case("depth_to_space_crd", (1, 8, 2, 3), one("DepthToSpace", blocksize=2, mode="CRD"), only=(11, 13)),
    Case("space_to_depth", (1, 2, 4, 6), one("SpaceToDepth", blocksize=2)),
    Case("upsample", (1, 1, 2, 3), one("Upsample", "x s"), {"s": np.float32([1, 1, 2, 3])}, only=(9,)),
    Case("resize", (1, 1, 3, 4), resize, resize_constants, Sensitivity(1, 4 * PEAK, 1, 4), since=10),
    Case(
        "conv_transpose",
        (1, 2, 3, 4),
        one("ConvTranspose", "x w b", strides=[2, 1], pads=[1, 0, 0, 1], output_padding=[1, 0]),
        {"w": KT, "b": floats(RNG, 3)},
        Sensitivity(40, 18 * PEAK, 4, 2),
    ),
    Case(
        "conv_transpose_groups",
        (1, 4, 5),
        one("ConvTranspose", "x w", group=2, dilations=[2]),
        {"w": KTG},
        Sensitivity(20, 6 * PEAK, 4, 2),
        only=(11,),
    ),
]


def quantised(opset: int) -> list[onnx.NodeProto]:
    return [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z")]


def quantised_by_axis(opset: int) -> list[onnx.NodeProto]:
    return [node("QuantizeLinear", "x s z", "q", axis=0), node("DequantizeLinear", "q s z", axis=0)]


def quantised_product(op: str, last: str = "") -> Nodes:
    """An integer product of a quantised tensor, as floats."""

    def nodes(opset: int) -> list[onnx.NodeProto]:
        if op.startswith("QLinear"):
            return as_float(node("QuantizeLinear", "x s z", "q"), node(op, f"q s z w ws wz t z{last}", "b"))
        return as_float(node("QuantizeLinear", "x s z", "q"), node(op, "q w z wz", "b"))

    return nodes


STEP = {"s": np.float32(0.05), "z": np.uint8(128)}
STEPS = {"s": np.float32([0.05, 0.03]), "z": np.uint8([128, 120])}
WEIGHT = {"w": RNG.integers(0, 255, (5, 3), dtype=np.uint8), "ws": np.float32(0.02), "wz": np.uint8(120), "t": np.float32(0.2)}
KERNEL = {
    "w": RNG.integers(0, 255, (2, 1, 3), dtype=np.uint8),
    "ws": np.float32([0.02, 0.03]),
    "wz": np.uint8([120, 120]),
    "t": np.float32(0.2),
}
SCATTERED = {"i": np.array([[0, 0], [1, 0]]), "u": floats(RNG, 2, 2)}
ROWS = {"i": np.array([[1], [1]]), "u": floats(RNG, 2, 2)}

QUANTISED = [
    Case("quantize_linear", (2, 5), quantised, STEP, Sensitivity(0, units=40), since=10),
    Case("quantize_linear_axis", (2, 5), quantised_by_axis, STEPS, Sensitivity(0, units=20), only=(13,)),
    Case("matmul_integer", (2, 5), quantised_product("MatMulInteger"), {**STEP, **WEIGHT}, Sensitivity(0, units=200), only=(10,)),
    Case(
        "conv_integer",
        (1, 1, 6),
        quantised_product("ConvInteger"),
        {**STEP, **KERNEL, "wz": np.uint8(120)},
        Sensitivity(0, units=200),
        only=(10,),
    ),
    Case("qlinear_matmul", (2, 5), quantised_product("QLinearMatMul"), {**STEP, **WEIGHT}, Sensitivity(0, units=2), only=(10, 21)),
    Case(
        "qlinear_conv",
        (1, 1, 6),
        quantised_product("QLinearConv", " bias"),
        {**STEP, **KERNEL, "ws": np.float32(0.02), "wz": np.uint8(120), "bias": np.int32([50, -70])},
        Sensitivity(0, units=2),
        only=(13,),
    ),
]

PRODUCTS = [
    Case(
        "einsum",
        (2, 3, 4),
        one("Einsum", "x c", equation="bij,jk->bki"),
        {"c": floats(RNG, 4, 2)},
        Sensitivity(8, 4 * PEAK, 4, 2),
        since=12,
    ),
    Case("einsum_alone", (2, 3, 3), one("Einsum", equation="...ii->i..."), {}, Sensitivity(1, units=2), since=12),
    Case("einsum_sum", (2, 3), one("Einsum", equation="ij->i"), {}, Sensitivity(3, units=2), only=(13,)),
    Case("swiglu", (2, 3), lambda opset: [node("Neg", output="n"), node("SwiGLU", "x n")], {}, Sensitivity(2 * PEAK, units=4), since=28),
    Case("lrn", (1, 4, 3), one("LRN", size=3, alpha=0.3, bias=1.5), {}, Sensitivity(2, units=8)),
    Case("scatter_add", (2, 3), one("ScatterElements", "x i u", axis=1, reduction="add"), SCATTERED, Sensitivity(units=4), only=(16, 18)),
    Case("scatter_max", (2, 3), one("ScatterElements", "x i u", axis=1, reduction="max"), SCATTERED, Sensitivity(units=3), only=(18,)),
    Case("scatter_nd_mul", (3, 2), one("ScatterND", "x i u", reduction="mul"), ROWS, Sensitivity(6, 2 * PEAK**2, 3, 4), only=(16, 18)),
    Case(
        "lp_pool_3",
        (1, 1, 6),
        after_positive("LpPool", kernel_shape=[2], p=3),
        {"half": np.float32(0.5)},
        Sensitivity(4, units=30),
        only=(18,),
    ),
]

BOUNDS = {"acosh": 0.05, "lp_pool": 0.2, "global_lp_pool": 0.2}
BOUNDS |= dict.fromkeys(("arg_max", "arg_max_last", "arg_min", "top_k", "top_k_least", "top_k_indices"), JUMPS)
BOUNDS |= dict.fromkeys(("one_hot", "hardmax", "gather_rows", "gather_columns", "equal", "div_whole", "mod", "shrink"), JUMPS)
BOUNDS |= {"lp_pool_3": 0.5, "lrn": 0.1, "swiglu": 0.05, "scatter_nd_mul": 0.05}
BOUNDS |= dict.fromkeys([case.name for case in QUANTISED], JUMPS)
MORE_CASES = [
    replace(case, bound=BOUNDS.get(case.name, case.bound)) for case in (*FUNCTIONS, *LOGIC, *ORDER, *LAYOUT, *QUANTISED, *PRODUCTS)
]
