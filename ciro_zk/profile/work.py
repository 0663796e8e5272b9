"""What one call of each kernel costs, from the sizes of its arguments.

Multiplications are those of the kernel's definition, not of an implementation: base x base counts 1, base x extension 2 of the base
field, extension x extension 1 of the extension field (whose implementations take 3 or 4 of the base field and a multiplication by 7).
Additions are counted for the kernels that do nothing else. Bytes are what a hash function reads, its padding aside.

    fold_stack        k n/2 extension          product_round    (d + 1)(d - 1) n/2 extension      eq_table       2^k - 1 extension
    fraction_layer    3 n extension            fraction_round   8 n/2 + 2 blocks extension        contract_*     2 R C base
    leaf_layer        2 n base, n/2 extension  leaf_round       n base, 3 n/2 + 2 blocks ext.     eq_suffixes    2^k - 1 extension
    fold_leaves       n base, n/2 extension    leaf_term        2 cells base
    contract_axis     k lines of length n, on c coordinates: 2 c n base a line, and 1 for c = 2
    encode_rows       rows N (1 + log2(n) / 2) base, N = n 2^blowup: the coset's powers and 2^blowup transforms of length n
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.field.extension import Ext, P

NONCE_INPUT_BYTES = 40
NODE_INPUT_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Counts of some kernel calls."""

    calls: int = 0
    base: int = 0
    """Multiplications in the base field."""
    ext: int = 0
    """Multiplications in the extension field."""
    adds: int = 0
    """Elements of add and sub."""
    hashed: int = 0
    """Bytes hashed."""

    def __add__(self, other: Work) -> Work:
        return Work(
            calls=self.calls + other.calls,
            base=self.base + other.base,
            ext=self.ext + other.ext,
            adds=self.adds + other.adds,
            hashed=self.hashed + other.hashed,
        )

    def times(self, count: int) -> Work:
        """The same calls, `count` times."""
        return Work(
            calls=self.calls * count, base=self.base * count, ext=self.ext * count, adds=self.adds * count, hashed=self.hashed * count
        )

    @property
    def units(self) -> int:
        """What a kernel's rate is measured in: bytes, else multiplications, else additions (no kernel has two of them)."""
        return self.hashed or self.base + self.ext or self.adds


