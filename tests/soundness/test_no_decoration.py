"""No check of the verifier is decoration: without it an attack is accepted that is rejected with it.

Every `raise` and every call of a check in the verifier's modules is listed in `CHECKS`, with an attack that only it stops, or in
`OTHERWISE`, with the reason why no attack can show it. A check that is added and not listed fails `test_every_check_is_listed`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from soundness import attacks
from soundness.attacks import Attempt
from soundness.disabling import checks_of, without

import ciro_zk.commitment.verifier as opening
import ciro_zk.field.goldilocks as goldilocks
import ciro_zk.hash.merkle as merkle
import ciro_zk.lookup.verifier as lookup
import ciro_zk.program.public as public
import ciro_zk.sumcheck.verifier as sumcheck
import ciro_zk.verifier as verifier
from ciro_zk.circuit.claims import ClaimLedger
from ciro_zk.commitment.proximity import agreement_squared
from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.hash.transcript import VerifierTranscript
from ciro_zk.program.statement import Inference, Statement
from ciro_zk.verifier import Checking, Verified

Disable = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Check:
    """A check: where it is, the attack that runs into it, what it says, and how it is taken out."""

    where: str
    needle: str
    attack: Callable[[], Callable[[], object]]
    stage: str
    """The stage of the rejection; "format" for a `ProofFormatError`."""
    reason: str
    disable: Disable

    def __str__(self) -> str:
        attack = getattr(self.attack, "func", self.attack)
        return f"{self.where.removeprefix('ciro_zk.')}-{attack.__name__}"


def removed(owner: object, name: str, *needles: str) -> Disable:
    return lambda patch: without(patch, owner, name, *needles)


def _forget_columns(patch: pytest.MonkeyPatch) -> None:
    without(patch, opening, "verify_opening", "added.append(PointClaims", "claim + arrays.inner_product(weights, values)")


def _forget(name: str, needle: str) -> Disable:
    """A verifier that neither holds a claim nor misses it."""

    def disable(patch: pytest.MonkeyPatch) -> None:
        without(patch, Checking, name, needle)
        without(patch, ClaimLedger, "take", "claims are missing")
        attacks.unregistered(patch)  # an honest registration has a claim more than this verifier

    return disable


def _any_element(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(goldilocks, "is_canonical", lambda values: True)


def _ignored_ledger() -> Attempt:
    """A false output to a verifier that forgets the outputs' claims: its ledger notices."""
    attempt = attacks.omitted_output()

    def forgetful(patch: pytest.MonkeyPatch) -> None:
        without(patch, Checking, "check_outputs", "ledger.add")
        attacks.unregistered(patch)

    return Attempt(attempt.vk, attempt.proof, world=forgetful)


V, L, C, T = "ciro_zk.verifier", "ciro_zk.lookup.verifier", "ciro_zk.commitment.verifier", "ciro_zk.hash.transcript.VerifierTranscript"
SUMS = "do not add up"
FORMS = "do not meet the sumcheck's claim"
WORK = removed(VerifierTranscript, "receive_work", "proof of work")
FINAL = removed(opening, "verify_opening", "check_final")
PUBLIC = "ciro_zk.program.public"
ONE = "ciro_zk.program.statement.Inference"

