"""Strides, pads and dilations of convolutions and pools, and the windows they make along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ciro_zk.compiler.lower.registry import NodeView, Refused
from ciro_zk.compiler.steps import Windows


@dataclass(frozen=True, slots=True)
class Settings:
    """Window geometry, one entry per spatial axis."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads_begin: tuple[int, ...]
    pads_end: tuple[int, ...]
    dilations: tuple[int, ...]


def settings(view: NodeView, spatial: Sequence[int], kernel: Sequence[int]) -> Settings:
    """The attributes of a node, `auto_pad` resolved."""
    rank = len(spatial)
    strides = tuple(int(v) for v in view.attribute("strides", [1] * rank))
    dilations = tuple(int(v) for v in view.attribute("dilations", [1] * rank))
    pads = [int(v) for v in view.attribute("pads", [0] * 2 * rank)]
    auto = view.attribute("auto_pad", "NOTSET")
    if auto == "VALID":
        pads = [0] * 2 * rank
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        for a in range(rank):
            reach = dilations[a] * (kernel[a] - 1) + 1
            total = max((-(-spatial[a] // strides[a]) - 1) * strides[a] + reach - spatial[a], 0)
            small, large = total // 2, total - total // 2
            pads[a], pads[rank + a] = (small, large) if auto == "SAME_UPPER" else (large, small)
    elif auto != "NOTSET":
        raise Refused(f"auto_pad {auto!r} is unknown")
    return Settings(tuple(int(k) for k in kernel), strides, tuple(pads[:rank]), tuple(pads[rank:]), dilations)


def windows(found: Settings, axis: int, length: int, count: int) -> tuple[Windows, tuple[int, ...], tuple[int, ...]]:
    """(real input cells of each window, how many there are, how many with the padding)."""
    cells, real, padded = [], [], []
    begin, end = found.pads_begin[axis], found.pads_end[axis]
    for i in range(count):
        start = i * found.strides[axis] - begin
        positions = [start + j * found.dilations[axis] for j in range(found.kernel[axis])]
        inside = tuple(p for p in positions if 0 <= p < length)
        if not inside:
            raise Refused("a window that holds padding only", "use pads smaller than the kernel")
        cells.append(inside)
        real.append(len(inside))
        padded.append(sum(1 for p in positions if p < length + end))
    return tuple(cells), tuple(real), tuple(padded)
