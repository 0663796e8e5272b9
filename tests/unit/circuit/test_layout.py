"""Layouts: every cell has its own place, blocks are aligned, and the verifier's evaluation is that of the laid-out form."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cell_indices

from ciro_zk.circuit.layout import MAX_BLOCKS, Block, Layout, eq_pair_prefix
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.field.extension import ZERO, P, total
from ciro_zk.poly import linear_form, multilinear
from ciro_zk.poly.linear_form import num_vars
from tests.unit.poly_forms.reference import SEEDS, from_table, mle, random_point, random_table, random_term, shapes, spelled, spelled_eq


def tensor(shape: tuple[int, ...]) -> Tensor:
    return Tensor(name="", shape=shape, storage=Storage.WITNESS, low=0, high=1, bounded_by="the test")


def layout_of(*all_shapes: tuple[int, ...], min_vars: int = 0) -> Layout:
    """Ids 3, 5, 7, ... in order."""
    return Layout.of(((3 + 2 * i, tensor(shape)) for i, shape in enumerate(all_shapes)), min_vars)


SHAPES = st.lists(shapes(max_axes=3, max_length=9, max_size=120), min_size=1, max_size=5)
LONG_AXES = st.sampled_from([1, 2, 3, 5, 7, 17, 31, 100, 511, 768, 1000, 1023, 1025])


def check_layout(layout: Layout, all_shapes: list[tuple[int, ...]]) -> None:
    """Blocks are aligned, disjoint and inside; indices are a bijection from cells into their tensor's blocks."""
    ends = 0
    for block in layout.blocks:
        assert block.offset % (1 << block.log_size) == 0
        assert block.offset >= ends
        ends = block.offset + (1 << block.log_size)
    assert ends <= 1 << layout.num_vars
    assert [b.log_size for b in layout.blocks] == sorted((b.log_size for b in layout.blocks), reverse=True)
    indices = cell_indices(layout)
    taken = np.concatenate([indices[3 + 2 * i] for i in range(len(all_shapes))])
    assert taken.size == len(np.unique(taken)) == sum(map(prod, all_shapes))
    for i, shape in enumerate(all_shapes):
        blocks = layout.by_tensor[3 + 2 * i]
        assert 1 <= len(blocks) <= MAX_BLOCKS
        inside = np.zeros(prod(shape), dtype=bool)
        for block in blocks:
            inside |= (indices[3 + 2 * i] >= block.offset) & (indices[3 + 2 * i] < block.offset + (1 << block.log_size))
            assert all(start % (1 << log) == 0 for start, log in zip(block.starts, block.logs, strict=True))
        assert inside.all()


# By hand -------------------------------------------------------------------------------------------------------------------------------


def test_a_small_tensor_is_padded() -> None:
    layout = layout_of((3, 5))
    assert layout.blocks == (Block(3, (0, 0), (2, 3), 0),)
    assert cell_indices(layout)[3].tolist() == [8 * i + j for i in range(3) for j in range(5)]
    assert layout.num_vars == 5


def test_a_long_axis_is_split_into_its_binary_chunks() -> None:
    """768 = 512 + 256; the smaller block follows the larger."""
    layout = layout_of((64, 768))
    assert layout.blocks == (Block(3, (0, 0), (6, 9), 0), Block(3, (0, 512), (6, 8), 1 << 15))
    assert layout.num_vars == 16


def test_a_power_of_two_is_one_block() -> None:
    assert layout_of((64, 128, 4)).blocks == (Block(3, (0, 0, 0), (6, 7, 2), 0),)


def test_at_most_sixteen_blocks() -> None:
    """85 = 64 + 16 + 4 + 1: three such axes would make 64 blocks, so one of them is padded to 128."""
    layout = layout_of((85, 85, 85))
    assert len(layout.blocks) == 16
    assert {block.logs[0] for block in layout.blocks} == {7}
    check_layout(layout, [(85, 85, 85)])


def test_larger_blocks_come_first_and_ties_keep_the_tensors_order() -> None:
    layout = layout_of((2,), (8,), (2,), (1,))
    assert [(b.tensor, b.offset) for b in layout.blocks] == [(5, 0), (3, 8), (7, 10), (9, 12)]
    assert layout.num_vars == 4


def test_nothing_takes_one_cell() -> None:
    layout = Layout.of(())
    assert (layout.blocks, layout.num_vars, cell_indices(layout)) == ((), 0, {})
    assert layout.pack({}).tolist() == [0]


