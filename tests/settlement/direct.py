"""An outbox's account on a chain that executes a call at once and never forgets it."""

from __future__ import annotations

import json

from ciro_zk.errors import SettlementError
from ciro_zk.settlement.interface import Chain
from ciro_zk.settlement.outbox import Action, Inclusion, Signed
from ciro_zk.settlement.roles import job_of


class DirectAccount:
    """One account; refusals are found when the call is sent, not before."""

    def __init__(self, chain: Chain, address: int) -> None:
        self.chain, self.address = chain, address
        self._done: dict[str, Inclusion] = {}

    def time(self) -> int:
        return self.chain.time

    def nonce(self) -> int:
        return len(self._done)

    def sign(self, action: Action, nonce: int) -> Signed:
        text = json.dumps([nonce, action.contract, action.entry, action.arguments])
        return Signed(text, text.encode())

    def send(self, payload: bytes) -> None:
        nonce, contract, entry, arguments = json.loads(payload)
        if nonce == self.nonce():
            code = ""
            try:
                self.chain.invoke(self.address, contract, entry, *arguments)
            except SettlementError as refused:
                code = refused.code
            self._done[payload.decode()] = Inclusion(str(self.chain.block), code)

    def find(self, transaction: str) -> Inclusion | None:
        return self._done.get(transaction)

    def is_final(self, block: str) -> bool:
        return True

    def receipt_of(self, job: int) -> int:
        return job_of(self.chain, job).receipt
