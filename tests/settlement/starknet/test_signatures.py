"""Stark signatures of receipts: one form of each, by a key of the worker; Cairo and Python agree."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from settlement.starknet.machine import Contract, Machine, Reverted

from ciro_zk.signatures import StarkSignatures
from settlement.starknet import build

SCHEME = StarkSignatures()
WORKER, OTHER, PRIVATE, MESSAGE = 0x101, 0x102, 0x5EC4E7, 0x1234
KEY = SCHEME.public_key(PRIVATE)
R, S = SCHEME.sign(PRIVATE, MESSAGE)


@pytest.fixture
def probe(machine: Machine) -> Contract:
    contract = machine.deploy(build.compiled("signatures", build.PROBES))
    contract.invoke(0, "set_worker_of_key", KEY, WORKER)
    contract.invoke(0, "set_worker_of_key", 3, WORKER)
    return contract


def test_the_key_s_signature_is_taken(probe: Contract) -> None:
    probe.call("check_signature", WORKER, MESSAGE, KEY, R, S)


@pytest.mark.parametrize(
    ("code", "worker", "message", "key", "r", "s"),
    [
        ("BAD_SIGNATURE", WORKER, MESSAGE, KEY, 0, S),
        ("BAD_SIGNATURE", WORKER, MESSAGE, KEY, SCHEME.order, S),
        ("BAD_SIGNATURE", WORKER, MESSAGE, KEY, R + (1 << 255), S),
        ("BAD_SIGNATURE", WORKER, MESSAGE, KEY, R, 0),
        ("BAD_SIGNATURE", WORKER, MESSAGE, KEY, R, SCHEME.order - S),
        ("BAD_SIGNATURE", OTHER, MESSAGE, 0, R, SCHEME.order // 2 + 1),
        ("WRONG_SIGNER", WORKER, MESSAGE, KEY, R, SCHEME.order // 2),
        ("WRONG_SIGNER", OTHER, MESSAGE, KEY, R, S),
        ("WRONG_SIGNER", WORKER, MESSAGE, KEY + 1, R, S),
        ("WRONG_SIGNER", 0, MESSAGE, 0, R, S),
        ("WRONG_SIGNER", WORKER, MESSAGE + 1, KEY, R, S),
        ("WRONG_SIGNER", WORKER, MESSAGE, KEY, R + 1, S),
        ("WRONG_SIGNER", WORKER, MESSAGE, 3, R, S),
    ],
)
def test_what_is_refused(probe: Contract, code: str, worker: int, message: int, key: int, r: int, s: int) -> None:
    with pytest.raises(Reverted, match=code):
        probe.call("check_signature", worker, message, key, r, s)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(private=st.integers(1, SCHEME.order - 1), message=st.integers(2, 2**251 - 1))
def test_against_python(private: int, message: int, probe: Contract) -> None:
    key, (r, s) = SCHEME.public_key(private), SCHEME.sign(private, message)
    probe.invoke(0, "set_worker_of_key", key, WORKER)
    assert SCHEME.verify(key, message, r, s)
    probe.call("check_signature", WORKER, message, key, r, s)
    assert not SCHEME.verify(key, message ^ 1, r, s)
    with pytest.raises(Reverted, match="WRONG_SIGNER"):
        probe.call("check_signature", WORKER, message ^ 1, key, r, s)
