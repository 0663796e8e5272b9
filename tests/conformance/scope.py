"""What of ONNX's backend tests is not in scope, each with its reason. Everything else must pass."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx
from conformance.backend import bound
from onnx import TensorProto

OPERATORS: dict[str, str] = {
    # one reason for a family of operators that are no inference on tensors of numbers
    **dict.fromkeys(
        ("StringNormalizer", "StringSplit", "StringConcat", "RegexFullMatch", "TfIdfVectorizer", "LabelEncoder", "ImageDecoder"),
        "text and images in files are not tensors of numbers",
    ),
    **dict.fromkeys(("SplitToSequence", "Optional", "OptionalHasElement", "OptionalGetElement", "SequenceMap"), "sequences and optionals"),
    **dict.fromkeys((f"Sequence{n}" for n in ("At", "Construct", "Empty", "Erase", "Insert", "Length")), "sequences and optionals"),
    **dict.fromkeys(("ConcatFromSequence",), "sequences and optionals"),
    **dict.fromkeys(("Momentum", "Adagrad", "Adam", "Gradient", "SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"), "training"),
    **dict.fromkeys(("Bernoulli", "RandomUniformLike", "RandomNormalLike", "RandomUniform", "RandomNormal"), "random values"),
    **dict.fromkeys(("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitCast"), "bit patterns of machine integers"),
    **dict.fromkeys(("DynamicQuantizeLinear",), "scales chosen at run time are no fixed circuit"),
    **dict.fromkeys(("NonMaxSuppression", "Unique", "NonZero"), "the output's shape depends on data"),
    **dict.fromkeys(("IsInf", "IsNaN"), "a circuit's integers have no infinity and no NaN"),
    **dict.fromkeys(("DeformConv", "RoiAlign"), "samples at places that other layers compute, in detectors that end in NonMaxSuppression"),
}
"""Operators that no circuit has, by reason."""

TESTS: dict[str, str] = {
    r"test_(training_dropout|dropout_default_mask).*": "dropout in training mode or its mask",
    r"test_batchnorm_.*training_mode": "training",
    r".*_expanded(_ver\d+)?": "a composition of other operators, tested by its base case",
    r"test_quantizelinear_u?int16": "more levels of output than the 14 bits of the input have",
    r"test_scan_sum": "a Scan of opset 8, which ONNX's converter leaves as it is",
    r"test_bitwise_not_2d|test_bitshift_right_int32_negative_input": "integers beyond 2^24, which no circuit takes in",
    r"test_bitshift_.*_(overflow|shift_ge_width|negative_shift)": "bit patterns of machine integers",
    r"test_gridsample.*(bicubic|nearest|reflection|volumetric).*": "samples at computed places are linear ones of images",
}
"""Single tests by name."""

EXACT_BITS = 24
"""Integers beyond 2^24 are not exact in a float32 model either."""


def excluded(name: str, model: onnx.ModelProto, inputs: list[Any], outputs: list[Any]) -> str:
    """Why a test is out of scope, "" where it is in scope."""
    for pattern, reason in TESTS.items():
        if re.fullmatch(pattern, name):
            return reason
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            return f"domain {node.domain}"
        if node.op_type in OPERATORS:
            return OPERATORS[node.op_type]
    for value in (*model.graph.input, *model.graph.output):
        if not value.type.HasField("tensor_type"):
            return "sequences and optionals"
        if value.type.tensor_type.elem_type not in REAL:
            return f"tensors of {TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()}"
    names = {value.name for value in model.graph.input} - {tensor.name for tensor in model.graph.initializer}
    if names <= bound(model, names):
        return "nothing depends on data"
    for array in (*inputs, *outputs):
        if np.size(array) == 0:
            return "a tensor without cells"
        if np.asarray(array).dtype.kind == "f" and not np.isfinite(array).all():
            return "NaN or infinity in the data"
    return ""


REAL = {
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.DOUBLE,
    TensorProto.BOOL,
    TensorProto.INT8,
    TensorProto.INT16,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.UINT8,
    TensorProto.UINT16,
    TensorProto.UINT32,
    TensorProto.UINT64,
}
"""Element types that a circuit's integers stand for."""
