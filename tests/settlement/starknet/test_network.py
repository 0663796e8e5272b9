"""What the network's facilities answer, as the contracts use them: blocks, signatures, hashes, inner calls, upgrades, messages."""

from __future__ import annotations

import pytest
from settlement.starknet.machine import Contract, Event, Machine, MachineError, Reverted

from settlement.starknet import build

CALLER = 0xCA11
RECORD = {"owner": 0x0117, "amount": 3 << 127, "open": True}


@pytest.fixture
def network(machine: Machine) -> Contract:
    return machine.deploy(build.compiled("network", build.PROBES))


def test_block_time_and_chain(machine: Machine, network: Contract) -> None:
    machine.block(number=77, time=12345, chain_id=0x5A)
    assert network.call("block") == (77, 12345, 0x5A)


def test_a_block_hash_is_readable_after_ten_blocks(machine: Machine, network: Contract) -> None:
    machine.block_hash(40, 0xB10C)
    machine.block(number=49)
    with pytest.raises(Reverted, match="Block number out of range"):
        network.call("block_hash", 40)
    machine.block(number=50)
    assert network.call("block_hash", 40) == 0xB10C


def test_any_address_may_call(network: Contract) -> None:
    assert network.call("caller", caller=CALLER) == (CALLER, network.address)


def test_stark_signatures(network: Contract) -> None:
    hash_, key, r, s = network.machine.ask("stark_signature", key=0x5EC4E7, hash=0x1234)
    assert network.call("stark_signature", hash_, key, r, s) is True
    assert network.call("stark_signature", hash_ + 1, key, r, s) is False


def test_ethereum_signatures(network: Contract) -> None:
    # EIP-155's example of a signing hash, its signature and its sender.
    hash_ = 0xDAF5A779AE972F972197303D7B574746C7EF83EADAC0F2791AD23DB92E4C8E53
    r = 0x28EF61340BD939BC2195FE537567866003E1A15D3C71FF63E1590620AA636276
    s = 0x67CBE9D8997F761AECB703304B3800CCF555C9F3DC64214B297FB1966A3B6D83
    sender = 0x9D8A62F656A8D1615C1294FD71E9CFB3E4855A4F
    assert network.call("ethereum_signature", hash_, r, s, False, sender) is True
    assert network.call("ethereum_signature", hash_, r, s, True, sender) is False
    assert network.call("ethereum_signature", hash_ + 1, r, s, False, sender) is False


def test_hashes(network: Contract) -> None:
    # Pedersen(0, 0) and Poseidon(1, 2) as the network's documentation and libraries state them.
    assert network.call("pedersen", 0, 0) == 0x49EE3EBA8C1600700EE1B87EB599F16716B0B1022947733551FDE4050CA6804
    assert network.call("poseidon", (1, 2)) == 0x371CB6995EA5E7EFFCD2E174DE264B5B407027A75A231A70C2C8D196107F0E7


def test_a_contract_calls_another(machine: Machine, network: Contract) -> None:
    other = machine.deploy(build.compiled("network", build.PROBES), salt=1)
    outcome = network.invoke(CALLER, "put_through", other, 7, RECORD)
    assert outcome.value == RECORD
    assert outcome.events == (Event(other.address, "Put", {"id": 7, "record": RECORD}),)
    assert other.call("get", 7) == RECORD
    assert network.storage() == {}


def test_a_failing_call_changes_nothing(network: Contract) -> None:
    with pytest.raises(Reverted, match="REFUSED"):
        network.invoke(CALLER, "put_and_fail", 7, RECORD)
    assert network.storage() == {}


def test_a_failing_inner_call_is_undone_and_may_be_caught(machine: Machine, network: Contract) -> None:
    other = machine.deploy(build.compiled("network", build.PROBES), salt=1)
    outcome = network.invoke(CALLER, "fail_through", other, 7, RECORD)
    assert outcome.value == (False, int.from_bytes(b"REFUSED", "big"))
    assert outcome.events == ()
    assert other.storage() == {}


def test_enums_and_options(network: Contract) -> None:
    assert network.call("verdict", ("Verified", 1 << 200)) == (("Verified", 1 << 200), 7)
    assert network.call("verdict", "Unknown") == ("Unknown", None)


def test_messages_between_the_chains(network: Contract) -> None:
    assert network.invoke(CALLER, "message", 0xE7, (1, 2)).messages == ((network.address, 0xE7, (1, 2)),)
    network.invoke(0, "receive", 0xE7, 5, kind="L1_HANDLER")
    assert list(network.storage().values()) == [5]


def test_an_upgrade_keeps_address_and_storage(machine: Machine, network: Contract) -> None:
    network.invoke(CALLER, "put", 7, RECORD)
    class_hash, abi = machine.declare("token")
    before = network.storage()
    network.invoke(CALLER, "upgrade", class_hash)
    assert network.storage() == before
    network.abi = abi
    assert network.call("symbol") == "CIRO"


def test_an_undeclared_class_is_refused(network: Contract) -> None:
    with pytest.raises(MachineError, match="not declared"):
        network.invoke(CALLER, "upgrade", 0xBAD)


def test_snapshots(machine: Machine, network: Contract) -> None:
    snapshot = machine.snapshot()
    for _ in range(2):
        network.invoke(CALLER, "put", 7, RECORD)
        machine.block(number=99)
        machine.restore(snapshot)
        assert network.storage() == {}
        assert network.call("block")[0] == 1
