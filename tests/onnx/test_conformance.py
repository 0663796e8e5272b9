"""ONNX's own node tests for every supported operator: constants are made of all inputs but the data.

The circuit is compared with the float model (`Circuit.accuracy`), and must be complete on the declared range.
"""

from __future__ import annotations

import re
import warnings
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from unit.compiler.checks import check_complete

from ciro_zk.compiler import compile as compile_model
from ciro_zk.compiler import supported_operators
from ciro_zk.errors import UnsupportedOperator

BITS = 14
TOLERANCE = 2e-3

EXCLUDED = {
    # arithmetic on integers wraps around or truncates: only floats are quantised
    r"test_(add|sub|mul|div)_u?int\d+(_trunc)?": "arithmetic on",
    r"test_maxpool_2d_uint8": "arithmetic on",
    # an output beside the result
    r"test_maxpool_with_argmax_.*": "Indices",
    r"test_dropout_default_mask.*": "mask",
    r"test_layer_normalization_.*": "as outputs",
    # one norm of two
    r"test_l1normalization_.*": "p = 1",
    # random or dependent on the batch
    r"test_training_dropout.*": "training|mask",
    r"test_batchnorm_.*training_mode": "run time",
    # an empty tensor
    r"test_slice_start_out_of_bounds": "no cells",
}

COARSE = r"test_(log)?softmax_large_number"
"""Inputs whose unit is greater than what the result depends on."""

ALL_COMPUTED = {"Sum", "Concat"}
TWO_COMPUTED = {"Add", "Sub", "Mul", "Div", "MatMul"}


@cache
def cases() -> dict[str, Any]:
    """The node tests of supported operators on arrays of real numbers, by name."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tests = load_model_tests(kind="node")
    operators = set(supported_operators())
    found = {}
    for case in tests:
        nodes = case.model.graph.node
        arrays = case.data_sets[0][0]
        real = all(isinstance(a, np.ndarray) and a.dtype.kind in "fiub" and a.size for a in arrays)
        if real and {n.op_type for n in nodes} <= operators and not any(n.domain for n in nodes):
            found[case.name] = case
    return found


def test_conformance() -> None:
    compiled = 0
    for name, case in cases().items():
        proto, data = _with_constants(case)
        reason = next((r for pattern, r in EXCLUDED.items() if re.fullmatch(pattern, name)), None)
        try:
            circuit = compile_model(proto, data, bits=BITS)
        except UnsupportedOperator as error:
            if reason is None or not re.search(reason, str(error)):
                pytest.fail(f"{name}: {error}")
            continue
        assert reason is None, f"{name} compiles: take it off the list"
        for output, found in circuit.accuracy["outputs"].items():
            assert re.fullmatch(COARSE, name) or found["max_abs_error"] <= TOLERANCE * max(found["max_abs"], 1e-9), (name, output, found)
        check_complete(circuit, count=1)
        compiled += 1
    assert compiled >= 150


def _with_constants(case: Any) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """The model with all inputs but the data as initialisers, and the data."""
    proto = onnx.ModelProto()
    proto.CopyFrom(case.model)
    graph = proto.graph
    operators = {node.op_type for node in graph.node}
    names = [value.name for value in graph.input]
    computed = len(names) if operators & ALL_COMPUTED else 2 if operators & TWO_COMPUTED else 1
    data = dict(zip(names[:computed], case.data_sets[0][0], strict=False))
    for name, array in list(zip(names, case.data_sets[0][0], strict=False))[computed:]:
        graph.initializer.append(numpy_helper.from_array(array, name))
    kept = [value for value in graph.input if value.name in data]
    del graph.input[:]
    graph.input.extend(kept)
    return proto, data
