"""Operators that are rewritten as others, with inputs of any type: what a runtime makes of the model as it was given is the measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper, numpy_helper
from unit.compiler.case import node
from unit.compiler.checks import Array, floats

RNG = np.random.default_rng(11)
COUNT = 6
"""Samples."""


@dataclass
class Expanded:
    """A model around one operator and samples of its inputs."""

    name: str
    nodes: Sequence[onnx.NodeProto] | Callable[[int], Sequence[onnx.NodeProto]]
    inputs: dict[str, Array]
    """With the samples as an axis in front."""
    constants: dict[str, Array] = field(default_factory=dict)
    opsets: Sequence[int] = (24,)
    tolerance: float = 0.002
    """Of the greatest output; whole numbers are equal."""
    outputs: Sequence[str] = ("y",)

    def __str__(self) -> str:
        return self.name

    def made(self, opset: int) -> Sequence[onnx.NodeProto]:
        return self.nodes(opset) if callable(self.nodes) else self.nodes

    def model(self, opset: int) -> onnx.ModelProto:
        """The outputs' types are inferred."""
        kinds = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in self.inputs.items()}
        graph = helper.make_graph(
            list(self.made(opset)),
            self.name,
            [helper.make_tensor_value_info(name, kinds[name], array.shape[1:]) for name, array in self.inputs.items()],
            [onnx.ValueInfoProto(name=name) for name in self.outputs],
            [numpy_helper.from_array(np.asarray(array), name) for name, array in self.constants.items()],
        )
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
        inferred = onnx.shape_inference.infer_shapes(proto)
        for value, found in zip(proto.graph.output, inferred.graph.output, strict=True):
            value.type.CopyFrom(found.type)
            value.type.tensor_type.elem_type = found.type.tensor_type.elem_type or onnx.TensorProto.FLOAT
            value.type.tensor_type.shape.SetInParent()
        return proto

    def data(self) -> dict[str, Array]:
        """As `compile` takes it: samples on axis 0 of the first axis."""
        return {name: array.reshape(-1, *array.shape[2:]) for name, array in self.inputs.items()}


def whole(low: int, high: int, *shape: int) -> Array:
    return RNG.integers(low, high, (COUNT, *shape))


def reals(*shape: int) -> Array:
    return floats(RNG, COUNT, *shape)


def distinct(cells: int, count: int, *shape: int) -> Array:
    """Different numbers below `cells` along the last axis."""
    return RNG.permuted(np.broadcast_to(np.arange(cells), (COUNT, *shape, cells)), axis=-1)[..., :count]


SIGNED = whole(1, 9, 3, 4) * RNG.choice([-1, 1], (COUNT, 3, 4))
DIVISION = [
    Expanded("div", [node("Div", "x d")], {"x": whole(-40, 41, 3, 4), "d": SIGNED}),
    Expanded("div_constant", [node("Div", "c d")], {"d": SIGNED}, {"c": np.array([[-33], [0], [40]])}),
    Expanded("div_bytes", [node("Div", "x d")], {"x": whole(0, 256, 3, 4).astype(np.uint8), "d": whole(1, 7, 1, 4).astype(np.uint8)}),
    Expanded("mod", [node("Mod", "x d")], {"x": whole(-40000, 40001, 3, 4), "d": SIGNED}),
    Expanded("mod_positive", [node("Mod", "x d")], {"x": whole(-40, 41, 3, 4), "d": whole(1, 300, 4)}),
    Expanded("fmod", [node("Mod", "x d", fmod=1)], {"x": whole(-40, 41, 3, 4), "d": SIGNED}),
    Expanded("fmod_constant", [node("Mod", "c d", fmod=1)], {"d": SIGNED}, {"c": np.array(-33)}),
]

