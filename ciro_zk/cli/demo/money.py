"""The demo's last part: what becomes of the money when a worker is honest, forges a proof, or goes silent."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ciro_zk.cli.session import Session
    from ciro_zk.program.keys import VerifyingKey

HOLDER, SIGNERS, GUARDIANS, REPORTERS = 0x1, (2, 3, 4, 5, 6), (7, 8, 9), (10, 11, 12, 13, 14)


def settle(out: Session, vk: VerifyingKey, images: Sequence[NDArray[Any]], prove: Callable[[NDArray[Any]], bytes]) -> dict[str, Any]:
    """Tells the story on an embedded ledger in memory; gives the amounts, empty where receipts cannot be signed."""
    if find_spec("starknet_py") is None:
        out.say("settlement was left out: receipts are signed with starknet-py (pip install 'ciro-zk[starknet]')")
        return {}
    from ciro_zk.settlement.ledger.account import LedgerAccount
    from ciro_zk.settlement.ledger.chain import EmbeddedLedger, Genesis
    from ciro_zk.settlement.story import Story
    from ciro_zk.signatures import StarkSignatures

    start = time.perf_counter()
    genesis = Genesis(holder=HOLDER, signers=SIGNERS, guardians=GUARDIANS, reporters=REPORTERS, time=int(time.time()))
    ledger = EmbeddedLedger(genesis=genesis, signatures=StarkSignatures())
    for reporter in REPORTERS[:3]:
        ledger.invoke(reporter, "CdcPool", "report_price", 10**6)
    ledger.invoke(HOLDER, "CdcPool", "update_price")
    out.say("Settlement on an embedded ledger, sixteen workers with 1,000 CIRO of stake each:")
    story = Story(ledger, lambda address: LedgerAccount(ledger, address), vk, prove, images, HOLDER, lambda line: out.say(f"  {line}"))
    told = story.tell()
    return {**told, "seconds": round(time.perf_counter() - start, 2)}
