"""Keys whose weights are out of range, and a key with bytes nobody reads."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from soundness.attacks.attempt import Attempt
from soundness.malicious import (
    Claimed,
    Lie,
    as_cells,
    commit_cells,
    forge,
    forged_registration,
    fraction,
    honest,
    keys,
    leaves_of,
    run_field,
)
from strategies import tensor_ids, tiny, two_ports

from ciro_zk.field.extension import P


def forged_weights(cell: int, lie: Lie | None = None) -> Attempt:
    """A model whose weights are all the field element `cell`: registered as if in range, then used in an otherwise honest proof."""
    circuit = tiny()
    program, graph = circuit.program, circuit.graph
    w = tensor_ids(circuit)["w"]
    cells = {w: np.full(12, cell % P, dtype=np.uint64)}
    committed = commit_cells(program, cells)
    vk = forged_registration(program, committed, cells, lie)
    pk, _ = keys(circuit)
    leaves = as_cells(leaves_of(pk, np.array([[[-8, 2, 4, 0]]]))) | cells
    return Attempt(vk, forge(pk, Claimed(values=run_field(graph, leaves), weights=committed)))


@cache
def weights_too_large() -> Attempt:
    """Weights of 20 where 7 is the greatest."""
    return forged_weights(-20)


@cache
def weights_fractional() -> Attempt:
    """Weights of 1/2, which no integer model has."""
    return forged_weights(fraction(1, 2))


@cache
def registration_of_nothing() -> Attempt:
    """A key of a model without weights that carries bytes nobody reads: a second key of the same model."""
    x = np.arange(-3, 3).reshape(2, 3)
    _, vk, proof = honest(two_ports(), x, x[::-1])
    return Attempt(replace(vk, registration=b"anything"), proof)
