"""ciro_zk as an `onnx.backend`: a run compiles, sets up, infers, proves and verifies, and returns what `verify` returned.

A circuit needs the ranges of its inputs: they come from the data of the run. Operands that are part of a circuit, not
data, are bound to the values of the run: shapes, axes, counts, bounds and indices, and the weights of layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, version_converter
from onnx.backend.base import Backend, BackendRep

from ciro_zk.compiler import compile as compile_model
from ciro_zk.compiler.load import MIN_OPSET
from ciro_zk.params import TESTING, Preset
from ciro_zk.prover import prove, setup
from ciro_zk.verifier import verify
from ciro_zk.witness import infer

Array = NDArray[Any]
BITS = 14
HEADROOM = 1.01

POSITIONS: list[tuple[str, tuple[int, ...]]] = [
    # shapes, axes, counts, scales, bounds
    ("Reshape Expand Tile Squeeze Unsqueeze Split TopK CumSum CumProd Trilu CenterCropPad Upsample ReverseSequence", (1,)),
    ("ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare", (1,)),
    ("Pad Resize", (1, 2, 3)),
    ("OneHot Dropout Clip", (1, 2)),
    ("Slice", (1, 2, 3, 4)),
    ("ConstantOfShape", (0,)),
    ("Range", (0, 1, 2)),
    # which cells go where, and which branch runs how often
    ("GatherElements GatherND ScatterElements Scatter ScatterND Compress", (1,)),
    ("NonZero If", (0,)),
    ("Loop", (0, 1)),
    # weights and statistics of layers
    ("Conv ConvTranspose InstanceNormalization LayerNormalization GroupNormalization", (1, 2)),
    ("Pow Mod PRelu RMSNormalization BitShift AffineGrid", (1,)),
    ("Col2Im DFT CausalConvWithState", (1, 2)),
    ("STFT", (1, 2, 3)),
    ("MaxUnpool", (2,)),
    ("BlackmanWindow HannWindow HammingWindow", (0,)),
    ("MelWeightMatrix", (0, 1, 2, 3, 4)),
    ("RNN GRU LSTM", (1, 2, 3, 4, 7)),
    ("Gather", (0,)),
    ("BatchNormalization", (1, 2, 3, 4)),
    ("Attention", (3, 6)),
    # scales and zero points, and the other operand of quantised products
    ("QuantizeLinear DequantizeLinear", (1, 2)),
    ("QLinearMatMul", (1, 2, 3, 4, 5, 6, 7)),
    ("MatMulInteger ConvInteger", (1, 2, 3)),
    ("QLinearConv", (1, 2, 3, 4, 5, 6, 7, 8)),
]
WHOLE = {TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64}
WHOLE |= {TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64}
BOUND = {operator: positions for operators, positions in POSITIONS for operator in operators.split()}
"""Positions of the operands that are bound, by operator."""


def bound(model: onnx.ModelProto, names: Iterable[str]) -> set[str]:
    """Those of the inputs that are part of the circuit."""
    wanted = set(names)
    whole = {value.name for value in model.graph.input if value.type.tensor_type.elem_type in WHOLE}
    # integers are divided by constants alone
    divisors = {node.input[1] for node in model.graph.node if node.op_type == "Div"} & whole & wanted
    return divisors | {
        name
        for node in model.graph.node
        for position in BOUND.get(node.op_type, ())
        if position < len(node.input) and (name := node.input[position]) in wanted
    }


def bind(model: onnx.ModelProto, values: dict[str, Array]) -> onnx.ModelProto:
    """The model with some inputs as initialisers."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.ir_version = max(copy.ir_version, 4)  # from then on initialisers need not be inputs
    copy.graph.initializer.extend(numpy_helper.from_array(np.asarray(array), name) for name, array in values.items())
    kept = [value for value in copy.graph.input if value.name not in values]
    del copy.graph.input[:]
    copy.graph.input.extend(kept)
    return copy


def modern(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model of an old opset converted to the oldest that is accepted."""
    version = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), MIN_OPSET)
    if version >= MIN_OPSET:
        return model
    found = version_converter.convert_version(model, MIN_OPSET)
    slopes = {node.input[1] for node in found.graph.node if node.op_type == "PRelu"}
    for tensor in found.graph.initializer:
        if tensor.name in slopes and tensor.dims[0] > 1:
            # one slope per channel: since opset 7 it has to broadcast, which the converter leaves undone
            rank = len(found.graph.output[0].type.tensor_type.shape.dim)
            tensor.dims.extend([1] * (rank - 2))
            for value in found.graph.input:
                if value.name == tensor.name:
                    value.CopyFrom(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    return found


def ranges(data: dict[str, Array]) -> dict[str, tuple[float, float]]:
    """Declared ranges of the inputs: what the data cover; of floats a little more, so that no cell is at an end."""
    peaks = {name: float(np.abs(array).max()) for name, array in data.items() if np.asarray(array).dtype.kind == "f"}
    found = {name: (-HEADROOM * peak, HEADROOM * peak) for name, peak in peaks.items() if peak > 0}
    whole = {name: (float(array.min()), float(array.max())) for name, array in data.items() if np.asarray(array).dtype.kind in "iu"}
    return found | {name: (low, high) for name, (low, high) in whole.items() if low < high}


class CiroRep(BackendRep):
    """A model that is compiled anew for the data of every run."""

    def __init__(self, model: onnx.ModelProto, bits: int, preset: Preset) -> None:
        self.model, self.bits, self.preset = modern(model), bits, preset

    def run(self, inputs: Sequence[Array], **_: Any) -> tuple[Array, ...]:
        """The verified outputs, in the types of the model."""
        return tuple(values for values, _ in self.certified(inputs))

    def certified(self, inputs: Sequence[Array]) -> list[tuple[Array, Array]]:
        """The verified outputs, in the types of the model, each with its certified error bound, cell by cell."""
        initial = {tensor.name for tensor in self.model.graph.initializer}
        names = [value.name for value in self.model.graph.input if value.name not in initial]
        given = dict(zip(names, inputs, strict=False))
        constants = {name: given[name] for name in bound(self.model, given)}
        data = {name: array for name, array in given.items() if name not in constants}
        model = bind(self.model, constants)
        circuit = compile_model(model, data, bits=self.bits, input_range=ranges(data), shapes={n: np.shape(a) for n, a in data.items()})
        pk, vk = setup(replace(circuit, preset=self.preset))
        proof = prove(pk, infer(pk, data))
        verified = verify(vk, proof, inputs=data, allow_testing=True)
        bounds = circuit.error_bound(data)
        found = [_typed(verified.outputs[value.name], value) for value in self.model.graph.output]
        return [(values, bounds[o.name].reshape(values.shape)) for values, o in zip(found, self.model.graph.output, strict=True)]


def _typed(values: Array, value: onnx.ValueInfoProto) -> Array:
    """Verified values in the type that the model declares."""
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
    if dtype.kind in "iub":
        values = np.rint(values)
    dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
    if all(d > 0 for d in dims) and np.prod(dims, dtype=int) == values.size:
        values = values.reshape(dims)  # a scalar is a circuit's tensor of one cell
    return values.astype(dtype)


class CiroBackend(Backend):
    """The library as a backend of ONNX."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", *, bits: int = BITS, preset: Preset = TESTING, **_: Any) -> CiroRep:
        return CiroRep(model, bits, preset)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device == "CPU"
