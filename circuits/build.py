"""Compile the models of `models/` and write what was made of them to `circuits/<model>/`, for review and for the tests.

Files:

    calibration.json    the stored calibration result: with it, compiling is deterministic on every machine
    manifest.json       the canonical manifest, byte for byte what the program digest is a digest of
    report.json         digests, public tensors, range ledger, tables, cost and security, for a reader

Usage:

    python circuits/build.py                compile with the stored calibration and write the files
    python circuits/build.py --check        write nothing; exit 1 if a file would change
    python circuits/build.py --calibrate    calibrate again first, from models/<model>/calibration.npz
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent / "models"
NAMES = ("digits_mlp", "lenet5")
CALIBRATION, MANIFEST, REPORT = "calibration.json", "manifest.json", "report.json"
MAX_LINE = 180


def model_file(name: str) -> Path:
    """The ONNX file of a model."""
    return MODELS / name / f"{name}.onnx"


def build(name: str, calibration: Any = None) -> dict[str, bytes]:
    """The three files of a model by name, from its ONNX file and a calibration: by default the stored one."""
    import ciro_zk

    circuit = ciro_zk.compile(model_file(name), HERE / name / CALIBRATION if calibration is None else calibration)
    return {
        CALIBRATION: readable(circuit.calibration),
        MANIFEST: circuit.program.manifest,
        REPORT: readable(report(circuit, model_file(name).read_bytes())),
    }


def readable(value: Any) -> bytes:
    """Indented JSON, keys in the order given; what fits a line stays on it."""
    return (_text(value, "", outermost=True) + "\n").encode()


def _text(value: Any, indent: str, outermost: bool = False) -> str:
    flat = json.dumps(value, allow_nan=False)
    if not isinstance(value, dict | list) or not value or (not outermost and len(indent) + len(flat) <= MAX_LINE):
        return flat
    inner = indent + "  "
    if isinstance(value, dict):
        items = [f"{inner}{json.dumps(key)}: {_text(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _text(item, inner) for item in value) + f"\n{indent}]"


def report(circuit: Any, model: bytes) -> dict[str, Any]:
    """What a reviewer wants to see of a circuit. Integers and rounded figures only, so that it is the same on every machine."""
    from ciro_zk.kernels import plain_kernels
    from ciro_zk.prover import commit_weights

    program, graph = circuit.program, circuit.program.graph
    cost = circuit.report().as_dict()["cost"]
    return {
        "model": model_entry(circuit, model),
        "program_digest": program.digest.hex(),
        "model_commitment": commit_weights(plain_kernels(), program, circuit.weights).root.hex(),
        "registration_digest": program.registration.digest.hex(),
        "inputs": [port_entry(graph, port) for port in graph.inputs],
        "outputs": [port_entry(graph, port) for port in graph.outputs],
        "tensors": list(tensor_entries(graph)),
        "tables": [{"kind": t.kind, "rows": t.num_rows, "columns": t.num_columns} for t in graph.tables],
        "lookups": [{"table": x.table, "shape": list(x.shape), "cells": prod(x.shape)} for x in program.plan.lookups],
        "zero_checks": [{"shape": list(x.shape), "factors": len(x.columns)} for x in program.plan.zero_checks],
        "cost": {name: value for name, value in cost.items() if name not in ("seconds", "memory_bytes")},
        "proof": security_entry(program),
        "registration": security_entry(program.registration),
    }


def model_entry(circuit: Any, model: bytes) -> dict[str, Any]:
    """Which model, at which precision."""
    sha256 = hashlib.sha256(model).hexdigest()
    return {"name": circuit.name, "onnx_sha256": sha256, "bits": circuit.bits, "preset": circuit.preset.name}


def port_entry(graph: Any, port: Any) -> dict[str, Any]:
    """A public tensor: real = integer * scale."""
    tensor = graph.tensors[port.tensor]
    return {
        "name": port.name,
        "shape": list(tensor.shape),
        "integers": [tensor.low, tensor.high],
        "scale": f"{port.scale:.6g}",
        "exact_scale": port.scale.hex(),
    }


def tensor_entries(graph: Any) -> Iterable[dict[str, Any]]:
    """The range ledger: where every tensor's cells live, their soundness range and what enforces it."""
    made = {output: node.op.kind for node in graph.nodes for output in node.outputs}
    for i, tensor in enumerate(graph.tensors):
        yield {
            "id": i,
            "name": tensor.name,
            "made_by": made.get(i, "leaf"),
            "storage": tensor.storage.value,
            "shape": list(tensor.shape),
            "range": [tensor.low, tensor.high],
            "bounded_by": tensor.bounded_by,
        }


def security_entry(program: Any) -> dict[str, Any]:
    """Sizes, parameters and itemised soundness of a program's proofs."""
    security = program.security
    return {
        "shape": plain(asdict(program.shape)),
        "commitment": plain(asdict(program.params)),
        "regime": security.regime,
        "zero_knowledge": security.zero_knowledge,
        "summed_bits": round(security.summed_bits, 2),
        "summed_bits_without_grinding": round(security.summed_bits_without_grinding, 2),
        "terms": [{"name": t.name, "bits": round(t.bits, 2), "grinding_bits": t.grinding_bits} for t in security.terms],
    }


def plain(value: Any) -> Any:
    """Tuples as lists."""
    return json.loads(json.dumps(value))


def stale(name: str, files: dict[str, bytes]) -> list[Path]:
    """The stored files of a model that differ from the given ones."""
    paths = {HERE / name / file: data for file, data in files.items()}
    return [path for path, data in paths.items() if not path.is_file() or path.read_bytes() != data]


def _data(name: str) -> Any:
    import numpy as np

    with np.load(MODELS / name / "calibration.npz") as archive:
        return {key: archive[key] for key in archive.files}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line above."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"which models; all by default: {', '.join(NAMES)}")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    parser.add_argument("--calibrate", action="store_true", help="calibrate again first")
    options = parser.parse_args(arguments)
    changed: list[Path] = []
    for name in options.models or NAMES:
        if name not in NAMES:
            parser.error(f"there is no model {name!r}; the models are {', '.join(NAMES)}")
        fresh = options.calibrate or not (HERE / name / CALIBRATION).is_file()
        files = build(name, _data(name) if fresh else None)
        for path in stale(name, files):
            changed.append(path)
            if not options.check:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(files[path.name])
    for path in changed:
        print(f"{'differs' if options.check else 'wrote'}  {path.relative_to(HERE.parent)}")
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    raise SystemExit(main())
