"""The manifest: it says all that a program is, in one way only, and whatever is wrong with one is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import tiny, toy

from ciro_zk.circuit.graph import Graph, GraphBuilder
from ciro_zk.circuit.manifest import FORMAT, canonical_json, graph_entry, read_graph
from ciro_zk.errors import ProofFormatError
from ciro_zk.lookup.tables import Clamp, Range
from ciro_zk.lookup.tables import Graph as GraphTable
from ciro_zk.ops import Combine, RangeCheck, Requantise
from ciro_zk.params import PRESETS, TESTING
from ciro_zk.program.program import Program
from tests.unit.circuit.random_circuits import random_circuit
from tests.unit.poly_forms.reference import SEEDS

MANIFEST = toy().program.manifest
VALUE: dict[str, Any] = json.loads(MANIFEST)


def refused(value: Any) -> ProofFormatError:
    with pytest.raises(ProofFormatError) as caught:
        Program.from_manifest(canonical_json(value), "the file")
    assert caught.value.file == "the file" and caught.value.field and caught.value.reason and caught.value.remedy
    return caught.value


def unnamed(graph: Graph) -> Graph:
    """The graph with its tensors' names left out: a reader makes up those of a node's outputs."""
    return replace(graph, tensors=tuple(replace(tensor, name="") for tensor in graph.tensors))


# Round trips ---------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(SEEDS)
def test_a_program_is_read_back_as_it_was(seed: int) -> None:
    program = random_circuit(seed, 4).program
    read = Program.from_manifest(program.manifest)
    assert unnamed(read.graph) == unnamed(program.graph)
    assert (read.name, read.bits, read.preset) == (program.name, program.bits, program.preset)
    assert read.manifest == program.manifest and read.digest == program.digest
    assert (read.shape, read.params) == (program.shape, program.params)


def test_the_manifest_is_canonical_ascii_json() -> None:
    assert canonical_json(VALUE) == MANIFEST
    assert MANIFEST.isascii() and b" " not in MANIFEST and b"\n" not in MANIFEST
    assert set(VALUE) == {"format", "name", "bits", "preset", "graph"}
    assert set(VALUE["graph"]) == {"nodes", "tables", "outputs"}


def test_canonical_json() -> None:
    assert canonical_json({"b": [1, "é"], "a": None}) == b'{"a":null,"b":[1,"\\u00e9"]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})


def text_variants() -> Iterator[bytes]:
    yield json.dumps(VALUE, indent=1).encode()
    yield json.dumps(VALUE, sort_keys=True).encode()
    yield json.dumps(dict(reversed(VALUE.items())), separators=(",", ":")).encode()
    yield MANIFEST + b"\n"
    yield MANIFEST.replace(b'"format":2', b'"format":2.0')
    yield MANIFEST.replace(b'"bits":8,"format"', b'"bits":8,"bits":8,"format"')
    yield MANIFEST.replace(b'"name":"toy"', b'"name":"\\u0074oy"')


@pytest.mark.parametrize("data", list(text_variants()))
def test_another_way_to_write_the_same_is_refused(data: bytes) -> None:
    assert data != MANIFEST
    with pytest.raises(ProofFormatError, match="not in canonical form"):
        Program.from_manifest(data)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"nul", MANIFEST[:-1], b"1" * 5000])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(ProofFormatError) as caught:
        Program.from_manifest(data)
    assert caught.value.field == "manifest"


@pytest.mark.parametrize("name", ["relu", "", "a.b", "layer.1.relu", ".x", ".", "..", "x" * 600, "é/ö.acc"])
@pytest.mark.parametrize("inner", ["", "c.d", ".z"])
def test_any_name_of_a_node_is_read_back(name: str, inner: str) -> None:
    """A name that ends up in the manifest another way than it is read would make the program's own manifest unreadable."""
    b = GraphBuilder((Range(bits=4), GraphTable(function=Clamp(minimum=0, maximum=7), low=-60, high=60)))
    x = b.input("x", (2,), low=-8, high=7, scale=1.0)
    (z,) = b.add(Combine(inputs=(x,), coefficients=(2,)), inner)
    y, *_ = b.add(Requantise(inputs=(z,), shift=1, tables=(1,), range_table=0), name)
    b.output("y", y, scale=1.0)
    program = Program(b.build(), "names", 4, TESTING)
    assert Program.from_manifest(program.manifest).digest == program.digest


