"""Section 8: linear forms, and how they are pulled back through virtual tensors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from verifier.spec.reference.field import ONE, ZERO, Elem, Vector, add, base, eq_on, lg, mul, sel, times, total

Json = dict[str, Any]
Term = tuple[int, Elem, list[Vector]]
"""A tensor, c, and c's vectors, one per axis."""


def cells_of(vectors: Sequence[Vector]) -> Vector:
    return [times(*entry) for entry in product(*vectors)]


def on_segment(r: list[Elem], s: Json) -> tuple[Elem, list[list[Elem]]]:
    """Section 8.2: eq at the leaves of a segment's cells, zero on other cells: a coefficient, and a vector per axis."""
    run = sum(lg(length) for axis, length in enumerate(s["lengths"]) if axis != s["cut"])
    at = len(r) - run
    top, first, found = r[:at], s["offset"] >> run, []
    for axis, (d, start, length) in enumerate(zip(s["shape"], s["starts"], s["lengths"], strict=True)):
        if axis == s["cut"]:
            own = [sel(top, first + i) for i in range(length)]
        else:
            own = eq_on(r[at : at + lg(length)], length)
            at += lg(length)
        found.append([ZERO] * start + own + [ZERO] * (d - start - length))
    return sel(top, first) if s["cut"] is None else ONE, found


ENCLOSED = ("divide", "square_root")


class Graph:
    """The manifest's graph with the plan's tensors."""

    def __init__(self, manifest: Json, plan: Json) -> None:
        self.plan, self.graph, self.tensors = plan, manifest["graph"], plan["tensors"]
        self.made: dict[int, tuple[Json, int]] = {}
        at = 0
        for node in self.graph["nodes"]:
            count = self.outputs(node)
            for i in range(count):
                self.made[at + i] = (node, i)
            at += count

    def outputs(self, node: Json) -> int:
        if node["kind"] == "range_check":
            return int(node["num_limbs"]) - 1
        if node["kind"] in ENCLOSED:
            limb = self.graph["tables"][node["range_table"]]["bits"]
            return 2 + sum(max(-(-width // limb), 1) - 1 for width in (node["width"], node["rest_width"], node["rest_width"]))
        if node["kind"] != "requantise":
            return 1
        bits = self.graph["tables"][node["range_table"]]["bits"]
        return 1 + -(-node["shift"] // bits) + (2 if len(node["tables"]) == 2 else 0)

    def ones(self, tensor: int, inputs: dict[int, list[int]]) -> list[int]:
        """Where one-hot ids are 1."""
        node, _ = self.made[tensor]
        n = node["length"]
        return [row * n + v % n for row, v in enumerate(inputs[node["inputs"][0]]) if -n <= v < n]

    def resolve(self, tensor: int, c: Elem, vectors: list[Vector]) -> tuple[list[Term], Elem]:
        """Terms on stored tensors and accumulators, and the constant."""
        if tensor >= len(self.tensors) or self.tensors[tensor]["storage"] != "virtual":
            return [(tensor, c, vectors)], ZERO
        node, _ = self.made[tensor]
        source = self.tensors[node["inputs"][0]]["shape"]
        if node["kind"] == "combine":
            constant = mul(base(node["offset"]), mul(c, total(cells_of(vectors))))
            parts = [self.resolve(x, mul(c, base(k)), vectors) for x, k in zip(node["inputs"], node["coefficients"], strict=True)]
            return [pair for part, _ in parts for pair in part], total([constant, *(extra for _, extra in parts)])
        if node["kind"] == "transpose":
            vectors = [vectors[node["permutation"].index(axis)] for axis in range(len(source))]
        elif node["kind"] == "axis_map":
            axis = node["axis"]
            mapped = [ZERO] * source[axis]
            for u, indices, weights in zip(vectors[axis], node["index"], node["weight"], strict=True):
                for i, w in zip(indices, weights, strict=True):
                    mapped[i] = add(mapped[i], mul(u, base(w)))
            vectors = [*vectors[:axis], mapped, *vectors[axis + 1 :]]
        else:
            c, vectors = reshaped(c, vectors, source)
        return self.resolve(node["inputs"][0], c, vectors)


def reshaped(c: Elem, vectors: list[Vector], shape: Sequence[int]) -> tuple[Elem, list[Vector]]:
    """Axes regrouped where a vector stays one; else the rank-one dense vector is factored axis by axis, its first non-zero cell in c."""
    for v in vectors:
        if len(v) == 1:
            c = mul(c, v[0])
    wide = [v for v in vectors if len(v) > 1]
    if [len(v) for v in wide] == [d for d in shape if d > 1]:
        return c, [wide.pop(0) if d > 1 else [ONE] for d in shape]
    return c, [Flat(cells_of(wide))]


class Flat(list[Elem]):
    """All weights of a term that is read on axes it does not separate on."""


def weights(vectors: Sequence[Vector]) -> Vector:
    return list(vectors[0]) if len(vectors) == 1 and isinstance(vectors[0], Flat) else cells_of(vectors)
