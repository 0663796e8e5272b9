"""Number-theoretic transforms over F_p and the Reed-Solomon encoding, in numpy.

F_p* has a subgroup of order 2^32; the root of order n = 2^k is w_n = 7^((p-1)/n). The transform of coefficients (a_0, ..., a_{n-1}) is the
list of values sum_j a_j w_n^{ij}, i in natural order. Stockham's form: at each stage a table viewed as (2, m/2, s) becomes (m/2, 2, s), so
that no bit reversal is needed.

A codeword of a message of n coefficients at blow-up 2^b is the values at 7 W^i, W of order n 2^b. With i = j 2^b + k that is 2^b transforms
of length n, the k-th of the coefficients a_j (7 W^k)^j: `encode_rows` never transforms a zero.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ciro_zk.field import goldilocks as gl
from ciro_zk.field.extension import P
from ciro_zk.field.goldilocks import GENERATOR, TWO_ADICITY, Base


@lru_cache(maxsize=64)
def root_of_unity(log_n: int) -> int:
    """The standard primitive root of order 2^log_n, 7^((p-1)/2^log_n); `ValueError` beyond 2^32."""
    if not 0 <= log_n <= TWO_ADICITY:
        raise ValueError(f"no subgroup of order 2^{log_n}")
    return pow(GENERATOR, (P - 1) >> log_n, P)


def log2_exact(n: int) -> int:
    """k with n = 2^k; `ValueError` if there is none."""
    if n < 1 or n & (n - 1):
        raise ValueError(f"{n} is no power of two")
    return n.bit_length() - 1


@lru_cache(maxsize=64)
def twiddles(log_n: int) -> Base:
    """(n/2,): the first half of the powers of the root of order n = 2^log_n (read-only, cached)."""
    table = gl.powers(root_of_unity(log_n), max(1, (1 << log_n) >> 1))
    table.flags.writeable = False
    return table


@lru_cache(maxsize=64)
def coset_powers(log_n: int, log_blowup: int) -> Base:
    """(2^log_blowup, n): row k holds the powers of 7 W^k, W of order n 2^log_blowup, n = 2^log_n (read-only, cached)."""
    root = root_of_unity(log_n + log_blowup)
    table = np.stack([gl.powers(GENERATOR * pow(root, k, P) % P, 1 << log_n) for k in range(1 << log_blowup)])
    table.flags.writeable = False
    return table


def ntt(values: Base) -> Base:
    """The transform along the last axis, (..., n) -> (..., n), both in natural order; `ValueError` unless n is a power of two."""
    n = values.shape[-1]
    log_n = log2_exact(n)
    x = np.ascontiguousarray(values).reshape(-1, n)
    rows = x.shape[0]
    for level in range(log_n):
        half, stride = n >> (level + 1), 1 << level
        view = x.reshape(rows, 2, half, stride)
        w = twiddles(log_n - level)[:, None]
        y = np.empty((rows, half, 2, stride), dtype=np.uint64)
        y[:, :, 0] = gl.add(view[:, 0], view[:, 1])
        y[:, :, 1] = gl.mul(gl.sub(view[:, 0], view[:, 1]), w)
        x = y
    return x.reshape(values.shape).copy() if log_n == 0 else x.reshape(values.shape)


def encode_rows(message: Base, log_blowup: int) -> Base:
    """(rows, n) -> (rows, n << log_blowup): each row as the coefficients of a polynomial, evaluated at 7 w^i in natural order, w of the
    codeword's order."""
    rows, n = message.shape
    shifted = gl.mul(message[:, None, :], coset_powers(log2_exact(n), log_blowup))
    return np.ascontiguousarray(ntt(shifted).transpose(0, 2, 1)).reshape(rows, n << log_blowup)


def evaluation_point(log_length: int, position: int) -> int:
    """The point 7 w^position at which a codeword of length 2^log_length is evaluated at that position."""
    return GENERATOR * pow(root_of_unity(log_length), position, P) % P
