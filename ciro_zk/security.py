"""What a proof's soundness is worth: every error term of the protocol, from the same parameters that prover and verifier use.

The field K has |K| = p^2, about 2^128. Terms are the probability that a false statement survives a phase, whatever the
prover does; proofs of work multiply the attempts a prover needs. Regime: unique decoding (proved, no proximity
conjecture). Conjectured: BLAKE2s collision resistance (128 bits) and Fiat-Shamir in the random-oracle model.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil, log2
from typing import Any

from ciro_zk.commitment.params import CommitmentParams, choose_levels
from ciro_zk.field.extension import P
from ciro_zk.params import Preset

LOG_FIELD = 2 * log2(P)
VERDICT_MARGIN = 1
LOOKUP_MARGIN = 4
MAX_LOOKUP_GRINDING = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofShape:
    """The sizes of one circuit's proof that its soundness depends on."""

    log_leaves: int
    max_columns: int
    product_rounds: int
    product_degree: int
    num_products: int
    num_zero_checks: int
    num_claims: int
    num_vars: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One source of error: its bits without and with the proof of work that guards it."""

    name: str
    bits: float
    grinding_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityReport:
    """The itemised soundness of a proof; `summed_bits` is the figure to quote."""

    preset: str
    regime: str
    terms: tuple[Term, ...]
    summed_bits: float
    summed_bits_without_grinding: float
    round_by_round_bits: float
    hash_collision_bits: int
    zero_knowledge: bool

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"{self.summed_bits:.1f} bits summed over all phases ({self.summed_bits_without_grinding:.1f} without proof of work), "
            f"weakest phase {self.round_by_round_bits:.1f}; {self.regime}; succinct and sound, not zero-knowledge"
        ]
        lines += [f"  {t.name:<28} {t.bits + t.grinding_bits:6.1f} bits ({t.grinding_bits} of them proof of work)" for t in self.terms]
        return "\n".join(lines)


def lookup_bits(shape: ProofShape) -> float:
    """The lookup identity's bits without proof of work: (columns + 1) 2^L of |K| challenges are bad."""
    return LOG_FIELD - log2(shape.max_columns + 1) - shape.log_leaves


def lookup_grinding(preset: Preset, shape: ProofShape) -> int:
    """Proof-of-work bits before the lookup challenges: the least that leave the lookup identity `LOOKUP_MARGIN` bits above the target, or
    the preset's if they are more. `ValueError` beyond 24."""
    missing = preset.target_bits + VERDICT_MARGIN + LOOKUP_MARGIN - lookup_bits(shape)
    bits = max(preset.lookup_grinding_bits, ceil(missing))
    if bits > MAX_LOOKUP_GRINDING:
        raise ValueError(_too_large(preset))
    return bits


def _terms(preset: Preset, shape: ProofShape, params: CommitmentParams) -> tuple[Term, ...]:
    layer_errors = sum(3 * k + 2 for k in range(shape.log_leaves))
    folds, batching = 0.0, float(shape.num_claims)
    for level in params.levels:
        for oracle in level:
            folds += oracle.row_vars * (1 << oracle.code.log_length)
            batching += oracle.code.num_queries

    def algebraic(name: str, numerator: float) -> Term:
        return Term(name=name, bits=LOG_FIELD - log2(max(numerator, 1)), grinding_bits=0)

    return (
        Term(name="lookup identity", bits=lookup_bits(shape), grinding_bits=lookup_grinding(preset, shape)),
        algebraic("fraction layers", layer_errors),
        algebraic("zero checks and outputs", 64 * (shape.num_zero_checks + 1)),
        algebraic("product sumcheck", shape.product_rounds * shape.product_degree + shape.num_products + shape.num_zero_checks),
        algebraic("opening: batching, sumcheck", batching + 2 * params.rounds),
        algebraic("opening: folding", folds),
        *(
            Term(name=f"opening: queries, level {i}.{j}", bits=oracle.code.query_bits, grinding_bits=params.grinding_bits)
            for i, level in enumerate(params.levels)
            for j, oracle in enumerate(level)
        ),
    )


def _sum(bits: list[float]) -> float:
    return -log2(sum(2.0**-b for b in bits))


def commitment_params(preset: Preset, shape: ProofShape, first: tuple[int, int] | None = None) -> CommitmentParams:
    """The smallest opening whose terms sum to the preset's target and a margin of one bit, so that a verdict, which relies on
    an inference's proof and on the weights' registration, meets the target; `first` fixes the weights' (log_columns, log_blowup).

    `ValueError` where no number of queries reaches the target.
    """
    target = preset.target_bits + VERDICT_MARGIN
    for step in range(65):
        bits = target + step / 4
        params = choose_levels(shape.num_vars, preset.log_blowup, bits, preset.query_grinding_bits, first)
        if _sum([t.bits + t.grinding_bits for t in _terms(preset, shape, params)]) >= target:
            return params
    raise ValueError(_too_large(preset))


def _too_large(preset: Preset) -> str:
    return f"the circuit is too large for {preset.target_bits} bits under the preset {preset.name!r}; use a smaller model"


def security_report(
    preset: Preset, shape: ProofShape, params: CommitmentParams, registration: SecurityReport | None = None
) -> SecurityReport:
    """Itemise what a verdict with these parameters is worth; `registration` is the report of the weights' registration, if there is one."""
    terms = _terms(preset, shape, params)
    if registration is not None:
        ground_bits = preset.query_grinding_bits
        terms += (Term(name="registration of the weights", bits=registration.summed_bits - ground_bits, grinding_bits=ground_bits),)
    ground = [t.bits + t.grinding_bits for t in terms]
    return SecurityReport(
        preset=preset.name,
        regime="unique decoding, proved",
        terms=terms,
        summed_bits=_sum(ground),
        summed_bits_without_grinding=_sum([t.bits for t in terms]),
        round_by_round_bits=min(ground),
        hash_collision_bits=128,
        zero_knowledge=False,
    )
