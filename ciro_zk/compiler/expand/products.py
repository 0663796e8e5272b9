"""Einsum as one matrix product, and gated or normalised products."""

from __future__ import annotations

from math import prod

import numpy as np

from ciro_zk.compiler.expand.parts import Kept, Parts, expands

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@expands("Einsum", 12, 28)
def einsum(parts: Parts) -> None:
    """Of one or two operands: diagonals, sums over labels of one operand alone, then batch x rows x inner by batch x inner x columns."""
    terms, result = _labels(parts)
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
    if len(terms) > 2 or len(terms) != len(parts.node.input):
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
