"""The whole story: an honest job, a forged one and a silent one, with real proofs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from settlement.conftest import require_contracts
from settlement.direct import DirectAccount
from settlement.starknet.machine import Machine
from settlement.starknet.network import StarknetNetwork
from settlement.world import ANYONE, GENESIS, HOLDER, REPORTERS, SIGNATURES
from strategies import tiny

import ciro_zk as cz
from ciro_zk.params import STANDARD
from ciro_zk.settlement.interface import SteppedChain
from ciro_zk.settlement.ledger.account import LedgerAccount
from ciro_zk.settlement.ledger.chain import EmbeddedLedger
from ciro_zk.settlement.outbox import Account
from ciro_zk.settlement.story import CIRO, CLIENT, PRICE, STAKE, Story


@cache
def keys() -> tuple[cz.ProvingKey, cz.VerifyingKey]:
    return cz.setup(tiny(STANDARD))


def prove(image: NDArray[Any]) -> bytes:
    pk, _ = keys()
    return bytes(cz.prove(pk, cz.infer(pk, image)))


@pytest.fixture(params=["ledger", "starknet"])
def told_on(request: pytest.FixtureRequest) -> Iterator[tuple[SteppedChain, Callable[[int], Account]]]:
    """A chain without people, and its accounts."""
    if request.param == "ledger":
        ledger = EmbeddedLedger(genesis=GENESIS, signatures=SIGNATURES)
        yield ledger, lambda address: LedgerAccount(ledger, address)
        return
    require_contracts()
    with Machine() as machine:
        network = StarknetNetwork(machine, genesis=GENESIS)
        yield network, lambda address: DirectAccount(network, address)


def test_an_honest_a_forged_and_a_silent_job(told_on: tuple[SteppedChain, Callable[[int], Account]]) -> None:
    chain, account = told_on
    for reporter in REPORTERS[:3]:
        chain.invoke(reporter, "CdcPool", "report_price", 10**6)
    chain.invoke(ANYONE, "CdcPool", "update_price")
    images = [np.full((1, 1, 4), value / 2) for value in range(3)]
    lines: list[str] = []
    story = Story(chain, account, keys()[1], prove, images, HOLDER, lines.append)
    told = story.tell()
    assert told["honest"] == {"paid": PRICE - PRICE * 250 // 10_000 - CIRO - 3 * (PRICE // 100 // 3)}
    assert told["forger"] == {"slashed": STAKE, "attesters_slashed": 3 * STAKE // 2, "refunded": PRICE, "challenger": 2 * PRICE}
    assert told["silent"] == {"slashed": 20 * CIRO, "refunded": PRICE}
    assert chain.call("CiroToken", "balance_of", CLIENT) == 1_000 * CIRO - PRICE, "the client paid for the one inference it got"
    assert len(lines) >= 9