def test_an_operator_without_outputs_keeps_its_place() -> None:
    b = GraphBuilder((Range(bits=4),))
    w = b.weight("w", (3,), low=-8, high=7)
    b.add(RangeCheck(inputs=(w,), range_table=0, low=-8, num_limbs=1))
    v = b.weight("v", (2,), low=-128, high=127)
    b.add(RangeCheck(inputs=(v,), range_table=0, low=-128, num_limbs=2), "v")
    b.add(RangeCheck(inputs=(w,), range_table=0, low=-8, num_limbs=1))
    graph = b.build()
    read = read_graph(json.loads(canonical_json(graph_entry(graph))), "manifest")
    assert (read.nodes, graph_entry(read)) == (graph.nodes, graph_entry(graph))


# Whatever is wrong is named ------------------------------------------------------------------------------------------------------------

Path = tuple[Any, ...]


def places(value: Any, prefix: Path = ()) -> Iterator[Path]:
    """All places of a JSON value but the value itself; of long lists of numbers the first two."""
    entries: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        if isinstance(value, list) and key > 1 and not isinstance(entry, dict):
            break
        yield (*prefix, key)
        yield from places(entry, (*prefix, key))


def changed(path: Path, new: Any) -> Any:
    value = deepcopy(VALUE)
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = new
    return value


def at(path: Path) -> Any:
    value = VALUE
    for key in path:
        value = value[key]
    return value


def field_of(path: Path) -> str:
    """How the reader names a place: the entry of the list that it is in."""
    if path[0] != "graph":
        return {"name": "bits"}.get(path[0], path[0])
    return "graph" if len(path) == 1 else path[1] if len(path) == 2 else f"{path[1]}[{path[2]}]"


PLACES = list(places(VALUE))


@pytest.mark.parametrize("wrong", [None, 1.5, "?", True, {}, [None], [[[[[[0]]]]]], 1 << 64, -(1 << 64)])
def test_a_value_of_the_wrong_type_is_refused_and_named(wrong: Any) -> None:
    for path in PLACES:
        if type(at(path)) is type(wrong) and path[-1] in ("name", "kind"):
            continue
        error = refused(changed(path, wrong))
        assert error.field.startswith(field_of(path)), path


def test_an_unknown_kind_or_function_is_refused_and_named() -> None:
    for path in PLACES:
        if path[-1] == "kind":
            for wrong in ("?", "", "op", "Conv", "__class__"):
                assert refused(changed(path, wrong)).field.startswith(field_of(path)), path


def test_objects_have_exactly_their_keys() -> None:
    objects = [path for path in PLACES if isinstance(at(path), dict)]
    assert len(objects) > 20
    for path in objects:
        assert refused(changed(path, at(path) | {"surplus": 1})).field.startswith(field_of(path))
        for key in at(path):
            assert refused(changed(path, {k: v for k, v in at(path).items() if k != key})).field.startswith(field_of(path))
    for key in VALUE:
        assert refused({k: v for k, v in VALUE.items() if k != key}).field == "manifest"
    assert refused(VALUE | {"surplus": 1}).field == "manifest"


def test_another_version_is_refused() -> None:
    error = refused(VALUE | {"format": FORMAT + 1})
    assert error.field == "format" and f"version {FORMAT + 1}, made by a newer" in error.reason and "upgrade" in error.remedy
    error = refused({"format": FORMAT + 1, "of": "other keys"})
    assert error.field == "format" and "newer" in error.reason
    error = refused(VALUE | {"format": FORMAT - 1})
    assert error.field == "format" and f"version {FORMAT - 1}, made by an older" in error.reason and "compile" in error.remedy


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("bits", 1, "bits"),
        ("bits", 17, "bits"),
        ("name", "x" * 257, "bits"),
        ("name", "\ud800", "bits"),
        ("preset", "none", "preset"),
        ("preset", "Standard", "preset"),
    ],
)
def test_values_out_of_bounds_are_refused(key: str, value: Any, field: str) -> None:
    assert refused(VALUE | {key: value}).field == field


@pytest.mark.parametrize("scale", ["1.0", "0x1p+0", "0x1.0p+0", "inf", "nan", "-0x1.0000000000000p+0", "0x0.0p+0", "0x1.0p+99999", ""])
def test_scales_are_positive_finite_and_canonical(scale: str) -> None:
    assert refused(changed(("graph", "outputs", 0, "scale"), scale)).field == "outputs[0]"


def test_a_weight_range_that_the_registration_cannot_prove_is_refused() -> None:
    path = next(p for p in PLACES if p[-1] == "high" and at(p[:-1]).get("kind") == "weight")
    error = refused(changed(path, 126))
    assert error.field == "graph" and "do not make the range" in error.reason


