"""Integers as the contracts compute them: floor by default, 128-bit results, keccak over 32-byte words.

hash_words(w₀, …) = keccak256(w₀ ‖ …), every word 32 bytes big-endian (Solidity's `keccak256(abi.encode(...))`)
mul_div(a, b, c)  = ⌊a b / c⌋
fifth_root(x)     = ⌊x^(1/5)⌋
"""

from __future__ import annotations

from Crypto.Hash import keccak

from ciro_zk.errors import SettlementError

AMOUNT_BITS = 128
SELECTOR_BITS = 250


def hash_words(*words: int) -> int:
    """keccak256 of 32-byte big-endian words, as an integer below 2^256."""
    data = b"".join(word.to_bytes(32, "big") for word in words)
    return int.from_bytes(keccak.new(digest_bits=256, data=data).digest(), "big")


def selector(name: str) -> int:
    """Starknet's selector of an entry point: keccak256 of its name, cut to 250 bits."""
    return int.from_bytes(keccak.new(digest_bits=256, data=name.encode()).digest(), "big") % (1 << SELECTOR_BITS)


def short_string(text: str) -> int:
    """Cairo's short string: at most 31 ASCII characters as one big-endian integer.

    Raises
    ------
    SettlementError
        MALFORMED_CALLDATA: longer, or not ASCII.
    """
    if len(text) > 31 or not text.isascii():
        raise SettlementError("MALFORMED_CALLDATA", f"{text!r} is no short string of at most 31 ASCII characters")
    return int.from_bytes(text.encode(), "big")


def mul_div(a: int, b: int, c: int) -> int:
    """⌊a b / c⌋ of unsigned integers, c > 0.

    Raises
    ------
    SettlementError
        AMOUNT_OVERFLOW: the result does not fit 128 bits.
    """
    result = a * b // c
    if result >> AMOUNT_BITS:
        raise SettlementError("AMOUNT_OVERFLOW")
    return result


def mul_div_up(a: int, b: int, c: int) -> int:
    """⌈a b / c⌉; raises as `mul_div` does."""
    return mul_div(a * b + c - 1, 1, c)


def fifth_root(x: int) -> int:
    """⌊x^(1/5)⌋ by Newton's method from above, which falls until it is the root.

    x_{k+1} = ⌊(4 x_k + ⌊x / x_k⁴⌋) / 5⌋ ≥ ⌊x^(1/5)⌋ by the inequality of means.
    """
    if x < 2:
        return x
    root = 1 << (x.bit_length() // 5 + 1)
    while True:
        closer = (4 * root + x // root**4) // 5
        if closer >= root:
            return root
        root = closer
