"""The float model between ONNX and the circuit: a list of steps over named tensors, each of a kind that the circuit can do.

    view        Reshape, Transpose, Select (slice, pad, broadcast: per axis a list of source indices, -1 for zero), Concat
    product     MatMul, Convolution, Affine (scale * x + offset, both constant)
    pair        Contraction, Multiply, Quotient: of two computed tensors; Floored and Remainder: of whole numbers
    sum         Sum of tensors with signs, Average over windows
    rows        Softmax, Normalise: along the last axis
    other       MaxPool, OneHot, Greatest, Without, Activation, Fixed (a constant that is concatenated or put out)

Steps are immutable; fusions make new ones. Products, sums and averages end in a requantisation, which can take an
activation along. An *exact* step makes whole numbers at scale 1 (ONNX's integers and bools): nothing is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Shape = tuple[int, ...]
Windows = tuple[tuple[int, ...], ...]
"""For each output position of an axis the input positions of its window, real cells only, in order."""
Averages = tuple[tuple[int, Windows, tuple[int, ...]], ...]
"""(axis, windows, counts): the sums over the windows of an axis, each divided by its count, one axis after the other."""


@dataclass(frozen=True, slots=True)
class Clip:
    """clamp(x, low, high); an absent bound is None. Relu is Clip(0, None)."""

    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Leaky:
    """x where x >= 0, slope * x below, with 0 <= slope <= 1."""

    slope: float


class CurveUse(NamedTuple):
    """Uses with equal keys can share a table."""

    key: tuple[str, tuple[float, ...], bool, bool]
    statistic: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A function of `ciro_zk.compiler.curves` by name and parameters; `statistic` names the tensor of its arguments."""

    name: str
    statistic: str
    parameters: tuple[float, ...] = ()
    exact_input: bool = False
    """The arguments are whole numbers at scale 1."""
    exact_output: bool = False

    @property
    def use(self) -> CurveUse:
        """The function and the tensor it is applied to."""
        return CurveUse((self.name, self.parameters, self.exact_input, self.exact_output), self.statistic)


@dataclass(frozen=True, slots=True)
class Scores:
    """The identity at the precision that a softmax asks of its arguments; `statistic` names their tensor, masks left out."""

    statistic: str
    masked: bool = False
    """The softmax leaves cells out that are only known at run time."""


@dataclass(frozen=True, slots=True)
class Test:
    """A whole number from an integer's sign: 1 where it is "positive" or "zero" and 0 elsewhere, or its "sign"."""

    kind: str


Function = Clip | Leaky | Curve | Scores | Test


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One computation. Fields common to all kinds."""

    node: str
    """The ONNX node, for messages."""
    inputs: tuple[str, ...]
    output: str
    shape: Shape
    statistic: str
    """The ONNX tensor whose calibrated range is the output's."""
    exact: bool = False
    """The result is made of whole numbers, at scale 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reshape(Step):
    """The same cells in C order under `shape`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transpose(Step):
    permutation: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Select(Step):
    """Per axis, in order, the source index of every output position; -1 leaves a zero."""

    axes: tuple[tuple[int, tuple[int, ...]], ...]
    lengths: Shape
    """The source's shape."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Concat(Step):
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaxPool(Step):
    """The greatest cell of each window, a product of one list of windows per axis."""

    windows: tuple[tuple[int, Windows], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OneHot(Step):
    """Along a new last axis of `shape` 1 at the id in inputs[0], an input of the model, 0 elsewhere; a negative id counts from the end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Softmax(Step):
    """e^(x - max x) / sum of e^(x - max x) along the last axis, of scores; its logarithm if `logarithm`.

    Cells where inputs[1], bits of the same shape, is 1 are left out, unless all of a row are.
    """

    logarithm: bool
    mask: Mask | None = None
    """True for cells that are left out, of as many axes as `shape`, those of length 1 broadcast."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Normalise(Step):
    """factor x / sqrt(sum of x^2 + epsilon) along the last axis, x first less its mean if `centred`."""

    centred: bool
    epsilon: float
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Greatest(Step):
    """The greatest of two or more tensors of one shape, cell by cell."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Without(Step):
    """inputs[0] where the bool inputs[1] is 0, less than every cell of it where that is 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Activation(Step):
    function: Function


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decisions(Step):
    """Bits x[feature] <= threshold (< where strict), along the last of two axes."""

    features: tuple[int, ...]
    thresholds: tuple[float, ...]
    strict: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leaves(Step):
    """Bits: whether all (decision, sign) of a leaf's path hold, +1 for a decision that is true and -1 for one that is not."""

    paths: tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fixed(Step):
    """A constant as a tensor of its own."""

    value: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requantised(Step):
    """A step whose result is rescaled, and can take an activation along."""

    function: Function | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Product(Requantised):
    """inputs[0] times a constant, plus a constant that broadcasts to `shape`, plus the next inputs with their signs.

    A `partner` is a second product of the same layout, of the last input, whose accumulator is added to this one's.
    """

    weight: Floats
    offset: Floats | None = None
    signs: tuple[int, ...] = ()
    partner: Product | None = None
    weight_bits: int = 0
    """Bits of the weights, the circuit's own unless given."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatMul(Product):
    """x (..., s, k) by weight (..., k, o); leading axes are equal, or the weight has none."""

    is_tied: bool = False
    """Other steps have this weight too, as it is or transposed: one tensor stands for all."""
    turned: bool = False
    """It is the transpose of the first one's."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Convolution(Product):
    """x (n, c, *spatial) with weight (o, c / groups, *kernel)."""

    groups: int
    strides: tuple[int, ...]
    pads_begin: tuple[int, ...]
    pads_end: tuple[int, ...]
    dilations: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Affine(Product):
    """weight * x + offset, cell by cell; the weight broadcasts to `shape`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair(Requantised):
    """A product or quotient of two computed tensors, times a number."""

    factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contraction(Pair):
    """inputs[0] (..., s, k) by inputs[1] (..., k, o), leading axes equal."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Multiply(Pair):
    """inputs[0] * inputs[1], cell by cell, of one shape but for axes of inputs[1] that are 1; then averages, as of `Average`."""

    averages: Averages = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quotient(Pair):
    """inputs[0] / inputs[1], cell by cell, of one shape but for axes of inputs[1] that are 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Floored(Step):
    """floor(inputs[0] / inputs[1]) of whole numbers, cell by cell, of shapes as a Quotient's; a divisor of 0 counts as 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Remainder(Step):
    """inputs[0] - inputs[1] inputs[2] of whole numbers, inputs[2] the floored quotient of the two."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sum(Requantised):
    """sum of sign * input over inputs of one shape."""

    signs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Magnitude(Requantised):
    """The square root of the sum of the inputs' squares, cell by cell, over inputs of one shape."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Average(Requantised):
    """The sum over each window divided by `counts` of its position, a product of one list of windows and counts per axis."""

    windows: Averages
