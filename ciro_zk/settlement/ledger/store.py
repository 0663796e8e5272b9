"""Contract storage on SQLite: keys to JSON integers, one transaction a call, and the log of events beside it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciro_zk.errors import FormatError

SCHEMA = """
CREATE TABLE IF NOT EXISTS cells (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, block INTEGER NOT NULL, time INTEGER NOT NULL,
    contract TEXT NOT NULL, name TEXT NOT NULL, fields TEXT NOT NULL);
"""
VERSION = 1


@dataclass(frozen=True, slots=True)
class Event:
    """A change of state that a contract made known: its name, and its fields as integers or tuples of them."""

    contract: str
    name: str
    fields: dict[str, Any]


class Store:
    """Cells and events of one ledger file. Reads are cached; another process's commits are noticed.

    Raises
    ------
    FormatError
        The file is no ledger, or one of another version.
    """

    def __init__(self, path: str | Path = ":memory:") -> None:
        self._sql = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            self._sql.execute("PRAGMA journal_mode=WAL")
            self._sql.execute("PRAGMA synchronous=FULL")
            version = self._sql.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise FormatError(f"{path}: a ledger of version {version}", remedy=f"this library reads version {VERSION}")
            self._sql.executescript(SCHEMA)
            self._sql.execute(f"PRAGMA user_version={VERSION}")
        except sqlite3.DatabaseError as error:
            raise FormatError(f"{path}: not a ledger ({error})", remedy="give the path of a ledger file, or of none yet") from error
        self._known: dict[str, Any] = {}
        self._changed: dict[str, Any] = {}
        self._events: list[Event] = []
        self._version = -1

    def close(self) -> None:
        self._sql.close()

    @contextmanager
    def transaction(self) -> Iterator[list[Event]]:
        """All changes made inside, or none of them; yields the list that will hold the events."""
        self._sql.execute("BEGIN IMMEDIATE")
        self._refresh()
        self._changed, self._events = {}, []
        try:
            yield self._events
            block, time = self.get("chain.block") or 0, self.get("chain.time") or 0
            self._sql.executemany(
                "INSERT OR REPLACE INTO cells VALUES (?, ?)", ((key, json.dumps(value)) for key, value in self._changed.items())
            )
            self._sql.executemany(
                "INSERT INTO events (block, time, contract, name, fields) VALUES (?, ?, ?, ?, ?)",
                ((block, time, event.contract, event.name, json.dumps(event.fields)) for event in self._events),
            )
            self._sql.execute("COMMIT")
            self._known.update(self._changed)
        except BaseException:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise
        finally:
            self._changed = {}

    def get(self, key: str) -> Any:
        """A cell: an integer, a list of integers, or None where nothing was written."""
        if key in self._changed:
            return self._changed[key]
        if not self._sql.in_transaction:
            self._refresh()
        if key not in self._known:
            row = self._sql.execute("SELECT value FROM cells WHERE key = ?", (key,)).fetchone()
            self._known[key] = None if row is None else json.loads(row[0])
        return self._known[key]

    def _refresh(self) -> None:
        """Forgets what was read where another process has committed since."""
        version = self._sql.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._known.clear()
            self._version = version

    def set(self, key: str, value: Any) -> None:
        self._changed[key] = value

    def cells(self) -> dict[str, Any]:
        """Everything that is stored."""
        return {key: json.loads(value) for key, value in self._sql.execute("SELECT key, value FROM cells")}

    def emit(self, event: Event) -> None:
        self._events.append(event)

    def events(self, after: int = 0) -> Iterator[tuple[int, Event]]:
        """Events with a number above `after`, in order."""
        for number, contract, name, fields in self._sql.execute(
            "SELECT number, contract, name, fields FROM events WHERE number > ? ORDER BY number", (after,)
        ):
            yield number, Event(contract, name, json.loads(fields))
