"""The sentence encoder as an ONNX file, from its weights, in the form in which PyTorch exports it from transformers.

    python models/minilm_l6/build.py       fetch, build once, print the path

BERT (Devlin et al., 2019): embeddings of ids, positions and type; per layer attention with an additive mask, (1 - mask) times the least
float32, and an MLP with the erf form of GELU, each followed by a residual addition and a layer norm. Then the mean over the tokens that
the mask has, of Euclidean norm 1, as sentence-transformers does it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from models import fetch, safetensors  # noqa: E402
from models.export import IR_VERSION  # noqa: E402
from models.minilm_l6.tokens import LENGTH  # noqa: E402

NAME = "minilm_l6"
OPSET = 14
HEADS = 12
EPSILON = 1e-12
FORM = 1
"""Raised when `encoder` writes another graph, so that a file built before is not taken for it."""

Weights = Mapping[str, NDArray[Any]]


class _Graph:
    """Nodes and initialisers; the output of a node has the node's name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def add(self, op: str, name: str, *inputs: Any, **attributes: Any) -> str:
        """A node; an input that is no name is a constant."""
        names = []
        for i, value in enumerate(inputs):
            if not isinstance(value, str):
                self.constants[f"{name}.{i}"] = np.asarray(value)
                value = f"{name}.{i}"
            names.append(value)
        self.nodes.append(helper.make_node(op, names, [name], name=name, **attributes))
        return name

    def linear(self, name: str, x: str, weights: Weights, key: str) -> str:
        product = self.add("MatMul", f"{name}.product", x, weights[f"{key}.weight"].T)
        return self.add("Add", name, weights[f"{key}.bias"], product)

    def norm(self, name: str, x: str, weights: Weights, key: str) -> str:
        """A layer norm in its parts, as below opset 17."""
        centred = self.add("Sub", f"{name}.centred", x, self.add("ReduceMean", f"{name}.mean", x, axes=[-1]))
        variance = self.add("ReduceMean", f"{name}.variance", self.add("Pow", f"{name}.square", centred, np.float32(2)), axes=[-1])
        root = self.add("Sqrt", f"{name}.root", self.add("Add", f"{name}.moved", variance, np.float32(EPSILON)))
        scaled = self.add("Mul", f"{name}.scaled", self.add("Div", f"{name}.normal", centred, root), weights[f"{key}.weight"])
        return self.add("Add", name, scaled, weights[f"{key}.bias"])


def encoder(weights: Weights, *, heads: int = HEADS, tokens: int = LENGTH) -> onnx.ModelProto:
    """The checked model for weights by the names of transformers' `BertModel`: `input_ids` and `attention_mask`, `(1, tokens)`, to
    `sentence_embedding`, `(1, width)`."""
    graph = _Graph()
    width = weights["embeddings.word_embeddings.weight"].shape[1]
    wide, mask = _masks(graph, tokens, width)
    x = _embeddings(graph, weights, tokens)
    layer = 0
    while f"encoder.layer.{layer}.output.dense.weight" in weights:
        x = _layer(graph, weights, x, wide, f"encoder.layer.{layer}", (heads, tokens, width))
        layer += 1
    _pooling(graph, x, mask)
    proto = helper.make_graph(
        graph.nodes,
        NAME,
        [helper.make_tensor_value_info(name, TensorProto.INT64, [1, tokens]) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, [1, width])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in graph.constants.items()],
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="ciro_zk")
    onnx.checker.check_model(model, full_check=True)
    return model


def _masks(graph: _Graph, tokens: int, width: int) -> tuple[str, str]:
    """What is added to the scores, `(1, 1, 1, tokens)`, and the factors of the mean, `(1, tokens, width)`."""
    rows = graph.add("Unsqueeze", "mask.rows", "attention_mask", np.array([1]))
    cells = graph.add("Cast", "mask.cells", graph.add("Unsqueeze", "mask.columns", rows, np.array([2])), to=TensorProto.FLOAT)
    added = graph.add("Mul", "mask.added", graph.add("Sub", "mask.left_out", np.float32(1), cells), np.finfo(np.float32).min)
    column = graph.add("Unsqueeze", "pool.column", "attention_mask", np.array([-1]))
    factors = graph.add(
        "Cast", "pool.factors", graph.add("Expand", "pool.wide", column, np.array([1, tokens, width])), to=TensorProto.FLOAT
    )
    return added, factors


