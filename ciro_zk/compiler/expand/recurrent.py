"""LSTM, GRU and RNN unrolled: a constant number of steps, each of matrix products, sums and functions of one variable.

    RNN     h' = f(x W + h R + b)
    GRU     z, r = f(x W + h R + b)     n = g(x W + (r * h) R + b)      h' = n + z * (h - n)
    LSTM    i, o, f = f(x W + h R + b)  c~ = g(x W + h R + b)           c' = f * c + i * c~,  h' = o * h(c')

x W + b of all steps is one product. What has the same part in every step (hidden states, cells, products of gates) is
tied to one scale: h R then has the same integer weights at every step, and a range seen at one step holds for all. Rows
of a batch that end early are unrolled by themselves. Equations: ONNX operator specification.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ciro_zk.compiler.expand.parts import Kept, Parts, expands

Floats = NDArray[np.floating[Any]]
MAX_STEPS = 1 << 10
DEFAULTS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
ALPHA = {"LeakyRelu": 0.01, "ThresholdedRelu": 1.0, "HardSigmoid": 0.2, "Elu": 1.0, "Affine": 1.0, "ScaledTanh": 1.0}
BETA = {"HardSigmoid": 0.5, "Affine": 0.0, "ScaledTanh": 1.0}
PLAIN = ("Relu", "Tanh", "Sigmoid", "Softsign", "Softplus")


@dataclass(frozen=True, slots=True)
class Function:
    """An activation of a recurrent operator."""

    name: str
    alpha: float
    beta: float

    def apply(self, parts: Parts, x: str) -> str:
        dtype = parts.dtype(0)
        if self.name in PLAIN:
            return parts.add(self.name, x)
        if self.name == "Affine":
            return parts.add("Add", parts.add("Mul", x, parts.constant(self.alpha, dtype)), parts.constant(self.beta, dtype))
        if self.name == "ScaledTanh":
            inner = parts.add("Tanh", parts.add("Mul", x, parts.constant(self.beta, dtype)))
            return parts.add("Mul", inner, parts.constant(self.alpha, dtype))
        return parts.add(self.name, x, alpha=self.alpha, beta=self.beta if self.name in BETA else None)


def _functions(parts: Parts, kind: str, directions: int) -> list[tuple[Function, ...]]:
    """The activations of each direction."""
    names = [v.decode() if isinstance(v, bytes) else v for v in parts.attribute("activations", DEFAULTS[kind] * directions)]
    if len(names) != len(DEFAULTS[kind]) * directions:
        raise Kept(f"{len(names)} activations for {directions} directions", "export the model again")
    alphas, betas = list(parts.attribute("activation_alpha", ())), list(parts.attribute("activation_beta", ()))
    spelling = {name.lower(): name for name in (*PLAIN, *ALPHA)}
    found = []
    for name in names:
        if name.lower() not in spelling:
            raise Kept(f"the activation {name!r}", f"{', '.join(spelling.values())} are supported")
        known = spelling[name.lower()]
        # the lists hold values for those functions only that have the parameter
        alpha = (alphas.pop(0) if alphas else ALPHA[known]) if known in ALPHA else 0.0
        beta = (betas.pop(0) if betas else BETA[known]) if known in BETA else 0.0
        found.append(Function(known, float(alpha), float(beta)))
    width = len(DEFAULTS[kind])
    return [tuple(found[d * width : (d + 1) * width]) for d in range(directions)]


@dataclass(slots=True)
class Layer:
    """One direction of a recurrent node, for some rows of its batch."""

    parts: Parts
    x: str
    """(steps, rows, features)"""
    length: int
    rows: int
    weight: Floats
    """(gates * hidden, features)"""
    recurrence: Floats
    """(gates * hidden, hidden)"""
    bias: Floats
    """(2, gates * hidden): of the input's product and of the state's."""
    functions: tuple[Function, ...]
    hidden: int
    roles: defaultdict[str, set[str]]
    """Tensors with the same part in every step, of all rows."""
    projected: dict[tuple[int, ...], str] = field(default_factory=dict)

    def role(self, name: str, tensor: str) -> str:
        """The tensor, tied to those with the same part in other steps."""
        self.roles[name].add(tensor)
        return tensor

    def multiply(self, role: str, a: str, b: str) -> str:
        return self.role(role, self.parts.add("Mul", a, b))

    def _select(self, matrix: Floats, gates: Sequence[int]) -> Floats:
        return np.concatenate([matrix[g * self.hidden : (g + 1) * self.hidden] for g in gates])

    def project(self, gates: tuple[int, ...], step: int, *, both: bool = True) -> str:
        """x W + b of some gates at one step; b with the state's bias or without."""
        if gates not in self.projected:
            flat = self.parts.reshape(self.x, (self.length * self.rows, self.weight.shape[1]))
            product = self.parts.add("MatMul", flat, self.parts.constant(self._select(self.weight, gates).T))
            bias = self._select(self.bias.sum(axis=0) if both else self.bias[0], gates)
            made = self.parts.add("Add", product, self.parts.constant(bias)) if bias.any() else product
            self.projected[gates] = self.role(f"projected {gates}", made)
        return cut(self.parts, self.projected[gates], 0, step * self.rows, (step + 1) * self.rows, self.length * self.rows)

    def recur(self, gates: tuple[int, ...], h: str) -> str:
        """h R of some gates."""
        return self.parts.add("MatMul", h, self.parts.constant(self._select(self.recurrence, gates).T))

    def gates(self, gates: tuple[int, ...], step: int, h: str | None, extra: str | None = None) -> str:
        """x W + h R + b of some gates before their function."""
        found = self.project(gates, step)
        if h is not None:
            found = self.parts.add("Add", found, self.recur(gates, h))
        return found if extra is None else self.parts.add("Add", found, extra)

    def part(self, tensor: str, position: int, count: int) -> str:
        """One gate out of several that were computed jointly."""
        return cut(self.parts, tensor, 1, position * self.hidden, (position + 1) * self.hidden, count * self.hidden)


