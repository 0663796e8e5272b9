"""CiroToken: an ERC-20 of fixed supply with burning and past balances."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from settlement.starknet.machine import Contract, Event, Machine, Reverted

SUPPLY = 10**27
HOLDER, OTHER, THIRD, CONFIGURER = 0x401DE5, 0x07E5, 0x7415D, 0xC0F


@pytest.fixture
def token(machine: Machine) -> Contract:
    return machine.deploy("token", HOLDER, CONFIGURER)


def refused(code: str, contract: Contract, *call: object) -> None:
    """The call reverts with the code and leaves the storage as it was."""
    before = contract.storage()
    with pytest.raises(Reverted) as caught:
        contract.invoke(*call)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert contract.storage() == before


def test_the_whole_supply_goes_to_the_holder(token: Contract) -> None:
    assert (token.call("name"), token.call("symbol"), token.call("decimals")) == ("CIRO", "CIRO", 18)
    assert token.call("total_supply") == token.call("balance_of", HOLDER) == SUPPLY
    assert token.deployed.events == (Event(token.address, "Transfer", {"from": 0, "to": HOLDER, "value": SUPPLY}),)


def test_the_holder_is_not_zero(machine: Machine) -> None:
    with pytest.raises(Reverted, match="ZERO_ADDRESS"):
        machine.deploy("token", 0, CONFIGURER)


def test_transfer(token: Contract) -> None:
    outcome = token.invoke(HOLDER, "transfer", OTHER, 7)
    assert outcome.value is True
    assert outcome.events == (Event(token.address, "Transfer", {"from": HOLDER, "to": OTHER, "value": 7}),)
    assert (token.call("balance_of", HOLDER), token.call("balance_of", OTHER)) == (SUPPLY - 7, 7)


def test_transfer_to_oneself_changes_nothing(token: Contract) -> None:
    token.invoke(HOLDER, "transfer", HOLDER, SUPPLY)
    assert token.call("balance_of", HOLDER) == SUPPLY


def test_transfer_refusals_in_order(token: Contract) -> None:
    refused("ZERO_ADDRESS", token, HOLDER, "transfer", 0, 2**128)
    refused("AMOUNT_OVERFLOW", token, OTHER, "transfer", THIRD, 2**128)
    refused("BALANCE_TOO_LOW", token, OTHER, "transfer", THIRD, 2**128 - 1)
    refused("BALANCE_TOO_LOW", token, HOLDER, "transfer", THIRD, SUPPLY + 1)


def test_transfer_from_spends_the_allowance(token: Contract) -> None:
    outcome = token.invoke(HOLDER, "approve", OTHER, 10)
    assert outcome.value is True
    assert outcome.events == (Event(token.address, "Approval", {"owner": HOLDER, "spender": OTHER, "value": 10}),)
    token.invoke(OTHER, "transfer_from", HOLDER, THIRD, 4)
    assert (token.call("allowance", HOLDER, OTHER), token.call("balance_of", THIRD)) == (6, 4)
    refused("ALLOWANCE_TOO_LOW", token, OTHER, "transfer_from", HOLDER, THIRD, 7)
    refused("ALLOWANCE_TOO_LOW", token, THIRD, "transfer_from", HOLDER, THIRD, 1)


def test_transfer_from_refusals_in_order(token: Contract) -> None:
    token.invoke(THIRD, "approve", OTHER, 2**128 - 1)
    refused("ZERO_ADDRESS", token, OTHER, "transfer_from", THIRD, 0, 2**256 - 1)
    refused("AMOUNT_OVERFLOW", token, OTHER, "transfer_from", THIRD, OTHER, 2**128)
    refused("BALANCE_TOO_LOW", token, OTHER, "transfer_from", THIRD, OTHER, 1)
    refused("ZERO_ADDRESS", token, HOLDER, "approve", 0, 1)
    refused("AMOUNT_OVERFLOW", token, HOLDER, "approve", OTHER, 2**128)


def test_burning_lowers_the_supply(token: Contract) -> None:
    token.invoke(HOLDER, "transfer", OTHER, 10)
    outcome = token.invoke(OTHER, "burn", 4)
    assert outcome.events == (Event(token.address, "Transfer", {"from": OTHER, "to": 0, "value": 4}),)
    assert (token.call("total_supply"), token.call("balance_of", OTHER)) == (SUPPLY - 4, 6)
    refused("BALANCE_TOO_LOW", token, OTHER, "burn", 7)
    refused("AMOUNT_OVERFLOW", token, OTHER, "burn", 2**128)


def test_balances_of_past_blocks(machine: Machine, token: Contract) -> None:
    for block, amount in ((3, 5), (3, 2), (10, 100)):  # two changes in block 3 count as one
        machine.block(number=block)
        token.invoke(HOLDER, "transfer", OTHER, amount)
    token.invoke(OTHER, "burn", 50)
    with pytest.raises(Reverted, match="BLOCK_NOT_PAST"):
        token.call("balance_at", OTHER, 10)
    with pytest.raises(Reverted, match="BLOCK_NOT_PAST"):
        token.call("total_supply_at", 11)
    machine.block(number=2**40)
    assert [token.call("balance_at", OTHER, b) for b in (0, 2, 3, 4, 9, 10, 11)] == [0, 0, 7, 7, 7, 57, 57]
    assert [token.call("total_supply_at", b) for b in (0, 1, 9, 10, 2**40 - 1)] == [0, SUPPLY, SUPPLY, SUPPLY - 50, SUPPLY - 50]


def test_arguments_that_do_not_decode(token: Contract) -> None:
    for calldata in ([OTHER], [OTHER, 1], [OTHER, 1, 0, 0], [OTHER, 2**128, 0]):
        with pytest.raises(Reverted, match="MALFORMED_CALLDATA"):
            token.invoke(HOLDER, "transfer", *calldata, raw=True)


accounts = st.sampled_from((HOLDER, OTHER, THIRD))
amounts = st.one_of(st.integers(0, 10), st.integers(0, 2**256 - 1), st.integers(SUPPLY - 10, SUPPLY + 10))
calls = st.one_of(
    st.tuples(accounts, st.just("transfer"), accounts, amounts),
    st.tuples(accounts, st.just("approve"), accounts, amounts),
    st.tuples(accounts, st.just("transfer_from"), accounts, accounts, amounts),
    st.tuples(accounts, st.just("burn"), amounts),
)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trace=st.lists(st.tuples(st.integers(0, 2), calls), max_size=8))
def test_against_a_model(trace: list[tuple[int, tuple[object, ...]]], machine: Machine) -> None:
    machine.restore(0)
    token = machine.deploy("token", HOLDER, CONFIGURER)
    balances, allowances, block, past = {HOLDER: SUPPLY}, {}, 1, {}
    for blocks, (caller, name, *arguments) in trace:
        if blocks:
            past[block + blocks - 1] = past[block] = dict(balances)
            block += blocks
            machine.block(number=block)
        amount = arguments[-1]
        owner, receiver = {"transfer": (caller, arguments[0]), "transfer_from": tuple(arguments[:2]), "burn": (caller, 0)}.get(name, (0, 0))
        code = None
        if amount >= 2**128:
            code = "AMOUNT_OVERFLOW"
        elif name == "transfer_from" and allowances.get((owner, caller), 0) < amount:
            code = "ALLOWANCE_TOO_LOW"
        elif name != "approve" and balances.get(owner, 0) < amount:
            code = "BALANCE_TOO_LOW"
        if code:
            refused(code, token, caller, name, *arguments)
            continue
        token.invoke(caller, name, *arguments)
        if name == "approve":
            allowances[caller, arguments[0]] = amount
            continue
        if name == "transfer_from":
            allowances[owner, caller] = allowances.get((owner, caller), 0) - amount
        balances[owner] = balances.get(owner, 0) - amount
        if receiver:
            balances[receiver] = balances.get(receiver, 0) + amount
    assert token.call("total_supply") == sum(balances.values())
    for account in (HOLDER, OTHER, THIRD):
        assert token.call("balance_of", account) == balances.get(account, 0)
        for then, held in past.items():
            assert token.call("balance_at", account, then) == held.get(account, 0)
