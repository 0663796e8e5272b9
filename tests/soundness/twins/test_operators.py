"""Near twins of every ONNX operator that the compiler accepts, in the circuits that it compiles to.

For each core operator in an operator's circuits, and each kind of constraint that it has, one node is its near twin and everything
after it is honest: rejected by that node's own constraint and no other. An operator without a node of its own (its output is its
input) claims another output.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from soundness.malicious import Claimed, accepted, forge, keys, outputs_of, run_graph
from soundness.twins.lies import lies, told
from soundness.twins.own import VERDICTS, broken, rejected_by_its_own
from soundness.verdicts import verdict
from strategies import QUIET
from unit.compiler import classical
from unit.compiler.case import Case
from unit.compiler.cases import CASES
from unit.compiler.checks import floats, model

from ciro_zk.circuit.graph import Graph
from ciro_zk.compiler import compile as compile_model
from ciro_zk.compiler import supported_operators
from ciro_zk.compiler.report import quantise_inputs
from ciro_zk.program.circuit import Circuit

Example = tuple[Circuit, Any, frozenset[str]]
"""A circuit, an input, and the names of what the operator puts out."""


@cache
def compiled(case: Case) -> tuple[Circuit, Any]:
    opset = case.opsets[-1]
    constants = case.constants(opset) if callable(case.constants) else case.constants
    x = floats(np.random.default_rng(zlib.crc32(case.name.encode())), case.shape[0], *case.shape[1:], scale=case.scale)
    circuit = compile_model(model(case.nodes(opset), {"x": case.shape}, constants, opset=opset), x, bits=8)
    return replace(circuit, preset=QUIET), x


Case.__hash__ = lambda self: id(self)  # type: ignore[method-assign]


def examples(operator: str) -> Iterator[Example]:
    for case in CASES:
        names = frozenset(name for node in case.nodes(case.opsets[-1]) if node.op_type == operator for name in node.output)
        if names:
            yield (*compiled(case), names)
    proto = classical.examples().get(operator)
    if proto is not None:
        names = frozenset(name for node in proto.graph.node if node.op_type == operator for name in node.output)
        x = classical.samples()
        yield replace(compile_model(proto, x, bits=8), preset=QUIET), x[:1], names


def own_nodes(graph: Graph, names: frozenset[str]) -> list[int]:
    """The numbers of the nodes named after the operator's outputs, the last first; all nodes where it is fused into others."""
    numbers = range(len(graph.nodes))[::-1]
    own = [i for i in numbers if re.split(r"[.#/]", graph.tensors[graph.nodes[i].outputs[0]].name)[0] in names]
    return own or list(numbers)


def shows(graph: Graph, number: int, kind: str, honest: dict[int, Any], values: dict[int, Any]) -> bool:
    """Whether a lie breaks the one constraint and no other, and none of the statement's ranges.

    Cells that nothing uses are in no form and no product: a lie about them is none.
    """
    outputs = graph.nodes[number].outputs
    ports = {port.tensor for port in graph.outputs}
    if any(values[i].min() < graph.tensors[i].low or values[i].max() > graph.tensors[i].high for i in ports):
        return False
    used = any((values[i] != honest[i]).any() for i in honest if i not in outputs or i in ports)
    return broken(graph, values) == {number: {kind}} and (used or kind in ("lookup", "zero check"))


@pytest.mark.parametrize("operator", supported_operators())
def test_every_operator(operator: str) -> None:
    pending: set[tuple[str, str]] = set()
    shown: set[tuple[str, str]] = set()
    passed_on = None
    for circuit, x, names in examples(operator):
        graph, (pk, _) = circuit.graph, keys(circuit)
        leaves = {**quantise_inputs(graph, {"x": x}), **pk.weights}
        honest = run_graph(graph, leaves)
        passed_on = circuit, honest
        for number in own_nodes(graph, names):
            node = graph.nodes[number]
            for kind, twin in lies(graph, node):
                if (node.op.kind, kind) in shown:
                    continue
                pending.add((node.op.kind, kind))
                values = told(graph, leaves, number, twin)
                if shows(graph, number, kind, honest, values):
                    rejected_by_its_own(circuit, number, kind, values)
                    shown.add((node.op.kind, kind))
    assert passed_on is not None, f"there is no example of {operator}"
    assert shown == pending
    if not shown:
        circuit, honest = passed_on
        outputs = {name: value.copy() for name, value in outputs_of(circuit.graph, honest).items()}
        for value in outputs.values():
            value.reshape(-1)[0] += 1 if value.reshape(-1)[0] <= 0 else -1
        pk, vk = keys(circuit)
        false = forge(pk, Claimed(values=honest, outputs=outputs))
        assert verdict(lambda: accepted(vk, false)) == VERDICTS["form"]