def constant(parts: Parts, index: int, what: str) -> Any:
    """Input `index` where it is known; `Kept` with a reason otherwise."""
    array = parts.static.constants.get(parts.name(index))
    if array is None:
        raise Kept(f"{what} are computed at run time", "make them initialisers")
    return array


def cut(parts: Parts, source: str, axis: int, start: int, stop: int, length: int) -> str:
    """source[start:stop] along an axis of known length."""
    if (start, stop) == (0, length):
        return source
    if parts.opset < 10:
        return parts.add("Slice", source, starts=[start], ends=[stop], axes=[axis])
    bounds = [parts.constant([v], np.int64) for v in (start, stop, axis)]
    return parts.add("Slice", source, *bounds)


State = tuple[str | None, str | None]


def _rnn(layer: Layer, step: int, state: State) -> State:
    return layer.functions[0].apply(layer.parts, layer.gates((0,), step, state[0])), None


def _gru(layer: Layer, step: int, state: State) -> State:
    parts, h = layer.parts, state[0]
    f, g = layer.functions
    both = f.apply(parts, layer.gates((0, 1), step, h))
    z, r = layer.part(both, 0, 2), layer.part(both, 1, 2)
    if parts.attribute("linear_before_reset", 0):
        bias = layer.bias[1][2 * layer.hidden :]
        inner = None if h is None else layer.recur((2,), h)
        if bias.any():
            constant = parts.constant(np.broadcast_to(bias, (layer.rows, layer.hidden)))
            inner = constant if inner is None else parts.add("Add", inner, constant)
        n = layer.project((2,), step, both=False)
        if inner is not None:
            n = parts.add("Add", n, layer.multiply("reset", r, layer.role("inner", inner)))
    else:
        n = layer.gates((2,), step, None if h is None else layer.multiply("reset", r, h))
    n = g.apply(parts, n)
    if h is None:
        return parts.add("Sub", n, layer.multiply("update", z, n)), None
    return parts.add("Add", n, layer.multiply("update", z, layer.role("change", parts.add("Sub", h, n)))), None


