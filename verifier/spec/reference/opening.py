"""Section 8: the opening of all claims."""

from __future__ import annotations

from hashlib import blake2s
from itertools import product
from typing import Any

from verifier.spec.reference.field import ONE, ZERO, Elem, P, add, base, eq, eq_on, inverse, lg, mul, power, sel, sub, times, total
from verifier.spec.reference.forms import Json, weights
from verifier.spec.reference.state import State
from verifier.spec.reference.transcript import Refused, merkle, num_siblings


def rounds(state: State, claim: Elem, count: int, z: list[Elem], bits: int = 0) -> Elem:
    for _ in range(count):
        c0, c2 = state.t.elements("opening round", 2)
        state.t.work("fold grinding", bits)
        (x,) = state.t.draw("opening challenge", 1)
        c1 = sub(sub(sub(claim, c0), c0), c2)
        claim = add(c0, mul(x, add(c1, mul(x, c2))))
        z.append(x)
    return claim


def opening(state: State, roots: list[bytes]) -> None:
    t = state.t
    (gamma,) = t.draw("opening batch", 1)
    laid = [dict[int, Elem](), dict[int, Elem]()]
    layouts = [state.plan["weight layout"], state.plan["witness layout"]]
    registered = {b["tensor"] for b in layouts[0]["blocks"]}
    claim = total(mul(power(gamma, j), value) for j, (_, value) in enumerate(state.samples))
    for j, (terms, value) in enumerate(state.ledger, len(state.samples)):
        for tensor, c, vectors in terms:
            cells = [times(c, w) for w in weights(vectors)]
            if tensor in state.inputs:
                value = sub(value, total(mul(w, base(v)) for w, v in zip(cells, state.inputs[tensor], strict=True)))
                continue
            if tensor < len(state.graph.tensors) and state.graph.tensors[tensor]["storage"] == "public":
                value = sub(value, total(cells[i] for i in state.graph.ones(tensor, state.inputs)))
                continue
            oracle = 0 if tensor in registered else 1
            for index, w in zip(indices(state, layouts[oracle], tensor), cells, strict=True):
                laid[oracle][index] = add(laid[oracle].get(index, ZERO), mul(power(gamma, j), w))
        claim = add(claim, mul(power(gamma, j), value))
    opening, z, opened = state.plan["opening"], list[Elem](), list[Any]()
    for number, level in enumerate(opening["levels"]):
        last = number == len(opening["levels"]) - 1
        message_vars = lg(sum(1 << o["log_columns"] for o in level))
        claim = rounds(state, claim, max(o["num_vars"] - o["log_columns"] for o in level), z, opening["fold_grinding_bits"])
        if last:
            flat = t.base("clear message", 2 << message_vars)
            message = list(zip(flat[: 1 << message_vars], flat[1 << message_vars :], strict=True))
        else:
            following = t.receive("folded root", 32)
            if opening["sampled"]:
                claim = add(claim, sample(state, len(z), message_vars, opened))
        t.work("query grinding", opening["grinding_bits"])
        for oracle, root, offset in zip(level, roots, offsets(level), strict=True):
            claim = add(claim, queries(state, oracle, root, offset, z, message_vars, number == 0, opened))
        roots = [] if last else [following]
    claim = rounds(state, claim, opening["clear_vars"], z)
    tail = z[len(z) - opening["clear_vars"] :]
    weight = add(forms(state, opening["levels"][0], layouts, laid, z, gamma), total(part(z) for part in opened))
    if mul(weight, total(mul(sel(tail, i), v) for i, v in enumerate(message))) != claim:
        raise Refused("rejected", "opening")


def sample(state: State, start: int, message_vars: int, opened: list[Any]) -> Elem:
    point = state.t.draw("sample point", message_vars)
    (value,) = state.t.elements("sample", 1)
    (c,) = state.t.draw("sample batch", 1)
    opened.append(lambda z: mul(c, eq(point, z[start : start + message_vars])))
    return mul(c, value)


