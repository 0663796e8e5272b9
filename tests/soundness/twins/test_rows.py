"""Softmax and layer normalisation as compiled: no other maximum, sum, root, reciprocal or result than the right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from soundness.malicious import Claimed, accepted, forge, keys, leaves_of, run_graph
from soundness.verdicts import LOOKUP, PRODUCTS
from strategies import QUIET

from ciro_zk.circuit.graph import Graph
from ciro_zk.compiler import compile as compile_model
from ciro_zk.errors import ProofRejected
from ciro_zk.ops import Divide, Maximum, Requantise, SquareRoot
from ciro_zk.program.circuit import Circuit

SHAPE = (1, 3, 6)


def made(nodes: list[onnx.NodeProto], constants: dict[str, Any]) -> Circuit:
    ports = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, SHAPE) for name in "xy"]
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    proto = helper.make_model(helper.make_graph(nodes, "rows", ports[:1], ports[1:], weights), opset_imports=[helper.make_opsetid("", 17)])
    proto.ir_version = 8
    circuit = compile_model(proto, np.random.default_rng(0).standard_normal((20, *SHAPE[1:])).astype(np.float32), bits=8)
    return replace(circuit, preset=QUIET)


@cache
def softmax() -> Circuit:
    """Of x + mask: the last cell of the first row is left out."""
    mask = np.zeros(SHAPE[1:], dtype=np.float32)
    mask[0, 5] = -1e9
    return made([helper.make_node("Add", ["x", "mask"], ["s"]), helper.make_node("Softmax", ["s"], ["y"])], {"mask": mask})


@cache
def norm() -> Circuit:
    return made([helper.make_node("LayerNormalization", ["x", "s"], ["y"])], {"s": np.ones(6, dtype=np.float32)})


def x_of(circuit: Circuit) -> Any:
    return np.random.default_rng(5).integers(-127, 128, SHAPE)


def twin(circuit: Circuit, kind: type[Any], method: str, wrong: Callable[..., Any], number: int = 0) -> Graph:
    """The circuit's graph with another rule in the operator of a kind with that number; what comes after is honest about it."""
    lying = type("Lying", (kind,), {method: wrong})
    nodes, seen = [], 0
    for node in circuit.graph.nodes:
        if isinstance(node.op, kind):
            if seen == number:
                node = replace(node, op=lying(**{f.name: getattr(node.op, f.name) for f in fields(node.op)}))
            seen += 1
        nodes.append(node)
    assert seen > number
    return replace(circuit.graph, nodes=tuple(nodes))


def verdict(circuit: Circuit, graph: Graph) -> tuple[str, str]:
    pk, vk = keys(circuit)
    values = run_graph(graph, leaves_of(pk, x_of(circuit)))
    honest = run_graph(circuit.graph, leaves_of(pk, x_of(circuit)))
    assert any(not np.array_equal(values[i], honest[i]) for i in values)
    with pytest.raises(ProofRejected) as error:
        accepted(vk, forge(pk, Claimed(values=values)))
    return error.value.stage, error.value.reason


def off(by: int) -> Callable[..., Any]:
    return lambda op, inputs: type(op).__mro__[1]._value(op, inputs) + by


@pytest.mark.parametrize("circuit", [softmax, norm])
def test_honest(circuit: Callable[[], Circuit]) -> None:
    pk, vk = keys(circuit())
    accepted(vk, forge(pk, Claimed(values=run_graph(circuit().graph, leaves_of(pk, x_of(circuit()))))))


@pytest.mark.parametrize("by", [-1, 1, 1000])
def test_reciprocal_of_the_sum(by: int) -> None:
    assert verdict(softmax(), twin(softmax(), Divide, "_value", off(by))) == LOOKUP


@pytest.mark.parametrize("by", [-1, 1])
def test_greatest_score(by: int) -> None:
    """Above all scores: the zero check. Below one: its range. Either would give another softmax."""
    stage = verdict(softmax(), twin(softmax(), Maximum, "run", lambda op, inputs, tables: (np.max(inputs, axis=0) + by,)))
    assert stage == (PRODUCTS if by > 0 else LOOKUP)


def test_least_score_for_the_greatest() -> None:
    assert verdict(softmax(), twin(softmax(), Maximum, "run", lambda op, inputs, tables: (np.min(inputs, axis=0),))) == LOOKUP


@pytest.mark.parametrize("which", ["scores", "exp", "y.out"])
def test_another_exponential_or_result(which: str) -> None:
    names = [circuit_name(softmax(), node.outputs[0]) for node in softmax().graph.nodes if isinstance(node.op, Requantise)]
    number = next(i for i, name in enumerate(names) if which in name)

    def wrong(op: Any, inputs: Any, tables: Any) -> Any:
        first, *rest = Requantise.run(op, inputs, tables)
        return (first + 1, *rest)

    assert verdict(softmax(), twin(softmax(), Requantise, "run", wrong, number)) == LOOKUP


def circuit_name(circuit: Circuit, tensor: int) -> str:
    return circuit.graph.tensors[tensor].name


def test_a_masked_cell_is_in_no_sum() -> None:
    """Its score, however great, moves nothing: the first row's result is that of the others alone."""
    pk, _ = keys(softmax())
    (out,) = softmax().graph.outputs
    x = x_of(softmax())
    loud = x.copy()
    loud[0, 0, 5] = 127
    quiet = x.copy()
    quiet[0, 0, 5] = -127
    first, second = (run_graph(softmax().graph, leaves_of(pk, v))[out.tensor] for v in (loud, quiet))
    assert np.array_equal(first, second) and first.reshape(SHAPE)[0, 0, 5] == 0


@pytest.mark.parametrize("by", [-1, 1])
def test_root(by: int) -> None:
    assert verdict(norm(), twin(norm(), SquareRoot, "_value", off(by))) == LOOKUP


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("by", [-1, 1])
def test_mean_and_reciprocal_of_the_root(number: int, by: int) -> None:
    assert verdict(norm(), twin(norm(), Divide, "_value", off(by), number)) == LOOKUP
