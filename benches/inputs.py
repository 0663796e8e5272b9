"""The ONNX files and inputs that every system is given: `python benches/inputs.py OUT NAME ...`, run by compare.py.

Writes, per model: NAME.onnx; NAME.explicit.onnx, the same graph with every default attribute written out, for peers that do not know the
defaults; NAME.npz, one input; NAME.inputs.npz, that one and others, along a new first axis; NAME.calibration.npz; NAME.inputs.json, the
one input and some calibration samples as flat lists, for the peers; and one JSON object on standard output: shape, parameters, opset,
digest, and the float outputs of onnxruntime for every input, which errors are stated against.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benches import models as built  # noqa: E402

TRAINED = {
    "lenet5": ("models/lenet5/lenet5.onnx", "models/lenet5/digits.npz", "models/lenet5/calibration.npz"),
    "digits_mlp": ("models/digits_mlp/digits_mlp.onnx", "models/digits_mlp/samples.npz", "models/digits_mlp/calibration.npz"),
}
BUILT = {"mlp_110k": "mlp_110k", "resnet8": "resnet8_cifar"}
NUM_INPUTS = 20
NUM_PEER_CALIBRATION = 8

Arrays = dict[str, NDArray[np.float32]]


def load(name: str) -> tuple[onnx.ModelProto, list[Arrays], Arrays]:
    """Model, inputs, calibration samples."""
    if name in BUILT:
        model = built.MODELS[BUILT[name]]()
        return model, [built.random_input(model, seed=1000 + i) for i in range(NUM_INPUTS)], built.calibration(model)
    path, samples, calibration = (ROOT / part for part in TRAINED[name])
    model = onnx.load(path)
    port = model.graph.input[0]
    shape = [axis.dim_value or 1 for axis in port.type.tensor_type.shape.dim]
    with np.load(samples) as archive:
        inputs = [{port.name: sample.reshape(shape)} for sample in archive[port.name][:NUM_INPUTS]]
    with np.load(calibration) as archive:
        return model, inputs, {port.name: archive[port.name]}


def explicit(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with every attribute that has a default, or that its weight implies, written out."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    version = {entry.domain: entry.version for entry in result.opset_import}[""]
    weights = {weight.name: list(weight.dims) for weight in result.graph.initializer}
    for node in result.graph.node:
        given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        missing = {}
        for name, attribute in onnx.defs.get_schema(node.op_type, version).attributes.items():
            if attribute.default_value.type:
                missing[name] = helper.get_attribute_value(attribute.default_value)
        if node.op_type in ("Conv", "MaxPool", "AveragePool"):
            kernel = given.get("kernel_shape") or weights[node.input[1]][2:]
            rank = len(kernel)
            missing |= {"kernel_shape": kernel, "strides": [1] * rank, "pads": [0] * (2 * rank)}
            if node.op_type != "AveragePool":
                missing["dilations"] = [1] * rank
        node.attribute.extend(helper.make_attribute(name, value) for name, value in missing.items() if name not in given)
    onnx.checker.check_model(result, full_check=True)
    return result


def float_outputs(model: onnx.ModelProto, inputs: list[Arrays]) -> list[list[float]]:
    """All outputs of onnxruntime for each input, flat."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [[float(value) for output in session.run(None, one) for value in output.reshape(-1)] for one in inputs]


def write(out: Path, name: str) -> dict[str, object]:
    """All files of one model; what is to be known of it."""
    model, inputs, calibration = load(name)
    data = model.SerializeToString(deterministic=True)
    (out / f"{name}.onnx").write_bytes(data)
    wordy = explicit(model)
    (out / f"{name}.explicit.onnx").write_bytes(wordy.SerializeToString(deterministic=True))
    np.savez(out / f"{name}.npz", **inputs[0])
    np.savez(out / f"{name}.inputs.npz", **{key: np.stack([one[key] for one in inputs]) for key in inputs[0]})
    np.savez(out / f"{name}.calibration.npz", **calibration)
    flat = [value.reshape(-1).astype(float).tolist() for value in inputs[0].values()]
    several = [value[:NUM_PEER_CALIBRATION].reshape(-1).astype(float).tolist() for value in calibration.values()]
    (out / f"{name}.inputs.json").write_text(json.dumps({"names": list(inputs[0]), "input": flat, "calibration": several}))
    outputs = float_outputs(model, inputs)
    if not np.allclose(outputs, float_outputs(wordy, inputs), rtol=1e-4, atol=1e-5):
        raise ValueError(f"{name}: writing out the defaults changed the outputs")
    return {
        "name": name,
        "input_shape": {key: list(value.shape) for key, value in inputs[0].items()},
        "parameters": built.num_parameters(model),
        "opset": {entry.domain: entry.version for entry in model.opset_import}[""],
        "sha256": hashlib.sha256(data).hexdigest(),
        "float_outputs": outputs,
        "calibration_samples": min(len(value) for value in calibration.values()),
    }


def main(arguments: list[str]) -> int:
    known = {*TRAINED, *BUILT}
    if len(arguments) < 2 or set(arguments[1:]) - known:
        print(f"usage: inputs.py OUT NAME ...   names: {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    out = Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    versions = {"onnx": onnx.__version__, "numpy": np.__version__}
    print(json.dumps({"models": {name: write(out, name) for name in arguments[1:]}, "versions": versions}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
