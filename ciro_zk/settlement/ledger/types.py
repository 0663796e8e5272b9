"""The types of entry points' arguments, and how calldata says them.

An argument is an integer with a range, or a tuple of them. As Cairo's serialisation has it, a `U256` takes two felts of calldata (low,
high), an
array its length and then its items, everything else one felt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_type_hints

from ciro_zk.errors import SettlementError

FELT_PRIME = 2**251 + 17 * 2**192 + 1


@dataclass(frozen=True, slots=True)
class Unsigned:
    """An integer in [0, limit)."""

    limit: int
    felts: int = 1


U8 = Annotated[int, Unsigned(2**8)]
U32 = Annotated[int, Unsigned(2**32)]
U64 = Annotated[int, Unsigned(2**64)]
U128 = Annotated[int, Unsigned(2**128)]
U256 = Annotated[int, Unsigned(2**256, felts=2)]
Felt = Annotated[int, Unsigned(FELT_PRIME)]
ADDRESS_LIMIT = 2**251
"""Of addresses and class hashes, as Cairo decodes them."""
Address = Annotated[int, Unsigned(ADDRESS_LIMIT)]
ClassHash = Annotated[int, Unsigned(ADDRESS_LIMIT)]
Flag = Annotated[bool, Unsigned(2)]
Addresses = Annotated[tuple[int, ...], "array", Unsigned(ADDRESS_LIMIT)]
Felts = Annotated[tuple[int, ...], "array", Unsigned(FELT_PRIME)]
MOST_ITEMS = 1024
"""Of an array argument."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument's name, range, and whether it is an array."""

    name: str
    unsigned: Unsigned
    array: bool


@cache
def parameters(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The arguments of an entry point, in order."""
    hints = get_type_hints(function, include_extras=True)
    found = []
    for name, hint in hints.items():
        if name != "return":
            _, *marks = get_args(hint)
            found.append(Parameter(name, marks[-1], marks[0] == "array"))
    return tuple(found)


def _malformed(what: str) -> SettlementError:
    return SettlementError("MALFORMED_CALLDATA", what)


def check_arguments(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Refuses arguments that calldata could not say.

    Raises
    ------
    SettlementError
        MALFORMED_CALLDATA: a wrong number of arguments, a type or a range.
    """
    expected = parameters(function)
    if len(arguments) != len(expected):
        raise _malformed(f"{function.__name__} takes {len(expected)} arguments, not {len(arguments)}")
    for parameter, value in zip(expected, arguments, strict=True):
        items = value if parameter.array else (value,)
        if parameter.array and (not isinstance(value, tuple) or len(value) > MOST_ITEMS):
            raise _malformed(f"{function.__name__}: {parameter.name} must be a tuple of at most {MOST_ITEMS} integers")
        for item in items:
            if not isinstance(item, int) or not 0 <= item < parameter.unsigned.limit:
                raise _malformed(f"{function.__name__}: {parameter.name} must be in [0, {parameter.unsigned.limit}), not {item!r}")


def to_calldata(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[int, ...]:
    """The felts that say these arguments; raises as `check_arguments` does."""
    check_arguments(function, arguments)
    felts: list[int] = []
    for parameter, value in zip(parameters(function), arguments, strict=True):
        if parameter.array:
            felts.append(len(value))
        for item in value if parameter.array else (value,):
            felts += [item % 2**128, item >> 128] if parameter.unsigned.felts == 2 else [int(item)]
    return tuple(felts)


def from_calldata(function: Callable[..., Any], felts: tuple[int, ...]) -> tuple[Any, ...]:
    """The arguments that the felts say; raises MALFORMED_CALLDATA."""
    left = iter(felts)

    def item(parameter: Parameter) -> int:
        value = _next(left)
        if parameter.unsigned.felts == 1:
            return value
        if value >> 128:
            raise _malformed(f"{parameter.name}: its low half has more than 128 bits")
        return value + (_next(left) << 128)

    arguments: list[Any] = []
    for parameter in parameters(function):
        if parameter.array:
            count = _next(left)
            if count > MOST_ITEMS:
                raise _malformed(f"{parameter.name} has more than {MOST_ITEMS} items")
            arguments.append(tuple(item(parameter) for _ in range(count)))
        else:
            arguments.append(item(parameter))
    if next(left, None) is not None:
        raise _malformed(f"{function.__name__} takes fewer felts")
    check_arguments(function, tuple(arguments))
    return tuple(arguments)


def _next(felts: Iterator[int]) -> int:
    value = next(felts, None)
    if value is None:
        raise _malformed("calldata ends early")
    return value
