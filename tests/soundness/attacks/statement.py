"""Statements: public tensors that are not what was proven, and proofs shown as something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from soundness.attacks.attempt import Attempt
from soundness.malicious import Claimed, as_cells, forge, honest, keys, leaves_of, outputs_of, run_field, run_graph
from strategies import QUIET, tensor_ids, tiny, tiny_input, toy, toy_input, two_ports

from ciro_zk.circuit.graph import GraphBuilder
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import Clamp, Graph, Range
from ciro_zk.ops import Combine, Requantise
from ciro_zk.program.circuit import Circuit


@cache
def testing_key() -> Attempt:
    """An honest proof under a preset that has no security, to a verifier that did not ask for it."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, proof, {"allow_testing": False})


@cache
def relabelled_program() -> Attempt:
    """A proof file that says it is about another program."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, replace(proof, program_digest=tiny(name="other").program.digest))


@cache
def relabelled_model() -> Attempt:
    """A proof file that says it is about other weights."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, replace(proof, model_commitment=keys(tiny(seed=5))[1].model_commitment))


@cache
def extra_output() -> Attempt:
    """A proof with an output besides, that nothing proves."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, replace(proof, outputs={**proof.outputs, "approved": np.array([1])}))


@cache
def swapped_ports() -> Attempt:
    """Outputs listed in another order: a second encoding of the same proof."""
    circuit = two_ports()
    x = np.arange(-3, 3).reshape(2, 3)
    _, vk, proof = honest(circuit, x, x[::-1])
    return Attempt(vk, replace(proof, outputs=dict(reversed(proof.outputs.items()))))


@cache
def reshaped_output() -> Attempt:
    """The right cells under another shape."""
    _, vk, proof = honest(toy(), toy_input())
    return Attempt(vk, replace(proof, outputs={"y": proof.outputs["y"].reshape(4, 6)}))


@cache
def input_out_of_range() -> Attempt:
    """An honest run on an input that the circuit does not admit."""
    pk, vk = keys(tiny())
    x = np.array([[[20, 0, 0, 0]]])
    return Attempt(vk, forge(pk, Claimed(values=run_graph(pk.program.graph, leaves_of(pk, x)))))


@cache
def input_wrapped() -> Attempt:
    """Huge integers x whose products with the weights are 8, 16 and 24 modulo p and nothing like it over the integers."""
    pk, vk = keys(tiny())
    matrix = pk.weights[tensor_ids(tiny())["w"]][0].astype(object)  # (4, 3)
    leaves = as_cells(leaves_of(pk, np.zeros((1, 1, 4), dtype=np.int64)))
    leaves[pk.program.graph.inputs[0].tensor] = np.array(solve_mod(matrix.T, [8, 16, 24]), dtype=np.uint64)
    return Attempt(vk, forge(pk, Claimed(values=run_field(pk.program.graph, leaves))))


def solve_mod(matrix: Any, target: Sequence[int]) -> list[int]:
    """A solution of matrix x = target modulo p, the last variable 1; as many rows as variables but one."""
    rows = [[int(v) % P for v in row] for row in matrix]
    n = len(rows)
    table = [[*row[:n], (t - row[n]) % P] for row, t in zip(rows, target, strict=True)]
    for c in range(n):
        pivot = next(r for r in range(c, n) if table[r][c])
        table[c], table[pivot] = table[pivot], table[c]
        inverse = pow(table[c][c], P - 2, P)
        table[c] = [v * inverse % P for v in table[c]]
        for r in range(n):
            if r != c and table[r][c]:
                factor = table[r][c]
                table[r] = [(a - factor * b) % P for a, b in zip(table[r], table[c], strict=True)]
    return [row[n] for row in table] + [1]


@cache
def high_output() -> Circuit:
    """Outputs just below p/2 in magnitude, where two int64 encode one field element."""
    b = GraphBuilder()
    limbs = b.table(Range(bits=4))
    relu = b.table(Graph(function=Clamp(minimum=0, maximum=7), low=-16, high=16))
    x = b.input("x", (4,), low=-8, high=7, scale=1.0)
    y, *_ = b.add(Requantise(inputs=(x,), shift=0, tables=(relu,), range_table=limbs), "relu")
    (z,) = b.add(Combine(inputs=(y,), coefficients=(1,), offset=2**63 - 2**32 + 1))
    b.output("z", z, scale=1.0)
    return Circuit(b.build(), {}, "high", 4, preset=QUIET)


@cache
def output_wrapped() -> Attempt:
    """y - p in place of y: the same field element, another integer."""
    circuit = high_output()
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, np.array([0, 1, 2, 7])))
    outputs = outputs_of(circuit.graph, values)
    return Attempt(vk, forge(pk, Claimed(values=values, outputs={"z": np.array([int(v) - P for v in outputs["z"]], dtype=np.int64)})))


@cache
def other_input_given() -> Attempt:
    """A true proof, shown to somebody who asked about another input."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, proof, {"inputs": tiny_input(7) * 0.5})


@cache
def other_output_given() -> Attempt:
    """A true proof, shown to somebody who was told another output."""
    _, vk, proof = honest(tiny(), tiny_input())
    told = proof.outputs["y"].copy()
    told[0, 0, 0] = 7 - told[0, 0, 0]
    return Attempt(vk, proof, {"outputs": told * 1.0})