def _lstm(layer: Layer, step: int, state: State) -> State:
    parts, (h, c) = layer.parts, state
    f, g, last = layer.functions
    peepholes = _peepholes(layer)
    coupled = bool(parts.attribute("input_forget", 0))
    if peepholes is None:
        gates = (0, 1) if coupled else (0, 1, 2)
        joint = f.apply(parts, layer.gates(gates, step, h))
        i, o = layer.part(joint, 0, len(gates)), layer.part(joint, 1, len(gates))
        forget = None if coupled else layer.part(joint, 2, len(gates))
    else:
        look = [None if c is None else parts.add("Mul", c, weight) for weight in peepholes]
        i = f.apply(parts, layer.gates((0,), step, h, look[0]))
        forget = None if coupled else f.apply(parts, layer.gates((2,), step, h, look[2]))
    new = layer.multiply("new", i, g.apply(parts, layer.gates((3,), step, h)))
    if c is not None:
        if forget is None:
            forget = parts.add("Sub", parts.constant(1, parts.dtype(0)), i)
        new = parts.add("Add", layer.multiply("kept", forget, c), new)
    layer.role("cell", new)
    if peepholes is not None:
        o = f.apply(parts, layer.gates((1,), step, h, parts.add("Mul", new, peepholes[1])))
    return parts.add("Mul", o, last.apply(parts, new)), new


def _peepholes(layer: Layer) -> list[str] | None:
    """The weights of i, o and f on the cell, where there are any."""
    parts = layer.parts
    if not parts.has(7):
        return None
    weights = constant(parts, 7, "the peephole weights")
    if weights.shape[0] != 1:
        raise Kept("peepholes in both directions", "use two nodes of one direction each")
    return [parts.constant(weights[0, k * layer.hidden : (k + 1) * layer.hidden]) for k in range(3)]


STEPS = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}


@dataclass(frozen=True, slots=True)
class Unrolled:
    """(rows, hidden) tensors: the hidden state by time, None where the rows have ended, and the last states."""

    hidden: list[str | None]
    last: State


def _unroll(kind: str, layer: Layer, total: int, state: State, *, reverse: bool) -> Unrolled:
    found: list[str | None] = [None] * total
    times = range(layer.length)
    for t in reversed(times) if reverse else times:
        state = STEPS[kind](layer, t, state)
        found[t] = layer.role("hidden", state[0]) if state[0] is not None else None
    return Unrolled(found, state)


def _lengths(parts: Parts, steps: int, batch: int) -> list[int]:
    """The number of steps of each row."""
    if not parts.has(4):
        return [steps] * batch
    lengths = [int(v) for v in constant(parts, 4, "the sequence lengths").reshape(-1)]
    if len(lengths) != batch or not all(1 <= v <= steps for v in lengths):
        raise Kept(f"sequence lengths {lengths} for {batch} rows of {steps} steps", "give each row a length from 1 on")
    return lengths


