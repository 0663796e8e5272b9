"""What a softmax and a normalisation stand for: no ideal scores within their errors lead outside the law's bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.circuit.error import Approximation, Error
from ciro_zk.circuit.law import LAWS, NormaliseLaw, SoftmaxLaw, read_laws, write_laws

SEEDS = st.integers(0, 2**32 - 1)
MASK = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)
PACKED = np.packbits(MASK.reshape(-1)).tobytes().hex()
SOFTMAX = SoftmaxLaw(source=0, peak=1000.0, unit=1 / 64, rounding=2.0)
MASKED = SoftmaxLaw(source=0, peak=1000.0, unit=1 / 64, rounding=2.0, mask=PACKED, cells=12)
LAYER = NormaliseLaw(source=0, peak=1000.0, epsilon=9.0, centred=True)
LENGTH = NormaliseLaw(source=0, peak=1000.0, epsilon=0.0, centred=False)


def ideal(law: Any, x: Any) -> Any:
    if isinstance(law, SoftmaxLaw):
        e = np.exp(law.unit * (x - x.max(axis=-1, keepdims=True))) * (~MASK if law.cells else 1)
        return law.peak * e / e.sum(axis=-1, keepdims=True)
    u = x - x.mean(axis=-1, keepdims=True) if law.centred else x
    return law.peak * u / np.sqrt((u * u).sum(axis=-1, keepdims=True) + law.epsilon)


@pytest.mark.parametrize("law", [SOFTMAX, MASKED, LAYER, LENGTH], ids=["softmax", "masked", "layer", "length"])
@given(seed=SEEDS, spread=st.floats(0, 60))
def test_ideal_values_stay_within_the_law(law: Any, seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-300, 301, (2, 3, 4)) + (rng.integers(0, 2, (2, 3, 1)) * 5)
    radius, centre = spread * rng.random(x.shape), rng.uniform(-1, 1, x.shape)
    out = np.rint(ideal(law, x)).astype(np.int64)
    error = law.error(Approximation.known(x, Error(radius, centre)), (out, out))
    low, high = error.ends
    assert np.isfinite(error.bound).all() and (error.bound <= 2 * law.peak + 2).all()
    kept = ~MASK if isinstance(law, SoftmaxLaw) and law.cells else np.ones((3, 4), dtype=bool)
    for corner in range(6):
        inside = rng.uniform(-1, 1, x.shape) if corner else np.sign(rng.standard_normal(x.shape))
        found = ideal(law, x + centre + radius * inside) - out
        assert ((found >= low - 1e-6) | ~kept).all() and ((found <= high + 1e-6) | ~kept).all()


@given(seed=SEEDS, spread=st.floats(0, 60))
def test_softmax_over_a_range(seed: int, spread: float) -> None:
    """Scores that are all off by at most e: P by at most tanh(e / 2), wherever the scores are."""
    rng = np.random.default_rng(seed)
    low, high = np.full((2, 3, 4), -300), np.full((2, 3, 4), 300)
    ends = np.zeros((2, 3, 4), dtype=np.int64), np.full((2, 3, 4), 1000)
    bound = SOFTMAX.error(Approximation(low, high, Error(np.full(low.shape, spread))), ends).bound
    assert (bound <= SOFTMAX.peak).all()
    for _ in range(8):
        x = rng.integers(low, high + 1)
        moved = x + spread * np.sign(rng.standard_normal(x.shape))
        gap = np.abs(ideal(SOFTMAX, moved) - ideal(SOFTMAX, x))
        assert (gap <= SOFTMAX.peak * np.tanh(SOFTMAX.unit * spread / 2) + 1e-9).all() and (gap <= bound + 1e-9).all()


def test_no_bound_on_the_scores_leaves_that_of_the_range() -> None:
    x = np.zeros((1, 4), dtype=np.int64)
    for law in (SOFTMAX, LAYER):
        bound = law.error(Approximation.known(x, Error(np.full(x.shape, np.inf))), (x, x)).bound
        assert (bound <= law.peak * (1 + 1e-9)).all()


def test_small_errors_of_the_scores_make_small_ones() -> None:
    x = np.array([[300, 100, -20, 7]])
    for law in (SOFTMAX, LAYER):
        out = np.rint(ideal(law, x)).astype(np.int64)
        assert (law.error(Approximation.known(x, Error(np.full(x.shape, 0.5))), (out, out)).bound < 0.02 * law.peak).all()


def test_laws_are_read_back() -> None:
    laws = {5: SOFTMAX, 7: MASKED, 9: LAYER}
    assert read_laws(write_laws(laws)) == laws and set(LAWS) == {"softmax", "normalise"}
