"""Near twins of every ONNX operator that the compiler accepts, in the circuits that it compiles to.

For each core operator in an operator's circuits, and each kind of constraint that it has, one node is its near twin and everything
after it is honest: rejected by that node's own constraint and no other. An operator without a node of its own (its output is its
input) claims another output.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from soundness.attacks.attempt import Attempt
from soundness.malicious import Claimed, forge, keys, outputs_of, run_graph
from soundness.twins.examples import examples
from soundness.twins.own import attack
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


def another_output(circuit: Circuit, honest: Values) -> tuple[str, str]:
    """The verdict on an honest run of which another output is claimed."""
    pk, vk = keys(circuit)
    outputs = {name: value.copy() for name, value in outputs_of(circuit.graph, honest).items()}
    for value in outputs.values():
        value.reshape(-1)[0] -= 1 if value.reshape(-1)[0] > 0 else -1
    return verdict(Attempt(vk, forge(pk, Claimed(values=honest, outputs=outputs))))


@pytest.mark.parametrize("operator", supported_operators())
def test_every_operator(operator: str) -> None:
    pending: set[tuple[str, str]] = set()
    shown: set[tuple[str, str]] = set()
    runs: list[tuple[Circuit, Values]] = []
    for circuit, leaves, names in examples(operator):
        runs.append((circuit, run_graph(circuit.graph, leaves)))
        pending |= attack(circuit, leaves, own_nodes(circuit.graph, names), shown)
    assert runs, f"{operator} has no case in tests/unit/compiler"
    assert shown == pending
    if not shown:
        assert another_output(*runs[0]) == OPENING
