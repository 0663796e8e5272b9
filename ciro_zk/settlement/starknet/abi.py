"""Calldata, results and events of a Cairo class, in Python's terms.

Integers of any width, felts and addresses are ints, u256 is one int, bool is bool, ByteArray is str, Array and Span and tuples are
tuples, a struct is a dict by field (a dataclass or a tuple is taken as well), an enum is its variant's name or (name, value), Option is
None or the value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from ciro_zk.errors import SettlementError
from ciro_zk.settlement.arithmetic import selector

PRIME = 2**251 + 17 * 2**192 + 1
_WIDTHS = {"u8": 8, "u16": 16, "u32": 32, "u64": 64, "u128": 128, "u256": 256, "usize": 32}
_FELTS = {"felt252", "ContractAddress", "ClassHash", "EthAddress", "bytes31"}


@dataclasses.dataclass(frozen=True)
class Event:
    """What a contract emitted: its address, the event's name and its fields."""

    contract: int
    name: str
    fields: dict[str, Any]


class Abi:
    """Encodes arguments, decodes results and events of one class. Raises `SettlementError` (MALFORMED_CALLDATA) for what does not fit."""

    def __init__(self, entries: Sequence[dict[str, Any]]) -> None:
        self.types = {e["name"]: e for e in entries if e["type"] in ("struct", "enum")}
        functions = [e for e in entries if e["type"] in ("function", "constructor", "l1_handler")]
        functions += [item for e in entries if e["type"] == "interface" for item in e["items"]]
        self.functions = {f["name"]: f for f in functions}
        events = {e["name"]: e for e in entries if e["type"] == "event"}
        # An event's first key is the selector of its variant's name.
        variants = [v for e in events.values() if e["kind"] == "enum" for v in e["variants"] if events[v["type"]]["kind"] == "struct"]
        self.events = {selector(v["name"]): (v["name"], events[v["type"]]["members"]) for v in variants}

    def arguments(self, function: str, values: Sequence[Any]) -> list[int]:
        inputs = self._function(function)["inputs"]
        if len(inputs) != len(values):
            raise SettlementError(
                "MALFORMED_CALLDATA",
                f"{function} takes {len(inputs)} arguments ({', '.join(i['name'] for i in inputs)}), not {len(values)}",
            )
        return [felt for i, value in zip(inputs, values, strict=True) for felt in self.encode(i["type"], value)]

    def result(self, function: str, data: Sequence[int]) -> Any:
        outputs = self._function(function).get("outputs", [])
        if not outputs:
            return None
        felts = iter(data)
        return self.decode(outputs[0]["type"], felts)

    def event(self, contract: int, keys: Sequence[int], data: Sequence[int]) -> Event:
        if keys[0] not in self.events:
            raise SettlementError("MALFORMED_CALLDATA", f"an event that the ABI of {contract:#x} does not know: {keys[0]:#x}")
        name, members = self.events[keys[0]]
        key_felts, data_felts = iter(keys[1:]), iter(data)
        fields = {m["name"]: self.decode(m["type"], key_felts if m["kind"] == "key" else data_felts) for m in members}
        return Event(contract, name, fields)

    def encode(self, type_: str, value: Any) -> list[int]:
        base, inner = _split(type_)
        if base in _WIDTHS:
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << _WIDTHS[base]:
                raise SettlementError("MALFORMED_CALLDATA", f"{value!r} is not a {base}")
            return [value & (1 << 128) - 1, value >> 128] if base == "u256" else [value]
        if base in _FELTS:
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < PRIME:
                raise SettlementError("MALFORMED_CALLDATA", f"{value!r} is not a {base}")
            return [value]
        if base == "bool":
            return [int(bool(value))]
        if base in ("Array", "Span"):
            return [len(value), *(felt for item in value for felt in self.encode(inner[0], item))]
        if base == "tuple":
            return [felt for part, item in zip(inner, value, strict=True) for felt in self.encode(part, item)]
        if base == "Option":
            return [1] if value is None else [0, *self.encode(inner[0], value)]
        if base == "ByteArray":
            text = value.encode()
            words = [int.from_bytes(text[i : i + 31], "big") for i in range(0, len(text) // 31 * 31, 31)]
            rest = text[len(words) * 31 :]
            return [len(words), *words, int.from_bytes(rest, "big"), len(rest)]
        entry = self._type(type_)
        if entry["type"] == "struct":
            if dataclasses.is_dataclass(value):
                value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            if not isinstance(value, dict):
                value = dict(zip((m["name"] for m in entry["members"]), value, strict=True))
            return [felt for m in entry["members"] for felt in self.encode(m["type"], value[m["name"]])]
        name, content = value if isinstance(value, tuple) else (value, ())
        index = [v["name"] for v in entry["variants"]].index(name)
        return [index, *self.encode(entry["variants"][index]["type"], content)]

    def decode(self, type_: str, felts: Iterator[int]) -> Any:
        base, inner = _split(type_)
        if base == "u256":
            low, high = next(felts), next(felts)
            return low + (high << 128)
        if base in _WIDTHS or base in _FELTS:
            return next(felts)
        if base == "bool":
            return bool(next(felts))
        if base in ("Array", "Span"):
            return tuple(self.decode(inner[0], felts) for _ in range(next(felts)))
        if base == "tuple":
            return tuple(self.decode(part, felts) for part in inner)
        if base == "Option":
            return None if next(felts) else self.decode(inner[0], felts)
        if base == "ByteArray":
            text = b"".join(next(felts).to_bytes(31, "big") for _ in range(next(felts)))
            rest = next(felts)
            return (text + rest.to_bytes(next(felts), "big")).decode()
        entry = self._type(type_)
        if entry["type"] == "struct":
            return {m["name"]: self.decode(m["type"], felts) for m in entry["members"]}
        variant = entry["variants"][next(felts)]
        return variant["name"] if variant["type"] == "()" else (variant["name"], self.decode(variant["type"], felts))

    def _function(self, name: str) -> dict[str, Any]:
        if name == "constructor" and name not in self.functions:
            return {"inputs": []}
        if name not in self.functions:
            raise SettlementError("MALFORMED_CALLDATA", f"no entry point {name!r}: {', '.join(self.functions)}")
        return self.functions[name]

    def _type(self, name: str) -> dict[str, Any]:
        if name not in self.types:
            raise SettlementError("MALFORMED_CALLDATA", f"no encoding for the type {name}")
        return self.types[name]


def _split(type_: str) -> tuple[str, list[str]]:
    """'core::array::Span::<core::integer::u8>' -> ('Span', ['core::integer::u8']); a tuple's base is 'tuple'."""
    if type_.startswith("("):
        return "tuple", _parts(type_[1:-1])
    head, _, rest = type_.partition("::<")
    return head.rpartition("::")[2], _parts(rest[:-1]) if rest else []


def _parts(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "<(") - (c in ">)")
        if c == "," and not depth:
            parts.append(text[start:i].strip())
            start = i + 1
    return [*parts, text[start:].strip()] if text[start:].strip() else parts