def test_a_least_size() -> None:
    assert layout_of((2,), min_vars=6).num_vars == 6
    assert layout_of((300,), min_vars=6).num_vars == 9


# Properties ----------------------------------------------------------------------------------------------------------------------------


@given(SHAPES)
def test_layouts_of_small_tensors(all_shapes: list[tuple[int, ...]]) -> None:
    check_layout(layout_of(*all_shapes), all_shapes)


@settings(max_examples=60)
@given(st.lists(st.tuples(LONG_AXES, LONG_AXES).filter(lambda s: prod(s) < 1 << 18), min_size=1, max_size=3))
def test_layouts_of_large_tensors(all_shapes: list[tuple[int, ...]]) -> None:
    layout = layout_of(*all_shapes)
    check_layout(layout, list(all_shapes))
    assert 1 << layout.num_vars < 8 * sum(map(prod, all_shapes)) + (1 << 14)


@given(SHAPES, SEEDS)
def test_pack_places_every_cell_and_leaves_the_rest_zero(all_shapes: list[tuple[int, ...]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    layout = layout_of(*all_shapes)
    cells = {3 + 2 * i: rng.integers(1, P, prod(shape), dtype=np.uint64) for i, shape in enumerate(all_shapes)}
    oracle = layout.pack(cells)
    assert all(np.array_equal(oracle[cell_indices(layout)[i]], values) for i, values in cells.items())
    assert np.count_nonzero(oracle) == sum(values.size for values in cells.values())


@settings(max_examples=150)
@given(SHAPES, SEEDS)
def test_evaluate_is_the_extension_of_the_scattered_form(all_shapes: list[tuple[int, ...]], seed: int) -> None:
    """Forms with Eq, Dense and merged groups over padded and exact axes."""
    rng = np.random.default_rng(seed)
    layout = layout_of(*all_shapes, min_vars=int(rng.integers(0, 9)))
    which = int(rng.integers(len(all_shapes)))
    term = random_term(rng, all_shapes[which])
    scattered = np.full(1 << layout.num_vars, ZERO, dtype=object)
    scattered[cell_indices(layout)[3 + 2 * which]] = spelled(term).reshape(-1)
    point = random_point(rng, layout.num_vars)
    assert layout.evaluate([(3 + 2 * which, term)], point) == mle(scattered, point)


@pytest.mark.parametrize("shape", [(64, 768), (9000,), (7, 1030), (3, 5, 700), (1023, 9)])
@pytest.mark.parametrize("separate", [True, False])
def test_evaluate_over_split_axes(shape: tuple[int, ...], separate: bool) -> None:
    rng = np.random.default_rng(len(shape))
    layout = layout_of(shape, (3, 3))
    assert len(layout.by_tensor[3]) > 1
    term = random_term(rng, shape, separate=separate)
    point = random_point(rng, layout.num_vars)
    weights = np.zeros((2, 1 << layout.num_vars), dtype=np.uint64)
    weights[:, cell_indices(layout)[3]] = linear_form.dense(term)
    assert layout.evaluate([(3, term)], point) == multilinear.evaluate(weights, point)


@given(SEEDS, st.integers(1, 40))
def test_the_closed_form_of_two_eqs(seed: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    r, z = random_point(rng, num_vars(length)), random_point(rng, num_vars(length))
    expected = total(a * b for a, b in zip(spelled_eq(r, length), spelled_eq(z, length), strict=True))
    assert eq_pair_prefix(r, z, length) == expected


def test_the_reference_extension_is_that_of_multilinear() -> None:
    rng = np.random.default_rng(0)
    table, point = random_table(rng, 16), random_point(rng, 4)
    assert mle(from_table(table), point) == multilinear.evaluate(table, point)


def test_an_axis_in_chunks_and_the_same_axis_padded() -> None:
    """A group that two tensors share is evaluated for each as the tensor has it."""
    all_shapes = [(5, 2048), (5, 1024)]
    layout = layout_of(*all_shapes)
    logs = [{block.logs[0] for block in layout.by_tensor[3 + 2 * i]} for i in (0, 1)]
    assert logs == [{2, 0}, {3}]
    rng = np.random.default_rng(0)
    shared, *lasts = (random_term(rng, (d,)).groups[0] for d in (5, 2048, 1024))
    forms = [[(3 + 2 * i, linear_form.Term((shared, last)))] for i, last in enumerate(lasts)]
    point = random_point(rng, layout.num_vars)
    assert layout.evaluate([*forms[0], *forms[1]], point) == layout.evaluate(forms[0], point) + layout.evaluate(forms[1], point)
