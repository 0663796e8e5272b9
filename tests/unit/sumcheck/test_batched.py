"""The batched sumcheck: instances of different sizes and degrees in one run of rounds."""

from __future__ import annotations

from functools import reduce
from operator import mul

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.field.extension import ONE, ZERO, Ext, powers, total
from ciro_zk.hash.transcript import ProverTranscript, VerifierTranscript
from ciro_zk.kernels import plain_kernels
from ciro_zk.sumcheck.prover import Instance, interpolate, prove_products
from ciro_zk.sumcheck.verifier import HALF, check_final, complete, horner, verify_rounds
from tests.unit.poly_forms.reference import SEEDS, Spelled, from_table, mle, random_ext, random_table

KERNELS = plain_kernels()
SIZES = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), min_size=1, max_size=4)


def random_instances(rng: np.random.Generator, sizes: list[tuple[int, int]]) -> list[tuple[np.ndarray, Ext]]:
    """(factor tables `(d, 2, 2^n)`, their sum of products) for each (n, d)."""
    found = []
    for n, degree in sizes:
        tables = np.stack([random_table(rng, 1 << n) for _ in range(degree)])
        product: Spelled = reduce(mul, [from_table(t) for t in tables])
        found.append((tables, total(product.tolist())))
    return found


def run(
    sizes: list[tuple[int, int]], seed: int, error: Ext = ZERO, extra_rounds: int = 0, extra_degree: int = 0
) -> tuple[bytes, list[Ext], list[Ext], list[Ext], list[tuple[np.ndarray, Ext]], int, int]:
    """The prover's half on random instances; `error` is added to the first claim."""
    rng = np.random.default_rng(seed)
    made = random_instances(rng, sizes)
    made[0] = (made[0][0], made[0][1] + error)
    rounds = max(n for n, _ in sizes) + extra_rounds
    degree = max(d for _, d in sizes) + extra_degree
    coefficients = powers(random_ext(rng), len(made))
    instances = [Instance(tables, c, claim) for (tables, claim), c in zip(made, coefficients, strict=True)]
    transcript = ProverTranscript("test")
    point, values = prove_products(transcript, KERNELS, instances, rounds, degree, "test")
    finals = [reduce(mul, factors) for factors in values]
    for (tables, _), factors in zip(made, values, strict=True):
        suffix = point[rounds - (int(tables.shape[2]).bit_length() - 1) :]
        assert factors == [mle(from_table(t), suffix) for t in tables]
    return transcript.proof_bytes(), point, finals, coefficients, made, rounds, degree


def expected_value(sizes: list[tuple[int, int]], finals: list[Ext], coefficients: list[Ext], rounds: int) -> Ext:
    value = ZERO
    for (n, _), final, coefficient in zip(sizes, finals, coefficients, strict=True):
        value = value + coefficient * reduce(mul, [HALF] * (rounds - n), ONE) * final
    return value


@settings(max_examples=40)
@given(SIZES, SEEDS, st.integers(0, 2), st.integers(0, 1))
def test_round_trip(sizes: list[tuple[int, int]], seed: int, extra_rounds: int, extra_degree: int) -> None:
    body, point, finals, coefficients, made, rounds, degree = run(sizes, seed, extra_rounds=extra_rounds, extra_degree=extra_degree)
    assert len(body) == 16 * rounds * degree
    transcript = VerifierTranscript("test", body)
    claim = total(c * v for c, (_, v) in zip(coefficients, made, strict=True))
    found, left = verify_rounds(transcript, claim, rounds, degree, "test")
    transcript.finish()
    assert found == point
    assert left == expected_value(sizes, finals, coefficients, rounds)


@settings(max_examples=40)
@given(SIZES, SEEDS)
def test_a_false_claim_is_not_met(sizes: list[tuple[int, int]], seed: int) -> None:
    """The verifier's claim is false by 1, the prover honest about another: the finals do not meet what the rounds leave."""
    body, _, finals, coefficients, made, rounds, degree = run(sizes, seed)
    claim = total(c * v for c, (_, v) in zip(coefficients, made, strict=True)) + ONE
    _, left = verify_rounds(VerifierTranscript("test", body), claim, rounds, degree, "test")
    with pytest.raises(ProofRejected, match="not met"):
        check_final("products", expected_value(sizes, finals, coefficients, rounds), left, "not met")


@settings(max_examples=40)
@given(SIZES.filter(lambda s: max(n for n, _ in s) > 0), SEEDS)
def test_a_prover_who_claims_a_false_value_cannot_end_on_the_factors(sizes: list[tuple[int, int]], seed: int) -> None:
    body, _, finals, coefficients, made, rounds, degree = run(sizes, seed, error=ONE)
    claim = total(c * v for c, (_, v) in zip(coefficients, made, strict=True))
    _, left = verify_rounds(VerifierTranscript("test", body), claim, rounds, degree, "test")
    assert left != expected_value(sizes, finals, coefficients, rounds)


def test_a_short_proof_is_truncated() -> None:
    body, *_, rounds, degree = run([(3, 2)], 0)
    with pytest.raises(ProofFormatError, match="truncated"):
        verify_rounds(VerifierTranscript("test", body[:-16]), ONE, rounds, degree, "test")


def test_no_rounds_leave_the_claim() -> None:
    assert verify_rounds(VerifierTranscript("test", b""), Ext(5), 0, 2, "test") == ([], Ext(5))


# Polynomials ---------------------------------------------------------------------------------------------------------------------------


def test_interpolation_by_hand() -> None:
    """1 + 2 X + 3 X^2 at 0, 1, 2."""
    assert interpolate([Ext(1), Ext(6), Ext(17)]) == [Ext(1), Ext(2), Ext(3)]


@given(SEEDS, st.integers(1, 6))
def test_interpolation_undoes_evaluation(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    coefficients = [random_ext(rng) for _ in range(count)]
    assert interpolate([horner(coefficients, Ext(i)) for i in range(count)]) == coefficients


@given(SEEDS, st.integers(2, 6))
def test_the_linear_coefficient_follows_from_the_claim(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    s = [random_ext(rng) for _ in range(count)]
    claim = horner(s, ZERO) + horner(s, ONE)
    assert complete(claim, [s[0], *s[2:]]) == s


def test_horner_and_half() -> None:
    assert horner([Ext(1), Ext(2), Ext(3)], Ext(10)) == Ext(321)
    assert horner([], Ext(10)) == ZERO
    assert HALF + HALF == ONE


def test_check_final_says_stage_and_values() -> None:
    check_final("products", Ext(1), Ext(1), "reason")
    with pytest.raises(ProofRejected) as caught:
        check_final("products", Ext(1), Ext(2), "reason")
    assert (caught.value.stage, caught.value.expected, caught.value.actual) == ("products", Ext(1), Ext(2))
