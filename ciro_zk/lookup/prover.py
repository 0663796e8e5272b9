"""LogUp-GKR, the prover's half (Papini and Haboeck, eprint 2023/1284); see `ciro_zk.lookup.verifier` for the protocol and its error.

A layer of 2 n fractions is a stack (4, 2, n): num_lo, num_hi, den_lo, den_hi. The numerators of the leaves are base elements, and their
layer is no stack but two tables. Each fold joins contiguous halves. In bytes a leaf, the leaves take 24 and all layers above 32; a layer is
freed when its first variable is bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field import arrays
from ciro_zk.field.extension import ONE, Ext
from ciro_zk.field.goldilocks import Base
from ciro_zk.hash.transcript import ProverTranscript
from ciro_zk.kernels import Kernels
from ciro_zk.lookup.verifier import FractionClaim, next_claim, round_claim

Extension = NDArray[np.uint64]


class Stack:
    """A layer above the leaves, or what is left of any layer when variables are bound."""

    def __init__(self, kernels: Kernels, tables: NDArray[np.uint64]) -> None:
        self._kernels, self._tables = kernels, tables

    def above(self) -> Stack | None:
        """The layer of the sums; None if this is one of two fractions."""
        return Stack(self._kernels, self._kernels.fraction_layer(self._tables)) if self._tables.shape[2] > 1 else None

    def round(self, eq_high: Extension, eq_low: Extension, batch: Ext) -> tuple[Ext, Ext]:
        """As `Kernels.fraction_round`."""
        return self._kernels.fraction_round(self._tables, eq_high, eq_low, batch)

    def fold(self, r: Ext) -> Stack:
        """The top variable bound to r."""
        return Stack(self._kernels, self._kernels.fold_stack(self._tables, r))

    def values(self) -> list[Ext]:
        """num_lo, num_hi, den_lo, den_hi of two fractions."""
        return [arrays.get(table, 0) for table in self._tables]


class Leaves:
    """The layer of the leaves: `(2^L,)` base numerators, `(2, 2^L)` denominators."""

    def __init__(self, kernels: Kernels, numerators: Base, denominators: Extension) -> None:
        self._kernels, self._tables = kernels, (numerators, denominators)

    def above(self) -> Stack | None:
        return Stack(self._kernels, self._kernels.leaf_layer(*self._tables)) if self._tables[0].shape[0] > 2 else None

    def round(self, eq_high: Extension, eq_low: Extension, batch: Ext) -> tuple[Ext, Ext]:
        return self._kernels.leaf_round(*self._tables, eq_high, eq_low, batch)

    def fold(self, r: Ext) -> Stack:
        return Stack(self._kernels, self._kernels.fold_leaves(*self._tables, r))

    def values(self) -> list[Ext]:
        numerators, denominators = self._tables
        return [Ext(int(numerators[0])), Ext(int(numerators[1])), arrays.get(denominators, 0), arrays.get(denominators, 1)]


def prove_fractions(transcript: ProverTranscript, kernels: Kernels, leaves: Leaves | Stack) -> FractionClaim:
    """Prove that the fractions sum to zero; returns the claim left on the leaves."""
    layers = [leaves]
    while above := layers[-1].above():
        layers.append(above)
    d_lo, d_hi = layers[-1].values()[2:]
    transcript.send_elements("root denominator", [d_lo * d_hi])
    claim = FractionClaim(point=(), numerator=Ext(0), denominator=d_lo * d_hi)
    while layers:
        claim = _prove_layer(transcript, kernels, claim, layers)
    return claim


def _prove_layer(transcript: ProverTranscript, kernels: Kernels, claim: FractionClaim, layers: list[Leaves | Stack]) -> FractionClaim:
    """The sumcheck of the last of the layers, which is taken from the list, so that nothing keeps it once a variable is bound."""
    layer = layers.pop()
    batch = transcript.challenge("layer batch")
    running = claim.numerator + batch * claim.denominator
    scale = ONE
    bound: list[Ext] = []
    for r, (eq_high, eq_low) in zip(claim.point, _suffixes(kernels, claim.point), strict=True):
        at_zero, leading = layer.round(eq_high, eq_low, batch)
        at_zero, leading = at_zero * scale, leading * scale
        transcript.send_elements("layer round", [at_zero, leading])
        x = transcript.challenge("layer challenge")
        running, scale = round_claim(running, scale, r, x, at_zero, leading)
        layer = layer.fold(x)
        bound.append(x)
    values = layer.values()
    transcript.send_elements("layer values", values)
    return next_claim(transcript, bound, values)


def _suffixes(kernels: Kernels, point: Sequence[Ext]) -> Iterable[tuple[Extension, Extension]]:
    """For each round k = 0, 1, ... eq over point[k + 1:] as a product of a high and a low table, of about equal size at first."""
    if not point:
        return
    cut = len(point) - len(point) // 2
    low = kernels.eq_suffixes(point[cut:])
    for high in kernels.eq_suffixes(point[1:cut]):
        yield high, low[0]
    for table in low[1:]:
        yield high, table
