"""What every contract of the system has, on CiroToken: addresses set once, governance, parameters, upgrades."""

from __future__ import annotations

import pytest
from settlement.starknet.machine import Contract, Event, Machine, Reverted

HOLDER, OTHER, CONFIGURER, GOVERNANCE = 0x401DE5, 0x07E5, 0xC0F, 0x60F
ADDRESSES = ((int.from_bytes(b"GovernanceTreasury", "big"), GOVERNANCE), (int.from_bytes(b"JobManager", "big"), 0x70B))


@pytest.fixture
def token(machine: Machine) -> Contract:
    return machine.deploy("token", HOLDER, CONFIGURER)


def test_addresses_are_set_once_by_the_configurer(token: Contract) -> None:
    with pytest.raises(Reverted, match="NOT_CONFIGURER"):
        token.invoke(OTHER, "configure", ADDRESSES)
    with pytest.raises(Reverted, match="ZERO_ADDRESS"):
        token.invoke(CONFIGURER, "configure", ADDRESSES[1:])
    token.invoke(CONFIGURER, "configure", ADDRESSES)
    assert [token.call("address_of", name) for name, _ in ADDRESSES] == [GOVERNANCE, 0x70B]
    with pytest.raises(Reverted, match="ALREADY_CONFIGURED"):
        token.invoke(CONFIGURER, "configure", ADDRESSES)


@pytest.mark.parametrize("call", [("set_parameter", 1, 1), ("upgrade", 1)], ids=["set_parameter", "upgrade"])
def test_only_governance_changes_parameters_and_code(token: Contract, call: tuple[object, ...]) -> None:
    for caller in (0, CONFIGURER):  # zero is what an address reads as before `configure`
        with pytest.raises(Reverted, match="NOT_GOVERNANCE"):
            token.invoke(caller, *call)  # type: ignore[arg-type]
    token.invoke(CONFIGURER, "configure", ADDRESSES)
    with pytest.raises(Reverted, match="NOT_GOVERNANCE"):
        token.invoke(OTHER, *call)  # type: ignore[arg-type]


def test_the_token_holds_no_parameter(token: Contract) -> None:
    token.invoke(CONFIGURER, "configure", ADDRESSES)
    with pytest.raises(Reverted, match="UNKNOWN_PARAMETER"):
        token.invoke(GOVERNANCE, "set_parameter", int.from_bytes(b"platform_fee", "big"), 1)
    with pytest.raises(Reverted, match="UNKNOWN_PARAMETER"):
        token.call("parameter_of", int.from_bytes(b"platform_fee", "big"))


def test_an_upgrade_keeps_the_balances(machine: Machine, token: Contract) -> None:
    token.invoke(CONFIGURER, "configure", ADDRESSES)
    with pytest.raises(Reverted, match="ZERO_ADDRESS"):
        token.invoke(GOVERNANCE, "upgrade", 0)
    class_hash, _ = machine.declare("token")
    outcome = token.invoke(GOVERNANCE, "upgrade", class_hash)
    assert outcome.events == (Event(token.address, "Upgraded", {"class_hash": class_hash}),)
    assert token.call("balance_of", HOLDER) == 10**27
