"""What every contract of the ledger has: storage, a caller, events, and the rules all of them share.

A contract is a class whose entry points are marked `@external` (they may change the state) or `@view`. Its storage is in `Map`s; a call
from one
contract to another goes through `self.call(other.method, ...)`, which makes the caller known, as a chain does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar, cast

from ciro_zk.errors import SettlementError
from ciro_zk.settlement.arithmetic import short_string
from ciro_zk.settlement.ledger.store import Event
from ciro_zk.settlement.ledger.types import U128, Address, ClassHash, Felt, check_arguments
from ciro_zk.settlement.parameters import GOVERNED, SUPPLY

if TYPE_CHECKING:
    from ciro_zk.settlement.ledger.chain import EmbeddedLedger

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V")
C = TypeVar("C", bound="Contract")


def require(condition: bool, code: str) -> None:
    """Refuses the call with an error code unless the condition holds."""
    if not condition:
        raise SettlementError(code)


def require_amount(amount: int) -> None:
    """An amount that moves: more than nothing, at most the supply."""
    require(amount > 0, "ZERO_AMOUNT")
    require(amount <= SUPPLY, "AMOUNT_TOO_LARGE")


def external(function: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """An entry point that may change the state; its arguments are checked against their types first."""

    def entry(self: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
        check_arguments(function, (*args, *kwargs.values()))
        return function(self, *args, **kwargs)

    entry.__name__, entry.__doc__, entry.__wrapped__ = function.__name__, function.__doc__, function  # type: ignore[attr-defined]
    entry.kind = "external"  # type: ignore[attr-defined]
    return entry


def view(function: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """An entry point that only reads."""
    entry = external(function)
    entry.kind = "view"  # type: ignore[attr-defined]
    return entry


class Map(Generic[V]):
    """Storage by keys of integers; what was never written is the default."""

    def __init__(self, contract: Contract, name: str, default: V) -> None:
        self._contract, self._name, self._default = contract, name, default

    def _key(self, keys: int | tuple[int, ...]) -> str:
        parts = keys if isinstance(keys, tuple) else (keys,)
        return f"{self._contract.name}.{self._name}.{'.'.join(map(str, parts))}"

    def __getitem__(self, keys: int | tuple[int, ...]) -> V:
        value = self._contract.chain.store.get(self._key(keys))
        if value is None:
            return self._default
        kind: Any = type(self._default)
        return cast(V, kind(*value) if is_dataclass(self._default) else kind(value))

    def __setitem__(self, keys: int | tuple[int, ...], value: V) -> None:
        self._contract.chain.store.set(self._key(keys), astuple(value) if is_dataclass(value) else value)  # type: ignore[arg-type]


class Trace:
    """The values of one number by key and block, for votes at a past block: pushed when it changes, found by bisection."""

    def __init__(self, contract: Contract, name: str) -> None:
        self._contract = contract
        self._count = Map(contract, f"{name}_count", 0)
        self._block = Map(contract, f"{name}_block", 0)
        self._value = Map(contract, f"{name}_value", 0)

    def push(self, keys: tuple[int, ...], value: int) -> None:
        count, block = self._count[keys], self._contract.chain.block
        if count and self._block[*keys, count - 1] == block:
            count -= 1
        self._block[*keys, count], self._value[*keys, count] = block, value
        self._count[keys] = count + 1

    def at(self, keys: tuple[int, ...], block: int) -> int:
        """The value at the end of a block; 0 before the first."""
        require(block < self._contract.chain.block, "BLOCK_NOT_PAST")
        low, high = 0, self._count[keys]
        while low < high:
            middle = (low + high) // 2
            if self._block[*keys, middle] <= block:
                low = middle + 1
            else:
                high = middle
        return self._value[*keys, low - 1] if low else 0


class Contract:
    """Base of the ledger's contracts: who calls, when, and what all of them do alike."""

    name: ClassVar[str]

    def __init__(self, chain: EmbeddedLedger) -> None:
        self.chain = chain
        self._parameters = Map(self, "parameters", -1)
        self._class_hash = Map(self, "class_hash", 0)

    @property
    def address(self) -> int:
        return self.chain.addresses[self.name]

    @property
    def caller(self) -> int:
        return self.chain.callers[-1]

    @property
    def time(self) -> int:
        return self.chain.time

    def call(self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls another contract's entry point as this contract."""
        self.chain.callers.append(self.address)
        try:
            return method(*args, **kwargs)
        finally:
            self.chain.callers.pop()

    def emit(self, event: str, **fields: Any) -> None:
        """An event; a trailing underscore of a field's name is dropped (`from_`)."""
        self.chain.store.emit(Event(self.name, event, {name.rstrip("_"): value for name, value in fields.items()}))

    def require_live(self) -> None:
        require(not self.call(self.chain.governance.paused), "PAUSED")

    def require_governance(self) -> None:
        require(self.caller == self.chain.addresses["GovernanceTreasury"], "NOT_GOVERNANCE")

    def require_system(self, *names: str) -> None:
        require(self.caller in {self.chain.addresses[name] for name in names}, "NOT_SYSTEM")

    def parameter(self, name: str) -> int:
        """The present value of a governed parameter of this contract."""
        value = self._parameters[short_string(name)]
        return GOVERNED[self.name][name].value if value < 0 else value

    @external
    def set_parameter(self, name: Felt, value: U128) -> None:
        """Governance: within the parameter's hard bounds; jobs under way keep the value they were submitted under."""
        self.require_governance()
        known = {short_string(parameter): bounds for parameter, bounds in GOVERNED.get(self.name, {}).items()}
        require(name in known, "UNKNOWN_PARAMETER")
        require(known[name].least <= value <= known[name].most, "OUT_OF_BOUNDS")
        self._parameters[name] = value
        self.emit("ParameterSet", name=name, value=value)

    @view
    def parameter_of(self, name: Felt) -> U128:
        for parameter in GOVERNED.get(self.name, {}):
            if short_string(parameter) == name:
                return self.parameter(parameter)
        raise SettlementError("UNKNOWN_PARAMETER")

    @external
    def upgrade(self, class_hash: ClassHash) -> None:
        """Governance: other code at the same address, over the same storage."""
        self.require_governance()
        require(class_hash != 0, "ZERO_ADDRESS")
        self._class_hash[()] = class_hash
        self.emit("Upgraded", class_hash=class_hash)


__all__ = ["Address", "Contract", "Map", "Trace", "external", "require", "require_amount", "view"]