def test_a_program_without_outputs_is_refused() -> None:
    value = deepcopy(VALUE)
    value["graph"]["outputs"] = []
    assert refused(value).field == "outputs"


def test_a_table_listed_twice_is_refused() -> None:
    value = deepcopy(VALUE)
    value["graph"]["tables"].append(value["graph"]["tables"][0])
    assert "listed twice" in refused(value).reason


# Nothing is ignored --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [-1, 1])
def test_every_number_counts(step: int) -> None:
    """A number changed by one is refused, or makes another graph, bits or digest."""
    program = toy().program
    accepted = 0
    for path in PLACES:
        if type(at(path)) is int:
            try:
                read = Program.from_manifest(canonical_json(changed(path, at(path) + step)))
            except ProofFormatError:
                continue
            accepted += 1
            assert (unnamed(read.graph), read.bits) != (unnamed(program.graph), program.bits)
            assert read.digest != program.digest
    assert accepted > 10


def test_name_bits_preset_and_scale_change_the_digest() -> None:
    program = tiny().program
    others = [replace(program, name="other"), replace(program, bits=5), *(replace(program, preset=p) for p in PRESETS.values())]
    scaled = replace(program, graph=replace(program.graph, outputs=(replace(program.graph.outputs[0], scale=2.0),)))
    renamed = replace(
        program, graph=replace(program.graph, inputs=program.graph.inputs, outputs=(replace(scaled.graph.outputs[0], name="z"),))
    )
    digests = {p.digest for p in (*others, scaled, renamed)}
    assert len(digests) == 8 and program.digest in digests  # `testing` is its own preset


@settings(max_examples=30)
@given(SEEDS, st.integers(0, 1 << 30))
def test_an_attribute_of_an_operator_changes_the_digest(seed: int, pick: int) -> None:
    program = random_circuit(seed, 3).program
    value = json.loads(program.manifest)
    nodes = value["graph"]["nodes"]
    node = nodes[pick % len(nodes)]
    keys = [k for k in node if k not in ("kind", "name", "scale")]
    key = keys[pick // len(nodes) % len(keys)]
    node[key] = bumped(node[key])
    data = canonical_json(value)
    assert data != program.manifest
    with suppress(ProofFormatError):
        assert Program.from_manifest(data).digest != program.digest


def bumped(value: Any) -> Any:
    return [bumped(value[0]), *value[1:]] if isinstance(value, list) else value + 1


# Registration --------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(SEEDS)
def test_a_registration_opens_the_same_weight_oracle(seed: int) -> None:
    """The same blocks in the same places, under the same code, so that one commitment serves both."""
    program = random_circuit(seed, 4).program
    registration = program.registration
    if not program.graph.weights:
        assert registration is None
        return
    assert registration is not None
    registration.validate()
    ids = dict(zip(registration.graph.weights, program.graph.weights, strict=True))
    mine, theirs = program.plan.weight_layout, registration.plan.weight_layout
    assert [replace(block, tensor=ids[block.tensor]) for block in theirs.blocks] == list(mine.blocks)
    ours, others = program.params.oracles[0], registration.params.oracles[0]
    assert (ours.num_vars, ours.code.log_columns, ours.code.log_blowup) == (
        others.num_vars,
        others.code.log_columns,
        others.code.log_blowup,
    )
    assert registration.preset is program.preset
    assert registration.security.summed_bits >= program.preset.target_bits
    for new, old in ids.items():
        tensor, original = registration.graph.tensors[new], program.graph.tensors[old]
        assert (tensor.shape, tensor.low, tensor.high) == (original.shape, original.low, original.high)
    checked = {node.op.inputs[0] for node in registration.graph.nodes if isinstance(node.op, RangeCheck)}
    assert checked == set(registration.graph.weights)


def test_the_range_of_a_weight_counts_in_the_registration() -> None:
    other = json.loads(tiny().program.manifest)
    weight = next(node for node in other["graph"]["nodes"] if node["kind"] == "weight")
    weight["low"], weight["high"] = 0, 15
    changed_program = Program.from_manifest(canonical_json(other))
    assert changed_program.registration is not None and tiny().program.registration is not None
    assert changed_program.registration.digest != tiny().program.registration.digest


def test_the_weights_of_a_circuit_stay_out_of_its_program() -> None:
    circuit = tiny()
    other = replace(circuit, weights={i: np.zeros_like(w) for i, w in circuit.weights.items()})
    assert other.program.digest == circuit.program.digest
