"""The error of a proven output against the float model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def max_abs_error(model: Path, inputs: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]]) -> float | None:
    """Largest difference between `outputs` and what onnxruntime computes with the float model; None when the model cannot be run here."""
    if not model.exists():
        return None
    try:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        runner = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        types = {item.name: _NUMPY_TYPES.get(item.type, np.float32) for item in runner.get_inputs()}
        expected = runner.run(list(outputs), {name: array.astype(types[name]) for name, array in inputs.items() if name in types})
    except Exception:  # onnxruntime raises its own, undocumented types; the figure is informative and the proof is made
        return None
    differences = [
        float(np.max(np.abs(np.subtract(wanted, found.reshape(np.shape(wanted)), dtype=np.float64)), initial=0.0))
        for wanted, found in zip(expected, outputs.values(), strict=True)
    ]
    return max(differences, default=None)


_NUMPY_TYPES: dict[str, type[Any]] = {
    "tensor(bool)": np.bool_,
    "tensor(double)": np.float64,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
}
