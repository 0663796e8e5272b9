"""Batched sumcheck, the prover's half; see `ciro_zk.sumcheck.verifier` for the protocol and its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field.extension import ZERO, Ext, P
from ciro_zk.hash.transcript import ProverTranscript
from ciro_zk.kernels import Kernels
from ciro_zk.sumcheck.verifier import HALF, horner


@dataclass(frozen=True, slots=True)
class Instance:
    """coefficient * sum_x prod_j factors[j](x), `factors` `(d, 2, 2^n)`."""

    factors: NDArray[np.uint64]
    coefficient: Ext
    claim: Ext

    @property
    def num_vars(self) -> int:
        return int(self.factors.shape[2]).bit_length() - 1


@lru_cache(maxsize=16)
def _lagrange(count: int) -> tuple[tuple[int, ...], ...]:
    """Row j: the weights that make coefficient j from the values at 0, 1, ..., count - 1."""
    columns = []
    for i in range(count):
        basis, denominator = [1], 1
        for j in range(count):
            if j != i:
                basis = [(a - b * j) % P for a, b in zip([0, *basis], [*basis, 0], strict=True)]
                denominator = denominator * (i - j) % P
        inverse = pow(denominator, P - 2, P)
        columns.append([c * inverse % P for c in basis])
    return tuple(zip(*columns, strict=True))


def interpolate(values: Sequence[Ext]) -> list[Ext]:
    """Coefficients of the polynomial with these values at 0, 1, 2, ..."""
    rows = _lagrange(len(values))
    return [
        Ext(sum(w * v.c0 for w, v in zip(row, values, strict=True)) % P, sum(w * v.c1 for w, v in zip(row, values, strict=True)) % P)
        for row in rows
    ]


def prove_products(
    transcript: ProverTranscript, kernels: Kernels, instances: Sequence[Instance], num_rounds: int, degree: int, label: str
) -> tuple[list[Ext], list[NDArray[np.uint64]]]:
    """Run the rounds; returns the point and, per instance, its factors' values `(d, 2, 1)` at the point's suffix.

    Each instance keeps its own running claim: before it starts its round polynomial is the constant claim / 2^(rounds to go).
    """
    stacks = [instance.factors for instance in instances]
    starts = [num_rounds - instance.num_vars for instance in instances]
    # Over the rounds in which an instance is constant its sum is the claim itself, halved each time.
    claims = [instance.coefficient * instance.claim for instance in instances]
    scales = [instance.coefficient for instance in instances]
    point: list[Ext] = []
    for k in range(num_rounds):
        sent = [ZERO] * (degree + 1)
        polynomials = []
        for i, stack in enumerate(stacks):
            if k < starts[i]:
                scales[i] = scales[i] * HALF
                polynomials.append([claims[i] * HALF])
            else:
                values = kernels.product_round(stack)
                polynomials.append([c * scales[i] for c in interpolate(values)])
            for j, c in enumerate(polynomials[-1]):
                sent[j] = sent[j] + c
        transcript.send_elements(f"{label} round", [sent[0], *sent[2:]])
        x = transcript.challenge(f"{label} challenge")
        for i in range(len(stacks)):
            claims[i] = horner(polynomials[i], x)
            if k >= starts[i]:
                stacks[i] = kernels.fold_stack(stacks[i], x)
        point.append(x)
    return point, stacks
