"""Mixed precision: the cheapest bits, step by step, that reach an accuracy.

    1   one precision for all steps, from 6 bits on, until the accuracy is reached at B bits: the best so far
    2   below it, at B - 1 and B - 2 bits: which steps matter? Each step alone is raised to B bits, and the error
        that goes away is what it matters
    3   steps are raised in that order, the least number of them that reaches the accuracy; the cheapest choice wins

Cost is the number of leaves of the lookups, padded to a power of two as the prover does it, then the leaves themselves.
Accuracy is measured on the samples that are compared with the float model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ciro_zk.compiler.build import Built, build
from ciro_zk.compiler.prepare import Prepared
from ciro_zk.compiler.report import Reference, Tally, tally
from ciro_zk.compiler.steps import Activation, Requantised
from ciro_zk.errors import AccuracyError, BoundsError, InputError
from ciro_zk.progress import Progress, Step

LADDER = (6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
DROPS = (1, 2)
MAX_GROUPS = 24
"""More steps than this are raised in groups of neighbours."""


@dataclass(frozen=True, slots=True)
class Target:
    """An accuracy asked for: at most this error relative to each output's greatest magnitude, at least this share of equal greatest
    entries; None for no demand."""

    max_error: float | None
    min_agreement: float | None

    def check(self) -> None:
        """`InputError` for a target that nothing or anything reaches."""
        if self.max_error is not None and not 0 < self.max_error < 1:
            raise InputError("is no share of the output's range", field="max_error", value=self.max_error, remedy="0.01 is one percent")
        if self.min_agreement is not None and not 0 < self.min_agreement <= 1:
            raise InputError("is no share", field="min_agreement", value=self.min_agreement, remedy="0.99 is 99 percent")

    @property
    def text(self) -> str:
        parts = [f"an error of at most {self.max_error:g}" if self.max_error is not None else ""]
        parts += [f"an agreement of at least {self.min_agreement:g}" if self.min_agreement is not None else ""]
        return " and ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Trial:
    """A choice of bits and what it gives."""

    bits: int
    precision: Mapping[str, int]
    built: Built
    error: float
    agreement: float

    @property
    def cost(self) -> tuple[int, int]:
        """(log2 of the leaves, the leaves)."""
        return (self.built.assembled.leaves - 1).bit_length(), self.built.assembled.leaves

    def reaches(self, target: Target) -> bool:
        return (target.max_error is None or self.error <= target.max_error) and (
            target.min_agreement is None or self.agreement >= target.min_agreement
        )

    def shortfall(self, target: Target) -> float:
        """How far from the target, 0 where it is reached; errors in multiples of the error allowed."""
        error = 0.0 if target.max_error is None else max(0.0, self.error / target.max_error - 1)
        agreement = 0.0 if target.min_agreement is None else max(0.0, target.min_agreement - self.agreement)
        return error + agreement


class Search:
    """Builds and measures choices of bits for one model."""

    def __init__(self, prepared: Prepared, reference: Reference, target: Target, state: Any, progress: Progress) -> None:
        self.prepared, self.reference, self.target, self.state, self.progress = prepared, reference, target, state, progress
        self.names = [s.output for s in prepared.program.steps if isinstance(s, (Activation, Requantised))]
        self.tried = 0

    def trial(self, bits: int, precision: Mapping[str, int]) -> Trial:
        """One choice, built and measured."""
        self.progress(Step("search for precision", self.tried))
        self.tried += 1
        built = build(self.prepared, bits, precision, self.state, fill=False)
        found = tally(built, self.reference)
        return Trial(bits, dict(precision), built, error_of(found), agreement_of(found))

    def run(self) -> Trial:
        """The cheapest choice that reaches the target; `AccuracyError` with the best that was found."""
        uniform = self._uniform()
        mixed = [self._mixed(uniform, uniform.bits - drop) for drop in DROPS if uniform.bits - drop >= LADDER[0]]
        return min((uniform, *(m for m in mixed if m is not None)), key=lambda trial: trial.cost)

    def _uniform(self) -> Trial:
        closest, failure = None, None
        for bits in LADDER:
            try:
                found = self.trial(bits, {})
            except BoundsError as error:
                failure = error
                continue
            if found.reaches(self.target):
                return found
            if closest is None or found.error < closest.error:
                closest = found
        if closest is None:
            raise failure or BoundsError("no precision could be built", remedy="compile with bits=12")
        raise AccuracyError(
            f"no precision up to {LADDER[-1]} bits reaches {self.target.text}; the best is an error of {closest.error:.3g} of the output's "
            f"range and an agreement of {closest.agreement:.4g}, at {closest.bits} bits",
            error=closest.error,
            agreement=closest.agreement,
            remedy="ask for less, or calibrate on more samples: values beyond the calibrated ranges saturate",
        )

    def _mixed(self, best: Trial, low: int) -> Trial | None:
        """Steps raised from `low` to the best's bits, the fewest that reach the target; None where all of them would be. Inputs, which no
        table limits, are raised in any case."""
        groups = self._groups()
        inputs = dict.fromkeys(self.prepared.program.inputs, best.bits)
        base = self.trial(low, inputs)
        gains = []
        for group in groups:
            raised = self.trial(low, {**inputs, **dict.fromkeys(group, best.bits)})
            added = max(raised.built.assembled.leaves - base.built.assembled.leaves, 1)
            gains.append((base.shortfall(self.target) - raised.shortfall(self.target)) / added)
        order = sorted(range(len(groups)), key=lambda i: -gains[i])
        few, many, found = 0, len(groups), None
        while few + 1 < many:
            middle = (few + many) // 2
            chosen = [name for i in order[:middle] for name in groups[i]]
            trial = self.trial(low, {**inputs, **dict.fromkeys(chosen, best.bits)})
            if trial.reaches(self.target):
                many, found = middle, trial
            else:
                few = middle
        return found

    def _groups(self) -> list[Sequence[str]]:
        size = -(-len(self.names) // MAX_GROUPS) if self.names else 1
        return [self.names[i : i + size] for i in range(0, len(self.names), size)]


def error_of(found: Mapping[str, Tally]) -> float:
    """The greatest relative error of any output."""
    return max((t.relative_error for t in found.values()), default=0.0)


def agreement_of(found: Mapping[str, Tally]) -> float:
    """The least agreement of any output."""
    return min((t.agreement for t in found.values() if t.agreement is not None), default=1.0)
