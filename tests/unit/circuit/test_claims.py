"""The claim ledger holds each claim exactly once, and product instances add up to their claims."""

from __future__ import annotations

from functools import reduce
from operator import mul

import numpy as np
import pytest
from hypothesis import given, settings

from ciro_zk.circuit.claims import (
    ClaimLedger,
    factor_forms,
    output_form,
    product_instances,
    split_accumulators,
    tau_length,
)
from ciro_zk.circuit.graph import GraphBuilder, as_field
from ciro_zk.circuit.plan import Plan, padded_vars, point_term
from ciro_zk.errors import ProofRejected
from ciro_zk.field.extension import ZERO, Ext, total
from ciro_zk.kernels import plain_kernels
from ciro_zk.lookup.tables import Range
from ciro_zk.ops import Maximum
from tests.unit.circuit.random_circuits import random_circuit, random_leaves
from tests.unit.poly_forms.reference import SEEDS, from_table, mle, pair, random_ext, random_point, spelled, spelled_eq, value_of

KERNELS = plain_kernels()


def test_claims_are_taken_in_the_order_they_were_entered() -> None:
    ledger = ClaimLedger()
    ledger.add("b", (), Ext(1))
    ledger.add("a", (), Ext(2))
    assert [claim.name for claim in ledger.take(2)] == ["b", "a"]


def test_a_claim_entered_twice() -> None:
    ledger = ClaimLedger()
    ledger.add("a", (), ZERO)
    with pytest.raises(ProofRejected, match="'a' is entered twice") as caught:
        ledger.add("a", (), ZERO)
    assert caught.value.stage == "ledger"


def test_claims_missing_left_over_or_taken_twice() -> None:
    ledger = ClaimLedger()
    ledger.add("a", (), ZERO)
    for expected in (0, 2):
        with pytest.raises(ProofRejected, match="missing or taken twice"):
            ledger.take(expected)
    assert len(ledger.take(1)) == 1
    with pytest.raises(ProofRejected, match="missing or taken twice"):
        ledger.take(1)
    with pytest.raises(ProofRejected, match="too late"):
        ledger.add("b", (), ZERO)


@settings(max_examples=25)
@given(SEEDS)
def test_instances_sum_to_their_claims_and_reduce_to_forms(seed: int) -> None:
    """Products to their accumulators, zero checks under eq to zero; every factor's table extends to its form."""
    rng = np.random.default_rng(seed)
    circuit = random_circuit(seed, 3)
    plan = circuit.program.plan
    values = circuit.graph.run(random_leaves(circuit, rng))
    cells = {i: as_field(value) for i, value in values.items()}
    forms = plan.leaf_forms(random_point(rng, plan.log_leaves), random_ext(rng))
    claims = split_accumulators(plan, forms)[1]
    tau = random_point(rng, tau_length(plan))
    instances = product_instances(plan, claims, tau)
    assert len(instances) == len(claims) + len(plan.zero_checks)
    for i, instance in enumerate(instances):
        tables = [from_table(factor.table(KERNELS, cells)) for factor in instance.factors]
        point = random_point(rng, instance.num_vars)
        for factor, table, (form, constant) in zip(instance.factors, tables, factor_forms(plan, instance, point), strict=True):
            assert factor.num_vars == instance.num_vars
            assert mle(table, point) == value_of(form, values) + constant
        if instance.eq_point is not None:
            assert instance.eq_point == tau[len(tau) - instance.num_vars :]
            tables.append(spelled_eq(instance.eq_point, 1 << instance.num_vars))
        expected = pair(spelled(claims[i].term), values[claims[i].tensor]) if i < len(claims) else ZERO
        assert total(reduce(mul, tables).tolist()) == expected


def test_zero_checks_of_several_sizes_share_the_end_of_one_point() -> None:
    b = GraphBuilder((Range(bits=5),))
    for shape in ((3, 5), (2,), (1,)):
        x, y = (b.input(f"{name}{shape}", shape, low=-8, high=7, scale=1.0) for name in "xy")
        b.add(Maximum(inputs=(x, y), range_table=0))
    plan = Plan(b.build())
    tau = random_point(np.random.default_rng(0), tau_length(plan))
    assert len(tau) == 5
    assert [instance.eq_point for instance in product_instances(plan, (), tau)] == [tau, tau[4:], ()]


@settings(max_examples=25)
@given(SEEDS)
def test_output_forms(seed: int) -> None:
    rng = np.random.default_rng(seed)
    circuit = random_circuit(seed, 3)
    values = circuit.graph.run(random_leaves(circuit, rng))
    for i, port in enumerate(circuit.graph.outputs):
        shape = circuit.graph.tensors[port.tensor].shape
        point = random_point(rng, padded_vars(shape))
        form, constant = output_form(circuit.program.plan, i, point)
        assert value_of(form, values) + constant == pair(spelled(point_term(point, shape)), values[port.tensor])
