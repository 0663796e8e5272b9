"""Einsum as one matrix product, and gated or normalised products."""

from __future__ import annotations

from itertools import combinations
from math import prod

import numpy as np

from ciro_zk.compiler.expand.parts import Kept, Parts, expands

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@expands("Einsum", 12, 28)
def einsum(parts: Parts) -> None:
    """Of one or two operands: diagonals, sums over labels of one operand alone, then batch x rows x inner by batch x inner x columns.

    More operands are taken one after another, from the left.
    """
    terms, result = _labels(parts)
    if len(terms) > 2:
        first = "".join(x for x in dict.fromkeys(terms[0] + terms[1]) if x in result or any(x in term for term in terms[2:]))
        product = parts.add("Einsum", parts.name(0), parts.name(1), equation=f"{terms[0]},{terms[1]}->{first}")
        parts.result("Einsum", product, *parts.node.input[2:], equation=f"{','.join([first, *terms[2:]])}->{result}")
        return
    names = []
    for i, term in enumerate(terms):
        others = {label for j, other in enumerate(terms) if j != i for label in other}
        names.append(_reduced(parts, i, term, others | set(result)))
    lengths: dict[str, int] = {}
    for i, term in enumerate(terms):
        lengths.update(zip(term, parts.shape(i), strict=True))
    kept = [[x for x in dict.fromkeys(term) if x in result or x in "".join(terms[:i] + terms[i + 1 :])] for i, term in enumerate(terms)]
    if len(terms) == 1:
        _arranged(parts, names[0], kept[0], list(result), parts.node.output[0])
        return
    left, right = kept
    batch = [x for x in left if x in right and x in result]
    inner = [x for x in left if x in right and x not in result]
    rows, columns = [x for x in left if x not in right], [x for x in right if x not in left]

    def size(labels: list[str]) -> int:
        return prod(lengths[x] for x in labels)

    a = parts.reshape(_arranged(parts, names[0], left, [*batch, *rows, *inner]), [size(batch), size(rows), size(inner)])
    b = parts.reshape(_arranged(parts, names[1], right, [*batch, *inner, *columns]), [size(batch), size(inner), size(columns)])
    found = [*batch, *rows, *columns]
    product = parts.reshape(parts.add("MatMul", a, b), [lengths[x] for x in found])
    _arranged(parts, product, found, list(result), parts.node.output[0])


def _labels(parts: Parts) -> tuple[list[str], str]:
    """The labels of every operand and of the result, an ellipsis spelled out."""
    equation = str(parts.attribute("equation")).replace(" ", "")
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(parts.node.input):
        raise Kept
    spare = [x for x in LETTERS if x not in equation]
    hidden = ""
    for i, term in enumerate(terms):
        if "..." in term:
            count = len(parts.shape(i)) - len(term.replace("...", ""))
            hidden = "".join(spare[:count])
            terms[i] = term.replace("...", hidden)
    if not arrow:
        every = "".join(terms)
        result = hidden + "".join(sorted(x for x in set(every) if every.count(x) == 1 and x not in hidden))
    return terms, result.replace("...", hidden)


def _reduced(parts: Parts, index: int, term: str, wanted: set[str]) -> str:
    """An operand with repeated labels taken on the diagonal and labels that nothing else has summed."""
    name, shape = parts.name(index), parts.shape(index)
    if len(set(term)) < len(term):
        labels = list(dict.fromkeys(term))
        sizes = [shape[term.index(x)] for x in labels]
        grid = np.indices(sizes)
        cells = np.ravel_multi_index([grid[labels.index(x)] for x in term], shape)
        chosen = parts.add("Gather", parts.reshape(name, [-1]), parts.constant(cells.reshape(-1), np.int64))
        name, term = parts.reshape(chosen, sizes), "".join(labels)
    summed = [i for i, x in enumerate(term) if x not in wanted]
    return parts.reduce("ReduceSum", name, summed, 0) if summed else name


