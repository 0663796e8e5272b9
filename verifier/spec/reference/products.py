"""Section 8: the products and the zero checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from verifier.spec.reference.field import ONE, ZERO, Elem, Vector, add, base, eq, inverse, lg, mul, power, split, sub, times, total
from verifier.spec.reference.forms import ENCLOSED, Json, cells_of
from verifier.spec.reference.state import State
from verifier.spec.reference.transcript import Refused


def instances(state: State, tau: list[Elem]) -> Iterator[tuple[int, Any, list[Any]]]:
    """(variables, eq point or None, factors); a factor maps a point to (tensor, c, vectors) terms and a constant."""
    for tensor, _, u in state.accumulators:
        yield product_of(state, tensor, u)
    for check in state.plan["zero checks"]:
        shape = check["shape"]
        n = sum(map(lg, shape))

        def column_at(rho: list[Elem], column: Json, shape: Sequence[int] = shape) -> Any:
            vectors = split(rho, shape)
            terms = [(tensor, base(a), vectors) for tensor, a in column["terms"]]
            return terms, mul(base(column["constant"]), total(cells_of(vectors)))

        yield n, tau[len(tau) - n :], [lambda rho, c=c, f=column_at: f(rho, c) for c in check["columns"]]


def product_of(state: State, tensor: int, u: list[Vector]) -> tuple[int, Any, list[Any]]:
    node, _ = state.graph.made[tensor]
    kind = node["kind"]
    if kind in ENCLOSED:
        # the second output is the first one times the divisor, or itself
        kind, x = "hadamard", tensor - 1
        w = node["inputs"][1] if node["kind"] == "divide" else x
    else:
        x, w = node["inputs"]
    xs, ws = state.graph.tensors[x]["shape"], state.graph.tensors[w]["shape"]

    def weighted(vector: Vector, by: Vector) -> Vector:
        return [mul(a, b) for a, b in zip(vector, by, strict=True)]

    def one(tensor: int, vectors: list[Vector]) -> Any:
        return [(tensor, ONE, vectors)], ZERO

    if kind == "matmul":
        shape = [ws[0], ws[1]]

        def left(rho: list[Elem]) -> Any:
            b, k = split(rho, shape)
            return one(x, [b, u[1], k])

        def right(rho: list[Elem]) -> Any:
            b, k = split(rho, shape)
            return one(w, [weighted(b, u[0]), k, u[2]])

    elif kind == "hadamard":
        shape = ws

        def left(rho: list[Elem]) -> Any:
            return one(x, [weighted(e, v) if d > 1 else v for e, v, d in zip(split(rho, shape), u, ws, strict=True)])

        def right(rho: list[Elem]) -> Any:
            return one(w, split(rho, shape))

    else:
        shape = [ws[0], *ws[2:]]

        def left(rho: list[Elem]) -> Any:
            g, c, *taps = split(rho, shape)
            mapped = []
            for a, tap in enumerate(taps):
                row = [ZERO] * xs[3 + a]
                for i, e in enumerate(tap):
                    for q, value in enumerate(u[3 + a]):
                        h = node["strides"][a] * q + node["dilations"][a] * i - node["pads_begin"][a]
                        if 0 <= h < len(row):
                            row[h] = add(row[h], mul(e, value))
                mapped.append(row)
            return one(x, [u[0], g, c, *mapped])

        def right(rho: list[Elem]) -> Any:
            g, c, *taps = split(rho, shape)
            return one(w, [weighted(g, u[1]), u[2], c, *taps])

    return sum(map(lg, shape)), None, [left, right]


def products(state: State) -> None:
    t, shape = state.t, state.plan["shape"]
    tau = t.draw("zero check point", max([0, *(sum(map(lg, check["shape"])) for check in state.plan["zero checks"])]))
    (batch,) = t.draw("product batch", 1)
    claim = total(mul(power(batch, i), value) for i, value in enumerate(state.values))
    point: list[Elem] = []
    for _ in range(shape["product_rounds"]):
        c0, *rest = t.elements("product round", shape["degree"])
        (x,) = t.draw("product challenge", 1)
        c1 = sub(sub(sub(claim, c0), c0), total(rest))
        claim = total(mul(c, power(x, j)) for j, c in enumerate([c0, c1, *rest]))
        point.append(x)
    expected, half = ZERO, inverse(base(2))
    for i, (n, tau_point, factors) in enumerate(instances(state, tau)):
        rho = point[len(point) - n :]
        finals = t.elements("factor values", len(factors))
        value = times(power(batch, i), power(half, len(point) - n), *finals, eq(tau_point, rho) if tau_point is not None else ONE)
        expected = add(expected, value)
        for factor, final in zip(factors, finals, strict=True):
            terms, constant = factor(rho)
            parts = [state.graph.resolve(*term) for term in terms]
            constant = total([constant, *(extra for _, extra in parts)])
            state.ledger.append(([pair for part, _ in parts for pair in part], sub(final, constant)))
    if expected != claim:
        raise Refused("rejected", "products")
