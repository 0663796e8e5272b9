"""Random ONNX models over the supported operators: chains, branches, residuals, odd shapes, extreme weights.

An operator that becomes supported joins by itself if it is in `UNARY`; one with weights or attributes of its own gets
a method of `_Maker`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
import onnx.printer
from hypothesis import strategies as st
from onnx import helper
from unit.compiler.checks import OPSET, Array, model

from ciro_zk.compiler import supported_operators

MAX_CELLS = 256
MAX_STEPS = 7

UNARY = (
    "Abs", "Celu", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LogSoftmax", "Mish", "Neg", "Relu", "Selu", "Sigmoid",
    "Sign", "Softmax", "Softplus", "Softsign", "Swish", "Tanh",
)  # fmt: skip
"""Functions of one tensor of any shape that are defined everywhere and do not grow fast."""

STYLES = ("normal", "zeros", "huge", "tiny", "uneven", "constant", "sparse", "one outlier", "integers")

WILD = {"huge", "tiny", "uneven", "one outlier"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A model, its declared range, samples within it, and whether it is tame: weights of one size, samples all over the range."""

    proto: onnx.ModelProto
    low: float
    high: float
    samples: Array
    bits: int
    tame: bool

    @property
    def text(self) -> str:
        """The model for a reader."""
        return f"{onnx.printer.to_text(self.proto)}\nx in [{self.low}, {self.high}], {self.bits} bits"


