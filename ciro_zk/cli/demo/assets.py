"""Finds the demo's model and digits, which are in the repository and not in the wheel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ciro_zk.errors import InputError

_FILES = ("lenet5.onnx", "calibration.npz", "digits.npz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """What the demo works with."""

    model: Path
    """LeNet-5, trained on MNIST."""
    calibration: NDArray[Any]
    """Typical images, `(n, 1, 28, 28)`."""
    images: NDArray[Any]
    """Digits to prove, `(n, 1, 28, 28)`."""
    labels: NDArray[Any]
    """What the digits are, `(n,)`."""


def find_folder() -> Path:
    """models/lenet5, in the current folder or one above it, or beside the package; raises `InputError` when it is nowhere."""
    package = Path(__file__).resolve().parents[3]
    here = Path.cwd()
    for root in (here, *here.parents, package):
        folder = root / "models" / "lenet5"
        if all((folder / name).is_file() for name in _FILES):
            return folder
    raise InputError(
        "models/lenet5 is not there: it comes with the repository, not with the wheel",
        field="demo",
        remedy="run the demo in a clone of the repository (make demo), or use compile, setup, prove and verify on a model of yours",
    )


def load_assets(folder: Path) -> Assets:
    """The model's path and the arrays beside it."""
    from ciro_zk.cli.archive import read_archive

    digits = read_archive(folder / "digits.npz", ("image", "label"))
    calibration = read_archive(folder / "calibration.npz", ("image",))["image"]
    return Assets(model=folder / "lenet5.onnx", calibration=calibration, images=digits["image"], labels=digits["label"])


def swapped_model(path: Path) -> bytes:
    """The model with its first two classes swapped: two rows of the last layer's weights and biases, everything else as it was."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    last = [node for node in model.graph.node if node.op_type == "Gemm"][-1]
    for tensor in model.graph.initializer:
        if tensor.name in last.input[1:]:
            rows = numpy_helper.to_array(tensor)
            order = np.arange(rows.shape[0])
            order[:2] = 1, 0
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(rows[order]), tensor.name))
    return bytes(model.SerializeToString())
