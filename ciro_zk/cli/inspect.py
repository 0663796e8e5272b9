"""`ciro-zk inspect`: what a circuit, key, proof or manifest holds."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from ciro_zk.cli.options import Json
from ciro_zk.cli.session import session
from ciro_zk.cli.summary import fact_text, program_facts
from ciro_zk.errors import ProofFormatError

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
            facts.update(_content(found.kind, data, str(file)))
        out.rows({name: fact_text(name, value) for name, value in facts.items()})
        out.result(facts)


def _manifest(data: bytes, file: Path) -> dict[str, Any]:
    try:
        manifest = json_module.loads(data)
    except (ValueError, RecursionError) as error:
        remedy = "compile the model again, or get the file again"
        raise ProofFormatError(f"not JSON: {error}", file=str(file), field="manifest", remedy=remedy) from error
    scalars = {name: value for name, value in manifest.items() if not isinstance(value, dict | list)}
    return {"kind": "manifest", "bytes": len(data), **scalars}


def _content(kind: bytes, data: bytes, source: str) -> dict[str, Any]:
    import ciro_zk

    if kind == b"CIRC":
        return program_facts(ciro_zk.Circuit.from_bytes(data, source).program)
    if kind == b"PKEY":
        return program_facts(ciro_zk.ProvingKey.from_bytes(data, source).program)
    if kind == b"VKEY":
        key = ciro_zk.VerifyingKey.from_bytes(data, source)
        return {"key_digest": key.digest.hex(), "model_commitment": key.model_commitment.hex(), **program_facts(key.program)}
    if kind == b"PROF":
        proof = ciro_zk.Proof.from_bytes(data, source)
        return {
            "program_digest": proof.program_digest.hex(),
            "model_commitment": proof.model_commitment.hex(),
            "inputs": {name: list(values.shape) for name, values in proof.inputs.items()},
            "outputs": {name: list(values.shape) for name, values in proof.outputs.items()},
        }
    return {}
