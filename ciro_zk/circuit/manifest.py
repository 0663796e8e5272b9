"""The canonical JSON manifest of a graph: what the program digest is a digest of, and the only way a graph is read back.

Only leaves, operators' attributes, tables and ports are written; shapes, storages and bounds are inferred anew on
reading, so a manifest cannot claim what does not follow. Every number is an integer but the scales, which are written
as hexadecimal floats.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from math import isfinite
from typing import Any, TypeVar

from ciro_zk.circuit.graph import Graph, GraphBuilder, Port
from ciro_zk.circuit.op import CircuitError, attributes, op_class
from ciro_zk.circuit.tensor import Storage
from ciro_zk.errors import ProofFormatError
from ciro_zk.lookup.tables import Clamp, Range, Sampled, Sign, Table, Window
from ciro_zk.lookup.tables import Graph as GraphTable

T = TypeVar("T")

FORMAT = 2
MAX_BYTES = 64 << 20
MAX_VALUES = 1 << 21
MAX_NAME = 512

_TABLES: dict[str, type[Table]] = {cls.kind: cls for cls in (Range, GraphTable, Sign, Window)}
_FUNCTIONS: dict[str, type[Clamp] | type[Sampled]] = {cls.kind: cls for cls in (Clamp, Sampled)}


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def check_size(manifest: bytes) -> None:
    """`ValueError` for a manifest too large to read, by its bytes or by its values, which bound the work of reading it."""
    for count, limit, unit in ((len(manifest), MAX_BYTES, "bytes"), (manifest.count(b","), MAX_VALUES, "values")):
        if count > limit:
            raise ValueError(f"has {count} {unit}, more than {limit}")


def is_text(value: Any, limit: int) -> bool:
    """A string of at most `limit` characters, without surrogates: it can be encoded."""
    return isinstance(value, str) and len(value) <= limit and not any("\ud800" <= c <= "\udfff" for c in value)


def _field_types(cls: type[Any]) -> dict[str, str]:
    """The fields of a dataclass and their types as written."""
    return {f.name: str(f.type) for f in fields(cls)}


def _table_entry(table: Table | Clamp | Sampled) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": table.kind}
    for name in _field_types(type(table)):
        value = getattr(table, name)
        entry[name] = _table_entry(value) if isinstance(value, Clamp | Sampled) else value
    return entry


def graph_entry(graph: Graph) -> dict[str, Any]:
    """The JSON object of a graph."""
    made = {output for node in graph.nodes for output in node.outputs}
    names = {port.tensor: port for port in graph.inputs}
    nodes: list[dict[str, Any]] = []
    pending = list(graph.nodes)
    for i, tensor in enumerate(graph.tensors):
        if i not in made:
            kind = tensor.storage.value
            entry = {"kind": kind, "name": tensor.name, "shape": list(tensor.shape), "low": tensor.low, "high": tensor.high}
            if tensor.storage is Storage.INPUT:
                entry["scale"] = names[i].scale.hex()
            nodes.append(entry)
            continue
        while pending and (not pending[0].outputs or pending[0].outputs[0] == i):
            node = pending.pop(0)
            name = graph.tensors[node.outputs[0]].name.lstrip(".").split(".")[0][:MAX_NAME] if node.outputs else ""
            nodes.append({"kind": node.op.kind, "name": name, "inputs": list(node.op.inputs)} | dict(attributes(node.op)))
            if node.outputs:
                break
    nodes += [{"kind": n.op.kind, "name": "", "inputs": list(n.op.inputs)} | dict(attributes(n.op)) for n in pending]
    return {
        "nodes": nodes,
        "tables": [_table_entry(table) for table in graph.tables],
        "outputs": [{"name": port.name, "tensor": port.tensor, "scale": port.scale.hex()} for port in graph.outputs],
    }


class _Reader:
    """Typed access to untrusted JSON; every failure names file and field."""

    def __init__(self, source: str) -> None:
        self.source = source

    def fail(self, field: str, reason: str) -> ProofFormatError:
        return ProofFormatError(reason, file=self.source, field=field, remedy="compile the model again")

    def object(self, value: Any, field: str, keys: set[str]) -> dict[str, Any]:
        if not isinstance(value, dict) or set(value) != keys:
            raise self.fail(field, f"must be an object with the keys {', '.join(sorted(keys))}")
        return value

    def list(self, value: Any, field: str, limit: int) -> list[Any]:
        if not isinstance(value, list) or len(value) > limit:
            raise self.fail(field, f"must be a list of at most {limit} entries")
        return value

    def integer(self, value: Any, field: str) -> int:
        if type(value) is not int or abs(value) >= 1 << 64:
            raise self.fail(field, "must be an integer below 2^64")
        return value

    def integers(self, value: Any, field: str, depth: int = 4) -> Any:
        """An integer, or lists of integers as tuples, nested at most `depth` deep."""
        if not isinstance(value, list):
            return self.integer(value, field)
        if not depth:
            raise self.fail(field, "is nested too deep")
        if value and set(map(type, value)) == {int} and min(value) > -(1 << 64) and max(value) < 1 << 64:
            return tuple(value)
        return tuple(self.integers(v, field, depth - 1) for v in value)

    def name(self, value: Any, field: str) -> str:
        if not is_text(value, MAX_NAME):
            raise self.fail(field, f"must be a string of at most {MAX_NAME} Unicode characters")
        return str(value)

    def scale(self, value: Any, field: str) -> float:
        try:
            scale = float.fromhex(self.name(value, field))
        except (ValueError, OverflowError) as error:
            raise self.fail(field, "must be a hexadecimal float") from error
        if not isfinite(scale) or scale <= 0 or scale.hex() != value:
            raise self.fail(field, "must be a positive finite scale in canonical form")
        return scale

    def dataclass(self, cls: type[Any], entry: dict[str, Any], field: str) -> Any:
        """A dataclass of integers and nested tuples of them."""
        types = _field_types(cls)
        names = set(types)
        if not names <= set(entry):
            raise self.fail(field, f"lacks {', '.join(sorted(names - set(entry)))}")
        values = {}
        for name in names:
            if name == "function":
                values[name] = self.function(entry[name], f"{field}.{name}")
                continue
            value = self.integers(entry[name], f"{field}.{name}")
            wanted = types[name]
            depth = wanted.count("tuple[")
            if _depth_mismatch(value, depth):
                raise self.fail(f"{field}.{name}", f"must be {wanted}")
            values[name] = value
        return cls(**values)

    def function(self, value: Any, field: str) -> Clamp | Sampled:
        kind = value.get("kind") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in _FUNCTIONS:
            raise self.fail(field, "names no known function")
        cls = _FUNCTIONS[kind]
        entry = self.object(value, field, {"kind", *_field_types(cls)})
        result: Clamp | Sampled = self.dataclass(cls, entry, field)
        return result

    def table(self, value: Any, field: str) -> Table:
        kind = value.get("kind") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in _TABLES:
            raise self.fail(field, "names no known table")
        cls = _TABLES[kind]
        result: Table = self.dataclass(cls, self.object(value, field, {"kind", *_field_types(cls)}), field)
        return result


def _depth_mismatch(value: Any, depth: int) -> bool:
    if depth == 0:
        return isinstance(value, tuple)
    if depth == 1:
        return not isinstance(value, tuple) or tuple in map(type, value)
    return not isinstance(value, tuple) or any(_depth_mismatch(v, depth - 1) for v in value)


def read_graph(value: Any, source: str) -> Graph:
    """A graph from untrusted JSON; `ProofFormatError` names the field that is wrong."""
    reader = _Reader(source)
    top = reader.object(value, "graph", {"nodes", "tables", "outputs"})
    builder = GraphBuilder()
    for i, entry in enumerate(reader.list(top["tables"], "tables", 256)):
        field = f"tables[{i}]"
        _guarded(reader, field, partial(_read_table, reader, builder, entry, field))
        if len(builder.tables) != i + 1:
            raise reader.fail(field, "is listed twice")
    for i, entry in enumerate(reader.list(top["nodes"], "nodes", 1 << 17)):
        _guarded(reader, f"nodes[{i}]", partial(_read_node, reader, builder, entry, f"nodes[{i}]"))
    for i, entry in enumerate(reader.list(top["outputs"], "outputs", 1 << 10)):
        field = f"outputs[{i}]"
        port = reader.object(entry, field, {"name", "tensor", "scale"})
        made = Port(
            name=reader.name(port["name"], field), tensor=reader.integer(port["tensor"], field), scale=reader.scale(port["scale"], field)
        )
        _guarded(reader, field, partial(builder.output, made.name, made.tensor, scale=made.scale))
    return _guarded(reader, "graph", builder.build)


def _guarded(reader: _Reader, field: str, action: Callable[[], T]) -> T:
    try:
        return action()
    except (CircuitError, ValueError, OverflowError, IndexError) as error:
        raise reader.fail(field, str(error)) from error


def _read_table(reader: _Reader, builder: GraphBuilder, entry: Any, field: str) -> None:
    builder.table(reader.table(entry, field))


def _read_node(reader: _Reader, builder: GraphBuilder, entry: Any, field: str) -> None:
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if not isinstance(kind, str):
        raise reader.fail(field, "must be an object with a kind")
    if kind in (Storage.INPUT.value, Storage.WEIGHT.value):
        keys = {"kind", "name", "shape", "low", "high"} | ({"scale"} if kind == Storage.INPUT.value else set())
        leaf = reader.object(entry, field, keys)
        name, shape = reader.name(leaf["name"], field), reader.integers(leaf["shape"], field)
        if _depth_mismatch(shape, 1):
            raise reader.fail(field, "a shape is a list of integers")
        low, high = reader.integer(leaf["low"], field), reader.integer(leaf["high"], field)
        if kind == Storage.INPUT.value:
            builder.input(name, shape, low=low, high=high, scale=reader.scale(leaf["scale"], field))
        else:
            builder.weight(name, shape, low=low, high=high)
        return
    cls = op_class(kind)
    reader.object(entry, field, {"kind", "name", *_field_types(cls)})
    builder.add(reader.dataclass(cls, entry, field), reader.name(entry["name"], field))
