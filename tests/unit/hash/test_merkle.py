"""Merkle trees: openings verify, and every way to damage one is refused for its reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.hash.blake2s import hash_node
from ciro_zk.hash.merkle import MerkleTree, num_siblings, verify_multi
from ciro_zk.kernels import plain_kernels


def tree_of(depth: int, seed: int = 0) -> MerkleTree:
    leaves = np.random.default_rng(seed).integers(0, 256, (1 << depth, 32), dtype=np.uint8)
    return MerkleTree(leaves, plain_kernels())


@st.composite
def openings(draw: st.DrawFn) -> tuple[int, list[int]]:
    depth = draw(st.integers(0, 6))
    return depth, sorted(draw(st.sets(st.integers(0, (1 << depth) - 1), min_size=1)))


@given(openings())
def test_round_trip(opening: tuple[int, list[int]]) -> None:
    depth, positions = opening
    tree = tree_of(depth)
    siblings = tree.open(positions)
    assert len(siblings) == num_siblings(depth, positions)
    verify_multi(tree.root, depth, positions, tree.levels[0][positions], siblings)
    verify_multi(tree.root, depth, positions, [tree.levels[0][i].tobytes() for i in positions], siblings)


@given(openings(), st.randoms(use_true_random=False))
def test_a_changed_byte_is_refused(opening: tuple[int, list[int]], random: object) -> None:
    depth, positions = opening
    tree = tree_of(depth)
    parts = [bytearray(tree.root), *(bytearray(tree.levels[0][i].tobytes()) for i in positions), *map(bytearray, tree.open(positions))]
    part = random.choice(parts)  # type: ignore[attr-defined]
    part[random.randrange(32)] ^= 1 << random.randrange(8)  # type: ignore[attr-defined]
    root, leaves, siblings = parts[0], parts[1 : 1 + len(positions)], parts[1 + len(positions) :]
    with pytest.raises(ValueError, match="lead to the root"):
        verify_multi(bytes(root), depth, positions, [bytes(d) for d in leaves], [bytes(d) for d in siblings])


def test_root_of_four_leaves() -> None:
    tree = tree_of(2)
    a, b, c, d = (tree.levels[0][i].tobytes() for i in range(4))
    assert tree.root == hash_node(hash_node(a, b), hash_node(c, d))
    assert tree.depth == 2
    assert tree.open([1]) == [a, hash_node(c, d)]
    assert tree.open([0, 3]) == [b, c]
    assert tree.open([0, 1, 2, 3]) == []


@pytest.mark.parametrize(
    ("positions", "reason"),
    [
        ([], "no positions"),
        ([1, 1], "sorted and distinct"),
        ([2, 1], "sorted and distinct"),
        ([-1], "out of range"),
        ([8], "out of range"),
        ([1, 9, 2], "sorted and distinct"),
        ([9, 2], "sorted and distinct"),
    ],
)
def test_positions_are_checked(positions: list[int], reason: str) -> None:
    tree = tree_of(3)
    with pytest.raises(ValueError, match=reason):
        tree.open(positions)
    with pytest.raises(ValueError, match=reason):
        verify_multi(tree.root, 3, positions, [bytes(32)] * len(positions), [])


def test_lengths_are_checked() -> None:
    tree = tree_of(3)
    positions = [1, 4]
    leaves, siblings = [tree.levels[0][i].tobytes() for i in positions], tree.open(positions)
    with pytest.raises(ValueError, match="missing"):
        verify_multi(tree.root, 3, positions, leaves, siblings[:-1])
    with pytest.raises(ValueError, match="1 surplus"):
        verify_multi(tree.root, 3, positions, leaves, [*siblings, bytes(32)])
    with pytest.raises(ValueError, match="leaf digests"):
        verify_multi(tree.root, 3, positions, leaves[:1], siblings)
    with pytest.raises(ValueError, match="32 bytes"):
        verify_multi(tree.root, 3, positions, [leaves[0], leaves[1][:31]], siblings)
    with pytest.raises(ValueError, match="32 bytes"):
        verify_multi(tree.root, 3, positions, leaves, [*siblings[:-1], siblings[-1] + b"\0"])
    with pytest.raises(ValueError, match="32 bytes"):
        verify_multi(tree.root[:31], 3, positions, leaves, siblings)


def test_another_position_or_depth_is_refused() -> None:
    tree = tree_of(3)
    leaves, siblings = [tree.levels[0][1].tobytes()], tree.open([1])
    with pytest.raises(ValueError, match="lead to the root"):
        verify_multi(tree.root, 3, [0], leaves, siblings)
    with pytest.raises(ValueError, match="surplus"):
        verify_multi(tree.root, 2, [1], leaves, siblings)
    with pytest.raises(ValueError, match="missing"):
        verify_multi(tree.root, 4, [1], leaves, siblings)


@pytest.mark.parametrize("shape", [(0, 32), (3, 32), (4, 31)])
def test_leaves_are_checked(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="leaves"):
        MerkleTree(np.zeros(shape, dtype=np.uint8), plain_kernels())
