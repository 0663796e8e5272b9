"""Batched sumcheck: several claims sum_x prod_j f_j(x) = v in one run of rounds (Lund, Fortnow, Karloff, Nisan 1992).

Instance i in n_i variables enters with a random coefficient; all end at suffixes of one point: an instance is constant
in the first n - n_i rounds (its sum over them is 2^(n - n_i) v, so it enters as 2^-(n - n_i) times itself) and its
variables are the last n_i. Rounds bind the top variable first. A round polynomial s of degree D is sent as its
coefficients without the linear one, which follows from s(0) + s(1) = claim. Error: D / |K| a round, and (instances - 1)
/ |K| for the batching.
"""

from __future__ import annotations

from collections.abc import Sequence

from ciro_zk.errors import ProofRejected
from ciro_zk.field.extension import ZERO, Ext, total
from ciro_zk.hash.transcript import VerifierTranscript

HALF = Ext.from_int(2).inverse()


def complete(claim: Ext, sent: Sequence[Ext]) -> list[Ext]:
    """All coefficients from c_0, c_2, c_3, ... and the claim: c_1 = claim - 2 c_0 - c_2 - ..."""
    return [sent[0], claim - sent[0] - total(sent), *sent[1:]]


def horner(coefficients: Sequence[Ext], x: Ext) -> Ext:
    """The polynomial's value at x."""
    value = ZERO
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value


def verify_rounds(
    transcript: VerifierTranscript, claim: Ext, num_rounds: int, degree: int, label: str, fold_grinding_bits: int = 0
) -> tuple[list[Ext], Ext]:
    """Follow the rounds; returns the point and the claim that the factors' values must meet there. A proof of work guards each
    challenge that also folds rows of a code."""
    point: list[Ext] = []
    for _ in range(num_rounds):
        sent = transcript.receive_elements(f"{label} round", degree)
        transcript.receive_work("fold grinding", fold_grinding_bits)
        x = transcript.challenge(f"{label} challenge")
        claim = horner(complete(claim, sent), x)
        point.append(x)
    return point, claim


def check_final(stage: str, expected: Ext, actual: Ext, reason: str) -> None:
    """`ProofRejected` unless the claim left by the rounds is met."""
    if expected != actual:
        raise ProofRejected(stage=stage, reason=reason, expected=expected, actual=actual)
