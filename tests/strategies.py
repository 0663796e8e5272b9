"""Small circuits that tests prove, and hypothesis strategies that damage what they make."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ciro_zk.circuit.graph import GraphBuilder
from ciro_zk.circuit.layout import Layout
from ciro_zk.circuit.manifest import canonical_json
from ciro_zk.circuit.tensor import Tensor
from ciro_zk.commitment.params import Code, CommitmentParams, Oracle
from ciro_zk.container import CHECKSUM_BYTES, outline, pack
from ciro_zk.lookup.tables import Clamp, Graph, Range, Sampled, Sign, Window
from ciro_zk.ops import AxisMap, Combine, Conv, Hadamard, MatMul, Maximum, Requantise, Reshape
from ciro_zk.params import TESTING, Preset
from ciro_zk.program.circuit import Circuit

Integers = NDArray[np.int64]

QUIET = replace(TESTING, lookup_grinding_bits=0)
"""The testing preset without its first proof of work: a broken hash chain shows at the same check always."""

LISTED = replace(QUIET, name="listed", log_blowup=3, max_multiplicity=8, max_fold_grinding_bits=2)
"""The same with words decoded to lists: samples, and work before each fold."""

RELU = Clamp(minimum=0, maximum=127)
ABS = Sampled(low=-127, values=tuple(abs(q) for q in range(-127, 128)))


def ends(tensor: Tensor) -> tuple[Integers, Integers]:
    """A tensor's range as an interval."""
    return np.array([tensor.low]), np.array([tensor.high])


# Circuits ------------------------------------------------------------------------------------------------------------------------


@cache
def toy(preset: Preset = TESTING, name: str = "toy", seed: int = 1, out_scale: float = 1.0, clamp: int = 127) -> Circuit:
    """Every kind of operator: conv + bias + relu, average of two rows, maximum of two columns, matmul + windowed clamp.

    Tensors by name: x, w, bias, w2 are leaves; the nodes' outputs are listed in `ids`. Tables: 0 range, 1 relu, 2 sign, 3 window, 4 abs
    (a table of the same shape as relu's, used by one lookup of its own).
    """
    rng = np.random.default_rng(seed)
    b = GraphBuilder()
    limbs = b.table(Range(bits=8))
    relu = b.table(Graph(function=RELU, low=-300, high=300))
    sign = b.table(Sign(limit=20))
    window = b.table(Window(function=Clamp(minimum=-clamp, maximum=clamp), low=-128, bits=8))
    absolute = b.table(Graph(function=ABS, low=-300, high=300))
    x = b.input("x", (1, 1, 2, 6, 6), low=-127, high=127, scale=1 / 128)
    w = b.weight("w", (1, 4, 2, 3, 3), low=-128, high=127)
    bias = b.weight("bias", (1, 1, 4, 1, 1), low=-(1 << 15), high=(1 << 15) - 1)
    (acc,) = b.add(Conv(inputs=(x, w), strides=(1, 1), pads_begin=(0, 0), pads_end=(0, 0), dilations=(1, 1)), "conv")
    (wide,) = b.add(AxisMap(inputs=(bias,), axis=3, index=((0,),) * 4, weight=((1,),) * 4))
    (full,) = b.add(AxisMap(inputs=(wide,), axis=4, index=((0,),) * 4, weight=((1,),) * 4))
    (biased,) = b.add(Combine(inputs=(acc, full), coefficients=(1, 1)))
    out, _rem, *_ = b.add(Requantise(inputs=(biased,), shift=8, tables=(relu,), range_table=limbs), "relu")
    (pooled,) = b.add(AxisMap(inputs=(out,), axis=3, index=((0, 1), (2, 3)), weight=((1, 1), (1, 1))))
    average, *_ = b.add(Requantise(inputs=(pooled,), shift=1, tables=(absolute,), range_table=limbs), "average")
    (left,) = b.add(AxisMap(inputs=(average,), axis=4, index=((0,), (2,)), weight=((1,), (1,))))
    (right,) = b.add(AxisMap(inputs=(average,), axis=4, index=((1,), (3,)), weight=((1,), (1,))))
    (top,) = b.add(Maximum(inputs=(left, right), range_table=limbs), "max")
    (flat,) = b.add(Reshape(inputs=(top,), shape=(1, 1, 16)))
    w2 = b.weight("w2", (1, 16, 24), low=-128, high=127)
    (acc2,) = b.add(MatMul(inputs=(flat, w2)), "dense")
    y, *_ = b.add(Requantise(inputs=(acc2,), shift=5, tables=(sign, window), range_table=limbs), "y")
    (last,) = b.add(Reshape(inputs=(y,), shape=(24,)))
    b.output("y", last, scale=out_scale)
    weights = {
        w: rng.integers(-128, 128, (1, 4, 2, 3, 3)),
        bias: rng.integers(-3000, 3000, (1, 1, 4, 1, 1)),
        w2: rng.integers(-60, 60, (1, 16, 24)),
    }
    return Circuit(b.build(), weights, name, 8, preset=preset)


