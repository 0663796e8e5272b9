"""An outbox's account on a chain that executes a call at once and never forgets it."""

from __future__ import annotations

import json

from ciro_zk.settlement.interface import Chain
from ciro_zk.settlement.outbox import Action, Inclusion, Signed
from ciro_zk.settlement.roles import job_of


class DirectAccount:
    """One account. Signing is when a node would try the call; here it makes it, and sending has nothing left to do."""

    def __init__(self, chain: Chain, address: int) -> None:
        self.chain, self.address = chain, address
        self._done: dict[str, Inclusion] = {}

    def time(self) -> int:
        return self.chain.time

    def nonce(self) -> int:
        return len(self._done)

    def sign(self, action: Action, nonce: int) -> Signed:
        self.chain.invoke(self.address, action.contract, action.entry, *action.arguments)
        text = json.dumps([nonce, action.contract, action.entry, action.arguments])
        self._done[text] = Inclusion(str(self.chain.block), "")
        return Signed(text, text.encode())

    def send(self, payload: bytes) -> None:
        pass

    def find(self, transaction: str) -> Inclusion | None:
        return self._done.get(transaction)

    def is_final(self, block: str) -> bool:
        return True

    def receipt_of(self, job: int) -> int:
        return job_of(self.chain, job).receipt
