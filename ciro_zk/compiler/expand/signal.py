"""Fourier transforms as products with constant matrices: speech models' spectrograms.

    X_k = sum_n x_n e^(-+ 2 pi i n k / N), real and imaginary parts in the last axis

Windows and mel matrices are constants of the model, folded.
"""

from __future__ import annotations

from math import prod

import numpy as np

from ciro_zk.compiler.expand.parts import Kept, Parts, expands
from ciro_zk.compiler.steps import Floats

MAX_LENGTH = 1 << 12


def transform(length: int, width: int, parts_in: int, *, inverse: bool, onesided: bool) -> Floats:
    """(length * parts_in, bins * parts_out): `length` cells, cut or padded with zeros to `width`, of one or two parts each."""
    if max(length, width) > MAX_LENGTH:
        raise Kept(f"a Fourier transform of {max(length, width)} cells", f"at most {MAX_LENGTH}")
    units = np.eye(length, dtype=np.complex128)
    rows = np.stack([units, 1j * units], axis=1).reshape(-1, length) if parts_in == 2 else units
    if inverse and onesided:
        return np.asarray(np.fft.irfft(rows, n=width, axis=-1))
    found = np.fft.ifft(rows, n=width, axis=-1) if inverse else np.fft.fft(rows, n=width, axis=-1)
    if onesided:
        found = found[:, : width // 2 + 1]
    return np.stack([found.real, found.imag], axis=-1).reshape(len(rows), -1)


@expands("DFT", 17, 20)
def dft(parts: Parts) -> None:
    """Along one axis, of real or complex numbers, cut or padded to a constant length."""
    shape = parts.shape(0)
    rank = len(shape)
    inverse, onesided = bool(parts.attribute("inverse", 0)), bool(parts.attribute("onesided", 0))
    if parts.opset >= 20:
        axis = int(parts.array(2).reshape(-1)[0]) if parts.has(2) else -2
    else:
        axis = int(parts.attribute("axis", 1))
    axis %= rank
    length = shape[axis]
    width = int(parts.array(1).reshape(-1)[0]) if parts.has(1) else 2 * (length - 1) if inverse and onesided else length
    matrix = transform(length, width, shape[-1], inverse=inverse, onesided=onesided)
    order = [a for a in range(rank - 1) if a != axis] + [axis, rank - 1]
    lead = [shape[a] for a in order[:-2]]
    rows = parts.reshape(parts.add("Transpose", parts.name(0), perm=order), (*lead, length * shape[-1]))
    product = parts.add("MatMul", rows, parts.constant(matrix, parts.dtype(0)))
    last = 1 if inverse and onesided else 2
    wide = parts.reshape(product, (*lead, matrix.shape[1] // last, last))
    parts.result("Transpose", wide, perm=[order.index(a) for a in range(rank)])


@expands("STFT", 17)
def stft(parts: Parts) -> None:
    """Frames of the signal, times the window, transformed: one product."""
    shape = parts.shape(0)
    signal, depth = shape[1], shape[2] if len(shape) > 2 else 1
    step = int(parts.array(1).reshape(-1)[0])
    window = parts.array(2).astype(np.float64) if parts.has(2) else None
    width = int(parts.array(3).reshape(-1)[0]) if parts.has(3) else len(window) if window is not None else signal
    frames = 1 + (signal - width) // step
    onesided = bool(parts.attribute("onesided", 1)) and depth == 1
    matrix = transform(width, width, depth, inverse=False, onesided=onesided)
    if window is not None:
        if len(window) != width:
            raise Kept(f"a window of {len(window)} cells for frames of {width}", "give a window of the frames' length")
        matrix = matrix * np.repeat(window, depth)[:, None]
    cells = (np.arange(frames)[:, None] * step + np.arange(width)).reshape(-1)
    flat = parts.reshape(parts.name(0), (shape[0], signal, depth))
    cut = parts.reshape(parts.add("Gather", flat, parts.constant(cells, np.int64), axis=1), (shape[0], frames, width * depth))
    product = parts.add("MatMul", cut, parts.constant(matrix, parts.dtype(0)))
    parts.reshape(product, (shape[0], frames, matrix.shape[1] // 2, 2), parts.node.output[0])


@expands("Col2Im", 18)
def col2im(parts: Parts) -> None:
    """The sum over a block's cells of the blocks that hold each cell of the image."""
    shape = parts.shape(0)
    image, block = ([int(v) for v in parts.array(i)] for i in (1, 2))
    rank, count = len(image), prod(block)
    strides, dilations = (list(parts.attribute(name) or [1] * rank) for name in ("strides", "dilations"))
    pads = list(parts.attribute("pads") or [0] * 2 * rank)
    places = [(image[a] + pads[a] + pads[rank + a] - dilations[a] * (block[a] - 1) - 1) // strides[a] + 1 for a in range(rank)]
    if prod(places) != shape[2] or shape[1] % count:
        raise Kept(f"{shape[2]} blocks of {shape[1]} cells for an image of {image}", "export the model again")
    planes = shape[0] * shape[1] // count
    columns = parts.reshape(parts.name(0), (planes, count, shape[2]))
    zero = parts.constant(np.zeros((planes, count, 1)), parts.dtype(0))
    padded = parts.add("Concat", columns, zero, axis=2)
    pieces = []
    for k, offset in enumerate(np.ndindex(*block)):
        index = np.zeros(image, dtype=np.int64)
        inside = np.ones(image, dtype=bool)
        for a, cells in enumerate(np.indices(image)):
            moved = cells + pads[a] - offset[a] * dilations[a]
            inside &= (moved % strides[a] == 0) & (moved >= 0) & (moved // strides[a] < places[a])
            index = index * places[a] + moved // strides[a]
        chosen = np.where(inside, index, shape[2]).reshape(-1)
        plane = parts.add("Gather", padded, parts.constant(k, np.int64), axis=1)
        pieces.append(parts.add("Gather", plane, parts.constant(chosen, np.int64), axis=1))
    total = parts.add("Sum", *pieces) if len(pieces) > 1 else pieces[0]
    parts.reshape(total, (shape[0], shape[1] // count, *image), parts.node.output[0])
