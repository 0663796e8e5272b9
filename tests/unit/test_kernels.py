"""One suite for both implementations of `Kernels`, and the compiled one against the plain one on shapes of every kind."""

from __future__ import annotations

import subprocess
import sys
from hashlib import blake2s
from typing import Any

import numpy as np
import pytest

from ciro_zk import kernels as implementations
from ciro_zk.field import arrays, goldilocks, ntt
from ciro_zk.field.extension import ONE, Ext, P, total
from ciro_zk.hash.blake2s import check_work
from ciro_zk.hash.merkle import MerkleTree, verify_multi
from ciro_zk.kernels import Kernels, numba_kernels, plain_kernels
from ciro_zk.poly import multilinear

EDGES = np.array([0, 1, 2, 2**32 - 1, 2**32, 2**63, (P - 1) // 2, P - 2**32, P - 2, P - 1], dtype=np.uint64)


@pytest.fixture(params=["plain", "numba", "numba, 2 threads"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return {"plain": plain_kernels, "numba": lambda: numba_kernels(1), "numba, 2 threads": lambda: numba_kernels(2)}[request.param]()


@pytest.fixture(params=[1, 2, 3])
def compiled(request: pytest.FixtureRequest) -> Kernels:
    return numba_kernels(request.param)


class Words:
    """Random canonical words, a fifth of them edge cases."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        values = self.rng.integers(0, P, shape, dtype=np.uint64)
        edges = self.rng.random(shape) < 0.2
        values[edges] = self.rng.choice(EDGES, int(edges.sum()))
        return values

    def scalar(self) -> Ext:
        c0, c1 = self(2).tolist()
        return Ext(c0, c1)


def same(compiled: Kernels, method: str, *args: Any) -> None:
    """The compiled kernel returns the plain one's bytes."""
    expected, actual = getattr(plain_kernels(), method)(*args), getattr(compiled, method)(*args)
    if isinstance(expected, np.ndarray):
        expected, actual = (expected,), (actual,)
    if isinstance(expected, tuple) and isinstance(expected[0], np.ndarray):
        for e, a in zip(expected, actual, strict=True):
            assert (a.dtype, a.shape) == (e.dtype, e.shape)
            assert a.flags.c_contiguous
            assert np.array_equal(a, e), method
    else:
        assert actual == expected, method


# --- each implementation against Python integers, hashlib and Horner ----------------------------------------------------------------------


def test_products_are_canonical_at_the_edges(kernels: Kernels) -> None:
    a, b = np.repeat(EDGES, len(EDGES)), np.tile(EDGES, len(EDGES))
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    assert kernels.mul(a, b).tolist() == [x * y % P for x, y in pairs]
    assert kernels.add(a, b).tolist() == [(x + y) % P for x, y in pairs]
    assert kernels.sub(a, b).tolist() == [(x - y) % P for x, y in pairs]


def test_products_just_above_p_are_canonical(kernels: Kernels) -> None:
    # x * 1 would be in p .. 2^64 without the last subtraction; P - k = (-k) * 1 and (-1) * k
    small = np.arange(1, 2**10, dtype=np.uint64)
    minus_one = np.full_like(small, P - 1)
    assert kernels.mul(minus_one, small).tolist() == [P - k for k in range(1, 2**10)]
    assert kernels.sub(np.zeros_like(small), small).tolist() == [P - k for k in range(1, 2**10)]
    assert kernels.add(kernels.sub(np.zeros_like(small), small), small).tolist() == [0] * len(small)
    # factors whose integer product modulo 2^64 or its reduction lies in p .. 2^64
    assert kernels.mul(np.array([2**32, 2**48, 2**63], dtype=np.uint64), np.array([2**32, 2**48, 2**33], dtype=np.uint64)).tolist() == [
        2**64 % P,
        2**96 % P,
        2**96 % P,
    ]


@pytest.mark.parametrize("s", [1, 8, 16, 31, 48])
def test_dividing_a_signed_multiple_by_a_power_of_two_is_exact(kernels: Kernels, s: int) -> None:
    bound = 2 ** min(62 - s, 40)
    q = np.concatenate([np.arange(-500, 500), np.random.default_rng(s).integers(-bound, bound, 1000)])
    q = q[np.abs(q) < bound]
    inverse = np.full(len(q), pow(pow(2, s, P), P - 2, P), dtype=np.uint64)
    product = kernels.mul(goldilocks.from_signed(q << s), inverse)
    assert goldilocks.to_signed(product).tolist() == q.tolist()


def test_extension_products(kernels: Kernels) -> None:
    words = Words(1)
    a, b = words(2, 37), words(2, 37)
    pairs = list(zip(arrays.to_list(a), arrays.to_list(b), strict=True))
    assert arrays.to_list(kernels.ext_mul(a, b)) == [x * y for x, y in pairs]
    assert arrays.to_list(kernels.ext_mul_base(a, b[0].copy())) == [x * y.c0 for x, y in pairs]
    assert kernels.inner_product(a, b) == total(x * y for x, y in pairs)
    assert kernels.inner_product_base(a, b[1].copy()) == total(x * y.c1 for x, y in pairs)


def test_folding_is_evaluation(kernels: Kernels) -> None:
    words = Words(2)
    point = [words.scalar() for _ in range(5)]
    stack, base = words(3, 2, 32), words(32)
    weights = kernels.eq_table(point)
    assert arrays.total(weights) == ONE
    folded, folded_base = stack, kernels.fold_base(base, point[0])
    for r in point:
        folded = kernels.fold_stack(folded, r)
    for k in range(3):
        assert arrays.get(folded[k], 0) == kernels.inner_product(weights, stack[k]) == multilinear.evaluate(stack[k], point)
    assert multilinear.evaluate(folded_base, point[1:]) == kernels.inner_product_base(weights, base)


def test_contractions_agree_with_each_other(kernels: Kernels) -> None:
    words = Words(3)
    matrix, left, right = words(19, 300), words(2, 19), words(2, 300)
    by_rows, by_columns = kernels.contract_rows(left, matrix), kernels.contract_columns(matrix, right)
    assert kernels.inner_product(by_rows, right) == kernels.inner_product(left, by_columns)
    assert arrays.get(by_rows, 7) == total(w * int(x) for w, x in zip(arrays.to_list(left), matrix[:, 7], strict=True))


def test_contracting_an_axis(kernels: Kernels) -> None:
    words = Words(5)
    cells, rows = words(2, 3, 7, 4), words(5, 2, 7)
    result = kernels.contract_axis(cells, rows)
    assert result.shape == (2, 3, 5, 4)
    line = [x * w for x, w in zip(arrays.to_list(cells[:, 1, :, 2]), arrays.to_list(rows[4]), strict=True)]
    assert arrays.get(result[:, 1, 4], 2) == total(line)
    assert arrays.get(kernels.contract_axis(cells[:1].copy(), rows)[:, 1, 4], 2) == total(
        w * int(x) for x, w in zip(cells[0, 1, :, 2], arrays.to_list(rows[4]), strict=True)
    )


def test_codewords_are_evaluations_and_linear(kernels: Kernels) -> None:
    words = Words(4)
    message = words(3, 128)
    code = kernels.encode_rows(message, 2)
    for position in (0, 1, 100, 511):
        x, value = ntt.evaluation_point(9, position), 0
        for c in reversed(message[1].tolist()):
            value = (value * x + c) % P
        assert int(code[1, position]) == value
    assert np.array_equal(kernels.encode_rows(goldilocks.add(message[:1], message[1:2]), 2), goldilocks.add(code[:1], code[1:2]))


def test_hashes_are_hashlib(kernels: Kernels) -> None:
    matrix = np.random.default_rng(5).integers(0, 2**64, (11, 20), dtype=np.uint64)
    digests = kernels.hash_columns(matrix)
    assert digests[19].tobytes() == blake2s(matrix[:, 19].astype("<u8").tobytes(), person=b"ciroleaf").digest()
    nodes = kernels.hash_pairs(digests)
    assert nodes[9].tobytes() == blake2s(digests[18:20].tobytes(), person=b"cironode").digest()


@pytest.mark.parametrize("bits", [0, 1, 5, 12])
def test_grinding_returns_the_smallest_nonce(kernels: Kernels, bits: int) -> None:
    for seed in range(4):
        state = blake2s(bytes([seed])).digest()
        nonce = kernels.grind(state, bits)
        assert nonce == next(i for i in range(1 << 30) if check_work(state, i, bits))


def test_trees_open(kernels: Kernels) -> None:
    tree = MerkleTree(kernels.hash_columns(Words(6)(3, 64)), kernels)
    positions = [0, 1, 17, 40, 63]
    verify_multi(tree.root, 6, positions, tree.levels[0][positions], tree.open(positions))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 7), (1, 40_000), (40_000, 1), (300, 200)])
def test_add_outer_is_in_place(kernels: Kernels, n: int, m: int) -> None:
    words = Words(7)
    target, a, b = words(2, n * m + 20), words(2, n), words(2, m)
    expected = target.copy()
    expected[:, 9 : 9 + n * m] = goldilocks.add(expected[:, 9 : 9 + n * m], multilinear.outer(a, b))
    kernels.add_outer(target, 9, a, b)
    assert np.array_equal(target, expected)


# --- the compiled implementation against the plain one ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 9, 31, 100, 1001, 40_000])
def test_elementwise_and_sums(compiled: Kernels, n: int) -> None:
    words = Words(n)
    for method in ("add", "sub", "mul"):
        same(compiled, method, words(n), words(n))
    same(compiled, "ext_mul", words(2, n), words(2, n))
    same(compiled, "ext_mul_base", words(2, n), words(n))
    same(compiled, "inner_product", words(2, n), words(2, n))
    same(compiled, "inner_product_base", words(2, n), words(n))
    for m in (1, 2, 5):
        same(compiled, "outer", words(2, n), words(2, m))
        same(compiled, "outer", words(2, m), words(2, n))
        same(compiled, "contract_rows", words(2, n), words(n, m))
        same(compiled, "contract_rows", words(2, m), words(m, n))
        same(compiled, "contract_columns", words(n, m), words(2, m))
        same(compiled, "contract_columns", words(m, n), words(2, n))
        for parts, before, after in ((1, 1, m), (1, m, 1), (2, 1, m), (2, m, 3)):
            same(compiled, "contract_axis", words(parts, before, n, after), words(3, 2, n))
            same(compiled, "contract_axis", words(parts, before, n, after), words(1, 2, n))


@pytest.mark.parametrize("n", [2, 4, 6, 16, 34, 514, 4096, 1 << 16])
def test_tables_and_rounds(compiled: Kernels, n: int) -> None:
    words = Words(n)
    for k in (1, 2, 5):
        same(compiled, "fold_stack", words(k, 2, n), words.scalar())
    same(compiled, "fold_base", words(n), words.scalar())
    for degree in (1, 2, 3, 4, 5):
        same(compiled, "product_round", words(degree, 2, n))
    same(compiled, "fraction_layer", words(4, 2, n))
    same(compiled, "leaf_layer", words(2 * n), words(2, 2 * n))
    same(compiled, "fold_leaves", words(2 * n), words(2, 2 * n), words.scalar())
    for m in {m for m in (1, 2, 16, n // 2) if n // 2 % m == 0}:
        same(compiled, "fraction_round", words(4, 2, n), words(2, n // 2 // m), words(2, m), words.scalar())
        same(compiled, "leaf_round", words(2 * n), words(2, 2 * n), words(2, n // 2 // m), words(2, m), words.scalar())


@pytest.mark.parametrize("k", [0, 1, 2, 3, 7, 12, 17])
def test_eq_tables(compiled: Kernels, k: int) -> None:
    words = Words(k)
    same(compiled, "eq_table", [words.scalar() for _ in range(k)])


@pytest.mark.parametrize("log_n", range(14))
def test_codes(compiled: Kernels, log_n: int) -> None:
    words = Words(log_n)
    for rows in (1, 2, 5, 8, 17) if log_n < 10 else (1, 3):
        for log_blowup in (0, 1, 2, 4):
            same(compiled, "encode_rows", words(rows, 1 << log_n), log_blowup)


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 15, 16, 17, 100])
def test_column_hashes(compiled: Kernels, rows: int) -> None:
    rng = np.random.default_rng(rows)
    for n in (1, 2, 15, 16, 17, 33, 700):
        same(compiled, "hash_columns", rng.integers(0, 2**64, (rows, n), dtype=np.uint64))


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 33, 5000])
def test_pair_hashes(compiled: Kernels, n: int) -> None:
    same(compiled, "hash_pairs", np.random.default_rng(n).integers(0, 256, (2 * n, 32), dtype=np.uint8))


@pytest.mark.parametrize("bits", [0, 3, 10, 17])
def test_grinding(compiled: Kernels, bits: int) -> None:
    for seed in range(2):
        same(compiled, "grind", blake2s(bytes([bits, seed])).digest(), bits)


def test_grinding_refuses_other_lengths() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        numba_kernels(1).grind(bytes(31), 4)


@pytest.mark.parametrize("k", [0, 1, 2, 3, 7, 12])
def test_eq_suffixes(compiled: Kernels, k: int) -> None:
    words = Words(k)
    point = [words.scalar() for _ in range(k)]
    tables = compiled.eq_suffixes(point)
    assert len(tables) == k + 1
    for i, table in enumerate(tables):
        np.testing.assert_array_equal(table, plain_kernels().eq_table(point[i:]))
        np.testing.assert_array_equal(table, plain_kernels().eq_suffixes(point)[i])


BOXES = [
    ([[5], [1], [1]], 3, 4),
    ([[3, 4], [5, 1], [4, 1]], 2, 8),
    ([[3, 2, 5], [20, 7, 1], [2, 1, 8]], 0, 3),
    ([[9000, 8], [8, 1], [8, 1]], 0, 0),
]


@pytest.mark.parametrize(("box", "origin", "offset"), BOXES)
def test_leaf_terms(compiled: Kernels, box: list[list[int]], origin: int, offset: int) -> None:
    words, size = Words(origin), 1 << 17
    target, cells, weight, start = words(2, size), words(size), words.scalar(), words.scalar()
    for first in (start, None):
        results = []
        for kernels in (compiled, numba_kernels(2), plain_kernels()):
            results.append(target.copy())
            kernels.leaf_term(results[-1], offset, cells, origin, np.array(box), weight, first)
        for result in results:
            np.testing.assert_array_equal(result, results[2])
        changed = [(offset + int(np.dot(index, box[2])), origin + int(np.dot(index, box[1]))) for index in np.ndindex(*box[0])]
        untouched = np.ones(size, dtype=bool)
        untouched[[leaf for leaf, _ in changed]] = False
        np.testing.assert_array_equal(results[2][:, untouched], target[:, untouched])
        for leaf, cell in changed[:20]:
            before = arrays.get(target, leaf) if first is None else first
            assert arrays.get(results[2], leaf) == before - weight * int(cells[cell])


def test_views_and_read_only_arrays_are_taken(compiled: Kernels) -> None:
    words = Words(8)
    wide = words(5, 2, 64)
    wide.flags.writeable = False
    r = words.scalar()
    same(compiled, "mul", wide[0, 0, ::2], wide[0, 1, ::2])
    same(compiled, "ext_mul", wide[1, :, 8:24], wide[2, :, 8:24])
    same(compiled, "fold_stack", wide[:, :, :32], r)
    same(compiled, "fold_base", wide[0, 0], r)
    same(compiled, "product_round", wide[::2, :, 16:48])
    same(compiled, "fraction_layer", wide[1:, :, :8])
    same(compiled, "leaf_layer", wide[0, 0, ::2], wide[1, :, :32])
    same(compiled, "fold_leaves", wide[0, 0, ::2], wide[1, :, :32], r)
    same(compiled, "leaf_round", wide[0, 0, ::2], wide[1, :, :32], wide[0, :, :2], wide[0, :, :4], r)
    same(compiled, "fraction_round", wide[1:, :, :16], wide[0, :, :2], wide[0, :, :4], r)
    same(compiled, "contract_rows", wide[0, :, :5], wide[:, 0])
    same(compiled, "contract_columns", wide[:, 0], wide[0])
    same(compiled, "encode_rows", wide[:, 1], 2)
    same(compiled, "hash_columns", wide[:, 1])
    same(compiled, "add", wide[0], wide[1])


def test_large_arrays_on_threads() -> None:
    words, compiled = Words(9), numba_kernels(2)
    same(compiled, "encode_rows", words(1, 1 << 15), 1)
    same(compiled, "contract_rows", words(2, 3), words(3, 1 << 15))
    same(compiled, "contract_rows", words(2, 1 << 15), words(1 << 15, 3))
    same(compiled, "contract_columns", words(1, 1 << 16), words(2, 1 << 16))
    same(compiled, "hash_columns", words(3, 1 << 14))


def test_sums_of_the_largest_products(compiled: Kernels) -> None:
    a = np.full((2, 1 << 12), P - 1, dtype=np.uint64)
    same(compiled, "inner_product", a, a)
    same(compiled, "inner_product_base", a, a[0])
    same(compiled, "ext_mul", a, a)
    same(compiled, "fraction_layer", np.stack([a, a, a, a]))
    same(compiled, "leaf_layer", a[0], a)
    same(compiled, "product_round", np.stack([a, a, a]))
    same(compiled, "contract_rows", a[:, :64], a.reshape(64, -1))


# --- types --------------------------------------------------------------------------------------------------------------------------------


def caller(f: Any, arity: int) -> Any:
    return {
        1: lambda a: f(a),
        2: lambda a, b: f(a, b),
        4: lambda a, b, c, d: f(a, b, c, d),
        6: lambda a, b, c, d, e, g: f(a, b, c, d, e, g),
        8: lambda a, b, c, d, e, g, h, i: f(a, b, c, d, e, g, h, i),
    }[arity]


def test_scalar_functions_are_uint64_and_nothing_else() -> None:
    numba_kernels(1)
    from numba import int64, njit, types, uint64
    from numba.core.errors import TypingError

    from ciro_zk.field import kernels as field

    pair = types.UniTuple(uint64, 2)
    for function, arity, result in (
        (field.add, 2, uint64),
        (field.sub, 2, uint64),
        (field.mul, 2, uint64),
        (field.mul_7, 1, uint64),
        (field.reduce, 2, uint64),
        (field.from_limb_sums, 2, uint64),
        (field.dot, 4, uint64),
        (field.from_columns, 4, uint64),
        (field.ext_mul, 4, pair),
        (field.ext_mul_mul, 8, pair),
        (field.multiply_add, 6, types.UniTuple(uint64, 4)),
    ):
        call = njit(caller(function, arity))
        call.compile((uint64,) * arity)
        assert [s.return_type for s in call.nopython_signatures] == [result]
        with pytest.raises(TypingError):
            call.compile((uint64,) * (arity - 1) + (int64,))


def test_kernels_that_return_sums_return_uint64() -> None:
    numba_kernels(1)
    from numba import types, uint64

    from ciro_zk.field.kernels import REGISTRY

    pair = types.UniTuple(uint64, 2)
    returned = {d.__name__: {s.return_type for s in d.nopython_signatures} for d, _ in REGISTRY}
    scalars = {name: kinds for name, kinds in returned.items() if kinds != {types.none}}
    sums = ("product_sum", "inner_product", "inner_product_base", "block_sum")
    assert scalars == {"grind": {uint64}, **{name: {pair} for name in sums}}


def test_unknown_types_are_refused_not_compiled() -> None:
    with pytest.raises(TypeError):
        numba_kernels(1).mul(np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.int64))


def test_plain_kernels_import_no_numba() -> None:
    code = "import sys, ciro_zk.kernels as k; k.plain_kernels(); sys.exit('numba' in sys.modules or 'llvmlite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_threads_are_checked() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        numba_kernels(0)
    assert numba_kernels().threads >= 1
    assert implementations.warm() >= 0
