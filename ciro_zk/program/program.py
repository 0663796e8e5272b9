"""A program: a graph with its name, precision and security preset. What a verifier must know of a circuit; it holds no weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ciro_zk.circuit.claims import proof_shape
from ciro_zk.circuit.graph import Graph, GraphBuilder
from ciro_zk.circuit.manifest import FORMAT, canonical_json, check_size, graph_entry, is_text, read_graph
from ciro_zk.circuit.op import CircuitError
from ciro_zk.circuit.plan import Plan
from ciro_zk.commitment.params import CommitmentParams
from ciro_zk.errors import ProofFormatError
from ciro_zk.lookup.tables import Range
from ciro_zk.ops import RangeCheck
from ciro_zk.ops.batch import batch_graph
from ciro_zk.params import PRESETS, Preset
from ciro_zk.security import ProofShape, SecurityReport, commitment_params, lookup_grinding, security_report

MAX_KEPT_BATCHES = 8
MAX_NAME = 256


@dataclass(frozen=True)
class Program:
    """What is proven of a model: everything but its weights."""

    graph: Graph
    name: str
    bits: int
    preset: Preset
    weight_code: tuple[int, int] | None = None
    """log2 of the weight oracle's row length and blow-up; None: the cheapest. A registration and a batch take their program's,
    since all open the same weight oracle."""

    @cached_property
    def manifest(self) -> bytes:
        """Canonical JSON."""
        entry = {"format": FORMAT, "name": self.name, "bits": self.bits, "preset": self.preset.name, "graph": graph_entry(self.graph)}
        return canonical_json(entry)

    @cached_property
    def digest(self) -> bytes:
        """The program digest, 32 bytes."""
        return hashlib.blake2s(self.manifest, person=b"ciroprog").digest()

    @staticmethod
    def from_manifest(data: bytes, source: str = "manifest") -> Program:
        """Read an untrusted manifest. Raises `ProofFormatError` naming the field."""

        def fail(field: str, reason: str) -> ProofFormatError:
            return ProofFormatError(reason, file=source, field=field, remedy="compile the model again")

        try:
            check_size(data)
        except ValueError as error:
            raise fail("manifest", str(error)) from error
        try:
            value: Any = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise fail("manifest", "is not JSON") from error
        found = value.get("format") if isinstance(value, dict) else None
        if type(found) is int and found > FORMAT:
            reason = f"is version {found}, made by a newer ciro_zk; this one reads version {FORMAT}"
            raise ProofFormatError(reason, file=source, field="format", remedy="upgrade ciro_zk")
        if type(found) is int and found < FORMAT:
            raise fail("format", f"is version {found}, made by an older ciro_zk; this one reads version {FORMAT}")
        if not isinstance(value, dict) or set(value) != {"format", "name", "bits", "preset", "graph"}:
            raise fail("manifest", "must be an object with format, name, bits, preset and graph")
        if found != FORMAT:
            raise fail("format", f"must be the integer {FORMAT}")
        preset = value["preset"]
        if not isinstance(preset, str) or preset not in PRESETS:
            raise fail("preset", "is unknown")
        if type(value["bits"]) is not int or not 2 <= value["bits"] <= 16 or not is_text(value["name"], MAX_NAME):
            raise fail("bits", "or name is out of bounds")
        program = Program(read_graph(value["graph"], source), value["name"], value["bits"], PRESETS[preset])
        if not program.graph.outputs:
            raise fail("outputs", "a program has at least one output")
        try:
            program.validate()
            if program.registration is not None:
                program.registration.validate()
        except (CircuitError, ValueError, OverflowError, MemoryError) as error:
            raise fail("graph", str(error)) from error
        if program.manifest != data:
            raise fail("manifest", "is not in canonical form")
        return program

    def validate(self) -> None:
        """`CircuitError` unless the graph keeps every rule of the plan."""
        self.plan.validate()
        _ = self.params

    @cached_property
    def plan(self) -> Plan:
        return Plan(self.graph)

    @cached_property
    def shape(self) -> ProofShape:
        return proof_shape(self.plan)

    @cached_property
    def params(self) -> CommitmentParams:
        return commitment_params(self.preset, self.shape, self.weight_code)

    @property
    def lookup_grinding_bits(self) -> int:
        """Proof-of-work bits before the lookup challenges."""
        return lookup_grinding(self.preset, self.shape)

    @property
    def parameters(self) -> bytes:
        """What the transcript absorbs of the parameters: the lookup grinding bits, u32 little-endian, then the commitment's."""
        return self.lookup_grinding_bits.to_bytes(4, "little") + bytes(self.params)

    @property
    def num_claims(self) -> int:
        """What a proof's ledger holds."""
        return self.params.num_samples + self.shape.num_claims

    @cached_property
    def security(self) -> SecurityReport:
        registration = self.registration
        return security_report(self.preset, self.shape, self.params, registration.security if registration is not None else None)

    def batched(self, size: int) -> Program:
        """The program of `size` inferences in one proof, on the same committed weights; itself for one.

        `CircuitError` for a size out of bounds.
        """
        if size == 1:
            return self
        if size not in self._batches:
            if len(self._batches) >= MAX_KEPT_BATCHES:
                self._batches.clear()  # sizes come from proofs, which anybody may send
            code = self.params.oracles[0].code
            graph = batch_graph(self.graph, size)
            self._batches[size] = Program(graph, self.name, self.bits, self.preset, (code.log_columns, code.log_blowup))
        return self._batches[size]

    @cached_property
    def _batches(self) -> dict[int, Program]:
        return {}

    @cached_property
    def registration(self) -> Program | None:
        """The program whose proof shows that every weight lies in its range; None for a model without weights, and for a registration,
        which has no outputs."""
        if not self.graph.weights or not self.graph.outputs:
            return None
        code = self.params.oracles[0].code
        builder = GraphBuilder()
        table = builder.table(Range(bits=self.bits))
        ids = [builder.weight(t.name, t.shape, low=t.low, high=t.high) for t in (self.graph.tensors[i] for i in self.graph.weights)]
        for i in ids:
            tensor = builder.tensors[i]
            width = (tensor.high - tensor.low + 1).bit_length() - 1
            builder.add(RangeCheck(inputs=(i,), range_table=table, low=tensor.low, num_limbs=max(width // self.bits, 1)))
        return Program(builder.build(), f"{self.name} weights", self.bits, self.preset, (code.log_columns, code.log_blowup))
