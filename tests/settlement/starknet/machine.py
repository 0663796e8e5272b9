"""The Starknet state of the tests: deploys compiled contracts, calls them from any address, and tells what they did in Python's terms.

    with Machine() as machine:
        token = machine.deploy("token", holder)
        token.invoke(holder, "transfer", other, 10**18)  # Outcome(value=True, events=[Event("Transfer", {...})], ...)
        token.call("balance_of", other)                  # 10**18
        machine.snapshot() ... machine.restore(name)

Values: integers of any width, felts and addresses are ints, u256 is one int, bool is bool, ByteArray is str, Array and Span and tuples
are tuples, a struct is a dict by field (a dataclass or a tuple is taken as well), an enum is its variant's name or (name, value), Option is
None or the value. What does not fit is refused here, before the call; `raw=True` passes felts as they are.
"""

import dataclasses
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from settlement.starknet import build

PRIME = 2**251 + 17 * 2**192 + 1
_WIDTHS = {"u8": 8, "u16": 16, "u32": 32, "u64": 64, "u128": 128, "u256": 256, "usize": 32}
_FELTS = {"felt252", "ContractAddress", "ClassHash", "EthAddress", "bytes31"}


class Reverted(Exception):
    """The contract refused; the state is as before. `code` is the panic's first short string (or its number in hexadecimal)."""

    def __init__(self, code: str, data: Sequence[int], steps: int) -> None:
        super().__init__(code)
        self.code, self.data, self.steps = code, tuple(data), steps


class MachineError(Exception):
    """The call could not be made at all: no such contract or entry point, or the VM itself failed."""


@dataclasses.dataclass(frozen=True)
class Event:
    """What a contract emitted: its address, the event's name and its fields."""

    contract: int
    name: str
    fields: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A call that succeeded. `steps` counts the VM's steps, of inner calls too; `messages` are those to L1: (from, to, payload)."""

    value: Any
    events: tuple[Event, ...]
    messages: tuple[tuple[int, int, tuple[int, ...]], ...]
    steps: int


