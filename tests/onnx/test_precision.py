"""Bits chosen for an accuracy, and the integers' scales that make the default's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from unit.compiler.checks import check_complete, floats, model

import ciro_zk
from ciro_zk.compiler import compile as compile_model
from ciro_zk.compiler.emit import products
from ciro_zk.errors import AccuracyError, InputError

MODELS = Path(__file__).parents[2] / "models"


def deep(rng: np.random.Generator) -> Any:
    """Five dense layers, of which the second has an outlier that takes bits from all others."""
    nodes, constants = [], {}
    for i in range(5):
        last = i == 4
        nodes.append(helper.make_node("Gemm", [f"r{i - 1}" if i else "x", f"w{i}", f"b{i}"], ["y" if last else f"g{i}"]))
        if not last:
            nodes.append(helper.make_node("Relu", [f"g{i}"], [f"r{i}"]))
        constants[f"w{i}"] = floats(rng, 8, 8, scale=0.5)
        constants[f"b{i}"] = floats(rng, 8, scale=0.2)
    constants["b1"][0] = 60.0
    return model(nodes, {"x": (1, 8)}, constants)


@pytest.mark.parametrize("max_error", [0.1, 0.02, 0.004])
def test_an_error_is_reached_at_the_least_cost(max_error: float) -> None:
    rng = np.random.default_rng(0)
    proto, data = deep(rng), floats(rng, 64, 8)
    found = compile_model(proto, data, max_error=max_error)
    assert found.accuracy["outputs"]["y"]["relative_error"] <= max_error
    search = found.accuracy["search"]
    assert search["bits"] == found.bits and "precision" in str(found.report())
    if found.bits > 6 and not search["raised"]:
        coarser = compile_model(proto, data, bits=found.bits - 1, calibration_method=found.accuracy["method"])
        assert coarser.accuracy["outputs"]["y"]["relative_error"] > max_error
    check_complete(found)


def curves(rng: np.random.Generator) -> Any:
    """Sigmoid and Tanh, each with a table of its own, and the latter hardly matters."""
    nodes = [
        helper.make_node("Gemm", ["x", "a"], ["p"]), helper.make_node("Sigmoid", ["p"], ["s"]),
        helper.make_node("Gemm", ["x", "b"], ["q"]), helper.make_node("Tanh", ["q"], ["t"]),
        helper.make_node("Gemm", ["s", "c"], ["u"]), helper.make_node("Gemm", ["t", "d"], ["v"]),
        helper.make_node("Add", ["u", "v"], ["y"]),
    ]  # fmt: skip
    constants = {"a": floats(rng, 8, 8), "b": floats(rng, 8, 8), "c": floats(rng, 8, 4), "d": floats(rng, 8, 4, scale=1e-3)}
    return model(nodes, {"x": (1, 8)}, constants)


def test_the_steps_that_matter_get_more_bits() -> None:
    """Some target between two precisions is cheapest with a larger table for only one of two functions."""
    rng = np.random.default_rng(1)
    proto, data = curves(rng), floats(rng, 64, 8)
    raised = []
    for max_error in (0.01, 0.007, 0.005, 0.003, 0.002):
        found = compile_model(proto, data, max_error=max_error)
        names = set(found.accuracy["search"]["raised"]) - {"x"}
        raised.append(names)
        assert all(found.accuracy["layers"][name]["bits"] > found.bits for name in names)
        assert found.accuracy["outputs"]["y"]["relative_error"] <= max_error
        check_complete(found, count=1)
    assert any("s" in names and "t" not in names for names in raised)


def test_an_agreement_is_reached() -> None:
    rng = np.random.default_rng(0)
    found = compile_model(deep(rng), floats(rng, 64, 8), min_agreement=1.0)
    assert found.accuracy["outputs"]["y"]["argmax_agreement"] == 1.0


def test_what_cannot_be_reached_is_said() -> None:
    rng = np.random.default_rng(0)
    proto, data = deep(rng), floats(rng, 64, 8)
    with pytest.raises(AccuracyError, match="the best is") as caught:
        compile_model(proto, data, max_error=1e-7)
    assert 1e-7 < caught.value.error < 1e-2 and caught.value.remedy
    stored = compile_model(proto, data).calibration
    with pytest.raises(InputError, match="no samples"):
        compile_model(proto, stored, max_error=0.1)
    compile_model(proto, stored, validation=data[:8], max_error=0.1)
    for wrong in ({"max_error": 0.0}, {"max_error": 2.0}, {"min_agreement": 1.5}, {"max_error": 0.1, "bits": 8}):
        with pytest.raises(InputError):
            compile_model(proto, data, **wrong)


@pytest.mark.parametrize(("name", "port", "file"), [("digits_mlp", "input", "samples.npz"), ("lenet5", "image", "digits.npz")])
def test_the_default_is_within_a_thousandth_of_the_outputs_range(name: str, port: str, file: str) -> None:
    """On inputs that are not among the calibration samples."""
    calibration = np.load(MODELS / name / "calibration.npz")[port]
    proto = MODELS / name / f"{name}.onnx"
    circuit = ciro_zk.compile(proto, calibration, validation=np.load(MODELS / name / file)[port])
    assert circuit.accuracy["outputs"]["logits"]["relative_error"] <= 1e-3
    assert circuit.accuracy["outputs"]["logits"]["argmax_agreement"] == 1.0


def separable(rng: np.random.Generator, spread: float, channels: int = 16) -> Any:
    """Three depthwise-separable blocks as in MobileNet; depthwise weights differ by up to 10^spread, pointwise ones make up for it."""
    nodes = [helper.make_node("Conv", ["x", "k"], ["a"]), helper.make_node("Relu", ["a"], ["x0"])]
    size = (10.0 ** rng.uniform(-spread, 0, channels)).astype(np.float32)
    constants = {"k": floats(rng, channels, 3, 1, 1, scale=0.6), "h": floats(rng, channels, 10, scale=0.3)}
    for i in range(3):
        constants[f"d{i}"] = floats(rng, channels, 1, 3, 3, scale=0.4) * size[:, None, None, None]
        constants[f"p{i}"] = floats(rng, channels, channels, 1, 1, scale=0.4) / size[None, :, None, None]
        nodes += [
            helper.make_node("Conv", [f"x{i}", f"d{i}"], [f"u{i}"], group=channels, pads=[1, 1, 1, 1]),
            helper.make_node("Relu", [f"u{i}"], [f"v{i}"]),
            helper.make_node("Conv", [f"v{i}", f"p{i}"], [f"w{i}"]),
            helper.make_node("Relu", [f"w{i}"], [f"x{i + 1}"]),
        ]
    nodes += [helper.make_node("GlobalAveragePool", ["x3"], ["g"]), helper.make_node("Flatten", ["g"], ["f"])]
    return model([*nodes, helper.make_node("MatMul", ["f", "h"], ["y"])], {"x": (1, 3, 10, 10)}, constants)


@pytest.mark.parametrize(("spread", "least", "gain"), [(0.0, 58, 4), (2.0, 46, 10)])
def test_channels_of_very_different_weights(spread: float, least: float, gain: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 12 bits weights are as fine as their outputs need them. One scale at which the largest weight has 12 bits, which is what a
    useful shift of 0 leaves, is worse by `gain` dB."""

    def sqnr() -> float:
        rng = np.random.default_rng(1)
        return float(compile_model(separable(rng, spread), floats(rng, 64, 3, 10, 10)).accuracy["outputs"]["y"]["sqnr_db"])

    fine = sqnr()
    monkeypatch.setattr(products, "useful_shift", lambda terms, x_peak: 0)
    assert fine >= least and fine - sqnr() >= gain
