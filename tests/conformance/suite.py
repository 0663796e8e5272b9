"""ONNX's backend tests, and the verdict on each: the model is compiled, proven and verified.

A test passes if `verify` accepts, the verified outputs are within the certified error bound (`Circuit.error_bound`) of what
ONNX expects, and that bound is at most 2 % of the output's range. Integers and bools, whose bound is 0, are equal then. Of
`EXCEPTIONS` one of the two comparisons means nothing, for the reason given; the 2 % hold for the outputs themselves.
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
ON_A_JUMP = "an input lies on a jump of the function, which the bound spans"
EXCEPTIONS: dict[str, str] = {
    **dict.fromkeys(("test_floor_example", "test_round", "test_thresholdedrelu_example"), ON_A_JUMP),
    **dict.fromkeys(("test_onehot_with_axis", "test_onehot_with_negative_axis"), ON_A_JUMP),
    **dict.fromkeys(("test_quantizelinear_blocked_asymmetric", "test_quantizelinear_blocked_symmetric"), ON_A_JUMP),
    "test_averagepool_2d_ceil_last_window_starts_on_pad": "the expected values are given to four digits",
}
"""Tests by name that the certified bound says nothing about."""


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
    def exception(self) -> str:
        """Why the certified bound is no measure for it, "" where it is."""
        return EXCEPTIONS.get(self.name, "")

    @property
    def excluded(self) -> str:
        inputs, outputs = ([array for entry in self.data for array in entry[i]] for i in (0, 1))
        return excluded(self.name, self.model, inputs, outputs)


@dataclass(frozen=True)
class Outcome:
    """How a test went: `error` is "" where it passed; the greatest difference and bound, as shares of the output's range."""

    error: str = ""
    deviation: float = 0.0
    bound: float = 0.0


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
    worst = widest = 0.0
    for inputs, expected in test.data:
        try:
            found = CiroBackend.prepare(test.model).certified(inputs)
        except Exception as error:  # whatever it is, the test has failed
            return Outcome(f"{type(error).__name__}: {' '.join(str(error).split())}")
        for (actual, bound), wanted in zip(found, map(np.asarray, expected), strict=True):
            if actual.shape != wanted.shape or actual.dtype != wanted.dtype:
                return Outcome(f"{actual.dtype} {actual.shape} instead of {wanted.dtype} {wanted.shape}")
            span = spread(wanted)
            error = np.abs(actual.astype(np.float64) - wanted.astype(np.float64))
            worst, widest = max(worst, float(error.max()) / span), max(widest, float(bound.max()) / span)
            if worst > TOLERANCE:
                return Outcome(f"off by {worst:.2%} of the output's range", worst, widest)
            if test.exception:
                continue
            if not (error <= bound + rounding(wanted)).all():
                return Outcome(f"off by {worst:.2%} of the output's range, more than is certified", worst, widest)
            if not widest <= TOLERANCE:
                return Outcome(f"certified to {widest:.2%} of the output's range alone", worst, widest)
    return Outcome("", worst, widest)


def spread(wanted: Any) -> float:
    """The output's range: from its least value, or 0, to its greatest."""
    values = wanted.astype(np.float64)
    return max(float(np.ptp(values)), float(np.abs(values).max())) or 1.0


def rounding(wanted: Any) -> float:
    """Four units in the last place of the greatest value: what is expected is itself summed in its type, and ours brought into it.

    Integers and bools are exact.
    """
    return 4 * float(np.finfo(wanted.dtype).eps) * float(np.abs(wanted).max()) if wanted.dtype.kind == "f" else 0.0
