"""Small models around every ONNX operator, compiled: the cases of the compiler's tests."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import onnx
from strategies import QUIET
from unit.compiler import classical
from unit.compiler.cases import CASES
from unit.compiler.checks import floats, model
from unit.compiler.expanded_cases import EXPANDED

from ciro_zk.compiler import compile as compile_model
from ciro_zk.compiler.report import quantise_inputs
from ciro_zk.program.circuit import Circuit


@dataclass(frozen=True)
class Source:
    """A model, what it is calibrated on, and one input."""

    proto: onnx.ModelProto
    samples: dict[str, Any]
    feeds: dict[str, Any]


@cache
def sources() -> tuple[Source, ...]:
    found = []
    for case in CASES:
        opset = case.opsets[-1]
        constants = case.constants(opset) if callable(case.constants) else case.constants
        x = floats(np.random.default_rng(zlib.crc32(case.name.encode())), case.shape[0], *case.shape[1:], scale=case.scale)
        found.append(Source(model(case.nodes(opset), {"x": case.shape}, constants, opset=opset), {"x": x}, {"x": x}))
    for expanded in EXPANDED:
        feeds = {name: array[0] for name, array in expanded.inputs.items()}
        found.append(Source(expanded.model(expanded.opsets[-1]), expanded.data(), feeds))
    samples = classical.samples()
    return (*found, *(Source(proto, {"x": samples}, {"x": samples[:1]}) for proto in classical.examples().values()))


@cache
def compiled(number: int) -> tuple[Circuit, dict[int, Any]]:
    """The circuit of a source, and the leaves of a run on its input."""
    source = sources()[number]
    circuit = replace(compile_model(source.proto, source.samples, bits=8), preset=QUIET)
    return circuit, {**quantise_inputs(circuit.graph, source.feeds), **circuit.weights}


def examples(operator: str) -> Iterator[tuple[Circuit, dict[int, Any], frozenset[str]]]:
    """The circuits of models with an operator, leaves, and the names of what the operator puts out."""
    for number, source in enumerate(sources()):
        names = frozenset(name for node in source.proto.graph.node if node.op_type == operator for name in node.output)
        if names:
            yield (*compiled(number), names)
