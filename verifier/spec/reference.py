"""The verification of `verification.md`, sections 1 to 4, 8 and 10, in plain integers and hashlib: a second implementation, which the
vectors hold together with the library's. Nothing of the library is imported. Slow; for small proofs.

It takes the plan (sections 5 to 7: tensors, lookups, segments, layouts, opening levels) from the vectors, as a verifier may that pins
a key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2s
from itertools import product
from math import prod
from typing import Any

P = 2**64 - 2**32 + 1
Elem = tuple[int, int]
Vector = list[Elem]
Json = dict[str, Any]
ZERO, ONE = (0, 0), (1, 0)


class Refused(Exception):
    """(verdict, stage or label)"""


# Section 1 -----------------------------------------------------------------------------------------------------------------------


def add(a: Elem, b: Elem) -> Elem:
    return (a[0] + b[0]) % P, (a[1] + b[1]) % P


def sub(a: Elem, b: Elem) -> Elem:
    return (a[0] - b[0]) % P, (a[1] - b[1]) % P


def mul(a: Elem, b: Elem) -> Elem:
    return (a[0] * b[0] + 7 * a[1] * b[1]) % P, (a[0] * b[1] + a[1] * b[0]) % P


def base(value: int) -> Elem:
    return value % P, 0


def inverse(a: Elem) -> Elem:
    n = pow(a[0] * a[0] - 7 * a[1] * a[1], P - 2, P)
    return a[0] * n % P, -a[1] * n % P


def power(a: Elem, n: int) -> Elem:
    value = ONE
    for _ in range(n):
        value = mul(value, a)
    return value


def total(values: Any) -> Elem:
    value = ZERO
    for v in values:
        value = add(value, v)
    return value


def times(*values: Elem) -> Elem:
    value = ONE
    for v in values:
        value = mul(value, v)
    return value


def lg(d: int) -> int:
    return (d - 1).bit_length()


def sel(r: Sequence[Elem], index: int) -> Elem:
    return times(*(x if index >> (len(r) - 1 - i) & 1 else sub(ONE, x) for i, x in enumerate(r)))


def eq(r: Sequence[Elem], s: Sequence[Elem]) -> Elem:
    return times(*(add(mul(a, b), mul(sub(ONE, a), sub(ONE, b))) for a, b in zip(r, s, strict=True)))


def eq_on(r: Sequence[Elem], length: int) -> Vector:
    return [sel(r, i) for i in range(length)]


def split(r: Sequence[Elem], shape: Sequence[int]) -> list[Vector]:
    """eq on the real cells, a vector per axis."""
    found, at = [], 0
    for d in shape:
        found.append(eq_on(r[at : at + lg(d)], d))
        at += lg(d)
    return found


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


# Sections 2 and 3 ----------------------------------------------------------------------------------------------------------------


class Transcript:
    def __init__(self, body: bytes, domain: bytes = b"ciro_zk native 2") -> None:
        self.state, self.body, self.at = bytes(32), body, 0
        self.states: list[str] = []
        self.absorb("domain", domain)

    def _hash(self, tag: bytes, label: str, data: bytes) -> None:
        text = self.state + tag + len(label).to_bytes(2, "little") + label.encode() + len(data).to_bytes(8, "little") + data
        self.state = blake2s(text, person=b"ciro_fs1").digest()
        self.states.append(self.state.hex())

    def absorb(self, label: str, data: bytes) -> None:
        self._hash(b"A", label, data)

    def words(self, label: str, count: int) -> list[int]:
        self._hash(b"S", label, b"")
        found: list[int] = []
        for counter in range(count):
            block = blake2s(self.state + counter.to_bytes(8, "little"), person=b"ciro_fs1").digest()
            found += [w for w in (int.from_bytes(block[i : i + 8], "little") for i in range(0, 32, 8)) if w < P]
        return found[:count]

    def draw(self, label: str, count: int) -> list[Elem]:
        words = self.words(label, 2 * count)
        return list(zip(words[::2], words[1::2], strict=True))

    def receive(self, label: str, size: int) -> bytes:
        data = self.body[self.at : self.at + size]
        if len(data) != size:
            raise Refused("malformed", label)
        self.at += size
        self.absorb(label, data)
        return data

    def base(self, label: str, count: int) -> list[int]:
        data = self.receive(label, 8 * count)
        found = [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]
        if any(value >= P for value in found):
            raise Refused("malformed", label)
        return found

    def elements(self, label: str, count: int) -> list[Elem]:
        found = self.base(label, 2 * count)
        return list(zip(found[::2], found[1::2], strict=True))

    def work(self, label: str, bits: int) -> None:
        if bits:
            state = self.state
            digest = blake2s(state + self.receive(label, 8), person=b"cirowork").digest()
            if int.from_bytes(digest, "little") % (1 << bits):
                raise Refused("rejected", "grinding")


def merkle(root: bytes, depth: int, leaves: dict[int, bytes], read: Callable[[], bytes]) -> None:
    for _ in range(depth):
        parents = {}
        for i in sorted(leaves):
            if i >> 1 in parents:
                continue
            other = leaves[i ^ 1] if i ^ 1 in leaves else read()
            pair = leaves[i] + other if i % 2 == 0 else other + leaves[i]
            parents[i >> 1] = blake2s(pair, person=b"cironode").digest()
        leaves = parents
    if leaves != {0: root}:
        raise Refused("rejected", "merkle")


def num_siblings(depth: int, nodes: set[int]) -> int:
    count = 0
    for _ in range(depth):
        count += sum(i ^ 1 not in nodes for i in nodes)
        nodes = {i >> 1 for i in nodes}
    return count


# Section 8: forms ----------------------------------------------------------------------------------------------------------------

Term = tuple[Elem, Any]
"""c and the vectors, one per axis; or c and [a dense vector over all cells] where they do not separate."""


def cells_of(vectors: Sequence[Vector]) -> Vector:
    return [times(*entry) for entry in product(*vectors)]


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

    def resolve(self, tensor: int, c: Elem, vectors: list[Vector]) -> tuple[list[tuple[int, Elem, list[Vector]]], Elem]:
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


# Section 8 -----------------------------------------------------------------------------------------------------------------------


class Checking:
    def __init__(self, manifest: Json, plan: Json, public: dict[int, list[int]], columns: Callable[[Json], list[list[int]]]) -> None:
        self.graph, self.plan, self.public, self.columns = Graph(manifest, plan), plan, public, columns
        self.ledger: list[tuple[list[tuple[int, Elem, list[Vector]]], Elem]] = []
        self.samples: list[tuple[list[Elem], Elem]] = []

    def run(self, transcript: Transcript, model: bytes, sample: bytes) -> None:
        self.t = transcript
        roots = [model, transcript.receive("witness root", 32)]
        if self.plan["opening"]["sampled"]:
            weights, witness = self.plan["opening"]["levels"][0]
            alone = Transcript(sample, b"ciro_zk native 2 weights sample")
            alone.absorb("model commitment", model)
            point = alone.draw("weights sample point", weights["num_vars"])
            self.samples.append((point, alone.elements("weights sample", 1)[0]))
            point = transcript.draw("witness sample point", witness["num_vars"])
            self.samples.append((point, transcript.elements("witness sample", 1)[0]))
        transcript.work("lookup grinding", self.plan["lookup_grinding_bits"])
        self.lookups()
        self.products()
        for port in self.graph.graph["outputs"]:
            shape = self.graph.tensors[port["tensor"]]["shape"]
            vectors = split(transcript.draw("output point", sum(map(lg, shape))), shape)
            terms, constant = self.graph.resolve(port["tensor"], ONE, vectors)
            value = total(mul(w, base(v)) for w, v in zip(cells_of(vectors), self.public[port["tensor"]], strict=True))
            self.ledger.append((terms, sub(value, constant)))
        self.opening(roots)
        if transcript.at != len(transcript.body):
            raise Refused("malformed", "end")

    def lookups(self) -> None:
        t = self.t
        alpha, beta = t.draw("lookup challenges", 2)
        (den,) = t.elements("root denominator", 1)
        if den == ZERO:
            raise Refused("rejected", "lookup")
        point: list[Elem] = []
        num = ZERO
        for _ in range(self.plan["shape"]["log_leaves"]):
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
        self.leaves(point, num, den, alpha, beta)

    def leaves(self, point: list[Elem], num: Elem, den: Elem, alpha: Elem, beta: Elem) -> None:
        lookup_weight = weight = phi = tables = ZERO
        counts: list[Any] = []
        found: list[Any] = []
        self.accumulators: list[Any] = []
        for s in self.plan["segments"]:
            c, vectors = on_segment(point, s)
            w = mul(c, total(cells_of(vectors)))
            weight = add(weight, w)
            if s["is table"]:
                table = self.graph.graph["tables"][s["index"]]
                counts.append((len(self.graph.tensors) + s["index"], sub(ZERO, c), vectors))
                phi = add(phi, mul(w, base(s["index"] + 1)))
                for j, column in enumerate(self.columns(table), 1):
                    inner = total(mul(e, base(v)) for e, v in zip(vectors[0], column, strict=True))
                    tables = add(tables, times(c, power(beta, j), inner))
                continue
            lookup = self.plan["lookups"][s["index"]]
            lookup_weight = add(lookup_weight, w)
            phi = add(phi, mul(w, base(lookup["table"] + 1)))
            for j, column in enumerate(lookup["columns"], 1):
                phi = add(phi, times(w, power(beta, j), base(column["constant"])))
                for tensor, a in column["terms"]:
                    terms, constant = self.graph.resolve(tensor, times(c, power(beta, j), base(a)), vectors)
                    phi = add(phi, constant)
                    for term in terms:
                        storage = self.graph.tensors[term[0]]["storage"]
                        (self.accumulators if storage == "accumulator" else found).append(term)
        self.values = self.t.elements("accumulator values", len(self.accumulators))
        known = sub(sub(add(ONE, mul(sub(alpha, ONE), weight)), phi), tables)
        for (_, scale, _), value in zip(self.accumulators, self.values, strict=True):
            known = sub(known, mul(scale, value))
        self.ledger.append((counts, sub(num, lookup_weight)))
        self.ledger.append((found, sub(known, den)))

    def instances(self, tau: list[Elem]) -> Iterator[tuple[int, Any, list[Any]]]:
        """(variables, eq point or None, factors); a factor maps a point to (tensor, c, vectors) terms and a constant."""
        for tensor, _, u in self.accumulators:
            yield self.product_of(tensor, u)
        for check in self.plan["zero checks"]:
            shape = check["shape"]
            n = sum(map(lg, shape))

            def column_at(rho: list[Elem], column: Json, shape: Sequence[int] = shape) -> Any:
                vectors = split(rho, shape)
                terms = [(tensor, base(a), vectors) for tensor, a in column["terms"]]
                return terms, mul(base(column["constant"]), total(cells_of(vectors)))

            yield n, tau[len(tau) - n :], [lambda rho, c=c, f=column_at: f(rho, c) for c in check["columns"]]

    def product_of(self, tensor: int, u: list[Vector]) -> tuple[int, Any, list[Any]]:
        node, _ = self.graph.made[tensor]
        kind = node["kind"]
        if kind in ENCLOSED:
            # the second output is the first one times the divisor, or itself
            kind, x = "hadamard", tensor - 1
            w = node["inputs"][1] if node["kind"] == "divide" else x
        else:
            x, w = node["inputs"]
        xs, ws = self.graph.tensors[x]["shape"], self.graph.tensors[w]["shape"]

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

    def products(self) -> None:
        t, shape = self.t, self.plan["shape"]
        tau = t.draw("zero check point", max([0, *(sum(map(lg, check["shape"])) for check in self.plan["zero checks"])]))
        (batch,) = t.draw("product batch", 1)
        claim = total(mul(power(batch, i), value) for i, value in enumerate(self.values))
        point: list[Elem] = []
        for _ in range(shape["product_rounds"]):
            c0, *rest = t.elements("product round", shape["degree"])
            (x,) = t.draw("product challenge", 1)
            c1 = sub(sub(sub(claim, c0), c0), total(rest))
            claim = total(mul(c, power(x, j)) for j, c in enumerate([c0, c1, *rest]))
            point.append(x)
        expected, half = ZERO, inverse(base(2))
        for i, (n, tau_point, factors) in enumerate(self.instances(tau)):
            rho = point[len(point) - n :]
            finals = t.elements("factor values", len(factors))
            value = times(power(batch, i), power(half, len(point) - n), *finals, eq(tau_point, rho) if tau_point is not None else ONE)
            expected = add(expected, value)
            for factor, final in zip(factors, finals, strict=True):
                terms, constant = factor(rho)
                parts = [self.graph.resolve(*term) for term in terms]
                constant = total([constant, *(extra for _, extra in parts)])
                self.ledger.append(([pair for part, _ in parts for pair in part], sub(final, constant)))
        if expected != claim:
            raise Refused("rejected", "products")

    def rounds(self, claim: Elem, count: int, z: list[Elem], bits: int = 0) -> Elem:
        for _ in range(count):
            c0, c2 = self.t.elements("opening round", 2)
            self.t.work("fold grinding", bits)
            (x,) = self.t.draw("opening challenge", 1)
            c1 = sub(sub(sub(claim, c0), c0), c2)
            claim = add(c0, mul(x, add(c1, mul(x, c2))))
            z.append(x)
        return claim

    def opening(self, roots: list[bytes]) -> None:
        t = self.t
        (gamma,) = t.draw("opening batch", 1)
        laid = [dict[int, Elem](), dict[int, Elem]()]
        layouts = [self.plan["weight layout"], self.plan["witness layout"]]
        owners = [{b["tensor"] for b in layout["blocks"]} for layout in layouts]
        claim = total(mul(power(gamma, j), value) for j, (_, value) in enumerate(self.samples))
        for j, (terms, value) in enumerate(self.ledger, len(self.samples)):
            for tensor, c, vectors in terms:
                cells = [times(c, w) for w in weights(vectors)]
                if tensor in self.public and tensor not in owners[0] | owners[1]:
                    value = sub(value, total(mul(w, base(v)) for w, v in zip(cells, self.public[tensor], strict=True)))
                    continue
                oracle = 0 if tensor in owners[0] else 1
                for index, w in zip(self.indices(layouts[oracle], tensor), cells, strict=True):
                    laid[oracle][index] = add(laid[oracle].get(index, ZERO), mul(power(gamma, j), w))
            claim = add(claim, mul(power(gamma, j), value))
        opening, z, opened = self.plan["opening"], list[Elem](), list[Any]()
        for number, level in enumerate(opening["levels"]):
            last = number == len(opening["levels"]) - 1
            message_vars = lg(sum(1 << o["log_columns"] for o in level))
            claim = self.rounds(claim, max(o["num_vars"] - o["log_columns"] for o in level), z, opening["fold_grinding_bits"])
            if last:
                flat = t.base("clear message", 2 << message_vars)
                message = list(zip(flat[: 1 << message_vars], flat[1 << message_vars :], strict=True))
            else:
                following = t.receive("folded root", 32)
                if opening["sampled"]:
                    claim = add(claim, self.sample(len(z), message_vars, opened))
            t.work("query grinding", opening["grinding_bits"])
            for oracle, root, offset in zip(level, roots, offsets(level), strict=True):
                claim = add(claim, self.queries(oracle, root, offset, z, message_vars, number == 0, opened))
            roots = [] if last else [following]
        claim = self.rounds(claim, opening["clear_vars"], z)
        tail = z[len(z) - opening["clear_vars"] :]
        weight = add(self.forms(opening["levels"][0], layouts, laid, z, gamma), total(part(z) for part in opened))
        if mul(weight, total(mul(sel(tail, i), v) for i, v in enumerate(message))) != claim:
            raise Refused("rejected", "opening")

    def sample(self, start: int, message_vars: int, opened: list[Any]) -> Elem:
        point = self.t.draw("sample point", message_vars)
        (value,) = self.t.elements("sample", 1)
        (c,) = self.t.draw("sample batch", 1)
        opened.append(lambda z: mul(c, eq(point, z[start : start + message_vars])))
        return mul(c, value)

    def queries(self, oracle: Json, root: bytes, offset: int, z: list[Elem], message_vars: int, is_base: bool, opened: list[Any]) -> Elem:
        t, columns = self.t, oracle["log_columns"]
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

    def forms(self, level: list[Json], layouts: list[Json], laid: list[dict[int, Elem]], z: list[Elem], gamma: Elem) -> Elem:
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
            if self.samples:
                value = add(value, mul(power(gamma, i), eq(self.samples[i][0], point)))
            value = mul(value, sel(z[head:cut], offset >> columns))
            found = add(found, mul(power(inverse(base(2)), head - rows), value))
        return found

    def indices(self, layout: Json, tensor: int) -> list[int]:
        """The oracle index of every cell in C order."""
        shape = self.graph.tensors[tensor]["shape"] if tensor < len(self.graph.tensors) else None
        if shape is None:
            shape = [next(s["shape"][0] for s in self.plan["segments"] if s["is table"] and s["index"] == tensor - len(self.graph.tensors))]
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


# Tables, statement, files --------------------------------------------------------------------------------------------------------


def function(entry: Json, q: int) -> int:
    if entry["kind"] == "sampled":
        return int(entry["values"][min(max(q - entry["low"], 0), len(entry["values"]) - 1)])
    if q < 0:
        scaled = q * entry["numerator"]
        q = scaled if entry["shift"] == 0 else (scaled + (1 << (entry["shift"] - 1))) >> entry["shift"]
    return int(min(max(q, entry["minimum"]), entry["maximum"]))


def table_columns(table: Json) -> list[list[int]]:
    """Section 5: the rows, by column."""
    match table["kind"]:
        case "range":
            return [list(range(1 << table["bits"]))]
        case "graph":
            q = range(table["low"], table["high"] + 1)
            return [list(q), [function(table["function"], v) for v in q]]
        case "sign":
            h = range(-table["limit"], table["limit"] + 1)
            return [list(h), [(v > 0) - (v < 0) for v in h]]
    size, low = 1 << table["bits"], table["low"]
    at = [(c, o, low if c < 0 else low + size - 1 if c else low + o) for c in (-1, 0, 1) for o in range(size)]
    return [[c for c, _, _ in at], [o for _, o, _ in at], [function(table["function"], q) for _, _, q in at]]


def parameters(plan: Json) -> bytes:
    """Section 4: what the statement absorbs of the parameters."""
    opening = plan["opening"]
    numbers = [plan["lookup_grinding_bits"], opening["grinding_bits"], opening["fold_grinding_bits"], int(opening["sampled"])]
    for level in opening["levels"]:
        numbers.append(len(level))
        for oracle in level:
            numbers += [oracle[name] for name in ("num_vars", "log_columns", "log_blowup", "num_queries", "multiplicity")]
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def sections(data: bytes) -> list[bytes]:
    """The payloads of a container that is whole."""
    at, found = 16, []
    for _ in range(int.from_bytes(data[14:16], "little")):
        at += 1 + data[at]
        size = int.from_bytes(data[at : at + 8], "little")
        found.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    if at + 32 != len(data) or blake2s(data[:at]).digest() != data[at:]:
        raise Refused("malformed", "checksum")
    return found


def verify(vk: bytes, proof: bytes, plan: Json, registration: Json, manifest: Json) -> tuple[list[str], list[str]]:
    """The states of the registration's transcript and of the proof's; `manifest` is the registration program's. Batches of one."""
    own, model, sample, body = sections(vk)
    header, public, messages = sections(proof)
    head, key = json.loads(header), json.loads(own)
    digest = blake2s(own, person=b"ciroprog").digest()
    if head["program"] != digest.hex() or head["model"] != model.hex() or head["batch"] != 1:
        raise Refused("rejected", "statement")
    cells = [int.from_bytes(public[i : i + 8], "little", signed=True) for i in range(10, len(public), 8)]
    ports = [[n for n in key["graph"]["nodes"] if n["kind"] == "input"], key["graph"]["outputs"]]
    ids = [[i for i, t in enumerate(plan["tensors"]) if t["storage"] == "input"], [port["tensor"] for port in ports[1]]]
    given: dict[int, list[int]] = {}
    digests = []
    for kind, named, numbers in zip(("inputs", "outputs"), ports, ids, strict=True):
        text = b""
        for (name, shape), port, i in zip(head[kind], named, numbers, strict=True):
            tensor = plan["tensors"][i]
            given[i], cells = cells[: prod(shape)], cells[prod(shape) :]
            if name != port["name"] or shape != tensor["shape"] or not all(tensor["low"] <= v <= tensor["high"] for v in given[i]):
                raise Refused("rejected", "statement")
            text += len(name.encode()).to_bytes(4, "little") + name.encode() + len(shape).to_bytes(4, "little")
            text += b"".join(d.to_bytes(8, "little") for d in shape)
            text += b"".join(v.to_bytes(8, "little", signed=True) for v in given[i])
        digests.append(blake2s(text, person=b"ciropubl").digest())
    empty = blake2s(b"", person=b"ciropubl").digest()
    mine = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    states = []
    for program, stream, checked, tensors, named, ends in (
        (blake2s(mine, person=b"ciroprog").digest(), body, manifest, {}, registration, [empty, empty]),
        (digest, messages, key, given, plan, digests),
    ):
        t = Transcript(stream)
        statement = (program, model, key["preset"].encode(), (1).to_bytes(8, "little"), *ends)
        labels = ("program digest", "model commitment", "preset", "batch", "input digest", "output digest")
        for label, data in zip(labels, statement, strict=True):
            t.absorb(label, data)
            if label == "model commitment" and sample:
                t.absorb("weights sample", sample)
        t.absorb("parameters", parameters(named))
        Checking(checked, named, tensors, table_columns).run(t, model, sample)
        states.append(t.states)
    return states[0], states[1]
