"""Write a chain of layers as an ONNX file, by `onnx.helper` alone: the same weights give the same bytes, whatever trained them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One node of the chain: its first input is the output of the layer before."""

    op: str
    name: str
    weights: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    """The further inputs in order, as float32 initialisers `NAME.KEY`."""
    attributes: dict[str, Any] = field(default_factory=dict)


def chain(
    layers: Sequence[Layer], *, name: str, inputs: tuple[str, Sequence[int]], outputs: tuple[str, Sequence[int]], doc: str
) -> onnx.ModelProto:
    """The checked model: `inputs` -> layers -> `outputs`, each (name, shape), both float32."""
    nodes, initialisers, value = [], [], inputs[0]
    for i, layer in enumerate(layers):
        following = outputs[0] if i == len(layers) - 1 else layer.name
        keys = [f"{layer.name}.{key}" for key in layer.weights]
        nodes.append(helper.make_node(layer.op, [value, *keys], [following], name=layer.name, **layer.attributes))
        weights = (np.ascontiguousarray(w, dtype=np.float32) for w in layer.weights.values())
        initialisers += [numpy_helper.from_array(w, key) for w, key in zip(weights, keys, strict=True)]
        value = following
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(inputs[0], TensorProto.FLOAT, inputs[1])],
        [helper.make_tensor_value_info(outputs[0], TensorProto.FLOAT, outputs[1])],
        initialisers,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="ciro_zk", doc_string=doc
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write the model's canonical bytes."""
    path.write_bytes(model.SerializeToString(deterministic=True))


def num_parameters(model: onnx.ModelProto) -> int:
    """How many numbers the initialisers hold."""
    return sum(int(np.prod(w.dims)) for w in model.graph.initializer)
