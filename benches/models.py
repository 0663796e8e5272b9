"""Networks to time, built from seeded numpy weights: no training, no download, no torch.

    python benches/models.py OUT [NAME ...]     writes NAME.onnx, NAME.input.npz and NAME.calibration.npz into OUT

They have the shape and cost of networks in use, not their knowledge: weights are He-initialised, and BatchNorm's statistics are those of
the activations of a few random inputs, so that every layer's values stay near unit size, as in a trained network. Statistics are rounded
to 2^-10, so that last-bit differences between machines do not reach the file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benches.transformer import gpt_blocks

Floats = NDArray[np.float32]

OPSET, IR_VERSION = 17, 8
NUM_CALIBRATION = 32
NUM_TRACED = 8


def resnet8_cifar(seed: int = 0) -> onnx.ModelProto:
    """ResNet-8 as in MLPerf Tiny's image classification: image [1,3,32,32] -> logits [1,10]; 78,666 parameters, 12.50M MAC.

    A 3x3 convolution of 16 channels, three residual stages of 16, 32 and 64 (the latter two halve the image and have a 1x1 stride-2
    convolution as shortcut), global average pooling, one dense layer. Strided convolutions pad 1 on every side, not TensorFlow's 0 and 1.
    """
    build = _Builder("image", [1, 3, 32, 32], seed)
    value = build.relu("relu", build.batch_norm("norm", build.conv("conv", build.input, 16, 3)))
    for stage, (channels, stride) in enumerate([(16, 1), (32, 2), (64, 2)], start=1):
        name = f"stage{stage}"
        left = build.conv(f"{name}.conv1", value, channels, 3, stride)
        left = build.relu(f"{name}.relu1", build.batch_norm(f"{name}.norm1", left))
        left = build.batch_norm(f"{name}.norm2", build.conv(f"{name}.conv2", left, channels, 3))
        right = value if stride == 1 else build.conv(f"{name}.shortcut", value, channels, 1, stride)
        value = build.relu(f"{name}.relu2", build.add(f"{name}.add", left, right))
    pooled = build.flatten("flatten", build.global_average_pool("pool", value))
    return build.model("resnet8_cifar", build.dense("logits", pooled, 10, centred=True))


def mlp_110k(seed: int = 0) -> onnx.ModelProto:
    """MLP 784-128-64-10 with ReLU: input [1,784] -> logits [1,10]; 109,386 parameters, 109,184 MAC."""
    build = _Builder("input", [1, 784], seed)
    value = build.relu("relu1", build.dense("dense1", build.input, 128))
    value = build.relu("relu2", build.dense("dense2", value, 64))
    return build.model("mlp_110k", build.dense("logits", value, 10, centred=True))


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {"mlp_110k": mlp_110k, "resnet8_cifar": resnet8_cifar, "gpt_blocks": gpt_blocks}


def random_input(model: onnx.ModelProto, seed: int = 1) -> dict[str, Floats]:
    """One input in [0, 1) for each graph input that is no initialiser, by name, of exactly the model's shape (symbolic axes are 1)."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return {name: _samples(generator, shape) for name, shape in _input_shapes(model).items()}


