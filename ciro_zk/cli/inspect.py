"""`ciro-zk inspect`: what a circuit, key, proof or manifest holds."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ciro_zk.cli.options import Json
from ciro_zk.cli.report import bytes_text
from ciro_zk.cli.session import session
from ciro_zk.errors import ProofFormatError

if TYPE_CHECKING:
    from ciro_zk.circuit import Circuit

MAX_BYTES = 16 << 30


def inspect_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="circuit.bin, pk.bin, vk.bin, a proof or manifest.json.")],
    json: Json = False,
) -> None:
    """Show what a file of ciro-zk holds."""
    with session(json) as out:
        from ciro_zk.container import kind_name, outline, read_file

        data = read_file(file, MAX_BYTES)
        if data.lstrip()[:1] == b"{":
            facts = _manifest(data, file)
        else:
            found = outline(data, source=str(file))
            facts = {"kind": kind_name(found.kind), "version": found.version, "bytes": len(data), "sections": dict(found.sections)}
            facts.update(_content(found.kind, data))
        out.rows({name: _text(value) for name, value in facts.items() if name != "report"})
        if "report" in facts:
            out.say()
            out.say(facts["report"])
        out.result(facts)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {bytes_text(item) if isinstance(item, int) else item}" for name, item in value.items())
    return str(value)


def _manifest(data: bytes, file: Path) -> dict[str, Any]:
    try:
        manifest = json_module.loads(data)
    except (ValueError, RecursionError) as error:
        remedy = "compile the model again, or get the file again"
        raise ProofFormatError(f"not JSON: {error}", file=str(file), field="manifest", remedy=remedy) from error
    scalars = {name: value for name, value in manifest.items() if not isinstance(value, dict | list)}
    return {"kind": "manifest", "bytes": len(data), **scalars}


def _content(kind: bytes, data: bytes) -> dict[str, Any]:
    import ciro_zk

    if kind == b"CIRC":
        return _circuit(ciro_zk.Circuit.from_bytes(data))
    if kind == b"PKEY":
        return _circuit(ciro_zk.ProvingKey.from_bytes(data).circuit)
    if kind == b"VKEY":
        return _circuit(ciro_zk.VerifyingKey.from_bytes(data).circuit)
    return {}


def _circuit(circuit: Circuit) -> dict[str, Any]:
    graph = circuit.graph
    shapes = {
        side: {port.name: list(graph.tensors[port.tensor].shape) for port in ports}
        for side, ports in (("inputs", graph.inputs), ("outputs", graph.outputs))
    }
    return {"program_digest": circuit.program_digest.hex(), **shapes, "report": str(circuit.report())}
