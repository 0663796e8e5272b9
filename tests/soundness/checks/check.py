"""A check of the verifier, and the attack that only it stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from soundness.disabling import without

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


V, L, C, T = "ciro_zk.verifier", "ciro_zk.lookup.verifier", "ciro_zk.commitment.verifier", "ciro_zk.hash.transcript.VerifierTranscript"
PUBLIC, ONE = "ciro_zk.program.public", "ciro_zk.program.statement.Inference"

SUMS = "do not add up"


FORMS = "do not meet the sumcheck's claim"