def calibration(model: onnx.ModelProto, num: int = NUM_CALIBRATION, seed: int = 2) -> dict[str, Floats]:
    """`num` samples on axis 0 for each graph input, drawn as `random_input` draws them."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return {name: _samples(generator, [num, *shape[1:]]) for name, shape in _input_shapes(model).items()}


def num_parameters(model: onnx.ModelProto) -> int:
    """How many float numbers the initialisers hold."""
    return sum(int(np.prod(w.dims)) for w in model.graph.initializer if w.data_type == TensorProto.FLOAT)


def _samples(generator: np.random.Generator, shape: list[int]) -> Floats:
    """In [0, 1): each sample a mixture of fine noise and flat patches (8x8 in images, runs of 28 in vectors), so that samples differ."""
    patch = np.ones([8, 8] if len(shape) == 4 else [28], dtype=np.float32)
    kept, split = shape[: -patch.ndim], shape[-patch.ndim :]
    coarse = generator.random([*kept, *(-(-n // p) for n, p in zip(split, patch.shape, strict=True))], dtype=np.float32)
    patches = np.kron(coarse, patch)[tuple(slice(n) for n in shape)]
    return (np.float32(0.75) * patches + np.float32(0.25) * generator.random(shape, dtype=np.float32)).astype(np.float32)


def _input_shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    weights = {w.name for w in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    return {value.name: [axis.dim_value or 1 for axis in value.type.tensor_type.shape.dim] for value in inputs}


class _Builder:
    """Grows a graph node by node and runs a few inputs through it on the way, which gives BatchNorm its statistics."""

    def __init__(self, name: str, shape: list[int], seed: int) -> None:
        self.random = np.random.Generator(np.random.PCG64(seed))
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.input, self.shape = name, shape
        self.traced: dict[str, Floats] = {name: _samples(self.random, [NUM_TRACED, *shape[1:]])}

    def conv(self, name: str, value: str, channels: int, kernel: int, stride: int = 1) -> str:
        """Same-size (or strided) convolution with a bias."""
        x, pad = self.traced[value], kernel // 2
        weight, bias = self._he([channels, x.shape[1], kernel, kernel]), self._normal([channels], 0.05)
        padded = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
        windows = sliding_window_view(padded, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]
        result = np.tensordot(windows, weight, axes=([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2) + bias[:, None, None]
        attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        return self._node("Conv", name, [value], result, {"weight": weight, "bias": bias}, **attributes)

    def batch_norm(self, name: str, value: str) -> str:
        """BatchNormalization with the traced statistics, scales near 1 and small shifts."""
        x = self.traced[value]
        mean, variance = (_rounded(statistic(x, axis=(0, 2, 3), dtype=np.float64)) for statistic in (np.mean, np.var))
        variance = np.maximum(variance, np.float32(2**-6))
        scale, shift = 1 + self._normal([x.shape[1]], 0.1), self._normal([x.shape[1]], 0.1)
        epsilon = 1e-3
        factor = scale / np.sqrt(variance + np.float32(epsilon))
        result = (x - mean[:, None, None]) * factor[:, None, None] + shift[:, None, None]
        weights = {"scale": scale, "shift": shift, "mean": mean, "variance": variance}
        return self._node("BatchNormalization", name, [value], result, weights, epsilon=epsilon)

    def dense(self, name: str, value: str, units: int, *, centred: bool = False) -> str:
        """Gemm with a bias; centred, the bias makes the traced outputs average 0, so that no class wins always."""
        x = self.traced[value]
        weight, bias = self._he([units, x.shape[1]]), self._normal([units], 0.05)
        if centred:
            bias = -_rounded((x @ weight.T).mean(axis=0, dtype=np.float64))
        return self._node("Gemm", name, [value], x @ weight.T + bias, {"weight": weight, "bias": bias}, transB=1)

    def relu(self, name: str, value: str) -> str:
        """max(x, 0)."""
        return self._node("Relu", name, [value], np.maximum(self.traced[value], 0))

    def add(self, name: str, left: str, right: str) -> str:
        """The residual sum."""
        return self._node("Add", name, [left, right], self.traced[left] + self.traced[right])

    def global_average_pool(self, name: str, value: str) -> str:
        """The mean over the image, (n, c, 1, 1)."""
        return self._node("GlobalAveragePool", name, [value], self.traced[value].mean(axis=(2, 3), keepdims=True))

    def flatten(self, name: str, value: str) -> str:
        """(n, everything else)."""
        return self._node("Flatten", name, [value], self.traced[value].reshape(NUM_TRACED, -1), axis=1)

    def model(self, name: str, output: str) -> onnx.ModelProto:
        """The checked model."""
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(self.input, TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, *self.traced[output].shape[1:]])],
            self.weights,
        )
        doc = "Random weights in a known shape, for ciro_zk's benchmarks (benches/models.py)."
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="ciro_zk", doc_string=doc)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _node(
        self, op: str, name: str, inputs: list[str], result: Floats, weights: dict[str, Floats] | None = None, **attributes: object
    ) -> str:
        keys = [f"{name}.{key}" for key in weights or {}]
        self.weights += [numpy_helper.from_array(w, key) for key, w in zip(keys, (weights or {}).values(), strict=True)]
        self.nodes.append(helper.make_node(op, [*inputs, *keys], [name], name=name, **attributes))
        self.traced[name] = result.astype(np.float32)
        return name

    def _he(self, shape: list[int]) -> Floats:
        """Normal with variance 2 / fan-in."""
        return self._normal(shape, float(np.sqrt(2 / np.prod(shape[1:]))))

    def _normal(self, shape: list[int], deviation: float) -> Floats:
        return self.random.standard_normal(shape, dtype=np.float32) * np.float32(deviation)


def _rounded(values: NDArray[np.float64]) -> Floats:
    return (np.rint(values * 1024) / 1024).astype(np.float32)


def main(arguments: list[str]) -> int:
    """Write the named models, by default all, into a folder."""
    if not arguments or set(arguments[1:]) - set(MODELS):
        print(f"usage: models.py OUT [NAME ...]   names: {', '.join(MODELS)}", file=sys.stderr)
        return 2
    out = Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    for name in arguments[1:] or MODELS:
        model = MODELS[name]()
        path = out / f"{name}.onnx"
        path.write_bytes(model.SerializeToString(deterministic=True))
        np.savez_compressed(out / f"{name}.input.npz", **random_input(model))
        np.savez_compressed(out / f"{name}.calibration.npz", **calibration(model))
        print(f"{path}  {num_parameters(model):,} parameters")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
