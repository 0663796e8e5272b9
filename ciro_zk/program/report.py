"""What a circuit will cost and what it is worth, before anything is proven.

Proof bytes are counted message by message (siblings: for positions spread evenly). Memory is what the largest phase holds at once.
Seconds are a rough estimate for
two cores from the leaves and codeword cells; measure with `benches/compare.py`.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from ciro_zk.commitment.levels import opening_bytes
from ciro_zk.program.program import Program
from ciro_zk.security import SecurityReport

SECONDS_PER_LEAF = 250e-9
SECONDS_PER_CODE_CELL = 40e-9
SECONDS_PER_ROUND = 150e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """Sizes and estimates of one proof."""

    num_weights: int
    """Weight cells."""
    num_witness_cells: int
    """Committed cells of one inference, multiplicities aside."""
    num_lookups: int
    num_products: int
    """Product instances, zero checks included."""
    log_leaves: int
    log_weight_cells: int
    log_witness_cells: int
    proof_bytes: int
    """Of the proof's body, public tensors aside."""
    memory_bytes: int
    """Working memory of `prove`, libraries aside."""
    seconds: float
    """Rough estimate of `prove`."""


def proof_bytes(program: Program) -> int:
    """The length of a proof's body, exact but for the number of Merkle siblings."""
    shape, params = program.shape, program.params
    elements = 1 + sum(2 * k + 4 for k in range(shape.log_leaves)) + shape.num_products
    elements += 1 if params.is_sampled else 0
    elements += shape.product_rounds * shape.product_degree + (shape.num_claims - 2 - len(program.graph.outputs))
    nonce = 8 * (program.lookup_grinding_bits > 0)
    return 32 + 16 * elements + nonce + opening_bytes(params)


def cost_report(program: Program) -> CostReport:
    """Count and estimate one proof of a program."""
    shape, params, plan = program.shape, program.params, program.plan
    leaves = 1 << shape.log_leaves
    cells = sum(1 << oracle.num_vars for oracle in params.oracles)
    code = sum(1 << oracle.num_vars + oracle.code.log_blowup for oracle in params.oracles)
    # Fractions: see `ciro_zk.lookup.prover`; opening: codewords, forms and folded cells of both oracles.
    memory = max(leaves * 64, cells * 64) + code * 8 + code * 8 // 4
    witness = sum(plan.graph.tensors[i].size for i in plan.witness_layout.shapes if i < plan.num_tensors)
    rounds = shape.log_leaves**2 / 2 + shape.product_rounds * (shape.num_products + shape.num_zero_checks) + params.rounds
    return CostReport(
        num_weights=sum(plan.graph.tensors[i].size for i in plan.graph.weights),
        num_witness_cells=witness,
        num_lookups=sum(prod(lookup.shape) for lookup in plan.lookups),
        num_products=shape.num_products + shape.num_zero_checks,
        log_leaves=shape.log_leaves,
        log_weight_cells=plan.weight_layout.num_vars,
        log_witness_cells=plan.witness_layout.num_vars,
        proof_bytes=proof_bytes(program),
        memory_bytes=memory,
        seconds=leaves * SECONDS_PER_LEAF + code * SECONDS_PER_CODE_CELL + rounds * SECONDS_PER_ROUND,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitReport:
    """Accuracy against the float model, declared ranges, cost and security of a circuit."""

    name: str
    bits: int
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    accuracy: Mapping[str, Any]
    cost: CostReport
    security: SecurityReport

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "bits": self.bits,
            "inputs": dict(self.inputs),
            "outputs": dict(self.outputs),
            "accuracy": dict(self.accuracy),
            "cost": asdict(self.cost),
            "security": self.security.as_dict(),
        }

    def _rows(self) -> list[tuple[str, str]]:
        cost = self.cost
        rows = [("model", f"{self.name}, {self.bits} bits")]
        rows += [(f"input {name}", text) for name, text in self.inputs.items()]
        rows += [(f"output {name}", text) for name, text in self.outputs.items()]
        for name, figures in self.accuracy.get("outputs", {}).items():
            rows.append((f"error of {name}", ", ".join(f"{key} {value:.4g}" for key, value in figures.items())))
        rows += [
            ("weights", f"{cost.num_weights:,} in an oracle of 2^{cost.log_weight_cells}"),
            ("witness", f"{cost.num_witness_cells:,} cells and the multiplicities in an oracle of 2^{cost.log_witness_cells}"),
            ("lookups", f"{cost.num_lookups:,} in 2^{cost.log_leaves} leaves"),
            ("products", f"{cost.num_products}"),
            ("proof", f"about {cost.proof_bytes:,} bytes; {cost.memory_bytes / 2**20:.0f} MiB and {cost.seconds:.2g} s on two cores"),
            ("security", f"{self.security.summed_bits:.1f} bits, {self.security.regime}; not zero-knowledge"),
        ]
        return rows

    def __str__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {text}" for name, text in rows)

    def __repr__(self) -> str:
        return f"CircuitReport({self.name}, {self.security.summed_bits:.1f} bits, about {self.cost.proof_bytes} bytes)"

    def _repr_html_(self) -> str:
        cells = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in self._rows())
        return f"<table>{cells}</table>"


def setup_bytes(program: Program) -> int:
    """Working memory of `setup`, libraries aside."""
    return cost_report(program.registration or program).memory_bytes
