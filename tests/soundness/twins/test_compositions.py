"""Near twins of ONNX operators that are compositions: a witness of the twin, honest after the lie, under the honest program's digest.

Each is rejected by the operator's own check: functions, comparisons and one-hot ids by their table, maxima by the ranges of
the differences (a value that is too small) or by the product of the differences (one that is no operand).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from soundness.malicious import Claimed, accepted, forge, keys, leaves_of, run_graph
from soundness.verdicts import LOOKUP, PRODUCTS
from strategies import QUIET
from unit.compiler.case import node
from unit.compiler.checks import model

from ciro_zk.circuit.graph import Graph
from ciro_zk.compiler import compile as compile_model
from ciro_zk.errors import ProofRejected
from ciro_zk.lookup.tables import Graph as GraphTable
from ciro_zk.lookup.tables import Sampled, Window
from ciro_zk.ops import Maximum, Requantise
from ciro_zk.program.circuit import Circuit

X = np.array([[-1.5, -0.6, 0.0, 0.5, 1.2, 2.0]], dtype=np.float32)
Twin = Callable[[Any, Any], Any]
"""From the arguments q and the honest values to the twin's values."""

NODES: dict[str, list[Any]] = {
    "Abs": [node("Abs")],
    "Floor": [node("Floor")],
    "Round": [node("Round")],
    "Exp": [node("Exp")],
    "Gelu": [node("Gelu")],
    "Sign": [node("Sign")],
    "Less": [node("Less", "x c", "b"), node("Cast", "b", to=TensorProto.FLOAT)],
    "Equal": [node("Equal", "x c", "b"), node("Cast", "b", to=TensorProto.FLOAT)],
    "And": [node("Less", "x c", "a"), node("Greater", "x d", "g"), node("And", "a g", "b"), node("Cast", "b", to=TensorProto.FLOAT)],
    "ReduceMax": [node("ReduceMax", keepdims=1)],
    "ReduceMin": [node("ReduceMin", keepdims=1)],
    "ArgMax": [node("ArgMax", axis=1, output="b"), node("Cast", "b", to=TensorProto.FLOAT)],
    "TopK": [node("TopK", "x k", "y i")],
    "Gather": [node("ArgMax", axis=1, output="i"), node("Gather", "t i")],
}
CONSTANTS: dict[str, Any] = {
    "c": np.float32(0.5),
    "d": np.float32(-1),
    "k": np.array([2]),
    "t": np.arange(12, dtype=np.float32).reshape(6, 2),
}


@cache
def circuit(name: str) -> Circuit:
    nodes = NODES[name]
    if name == "TopK":
        from onnx import helper

        nodes = [helper.make_node("TopK", ["x", "k"], ["y", "i"])]
    used = {source for n in nodes for source in n.input}
    constants = {key: value for key, value in CONSTANTS.items() if key in used}
    return replace(
        compile_model(model(nodes, {"x": X.shape}, constants, opset=20), X, input_range={"x": (-4.0, 4.0)}, bits=8), preset=QUIET
    )


def inputs(name: str) -> Any:
    (port,) = circuit(name).graph.inputs
    return np.floor(X / port.scale + 0.5).astype(np.int64)


def swapped(graph: Graph, twin: Twin) -> Graph:
    """The graph with the twin's values in the tables of functions."""
    found = []
    for table in graph.tables:
        if isinstance(table, GraphTable | Window):
            low, high = (table.low, table.high) if isinstance(table, GraphTable) else (table.low, table.low + (1 << table.bits) - 1)
            q = np.arange(low - 1, high + 2)
            values = twin(q, table.function(q))
            table = replace(table, function=Sampled(low=low - 1, values=tuple(int(v) for v in values)))
        found.append(table)
    return replace(graph, tables=tuple(found))


def rejected(name: str, graph: Graph, overrides: Mapping[int, Any] | None = None) -> tuple[str, str]:
    pk, vk = keys(circuit(name))
    leaves = leaves_of(pk, inputs(name))
    values, honest = run_graph(graph, leaves, overrides), run_graph(circuit(name).graph, leaves)
    assert any((values[i] != honest[i]).any() for i in honest), "the twin must differ"
    with pytest.raises(ProofRejected) as error:
        accepted(vk, forge(pk, Claimed(values=values)))
    return error.value.stage, error.value.reason


@pytest.mark.parametrize("name", NODES)
def test_honest(name: str) -> None:
    pk, vk = keys(circuit(name))
    accepted(vk, forge(pk, Claimed(values=run_graph(circuit(name).graph, leaves_of(pk, inputs(name))))))


TWINS: dict[str, tuple[str, Twin]] = {
    "Relu for Abs": ("Abs", lambda q, y: np.where(q > 0, y, 0)),
    "Ceil for Floor": ("Floor", lambda q, y: -y[::-1]),
    "halves up for Round": ("Round", lambda q, y: np.where(y < np.roll(y, -1), np.roll(y, -1), y)),
    "one unit more for Exp": ("Exp", lambda q, y: np.minimum(y + 1, y.max())),
    "Relu for Gelu": ("Gelu", lambda q, y: np.maximum(y, 0)),
    "Relu for Sign": ("Sign", lambda q, y: np.maximum(y, 0)),
    "LessOrEqual for Less": ("Less", lambda q, y: (q >= 0).astype(np.int64)),
    "almost equal for Equal": ("Equal", lambda q, y: (np.abs(q) <= 12).astype(np.int64)),
    "Or for And": ("And", lambda q, y: (q >= 0).astype(np.int64)),
}


@pytest.mark.parametrize("twin", TWINS)
def test_twin(twin: str) -> None:
    name, change = TWINS[twin]
    assert rejected(name, swapped(circuit(name).graph, change)) == LOOKUP


def made_by(graph: Graph, kind: type[Any]) -> list[Any]:
    return [n for n in graph.nodes if isinstance(n.op, kind)]


@pytest.mark.parametrize("name", ["ReduceMax", "ReduceMin", "ArgMax", "TopK"])
@pytest.mark.parametrize(("lie", "verdict"), [("least", LOOKUP), ("second", LOOKUP), ("beyond", PRODUCTS)])
def test_maximum(name: str, lie: str, verdict: tuple[str, str]) -> None:
    """Of the operands of the last maximum the least, the second or none, and an index to match."""
    graph = circuit(name).graph
    first = made_by(graph, Maximum)[0]

    def value(values: Mapping[int, Any]) -> Any:
        operands = np.sort(np.stack([values[i] for i in first.op.inputs]), axis=0)
        return {"least": operands[0], "second": operands[-2], "beyond": operands[-1] + 1}[lie]

    assert rejected(name, graph, {first.outputs[0]: value}) == verdict


@pytest.mark.parametrize("name", ["ArgMax", "TopK", "Gather"])
def test_another_cell_is_chosen(name: str) -> None:
    """A hit where there is none: another index, with everything after it honest."""
    graph = circuit(name).graph
    hits = next(n for n in made_by(graph, Requantise) if sum(graph.tensors[n.outputs[0]].shape) > 2)
    assert rejected(name, graph, {hits.outputs[0]: lambda values: np.roll(values[hits.outputs[0]], 1, axis=-1)}) == LOOKUP


def test_top_k_keeps_what_it_took() -> None:
    """The greatest cell twice: the first is not taken away."""
    graph = circuit("TopK").graph
    taken = next(n for n in made_by(graph, Requantise) if "left0" in graph.tensors[n.outputs[0]].name)
    source = circuit("TopK").graph.inputs[0].tensor
    assert rejected("TopK", graph, {taken.outputs[0]: lambda values: values[source]}) == LOOKUP
