"""What a tensor stands for as a whole: of a softmax or a normalisation more is known than its operators say one by one.

Step by step a quotient has no bound once the error of its divisor is as large as the divisor. But a softmax is monotone
in each of its scores, and a norm changes by no more than the norm of what is added:

    softmax      P_i = e^(X_i) / (e^(X_i) + sum_(j != i) e^(X_j)), greatest for the greatest X_i and the least X_j
                 over a range: scores that are all off by at most e change P by at most tanh(e / 2)
    normalise    Y_i = K U_i / H, U = X or X - mean X, H = sqrt(sum U^2 + E): |H - h| <= |X - x|_2, |Y_i| <= K

For the second bound of softmax: P_i goes from p to at most p t / (p t + (1 - p) / t) with t = e^e, whose distance from p is
greatest for p = 1 / (1 + t), where it is (t - 1) / (t + 1) = tanh(e / 2). Rows are the last axis.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite, prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.error import Approximation, Error, Interval
from ciro_zk.circuit.tensor import Tensor

FLOAT64 = 1e-12
"""What exponentials and sums of rows are off by in float64, relative to the greatest result."""
MAX_CELLS = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Law(ABC):
    """`source`: the tensor it is a function of; `peak`: the greatest |ideal result|, in units of the result."""

    kind: ClassVar[str]
    source: int
    peak: float

    @abstractmethod
    def error(self, x: Approximation, out: Interval) -> Error:
        """The error of integers `out` that stand for this function of the ideal x."""

    def of(self, source: int) -> Law:
        """The same of another tensor."""
        return replace(self, source=source)

    def check(self, tensors: Sequence[Tensor], result: int) -> None:
        """`ValueError` unless it says something about tensor `result` of a circuit."""
        if not 0 <= self.source < result < len(tensors) or tensors[self.source].shape != tensors[result].shape:
            raise ValueError("a law is about a later tensor of its source's shape")

    def trivial(self, out: Interval) -> Error:
        """From the range of both alone."""
        return Error(np.broadcast_to(np.float64(self.peak + max(abs(int(out[0].min())), abs(int(out[1].max())))), out[0].shape))


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxLaw(Law):
    """peak * softmax(unit * x). `mask`: which of the `cells` cells of the last axes are left out, in hexadecimal; 0 cells for none.

    `rounding`: how far the circuit is from the softmax of its own scores, at most, in units of the result.
    """

    kind: ClassVar[str] = "softmax"
    unit: float
    rounding: float
    mask: str = ""
    cells: int = 0

    def error(self, x: Approximation, out: Interval) -> Error:
        if not x.is_known:
            moved = np.tanh(self.unit * x.error.bound.max(axis=-1, keepdims=True) / 2) * self.peak + self.rounding
            return Error(np.broadcast_to(np.minimum(moved, self.peak), out[0].shape))
        low, high = (self.unit * end for end in x.ideal)
        kept = self._kept(low.shape)
        finite = np.isfinite(low).all(axis=-1, keepdims=True) & np.isfinite(high).all(axis=-1, keepdims=True)
        known = np.broadcast_to(finite & kept, low.shape)
        low, high = np.where(known, low, 0.0), np.where(known, high, 0.0)
        greatest = np.where(kept, high, -np.inf).max(axis=-1, keepdims=True)
        small, large = np.exp(low - greatest) * kept, np.exp(np.minimum(high - greatest, 0.0)) * kept
        others_small = np.maximum(small.sum(axis=-1, keepdims=True) - small, 0.0)
        others_large = np.maximum(large.sum(axis=-1, keepdims=True) - large, 0.0)
        tiny = np.finfo(np.float64).tiny
        least = np.where(known, small / np.maximum(small + others_large, tiny), 0.0)
        most = np.where(known, large / np.maximum(large + others_small, tiny), 1.0)
        least, most = np.clip(least - FLOAT64, 0.0, 1.0), np.clip(most + FLOAT64, 0.0, 1.0)
        return Error.between(self.peak * least - out[0], self.peak * most - out[0], FLOAT64 * self.peak)

    def _kept(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Cells of the rows that take part, of a shape that broadcasts to `shape`."""
        if not self.cells:
            return np.ones((1,) * len(shape), dtype=np.bool_)
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(self.mask), dtype=np.uint8), count=self.cells) == 0
        return np.broadcast_to(bits, (prod(shape) // self.cells, self.cells)).reshape(shape)

    def check(self, tensors: Sequence[Tensor], result: int) -> None:
        Law.check(self, tensors, result)
        size = tensors[self.source].size
        if self.cells and (self.cells % tensors[self.source].shape[-1] or size % self.cells or len(self.mask) != -(-self.cells // 8) * 2):
            raise ValueError("a law's mask covers whole rows of its tensor")


@dataclass(frozen=True, slots=True, kw_only=True)
class NormaliseLaw(Law):
    """peak * u / sqrt(sum u^2 + epsilon), u = x, or x less its mean where `centred`."""

    kind: ClassVar[str] = "normalise"
    epsilon: float
    centred: bool

    def error(self, x: Approximation, out: Interval) -> Error:
        if not x.is_known:
            return self.trivial(out)
        least, most = x.ideal
        known = np.isfinite(x.error.radius).all(axis=-1, keepdims=True)
        radius = np.where(known, x.error.radius, 0.0)
        least, most = np.where(known, least, 0.0), np.where(known, most, 0.0)
        u = (least + most) / 2
        norm = np.sqrt((radius * radius).sum(axis=-1, keepdims=True))
        if self.centred:
            n = u.shape[-1]
            u = u - u.mean(axis=-1, keepdims=True)
            radius = radius * (1 - 2 / n) + radius.sum(axis=-1, keepdims=True) / n if n > 1 else np.zeros_like(radius)
        size = np.sqrt((u * u).sum(axis=-1, keepdims=True) + self.epsilon)
        slack = FLOAT64 * (np.abs(least + most).max(axis=-1, keepdims=True) * u.shape[-1] + 1.0)
        low, high = np.maximum(size - norm - slack, np.sqrt(self.epsilon)), size + norm + slack
        safe = np.where(low > 0, low, 1.0)
        ends = [(u + sign * (radius + slack)) / h for sign in (-1, 1) for h in (safe, high)]
        # a row of zeros is left as it is
        nothing = known & (high <= slack) & (norm == 0) & (size == 0)
        known = np.broadcast_to(known & (low > 0), u.shape)
        bottom = np.where(known, np.clip(np.minimum.reduce(ends), -1.0, 1.0), -1.0)
        top = np.where(known, np.clip(np.maximum.reduce(ends), -1.0, 1.0), 1.0)
        bottom, top = np.where(nothing, 0.0, bottom), np.where(nothing, 0.0, top)
        return Error.between(self.peak * bottom - out[0], self.peak * top - out[0], FLOAT64 * self.peak)


LAWS: dict[str, type[SoftmaxLaw] | type[NormaliseLaw]] = {law.kind: law for law in (SoftmaxLaw, NormaliseLaw)}


def write_laws(laws: Mapping[int, Law]) -> list[Any]:
    """[tensor, kind, attributes] by rising tensor."""
    return [[tensor, law.kind, asdict(law)] for tensor, law in sorted(laws.items())]


def read_laws(value: object) -> dict[int, Law]:
    """The reverse of `write_laws`; `ValueError` for anything else."""
    if not isinstance(value, list):
        raise ValueError("laws are a list")
    found: dict[int, Law] = {}
    for entry in value:
        if not isinstance(entry, list) or len(entry) != 3 or type(entry[0]) is not int or not isinstance(entry[2], dict):
            raise ValueError("a law names its tensor, its kind and its attributes")
        tensor, kind, attributes = entry
        law = LAWS.get(kind) if isinstance(kind, str) else None
        if law is None or attributes.keys() != {field.name for field in fields(law)}:
            raise ValueError("a law is a softmax or a normalisation with its attributes")
        types = {"int": int, "float": float, "bool": bool, "str": str}
        for field in fields(law):
            given = attributes[field.name]
            if type(given) is not types[str(field.type)] or (isinstance(given, float) and not (isfinite(given) and given >= 0)):
                raise ValueError(f"a law's {field.name} is a {field.type}, not negative")
            if type(given) is int and not 0 <= given < MAX_CELLS:
                raise ValueError(f"a law's {field.name} is below 2^30")
        if not all(c in "0123456789abcdef" for c in attributes.get("mask", "")):
            raise ValueError("a law's mask is hexadecimal")
        found[tensor] = law(**attributes)
    return found