def _embeddings(graph: _Graph, weights: Weights, tokens: int) -> str:
    word = graph.add("Gather", "embeddings.word", weights["embeddings.word_embeddings.weight"], "input_ids")
    kind = graph.add("Gather", "embeddings.type", weights["embeddings.token_type_embeddings.weight"], np.zeros((1, tokens), np.int64))
    place = graph.add("Gather", "embeddings.place", weights["embeddings.position_embeddings.weight"], np.arange(tokens)[None])
    both = graph.add("Add", "embeddings.both", word, kind)
    return graph.norm("embeddings", graph.add("Add", "embeddings.sum", both, place), weights, "embeddings.LayerNorm")


def _layer(graph: _Graph, weights: Weights, x: str, added: str, key: str, sizes: tuple[int, int, int]) -> str:
    heads, tokens, width = sizes
    split = np.array([1, tokens, heads, width // heads])
    parts = {}
    for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
        flat = graph.linear(f"{key}.{part}.flat", x, weights, f"{key}.attention.self.{part}")
        parts[part] = graph.add("Transpose", f"{key}.{part}", graph.add("Reshape", f"{key}.{part}.split", flat, split), perm=order)
    product = graph.add("MatMul", f"{key}.product", parts["query"], parts["key"])
    scores = graph.add("Add", f"{key}.scores", graph.add("Div", f"{key}.scores.divided", product, np.float32(sqrt(width // heads))), added)
    mixed = graph.add("MatMul", f"{key}.mixed", graph.add("Softmax", f"{key}.shares", scores, axis=-1), parts["value"])
    turned = graph.add("Transpose", f"{key}.turned", mixed, perm=[0, 2, 1, 3])
    joined = graph.add("Reshape", f"{key}.joined", turned, np.array([1, tokens, width]))
    out = graph.linear(f"{key}.attention.dense", joined, weights, f"{key}.attention.output.dense")
    first = graph.norm(f"{key}.attention", graph.add("Add", f"{key}.first", out, x), weights, f"{key}.attention.output.LayerNorm")
    inner = graph.linear(f"{key}.inner", first, weights, f"{key}.intermediate.dense")
    share = graph.add("Erf", f"{key}.erf", graph.add("Div", f"{key}.erf.argument", inner, np.float32(sqrt(2))))
    twice = graph.add("Mul", f"{key}.twice", inner, graph.add("Add", f"{key}.share", share, np.float32(1)))
    out = graph.linear(f"{key}.dense", graph.add("Mul", f"{key}.gelu", twice, np.float32(0.5)), weights, f"{key}.output.dense")
    return graph.norm(key, graph.add("Add", f"{key}.second", out, first), weights, f"{key}.output.LayerNorm")


def _pooling(graph: _Graph, x: str, factors: str) -> None:
    """The mean over the mask, then x / max(|x|, 1e-12)."""
    total = graph.add("ReduceSum", "pool.total", graph.add("Mul", "pool.kept", x, factors), np.array([1]), keepdims=0)
    count = graph.add("ReduceSum", "pool.count", factors, np.array([1]), keepdims=0)
    mean = graph.add("Div", "pool.mean", total, graph.add("Clip", "pool.some", count, np.float32(1e-9)))
    norm = graph.add("ReduceL2", "pool.norm", mean, axes=[1], keepdims=1)
    bounded = graph.add("Clip", "pool.bounded", norm, np.float32(1e-12))
    graph.add("Div", "sentence_embedding", mean, graph.add("Expand", "pool.spread", bounded, graph.add("Shape", "pool.shape", mean)))


def build() -> Path:
    """The path of the model, built from the fetched weights if it is not there yet."""
    source = fetch.fetch(NAME)
    target = source.with_name(f"{source.name[:16]}-{NAME}-{FORM}.onnx")
    if not target.is_file():
        fetch.write(target, encoder(safetensors.read(source)).SerializeToString(deterministic=True))
    return target


if __name__ == "__main__":
    print(build())
