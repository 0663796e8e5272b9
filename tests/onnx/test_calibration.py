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
from ciro_zk.errors import InputError


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
        {"version": 2},
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
    report = compile_model(network(), DATA).accuracy
    assert report["num_samples"] == 10
    found = report["outputs"]["y"]
    assert 0 < found["mean_max_abs_error"] <= found["max_abs_error"] < 0.01 * found["max_abs"] and found["argmax_agreement"] == 1.0
    json.dumps(report)
