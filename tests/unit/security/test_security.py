"""The security report: its figures follow from the parameters that prover and verifier use, and every parameter counts."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from math import isclose, log2, sqrt
from time import perf_counter
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import tiny, two_ports

from ciro_zk.commitment.levels import Demand, choose_levels, opening_bytes
from ciro_zk.commitment.params import Code, CommitmentParams, Oracle
from ciro_zk.commitment.proximity import ERROR_BITS, MIN_MULTIPLICITY, agreement_squared, bad_challenges, list_size, num_queries_for
from ciro_zk.field.extension import P
from ciro_zk.params import CONSERVATIVE, JOHNSON, PRESETS, STANDARD, Preset
from ciro_zk.security import VERDICT_MARGIN, ProofShape, commitment_params, lookup_grinding, security_report

SHAPE = ProofShape(
    log_leaves=16, max_columns=3, product_rounds=9, product_degree=3, num_products=4, num_zero_checks=2, num_claims=30, num_vars=(12, 16)
)


@st.composite
def shapes(draw: st.DrawFn) -> ProofShape:
    weights, witness = draw(st.integers(0, 17)), draw(st.integers(3, 17))
    return ProofShape(
        log_leaves=draw(st.integers(1, 18)),
        max_columns=draw(st.integers(1, 3)),
        product_rounds=draw(st.integers(0, 24)),
        product_degree=draw(st.integers(2, 5)),
        num_products=draw(st.integers(0, 200)),
        num_zero_checks=draw(st.integers(0, 50)),
        num_claims=draw(st.integers(2, 1000)),
        num_vars=(weights, witness),
    )


PRESET = st.sampled_from(list(PRESETS.values()))


def demand(preset: Preset, quarters: int, fold_quarters: int = 0) -> Demand:
    return Demand(
        log_blowup=preset.log_blowup,
        max_multiplicity=preset.max_multiplicity,
        grinding_bits=preset.query_grinding_bits,
        fold_grinding_bits=preset.max_fold_grinding_bits,
        query_quarters=quarters,
        fold_quarters=fold_quarters or quarters,
    )


# Totals --------------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(PRESET, shapes())
def test_the_summed_bits_reach_the_target(preset: Preset, shape: ProofShape) -> None:
    params = commitment_params(preset, shape)
    report = security_report(preset, shape, params)
    error = sum(2.0 ** -(term.bits + term.grinding_bits) for term in report.terms)
    assert report.summed_bits >= preset.target_bits + VERDICT_MARGIN
    assert isclose(report.summed_bits, -log2(error))
    assert isclose(report.summed_bits_without_grinding, -log2(sum(2.0**-term.bits for term in report.terms)))
    assert report.summed_bits_without_grinding <= report.summed_bits <= report.round_by_round_bits
    assert report.round_by_round_bits == min(term.bits + term.grinding_bits for term in report.terms)


@settings(max_examples=40)
@given(PRESET, shapes())
def test_no_query_is_superfluous(preset: Preset, shape: ProofShape) -> None:
    """With one query less at every level the sum misses the target and its margin."""
    params = commitment_params(preset, shape)
    codes = [oracle.code for level in params.levels for oracle in level]
    if all(code.num_queries > 1 for code in codes):
        fewer = with_codes(params, [replace(code, num_queries=code.num_queries - 1) for code in codes])
        assert security_report(preset, shape, fewer).summed_bits < preset.target_bits + VERDICT_MARGIN


def with_codes(params: CommitmentParams, codes: list[Code]) -> CommitmentParams:
    """The same oracles under other codes, listed level by level."""
    left = iter(codes)
    return replace(params, levels=tuple(tuple(replace(oracle, code=next(left)) for oracle in level) for level in params.levels))


@settings(max_examples=40)
@given(PRESET, shapes())
def test_the_parameters_fit_the_shape(preset: Preset, shape: ProofShape) -> None:
    params = commitment_params(preset, shape)
    assert params.grinding_bits == preset.query_grinding_bits
    assert [o.num_vars for o in params.oracles] == [max(n, o.code.log_columns) for n, o in zip(shape.num_vars, params.oracles, strict=True)]
    assert all(o.code.log_blowup == preset.log_blowup for o in params.oracles)
    assert sum(params.fold_rounds(i) for i in range(len(params.levels))) + params.clear_vars == params.rounds
    assert params.is_sampled == (preset is JOHNSON) and params.fold_grinding_bits <= preset.max_fold_grinding_bits
    for i, level in enumerate(params.levels[1:]):
        (oracle,) = level
        assert oracle.num_vars == params.message_vars(i)
        assert oracle.row_vars > 0 and oracle.code.log_blowup >= preset.log_blowup
    for level in params.levels:
        assert all(o.code.multiplicity in (0, *range(MIN_MULTIPLICITY, preset.max_multiplicity + 1)) for o in level)


def test_a_circuit_for_which_no_number_of_queries_is_enough_is_refused() -> None:
    with pytest.raises(ValueError, match="too large for 100 bits under the preset 'standard'"):
        commitment_params(STANDARD, replace(SHAPE, log_leaves=60))


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
@given(columns=st.integers(1, 3), log_leaves=st.integers(1, 44))
def test_the_lookup_grinding_is_the_least_that_leaves_a_margin(preset: Preset, columns: int, log_leaves: int) -> None:
    shape = replace(SHAPE, max_columns=columns, log_leaves=log_leaves)
    wanted = preset.target_bits + 1 + 4
    bits = 2 * log2(P) - log2((columns + 1) * 2**log_leaves)
    if bits + 24 < wanted:
        with pytest.raises(ValueError, match="too large"):
            lookup_grinding(preset, shape)
        return
    work = lookup_grinding(preset, shape)
    assert preset.lookup_grinding_bits <= work <= 24 and bits + work >= wanted
    assert work == preset.lookup_grinding_bits or bits + work - 1 < wanted


def test_the_lookup_grinding_by_hand() -> None:
    """Small circuits have none in `standard`; 2^28 leaves of one column, whose identity is worth 99 bits, have 6."""
    assert lookup_grinding(STANDARD, replace(SHAPE, log_leaves=20)) == 0
    assert lookup_grinding(STANDARD, replace(SHAPE, log_leaves=21)) == 1
    assert lookup_grinding(STANDARD, replace(SHAPE, max_columns=1, log_leaves=28)) == 7
    assert lookup_grinding(CONSERVATIVE, SHAPE) == 12
    large = commitment_params(STANDARD, replace(SHAPE, log_leaves=28))
    assert security_report(STANDARD, replace(SHAPE, log_leaves=28), large).summed_bits >= 101


def test_a_target_beyond_the_hash_or_field_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        commitment_params(replace(STANDARD, target_bits=127), SHAPE)


# Terms by hand -------------------------------------------------------------------------------------------------------------------------


def test_the_terms_by_hand() -> None:
    weights = Oracle(num_vars=12, code=Code(log_columns=10, log_blowup=2, num_queries=100))
    witness = Oracle(num_vars=16, code=Code(log_columns=9, log_blowup=1, num_queries=150))
    folded = Oracle(num_vars=11, code=Code(log_columns=8, log_blowup=4, num_queries=80))
    params = CommitmentParams(levels=((weights, witness), (folded,)), grinding_bits=18)
    report = security_report(replace(STANDARD, lookup_grinding_bits=5), SHAPE, params)
    field = 2 * log2(P)
    folds = 2 * 2**12 + 7 * 2**10 + 3 * 2**12
    expected = {
        "lookup identity": (field - log2(4 * 2**16), 5),
        "fraction layers": (field - log2(sum(3 * k + 2 for k in range(16))), 0),
        "zero checks and outputs": (field - log2(64 * 3), 0),
        "product sumcheck": (field - log2(9 * 3 + 4 + 2), 0),
        "opening: batching, sumcheck": (field - log2(30 + 100 + 150 + 80 + 2 * (7 + 11)), 0),
        "opening: folding": (field - log2(folds), 0),
        "opening: queries, level 0.0": (-100 * log2(5 / 8), 18),
        "opening: queries, level 0.1": (-150 * log2(3 / 4), 18),
        "opening: queries, level 1.0": (-80 * log2(17 / 32), 18),
    }
    assert {t.name: t.grinding_bits for t in report.terms} == {name: work for name, (_, work) in expected.items()}
    for term in report.terms:
        assert isclose(term.bits, expected[term.name][0]), term.name


def test_the_terms_of_list_decoding_by_hand() -> None:
    """Weights m = 3, witness m = 5, a fold decoded uniquely; every list and every bad challenge from the theorems' formulas."""
    weights = Oracle(num_vars=12, code=Code(log_columns=10, log_blowup=3, num_queries=60, multiplicity=3))
    witness = Oracle(num_vars=16, code=Code(log_columns=9, log_blowup=3, num_queries=50, multiplicity=5))
    folded = Oracle(num_vars=11, code=Code(log_columns=8, log_blowup=4, num_queries=80))
    params = CommitmentParams(levels=((weights, witness), (folded,)), grinding_bits=18, fold_grinding_bits=7, is_sampled=True)
    report = security_report(JOHNSON, SHAPE, params)

    def listed(m: int, degree: int, length: int) -> tuple[int, float]:
        rho = degree / length
        size = (m + 0.5) / sqrt(rho)
        return int(size), size**7 / 3 * (rho * length) ** 2

    (size_0, bad_0), (size_1, bad_1) = listed(3, 1023, 2**13), listed(5, 511, 2**12)
    assert (size_0, size_1) == (9, 15)
    pairs = size_0 * size_1
    field = 2 * log2(P)
    expected = {
        "opening: out-of-domain samples": (field - log2(size_0 * (size_0 - 1) / 2 * 12 + size_1 * (size_1 - 1) / 2 * 16), 0),
        "opening: batching, sumcheck": (field - log2(pairs * (30 + 2 + 2 * 7) + 60 + 50 + 1 + 2 * 3 + 80 + 2 * 8), 0),
        "opening: folding": (field - log2(2 * bad_0 + 7 * bad_1 + 3 * 2**12), 7),
        "opening: queries, level 0.0": (-60 * log2((1 + 1 / 6) * sqrt(1 / 8)), 18),
        "opening: queries, level 0.1": (-50 * log2((1 + 1 / 10) * sqrt(1 / 8)), 18),
        "opening: queries, level 1.0": (-80 * log2(17 / 32), 18),
    }
    found = {term.name: term for term in report.terms}
    for name, (bits, work) in expected.items():
        assert isclose(found[name].bits, bits) and found[name].grinding_bits == work, name
    assert report.regime == "list decoding up to the Johnson radius, proved (eprint 2025/2110)"


