"""The implementations that every scenario runs on; ids end in [ledger], [starknet]."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from settlement.world import GUARDIANS, HOLDER, REPORTERS, SIGNATURES, SIGNERS, START, World, populate

from ciro_zk.settlement.ledger.chain import EmbeddedLedger, Genesis

GENESIS = Genesis(holder=HOLDER, signers=SIGNERS, guardians=GUARDIANS, reporters=REPORTERS, time=START)


@pytest.fixture(params=["ledger"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A populated system; its invariants are checked when the scenario is over."""
    ledger = EmbeddedLedger(genesis=GENESIS, signatures=SIGNATURES)
    populate(ledger)
    found = World(ledger)
    yield found
    found.check_invariants()
