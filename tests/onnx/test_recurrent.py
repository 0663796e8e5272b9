"""LSTM, GRU and RNN: unrolled circuits against onnxruntime's own recurrent kernels, and what many steps cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from unit.compiler.checks import check_complete, check_witness, floats, model, run

import ciro_zk as cz
from ciro_zk.compiler import compile as compile_model
from ciro_zk.errors import ProofRejected, UnsupportedOperator
from ciro_zk.ops import MatMul
from ciro_zk.program.circuit import Circuit

Array = NDArray[Any]
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
KINDS = tuple(GATES)
COUNT = 12


@dataclass(frozen=True, kw_only=True)
class Net:
    """A model of one recurrent node."""

    kind: str
    steps: int = 4
    batch: int = 2
    features: int = 3
    hidden: int = 5
    direction: str = "forward"
    initial: bool = False
    lengths: Sequence[int] | None = None
    bias: bool = True
    peepholes: bool = False
    outputs: Sequence[str] = ("y", "yh", "yc")
    scale: float = 0.5
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def directions(self) -> int:
        return 2 if self.direction == "bidirectional" else 1

    def shapes(self) -> dict[str, tuple[int, ...]]:
        state = (self.directions, self.batch, self.hidden)
        found: dict[str, tuple[int, ...]] = {"x": (self.steps, self.batch, self.features)}
        if self.initial:
            found["h"] = state
            if self.kind == "LSTM":
                found["c"] = state
        return found

    def proto(self, opset: int = 17) -> onnx.ModelProto:
        rng = np.random.default_rng(5)
        d, rows = self.directions, GATES[self.kind] * self.hidden
        constants: dict[str, Array] = {
            "w": floats(rng, d, rows, self.features, scale=self.scale),
            "r": floats(rng, d, rows, self.hidden, scale=self.scale),
        }
        if self.bias:
            constants["b"] = floats(rng, d, 2 * rows, scale=0.3)
        if self.lengths:
            constants["seq"] = np.array(self.lengths, dtype=np.int32)
        if self.peepholes:
            constants["p"] = floats(rng, d, 3 * self.hidden, scale=0.3)
        inputs = ["x", "w", "r", *(n if n in constants or n in self.shapes() else "" for n in ("b", "seq", "h", "c", "p"))]
        if self.kind != "LSTM":
            inputs = inputs[:6]
        outputs = [name for name in ("y", "yh", "yc") if self.kind == "LSTM" or name != "yc"]
        node = helper.make_node(
            self.kind,
            inputs,
            [name if name in self.outputs else "" for name in outputs],
            hidden_size=self.hidden,
            direction=self.direction,
            name=self.kind.lower(),
            **self.attributes,
        )
        return model([node], self.shapes(), constants, [name for name in outputs if name in self.outputs], opset=opset)

    def samples(self, count: int = COUNT, seed: int = 0) -> dict[str, Array]:
        rng = np.random.default_rng(seed)
        return {name: np.tanh(floats(rng, count * shape[0], *shape[1:])) for name, shape in self.shapes().items()}


def compare(net: Net, tolerance: float = 0.01) -> Circuit:
    """Compile, and compare with onnxruntime."""
    proto = net.proto()
    data = net.samples()
    circuit = compile_model(proto, data, validation=data)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for i in range(4):
        feeds = {name: data[name][i * shape[0] : (i + 1) * shape[0]] for name, shape in net.shapes().items()}
        values = run(circuit, feeds)
        expected = session.run([port.name for port in circuit.graph.outputs], feeds)
        for port, wanted in zip(circuit.graph.outputs, expected, strict=True):
            found = (values[port.tensor] * port.scale).reshape(wanted.shape)
            assert np.abs(found - wanted).max() <= tolerance * max(1.0, np.abs(wanted).max()), port.name
    check_witness(circuit.graph, values)
    return circuit


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", KINDS)
def test_directions(kind: str, direction: str) -> None:
    check_complete(compare(Net(kind=kind, direction=direction)))


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", KINDS)
def test_initial_states(kind: str, direction: str) -> None:
    compare(Net(kind=kind, direction=direction, initial=True))


@pytest.mark.parametrize("direction", ["reverse", "bidirectional"])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_end_early(kind: str, direction: str) -> None:
    compare(Net(kind=kind, direction=direction, batch=4, lengths=(4, 4, 2, 3), initial=True))


@pytest.mark.parametrize(
    "net",
    [
        Net(kind="RNN", attributes={"activations": ["Relu"]}, scale=0.3),
        Net(kind="RNN", attributes={"activations": ["LeakyRelu"], "activation_alpha": [0.2]}, scale=0.3),
        Net(kind="RNN", attributes={"activations": ["ScaledTanh"], "activation_alpha": [1.5], "activation_beta": [0.5]}),
        Net(kind="RNN", attributes={"activations": ["Affine"], "activation_alpha": [0.4], "activation_beta": [0.1]}, scale=0.3),
        Net(kind="GRU", attributes={"activations": ["HardSigmoid", "Softsign"], "activation_alpha": [0.3], "activation_beta": [0.4]}),
        Net(kind="GRU", attributes={"linear_before_reset": 1}),
        Net(kind="GRU", attributes={"linear_before_reset": 1}, initial=True, direction="bidirectional"),
        Net(kind="GRU", attributes={"linear_before_reset": 1}, bias=False),
        Net(kind="LSTM", attributes={"activations": ["HardSigmoid", "Elu", "Softsign"], "activation_alpha": [0.25, 0.7]}),
        Net(kind="LSTM", attributes={"input_forget": 1}, initial=True),
        Net(kind="LSTM", peepholes=True, initial=True),
        Net(kind="LSTM", bias=False),
        Net(kind="LSTM", outputs=("yh",)),
        Net(kind="LSTM", outputs=("yc",)),
        Net(kind="GRU", outputs=("yh",), steps=1),
    ],
    ids=lambda net: (
        f"{net.kind} {' '.join(map(str, net.attributes.values()))}{' peepholes' * net.peepholes}{'' if net.bias else ' no bias'}"
    ),
)
def test_variants(net: Net) -> None:
    compare(net)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_first(kind: str) -> None:
    """Layout 1 is layout 0 with its axes exchanged; onnxruntime has the latter only."""
    plain = Net(kind=kind, direction="bidirectional", initial=True)
    proto = plain.proto()
    turned = onnx.ModelProto()
    turned.CopyFrom(proto)
    turned.graph.node[0].attribute.append(helper.make_attribute("layout", 1))
    for value in turned.graph.input:
        dims = value.type.tensor_type.shape.dim
        dims[0].dim_value, dims[1].dim_value = dims[1].dim_value, dims[0].dim_value
    for value in turned.graph.output:
        value.type.tensor_type.ClearField("shape")
    turned = onnx.shape_inference.infer_shapes(turned)
    data = plain.samples()
    split = {k: v.reshape(COUNT, *plain.shapes()[k]) for k, v in data.items()}
    flipped = {k: np.swapaxes(v, 1, 2).reshape(-1, *np.swapaxes(v, 1, 2).shape[2:]) for k, v in split.items()}
    first, second = compile_model(proto, data), compile_model(turned, flipped)
    one = {port.name: run(first, {k: v[0] for k, v in split.items()})[port.tensor] for port in first.graph.outputs}
    other = {port.name: run(second, {k: np.swapaxes(v[0], 0, 1) for k, v in split.items()})[port.tensor] for port in second.graph.outputs}
    assert np.array_equal(other["y"], one["y"].transpose(2, 0, 1, 3))
    assert np.array_equal(other["yh"], np.swapaxes(one["yh"], 0, 1))


@given(
    kind=st.sampled_from(KINDS),
    steps=st.integers(1, 6),
    batch=st.integers(1, 3),
    features=st.integers(1, 4),
    hidden=st.integers(1, 6),
    direction=st.sampled_from(["forward", "reverse", "bidirectional"]),
    initial=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_any_size(kind: str, steps: int, batch: int, features: int, hidden: int, direction: str, initial: bool) -> None:
    net = Net(kind=kind, steps=steps, batch=batch, features=features, hidden=hidden, direction=direction, initial=initial)
    check_complete(compare(net, 0.02), count=1)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_committed_once(kind: str) -> None:
    """More steps cost no more weights, and the product with the input is one."""
    few, many = (compile_model(Net(kind=kind, steps=n).proto(), Net(kind=kind, steps=n).samples()) for n in (3, 9))
    assert [few.graph.tensors[i].shape for i in few.graph.weights] == [many.graph.tensors[i].shape for i in many.graph.weights]
    products = [sum(isinstance(node.op, MatMul) for node in c.graph.nodes) for c in (few, many)]
    groups = {"RNN": 1, "GRU": 2, "LSTM": 2}[kind]
    assert products == [groups + 2 * groups, groups + 8 * groups]


def test_a_chain_of_an_lstm() -> None:
    """Two proofs of two steps each, chained, are four steps."""
    net = Net(kind="LSTM", steps=2, batch=1, initial=True)
    long = Net(kind="LSTM", steps=4, batch=1)
    state = {"h": "yh", "c": "yc"}
    circuit = compile_model(net.proto(), net.samples(), state=state)
    pk, vk = cz.setup(circuit)
    zeros = {name: np.zeros(net.shapes()[name]) for name in state}
    x = long.samples(1)["x"]
    before, proofs, outputs = dict(zeros), [], []
    for part in (x[:2], x[2:]):
        done = cz.infer(pk, {"x": part, **before})
        before = {name: done.outputs[state[name]] for name in state}
        outputs.append(done.outputs["y"])
        proofs.append(cz.prove(pk, done))
    cz.verify_chain(vk, proofs, state=state, initial=zeros)
    session = onnxruntime.InferenceSession(long.proto().SerializeToString(), providers=["CPUExecutionProvider"])
    assert np.abs(np.concatenate(outputs) - session.run(["y"], {"x": x})[0]).max() < 0.01
    with pytest.raises(ProofRejected, match="proof 1 of the chain: 'h' is not the state"):
        cz.verify_chain(vk, [proofs[0], proofs[0]], state=state)


def test_a_step_cannot_be_altered() -> None:
    """Every committed hidden state is bound: one more unit anywhere, all later steps computed from it, is rejected."""
    net = Net(kind="GRU", steps=2, batch=1, hidden=2, outputs=("yh",))
    circuit = compile_model(net.proto(), net.samples())
    pk, vk = keys(circuit)
    graph = circuit.graph
    leaves = {port.tensor: np.zeros(graph.tensors[port.tensor].shape, dtype=np.int64) for port in graph.inputs} | dict(pk.weights)
    honest = run_graph(graph, leaves)
    steps = [node.outputs[0] for node in graph.nodes if node.op.kind == "requantise"]
    for tensor in steps[:: max(1, len(steps) // 5)]:
        lie = run_graph(graph, leaves, {tensor: lambda values, t=tensor: honest[t] + 1})
        with pytest.raises(ProofRejected):
            accepted(vk, forge(pk, Claimed(values=lie)))


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"attributes": {"clip": 1.0}}, "clip"),
        ({"steps": 2000, "hidden": 1, "features": 1, "batch": 1}, "steps"),
    ],
    ids=["clip", "steps"],
)
def test_refused(change: dict[str, Any], hint: str) -> None:
    net = Net(kind="GRU", **change)
    with pytest.raises(UnsupportedOperator, match=hint):
        compile_model(net.proto(), net.samples(1))
