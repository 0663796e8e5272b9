"""What a proof's soundness is worth: every error term of the protocol, from the same parameters that prover and verifier use.

The field K has |K| = p^2, about 2^128. Terms are the probability that a false statement survives a phase, whatever the
prover does; proofs of work multiply the attempts a prover needs. Regimes: unique decoding, or list decoding up to
Johnson's radius with out-of-domain samples (both proved, no proximity conjecture). Conjectured: BLAKE2s collision
resistance (128 bits) and Fiat-Shamir in the random-oracle model.

Errors are integers in units of 2^-ERROR_BITS, rounded up, so that every implementation chooses the same parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import log2, prod
from typing import Any

from ciro_zk.commitment.levels import Demand, choose_levels, opening_bytes, with_queries
from ciro_zk.commitment.params import CommitmentParams
from ciro_zk.commitment.proximity import ERROR_BITS
from ciro_zk.field.extension import P
from ciro_zk.params import Preset

UNIQUE_DECODING = "unique decoding, proved"
LIST_DECODING = "list decoding up to the Johnson radius, proved (eprint 2025/2110)"
VERDICT_MARGIN = 1
LOOKUP_MARGIN = 4
MAX_LOOKUP_GRINDING = 24
FOLD_MARGINS = (4, 6, 8, 12)
"""Quarters of a bit by which folding an oracle may have to be worth more than the target; the smallest opening of all is taken."""
QUERY_MARGINS = range(4, 65)
"""The same for an oracle's queries: at least one bit, since there are two oracles; the least is taken."""


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
    """On tensors; samples of oracles come on top."""
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


def _bad_lookup_challenges(shape: ProofShape) -> int:
    """Of |K| so many hide a false lookup."""
    return (shape.max_columns + 1) << shape.log_leaves


def lookup_grinding(preset: Preset, shape: ProofShape) -> int:
    """Proof-of-work bits before the lookup challenges: the least that leave the lookup identity `LOOKUP_MARGIN` bits above the target, or
    the preset's if they are more. `ValueError` beyond 24."""
    wanted = preset.target_bits + VERDICT_MARGIN + LOOKUP_MARGIN
    missing = ((_bad_lookup_challenges(shape) << wanted) - 1) // P**2  # bad 2^wanted <= |K| 2^bits
    bits = max(preset.lookup_grinding_bits, missing.bit_length())
    if bits > MAX_LOOKUP_GRINDING:
        raise ValueError(_too_large(preset))
    return bits


@dataclass(frozen=True, slots=True)
class _Error:
    """A term as an integer, in units of 2^-ERROR_BITS."""

    name: str
    units: int
    grinding_bits: int = 0

    @property
    def ground(self) -> int:
        """With its proof of work, rounded up."""
        return _divided(self.units, 1 << self.grinding_bits)


