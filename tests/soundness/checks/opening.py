"""The checks of the opening, and of encodings."""

from __future__ import annotations

from functools import partial

import pytest
from soundness.attacks import argument, encodings
from soundness.checks.check import FORMS, C, Check, T, V, removed
from soundness.disabling import without

import ciro_zk.commitment.verifier as opening
import ciro_zk.field.goldilocks as goldilocks
import ciro_zk.hash.merkle as merkle
import ciro_zk.sumcheck.verifier as sumcheck
from ciro_zk.hash.transcript import VerifierTranscript
from ciro_zk.verifier import Checking


def _forget_columns(patch: pytest.MonkeyPatch) -> None:
    without(patch, opening, "verify_opening", "added.append(PointClaims", "claim + arrays.inner_product(weights, values)")


def _any_element(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(goldilocks, "is_canonical", lambda values: True)


FINAL = removed(opening, "verify_opening", "check_final")


CHECKS = [
    # the opening
    *(
        Check(f"{C}.verify_opening", "check_final", attack, "opening", FORMS, FINAL)
        for attack in (argument.false_output, argument.false_input, argument.false_factor, argument.false_fold)
    ),
    Check(
        "ciro_zk.sumcheck.verifier.check_final",
        "ProofRejected",
        argument.false_accumulator,
        "products",
        FORMS,
        removed(sumcheck, "check_final", "ProofRejected"),
    ),
    *(
        Check(
            f"{C}.verify_opening",
            "added.append(PointClaims",
            partial(argument.false_fold, level, block, True),
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
            partial(argument.false_columns, level, block),
            "merkle",
            f"level {level}, oracle {block}: the opening does not lead to the root",
            lambda patch: patch.setattr(opening, "verify_multi", lambda *arguments: None),
        )
        for level, block in ((0, 0), (0, 1), (1, 0), (2, 0))
    ),
    Check(
        "ciro_zk.hash.merkle.verify_multi",
        "lead to the root",
        argument.false_columns,
        "merkle",
        "does not lead to the root",
        removed(merkle, "verify_multi", "lead to the root"),
    ),
    # encodings: without these a statement has several proofs
    Check(f"{T}.receive_base", "not canonical", encodings.long_columns, "format", "an element is not canonical", _any_element),
    Check(f"{T}.receive_elements", "str(error)", encodings.long_element, "format", "element is not canonical", encodings.reducing),
    Check(
        "ciro_zk.field.extension.Ext.from_bytes", "is not canonical", encodings.long_element, "format", "not canonical", encodings.reducing
    ),
    Check(
        f"{V}.Checking.run",
        "finish()",
        encodings.trailing_bytes,
        "format",
        "16 bytes are left unread",
        removed(Checking, "run", "finish()"),
    ),
    Check(
        f"{T}.finish",
        "left unread",
        encodings.trailing_bytes,
        "format",
        "16 bytes are left",
        removed(VerifierTranscript, "finish", "unread"),
    ),
]
