"""How tensors lie in an oracle, a vector of 2^n cells.

Each axis is split into power-of-two chunks (768 = 512 + 256); a block is one chunk per axis, its cells in C order at an
aligned offset. A tensor that would need more than 16 blocks, or that is small, has its axes padded instead. Blocks are
placed in descending size, so every offset is a multiple of its block's size and a block's cells are those whose top
index bits equal the offset's. Cells outside all tensors are zero when honest and read by no form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.tensor import Tensor
from ciro_zk.field import arrays, goldilocks
from ciro_zk.field.extension import ONE, ZERO, Ext
from ciro_zk.poly import multilinear
from ciro_zk.poly.linear_form import Eq, Group, Term, num_vars

MAX_BLOCKS = 16
SMALL_WASTE = 1 << 12


@dataclass(frozen=True, slots=True)
class Block:
    """Cells [start, start + 2^log) of each axis of one tensor, at `offset` of the oracle."""

    tensor: int
    starts: tuple[int, ...]
    logs: tuple[int, ...]
    offset: int

    @property
    def log_size(self) -> int:
        return sum(self.logs)

    def cut(self, shape: Sequence[int]) -> tuple[slice, ...]:
        """Its real cells in a tensor of `shape`."""
        return tuple(slice(s, min(s + (1 << log), d)) for s, log, d in zip(self.starts, self.logs, shape, strict=True))

    def flat(self, values: NDArray[Any]) -> NDArray[Any]:
        """Its cells `(2^log_size)` in C order, from a tensor `(*shape)`; zero beyond the tensor."""
        part = values[self.cut(values.shape)]
        lengths = tuple(1 << log for log in self.logs)
        if part.shape == lengths:
            return np.ascontiguousarray(part).reshape(-1)
        padded = np.zeros(lengths, dtype=values.dtype)
        padded[tuple(slice(d) for d in part.shape)] = part
        return padded.reshape(-1)


def _chunks(length: int) -> list[tuple[int, int]]:
    """(start, log) of the power-of-two chunks of an axis, descending."""
    found, start = [], 0
    for log in reversed(range(length.bit_length())):
        if length >> log & 1:
            found.append((start, log))
            start += 1 << log
    return found


def _axis_chunks(shape: tuple[int, ...]) -> list[list[tuple[int, int]]]:
    """The chunks of each axis: split while blocks are few, padded where the waste is small or the blocks too many."""
    chunks = [_chunks(d) for d in shape]
    padded = [[(0, num_vars(d))] for d in shape]
    while prod(len(c) for c in chunks) > 1:
        waste = {a: Fraction(1 << num_vars(shape[a]), shape[a]) for a in range(len(shape)) if len(chunks[a]) > 1}
        axis = min(waste, key=lambda a: (waste[a], a))
        cells = prod(sum(1 << log for _, log in c) for c in chunks)
        extra = int(cells * (waste[axis] - 1))
        if prod(len(c) for c in chunks) <= MAX_BLOCKS and extra > SMALL_WASTE:
            break
        chunks[axis] = padded[axis]
    return chunks


@dataclass(frozen=True)
class Layout:
    """The blocks of some tensors and the oracle's size 2^num_vars."""

    blocks: tuple[Block, ...]
    num_vars: int
    shapes: dict[int, tuple[int, ...]]

    @staticmethod
    def of(tensors: Iterable[tuple[int, Tensor]], min_vars: int = 0) -> Layout:
        """Lay out tensors given with their ids."""
        pending: list[tuple[int, int, tuple[tuple[int, int], ...]]] = []
        shapes = {}
        for tensor_id, tensor in tensors:
            shapes[tensor_id] = tensor.shape
            for combination in product(*_axis_chunks(tensor.shape)):
                pending.append((-sum(log for _, log in combination), tensor_id, combination))
        pending.sort()
        blocks, offset = [], 0
        for negative, tensor_id, combination in pending:
            blocks.append(Block(tensor_id, tuple(s for s, _ in combination), tuple(log for _, log in combination), offset))
            offset += 1 << -negative
        return Layout(tuple(blocks), max(num_vars(offset), min_vars), shapes)

    @cached_property
    def by_tensor(self) -> dict[int, list[Block]]:
        found: dict[int, list[Block]] = {}
        for block in self.blocks:
            found.setdefault(block.tensor, []).append(block)
        return found

    def pack(self, cells: Mapping[int, NDArray[np.uint64]]) -> NDArray[np.uint64]:
        """The oracle `(2^num_vars,)` from every tensor's field cells `(size,)`."""
        oracle = np.zeros(1 << self.num_vars, dtype=np.uint64)
        for block in self.blocks:
            values = cells[block.tensor].reshape(self.shapes[block.tensor])
            oracle[block.offset : block.offset + (1 << block.log_size)] = block.flat(values)
        return oracle

    def evaluate(self, tensor: int, term: Term, point: Sequence[Ext]) -> Ext:
        """The multilinear extension at `point`, `(num_vars)`, of a term's weights laid out in the oracle."""
        value = ZERO
        for block in self.by_tensor[tensor]:
            split = self.num_vars - block.log_size
            part = _selector(point[:split], block.offset >> block.log_size)
            axis, start = 0, split
            for group in term.groups:
                rank = len(group.dims)
                logs = block.logs[axis : axis + rank]
                stop = start + sum(logs)
                part = part * _group_value(group, block.starts[axis : axis + rank], logs, point[start:stop])
                axis, start = axis + rank, stop
            value = value + part
        return value * term.coefficient


