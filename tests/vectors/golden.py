"""The golden files: one of every format, made once per version. `python tests/vectors/golden.py --write` makes those that are not there.

A golden file is never overwritten: another content needs another version, and so another name. Those of older versions stay, as what must
be refused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ciro_zk import proof as proofs
from ciro_zk.circuit import manifest
from ciro_zk.program import circuit as circuits
from ciro_zk.program import keys
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.program.program import Program
from ciro_zk.proof import Proof
from ciro_zk.prover import prove, setup
from ciro_zk.witness import infer
from verifier.spec.circuits import sample, varied

FOLDER = Path(__file__).parent / "golden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format: its version now, and how a file is read and written back."""

    version: int
    again: Callable[[bytes], bytes]


FORMATS: Mapping[str, Format] = {
    "circuit": Format(version=circuits.VERSION, again=lambda data: bytes(Circuit.from_bytes(data))),
    "vkey": Format(version=keys.VERSION, again=lambda data: bytes(VerifyingKey.from_bytes(data))),
    "pkey": Format(version=keys.VERSION, again=lambda data: bytes(ProvingKey.from_bytes(data))),
    "proof": Format(version=proofs.VERSION, again=lambda data: bytes(Proof.from_bytes(data))),
    "manifest": Format(version=manifest.FORMAT, again=lambda data: Program.from_manifest(data).manifest),
}


def path_of(kind: str) -> Path:
    """The golden file of a format at its present version."""
    return FOLDER / f"{kind}-v{FORMATS[kind].version}.bin"


def made() -> dict[str, bytes]:
    """What this library writes for the golden circuit."""
    circuit = varied()
    pk, vk = setup(circuit, threads=1)
    proof = prove(pk, infer(pk, sample(circuit)), threads=1)
    files = {"circuit": circuit, "vkey": vk, "pkey": pk, "proof": proof}
    return {kind: bytes(value) for kind, value in files.items()} | {"manifest": circuit.program.manifest}


def main() -> None:
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    FOLDER.mkdir(exist_ok=True)
    for kind, data in made().items():
        path = path_of(kind)
        if not path.exists():
            path.write_bytes(data)
            print(f"wrote {path.name}; enter it in DIGESTS of test_golden.py")


if __name__ == "__main__":
    main()
