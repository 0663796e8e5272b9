"""What the phases of a verification share."""

from __future__ import annotations

from verifier.spec.reference.field import Elem
from verifier.spec.reference.forms import Graph, Json, Term
from verifier.spec.reference.transcript import Transcript


class State:
    """The program with its plan, the inputs' cells by tensor and the outputs' by port, and what the phases leave to the next."""

    def __init__(self, manifest: Json, plan: Json, inputs: dict[int, list[int]], outputs: list[list[int]], transcript: Transcript) -> None:
        self.t, self.graph, self.plan = transcript, Graph(manifest, plan), plan
        self.inputs, self.outputs = inputs, outputs
        self.accumulators: list[Term] = []
        self.values: list[Elem] = []
        self.ledger: list[tuple[list[Term], Elem]] = []
        self.samples: list[tuple[list[Elem], Elem]] = []
