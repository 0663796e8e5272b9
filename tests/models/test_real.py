"""Third-party models on real inputs: proven, verified, chained, and in agreement with onnxruntime."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benches.real import MODELS, falls_short, measure, reports, table


@pytest.mark.models
@pytest.mark.parametrize("name", [name for name in MODELS if name != "gpt2"])
def test_proven_and_in_agreement(name: str) -> None:
    """Every proof verifies (`measure` raises otherwise), and the decision, or the direction, is the float model's.

    gpt2, which takes minutes and 8 GiB, is left to the run of `benches/real.py` that `make models` ends with: it asks for the same.
    """
    figures = measure(name)
    assert not falls_short(figures)
    assert name != "silero_vad" or figures["chain"] == 4
    assert "all inputs" in reports([figures])


@pytest.mark.parametrize(
    ("figures", "short"),
    [
        ({"model": "atspm", "refused": "1 node is not supported"}, True),
        ({"model": "atspm", "agreement": 0.91, "min_cosine": 0.5}, False),
        ({"model": "atspm", "agreement": 0.75, "min_cosine": 1.0}, True),
        ({"model": "minilm_l6", "agreement": 0.5, "min_cosine": 0.9995}, False),
        ({"model": "minilm_l6", "agreement": 1.0, "min_cosine": 0.99}, True),
    ],
)
def test_what_falls_short(figures: dict[str, Any], short: bool) -> None:
    assert falls_short(figures) == short


def test_the_table_has_every_model_even_a_refused_one() -> None:
    rows = [{"model": name, "refused": "1 node is not supported"} for name in MODELS]
    text = table(rows)
    assert text.count("refused: 1 node") == len(MODELS)
    assert len({line.count("|") for line in text.splitlines()}) == 1
