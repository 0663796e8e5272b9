"""No check of the verifier is decoration: without it an attack is accepted that is rejected with it.

Every `raise` and every call of a check in the verifier's modules is listed in `CHECKS`, with an attack that only it stops, or in
`OTHERWISE`, with the reason why no attack can show it. A check that is added and not listed fails `test_every_check_is_listed`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from soundness.attacks import argument, encodings
from soundness.attacks.attempt import Attempt
from soundness.checks.check import Check
from soundness.checks.listed import CHECKS, MODULES, OTHERWISE
from soundness.disabling import checks_of, without
from soundness.verdicts import verdict

from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.hash.transcript import VerifierTranscript


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
        argument.false_row(layer)()
    assert (error.value.stage, error.value.round) == ("lookup", layer)
    assert verdict(argument.false_row(12))[0] == "opening"


def test_a_cut_proof_fails_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check for the stream's end only names the damage: no shorter proof passes the decoders behind it."""
    without(monkeypatch, VerifierTranscript, "receive_bytes", "truncated")
    attempt = encodings.cut_short()
    body = attempt.proof.body
    for length in [*range(0, len(body), 97), *range(len(body) - 40, len(body))]:
        with pytest.raises((ProofRejected, ProofFormatError, ValueError, IndexError)):
            Attempt(attempt.vk, replace(attempt.proof, body=body[:length]))()
