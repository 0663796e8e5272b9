"""Encoders with ids and masks as inputs: rows of a table, cells that a mask leaves out at run time, mean pooling, a norm of 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from unit.compiler.checks import check_complete, floats

from ciro_zk.circuit.tensor import Storage
from ciro_zk.compiler import compile as compile_model
from ciro_zk.errors import InputError
from ciro_zk.ops import OneHot
from ciro_zk.program.circuit import Circuit
from ciro_zk.prover import prove, setup
from ciro_zk.verifier import verify
from ciro_zk.witness import infer
from models.minilm_l6.build import encoder

TOKENS, VOCABULARY, WIDTH = 6, 40, 16
RANGES = {"input_ids": (0, VOCABULARY - 1), "attention_mask": (0, 1)}


def bert(rng: np.random.Generator, layers: int = 2, inner: int = 32) -> onnx.ModelProto:
    """Random weights by the names of transformers."""
    weights: dict[str, Any] = {}

    def linear(name: str, out: int, width: int) -> None:
        weights[f"{name}.weight"], weights[f"{name}.bias"] = floats(rng, out, width, scale=width**-0.5), floats(rng, out, scale=0.1)

    def norm(name: str) -> None:
        weights[f"{name}.weight"], weights[f"{name}.bias"] = 1 + floats(rng, WIDTH, scale=0.1), floats(rng, WIDTH, scale=0.1)

    for kind, rows in (("word", VOCABULARY), ("position", TOKENS + 3), ("token_type", 2)):
        weights[f"embeddings.{kind}_embeddings.weight"] = floats(rng, rows, WIDTH)
    norm("embeddings.LayerNorm")
    for i in range(layers):
        key = f"encoder.layer.{i}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linear(f"{key}.attention.{part}", WIDTH, WIDTH)
        norm(f"{key}.attention.output.LayerNorm")
        linear(f"{key}.intermediate.dense", inner, WIDTH)
        linear(f"{key}.output.dense", WIDTH, inner)
        norm(f"{key}.output.LayerNorm")
    return encoder(weights, heads=2, tokens=TOKENS)


def sentences(rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Ids of 2 to all tokens, zeros after them."""
    mask = (np.arange(TOKENS) < rng.integers(2, TOKENS + 1, (count, 1))).astype(np.int64)
    return {"input_ids": rng.integers(1, VOCABULARY, (count, TOKENS)) * mask, "attention_mask": mask}


def test_a_sentence_encoder_proves() -> None:
    """Alone and in a batch; what it puts out has the float model's direction."""
    rng = np.random.default_rng(0)
    proto, samples = bert(rng), sentences(rng, 40)
    circuit = compile_model(proto, samples, input_range=RANGES)
    assert any(isinstance(n.op, OneHot) for n in circuit.graph.nodes)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = [{name: value[i : i + 1] for name, value in samples.items()} for i in range(12)]
    for feed in feeds:
        found, (wanted,) = infer(circuit, feed).outputs["sentence_embedding"].reshape(-1), session.run(None, feed)
        assert found @ wanted.reshape(-1) >= 0.9995 * np.linalg.norm(found)
    pk, vk = setup(circuit)
    runs = [infer(pk, feed) for feed in feeds[:2]]
    verify(vk, prove(pk, runs[0]), inputs=feeds[0])
    verify(vk, prove(pk, runs))


def test_tokens_that_the_mask_leaves_out_have_no_influence() -> None:
    """Not on a single bit of the output."""
    rng = np.random.default_rng(1)
    circuit = compile_model(bert(rng), sentences(rng, 24), input_range=RANGES)
    mask = np.array([[1, 1, 1, 0, 0, 0]])
    found = []
    for rest in ([0, 0, 0], [7, 39, 1], [25, 25, 25]):
        run = infer(circuit, {"input_ids": np.array([[5, 9, 2, *rest]]), "attention_mask": mask})
        found.append(run.integer_outputs["sentence_embedding"])
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def masked(kind: str, *, dtype: int = TensorProto.INT64) -> onnx.ModelProto:
    """Softmax of x and a mask of its last axis, as exporters write it."""
    constants = {"one": np.float32(1), "least": np.finfo(np.float32).min, "zero": np.float32(0), "never": np.float32(-np.inf)}
    constants |= {"some": np.float32(-1e4), "axes": np.array([1]), "wide": np.array([1, 3, 5])}
    written = {
        "product": [("Cast", "r", "f"), ("Sub", "one f", "o"), ("Mul", "o least", "a")],
        "small": [("Cast", "r", "f"), ("Sub", "one f", "o"), ("Mul", "o some", "a")],
        "expanded": [("Expand", "r wide", "e"), ("Cast", "e", "f"), ("Sub", "one f", "o"), ("Mul", "o least", "a")],
        "choice": [("Cast", "r", "b"), ("Where", "b zero never", "a")],
        "not": [("Cast", "r", "b"), ("Not", "b", "n"), ("Where", "n never zero", "a")],
    }[kind]
    nodes = [helper.make_node("Unsqueeze", ["m", "axes"], ["r"])]
    for op, inputs, output in written:
        to = {"to": TensorProto.BOOL if output == "b" else TensorProto.FLOAT} if op == "Cast" else {}
        nodes.append(helper.make_node(op, inputs.split(), [output], **to))
    nodes += [helper.make_node("Add", ["x", "a"], ["s"]), helper.make_node("Softmax", ["s"], ["y"], axis=-1)]
    graph = helper.make_graph(
        nodes,
        "masked",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 5]), helper.make_tensor_value_info("m", dtype, [1, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 5])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def masks(rng: np.random.Generator, count: int, scale: float = 2.0) -> dict[str, Any]:
    m = rng.integers(0, 2, (count, 5))
    m[:, 2] = 1
    return {"x": floats(rng, count, 3, 5, scale=scale), "m": m}


