"""BLAKE2s-256 on 16 messages at once, for Numba.

The state is held as vectors of 16 lanes, one lane a message; the compression function is one intrinsic, ten unrolled rounds of vector
instructions that LLVM maps to the widest registers the processor has. Only messages of the same length share a call, so all lanes finish
together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types, uint32, uint64

from ciro_zk.field.kernels import INT, MATRIX_IN, data_pointer, instruction, kernel

LANES = 16
WORDS_OUT = types.Array(uint32, 2, "C")
WORDS_IN = types.Array(uint32, 2, "C", readonly=True)
CHAIN = types.Array(uint32, 1, "C", readonly=True)

IV = np.array(
    [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19],
    dtype=np.uint32,
)
_SIGMA = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
_COLUMNS_AND_DIAGONALS = (
    (0, 4, 8, 12),
    (1, 5, 9, 13),
    (2, 6, 10, 14),
    (3, 7, 11, 15),
    (0, 5, 10, 15),
    (1, 6, 11, 12),
    (2, 7, 8, 13),
    (3, 4, 9, 14),
)
_WORD = ir.IntType(32)
_VECTOR = ir.VectorType(_WORD, LANES)


def chain_start(person: bytes) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """(8,): the chaining value before the first block, for 32-byte digests, no key, and this 8-byte person."""
    chain = IV.copy()
    chain[0] ^= np.uint32(0x01010020)
    chain[6:] ^= np.frombuffer(person, dtype="<u4")
    return chain


def _splat(value: int) -> Any:
    return ir.Constant(_VECTOR, [ir.Constant(_WORD, value)] * LANES)


def _rotate(b: Any, x: Any, bits: int) -> Any:
    return b.or_(b.lshr(x, _splat(bits)), b.shl(x, _splat(32 - bits)))


def _broadcast(b: Any, word: Any) -> Any:
    lane = b.insert_element(ir.Constant(_VECTOR, ir.Undefined), word, ir.Constant(_WORD, 0))
    return b.shuffle_vector(lane, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(_VECTOR, [ir.Constant(_WORD, 0)] * LANES))


@instruction
def compress(_context: Any, state: Any, message: Any, count: Any, last: Any) -> Any:
    """state (8, 16) and message (16, 16), uint32, word by lane: one block in place; count = bytes hashed so far, last = 2^32 - 1 for the
    final block, else 0."""
    if count != uint64 or last != uint32:
        return None

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        def pointers(which: int, words: int) -> list[Any]:
            base = data_pointer(context, b, signature, args, which)
            return [b.bitcast(b.gep(base, [ir.Constant(ir.IntType(64), i * LANES)]), _VECTOR.as_pointer()) for i in range(words)]

        state_at = pointers(0, 8)
        h = [b.load(p, align=4) for p in state_at]
        m = [b.load(p, align=4) for p in pointers(1, 16)]
        v = h + [_splat(int(word)) for word in IV]
        low, high = b.trunc(args[2], _WORD), b.trunc(b.lshr(args[2], ir.Constant(ir.IntType(64), 32)), _WORD)
        for i, word in ((12, low), (13, high), (14, args[3])):
            v[i] = b.xor(v[i], _broadcast(b, word))
        for order in _SIGMA:
            for k, (a, e, c, d) in enumerate(_COLUMNS_AND_DIAGONALS):
                for x, right_d, right_b in ((m[order[2 * k]], 16, 12), (m[order[2 * k + 1]], 8, 7)):
                    v[a] = b.add(b.add(v[a], v[e]), x)
                    v[d] = _rotate(b, b.xor(v[d], v[a]), right_d)
                    v[c] = b.add(v[c], v[d])
                    v[e] = _rotate(b, b.xor(v[e], v[c]), right_b)
        for i in range(8):
            b.store(b.xor(h[i], b.xor(v[i], v[i + 8])), state_at[i], align=4)
        return context.get_dummy_value()

    return types.void(state, message, count, last), codegen


@kernel(MATRIX_IN, CHAIN, WORDS_OUT, INT, INT)
def hash_columns(matrix, chain, out, start, stop):  # type: ignore[no-untyped-def]
    """out[c] = the digest of column c of the (rows, n) matrix, start <= c < stop."""
    rows = matrix.shape[0]
    state = np.empty((8, 16), np.uint32)
    message = np.zeros((16, 16), np.uint32)
    final = max((rows + 7) // 8 - 1, 0)
    for first in range(start, stop, 16):
        width = min(16, stop - first)
        for w in range(8):
            state[w, :] = chain[w]
        for block in range(final + 1):
            for r in range(8):
                row = 8 * block + r
                if row >= rows:
                    message[2 * r, :] = np.uint32(0)
                    message[2 * r + 1, :] = np.uint32(0)
                elif width == 16:
                    for i in range(16):
                        word = matrix[row, first + i]
                        message[2 * r, i] = np.uint32(word)
                        message[2 * r + 1, i] = np.uint32(word >> np.uint64(32))
                else:
                    for i in range(width):
                        word = matrix[row, first + i]
                        message[2 * r, i] = np.uint32(word)
                        message[2 * r + 1, i] = np.uint32(word >> np.uint64(32))
            if block == final:
                compress(state, message, np.uint64(8 * rows), np.uint32(0xFFFFFFFF))
            else:
                compress(state, message, np.uint64(64 * (block + 1)), np.uint32(0))
        for i in range(width):
            for w in range(8):
                out[first + i, w] = state[w, i]


@kernel(WORDS_IN, CHAIN, WORDS_OUT, INT, INT)
def hash_blocks(blocks, chain, out, start, stop):  # type: ignore[no-untyped-def]
    """out[i] = the digest of the 64-byte message blocks[i] (16 words), start <= i < stop."""
    state = np.empty((8, 16), np.uint32)
    message = np.zeros((16, 16), np.uint32)
    for first in range(start, stop, 16):
        width = min(16, stop - first)
        for w in range(8):
            state[w, :] = chain[w]
        for i in range(width):
            for w in range(16):
                message[w, i] = blocks[first + i, w]
        compress(state, message, np.uint64(64), np.uint32(0xFFFFFFFF))
        for i in range(width):
            for w in range(8):
                out[first + i, w] = state[w, i]


@kernel(CHAIN, CHAIN, uint64, uint64, uint64)
def grind(prefix, chain, mask, start, stop):  # type: ignore[no-untyped-def]
    """The smallest nonce in [start, stop) whose digest of prefix (8 words) || nonce has (first 64 bits) & mask = 0, or stop; both multiples
    of 16."""
    state = np.empty((8, 16), np.uint32)
    message = np.zeros((16, 16), np.uint32)
    for w in range(8):
        message[w, :] = prefix[w]
    nonce = start
    while nonce < stop:
        for w in range(8):
            state[w, :] = chain[w]
        for i in range(16):
            message[8, i] = np.uint32(nonce) + np.uint32(i)
        message[9, :] = np.uint32(nonce >> np.uint64(32))
        compress(state, message, np.uint64(40), np.uint32(0xFFFFFFFF))
        for i in range(16):
            low = np.uint64(state[0, i]) | (np.uint64(state[1, i]) << np.uint64(32))
            if low & mask == np.uint64(0):
                return nonce + np.uint64(i)
        nonce += np.uint64(16)
    return stop
