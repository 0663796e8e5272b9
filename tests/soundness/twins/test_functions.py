"""Near twins of every function that a table holds: the witness of the twin's table, rejected by the lookup in the function's own.

A table is what the compiler would make of its function, on arguments from -4 to 4 in steps of a sixteenth: whole numbers, halves, and
what lies between.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, get_args

import numpy as np
import pytest
from soundness.malicious import keys, leaves_of, run_graph, with_table
from soundness.twins.own import rejected_by_its_own
from strategies import QUIET

from ciro_zk.circuit.graph import Graph, GraphBuilder
from ciro_zk.compiler import curves, steps
from ciro_zk.compiler.curves import SMOOTH, STEPPED
from ciro_zk.compiler.emit.context import TESTS
from ciro_zk.lookup import tables
from ciro_zk.lookup.tables import Clamp, Range, Sampled
from ciro_zk.ops import Requantise
from ciro_zk.program.circuit import Circuit

REACH, SCALE, UNIT, LIMIT = 64, 2.0**-4, 2.0**-12, 1 << 20
Twin = tuple[tuple[float, ...], Callable[[Any], Any]]
"""Parameters of the function, and its near twin over the reals."""

CURVES: dict[str, Twin] = {
    "abs": ((), lambda x: np.maximum(x, 0.0)),
    "acos": ((), SMOOTH["asin"]),
    "acosh": ((), SMOOTH["asinh"]),
    "asin": ((), SMOOTH["acos"]),
    "asinh": ((), SMOOTH["atan"]),
    "atan": ((), SMOOTH["asinh"]),
    "atanh": ((), SMOOTH["tan"]),
    "celu": ((2.0,), lambda x: SMOOTH["elu"](x, 2.0)),
    "cos": ((), SMOOTH["sin"]),
    "cosh": ((), SMOOTH["sinh"]),
    "elu": ((2.0,), lambda x: SMOOTH["celu"](x, 2.0)),
    "erf": ((), SMOOTH["tanh"]),
    "exp": ((), lambda x: np.maximum(1.0 + x, 0.0)),
    "gelu": ((), SMOOTH["gelu_tanh"]),
    "gelu_tanh": ((), SMOOTH["gelu"]),
    "hard_sigmoid": ((0.2, 0.5), SMOOTH["sigmoid"]),
    "hard_swish": ((), lambda x: SMOOTH["swish"](x, 1.0)),
    "leaky": ((0.125,), np.abs),
    "log": ((), lambda x: SMOOTH["log"](1.0 + x)),
    "mish": ((), lambda x: SMOOTH["swish"](x, 1.0)),
    "power": ((2.0,), lambda x: x * np.abs(x)),
    "reciprocal": ((), lambda x: SMOOTH["power"](x, -2.0)),
    "selu": ((1.5, 1.25), lambda x: SMOOTH["elu"](x, 1.5)),
    "sigmoid": ((), lambda x: SMOOTH["hard_sigmoid"](x, 0.2, 0.5)),
    "sin": ((), SMOOTH["cos"]),
    "sinh": ((), SMOOTH["cosh"]),
    "softplus": ((), lambda x: np.maximum(x, 0.0)),
    "softsign": ((), SMOOTH["tanh"]),
    "sqrt": ((), lambda x: np.sqrt(np.abs(x))),
    "swish": ((1.0,), SMOOTH["mish"]),
    "tan": ((), SMOOTH["tanh"]),
    "tanh": ((), SMOOTH["softsign"]),
    "ceil": ((), np.floor),
    "floor": ((), np.ceil),
    "fmod": ((1.5,), lambda x: np.mod(x, 1.5)),
    "modulo": ((1.5,), lambda x: np.fmod(x, 1.5)),
    "quotient": ((1.5,), lambda x: np.floor(x / 1.5)),
    "quantise": ((0.5, 1.0, -3.0, 3.0), lambda x: np.clip(np.floor(x / 0.5 + 0.5) + 1.0, -3.0, 3.0)),
    "round": ((), lambda x: np.floor(x + 0.5)),
    "shrink": ((0.5, 1.0), lambda x: np.where(np.abs(x) > 1.0, x, 0.0)),
    "thresholded": ((1.0,), lambda x: np.where(x >= 1.0, x, 0.0)),
    "truncate": ((), np.floor),
}
FUNCTIONS: dict[str, tuple[Any, Any]] = {
    "Relu for Clip": (Clamp(minimum=-32, maximum=32), Clamp(minimum=0, maximum=32)),
    "another bound for Clip": (Clamp(minimum=-32, maximum=32), Clamp(minimum=-32, maximum=31)),
    "Relu for Leaky": (Clamp(minimum=-64, maximum=64, numerator=1, shift=3), Clamp(minimum=0, maximum=64)),
    "the next slope for Leaky": (
        Clamp(minimum=-64, maximum=64, numerator=1, shift=3),
        Clamp(minimum=-64, maximum=64, numerator=9, shift=6),
    ),
    "half the precision for Scores": (
        Clamp(minimum=-64, maximum=64),
        Sampled(low=-REACH, values=tuple(2 * (q // 2) for q in range(-REACH, REACH + 1))),
    ),
    "at least for Test positive": (TESTS["positive"], Sampled(low=-1, values=(0, 1))),
    "not negative for Test zero": (TESTS["zero"], Sampled(low=-1, values=(0, 1))),
    "positive for Test sign": (TESTS["sign"], Clamp(minimum=0, maximum=1)),
}


def tabulated(name: str, twin: bool) -> Sampled:
    """The table of a curve, or of its twin."""
    parameters, function = CURVES[name]
    if not twin:
        return curves.table(name, parameters, SCALE, REACH, UNIT, LIMIT)
    values = np.clip(function(np.arange(-REACH, REACH + 1) * SCALE) / UNIT, -LIMIT, LIMIT)
    return Sampled(low=-REACH, values=tuple(int(v) for v in np.floor(values + 0.5)))


@cache
def circuit(function: Any) -> Circuit:
    """A table of a function, looked up once for every argument."""
    b = GraphBuilder()
    b.table(Range(bits=8))
    table = b.table(tables.Graph(function=function, low=-REACH, high=REACH))
    x = b.input("x", (2 * REACH + 1,), low=-REACH, high=REACH, scale=SCALE)
    y, *_ = b.add(Requantise(inputs=(x,), shift=0, tables=(table,), range_table=0), "y")
    b.output("y", y, scale=UNIT)
    return Circuit(b.build(), {}, "function", 8, preset=QUIET)


def refuse(function: Any, twin: Any) -> None:
    """The twin's values for all arguments at which they are values that the function has, the honest ones elsewhere."""
    honest = circuit(function)
    pk, _ = keys(honest)
    leaves = leaves_of(pk, np.arange(-REACH, REACH + 1))
    lying: Graph = with_table(honest.graph, 1, tables.Graph(function=twin, low=-REACH, high=REACH))
    right, values = run_graph(honest.graph, leaves), run_graph(lying, leaves)
    (y,) = honest.graph.nodes[0].outputs
    values[y] = np.clip(values[y], right[y].min(), right[y].max())  # beyond, the statement's ranges refuse it already
    assert (values[y] != right[y]).any()
    rejected_by_its_own(honest, 0, "lookup", values)


@pytest.mark.parametrize("name", CURVES)
def test_curve(name: str) -> None:
    refuse(tabulated(name, False), tabulated(name, True))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name: str) -> None:
    refuse(*FUNCTIONS[name])


def test_every_function_has_a_twin() -> None:
    assert set(CURVES) == set(SMOOTH) | set(STEPPED)
    others = {kind.__name__ for kind in get_args(steps.Function)} - {"Curve"}
    named = {name.split(" for ")[1] for name in FUNCTIONS}
    assert {name.split()[0] for name in named} == others
    assert {f"Test {kind}" for kind in TESTS} <= named
