"""What fools a verifier that forgets a claim."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from soundness.attacks.argument import false_output_with, plus, toy_lie
from soundness.attacks.attempt import Attempt
from soundness.malicious import Claimed, Lie, Malicious, forge, kernels, keys, leaves_of, run_graph
from strategies import tensor_ids, toy, toy_input

from ciro_zk.field import arrays
from ciro_zk.field.extension import Ext
from ciro_zk.poly.rounds import halves


def forged_numerators(proving: Malicious, num: Any, den: Any) -> None:
    """Multiplicities chosen after alpha: the first table leaf gets the extension element that makes the sum vanish."""
    balance(proving, num, den, table=0)


def balance(proving: Malicious, num: Any, den: Any, table: int) -> None:
    """Change the numerator of one leaf of a table so that all fractions sum to zero."""
    plan = proving.plan
    segment = next(s for s in plan.segments if s.is_table and s.index == table)
    stack = halves(num, den)
    while stack.shape[2] > 1:
        stack = kernels().fraction_layer(stack)
    n_lo, n_hi, d_lo, d_hi = (arrays.get(table, 0) for table in stack)
    total = n_lo * d_lo.inverse() + n_hi * d_hi.inverse()
    change(num, segment.offset, arrays.get(num, segment.offset) - total * arrays.get(den, segment.offset))


def change(table: Any, index: int, value: Ext) -> None:
    """table[:, index] = value."""
    table[:, index] = (value.c0, value.c1)


@cache
def omitted_numerators() -> Attempt:
    """A false row, and multiplicities made up after alpha, to a verifier that forgets the numerators' claim."""
    return toy_lie({"relu.out": 1}, Lie(leaves=forged_numerators, omit={0}))


@cache
def omitted_denominators() -> Attempt:
    """A false row whose fraction is another's, to a verifier that forgets the denominators' claim."""
    pk, vk = keys(toy())
    ids = tensor_ids(toy())
    values = run_graph(toy().graph, leaves_of(pk, toy_input()), {ids["relu.out"]: plus(ids["relu.out"], 1)})
    rows = toy().graph.tables[1].num_rows

    def raised(cells: dict[int, Any]) -> None:
        m = toy().program.plan.multiplicity(1)
        cells[m] = cells[m].copy()
        cells[m][rows // 2] += np.uint64(1)

    def moved(proving: Malicious, num: Any, den: Any) -> None:
        plan = proving.plan
        table = next(s for s in plan.segments if s.is_table and s.index == 1)
        index = next(i for i, lookup in enumerate(plan.lookups) if lookup.table == 1)
        leaf = next(s for s in plan.segments if not s.is_table and s.index == index)
        change(den, leaf.offset, arrays.get(den, table.offset + rows // 2))

    return Attempt(vk, forge(pk, Claimed(values=values), Lie(count=False, cells=raised, leaves=moved, omit={1})))


@cache
def omitted_factor() -> Attempt:
    """A false accumulator with a factor value that makes up for it, to a verifier that forgets the factors' claims."""
    claims = toy().program.shape.num_claims
    return toy_lie({"conv": 256}, Lie(repair_products=True, omit=set(range(2, claims - 1))))


@cache
def omitted_output() -> Attempt:
    """A false output, to a verifier that forgets the outputs' claims."""
    claims = toy().program.shape.num_claims
    return false_output_with(Lie(omit={claims - 1}))
