"""Static shapes of every tensor and constant folding, in one pass: shape plumbing vanishes, what is left computes on data.

A node whose inputs are all constants is evaluated by `onnx.reference`; Shape and Size of a tensor of static shape are
constants too. The others get their outputs' types and shapes from ONNX's own inference, which is given the constants.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from onnx import TypeProto, defs, helper, numpy_helper, shape_inference

from ciro_zk.compiler.evaluate import evaluate
from ciro_zk.compiler.expand import expand
from ciro_zk.compiler.load import Array, Model, check_finite
from ciro_zk.compiler.shapes import Shape
from ciro_zk.compiler.static import DOMAINS, Static, domain_of, label
from ciro_zk.compiler.unroll import unroll
from ciro_zk.errors import ModelError

MAX_FOLDED_CELLS = 1 << 26
SHAPELESS = {"GroupNormalization"}
"""Operators whose output has the first input's shape, which ONNX does not infer."""
RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}


def fold(model: Model, inputs: dict[str, Shape]) -> Static:
    """Infer shapes and fold constants, given every input's shape."""
    static = Static(model, inputs)
    static.constants.update(model.constants)
    for name, array in model.constants.items():
        static.shapes[name] = array.shape
        static.types[name] = helper.np_dtype_to_tensor_dtype(array.dtype)
    for value in model.inputs:
        static.shapes[value.name] = inputs[value.name]
        static.types[value.name] = value.type.tensor_type.elem_type
    for node in model.proto.graph.node:
        _fold_node(static, node)
    return static


def _fold_node(static: Static, node: onnx.NodeProto) -> None:
    if domain_of(node) not in DOMAINS:
        static.nodes.append(node)
        return
    if _shape_query(static, node):
        return
    if any(name not in static.constants for name in node.input if name):
        parts = expand(static, node)
        if parts is not None:
            for part in parts:
                _fold_node(static, part)
            return
    if unroll(static, node, lambda part: _fold_node(static, part)):
        return
    _infer(static, node)
    names = [name for name in node.input if name]
    subgraphs = any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute)
    constant = all(name in static.constants for name in names) and not subgraphs
    if not constant or node.op_type in RANDOM:
        static.nodes.append(node)
        return
    if any(prod(static.shapes.get(name, ())) > MAX_FOLDED_CELLS for name in node.output):
        raise ModelError(
            "this constant would have more than 2^26 cells", file=static.model.file, node=label(node), remedy="export a smaller model"
        )
    for name, value in zip(node.output, _evaluate(static, node), strict=False):
        if name:
            array = np.asarray(value)
            check_finite(array, static.model.file, label(node))
            static.constants[name] = array
            static.shapes[name] = array.shape
            static.types[name] = helper.np_dtype_to_tensor_dtype(array.dtype)


def _shape_query(static: Static, node: onnx.NodeProto) -> bool:
    """Fold Shape, Size and EyeLike; whether it was one of them."""
    if node.op_type not in ("Shape", "Size", "EyeLike") or node.input[0] not in static.shapes:
        return False
    shape = static.shapes[node.input[0]]
    if node.op_type == "Size":
        value: Array = np.array(prod(shape), dtype=np.int64)
    elif node.op_type == "EyeLike":
        zeros = np.zeros(shape, helper.tensor_dtype_to_np_dtype(static.types[node.input[0]]))
        value = evaluate(node, static.model.opset, {0: zeros})[0]
    else:
        settings = {a.name: int(a.i) for a in node.attribute}
        value = np.array(shape[settings.get("start", 0) : settings.get("end", len(shape))], dtype=np.int64)
    name = node.output[0]
    static.constants[name], static.shapes[name] = value, value.shape
    static.types[name] = helper.np_dtype_to_tensor_dtype(value.dtype)
    return True


def _infer(static: Static, node: onnx.NodeProto) -> None:
    """Types and shapes of a node's outputs, where ONNX can tell."""
    types: dict[str, TypeProto] = {}
    data: dict[str, onnx.TensorProto] = {}
    for name in node.input:
        if not name:
            continue
        if name not in static.shapes:
            return
        types[name] = helper.make_tensor_type_proto(static.types[name], static.shapes[name])
        if name in static.constants and static.constants[name].size <= 1 << 12 and static.constants[name].dtype.kind in "iufb":
            data[name] = numpy_helper.from_array(np.asarray(static.constants[name]), name)
    opsets = dict(static.model.opsets)
    if node.op_type in ("MaxPool", "AveragePool"):
        # before version 22 inference counts windows that start in the end padding, which no runtime computes
        opsets[""] = max(opsets[""], 22)
    domain = domain_of(node)
    try:
        schema = defs.get_schema(node.op_type, opsets.get(domain, 0), domain)
        found = shape_inference.infer_node_outputs(
            schema, node, types, data, opset_imports=[helper.make_opsetid(*entry) for entry in opsets.items()]
        )
    except defs.SchemaError:
        return
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        remedy = "check the shapes given (calibration data, shapes=...), or export the model again"
        raise ModelError(f"shapes do not fit: {reason}", file=static.model.file, node=label(node), remedy=remedy) from error
    if node.op_type in SHAPELESS:
        types_of, shapes_of = static.types, static.shapes
        types_of[node.output[0]], shapes_of[node.output[0]] = types_of[node.input[0]], shapes_of[node.input[0]]
    for name, kind in found.items():
        tensor = kind.tensor_type
        static.types[name] = tensor.elem_type
        if tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim):
            static.shapes[name] = tuple(int(d.dim_value) for d in tensor.shape.dim)


def _evaluate(static: Static, node: onnx.NodeProto) -> list[Array]:
    """The outputs of a node whose inputs are constants."""
    values = {i: static.constants[name] for i, name in enumerate(node.input) if name}
    try:
        return evaluate(node, static.model.opset, values)
    except ValueError as error:
        message = f"this constant cannot be computed: {error}"
        remedy = "simplify the model (onnxsim) before compiling"
        raise ModelError(message, file=static.model.file, node=label(node), remedy=remedy) from error
