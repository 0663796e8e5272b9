"""Arrays over the extension field K = F_p[X]/(X^2 - 7), in numpy.

An extension array is (2, n) uint64, row 0 the coordinates c0 and row 1 c1, all canonical. A product is
(a0 + a1 X)(b0 + b1 X) = (a0 b0 + 7 a1 b1) + (a0 b1 + a1 b0) X. Arrays of shape (2, ...) work too; `scale` and friends take scalars as
`Ext`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field import goldilocks as gl
from ciro_zk.field.extension import NON_RESIDUE, Ext, P
from ciro_zk.field.goldilocks import Base

Extension = NDArray[np.uint64]

_SMALL = 256  # up to here Python's integers are faster than numpy's calls
_NON_RESIDUE = np.full(1, NON_RESIDUE, dtype=np.uint64)


def from_list(values: Sequence[Ext]) -> Extension:
    """(2, n) from n scalars."""
    return np.array([[v.c0 for v in values], [v.c1 for v in values]], dtype=np.uint64).reshape(2, len(values))


def to_list(a: Extension) -> list[Ext]:
    """n scalars from (2, n)."""
    return [Ext(c0, c1) for c0, c1 in zip(a[0].tolist(), a[1].tolist(), strict=True)]


def from_base(a: Base) -> Extension:
    """(2, n): the base elements (n,) as extension elements."""
    return np.stack([a, np.zeros_like(a)])


def zeros(n: int) -> Extension:
    """(2, n) zeros."""
    return np.zeros((2, n), dtype=np.uint64)


def get(a: Extension, i: int) -> Ext:
    """Element i of (2, n)."""
    return Ext(int(a[0, i]), int(a[1, i]))


def add(a: Extension, b: Extension) -> Extension:
    """a + b, elementwise."""
    return gl.add(a, b)


def sub(a: Extension, b: Extension) -> Extension:
    """a - b, elementwise."""
    return gl.sub(a, b)


def mul(a: Extension, b: Extension) -> Extension:
    """a b, elementwise."""
    return np.stack(
        [
            gl.add(gl.mul(a[0], b[0]), gl.mul(_NON_RESIDUE, gl.mul(a[1], b[1]))),
            gl.add(gl.mul(a[0], b[1]), gl.mul(a[1], b[0])),
        ]
    )


def mul_base(a: Extension, b: Base) -> Extension:
    """(2, n) times base elements (n,), elementwise."""
    return np.stack([gl.mul(a[0], b), gl.mul(a[1], b)])


def times_x(a: Extension) -> Extension:
    """X a."""
    return np.stack([gl.mul(_NON_RESIDUE, a[1]), a[0]])


def scale(a: Extension, s: Ext) -> Extension:
    """s a, for one scalar s."""
    return mul(a, np.array([s.c0, s.c1], dtype=np.uint64).reshape((2,) + (1,) * (a.ndim - 1)))


def scale_base(a: Base, s: Ext) -> Extension:
    """s a: base elements (n,) times one scalar, (2, n)."""
    return np.stack([gl.mul(a, np.full(1, s.c0, dtype=np.uint64)), gl.mul(a, np.full(1, s.c1, dtype=np.uint64))])


def total(a: Extension) -> Ext:
    """The sum of all elements of (2, n)."""
    return Ext(gl.sum_all(a[0]), gl.sum_all(a[1]))


def inner_product(a: Extension, b: Extension) -> Ext:
    """The sum over i of a[:, i] b[:, i], both (2, n)."""
    if a.shape[1] > _SMALL:
        return total(mul(a, b))
    (a0, a1), (b0, b1) = a.tolist(), b.tolist()
    return Ext((_dot(a0, b0) + NON_RESIDUE * _dot(a1, b1)) % P, (_dot(a0, b1) + _dot(a1, b0)) % P)


def _dot(a: list[int], b: list[int]) -> int:
    return sum(map(operator.mul, a, b))


def inner_product_base(a: Extension, b: Base) -> Ext:
    """The sum over i of a[:, i] b[i], a (2, n), b (n,)."""
    return total(mul_base(a, b))
