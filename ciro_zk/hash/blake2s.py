"""BLAKE2s-256 (RFC 7693) over arrays, with `hashlib`. A person (personalisation string) keeps the uses apart: leaf, node, work."""

from __future__ import annotations

from hashlib import blake2s

import numpy as np
from numpy.typing import NDArray

Digests = NDArray[np.uint8]

DIGEST_BYTES = 32
LEAF_PERSON = b"ciroleaf"
NODE_PERSON = b"cironode"
WORK_PERSON = b"cirowork"


def hash_leaf(column: bytes) -> bytes:
    """The digest of one column, its elements as little-endian 8-byte words."""
    return blake2s(column, person=LEAF_PERSON).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """The digest of an inner node of a tree."""
    return blake2s(left + right, person=NODE_PERSON).digest()


def hash_columns(matrix: NDArray[np.uint64]) -> Digests:
    """(rows, n) -> (n, 32): the digest of each column, its elements as little-endian 8-byte words."""
    rows, n = matrix.shape
    data = np.ascontiguousarray(matrix.T).astype("<u8", copy=False).tobytes()
    width = 8 * rows
    digests = b"".join([blake2s(data[i * width : (i + 1) * width], person=LEAF_PERSON).digest() for i in range(n)])
    return np.frombuffer(digests, dtype=np.uint8).reshape(n, DIGEST_BYTES).copy()


def hash_pairs(nodes: Digests) -> Digests:
    """(2 n, 32) -> (n, 32): the digest of nodes[2 i] || nodes[2 i + 1]."""
    n, width = nodes.shape[0] // 2, 2 * DIGEST_BYTES
    data = nodes.tobytes()
    digests = b"".join([blake2s(data[i * width : (i + 1) * width], person=NODE_PERSON).digest() for i in range(n)])
    return np.frombuffer(digests, dtype=np.uint8).reshape(n, DIGEST_BYTES).copy()


def check_work(state: bytes, nonce: int, bits: int) -> bool:
    """Whether the digest of state || nonce (8 bytes, little-endian), read as a little-endian integer, has its low `bits` bits zero."""
    if not 0 <= nonce < 2**64:
        return False
    digest = blake2s(state + nonce.to_bytes(8, "little"), person=WORK_PERSON).digest()
    return int.from_bytes(digest, "little") & ((1 << bits) - 1) == 0


def grind(state: bytes, bits: int) -> int:
    """The smallest nonce that `check_work` accepts."""
    prefix, mask = blake2s(state, person=WORK_PERSON), (1 << bits) - 1
    nonce = 0
    while True:
        attempt = prefix.copy()
        attempt.update(nonce.to_bytes(8, "little"))
        if int.from_bytes(attempt.digest(), "little") & mask == 0:
            return nonce
        nonce += 1