CHECKS = [
    # the statement
    Check(
        f"{V}.verify", "testing preset", attacks.testing_key, "statement", "testing preset", removed(verifier, "verify", "testing preset")
    ),
    Check(
        f"{V}.verify",
        "another program",
        attacks.relabelled_program,
        "statement",
        "for another program",
        removed(verifier, "verify", "another program"),
    ),
    Check(
        f"{V}.verify",
        "other weights",
        attacks.relabelled_model,
        "statement",
        "for other weights",
        removed(verifier, "verify", "other weights"),
    ),
    Check(
        f"{V}.verify",
        "check_public('input'",
        attacks.input_out_of_range,
        "statement",
        "'x' is out of range",
        removed(verifier, "verify", "check_public('input'"),
    ),
    Check(
        f"{V}.verify",
        "check_public('output'",
        attacks.extra_output,
        "statement",
        "not those of the program",
        removed(verifier, "verify", "check_public('output'"),
    ),
    Check(
        f"{V}.verify",
        "check_given('input'",
        attacks.other_input_given,
        "statement",
        "about another input",
        removed(verifier, "verify", "check_given('input'"),
    ),
    Check(
        f"{V}.verify",
        "check_given('output'",
        attacks.other_output_given,
        "statement",
        "about another output",
        removed(verifier, "verify", "check_given('output'"),
    ),
    Check(
        f"{PUBLIC}.check_public",
        "not those of the program",
        attacks.extra_output,
        "statement",
        "not those of the program",
        removed(public, "check_public", "not those of the program"),
    ),
    Check(
        f"{PUBLIC}.check_public",
        "not those of the program",
        attacks.swapped_ports,
        "statement",
        "not those of the program",
        removed(public, "check_public", "not those of the program"),
    ),
    Check(
        f"{PUBLIC}.check_public",
        "another shape",
        attacks.reshaped_output,
        "statement",
        "'y' has another shape",
        removed(public, "check_public", "another shape"),
    ),
    *(
        Check(
            f"{PUBLIC}.check_public",
            "out of range",
            attack,
            "statement",
            "is out of range",
            removed(public, "check_public", "out of range"),
        )
        for attack in (attacks.input_out_of_range, attacks.input_wrapped, attacks.output_wrapped)
    ),
    Check(
        f"{PUBLIC}.check_given",
        "about another",
        attacks.other_input_given,
        "statement",
        "about another input: 'x' differs at index (0, 0, 0)",
        removed(public, "check_given", "about another"),
    ),
    # registration
    *(
        Check(f"{V}.verify", "check_registration", attack, "registration", f"lookup: a layer's fractions {SUMS}", attacks.unregistered)
        for attack in (attacks.weights_too_large, attacks.weights_fractional)
    ),
    Check(
        f"{V}.check_registration",
        "has no weights",
        attacks.registration_of_nothing,
        "registration",
        "the model has no weights",
        removed(verifier, "check_registration", "has no weights"),
    ),
    # proof of work
    Check(
        f"{V}.Checking.check_lookups",
        "receive_work",
        attacks.no_lookup_work,
        "grinding",
        "'lookup grinding' does not have 2 zero bits",
        WORK,
    ),
    Check(f"{C}.verify_opening", "receive_work", attacks.no_query_work, "grinding", "'query grinding' does not have 4 zero bits", WORK),
    Check(
        "ciro_zk.sumcheck.verifier.verify_rounds",
        "receive_work",
        attacks.no_fold_work,
        "grinding",
        "'fold grinding' does not have 2 zero bits",
        WORK,
    ),
    Check(f"{T}.receive_work", "proof of work", attacks.no_query_work, "grinding", "zero bits", WORK),
    # lookups
    Check(
        f"{L}.verify_fractions",
        "denominators is zero",
        attacks.zero_denominator,
        "lookup",
        "product of all denominators is zero",
        removed(lookup, "verify_fractions", "denominators is zero"),
    ),
    *(
        Check(f"{L}._verify_layer", SUMS, attack, "lookup", f"fractions {SUMS}", removed(lookup, "_verify_layer", SUMS))
        for attack in (attacks.false_row, partial(attacks.false_row, 1), partial(attacks.false_row, 5), partial(attacks.false_row, 11))
    ),
    # products
    *(
        Check(
            f"{V}.Checking.check_products",
            "check_final",
            attack,
            "products",
            f"factors' values {FORMS}",
            removed(Checking, "check_products", "check_final"),
        )
        for attack in (attacks.false_accumulator, attacks.false_maximum)
    ),
    # claims: a verifier that forgets one
    Check(
        f"{V}.Checking.check_lookups",
        "ledger.add('numerator'",
        attacks.omitted_numerators,
        "opening",
        FORMS,
        _forget("check_lookups", "'numerator'"),
    ),
    Check(
        f"{V}.Checking.check_lookups",
        "ledger.add('denominator'",
        attacks.omitted_denominators,
        "opening",
        FORMS,
        _forget("check_lookups", "'denominator'"),
    ),
    *(
        Check(f"{V}.Checking.check_samples", f"ledger.add('{name}'", attack, "opening", FORMS, attacks.forget_sample(name))
        for name, attack in (("weights sample", attacks.other_weights), ("witness sample", attacks.other_witness))
    ),
    Check(f"{C}.verify_opening", "added.append(SampleClaim", attacks.other_folds, "opening", FORMS, attacks.forget_folds),
    Check(f"{V}.Checking.instance_value", "ledger.add", attacks.omitted_factor, "opening", FORMS, _forget("instance_value", "ledger.add")),
    Check(f"{V}.Checking.check_outputs", "ledger.add", attacks.omitted_output, "opening", FORMS, _forget("check_outputs", "ledger.add")),
    Check(
        f"{V}.Checking.check_opening",
        "ledger.take",
        _ignored_ledger,
        "ledger",
        "missing",
        lambda patch: patch.setattr(ClaimLedger, "take", lambda self, expected: tuple(self._claims.values())),
    ),
    Check(
        "ciro_zk.circuit.claims.ClaimLedger.take",
        "claims are missing",
        _ignored_ledger,
        "ledger",
        "missing",
        removed(ClaimLedger, "take", "claims are missing"),
    ),
    # one inference of a batch
    Check(
        f"{ONE}.check",
        "verify_multi",
        attacks.inference_of_another,
        "statement",
        "output digest at index 1: the opening does not lead to the root",
        removed(Inference, "check", "verify_multi"),
    ),
    Check(
        f"{ONE}.check",
        "another program",
        attacks.inference_of_another_program,
        "statement",
        "another program",
        removed(Inference, "check", "another program"),
    ),
    Check(
        f"{ONE}.check",
        "check_public",
        attacks.inference_of_another_shape,
        "statement",
        "another shape",
        removed(Inference, "check", "check_public"),
    ),
    Check(
        f"{PUBLIC}.check_public",
        "64-bit integers",
        attacks.inference_between_integers,
        "statement",
        "not of 64-bit integers",
        removed(public, "check_public", "64-bit integers"),
    ),
    # the opening
    *(
        Check(f"{C}.verify_opening", "check_final", attack, "opening", FORMS, FINAL)
        for attack in (attacks.false_output, attacks.false_input, attacks.false_factor, attacks.false_fold)
    ),
    Check(
        "ciro_zk.sumcheck.verifier.check_final",
        "ProofRejected",
        attacks.false_accumulator,
        "products",
        FORMS,
        removed(sumcheck, "check_final", "ProofRejected"),
    ),
    *(
        Check(
            f"{C}.verify_opening",
            "added.append(PointClaims",
            partial(attacks.false_fold, level, block, True),
            "opening",
            FORMS,
            _forget_columns,
        )
        for level, block in ((0, 0), (0, 1), (1, 0), (2, 0))
    ),
    *(
        Check(
            f"{C}._folded_columns",
            "verify_multi",
            partial(attacks.false_columns, level, block),
            "merkle",
            f"level {level}, oracle {block}: the opening does not lead to the root",
            lambda patch: patch.setattr(opening, "verify_multi", lambda *arguments: None),
        )
        for level, block in ((0, 0), (0, 1), (1, 0), (2, 0))
    ),
    Check(
        "ciro_zk.hash.merkle.verify_multi",
        "lead to the root",
        attacks.false_columns,
        "merkle",
        "does not lead to the root",
        removed(merkle, "verify_multi", "lead to the root"),
    ),
    # encodings: without these a statement has several proofs
    Check(f"{T}.receive_base", "not canonical", attacks.long_columns, "format", "an element is not canonical", _any_element),
    Check(f"{T}.receive_elements", "str(error)", attacks.long_element, "format", "element is not canonical", attacks.reducing),
    Check("ciro_zk.field.extension.Ext.from_bytes", "is not canonical", attacks.long_element, "format", "not canonical", attacks.reducing),
    Check(
        f"{V}.Checking.run", "finish()", attacks.trailing_bytes, "format", "16 bytes are left unread", removed(Checking, "run", "finish()")
    ),
    Check(
        f"{T}.finish", "left unread", attacks.trailing_bytes, "format", "16 bytes are left", removed(VerifierTranscript, "finish", "unread")
    ),
]

