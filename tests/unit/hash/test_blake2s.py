"""BLAKE2s over arrays, against hashlib and the RFC's construction."""

from __future__ import annotations

from hashlib import blake2s as reference

import numpy as np
import pytest

from ciro_zk.hash import blake2s


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 20])
def test_columns_are_little_endian_words(rows: int) -> None:
    matrix = np.random.default_rng(rows).integers(0, 2**64, (rows, 5), dtype=np.uint64)
    digests = blake2s.hash_columns(matrix)
    assert digests.shape == (5, 32) and digests.dtype == np.uint8
    for i in range(5):
        data = b"".join(int(x).to_bytes(8, "little") for x in matrix[:, i])
        assert digests[i].tobytes() == reference(data, person=b"ciroleaf").digest() == blake2s.hash_leaf(data)


def test_pairs() -> None:
    nodes = np.random.default_rng(1).integers(0, 256, (6, 32), dtype=np.uint8)
    digests = blake2s.hash_pairs(nodes)
    for i in range(3):
        left, right = nodes[2 * i].tobytes(), nodes[2 * i + 1].tobytes()
        assert digests[i].tobytes() == reference(left + right, person=b"cironode").digest() == blake2s.hash_node(left, right)


def test_grinding_finds_the_smallest_nonce() -> None:
    state = bytes(range(32))
    nonce = blake2s.grind(state, 6)
    assert blake2s.check_work(state, nonce, 6)
    assert not any(blake2s.check_work(state, i, 6) for i in range(nonce))
    digest = reference(state + nonce.to_bytes(8, "little"), person=b"cirowork").digest()
    assert digest[0] & 63 == 0


@pytest.mark.parametrize("nonce", [-1, 2**64])
def test_nonces_outside_64_bits_are_no_work(nonce: int) -> None:
    assert not blake2s.check_work(bytes(32), nonce, 0)


def test_persons_differ() -> None:
    assert len({blake2s.LEAF_PERSON, blake2s.NODE_PERSON, blake2s.WORK_PERSON}) == 3