def compiled(kind: str, scale: float = 2.0, **options: Any) -> tuple[Circuit, dict[str, Any]]:
    samples = masks(np.random.default_rng(2), 40, scale)
    return compile_model(masked(kind), samples, input_range={"m": (0, 1)}, **options), samples


@pytest.mark.parametrize("scale", [0.1, 2.0, 8.0])
@pytest.mark.parametrize("kind", ["product", "small", "expanded", "choice", "not"])
def test_masked_cells_have_no_share(kind: str, scale: float) -> None:
    """Exactly none, whatever their scores; the others have the float model's."""
    circuit, samples = compiled(kind, scale)
    for i in range(8):
        x, m = samples["x"][i], samples["m"][i].astype(bool)
        found = infer(circuit, {"x": x[None], "m": samples["m"][i][None]}).outputs["y"].reshape(3, 5)
        shares = np.where(m, np.exp(x - np.where(m, x, -np.inf).max(axis=-1, keepdims=True)), 0)
        assert (found[:, ~m] == 0).all()
        assert np.abs(found - shares / shares.sum(axis=-1, keepdims=True)).max() < 2**-8
    check_complete(circuit)


def test_the_greatest_score_of_all_is_left_out_too() -> None:
    """Scores at both ends of the declared range."""
    circuit, _ = compiled("product")
    (top,) = (circuit.graph.tensors[p.tensor].high for p in circuit.graph.inputs if p.name == "x")
    (unit,) = (p.scale for p in circuit.graph.inputs if p.name == "x")
    x = np.full((1, 3, 5), -top * unit)
    x[..., 0] = top * unit
    found = infer(circuit, {"x": x, "m": np.array([[0, 1, 1, 1, 1]])}).outputs["y"]
    assert (found[..., 0] == 0).all()
    assert np.allclose(found[..., 1:], 0.25, atol=1e-3)


def test_a_row_that_is_left_out_whole() -> None:
    """The softmax of its scores: as in floats, where a constant is added to all of them, but for their rounding."""
    circuit, samples = compiled("small")
    x = samples["x"][:1]
    found = infer(circuit, {"x": x, "m": np.zeros((1, 5))}).outputs["y"]
    shares = np.exp(x - x.max(axis=-1, keepdims=True))
    assert np.abs(found - shares / shares.sum(axis=-1, keepdims=True)).max() < 2**-8


def test_a_mask_of_other_numbers_is_refused() -> None:
    samples = masks(np.random.default_rng(2), 8)
    with pytest.raises(InputError, match="masks a softmax") as error:
        compile_model(masked("product"), samples)
    assert "input_range={'m': (0, 1)}" in str(error.value)


def test_a_bool_needs_no_range() -> None:
    samples = masks(np.random.default_rng(2), 16)
    samples["m"] = samples["m"].astype(bool)
    circuit = compile_model(masked("product", dtype=TensorProto.BOOL), samples)
    assert (infer(circuit, {"x": samples["x"][:1], "m": samples["m"][:1]}).outputs["y"][..., ~samples["m"][0]] == 0).all()


def test_ids_that_are_computed_are_committed() -> None:
    """Only of an input does the verifier know the one-hot ids."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["i"], axis=1, keepdims=0),
        helper.make_node("Gather", ["t", "i"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "computed",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(np.arange(15, dtype=np.float32).reshape(5, 3), "t")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    rng = np.random.default_rng(0)
    circuit = compile_model(proto, floats(rng, 8, 5))
    assert not any(tensor.storage is Storage.PUBLIC for tensor in circuit.graph.tensors)
    x = floats(rng, 1, 5)
    assert np.allclose(infer(circuit, x).outputs["y"], np.arange(15).reshape(5, 3)[x.argmax()], atol=0.01)
