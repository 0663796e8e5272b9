"""The claims of a proof and the forms they are about, in the one order that prover and verifier follow.

A *form* here is a tuple of (tensor id, term) pairs on stored tensors (inputs, weights, witness, multiplicities); a
claim is a form with its value. The ledger holds each claim exactly once: verification fails if one is added twice, left
over or taken twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ciro_zk.circuit.factor import Factor
from ciro_zk.circuit.plan import LeafForms, Plan, padded_vars, point_term
from ciro_zk.circuit.tensor import Storage
from ciro_zk.errors import ProofRejected
from ciro_zk.field.extension import ONE, ZERO, Ext
from ciro_zk.poly.linear_form import Group, Term
from ciro_zk.security import ProofShape

Form = tuple[tuple[int, Term], ...]
WEIGHTS, WITNESS = 0, 1
"""The oracles, in the order of the opening."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The form eq(point, .) on all cells of an oracle, those of no tensor too: its value is a sample out of the code's domain."""

    oracle: int
    point: tuple[Ext, ...]


@dataclass(frozen=True, slots=True)
class AccumulatorClaim:
    """<term, accumulator> where term has coefficient 1; it enters the denominator's form `scale` times."""

    tensor: int
    term: Term
    scale: Ext


@dataclass(frozen=True, slots=True)
class ProductInstance:
    """sum_x [eq(tau, x)] prod_j factors[j](x) = its accumulator claim's value, or 0 for a zero check (which has the eq factor)."""

    factors: tuple[Factor, ...]
    eq_point: tuple[Ext, ...] | None
    num_vars: int


def split_accumulators(plan: Plan, forms: LeafForms) -> tuple[Form, tuple[AccumulatorClaim, ...]]:
    """The denominator's cells, accumulators apart."""
    stored, claims = [], []
    for tensor, term in forms.cells:
        if plan.graph.tensors[tensor].storage is Storage.ACCUMULATOR:
            claims.append(AccumulatorClaim(tensor, Term(term.groups), term.coefficient))
        else:
            stored.append((tensor, term))
    return tuple(stored), tuple(claims)


def product_instances(plan: Plan, claims: Sequence[AccumulatorClaim], tau: Sequence[Ext]) -> tuple[ProductInstance, ...]:
    """One instance per accumulator claim, then one per zero check."""
    instances = []
    for claim in claims:
        op = plan.graph.product(claim.tensor)
        factors = op.factors(claim.term, plan.graph.input_tensors(op))
        instances.append(ProductInstance(factors, None, factors[0].num_vars))
    for check in plan.zero_checks:
        columns = tuple(plan.check_factor(check, column) for column in check.columns)
        num_vars = padded_vars(check.shape)
        instances.append(ProductInstance(columns, tuple(tau[len(tau) - num_vars :]), num_vars))
    return tuple(instances)


def tau_length(plan: Plan) -> int:
    """Variables of the zero checks' common point."""
    return max([0, *(padded_vars(check.shape) for check in plan.zero_checks)])


def factor_forms(plan: Plan, instance: ProductInstance, point: Sequence[Ext]) -> list[tuple[Form, Ext]]:
    """For each factor of an instance the form whose value, plus the constant, is the factor at `point`."""
    found = []
    term: Term | None = None
    for factor in instance.factors:
        if term is None or instance.eq_point is None:  # a zero check's factors are all seen alike
            term = factor.term(point)
        pairs: list[tuple[int, Term]] = []
        constant = factor.constant_in(term)
        for tensor, pulled in factor.forms(term):
            resolved, offset = plan.graph.resolve(tensor, pulled)
            pairs.extend(resolved)
            constant = constant + offset
        found.append((tuple(pairs), constant))
    return found


def output_form(plan: Plan, output: int, point: Sequence[Ext]) -> tuple[Form, Ext]:
    """The form whose value, plus the constant, is an output tensor at `point`."""
    tensor = plan.graph.outputs[output].tensor
    return plan.graph.resolve(tensor, point_term(point, plan.graph.tensors[tensor].shape))


def batched(forms: Sequence[Form], coefficients: Sequence[Ext]) -> Form:
    """sum_i coefficients[i] forms[i]; a tensor's terms on the same groups become one."""
    sums: dict[tuple[int, tuple[Group, ...]], Ext] = {}
    for form, coefficient in zip(forms, coefficients, strict=True):
        for tensor, term in form:
            key = tensor, term.groups
            sums[key] = sums.get(key, ZERO) + coefficient * term.coefficient
    return tuple((tensor, Term(groups, value)) for (tensor, groups), value in sums.items())


@dataclass(frozen=True, slots=True)
class Claim:
    """A form and its value."""

    name: str
    form: Form | Sample
    value: Ext


class ClaimLedger:
    """Claims on stored tensors, each held exactly once until they are taken for the opening."""

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._taken = False

    def add(self, name: str, form: Form | Sample, value: Ext) -> None:
        """Enter a claim; `ProofRejected` for a second one of the same name, or after the ledger was taken."""
        if name in self._claims or self._taken:
            raise ProofRejected(stage="ledger", reason=f"claim {name!r} is entered twice or too late")
        self._claims[name] = Claim(name, form, value)

    def take(self, expected: int) -> tuple[Claim, ...]:
        """All claims, once; `ProofRejected` unless they are as many as the plan has."""
        if self._taken or len(self._claims) != expected:
            raise ProofRejected(stage="ledger", reason="claims are missing or taken twice", expected=expected, actual=len(self._claims))
        self._taken = True
        return tuple(self._claims.values())


def proof_shape(plan: Plan) -> ProofShape:
    """The sizes that the proof's soundness depends on; also runs every operator's reduction once on a dummy point."""
    claims = split_accumulators(plan, plan.leaf_forms([ONE + ONE] * plan.log_leaves, ONE))[1]
    instances = product_instances(plan, claims, [ONE + ONE] * tau_length(plan))
    return ProofShape(
        log_leaves=plan.log_leaves,
        max_columns=plan.max_columns,
        product_rounds=max([0, *(instance.num_vars for instance in instances)]),
        product_degree=plan.max_degree,
        num_products=len(claims),
        num_zero_checks=len(plan.zero_checks),
        num_claims=2 + sum(len(instance.factors) for instance in instances) + len(plan.graph.outputs),
        num_vars=(plan.weight_layout.num_vars, plan.witness_layout.num_vars),
    )