def toy_input(seed: int = 2) -> Integers:
    """An input of `toy` in its range."""
    return np.random.default_rng(seed).integers(-127, 128, (1, 1, 2, 6, 6))


@cache
def tiny(preset: Preset = TESTING, name: str = "tiny", seed: int = 1, high: int = 7) -> Circuit:
    """The least circuit with weights: matmul, rounding shift, relu. A few dozen cells; proofs take milliseconds."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder()
    limbs = b.table(Range(bits=4))
    relu = b.table(Graph(function=Clamp(minimum=0, maximum=7), low=-60, high=60))
    x = b.input("x", (1, 1, 4), low=-8, high=high, scale=0.5)
    w = b.weight("w", (1, 4, 3), low=-8, high=7)
    (acc,) = b.add(MatMul(inputs=(x, w)), "dense")
    y, *_ = b.add(Requantise(inputs=(acc,), shift=3, tables=(relu,), range_table=limbs), "relu")
    b.output("y", y, scale=1.0)
    return Circuit(b.build(), {w: rng.integers(-8, 8, (1, 4, 3))}, name, 4, preset=preset)


def tiny_input(seed: int = 2) -> Integers:
    """An input of `tiny` in its range."""
    return np.random.default_rng(seed).integers(-8, 8, (1, 1, 4))


@cache
def deep(preset: Preset = QUIET, num_queries: int = 24) -> Circuit:
    """The toy with an opening of three levels, which a circuit of its size would not take, and so many queries, in its registration
    too."""
    circuit = replace(toy(preset, name="deep"))
    program = circuit.program
    weights, witness = (oracle.num_vars for oracle in program.params.oracles)

    def oracle(num_vars: int, log_columns: int, more_blowup: int) -> Oracle:
        blowup, multiplicity = preset.log_blowup + more_blowup, min(preset.max_multiplicity, 3)
        code = Code(log_columns=log_columns, log_blowup=blowup, num_queries=num_queries, multiplicity=multiplicity)
        return Oracle(num_vars=num_vars, code=code)

    levels = ((oracle(weights, 7, 0), oracle(witness, 8, 0)), (oracle(9, 6, 1),), (oracle(6, 4, 2),))
    program.__dict__["params"] = CommitmentParams(
        levels=levels, grinding_bits=2, fold_grinding_bits=preset.max_fold_grinding_bits, is_sampled=preset.is_sampled
    )
    params = program.registration.params

    def few(given: Oracle) -> Oracle:
        return replace(given, code=replace(given.code, num_queries=min(given.code.num_queries, num_queries)))

    levels = tuple(tuple(few(oracle) for oracle in level) for level in params.levels)
    program.registration.__dict__["params"] = replace(params, levels=levels)
    return circuit


@cache
def passed_on() -> Circuit:
    """Its input, and what comes of it under two names: tensors that are public twice."""
    b = GraphBuilder()
    limbs = b.table(Range(bits=4))
    relu = b.table(Graph(function=Clamp(minimum=0, maximum=7), low=-8, high=7))
    x = b.input("x", (4,), low=-8, high=7, scale=1.0)
    w = b.weight("w", (4,), low=-8, high=7)
    (acc,) = b.add(Hadamard(inputs=(x, w)))
    y, *_ = b.add(Requantise(inputs=(acc,), shift=0, tables=(relu,), range_table=limbs), "relu")
    for name, tensor in (("same", x), ("y", y), ("again", y)):
        b.output(name, tensor, scale=1.0)
    return Circuit(b.build(), {w: np.ones(4, dtype=np.int64)}, "passed on", 4, preset=QUIET)


@cache
def two_ports(preset: Preset = TESTING) -> Circuit:
    """No weights, two inputs and two outputs of equal shapes."""
    b = GraphBuilder()
    limbs = b.table(Range(bits=4))
    relu = b.table(Graph(function=Clamp(minimum=0, maximum=7), low=-16, high=16))
    first = b.input("a", (2, 3), low=-8, high=7, scale=0.5)
    second = b.input("b", (2, 3), low=-8, high=7, scale=0.5)
    (total,) = b.add(Combine(inputs=(first, second), coefficients=(1, 2)))
    y, *_ = b.add(Requantise(inputs=(total,), shift=1, tables=(relu,), range_table=limbs), "relu")
    (z,) = b.add(Combine(inputs=(y,), coefficients=(3,), offset=-1))
    b.output("y", y, scale=1.0)
    b.output("z", z, scale=1.0)
    return Circuit(b.build(), {}, "two ports", 4, preset=preset)


def tensor_ids(circuit: Circuit) -> dict[str, int]:
    """Tensor ids by name; unnamed tensors are left out."""
    return {tensor.name: i for i, tensor in enumerate(circuit.graph.tensors) if tensor.name}


# Bytes ---------------------------------------------------------------------------------------------------------------------------

Mutation = Callable[[bytes], bytes]


@st.composite
def byte_mutations(draw: st.DrawFn, element: int = 1) -> Mutation:
    """A function that damages a byte string: flips, overwrites, cuts, extends, copies or swaps at positions given as fractions."""
    kind = draw(st.sampled_from(["flip", "set", "ones", "zero", "cut", "drop", "insert", "extend", "copy", "swap", "repeat"]))
    where = draw(st.floats(0, 1, exclude_max=True))
    other = draw(st.floats(0, 1, exclude_max=True))
    value = draw(st.integers(0, 255))
    length = draw(st.integers(1, 40)) * element
    junk = draw(st.binary(min_size=1, max_size=24))

    def mutate(data: bytes) -> bytes:
        if not data:
            return junk
        i, j = (int(f * (len(data) // element or 1)) * element for f in (where, other))
        i, j = min(i, len(data) - 1), min(j, len(data) - 1)
        out = bytearray(data)
        match kind:
            case "flip":
                out[i] ^= 1 << (value & 7)
            case "set":
                out[i] = value
            case "ones":
                out[i : i + length] = b"\xff" * len(out[i : i + length])
            case "zero":
                out[i : i + length] = bytes(len(out[i : i + length]))
            case "cut":
                del out[i:]
            case "drop":
                del out[i : i + length]
            case "insert":
                out[i:i] = junk
            case "extend":
                out += junk
            case "copy":
                out[i : i + length] = out[j : j + length]
            case "swap":
                a, b = sorted((i, j))
                if b - a >= element:
                    out[a : a + element], out[b : b + element] = out[b : b + element], out[a : a + element]
            case "repeat":
                out[i:i] = out[i : i + length]
        return bytes(out)

    return mutate


def sections(data: bytes) -> list[tuple[str, bytes]]:
    """The sections of a container that is whole."""
    at, found = struct.calcsize("<8s4sHH"), []
    for name, length in outline(data).sections:
        at += 1 + len(name) + 8
        found.append((name, data[at : at + length]))
        at += length
    return found


def repack(data: bytes, payloads: Sequence[tuple[str, bytes]]) -> bytes:
    """The same kind of container with other payloads, its checksum right."""
    head = outline(data)
    return pack(head.kind, head.version, list(payloads))


def reseal(data: bytes) -> bytes:
    """Any bytes, the last 32 replaced by the right checksum of the others."""
    body = data[:-CHECKSUM_BYTES]
    return body + hashlib.blake2s(body).digest()


# JSON ----------------------------------------------------------------------------------------------------------------------------

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 63, 64, 255, 1 << 16, 1 << 31, 1 << 40, -(1 << 40), (1 << 59), (1 << 63) - 1, 1 << 63,
    -(1 << 63), (1 << 64) - 1, 1 << 64, 1 << 200, 0.5, -0.0, 1e300, "", "x", "\ud800", "0x1.0p+0", "0x1.0000000000000p+0", "inf", "nan",
    "0x1.0p+5000", [], [0], [[0]], [1, 2], [[[[[[0]]]]]], {}, {"kind": "range", "bits": 4}, {"kind": "reshape"}, "weight", "input",
)  # fmt: skip


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values inside a JSON value."""
    found = [prefix]
    if isinstance(value, dict):
        for key in value:
            found += paths(value[key], (*prefix, key))
    elif isinstance(value, list):
        for i, entry in enumerate(value):
            found += paths(entry, (*prefix, i))
    return found


