"""Normalisations and softmax that an exporter wrote as their parts, found before anything is lowered.

    layer norm    c / sqrt(mean(c^2) + epsilon),  c = x - mean(x)
    RMS norm      x / sqrt(mean(x^2) + epsilon)
    moments       (x - m) * (scale / sqrt(max(0, mean(x^2) - m^2) + epsilon)),  m = mean(x)        (Flax)

    softmax       e / sum(e),  e = exp(x - m),  m one number for each row, if any

the first two along the last axis, the others along any: the difference of two means would lose what is left of their digits.
The square is Pow or Mul, the division Div, or Mul by Reciprocal, by Div(1, .) or by Pow(., -1/2). Scale and bias stay
nodes of their own, but for the scale of moments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from ciro_zk.compiler.static import Static
from ciro_zk.compiler.steps import Floats


@dataclass(frozen=True, slots=True)
class Norm:
    """A normalisation of `source`."""

    source: str
    centred: bool
    epsilon: float
    axis: int = -1
    scale: Floats | None = None
    """What the result is multiplied by."""


@dataclass(frozen=True, slots=True)
class Shares:
    """A softmax of `source` along an axis."""

    source: str
    axis: int


def softmaxes(static: Static) -> dict[str, Shares]:
    """By the output of their last node."""
    graph = _Graph(static)
    found = {node.output[0]: graph.softmax(node) for node in static.nodes if node.op_type == "Div"}
    return {name: shares for name, shares in found.items() if shares is not None}


def norms(static: Static) -> dict[str, Norm]:
    """By the output of their last node."""
    graph = _Graph(static)
    found = {}
    for node in static.nodes:
        norm = graph.norm(node) or graph.moments(node)
        if norm is not None:
            found[node.output[0]] = norm
    return found


class _Graph:
    def __init__(self, static: Static) -> None:
        self.static = static
        self.producers = {name: node for node in static.nodes for name in node.output if node.domain in ("", "ai.onnx")}

    def made_by(self, name: str, op: str) -> list[str] | None:
        """The inputs of the node that makes a tensor, if it is of this kind."""
        node = self.producers.get(self.plain(name))
        return list(node.input) if node is not None and node.op_type == op else None

    def plain(self, name: str) -> str:
        """A tensor behind casts between floats and identities."""
        while (node := self.producers.get(name)) is not None and node.op_type in ("Cast", "Identity"):
            if self.static.types.get(node.input[0]) not in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16):
                break
            name = node.input[0]
        return name

    def number(self, name: str) -> float | None:
        """A constant of one cell."""
        value = self.static.constants.get(name)
        return float(value.reshape(-1)[0]) if value is not None and value.size == 1 and value.dtype.kind in "fiu" else None

    def softmax(self, node: onnx.NodeProto) -> Shares | None:
        """The softmax that a division completes."""
        shape, exponential = self.static.shapes.get(node.input[0]), self.made_by(node.input[0], "Exp")
        total = self.producers.get(self._spread(node.input[1]))
        if shape is None or exponential is None or total is None or total.op_type != "ReduceSum":
            return None
        axis = self._axis(total, len(shape))
        kept = None if axis is None else (*shape[:axis], 1, *shape[axis + 1 :])
        if axis is None or self.plain(total.input[0]) != self.plain(node.input[0]) or self.static.shapes.get(node.input[1]) != kept:
            return None
        shifted = self.made_by(exponential[0], "Sub")
        if shifted is None or self.static.shapes.get(shifted[0]) != shape or self.static.shapes.get(shifted[1]) != kept:
            return Shares(exponential[0], axis)
        return Shares(shifted[0], axis)

    def _axis(self, reduction: onnx.NodeProto, rank: int) -> int | None:
        """The one axis that a reduction is along."""
        axes = next((list(a.ints) for a in reduction.attribute if a.name == "axes"), None)
        if len(reduction.input) > 1 and reduction.input[1] in self.static.constants:
            axes = np.asarray(self.static.constants[reduction.input[1]]).reshape(-1).tolist()
        return None if axes is None or len(axes) != 1 else int(axes[0]) % rank

    def norm(self, node: onnx.NodeProto) -> Norm | None:
        """The normalisation that a node completes."""
        for value, variance in self._divisions(node):
            epsilon, mean = self._plus(variance)
            squared = self._mean(mean)
            base = None if squared is None else self._square(squared)
            if base is None or epsilon is None or epsilon < 0:
                continue
            if self.static.shapes.get(value) != self.static.shapes.get(node.output[0]):
                continue
            centre, other = self._centred(value), self._centred(base)
            if centre is not None and centre == other:
                return Norm(centre, True, epsilon)
            if self.plain(value) == self.plain(base):
                return Norm(value, False, epsilon)
        return None

    def moments(self, node: onnx.NodeProto) -> Norm | None:
        """The normalisation by moments that a node completes."""
        if node.op_type != "Mul":
            return None
        for value, factor in (node.input, reversed(node.input)):
            difference, product = self.made_by(value, "Sub"), self.made_by(factor, "Mul")
            for inverse, gamma in (product, product[::-1]) if product is not None else ():
                scale, root = self.static.constants.get(gamma), self._inverse_root(inverse)
                if difference is None or scale is None or root is None:
                    continue
                source = self.plain(difference[0])
                axis = self._variance(root[0], source)
                mean = self._reduced(difference[1], source)
                if axis is None or mean != axis:
                    continue
                return Norm(source, True, root[1], axis, np.asarray(scale, dtype=np.float64))
        return None

    def _inverse_root(self, name: str) -> tuple[str, float] | None:
        """(v, epsilon) for 1 / sqrt(v + epsilon)."""
        inverse = self.made_by(name, "Reciprocal")
        root = None if inverse is None else self.made_by(inverse[0], "Sqrt")
        if root is None:
            return None
        epsilon, variance = self._plus(root[0])
        return None if epsilon is None or epsilon < 0 else (variance, epsilon)

    def _variance(self, name: str, source: str) -> int | None:
        """The axis, for max(0, mean(source^2) - mean(source)^2)."""
        bounded = self.made_by(self._spread(name), "Max")
        if bounded is not None:
            name = next((operand for operand in bounded if self.number(operand) is None), name)
        difference = self.made_by(name, "Sub")
        squared = None if difference is None else self._square(difference[1])
        if difference is None or squared is None:
            return None
        for square in self.squares.get(source, ()):
            axis = self._reduced(difference[0], square, spread=False)
            if axis is not None and self._reduced(squared, source, spread=False) == axis:
                return axis
        return None

    @property
    def squares(self) -> dict[str, list[str]]:
        """The squares of a tensor."""
        found: dict[str, list[str]] = {}
        for node in self.static.nodes:
            base = self._square(node.output[0]) if node.op_type in ("Mul", "Pow") else None
            if base is not None:
                found.setdefault(self.plain(base), []).append(node.output[0])
        return found

    def _spread(self, name: str) -> str:
        """A tensor behind reshapes and broadcasts."""
        while (node := self.producers.get(self.plain(name))) is not None and node.op_type in ("Reshape", "Expand", "Unsqueeze"):
            name = node.input[0]
        return self.plain(name)

    def _reduced(self, name: str, source: str, *, spread: bool = True) -> int | None:
        """The axis, where a tensor is the mean of `source` along one; spread, it keeps that axis with length 1."""
        shape = self.static.shapes.get(source)
        kept = self.static.shapes.get(name)
        total = self.producers.get(self._spread(name))
        scaled = self.made_by(total.output[0], "Mul") if total is not None else None
        number = None
        if scaled is not None:
            for constant, tensor in (scaled, scaled[::-1]):
                if self.number(constant) is not None:
                    number, total = self.number(constant), self.producers.get(self.plain(tensor))
        if (
            shape is None
            or total is None
            or total.op_type not in ("ReduceSum", "ReduceMean")
            or self.plain(total.input[0]) != self.plain(source)
        ):
            return None
        axis = self._axis(total, len(shape))
        if axis is None:
            return None
        wanted = 1.0 if total.op_type == "ReduceMean" else 1.0 / shape[axis]
        if abs((1.0 if number is None else number) - wanted) > 1e-6 * wanted:
            return None
        return axis if not spread or kept == (*shape[:axis], 1, *shape[axis + 1 :]) else None

    def _divisions(self, node: onnx.NodeProto) -> list[tuple[str, str]]:
        """(x, v) with x / sqrt(v) the node's output."""
        if node.op_type == "Div":
            root = self.made_by(node.input[1], "Sqrt")
            return [] if root is None else [(node.input[0], root[0])]
        if node.op_type != "Mul":
            return []
        found = []
        for value, factor in (node.input, reversed(node.input)):
            inverse = self.made_by(factor, "Reciprocal")
            if inverse is None:
                quotient = self.made_by(factor, "Div")
                inverse = quotient[1:] if quotient is not None and self.number(quotient[0]) == 1.0 else None
            root = None if inverse is None else self.made_by(inverse[0], "Sqrt")
            power = self.made_by(factor, "Pow")
            if power is not None and self.number(power[1]) == -0.5:
                root = power[:1]
            if root is not None:
                found.append((value, root[0]))
        return found

    def _plus(self, name: str) -> tuple[float | None, str]:
        """(constant, tensor) of a sum; (0, the tensor itself) for no sum."""
        terms = self.made_by(name, "Add")
        if terms is None:
            return 0.0, name
        for constant, tensor in (terms, terms[::-1]):
            if self.number(constant) is not None:
                return self.number(constant), tensor
        return None, name

    def _square(self, name: str) -> str | None:
        power, product = self.made_by(name, "Pow"), self.made_by(name, "Mul")
        if power is not None and self.number(power[1]) == 2.0:
            return power[0]
        return product[0] if product is not None and product[0] == product[1] else None

    def _mean(self, name: str) -> str | None:
        """x for a mean of x over its last axis, which stays."""
        node = self.producers.get(self.plain(name))
        if node is None or node.op_type != "ReduceMean":
            return None
        source = self.static.shapes.get(node.input[0])
        settings = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        axes = settings.get("axes")
        if len(node.input) > 1 and node.input[1]:
            constant = self.static.constants.get(node.input[1])
            axes = None if constant is None else np.asarray(constant).reshape(-1).tolist()
        if source is None or axes is None or len(axes) != 1 or int(axes[0]) % len(source) != len(source) - 1:
            return None
        return str(node.input[0]) if settings.get("keepdims", 1) else None

    def _centred(self, name: str) -> str | None:
        """x for x - mean(x)."""
        difference = self.made_by(name, "Sub")
        if difference is None:
            return None
        mean = self._mean(difference[1])
        return self.plain(difference[0]) if mean is not None and self.plain(mean) == self.plain(difference[0]) else None