def test_the_design_figures_of_unique_decoding() -> None:
    """121, 90, 86 and 84 queries for 82 bits at rates 1/4, 1/16, 1/32, 1/64."""
    assert [num_queries_for(4 * 82, b, 0) for b in (2, 4, 5, 6)] == [121, 90, 86, 84]


@given(st.integers(1, 520), st.integers(1, 6), st.sampled_from([0, 3, 8, 16]))
def test_the_number_of_queries_is_the_least(quarters: int, log_blowup: int, multiplicity: int) -> None:
    rho = 2.0**-log_blowup
    pass_rate = (1 + 1 / (2 * multiplicity)) * sqrt(rho) if multiplicity else (1 + rho) / 2
    q = num_queries_for(quarters, log_blowup, multiplicity)
    assert pass_rate**q <= 2.0 ** (-quarters / 4) * (1 + 1e-9)
    assert q == 1 or pass_rate ** (q - 1) > 2.0 ** (-quarters / 4) * (1 - 1e-9)


@given(st.integers(1, 24), st.integers(1, 6), st.sampled_from([3, 4, 8, 16]))
def test_the_figures_are_on_the_safe_side(log_columns: int, log_blowup: int, m: int) -> None:
    """A list as long as agreements allow, never more challenges than the theorem's count for the exact degree."""
    degree, length = (1 << log_columns) - 1, 1 << log_columns + log_blowup
    alpha = Fraction(*agreement_squared(log_blowup, m))
    assert alpha == (1 + Fraction(1, 2 * m)) ** 2 * Fraction(1, 1 << log_blowup)
    # Johnson: L (alpha^2 - rho) <= alpha - rho, with the agreement of two codewords at most degree / length
    rho = Fraction(degree, length)
    size = list_size(log_columns, log_blowup, m)
    assert (size + 1) * (alpha - rho) > sqrt(alpha) - rho
    exact = Fraction(2 * m + 1, 2) ** 14 * length**7 / Fraction(9 * degree**3)
    bad = bad_challenges(log_columns, log_blowup, m)
    assert (bad - 1) ** 2 <= exact < bad**2
    assert list_size(log_columns, log_blowup, 0) == 1 and bad_challenges(log_columns, log_blowup, 0) == length


