"""The array operations that a proof spends its time in, behind one interface with two implementations.

`plain_kernels()` is numpy and hashlib only and is the definition; `numba_kernels()` is the fast one. Both return the same canonical values,
so proofs are byte-identical. The prover takes a `Kernels`; the verifier calls the plain functions.

Conventions. A base array is `(n,)` uint64 with canonical values in [0, p). An extension array is `(2, n)` uint64, C-contiguous: row 0 holds
c0, row 1 c1. An evaluation table over the hypercube has its *first* variable as the most significant index bit, so that folding it joins
the two contiguous halves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field import arrays, ntt
from ciro_zk.field import goldilocks as gl
from ciro_zk.field.arrays import Extension
from ciro_zk.field.extension import Ext
from ciro_zk.field.goldilocks import Base
from ciro_zk.hash import blake2s
from ciro_zk.hash.blake2s import Digests
from ciro_zk.poly import multilinear, rounds

__all__ = ["Base", "Digests", "Extension", "Kernels", "PlainKernels", "numba_kernels", "plain_kernels", "warm"]


class Kernels(Protocol):
    """What a prover computes with. Every method returns new arrays unless it says otherwise."""

    name: str
    threads: int

    # field
    def add(self, a: Base, b: Base) -> Base: ...
    def sub(self, a: Base, b: Base) -> Base: ...
    def mul(self, a: Base, b: Base) -> Base: ...
    def ext_mul(self, a: Extension, b: Extension) -> Extension: ...
    def ext_mul_base(self, a: Extension, b: Base) -> Extension: ...

    # multilinear
    def eq_table(self, point: Sequence[Ext]) -> Extension:
        """`(2, 2^k)`: eq(point, x) for every x of the hypercube, point[0] matching the top index bit."""

    def eq_suffixes(self, point: Sequence[Ext]) -> list[Extension]:
        """`eq_table(point[k:])` for k = 0, ..., len(point)."""

    def fold_stack(self, stack: NDArray[np.uint64], r: Ext) -> NDArray[np.uint64]:
        """`(k, 2, n)` -> `(k, 2, n/2)`: lo + r (hi - lo), the top variable of each of the k tables bound to r."""

    def fold_base(self, values: Base, r: Ext) -> Extension:
        """`(n,)` -> `(2, n/2)`, as `fold_stack` for one table of base elements."""

    def inner_product(self, a: Extension, b: Extension) -> Ext: ...
    def inner_product_base(self, a: Extension, b: Base) -> Ext: ...

    def outer(self, a: Extension, b: Extension) -> Extension:
        """`(2, n)`, `(2, m)` -> `(2, n m)`: a[i] b[j] at i m + j."""

    def add_outer(self, target: Extension, offset: int, a: Extension, b: Extension) -> None:
        """`(2, N)`, `(2, n)`, `(2, m)`: target[offset + i m + j] += a[i] b[j], in place."""

    def contract_rows(self, weights: Extension, matrix: Base) -> Extension:
        """`(2, R)`, `(R, C)` base -> `(2, C)`: sum over r of weights[r] matrix[r, c]."""

    def contract_columns(self, matrix: Base, weights: Extension) -> Extension:
        """`(R, C)` base, `(2, C)` -> `(2, R)`: sum over c of matrix[r, c] weights[c]."""

    def contract_axis(self, cells: NDArray[np.uint64], rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """`(c, before, length, after)`, `(k, 2, length)` -> `(2, before, k, after)`: sum over i of rows[j][i] cells[.., i, ..]; base cells
        for c = 1, extension cells for c = 2."""

    # sumcheck rounds
    def product_round(self, factors: NDArray[np.uint64]) -> list[Ext]:
        """`(d, 2, n)` -> values at X = 0, 1, ..., d of sum over x of prod_j f_j(X, x), f_j(X, x) = lo + X (hi - lo), x over n/2 points."""

    def fraction_layer(self, stack: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """`(4, 2, n)` -> `(4, 2, n/2)`: from num_lo, num_hi, den_lo, den_hi the halves of num_lo den_hi + num_hi den_lo and of den_lo
        den_hi."""

    def fraction_round(self, stack: NDArray[np.uint64], eq_high: Extension, eq_low: Extension, batch: Ext) -> tuple[Ext, Ext]:
        """One round of a LogUp-GKR layer (Gruen's form, eprint 2024/108).

        `stack` is `(4, 2, n)`: num_lo, num_hi, den_lo, den_hi over n points. With g(X, x) = num_lo den_hi + num_hi den_lo + batch den_lo
        den_hi, each table linear in X (X joins the two halves of n), and w(x) = eq_high[x // m] eq_low[x % m] over the n/2 points x, m =
        eq_low's length, returns (sum_x w(x) g(0, x), sum_x w(x) g_2(x)), g_2 the coefficient of X^2.
        """

    def leaf_layer(self, numerators: Base, denominators: Extension) -> NDArray[np.uint64]:
        """`fraction_layer` of the halves of `(n,)` base numerators and `(2, n)` denominators: `(4, 2, n/4)`."""

    def leaf_round(self, numerators: Base, denominators: Extension, eq_high: Extension, eq_low: Extension, batch: Ext) -> tuple[Ext, Ext]:
        """`fraction_round` of the halves of base numerators and of denominators."""

    def fold_leaves(self, numerators: Base, denominators: Extension, r: Ext) -> NDArray[np.uint64]:
        """`fold_stack` of the halves of base numerators and of denominators: `(4, 2, n/4)`."""

    def leaf_term(
        self, target: Extension, offset: int, cells: Base, origin: int, box: NDArray[np.int64], weight: Ext, start: Ext | None
    ) -> None:
        """target[:, leaf] = (start, or target[:, leaf]) - weight cells[cell], in place, over a box `(3, k)`: the lengths of its axes, their
        strides in `cells` from `origin` on, of which the last is 1, and their strides in the target from `offset` on."""

    # code
    def encode_rows(self, message: Base, log_blowup: int) -> Base:
        """`(rows, n)` -> `(rows, n << log_blowup)`: each row read as coefficients of a polynomial and evaluated at 7 w^i, i = 0, 1, ... in
        natural order, w the standard primitive root of unity of the codeword's length (7^((p-1)/length))."""

    # hash
    def hash_columns(self, matrix: Base) -> Digests:
        """`(rows, n)` -> `(n, 32)`: BLAKE2s-256, person b"ciroleaf", of each column as rows little-endian 8-byte words."""

    def hash_pairs(self, nodes: Digests) -> Digests:
        """`(2 n, 32)` -> `(n, 32)`: BLAKE2s-256, person b"cironode", of nodes[2 i] || nodes[2 i + 1]."""

    def grind(self, state: bytes, bits: int) -> int:
        """The smallest nonce whose BLAKE2s-256, person b"cirowork", of state (32 bytes) || nonce (8 bytes, little-endian) has its low
        `bits` bits zero, the digest read as a little-endian integer."""


class PlainKernels:
    """numpy and hashlib: the definition of every kernel, and the only implementation that the verifier needs."""

    name = "plain"
    threads = 1

    add = staticmethod(gl.add)
    sub = staticmethod(gl.sub)
    mul = staticmethod(gl.mul)
    ext_mul = staticmethod(arrays.mul)
    ext_mul_base = staticmethod(arrays.mul_base)

    eq_table = staticmethod(multilinear.eq_table)
    eq_suffixes = staticmethod(multilinear.eq_suffixes)
    fold_stack = staticmethod(multilinear.fold_stack)
    fold_base = staticmethod(multilinear.fold_base)
    inner_product = staticmethod(arrays.inner_product)
    inner_product_base = staticmethod(arrays.inner_product_base)
    outer = staticmethod(multilinear.outer)
    add_outer = staticmethod(multilinear.add_outer)
    contract_rows = staticmethod(multilinear.contract_rows)
    contract_columns = staticmethod(multilinear.contract_columns)
    contract_axis = staticmethod(multilinear.contract_axis)

    product_round = staticmethod(rounds.product_round)
    fraction_layer = staticmethod(rounds.fraction_layer)
    fraction_round = staticmethod(rounds.fraction_round)
    leaf_layer = staticmethod(rounds.leaf_layer)
    leaf_round = staticmethod(rounds.leaf_round)
    fold_leaves = staticmethod(rounds.fold_leaves)
    leaf_term = staticmethod(rounds.leaf_term)

    encode_rows = staticmethod(ntt.encode_rows)

    hash_columns = staticmethod(blake2s.hash_columns)
    hash_pairs = staticmethod(blake2s.hash_pairs)
    grind = staticmethod(blake2s.grind)

    def __repr__(self) -> str:
        return "PlainKernels()"


def plain_kernels() -> Kernels:
    """The numpy and hashlib implementation."""
    return PlainKernels()


def numba_kernels(threads: int | None = None) -> Kernels:
    """The compiled implementation on `threads` threads (by default as many as there are processors); imports Numba.

    The first run on a machine compiles for some seconds, says so on stderr, and keeps the result in `ciro_zk.kernel_cache.cache_dir()`.
    """
    from ciro_zk.accelerated import NumbaKernels

    return NumbaKernels(threads)


def warm() -> float:
    """Compile every kernel now, or load it from the cache; returns the seconds it took."""
    from ciro_zk import accelerated

    return accelerated.warm()
