"""Results that keep bits of their remainders: what the integers are, which tensors have it, and what it gains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper
from soundness.malicious import Claimed, accepted, forge, keys, run_graph
from unit.compiler.checks import check_witness, floats, model

import ciro_zk as cz
from ciro_zk.compiler import build as building
from ciro_zk.compiler.assemble import assemble
from ciro_zk.compiler.clipping import parse_method
from ciro_zk.compiler.draft import Draft
from ciro_zk.compiler.emit.context import Context
from ciro_zk.compiler.prepare import Prepared, prepare
from ciro_zk.compiler.quantise import Ratio
from ciro_zk.compiler.refine import REFINED_BITS, refined
from ciro_zk.compiler.report import Reference, quantise_inputs, tally
from ciro_zk.compiler.ties import check_state, groups
from ciro_zk.errors import ProofRejected
from ciro_zk.lookup.tables import Sampled
from ciro_zk.ops import Combine, Requantise
from ciro_zk.progress import silent

HIDDEN, FEATURES, STEPS = 6, 4, 40
STATE = {"h": "yh", "c": "yc"}


def node(kind: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def cell() -> tuple[onnx.ModelProto, dict[str, NDArray[Any]]]:
    """One step of an LSTM on features that a Relu made, and samples: steps of one sequence, with the float model's states."""
    rng = np.random.default_rng(1)
    constants = {
        "m": floats(rng, 8, FEATURES, scale=0.8),
        "w": floats(rng, 1, 4 * HIDDEN, FEATURES, scale=0.7),
        "r": floats(rng, 1, 4 * HIDDEN, HIDDEN, scale=0.7),
        "b": floats(rng, 1, 8 * HIDDEN, scale=0.3),
    }
    nodes = [
        node("MatMul", "x m", "z"),
        node("Relu", "z", "a"),
        helper.make_node("LSTM", ["a", "w", "r", "b", "", "h", "c"], ["y", "yh", "yc"], hidden_size=HIDDEN),
    ]
    proto = model(nodes, {"x": (1, 1, 8), "h": (1, 1, HIDDEN), "c": (1, 1, HIDDEN)}, constants, ["yh", "yc"])
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    h = c = np.zeros((1, 1, HIDDEN), dtype=np.float32)
    samples: dict[str, list[NDArray[Any]]] = {"x": [], "h": [], "c": []}
    for _ in range(STEPS):
        feeds = {"x": floats(rng, 1, 1, 8), "h": h, "c": c}
        for name, value in feeds.items():
            samples[name].append(value)
        h, c = session.run(["yh", "yc"], feeds)
    return proto, {name: np.concatenate(values) for name, values in samples.items()}


@settings(max_examples=40, deadline=None)
@given(extra=st.integers(4, 14), shift=st.integers(0, 24), seed=st.integers(0, 1 << 30))
def test_the_integers(extra: int, shift: int, seed: int) -> None:
    """round(2^B x / 2^s) where the table does not saturate, within one of its units elsewhere."""
    draft = Draft()
    context = Context(12, {}, {}, frozenset(), draft=draft, extra=extra)
    peak = 3 * context.coarse_top << shift
    x = draft.input("x", (1, 64), -peak, peak, 1.0)
    tensor = context.refine(x, Ratio(1, shift, 1.0), "y")
    assembled = assemble(draft, [("y", tensor, 1.0)])
    values = np.random.default_rng(seed).integers(-peak, peak + 1, (1, 64))
    found = assembled.graph.run({0: values})[assembled.ids[tensor]]
    wanted = np.floor(np.ldexp(values.astype(np.float64), extra - shift) + 0.5)
    limit = context.coarse_top << extra
    inside = np.abs(wanted) <= limit - (1 << extra)
    assert (found == wanted)[inside].all()
    assert (np.abs(found - np.clip(wanted, -limit, limit)) <= 1 << extra).all()
    low, high = draft.intervals[tensor]
    assert (low <= found).all() and (found <= high).all()


def test_relu_of_a_refined_tensor() -> None:
    draft = Draft()
    x = draft.input("x", (1, 128), -(1 << 30), 1 << 30, 1.0)
    context = Context(12, {}, {}, frozenset(), draft=draft, extra=9)
    tensor = context.refined_relu(x, Ratio(1, 19, 1.0), "y")
    assembled = assemble(draft, [("y", tensor, 1.0)])
    values = np.random.default_rng(0).integers(-(1 << 29), 1 << 29, (1, 128))
    values[0, :4] = (0, 511, 512, -512)
    found = assembled.graph.run({0: values})[assembled.ids[tensor]]
    assert (found == np.maximum((values + 512) >> 10, 0)).all()


