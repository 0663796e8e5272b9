"""Weights out of range, and weights that are not committed to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from soundness.attacks import registration
from soundness.attacks.attempt import Attempt, check_key
from soundness.lies.toys import IDS, rejected
from soundness.malicious import (
    Lie,
    as_cells,
    commit_cells,
    forged_registration,
    forgotten_registrations,
    fraction,
    honest,
    kernels,
    keys,
    leaves_of,
    run_graph,
)
from soundness.verdicts import LOOKUP, OPENING
from strategies import toy, toy_input

from ciro_zk.circuit.graph import as_field
from ciro_zk.errors import ProofRejected
from ciro_zk.field.extension import P
from ciro_zk.prover import committed_weights


@pytest.mark.parametrize("cell", [8, -9, -20, 1 << 40, fraction(1, 2), fraction(-1, 3), (P - 1) // 2])
def test_weight_out_of_range(cell: int) -> None:
    """The registration's range check: integers beyond the range, and field elements that are no small integers."""
    attempt = registration.forged_weights(cell)
    with pytest.raises(ProofRejected) as error:
        attempt()
    assert (error.value.stage, error.value.reason) == ("registration", ": ".join(LOOKUP))


@pytest.mark.parametrize("cell", [-8, 0, 7])
def test_weight_at_the_ends_of_its_range(cell: int) -> None:
    registration.forged_weights(cell)()


def test_weight_out_of_range_with_limbs() -> None:
    """Two limbs: the top one, virtual, is out of range, or the committed one is chosen to bring it back."""
    circuit = toy()
    pk, _ = keys(circuit)
    cells = as_cells(pk.weights)
    bias = IDS["bias"]
    for value in (1 << 15, -(1 << 15) - 1, fraction(1, 256)):
        cells[bias] = as_field(pk.weights[bias]).copy()
        cells[bias][0] = value % P
        committed = commit_cells(circuit.program, cells)
        program = circuit.program.registration
        assert program is not None
        limb = next(i for i, t in enumerate(program.graph.tensors) if t.name.endswith("limb0") and t.size == 4)

        def chosen(values: dict[int, Any], limb: int = limb, value: int = value) -> None:
            values[limb] = values[limb].copy()
            values[limb][0] = (value + (1 << 15) - 256 * 255) % P

        for lie in (None, Lie(cells=chosen)):
            vk = forged_registration(circuit.program, committed, cells, lie)
            with pytest.raises(ProofRejected) as error:
                Attempt(vk, honest(circuit, toy_input())[2])()
            assert error.value.stage == "statement"  # the honest proof is for other weights
            with pytest.raises(ProofRejected) as error, forgotten_registrations():
                check_key(vk)
            assert (error.value.stage, error.value.reason) == ("registration", ": ".join(LOOKUP))


def test_weights_that_are_not_committed_to() -> None:
    """The right root in the statement, other weights in the proof: their own tree does not lead to the root, the right tree's columns
    do not fold to their message."""
    pk, _ = keys(toy())
    weights = dict(pk.weights)
    weights[IDS["w2"]] = weights[IDS["w2"]] + 1
    other = commit_cells(toy().program, as_cells(weights))
    values = run_graph(toy().graph, leaves_of(pk, toy_input()) | weights)
    right = committed_weights(kernels(), pk)
    assert rejected(values, weights=other, root=right.root) == ("merkle", "level 0, oracle 0: the opening does not lead to the root")
    mixed = replace(right, cells=other.cells)
    assert rejected(values, weights=mixed, root=right.root) == OPENING
