"""A compiled circuit: program, weights, and what calibration measured. `compile` makes it, `setup` commits to it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ciro_zk.circuit.error import Error, read_deviations, write_deviations
from ciro_zk.circuit.graph import Graph, Port
from ciro_zk.circuit.law import read_laws, write_laws
from ciro_zk.circuit.manifest import MAX_BYTES, canonical_json
from ciro_zk.circuit.notes import Notes
from ciro_zk.container import Buffer, atomic_write, pieces, read_file, unpack
from ciro_zk.errors import ProofFormatError
from ciro_zk.params import STANDARD, Preset
from ciro_zk.program.accuracy import StaticBound
from ciro_zk.program.keys import MAX_WEIGHTS, Integers, narrow, unpack_weights, weight_pieces
from ciro_zk.program.program import Program
from ciro_zk.program.public import by_name, quantise
from ciro_zk.program.report import CircuitReport, cost_report

KIND = b"CIRC"
VERSION = 2
LIMITS = {"manifest": MAX_BYTES, "weights": 8 * MAX_WEIGHTS, "notes": MAX_BYTES}


@dataclass(frozen=True)
class Circuit:
    """A model as integers: its graph, its weights by tensor id (each in its range's narrowest type), and the compiler's notes.

    `calibration` is the stored calibration result (compiling the same model with it gives the same program digest);
    `accuracy` the comparison with the float model; `notes` what the error bound needs to know of that model. None of them is
    part of the program digest.
    """

    graph: Graph
    weights: Mapping[int, Integers]
    name: str
    bits: int
    calibration: Mapping[str, Any] = field(default_factory=dict)
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)
    preset: Preset = STANDARD

    def __post_init__(self) -> None:
        object.__setattr__(self, "program", Program(self.graph, self.name, self.bits, self.preset))
        object.__setattr__(self, "weights", narrow(self.program, self.weights))

    program: Program = field(init=False, repr=False, compare=False)

    def manifest(self) -> str:
        """The canonical JSON manifest that the program digest is a digest of."""
        return self.program.manifest.decode()

    def report(self) -> CircuitReport:
        """Accuracy against the float model, static error bounds, declared ranges, cost and security."""

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
            static_bounds=self.static_bounds(),
            cost=cost_report(self.program),
            security=self.program.security,
        )

    def error_bound(self, inputs: ArrayLike | Mapping[str, ArrayLike] | None = None) -> dict[str, NDArray[np.float64]]:
        """How far an inference can be from exact real arithmetic of the float model on the same real inputs.

        Parameters
        ----------
        inputs : array or dict by name
            Real inputs, as `ciro_zk.infer` takes them. Without them the bound holds for all inputs in their declared ranges: far
            looser, and infinite where, somewhere in these ranges, a divisor may be 0 or a curve leaves its table.

        Returns
        -------
        dict of arrays
            By output name, of the outputs' shapes and in their real units: |circuit - model| <= bound in every cell.
            It follows from the quantisation alone (`ciro_zk.circuit.error`), never from a run of the float model. The
            model's own rounding in float32 comes on top. Worst cases add up: over many layers it is far from tight.

        Raises
        ------
        InputError
            Another shape, a value that is not finite or outside the declared range.
        """
        if inputs is None:
            return self.graph.output_bounds(self.graph.range_errors(self.weights, self.notes))
        given = by_name("input", self.graph.inputs, inputs)
        integers = {port.tensor: quantise(port, self.graph.tensors[port.tensor], given[port.name]) for port in self.graph.inputs}
        return self.graph.run_errors(self.graph.run({**integers, **self.weights}), given, self.notes)

    def static_bounds(self) -> dict[str, StaticBound]:
        """`error_bound()` without inputs, by output name: the greatest of each output's cells, and where there is none why."""
        errors = self.graph.range_errors(self.weights, self.notes)
        bounds = self.graph.output_bounds(errors)
        return {port.name: self._static(errors, port.tensor, float(bounds[port.name].max())) for port in self.graph.outputs}

    def _static(self, errors: Mapping[int, Error], tensor: int, bound: float) -> StaticBound:
        if isfinite(bound):
            return StaticBound(bound=bound)
        start = self.graph.unbounded_from(errors, tensor)
        return StaticBound(bound=None, reason=f"{self.graph.tensors[start].name}: {self.graph.producer(start).op.unbounded}")

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()

    def pieces(self) -> list[Buffer]:
        """The circuit's bytes, piece by piece."""
        notes: dict[str, Any] = {"calibration": self.calibration, "accuracy": self.accuracy}
        if self.notes.deviations:
            notes["deviations"] = write_deviations(self.notes.deviations)
        if self.notes.laws:
            notes["laws"] = write_laws(self.notes.laws)
        weights = weight_pieces(self.program, self.weights)
        return pieces(KIND, VERSION, [("manifest", self.program.manifest), ("weights", weights), ("notes", canonical_json(notes))])

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces())

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
            or set(notes) - {"deviations", "laws"} != {"calibration", "accuracy"}
            or not all(isinstance(notes[key], dict) for key in ("calibration", "accuracy"))
        ):
            raise ProofFormatError("must hold calibration and accuracy", file=source, field="notes", remedy="compile the model again")
        try:
            read = Notes(read_deviations(notes.get("deviations", [])), read_laws(notes.get("laws", [])))
            for tensor, law in read.laws.items():
                law.check(program.graph.tensors, tensor)
        except ValueError as error:
            raise ProofFormatError(str(error), file=source, field="notes", remedy="compile the model again") from error
        weights = unpack_weights(program, sections["weights"], source)
        return Circuit(program.graph, weights, program.name, program.bits, notes["calibration"], notes["accuracy"], read, program.preset)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all."""
        atomic_write(path, *self.pieces())

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Circuit:
        """Read a circuit file. Raises `InputError` (no such file) or `ProofFormatError`."""
        return Circuit.from_bytes(read_file(path, sum(LIMITS.values()) + 4096), os.fspath(path))

    def __repr__(self) -> str:
        return f"Circuit({self.name}, {self.bits} bits, program {self.program.digest.hex()[:12]})"
