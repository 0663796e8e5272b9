"""The counts of a proof from its program alone: closed formulas, phase by phase. A test asserts that a proof makes exactly these calls.

Two numbers are drawn by the transcript and not the program's: the distinct query positions of each code (at most its queries) and the
nonces tried by each proof of work. `Drawn` holds them; without it the formulas take every position distinct and 2^bits nonces.

    leaves    of C columns or, in a lookup, tensors: leaf_term 2 C cells base per segment
    tree      leaf_layer 2 2^L base and 2^(L-1) extension, fraction_layer 3 (2^(L-1) - 2) extension
    layer k   k rounds: fraction_round 8 (2^k - 1) + 2 (2^cut - 1 + floor(k/2)), fold_stack 4 (2^k - 1) extension, cut = ceil(k/2);
              of the leaves, k = L - 1, the first round is instead leaf_round 2^L base, 3 2^k + 2^cut extension, and fold_leaves 2^L base,
              2^k extension
    product   n variables, d factors: outer 2^n, product_round (d^2 - 1)(2^n - 1), fold_stack d (2^n - 1) extension
    rounds    r rounds on 2^v cells: inner_product T, fold_stack T extension, sub 2 T, T = 2^(v + 1) - 2^(v - r + 1); of base cells the
              claim and the first round are instead 3 2^v + 2^v base, 2^(v - 1) extension
    queries   q points, c columns, l = floor(c/2), h = c - l: q (2^l + 2^h - 2 + c) + 2 q 2^l + 2 q 2^c base
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from ciro_zk.circuit.claims import Form, ProductInstance, factor_forms, output_form, product_instances, split_accumulators, tau_length
from ciro_zk.circuit.factor import Factor
from ciro_zk.circuit.layout import Layout
from ciro_zk.circuit.plan import Plan, padded_vars
from ciro_zk.commitment.params import Code
from ciro_zk.commitment.prover import CODE_BLOCK, FOLD_BLOCK, LOG_FOLD_BLOCK
from ciro_zk.field.extension import ONE, Ext
from ciro_zk.poly.linear_form import Eq, Group, Term
from ciro_zk.profile.work import NODE_INPUT_BYTES, Work, contract_work, encode_work, grind_work
from ciro_zk.program.program import Program

Counts = dict[tuple[str, str], Work]
"""By phase and kernel."""

WITNESS, COMMIT, LOOKUPS, PRODUCTS, OPENING = PHASES = ("witness", "commit", "lookups", "products", "opening")
_DUMMY = ONE + ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What one proof's transcript drew."""

    positions: tuple[int, ...]
    """Distinct positions, level by level, oracle by oracle."""
    attempts: tuple[int, ...]
    """Nonces tried by each proof of work, in order."""

    @staticmethod
    def expected(program: Program) -> Drawn:
        """All positions distinct, 2^bits nonces."""
        params, bits = program.params, [program.lookup_grinding_bits]
        for level in range(len(params.levels)):
            bits += [params.fold_grinding_bits] * params.fold_rounds(level) + [params.grinding_bits]
        positions = tuple(oracle.code.num_queries for level in params.levels for oracle in level)
        return Drawn(positions=positions, attempts=tuple(1 << b for b in bits if b))


class _Tally:
    def __init__(self) -> None:
        self.phase = ""
        self.counts: dict[tuple[str, str], Work] = defaultdict(Work)

    def add(self, kernel: str, calls: int, *, base: int = 0, ext: int = 0, adds: int = 0, hashed: int = 0) -> None:
        if calls:
            self.add_work(kernel, Work(calls=calls, base=base, ext=ext, adds=adds, hashed=hashed))

    def add_work(self, kernel: str, work: Work) -> None:
        self.counts[self.phase, kernel] += work


