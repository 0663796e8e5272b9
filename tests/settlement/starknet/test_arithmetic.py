"""The shared arithmetic of the Cairo contracts against Python's integers."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from settlement.starknet.machine import Contract, Machine, Reverted

from settlement.starknet import build

U128 = st.one_of(st.integers(0, 2**128 - 1), st.integers(0, 20), st.integers(2**128 - 20, 2**128 - 1))


@pytest.fixture(scope="module")
def functions(session_machine: Machine) -> Contract:
    session_machine.restore(0)
    return session_machine.deploy(build.compiled("arithmetic", build.PROBES))


def fifth_root(x: int) -> int:
    low, high = 0, 1 << 52
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**5 <= x else (low, middle)
    return low


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(a=U128, b=U128, c=U128.filter(bool))
def test_mul_div(a: int, b: int, c: int, functions: Contract) -> None:
    for name, expected in (("mul_div", a * b // c), ("mul_div_up", -(-a * b // c))):
        if expected >> 128:
            with pytest.raises(Reverted, match="AMOUNT_OVERFLOW"):
                functions.call(name, a, b, c)
        else:
            assert functions.call(name, a, b, c) == expected


@pytest.mark.parametrize("name", ["mul_div", "mul_div_up"])
def test_mul_div_by_zero_reverts(name: str, functions: Contract) -> None:
    with pytest.raises(Reverted):
        functions.call(name, 1, 1, 0)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    x=st.one_of(
        st.integers(0, 2**256 - 1),
        st.builds(lambda s, f: s**4 * f, st.integers(0, 10**15), st.integers(0, 10**15)),
        st.builds(lambda r, d: max(0, min(r**5 + d, 2**256 - 1)), st.integers(0, 2**51), st.integers(-1, 1)),
    )
)
def test_fifth_root(x: int, functions: Contract) -> None:
    assert functions.call("fifth_root", x) == fifth_root(x)


def test_fifth_root_at_the_edges(functions: Contract) -> None:
    most = fifth_root(2**256 - 1)
    for x in (0, 1, 31, 32, most**5 - 1, most**5, 2**255 - 1, 2**255, 2**256 - 1):
        assert functions.call("fifth_root", x) == fifth_root(x)


def test_hash_words_is_solidity_s(functions: Contract) -> None:
    # keccak256(""), keccak256(abi.encode(uint256(0))), keccak256(abi.encode(uint256(1), uint256(2)))
    assert functions.call("hash_words", ()) == 0xC5D2460186F7233C927E7DB2DCC703C0E500B653CA82273B7BFAD8045D85A470
    assert functions.call("hash_words", (0,)) == 0x290DECD9548B62A8D60345A988386FC84BA6BC95484008F6362F93160EF3E563
    assert functions.call("hash_words", (1, 2)) == 0xE90B7BCEB6E7DF5418FB78D8EE546E97C83A08BBCCC01A0644D599CCD2A7C2E0


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.integers(0, 2**256 - 1), max_size=9))
def test_hash_words(words: list[int], functions: Contract) -> None:
    data = b"".join(word.to_bytes(32, "big") for word in words)
    assert functions.call("hash_words", words) == int.from_bytes(keccak256(data), "big")


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(0, 2**256 - 1), second=st.integers(0, 2**256 - 1))
def test_hash_pair(first: int, second: int, functions: Contract) -> None:
    assert functions.call("hash_pair", first, second) == functions.call("hash_words", (first, second))


def keccak256(data: bytes) -> bytes:
    """FIPS 202's permutation with Keccak's first padding: rate 136, 0x01."""
    block = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % 136))
    block[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for start in range(0, len(block), 136):
        for i in range(17):
            lanes[i % 5][i // 5] ^= int.from_bytes(block[start + 8 * i : start + 8 * i + 8], "little")
        _permute(lanes)
    return b"".join(lanes[i][0].to_bytes(8, "little") for i in range(4))


def _rotate(x: int, n: int) -> int:
    return (x << n | x >> (64 - n)) & (1 << 64) - 1 if n else x


def _permute(a: list[list[int]]) -> None:
    register = 1
    for _ in range(24):
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[x - 1] ^ _rotate(c[(x + 1) % 5], 1) for x in range(5)]
        for x in range(5):
            a[x] = [lane ^ d[x] for lane in a[x]]
        x, y, current = 1, 0, a[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, a[x][y] = a[x][y], _rotate(current, (t + 1) * (t + 2) // 2 % 64)
        for y in range(5):
            row = [a[x][y] for x in range(5)]
            for x in range(5):
                a[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5])
        for j in range(7):
            register = (register << 1 ^ (register >> 7) * 0x71) % 256
            if register & 2:
                a[0][0] ^= 1 << ((1 << j) - 1)