@dataclass(slots=True)
class _Maker:
    """Appends nodes; tensors by name with their shapes."""

    draw: st.DrawFn
    rng: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    styles: set[str] = field(default_factory=set)

    def node(self, op: str, inputs: list[str], shape: tuple[int, ...], **attributes: Any) -> str:
        name = f"t{len(self.shapes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"{op}_{name}", **attributes))
        self.shapes[name] = shape
        return name

    def constant(self, values: Array) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = values if values.dtype == np.int64 else values.astype(np.float32)
        return name

    def weights(self, *shape: int, axis: int = 0) -> str:
        """Weights of a drawn style, `axis` the output channels'."""
        style = self.draw(st.sampled_from(STYLES))
        self.styles.add(style)
        values = self.rng.standard_normal(shape)
        channel = [1] * len(shape)
        channel[axis] = shape[axis]
        if style == "zeros":
            values *= 0
        elif style in ("huge", "tiny"):
            values *= 2.0 ** (18 if style == "huge" else -18)
        elif style == "uneven":
            values *= 10.0 ** self.rng.uniform(-4, 2, channel)
        elif style == "constant":
            values = np.broadcast_to(self.rng.standard_normal(channel), shape).copy()
        elif style == "sparse":
            values *= self.rng.random(shape) < 0.2
        elif style == "one outlier":
            values.reshape(-1)[0] = 1e4
        elif style == "integers":
            values = np.rint(3 * values)
        return self.constant(values)

    # Operators ------------------------------------------------------------------------------------------------------------------

    def unary(self, x: str) -> str:
        op = self.draw(st.sampled_from([op for op in UNARY if min(supported_operators().get(op, (OPSET + 1,))) <= OPSET]))
        return self.node(op, [x], self.shapes[x])

    def leaky(self, x: str) -> str:
        return self.node("LeakyRelu", [x], self.shapes[x], alpha=self.draw(st.sampled_from([0.0, 1e-7, 0.01, 0.3, 1.0])))

    def clip(self, x: str) -> str:
        low, width = self.draw(st.sampled_from([-1.0, 0.0, 0.5, -1e6])), self.draw(st.sampled_from([0.0, 0.5, 6.0, 1e6]))
        return self.node("Clip", [x, self.constant(np.array(low)), self.constant(np.array(low + width))], self.shapes[x])

    def add(self, x: str) -> str:
        shape = self.shapes[x]
        op = self.draw(st.sampled_from(["Add", "Sub", "Mul", "Div"]))
        operand = tuple(d if self.draw(st.booleans()) else 1 for d in shape)
        c = self.weights(*operand) if operand else self.constant(np.array(self.draw(st.sampled_from([-2.0, 0.0, 0.3, 1e3]))))
        if op == "Div":
            values = self.constants[c]
            self.constants[c] = np.where(np.abs(values) < 1e-3, np.float32(1), values).astype(np.float32)
        pair = [x, c] if op == "Div" or self.draw(st.booleans()) else [c, x]
        return self.node(op, pair, shape)

    def join(self, x: str) -> str:
        """A residual connection, or a concatenation with an earlier tensor."""
        shape = self.shapes[x]
        same = [name for name, s in self.shapes.items() if s == shape]
        other = self.draw(st.sampled_from(same))
        if self.draw(st.booleans()) or not shape:
            return self.node(self.draw(st.sampled_from(["Add", "Sub", "Mul", "Max", "Min"])), [x, other], shape)
        axis = self.draw(st.integers(0, len(shape) - 1))
        joined = (*shape[:axis], 2 * shape[axis], *shape[axis + 1 :])
        return self.node("Concat", [x, other], joined, axis=axis) if prod(joined) <= MAX_CELLS else x

    def matmul(self, x: str) -> str:
        shape, out = self.shapes[x], self.draw(st.integers(1, 6))
        if not shape:
            return x
        if len(shape) == 2 and self.draw(st.booleans()):
            bias = [self.weights(out)] if self.draw(st.booleans()) else []
            return self.node("Gemm", [x, self.weights(shape[1], out, axis=1), *bias], (shape[0], out))
        return self.node("MatMul", [x, self.weights(shape[-1], out, axis=1)], (*shape[:-1], out))

    def conv(self, x: str) -> str:
        shape = self.shapes[x]
        if not 3 <= len(shape) <= 4:
            return self.matmul(x)
        channels, spatial = shape[1], shape[2:]
        groups = channels if self.draw(st.booleans()) else 1
        out = groups * self.draw(st.integers(1, 3))
        kernel = [self.draw(st.integers(1, min(3, d))) for d in spatial]
        strides = [self.draw(st.integers(1, 2)) for _ in spatial]
        pads = [self.draw(st.integers(0, k - 1)) for k in (*kernel, *kernel)]
        rank = len(spatial)
        size = [(d + pads[i] + pads[rank + i] - kernel[i]) // strides[i] + 1 for i, d in enumerate(spatial)]
        if shape[0] * out * prod(size) > MAX_CELLS:
            return x
        inputs = [x, self.weights(out, channels // groups, *kernel)] + ([self.weights(out)] if self.draw(st.booleans()) else [])
        return self.node("Conv", inputs, (shape[0], out, *size), group=groups, strides=strides, pads=pads)

    def layer_norm(self, x: str) -> str:
        """Over the last axis, or scores of every row with every other."""
        shape = self.shapes[x]
        if len(shape) != 2:
            return x
        if self.draw(st.booleans()):
            turned = self.node("Transpose", [x], shape[::-1], perm=[1, 0])
            return self.node("MatMul", [x, turned], (shape[0], shape[0]))
        return self.node("LayerNormalization", [x, self.weights(shape[1]), self.weights(shape[1])], shape)

    def batch_norm(self, x: str) -> str:
        shape = self.shapes[x]
        if len(shape) < 2:
            return x
        inputs = [x, *(self.weights(shape[1]) for _ in range(3)), self.constant(self.rng.uniform(1e-4, 4, shape[1]))]
        return self.node("BatchNormalization", inputs, shape)

    def pool(self, x: str) -> str:
        shape = self.shapes[x]
        if not 3 <= len(shape) <= 4:
            return self.mean(x)
        op = self.draw(st.sampled_from(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"]))
        if op.startswith("Global"):
            return self.node(op, [x], (*shape[:2], *[1] * (len(shape) - 2)))
        kernel = [self.draw(st.integers(1, min(3, d))) for d in shape[2:]]
        strides = [self.draw(st.integers(1, 2)) for _ in kernel]
        size = [(d - k) // s + 1 for d, k, s in zip(shape[2:], kernel, strides, strict=True)]
        return self.node(op, [x], (*shape[:2], *size), kernel_shape=kernel, strides=strides)

    def mean(self, x: str) -> str:
        shape = self.shapes[x]
        if not shape:
            return x
        axis = self.draw(st.integers(0, len(shape) - 1))
        return self.node("ReduceMean", [x], (*shape[:axis], 1, *shape[axis + 1 :]), axes=[axis])

    def view(self, x: str) -> str:
        shape = self.shapes[x]
        kind = self.draw(st.sampled_from(["transpose", "flatten", "slice", "pad", "split"]))
        if not shape or kind == "flatten":
            flat = (prod(shape[:1]), prod(shape[1:]))
            return self.node("Flatten", [x], flat, axis=1) if len(shape) > 1 else x
        axis = self.draw(st.integers(0, len(shape) - 1))
        if kind == "transpose":
            order = self.draw(st.permutations(range(len(shape))))
            return self.node("Transpose", [x], tuple(shape[i] for i in order), perm=list(order))
        if kind == "slice":
            start = self.draw(st.integers(0, shape[axis] - 1))
            step = self.draw(st.integers(1, 2))
            bounds = [self.constant(np.array([v], dtype=np.int64)) for v in (start, shape[axis], axis, step)]
            length = -(-(shape[axis] - start) // step)
            return self.node("Slice", [x, *bounds], (*shape[:axis], length, *shape[axis + 1 :]))
        if kind == "pad":
            pads = np.zeros(2 * len(shape), dtype=np.int64)
            pads[axis], pads[len(shape) + axis] = self.draw(st.integers(0, 2)), self.draw(st.integers(0, 2))
            padded = (*shape[:axis], int(shape[axis] + pads.sum()), *shape[axis + 1 :])
            return self.node("Pad", [x, self.constant(pads)], padded) if prod(padded) <= MAX_CELLS else x
        if len(shape) < 4:
            return self.node("Unsqueeze", [x, self.constant(np.array([axis], dtype=np.int64))], (*shape[:axis], 1, *shape[axis:]))
        return x


MOVES: tuple[Callable[[_Maker, str], str], ...] = (
    _Maker.unary, _Maker.leaky, _Maker.clip, _Maker.add, _Maker.join, _Maker.matmul, _Maker.conv, _Maker.layer_norm, _Maker.batch_norm,
    _Maker.pool, _Maker.mean, _Maker.view,
)  # fmt: skip


@st.composite
def models(draw: st.DrawFn) -> Drawn:
    """A random model with one input and one or two outputs."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    maker = _Maker(draw, rng)
    shape = draw(st.sampled_from([(1, 5), (3, 7), (1, 1, 6, 5), (1, 3, 5, 5), (2, 2, 7), (1, 4, 9), (4,), (1, 2, 8, 8)]))
    maker.shapes["x"] = shape
    last = "x"
    for _ in range(draw(st.integers(1, MAX_STEPS))):
        # now and then a branch starts at an earlier tensor
        source = draw(st.sampled_from(sorted(maker.shapes))) if draw(st.integers(0, 4)) == 0 else last
        last = draw(st.sampled_from(MOVES))(maker, source)
    if last == "x":
        last = maker.node("Relu", ["x"], shape)
    outputs = [last]
    other = draw(st.sampled_from(sorted(maker.shapes)))
    if other not in ("x", last):
        outputs.append(other)
    low, high = draw(st.sampled_from([(-1.0, 1.0), (0.0, 1.0), (-3.0, 0.5), (0.0, 255.0), (2.0, 2.5), (-1e-3, 1e-3)]))
    share = draw(st.sampled_from([1.0, 0.3]))  # calibrated on the whole range, or on a part that leaves the rest to saturate
    samples = (low + share * (high - low) * rng.random((8 * shape[0], *shape[1:]))).astype(np.float32)
    proto = model(maker.nodes, {"x": shape}, maker.constants, outputs)
    return Drawn(proto, low, high, samples, draw(st.sampled_from([6, 8, 12, 16])), share == 1.0 and not maker.styles & WILD)
