"""The circuits of the vectors: fixed for good, so that the vectors can be made again."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ciro_zk.circuit.graph import GraphBuilder
from ciro_zk.lookup.tables import Clamp, Graph, Range, Sampled, Sign, Window
from ciro_zk.ops import AxisMap, Combine, Conv, Hadamard, MatMul, Maximum, Requantise, Reshape, Transpose
from ciro_zk.params import JOHNSON, STANDARD, TESTING, Preset
from ciro_zk.program.circuit import Circuit


def _dense(name: str, weights: np.ndarray, limit: int, reach: int, shift: int, bits: int, preset: Preset, **notes: Any) -> Circuit:
    """A layer of 4-bit inputs: matmul, rounding shift, relu up to a limit."""
    b = GraphBuilder()
    limbs = b.table(Range(bits=bits))
    relu = b.table(Graph(function=Clamp(minimum=0, maximum=limit), low=-reach, high=reach))
    x = b.input("x", (1, 1, weights.shape[1]), low=-8, high=7, scale=0.5)
    w = b.weight("w", weights.shape, low=-(1 << (bits - 1)), high=(1 << (bits - 1)) - 1)
    (acc,) = b.add(MatMul(inputs=(x, w)), "dense")
    y, *_ = b.add(Requantise(inputs=(acc,), shift=shift, tables=(relu,), range_table=limbs), "relu")
    b.output("y", y, scale=1.0)
    return Circuit(b.build(), {w: weights}, name, bits, preset=preset, **notes)


@cache
def least(preset: Preset = TESTING) -> Circuit:
    """The least circuit with weights."""
    weights = np.arange(12).reshape(1, 4, 3) - 6
    return _dense("tiny", weights, 7, 60, 3, 4, preset, calibration={"x": 1}, accuracy={"y": [0.5]})


@cache
def varied() -> Circuit:
    """Every operator, table and function; a weight of two limbs; axes that are no powers of two."""
    b = GraphBuilder()
    limbs = b.table(Range(bits=6))
    sampled = b.table(Graph(function=Sampled(low=-2, values=(1, 0, 3, 2)), low=-16, high=16))
    sign = b.table(Sign(limit=8))
    window = b.table(Window(function=Clamp(minimum=-3, maximum=3, numerator=1, shift=2), low=-16, bits=5))
    x = b.input("x", (1, 1, 1, 3, 5), low=-4, high=3, scale=0.25)
    e = b.input("e", (3,), low=-3, high=3, scale=1.0)
    w = b.weight("w", (1, 3, 1, 2, 2), low=-32, high=31)
    h = b.weight("h", (1, 1, 3, 1, 1), low=-32, high=31)
    bias = b.weight("bias", (1, 1, 3, 1, 1), low=-2048, high=2047)
    (acc,) = b.add(Conv(inputs=(x, w), strides=(1, 2), pads_begin=(1, 0), pads_end=(0, 1), dilations=(1, 1)), "conv")
    (deep,) = b.add(AxisMap(inputs=(bias,), axis=3, index=((0,),) * 3, weight=((1,),) * 3))
    (wide,) = b.add(AxisMap(inputs=(deep,), axis=4, index=((0,),) * 3, weight=((1,),) * 3))
    (biased,) = b.add(Combine(inputs=(acc, wide), coefficients=(1, 1)))
    y, *_ = b.add(Requantise(inputs=(biased,), shift=2, tables=(sign, window), range_table=limbs), "y")
    (product,) = b.add(Hadamard(inputs=(y, h)), "scale")
    z, *_ = b.add(Requantise(inputs=(product,), shift=8, tables=(sampled,), range_table=limbs), "z")
    (left,) = b.add(AxisMap(inputs=(z,), axis=4, index=((0,),), weight=((1,),)))
    (right,) = b.add(AxisMap(inputs=(z,), axis=4, index=((1, 0),), weight=((1, 0),)))
    (last,) = b.add(AxisMap(inputs=(z,), axis=4, index=((2,),), weight=((1,),)))
    (top,) = b.add(Maximum(inputs=(left, right, last), range_table=limbs), "top")
    (turned,) = b.add(Transpose(inputs=(top,), permutation=(0, 1, 3, 2, 4)))
    (flat,) = b.add(Reshape(inputs=(turned,), shape=(3, 3)))
    (sums,) = b.add(AxisMap(inputs=(flat,), axis=0, index=((0, 1, 2),), weight=((1, 1, 1),)))
    (row,) = b.add(Reshape(inputs=(sums,), shape=(3,)))
    (shifted,) = b.add(Combine(inputs=(row, e), coefficients=(2, -1), offset=-1))
    b.output("sum", shifted, scale=0.5)
    b.output("top", top, scale=1.0)
    weights = {
        w: (5 * np.arange(12) % 23 - 11).reshape(1, 3, 1, 2, 2),
        h: np.array([29, -17, 31]).reshape(1, 1, 3, 1, 1),
        bias: np.array([-40, 700, 13]).reshape(1, 1, 3, 1, 1),
    }
    return Circuit(b.build(), weights, "varied", 6, preset=TESTING)


@cache
def blocks(preset: Preset = TESTING) -> Circuit:
    """A weight that is split into blocks, and openings of two levels."""
    return _dense("blocks", (7 * np.arange(12000) % 61 - 30).reshape(1, 300, 40), 31, 600, 6, 6, preset)


def standard() -> Circuit:
    """The least circuit at 100 bits."""
    return least(STANDARD)


def listed() -> Circuit:
    """The same at 100 bits, words decoded to lists."""
    return blocks(JOHNSON)


def sample(circuit: Circuit, number: int = 0) -> dict[str, np.ndarray]:
    """Real inputs of a circuit; each number gives others."""
    found = {}
    for port in circuit.graph.inputs:
        tensor = circuit.graph.tensors[port.tensor]
        span = tensor.high - tensor.low + 1
        cells = tensor.low + (11 * np.arange(tensor.size) + 5 * number) % span
        found[port.name] = cells.reshape(tensor.shape) * port.scale
    return found
