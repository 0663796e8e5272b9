"""A proof, or a key, shown to a verifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from soundness.malicious import accepted, forgotten_registrations

import ciro_zk.verifier
from ciro_zk.program.keys import VerifyingKey
from ciro_zk.proof import Proof
from ciro_zk.verifier import Verified


@dataclass(frozen=True)
class Attempt:
    """A proof and the key that it is shown to; calling it verifies."""

    vk: VerifyingKey
    proof: Proof
    given: Mapping[str, Any] = field(default_factory=dict)
    world: Callable[[pytest.MonkeyPatch], None] | None = None
    """What holds in the attack's world whether or not the check does: a chosen challenge, a verifier that forgets a claim."""

    def __call__(self) -> Verified:
        with pytest.MonkeyPatch.context() as patch, forgotten_registrations():
            if self.world is not None:
                self.world(patch)
            return accepted(self.vk, self.proof, **self.given)


def check_key(vk: VerifyingKey) -> None:
    """The verifier's check of a key alone."""
    ciro_zk.verifier.check_registration(vk)


def unregistered(patch: pytest.MonkeyPatch) -> None:
    """A world in which registrations are not looked at (they have attacks of their own)."""
    patch.setattr("ciro_zk.verifier.check_registration", lambda vk: None)
