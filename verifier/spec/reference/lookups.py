"""Section 8: the fraction tree, and the claims on the leaves."""

from __future__ import annotations

from typing import Any

from verifier.spec.reference.field import ONE, ZERO, Elem, add, base, eq, inverse, mul, power, sub, times, total
from verifier.spec.reference.forms import cells_of, on_segment
from verifier.spec.reference.state import State
from verifier.spec.reference.tables import table_columns
from verifier.spec.reference.transcript import Refused


def lookups(state: State) -> None:
    t = state.t
    alpha, beta = t.draw("lookup challenges", 2)
    (den,) = t.elements("root denominator", 1)
    if den == ZERO:
        raise Refused("rejected", "lookup")
    point: list[Elem] = []
    num = ZERO
    for _ in range(state.plan["shape"]["log_leaves"]):
        (batch,) = t.draw("layer batch", 1)
        run, scale, bound = add(num, mul(batch, den)), ONE, []
        for r in point:
            t0, t2 = t.elements("layer round", 2)
            (x,) = t.draw("layer challenge", 1)
            t1 = mul(sub(run, mul(sub(ONE, r), t0)), inverse(r))
            value = add(t0, mul(x, add(sub(sub(t1, t0), t2), mul(x, t2))))
            f = eq([r], [x])
            run, scale = mul(f, value), mul(scale, f)
            bound.append(x)
        n0, n1, d0, d1 = t.elements("layer values", 4)
        if mul(scale, total([mul(n0, d1), mul(n1, d0), times(batch, d0, d1)])) != run:
            raise Refused("rejected", "lookup")
        (mu,) = t.draw("layer half", 1)
        point, num, den = [mu, *bound], add(n0, mul(mu, sub(n1, n0))), add(d0, mul(mu, sub(d1, d0)))
    leaves(state, point, num, den, alpha, beta)


def leaves(state: State, point: list[Elem], num: Elem, den: Elem, alpha: Elem, beta: Elem) -> None:
    lookup_weight = weight = phi = tables = ZERO
    counts: list[Any] = []
    found: list[Any] = []
    for s in state.plan["segments"]:
        c, vectors = on_segment(point, s)
        w = mul(c, total(cells_of(vectors)))
        weight = add(weight, w)
        if s["is table"]:
            table = state.graph.graph["tables"][s["index"]]
            counts.append((len(state.graph.tensors) + s["index"], sub(ZERO, c), vectors))
            phi = add(phi, mul(w, base(s["index"] + 1)))
            for j, column in enumerate(table_columns(table), 1):
                inner = total(mul(e, base(v)) for e, v in zip(vectors[0], column, strict=True))
                tables = add(tables, times(c, power(beta, j), inner))
            continue
        lookup = state.plan["lookups"][s["index"]]
        lookup_weight = add(lookup_weight, w)
        phi = add(phi, mul(w, base(lookup["table"] + 1)))
        for j, column in enumerate(lookup["columns"], 1):
            phi = add(phi, times(w, power(beta, j), base(column["constant"])))
            for tensor, a in column["terms"]:
                terms, constant = state.graph.resolve(tensor, times(c, power(beta, j), base(a)), vectors)
                phi = add(phi, constant)
                for term in terms:
                    storage = state.graph.tensors[term[0]]["storage"]
                    (state.accumulators if storage == "accumulator" else found).append(term)
    state.values = state.t.elements("accumulator values", len(state.accumulators))
    known = sub(sub(add(ONE, mul(sub(alpha, ONE), weight)), phi), tables)
    for (_, scale, _), value in zip(state.accumulators, state.values, strict=True):
        known = sub(known, mul(scale, value))
    state.ledger.append((counts, sub(num, lookup_weight)))
    state.ledger.append((found, sub(known, den)))
