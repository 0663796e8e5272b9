"""How tensors lie in an oracle, a vector of 2^n cells.

Each axis is split into power-of-two chunks (768 = 512 + 256); a block is one chunk per axis, its cells in C order at an
aligned offset. A tensor that would need more than 16 blocks, or that is small, has its axes padded instead. Blocks are
placed in descending size, so every offset is a multiple of its block's size and a block's cells are those whose top
index bits equal the offset's. Cells outside all tensors are zero when honest and read by no form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.circuit.tensor import Tensor
from ciro_zk.field import arrays, goldilocks
from ciro_zk.field.extension import NON_RESIDUE, ZERO, Ext, P
from ciro_zk.poly import multilinear
from ciro_zk.poly.linear_form import Dense, Eq, Group, Term, num_vars

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

    def groups(self, term: Term) -> Iterator[tuple[Group, tuple[int, ...], tuple[int, ...]]]:
        """The groups of a term on the tensor, each with the block's starts and logs on its axes; those that are one cell of weight 1 left
        out."""
        axis = 0
        for group in term.groups:
            stop = axis + len(group.dims)
            if not group.is_one:
                yield group, self.starts[axis:stop], self.logs[axis:stop]
            axis = stop

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

    def evaluate(self, form: Iterable[tuple[int, Term]], point: Sequence[Ext]) -> Ext:
        """The multilinear extension at `point`, `(num_vars)`, of a form's weights laid out in the oracle: (tensor id, term) pairs."""
        value = ZERO
        # Tensors of one shape have the same variables of their own, the last ones, and often groups in common.
        known: dict[tuple[Group, tuple[int, ...], tuple[int, ...], int], Ext] = {}

        @cache
        def table(start: int, stop: int) -> arrays.Extension:
            return multilinear.eq_table(point[start:stop])

        for tensor, term in form:
            for block in self.by_tensor[tensor]:
                split = self.num_vars - block.log_size
                part = term.coefficient * multilinear.selector(point[:split], block.offset >> block.log_size)
                for group, starts, logs in block.groups(term):
                    stop = split + sum(logs)
                    # an axis that one tensor has in chunks another may have padded: the logs are part of the key
                    key = (group, starts, logs, split)
                    if key not in known:
                        if isinstance(group, Eq):
                            known[key] = _eq_value(group, starts[0], point[split:stop])
                        else:
                            known[key] = _dense_value(group, starts, logs, split, table)
                    part = part * known[key]
                    split = stop
                value = value + part
        return value


def eq_pair_prefix(r: Sequence[Ext], z: Sequence[Ext], length: int) -> Ext:
    """sum over i < length of eq(r, i) eq(z, i), in one pass over the bits of length, the last first.

    Over the variables passed, `whole` is the sum over all i, `part` that over i below the bits passed. The verifier does this a hundred
    times: coordinates as integers.
    """
    whole0, whole1, part0, part1 = 1, 0, 0, 0
    for k, (a, b) in enumerate(zip(reversed(r), reversed(z), strict=True)):
        a0, a1, b0, b1 = a.c0, a.c1, b.c0, b.c1
        one0, one1 = (a0 * b0 + NON_RESIDUE * a1 * b1) % P, (a0 * b1 + a1 * b0) % P
        zero0, zero1 = 1 - a0 - b0 + one0, one1 - a1 - b1
        if length >> k & 1:
            part0, part1 = (
                (zero0 * whole0 + one0 * part0 + NON_RESIDUE * (zero1 * whole1 + one1 * part1)) % P,
                (zero0 * whole1 + zero1 * whole0 + one0 * part1 + one1 * part0) % P,
            )
        else:
            part0, part1 = (zero0 * part0 + NON_RESIDUE * zero1 * part1) % P, (zero0 * part1 + zero1 * part0) % P
        both0, both1 = zero0 + one0, zero1 + one1
        whole0, whole1 = (both0 * whole0 + NON_RESIDUE * both1 * whole1) % P, (both0 * whole1 + both1 * whole0) % P
    return Ext(whole0, whole1) if length == 1 << len(r) else Ext(part0, part1)


def _eq_value(group: Eq, start: int, point: Sequence[Ext]) -> Ext:
    """sum over the 2^len(point) cells from `start` of group weight * eq(point, cell)."""
    split = len(group.point) - len(point)
    selected = multilinear.selector(group.point[:split], start >> len(point))
    return selected * eq_pair_prefix(group.point[split:], point, min(group.length - start, 1 << len(point)))


def _dense_value(
    group: Dense, starts: Sequence[int], logs: Sequence[int], first: int, table: Callable[[int, int], arrays.Extension]
) -> Ext:
    """sum over the cells of one block of group weight * eq(point, cell); `table` gives eq of the point's variables [start, stop), those of
    the group from `first` on."""
    cut = tuple(slice(s, min(s + (1 << log), d)) for s, log, d in zip(starts, logs, group.dims, strict=True))
    current = np.ascontiguousarray(group.values[(slice(None), *cut)])
    stop = first + sum(logs)
    for axis in reversed(range(1, len(logs))):
        weights = table(stop - logs[axis], stop)[:, : current.shape[-1]]
        stop -= logs[axis]
        current = goldilocks.sum_axis(arrays.mul(current, weights.reshape(2, *[1] * axis, -1)))
    return arrays.inner_product(current, table(first, stop)[:, : current.shape[1]])