def queries(
    state: State, oracle: Json, root: bytes, offset: int, z: list[Elem], message_vars: int, is_base: bool, opened: list[Any]
) -> Elem:
    t, columns = state.t, oracle["log_columns"]
    depth, row_vars = columns + oracle["log_blowup"], oracle["num_vars"] - columns
    positions = sorted({w % (1 << depth) for w in t.words("positions", oracle["num_queries"])})
    rows, n = (1 if is_base else 2) << row_vars, len(positions)
    flat = t.base("columns", rows * n)
    data = t.receive("siblings", 32 * num_siblings(depth, set(positions)))
    siblings = iter([data[i : i + 32] for i in range(0, len(data), 32)])
    cells = [[flat[a * n + j] for a in range(rows)] for j in range(n)]
    leaves = {
        i: blake2s(b"".join(v.to_bytes(8, "little") for v in column), person=b"ciroleaf").digest()
        for i, column in zip(positions, cells, strict=True)
    }
    merkle(root, depth, leaves, lambda: next(siblings))
    fold = eq_on(z[len(z) - row_vars :], 1 << row_vars)
    if is_base:
        values = [total(mul(e, base(v)) for e, v in zip(fold, column, strict=True)) for column in cells]
    else:
        half = 1 << row_vars
        values = [total(mul(e, (column[a], column[half + a])) for a, e in enumerate(fold)) for column in cells]
    (delta,) = t.draw("query batch", 1)
    start = len(z)

    def part(z: list[Elem]) -> Elem:
        y = z[start : start + message_vars]
        found = ZERO
        for j, position in enumerate(positions, 1):
            x = 7 * pow(pow(7, (P - 1) >> depth, P), position, P) % P
            value = power(delta, j)
            for i in range(columns):
                r = y[message_vars - 1 - i]
                value = mul(value, add(sub(ONE, r), mul(r, base(pow(x, 1 << i, P)))))
            found = add(found, value)
        return mul(sel(y[: message_vars - columns], offset >> columns), found)

    opened.append(part)
    return total(mul(power(delta, j), y) for j, y in enumerate(values, 1))


def forms(state: State, level: list[Json], layouts: list[Json], laid: list[dict[int, Elem]], z: list[Elem], gamma: Elem) -> Elem:
    head = max(o["num_vars"] - o["log_columns"] for o in level)
    message_vars = lg(sum(1 << o["log_columns"] for o in level))
    found = ZERO
    for i, (oracle, offset, layout, form) in enumerate(zip(level, offsets(level), layouts, laid, strict=True)):
        columns = oracle["log_columns"]
        rows, cut = oracle["num_vars"] - columns, head + message_vars - columns
        point = [*z[head - rows : head], *z[cut : head + message_vars]]
        extra = len(point) - layout["num_vars"]
        value = total(mul(w, sel(point[extra:], index)) for index, w in form.items())
        value = times(value, *(sub(ONE, r) for r in point[:extra]))
        if state.samples:
            value = add(value, mul(power(gamma, i), eq(state.samples[i][0], point)))
        value = mul(value, sel(z[head:cut], offset >> columns))
        found = add(found, mul(power(inverse(base(2)), head - rows), value))
    return found


def indices(state: State, layout: Json, tensor: int) -> list[int]:
    """The oracle index of every cell in C order."""
    shape = state.graph.tensors[tensor]["shape"] if tensor < len(state.graph.tensors) else None
    if shape is None:
        shape = [next(s["shape"][0] for s in state.plan["segments"] if s["is table"] and s["index"] == tensor - len(state.graph.tensors))]
    found = {}
    for block in (b for b in layout["blocks"] if b["tensor"] == tensor):
        cells = product(*(range(1 << log) for log in block["logs"]))
        for number, cell in enumerate(cells):
            found[tuple(s + i for s, i in zip(block["starts"], cell, strict=True))] = block["offset"] + number
    return [found[cell] for cell in product(*(range(d) for d in shape))]


def offsets(level: list[Json]) -> list[int]:
    order = sorted(range(len(level)), key=lambda i: (-level[i]["log_columns"], i))
    found, at = [0] * len(level), 0
    for i in order:
        found[i] = at
        at += 1 << level[i]["log_columns"]
    return found
