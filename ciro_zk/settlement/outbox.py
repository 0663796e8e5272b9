"""The outbox: what must happen on a chain, kept on disk until it is final there.

    PENDING ──sign, store──▶ SIGNED ──▶ INCLUDED ──▶ FINAL
       ▲                       ▲           │
       └── nonce was taken ────┘◀─ block vanished          any ──▶ FAILED, with a code

A transaction is stored with its hash and nonce before it is sent, so that a process killed at any point finds it again and sends the same
bytes: at most one of them is ever included. A row has a key, and is put once. A call refused because it is done already (WRONG_STATE and
the like) is a success only if the chain shows our own receipt; another's is an ALARM. Past its deadline a row stops with DEADLINE_PASSED,
never silently.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from ciro_zk.errors import CiroError, FormatError, SettlementError

VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
    contract TEXT NOT NULL, entry TEXT NOT NULL, arguments TEXT NOT NULL, job TEXT NOT NULL, receipt TEXT NOT NULL,
    not_before INTEGER NOT NULL, deadline INTEGER NOT NULL,
    state TEXT NOT NULL, nonce INTEGER, hash TEXT, payload BLOB, block TEXT, code TEXT NOT NULL DEFAULT '');
CREATE UNIQUE INDEX IF NOT EXISTS nonces ON rows (nonce) WHERE state IN ('SIGNED', 'INCLUDED', 'FINAL');
"""
COLUMNS = "number, key, contract, entry, arguments, job, receipt, not_before, deadline, state, nonce, hash, payload, block, code"
DONE_CODES = frozenset({"WRONG_STATE", "ALREADY_COMMITTED", "ALREADY_REVEALED", "ALREADY_TALLIED", "VERDICT_EXISTS", "ALREADY_CONVICTED"})
"""Refusals that may mean that the call was made already."""
EARLY_CODES = frozenset(
    {"SEED_NOT_READY", "REVEAL_CLOSED", "TALLY_OPEN", "WINDOW_OPEN", "NO_VERDICT", "TOO_FRESH", "NOT_SAMPLED", "NOT_EXPIRED"}
)
"""Refusals that time cures; such a row waits until its deadline."""


class State(StrEnum):
    """Where a row is."""

    PENDING = "PENDING"
    SIGNED = "SIGNED"
    INCLUDED = "INCLUDED"
    FINAL = "FINAL"
    FAILED = "FAILED"


class Unreachable(CiroError):
    """The node does not answer, or answers garbage; the row stays as it is and is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A call to be made once.

    `key` says that two actions are the same; `receipt` is the message that our receipt signs (0 where none matters); times are the chain's,
    in seconds.
    """

    key: str
    contract: str
    entry: str
    arguments: tuple[Any, ...]
    job: int = 0
    receipt: int = 0
    not_before: int = 0
    deadline: int = 2**62


@dataclass(frozen=True, slots=True)
class Row:
    """An action and how far it is."""

    number: int
    action: Action
    state: State
    nonce: int | None
    hash: str | None
    payload: bytes | None
    block: str | None
    code: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction as it will be sent."""

    hash: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Where a transaction is: its block's hash, and the code it was refused with ("" where it succeeded)."""

    block: str
    code: str


class Account(Protocol):
    """One account on one chain. Every method may raise `Unreachable`."""

    def time(self) -> int:
        """Of the latest block, in seconds."""
        ...

    def nonce(self) -> int:
        """The next nonce of the account."""
        ...

    def sign(self, action: Action, nonce: int) -> Signed:
        """A transaction of the action; `SettlementError` where the chain would refuse it now."""
        ...

    def send(self, payload: bytes) -> None:
        """Sends it; sending the same bytes again changes nothing."""
        ...

    def find(self, transaction: str) -> Inclusion | None:
        """The transaction's inclusion in the present chain, None where it is in no block."""
        ...

    def is_final(self, block: str) -> bool:
        """Whether the block cannot vanish any more."""
        ...

    def receipt_of(self, job: int) -> int:
        """The receipt that the chain has for a job, 0 where it has none."""
        ...