def encode_work(rows: int, n: int, log_blowup: int) -> Work:
    """One `encode_rows`."""
    size = rows * n << log_blowup
    return Work(calls=1, base=size + size * (n.bit_length() - 1) // 2)


def contract_work(parts: int, before: int, length: int, after: int, count: int) -> Work:
    """One `contract_axis`: `count` sums of every line of the axis, and for extension cells (2 parts) a multiplication by 7 each."""
    lines = before * after * count
    return Work(calls=1, base=2 * parts * lines * length + (lines if parts == 2 else 0))


def grind_work(attempts: int) -> Work:
    """One `grind` that tried so many nonces."""
    return Work(calls=1, hashed=NONCE_INPUT_BYTES * attempts)


Dims = tuple[int, ...]
Random = Callable[..., NDArray[np.uint64]]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A method of `Kernels`: its sizes from its arguments, its work and sample arguments from its sizes, and sizes large enough for its
    best rate."""

    dims: Callable[..., Dims]
    work: Callable[..., Work]
    sample: Callable[..., tuple[Any, ...]]
    """Called with a maker of random words by shape, then the sizes."""
    bulk: Dims


_R = Ext(0x123456789ABCDEF0, 0xFEDCBA987654321)


def _one(a: Any, *_: Any) -> Dims:
    return (int(a.size),)


def _last(a: Any, *_: Any) -> Dims:
    return (int(a.shape[-1]),)


def _shape(a: Any, *_: Any) -> Dims:
    return tuple(a.shape)


def _point(count: int) -> list[Ext]:
    return [Ext(i * i + 5, 3 * i) for i in range(count)]


def _digests(n: int) -> NDArray[np.uint8]:
    return np.arange(64 * n, dtype=np.uint64).astype(np.uint8).reshape(2 * n, 32)


KERNELS: dict[str, Kernel] = {
    "add": Kernel(_one, lambda n: Work(calls=1, adds=n), lambda w, n: (w(n), w(n)), (1 << 18,)),
    "sub": Kernel(_one, lambda n: Work(calls=1, adds=n), lambda w, n: (w(n), w(n)), (1 << 18,)),
    "mul": Kernel(_one, lambda n: Work(calls=1, base=n), lambda w, n: (w(n), w(n)), (1 << 18,)),
    "ext_mul": Kernel(_last, lambda n: Work(calls=1, ext=n), lambda w, n: (w(2, n), w(2, n)), (1 << 18,)),
    "ext_mul_base": Kernel(_last, lambda n: Work(calls=1, base=2 * n), lambda w, n: (w(2, n), w(n)), (1 << 18,)),
    "eq_table": Kernel(lambda p: (len(p),), lambda k: Work(calls=1, ext=(1 << k) - 1), lambda w, k: (_point(k),), (18,)),
    "fold_stack": Kernel(
        lambda s, r: (s.shape[0], s.shape[2]), lambda k, n: Work(calls=1, ext=k * n // 2), lambda w, k, n: (w(k, 2, n), _R), (4, 1 << 17)
    ),
    "fold_base": Kernel(_one, lambda n: Work(calls=1, base=n), lambda w, n: (w(n), _R), (1 << 19,)),
    "inner_product": Kernel(_last, lambda n: Work(calls=1, ext=n), lambda w, n: (w(2, n), w(2, n)), (1 << 18,)),
    "inner_product_base": Kernel(_last, lambda n: Work(calls=1, base=2 * n), lambda w, n: (w(2, n), w(n)), (1 << 18,)),
    "outer": Kernel(
        lambda a, b: (a.shape[1], b.shape[1]),
        lambda n, m: Work(calls=1, ext=n * m),
        lambda w, n, m: (w(2, n), w(2, m)),
        (1 << 6, 1 << 12),
    ),
    "add_outer": Kernel(
        lambda target, offset, a, b: (a.shape[1], b.shape[1]),
        lambda n, m: Work(calls=1, ext=n * m),
        lambda w, n, m: (w(2, n * m), 0, w(2, n), w(2, m)),
        (1 << 6, 1 << 12),
    ),
    "contract_rows": Kernel(
        lambda weights, matrix: matrix.shape,
        lambda r, c: Work(calls=1, base=2 * r * c),
        lambda w, r, c: (w(2, r), w(r, c)),
        (64, 1 << 13),
    ),
    "contract_columns": Kernel(
        lambda matrix, weights: matrix.shape,
        lambda r, c: Work(calls=1, base=2 * r * c),
        lambda w, r, c: (w(r, c), w(2, c)),
        (64, 1 << 13),
    ),
    "contract_axis": Kernel(
        lambda cells, rows: (*cells.shape, rows.shape[0]),
        contract_work,
        lambda w, c, before, length, after, k: (w(c, before, length, after), w(k, 2, length)),
        (2, 64, 32, 32, 3),
    ),
    "product_round": Kernel(
        lambda f: (f.shape[0], f.shape[2]),
        lambda d, n: Work(calls=1, ext=(d + 1) * (d - 1) * n // 2),
        lambda w, d, n: (w(d, 2, n),),
        (2, 1 << 18),
    ),
    "eq_suffixes": Kernel(lambda p: (len(p),), lambda k: Work(calls=1, ext=(1 << k) - 1), lambda w, k: (_point(k),), (16,)),
    "leaf_term": Kernel(
        lambda target, offset, cells, origin, box, weight, start: (int(box[0].prod()),),
        lambda n: Work(calls=1, base=2 * n),
        lambda w, n: (w(2, n), 0, w(n), 0, np.array([[n], [1], [1]]), _R, None),
        (1 << 16,),
    ),
    "leaf_layer": Kernel(_one, lambda n: Work(calls=1, base=2 * n, ext=n // 2), lambda w, n: (w(n), w(2, n)), (1 << 18,)),
    "leaf_round": Kernel(
        lambda numerators, denominators, high, low, batch: (numerators.shape[0], high.shape[1]),
        lambda n, blocks: Work(calls=1, base=n, ext=3 * n // 2 + 2 * blocks),
        lambda w, n, blocks: (w(n), w(2, n), w(2, blocks), w(2, n // 4 // blocks), _R),
        (1 << 18, 1 << 8),
    ),
    "fold_leaves": Kernel(_one, lambda n: Work(calls=1, base=n, ext=n // 2), lambda w, n: (w(n), w(2, n), _R), (1 << 18,)),
    "fraction_layer": Kernel(_last, lambda n: Work(calls=1, ext=3 * n), lambda w, n: (w(4, 2, n),), (1 << 17,)),
    "fraction_round": Kernel(
        lambda stack, high, low, batch: (stack.shape[2], high.shape[1]),
        lambda n, blocks: Work(calls=1, ext=4 * n + 2 * blocks),
        lambda w, n, blocks: (w(4, 2, n), w(2, blocks), w(2, n // 2 // blocks), _R),
        (1 << 17, 1 << 8),
    ),
    "encode_rows": Kernel(
        lambda message, log_blowup: (*message.shape, log_blowup), encode_work, lambda w, rows, n, b: (w(rows, n), b), (16, 1 << 13, 2)
    ),
    "hash_columns": Kernel(_shape, lambda rows, n: Work(calls=1, hashed=8 * rows * n), lambda w, rows, n: (w(rows, n),), (64, 1 << 14)),
    "hash_pairs": Kernel(
        lambda nodes: (nodes.shape[0] // 2,), lambda n: Work(calls=1, hashed=NODE_INPUT_BYTES * n), lambda w, n: (_digests(n),), (1 << 16,)
    ),
    "grind": Kernel(lambda state, bits: (bits,), lambda bits: grind_work(1 << bits), lambda w, bits: (bytes(32), bits), (18,)),
}


def random_words(seed: int) -> Random:
    """A maker of random field elements by shape."""
    rng = np.random.default_rng(seed)

    def words(*shape: int) -> NDArray[np.uint64]:
        return rng.integers(0, P, shape, dtype=np.uint64)

    return words
