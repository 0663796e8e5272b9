"""From the magnitudes of a tensor to the range that its integers cover; what lies beyond saturates.

    max           the greatest |x| seen
    percentile    the least T with |x| <= T for 99.99 % of the cells ("percentile:99.9" for another share)
    mse           the T of least mean squared error: sum over |x| > T of (|x| - T)^2, and (T / M)^2 / 12 for every other cell

Few bits are worth more where clipping takes outliers away; at 10 bits and more a saturated value costs more than the
finer scale gains. Magnitudes are counted in 2048 bins, whose width doubles when a greater value comes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ciro_zk.errors import InputError

NUM_BINS = 2048
NUM_CANDIDATES = 256
DEFAULT_PERCENTILE = 99.99
MANY_BITS = 10
METHODS = ("max", "percentile", "mse")
METHOD_REMEDY = "use 'max', 'percentile', 'percentile:99.9' or 'mse'"


@dataclass(frozen=True, slots=True)
class Method:
    """How ranges are chosen: a name of `METHODS`, the percentile in percent, and the bits that ranges are for."""

    name: str
    percentile: float
    bits: int

    @property
    def text(self) -> str:
        return f"percentile:{self.percentile:g}" if self.name == "percentile" else self.name


def parse_method(text: str | None, bits: int) -> Method:
    """A method as the caller names it; by default "max" for 10 bits and more, "mse" for fewer."""
    if text is None:
        return Method("max" if bits >= MANY_BITS else "mse", 0.0, bits)
    name, _, share = text.partition(":")
    try:
        percentile = float(share) if share else DEFAULT_PERCENTILE
    except ValueError:
        percentile = 0.0
    if name not in METHODS or (share and name != "percentile") or not 90.0 <= percentile < 100.0:
        raise InputError(f"there is no calibration method {text!r}", field="calibration_method", remedy=METHOD_REMEDY)
    return Method(name, percentile if name == "percentile" else 0.0, bits)


@dataclass(slots=True)
class Magnitudes:
    """A histogram of |x|; zeros, which any scale represents, are left out."""

    width: float = 0.0
    peak: float = 0.0
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(NUM_BINS, dtype=np.int64))

    def add(self, values: NDArray[np.float64]) -> None:
        """Count |x| of finite values."""
        found = np.abs(values).reshape(-1)
        found = found[found > 0]
        if not found.size:
            return
        peak = float(found.max())
        self.peak = max(self.peak, peak)
        self.width = self.width or peak
        while self.width < peak:
            self.width *= 2
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(axis=1), np.zeros(NUM_BINS // 2, dtype=np.int64)])
        bins = np.minimum((found / self.width * NUM_BINS).astype(np.int64), NUM_BINS - 1)
        self.counts += np.bincount(bins, minlength=NUM_BINS)

    def limit(self, method: Method) -> float:
        """The range that a method chooses, at most the greatest magnitude."""
        total = int(self.counts.sum())
        if method.name == "max" or not total:
            return self.peak
        edges = self.width * np.arange(1, NUM_BINS + 1) / NUM_BINS
        if method.name == "percentile":
            reached = np.cumsum(self.counts) >= total * method.percentile / 100
            return min(self.peak, float(edges[int(np.argmax(reached))]))
        centres = edges - self.width / NUM_BINS / 2
        candidates = self.peak * np.arange(1, NUM_CANDIDATES + 1) / NUM_CANDIDATES
        excess = np.maximum(centres - candidates[:, None], 0.0)
        clipped = excess**2 @ self.counts
        rounded = total * (candidates / (1 << method.bits)) ** 2 / 12
        return float(candidates[int(np.argmin(clipped + rounded))])
