"""The lookup argument: multiplicities, rows of other tables, padding leaves, fractions made up after the challenges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from soundness.attacks import argument, claims
from soundness.attacks.argument import plus
from soundness.attacks.claims import change
from soundness.lies.toys import BIASED, IDS, rejected, toy_values
from soundness.malicious import Lie, Malicious
from soundness.verdicts import LOOKUP, OPENING
from strategies import ABS, toy

from ciro_zk.errors import ProofRejected
from ciro_zk.field import arrays
from ciro_zk.field.extension import Ext, P
from ciro_zk.lookup.tables import round_shift


def multiplicity(table: int) -> int:
    return toy().program.plan.multiplicity(table)


@pytest.mark.parametrize("table", range(5))
@pytest.mark.parametrize("changes", [{0: 1}, {0: -1}, {1: 1, 2: -1}, {0: 7, 3: P - 7}, {4: (P - 1) // 2, 5: (P + 1) // 2}])
def test_forged_multiplicities(table: int, changes: Mapping[int, int]) -> None:
    """Of rows looked up, of rows not looked up, and changes that cancel modulo p."""

    def edit(cells: dict[int, Any]) -> None:
        m = multiplicity(table)
        cells[m] = cells[m].copy()
        for row, amount in changes.items():
            cells[m][row] = (int(cells[m][row]) + amount) % P

    stage_reason = rejected(toy_values(), Lie(cells=edit, count=False))
    assert stage_reason == LOOKUP


@pytest.mark.parametrize("layers", [1, 6, 11])
def test_false_row_hidden_from_the_first_layers(layers: int) -> None:
    with pytest.raises(ProofRejected) as error:
        argument.false_row(layers)()
    assert (error.value.stage, error.value.reason, error.value.round) == (*LOOKUP, layers)


def test_false_row_hidden_from_all_layers() -> None:
    with pytest.raises(ProofRejected) as error:
        argument.false_row(12)()
    assert (error.value.stage, error.value.reason) == OPENING


def leaf_of(proving: Malicious, table: int, number: int = 0) -> Any:
    """The segment of a table's lookup."""
    found = [i for i, lookup in enumerate(proving.plan.lookups) if lookup.table == table]
    return next(s for s in proving.plan.segments if not s.is_table and s.index == found[number])


def test_another_tables_row() -> None:
    """(q, |q|) is a row of table 4, not of relu's table 1. The honest id is in no table; the wrong id is not the verifier's."""

    def absolute(values: Mapping[int, Any]) -> Any:
        return ABS(round_shift(values[BIASED], 8))

    values = toy_values({IDS["relu.out"]: absolute})
    assert rejected(values) == LOOKUP

    def counted(cells: dict[int, Any]) -> None:
        """The lookups of relu are counted in the other table."""
        q = round_shift(values[BIASED], 8).reshape(-1)
        cells[multiplicity(1)] = np.zeros(601, dtype=np.uint64)
        cells[multiplicity(4)] = cells[multiplicity(4)] + np.bincount(q + 300, minlength=601).astype(np.uint64)

    def moved(proving: Malicious, num: Any, den: Any) -> None:
        segment = leaf_of(proving, 1)
        for i in range(segment.offset, segment.offset + segment.size):
            change(den, i, arrays.get(den, i) - Ext(3))  # alpha - 5 - ... in place of alpha - 2 - ...

    assert rejected(values, Lie(cells=counted, count=False, leaves=moved)) == OPENING


def test_padding_leaves_used() -> None:
    """A false row is cancelled by a fraction in a leaf that belongs to no cell."""

    def cancelled(proving: Malicious, num: Any, den: Any) -> None:
        used = np.zeros(num.shape[1], dtype=bool)
        for segment in proving.plan.segments:
            used[segment.offset : segment.offset + segment.size] = True
        segment = leaf_of(proving, 1)
        free = int(np.nonzero(~used)[0][0])
        change(num, free, Ext(P - 1))
        change(den, free, arrays.get(den, segment.offset))

    values = toy_values({IDS["relu.out"]: plus(IDS["relu.out"], 1)})
    assert rejected(values, Lie(leaves=cancelled)) == OPENING


def test_fractions_of_cells_that_are_not_committed() -> None:
    """Numerators or denominators made up after the challenges: their forms do not open."""
    for attempt in (claims.omitted_numerators(), claims.omitted_denominators()):
        with pytest.raises(ProofRejected) as error:
            replace(attempt, proof=attempt.proof)()
        assert (error.value.stage, error.value.reason) == OPENING


def test_zero_denominator() -> None:
    with pytest.raises(ProofRejected) as error:
        argument.zero_denominator()()
    assert (error.value.stage, error.value.reason) == ("lookup", "the product of all denominators is zero")
    # without any luck with alpha: a root denominator of zero is simply said
    assert rejected(toy_values(), Lie(messages={("root denominator", 0): lambda data: bytes(16)})) == (
        "lookup",
        "the product of all denominators is zero",
    )
