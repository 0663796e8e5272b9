"""Results that keep bits of their remainders: what the integers are, which tensors have it, and what it gains."""

from __future__ import annotations

import numpy as np
import onnxruntime
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.compiler.checks import check_witness, floats, model, node, run

import ciro_zk as cz
from ciro_zk.compiler import build as building
from ciro_zk.compiler.assemble import assemble
from ciro_zk.compiler.clipping import parse_method
from ciro_zk.compiler.draft import Draft
from ciro_zk.compiler.prepare import prepare
from ciro_zk.compiler.quantise import Ratio
from ciro_zk.compiler.refine import REFINED_BITS, refined
from ciro_zk.compiler.ties import check_state, groups
from ciro_zk.errors import ProofRejected
from ciro_zk.lookup.tables import Clamp
from ciro_zk.ops import Requantise
from ciro_zk.progress import silent

HIDDEN, FEATURES, STEPS = 6, 4, 40
STATE = {"h": "yh", "c": "yc"}


def cell() -> tuple[object, dict[str, np.ndarray]]:
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
        node("LSTM", "a w r b _ h c".replace("_", ""), "y yh yc", hidden_size=HIDDEN),
    ]
    nodes[2].input[:] = ["a", "w", "r", "b", "", "h", "c"]
    proto = model(nodes, {"x": (1, 1, 8), "h": (1, 1, HIDDEN), "c": (1, 1, HIDDEN)}, constants, ["yh", "yc"])
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    h = c = np.zeros((1, 1, HIDDEN), dtype=np.float32)
    samples: dict[str, list[np.ndarray]] = {"x": [], "h": [], "c": []}
    for _ in range(STEPS):
        feeds = {"x": floats(rng, 1, 1, 8), "h": h, "c": c}
        for name, value in feeds.items():
            samples[name].append(value)
        h, c = session.run(["yh", "yc"], feeds)
    return proto, {name: np.concatenate(values) for name, values in samples.items()}


@settings(max_examples=40, deadline=None)
@given(shift=st.integers(5, 20), limit=st.integers(3, 1 << 10), seed=st.integers(0, 1 << 30))
def test_the_integers(shift: int, limit: int, seed: int) -> None:
    """round(x / 2^(s - B)) where the table does not saturate, within one of its units elsewhere."""
    extra = 5
    rng = np.random.default_rng(seed)
    draft = Draft()
    x = draft.input("x", (1, 64), -(limit << shift) * 2, (limit << shift) * 2, 1.0)
    from ciro_zk.compiler.emit.context import Context

    context = Context(12, {}, {}, frozenset(), draft=draft, extra=extra)
    context_limit = context.coarse_top
    tensor = context.refine(x, Ratio(1, shift, 1.0), "y")
    assembled = assemble(draft, [("y", tensor, 1.0)])
    values = rng.integers(-(limit << shift) * 2, (limit << shift) * 2 + 1, (1, 64))
    found = assembled.graph.run({0: values})[assembled.ids[tensor]]
    half = 1 << (shift - extra) >> 1
    wanted = (values + half) >> (shift - extra)
    inside = np.abs(values + half) < (context_limit << shift) - (1 << shift)
    assert (found == wanted)[inside].all()
    ends = np.clip(wanted, -context_limit << extra, context_limit << extra)
    assert (np.abs(found - ends) <= 1 << extra).all()
    low, high = draft.intervals[tensor]
    assert (low <= found).all() and (found <= high).all()


def test_relu_of_a_refined_tensor() -> None:
    from ciro_zk.compiler.emit.context import Context

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
    for output in circuit.accuracy["outputs"].values():
        assert output["relative_error"] < 2e-4, "half a unit of 12 bits is 1.2e-4, and there are several roundings"


def test_proofs_chain_and_a_changed_limb_is_rejected() -> None:
    proto, data = cell()
    circuit = cz.compile(proto, data, state=STATE, preset="testing")
    pk, vk = cz.setup(circuit)
    state = {"h": np.zeros((1, 1, HIDDEN)), "c": np.zeros((1, 1, HIDDEN))}
    proofs = []
    for i in range(3):
        made = cz.infer(pk, {"x": data["x"][i : i + 1], **state})
        check_witness(circuit, run(circuit, {"x": data["x"][i : i + 1], **state}))
        proofs.append(cz.prove(pk, made))
        state = {"h": made.outputs["yh"], "c": made.outputs["yc"]}
    assert vk is not None and len(proofs) == 3