IDS = whole(-5, 5, 4, 2)
INDEXING = [
    Expanded("gather", [node("Gather", "x i", axis=1)], {"x": reals(2, 5, 3), "i": IDS}, opsets=(11, 13)),
    Expanded("gather_whole", [node("Gather", "x i")], {"x": whole(-50, 50, 5), "i": IDS}),
    Expanded(
        "gather_elements", [node("GatherElements", "x i", axis=1)], {"x": reals(2, 5, 3), "i": whole(-5, 5, 2, 7, 3)}, opsets=(11, 13)
    ),
    Expanded("gather_nd", [node("GatherND", "x i")], {"x": reals(4, 5, 3), "i": whole(-4, 4, 6, 2)}, opsets=(11, 12, 13)),
    Expanded("gather_nd_cells", [node("GatherND", "x i")], {"x": reals(4, 5, 3), "i": whole(-3, 3, 2, 6, 3)}),
    Expanded(
        "scatter_elements",
        [node("ScatterElements", "x i u", axis=1)],
        {"x": reals(4, 5), "i": distinct(5, 2, 4) - 2, "u": reals(4, 2)},
        opsets=(11, 13, 16, 18),
    ),
    Expanded(
        "scatter_elements_add",
        [node("ScatterElements", "x i u", axis=0, reduction="add")],
        {"x": reals(5, 3), "i": whole(-5, 5, 7, 3), "u": reals(7, 3)},
        opsets=(16, 18),
    ),
    Expanded(
        "scatter_nd",
        [node("ScatterND", "x i u")],
        {"x": reals(4, 5, 3), "i": distinct(4, 3)[..., None], "u": reals(3, 5, 3)},
        opsets=(11, 13, 16, 18),
    ),
    Expanded(
        "scatter_nd_add",
        [node("ScatterND", "x i u", reduction="add")],
        {"x": whole(0, 9, 4, 5, 3), "i": whole(-4, 4, 6, 2), "u": whole(-5, 5, 6, 3)},
        opsets=(16, 18),
    ),
    Expanded("tensor_scatter", [node("TensorScatter", "x u i")], {"x": reals(2, 3, 6, 4), "u": reals(2, 3, 2, 4), "i": whole(0, 5, 2)}),
    Expanded(
        "tensor_scatter_circular",
        [node("TensorScatter", "x u i", mode="circular", axis=1)],
        {"x": reals(2, 6, 4), "u": reals(2, 3, 4), "i": whole(0, 6, 2)},
    ),
    Expanded("tensor_scatter_from_the_start", [node("TensorScatter", "x u")], {"x": reals(2, 6, 4), "u": reals(2, 3, 4)}),
    Expanded(
        "max_unpool",
        [node("MaxUnpool", "x i", kernel_shape=[2, 2], strides=[2, 2])],
        {"x": reals(2, 3, 2, 2), "i": (distinct(16, 4, 2, 3) + 16 * np.arange(6).reshape(2, 3, 1)).reshape(COUNT, 2, 3, 2, 2)},
        opsets=(9, 11, 22),
    ),
]

ANGLES = RNG.uniform(-3, 3, (10, 4)).astype(np.float32)
TURNS = {"c": np.cos(ANGLES), "s": np.sin(ANGLES)}
HALF = {name: table[:, :2] for name, table in TURNS.items()}
PLACES = {"p": whole(0, 10, 2, 5)[0]}
ROTARY = [
    Expanded("rotary", [node("RotaryEmbedding", "x c s p")], {"x": reals(2, 3, 5, 8)}, {**TURNS, **PLACES}, (23,)),
    Expanded("rotary_pairs", [node("RotaryEmbedding", "x c s p", interleaved=1)], {"x": reals(2, 3, 5, 8)}, {**TURNS, **PLACES}, (23,)),
    Expanded(
        "rotary_part",
        [node("RotaryEmbedding", "x c s p", interleaved=1, rotary_embedding_dim=4)],
        {"x": reals(2, 3, 5, 8)},
        {**HALF, **PLACES},
        (23,),
    ),
    Expanded(
        "rotary_computed_places", [node("RotaryEmbedding", "x c s p", num_heads=3)], {"x": reals(2, 5, 24), "p": whole(0, 10, 2, 5)}, TURNS
    ),
    Expanded(
        "rotary_computed_tables",
        [node("RotaryEmbedding", "x c s", num_heads=3)],
        {"x": reals(2, 5, 24), "c": np.cos(reals(2, 5, 4)), "s": np.sin(reals(2, 5, 4))},
    ),
]


