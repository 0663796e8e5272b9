"""Bounds on errors: no ideal tensor within the inputs' errors leads to an output outside the output's error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ciro_zk.circuit.error import EXACT, Approximation, Deviation, Error, envelope
from ciro_zk.circuit.op import Op
from ciro_zk.lookup.tables import Clamp, Graph, Range, Sampled
from ciro_zk.ops import (
    AxisMap,
    Combine,
    Conv,
    Divide,
    Hadamard,
    MatMul,
    Maximum,
    RangeCheck,
    Requantise,
    Reshape,
    SquareRoot,
    Transpose,
)  # fmt: skip

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
CONV = Conv(inputs=(0, 1), strides=(2,), pads_begin=(1,), pads_end=(0,), dilations=(1,))
MAP = AxisMap(inputs=(0,), axis=1, index=((0, 1), (2, 2), (1, 0)), weight=((1, -3), (2, 2), (0, 5)))

DIVIDE = Divide(inputs=(0, 1), range_table=0, low=-50, width=7, rest_width=8)
ROOT = SquareRoot(inputs=(0,), range_table=0, low=0, width=4, rest_width=5)
RANGES = {("divide", 1): (4, 201), ("square_root", 0): (3, 201)}


def bump(x: Any) -> Any:
    return 900 * np.exp(-((x / 20) ** 2))


def mapped(x: Floats) -> Floats:
    return np.stack([x[:, 0] - 3 * x[:, 1], 4 * x[:, 2], 5 * x[:, 0]], axis=1)


def convolved(x: Floats, w: Floats) -> Floats:
    padded = np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 0)))
    positions = range(0, padded.shape[3] - w.shape[3] + 1, 2)
    return np.stack([np.einsum("ngck,gock->ngo", padded[..., p : p + w.shape[3]], w) for p in positions], axis=-1)


CASES: dict[str, tuple[Op, list[tuple[int, ...]], Any]] = {
    "reshape": (Reshape(inputs=(0,), shape=(3, 2)), [(2, 3)], lambda x: x.reshape(3, 2)),
    "transpose": (Transpose(inputs=(0,), permutation=(1, 0)), [(2, 3)], np.transpose),
    "axis_map": (MAP, [(2, 3)], mapped),
    "combine": (Combine(inputs=(0, 1), coefficients=(3, -2), offset=7), [(4,), (4,)], lambda x, z: 3 * x - 2 * z + 7),
    "matmul": (MatMul(inputs=(0, 1)), [(2, 3, 4), (2, 4, 2)], np.matmul),
    "conv": (CONV, [(1, 2, 2, 5), (2, 3, 2, 3)], convolved),
    "hadamard": (Hadamard(inputs=(0, 1)), [(2, 3), (1, 3)], np.multiply),
    "maximum": (Maximum(inputs=(0, 1), range_table=0), [(5,), (5,)], np.maximum),
    "divide": (DIVIDE, [(40,), (40,)], np.divide),
    "square_root": (ROOT, [(40,)], np.sqrt),
    "sampled": (
        Requantise(inputs=(0,), shift=0, tables=(3,), range_table=0),
        [(40,)],
        lambda x: bump(np.maximum(x, -50)),
    ),
    "requantise": (Requantise(inputs=(0,), shift=3, tables=(1,), range_table=0), [(40,)], lambda x: np.maximum(x / 8, 0)),
}
BUMP = Sampled(low=-50, values=tuple(int(v) for v in np.floor(bump(np.arange(-50, 51)) + 0.5)))
ROUND = Requantise(inputs=(0,), shift=3, tables=(2,), range_table=0)
TABLES = (
    Range(bits=8),
    Graph(function=Clamp(minimum=0, maximum=20), low=-40, high=40),
    Graph(function=Clamp(minimum=-99, maximum=99), low=-99, high=99),
    Graph(function=BUMP, low=-220, high=220),
)


def known(x: Any, radius: Any, centre: Any = None) -> Approximation:
    return Approximation.known(x, Error(np.asarray(radius, dtype=np.float64), centre))


def ends(outputs: Any) -> list[Any]:
    return [(out, out) for out in outputs]


@given(seed=SEEDS, name=st.sampled_from(sorted(CASES)), spread=st.floats(0, 3), shift=st.sampled_from([0.0, 0.3, 2.0]))
def test_ideal_values_stay_within_the_bound(seed: int, name: str, spread: float, shift: float) -> None:
    """One run: centres and radii."""
    op, shapes, ideal = CASES[name]
    rng = np.random.default_rng(seed)
    values = [rng.integers(*RANGES.get((name, k), (-200, 201)), shape) for k, shape in enumerate(shapes)]
    radii = [spread * rng.random(shape) for shape in shapes]
    centres = [shift * rng.uniform(-1, 1, shape) for shape in shapes]
    if (name, 0) in RANGES or (name, 1) in RANGES:
        values = [v + 5 * ((name, k) in RANGES) for k, v in enumerate(values)]
    outputs = op.run(values, TABLES)
    around = [known(v, r, c) for v, r, c in zip(values, radii, centres, strict=True)]
    error = op.error(around, ends(outputs), TABLES, Deviation(exact_low=True))[0]
    low, high = error.ends
    for corner in range(4):
        inside = [rng.uniform(-1, 1, v.shape) if corner else np.sign(rng.standard_normal(v.shape)) for v in values]
        found = ideal(*(v + c + r * t for v, c, r, t in zip(values, centres, radii, inside, strict=True))) - outputs[0]
        assert (found >= low - 1e-9).all() and (found <= high + 1e-9).all()
        assert (np.abs(found) <= error.bound + 1e-9).all()


@given(seed=SEEDS, name=st.sampled_from(sorted(CASES)), spread=st.floats(0, 3))
def test_ideal_values_of_all_runs_stay_within_the_static_bound(seed: int, name: str, spread: float) -> None:
    """Integers anywhere between their ends."""
    op, shapes, ideal = CASES[name]
    rng = np.random.default_rng(seed)
    tensors = []
    for k, shape in enumerate(shapes):
        pair = rng.integers(*RANGES.get((name, k), (-200, 201)), (2, *shape)) + 5 * ((name, k) in RANGES)
        tensors.append((pair.min(axis=0), pair.max(axis=0)))
    radii = [spread * rng.random(shape) for shape in shapes]
    outputs = op.interval(tensors, TABLES)
    around = [Approximation(low, high, Error(r)) for (low, high), r in zip(tensors, radii, strict=True)]
    bound = op.error(around, outputs, TABLES, Deviation(exact_low=True))[0].bound
    for _ in range(4):
        values = [rng.integers(low, high + 1) for low, high in tensors]
        moved = (v + r * np.sign(rng.standard_normal(r.shape)) for v, r in zip(values, radii, strict=True))
        assert (np.abs(ideal(*moved) - op.run(values, TABLES)[0]) <= bound + 1e-9).all()


def test_the_bound_of_a_product_is_reached() -> None:
    x, w = np.array([[[3, -2]]]), np.array([[[5], [-4]]])
    inputs = [known(x, np.full(x.shape, 0.5)), known(w, np.full(w.shape, 0.25))]
    (error,) = MatMul(inputs=(0, 1)).error(inputs, ends([x @ w]), (), EXACT)
    assert error.bound[0, 0, 0] == pytest.approx(3.5 * 5.25 + 2.5 * 4.25 - 15 - 8)


def test_what_was_rounded_away_leaves_no_radius() -> None:
    """A chain of roundings, each of which is known: the radius stays what that of the input is."""
    x, centre = np.array([100, -77]), np.array([0.4, -0.2])
    scaled = Combine(inputs=(0,), coefficients=(5,))
    (moved,) = scaled.error([known(x, np.zeros(2), centre)], ends([5 * x]), (), EXACT)
    (out,) = ROUND.run([5 * x], TABLES)[:1]
    error = ROUND.error([Approximation.known(5 * x, moved)], ends(ROUND.run([5 * x], TABLES)), TABLES, EXACT)[0]
    assert np.allclose(out + np.asarray(error.centre), 5 * (x + centre) / 8) and (error.radius < 1e-9).all()


def test_equal_ideal_values_differ_by_nothing() -> None:
    """The maximum less the operand that it is: exactly 0, so that a comparison is decided."""
    x, z = np.array([7, 3]), np.array([7, 9])
    errors = [np.array([0.1234567, 0.3]), np.array([0.1234566, -0.4])]
    inputs = [known(v, np.zeros(2), c) for v, c in zip((x, z), errors, strict=True)]
    y = np.maximum(x, z)
    (error,) = Maximum(inputs=(0, 1), range_table=0).error(inputs, ends([y]), TABLES, EXACT)
    top = Approximation.known(y, error)
    for i, (v, at) in enumerate(((x, 0), (z, 1))):
        (gap,) = Combine(inputs=(0, 1), coefficients=(1, -1)).error([top, inputs[i]], ends([y - v]), (), EXACT)
        assert gap.bound[at] == 0


@pytest.mark.parametrize("op", [Combine(inputs=(0,), coefficients=(8,)), MAP])
def test_deviating_coefficients(op: Op) -> None:
    x = np.array([[100, -50, 75]])
    around = [known(x, np.zeros(x.shape))]
    exact = op.error(around, ends(op.run([x], ())), (), EXACT)[0].bound
    off = op.error(around, ends(op.run([x], ())), (), Deviation(coefficients=(0.25,)))[0].bound
    assert (exact == 0).all() and (off >= 0.25 * 50 - 1e-12).all()


def test_saturation_counts() -> None:
    """A value beyond a clamp's end is an error, unless the end is the model's own."""
    clamp = Clamp(minimum=0, maximum=10)
    least, most = envelope(clamp, np.array([-7.0]), np.array([25.0]), EXACT)
    assert (least, most) == (-7, 25)
    least, most = envelope(clamp, np.array([-7.0]), np.array([25.0]), Deviation(exact_low=True, exact_high=True))
    assert (least, most) == (0, 10)


@given(seed=SEEDS)
def test_sampled_functions(seed: int) -> None:
    """A bump: its extremum is found between the ends of an interval; beyond the table it goes on as steeply."""
    rng = np.random.default_rng(seed)
    q = np.arange(-50, 51)
    table = Sampled(low=-50, values=tuple(int(v) for v in np.floor(900 * np.exp(-((q / 20) ** 2)) + 0.5)))
    low = rng.uniform(-60, 60, 200)
    high = low + rng.exponential(5, 200)
    least, most = envelope(table, low, high, EXACT)
    for t in np.linspace(0, 1, 9):
        found = 900 * np.exp(-(((low + t * (high - low)) / 20) ** 2))
        assert (least <= found).all() and (found <= most).all()


def test_operators_without_a_rule_of_their_own() -> None:
    """The interval around the ideal values, or no bound at all."""
    op = RangeCheck(inputs=(0,), range_table=0, low=-128, num_limbs=1)
    assert op.error([known(np.array([3]), np.array([0.5]))], [], TABLES, EXACT) == ()

    class Square(Hadamard):
        """Cells times themselves, with the rule that any operator has."""

        def error(self, *arguments: Any) -> Any:
            return Op.error(self, *arguments)

    x = np.array([3, -7])
    square = Square(inputs=(0, 1))
    (error,) = square.error([known(x, np.array([0.5, 1.5]))] * 2, ends([x * x]), (), EXACT)
    assert (error.bound >= [3.5**2 - 9, 8.5**2 - 49]).all()
    (error,) = square.error([known(x, np.array([1e300, np.inf])), known(x, np.zeros(2))], ends([x * x]), (), EXACT)
    assert (error.bound == np.inf).all()
