"""A node that stands in for a chain: blocks, a pool of transactions, nonces, reorganisations, and times when it does not answer.

Its state is a JSON file, so that it outlives the process under test. The only call it knows pays a job once: a second payment is refused
with WRONG_STATE. Anyone may be the second: the receipt of a job is that of whoever paid first.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ciro_zk.errors import SettlementError
from ciro_zk.settlement.outbox import Action, Inclusion, Signed, Unreachable

DEPTH = 3
"""Blocks on top of one that is final."""


class Node:
    """One account's view; `down` makes every answer fail."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.down = False
        if not path.exists():
            self._write({"blocks": [], "pool": [], "time": 0, "forks": 0})

    # --- what the outbox asks

    def time(self) -> int:
        return int(self._read()["time"])

    def nonce(self) -> int:
        return len(self._transactions())

    def sign(self, action: Action, nonce: int) -> Signed:
        if action.job in self._paid():
            raise SettlementError("WRONG_STATE")
        payload = json.dumps([nonce, action.job, action.receipt]).encode()
        return Signed(hashlib.blake2s(payload).hexdigest(), payload)

    def send(self, payload: bytes) -> None:
        state = self._read()
        if payload.decode() not in state["pool"]:
            state["pool"].append(payload.decode())
            self._write(state)

    def find(self, transaction: str) -> Inclusion | None:
        for block in self._read()["blocks"]:
            for payload, code in block["transactions"]:
                if hashlib.blake2s(payload.encode()).hexdigest() == transaction:
                    return Inclusion(block["hash"], code)
        return None

    def is_final(self, block: str) -> bool:
        hashes = [found["hash"] for found in self._read()["blocks"]]
        return block in hashes and len(hashes) - hashes.index(block) > DEPTH

    def receipt_of(self, job: int) -> int:
        return self._paid().get(job, 0)

    # --- what the world does

    def mine(self, seconds: int = 10) -> None:
        """A block of all transactions whose nonce is next."""
        state = self._read()
        included: list[list[str]] = []
        paid, nonce = self._paid(), self.nonce()
        for payload in sorted(state["pool"], key=lambda text: int(json.loads(text)[0])):
            number, job, receipt = json.loads(payload)
            if number == nonce:
                included.append([payload, "WRONG_STATE" if job in paid else ""])
                paid.setdefault(job, receipt)
                nonce += 1
        state["pool"] = [payload for payload in state["pool"] if payload not in [found for found, _ in included]]
        state["time"] += seconds
        state["blocks"].append({"hash": f"{len(state['blocks'])}/{state['forks']}", "transactions": included})
        self._write(state)

    def reorganise(self, depth: int, *, forget: bool = False) -> None:
        """The last blocks vanish; their transactions are in the pool again, or lost."""
        state = self._read()
        gone = state["blocks"][-depth:]
        state["blocks"], state["forks"] = state["blocks"][:-depth], state["forks"] + 1
        if not forget:
            state["pool"] += [payload for block in gone for payload, _ in block["transactions"]]
        else:
            state["pool"] = []
        self._write(state)

    def drop(self) -> None:
        """Every transaction that waits is lost."""
        self._write(self._read() | {"pool": []})

    def height(self) -> int:
        return len(self._read()["blocks"])

    def pay(self, job: int, receipt: int) -> None:
        """Somebody else's payment, under a nonce of this account (its key is on two machines)."""
        self.send(json.dumps([self.nonce(), job, receipt]).encode())

    def payments(self) -> list[int]:
        """Jobs paid, in order."""
        return [json.loads(payload)[1] for payload, code in self._transactions() if not code]

    # --- inside

    def _transactions(self) -> list[tuple[str, str]]:
        return [(payload, code) for block in self._read()["blocks"] for payload, code in block["transactions"]]

    def _paid(self) -> dict[int, int]:
        paid: dict[int, int] = {}
        for payload, code in self._transactions():
            _, job, receipt = json.loads(payload)
            if not code:
                paid[job] = receipt
        return paid

    def _read(self) -> dict[str, Any]:
        if self.down:
            raise Unreachable("the node does not answer")
        found: dict[str, Any] = json.loads(self.path.read_text())
        return found

    def _write(self, state: dict[str, Any]) -> None:
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(state))
        temporary.rename(self.path)