def scan(**settings: list[int]) -> onnx.NodeProto:
    """state <- state + a b + w; the state before it and a - b are put out."""
    kind = onnx.TensorProto.FLOAT
    body = helper.make_graph(
        [
            helper.make_node("Mul", ["a", "b"], ["product"]),
            helper.make_node("Add", ["product", "w"], ["moved"]),
            helper.make_node("Add", ["s", "moved"], ["next"]),
            helper.make_node("Identity", ["s"], ["before"]),
            helper.make_node("Sub", ["a", "b"], ["change"]),
        ],
        "body",
        [helper.make_tensor_value_info(name, kind, [2]) for name in "sab"],
        [helper.make_tensor_value_info(name, kind, [2]) for name in ("next", "before", "change")],
    )
    return helper.make_node("Scan", ["x", "p", "q"], ["last", "y", "z"], body=body, num_scan_inputs=2, **settings)


SCANNED = {"x": reals(2), "p": reals(4, 2), "q": reals(4, 2)}
TURNED = {"scan_input_axes": [-1, 0], "scan_input_directions": [1, 0], "scan_output_axes": [1, 0], "scan_output_directions": [0, 1]}
CONTROL = [
    Expanded("scan", [scan()], SCANNED, {"w": np.float32([0.5, -1])}, (9, 11, 16, 24), outputs=("last", "y", "z")),
    Expanded(
        "scan_turned",
        [scan(**TURNED)],
        {**SCANNED, "p": reals(2, 4)},
        {"w": np.float32([0.5, -1])},
        outputs=("last", "y", "z"),
    ),
]


def fourier(inverse: int, onesided: int) -> Callable[[int], Sequence[onnx.NodeProto]]:
    """Along axis 1, an attribute before version 20."""
    settings = {"inverse": inverse, "onesided": onesided}
    return lambda opset: (
        [node("DFT", "x", axis=1, **settings)] if opset < 20 else [helper.make_node("DFT", ["x", "", "a"], ["y"], **settings)]
    )


FRAMES = {"s": np.array(8), "n": np.array(16), "w": np.hanning(16).astype(np.float32)}
SIGNAL = [
    *(
        Expanded(f"dft_{inverse}{onesided}{count}", fourier(inverse, onesided), {"x": reals(2, 10, 3, count)}, {"a": np.array(1)}, (17, 20))
        for inverse, onesided, count in ((0, 0, 1), (0, 0, 2), (0, 1, 1), (1, 0, 2), (1, 1, 2))
    ),
    Expanded("dft_cut", [node("DFT", "x n", axis=1)], {"x": reals(2, 20, 1)}, FRAMES, (17,)),
    Expanded("dft_padded", [node("DFT", "x n", axis=1)], {"x": reals(2, 10, 1)}, FRAMES, (17,)),
    Expanded("stft", [node("STFT", "x s w n")], {"x": reals(2, 60, 1)}, FRAMES, (17,)),
    Expanded("stft_window", [node("STFT", "x s w", onesided=0)], {"x": reals(2, 64, 1)}, FRAMES, (17,)),
    Expanded(
        "col2im",
        [node("Col2Im", "x i b", strides=[2, 1], pads=[1, 0, 1, 1], dilations=[1, 2])],
        {"x": reals(2, 12, 12)},
        {"i": np.array([6, 5]), "b": np.array([3, 2])},
        (18,),
    ),
]

