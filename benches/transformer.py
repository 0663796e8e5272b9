"""GPTs with random weights, as PyTorch exports them: multi-head causal attention, GELU, layer norms, with and without embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 20, 9


@dataclass
class _Blocks:
    """Nodes and weights of a stack of pre-norm blocks over (1, tokens, width)."""

    tokens: int
    width: int
    heads: int
    random: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, op: str, name: str, *inputs: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def normal(self, name: str, *shape: int, deviation: float, mean: float = 0.0) -> str:
        values = mean + deviation * self.random.standard_normal(shape, dtype=np.float32)
        return self.constant(name, values.astype(np.float32))

    def dense(self, name: str, x: str, rows: int, columns: int) -> str:
        product = self.add("MatMul", f"{name}.product", x, self.normal(f"{name}.weight", rows, columns, deviation=rows**-0.5))
        return self.add("Add", name, product, self.normal(f"{name}.bias", columns, deviation=0.02))

    def norm(self, name: str, x: str) -> str:
        scale = self.normal(f"{name}.scale", self.width, deviation=0.1, mean=1.0)
        return self.add("LayerNormalization", name, x, scale, self.normal(f"{name}.bias", self.width, deviation=0.02))

    def attention(self, name: str, x: str) -> str:
        head = self.width // self.heads
        split = self.constant(f"{name}.split", np.array([1, self.tokens, self.heads, head]))
        parts = {}
        for part in ("query", "key", "value"):
            apart = self.add("Reshape", f"{name}.{part}.heads", self.dense(f"{name}.{part}", x, self.width, self.width), split)
            order = [0, 2, 3, 1] if part == "key" else [0, 2, 1, 3]
            parts[part] = self.add("Transpose", f"{name}.{part}.turned", apart, perm=order)
        scores = self.add("MatMul", f"{name}.product", parts["query"], parts["key"])
        scores = self.add("Div", f"{name}.scores", scores, self.constant(f"{name}.root", np.array(head**0.5, dtype=np.float32)))
        later = np.triu(np.ones((self.tokens, self.tokens), dtype=np.float32), 1)
        scores = self.add("Add", f"{name}.masked", scores, self.constant(f"{name}.mask", np.where(later > 0, np.float32(-1e9), 0)))
        weights = self.add("Softmax", f"{name}.weights", scores, axis=-1)
        turned = self.add("Transpose", f"{name}.joined", self.add("MatMul", f"{name}.heads", weights, parts["value"]), perm=[0, 2, 1, 3])
        flat = self.add("Reshape", f"{name}.flat", turned, self.constant(f"{name}.join", np.array([1, self.tokens, self.width])))
        return self.dense(f"{name}.out", flat, self.width, self.width)

    def block(self, name: str, x: str) -> str:
        x = self.add("Add", f"{name}.middle", x, self.attention(f"{name}.attention", self.norm(f"{name}.norm1", x)))
        inner = self.dense(f"{name}.up", self.norm(f"{name}.norm2", x), self.width, 4 * self.width)
        return self.add("Add", name, x, self.dense(f"{name}.down", self.add("Gelu", f"{name}.gelu", inner), 4 * self.width, self.width))

    def stack(self, layers: int, x: str) -> str:
        """The blocks and a last norm, "hidden"."""
        for i in range(layers):
            x = self.block(f"block{i}", x)
        return self.norm("hidden", x)

    def model(self, name: str, ports: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """The finished model, of one input and one output."""
        graph = helper.make_graph(self.nodes, name, ports[:1], ports[1:], self.weights)
        doc = "Random weights in a known shape, for ciro_zk's benchmarks (benches/transformer.py)."
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="ciro_zk", doc_string=doc
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def gpt_blocks(seed: int = 0, *, layers: int = 2, tokens: int = 16, width: int = 64, heads: int = 4) -> onnx.ModelProto:
    """GPT blocks and a last norm: embeddings [1,16,64] -> hidden states [1,16,64]; 2 layers, 4 heads, 100,096 parameters, 1.64M MAC."""
    build = _Blocks(tokens, width, heads, np.random.Generator(np.random.PCG64(seed)))
    build.stack(layers, "embeddings")
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, tokens, width]) for name in ("embeddings", "hidden")]
    return build.model("gpt_blocks", ports)


def gpt(
    seed: int = 0, *, layers: int = 12, tokens: int = 32, width: int = 768, heads: int = 12, vocabulary: int = 50257, positions: int = 1024
) -> onnx.ModelProto:
    """A GPT whose head is tied to its embedding: ids [1,32] -> logits of the last token [1,1,50257].

    As it is in GPT-2 small's shape, 124M parameters.
    """
    build = _Blocks(tokens, width, heads, np.random.Generator(np.random.PCG64(seed)))
    table = build.normal("embedding", vocabulary, width, deviation=0.02)
    words = build.add("Gather", "words", table, "ids", axis=0)
    places = build.normal("positions", positions, width, deviation=0.02)
    places = build.add("Gather", "places", places, build.constant("order", np.arange(tokens)[None]), axis=0)
    hidden = build.stack(layers, build.add("Add", "embedded", words, places))
    last = build.add("Gather", "last", hidden, build.constant("end", np.array([tokens - 1])), axis=1)
    build.add("MatMul", "logits", last, build.add("Transpose", "head", table, perm=[1, 0]))
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, tokens])
    return build.model("gpt", [ids, helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1, vocabulary])])
