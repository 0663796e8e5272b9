"""Quotients and remainders: other roundings, remainders out of range, quotients that are right modulo p only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from soundness.attacks.argument import plus
from soundness.lies.toys import BIASED, IDS, rejected, toy_values
from soundness.malicious import Claimed, Lie, accepted, forge, fraction, keys, leaves_of, run_graph
from soundness.verdicts import LOOKUP
from strategies import RELU, tensor_ids, tiny, tiny_input

from ciro_zk.circuit.graph import as_field
from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import round_shift


def rounding(tensor: int, q_of: Callable[[Any], Any], shift: int, source: int) -> dict[int, Callable[[Mapping[int, Any]], Any]]:
    """relu's out and rem for another q, consistent in x + 2^(s-1) = 2^s q + rem."""
    return {
        tensor: lambda values: RELU(q_of(values[source])),
        tensor + 1: lambda values: values[source] + (1 << (shift - 1)) - (q_of(values[source]) << shift),
    }


@pytest.mark.parametrize(
    "q_of",
    [
        lambda x: round_shift(x, 8) + 1,
        lambda x: round_shift(x, 8) - 1,
        lambda x: x >> 8,  # floor instead of half up
        lambda x: -(-x >> 8),  # ceiling
        lambda x: np.trunc(x / 256).astype(np.int64),
    ],
    ids=["up", "down", "floor", "ceiling", "truncate"],
)
def test_wrong_rounding(q_of: Callable[[Any], Any]) -> None:
    """q, rem and out agree with each other, but rem leaves [0, 2^s)."""
    assert rejected(toy_values(rounding(IDS["relu.out"], q_of, 8, BIASED))) == LOOKUP


@pytest.mark.parametrize("tie", [4, 12, 20, -4, -12, -20])
def test_half_goes_up(tie: int) -> None:
    """A tie is proven to go up, for negatives too; the other side of it (half down, half to even, away from zero) is refuted."""
    pk, vk = keys(tiny())
    ids = tensor_ids(tiny())
    inputs = np.stack(np.meshgrid(*[np.arange(-8, 8)] * 4), axis=-1).reshape(-1, 1, 1, 4)
    sums = inputs @ pk.weights[ids["w"]]
    x = inputs[np.argmax((sums[:, 0, 0, 0] == tie) & (np.abs(sums) < 400).all(axis=(1, 2, 3)))]
    values = run_graph(tiny().graph, leaves_of(pk, x))
    assert values[ids["dense"]][0, 0, 0] == tie
    assert values[ids["relu.rem0"]][0, 0, 0] == 0
    assert accepted(vk, forge(pk, Claimed(values=values))).integer_outputs["y"][0, 0, 0] == np.clip((tie + 4) // 8, 0, 7)
    values[ids["relu.out"]][0, 0, 0] = np.clip((tie - 4) // 8, 0, 7)
    values[ids["relu.rem0"]][0, 0, 0] = 8
    with pytest.raises(ProofRejected) as error:
        accepted(vk, forge(pk, Claimed(values=values)))
    assert (error.value.stage, error.value.reason) == LOOKUP


@pytest.mark.parametrize("amount", [1 << 8, -(1 << 8), 1 << 40])
def test_remainder_out_of_range(amount: int) -> None:
    """rem + 2^s k with q - k: the same sum."""

    def out(values: Mapping[int, Any]) -> Any:
        q = round_shift(values[BIASED], 8).copy()
        q.reshape(-1)[0] -= amount >> 8
        return RELU(q)

    overrides = {IDS["relu.out"]: out, IDS["relu.rem0"]: plus(IDS["relu.rem0"], amount)}
    assert rejected(toy_values(overrides)) == LOOKUP


def tiny_cells(edit: Callable[[dict[int, Any]], None]) -> tuple[str, str]:
    """The rejection of a tiny proof whose cells (field elements) were edited."""
    pk, vk = keys(tiny())
    values = run_graph(tiny().graph, leaves_of(pk, tiny_input()))
    with pytest.raises(ProofRejected) as error:
        accepted(vk, forge(pk, Claimed(values=values), Lie(cells=edit)))
    return error.value.stage, error.value.reason


def with_q(q: int) -> Callable[[dict[int, Any]], None]:
    """The first cell's rem solved in the field for a q of choice, out to match: rem = x + 4 - 8 q mod p."""
    ids = tensor_ids(tiny())

    def edit(cells: dict[int, Any]) -> None:
        x = int(cells[ids["dense"]][0])
        cells[ids["relu.rem0"]] = cells[ids["relu.rem0"]].copy()
        cells[ids["relu.rem0"]][0] = (x + 4 - 8 * q) % P
        cells[ids["relu.out"]] = cells[ids["relu.out"]].copy()
        cells[ids["relu.out"]][0] = min(max(q if q < P // 2 else q - P, 0), 7)

    return edit


@pytest.mark.parametrize("q", [P // 8, P // 8 + 1, (P + 1) // 2, P // 16, 3 * P // 8, fraction(1, 8), fraction(-3, 8), fraction(1, 3)])
def test_q_shifted_by_p_over_a_power_of_two(q: int) -> None:
    """x + 2^(s-1) = 2^s q + rem holds modulo p for many q; one of (q, out) and rem is always out of its table."""
    assert tiny_cells(with_q(q)) == LOOKUP


@pytest.mark.parametrize("limb", [fraction(1, 2), fraction(3, 2), fraction(1, 8), P - 1, 1 << 32])
def test_limb_that_is_no_small_integer(limb: int) -> None:
    """The lowest limb is looked up times 2^(B-t): a multiple of a half is in the range table, but then q is none."""
    ids = tensor_ids(tiny())

    def edit(cells: dict[int, Any]) -> None:
        cells[ids["relu.rem0"]] = cells[ids["relu.rem0"]].copy()
        cells[ids["relu.rem0"]][0] = limb

    assert tiny_cells(edit) == LOOKUP


@pytest.mark.parametrize("factor", [1, -1, 2])
def test_overflow_by_p(factor: int) -> None:
    """out = y + p has no encoding of its own: y + p is y as a cell, and 2^64 - p more as a word, which is refused."""
    ids = tensor_ids(tiny())
    pk, vk = keys(tiny())
    values = run_graph(tiny().graph, leaves_of(pk, np.zeros((1, 1, 4), dtype=np.int64)))
    cells = {i: as_field(v) for i, v in values.items()}
    word = (int(cells[ids["relu.out"]][0]) + factor * P) % (1 << 64)
    if word >= P:
        lie = Lie(codewords=lambda codewords: np.where(codewords == 0, np.uint64(P), codewords))
        with pytest.raises(ProofFormatError) as error:
            accepted(vk, forge(pk, Claimed(values=values), lie))
        assert error.value.field == "columns"
    else:

        def edit(cells: dict[int, Any]) -> None:
            cells[ids["relu.out"]] = cells[ids["relu.out"]].copy()
            cells[ids["relu.out"]][0] = word

        assert tiny_cells(edit) == LOOKUP
