"""A compiled circuit: program, weights, and what calibration measured. `compile` makes it, `setup` commits to it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.graph import Graph, Port
from ciro_zk.circuit.manifest import MAX_BYTES, canonical_json
from ciro_zk.container import atomic_write, pack, read_file, unpack
from ciro_zk.errors import ProofFormatError
from ciro_zk.params import STANDARD, Preset
from ciro_zk.program.keys import MAX_WEIGHTS, pack_weights, unpack_weights
from ciro_zk.program.program import Program
from ciro_zk.program.report import CircuitReport, cost_report

Integers = NDArray[np.int64]

KIND = b"CIRC"
VERSION = 2
LIMITS = {"manifest": MAX_BYTES, "weights": 16 + 8 * MAX_WEIGHTS, "notes": MAX_BYTES}


@dataclass(frozen=True)
class Circuit:
    """A model as integers: its graph, its weights by tensor id, and the compiler's notes.

    `calibration` is the stored calibration result (compiling the same model with it gives the same program digest);
    `accuracy` the comparison with the float model. Both are JSON objects and not part of the program digest.
    """

    graph: Graph
    weights: Mapping[int, Integers]
    name: str
    bits: int
    calibration: Mapping[str, Any] = field(default_factory=dict)
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    preset: Preset = STANDARD

    def __post_init__(self) -> None:
        object.__setattr__(self, "program", Program(self.graph, self.name, self.bits, self.preset))

    program: Program = field(init=False, repr=False, compare=False)

    def manifest(self) -> str:
        """The canonical JSON manifest that the program digest is a digest of."""
        return self.program.manifest.decode()

    def report(self) -> CircuitReport:
        """Accuracy against the float model, declared ranges, cost and security."""

        def ports(entries: Sequence[Port]) -> dict[str, str]:
            tensors = self.graph.tensors
            return {
                port.name: f"{list(tensors[port.tensor].shape)} in [{tensors[port.tensor].low * port.scale:.6g}, "
                f"{tensors[port.tensor].high * port.scale:.6g}], one unit {port.scale:.4g}"
                for port in entries
            }

        return CircuitReport(
            name=self.name,
            bits=self.bits,
            inputs=ports(self.graph.inputs),
            outputs=ports(self.graph.outputs),
            accuracy=self.accuracy,
            cost=cost_report(self.program),
            security=self.program.security,
        )

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()

    def __bytes__(self) -> bytes:
        notes = canonical_json({"calibration": self.calibration, "accuracy": self.accuracy})
        return pack(
            KIND, VERSION, [("manifest", self.program.manifest), ("weights", pack_weights(self.program, self.weights)), ("notes", notes)]
        )

    @staticmethod
    def from_bytes(data: bytes, source: str = "<bytes>") -> Circuit:
        """Parse a circuit. Raises `ProofFormatError` naming the field."""
        sections = unpack(data, kind=KIND, version=VERSION, limits=LIMITS, source=source)
        program = Program.from_manifest(bytes(sections["manifest"]), source)
        try:
            notes: Any = json.loads(bytes(sections["notes"]))
            is_canonical = canonical_json(notes) == sections["notes"]
        except (ValueError, RecursionError) as error:
            raise ProofFormatError("is not JSON", file=source, field="notes", remedy="compile the model again") from error
        if (
            not is_canonical
            or not isinstance(notes, dict)
            or set(notes) != {"calibration", "accuracy"}
            or not all(isinstance(v, dict) for v in notes.values())
        ):
            raise ProofFormatError("must hold calibration and accuracy", file=source, field="notes", remedy="compile the model again")
        weights = unpack_weights(program, bytes(sections["weights"]), source)
        return Circuit(program.graph, weights, program.name, program.bits, notes["calibration"], notes["accuracy"], program.preset)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all."""
        atomic_write(path, bytes(self))

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Circuit:
        """Read a circuit file. Raises `InputError` (no such file) or `ProofFormatError`."""
        return Circuit.from_bytes(read_file(path, sum(LIMITS.values()) + 4096), os.fspath(path))

    def __repr__(self) -> str:
        return f"Circuit({self.name}, {self.bits} bits, program {self.program.digest.hex()[:12]})"
