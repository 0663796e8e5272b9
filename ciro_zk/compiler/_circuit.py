"""Stand-in for `ciro_zk.circuit.circuit` until that lands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ciro_zk.circuit.graph import Graph
from ciro_zk.circuit.op import Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A compiled model."""

    graph: Graph
    weights: dict[int, Integers]
    name: str
    bits: int
    calibration: dict[str, Any]
    accuracy: dict[str, Any]
