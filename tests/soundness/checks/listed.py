"""Every check of the verifier: with an attack, or with the reason why no attack can show it."""

from __future__ import annotations

from soundness.checks import argument, opening, statement
from soundness.checks.check import ONE, PUBLIC, C, L, T, V

CHECKS = [*statement.CHECKS, *argument.CHECKS, *opening.CHECKS]

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