def counts(program: Program, drawn: Drawn | None = None) -> Counts:
    """The kernel calls of one proof of `program` (a batch's: `program.batched(n)`), by phase and kernel."""
    drawn = drawn or Drawn.expected(program)
    structure = Structure.of(program)
    tally = _Tally()
    tally.phase = WITNESS
    for lookup in program.plan.lookups:
        for column in lookup.columns:
            _combine(tally, column.terms, column.constant, prod(lookup.shape))
    tally.phase = COMMIT
    oracle = program.params.oracles[1]
    _commit(tally, 1 << oracle.row_vars, oracle.code)
    if program.params.is_sampled:
        split = max(oracle.num_vars - LOG_FOLD_BLOCK, 0)
        tally.add("eq_table", 2, ext=(1 << oracle.num_vars - split) - 1 + (1 << split) - 1)
        tally.add("inner_product_base", 1 << split, base=2 << oracle.num_vars)
    tally.phase = LOOKUPS
    attempts = iter(drawn.attempts)
    if program.lookup_grinding_bits:
        tally.add_work("grind", grind_work(next(attempts)))
    _lookups(tally, program.plan)
    for tensor, term in {(tensor, term.groups): (tensor, term) for tensor, term in structure.accumulators}.values():
        _accumulator_value(tally, term, program.plan.graph.tensors[tensor].size)
    tally.phase = PRODUCTS
    _products(tally, structure.instances)
    tally.phase = OPENING
    for oracle, layout in zip(program.params.oracles, (program.plan.weight_layout, program.plan.witness_layout), strict=True):
        _combine_forms(tally, structure.forms, layout)
        if program.params.is_sampled:
            half = oracle.num_vars // 2
            tally.add("eq_table", 2, ext=(1 << half) - 1 + (1 << oracle.num_vars - half) - 1)
            tally.add("outer", 1, ext=1 << half)
            tally.add("add_outer", 1, ext=1 << oracle.num_vars)
    _open(tally, program, iter(drawn.positions), attempts)
    return dict(tally.counts)


@dataclass(frozen=True, slots=True)
class Structure:
    """The claims and forms of a program's proof, at a point that stands for any other."""

    accumulators: tuple[tuple[int, Term], ...]
    instances: tuple[ProductInstance, ...]
    forms: tuple[Form, ...]

    @staticmethod
    def of(program: Program) -> Structure:
        """From the plan, as the prover makes them."""
        plan = program.plan

        def point(length: int) -> tuple[Ext, ...]:
            return (_DUMMY,) * length

        leaf_forms = plan.leaf_forms(point(plan.log_leaves), _DUMMY)
        stored, accumulators = split_accumulators(plan, leaf_forms)
        instances = product_instances(plan, accumulators, point(tau_length(plan)))
        forms = [leaf_forms.multiplicities, stored]
        forms += [form for instance in instances for form, _ in factor_forms(plan, instance, point(instance.num_vars))]
        for i, port in enumerate(plan.graph.outputs):
            forms.append(output_form(plan, i, point(padded_vars(plan.graph.tensors[port.tensor].shape)))[0])
        return Structure(tuple((a.tensor, a.term) for a in accumulators), instances, tuple(forms))


def _combine(tally: _Tally, terms: Sequence[tuple[int, int]], constant: int, size: int) -> None:
    """`ciro_zk.circuit.factor.combine` over `size` cells."""
    scaled = sum(1 for _, coefficient in terms if coefficient != 1)
    added = len(terms) - 1 + (constant != 0)
    tally.add("mul", scaled, base=scaled * size)
    tally.add("add", added, adds=added * size)