def _blocks(lengths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(first row, end, steps) of neighbouring rows of one length."""
    start = 0
    for length, group in groupby(lengths):
        stop = start + len(list(group))
        yield start, stop, length
        start = stop


@expands("RNN", 7, 14, 22)
@expands("GRU", 7, 14, 22)
@expands("LSTM", 7, 14, 22)
def recurrent(parts: Parts) -> None:
    """All three, in both directions, with initial and last states and either layout."""
    kind, batch_first = parts.node.op_type, bool(parts.attribute("layout", 0))
    x, shape = parts.name(0), parts.shape(0)
    if batch_first:
        x, shape = parts.add("Transpose", x, perm=[1, 0, 2]), (shape[1], shape[0], shape[2])
    steps, batch, _ = shape
    direction = parts.attribute("direction", "forward")
    reverse = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[direction]
    weight, recurrence = constant(parts, 1, "the weights"), constant(parts, 2, "the recurrence weights")
    hidden = recurrence.shape[2]
    bias = constant(parts, 3, "the biases") if parts.has(3) else np.zeros((len(reverse), 2 * GATES[kind] * hidden), dtype=weight.dtype)
    if steps > MAX_STEPS:
        raise Kept(f"{steps} steps", f"at most {MAX_STEPS} are unrolled: prove them in parts, chained by their states (verify_chain)")
    if parts.attribute("clip"):
        raise Kept("a clip before the activations", "export the model without it")
    if weight.shape[:2] != (len(reverse), GATES[kind] * hidden):
        raise Kept(f"weights of shape {weight.shape} for {hidden} hidden cells", "export the model again")
    functions = _functions(parts, kind, len(reverse))
    lengths = _lengths(parts, steps, batch)
    results: list[list[Unrolled]] = []
    for d, backwards in enumerate(reverse):
        initial = [_initial(parts, index, d, len(reverse), batch, hidden, batch_first=batch_first) for index in (5, 6)]
        blocks = []
        roles: defaultdict[str, set[str]] = defaultdict(set)
        for name, tensor in zip(("hidden", "cell"), initial, strict=True):
            if tensor is not None:
                roles[name].add(tensor)
        for start, stop, length in _blocks(lengths):
            rows = cut(parts, cut(parts, x, 1, start, stop, batch), 0, 0, length, steps)
            split = bias[d].reshape(2, -1)
            layer = Layer(parts, rows, length, stop - start, weight[d], recurrence[d], split, functions[d], hidden, roles)
            state = tuple(None if v is None else cut(parts, v, 0, start, stop, batch) for v in initial)
            blocks.append(_unroll(kind, layer, steps, (state[0], state[1] if kind == "LSTM" else None), reverse=backwards))
        parts.static.tied.extend(frozenset(tied) for tied in roles.values())
        results.append(blocks)
    _outputs(parts, results, lengths, (steps, batch, hidden), batch_first=batch_first)


def _initial(parts: Parts, index: int, d: int, directions: int, batch: int, hidden: int, *, batch_first: bool) -> str | None:
    """(rows, hidden) of an initial state in one direction; None for zeros."""
    if not parts.has(index) or (index == 6 and parts.node.op_type != "LSTM"):
        return None
    constant = parts.static.constants.get(parts.name(index))
    if constant is not None and not np.any(constant):
        return None
    axis = 1 if batch_first else 0
    return parts.reshape(cut(parts, parts.name(index), axis, d, d + 1, directions), (batch, hidden))


def _outputs(
    parts: Parts, results: Sequence[Sequence[Unrolled]], lengths: Sequence[int], sizes: tuple[int, int, int], *, batch_first: bool
) -> None:
    """Y, Y_h and Y_c as far as they are used."""
    steps, batch, hidden = sizes
    names = [*parts.node.output, "", "", ""][:3]
    if names[0]:
        cells = [[_rows(parts, [b.hidden[t] for b in blocks], lengths, hidden) for t in range(steps)] for blocks in results]
        of_step = (batch, 1, len(results), hidden) if batch_first else (1, len(results), batch, hidden)
        layers = []
        for t in range(steps):
            joined = _joined(parts, [row[t] for row in cells], batch, hidden, batch_first=batch_first)
            layers.append(parts.reshape(joined, of_step))
        _concat(parts, layers, 1 if batch_first else 0, names[0])
    for position, name in enumerate(names[1:]):
        if name:
            last = [_rows(parts, [b.last[position] for b in blocks], lengths, hidden) for blocks in results]
            shape = (batch, len(results), hidden) if batch_first else (len(results), batch, hidden)
            parts.reshape(_joined(parts, last, batch, hidden, batch_first=batch_first), shape, name)


def _rows(parts: Parts, blocks: Sequence[str | None], lengths: Sequence[int], hidden: int) -> str:
    """(batch, hidden) from blocks of rows; zeros for those that have ended."""
    found = []
    for name, (start, stop, _) in zip(blocks, _blocks(lengths), strict=True):
        found.append(parts.constant(np.zeros((stop - start, hidden)), parts.dtype(0)) if name is None else name)
    return _concat(parts, found, 0)


def _joined(parts: Parts, directions: Sequence[str], batch: int, hidden: int, *, batch_first: bool) -> str:
    """The directions' (batch, hidden) tensors along one new axis."""
    if len(directions) == 1:
        return directions[0]
    shape = (batch, 1, hidden) if batch_first else (1, batch, hidden)
    return _concat(parts, [parts.reshape(name, shape) for name in directions], 1 if batch_first else 0)


def _concat(parts: Parts, names: Sequence[str], axis: int, output: str = "") -> str:
    if len(names) > 1:
        return parts.add("Concat", *names, output=output, axis=axis)
    return parts.add("Identity", names[0], output=output) if output else names[0]
