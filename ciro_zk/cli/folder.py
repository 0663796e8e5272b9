"""The folder of a compiled circuit: circuit.bin, manifest.json, a copy of the model, and the keys that `setup` adds."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ciro_zk.cli.session import Session
from ciro_zk.container import Buffer, atomic_write, read_file
from ciro_zk.errors import InputError, ProofFormatError

if TYPE_CHECKING:
    from ciro_zk.program.circuit import Circuit

CIRCUIT, MANIFEST, MODEL = "circuit.bin", "manifest.json", "model.onnx"
PROVING_KEY, VERIFYING_KEY = "pk.bin", "vk.bin"
MAX_MANIFEST_BYTES = 64 << 20
_MAX_COPY = 512 << 20


def write_files(folder: Path, files: Mapping[str, Sequence[Buffer]]) -> int:
    """Writes all the files or none; makes the folder if need be; returns the number of bytes."""
    made = not folder.exists()
    fresh = [folder / name for name in files if not (folder / name).exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder: {error.strerror}", file=str(folder), remedy="give another path") from error
    try:
        for name, data in files.items():
            atomic_write(folder / name, *data)
    except BaseException:
        for path in fresh:
            path.unlink(missing_ok=True)
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    return sum(len(piece) for data in files.values() for piece in data)


def write_circuit(out: Session, folder: Path, circuit: Circuit, model: Path) -> int:
    """Writes a circuit and its manifest; returns their size. Keys of another circuit that lie there are removed.

    A copy of the model, when it is one file of moderate size, lets `prove` state the error against it.
    """
    data = bytes(circuit)
    keys = [folder / name for name in (PROVING_KEY, VERIFYING_KEY) if (folder / name).exists()]
    if keys and (not (folder / CIRCUIT).exists() or (folder / CIRCUIT).read_bytes() != data):
        for key in keys:
            key.unlink()
            out.note(f"removed {key}: it belonged to the circuit that was here before")
    num_bytes = write_files(folder, {CIRCUIT: [data], MANIFEST: [circuit.manifest().encode()]})
    copy = folder / MODEL
    if model.stat().st_size <= _MAX_COPY:
        atomic_write(copy, model.read_bytes())
    else:
        copy.unlink(missing_ok=True)
    return num_bytes


def load_circuit(folder: Path) -> Circuit:
    """The circuit of a folder, checked against the manifest beside it."""
    from ciro_zk.program.circuit import Circuit

    _require_folder(folder, CIRCUIT, "compile the model first: ciro-zk compile MODEL.onnx -o DIR")
    circuit = Circuit.load(folder / CIRCUIT)
    manifest = read_file(folder / MANIFEST, MAX_MANIFEST_BYTES)
    if manifest != circuit.manifest().encode():
        reason = f"does not describe {CIRCUIT}: one of the two is damaged or from another model"
        raise ProofFormatError(reason, file=str(folder / MANIFEST), field="manifest", remedy="compile the model again")
    return circuit


def key_path(folder: Path) -> Path:
    """The proving key of a folder, which has to be there."""
    _require_folder(folder, PROVING_KEY, "make the keys first: ciro-zk setup DIR")
    return folder / PROVING_KEY


def _require_folder(folder: Path, name: str, remedy: str) -> None:
    if not folder.is_dir():
        raise InputError("is no folder", file=str(folder), remedy=remedy)
    if not (folder / name).exists():
        raise InputError(f"has no {name}", file=str(folder), remedy=remedy)
