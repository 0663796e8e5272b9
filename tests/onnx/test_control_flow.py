"""If and Loop with constant conditions and counts: the branch taken, the rounds unrolled."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from unit.compiler.checks import Sensitivity, compile_and_compare, floats, model

from ciro_zk.compiler import compile as compile_model
from ciro_zk.errors import UnsupportedOperator

DATA = floats(np.random.default_rng(3), 12, 3)


def body(nodes: list[onnx.NodeProto], inputs: list[tuple[str, int, Any]], outputs: list[tuple[str, int, Any]]) -> onnx.GraphProto:
    return helper.make_graph(
        nodes, "body", [helper.make_tensor_value_info(*v) for v in inputs], [helper.make_tensor_value_info(*v) for v in outputs]
    )


def branch(op: str) -> onnx.GraphProto:
    return body([helper.make_node(op, ["x"], ["r"])], [], [("r", TensorProto.FLOAT, [2, 3])])


@pytest.mark.parametrize("taken", [True, False])
def test_branches(taken: bool) -> None:
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("Relu"), else_branch=branch("Neg"))
    circuit = compile_and_compare(model([node], {"x": (2, 3)}, {"c": np.array(taken)}), {"x": DATA}, Sensitivity())
    assert ("requantise" in [n.op.kind for n in circuit.graph.nodes]) == taken


def loop(condition: str) -> onnx.NodeProto:
    """state <- relu(state) + x, three times; every state is put out."""
    nodes = [
        helper.make_node("Relu", ["s"], ["positive"]),
        helper.make_node("Add", ["positive", "x"], ["next"]),
        helper.make_node("Identity", ["next"], ["shown"]),
    ]
    if condition == "constant":
        nodes.append(helper.make_node("Identity", ["going"], ["still"]))
    else:
        nodes += [helper.make_node("ReduceMax", ["next"], ["m"], keepdims=0), helper.make_node("Greater", ["m", "zero"], ["still"])]
    flag, state = ("going", TensorProto.BOOL, []), ("s", TensorProto.FLOAT, [2, 3])
    found = body(
        nodes,
        [("i", TensorProto.INT64, []), flag, state],
        [("still", TensorProto.BOOL, []), ("next", TensorProto.FLOAT, [2, 3]), ("shown", TensorProto.FLOAT, [2, 3])],
    )
    found.initializer.append(numpy_helper.from_array(np.float32(0), "zero"))
    return helper.make_node("Loop", ["n", "", "x"], ["last", "all"], body=found)


def test_rounds() -> None:
    nodes = [
        loop("constant"),
        helper.make_node("ReduceSum", ["all"], ["total"], keepdims=0),
        helper.make_node("Add", ["last", "total"], ["y"]),
    ]
    compile_and_compare(model(nodes, {"x": (2, 3)}, {"n": np.array(3)}), {"x": DATA}, Sensitivity(60, units=80))


def test_a_computed_condition_is_refused() -> None:
    nodes = [loop("computed"), helper.make_node("Identity", ["last"], ["y"])]
    with pytest.raises(UnsupportedOperator):
        compile_model(model(nodes, {"x": (2, 3)}, {"n": np.array(3)}), DATA)
