"""Batched sumcheck, the prover's half; see `ciro_zk.sumcheck.verifier` for the protocol and its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field import arrays
from ciro_zk.field.extension import ZERO, Ext, P
from ciro_zk.hash.transcript import ProverTranscript
from ciro_zk.kernels import Kernels
from ciro_zk.sumcheck.verifier import HALF


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
) -> tuple[list[Ext], list[list[Ext]]]:
    """Run the rounds; returns the point and, per instance, its factors' values at the point's suffix.

    Before an instance starts, its round polynomial is the constant claim / 2^(rounds so far). Those of d factors that have started are one
    stack `(d, 2, 2^k m)`, the index of the m instances below the k variables to go, so that a round on the stack is a round on their sum;
    the first factor in it carries the instance's coefficient.
    """
    scales = [instance.coefficient for instance in instances]
    stacks: dict[int, NDArray[np.uint64]] = {}
    members: dict[int, list[int]] = {}
    point: list[Ext] = []
    for left in reversed(range(num_rounds + 1)):
        for i, instance in enumerate(instances):
            if instance.num_vars == left:
                count = instance.factors.shape[0]
                members.setdefault(count, []).append(i)
                stacks[count] = _joined(stacks.get(count), _scaled(kernels, instance.factors, scales[i]))
        if left == 0:
            break
        sent = [ZERO] * (degree + 1)
        for i, instance in enumerate(instances):
            if instance.num_vars < left:
                scales[i] = scales[i] * HALF
                sent[0] = sent[0] + scales[i] * instance.claim
        for stack in stacks.values():
            for j, c in enumerate(interpolate(kernels.product_round(stack))):
                sent[j] = sent[j] + c
        transcript.send_elements(f"{label} round", [sent[0], *sent[2:]])
        x = transcript.challenge(f"{label} challenge")
        stacks = {count: kernels.fold_stack(stack, x) for count, stack in stacks.items()}
        point.append(x)
    finals: list[list[Ext]] = [[] for _ in instances]
    for count, stack in stacks.items():
        for slot, i in enumerate(members[count]):
            first, *others = [arrays.get(table, slot) for table in stack]
            finals[i] = [first * scales[i].inverse(), *others]
    return point, finals


def _scaled(kernels: Kernels, factors: NDArray[np.uint64], scale: Ext) -> NDArray[np.uint64]:
    """The same product, `scale` times."""
    return np.stack([kernels.outer(arrays.from_list([scale]), factors[0]), *factors[1:]])


def _joined(stack: NDArray[np.uint64] | None, factors: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A stack with one more instance, of as many variables as are left."""
    if stack is None:
        return factors
    count, _, size = factors.shape
    return np.concatenate([stack.reshape(count, 2, size, -1), factors[..., None]], axis=3).reshape(count, 2, -1)