def _selector(point: Sequence[Ext], index: int) -> Ext:
    """eq(point, bits of index)."""
    value = ONE
    for i, r in enumerate(point):
        value = value * (r if index >> (len(point) - 1 - i) & 1 else ONE - r)
    return value


def eq_pair_prefix(r: Sequence[Ext], z: Sequence[Ext], length: int) -> Ext:
    """sum over i < length of eq(r, i) eq(z, i), in one pass over the bits of length."""
    both_zero = [(ONE - a) * (ONE - b) for a, b in zip(r, z, strict=True)]
    both_one = [a * b for a, b in zip(r, z, strict=True)]
    suffix = [ONE]
    for zero, one in zip(reversed(both_zero), reversed(both_one), strict=True):
        suffix.append(suffix[-1] * (zero + one))
    if length == 1 << len(r):
        return suffix[-1]
    value, prefix = ZERO, ONE
    for k in range(len(r)):
        if length >> (len(r) - 1 - k) & 1:
            value = value + prefix * both_zero[k] * suffix[len(r) - 1 - k]
            prefix = prefix * both_one[k]
        else:
            prefix = prefix * both_zero[k]
    return value


def _group_value(group: Group, starts: Sequence[int], logs: Sequence[int], point: Sequence[Ext]) -> Ext:
    """sum over the cells of one block of group weight * eq(point, cell)."""
    if isinstance(group, Eq):
        (start,), (log,) = starts, logs
        split = len(group.point) - log
        return _selector(group.point[:split], start >> log) * eq_pair_prefix(
            group.point[split:], point, min(group.length - start, 1 << log)
        )
    values = group.dense()
    cut = tuple(slice(s, min(s + (1 << log), d)) for s, log, d in zip(starts, logs, group.dims, strict=True))
    current = np.ascontiguousarray(values[(slice(None), *cut)])
    position = len(point)
    for axis in reversed(range(len(logs))):
        weights = multilinear.eq_table(tuple(point[position - logs[axis] : position]))[:, : current.shape[-1]]
        position -= logs[axis]
        current = goldilocks.sum_axis(arrays.mul(current, weights.reshape(2, *[1] * axis, -1)))
    return arrays.get(current.reshape(2, 1), 0)
