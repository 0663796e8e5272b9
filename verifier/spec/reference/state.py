"""What the phases of a verification share."""

from __future__ import annotations

from verifier.spec.reference.field import Elem
from verifier.spec.reference.forms import Graph, Json, Term
from verifier.spec.reference.transcript import Transcript


class State:
    """The program with its plan, the public tensors, and what the phases leave to the next."""

    def __init__(self, manifest: Json, plan: Json, public: dict[int, list[int]], transcript: Transcript) -> None:
        self.t, self.graph, self.plan, self.public = transcript, Graph(manifest, plan), plan, public
        self.accumulators: list[Term] = []
        self.values: list[Elem] = []
        self.ledger: list[tuple[list[Term], Elem]] = []
        self.samples: list[tuple[list[Elem], Elem]] = []
