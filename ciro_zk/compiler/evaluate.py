"""One node on given arrays, by `onnx.reference`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from ciro_zk.compiler.load import Array


def evaluate(node: onnx.NodeProto, opset: int, values: Mapping[int, Array]) -> list[Array]:
    """The node's outputs for arrays by input position; `ValueError` where it cannot be computed."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    if copy.op_type == "Scatter":
        copy.op_type, opset = "ScatterElements", 11  # its later name
    names = {position: f"input{position}" for position in values}
    for position in range(len(copy.input)):
        copy.input[position] = names.get(position, "")
    kinds = {position: helper.np_dtype_to_tensor_dtype(np.asarray(array).dtype) for position, array in values.items()}
    inputs = [helper.make_tensor_value_info(names[i], kinds[i], np.shape(array)) for i, array in values.items()]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = helper.make_graph([copy], "node", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    try:
        with np.errstate(all="ignore"):
            results = iter(ReferenceEvaluator(model).run(None, {names[i]: np.asarray(array) for i, array in values.items()}))
    except Exception as error:  # onnx.reference raises whatever its numpy code does
        raise ValueError(" ".join(str(error).split())[:300]) from error
    return [np.asarray(next(results)) if name else np.zeros(0) for name in node.output]