def _divided(numerator: int, denominator: int) -> int:
    """Rounded up."""
    return -(-numerator // denominator)


def _algebraic(name: str, numerator: int, grinding_bits: int = 0) -> _Error:
    """numerator / |K|."""
    return _Error(name, _divided(max(numerator, 1) << ERROR_BITS, P**2), grinding_bits)


def _other_errors(preset: Preset, shape: ProofShape) -> tuple[_Error, ...]:
    """Of all phases but the opening."""
    return (
        _algebraic("lookup identity", _bad_lookup_challenges(shape), lookup_grinding(preset, shape)),
        _algebraic("fraction layers", sum(3 * k + 2 for k in range(shape.log_leaves))),
        _algebraic("zero checks and outputs", 64 * (shape.num_zero_checks + 1)),
        _algebraic("product sumcheck", shape.product_rounds * shape.product_degree + shape.num_products + shape.num_zero_checks),
    )


def _opening_errors(num_claims: int, params: CommitmentParams) -> tuple[_Error, ...]:
    """What is false stays false for every combination of words close to a level's oracles, `lists` many; the message in clear is one."""
    lists = [prod(oracle.code.list_size for oracle in level) for level in params.levels] + [1]
    batching, folds, samples = lists[0] * (num_claims + params.num_samples) + 2 * params.clear_vars, 0, 0
    for i, level in enumerate(params.levels):
        batching += 2 * lists[i] * params.fold_rounds(i) + lists[i + 1] * sum(oracle.code.num_queries for oracle in level)
        if params.is_sampled and i:
            batching += lists[i]
        for oracle in level:
            folds += oracle.row_vars * oracle.code.bad_challenges
            samples += oracle.code.list_size * (oracle.code.list_size - 1) // 2 * oracle.num_vars
    return (
        *([_algebraic("opening: out-of-domain samples", samples)] if params.is_sampled else []),
        _algebraic("opening: batching, sumcheck", batching),
        _algebraic("opening: folding", folds, params.fold_grinding_bits),
        *(
            _Error(f"opening: queries, level {i}.{j}", oracle.code.query_error, params.grinding_bits)
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

    def meets(params: CommitmentParams | None) -> bool:
        errors = _other_errors(preset, shape) + (_opening_errors(shape.num_claims, params) if params is not None else ())
        return sum(error.ground for error in errors) <= 1 << ERROR_BITS - target

    if not meets(None):
        raise ValueError(_too_large(preset))  # whatever the opening

    found = [params for margin in FOLD_MARGINS if (params := _with_margin(preset, shape, first, margin, meets)) is not None]
    if not found:
        raise ValueError(_too_large(preset))
    best = min(found, key=opening_bytes)
    lighter = (replace(best, fold_grinding_bits=bits) for bits in range(best.fold_grinding_bits + 1))
    return next(params for params in lighter if meets(params))


def _with_margin(
    preset: Preset, shape: ProofShape, first: tuple[int, int] | None, fold_margin: int, meets: Callable[[CommitmentParams], bool]
) -> CommitmentParams | None:
    """The opening of the least margin of the queries, for a margin of the folds."""
    target = 4 * (preset.target_bits + VERDICT_MARGIN)
    for margin in QUERY_MARGINS:
        demand = Demand(
            log_blowup=preset.log_blowup,
            max_multiplicity=preset.max_multiplicity,
            grinding_bits=preset.query_grinding_bits,
            fold_grinding_bits=preset.max_fold_grinding_bits,
            query_quarters=target + margin,
            fold_quarters=target + fold_margin,
        )
        params = choose_levels(shape.num_vars, demand, first)
        if params is None:
            return None
        if meets(params):  # perhaps with fewer queries, where other levels were chosen for a smaller margin
            return next(fewer for m in range(margin + 1) if meets(fewer := with_queries(params, target + m)))
    return None


def _too_large(preset: Preset) -> str:
    return f"the circuit is too large for {preset.target_bits} bits under the preset {preset.name!r}; use a smaller model"


def security_report(
    preset: Preset, shape: ProofShape, params: CommitmentParams, registration: SecurityReport | None = None
) -> SecurityReport:
    """Itemise what a verdict with these parameters is worth; `registration` is the report of the weights' registration, if there is one."""
    errors = _other_errors(preset, shape) + _opening_errors(shape.num_claims, params)
    terms = tuple(Term(name=e.name, bits=ERROR_BITS - log2(e.units), grinding_bits=e.grinding_bits) for e in errors)
    if registration is not None:
        work = max(params.grinding_bits, params.fold_grinding_bits)
        terms += (Term(name="registration of the weights", bits=registration.summed_bits - work, grinding_bits=work),)
    ground = [t.bits + t.grinding_bits for t in terms]
    return SecurityReport(
        preset=preset.name,
        regime=LIST_DECODING if params.is_sampled else UNIQUE_DECODING,
        terms=terms,
        summed_bits=_sum(ground),
        summed_bits_without_grinding=_sum([t.bits for t in terms]),
        round_by_round_bits=min(ground),
        hash_collision_bits=128,
        zero_knowledge=False,
    )
