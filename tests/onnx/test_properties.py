"""Random geometry: shapes, strides, pads, dilations, groups and bits.

Every circuit matches the float model within its bound, and covers its declared range.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import helper
from unit.compiler.checks import Sensitivity, compile_and_compare, floats, model

SEEDS = st.integers(0, 2**32 - 1)
BITS = st.integers(6, 16)


@st.composite
def geometry(draw: st.DrawFn, max_rank: int = 3) -> dict[str, Any]:
    """Spatial sizes and window attributes that fit one another."""
    rank = draw(st.integers(1, max_rank))
    high = {1: 12, 2: 8, 3: 5}[rank]
    sizes, kernel, strides, dilations, begin, end = [], [], [], [], [], []
    for _ in range(rank):
        k, d = draw(st.integers(1, 4 if rank < 3 else 2)), draw(st.integers(1, 2))
        reach = d * (k - 1) + 1
        kernel.append(k)
        dilations.append(d)
        strides.append(draw(st.integers(1, 3)))
        begin.append(draw(st.integers(0, k - 1)))
        end.append(draw(st.integers(0, k - 1)))
        sizes.append(draw(st.integers(max(1, reach - begin[-1] - end[-1]), max(high, reach))))
    return {"sizes": sizes, "kernel": kernel, "strides": strides, "dilations": dilations, "pads": [*begin, *end]}


@settings(max_examples=40)
@given(
    found=geometry(),
    seed=SEEDS,
    batch=st.integers(1, 3),
    groups=st.integers(1, 3),
    inner=st.integers(1, 3),
    outer=st.integers(1, 3),
    bits=BITS,
)
def test_convolution(found: dict[str, Any], seed: int, batch: int, groups: int, inner: int, outer: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    weight = floats(rng, groups * outer, inner, *found["kernel"])
    bias = floats(rng, groups * outer)
    shape = (batch, groups * inner, *found["sizes"])
    samples = floats(rng, 2 * batch, *shape[1:])
    node = helper.make_node(
        "Conv", ["x", "w", "b"], ["y"], group=groups, strides=found["strides"], dilations=found["dilations"], pads=found["pads"]
    )
    axes = tuple(range(1, weight.ndim))
    norm = float(np.abs(weight).sum(axis=axes).max())
    products = float(np.abs(samples).max()) * weight[0].size
    sensitivity = Sensitivity(norm, products, float(np.abs(weight).max()), 2)
    compile_and_compare(model([node], {"x": shape}, {"w": weight, "b": bias}), {"x": samples}, sensitivity, bits=bits)


@settings(max_examples=40)
@given(found=geometry(), seed=SEEDS, batch=st.integers(1, 2), ceil=st.booleans(), bits=BITS)
def test_max_pool(found: dict[str, Any], seed: int, batch: int, ceil: bool, bits: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (batch, 2, *found["sizes"])
    attributes = {"strides": found["strides"], "dilations": found["dilations"], "pads": found["pads"], "ceil_mode": int(ceil)}
    assume(_every_window_has_a_cell(found, ceil))
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=found["kernel"], **attributes)
    samples = floats(rng, 2 * batch, *shape[1:])
    compile_and_compare(model([node], {"x": shape}), {"x": samples}, Sensitivity(units=0.1), bits=bits)


def _every_window_has_a_cell(found: dict[str, Any], ceil: bool) -> bool:
    """Whether no window lies in the padding alone, as it may with dilation: max over nothing is minus infinity."""
    rank = len(found["sizes"])
    for a in range(rank):
        size, k, s, d = found["sizes"][a], found["kernel"][a], found["strides"][a], found["dilations"][a]
        begin, end = found["pads"][a], found["pads"][rank + a]
        room = size + begin + end - d * (k - 1) - 1
        count = (-(-room // s) if ceil else room // s) + 1
        if ceil and (count - 1) * s >= size + begin:
            count -= 1
        for i in range(count):
            if not any(0 <= i * s - begin + j * d < size for j in range(k)):
                return False
    return True


@settings(max_examples=40)
@given(found=geometry(), seed=SEEDS, include=st.booleans(), bits=BITS)
def test_average_pool(found: dict[str, Any], seed: int, include: bool, bits: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (1, 2, *found["sizes"])
    attributes = {"strides": found["strides"], "dilations": found["dilations"], "pads": found["pads"], "count_include_pad": int(include)}
    assume(_every_window_has_a_cell(found, False))
    node = helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=found["kernel"], **attributes)
    compile_and_compare(model([node], {"x": shape}, opset=19), {"x": floats(rng, 3, *shape[1:])}, Sensitivity(units=1.1), bits=bits)


@settings(max_examples=30)
@given(
    lead=st.lists(st.integers(1, 3), max_size=3),
    sizes=st.tuples(*[st.integers(1, 7)] * 3),
    seed=SEEDS,
    batched=st.booleans(),
    left=st.booleans(),
    bits=BITS,
)
def test_matmul(lead: list[int], sizes: tuple[int, int, int], seed: int, batched: bool, left: bool, bits: int) -> None:
    rng = np.random.default_rng(seed)
    rows, inner, columns = sizes
    weight = floats(rng, *(lead if batched else []), *((rows, inner) if left else (inner, columns)))
    shape = (*lead, *((inner, columns) if left else (rows, inner)))
    node = helper.make_node("MatMul", ["w", "x"] if left else ["x", "w"], ["y"])
    samples = floats(rng, 2 * shape[0], *shape[1:])
    norm = float(np.abs(weight).sum(axis=-1 if left else -2).max())
    sensitivity = Sensitivity(norm, inner * float(np.abs(samples).max()), float(np.abs(weight).max()), 1.5)
    compile_and_compare(model([node], {"x": shape}, {"w": weight}), {"x": samples}, sensitivity, bits=bits)


@settings(max_examples=40)
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    seed=SEEDS,
    bits=BITS,
    scales=st.tuples(*[st.floats(1e-3, 1e3)] * 2),
    dropped=st.integers(0, 3),
    operator=st.sampled_from(["Add", "Sub"]),
    relu=st.booleans(),
)
def test_sums(shape: list[int], seed: int, bits: int, scales: tuple[float, float], dropped: int, operator: str, relu: bool) -> None:
    """Two inputs of different scales, the second broadcast."""
    rng = np.random.default_rng(seed)
    other = [1 if i < dropped else d for i, d in enumerate(shape)]
    nodes = [helper.make_node(operator, ["x", "z"], ["s"]), helper.make_node("Relu" if relu else "Identity", ["s"], ["y"])]
    samples = {"x": floats(rng, 4 * shape[0], *shape[1:], scale=scales[0]), "z": floats(rng, 4 * other[0], *other[1:], scale=scales[1])}
    compile_and_compare(model(nodes, {"x": shape, "z": other}), samples, Sensitivity(2, units=1.5), bits=bits)


@settings(max_examples=40)
@given(
    seed=SEEDS,
    bits=BITS,
    name=st.sampled_from(["Sigmoid", "Tanh", "LeakyRelu", "Clip", "Relu"]),
    scale=st.floats(1e-2, 30),
    power=st.integers(-8, 8),
)
def test_activation_after_a_product(seed: int, bits: int, name: str, scale: float, power: int) -> None:
    rng = np.random.default_rng(seed)
    weight, bias = floats(rng, 5, 4, scale=2.0**power), floats(rng, 4, scale=2.0**power)
    constants = {"w": weight, "b": bias, "low": np.float32(-0.3), "high": np.float32(0.7)}
    last = helper.make_node(name, ["m", "low", "high"] if name == "Clip" else ["m"], ["y"])
    samples = floats(rng, 8, 5, scale=scale)
    norm = float(np.abs(weight).sum(axis=0).max())
    products = 5 * float(np.abs(samples).max())
    steep = {"Sigmoid": 0.25}.get(name, 1.0)
    top = 2 ** (bits - 1) - 1
    # a curve's argument is rounded at its own scale: at most its saturation / M
    argument = 0.5 * min(float(np.abs(samples @ weight + bias).max()), 0.7 * (bits + 2)) / top if name in ("Sigmoid", "Tanh") else 0.0
    sensitivity = Sensitivity(steep * norm, steep * products, float(np.abs(weight).max()), 2 + argument * top)
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["m"]), last]
    compile_and_compare(model(nodes, {"x": (1, 5)}, constants), {"x": samples}, sensitivity, bits=bits)
