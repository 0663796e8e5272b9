"""The checks of the statement, of a key's registration, and of one inference of a batch."""

from __future__ import annotations

from soundness.attacks import inference, registration, statement
from soundness.attacks.attempt import unregistered
from soundness.checks.check import ONE, PUBLIC, SUMS, Check, V, removed

import ciro_zk.program.public as public
import ciro_zk.verifier as verifier
from ciro_zk.program.statement import Inference

CHECKS = [
    # the statement
    Check(
        f"{V}.verify", "testing preset", statement.testing_key, "statement", "testing preset", removed(verifier, "verify", "testing preset")
    ),
    Check(
        f"{V}.verify",
        "another program",
        statement.relabelled_program,
        "statement",
        "for another program",
        removed(verifier, "verify", "another program"),
    ),
    Check(
        f"{V}.verify",
        "other weights",
        statement.relabelled_model,
        "statement",
        "for other weights",
        removed(verifier, "verify", "other weights"),
    ),
    Check(
        f"{V}.verify",
        "check_public('input'",
        statement.input_out_of_range,
        "statement",
        "'x' is out of range",
        removed(verifier, "verify", "check_public('input'"),
    ),
    Check(
        f"{V}.verify",
        "check_public('output'",
        statement.extra_output,
        "statement",
        "not those of the program",
        removed(verifier, "verify", "check_public('output'"),
    ),
    Check(
        f"{V}.verify",
        "check_given('input'",
        statement.other_input_given,
        "statement",
        "about another input",
        removed(verifier, "verify", "check_given('input'"),
    ),
    Check(
        f"{V}.verify",
        "check_given('output'",
        statement.other_output_given,
        "statement",
        "about another output",
        removed(verifier, "verify", "check_given('output'"),
    ),
    Check(
        f"{PUBLIC}.check_public",
        "not those of the program",
        statement.extra_output,
        "statement",
        "not those of the program",
        removed(public, "check_public", "not those of the program"),
    ),
    Check(
        f"{PUBLIC}.check_public",
        "not those of the program",
        statement.swapped_ports,
        "statement",
        "not those of the program",
        removed(public, "check_public", "not those of the program"),
    ),
    Check(
        f"{PUBLIC}.check_public",
        "another shape",
        statement.reshaped_output,
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
        for attack in (statement.input_out_of_range, statement.input_wrapped, statement.output_wrapped)
    ),
    Check(
        f"{PUBLIC}.check_given",
        "about another",
        statement.other_input_given,
        "statement",
        "about another input: 'x' differs at index (0, 0, 0)",
        removed(public, "check_given", "about another"),
    ),
    # registration
    *(
        Check(f"{V}.verify", "check_registration", attack, "registration", f"lookup: a layer's fractions {SUMS}", unregistered)
        for attack in (registration.weights_too_large, registration.weights_fractional)
    ),
    Check(
        f"{V}.check_registration",
        "has no weights",
        registration.registration_of_nothing,
        "registration",
        "the model has no weights",
        removed(verifier, "check_registration", "has no weights"),
    ),
    # one inference of a batch
    Check(
        f"{ONE}.check",
        "verify_multi",
        inference.inference_of_another,
        "statement",
        "output digest at index 1: the opening does not lead to the root",
        removed(Inference, "check", "verify_multi"),
    ),
    Check(
        f"{ONE}.check",
        "another program",
        inference.inference_of_another_program,
        "statement",
        "another program",
        removed(Inference, "check", "another program"),
    ),
    Check(
        f"{ONE}.check",
        "check_public",
        inference.inference_of_another_shape,
        "statement",
        "another shape",
        removed(Inference, "check", "check_public"),
    ),
    Check(
        f"{PUBLIC}.check_public",
        "64-bit integers",
        inference.inference_between_integers,
        "statement",
        "not of 64-bit integers",
        removed(public, "check_public", "64-bit integers"),
    ),
]