PLACES_2D = RNG.uniform(-1.3, 1.3, (COUNT, 2, 3, 6, 2)).astype(np.float32)
SIZES = {"s": np.array([2, 3, 4, 5]), "s3": np.array([2, 3, 4, 5, 2])}
SAMPLING = [
    *(
        Expanded(f"affine_grid_{flag}", [node("AffineGrid", "x s", align_corners=flag)], {"x": reals(2, 2, 3)}, SIZES, (20,))
        for flag in (0, 1)
    ),
    Expanded("affine_grid_3d", [node("AffineGrid", "x s3")], {"x": reals(2, 3, 4)}, SIZES, (20,)),
    *(
        Expanded(
            f"grid_sample_{padding}_{flag}",
            [node("GridSample", "x g", align_corners=flag, padding_mode=padding)],
            {"x": reals(2, 3, 4, 5), "g": PLACES_2D},
            opsets=(16, 20, 22) if padding == "zeros" else (22,),
            tolerance=0.004,
        )
        for padding in ("zeros", "border")
        for flag in (0, 1)
    ),
    *(
        Expanded(
            f"grid_sample_constant_{mode}",
            [node("GridSample", "x g", mode=mode, padding_mode="reflection")],
            {"x": reals(2, 3, 4, 5)},
            {"g": PLACES_2D[0]},
            (22,),
        )
        for mode in ("linear", "nearest", "cubic")
    ),
]

CROP = {"roi": np.float32([0.2, -0.4, 0.9, 1.3]), "sizes": np.array([3, 6])}
SAMPLING += [
    Expanded(
        f"crop_{mode}",
        [
            helper.make_node(
                "Resize",
                ["x", "roi", "", "sizes"],
                ["y"],
                coordinate_transformation_mode="tf_crop_and_resize",
                extrapolation_value=0.7,
                mode=mode,
                axes=[2, 3],
            )
        ],
        {"x": reals(1, 2, 5, 4)},
        CROP,
        (18, 19),
    )
    for mode in ("nearest", "linear")
]


def shift(direction: str) -> list[onnx.NodeProto]:
    return [node("BitShift", "x s", direction=direction)]


SHIFTS = {"s": np.uint8([1, 2, 3])}
ARITHMETIC = [
    Expanded("cum_prod", [node("CumProd", "x a")], {"x": reals(6, 2)}, {"a": np.array(0)}, (26,), 0.01),
    Expanded("cum_prod_turned", [node("CumProd", "x a", exclusive=1, reverse=1)], {"x": reals(2, 5)}, {"a": np.array(1)}, (26,)),
    Expanded("det", [node("Det")], {"x": reals(3, 3, 3)}, opsets=(11, 22), tolerance=0.006),
    Expanded("det_4", [node("Det")], {"x": reals(4, 4)}, opsets=(22,), tolerance=0.02),
    Expanded("is_nan", [node("IsNaN", output="b"), node("Where", "b z x")], {"x": reals(2, 3)}, {"z": np.float32(0)}, (9, 13, 20)),
    Expanded("is_inf", [node("IsInf", output="b"), node("Where", "b z x")], {"x": reals(2, 3)}, {"z": np.float32(0)}, (10, 20)),
    Expanded("shift_left", shift("LEFT"), {"x": whole(0, 30, 2, 3).astype(np.uint8)}, SHIFTS, (11, 28)),
    Expanded("shift_right", shift("RIGHT"), {"x": whole(0, 256, 2, 3).astype(np.uint8)}, SHIFTS, (11,)),
    Expanded("shift_right_signed", shift("RIGHT"), {"x": whole(-200, 200, 2, 3)}, {"s": np.int64([1, 2, 3])}, (28,)),
    Expanded("complement", [node("BitwiseNot")], {"x": whole(-200, 200, 2, 3)}, opsets=(18,)),
    Expanded("complement_of_bytes", [node("BitwiseNot")], {"x": whole(0, 256, 2, 3).astype(np.uint8)}, opsets=(18,)),
]

