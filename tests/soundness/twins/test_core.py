"""Near twins of the core operators, in the toy: another function, shift, matrix, operand, sign."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from soundness.attacks.argument import plus
from soundness.lies.toys import BIASED, IDS, rejected, toy_values
from soundness.malicious import keys, leaves_of, with_op, with_table
from soundness.twins import test_enclosed, test_one_hot
from soundness.twins.own import attack
from soundness.verdicts import LOOKUP, OPENING, PRODUCTS
from strategies import ABS, QUIET, toy, toy_input

from ciro_zk.circuit.graph import Graph
from ciro_zk.circuit.op import _REGISTRY
from ciro_zk.compiler.report import quantise_inputs
from ciro_zk.lookup.tables import Clamp, Sampled
from ciro_zk.lookup.tables import Graph as GraphTable
from verifier.spec.circuits import sample, varied


def second_largest(values: Mapping[int, Any]) -> Any:
    left, right = (values[i] for i in toy().graph.producer(IDS["max.max"]).op.inputs)
    return np.minimum(left, right)


def sampled(function: Callable[[int], int]) -> Sampled:
    return Sampled(low=-300, values=tuple(function(q) for q in range(-300, 301)))


TWINS: dict[str, tuple[Graph, tuple[str, str]]] = {
    "Abs for Relu": (with_table(toy().graph, 1, GraphTable(function=ABS, low=-300, high=300)), LOOKUP),
    "Neg for Relu": (with_table(toy().graph, 1, GraphTable(function=sampled(lambda q: -q), low=-300, high=300)), LOOKUP),
    "LeakyRelu for Relu": (
        with_table(toy().graph, 1, GraphTable(function=Clamp(minimum=-127, maximum=127, numerator=1, shift=3), low=-300, high=300)),
        LOOKUP,
    ),
    "Identity for Relu": (with_table(toy().graph, 1, GraphTable(function=Clamp(minimum=-300, maximum=300), low=-300, high=300)), LOOKUP),
    "no clamp": (with_table(toy().graph, 1, GraphTable(function=Clamp(minimum=0, maximum=300), low=-300, high=300)), LOOKUP),
    "another shift": (with_op(toy().graph, IDS["relu.out"], shift=7), LOOKUP),
    "another multiplier of the average": (with_op(toy().graph, IDS["average.out"] - 1, weight=((2, 1), (2, 1))), OPENING),
    "another row in the average": (with_op(toy().graph, IDS["average.out"] - 1, index=((0, 1), (2, 1))), OPENING),
    "maximum of other columns": (with_op(toy().graph, IDS["max.max"] - 2, index=((0,), (3,))), OPENING),
    "no bias": (with_op(toy().graph, BIASED, coefficients=(1, 0)), OPENING),
    "bias subtracted": (with_op(toy().graph, BIASED, coefficients=(1, -1)), OPENING),
    "another bias row": (with_op(toy().graph, BIASED - 1, index=((0,), (0,), (0,), (0,)), weight=((1,), (1,), (1,), (2,))), OPENING),
}


@pytest.mark.parametrize("name", TWINS)
def test_near_twin(name: str) -> None:
    """The witness of another operator, everything after it honest, under the program's digest."""
    graph, verdict = TWINS[name]
    values = toy_values(graph=graph)
    assert any(not np.array_equal(a, toy_values()[i]) for i, a in values.items())
    assert rejected(values) == verdict


def test_maximum_that_is_second_largest() -> None:
    assert rejected(toy_values({IDS["max.max"]: second_largest})) == LOOKUP


@pytest.mark.parametrize("above", [1, 3, 100])
def test_maximum_above_all_operands(above: int) -> None:
    """The ranges hold; the zero check is violated in one cell."""
    assert rejected(toy_values({IDS["max.max"]: plus(IDS["max.max"], above)})) == PRODUCTS


def test_convolution_of_a_flipped_kernel_and_transposed_matmul() -> None:
    """A product with another operand: the batched sumcheck."""
    conv, dense = toy().graph.producer(IDS["conv"]).op, toy().graph.producer(IDS["dense"]).op

    def flipped(values: Mapping[int, Any]) -> Any:
        x, w = (values[i] for i in conv.inputs)
        return conv.run([x, w[..., ::-1, ::-1]], ())[0]

    def permuted(values: Mapping[int, Any]) -> Any:
        x, w = (values[i] for i in dense.inputs)
        return dense.run([x[..., ::-1], w], ())[0]

    assert rejected(toy_values({IDS["conv"]: flipped})) == PRODUCTS
    assert rejected(toy_values({IDS["dense"]: permuted})) == PRODUCTS


def test_window_of_the_wrong_sign() -> None:
    """A window's sign and offset say where q is: each alone is refuted by its table."""
    for name in ("y.sign", "y.offset"):
        for amount in (1, -1):
            values = toy_values({IDS[name]: plus(IDS[name], amount)})
            assert rejected(values) == LOOKUP
    # q - 256 with sign and out of the saturated side: (h, sign) is a row, x is not what it says
    moved = {IDS["y.offset"]: plus(IDS["y.offset"], -256), IDS["y.sign"]: plus(IDS["y.sign"], 1)}
    assert rejected(toy_values(moved)) == LOOKUP


CONSTRAINTS = {
    "reshape": {"form"},
    "transpose": {"form"},
    "axis_map": {"form"},
    "combine": {"form"},
    "one_hot": {"form"},
    "matmul": {"product"},
    "conv": {"product"},
    "hadamard": {"product"},
    "requantise": {"lookup"},
    "divide": {"lookup", "product"},
    "square_root": {"lookup", "product"},
    "maximum": {"lookup", "zero check"},
    "range_check": {"lookup"},
}
"""What holds an operator's outputs: each is attacked, the last in `lies/test_weights.py`, where the registration is."""


def test_every_core_operator() -> None:
    """A near twin of every operator, for every kind of constraint that it has, is rejected by its own node's and no other."""
    shown: set[tuple[str, str]] = set()
    enclosed, pk = test_enclosed.circuit(), keys(toy())[0]
    for circuit, leaves in (
        (replace(varied(), preset=QUIET), {**quantise_inputs(varied().graph, sample(varied())), **varied().weights}),
        (toy(QUIET), leaves_of(pk, toy_input())),
        (enclosed, test_enclosed.leaves()),
        (test_one_hot.rows(), leaves_of(keys(test_one_hot.rows())[0], test_one_hot.IDS)),
    ):
        attack(circuit, leaves, range(len(circuit.graph.nodes)), shown)
    assert shown == {(kind, constraint) for kind in CONSTRAINTS for constraint in CONSTRAINTS[kind] if kind != "range_check"}
    assert set(CONSTRAINTS) == set(_REGISTRY)
