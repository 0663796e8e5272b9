"""A grey image as text."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def draw(image: NDArray[Any], *, unicode: bool = True) -> list[str]:
    """The lines of a drawing of `image` `(rows, columns)`: two pixels per character with half blocks, else one with ASCII."""
    dark = image > (float(image.max()) + float(image.min())) / 2
    if not unicode:
        return ["".join("##" if pixel else "  " for pixel in row).rstrip() for row in dark.tolist()]
    rows = dark.tolist()
    if len(rows) % 2:
        rows.append([False] * dark.shape[1])
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return ["".join(_HALVES[above, below] for above, below in zip(top, bottom, strict=True)).rstrip() for top, bottom in pairs]


def cropped(lines: list[str]) -> list[str]:
    """Without empty lines above and below."""
    filled = [number for number, line in enumerate(lines) if line]
    return lines[filled[0] : filled[-1] + 1] if filled else []