class Outbox:
    """Actions of one account, durable in one SQLite file.

    Raises
    ------
    FormatError
        The file is no outbox, or one of another version.
    """

    def __init__(self, path: str | Path, account: Account) -> None:
        self.account = account
        self._sql = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            self._sql.execute("PRAGMA journal_mode=WAL")
            self._sql.execute("PRAGMA synchronous=FULL")
            version = self._sql.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise FormatError(f"{path}: an outbox of version {version}", remedy=f"this library reads version {VERSION}")
            self._sql.executescript(SCHEMA)
            self._sql.execute(f"PRAGMA user_version={VERSION}")
        except sqlite3.DatabaseError as error:
            raise FormatError(f"{path}: not an outbox ({error})", remedy="give the path of an outbox file, or of none yet") from error

    def close(self) -> None:
        self._sql.close()

    def put(self, *actions: Action) -> None:
        """All of these, or none; an action whose key is there already is left as it is."""
        with self._transaction():
            for action in actions:
                self._sql.execute(
                    "INSERT OR IGNORE INTO rows (key, contract, entry, arguments, job, receipt, not_before, deadline, state)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        action.key,
                        action.contract,
                        action.entry,
                        json.dumps(action.arguments),
                        hex(action.job),
                        hex(action.receipt),
                        action.not_before,
                        action.deadline,
                        State.PENDING,
                    ),
                )

    def rows(self) -> list[Row]:
        """All rows, in order."""
        return [_row(fields) for fields in self._sql.execute(f"SELECT {COLUMNS} FROM rows ORDER BY number")]

    def step(self) -> bool:
        """Moves every open row on as far as the chain allows now; gives whether all are FINAL or FAILED.

        An unreachable node ends the step, with nothing lost; the next one goes on.
        """
        moves: dict[State, Callable[[Row], None]] = {
            State.PENDING: self._sign,
            State.SIGNED: self._watch,
            State.INCLUDED: self._settle,
        }
        try:
            for row in self.rows():
                if row.state in moves:
                    moves[row.state](row)
        except Unreachable:
            return False
        return all(row.state in (State.FINAL, State.FAILED) for row in self.rows())

    # --- the moves

    def _sign(self, row: Row) -> None:
        now = self.account.time()
        if now > row.action.deadline:
            self._set(row, State.FAILED, code="DEADLINE_PASSED")
            return
        if now < row.action.not_before:
            return
        nonce = max(self.account.nonce(), self._next_nonce())
        try:
            signed = self.account.sign(row.action, nonce)
        except SettlementError as refused:
            self._refused(row, refused.code)
            return
        self._set(row, State.SIGNED, nonce=nonce, hash=signed.hash, payload=signed.payload)
        self.account.send(signed.payload)

    def _watch(self, row: Row) -> None:
        found = self.account.find(row.hash or "")
        if found is None:
            if row.nonce is not None and self.account.nonce() > row.nonce:  # another transaction has the nonce: ours can never be included
                if self.account.find(row.hash or "") is None:
                    self._set(row, State.PENDING)
                return
            if self.account.time() > row.action.deadline:  # it may still be included: said, but watched on
                self._note(row, "DEADLINE_PASSED")
            self.account.send(row.payload or b"")
        elif found.code:
            self._refused(row, found.code)
        else:
            self._set(row, State.INCLUDED, nonce=row.nonce, hash=row.hash, payload=row.payload, block=found.block)

    def _settle(self, row: Row) -> None:
        found = self.account.find(row.hash or "")
        if found is None or found.block != row.block or found.code:
            self._set(row, State.SIGNED, nonce=row.nonce, hash=row.hash, payload=row.payload)
        elif self.account.is_final(found.block):
            self._set(row, State.FINAL, nonce=row.nonce, hash=row.hash, payload=row.payload, block=row.block)

    def _refused(self, row: Row, code: str) -> None:
        if code in EARLY_CODES and self.account.time() <= row.action.deadline:
            self._set(row, State.PENDING, code=code)
        elif code in DONE_CODES and row.action.receipt:
            there = self.account.receipt_of(row.action.job)
            self._set(
                row, State.FINAL if there == row.action.receipt else State.FAILED, code=code if there == row.action.receipt else "ALARM"
            )
        else:
            self._set(row, State.FAILED, code=code)

    # --- the file

    def _next_nonce(self) -> int:
        row = self._sql.execute("SELECT MAX(nonce) FROM rows WHERE state IN ('SIGNED', 'INCLUDED', 'FINAL')").fetchone()
        return -1 if row[0] is None else int(row[0]) + 1

    def _set(
        self,
        row: Row,
        state: State,
        *,
        nonce: int | None = None,
        hash: str | None = None,
        payload: bytes | None = None,
        block: str | None = None,
        code: str = "",
    ) -> None:
        with self._transaction():
            self._sql.execute(
                "UPDATE rows SET state = ?, nonce = ?, hash = ?, payload = ?, block = ?, code = ? WHERE number = ?",
                (state, nonce, hash, payload, block, code, row.number),
            )

    def _note(self, row: Row, code: str) -> None:
        with self._transaction():
            self._sql.execute("UPDATE rows SET code = ? WHERE number = ?", (code, row.number))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._sql.execute("COMMIT")
        except BaseException:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise


def _row(fields: tuple[Any, ...]) -> Row:
    number, key, contract, entry, arguments, job, receipt, not_before, deadline, state, *rest = fields
    action = Action(
        key=key,
        contract=contract,
        entry=entry,
        arguments=_tuples(json.loads(arguments)),
        job=int(job, 16),
        receipt=int(receipt, 16),
        not_before=not_before,
        deadline=deadline,
    )
    return Row(number, action, State(state), *rest)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