def _arranged(parts: Parts, name: str, labels: list[str], wanted: list[str], output: str = "") -> str:
    """Axes in another order."""
    if sorted(labels) != sorted(wanted):
        raise Kept
    if labels == wanted:
        return parts.add("Identity", name, output=output) if output else name
    return parts.add("Transpose", name, output=output, perm=[labels.index(x) for x in wanted])


MAX_FACTORS = 64
MAX_DETERMINANT = 5


@expands("CumProd", 26)
def cum_prod(parts: Parts) -> None:
    """The product of the cells before each one on a constant axis, itself included unless exclusive."""
    shape = parts.shape(0)
    axis = int(parts.array(1).reshape(-1)[0]) % len(shape)
    length, exclusive = shape[axis], bool(parts.attribute("exclusive", 0))
    if length > MAX_FACTORS:
        raise Kept(f"a cumulative product of {length} cells", f"at most {MAX_FACTORS} are supported")
    order = range(length)[::-1] if parts.attribute("reverse", 0) else range(length)
    one = parts.constant(np.ones([1 if a == axis else d for a, d in enumerate(shape)]), parts.dtype(0))
    found = {}
    current = one
    for i in order:
        cell = parts.add("Gather", parts.name(0), parts.constant([i], np.int64), axis=axis)
        after = cell if current == one else parts.add("Mul", current, cell)
        found[i], current = (current if exclusive else after), after
    parts.result("Concat", *(found[i] for i in range(length)), axis=axis)


@expands("Det", 11, 22)
def det(parts: Parts) -> None:
    """Expanded by rows: the minors of the last rows, by the columns that they take."""
    *lead, size, _ = parts.shape(0)
    if size > MAX_DETERMINANT:
        raise Kept(f"the determinant of {size} rows", f"at most {MAX_DETERMINANT} are supported")
    cells = parts.reshape(parts.name(0), [-1, size * size])

    def cell(row: int, column: int) -> str:
        return parts.add("Gather", cells, parts.constant(row * size + column, np.int64), axis=1)

    minors: dict[tuple[int, ...], str] = {(column,): cell(size - 1, column) for column in range(size)}
    for row in range(size - 2, -1, -1):
        of_row = [cell(row, column) for column in range(size)]
        larger: dict[tuple[int, ...], str] = {}
        for columns in combinations(range(size), size - row):
            total = ""
            for i, column in enumerate(columns):
                term = parts.add("Mul", of_row[column], minors[tuple(c for c in columns if c != column)])
                total = parts.add("Sub" if i % 2 else "Add", total, term) if total else term
            larger[columns] = total
        minors = larger
    parts.reshape(minors[tuple(range(size))], lead, parts.node.output[0])


@expands("SwiGLU", 28)
def swi_glu(parts: Parts) -> None:
    """swish(a) b."""
    alpha = parts.attribute("alpha")
    parts.result("Mul", parts.add("Swish", parts.name(0), alpha=alpha), parts.name(1))


@expands("LRN", 1, 13)
def lrn(parts: Parts) -> None:
    """x (bias + alpha / size * sum of squares over neighbouring channels)^(-beta)."""
    size, channels = int(parts.attribute("size")), parts.shape(0)[1]
    alpha, beta, bias = (float(parts.attribute(n, d)) for n, d in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    kind, rank = parts.dtype(0), len(parts.shape(0))
    band = np.zeros((channels, channels))
    for c in range(channels):
        band[c, max(0, c - (size - 1) // 2) : c + size // 2 + 1] = alpha / size
    order = [a for a in range(rank) if a != 1] + [1]
    square = parts.add("Pow", parts.name(0), parts.constant(2, kind))
    last = parts.add("MatMul", parts.add("Transpose", square, perm=order), parts.constant(band.T, kind))
    total = parts.add("Add", parts.add("Transpose", last, perm=[order.index(a) for a in range(rank)]), parts.constant(bias, kind))
    parts.result("Mul", parts.name(0), parts.add("Pow", total, parts.constant(-beta, kind)))