OTHERWISE = {
    (f"{V}.verify", "is not possible"): "without it there is no program of that batch to check against",
    (f"{ONE}.check", "raise ProofRejected"): "passes verify_multi's refusal on",
    (f"{V}.check_registration", "{error.stage}"): "passes the rejection of a registration on under its own name",
    (f"{C}._folded_columns", "raise ProofRejected"): "passes verify_multi's refusal on with level and oracle",
    (f"{L}.round_claim", "challenge is zero"): "guards an inverse: without it a challenge of zero raises ZeroDivisionError; 2^-128",
    ("ciro_zk.field.extension.Ext.inverse", "no inverse"): "as above",
    ("ciro_zk.field.extension.Ext.from_bytes", "an extension element is"): "the reader cuts 16 bytes; see test_a_cut_proof_fails_anyway",
    (f"{T}.receive_bytes", "truncated"): "names the damage: without it the next decoder fails, see test_a_cut_proof_fails_anyway",
    ("ciro_zk.circuit.claims.ClaimLedger.add", "entered twice"): "a claim entered twice is one too few for take(); this one names it",
    ("ciro_zk.hash.merkle.verify_multi", "leaf digests"): "columns and positions have one length: the verifier drew both",
    ("ciro_zk.hash.merkle.verify_multi", "every digest must have"): "the reader cuts digests of 32 bytes",
    ("ciro_zk.hash.merkle.verify_multi", "surplus siblings"): "the reader takes num_siblings of them",
    ("ciro_zk.hash.merkle.verify_multi", "siblings are missing"): "the reader takes num_siblings of them",
    ("ciro_zk.hash.merkle._check_positions", "no positions"): "the verifier draws at least one",
    ("ciro_zk.hash.merkle._check_positions", "out of range"): "the verifier draws them in range",
    ("ciro_zk.hash.merkle._check_positions", "sorted and distinct"): "the verifier sorts them",
}

