"""Models of other libraries as ONNX: torch modules (extra `[torch]`), scikit-learn, XGBoost and LightGBM (extra `[sklearn]`)."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np

from ciro_zk.compiler.load import MIN_OPSET
from ciro_zk.errors import InputError

ESTIMATORS = ("sklearn", "xgboost", "lightgbm")
OPSET = 15


def imported(model: Any, calibration: Any) -> Any:
    """The ONNX bytes or model of a torch module or an estimator; anything else as it is.

    The first calibration sample gives the inputs' shapes. `InputError` where the extra is missing, or there are no samples.
    """
    roots = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    if "torch" in roots and hasattr(model, "forward"):
        return _torch(model, calibration)
    if roots & set(ESTIMATORS) and hasattr(model, "fit"):
        return _estimator(model, calibration)
    return model


def _need(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        remedy = f"pip install 'ciro-zk[{extra}]', or export the model to ONNX yourself"
        raise InputError(f"this model needs {name}, which is not installed", field="model", remedy=remedy) from error


def _first(calibration: Any) -> list[tuple[str, np.ndarray[Any, Any]]]:
    """(name, first sample with its axis 0) of every input."""
    if calibration is None or isinstance(calibration, str) or (isinstance(calibration, Mapping) and "format" in calibration):
        raise InputError("the first sample gives a model's shapes", field="calibration", remedy="pass calibration samples")
    given = calibration if isinstance(calibration, Mapping) else {"input": calibration}
    return [(name, np.asarray(values)[:1]) for name, values in given.items()]


def _torch(model: Any, calibration: Any) -> bytes:
    """`torch.onnx.export` in evaluation mode; the inputs in the order of the calibration data."""
    torch = _need("torch", "torch")
    _need("onnxscript", "torch")
    names, arrays = zip(*_first(calibration), strict=True)
    was_training = model.training
    model.eval()
    try:
        file = BytesIO()
        program = torch.onnx.export(model, tuple(torch.from_numpy(a) for a in arrays), input_names=list(names), dynamo=True, verbose=False)
        file.write(program.model_proto.SerializeToString())
    finally:
        model.train(was_training)
    return file.getvalue()


def _estimator(model: Any, calibration: Any) -> Any:
    """By skl2onnx, or onnxmltools for XGBoost and LightGBM; probabilities stay a tensor."""
    ((_, sample),) = _first(calibration)
    root = type(model).__module__.partition(".")[0]
    if root == "sklearn":
        converter = _need("skl2onnx", "sklearn")
        options = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
        return converter.to_onnx(model, sample.astype(np.float32), options=options)
    tools = _need("onnxmltools", "sklearn")
    types = importlib.import_module("onnxmltools.convert.common.data_types")
    initial = [("input", types.FloatTensorType([None, sample.shape[1]]))]
    if root == "xgboost":
        return tools.convert_xgboost(model, initial_types=initial, target_opset=OPSET)
    proto = tools.convert_lightgbm(model, initial_types=initial, zipmap=False, target_opset=OPSET)
    for entry in proto.opset_import:
        if entry.domain == "":
            # it names the least version its few standard nodes need; for those, 9 only widened the types of 8
            entry.version = max(entry.version, MIN_OPSET)
    return proto
