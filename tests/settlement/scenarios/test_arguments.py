"""What calldata cannot say is refused before anything else, by every implementation alike."""

from __future__ import annotations

from typing import Any

import pytest
from settlement.world import ANYONE, CLIENT, World

from ciro_zk.settlement.ledger.types import FELT_PRIME


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("StakeVault.upgrade", (2**251,)),
        ("StakeVault.stake", (2**251, 1)),
        ("StakeVault.stake", (ANYONE, 2**128)),
        ("CiroToken.transfer", (ANYONE, 2**256)),
        ("CiroToken.transfer", (ANYONE,)),
        ("CiroToken.transfer", (ANYONE, 1, 0)),
        ("CdcPool.checkpoint", (2**64, ANYONE)),
        ("CdcPool.register", (2**32, 5)),
        ("CdcPool.register", (1, FELT_PRIME)),
        ("ProofRegistry.reveal", (1, 256, 7)),
        ("ProofRegistry.prove", (1, (FELT_PRIME,))),
        ("GovernanceTreasury.set_signers", ((1, 2**251),)),
        ("JobManager.submit", (1,)),
        ("JobManager.pay_me", ()),
    ],
)
def test_malformed(world: World, call: str, arguments: tuple[Any, ...]) -> None:
    with world.refused("MALFORMED_CALLDATA"):
        world.do(CLIENT, call, *arguments)


def test_the_greatest_address_is_one(world: World) -> None:
    world.do(CLIENT, "CiroToken.transfer", 2**251 - 1, 0)
    with world.refused("NOT_GOVERNANCE"):
        world.do(CLIENT, "StakeVault.upgrade", 2**251 - 1)
