"""Functions of one variable that an exporter wrote as their parts: GELU, SiLU, hard-swish, Mish.

Recognised by what they compute: nodes that depend on one tensor through functions, and sums and products with it and
with numbers, are evaluated on a grid and compared with each function. However it was written, it becomes one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
import onnx

from ciro_zk.compiler.static import Static
from ciro_zk.compiler.steps import Floats

GRID: Floats = np.linspace(-9.0, 9.0, 181)
TOLERANCE = 1e-5
MAX_NODES = 16
ROOTS = ("Mul", "Div")


@dataclass(frozen=True, slots=True)
class Composition:
    """A function of `source`, by its name in `ciro_zk.compiler.curves`."""

    source: str
    name: str
    parameters: tuple[float, ...] = ()


def _erf(x: Floats) -> Floats:
    return np.array([erf(v) for v in np.broadcast_to(x, GRID.shape)])


def _sigmoid(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-x))


def _clip(x: Floats, low: Floats | float = -np.inf, high: Floats | float = np.inf) -> Floats:
    return np.clip(x, low, high)


OPERATORS: dict[str, Callable[..., Floats]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Neg": np.negative,
    "Exp": np.exp,
    "Tanh": np.tanh,
    "Erf": _erf,
    "Sigmoid": _sigmoid,
    "Softplus": lambda x: np.log1p(np.exp(x)),
    "Relu": lambda x: np.maximum(x, 0.0),
    "Clip": _clip,
}
KNOWN: dict[tuple[str, tuple[float, ...]], Floats] = {
    ("gelu", ()): 0.5 * GRID * (1.0 + _erf(GRID / sqrt(2.0))),
    ("gelu_tanh", ()): 0.5 * GRID * (1.0 + np.tanh(sqrt(2.0 / np.pi) * (GRID + 0.044715 * GRID**3))),
    ("swish", (1.0,)): GRID * _sigmoid(GRID),
    ("hard_swish", ()): GRID * np.clip(GRID / 6.0 + 0.5, 0.0, 1.0),
    ("mish", ()): GRID * np.tanh(np.log1p(np.exp(GRID))),
}


def compositions(static: Static) -> dict[str, Composition]:
    """By the output of their last node."""
    producers = {name: node for node in static.nodes for name in node.output if node.domain in ("", "ai.onnx")}
    found = {}
    for node in static.nodes:
        if node.op_type in ROOTS:
            match = _match(static, producers, node)
            if match is not None:
                found[node.output[0]] = match
    return found


def _match(static: Static, producers: dict[str, onnx.NodeProto], node: onnx.NodeProto) -> Composition | None:
    """The function that a node completes, of the nearest tensor that all its parts depend on."""
    shape = static.shapes.get(node.output[0])
    for source in _sources(static, producers, node):
        if static.shapes.get(source) != shape or not _depends_on(static, producers, node.output[0], source):
            continue
        with np.errstate(all="ignore"):
            result = _evaluate(static, producers, node.output[0], {source: GRID})
        for (name, parameters), expected in KNOWN.items():
            if np.allclose(result, expected, rtol=0, atol=TOLERANCE):
                return Composition(source, name, parameters)
    return None


def _operands(static: Static, node: onnx.NodeProto) -> list[str]:
    """The computed inputs of a node."""
    return [name for name in node.input if name and _number(static, name) is None]


def _part(static: Static, producers: dict[str, onnx.NodeProto], name: str) -> onnx.NodeProto | None:
    """The node that makes a tensor, if it can be part of a function."""
    made = producers.get(name)
    return None if made is None or made.op_type not in OPERATORS or any(_is_array(static, operand) for operand in made.input) else made


def _sources(static: Static, producers: dict[str, onnx.NodeProto], node: onnx.NodeProto) -> list[str]:
    """What a node may be a function of: tensors before it, the nearest first."""
    found = dict.fromkeys(_operands(static, node))
    for name in (pending := list(found)):
        made = _part(static, producers, name)
        for operand in _operands(static, made) if made is not None and len(found) <= MAX_NODES else ():
            if operand not in found:
                found[operand] = None
                pending.append(operand)
    return list(found)


def _depends_on(static: Static, producers: dict[str, onnx.NodeProto], target: str, source: str) -> bool:
    """Whether a tensor is a function of `source` alone, by few nodes."""
    parts: set[str] = set()
    pending = [target]
    while pending:
        name = pending.pop()
        if name in parts or name == source:
            continue
        made = _part(static, producers, name)
        parts.add(name)
        if made is None or len(parts) > MAX_NODES:
            return False
        pending.extend(_operands(static, made))
    return True


def _number(static: Static, name: str) -> float | None:
    value = static.constants.get(name)
    return float(value.reshape(-1)[0]) if value is not None and value.size == 1 and value.dtype.kind in "fiu" else None


def _is_array(static: Static, name: str) -> bool:
    """A constant of several cells."""
    return name in static.constants and _number(static, name) is None


def _evaluate(static: Static, producers: dict[str, onnx.NodeProto], name: str, values: dict[str, Floats]) -> Floats:
    """A tensor's values on the grid."""
    if name not in values:
        number = _number(static, name)
        if number is not None:
            return np.asarray(number)
        node = producers[name]
        operands = [_evaluate(static, producers, operand, values) if operand else None for operand in node.input]
        settings = {a.name: a.f for a in node.attribute if node.op_type == "Clip"}
        if node.op_type == "Clip":
            low, high = ([*operands[1:], None, None] if len(operands) > 1 else [settings.get("min"), settings.get("max")])[:2]
            values[name] = _clip(np.asarray(operands[0]), -np.inf if low is None else low, np.inf if high is None else high)
        else:
            values[name] = np.asarray(OPERATORS[node.op_type](*operands), dtype=np.float64)
    return values[name]
