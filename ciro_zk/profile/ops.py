"""Which operator a proof's work is for.

Leaves, committed cells and product terms belong to operators; the argument over all of them together does not, and its seconds are shared
out: of the witness's counts and the lookups by leaves, of the commitment by cells, of the products by their multiplications, of the
opening by the cells of both oracles. What belongs to no operator has rows of its own: weights, tables and padding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from math import prod

from ciro_zk.circuit.op import CommitOp, ProductOp
from ciro_zk.circuit.plan import Plan
from ciro_zk.circuit.tensor import Storage
from ciro_zk.profile.formulas import COMMIT, LOOKUPS, OPENING, PRODUCTS, WITNESS, Drawn, Structure, counts, product_work
from ciro_zk.profile.report import Op
from ciro_zk.program.program import Program

TABLES, PADDING, WEIGHTS = "tables", "padding", "weights"


def op_shares(program: Program, drawn: Drawn, seconds: Mapping[str, float]) -> tuple[Op, ...]:
    """The operators in order with their parts of the phases' seconds and of the counted work, then what belongs to none."""
    plan = program.plan
    structure = Structure.of(program)
    work = counts(program, drawn)
    leaves, cells = _leaves(plan), _cells(program)
    terms: dict[str, int] = defaultdict(int)
    owner = {output: _label(plan, i) for i, node in enumerate(plan.graph.nodes) for output in node.outputs}
    checks = [
        _label(plan, i)
        for i, node in enumerate(plan.graph.nodes)
        if isinstance(node.op, CommitOp)
        for _ in node.op.zero_checks(node.outputs, plan.graph.input_tensors(node.op))
    ]
    labels = [owner[tensor] for tensor, _ in structure.accumulators] + checks
    for label, instance in zip(labels, structure.instances, strict=True):
        made = product_work(instance)
        terms[label] += made.base + 4 * made.ext
    shares = {WITNESS: leaves, COMMIT: {k: v for k, v in cells.items() if k != WEIGHTS}, LOOKUPS: leaves, PRODUCTS: terms, OPENING: cells}
    labels = [_label(plan, i) for i, node in enumerate(plan.graph.nodes) if isinstance(node.op, CommitOp | ProductOp)]
    rows = []
    for label in [*labels, WEIGHTS, TABLES, PADDING]:
        total, base, ext, hashed = 0.0, 0.0, 0.0, 0.0
        for phase, share in shares.items():
            whole = sum(share.values())
            part = share.get(label, 0) / whole if whole else 0.0
            total += seconds.get(phase, 0.0) * part
            done = [w for (p, _), w in work.items() if p == phase]
            base, ext = base + part * sum(w.base for w in done), ext + part * sum(w.ext for w in done)
            hashed += part * sum(w.hashed for w in done)
        rows.append(
            Op(
                name=label,
                kind=label.partition(" ")[0],
                leaves=leaves.get(label, 0),
                cells=cells.get(label, 0),
                seconds=total,
                base=round(base),
                ext=round(ext),
                hashed=round(hashed),
            )
        )
    return tuple(rows)


def _label(plan: Plan, index: int) -> str:
    node = plan.graph.nodes[index]
    name = plan.graph.tensors[node.outputs[0]].name
    return f"{node.op.kind} {index}" + (f" {name}" if name else "")


def _leaves(plan: Plan) -> dict[str, int]:
    owners = [
        _label(plan, i)
        for i, node in enumerate(plan.graph.nodes)
        if isinstance(node.op, CommitOp)
        for _ in node.op.lookups(node.outputs, plan.graph.input_tensors(node.op), plan.graph.tables)
    ]
    found: dict[str, int] = defaultdict(int)
    for segment in plan.segments:
        found[TABLES if segment.is_table else owners[segment.index]] += prod(segment.lengths)
    found[PADDING] = (1 << plan.log_leaves) - sum(found.values())
    return found


def _cells(program: Program) -> dict[str, int]:
    plan = program.plan
    found: dict[str, int] = defaultdict(int)
    for i, node in enumerate(plan.graph.nodes):
        for output in node.outputs:
            if plan.graph.tensors[output].storage is Storage.WITNESS:
                found[_label(plan, i)] += plan.graph.tensors[output].size
    found[TABLES] = sum(table.num_rows for table in plan.graph.tables)
    found[PADDING] = (1 << program.params.oracles[1].num_vars) - sum(found.values())
    found[WEIGHTS] = 1 << program.params.oracles[0].num_vars
    return found
