"""Arrays over the Goldilocks field F_p, p = 2^64 - 2^32 + 1, in numpy.

Write ε = 2^32 - 1. Then 2^64 ≡ ε and 2^96 ≡ -1 (mod p), so that a 128-bit product lo + 2^64 h0 + 2^96 h1 (lo 64 bits; h0, h1 32 bits each)
is lo - h1 + ε h0: one borrow, one carry, each mended by ε, and a last conditional subtraction of p makes the value canonical.

All functions take canonical uint64 arrays of any shape, of at least one dimension and mutually broadcastable, and return new canonical
arrays. They do not check that their arguments are canonical; `is_canonical` does, and whoever decodes untrusted bytes calls it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field.extension import P

Base = NDArray[np.uint64]

GENERATOR = 7
TWO_ADICITY = 32
MODULUS = np.uint64(P)
EPSILON = np.uint64(2**32 - 1)
_HALF = np.uint64((P - 1) // 2)
_32 = np.uint64(32)
_CHUNK = 1 << 15
"""Cells that a conversion works on at once: they stay in the cache."""


def _canonical(r: Base) -> Base:
    return np.asarray(np.minimum(r, r - MODULUS))


def add(a: Base, b: Base) -> Base:
    """a + b, elementwise."""
    c = MODULUS - np.asarray(b)  # a + b = a - (p - b), where p - b is in [1, p]
    r = a - c
    return np.asarray(r + np.where(a < c, MODULUS, np.uint64(0)))


def sub(a: Base, b: Base) -> Base:
    """a - b, elementwise."""
    r = a - b
    return np.asarray(r - np.where(a < b, EPSILON, np.uint64(0)))


def neg(a: Base) -> Base:
    """-a, elementwise."""
    return np.where(a == 0, np.uint64(0), MODULUS - a)


def mul(a: Base, b: Base) -> Base:
    """a b, elementwise."""
    a0, a1, b0, b1 = a & EPSILON, a >> _32, b & EPSILON, b >> _32
    low = a0 * b0
    middle = a0 * b1 + (low >> _32)
    cross = a1 * b0 + (middle & EPSILON)
    high = a1 * b1 + (middle >> _32) + (cross >> _32)
    return _reduce((cross << _32) | (low & EPSILON), high)


def _reduce(low: Base, high: Base) -> Base:
    """low + 2^64 high mod p, for any two 64-bit words."""
    h0, h1 = high & EPSILON, high >> _32
    t = low - h1
    t -= np.where(low < h1, EPSILON, np.uint64(0))
    u = h0 * EPSILON
    r = t + u
    r += np.where(r < u, EPSILON, np.uint64(0))
    return _canonical(r)


def power(a: Base, exponent: int) -> Base:
    """a^exponent, elementwise, by square and multiply; `ValueError` for a negative exponent."""
    if exponent < 0:
        raise ValueError("the exponent must not be negative; use inverse")
    result = np.ones_like(a)
    while exponent:
        if exponent & 1:
            result = mul(result, a)
        exponent >>= 1
        if exponent:
            a = mul(a, a)
    return result


def inverse(a: Base) -> Base:
    """1/a, elementwise; `ZeroDivisionError` if any element is zero."""
    if not np.all(a):
        raise ZeroDivisionError("zero has no inverse in the base field")
    return power(a, P - 2)


def sum_axis(a: Base, axis: int = -1) -> Base:
    """The sum along one axis of fewer than 2^32 elements: the 32-bit halves add up exactly in 64 bits, then recombine."""
    low = np.atleast_1d(np.sum(a & EPSILON, axis=axis, dtype=np.uint64))
    high = np.atleast_1d(np.sum(a >> _32, axis=axis, dtype=np.uint64))
    result = _from_halves(low, high)
    return result if a.ndim > 1 else result.reshape(())


def sum_runs(a: Base, starts: NDArray[np.int64]) -> Base:
    """The sums of the runs of the last axis, of fewer than 2^32 elements each, that begin at `starts`, ascending from 0."""
    return _from_halves(np.add.reduceat(a & EPSILON, starts, axis=-1), np.add.reduceat(a >> _32, starts, axis=-1))


def _from_halves(low: Base, high: Base) -> Base:
    """low + 2^32 high, reduced from 128 bits."""
    shifted = high << _32
    total = low + shifted
    return _reduce(total, (high >> _32) + (total < shifted).astype(np.uint64))


def sum_all(a: Base) -> int:
    """The sum of all elements (fewer than 2^32), an int in [0, p)."""
    low = int(np.sum(a & EPSILON, dtype=np.uint64))
    high = int(np.sum(a >> _32, dtype=np.uint64))
    return (low + (high << 32)) % P


def powers(base: int, count: int) -> Base:
    """(count,): 1, base, base^2, ...."""
    result = np.ones(count, dtype=np.uint64)
    done, step = 1, base % P
    while done < count:
        take = min(done, count - done)
        result[done : done + take] = mul(result[:take], np.full(1, step, dtype=np.uint64))
        done, step = done + take, step * step % P
    return result


def from_signed(values: NDArray[np.int64]) -> Base:
    """The images of signed integers (any integer dtype but uint64), canonical; `TypeError` for any other dtype."""
    values = np.asarray(values)
    if values.dtype.kind not in "iub" or values.dtype == np.uint64:
        raise TypeError(f"expected signed integers of at most 64 bits, got {values.dtype}")
    words = np.empty(values.shape, dtype=np.uint64)
    flat, source = words.reshape(-1), values.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        part.view(np.int64)[:] = source[start : start + _CHUNK]
        part -= (part.view(np.int64) >> 63).view(np.uint64) & EPSILON  # 2^64 - p of negative ones
    return words


def to_signed(a: Base) -> NDArray[np.int64]:
    """The representatives in (-p/2, p/2), int64; the inverse of `from_signed` on that range."""
    return np.where(a > _HALF, a + EPSILON, a).view(np.int64)


def is_canonical(a: Base) -> bool:
    """Whether every element is in [0, p)."""
    return bool(np.all(a < MODULUS))