def short_string(felt: int) -> str:
    """The text of a short string, else the number in hexadecimal."""
    text = felt.to_bytes((felt.bit_length() + 7) // 8, "big")
    return text.decode() if text and all(0x20 <= c < 0x7F for c in text) else hex(felt)


class Abi:
    """Encodes arguments, decodes results and events of one class."""

    def __init__(self, entries: Sequence[dict[str, Any]], selectors: Callable[[list[str]], list[int]]) -> None:
        self.types = {e["name"]: e for e in entries if e["type"] in ("struct", "enum")}
        functions = [e for e in entries if e["type"] in ("function", "constructor", "l1_handler")]
        functions += [item for e in entries if e["type"] == "interface" for item in e["items"]]
        self.functions = {f["name"]: f for f in functions}
        events = {e["name"]: e for e in entries if e["type"] == "event"}
        # An event's first key is the selector of its variant's name.
        variants = [v for e in events.values() if e["kind"] == "enum" for v in e["variants"] if events[v["type"]]["kind"] == "struct"]
        names = [v["name"] for v in variants]
        self.events = {key: (v["name"], events[v["type"]]["members"]) for key, v in zip(selectors(names), variants, strict=True)}

    def arguments(self, function: str, values: Sequence[Any]) -> list[int]:
        inputs = self._function(function)["inputs"]
        if len(inputs) != len(values):
            raise MachineError(f"{function} takes {len(inputs)} arguments ({', '.join(i['name'] for i in inputs)}), not {len(values)}")
        return [felt for i, value in zip(inputs, values, strict=True) for felt in self.encode(i["type"], value)]

    def result(self, function: str, data: Sequence[int]) -> Any:
        outputs = self._function(function).get("outputs", [])
        if not outputs:
            return None
        felts = iter(data)
        return self.decode(outputs[0]["type"], felts)

    def event(self, contract: int, keys: Sequence[int], data: Sequence[int]) -> Event:
        if keys[0] not in self.events:
            raise MachineError(f"an event that the ABI of {contract:#x} does not know: {keys[0]:#x}")
        name, members = self.events[keys[0]]
        key_felts, data_felts = iter(keys[1:]), iter(data)
        fields = {m["name"]: self.decode(m["type"], key_felts if m["kind"] == "key" else data_felts) for m in members}
        return Event(contract, name, fields)

    def encode(self, type_: str, value: Any) -> list[int]:
        base, inner = _split(type_)
        if base in _WIDTHS:
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << _WIDTHS[base]:
                raise MachineError(f"{value!r} is not a {base}")
            return [value & (1 << 128) - 1, value >> 128] if base == "u256" else [value]
        if base in _FELTS:
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < PRIME:
                raise MachineError(f"{value!r} is not a {base}")
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
            raise MachineError(f"no entry point {name!r}: {', '.join(self.functions)}")
        return self.functions[name]

    def _type(self, name: str) -> dict[str, Any]:
        if name not in self.types:
            raise MachineError(f"no encoding for the type {name}")
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


class Contract:
    """A deployed contract."""

    def __init__(self, machine: "Machine", name: str, abi: Abi, address: int) -> None:
        self.machine, self.name, self.abi, self.address = machine, name, abi, address

    def __repr__(self) -> str:
        return f"Contract({self.name!r}, {self.address:#x})"

    def invoke(self, caller: "int | Contract", entry_point: str, *arguments: Any, raw: bool = False, kind: str = "EXTERNAL") -> Outcome:
        """Calls and keeps the changes. `kind="L1_HANDLER"` delivers a message of L1, whose sender is the first argument.

        Raises
        ------
        Reverted
            With the contract's code; nothing has changed.
        MachineError
            The call could not be made.
        """
        answer = self._ask("invoke", caller, entry_point, arguments, raw, kind=kind)
        return self.machine.outcome(self.abi, entry_point, answer)

    def call(self, entry_point: str, *arguments: Any, caller: "int | Contract" = 0, raw: bool = False) -> Any:
        """The result of a call whose changes are dropped; raises as `invoke` does."""
        return self.machine.outcome(self.abi, entry_point, self._ask("call", caller, entry_point, arguments, raw)).value

    def storage(self) -> dict[int, int]:
        """All cells that are not zero, by key."""
        return dict(self.machine.ask("storage_of", contract=self.address))

    def _ask(self, do: str, caller: "int | Contract", entry_point: str, arguments: Sequence[Any], raw: bool, **more: Any) -> Any:
        plain = [a.address if isinstance(a, Contract) else a for a in arguments]
        calldata = plain if raw else self.abi.arguments(entry_point, plain)
        sender = caller.address if isinstance(caller, Contract) else caller
        return self.machine.ask(do, caller=sender, contract=self.address, entry_point=entry_point, calldata=calldata, **more)


class Machine:
    """A state in its own process, empty at first: block 0, time 0, chain id 'CIRO_TEST'."""

    def __init__(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        self._process = subprocess.Popen(
            [build.MACHINE_PYTHON, build.MACHINE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        self._abis: dict[int, Abi] = {}
        self.contracts: dict[int, Contract] = {}

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def ask(self, do: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            raise MachineError(f"the VM's process ended: {self._log.read().decode()[-2000:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise MachineError(answer["error"])
        return answer["ok"]

    def declare(self, artifact: str | Path) -> tuple[int, Abi]:
        """Registers a class: the name of a contract of settlement/starknet, or an artefact's path. Answers its class hash and ABI."""
        path = artifact if isinstance(artifact, Path) else build.ARTIFACTS / f"{artifact}.json.gz"
        class_hash = self.ask("register", artifact=str(path.resolve()))
        if class_hash not in self._abis:
            self._abis[class_hash] = Abi(json.loads(build.load(path)["sierra"]["abi"]), lambda names: self.ask("selectors", names=names))
        return class_hash, self._abis[class_hash]

    def deploy(
        self, artifact: str | Path, *arguments: Any, caller: int = 0, salt: int = 0, address: int | None = None, raw: bool = False
    ) -> Contract:
        """Deploys, at `address` if one is given; `arguments` are the constructor's. Raises as `Contract.invoke` does."""
        class_hash, abi = self.declare(artifact)
        plain = [a.address if isinstance(a, Contract) else a for a in arguments]
        calldata = plain if raw else abi.arguments("constructor", plain)
        answer = self.ask("deploy", class_hash=class_hash, calldata=calldata, caller=caller, salt=salt, address=address)
        name = artifact.name.partition("-")[0].partition(".")[0] if isinstance(artifact, Path) else artifact
        contract = Contract(self, name, abi, answer["address"])
        previous = self.contracts.get(contract.address)
        self.contracts[contract.address] = contract
        try:
            contract.deployed = self.outcome(abi, "constructor", answer)
        except Reverted:
            self.contracts.pop(contract.address) if previous is None else self.contracts.update({contract.address: previous})
            raise
        return contract

    def block(self, number: int | None = None, time: int | None = None, chain_id: int | None = None) -> None:
        """Sets the block's number, its time in seconds, and the chain id, those that are given."""
        self.ask("block", number=number, time=time, chain_id=chain_id)

    def block_hash(self, number: int, value: int) -> None:
        """What get_block_hash answers for a block, once it is 10 blocks old."""
        self.ask("block_hash", number=number, value=value)

    def snapshot(self) -> int:
        """Keeps the state, the block and the chain id under a name for `restore`, any number of times."""
        name: int = self.ask("snapshot")
        return name

    def restore(self, snapshot: int) -> None:
        self.ask("restore", snapshot=snapshot)

    def outcome(self, abi: Abi, entry_point: str, answer: dict[str, Any]) -> Outcome:
        if answer["failed"]:
            raise Reverted(_code(answer["data"]), answer["data"], answer["steps"])
        events = tuple(
            (self.contracts[address].abi if address in self.contracts else abi).event(address, keys, data)
            for address, keys, data in answer["events"]
        )
        messages = tuple((sender, to, tuple(payload)) for sender, to, payload in answer["messages"])
        return Outcome(abi.result(entry_point, answer["data"]), events, messages, answer["steps"])


def _code(data: Sequence[int]) -> str:
    code = short_string(data[0]) if data else ""
    # Cairo's own refusal of calldata, under the name that all chains use.
    if re.fullmatch(r"Failed to deserialize param #\d+|Input too (long|short) for arguments", code):
        return "MALFORMED_CALLDATA"
    return code
