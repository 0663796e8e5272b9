"""`NumbaKernels`: the fast implementation of `ciro_zk.kernels.Kernels`. Made by `ciro_zk.kernels.numba_kernels`; importing this module
imports Numba.

Large operations are split over a pool of threads (kernels run without the interpreter lock). Small ones, of which a small proof has about a
thousand, cost one allocation and one call.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ciro_zk import kernel_cache

kernel_cache.install()

from ciro_zk.field import arrays, ntt  # noqa: E402
from ciro_zk.field import goldilocks as gl  # noqa: E402
from ciro_zk.field import kernels as field  # noqa: E402
from ciro_zk.field.arrays import Extension  # noqa: E402
from ciro_zk.field.extension import Ext, P  # noqa: E402
from ciro_zk.field.goldilocks import GENERATOR, Base  # noqa: E402
from ciro_zk.hash import blake2s  # noqa: E402
from ciro_zk.hash import kernels as hashing  # noqa: E402
from ciro_zk.hash.blake2s import Digests  # noqa: E402
from ciro_zk.poly import fraction_kernels as fractions  # noqa: E402
from ciro_zk.poly import kernels as poly  # noqa: E402

COMPILE_SECONDS = 15
_GRAIN = 1 << 14
_LEAF = hashing.chain_start(blake2s.LEAF_PERSON)
_NODE = hashing.chain_start(blake2s.NODE_PERSON)
_WORK = hashing.chain_start(blake2s.WORK_PERSON)
_SHORT = 6
_WORDS = np.uint64


def warm() -> float:
    """Compile every kernel, or load it from the cache; returns the seconds it took. Later calls return at once."""
    started = time.perf_counter()
    if not kernel_cache.is_complete():
        folder = kernel_cache.cache_dir()
        sys.stderr.write(f"compiling kernels (first run, about {COMPILE_SECONDS} s; cached in {folder})\n")
    for dispatcher, arguments in field.REGISTRY:
        if not dispatcher.signatures:
            dispatcher.compile(arguments)
            dispatcher.disable_compile()
    if not kernel_cache.is_complete():
        kernel_cache.mark_complete()
    return time.perf_counter() - started


class _Code(NamedTuple):
    """What the transform of rows of one shape needs: see `ciro_zk.field.kernels.encode_columns`."""

    shift: Base
    powers: NDArray[np.uint64]
    step: Base
    z: Base
    reversal: NDArray[np.int64]
    row_reversal: NDArray[np.int64]
    columns: int


def _bit_reversal(log_n: int) -> NDArray[np.int64]:
    table = np.zeros(1, dtype=np.int64)
    for _ in range(log_n):
        table = np.concatenate([2 * table, 2 * table + 1])
    return table


@lru_cache(maxsize=32)
def _code(log_n: int, log_blowup: int) -> _Code:
    log_size = log_n + log_blowup
    if log_n < _SHORT:
        log_columns = 0
    else:
        log_columns = min(log_n, max(3, log_size // 2))
    log_rows = log_size - log_columns
    reversal = _bit_reversal(log_rows)
    # (7 W^i)^j for i in bit-reversed order: the powers j = 0, ..., 7, and the eighth, by which they grow from tile to tile
    base = gl.mul(gl.powers(ntt.root_of_unity(log_size), 1 << log_rows)[reversal], np.full(1, GENERATOR, dtype=np.uint64))
    powers = np.ones((1 << log_rows, 8), dtype=np.uint64)
    for j in range(1, 8):
        powers[:, j] = gl.mul(powers[:, j - 1], base)
    half = max(log_rows, log_columns, 1) - 1
    return _Code(
        shift=gl.powers(pow(GENERATOR, 1 << log_columns, P), 1 << (log_n - log_columns)),
        powers=powers,
        step=gl.mul(powers[:, 7].copy(), base),
        z=gl.powers(ntt.root_of_unity(half + 1), 1 << half)[_bit_reversal(half)],
        reversal=reversal,
        row_reversal=_bit_reversal(log_columns),
        columns=1 << log_columns,
    )


class NumbaKernels:
    """The compiled kernels, on `threads` threads. Byte for byte the results of `PlainKernels`."""

    name = "numba"

    def __init__(self, threads: int | None = None) -> None:
        if sys.byteorder != "little":
            raise OSError("the compiled kernels need a little-endian processor; use plain_kernels()")
        if threads is None:
            threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None
        warm()

    def __repr__(self) -> str:
        return f"NumbaKernels(threads={self.threads})"

    def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a kernel; where an array is not contiguous, call it on copies."""
        try:
            return function(*args)
        except TypeError:
            return function(*[np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in args])

    def _split(self, function: Callable[..., Any], n: int, work: int, *args: Any) -> list[Any]:
        """function(*args, start, stop) over [0, n), on several threads if n items at `work` units each are worth it; the results in
        order."""
        if self.threads == 1 or n * work < 2 * _GRAIN or n < 2:
            return [self._call(function, *args, 0, n)]
        parts = min(self.threads, n, n * work // _GRAIN)
        bounds = [n * i // parts for i in range(parts + 1)]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="ciro_zk")
        rest = [self._pool.submit(self._call, function, *args, bounds[i], bounds[i + 1]) for i in range(1, parts)]
        return [self._call(function, *args, 0, bounds[1])] + [future.result() for future in rest]

    # field

    def _elementwise(self, function: Callable[..., Any], plain: Callable[..., Base], a: Base, b: Base) -> Base:
        if a.ndim != 1 or a.shape != b.shape:
            if a.shape != b.shape:
                return plain(a, b)
            return self._elementwise(function, plain, a.reshape(-1), b.reshape(-1)).reshape(a.shape)
        out = np.empty_like(a, order="C")
        self._split(function, a.shape[0], 1, a, b, out)
        return out

    def add(self, a: Base, b: Base) -> Base:
        return self._elementwise(field.add_arrays, gl.add, a, b)

    def sub(self, a: Base, b: Base) -> Base:
        return self._elementwise(field.sub_arrays, gl.sub, a, b)

    def mul(self, a: Base, b: Base) -> Base:
        return self._elementwise(field.mul_arrays, gl.mul, a, b)

    def ext_mul(self, a: Extension, b: Extension) -> Extension:
        if a.ndim != 2 or a.shape != b.shape:
            return arrays.mul(a, b)
        out = np.empty(a.shape, _WORDS)
        self._split(field.ext_mul_arrays, a.shape[1], 4, a, b, out)
        return out

    def ext_mul_base(self, a: Extension, b: Base) -> Extension:
        if a.ndim != 2 or b.shape != a.shape[1:]:
            return arrays.mul_base(a, b)
        out = np.empty(a.shape, _WORDS)
        self._split(field.ext_mul_base_arrays, a.shape[1], 2, a, b, out)
        return out

    # multilinear

    def eq_table(self, point: Sequence[Ext]) -> Extension:
        if self.threads > 1 and len(point) >= 17:
            middle = len(point) // 2
            return self.outer(self.eq_table(point[:middle]), self.eq_table(point[middle:]))
        out = np.empty((2, 1 << len(point)), _WORDS)
        poly.eq_table(arrays.from_list(point), out)
        return out

    def eq_suffixes(self, point: Sequence[Ext]) -> list[Extension]:
        out = np.empty((4 << len(point)) - 2, _WORDS)
        poly.eq_suffixes(arrays.from_list(point), out)
        tables = [out[(2 << j) - 2 : (4 << j) - 2].reshape(2, 1 << j) for j in range(len(point) + 1)]
        return tables[::-1]

    def fold_stack(self, stack: NDArray[np.uint64], r: Ext) -> NDArray[np.uint64]:
        k, _, n = stack.shape
        out = np.empty((k, 2, n // 2), _WORDS)
        self._split(poly.fold_stack, n // 2, 4 * k, stack, _WORDS(r.c0), _WORDS(r.c1), out)
        return out

    def fold_base(self, values: Base, r: Ext) -> Extension:
        half = values.shape[0] // 2
        out = np.empty((2, half), _WORDS)
        self._split(poly.fold_base, half, 2, values, _WORDS(r.c0), _WORDS(r.c1), out)
        return out

    def inner_product(self, a: Extension, b: Extension) -> Ext:
        return _total(self._split(poly.inner_product, a.shape[1], 4, a, b))

    def inner_product_base(self, a: Extension, b: Base) -> Ext:
        return _total(self._split(poly.inner_product_base, a.shape[1], 2, a, b))

    def outer(self, a: Extension, b: Extension) -> Extension:
        n, m = a.shape[1], b.shape[1]
        out = np.empty((2, n * m), _WORDS)
        self._split(poly.outer, n, 4 * m, a, b, out)
        return out

    def add_outer(self, target: Extension, offset: int, a: Extension, b: Extension) -> None:
        a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
        n, m = a.shape[1], b.shape[1]

        # the kernel is called with the target itself, never with a copy: it is changed in place
        def rows(start: int, stop: int) -> None:
            poly.add_outer(target, offset, a, b, start, stop, 0, m)

        def columns(start: int, stop: int) -> None:
            poly.add_outer(target, offset, a, b, 0, n, start, stop)

        if n >= self.threads:
            self._split(rows, n, 4 * m)
        else:
            self._split(columns, m, 4 * n)

    def contract_rows(self, weights: Extension, matrix: Base) -> Extension:
        rows, columns = matrix.shape
        if columns >= poly.BLOCK * self.threads or self.threads == 1 or rows * columns < 2 * _GRAIN:
            out = np.empty((2, columns), _WORDS)
            self._split(poly.contract_rows, columns, 2 * rows, weights, matrix, out, 0, rows)
            return out

        def part(start: int, stop: int) -> Extension:
            out = np.empty((2, columns), _WORDS)
            self._call(poly.contract_rows, weights, matrix, out, start, stop, 0, columns)
            return out

        result, *rest = self._split(part, rows, 2 * columns)
        for other in rest:
            result = gl.add(result, other)
        return np.asarray(result)

    def contract_columns(self, matrix: Base, weights: Extension) -> Extension:
        rows, columns = matrix.shape
        out = np.empty((2, rows), _WORDS)
        if rows < self.threads and columns >= 2 * _GRAIN:
            for r in range(rows):
                value = self.inner_product_base(weights, matrix[r])
                out[0, r], out[1, r] = value.c0, value.c1
        else:
            self._split(poly.contract_columns, rows, 2 * columns, matrix, weights, out)
        return out

    def contract_axis(self, cells: NDArray[np.uint64], rows: NDArray[np.uint64]) -> Extension:
        parts, before, length, after = cells.shape
        count = rows.shape[0]
        if parts == before == count == 1:
            return self.contract_rows(rows[0], cells.reshape(length, after)).reshape(2, 1, 1, after)
        out = np.empty((2, before, count * after), _WORDS)
        self._split(poly.contract_axis, before, 2 * parts * count * length * after, cells.reshape(parts, -1), rows, out)
        return out.reshape(2, before, count, after)

    # sumcheck rounds

    def product_round(self, factors: NDArray[np.uint64]) -> list[Ext]:
        degree, _, n = factors.shape

        def part(start: int, stop: int) -> Extension:
            out = np.empty((2, degree + 1), _WORDS)
            self._call(poly.product_round, factors, out, start, stop)
            return out

        return _total_columns(self._split(part, n // 2, 4 * degree * degree))

    def fraction_layer(self, stack: NDArray[np.uint64]) -> NDArray[np.uint64]:
        n = stack.shape[2]
        out = np.empty((4, 2, n // 2), _WORDS)
        self._split(fractions.fraction_layer, n, 12, stack, out)
        return out

    def leaf_layer(self, numerators: Base, denominators: Extension) -> NDArray[np.uint64]:
        n = numerators.shape[0]
        out = np.empty((4, 2, n // 4), _WORDS)
        self._split(fractions.leaf_layer, n // 2, 8, numerators, denominators, out)
        return out

    def leaf_round(self, numerators: Base, denominators: Extension, eq_high: Extension, eq_low: Extension, batch: Ext) -> tuple[Ext, Ext]:
        s0, s1 = _WORDS(batch.c0), _WORDS(batch.c1)

        def part(start: int, stop: int) -> Extension:
            out = np.empty((2, 2), _WORDS)
            self._call(fractions.leaf_round, numerators, denominators, eq_high, eq_low, s0, s1, out, start, stop)
            return out

        constant, square = _total_columns(self._split(part, eq_high.shape[1], 28 * eq_low.shape[1]))
        return constant, square

    def fold_leaves(self, numerators: Base, denominators: Extension, r: Ext) -> NDArray[np.uint64]:
        n = numerators.shape[0]
        out = np.empty((4, 2, n // 4), _WORDS)
        self._split(fractions.fold_leaves, n // 4, 12, numerators, denominators, _WORDS(r.c0), _WORDS(r.c1), out)
        return out

    def leaf_term(
        self, target: Extension, offset: int, cells: Base, origin: int, box: NDArray[np.int64], weight: Ext, start: Ext | None
    ) -> None:
        # no copies here: the target is changed in place
        lengths = box[0].tolist()
        first = weight if start is None else start
        arguments = (*box, _WORDS(weight.c0), _WORDS(weight.c1), _WORDS(first.c0), _WORDS(first.c1), int(start is not None))
        rows, width = prod(lengths[:-1]), lengths[-1]
        self._split(fractions.leaf_term, rows, 4 * width, target, offset, np.ascontiguousarray(cells), origin, *arguments)

    def fraction_round(self, stack: NDArray[np.uint64], eq_high: Extension, eq_low: Extension, batch: Ext) -> tuple[Ext, Ext]:
        s0, s1 = _WORDS(batch.c0), _WORDS(batch.c1)

        def part(start: int, stop: int) -> Extension:
            out = np.empty((2, 2), _WORDS)
            self._call(fractions.fraction_round, stack, eq_high, eq_low, s0, s1, out, start, stop)
            return out

        constant, square = _total_columns(self._split(part, eq_high.shape[1], 32 * eq_low.shape[1]))
        return constant, square

    # code

    def encode_rows(self, message: Base, log_blowup: int) -> Base:
        rows, n = message.shape
        log_n = ntt.log2_exact(n)
        code = _code(log_n, log_blowup)
        size = n << log_blowup
        out = np.empty((rows, size), _WORDS)
        if log_n < _SHORT:
            groups = (rows + 7) // 8
            work = 8 * size * (log_n + 1)

            def part(start: int, stop: int) -> None:
                self._call(field.encode_short, message, code.shift, code.z, code.reversal, out, 8 * start, min(rows, 8 * stop))

            self._split(part, groups, work)
        elif rows >= self.threads or self.threads == 1 or size < _GRAIN:
            arguments = (message, code.shift, code.powers, code.step, code.z, code.reversal, code.row_reversal, out)
            self._split(field.encode_long, rows, size * 10, *arguments)
        else:
            middle = np.empty(size, _WORDS)
            for row, target in zip(np.ascontiguousarray(message), out, strict=True):
                self._encode_row(row, code, middle, target)
        return out

    def _encode_row(self, row: Base, code: _Code, middle: Base, out: Base) -> None:
        """One long row on all threads: tiles of columns, then tiles of rows."""

        def columns(start: int, stop: int) -> None:
            powers = code.powers
            if start:
                powers = gl.mul(powers, gl.power(code.step, start)[:, None])
            field.encode_columns(row, code.shift, powers, code.step, code.z, code.reversal, middle, code.columns, start, stop)

        self._split(columns, code.columns // 8, _GRAIN)
        self._split(field.encode_finish, code.step.shape[0] // 8, _GRAIN, middle, code.z, code.row_reversal, out, code.columns)

    # hash

    def hash_columns(self, matrix: Base) -> Digests:
        rows, n = matrix.shape
        out = np.empty((n, 8), np.uint32)

        def part(start: int, stop: int) -> None:
            self._call(hashing.hash_columns, matrix, _LEAF, out, 16 * start, min(n, 16 * stop))

        self._split(part, (n + 15) // 16, 16 * (rows + 8))
        return out.view(np.uint8)

    def hash_pairs(self, nodes: Digests) -> Digests:
        n = nodes.shape[0] // 2
        blocks = np.ascontiguousarray(nodes[: 2 * n]).view(np.uint32).reshape(n, 16)
        out = np.empty((n, 8), np.uint32)
        self._split(hashing.hash_blocks, n, 16, blocks, _NODE, out)
        return out.view(np.uint8)

    def grind(self, state: bytes, bits: int) -> int:
        if len(state) != blake2s.DIGEST_BYTES or not 0 <= bits <= 64:
            raise ValueError(f"grinding takes 32 bytes and at most 64 bits, got {len(state)} and {bits}")
        prefix = np.frombuffer(state, dtype="<u4")
        mask = _WORDS((1 << bits) - 1)
        chunk = 1 << 14
        nonce = 0
        while nonce < 2**64:
            chunks = self.threads

            def part(start: int, stop: int, nonce: int = nonce, chunk: int = chunk) -> list[int]:
                return [
                    int(hashing.grind(prefix, _WORK, mask, _WORDS(nonce + i * chunk), _WORDS(nonce + (i + 1) * chunk)))
                    for i in range(start, stop)
                ]

            found: list[int] = [value for values in self._split(part, chunks, _GRAIN) for value in values]
            for i, value in enumerate(found):
                if value < nonce + (i + 1) * chunk:
                    return value
            nonce += chunks * chunk
            chunk = min(2 * chunk, 1 << 20)
        raise ArithmeticError("no nonce of 64 bits has the work asked for")


def _total(parts: list[tuple[int, int]]) -> Ext:
    if len(parts) == 1:
        return Ext(int(parts[0][0]), int(parts[0][1]))
    return Ext(sum(int(p[0]) for p in parts) % P, sum(int(p[1]) for p in parts) % P)


def _total_columns(parts: list[Extension]) -> list[Ext]:
    if len(parts) == 1:
        return arrays.to_list(parts[0])
    return [_total(list(values)) for values in zip(*[zip(*part.tolist(), strict=True) for part in parts], strict=True)]