def test_tied_tensors_are_refined_together() -> None:
    proto, data = cell()
    prepared = prepare(proto, data, None, None, None, parse_method(None, 12), silent)
    tied = groups(prepared.program, check_state(prepared.program, STATE, ()))
    names = refined(prepared.program, tied, relu=True)
    assert {"x", "h", "c", "a"} <= names
    assert names - refined(prepared.program, tied, relu=False) == {"a"}
    # a maximum of the state: its differences would not fit a range table
    last = node("MaxPool", "yh", "top", kernel_shape=[2])
    proto.graph.node.append(last)
    proto.graph.output.append(model([last], {"yh": (1, 1, HIDDEN)}, {}, ["top"]).graph.output[0])
    other = prepare(proto, data, None, None, None, parse_method(None, 12), silent)
    tied = groups(other.program, check_state(other.program, STATE, ()))
    assert "h" not in refined(other.program, tied, relu=True) and "c" in refined(other.program, tied, relu=True)


def test_a_recurrence_is_finer_for_no_more_leaves() -> None:
    proto, data = cell()
    prepared = prepare(proto, data, None, None, None, parse_method(None, 12), silent)
    plain = building._build(prepared, 12, {}, STATE, building._Choice())
    circuit = cz.compile(proto, data, state=STATE)
    padded = 1 << (plain.assembled.leaves - 1).bit_length()
    assert circuit.report().cost.log_leaves <= padded.bit_length() - 1
    state = next(port for port in circuit.graph.inputs if port.name == "c")
    assert circuit.graph.tensors[state.tensor].high > 1 << (REFINED_BITS - 1)
    for name, tallied in tally(plain, Reference(prepared)).items():
        assert circuit.accuracy["outputs"][name]["relative_error"] < tallied.relative_error / 2, "at no cost"


def sampled(prepared: Prepared, state: Mapping[str, str] | None, choice: building._Choice) -> int:
    """Tables of sampled functions."""
    tables = building._build(prepared, 12, {}, state, choice).assembled.graph.tables
    return sum(isinstance(getattr(table, "function", None), Sampled) for table in tables)


def test_tanh_has_the_table_of_sigmoid() -> None:
    proto, data = cell()
    # arguments that saturate: with smaller ones each curve has a scale of its own
    wide = {name: 40 * values for name, values in data.items()}
    choice = building._Choice(extra=9, relu=True, inputs=True)
    for samples, joined in ((data, False), (wide, True)):
        prepared = prepare(proto, samples, None, None, None, parse_method(None, 12), silent)
        assert (sampled(prepared, STATE, choice) == 1) == joined
        found = building._build(prepared, 12, {}, STATE, choice)
        for name, tallied in tally(found, Reference(prepared)).items():
            assert tallied.relative_error < 2e-3, name


def test_curves_are_finer_for_no_more_leaves() -> None:
    rng = np.random.default_rng(3)
    nodes = [node("MatMul", "x w", "z"), node("Gelu", "z", "y")]
    proto = model(nodes, {"x": (1, 40, 32)}, {"w": floats(rng, 32, 32, scale=0.3)}, ["y"], opset=20)
    data = {"x": floats(rng, 32, 40, 32)}
    prepared = prepare(proto, data, None, None, None, parse_method(None, 12), silent)
    plain = building._build(prepared, 12, {}, None, building._Choice())
    found = building.build(prepared, 12)
    assert found.assembled.costs_as(plain.assembled)
    assert found.choice.finer > 0
    assert tally(found, Reference(prepared))["y"].noise < 0.8 * tally(plain, Reference(prepared))["y"].noise


def test_a_changed_limb_is_rejected() -> None:
    """A refined result shows a limb of the remainder: another unit of it, all later cells computed from it, is no witness."""
    proto, data = cell()
    circuit = cz.compile(proto, data, state=STATE)
    pk, vk = keys(circuit)
    graph = circuit.graph
    feeds = {name: data[name][5:6] for name in data}
    leaves = quantise_inputs(graph, feeds) | dict(pk.weights)
    honest = run_graph(graph, leaves)
    check_witness(graph, honest)
    used = {i for n in graph.nodes if isinstance(n.op, Combine) for i in n.op.inputs}
    limbs = [i for n in graph.nodes if isinstance(n.op, Requantise) for i in n.outputs[1:] if i in used]
    assert len(limbs) >= 6
    for limb in limbs[::3]:
        moved = np.where(honest[limb] > 0, honest[limb] - 1, 1)
        lie = run_graph(graph, leaves, {limb: lambda values, moved=moved: moved})
        with pytest.raises(ProofRejected):
            accepted(vk, forge(pk, Claimed(values=lie)))
