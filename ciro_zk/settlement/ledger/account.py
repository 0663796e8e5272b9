"""An account of the embedded ledger, as the outbox has it: nonces, transactions by hash, and blocks that never vanish."""

from __future__ import annotations

import hashlib
import json

from ciro_zk.errors import SettlementError
from ciro_zk.settlement.ledger.chain import EmbeddedLedger
from ciro_zk.settlement.outbox import Action, Inclusion, Signed


class LedgerAccount:
    """One account; whoever holds the ledger's file may act as any.

    Parameters
    ----------
    ledger : EmbeddedLedger
        Where transactions are executed at once.
    address : int
        The account.
    """

    def __init__(self, ledger: EmbeddedLedger, address: int) -> None:
        self.ledger, self.address = ledger, address

    def time(self) -> int:
        return self.ledger.time

    def nonce(self) -> int:
        return int(self.ledger.store.get(self._nonce_key) or 0)

    def sign(self, action: Action, nonce: int) -> Signed:
        """Tries the call first, as a chain estimates its fee."""
        self.ledger.simulate(self.address, action.contract, action.entry, *action.arguments)
        payload = json.dumps([self.address, nonce, action.contract, action.entry, action.arguments]).encode()
        return Signed(hashlib.blake2s(payload).hexdigest(), payload)

    def send(self, payload: bytes) -> None:
        """Executes it, once, in its nonce's turn."""
        address, nonce, contract, entry, arguments = json.loads(payload)
        key, block = f"chain.transaction.{hashlib.blake2s(payload).hexdigest()}", str(self.ledger.block)
        store = self.ledger.store
        try:
            with store.transaction():
                if int(store.get(self._nonce_key) or 0) != nonce:
                    return
                store.set(self._nonce_key, nonce + 1)
                store.set(key, [block, ""])
                self.ledger.enter(address, contract, entry, *map(_tuples, arguments))
        except SettlementError as refused:
            with store.transaction():
                store.set(self._nonce_key, nonce + 1)
                store.set(key, [block, refused.code])

    def find(self, transaction: str) -> Inclusion | None:
        found = self.ledger.store.get(f"chain.transaction.{transaction}")
        return None if found is None else Inclusion(*found)

    def is_final(self, block: str) -> bool:
        return True

    def receipt_of(self, job: int) -> int:
        return self.ledger.jobs.job(job).receipt

    @property
    def _nonce_key(self) -> str:
        return f"chain.nonce.{self.address}"


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