@settings(max_examples=20)
@given(PRESET, shapes(), shapes())
def test_a_verdict_rests_on_the_registration_too(preset: Preset, shape: ProofShape, weights: ProofShape) -> None:
    """Proof and registration together still meet the target, and the report says so in a term of its own."""
    params = commitment_params(preset, shape)
    alone = security_report(preset, shape, params)
    registration = security_report(preset, weights, commitment_params(preset, weights))
    both = security_report(preset, shape, params, registration)
    assert both.terms[:-1] == alone.terms
    assert both.terms[-1].name == "registration of the weights"
    assert isclose(both.terms[-1].bits + both.terms[-1].grinding_bits, registration.summed_bits)
    assert preset.target_bits <= both.summed_bits < min(alone.summed_bits, registration.summed_bits)


def test_a_programs_report_counts_its_registration() -> None:
    names = [[term.name for term in circuit.program.security.terms] for circuit in (tiny(), two_ports())]
    assert ["registration of the weights" in found for found in names] == [True, False]


# Every field counts --------------------------------------------------------------------------------------------------------------------


def everything(preset: Preset, shape: ProofShape) -> tuple[Any, Any]:
    params = commitment_params(preset, shape)
    return params, security_report(preset, shape, params)


@pytest.mark.parametrize("name", [f.name for f in fields(ProofShape)])
def test_every_size_of_the_proof_counts(name: str) -> None:
    value = getattr(SHAPE, name)
    larger = replace(SHAPE, **{name: (13, 16) if name == "num_vars" else value + 1})
    assert everything(STANDARD, larger)[1].terms != everything(STANDARD, SHAPE)[1].terms


