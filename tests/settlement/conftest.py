"""The implementations that every scenario runs on; ids end in [ledger], [starknet]."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from settlement.starknet.machine import Machine
from settlement.starknet.network import StarknetNetwork
from settlement.world import GENESIS, SIGNATURES, World, populate

from ciro_zk.settlement.ledger.chain import EmbeddedLedger
from settlement.starknet import build


def require_contracts() -> None:
    """Skips, with the reason, where the contracts cannot run."""
    if reason := build.missing():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def populated_network() -> Iterator[tuple[StarknetNetwork, tuple[int, int, int]]]:
    """The contracts with people in them, and the snapshot of that state."""
    require_contracts()
    with Machine() as machine:
        network = StarknetNetwork(machine, genesis=GENESIS)
        populate(network)
        yield network, network.snapshot()


@pytest.fixture(params=["ledger", "starknet"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A populated system; its invariants are checked when the scenario is over."""
    if request.param == "ledger":
        ledger = EmbeddedLedger(genesis=GENESIS, signatures=SIGNATURES)
        populate(ledger)
        found = World(ledger)
    else:
        network, snapshot = request.getfixturevalue("populated_network")
        network.restore(snapshot)
        found = World(network)
    yield found
    found.check_invariants()
