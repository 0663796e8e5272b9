"""The float model, run for calibration and comparison.

onnxruntime on one thread; `onnx.reference` where it has no kernel (newest opsets, rare types).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from ciro_zk.compiler.load import Array
from ciro_zk.compiler.static import Static, names_used
from ciro_zk.errors import ModelError


class FloatModel:
    """A folded model with some of its tensors as outputs."""

    def __init__(self, static: Static, names: Sequence[str]) -> None:
        self.file = static.model.file
        self.names = [name for name in names if name not in static.inputs]
        self.inputs = [name for name in names if name in static.inputs]
        self._model = _with_outputs(static, self.names)
        self._session: Any = _session(self._model)
        self._reference: Any = None

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The named tensors for one sample."""
        results = self._run(dict(feeds)) if self.names else []
        found: dict[str, Array] = dict(zip(self.names, map(np.asarray, results), strict=True))
        return {**found, **{name: feeds[name] for name in self.inputs}}

    def _run(self, feeds: dict[str, Array]) -> Sequence[Any]:
        """onnxruntime where it can; where a kernel fails at run time, `onnx.reference` from then on."""
        if self._session is not None:
            try:
                results: Sequence[Any] = self._session.run(self.names, feeds)
                return results
            except Exception:  # its exception classes share no base
                self._session = None
        self._reference = self._reference or ReferenceEvaluator(self._model)
        try:
            with np.errstate(all="ignore"):
                found: Sequence[Any] = self._reference.run(self.names, feeds)
                return found
        except Exception as error:  # onnx.reference raises whatever its numpy code does
            reason = " ".join(str(error).split())[:300]
            remedy = "check that onnxruntime runs the model on this data"
            raise ModelError(f"the float model does not run: {reason}", file=self.file, remedy=remedy) from error


def _with_outputs(static: Static, names: Sequence[str]) -> onnx.ModelProto:
    """The folded model with static input shapes and the given tensors as outputs."""
    used = {name for node in static.nodes for name in names_used(node)}
    graph = helper.make_graph(
        static.nodes,
        "folded",
        [helper.make_tensor_value_info(name, static.types[name], shape) for name, shape in static.inputs.items()],
        [helper.make_tensor_value_info(name, static.types[name], None) for name in names],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in static.constants.items() if name in used],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in static.model.opsets.items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=static.model.proto.ir_version)


def _session(model: onnx.ModelProto) -> Any:
    """A deterministic onnxruntime session, or None where onnxruntime cannot load the model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.use_deterministic_compute = True
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:  # no kernel, unknown opset: its exception classes share no base
        return None
