"""The base-field cells of an oracle, held as field elements or as small integers, read part by part.

Weights have 12 bits or so: as int16 an oracle takes a quarter of its field elements, which are made as they are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field import goldilocks

Base = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class IntegerCells:
    """`size` cells: the integers of each run from its offset on, runs ascending and disjoint; zero elsewhere."""

    size: int
    runs: tuple[tuple[int, NDArray[Any]], ...]

    def field(self, start: int, stop: int) -> Base:
        """Cells start, ..., stop - 1 as field elements."""
        cells = np.zeros(stop - start, dtype=np.uint64)
        for offset, integers in self.runs:
            low, high = max(start, offset), min(stop, offset + integers.shape[0])
            if low < high:
                cells[low - start : high - start] = goldilocks.from_signed(integers[low - offset : high - offset])
        return cells


Cells = Base | IntegerCells


def field_cells(cells: Cells, start: int, stop: int) -> Base:
    """Cells start, ..., stop - 1 `(n,)` as field elements."""
    return cells.field(start, stop) if isinstance(cells, IntegerCells) else cells[start:stop]
