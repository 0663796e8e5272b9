"""What the error bound needs to know of the float model, by tensor of the circuit. None of it is part of the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ciro_zk.circuit.error import Deviation
from ciro_zk.circuit.law import Law


@dataclass(frozen=True, slots=True)
class Notes:
    """How operators and weights deviate from what they stand for, and what tensors stand for as a whole."""

    deviations: Mapping[int, Deviation] = field(default_factory=dict)
    laws: Mapping[int, Law] = field(default_factory=dict)