def _holder(value: Any, path: Sequence[Any]) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


@st.composite
def json_mutations(draw: st.DrawFn) -> Mutation:
    """A function that changes one value of a canonical JSON document and writes it canonically again."""
    where = draw(st.floats(0, 1, exclude_max=True))
    other = draw(st.floats(0, 1, exclude_max=True))
    kind = draw(st.sampled_from(["step", "step", "step", "scale", "replace", "replace", "remove", "double", "graft", "rename"]))
    step = draw(st.sampled_from([-2, -1, 1, 2]))
    odd = draw(st.sampled_from(ODD_VALUES))

    def mutate(data: bytes) -> bytes:
        value = json.loads(data)
        found = paths(value)[1:]
        if kind in ("step", "scale"):
            found = [path for path in found if type(_at(value, path)) is int] or found
        path = found[int(where * len(found))]
        holder, key = _holder(value, path), path[-1]
        old = holder[key]
        if kind in ("step", "scale") and type(old) is int:
            holder[key] = old + step if kind == "step" else old * step * 3
        elif kind == "remove":
            del holder[key]
        elif kind == "double" and isinstance(holder, list):
            holder.insert(key, json.loads(json.dumps(old)))
        elif kind == "graft":
            source = found[int(other * len(found))]
            holder[key] = json.loads(json.dumps(_at(value, source)))
        elif kind == "rename" and isinstance(holder, dict):
            holder[str(odd)[:40]] = holder.pop(key)
        else:
            holder[key] = odd
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    return mutate


def _at(value: Any, path: Sequence[Any]) -> Any:
    return _holder(value, path)[path[-1]]


def canonical(value: Mapping[str, Any]) -> bytes:
    """`canonical_json`, named so that tests read well."""
    return canonical_json(value)


def cell_indices(layout: Layout) -> dict[int, Integers]:
    """For each tensor, the oracle index of every cell in C order."""
    found = {tensor: np.full(shape, -1, dtype=np.int64) for tensor, shape in layout.shapes.items()}
    for block in layout.blocks:
        cells = np.arange(1 << block.log_size, dtype=np.int64).reshape([1 << log for log in block.logs]) + block.offset
        lengths = layout.shapes[block.tensor]
        cut = tuple(slice(s, min(s + (1 << log), d)) for s, log, d in zip(block.starts, block.logs, lengths, strict=True))
        found[block.tensor][cut] = cells[tuple(slice(c.stop - c.start) for c in cut)]
    return {tensor: index.reshape(-1) for tensor, index in found.items()}
