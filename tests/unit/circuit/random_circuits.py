"""Circuits put together at random from all operators, that prove by construction: every table covers what its tensor can hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.graph import Graph, GraphBuilder
from ciro_zk.circuit.tensor import Storage
from ciro_zk.lookup.tables import Clamp, Function, Range, Sampled, Sign, Window
from ciro_zk.lookup.tables import Graph as GraphTable
from ciro_zk.ops import AxisMap, Combine, Conv, Divide, Hadamard, MatMul, Maximum, OneHot, Requantise, Reshape, SquareRoot, Transpose
from ciro_zk.params import TESTING, Preset
from ciro_zk.program.circuit import Circuit
from tests.strategies import ends

Integers = NDArray[np.int64]

BITS = 4
MAX_CELLS = 60


@dataclass
class Sketch:
    """A graph under construction: `live` are the tensors to go on from."""

    rng: np.random.Generator
    builder: GraphBuilder = field(default_factory=GraphBuilder)
    live: list[int] = field(default_factory=list)
    weights: dict[int, Integers] = field(default_factory=dict)

    def pick(self, *choices: int) -> int:
        return int(self.rng.choice(choices))

    def shape(self, tensor: int) -> tuple[int, ...]:
        return self.builder.tensors[tensor].shape

    def weight(self, shape: tuple[int, ...], limbs: int = 1) -> int:
        low = -(1 << (BITS * limbs - 1))
        high = -low - 1
        tensor = self.builder.weight(f"w{len(self.weights)}", shape, low=low, high=high)
        self.weights[tensor] = self.rng.integers(low, high + 1, shape)
        return tensor

    def function(self) -> Function:
        kind = self.pick(0, 1, 2, 3)
        if kind == 0:
            return Clamp(minimum=0, maximum=7)
        if kind == 1:
            return Clamp(minimum=-8, maximum=7)
        if kind == 2:
            return Clamp(minimum=-5, maximum=7, numerator=3, shift=3)
        return Sampled(low=-4, values=(-3, 2, 0, -6, 1, 5, 5, 7, 4))

    def requantise(self, tensor: int) -> int:
        """Back to four bits, through a graph table or a sign and a window table."""
        x = self.builder.tensors[tensor]
        shift = max(0, x.magnitude.bit_length() - self.pick(4, 5, 6))
        half = (1 << shift) >> 1
        low, high = (x.low + half) >> shift, (x.high + half) >> shift
        function = self.function()
        range_table = self.builder.table(Range(bits=self.pick(BITS, 5)))
        if self.rng.random() < 0.6:
            tables = (self.builder.table(GraphTable(function=function, low=low, high=high)),)
        else:
            start, stop = function.window
            bits = max((stop - start).bit_length(), 1)
            limit = max(1, (high - start) >> bits, -((low - start) >> bits))
            window = self.builder.table(Window(function=function, low=start, bits=bits))
            tables = (self.builder.table(Sign(limit=limit)), window)
        name = f"q{len(self.builder.nodes)}"
        return self.builder.add(Requantise(inputs=(tensor,), shift=shift, tables=tables, range_table=range_table), name)[0]

    # Affine ----------------------------------------------------------------------------------------------------------------------------

    def reshape(self, x: int) -> int:
        size = prod(self.shape(x))
        shape: list[int] = []
        while size > 1 and len(shape) < 3:
            divisor = self.pick(*[d for d in range(1, size + 1) if size % d == 0])
            shape.append(divisor)
            size //= divisor
        shape.append(size)
        return self.builder.add(Reshape(inputs=(x,), shape=tuple(shape)))[0]

    def one_hot(self, x: int) -> int:
        """Rows by the ids in an input, whatever x is."""
        ids = self.pick(*[port.tensor for port in self.builder.inputs])
        length = self.pick(1, 3, 5)
        (hot,) = self.builder.add(OneHot(inputs=(ids,), length=length), "hot")
        if self.rng.random() < 0.3:
            return hot
        size = prod(self.shape(ids))
        (rows,) = self.builder.add(Reshape(inputs=(hot,), shape=(1, size, length)))
        (acc,) = self.builder.add(MatMul(inputs=(rows, self.weight((1, length, self.pick(1, 3)), 2))), "rows")
        return self.after_product(acc)

    def transpose(self, x: int) -> int:
        permutation = self.rng.permutation(len(self.shape(x)))
        return self.builder.add(Transpose(inputs=(x,), permutation=tuple(int(i) for i in permutation)))[0]

    def axis_map(self, x: int) -> int:
        axis = self.pick(*range(len(self.shape(x))))
        length = self.shape(x)[axis]
        room = max(1, MAX_CELLS * length // prod(self.shape(x)))
        rows, width = self.pick(*range(1, min(room, 6) + 1)), self.pick(1, 2, 3)
        index = self.rng.integers(0, length, (rows, width)).tolist()
        weight = self.rng.choice([0, 1, 1, 1, -1, 2], (rows, width)).tolist()
        op = AxisMap(inputs=(x,), axis=axis, index=tuple(map(tuple, index)), weight=tuple(map(tuple, weight)))
        return self.builder.add(op, "map")[0]

    def combine(self, x: int) -> int:
        same = [t for t in self.live if self.shape(t) == self.shape(x)]
        inputs = (x, *[self.pick(*same) for _ in range(self.pick(0, 1, 2))])
        coefficients = tuple(self.pick(-3, -1, 1, 2, 5) for _ in inputs)
        return self.builder.add(Combine(inputs=inputs, coefficients=coefficients, offset=self.pick(0, 0, -7, 11)))[0]

    # Products --------------------------------------------------------------------------------------------------------------------------

    def matmul(self, x: int) -> int:
        size = prod(self.shape(x))
        batch = self.pick(*[d for d in (1, 2, 3) if size % d == 0])
        rows = self.pick(*[d for d in (1, 2, 3, 4) if size // batch % d == 0])
        inner = size // batch // rows
        (left,) = self.builder.add(Reshape(inputs=(x,), shape=(batch, rows, inner)))
        if self.rng.random() < 0.3:
            (right,) = self.builder.add(Transpose(inputs=(left,), permutation=(0, 2, 1)))
        else:
            right = self.weight((batch, inner, self.pick(1, 2, 3, 5)), self.pick(1, 2))
        (acc,) = self.builder.add(MatMul(inputs=(left, right)), "acc")
        return self.after_product(acc)

    def conv(self, x: int) -> int:
        size = prod(self.shape(x))
        groups = self.pick(*[d for d in (1, 2, 3) if size % d == 0])
        height = self.pick(*[d for d in range(1, 8) if size // groups % d == 0])
        channels = self.pick(*[d for d in (1, 2) if size // groups // height % d == 0])
        width = size // groups // height // channels
        (image,) = self.builder.add(Reshape(inputs=(x,), shape=(1, groups, channels, height, width)))
        kernel = tuple(self.pick(*range(1, min(d, 3) + 1)) for d in (height, width))
        weight = self.weight((groups, self.pick(1, 2), channels, *kernel))
        begin, end = (self.pick(0, 1), self.pick(0, 1)), (self.pick(0, 1, 2), 0)
        strides = (self.pick(1, 2), self.pick(1, 2, 3))
        op = Conv(inputs=(image, weight), strides=strides, pads_begin=begin, pads_end=end, dilations=(1, 1))
        (acc,) = self.builder.add(op, "acc")
        return self.after_product(acc)

    def hadamard(self, x: int) -> int:
        same = [t for t in self.live if self.shape(t) == self.shape(x)]
        if self.rng.random() < 0.5:
            other = self.pick(*same)
        else:
            other = self.weight(tuple(1 if self.rng.random() < 0.4 else d for d in self.shape(x)))
        return self.after_product(self.builder.add(Hadamard(inputs=(x, other)), "acc")[0])

    def after_product(self, acc: int) -> int:
        """An accumulator, perhaps with a bias or seen through an affine operator, requantised."""
        kind = self.pick(0, 0, 1, 2, 3)
        if kind == 1:
            bias = self.weight(self.shape(acc), 2)
            (acc,) = self.builder.add(Combine(inputs=(acc, bias), coefficients=(2, 1), offset=3))
        elif kind == 2:
            acc = self.transpose(acc)
        elif kind == 3:
            acc = self.axis_map(acc)
        return self.requantise(acc)

    # Committed -------------------------------------------------------------------------------------------------------------------------

    def maximum(self, x: int) -> int:
        same = [t for t in self.live if self.shape(t) == self.shape(x)]
        inputs = (x, *[self.pick(*same) for _ in range(self.pick(1, 2, 3))])
        tensors = [self.builder.tensors[t] for t in inputs]
        spread = max(t.high for t in tensors) - min(t.low for t in tensors)
        table = self.builder.table(Range(bits=max(spread.bit_length(), BITS)))
        return self.builder.add(Maximum(inputs=inputs, range_table=table), "top")[0]

    def positive(self, x: int, least: int) -> int:
        """x, moved so that its range starts at `least`."""
        offset = least - self.builder.tensors[x].low
        return self.builder.add(Combine(inputs=(x,), coefficients=(1,), offset=offset))[0]

    def divide(self, x: int) -> int:
        same = [t for t in self.live if self.shape(t) == self.shape(x)]
        divisor = self.positive(self.pick(*same), self.pick(1, 1, 3))
        if self.rng.random() < 0.5:
            (x,) = self.builder.add(Hadamard(inputs=(x, self.pick(*same))), "acc")
        operands = (x, divisor)
        table = self.builder.table(Range(bits=self.pick(3, BITS, 6)))
        return self.builder.add(Divide.of(operands, [ends(self.builder.tensors[t]) for t in operands], table), "quotient")[0]

    def square_root(self, x: int) -> int:
        if self.rng.random() < 0.5:
            (x,) = self.builder.add(Hadamard(inputs=(x, x)), "acc")
        else:
            x = self.positive(x, self.pick(0, 5))
        table = self.builder.table(Range(bits=self.pick(3, BITS, 6)))
        return self.builder.add(SquareRoot.of((x,), (ends(self.builder.tensors[x]),), table), "root")[0]


STEPS = ("reshape", "transpose", "axis_map", "combine", "matmul", "conv", "hadamard", "maximum", "divide", "square_root", "one_hot")


def random_graph(seed: int, num_steps: int = 4) -> tuple[Graph, dict[int, Integers]]:
    """A graph and its weights."""
    sketch = Sketch(np.random.default_rng(seed))
    rng, builder = sketch.rng, sketch.builder
    for i in range(sketch.pick(1, 1, 2)):
        shape = tuple(int(d) for d in rng.integers(1, 5, sketch.pick(1, 2, 3)))
        sketch.live.append(builder.input(f"x{i}", shape, low=-8, high=sketch.pick(7, 8), scale=0.25))
    for _ in range(num_steps):
        made = getattr(sketch, str(rng.choice(STEPS)))(sketch.pick(*sketch.live))
        if builder.tensors[made].magnitude > 60:
            made = sketch.requantise(made)
        sketch.live.append(made)
    last = sketch.live[-1]
    sketch.live.append(sketch.requantise(last))
    for i, tensor in enumerate(sorted({sketch.live[-1], sketch.pick(*sketch.live)})):
        builder.output(f"y{i}", tensor, scale=0.5)
    return builder.build(), sketch.weights


def random_circuit(seed: int, num_steps: int = 4, preset: Preset = TESTING) -> Circuit:
    graph, weights = random_graph(seed, num_steps)
    return Circuit(graph, weights, f"random {seed}", BITS, preset=preset)


def random_leaves(circuit: Circuit, rng: np.random.Generator) -> dict[int, Integers]:
    """Inputs in range, and the weights."""
    tensors = circuit.graph.tensors
    inputs = {i: rng.integers(t.low, t.high + 1, t.shape) for i, t in enumerate(tensors) if t.storage is Storage.INPUT}
    return inputs | dict(circuit.weights)
