"""The transform and the code, against Horner evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.field import goldilocks as gl
from ciro_zk.field import ntt
from ciro_zk.field.extension import P


def horner(coefficients: list[int], x: int) -> int:
    value = 0
    for c in reversed(coefficients):
        value = (value * x + c) % P
    return value


@pytest.mark.parametrize("log_n", [0, 1, 2, 5, 32])
def test_roots_are_primitive(log_n: int) -> None:
    root = ntt.root_of_unity(log_n)
    assert pow(root, 1 << log_n, P) == 1
    if log_n:
        assert pow(root, 1 << (log_n - 1), P) == P - 1
    assert ntt.root_of_unity(2) == 2**48


def test_no_root_beyond_the_two_adicity() -> None:
    with pytest.raises(ValueError, match=r"2\^33"):
        ntt.root_of_unity(33)


@pytest.mark.parametrize("n", [0, 3, 12])
def test_lengths_that_are_no_power_of_two_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        ntt.ntt(np.zeros((1, n), dtype=np.uint64))


@pytest.mark.parametrize("log_n", range(6))
def test_transform_is_evaluation(log_n: int) -> None:
    rng = np.random.default_rng(log_n)
    a = rng.integers(0, P, (2, 1 << log_n), dtype=np.uint64)
    root = ntt.root_of_unity(log_n)
    for row, values in zip(a.tolist(), ntt.ntt(a).tolist(), strict=True):
        assert values == [horner(row, pow(root, i, P)) for i in range(1 << log_n)]


@given(st.integers(0, 4), st.integers(0, 3), st.integers(1, 3), st.randoms(use_true_random=False))
def test_codewords_are_evaluations_at_the_named_points(log_n: int, log_blowup: int, rows: int, random: object) -> None:
    rng = np.random.default_rng(random.randrange(2**32))  # type: ignore[attr-defined]
    message = rng.integers(0, P, (rows, 1 << log_n), dtype=np.uint64)
    code = ntt.encode_rows(message, log_blowup)
    points = [ntt.evaluation_point(log_n + log_blowup, i) for i in range(1 << (log_n + log_blowup))]
    assert code.tolist() == [[horner(row, x) for x in points] for row in message.tolist()]


def test_encoding_is_linear() -> None:
    rng = np.random.default_rng(3)
    a, b, s = (rng.integers(0, P, (1, 16), dtype=np.uint64) for _ in range(3))
    s = s[:, :1]
    combined = ntt.encode_rows(gl.add(gl.mul(a, s), b), 2)
    assert np.array_equal(combined, gl.add(gl.mul(ntt.encode_rows(a, 2), s), ntt.encode_rows(b, 2)))


def test_cached_tables_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        ntt.twiddles(4)[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        ntt.coset_powers(2, 1)[0] = 1