@pytest.mark.parametrize("name", [f.name for f in fields(Preset)])
def test_every_setting_of_a_preset_counts(name: str) -> None:
    for preset in (JOHNSON,) if name == "max_fold_grinding_bits" else (STANDARD, JOHNSON):
        value = getattr(preset, name)
        changed = {"name": "other", "target_bits": preset.target_bits - 1, "max_multiplicity": 3}
        other = replace(preset, **{name: changed[name] if name in changed else value + 1})
        assert everything(other, SHAPE) != everything(preset, SHAPE)


@pytest.mark.parametrize("name", [f.name for f in fields(Code)])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_every_parameter_of_a_code_counts(name: str, index: int) -> None:
    """Of the weights', the witness's and the first fold's."""
    params = commitment_params(STANDARD, SHAPE)
    codes = [oracle.code for level in params.levels for oracle in level]
    codes[index] = replace(codes[index], **{name: 3 if name == "multiplicity" else getattr(codes[index], name) - 1})
    changed = security_report(STANDARD, SHAPE, with_codes(params, codes))
    assert changed.terms != security_report(STANDARD, SHAPE, params).terms


def test_every_parameter_of_the_commitment_counts() -> None:
    assert {f.name for f in fields(CommitmentParams)} == {"levels", "grinding_bits", "fold_grinding_bits", "is_sampled"}
    assert {f.name for f in fields(Oracle)} == {"num_vars", "code"}
    params = commitment_params(STANDARD, SHAPE)
    report = security_report(STANDARD, SHAPE, params)
    weights, witness = params.oracles
    larger = [(replace(weights, num_vars=weights.num_vars + 1), witness), (weights, replace(witness, num_vars=witness.num_vars + 1))]
    for first in larger:
        assert security_report(STANDARD, SHAPE, replace(params, levels=(first, *params.levels[1:]))).terms != report.terms
    others = [replace(params, **{name: 1}) for name in ("grinding_bits", "fold_grinding_bits", "is_sampled")]
    for other in (*others, replace(params, levels=params.levels[:1])):
        assert security_report(STANDARD, SHAPE, other).terms != report.terms


def test_every_parameter_is_in_the_bytes_that_the_transcript_absorbs() -> None:
    params = commitment_params(STANDARD, SHAPE)
    codes = [oracle.code for level in params.levels for oracle in level]
    others = [replace(params, **{name: True}) for name in ("grinding_bits", "fold_grinding_bits", "is_sampled")]
    others.append(replace(params, levels=params.levels[:1]))
    for i, code in enumerate(codes):
        for name in (f.name for f in fields(Code)):
            changed = replace(code, **{name: getattr(code, name) + 1})
            others.append(with_codes(params, [*codes[:i], changed, *codes[i + 1 :]]))
    weights, witness = params.oracles
    others.append(replace(params, levels=((replace(weights, num_vars=weights.num_vars + 1), witness), *params.levels[1:])))
    others.append(replace(params, levels=((weights,), (witness,), *params.levels[1:])))
    assert len({bytes(p) for p in (params, *others)}) == 1 + len(others)


