"""ONNX's backend tests, and the verdict on each: the model is compiled, proven and verified.

A test passes if `verify` accepts and the verified outputs are those that ONNX expects: equal where they are integers or
bools, otherwise within 2 % of the output's range.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from conformance.backend import CiroBackend
from conformance.scope import excluded
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

KINDS = ("node", "pytorch-converted", "pytorch-operator", "simple")
TOLERANCE = 0.02
"""Of the output's range."""


@dataclass(frozen=True)
class Case:
    """A model with its data sets: inputs and the outputs that ONNX expects."""

    kind: str
    name: str
    model: onnx.ModelProto
    data: list[tuple[list[Any], list[Any]]]

    @property
    def operator(self) -> str:
        """What the table lists it under."""
        found = sorted({node.op_type for node in self.model.graph.node})
        return found[0] if len(found) == 1 else "several" if found else "none"

    @property
    def excluded(self) -> str:
        inputs, outputs = ([array for entry in self.data for array in entry[i]] for i in (0, 1))
        return excluded(self.name, self.model, inputs, outputs)


@dataclass(frozen=True)
class Outcome:
    """How a test went: `error` is "" where it passed, `deviation` the share of the output's range."""

    error: str = ""
    deviation: float = 0.0


@cache
def cases(kind: str) -> tuple[Case, ...]:
    """All tests of a kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(_load(kind, case) for case in load_model_tests(kind=kind))


def _load(kind: str, case: Any) -> Case:
    if case.model is not None:
        return Case(kind, case.name, case.model, [(_plain(inputs), _plain(outputs)) for inputs, outputs in case.data_sets])
    folder = Path(case.model_dir)
    model = onnx.load(folder / "model.onnx")
    data = [(list(_arrays(entry, "input")), list(_arrays(entry, "output"))) for entry in sorted(folder.glob("test_data_set_*"))]
    return Case(kind, case.name, model, data)


def _plain(values: Any) -> list[Any]:
    """Arrays of a data set, some of which are stored as protobufs."""
    return [numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value for value in values]


def _arrays(folder: Path, prefix: str) -> Iterator[Any]:
    for i in range(len(list(folder.glob(f"{prefix}_*.pb")))):
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString((folder / f"{prefix}_{i}.pb").read_bytes())
            yield numpy_helper.to_array(tensor)
        except Exception:  # a sequence or an optional: out of scope
            yield None


def run(test: Case) -> Outcome:
    """Prove the test's model on each of its data sets."""
    worst = 0.0
    for inputs, expected in test.data:
        try:
            found = CiroBackend.prepare(test.model).run(inputs)
        except Exception as error:  # whatever it is, the test has failed
            return Outcome(f"{type(error).__name__}: {' '.join(str(error).split())}")
        for actual, wanted in zip(found, expected, strict=True):
            deviation = difference(actual, np.asarray(wanted))
            worst = max(worst, deviation)
            if deviation > TOLERANCE:
                return Outcome(f"off by {deviation:.2%} of the output's range", worst)
    return Outcome("", worst)


def difference(actual: Any, wanted: Any) -> float:
    """The greatest difference as a share of the output's range; any at all counts in full for integers and bools."""
    if actual.shape != wanted.shape or actual.dtype != wanted.dtype:
        return float("inf")
    if wanted.dtype.kind != "f":
        return float(not np.array_equal(actual, wanted))
    exact = wanted.astype(np.float64)
    span = max(float(np.ptp(exact)), float(np.abs(exact).max())) if exact.size else 0.0
    gap = float(np.abs(actual.astype(np.float64) - exact).max(initial=0.0))
    return gap / span if span else gap
