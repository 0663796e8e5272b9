"""How far the integer circuit is from the float model, on samples that its ranges do not come from.

Relative errors are shares of the greatest magnitude that the float model's tensor has on these samples. SQNR is 10
log10(sum x^2 / sum (x - y)^2) in dB, over all samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.graph import Graph, Port
from ciro_zk.compiler.build import Built
from ciro_zk.compiler.draft import Integers
from ciro_zk.compiler.load import FLOATS, Array
from ciro_zk.compiler.prepare import Prepared
from ciro_zk.compiler.quantise import quantise
from ciro_zk.compiler.runtime import FloatModel
from ciro_zk.progress import Progress, Step

NUM_BOUNDED = 4
"""Samples that the certified bound is worked out for."""


def quantise_inputs(graph: Graph, feeds: Mapping[str, Array]) -> dict[int, Integers]:
    """Input tensors by id from real values; floor(x / scale + 1/2), values outside the declared range brought into it."""
    leaves = {}
    for port in graph.inputs:
        tensor = graph.tensors[port.tensor]
        integers = quantise(np.asarray(feeds[port.name], dtype=np.float64).reshape(tensor.shape), port.scale)
        leaves[port.tensor] = np.clip(integers, tensor.low, tensor.high)
    return leaves


class Reference:
    """The float model on the samples to compare with; every sample is run once."""

    def __init__(self, prepared: Prepared) -> None:
        static = prepared.static
        self.feeds = prepared.compared.feeds
        self.outputs = [value.name for value in static.model.proto.graph.output if value.name not in static.constants]
        made = {name for node in static.nodes for name in node.output if static.types.get(name) in FLOATS}
        layers = [step.output for step in prepared.program.steps if step.output in made]
        self._model = FloatModel(static, list(dict.fromkeys((*self.outputs, *layers)))) if self.feeds else None
        self._outputs: dict[int, dict[str, Array]] = {}

    def run(self, i: int) -> dict[str, Array]:
        """All compared tensors of sample i."""
        found = self._model.run(self.feeds[i]) if self._model else {}
        self._outputs[i] = {name: found[name] for name in self.outputs if name in found}
        return found

    def run_outputs(self, i: int) -> dict[str, Array]:
        """The outputs of sample i."""
        return self._outputs[i] if i in self._outputs else {name: v for name, v in self.run(i).items() if name in self.outputs}


@dataclass(slots=True)
class Tally:
    """Errors of one tensor over samples."""

    errors: list[float] = field(default_factory=list)
    agreements: list[float] = field(default_factory=list)
    peak: float = 0.0
    signal: float = 0.0
    noise: float = 0.0

    def add(self, expected: Array, integers: Integers, scale: float) -> None:
        """Count one sample: the float model's tensor, and the circuit's cells in the same order."""
        wanted = expected.astype(np.float64)
        found: NDArray[np.float64] = integers.reshape(wanted.shape).astype(np.float64) * scale
        difference = found - wanted
        self.errors.append(float(np.abs(difference).max(initial=0.0)))
        self.peak = max(self.peak, float(np.abs(wanted).max(initial=0.0)))
        with np.errstate(over="ignore"):  # squares of values beyond 1e154: there is no ratio then
            self.signal += float((wanted**2).sum())
            self.noise += float((difference**2).sum())
        if wanted.ndim and wanted.shape[-1] > 1:
            self.agreements.append(float((found.argmax(-1) == wanted.argmax(-1)).mean()))

    @property
    def relative_error(self) -> float:
        """The greatest error over the greatest magnitude; where that is 0, the error itself."""
        return max(self.errors, default=0.0) / (self.peak or 1.0)

    @property
    def agreement(self) -> float | None:
        """How often the greatest entry of the last axis is the same; None where that axis has one cell."""
        return sum(self.agreements) / len(self.agreements) if self.agreements else None

    def figures(self) -> dict[str, Any]:
        """For JSON; `sqnr_db` is None without an error or a signal, or where their squares pass float64."""
        measurable = 0 < self.noise < inf and 0 < self.signal < inf
        return {
            "max_abs_error": max(self.errors),
            "max_abs": self.peak,
            "relative_error": self.relative_error,
            "sqnr_db": 10 * (log10(self.signal) - log10(self.noise)) if measurable else None,
        }


def tally(built: Built, reference: Reference) -> dict[str, Tally]:
    """Errors by output over all compared samples."""
    found: dict[str, Tally] = {}
    for i, feeds in enumerate(reference.feeds):
        values = built.assembled.graph.run({**quantise_inputs(built.assembled.graph, feeds), **built.assembled.weights})
        _count(found, built.assembled.graph.outputs, values, reference.run_outputs(i))
    return found


def _count(found: dict[str, Tally], ports: tuple[Port, ...], values: Mapping[int, Integers], expected: Mapping[str, Array]) -> None:
    for port in ports:
        if port.name in expected:
            found.setdefault(port.name, Tally()).add(expected[port.name], values[port.tensor], port.scale)


def accuracy(prepared: Prepared, built: Built, bits: Mapping[str, int], reference: Reference, progress: Progress) -> dict[str, Any]:
    """Errors of every output and of every step that rounds, with the certified bound (`Circuit.error_bound`) of the outputs on the first
    samples. Without samples (a stored calibration result and no validation data) there is nothing to measure.

    `bits` are those of every step, by its output.
    """
    count = len(reference.feeds)
    if not count:
        return {"num_samples": 0, "outputs": {}}
    graph, weights = built.assembled.graph, built.assembled.weights
    outputs: dict[str, Tally] = {}
    layers: dict[str, Tally] = {}
    bounds: dict[str, float] = {}
    for i, feeds in enumerate(reference.feeds):
        progress(Step("compare with float", i, count))
        leaves = quantise_inputs(graph, feeds)
        values = graph.run({**leaves, **weights})
        expected = reference.run(i)
        _count(outputs, graph.outputs, values, expected)
        for name, (tensor, scale) in built.layers.items():
            if name in expected:
                layers.setdefault(name, Tally()).add(expected[name], values[tensor], scale)
        if i < NUM_BOUNDED:
            for name, bound in graph.run_errors(values, feeds, built.assembled.notes).items():
                bounds[name] = max(bounds.get(name, 0.0), float(bound.max()))
    progress(Step("compare with float", count, count))
    return {
        "num_samples": count,
        "source": prepared.compared.source,
        "method": prepared.calibration.method,
        "outputs": {
            name: {
                **found.figures(),
                "mean_max_abs_error": sum(found.errors) / len(found.errors),
                "argmax_agreement": found.agreement,
                "error_bound": bounds[name] if np.isfinite(bounds[name]) else None,
            }
            for name, found in outputs.items()
        },
        "layers": {name: {"bits": bits[name], **found.figures()} for name, found in layers.items()},
    }
