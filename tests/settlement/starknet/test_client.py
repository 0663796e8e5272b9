"""The Starknet client: against the stand-in node over the contracts in the VM, and offline against starknet-py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from settlement.starknet.machine import Machine
from settlement.starknet.rpc_node import CHAIN_ID, StandIn, serve

import ciro_zk.settlement.starknet.artifacts
from ciro_zk.errors import InputError, SettlementError
from ciro_zk.settlement.arithmetic import selector
from ciro_zk.settlement.outbox import Action, Outbox, State, Unreachable
from ciro_zk.settlement.starknet.artifacts import NAMES, load
from ciro_zk.settlement.starknet.client import StarknetAccount, StarknetChain
from ciro_zk.settlement.starknet.deploy import deploy
from ciro_zk.settlement.starknet.rpc import Node, refusal
from ciro_zk.signatures import StarkSignatures

HOLDER, KEY, OTHER = 1000, 77, 2000
ARTIFACTS = Path(ciro_zk.settlement.starknet.artifacts.__file__).parents[1] / "artifacts"
CIRO = 10**18


@pytest.fixture
def stand_in(machine: Machine) -> StandIn:
    machine.deploy("token", HOLDER, HOLDER, address=0x70)
    machine.block(number=100, time=1100)
    return StandIn(machine, {HOLDER: StarkSignatures().public_key(KEY)})


@pytest.fixture
def url(stand_in: StandIn) -> Iterator[str]:
    server, address = serve(stand_in)
    yield address
    server.shutdown()
    server.server_close()


@pytest.fixture
def chain(url: str) -> StarknetChain:
    chain = StarknetChain(Node(url), {name: 0x70 + place for place, name in enumerate(NAMES)})
    chain.account = StarknetAccount(chain, HOLDER, KEY)
    return chain


def transfer(amount: int = CIRO, to: int = OTHER, key: str = "a") -> Action:
    return Action(key=key, contract="CiroToken", entry="transfer", arguments=(to, amount))


def test_reads_and_calls(chain: StarknetChain) -> None:
    assert (chain.chain_id, chain.block, chain.time) == (CHAIN_ID, 100, 1100)
    assert chain.call("CiroToken", "balance_of", HOLDER) == 10**27
    done = chain.invoke(HOLDER, "CiroToken", "transfer", OTHER, CIRO)
    assert [(event.contract, event.name, event.fields["value"]) for event in done.events] == [("CiroToken", "Transfer", CIRO)]
    assert chain.call("CiroToken", "balance_of", OTHER) == CIRO


def test_refusals_have_their_code_and_send_nothing(chain: StarknetChain, stand_in: StandIn) -> None:
    with pytest.raises(SettlementError) as caught:
        chain.invoke(HOLDER, "CiroToken", "transfer", OTHER, 10**28)
    assert caught.value.code == "BALANCE_TOO_LOW" and "starknet_addInvokeTransaction" not in stand_in.asked
    with pytest.raises(SettlementError) as caught:
        chain.call("CiroToken", "balance_at", HOLDER, 10**9)
    assert caught.value.code == "BLOCK_NOT_PAST"
    for arguments in ((OTHER,), (OTHER, 2**256), (-1, 1), ("x", 1)):
        with pytest.raises(SettlementError) as caught:
            chain.invoke(HOLDER, "CiroToken", "transfer", *arguments)
        assert caught.value.code == "MALFORMED_CALLDATA"
    assert stand_in.nonces == {}


def test_a_wrong_key_is_refused_by_the_account(chain: StarknetChain) -> None:
    with pytest.raises(Unreachable, match="validation"):
        StarknetAccount(chain, HOLDER, KEY + 1).sign(transfer(), 0)


def test_a_fee_above_the_bound_is_refused(chain: StarknetChain) -> None:
    with pytest.raises(InputError, match="STRK"):
        StarknetAccount(chain, HOLDER, KEY, max_fee=100).sign(transfer(), 0)


@pytest.mark.parametrize("fault", ["silent", "garbage", "other", "shape"])
def test_a_node_that_fails_changes_nothing(chain: StarknetChain, stand_in: StandIn, tmp_path: Path, fault: str) -> None:
    assert chain.account is not None
    outbox = Outbox(tmp_path / "outbox.sqlite", chain.account)
    outbox.put(transfer())
    stand_in.fault, chain.node.timeout = fault, 0.7
    for read in (lambda: chain.block, lambda: chain.call("CiroToken", "balance_of", HOLDER)):
        with pytest.raises(Unreachable):
            read()
    assert not outbox.step() and outbox.rows()[0].state is State.PENDING
    stand_in.fault, chain.node.timeout = "", 30
    for _ in range(4):
        outbox.step()
    assert outbox.rows()[0].state is State.FINAL and chain.call("CiroToken", "balance_of", OTHER) == CIRO


def test_a_request_delivered_twice_moves_money_once(chain: StarknetChain, stand_in: StandIn, tmp_path: Path) -> None:
    assert chain.account is not None
    outbox = Outbox(tmp_path / "outbox.sqlite", chain.account)
    outbox.put(transfer())
    stand_in.fault = "twice"
    for _ in range(4):
        outbox.step()
    row = outbox.rows()[0]
    chain.account.send(row.payload or b"")
    assert row.state is State.FINAL and chain.call("CiroToken", "balance_of", OTHER) == CIRO


def test_a_row_waits_for_finality_and_goes_back_when_its_block_vanishes(chain: StarknetChain, stand_in: StandIn, tmp_path: Path) -> None:
    assert chain.account is not None
    outbox = Outbox(tmp_path / "outbox.sqlite", chain.account)
    outbox.put(transfer())
    stand_in.final = False
    for _ in range(4):
        outbox.step()
    assert outbox.rows()[0].state is State.INCLUDED
    stand_in.reorganise()
    outbox.step()
    assert outbox.rows()[0].state in (State.SIGNED, State.PENDING)


def test_nothing_secret_is_shown(chain: StarknetChain) -> None:
    assert str(KEY) not in repr(chain.account) and "private" not in repr(chain.account)


def test_the_names_of_refusals_are_found_in_what_nodes_say() -> None:
    assert refusal("Failure reason: 0x57524f4e475f5354415445 ('WRONG_STATE')") == "WRONG_STATE"
    assert refusal("Failure reason: 0x57524f4e475f5354415445.") == "WRONG_STATE"
    assert refusal("Error in contract: Failed to deserialize param #1") == "MALFORMED_CALLDATA"
    assert refusal("out of gas ('SOMETHING_ELSE')") == ""


def test_declares_deploys_and_configures_and_goes_on_where_it_was(chain: StarknetChain, stand_in: StandIn) -> None:
    assert chain.account is not None
    names = tuple(name for name in NAMES if (ARTIFACTS / f"{NAMES[name]}.json.gz").exists())
    genesis = {"holder": HOLDER, "signers": (1, 2, 3, 4, 5), "guardians": (6, 7, 8), "reporters": (11, 12, 13, 14, 15)}
    addresses = deploy(chain.account, genesis, names)
    nonce = chain.account.nonce()
    assert deploy(chain.account, genesis, names) == addresses and chain.account.nonce() == nonce == (
        3 if len(names) == len(NAMES) else 2
    ) * len(names)
    chain.addresses.update(addresses)
    assert chain.call("CiroToken", "balance_of", HOLDER) == 10**27


@pytest.mark.parametrize("name", ["CiroToken"])
def test_class_hashes_are_those_that_starknet_py_computes(name: str) -> None:
    from starknet_py.hash.sierra_class_hash import compute_sierra_class_hash
    from starknet_py.net.schemas.rpc.contract import SierraContractClassSchema

    artifact = load(name)
    parsed = SierraContractClassSchema().load(artifact.sierra, unknown="exclude")
    assert compute_sierra_class_hash(parsed) == artifact.class_hash


def test_selectors_are_those_of_starknet_py() -> None:
    from starknet_py.hash.selector import get_selector_from_name

    for name in ("transfer", "submit_result", "JobPaid"):
        assert selector(name) == get_selector_from_name(name)


@pytest.mark.parametrize("url", ["ftp://x", "", "localhost:5050"])
def test_a_url_of_no_node_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="URL"):
        Node(url)


@pytest.mark.skipif("STARKNET_RPC_URL" not in os.environ, reason="devnet: STARKNET_RPC_URL is not set")
def test_devnet_answers() -> None:
    chain = StarknetChain(Node(os.environ["STARKNET_RPC_URL"]), dict.fromkeys(NAMES, 1))
    assert chain.block >= 0 and chain.chain_id > 0