def _commit(tally: _Tally, rows: int, code: Code) -> None:
    """Encode, hash the columns, hash the tree: 2^depth - 1 nodes."""
    length = 1 << code.log_length
    work = encode_work(rows, 1 << code.log_columns, code.log_blowup)
    tally.add_work("encode_rows", replace(work, calls=-(-rows // max(CODE_BLOCK // length, 1))))
    tally.add("hash_columns", -(-length // max(CODE_BLOCK // rows, 1)), hashed=8 * rows * length)
    tally.add("hash_pairs", code.log_length, hashed=NODE_INPUT_BYTES * (length - 1))


def _lookups(tally: _Tally, plan: Plan) -> None:
    for segment in plan.segments:
        if segment.is_table:
            width = plan.graph.tables[segment.index].num_columns
        else:
            width = len({tensor for column in plan.lookups[segment.index].columns for tensor, _ in column.terms})
        tally.add("leaf_term", width, base=2 * width * prod(segment.lengths))
    last = plan.log_leaves - 1
    if last:
        tally.add("leaf_layer", 1, base=4 << last, ext=1 << last)
        tally.add("fraction_layer", last - 1, ext=3 * ((1 << last) - 2))
    for k in range(1, plan.log_leaves):
        low, cut = k // 2, k - k // 2
        rounds, cells, blocks = k, 1 << k, (1 << cut) - 1 + low
        if k == last:
            tally.add("leaf_round", 1, base=2 << k, ext=(3 << k) + (1 << cut))
            tally.add("fold_leaves", 1, base=2 << k, ext=1 << k)
            rounds, cells, blocks = k - 1, cells // 2, blocks - (1 << cut - 1)
        tally.add("fraction_round", rounds, ext=8 * (cells - 1) + 2 * blocks)
        tally.add("fold_stack", rounds, ext=4 * (cells - 1))
        tally.add("eq_suffixes", 2, ext=(1 << low) - 1 + (1 << cut - 1) - 1)


def _dense(tally: _Tally, term: Term) -> None:
    """All weights of a term: the product of its groups, first to last."""
    size = 1
    for group in term.groups:
        if isinstance(group, Eq):
            tally.add("eq_table", 1, ext=(1 << len(group.point)) - 1)
        size *= prod(group.dims)
        tally.add("outer", 1, ext=size)


def _accumulator_value(tally: _Tally, term: Term, size: int) -> None:
    _dense(tally, term)
    tally.add("inner_product_base", 1, base=2 * size)


def product_work(instance: ProductInstance) -> Work:
    """The work on one product instance, all its rounds counted as calls of its own."""
    tally = _Tally()
    _tables(tally, instance)
    _stack_rounds(tally, len(instance.factors) + (instance.eq_point is not None), [instance.num_vars])
    return sum(tally.counts.values(), Work())


def _products(tally: _Tally, instances: Sequence[ProductInstance]) -> None:
    """Each instance's tables, scaled, then the rounds: instances of one number of factors share their calls."""
    by_degree: dict[int, list[int]] = defaultdict(list)
    for instance in instances:
        _tables(tally, instance)
        by_degree[len(instance.factors) + (instance.eq_point is not None)].append(instance.num_vars)
    for degree, sizes in by_degree.items():
        _stack_rounds(tally, degree, sizes)


def _tables(tally: _Tally, instance: ProductInstance) -> None:
    for factor in instance.factors:
        _factor_table(tally, factor)
    if instance.eq_point is not None:
        tally.add("eq_table", 1, ext=(1 << instance.num_vars) - 1)
    tally.add("outer", 1, ext=1 << instance.num_vars)


def _stack_rounds(tally: _Tally, degree: int, sizes: Sequence[int]) -> None:
    """Instances of `sizes` variables: the rounds of the largest."""
    points = sum((1 << n) - 1 for n in sizes)
    tally.add("product_round", max(sizes), ext=(degree + 1) * (degree - 1) * points)
    tally.add("fold_stack", max(sizes), ext=degree * points)


def _factor_table(tally: _Tally, factor: Factor) -> None:
    """Every contraction of `parts` coordinates by `count` vectors: 2 count parts times the cells so far."""
    _combine(tally, factor.tensors, factor.constant, prod(factor.shape))
    shape, parts = list(factor.view), 1
    for axis, rows in factor.contractions():
        tally.add_work("contract_axis", contract_work(parts, prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]), rows.shape[0]))
        shape[axis], parts = rows.shape[0], 2


def _combine_forms(tally: _Tally, forms: Sequence[Form], layout: Layout) -> None:
    """Per block of a form's tensor the products of the groups' parts, first to last, the last one into the oracle's form."""
    known: set[tuple[Group, tuple[int, ...], tuple[int, ...]]] = set()
    for form in forms:
        for tensor, term in form:
            for block in layout.by_tensor.get(tensor, []):
                parts = list(block.groups(term))
                for part in parts:
                    if isinstance(part[0], Eq) and part not in known:
                        tally.add("eq_table", 1, ext=(1 << len(part[0].point)) - 1)
                    known.add(part)
                size = 1
                for _, _, logs in parts[:-1]:
                    size <<= sum(logs)
                    tally.add("outer", 1, ext=size)
                tally.add("add_outer", 1, ext=1 << block.log_size)


def _fold_rows(tally: _Tally, num_vars: int, rounds: int, base: bool) -> None:
    """Sumcheck rounds on a share of 2^num_vars cells.

    Round i on N = 2^(num_vars - i) cells: 2 inner products of N/2 (3 for base cells, whose claim is found with them), differences of
    the form and of the cells (N, for base cells N/2), folds of both. Summed, with T = sum of N
    = 2^(num_vars + 1) - 2^(num_vars - rounds + 1).
    """
    if base:
        cells, blocks = 1 << num_vars, _blocks(num_vars)
        tally.add("inner_product_base", 3 * blocks, base=3 * cells)
        tally.add("sub", 2 * blocks, adds=3 * cells // 2)
    if base and rounds:
        tally.add("fold_stack", blocks, ext=cells // 2)
        tally.add("fold_base", blocks, base=cells)
        num_vars, rounds = num_vars - 1, rounds - 1
    calls = sum(_blocks(num_vars - i) for i in range(rounds))
    total = (2 << num_vars) - (2 << num_vars - rounds)
    tally.add("inner_product", 2 * calls, ext=total)
    tally.add("sub", 2 * calls, adds=2 * total)
    tally.add("fold_stack", 2 * calls, ext=total)


def _blocks(num_vars: int) -> int:
    """Blocks in which a table of 2^num_vars cells is summed and folded."""
    return max((1 << num_vars) // (2 * FOLD_BLOCK), 1)


def _open(tally: _Tally, program: Program, positions: Iterator[int], attempts: Iterator[int]) -> None:
    params = program.params
    for index, level in enumerate(params.levels):
        for oracle in level:
            _fold_rows(tally, oracle.num_vars, oracle.row_vars, base=index == 0)
        if params.fold_grinding_bits:
            for _ in range(params.fold_rounds(index)):
                tally.add_work("grind", grind_work(next(attempts)))
        message = params.message_vars(index)
        if index + 1 < len(params.levels):
            code = params.levels[index + 1][0].code
            _commit(tally, 2 << message - code.log_columns, code)
            if params.is_sampled:
                tally.add("eq_table", 1, ext=(1 << message) - 1)
                tally.add("inner_product", 1, ext=1 << message)
                tally.add("add_outer", 1, ext=1 << message)
        if params.grinding_bits:
            tally.add_work("grind", grind_work(next(attempts)))
        for oracle in level:
            _point_claims(tally, next(positions), oracle.code.log_columns)
    _fold_rows(tally, params.clear_vars, params.clear_vars, base=False)


def _point_claims(tally: _Tally, points: int, log_columns: int) -> None:
    """sum_j w_j x_j^i for 2^log_columns i: powers of the low and the high half of i's bits, then one contraction."""
    low = log_columns // 2
    high = log_columns - low
    tally.add("mul", 2 * log_columns, base=points * ((1 << low) + (1 << high) - 2 + log_columns))
    tally.add("ext_mul_base", 1, base=2 * points << low)
    tally.add_work("contract_axis", contract_work(1, 1 << high, points, 1, 1 << low))
    tally.add("inner_product", 1, ext=1 << log_columns)
