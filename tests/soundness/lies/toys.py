"""Lies about the toy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from soundness.malicious import Claimed, Lie, accepted, forge, keys, leaves_of, run_graph
from strategies import tensor_ids, toy, toy_input

from ciro_zk.circuit.graph import Graph
from ciro_zk.errors import ProofRejected

IDS = tensor_ids(toy())


BIASED = IDS["relu.out"] - 1


def toy_values(overrides: Mapping[int, Callable[[Mapping[int, Any]], Any]] | None = None, graph: Graph | None = None) -> dict[int, Any]:
    pk, _ = keys(toy())
    return run_graph(graph or toy().graph, leaves_of(pk, toy_input()), overrides)


def rejected(values: Mapping[int, Any], lie: Lie | None = None, **claimed: Any) -> tuple[str, str]:
    """Stage and reason of the rejection of a toy proof."""
    pk, vk = keys(toy())
    with pytest.raises(ProofRejected) as error:
        accepted(vk, forge(pk, Claimed(values=values, **claimed), lie))
    return error.value.stage, error.value.reason
