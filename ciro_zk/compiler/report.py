"""How far the integer circuit is from the float model, on the calibration samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ciro_zk.circuit.graph import Graph
from ciro_zk.compiler.calibrate import Observed
from ciro_zk.compiler.draft import Integers
from ciro_zk.compiler.load import Array
from ciro_zk.compiler.quantise import quantise
from ciro_zk.progress import Progress, Step


def quantise_inputs(graph: Graph, feeds: Mapping[str, Array]) -> dict[int, Integers]:
    """Input tensors by id from real values; floor(x / scale + 1/2), values outside the declared range brought into it."""
    leaves = {}
    for port in graph.inputs:
        tensor = graph.tensors[port.tensor]
        integers = quantise(np.asarray(feeds[port.name], dtype=np.float64).reshape(tensor.shape), port.scale)
        leaves[port.tensor] = np.clip(integers, tensor.low, tensor.high)
    return leaves


def accuracy(graph: Graph, weights: Mapping[int, Integers], observed: Observed, progress: Progress) -> dict[str, Any]:
    """max|circuit - float| for every output, its share of the output's range, and how often the greatest entry is the same.

    `argmax_agreement` is over the last axis, None where that has one cell. Without samples (a stored calibration
    result) there is nothing to measure.
    """
    count = len(observed.samples)
    if not count:
        return {"num_samples": 0, "outputs": {}}
    differences: dict[str, list[float]] = {port.name: [] for port in graph.outputs}
    agreements: dict[str, list[float]] = {port.name: [] for port in graph.outputs}
    peaks = dict.fromkeys(differences, 0.0)
    for i, (feeds, expected) in enumerate(zip(observed.samples, observed.outputs, strict=True)):
        progress(Step("compare with float", i, count))
        values = graph.run({**quantise_inputs(graph, feeds), **weights})
        for port in graph.outputs:
            if port.name not in expected:
                continue
            wanted = expected[port.name].astype(np.float64)
            actual = (values[port.tensor] * port.scale).reshape(wanted.shape)
            differences[port.name].append(float(np.abs(actual - wanted).max()))
            peaks[port.name] = max(peaks[port.name], float(np.abs(wanted).max()))
            if wanted.ndim and wanted.shape[-1] > 1:
                agreements[port.name].append(float((actual.argmax(-1) == wanted.argmax(-1)).mean()))
    progress(Step("compare with float", count, count))
    outputs = {}
    for name, found in differences.items():
        if not found:
            continue
        same = agreements[name]
        outputs[name] = {
            "max_abs_error": max(found),
            "mean_max_abs_error": sum(found) / len(found),
            "max_abs": peaks[name],
            "argmax_agreement": sum(same) / len(same) if same else None,
        }
    return {"num_samples": count, "outputs": outputs}
