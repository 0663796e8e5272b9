"""Binary Merkle trees with one deduplicated opening for many positions.

The leaves are digests, 2^depth of them; a node is H(left || right). An opening at sorted distinct positions holds, level by level from the
leaves and left to right, the siblings that the verifier can not compute itself; their number is a function of the positions alone, so a
proof has exactly one valid length.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from ciro_zk.hash.blake2s import DIGEST_BYTES, Digests, hash_node


class PairHasher(Protocol):
    """The part of `ciro_zk.kernels.Kernels` that a tree needs."""

    def hash_pairs(self, nodes: Digests) -> Digests: ...


class MerkleTree:
    """All levels of a tree over `(2^depth, 32)` leaf digests; `levels[0]` are the leaves. `ValueError` unless the number of leaves is a
    power of two."""

    __slots__ = ("levels",)

    def __init__(self, leaves: Digests, kernels: PairHasher) -> None:
        n = leaves.shape[0]
        if n < 1 or n & (n - 1) or leaves.shape[1:] != (DIGEST_BYTES,):
            raise ValueError(f"leaves must be (2^depth, {DIGEST_BYTES}), got {leaves.shape}")
        self.levels: list[Digests] = [leaves]
        while self.levels[-1].shape[0] > 1:
            self.levels.append(kernels.hash_pairs(self.levels[-1]))

    @classmethod
    def of_levels(cls, levels: Sequence[Digests]) -> MerkleTree:
        """A tree that was hashed before, from all its levels."""
        tree = cls.__new__(cls)
        tree.levels = list(levels)
        return tree

    @property
    def depth(self) -> int:
        """log2 of the number of leaves."""
        return len(self.levels) - 1

    @property
    def root(self) -> bytes:
        """The 32-byte root."""
        return bytes(self.levels[-1][0].tobytes())

    def open(self, positions: Sequence[int]) -> list[bytes]:
        """The siblings for sorted distinct positions; `ValueError` if they are not."""
        nodes = _check_positions(self.depth, positions)
        siblings = []
        for level in self.levels[:-1]:
            known = set(nodes)
            siblings += [level[i ^ 1].tobytes() for i in nodes if i ^ 1 not in known]
            nodes = sorted({i >> 1 for i in nodes})
        return siblings


def num_siblings(depth: int, positions: Sequence[int]) -> int:
    """How many siblings an opening at sorted distinct positions holds; `ValueError` if they are not."""
    nodes = _check_positions(depth, positions)
    count = 0
    for _ in range(depth):
        known = set(nodes)
        count += sum(1 for i in nodes if i ^ 1 not in known)
        nodes = sorted({i >> 1 for i in nodes})
    return count


def verify_multi(
    root: bytes, depth: int, positions: Sequence[int], leaf_digests: Sequence[bytes] | Digests, siblings: Sequence[bytes]
) -> None:
    """Check that the leaves at `positions` of the tree of `root` and `depth` have these digests.

    Raises
    ------
    ValueError
        With the reason: positions empty, unsorted, repeated or out of range; a digest of a wrong length; siblings missing or left over;
        another root.
    """
    nodes = _check_positions(depth, positions)
    digests = [bytes(d) for d in leaf_digests]
    if len(digests) != len(nodes):
        raise ValueError(f"{len(nodes)} positions but {len(digests)} leaf digests")
    if len(root) != DIGEST_BYTES or any(len(d) != DIGEST_BYTES for d in digests) or any(len(d) != DIGEST_BYTES for d in siblings):
        raise ValueError(f"every digest must have {DIGEST_BYTES} bytes")
    rest = iter(siblings)
    used = 0
    for _ in range(depth):
        parents: list[int] = []
        parent_digests: list[bytes] = []
        i = 0
        while i < len(nodes):
            node, digest = nodes[i], digests[i]
            i += 1
            if node & 1 == 0 and i < len(nodes) and nodes[i] == node + 1:
                other = digests[i]
                i += 1
            else:
                sibling = next(rest, None)
                if sibling is None:
                    raise ValueError("siblings are missing from the opening")
                other = bytes(sibling)
                used += 1
            parents.append(node >> 1)
            parent_digests.append(hash_node(other, digest) if node & 1 else hash_node(digest, other))
        nodes, digests = parents, parent_digests
    if used != len(siblings):
        raise ValueError(f"the opening has {len(siblings) - used} surplus siblings")
    if digests[0] != root:
        raise ValueError("the opening does not lead to the root")


def _check_positions(depth: int, positions: Sequence[int]) -> list[int]:
    nodes = [int(i) for i in positions]
    if not nodes:
        raise ValueError("no positions to open")
    if nodes[0] < 0 or nodes[-1] >= 1 << depth:
        raise ValueError(f"a position is out of range for a tree of depth {depth}")
    if any(a >= b for a, b in pairwise(nodes)):
        raise ValueError("positions must be sorted and distinct")
    return nodes
