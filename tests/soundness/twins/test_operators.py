"""Near twins of every ONNX operator that the compiler accepts, in the circuits that it compiles to.

For each core operator in an operator's circuits, and each kind of constraint that it has, one node is its near twin and everything
after it is honest: rejected by that node's own constraint and no other. An operator without a node of its own (its output is its
input) claims another output.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from soundness.attacks.attempt import Attempt
from soundness.malicious import Claimed, forge, keys, outputs_of, run_graph
from soundness.twins.examples import examples
from soundness.twins.lies import lies, told
from soundness.twins.own import broken, rejected_by_its_own
from soundness.verdicts import OPENING, verdict

from ciro_zk.circuit.graph import Graph
from ciro_zk.compiler import supported_operators
from ciro_zk.program.circuit import Circuit

Values = dict[int, Any]


def own_nodes(graph: Graph, names: frozenset[str]) -> list[int]:
    """The numbers of the nodes named after the operator's outputs, the last first; all nodes where it is fused into others."""
    numbers = range(len(graph.nodes))[::-1]
    own = [i for i in numbers if re.split(r"[.#/]", graph.tensors[graph.nodes[i].outputs[0]].name)[0] in names]
    return own or list(numbers)


def shows(graph: Graph, number: int, kind: str, honest: Mapping[int, Any], values: Mapping[int, Any]) -> bool:
    """Whether a lie breaks the one constraint, no other, and none of the statement's ranges.

    Cells that nothing uses are in no form and no product: a lie about them is none.
    """
    outputs, ports = graph.nodes[number].outputs, {port.tensor for port in graph.outputs}
    if any(values[i].min() < graph.tensors[i].low or values[i].max() > graph.tensors[i].high for i in ports):
        return False
    used = any((values[i] != honest[i]).any() for i in honest if i not in outputs or i in ports)
    return broken(graph, values) == {number: {kind}} and (used or kind in ("lookup", "zero check"))


def another_output(circuit: Circuit, honest: Values) -> tuple[str, str]:
    """The verdict on an honest run of which another output is claimed."""
    pk, vk = keys(circuit)
    outputs = {name: value.copy() for name, value in outputs_of(circuit.graph, honest).items()}
    for value in outputs.values():
        value.reshape(-1)[0] -= 1 if value.reshape(-1)[0] > 0 else -1
    return verdict(Attempt(vk, forge(pk, Claimed(values=honest, outputs=outputs))))


@pytest.mark.parametrize("operator", supported_operators())
def test_every_operator(operator: str) -> None:
    pending, shown = set(), set()
    runs: list[tuple[Circuit, Values]] = []
    for circuit, leaves, names in examples(operator):
        graph = circuit.graph
        honest = run_graph(graph, leaves)
        runs.append((circuit, honest))
        for number in own_nodes(graph, names):
            for kind, twin in lies(graph, graph.nodes[number]):
                constraint = graph.nodes[number].op.kind, kind
                if constraint in shown:
                    continue
                pending.add(constraint)
                values = told(graph, leaves, number, twin)
                if shows(graph, number, kind, honest, values):
                    rejected_by_its_own(circuit, number, kind, values)
                    shown.add(constraint)
    assert runs, f"{operator} has no case in tests/unit/compiler"
    assert shown == pending
    if not shown:
        assert another_output(*runs[0]) == OPENING