KERNEL = {"w": floats(RNG, 4, 1, 4), "b": floats(RNG, 4)}
FORM = {"form": np.array([2, 3, 4, 5])}
LAYERS = [
    Expanded(
        "causal_convolution",
        [helper.make_node("CausalConvWithState", ["x", "w", "b", "p"], ["y", "next"], activation="silu")],
        {"x": reals(2, 4, 8), "p": reals(2, 4, 3)},
        KERNEL,
        (27,),
        outputs=("y", "next"),
    ),
    Expanded(
        "causal_convolution_alone",
        [helper.make_node("CausalConvWithState", ["x", "w"], ["y", "next"])],
        {"x": reals(2, 4, 2)},
        KERNEL,
        (27,),
        outputs=("y", "next"),
    ),
    Expanded(
        "mean_variance",
        [node("MeanVarianceNormalization", output="n", axes=[1, -1]), node("Reshape", "n form")],
        {"x": reals(2, 3, 4, 5)},
        FORM,
        (9, 13),
    ),
    *(
        Expanded(
            f"max_pool_indices_{order}",
            [helper.make_node("MaxPool", ["x"], ["y", "i"], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], storage_order=order)],
            {"x": (distinct(180, 180) / 60 - 1).astype(np.float32).reshape(COUNT, 2, 3, 5, 6)},
            opsets=(9, 10, 11, 12, 22) if order else (22,),
            outputs=("y", "i"),
        )
        for order in (0, 1)
    ),
]

CHANNELS = {"x": reals(2, 4, 5), "s": reals(4), "b": reals(4)}
LAYERS += [
    Expanded("layer_norm_computed", [node("LayerNormalization", "x s b")], {"x": reals(2, 4), "s": reals(4), "b": reals(4)}, opsets=(17,)),
    Expanded("rms_norm_computed", [node("RMSNormalization", "x s")], {"x": reals(2, 4), "s": reals(4)}, opsets=(23,)),
    Expanded("instance_norm_computed", [node("InstanceNormalization", "x s b")], CHANNELS, opsets=(9, 22)),
    Expanded("group_norm_computed", [node("GroupNormalization", "x s b", num_groups=2)], CHANNELS, opsets=(21,)),
    Expanded("sum_constants", [node("Sum", "x c x d")], {"x": reals(2, 4)}, {"c": np.float32([1, 2, 3, 4]), "d": np.float32([[5]])}),
    Expanded("mean_constants", [node("Mean", "x c")], {"x": reals(2, 4)}, {"c": np.float32([1, 2, 3, 4])}),
    Expanded("prelu_computed", [node("PRelu", "x s")], {"x": reals(2, 4), "s": reals(4)}, opsets=(16,)),
    Expanded(
        "einsum_of_three",
        [node("Einsum", "x p q", equation="bij,jk,...k->...bik")],
        {"x": reals(2, 3, 4), "p": reals(4, 5)},
        {"q": floats(RNG, 2, 5)},
        tolerance=0.004,
    ),
]


def memory(rule: str, inputs: list[str]) -> list[onnx.NodeProto]:
    """Four heads of queries, two of keys and values."""
    return [helper.make_node("LinearAttention", inputs, ["y", "next"], update_rule=rule, q_num_heads=4, kv_num_heads=2)]


RECALL = {"q": reals(2, 5, 12), "k": 0.5 * reals(2, 5, 6), "v": reals(2, 5, 8)}
GATES = {"past": reals(2, 2, 3, 4), "g": -np.abs(reals(2, 5, 2)), "g3": -np.abs(reals(2, 5, 6)), "b": np.abs(reals(2, 5, 1)) / 2}
LAYERS += [
    Expanded(
        f"linear_attention_{rule}_{len(names)}",
        memory(rule, ["q", "k", "v", *names]),
        {**RECALL, **{name: GATES[name] for name in names if name}},
        opsets=(27,),
        tolerance=0.01,
        outputs=("y", "next"),
    )
    for rule, names in (
        ("linear", []),
        ("gated", ["past", "g3"]),
        ("delta", ["past", "", "b"]),
        ("gated_delta", ["", "g", "b"]),
        ("gated_delta", ["past", "g3", "b"]),
    )
]

EXPANDED = [*DIVISION, *INDEXING, *ROTARY, *CONTROL, *SIGNAL, *SAMPLING, *ARITHMETIC, *LAYERS]
