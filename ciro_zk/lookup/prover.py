"""LogUp-GKR, the prover's half (Papini and Haboeck, eprint 2023/1284); see `ciro_zk.lookup.verifier` for the protocol and its error.

All tables stay whole; every layer's sumcheck binds the top variable first, so that each fold joins contiguous halves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field import arrays
from ciro_zk.field.extension import ONE, Ext
from ciro_zk.hash.transcript import ProverTranscript
from ciro_zk.kernels import Kernels
from ciro_zk.lookup.verifier import FractionClaim, next_claim, round_claim

Extension = NDArray[np.uint64]


def prove_fractions(transcript: ProverTranscript, kernels: Kernels, numerators: Extension, denominators: Extension) -> FractionClaim:
    """Prove that the fractions `(2, 2^L)` sum to zero; returns the claim left on the leaves."""
    layers = [(numerators, denominators)]
    while layers[-1][0].shape[1] > 1:
        layers.append(kernels.fraction_layer(*layers[-1]))
    root = arrays.get(layers.pop()[1], 0)
    transcript.send_elements("root denominator", [root])
    claim = FractionClaim(point=(), numerator=Ext(0), denominator=root)
    while layers:
        claim = _prove_layer(transcript, kernels, claim, *layers.pop())
    return claim


def _prove_layer(transcript: ProverTranscript, kernels: Kernels, claim: FractionClaim, num: Extension, den: Extension) -> FractionClaim:
    half = num.shape[1] // 2
    stack = np.stack([num[:, :half], num[:, half:], den[:, :half], den[:, half:]])
    batch = transcript.challenge("layer batch")
    running = claim.numerator + batch * claim.denominator
    scale = ONE
    bound: list[Ext] = []
    suffixes = _EqSuffixes(kernels, claim.point)
    for k, r in enumerate(claim.point):
        at_zero, leading = kernels.fraction_round(stack, *suffixes.after(k + 1), batch)
        at_zero, leading = at_zero * scale, leading * scale
        transcript.send_elements("layer round", [at_zero, leading])
        x = transcript.challenge("layer challenge")
        running, scale = round_claim(running, scale, r, x, at_zero, leading)
        stack = kernels.fold_stack(stack, x)
        bound.append(x)
    values = [arrays.get(stack[i], 0) for i in range(4)]
    transcript.send_elements("layer values", values)
    return next_claim(transcript, bound, values)


class _EqSuffixes:
    """eq over the last variables of a point as a product of a high and a low table of about equal size; low tables are kept."""

    def __init__(self, kernels: Kernels, point: Sequence[Ext]) -> None:
        self._kernels, self._point = kernels, point
        self._cut = len(point) - len(point) // 2
        self._low = kernels.eq_table(point[self._cut :])

    def after(self, k: int) -> tuple[Extension, Extension]:
        """(high, low) over point[k:]."""
        if k <= self._cut:
            return self._kernels.eq_table(self._point[k : self._cut]), self._low
        return self._kernels.eq_table(()), self._kernels.eq_table(self._point[k:])
