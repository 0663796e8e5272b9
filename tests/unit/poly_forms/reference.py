"""Forms spelled out weight by weight over Python integers, and random ones: the tests' own view of `ciro_zk.poly.linear_form`.

A spelled form is a numpy object array of `Ext`, one per cell. Nothing here calls the array arithmetic under test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ciro_zk.field.extension import ONE, ZERO, Ext, P, total
from ciro_zk.poly.linear_form import Dense, Eq, Group, Term, num_vars

Spelled = NDArray[np.object_]

SEEDS = st.integers(0, 2**32 - 1)
EDGES = (0, 1, 2, P - 1, P - 2, 2**32 - 1, 2**32, (P - 1) // 2, (P + 1) // 2)


@st.composite
def shapes(draw: st.DrawFn, max_axes: int = 4, max_length: int = 7, max_size: int = 96) -> tuple[int, ...]:
    """Shapes with unit axes and axes that are no power of two."""
    lengths: list[int] = []
    size = 1
    for _ in range(draw(st.integers(1, max_axes))):
        lengths.append(draw(st.integers(1, max(1, min(max_length, max_size // size)))))
        size *= lengths[-1]
    return tuple(lengths)


def random_word(rng: np.random.Generator) -> int:
    """An element of F_p, often an edge case."""
    return int(rng.choice(np.array(EDGES, dtype=object))) if rng.random() < 0.2 else int(rng.integers(0, P, dtype=np.uint64))


def random_ext(rng: np.random.Generator) -> Ext:
    return Ext(random_word(rng), random_word(rng))


def random_point(rng: np.random.Generator, length: int) -> tuple[Ext, ...]:
    return tuple(random_ext(rng) for _ in range(length))


def random_table(rng: np.random.Generator, *shape: int) -> NDArray[np.uint64]:
    """Canonical words `(2, *shape)`."""
    return rng.integers(0, P, (2, *shape), dtype=np.uint64)


def random_group(rng: np.random.Generator, dims: Sequence[int]) -> Group:
    """An `Eq` or a `Dense` over one axis, a `Dense` over several."""
    if len(dims) == 1 and rng.random() < 0.6:
        return Eq(random_point(rng, num_vars(dims[0])), dims[0])
    return Dense(random_table(rng, *dims))


def random_term(rng: np.random.Generator, shape: Sequence[int], *, separate: bool = False) -> Term:
    """A term over `shape`, neighbouring axes merged at random unless `separate`."""
    groups: list[Group] = []
    start = 0
    while start < len(shape):
        stop = start + 1
        while not separate and stop < len(shape) and rng.random() < 0.3:
            stop += 1
        groups.append(random_group(rng, shape[start:stop]))
        start = stop
    return Term(tuple(groups), ONE if rng.random() < 0.3 else random_ext(rng))


def ext_array(values: Iterable[Ext], shape: Sequence[int]) -> Spelled:
    result = np.empty(int(np.prod(shape, dtype=np.int64)), dtype=object)
    for i, value in enumerate(values):
        result[i] = value
    return result.reshape(tuple(shape))


def from_table(table: NDArray[np.uint64]) -> Spelled:
    """`(2, *dims)` words as elements."""
    rows = table.reshape(2, -1).tolist()
    return ext_array((Ext(a, b) for a, b in zip(*rows, strict=True)), table.shape[1:])


def spelled_eq(point: Sequence[Ext], length: int) -> Spelled:
    """eq(point, i) for i < length, from the definition."""
    values = []
    for i in range(length):
        value = ONE
        for k, r in enumerate(point):
            value = value * (r if i >> (len(point) - 1 - k) & 1 else ONE - r)
        values.append(value)
    return ext_array(values, (length,))


def spelled_group(group: Group) -> Spelled:
    return spelled_eq(group.point, group.length) if isinstance(group, Eq) else from_table(group.values)


def spelled(term: Term) -> Spelled:
    """Every weight of a term, of the term's shape."""
    weights = ext_array([term.coefficient], ())
    for group in term.groups:
        weights = np.asarray(np.multiply.outer(weights, spelled_group(group)), dtype=object)
    return weights


def pair(weights: Spelled, values: Any) -> Ext:
    """<weights, values>, the values integers of any sign."""
    cells = np.asarray(values).astype(object).reshape(-1)
    assert weights.size == cells.size
    return total(w * (int(v) % P) for w, v in zip(weights.reshape(-1).tolist(), cells.tolist(), strict=True))


def value_of(pairs: Iterable[tuple[int, Term]], values: Mapping[int, Any]) -> Ext:
    """The sum of <term, tensor> over (tensor id, term) pairs."""
    return total(pair(spelled(term), values[tensor]) for tensor, term in pairs)


def mle(values: Spelled, point: Sequence[Ext]) -> Ext:
    """The multilinear extension of 2^k values at a point: sum of eq(point, i) values[i]."""
    weights = spelled_eq(point, 1 << len(point))
    return total(w * v for w, v in zip(weights.tolist(), values.reshape(-1).tolist(), strict=True))


def same(a: Spelled, b: Spelled) -> bool:
    return a.shape == b.shape and a.reshape(-1).tolist() == b.reshape(-1).tolist()


def zero_like(shape: Sequence[int]) -> Spelled:
    return ext_array([ZERO] * int(np.prod(shape, dtype=np.int64)), shape)
