"""Small integers that a few equations over the extension field do not see."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ciro_zk.field.extension import Ext, P


def lll(basis: list[list[int]]) -> list[list[int]]:
    """A reduced basis of the lattice (Lenstra, Lenstra, Lovász 1982), delta = 3/4; for a handful of dimensions."""
    rows = [list(row) for row in basis]

    def dot(a: Sequence[Any], b: Sequence[Any]) -> Any:
        return sum(x * y for x, y in zip(a, b, strict=True))

    def orthogonal() -> tuple[list[list[Fraction]], list[list[Fraction]]]:
        stars: list[list[Fraction]] = []
        mu = [[Fraction(0)] * len(rows) for _ in rows]
        for i, row in enumerate(rows):
            star = [Fraction(v) for v in row]
            for j in range(i):
                mu[i][j] = dot(row, stars[j]) / dot(stars[j], stars[j])
                star = [a - mu[i][j] * b for a, b in zip(star, stars[j], strict=True)]
            stars.append(star)
        return stars, mu

    k = 1
    stars, mu = orthogonal()
    while k < len(rows):
        for j in reversed(range(k)):
            q = round(mu[k][j])
            if q:
                rows[k] = [a - q * b for a, b in zip(rows[k], rows[j], strict=True)]
                stars, mu = orthogonal()
        if dot(stars[k], stars[k]) >= (Fraction(3, 4) - mu[k][k - 1] ** 2) * dot(stars[k - 1], stars[k - 1]):
            k += 1
        else:
            rows[k], rows[k - 1] = rows[k - 1], rows[k]
            stars, mu = orthogonal()
            k = max(k - 1, 1)
    return rows


def invisible(weights: Sequence[Ext]) -> list[int]:
    """Small integers d, not all zero, with sum_i d_i weights_i = 0 in the extension."""
    a, b = weights[0], weights[1]
    inverse = pow((a.c0 * b.c1 - a.c1 * b.c0) % P, P - 2, P)
    basis = [[P, 0] + [0] * (len(weights) - 2), [0, P] + [0] * (len(weights) - 2)]
    for k, w in enumerate(weights[2:]):
        first = (w.c0 * b.c1 - w.c1 * b.c0) * inverse % P
        second = (a.c0 * w.c1 - a.c1 * w.c0) * inverse % P
        basis.append([-first % P, -second % P] + [int(j == k) for j in range(len(weights) - 2)])
    return min(lll(basis), key=lambda row: max(abs(v) for v in row))