MODULES: list[tuple[str, tuple[str, ...] | None]] = [
    (V, ("Checking", "check_registration", "verify")),
    ("ciro_zk.program.statement", ("Inference",)),
    (L, None),
    ("ciro_zk.sumcheck.verifier", None),
    (C, None),
    ("ciro_zk.hash.merkle", ("verify_multi", "num_siblings", "_check_positions")),
    ("ciro_zk.hash.transcript", ("VerifierTranscript",)),
    ("ciro_zk.circuit.claims", ("ClaimLedger",)),
    (PUBLIC, ("check_public", "check_given")),
    ("ciro_zk.field.extension", ("Ext",)),
]


def verdict(attempt: Callable[[], object]) -> tuple[str, str]:
    """(stage, reason) of a rejection; ("format", reason) of bytes that are no proof."""
    try:
        attempt()
    except ProofRejected as rejected:
        return rejected.stage, rejected.reason
    except ProofFormatError as malformed:
        return "format", malformed.reason
    return "accepted", ""


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_without_the_check_the_attack_is_accepted(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = check.attack()
    stage, reason = verdict(attempt)
    assert (stage, check.reason in reason) == (check.stage, True), (stage, reason)
    if isinstance(attempt, Attempt):
        assert verdict(replace(attempt, given={"accelerate": True} | dict(attempt.given))) == (stage, reason)
    check.disable(monkeypatch)
    attempt()


def test_every_check_is_listed() -> None:
    listed = [(check.where, check.needle) for check in CHECKS] + list(OTHERWISE)
    found = [check for module, names in MODULES for check in checks_of(module, names)]
    assert len(found) > 40
    for where, source in found:
        assert any(place == where and needle in source for place, needle in listed), f"no attack on {where}: {source}"
    for place, needle in listed:
        assert any(where == place and needle in source for where, source in found), f"there is no {needle!r} in {place}"


@pytest.mark.parametrize("layer", range(12))
def test_every_layer_is_checked(layer: int) -> None:
    """A false row can be hidden from any number of layers; the next one shows it, the last by the leaves' forms."""
    with pytest.raises(ProofRejected) as error:
        attacks.false_row(layer)()
    assert (error.value.stage, error.value.round) == ("lookup", layer)
    assert verdict(attacks.false_row(12))[0] == "opening"


def test_a_cut_proof_fails_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check for the stream's end only names the damage: no shorter proof passes the decoders behind it."""
    without(monkeypatch, VerifierTranscript, "receive_bytes", "truncated")
    attempt = attacks.cut_short()
    body = attempt.proof.body
    for length in [*range(0, len(body), 97), *range(len(body) - 40, len(body))]:
        with pytest.raises((ProofRejected, ProofFormatError, ValueError, IndexError)):
            Attempt(attempt.vk, attacks.replace(attempt.proof, body=body[:length]))()


@pytest.mark.parametrize(
    ("field", "attack"),
    [
        ("program digest", attacks.replayed_program),
        ("model commitment", attacks.chosen_weights),
        ("input digest", attacks.chosen_input),
        ("output digest", attacks.chosen_output),
    ],
)
def test_the_statement_must_be_bound(field: str, attack: Callable[[], Attempt], monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol that forgets to absorb a field of the statement has false statements accepted (weak Fiat-Shamir).

    Of the fields left: `preset` is part of the program digest, `batch` is always 1 so far.
    """
    attempt = attack()
    stage, reason = verdict(attempt)
    assert stage in ("lookup", "registration") and SUMS in reason
    without(monkeypatch, Statement, "bind", field)
    assert isinstance(attempt(), Verified)


def test_two_messages_are_close_to_the_weights_word() -> None:
    """The key of two minds is a good one: honest proofs hold under it. Only the sample tells the other weights from the registered."""
    circuit, vk = attacks.listed(), attacks.weights_of_two_minds()
    (word, other), (pk, _) = attacks.both_weights(), attacks.keys(circuit)
    code = circuit.program.params.oracles[0].code
    over, under = agreement_squared(code.log_blowup, code.multiplicity)
    for weights in (pk.weights, other):
        codewords = attacks.commit_cells(circuit.program, attacks.as_cells(weights)).codewords
        agreeing = int((codewords == word.codewords).all(axis=0).sum())
        assert agreeing**2 * under >= over * codewords.shape[1] ** 2
    attacks.check_key(vk)
    values = attacks.run_graph(circuit.graph, attacks.leaves_of(pk, attacks.toy_input()))

    def honest(seed: int) -> Attempt:
        lie = attacks.Lie(padding=np.random.default_rng(seed))
        return Attempt(vk, attacks.forge(pk, attacks.Claimed(values=values, weights=word, sample=vk.weights_sample), lie))

    assert isinstance(attacks.until(honest, lambda patch: None)(), Verified)
    tensor = circuit.graph.tensors[attacks.tensor_ids(circuit)["w2"]]
    assert other[attacks.tensor_ids(circuit)["w2"]].max() > tensor.high
    assert verdict(attacks.other_weights())[0] == "opening"


def test_what_the_statement_attacks_claim_is_false() -> None:
    """The attacks above are on false statements indeed."""
    proof, honest = attacks.chosen_input().proof, attacks.wide()
    pk, _ = attacks.keys(honest)
    values = attacks.run_graph(honest.graph, attacks.leaves_of(pk, proof.inputs["x"]))
    assert not np.array_equal(attacks.outputs_of(honest.graph, values)["z"], proof.outputs["z"])
    proof = attacks.chosen_output().proof
    values = attacks.run_graph(honest.graph, attacks.leaves_of(pk, proof.inputs["x"]))
    assert not np.array_equal(attacks.outputs_of(honest.graph, values)["z"], proof.outputs["z"])
    toy = attacks.toy(attacks.QUIET)
    pk, _ = attacks.keys(toy)
    proof = attacks.chosen_weights().proof
    values = attacks.run_graph(toy.graph, attacks.leaves_of(pk, proof.inputs["x"]))
    assert not np.array_equal(attacks.outputs_of(toy.graph, values)["y"], proof.outputs["y"])
