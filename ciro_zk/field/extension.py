"""Scalars of the quadratic extension K = F_p[X]/(X^2 - 7) of the Goldilocks field F_p, p = 2^64 - 2^32 + 1.

7 generates the multiplicative group of F_p, so it is no square and X^2 - 7 is irreducible; |K| = p^2, about 2^128.
Challenges and every evaluation at a challenge live here. Array arithmetic over K is in `ciro_zk.field.arrays`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

P = 2**64 - 2**32 + 1
NON_RESIDUE = 7
NUM_BYTES = 16


@dataclass(slots=True, unsafe_hash=True)
class Ext:
    """The element c0 + c1 X, both coordinates canonical (in [0, p)). Nothing changes an element once it is made; it is not declared
    frozen because a frozen dataclass takes three times as long to make, and a proof makes ten thousand."""

    c0: int
    c1: int = 0

    @staticmethod
    def from_int(value: int) -> Ext:
        """The image of a (possibly negative) integer."""
        return Ext(value % P)

    def __add__(self, other: Ext) -> Ext:
        return Ext((self.c0 + other.c0) % P, (self.c1 + other.c1) % P)

    def __sub__(self, other: Ext) -> Ext:
        return Ext((self.c0 - other.c0) % P, (self.c1 - other.c1) % P)

    def __neg__(self) -> Ext:
        return Ext(-self.c0 % P, -self.c1 % P)

    def __mul__(self, other: Ext | int) -> Ext:
        if isinstance(other, int):
            return Ext(self.c0 * other % P, self.c1 * other % P)
        a0, a1, b0, b1 = self.c0, self.c1, other.c0, other.c1
        return Ext((a0 * b0 + NON_RESIDUE * a1 * b1) % P, (a0 * b1 + a1 * b0) % P)

    def __bool__(self) -> bool:
        return self.c0 != 0 or self.c1 != 0

    def inverse(self) -> Ext:
        """The multiplicative inverse; `ZeroDivisionError` for zero."""
        norm = (self.c0 * self.c0 - NON_RESIDUE * self.c1 * self.c1) % P
        if norm == 0:
            raise ZeroDivisionError("zero has no inverse in the extension field")
        inverse = pow(norm, -1, P)
        return Ext(self.c0 * inverse % P, -self.c1 * inverse % P)

    def __bytes__(self) -> bytes:
        return self.c0.to_bytes(8, "little") + self.c1.to_bytes(8, "little")

    @staticmethod
    def from_bytes(data: bytes) -> Ext:
        """Decode 16 bytes; `ValueError` unless both coordinates are canonical."""
        if len(data) != NUM_BYTES:
            raise ValueError(f"an extension element is {NUM_BYTES} bytes, got {len(data)}")
        c0, c1 = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")
        if c0 >= P or c1 >= P:
            raise ValueError("extension element is not canonical")
        return Ext(c0, c1)


ZERO = Ext(0)
ONE = Ext(1)


def powers(base: Ext, count: int) -> list[Ext]:
    """[1, base, base^2, ...], `count` of them."""
    result, current = [], ONE
    for _ in range(count):
        result.append(current)
        current = current * base
    return result


def total(values: Iterable[Ext]) -> Ext:
    """The sum of some elements."""
    result = ZERO
    for value in values:
        result = result + value
    return result
