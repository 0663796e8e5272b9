"""LogUp-GKR: fractions that sum to zero are proven, others are refused, and the claim left is that of the leaves."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.field import arrays
from ciro_zk.field.extension import ONE, ZERO, Ext, total
from ciro_zk.hash.transcript import ProverTranscript, VerifierTranscript
from ciro_zk.kernels import numba_kernels, plain_kernels
from ciro_zk.lookup.prover import Leaves, Stack, prove_fractions
from ciro_zk.lookup.verifier import FractionClaim, round_claim, verify_fractions
from ciro_zk.poly.rounds import halves
from tests.unit.poly_forms.reference import SEEDS, from_table, mle, random_ext, random_table

KERNELS = plain_kernels()


def zero_sum(seed: int, log_leaves: int) -> tuple[np.ndarray, np.ndarray]:
    """Random fractions, the last chosen so that all sum to zero."""
    rng = np.random.default_rng(seed)
    size = 1 << log_leaves
    num, den = random_table(rng, size), random_table(rng, size)
    idle = rng.random(size) < 0.2
    num[:, idle], den[0, idle], den[1, idle] = 0, 1, 0
    fractions = [n * d.inverse() for n, d in zip(arrays.to_list(num[:, :-1]), arrays.to_list(den[:, :-1]), strict=True)]
    last = -total(fractions) * arrays.get(den, size - 1)
    num[:, -1] = last.c0, last.c1
    return num, den


def prove(num: np.ndarray, den: np.ndarray) -> tuple[bytes, FractionClaim]:
    transcript = ProverTranscript("test")
    claim = prove_fractions(transcript, KERNELS, Stack(KERNELS, halves(num, den)))
    return transcript.proof_bytes(), claim


@given(SEEDS, st.integers(1, 7))
def test_leaves_with_base_numerators_are_proven_alike(seed: int, log_leaves: int) -> None:
    num, den = zero_sum(seed, log_leaves)
    num[1] = 0
    transcript = ProverTranscript("test")
    claim = prove_fractions(transcript, KERNELS, Leaves(KERNELS, num[0], den))
    assert (transcript.proof_bytes(), claim) == prove(num, den)


@pytest.mark.parametrize("log_leaves", [16, 18])
def test_memory_for_a_leaf(log_leaves: int) -> None:
    """24 bytes for the leaf and 32 for all layers above; what is left of a layer once a variable is bound is less than what it frees."""
    kernels, size = numba_kernels(1), 1 << log_leaves
    tracemalloc.start()
    try:
        numerators, denominators = np.ones(size, dtype=np.uint64), np.full((2, size), 5, dtype=np.uint64)
        leaves = Leaves(kernels, numerators, denominators)
        del numerators, denominators
        prove_fractions(ProverTranscript("test"), kernels, leaves)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 58 * size


def verify(body: bytes, log_leaves: int) -> FractionClaim:
    transcript = VerifierTranscript("test", body)
    claim = verify_fractions(transcript, log_leaves)
    transcript.finish()
    return claim


def test_a_half_less_a_half() -> None:
    num = arrays.from_list([ONE, -ONE])
    den = arrays.from_list([Ext(2), Ext(2)])
    body, claim = prove(num, den)
    assert verify(body, 1) == claim
    assert len(body) == 16 * (1 + 4)


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 7))
def test_round_trip_and_the_claim_on_the_leaves(seed: int, log_leaves: int) -> None:
    num, den = zero_sum(seed, log_leaves)
    body, claim = prove(num, den)
    assert verify(body, log_leaves) == claim
    assert len(claim.point) == log_leaves
    assert claim.numerator == mle(from_table(num), claim.point)
    assert claim.denominator == mle(from_table(den), claim.point)
    assert len(body) == 16 * (1 + sum(2 * k + 4 for k in range(log_leaves)))


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 6), st.data())
def test_fractions_that_do_not_sum_to_zero_are_refused_or_leave_a_false_claim(seed: int, log_leaves: int, data: st.DataObject) -> None:
    """An honest run on a false sum: the root's numerator is taken as zero, so the first layer already fails."""
    num, den = zero_sum(seed, log_leaves)
    leaf = data.draw(st.integers(0, (1 << log_leaves) - 1))
    num[0, leaf] = (int(num[0, leaf]) + 1) % (2**64 - 2**32 + 1)
    body, _ = prove(num, den)
    with pytest.raises(ProofRejected, match="do not add up") as caught:
        verify(body, log_leaves)
    assert caught.value.stage == "lookup" and caught.value.round == 0


def test_a_zero_denominator_is_refused() -> None:
    """1/0 + 1/0 - 2/0 would be anything."""
    num, den = zero_sum(0, 3)
    den[:, 5] = 0
    body, _ = prove(num, den)
    with pytest.raises(ProofRejected, match="denominators is zero"):
        verify(body, 3)


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 5), st.integers(1, 255), st.floats(0, 1, exclude_max=True))
def test_no_message_can_be_changed(seed: int, log_leaves: int, flip: int, where: float) -> None:
    """A changed element is rejected in its layer, or leaves a claim that the leaves do not meet."""
    num, den = zero_sum(seed, log_leaves)
    body, _ = prove(num, den)
    at = int(where * len(body)) // 8 * 8  # the low byte of a coordinate: mostly stays canonical
    damaged = bytearray(body)
    damaged[at] ^= flip
    try:
        claim = verify(bytes(damaged), log_leaves)
    except (ProofRejected, ProofFormatError):
        return
    assert claim.numerator != mle(from_table(num), claim.point) or claim.denominator != mle(from_table(den), claim.point)


def test_a_truncated_and_an_extended_proof() -> None:
    body, _ = prove(*zero_sum(1, 3))
    with pytest.raises(ProofFormatError, match="truncated"):
        verify(body[:-1], 3)
    with pytest.raises(ProofFormatError, match="1 bytes are left unread"):
        verify(body + b"\0", 3)
    with pytest.raises((ProofFormatError, ProofRejected)):
        verify(body, 2)
    with pytest.raises((ProofFormatError, ProofRejected)):
        verify(body, 4)


@given(SEEDS)
def test_a_round_in_gruens_form(seed: int) -> None:
    """s(X) = scale ((1 - r)(1 - X) + r X) t(X): from t(0), t's leading coefficient and s(0) + s(1), the verifier has s everywhere."""
    rng = np.random.default_rng(seed)
    t0, t1, t2, r, x, scale = (random_ext(rng) for _ in range(6))
    r = r if r else ONE

    def s(at: Ext) -> Ext:
        return scale * ((ONE - r) * (ONE - at) + r * at) * (t0 + t1 * at + t2 * at * at)

    value, new_scale = round_claim(s(ZERO) + s(ONE), scale, r, x, t0 * scale, t2 * scale)
    assert value == s(x)
    assert new_scale == scale * ((ONE - r) * (ONE - x) + r * x)


def test_a_challenge_of_zero_is_refused() -> None:
    with pytest.raises(ProofRejected, match="challenge is zero"):
        round_claim(ONE, ONE, ZERO, ONE, ONE, ONE)