# The report ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_the_report_says_what_the_proof_is_not(preset: Preset) -> None:
    report = security_report(preset, SHAPE, commitment_params(preset, SHAPE))
    text = str(report)
    assert "not zero-knowledge" in text and ("Johnson radius" if preset is JOHNSON else "unique decoding") in text
    assert report.zero_knowledge is False
    assert report.preset == preset.name
    assert all(term.name in text for term in report.terms)
    assert len(text.splitlines()) == 1 + len(report.terms)
    assert report.as_dict()["zero_knowledge"] is False
    assert report.as_dict()["terms"][0]["name"] == report.terms[0].name


def test_the_presets() -> None:
    """Only `testing` promises less than 100 bits."""
    assert set(PRESETS) == {"testing", "standard", "conservative", "johnson"}
    assert all(preset.name == name for name, preset in PRESETS.items())
    assert [name for name, preset in PRESETS.items() if preset.target_bits < 100] == ["testing"]


# The choice of levels ------------------------------------------------------------------------------------------------------------------


SIZES = st.tuples(st.integers(0, 24), st.integers(0, 24))


@settings(max_examples=30)
@given(SIZES, PRESET, st.integers(100, 440))
def test_every_code_is_worth_the_bits_asked_for(num_vars: tuple[int, int], preset: Preset, quarters: int) -> None:
    """Its queries and its folds; more is asked than the proofs of work alone are worth."""
    chosen = choose_levels(num_vars, demand(preset, quarters))
    assume(chosen is not None)
    for oracle in (oracle for level in chosen.levels for oracle in level):
        assert (oracle.code.query_error >> preset.query_grinding_bits) ** 4 <= 2 ** (4 * ERROR_BITS - quarters)
        folds = oracle.row_vars * oracle.code.bad_challenges
        assert folds**4 << quarters <= P**8 << 4 * preset.max_fold_grinding_bits


@settings(max_examples=30)
@given(SIZES, st.integers(4, 24), st.integers(4, 24))
def test_no_plain_opening_is_smaller_than_the_one_chosen(num_vars: tuple[int, int], first: int, second: int) -> None:
    """Against openings without further levels, of any rows a search would look at."""
    chosen = choose_levels(num_vars, demand(STANDARD, 400))
    columns = [min(max(c, n // 2), max(n, 5)) for c, n in zip((first, second), num_vars, strict=True)]
    oracles = tuple(
        Oracle(num_vars=max(n, c), code=Code(log_columns=c, log_blowup=2, num_queries=num_queries_for(4 * 82, 2, 0)))
        for c, n in zip(columns, num_vars, strict=True)
    )
    assert opening_bytes(chosen) <= opening_bytes(CommitmentParams(levels=(oracles,), grinding_bits=18))


@settings(max_examples=30)
@given(SIZES)
def test_list_decoding_makes_large_openings_smaller(num_vars: tuple[int, int]) -> None:
    """At least not larger than unique decoding with as much work and the same rate."""
    shape = replace(SHAPE, num_vars=num_vars)
    unique = commitment_params(replace(JOHNSON, max_multiplicity=0), shape)
    assert opening_bytes(commitment_params(JOHNSON, shape)) <= opening_bytes(unique) + 1024


@given(st.tuples(st.integers(0, 20), st.integers(0, 20)), st.integers(4, 12), st.integers(1, 3))
def test_the_weights_code_can_be_fixed(num_vars: tuple[int, int], log_columns: int, log_blowup: int) -> None:
    weights = choose_levels(num_vars, demand(STANDARD, 200), (log_columns, log_blowup)).oracles[0]
    assert (weights.code.log_columns, weights.code.log_blowup) == (log_columns, log_blowup)
    assert weights.num_vars == max(num_vars[0], log_columns)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_huge_shapes_are_possible_and_chosen_quickly(preset: Preset) -> None:
    """Rows are as short as the folding error asks for."""
    shape = replace(SHAPE, log_leaves=22, num_vars=(28, 26))
    proximity_caches_cleared()
    start = perf_counter()
    params = commitment_params(preset, shape)
    assert perf_counter() - start < 3  # 0.3 s on a machine that does nothing else
    assert security_report(preset, shape, params).summed_bits >= preset.target_bits + VERDICT_MARGIN


def proximity_caches_cleared() -> None:
    for function in (list_size, bad_challenges, num_queries_for):
        function.cache_clear()
