"""Reading an ONNX model: bounds, the checker, opset range, weights that are there, finite and of a real type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, defs, numpy_helper

from ciro_zk.errors import InputError, ModelError

MIN_OPSET = 9
MAX_BYTES = 1 << 31
MAX_MODEL_NODES = 1 << 16
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
WHOLE = (
    TensorProto.BOOL,
    TensorProto.INT8,
    TensorProto.INT16,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.UINT8,
    TensorProto.UINT16,
    TensorProto.UINT32,
    TensorProto.UINT64,
)
"""Types whose values are whole numbers at scale 1."""

Array = NDArray[np.generic]
Source = str | Path | bytes | onnx.ModelProto


@dataclass(frozen=True, slots=True)
class Model:
    """A checked model with its initialisers as arrays."""

    proto: onnx.ModelProto
    file: str
    """Where it came from, for messages; empty for a model in memory."""
    opsets: dict[str, int]
    """Opset version by domain; the ONNX standard set is ''."""
    constants: dict[str, Array]
    """Initialisers by name."""

    @property
    def opset(self) -> int:
        return self.opsets.get("", 0)

    @property
    def inputs(self) -> list[onnx.ValueInfoProto]:
        """Graph inputs that no initialiser fixes."""
        return [value for value in self.proto.graph.input if value.name not in self.constants]

    @property
    def name(self) -> str:
        return Path(self.file).stem if self.file else self.proto.graph.name or "model"


def load(source: Source) -> Model:
    """Parse and check a model given as a path, as bytes or as a protobuf.

    Raises
    ------
    InputError
        No such file, or a source of another type.
    ModelError
        The model does not parse, fails ONNX's checker, has an opset out of range, weights missing, not finite or of a
        type that is not supported.
    """
    proto, file = _parse(source)
    if not proto.HasField("graph") or (not proto.graph.node and not proto.graph.output):
        raise ModelError("this is no ONNX model: it has no graph", file=file, remedy="export the model again")
    if len(proto.graph.node) > MAX_MODEL_NODES:
        raise ModelError(f"{len(proto.graph.node)} nodes are more than {MAX_MODEL_NODES}", file=file, remedy="split the model")
    opsets = _opsets(proto, file)
    _load_external(proto, file)
    try:
        onnx.checker.check_model(proto)
        if proto.functions:
            from onnx import inliner

            proto = inliner.inline_local_functions(proto)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:400]
        raise ModelError(
            f"ONNX's checker refuses the model: {reason}", file=file, remedy="export the model again, or repair the part named"
        ) from error
    if not proto.graph.output:
        raise ModelError("the graph has no outputs", file=file, remedy="export the model with an output")
    constants = {tensor.name: _array(tensor, file) for tensor in proto.graph.initializer}
    if proto.graph.sparse_initializer:
        name = proto.graph.sparse_initializer[0].values.name
        raise ModelError("sparse initialisers are not supported", file=file, node=name, remedy="store the weights as dense tensors")
    return Model(proto, file, opsets, constants)


def _parse(source: Source) -> tuple[onnx.ModelProto, str]:
    """The protobuf and the file's name; a protobuf given is copied, never changed."""
    if isinstance(source, onnx.ModelProto):
        copy = onnx.ModelProto()
        copy.CopyFrom(source)
        return copy, ""
    file = ""
    if isinstance(source, (str, Path)):
        file = str(source)
        path = Path(source)
        if not path.is_file():
            raise InputError("no such model file", file=file, remedy="check the path")
        if path.stat().st_size > MAX_BYTES:
            raise ModelError("the file is larger than 2 GiB", file=file, remedy="store the weights as external data beside the model")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"the model cannot be read: {error.strerror}", file=file, remedy="check the file's permissions") from error
    elif isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    else:
        raise InputError(f"a model is a path, bytes or an onnx.ModelProto, not {type(source).__name__}", field="model", remedy="pass one")
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception as error:  # protobuf's DecodeError, whichever implementation
        raise ModelError(
            "the file does not parse as ONNX", file=file, remedy="check that it is complete and no Git LFS pointer; export it again"
        ) from error
    return proto, file


def _opsets(proto: onnx.ModelProto, file: str) -> dict[str, int]:
    """Opset by domain, the standard one within [9, the newest that the installed onnx knows]."""
    opsets: dict[str, int] = {}
    for entry in proto.opset_import:
        opsets["" if entry.domain == "ai.onnx" else entry.domain] = entry.version
    newest = defs.onnx_opset_version()
    version = opsets.get("", 0)
    uses_standard = any(node.domain in ("", "ai.onnx") for node in proto.graph.node)
    if "" not in opsets and uses_standard:
        raise ModelError("the model names no opset version", file=file, remedy="export the model again")
    if "" in opsets and version < MIN_OPSET:
        remedy = f"convert it with onnx.version_converter to opset {MIN_OPSET} or newer, or export it again"
        raise ModelError(f"opset {version} is older than {MIN_OPSET}", file=file, remedy=remedy)
    if version > newest:
        remedy = "upgrade onnx, or export the model with an older opset"
        raise ModelError(
            f"opset {version} is newer than {newest}, the newest that the installed onnx {onnx.__version__} knows", file=file, remedy=remedy
        )
    return opsets


def _load_external(proto: onnx.ModelProto, file: str) -> None:
    """Read external data into the model."""
    external = [t for t in proto.graph.initializer if t.data_location == TensorProto.EXTERNAL]
    if not external:
        return
    if not file:
        remedy = "compile from the file's path, with its data beside it"
        raise ModelError("the weights are in an external file, which a model in memory does not have", node=external[0].name, remedy=remedy)
    folder = Path(file).resolve().parent
    for tensor in external:
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        path = (folder / location).resolve()
        if not location or not path.is_relative_to(folder):
            raise ModelError(
                f"external data {location!r} lies outside the model's folder", file=file, node=tensor.name, remedy="export the model again"
            )
        if not path.is_file():
            remedy = f"put {location} beside the model, or export it with its weights inside"
            raise ModelError(f"external data file {location!r} is missing", file=file, node=tensor.name, remedy=remedy)
    try:
        onnx.load_external_data_for_model(proto, str(folder))
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"external data cannot be read: {reason}", file=file, node=external[0].name, remedy="export the model again"
        ) from error


def type_name(kind: int) -> str:
    """An ONNX element type in words."""
    return TensorProto.DataType.Name(kind).lower() if kind in TensorProto.DataType.values() else f"number {kind}"


def _array(tensor: TensorProto, file: str) -> Array:
    """An initialiser as an array: float, integer or bool, and finite."""
    try:
        values: Array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, RuntimeError, KeyError) as error:
        message = f"the weights do not match their shape or type: {error}"
        raise ModelError(message, file=file, node=tensor.name, remedy="export the model again") from error
    if values.dtype.kind not in "fiubSUO":
        message = f"weights of type {type_name(tensor.data_type)} are not supported"
        raise ModelError(message, file=file, node=tensor.name, remedy="store them as float16, float32 or float64")
    check_finite(values, file, tensor.name)
    return values


def check_finite(values: Array, file: str, node: str) -> None:
    """`ModelError` for a NaN or infinite weight. A single infinity passes: exporters start maxima from it, or leave a bound open."""
    if values.dtype.kind == "f" and not np.isfinite(values).all() and not (values.size == 1 and np.isinf(values).all()):
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        value = values[index]
        raise ModelError(f"weight {value} at index {index} is not finite", file=file, node=node, remedy="train or export the model again")
