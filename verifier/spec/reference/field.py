"""Section 1: the field of challenges, and eq."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

P = 2**64 - 2**32 + 1


Elem = tuple[int, int]


Vector = list[Elem]


ZERO, ONE = (0, 0), (1, 0)


def add(a: Elem, b: Elem) -> Elem:
    return (a[0] + b[0]) % P, (a[1] + b[1]) % P


def sub(a: Elem, b: Elem) -> Elem:
    return (a[0] - b[0]) % P, (a[1] - b[1]) % P


def mul(a: Elem, b: Elem) -> Elem:
    return (a[0] * b[0] + 7 * a[1] * b[1]) % P, (a[0] * b[1] + a[1] * b[0]) % P


def base(value: int) -> Elem:
    return value % P, 0


def inverse(a: Elem) -> Elem:
    n = pow(a[0] * a[0] - 7 * a[1] * a[1], P - 2, P)
    return a[0] * n % P, -a[1] * n % P


def power(a: Elem, n: int) -> Elem:
    value = ONE
    for _ in range(n):
        value = mul(value, a)
    return value


def total(values: Any) -> Elem:
    value = ZERO
    for v in values:
        value = add(value, v)
    return value


def times(*values: Elem) -> Elem:
    value = ONE
    for v in values:
        value = mul(value, v)
    return value


def lg(d: int) -> int:
    return (d - 1).bit_length()


def sel(r: Sequence[Elem], index: int) -> Elem:
    return times(*(x if index >> (len(r) - 1 - i) & 1 else sub(ONE, x) for i, x in enumerate(r)))


def eq(r: Sequence[Elem], s: Sequence[Elem]) -> Elem:
    return times(*(add(mul(a, b), mul(sub(ONE, a), sub(ONE, b))) for a, b in zip(r, s, strict=True)))


def eq_on(r: Sequence[Elem], length: int) -> Vector:
    return [sel(r, i) for i in range(length)]


def split(r: Sequence[Elem], shape: Sequence[int]) -> list[Vector]:
    """eq on the real cells, a vector per axis."""
    found, at = [], 0
    for d in shape:
        found.append(eq_on(r[at : at + lg(d)], d))
        at += lg(d)
    return found
