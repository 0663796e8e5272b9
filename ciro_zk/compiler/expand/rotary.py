"""Rotary position embedding: pairs of cells turned by an angle that depends on the position.

(a, b) -> (a cos - b sin, a sin + b cos), as x * [cos, cos] + swapped(x) * [-sin, sin]
"""

from __future__ import annotations

import numpy as np

from ciro_zk.compiler.expand.parts import Kept, Parts, expands


@expands("RotaryEmbedding", 23)
def rotary_embedding(parts: Parts) -> None:
    """The tables of cosines and sines, and the positions, may be constant or computed."""
    shape = parts.shape(0)
    if len(shape) == 4:
        batch, heads, length, size = shape
        x = parts.add("Transpose", parts.name(0), perm=[0, 2, 1, 3])
    else:
        batch, length, hidden = shape
        heads = int(parts.attribute("num_heads", 0))
        if heads < 1 or hidden % heads:
            raise Kept(f"{heads} heads of {hidden} cells", "set num_heads")
        size = hidden // heads
        x = parts.reshape(parts.name(0), (batch, length, heads, size))
    turned = int(parts.attribute("rotary_embedding_dim", 0)) or size
    half = turned // 2
    tables = [parts.add("Gather", parts.name(i), parts.name(3), axis=0) if parts.has(3) else parts.name(i) for i in (1, 2)]
    cosine, sine = (parts.reshape(name, (batch, length, 1, half)) for name in tables)
    place = np.arange(turned)
    if parts.attribute("interleaved", 0):
        pair, partner, sign = place // 2, place ^ 1, 2 * (place % 2) - 1
    else:
        pair, partner, sign = place % half, (place + half) % turned, np.where(place < half, -1, 1)
    kind = parts.dtype(0)
    columns = parts.constant(pair, np.int64)
    straight = parts.add("Mul", _cells(parts, x, place, size), parts.add("Gather", cosine, columns, axis=3))
    signed = parts.add("Mul", parts.add("Gather", sine, columns, axis=3), parts.constant(sign, kind))
    crossed = parts.add("Mul", _cells(parts, x, partner, size), signed)
    result = parts.add("Add", straight, crossed)
    if turned < size:
        result = parts.add("Concat", result, _cells(parts, x, np.arange(turned, size), size), axis=3)
    if len(shape) == 4:
        parts.result("Transpose", result, perm=[0, 2, 1, 3])
    else:
        parts.reshape(result, shape, parts.node.output[0])


def _cells(parts: Parts, x: str, chosen: np.ndarray[tuple[int, ...], np.dtype[np.int64]], size: int) -> str:
    """Cells of the last of four axes."""
    if np.array_equal(chosen, np.arange(size)):
        return x
    return parts.add("Gather", x, parts.constant(chosen, np.int64), axis=3)
