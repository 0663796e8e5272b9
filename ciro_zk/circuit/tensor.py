"""The tensors of a circuit: integer arrays, each with the place its cells live in and the range that soundness may rely on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any

import numpy as np

_SIGNED = tuple(np.dtype(name) for name in ("<i1", "<i2", "<i4", "<i8"))


class Storage(StrEnum):
    """Where a tensor's cells live."""

    INPUT = "input"  # public: the verifier holds the integers
    WEIGHT = "weight"  # in the weight oracle, committed once at setup
    WITNESS = "witness"  # in the witness oracle, committed in every proof
    VIRTUAL = "virtual"  # an affine image of other tensors: forms are pulled back through it
    PUBLIC = "public"  # follows from inputs alone: the verifier computes it
    ACCUMULATOR = "accumulator"  # a sum of products: the batched sumcheck proves its claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One integer tensor.

    `low` and `high` bound every cell for *soundness*: they follow from ranges that a lookup, the verifier or the
    weights' registration enforces, never from the weights' values. `bounded_by` names that constraint (the range
    ledger).
    """

    name: str
    shape: tuple[int, ...]
    storage: Storage
    low: int
    high: int
    bounded_by: str

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def dtype(self) -> np.dtype[np.signedinteger[Any]]:
        """The narrowest signed type that holds the range; weights are kept in it."""
        return next(t for t in _SIGNED if np.iinfo(t).min <= self.low and self.high <= np.iinfo(t).max)

    @property
    def magnitude(self) -> int:
        return max(abs(self.low), abs(self.high))
