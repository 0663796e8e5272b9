"""Rates of the array kernels, beside the memory bandwidth of the same machine.

python benches/kernels.py [--threads 1] [--plain] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from ciro_zk import kernels as implementations
from ciro_zk.field.extension import Ext, P


def best(call: Callable[[], object], seconds: float = 0.3) -> float:
    """The least time of one call, over about `seconds`."""
    call()
    result, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        call()
        result = min(result, time.perf_counter() - started)
    return result


def measure(kernels: implementations.Kernels, log_n: int) -> list[tuple[str, float, str, float]]:
    """(what, rate, unit, seconds per call) for tables of 2^log_n elements and a few small ones."""
    rng = np.random.default_rng(1)
    n = 1 << log_n

    def words(*shape: int) -> np.ndarray:
        return rng.integers(0, P, shape, dtype=np.uint64)

    a, b, x, y = words(n), words(n), words(2, n), words(2, n)
    r = Ext(0x123456789ABCDEF0, 0xFEDCBA987654321)
    point = [Ext(i * i + 1, 3 * i) for i in range(log_n)]
    stack = words(4, 2, n)
    matrix = words(64, n // 64)
    high, low = words(2, 64), words(2, n // 128)
    wide = words(2, n // 64)
    rows = []

    def add(name: str, count: float, unit: str, call: Callable[[], object]) -> None:
        seconds = best(call)
        rows.append((name, count / seconds / 1e9, unit, seconds))

    copy = np.empty_like(a)
    add(f"copy 2^{log_n} words", 16 * n, "GB/s read + write", lambda: np.copyto(copy, a))
    add("add", n, "G/s", lambda: kernels.add(a, b))
    add("mul", n, "G/s", lambda: kernels.mul(a, b))
    add("ext_mul", n, "G/s", lambda: kernels.ext_mul(x, y))
    add("ext_mul_base", n, "G/s", lambda: kernels.ext_mul_base(x, a))
    add("eq_table", n, "G/s", lambda: kernels.eq_table(point))
    add("fold_stack, 1 table (folds)", n / 2, "G/s", lambda: kernels.fold_stack(x[None], r))
    add("fold_stack, 4 tables (folds)", 2 * n, "G/s", lambda: kernels.fold_stack(stack, r))
    add("fold_base (folds)", n / 2, "G/s", lambda: kernels.fold_base(a, r))
    add("inner_product", n, "G/s", lambda: kernels.inner_product(x, y))
    add("inner_product_base", n, "G/s", lambda: kernels.inner_product_base(x, a))
    add("outer", n, "G/s", lambda: kernels.outer(high, wide))
    add("contract_rows, 64 rows (cells)", n, "G/s", lambda: kernels.contract_rows(high, matrix))
    add("contract_columns, 64 rows (cells)", n, "G/s", lambda: kernels.contract_columns(matrix, x[:, : n // 64]))
    for degree in (1, 2, 3):
        add(f"product_round, degree {degree} (points)", n / 2, "G/s", lambda d=degree: kernels.product_round(stack[:d]))
    add("fraction_layer (outputs)", n, "G/s", lambda: kernels.fraction_layer(stack))
    add("fraction_round (points)", n / 2, "G/s", lambda: kernels.fraction_round(stack, high, low, r))
    for shape, blowup in (((1, n), 0), ((1, n >> 2), 2), ((64, n >> 8), 2), ((1024, n >> 12), 2)):
        m = words(*shape)
        name = f"encode_rows {shape[0]} x {shape[1]}, blow-up {1 << blowup} (values out)"
        add(name, n, "G/s", lambda m=m, s=blowup: kernels.encode_rows(m, s))
    add("hash_columns, 64 rows", 8 * n, "GB/s", lambda: kernels.hash_columns(matrix))
    leaves = rng.integers(0, 256, (n // 8, 32), dtype=np.uint8)
    add("hash_pairs", 4 * n, "GB/s", lambda: kernels.hash_pairs(leaves))
    nonce = kernels.grind(bytes(32), 18)
    add("grind (nonces)", nonce + 1, "G/s", lambda: kernels.grind(bytes(32), 18))
    s, t, u = words(2, 2, 64), words(2, 64), words(64)
    add("small: fold_stack (2, 2, 64)", 1, "G calls/s", lambda: kernels.fold_stack(s, r))
    add("small: product_round (2, 2, 64)", 1, "G calls/s", lambda: kernels.product_round(s))
    add("small: inner_product_base 64", 1, "G calls/s", lambda: kernels.inner_product_base(t, u))
    add("small: mul 64", 1, "G calls/s", lambda: kernels.mul(u, u))
    add("small: eq_table 2^6", 1, "G calls/s", lambda: kernels.eq_table(point[:6]))
    return rows


def main() -> None:
    """Print a table, or JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--log-n", type=int, default=20)
    parser.add_argument("--plain", action="store_true", help="measure the numpy implementation")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    started = time.perf_counter()
    kernels = implementations.plain_kernels() if options.plain else implementations.numba_kernels(options.threads)
    loading = time.perf_counter() - started
    rows = measure(kernels, options.log_n)
    if options.json:
        for name, rate, unit, seconds in rows:
            row = {"kernels": kernels.name, "threads": kernels.threads, "name": name, "rate": rate, "unit": unit, "seconds": seconds}
            print(json.dumps(row))
        return
    print(f"{kernels.name}, {kernels.threads} thread(s), loaded in {loading:.2f} s")
    for name, rate, unit, seconds in rows:
        print(f"{name:58} {rate:10.4f} {unit:20} {seconds * 1e3:10.4f} ms")


if __name__ == "__main__":
    main()
