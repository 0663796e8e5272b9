"""What every chain of settlement offers, the embedded ledger among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ciro_zk.settlement.ledger.store import Event


class Outcome(Protocol):
    """What a call gave, and the events it made."""

    @property
    def result(self) -> Any: ...

    @property
    def events(self) -> Sequence[Event]: ...


class Chain(Protocol):
    """The seven contracts by name; integers, booleans and tuples of integers as arguments."""

    @property
    def chain_id(self) -> int: ...

    @property
    def addresses(self) -> Mapping[str, int]: ...

    @property
    def block(self) -> int: ...

    @property
    def time(self) -> int: ...

    def invoke(self, caller: int, contract: str, entry: str, *arguments: Any) -> Outcome:
        """A call that may change the state; `SettlementError` by code, the state unchanged."""
        ...

    def call(self, contract: str, entry: str, *arguments: Any) -> Any:
        """Reads a view: a number, or a tuple of them."""
        ...


class SteppedChain(Chain, Protocol):
    """A chain whose time the caller moves on: the ledger, and the contracts in a VM."""

    def advance(self, blocks: int = 1, seconds: int = 0) -> None: ...
