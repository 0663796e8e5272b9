"""Rows of a table by public ids: other rows than those of the statement, other sums, another statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from soundness.malicious import Claimed, accepted, forge, keys, leaves_of, run_graph
from soundness.verdicts import OPENING, PRODUCTS
from strategies import QUIET, tensor_ids

from ciro_zk.circuit.graph import GraphBuilder
from ciro_zk.errors import ProofRejected
from ciro_zk.lookup.tables import Clamp, Range
from ciro_zk.lookup.tables import Graph as GraphTable
from ciro_zk.ops import MatMul, OneHot, Requantise, Reshape
from ciro_zk.program.circuit import Circuit

IDS = np.array([3, 0, 4, -1])


@cache
def rows() -> Circuit:
    """Rows of a table of 5 by 3, by 4 ids."""
    b = GraphBuilder()
    limbs = b.table(Range(bits=4))
    identity = b.table(GraphTable(function=Clamp(minimum=-40, maximum=40), low=-40, high=40))
    ids = b.input("ids", (4,), low=-5, high=6, scale=1.0)
    w = b.weight("w", (1, 5, 3), low=-8, high=7)
    (hot,) = b.add(OneHot(inputs=(ids,), length=5), "hot")
    (flat,) = b.add(Reshape(inputs=(hot,), shape=(1, 4, 5)), "flat")
    (acc,) = b.add(MatMul(inputs=(flat, w)), "acc")
    y, *_ = b.add(Requantise(inputs=(acc,), shift=0, tables=(identity,), range_table=limbs), "y")
    b.output("y", y, scale=1.0)
    return Circuit(b.build(), {w: np.arange(15).reshape(1, 5, 3) - 8}, "rows", 4, preset=QUIET)


def verdict(overrides: Mapping[str, Callable[[Mapping[int, Any]], Any]], ids: Any = IDS) -> tuple[str, str]:
    """Of a proof for `IDS` with some tensors overridden, or for a statement of other ids."""
    pk, vk = keys(rows())
    names = tensor_ids(rows())
    values = run_graph(rows().graph, leaves_of(pk, IDS), {names[name]: of for name, of in overrides.items()})
    values = values | {rows().graph.inputs[0].tensor: np.asarray(ids, dtype=np.int64)}
    try:
        accepted(vk, forge(pk, Claimed(values=values)))
    except ProofRejected as error:
        return error.stage, error.reason
    return "accepted", ""


def test_the_honest_one_is_accepted() -> None:
    assert verdict({}) == ("accepted", "")


@pytest.mark.parametrize("row", [0, 3])
def test_another_row(row: int) -> None:
    """The table's row of another id, and everything after it honest: the verifier knows the ids."""

    def other(values: Mapping[int, Any]) -> Any:
        hot = np.array(values[tensor_ids(rows())["hot"]])
        hot[row] = np.roll(hot[row], 1)
        return hot

    assert verdict({"hot": other}) == OPENING


@pytest.mark.parametrize("wrong", [lambda hot: 2 * hot, lambda hot: 0 * hot, lambda hot: 1 - hot, lambda hot: hot[::-1]])
def test_rows_that_are_not_one_hot(wrong: Callable[[Any], Any]) -> None:
    assert verdict({"hot": lambda values: wrong(values[tensor_ids(rows())["hot"]])}) == OPENING


def test_another_sum() -> None:
    name = tensor_ids(rows())["acc"]
    assert verdict({"acc": lambda values: values[name] + (np.arange(12).reshape(1, 4, 3) == 7)}) == PRODUCTS


@pytest.mark.parametrize("ids", [[3, 0, 4, 3], [0, 3, 4, -1], [3, 0, 5, -1], [3, 0, 4, -5]])
def test_a_statement_of_other_ids(ids: list[int]) -> None:
    assert verdict({}, ids) == OPENING


def test_ids_that_name_the_same_row_are_another_statement_of_the_same_rows() -> None:
    """-1 and 4 are the last row: both statements are true, but a proof is of one."""
    assert verdict({}, [3, 0, 4, 4]) == ("accepted", "")
