"""What the command line has to know of an ONNX file before it is compiled."""

from __future__ import annotations

from pathlib import Path

from ciro_zk.errors import InputError, ModelError

MAX_MODEL_BYTES = 2 << 30
"""Protobuf cannot hold more."""


def input_names(path: Path) -> tuple[str, ...]:
    """The names of the model's inputs that are no weights, in order.

    Raises
    ------
    InputError
        The file cannot be read.
    ModelError
        It does not parse as ONNX.
    """
    import onnx
    from google.protobuf.message import DecodeError

    remedy = "check the path, or export the model again"
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise ModelError("larger than 2 GB", file=str(path), remedy="store the weights as external data")
        model = onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror or error}", file=str(path), remedy=remedy) from error
    except (DecodeError, ValueError, RuntimeError) as error:
        raise ModelError("does not parse as an ONNX model", file=str(path), remedy=remedy) from error
    weights = {tensor.name for tensor in model.graph.initializer}
    return tuple(item.name for item in model.graph.input if item.name not in weights)
