"""Which tables are chosen, and that a draft's bounds are those of the graph."""

from __future__ import annotations

import numpy as np
import pytest
from unit.compiler.checks import check_witness

from ciro_zk.compiler.assemble import Use, assemble, function_tables
from ciro_zk.compiler.draft import Draft
from ciro_zk.errors import BoundsError
from ciro_zk.lookup.tables import Clamp
from ciro_zk.ops import AxisMap, Combine, MatMul, Requantise

RELU = Clamp(minimum=0, maximum=2047)
IDENTITY = Clamp(minimum=-2047, maximum=2047)
LEAKY = Clamp(minimum=-2047, maximum=2047, numerator=13, shift=7)


def kinds(function: Clamp, low: int, high: int, cells: int) -> list[str]:
    return [table.kind for table in function_tables(function, [Use(low, high, cells, "node")]).tables]


def test_one_table_or_two() -> None:
    assert kinds(RELU, -1000, 1000, 16) == ["graph"]
    assert kinds(RELU, -60_000, 60_000, 16) == ["sign", "window"]
    assert kinds(RELU, -60_000, 60_000, 1 << 20) == ["graph"], "many lookups pay for a large table"
    assert kinds(RELU, -(1 << 24), 1 << 24, 1 << 20) == ["sign", "window"]


def test_domains_are_covered() -> None:
    for low, high in [(-5, 5), (-123_456, 99), (3, 1_000_000), (-1_000_000, -3)]:
        for table in function_tables(RELU, [Use(low, high, 1, "node")]).tables:
            if table.kind == "graph":
                assert table.low <= low and high <= table.high  # type: ignore[union-attr]
    with pytest.raises(BoundsError) as caught:
        function_tables(RELU, [Use(-(1 << 39), 1 << 39, 1, "wide")])
    assert caught.value.node == "wide"


def drafted(*functions: Clamp, width: int = 64) -> tuple[Draft, list[tuple[str, int, float]]]:
    """x w requantised by each function in turn."""
    rng = np.random.default_rng(0)
    draft = Draft()
    x = draft.input("x", (1, 1, width), -2047, 2047, 1.0)
    outputs = []
    for i, function in enumerate(functions):
        w = draft.weight(f"w{i}", rng.integers(-2047, 2048, (1, width, 8)), 12)
        acc = draft.add(MatMul(inputs=(x, w)), f"acc{i}")
        outputs.append((f"y{i}", draft.rescale(acc, 12, function, f"y{i}"), 1.0))
    return draft, outputs


def test_functions_share_tables() -> None:
    draft, outputs = drafted(RELU, RELU, RELU)
    graph = assemble(draft, outputs).graph
    assert len({node.op.tables for node in graph.nodes if isinstance(node.op, Requantise)}) == 1
    assert len(graph.tables) == 3


@pytest.mark.parametrize("function", [IDENTITY, LEAKY])
def test_split_functions(function: Clamp) -> None:
    """With Relu's table at hand the others are written with it, and their values stay within the draft's interval."""
    draft, outputs = drafted(RELU, function)
    found = assemble(draft, outputs)
    assert [table.kind for table in found.graph.tables] == ["range", "sign", "window"]
    rng = np.random.default_rng(1)
    x = found.graph.inputs[0].tensor
    for leaves in (np.full((1, 1, 64), 2047), rng.integers(-2047, 2048, (1, 1, 64)), np.zeros((1, 1, 64), dtype=np.int64)):
        values = found.graph.run({x: leaves, **found.weights})
        check_witness(found.graph, values)
        acc = next(values[n.outputs[0]] for n in found.graph.nodes[1:] if n.op.kind == "matmul")
        low, high = draft.intervals[outputs[1][1]]
        y = values[found.graph.outputs[1].tensor]
        assert (low <= y).all() and (y <= high).all() and acc.shape == y.shape
        product = leaves @ found.weights[found.graph.weights[1]]
        exact = np.where(product < 0, product * function.numerator / 2.0**function.shift, product) / 4096
        assert np.abs(y - np.clip(exact, -2047, 2047)).max() <= 0.5


def test_limbs_of_weights() -> None:
    draft = Draft()
    for peak, limbs in [(0, 1), (127, 1), (128, 2), (-128, 1), (-129, 2), (32767, 2), (32768, 3)]:
        tensor = draft.tensors[draft.weight("w", np.array([peak, 0]), 8)]
        assert (tensor.low, tensor.high) == (-(1 << (8 * limbs - 1)), (1 << (8 * limbs - 1)) - 1)
    with pytest.raises(BoundsError, match="w"):
        draft.weight("w", np.array([1 << 62]), 8)
    draft.weight("w", np.array([(1 << 47) - 1]), 6)
    with pytest.raises(BoundsError, match="w"):
        draft.weight("w", np.array([1 << 47]), 6)  # eight limbs of 6 bits are what a registration proves


def test_wrapping_is_refused_by_node() -> None:
    draft = Draft()
    x = draft.input("x", (4,), -(1 << 40), 1 << 40, 1.0)
    with pytest.raises(BoundsError) as caught:
        draft.add(Combine(inputs=(x,), coefficients=(1 << 30,)), "huge")
    assert caught.value.node == "huge" and caught.value.remedy
    wide = draft.add(Combine(inputs=(x,), coefficients=(1 << 20,)), "wide")
    y = draft.rescale(wide, 17, RELU, "y")
    with pytest.raises(BoundsError) as caught:
        assemble(draft, [("y", y, 1.0)])
    assert caught.value.node == "y"


def test_maxima_that_spread_too_widely() -> None:
    draft = Draft()
    x = draft.input("x", (4,), -(1 << 17), 1 << 17, 1.0)
    other = draft.add(AxisMap(inputs=(x,), axis=0, index=((1,), (2,), (3,), (0,)), weight=((1,),) * 4), "moved")
    with pytest.raises(BoundsError) as caught:
        draft.greatest([x, other], "pool")
    assert caught.value.node == "pool"
