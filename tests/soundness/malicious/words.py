"""Committed words: padding of any content, words close to two messages, any cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from soundness.malicious.keys import kernels
from soundness.malicious.runs import Cells

from ciro_zk.commitment import prover as commitment
from ciro_zk.commitment.params import Code
from ciro_zk.commitment.prover import Committed
from ciro_zk.field.extension import P
from ciro_zk.hash.merkle import MerkleTree
from ciro_zk.program.program import Program
from ciro_zk.prover import padded


def random_cells(rng: np.random.Generator, size: int) -> Cells:
    """Uniform field elements."""
    return rng.integers(0, P, size, dtype=np.uint64)


def filled(indices: Any, oracle: Cells, rng: np.random.Generator) -> Cells:
    """The oracle with random field elements in every cell that no tensor owns."""
    owned = np.zeros(oracle.shape, dtype=bool)
    for index in indices:
        owned[index] = True
    return np.where(owned, oracle, random_cells(rng, oracle.size))


def mixed(code: Code, cells: Cells, second: Cells, rng: np.random.Generator) -> Committed:
    """A word with half its columns, at random, of one message's codeword and half of another's: both are close to it."""
    codewords = commitment.commit(kernels(), code, cells).codewords.copy()
    columns = rng.permutation(codewords.shape[1])[: codewords.shape[1] // 2]
    codewords[:, columns] = commitment.commit(kernels(), code, second).codewords[:, columns]
    return Committed(cells, codewords, MerkleTree(kernels().hash_columns(codewords), kernels()))


def commit_cells(program: Program, cells: Mapping[int, Cells]) -> Committed:
    """The weight oracle of any field cells."""
    layout = padded(program.plan.weight_layout, program.params.oracles[0].num_vars)
    return commitment.commit(kernels(), program.params.oracles[0].code, layout.pack(dict(cells)))
