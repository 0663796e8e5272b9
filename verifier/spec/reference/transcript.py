"""Sections 2 and 3: the transcript, proof of work, openings of a Merkle tree."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2s

from verifier.spec.reference.field import Elem, P


class Refused(Exception):
    """(verdict, stage or label)"""


class Transcript:
    def __init__(self, body: bytes, domain: bytes = b"ciro_zk native 2") -> None:
        self.state, self.body, self.at = bytes(32), body, 0
        self.states: list[str] = []
        self.absorb("domain", domain)

    def _hash(self, tag: bytes, label: str, data: bytes) -> None:
        text = self.state + tag + len(label).to_bytes(2, "little") + label.encode() + len(data).to_bytes(8, "little") + data
        self.state = blake2s(text, person=b"ciro_fs1").digest()
        self.states.append(self.state.hex())

    def absorb(self, label: str, data: bytes) -> None:
        self._hash(b"A", label, data)

    def words(self, label: str, count: int) -> list[int]:
        self._hash(b"S", label, b"")
        found: list[int] = []
        for counter in range(count):
            block = blake2s(self.state + counter.to_bytes(8, "little"), person=b"ciro_fs1").digest()
            found += [w for w in (int.from_bytes(block[i : i + 8], "little") for i in range(0, 32, 8)) if w < P]
        return found[:count]

    def draw(self, label: str, count: int) -> list[Elem]:
        words = self.words(label, 2 * count)
        return list(zip(words[::2], words[1::2], strict=True))

    def receive(self, label: str, size: int) -> bytes:
        data = self.body[self.at : self.at + size]
        if len(data) != size:
            raise Refused("malformed", label)
        self.at += size
        self.absorb(label, data)
        return data

    def base(self, label: str, count: int) -> list[int]:
        data = self.receive(label, 8 * count)
        found = [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]
        if any(value >= P for value in found):
            raise Refused("malformed", label)
        return found

    def elements(self, label: str, count: int) -> list[Elem]:
        found = self.base(label, 2 * count)
        return list(zip(found[::2], found[1::2], strict=True))

    def work(self, label: str, bits: int) -> None:
        if bits:
            state = self.state
            digest = blake2s(state + self.receive(label, 8), person=b"cirowork").digest()
            if int.from_bytes(digest, "little") % (1 << bits):
                raise Refused("rejected", "grinding")


def merkle(root: bytes, depth: int, leaves: dict[int, bytes], read: Callable[[], bytes]) -> None:
    for _ in range(depth):
        parents = {}
        for i in sorted(leaves):
            if i >> 1 in parents:
                continue
            other = leaves[i ^ 1] if i ^ 1 in leaves else read()
            pair = leaves[i] + other if i % 2 == 0 else other + leaves[i]
            parents[i >> 1] = blake2s(pair, person=b"cironode").digest()
        leaves = parents
    if leaves != {0: root}:
        raise Refused("rejected", "merkle")


def num_siblings(depth: int, nodes: set[int]) -> int:
    count = 0
    for _ in range(depth):
        count += sum(i ^ 1 not in nodes for i in nodes)
        nodes = {i >> 1 for i in nodes}
    return count
