"""What a circuit will cost and what it is worth, before anything is proven.

Proof bytes are counted message by message (siblings: for positions spread evenly). Memory is what is held throughout and what the largest
phase holds at once; a test compares it with what is measured. Seconds are a rough estimate for
two cores from the leaves and codeword cells; measure with `benches/compare.py`.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from ciro_zk.circuit.tensor import Storage
from ciro_zk.commitment.levels import opening_bytes
from ciro_zk.commitment.params import Oracle
from ciro_zk.commitment.prover import CODE_BLOCK
from ciro_zk.hash.blake2s import DIGEST_BYTES
from ciro_zk.memory import MEMORY_CODEWORDS
from ciro_zk.program.accuracy import StaticBound, accuracy_rows, accuracy_svg
from ciro_zk.program.program import Program
from ciro_zk.security import SecurityReport

LEAF_BYTES = 64
"""Of the fraction tree: see `ciro_zk.lookup.prover`."""
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


def memory_bytes(program: Program, in_file: bool = False) -> int:
    """What `prove` holds at its greatest; with `in_file` the weights' codewords are in a file whatever their size."""
    graph, params = program.graph, program.params
    weights = sum(graph.tensors[i].size * graph.tensors[i].dtype.itemsize for i in graph.weights)
    values = sum(tensor.size for tensor in graph.tensors if tensor.storage is not Storage.WEIGHT)
    cells = sum(1 << oracle.num_vars for oracle in params.oracles)
    weight_code, witness_code = (codeword_bytes(oracle) for oracle in params.oracles)
    trees = sum(2 * DIGEST_BYTES << oracle.code.log_length for oracle in params.oracles)
    folded_code = sum(2 * codeword_bytes(oracle) for level in params.levels[1:] for oracle in level)
    # Weights as tensors and as an oracle; every value as an integer and as a field element; the witness oracle and its codewords.
    held = 2 * weights + 16 * values + (8 << params.oracles[1].num_vars) + witness_code + trees
    held += 0 if in_file or weight_code > MEMORY_CODEWORDS else weight_code
    # A form, (2, n) words, and cells folded once, n words; their blocks. Later, codewords of the folded cells and a block of them.
    blocks = 3 * 8 * min(CODE_BLOCK, max(weight_code, witness_code) // 8)
    opening = max(24 * cells, folded_code) + blocks
    return held + max(LEAF_BYTES << program.shape.log_leaves, opening)


def codeword_bytes(oracle: Oracle) -> int:
    """The codewords of an oracle of base cells."""
    return 8 << oracle.num_vars + oracle.code.log_blowup


def cost_report(program: Program) -> CostReport:
    """Count and estimate one proof of a program."""
    shape, params, plan = program.shape, program.params, program.plan
    leaves = 1 << shape.log_leaves
    code = sum(1 << oracle.num_vars + oracle.code.log_blowup for oracle in params.oracles)
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
        memory_bytes=memory_bytes(program),
        seconds=leaves * SECONDS_PER_LEAF + code * SECONDS_PER_CODE_CELL + rounds * SECONDS_PER_ROUND,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitReport:
    """Accuracy against the float model, static error bounds, declared ranges, cost and security of a circuit."""

    name: str
    bits: int
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    accuracy: Mapping[str, Any]
    static_bounds: Mapping[str, StaticBound]
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
            "static_bounds": {name: asdict(found) for name, found in self.static_bounds.items()},
            "cost": asdict(self.cost),
            "security": self.security.as_dict(),
        }

    def errors(self) -> list[tuple[str, str]]:
        """(name, text) pairs: the error of every output as it was measured, and its bound for all inputs."""
        measured = [row for row in accuracy_rows(self.accuracy) if row[0].startswith("error of ")]
        return [*measured, *self._static_rows()]

    def _static_rows(self) -> list[tuple[str, str]]:
        return [(f"error of {name}, all inputs", str(found)) for name, found in self.static_bounds.items()]

    def svg(self) -> str:
        """The errors of all steps and outputs as a bar chart."""
        return accuracy_svg(f"{self.name}, {self.bits} bits: error relative to the float model's greatest value", self.accuracy)

    def _rows(self) -> list[tuple[str, str]]:
        cost = self.cost
        rows = [("model", f"{self.name}, {self.bits} bits")]
        rows += [(f"input {name}", text) for name, text in self.inputs.items()]
        rows += [(f"output {name}", text) for name, text in self.outputs.items()]
        rows += accuracy_rows(self.accuracy)
        rows += self._static_rows()
        for name, (different, left) in self.accuracy.get("thresholds", {}).items():
            rows.append((f"thresholds of {name}", f"{different} different decisions, {left} after quantisation"))
        for name, texts in self.accuracy.get("labels", {}).items():
            rows.append((f"labels of {name}", ", ".join(f"{i} {text}" for i, text in enumerate(texts))))
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


def setup_bytes(program: Program, in_file: bool = False) -> int:
    """What `setup` holds at its greatest."""
    return memory_bytes(program.registration or program, in_file)
