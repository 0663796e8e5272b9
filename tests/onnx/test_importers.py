"""Models of other libraries compile as their ONNX export does; a missing extra is named."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import ciro_zk as cz
from ciro_zk.errors import InputError

DATA = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
LABELS = (DATA[:, 0] + DATA[:, 1] > 0).astype(int)


def agrees(circuit: Any, expected: Any, output: str, tolerance: float) -> None:
    for i in range(10):
        found = cz.infer(circuit, DATA[i : i + 1]).outputs[output]
        assert np.abs(found.reshape(-1) - np.asarray(expected[i]).reshape(-1)).max() < tolerance


def test_torch() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    circuit = cz.compile(module, DATA)
    (port,) = circuit.graph.outputs
    agrees(circuit, module(torch.from_numpy(DATA)).detach().numpy(), port.name, 0.02)
    assert module.training


def test_sklearn() -> None:
    pytest.importorskip("skl2onnx")
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(5, max_depth=3, random_state=0).fit(DATA, LABELS)
    circuit = cz.compile(forest, DATA)
    agrees(circuit, forest.predict_proba(DATA), "probabilities", 0.01)
    agrees(circuit, forest.predict(DATA), "label", 0.5)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_boosted_trees(library: str) -> None:
    module = pytest.importorskip(library)
    pytest.importorskip("onnxmltools")
    kind = module.XGBRegressor if library == "xgboost" else module.LGBMRegressor
    target = DATA[:, 0] - 2 * DATA[:, 1]
    model = kind(n_estimators=5, max_depth=3).fit(DATA, target)
    circuit = cz.compile(model, DATA)
    (port,) = circuit.graph.outputs
    agrees(circuit, model.predict(DATA), port.name, 0.02 * float(np.abs(target).max()))


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(InputError, match="pip install 'ciro-zk\\[sklearn\\]'"):
        cz.compile(linear.LinearRegression().fit(DATA, LABELS), DATA)


def test_samples_are_needed() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    with pytest.raises(InputError, match="first sample"):
        cz.compile(linear.LinearRegression().fit(DATA, LABELS), input_range={"input": (-1, 1)})
