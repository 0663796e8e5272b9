"""The checks of proof of work, lookups and products, and the claims that the verifier must not forget."""

from __future__ import annotations

from functools import partial

import pytest
from soundness.attacks import argument, claims, samples
from soundness.attacks.attempt import Attempt, unregistered
from soundness.checks.check import FORMS, SUMS, C, Check, Disable, L, T, V, removed
from soundness.disabling import without

import ciro_zk.lookup.verifier as lookup
from ciro_zk.circuit.claims import ClaimLedger
from ciro_zk.hash.transcript import VerifierTranscript
from ciro_zk.verifier import Checking


def _forget(name: str, needle: str) -> Disable:
    """A verifier that neither holds a claim nor misses it."""

    def disable(patch: pytest.MonkeyPatch) -> None:
        without(patch, Checking, name, needle)
        without(patch, ClaimLedger, "take", "claims are missing")
        unregistered(patch)  # an honest registration has a claim more than this verifier

    return disable


def _ignored_ledger() -> Attempt:
    """A false output to a verifier that forgets the outputs' claims: its ledger notices."""
    attempt = claims.omitted_output()

    def forgetful(patch: pytest.MonkeyPatch) -> None:
        without(patch, Checking, "check_outputs", "ledger.add")
        unregistered(patch)

    return Attempt(attempt.vk, attempt.proof, world=forgetful)


WORK = removed(VerifierTranscript, "receive_work", "proof of work")


CHECKS = [
    # proof of work
    Check(
        f"{V}.Checking.check_lookups",
        "receive_work",
        argument.no_lookup_work,
        "grinding",
        "'lookup grinding' does not have 2 zero bits",
        WORK,
    ),
    Check(f"{C}.verify_opening", "receive_work", argument.no_query_work, "grinding", "'query grinding' does not have 4 zero bits", WORK),
    Check(
        "ciro_zk.sumcheck.verifier.verify_rounds",
        "receive_work",
        argument.no_fold_work,
        "grinding",
        "'fold grinding' does not have 2 zero bits",
        WORK,
    ),
    Check(f"{T}.receive_work", "proof of work", argument.no_query_work, "grinding", "zero bits", WORK),
    # lookups
    Check(
        f"{L}.verify_fractions",
        "denominators is zero",
        argument.zero_denominator,
        "lookup",
        "product of all denominators is zero",
        removed(lookup, "verify_fractions", "denominators is zero"),
    ),
    *(
        Check(f"{L}._verify_layer", SUMS, attack, "lookup", f"fractions {SUMS}", removed(lookup, "_verify_layer", SUMS))
        for attack in (argument.false_row, partial(argument.false_row, 1), partial(argument.false_row, 5), partial(argument.false_row, 11))
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
        for attack in (argument.false_accumulator, argument.false_maximum)
    ),
    # claims: a verifier that forgets one
    Check(
        f"{V}.Checking.check_lookups",
        "ledger.add('numerator'",
        claims.omitted_numerators,
        "opening",
        FORMS,
        _forget("check_lookups", "'numerator'"),
    ),
    Check(
        f"{V}.Checking.check_lookups",
        "ledger.add('denominator'",
        claims.omitted_denominators,
        "opening",
        FORMS,
        _forget("check_lookups", "'denominator'"),
    ),
    *(
        Check(f"{V}.Checking.check_samples", f"ledger.add('{name}'", attack, "opening", FORMS, samples.forget_sample(name))
        for name, attack in (("weights sample", samples.other_weights), ("witness sample", samples.other_witness))
    ),
    Check(f"{C}.verify_opening", "added.append(SampleClaim", samples.other_folds, "opening", FORMS, samples.forget_folds),
    Check(f"{V}.Checking.instance_value", "ledger.add", claims.omitted_factor, "opening", FORMS, _forget("instance_value", "ledger.add")),
    Check(f"{V}.Checking.check_outputs", "ledger.add", claims.omitted_output, "opening", FORMS, _forget("check_outputs", "ledger.add")),
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
]
