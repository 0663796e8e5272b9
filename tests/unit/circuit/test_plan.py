"""The plan: the forms that prover and verifier derive are those of the leaves, and what breaks a rule is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciro_zk.circuit.claims import proof_shape, split_accumulators
from ciro_zk.circuit.graph import Graph, GraphBuilder
from ciro_zk.circuit.op import CircuitError, Column, CommitOp, Integers, Lookup, ZeroCheck
from ciro_zk.circuit.plan import Plan, eq_prefix, padded_vars, point_term, total_weight
from ciro_zk.circuit.segments import segments_of
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.field import arrays
from ciro_zk.field.extension import ONE, ZERO, Ext, P, total
from ciro_zk.kernels import plain_kernels
from ciro_zk.lookup.tables import Clamp, Range, Table
from ciro_zk.lookup.tables import Graph as GraphTable
from ciro_zk.ops import AxisMap, Combine, Conv, Hadamard, MatMul, Maximum, Requantise, Reshape, Transpose
from ciro_zk.poly.linear_form import Dense, Eq, Term, num_vars
from ciro_zk.prover import Proving, Witness
from tests.unit.circuit.random_circuits import random_circuit, random_leaves
from tests.unit.poly_forms.reference import (
    SEEDS,
    from_table,
    mle,
    pair,
    random_ext,
    random_point,
    random_table,
    spelled,
    spelled_eq,
    value_of,
)

KERNELS = plain_kernels()


# Sums of eq ----------------------------------------------------------------------------------------------------------------------------


@given(SEEDS, st.integers(1, 40))
def test_eq_prefix_is_the_sum(seed: int, length: int) -> None:
    point = random_point(np.random.default_rng(seed), num_vars(length))
    assert eq_prefix(point, length) == total(spelled_eq(point, length).tolist())


@given(SEEDS, st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple))
def test_the_weight_of_the_real_cells(seed: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    term = point_term(random_point(rng, padded_vars(shape)), shape).scaled(random_ext(rng))
    assert total_weight(term) == total(spelled(term).reshape(-1).tolist())


def test_the_weight_of_a_dense_group() -> None:
    rng = np.random.default_rng(0)
    term = Term((Dense(random_table(rng, 3)), Eq((), 1)), random_ext(rng))
    assert total_weight(term) == total(spelled(term).reshape(-1).tolist())


# The leaves ----------------------------------------------------------------------------------------------------------------------------


def leaves_by_definition(
    plan: Plan, cells: Mapping[int, np.ndarray], counts: Mapping[int, np.ndarray], alpha: Ext, beta: Ext
) -> dict[int, tuple[Ext, Ext]]:
    """(numerator, denominator) of every leaf in use, over Python integers."""
    found: dict[int, tuple[Ext, Ext]] = {}
    for segment in plan.segments:
        if segment.is_table:
            columns = [c.tolist() for c in plan.graph.tables[segment.index].columns()]
            table, numerators = segment.index, (-counts[segment.index]).tolist()
        else:
            lookup = plan.lookups[segment.index]
            columns = [
                sum((int(k) * cells[t].astype(object).reshape(-1) for t, k in column.terms), np.array(column.constant, dtype=object))
                for column in lookup.columns
            ]
            table, numerators = lookup.table, [1] * int(np.prod(segment.shape))
        for number, index in enumerate(np.ndindex(*segment.shape)):
            inner = [i - start for i, start in zip(index, segment.starts, strict=True)]
            if any(not 0 <= i < length for i, length in zip(inner, segment.lengths, strict=True)):
                continue
            run = inner.pop(segment.cut) if segment.cut is not None else 0
            lengths = [1 << num_vars(d) for axis, d in enumerate(segment.lengths) if axis != segment.cut]
            at = segment.offset + (run << segment.log_run) + (int(np.ravel_multi_index(inner, lengths)) if inner else 0)
            denominator, power = alpha - Ext(table + 1), beta
            for column in columns:
                denominator = denominator - power * (int(column[number]) % P)
                power = power * beta
            assert at not in found
            found[at] = Ext.from_int(int(numerators[number])), denominator
    return found


@settings(max_examples=25)
@given(SEEDS, st.booleans())
def test_the_leaves_and_their_forms(seed: int, divided: bool) -> None:
    """Leaves by definition, by the prover, and numerator and denominator at a random point by the plan's forms; of small circuits too with
    axes cut and split."""
    rng = np.random.default_rng(seed)
    circuit = random_circuit(seed, 2)
    plan, graph = circuit.program.plan, circuit.graph
    if divided:
        shapes, rows = [lookup.shape for lookup in plan.lookups], [table.num_rows for table in graph.tables]
        plan.__dict__["segments"] = segments_of(shapes, [True] * len(shapes), rows, 1)
    values = graph.run(random_leaves(circuit, rng))
    witness = Witness.of(KERNELS, plan, values)
    proving = Proving(circuit.program, None, KERNELS, None, witness)  # type: ignore[arg-type]
    alpha, beta = random_ext(rng), random_ext(rng)
    numerators, denominators = proving.leaves(alpha, beta)
    num, den = from_table(arrays.from_base(numerators)), from_table(denominators)
    counts = {i: witness.cells[plan.multiplicity(i)].astype(object) for i in range(len(graph.tables))}
    expected = leaves_by_definition(plan, values, counts, alpha, beta)
    for at in range(1 << plan.log_leaves):
        assert (num[at], den[at]) == expected.get(at, (ZERO, ONE))
    assert not total(n * d.inverse() for n, d in zip(num.tolist(), den.tolist(), strict=True))

    point = random_point(rng, plan.log_leaves)
    forms = plan.leaf_forms(point, beta)
    cells: dict[int, Any] = dict(values) | {plan.multiplicity(i): counts[i] for i in counts}
    assert mle(num, point) == forms.lookup_weight + value_of(forms.multiplicities, cells)
    tables = ZERO
    for index, term in forms.tables:
        for k, column in enumerate(graph.tables[index].columns()):
            tables = tables + power(beta, k + 1) * pair(spelled(term), column)
    denominator = ONE + (alpha - ONE) * forms.real_weight - forms.phi - value_of(forms.cells, cells) - tables
    assert mle(den, point) == denominator

    stored, accumulators = split_accumulators(plan, forms)
    apart = value_of(stored, cells) + total(a.scale * pair(spelled(a.term), cells[a.tensor]) for a in accumulators)
    assert apart == value_of(forms.cells, cells)
    assert all(a.term.coefficient == ONE for a in accumulators)
    assert all(graph.tensors[t].storage is not Storage.VIRTUAL for t, _ in stored)


def power(base: Ext, exponent: int) -> Ext:
    value = ONE
    for _ in range(exponent):
        value = value * base
    return value


@given(SEEDS)
def test_segments_are_aligned_apart_and_all_there(seed: int) -> None:
    plan = random_circuit(seed, 3).program.plan
    end = 0
    for segment in plan.segments:
        assert segment.offset % (1 << segment.log_run) == 0 and segment.offset == end
        end = segment.offset + segment.size
    assert 1 << plan.log_leaves >> 1 < max(end, 2) <= 1 << plan.log_leaves
    assert sorted(s.index for s in plan.segments if s.is_table) == list(range(len(plan.graph.tables)))
    assert {s.index for s in plan.segments if not s.is_table} == set(range(len(plan.lookups)))


@given(SEEDS)
def test_both_oracles_hold_what_is_stored(seed: int) -> None:
    """Weights in one, witness tensors and multiplicities in the other; nothing else."""
    plan = random_circuit(seed, 3).program.plan
    tensors = plan.graph.tensors
    assert set(plan.weight_layout.shapes) == set(plan.graph.weights)
    witness = {i for i, t in enumerate(tensors) if t.storage is Storage.WITNESS}
    assert set(plan.witness_layout.shapes) == witness | {len(tensors) + i for i in range(len(plan.graph.tables))}


@given(SEEDS)
def test_the_proof_shape_counts(seed: int) -> None:
    plan = random_circuit(seed, 3).program.plan
    shape = proof_shape(plan)
    assert shape.num_zero_checks == len(plan.zero_checks)
    assert shape.max_columns == max(len(lookup.columns) for lookup in plan.lookups) == plan.max_columns
    assert shape.num_claims == 2 + 2 * shape.num_products + sum(len(c.columns) for c in plan.zero_checks) + len(plan.graph.outputs)
    assert shape.num_vars == (plan.weight_layout.num_vars, plan.witness_layout.num_vars)


# Resolving -----------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(SEEDS)
def test_every_tensor_resolves_to_stored_cells_of_the_same_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    circuit = random_circuit(seed, 4)
    values = circuit.graph.run(random_leaves(circuit, rng))
    for i, tensor in enumerate(circuit.graph.tensors):
        if tensor.size > 300:
            continue
        term = point_term(random_point(rng, padded_vars(tensor.shape)), tensor.shape).scaled(random_ext(rng))
        pairs, constant = circuit.graph.resolve(i, term)
        assert all(circuit.graph.tensors[t].storage is not Storage.VIRTUAL for t, _ in pairs)
        assert value_of(pairs, values) + constant == pair(spelled(term), values[i])


@settings(max_examples=40)
@given(SEEDS)
def test_a_run_stays_in_the_inferred_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    circuit = random_circuit(seed, 5)
    for i, value in circuit.graph.run(random_leaves(circuit, rng)).items():
        tensor = circuit.graph.tensors[i]
        assert value.shape == tensor.shape
        assert tensor.low <= int(value.min()) and int(value.max()) <= tensor.high


# Refusals ------------------------------------------------------------------------------------------------------------------------------


def started() -> tuple[GraphBuilder, int, int]:
    """A builder with a range table, an identity table, an input `(2, 3, 4)` and a product of it."""
    b = GraphBuilder()
    b.table(Range(bits=8))
    b.table(GraphTable(function=Clamp(minimum=-8, maximum=7), low=-600, high=600))
    x = b.input("x", (2, 3, 4), low=-8, high=7, scale=1.0)
    w = b.weight("w", (2, 4, 5), low=-8, high=7)
    (acc,) = b.add(MatMul(inputs=(x, w)))
    return b, x, acc


def requantised(b: GraphBuilder, tensor: int) -> int:
    return b.add(Requantise(inputs=(tensor,), shift=0, tables=(1,), range_table=0))[0]


def refused(b: GraphBuilder) -> str:
    with pytest.raises(CircuitError) as caught:
        Plan(b.build()).validate()
    return str(caught.value)


def test_a_sound_graph_is_accepted() -> None:
    b, _, acc = started()
    b.output("y", requantised(b, acc), scale=1.0)
    Plan(b.build()).validate()


def test_an_accumulator_as_output() -> None:
    b, _, acc = started()
    requantised(b, acc)
    b.output("y", acc, scale=1.0)
    assert "used without requantisation" in refused(b)


def test_a_virtual_output_that_reads_an_accumulator() -> None:
    b, _, acc = started()
    y = requantised(b, acc)
    (z,) = b.add(Combine(inputs=(y, acc), coefficients=(1, 1)))
    b.output("z", z, scale=1.0)
    assert "used without requantisation" in refused(b)


@pytest.mark.parametrize("product", ["matmul", "hadamard", "conv"])
def test_an_accumulator_as_an_operand_of_a_product(product: str) -> None:
    b, _, acc = started()
    if product == "matmul":
        (again,) = b.add(MatMul(inputs=(acc, b.weight("v", (2, 5, 1), low=-8, high=7))))
    elif product == "hadamard":
        (again,) = b.add(Hadamard(inputs=(acc, acc)))
    else:
        (image,) = b.add(Reshape(inputs=(acc,), shape=(1, 1, 2, 3, 5)))
        kernel = b.weight("v", (1, 1, 2, 1, 1), low=-8, high=7)
        (again,) = b.add(Conv(inputs=(image, kernel), strides=(1, 1), pads_begin=(0, 0), pads_end=(0, 0), dilations=(1, 1)))
    b.tables[1] = GraphTable(function=Clamp(minimum=-8, maximum=7), low=-60000, high=60000)
    b.output("y", requantised(b, again), scale=1.0)
    assert "used without requantisation" in refused(b)


def test_an_accumulator_in_a_maximum() -> None:
    b, _, acc = started()
    y = requantised(b, acc)
    b.tables[0] = Range(bits=12)
    (top,) = b.add(Maximum(inputs=(y, acc), range_table=0))
    b.output("y", top, scale=1.0)
    assert "used without requantisation" in refused(b)


def test_an_accumulator_reshaped_before_its_requantisation() -> None:
    b, _, acc = started()
    (flat,) = b.add(Reshape(inputs=(acc,), shape=(30,)))
    b.output("y", requantised(b, flat), scale=1.0)
    assert "one vector per axis" in refused(b)


@pytest.mark.parametrize(
    "view",
    [
        Transpose(inputs=(0,), permutation=(2, 0, 1)),
        Reshape(inputs=(0,), shape=(2, 1, 3, 5)),
        AxisMap(inputs=(0,), axis=1, index=((0, 1), (2, 2)), weight=((1, 1), (1, -1))),
        Combine(inputs=(0,), coefficients=(3,), offset=5),
    ],
)
def test_views_of_an_accumulator_that_keep_its_axes_apart_are_accepted(view: Any) -> None:
    b, _, acc = started()
    (seen,) = b.add(replace(view, inputs=(acc,)))
    b.tables[1] = GraphTable(function=Clamp(minimum=-8, maximum=7), low=-2000, high=2000)
    b.output("y", requantised(b, seen), scale=1.0)
    Plan(b.build()).validate()


def test_no_lookup_at_all() -> None:
    b = GraphBuilder()
    b.output("x", b.input("x", (2,), low=0, high=1, scale=1.0), scale=1.0)
    assert "at least one lookup" in refused(b)


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom(CommitOp):
    """An operator with lookups and zero checks as given; not registered, so that no manifest can name it."""

    kind: ClassVar[str] = "custom"
    shape: tuple[int, ...]
    columns: tuple[tuple[str, ...], ...] = ()
    checks: tuple[str, ...] = ()
    lookup_shape: tuple[int, ...] | None = None

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        return (Tensor(name="free", shape=self.shape, storage=Storage.WITNESS, low=0, high=9, bounded_by="nothing"),)

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        return (np.zeros(self.shape, dtype=np.int64),)

    def interval(self, inputs: Sequence[tuple[Integers, Integers]], tables: Sequence[Table]) -> tuple[tuple[Integers, Integers], ...]:
        return ((np.zeros(self.shape, dtype=np.int64),) * 2,)

    def _column(self, name: str, outputs: Sequence[int]) -> Column:
        return Column(terms=(((outputs[0] if name == "out" else self.inputs[0]), 1),))

    def lookups(self, outputs: Sequence[int], inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Lookup, ...]:
        shape = self.lookup_shape or self.shape
        return tuple(Lookup(table=0, shape=shape, columns=tuple(self._column(n, outputs) for n in names)) for names in self.columns)

    def zero_checks(self, outputs: Sequence[int], inputs: Sequence[Tensor]) -> tuple[ZeroCheck, ...]:
        return tuple(ZeroCheck(shape=self.shape, columns=(self._column(name, outputs),)) for name in self.checks)


def custom(**settings: Any) -> GraphBuilder:
    b, x, acc = started()
    requantised(b, acc)
    (flat,) = b.add(Reshape(inputs=(x,), shape=(24,)))
    b.add(Custom(inputs=(flat,), shape=(24,), **settings))
    return b


def test_a_witness_tensor_that_no_lookup_bounds() -> None:
    """The range ledger: also a zero check alone bounds nothing by itself."""
    assert "no lookup bounds tensor" in refused(custom(columns=(("in",),)))
    assert "no lookup bounds tensor" in refused(custom(columns=(("in",),), checks=("out",)))
    Plan(custom(columns=(("out",),)).build()).validate()


def test_a_lookup_with_another_number_of_columns_than_its_table() -> None:
    assert "another number of columns" in refused(custom(columns=(("out", "out"),)))
    assert "another number of columns" in refused(custom(columns=((),)))


def test_a_lookup_or_zero_check_of_another_shape_than_its_tensors() -> None:
    assert "has shape (24,), not (4, 6)" in refused(custom(columns=(("out",),), lookup_shape=(4, 6)))


# Building ------------------------------------------------------------------------------------------------------------------------------


def test_the_builder_refuses_what_does_not_exist_or_fit() -> None:
    b, x, _ = started()
    with pytest.raises(CircuitError, match="does not exist yet"):
        b.add(Reshape(inputs=(99,), shape=(24,)))
    with pytest.raises(CircuitError, match="does not exist yet"):
        b.add(Reshape(inputs=(-1,), shape=(24,)))
    with pytest.raises(CircuitError, match="refers to no tensor"):
        b.output("y", 99, scale=1.0)
    with pytest.raises(CircuitError, match="not allowed"):
        b.weight("v", (), low=0, high=1)
    with pytest.raises(CircuitError, match="not allowed"):
        b.weight("v", (2, 0), low=0, high=1)
    with pytest.raises(CircuitError, match="not allowed"):
        b.input("v", (2,), low=1, high=0, scale=1.0)
    with pytest.raises(CircuitError, match="not allowed"):
        b.input("v", (2,), low=0, high=1 << 60, scale=1.0)
    with pytest.raises(CircuitError, match=r"more than 2\^30"):
        b.weight("v", (1 << 20, 1 << 11), low=0, high=1)
    b.output("y", x, scale=1.0)
    b.output("y", x, scale=1.0)
    with pytest.raises(CircuitError, match="must be distinct"):
        b.build()


def test_equal_tables_are_one_table() -> None:
    b = GraphBuilder()
    assert [b.table(Range(bits=3)), b.table(Range(bits=4)), b.table(Range(bits=3))] == [0, 1, 0]
    with pytest.raises(ValueError, match="1 to 18 bits"):
        b.table(Range(bits=40))


def test_a_leaf_has_no_producer() -> None:
    b, x, acc = started()
    graph: Graph = b.build()
    assert graph.producer(acc).outputs == (acc,)
    with pytest.raises(CircuitError, match="no producer"):
        graph.producer(x)


def test_point_terms_have_an_eq_per_axis() -> None:
    point = random_point(np.random.default_rng(0), 4)
    groups = point_term(point, (3, 1, 4)).groups
    assert [(g.point, g.length) for g in groups if isinstance(g, Eq)] == [(point[:2], 3), ((), 1), (point[2:], 4)]
    assert padded_vars((3, 1, 4)) == 4
