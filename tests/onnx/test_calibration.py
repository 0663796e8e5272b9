"""A circuit is a function of the model, its calibration result and the number of bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from unit.compiler.checks import floats, model

from ciro_zk.compiler import compile as compile_model
from ciro_zk.errors import AccuracyWarning, InputError


def network(seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    nodes = [
        helper.make_node("Conv", ["x", "k", "b"], ["c"]),
        helper.make_node("Sigmoid", ["c"], ["s"]),
        helper.make_node("GlobalAveragePool", ["s"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w"], ["y"]),
    ]
    constants = {"k": floats(rng, 4, 1, 3, 3), "b": floats(rng, 4), "w": floats(rng, 4, 3)}
    return model(nodes, {"x": ("batch", 1, "height", 6)}, constants)


DATA = floats(np.random.default_rng(1), 10, 1, 7, 6)


def same(a: Any, b: Any) -> bool:
    return a.manifest() == b.manifest() and all(np.array_equal(a.weights[i], b.weights[i]) for i in a.graph.weights)


def test_twice_the_same() -> None:
    assert same(compile_model(network(), DATA), compile_model(network(), DATA))
    assert not same(compile_model(network(), DATA), compile_model(network(), DATA * 2))
    assert not same(compile_model(network(), DATA), compile_model(network(), DATA, bits=11))


def test_stored_result(tmp_path: Path) -> None:
    fresh = compile_model(network(), DATA)
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(fresh.calibration))
    assert same(fresh, compile_model(network(), path))
    assert same(fresh, compile_model(network(), str(path)))
    again = compile_model(network(), dict(fresh.calibration))
    assert same(fresh, again) and again.calibration == fresh.calibration and again.accuracy["num_samples"] == 0


def test_stored_result_keeps_the_declared_range() -> None:
    fresh = compile_model(network(), DATA, input_range={"x": (-4, 6)})
    assert same(fresh, compile_model(network(), fresh.calibration))
    assert same(fresh, compile_model(network(), fresh.calibration, input_range={"x": (-4.0, 6.0)}))
    with pytest.raises(InputError, match="declared range"):
        compile_model(network(), fresh.calibration, input_range={"x": (0, 1)})


def test_names_and_comments_do_not_matter() -> None:
    fresh = compile_model(network(), DATA)
    renamed = network()
    for i, node in enumerate(renamed.graph.node):
        node.name, node.doc_string = f"layer{i}", "a comment"
    compile_model(renamed, fresh.calibration)


def test_another_model() -> None:
    fresh = compile_model(network(), DATA)
    with pytest.raises(InputError, match="another model"):
        compile_model(network(1), fresh.calibration)


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 1},
        {"clipped": {"c": "-0x1p0"}},
        {"clipped": None},
        {"method": None, "clipped": []},
        {"max_abs": {"x": 1.5}},
        {"max_abs": {"x": "nan"}},
        {"max_abs": {"x": "-0x1p0"}},
        {"max_abs": {}},
        {"max_abs": None},
        {"shapes": {}},
        {"shapes": {"x": [1, 1, 7]}},
        {"shapes": {"x": [1, 2, 7, 6]}},
        {"shapes": {"x": [1, 1, -7, 6]}},
        {"shapes": {"x": [1, 1, 10**12, 6]}},
        {"input_range": {"x": [1]}},
        {"num_samples": "many"},
    ],
    ids=str,
)
def test_damaged_result(damage: dict[str, Any]) -> None:
    stored = {**compile_model(network(), DATA).calibration, **damage}
    with pytest.raises(InputError) as caught:
        compile_model(network(), stored)
    assert caught.value.remedy or "shape" in str(caught.value) or "axes" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b'{"format": "ciro_zk.calibration"}', b"[" * 100_000])
def test_damaged_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"calibration\.json"):
        compile_model(network(), path)
    with pytest.raises(InputError, match=r"absent\.json"):
        compile_model(network(), tmp_path / "absent.json")


def test_accuracy_report() -> None:
    """Of 10 samples two are held back: ranges do not come from them, the errors do."""
    circuit = compile_model(network(), DATA)
    report = circuit.accuracy
    assert (report["num_samples"], report["source"], circuit.calibration["num_samples"]) == (2, "held back", 8)
    found = report["outputs"]["y"]
    assert 0 < found["mean_max_abs_error"] <= found["max_abs_error"] <= found["error_bound"] < 0.02 * found["max_abs"]
    assert found["argmax_agreement"] == 1.0 and found["relative_error"] < 0.002 and found["sqnr_db"] > 50
    assert set(report["layers"]) == {"s", "g", "y"} and all(0 < layer["relative_error"] < 0.002 for layer in report["layers"].values())
    json.dumps(report)
    text, chart = str(circuit.report()), circuit.report().svg()
    assert "2 inputs, samples held back" in text and "certified" in text
    assert chart.startswith("<svg") and chart.count("dB</text>") == 4


def test_ranges_do_not_come_from_the_samples_held_back() -> None:
    data = DATA.copy()
    kept = compile_model(network(), data)
    data[3] *= 0.5
    assert same(kept, compile_model(network(), data))
    data[2] *= 3
    assert not same(kept, compile_model(network(), data))
    data = DATA.copy()
    data[3] *= 9
    wider = compile_model(network(), data)
    assert wider.graph.inputs[0].scale > kept.graph.inputs[0].scale, "the declared range covers every sample given"


def test_validation_samples() -> None:
    fresh = compile_model(network(), DATA, validation=DATA[:3] / 2)
    assert (fresh.accuracy["num_samples"], fresh.accuracy["source"], fresh.calibration["num_samples"]) == (3, "validation", 10)
    again = compile_model(network(), fresh.calibration, validation=DATA[:3] / 2)
    assert same(fresh, again) and again.accuracy["outputs"] == fresh.accuracy["outputs"]
    with pytest.raises(InputError, match=r"validation\['x'\]"):
        compile_model(network(), DATA, validation=DATA[:3] * 9, input_range={"x": (-8, 8)})
    assert compile_model(network(), DATA[:4]).accuracy["source"] == "calibration"


def test_samples_from_files(tmp_path: Path) -> None:
    fresh = compile_model(network(), DATA)
    np.savez(tmp_path / "all.npz", x=DATA)
    assert same(fresh, compile_model(network(), tmp_path / "all.npz"))
    folder = tmp_path / "samples"
    folder.mkdir()
    np.save(folder / "a.npy", DATA[:4])
    np.savez(folder / "b.npz", x=DATA[4:])
    assert same(fresh, compile_model(network(), folder))
    (folder / "c.npy").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"c\.npy"):
        compile_model(network(), folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"0 \.npz"):
        compile_model(network(), empty)


def test_random_inputs_are_warned_about() -> None:
    with pytest.warns(AccuracyWarning, match="random inputs"):
        report = compile_model(network(), input_range={"x": (-1, 1)}, shapes={"x": (1, 1, 7, 6)}).accuracy
    assert report["source"] == "synthetic"


def test_methods() -> None:
    """An outlier widens the range by "max", and hardly by the others; outputs are never clipped."""
    data = floats(np.random.default_rng(2), 64, 1, 7, 6)
    data[0, 0, 0, 0] = 1000
    proto = model([helper.make_node("Conv", ["x", "k"], ["c"]), helper.make_node("Relu", ["c"], ["r"]),
                   helper.make_node("GlobalAveragePool", ["r"], ["y"])],
                  {"x": (1, 1, 7, 6)}, {"k": np.ones((1, 1, 1, 1), np.float32)})  # fmt: skip
    found = {m: compile_model(proto, data, calibration_method=m, bits=8) for m in ("max", "percentile", "percentile:99", "mse")}
    limits = {m: float.fromhex(c.calibration["clipped"]["r"]) for m, c in found.items() if m != "max"}
    assert float.fromhex(found["max"].calibration["max_abs"]["r"]) == 1000 and not found["max"].calibration["clipped"]
    assert limits["percentile:99"] < 10 and limits["mse"] <= 1000
    assert found["percentile"].accuracy["method"] == "percentile:99.99"
    assert all(c.graph.outputs[0].scale * 255 >= 1.5 * float.fromhex(c.calibration["max_abs"]["y"]) * 0.99 for c in found.values())
    for stored in found.values():
        assert same(stored, compile_model(proto, stored.calibration, bits=8))
    for wrong in ("median", "percentile:200", "mse:3", "percentile:x"):
        with pytest.raises(InputError, match="no calibration method"):
            compile_model(proto, data, calibration_method=wrong)
