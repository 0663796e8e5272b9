"""LogUp-GKR: the fractions numerator(x) / denominator(x) over x in {0,1}^L sum to zero (Haboeck, eprint 2022/1530; Papini and
Haboeck, eprint 2023/1284).

With lookups as 1 / (alpha - phi(row)) and tables as -m / (alpha - phi(row)), the sum vanishes iff every looked-up row
is in its table, but with probability at most (columns + 1) * leaves / |K| over alpha and beta.

Fractions are added pairwise, the pair being the two halves of a layer: n = n_lo d_hi + n_hi d_lo, d = d_lo d_hi. The
root must be n = 0 and d != 0 (d != 0: a zero denominator would make the sum meaningless). Each layer, from the root: a
claim (n, d) at a point r becomes, by

    n(r) + lambda d(r) = sum_x eq(r, x) [ n_lo d_hi + n_hi d_lo + lambda d_lo d_hi ](x)

and a sumcheck, a claim on the four halves at one point, and by a random mu on the next layer at (mu, point). Rounds are
in Gruen's form (eprint 2024/108, section 3.2): the round polynomial is eq's linear factor times t of degree 2; t(0) and
t's leading coefficient are sent, t(1) follows from the running claim. Error per layer of k variables: (3 k + 2) / |K|.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ciro_zk.errors import ProofRejected
from ciro_zk.field.extension import ONE, ZERO, Ext
from ciro_zk.hash.transcript import Transcript, VerifierTranscript

STAGE = "lookup"


@dataclass(frozen=True, slots=True, kw_only=True)
class FractionClaim:
    """A layer's numerator and denominator at a point."""

    point: tuple[Ext, ...]
    numerator: Ext
    denominator: Ext


def round_claim(running: Ext, scale: Ext, r: Ext, x: Ext, at_zero: Ext, leading: Ext) -> tuple[Ext, Ext]:
    """The running claim and eq's scale after a round: s(X) = ((1 - r)(1 - X) + r X) t(X) with s(0) + s(1) = running.

    t includes the scale of the variables bound before; returns s(x) and the new scale.
    """
    if not r:
        raise ProofRejected(stage=STAGE, reason="a challenge is zero; its probability is 2^-128")
    at_one = (running - (ONE - r) * at_zero) * r.inverse()
    # t(X) = t0 + b X + c X^2, b = t1 - t0 - c
    value = at_zero + x * (at_one - at_zero - leading + x * leading)
    rx = r * x
    factor = ONE - r - x + rx + rx
    return factor * value, scale * factor


def next_claim(transcript: Transcript, bound: Sequence[Ext], values: Sequence[Ext]) -> FractionClaim:
    """Join the halves' values (n_lo, n_hi, d_lo, d_hi) at a random mu."""
    mu = transcript.challenge("layer half")
    n_lo, n_hi, d_lo, d_hi = values
    return FractionClaim(point=(mu, *bound), numerator=n_lo + mu * (n_hi - n_lo), denominator=d_lo + mu * (d_hi - d_lo))


def verify_fractions(transcript: VerifierTranscript, log_leaves: int) -> FractionClaim:
    """Check that the fractions sum to zero; returns the claim left on the leaves. Raises `ProofRejected` (stage "lookup")."""
    (root,) = transcript.receive_elements("root denominator", 1)
    if root == ZERO:
        raise ProofRejected(stage=STAGE, reason="the product of all denominators is zero")
    claim = FractionClaim(point=(), numerator=ZERO, denominator=root)
    for layer in range(log_leaves):
        claim = _verify_layer(transcript, claim, layer)
    return claim


def _verify_layer(transcript: VerifierTranscript, claim: FractionClaim, layer: int) -> FractionClaim:
    batch = transcript.challenge("layer batch")
    running = claim.numerator + batch * claim.denominator
    scale = ONE
    bound: list[Ext] = []
    for r in claim.point:
        at_zero, leading = transcript.receive_elements("layer round", 2)
        x = transcript.challenge("layer challenge")
        running, scale = round_claim(running, scale, r, x, at_zero, leading)
        bound.append(x)
    values = transcript.receive_elements("layer values", 4)
    n_lo, n_hi, d_lo, d_hi = values
    expected = scale * (n_lo * d_hi + n_hi * d_lo + batch * d_lo * d_hi)
    if expected != running:
        raise ProofRejected(
            stage=STAGE, reason="a layer's fractions do not add up to the claim", round=layer, expected=expected, actual=running
        )
    return next_claim(transcript, bound, values)
