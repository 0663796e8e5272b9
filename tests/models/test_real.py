"""Third-party models on real inputs: proven, verified, chained, and in agreement with onnxruntime."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benches.real import MODELS, measure, table


@pytest.mark.models
@pytest.mark.parametrize(("name", "agreement"), [("atspm", 0.9), ("silero_vad", 0.9), ("rapidocr_cls", 0.9)])
def test_proven_and_in_agreement(name: str, agreement: float) -> None:
    """Every proof verifies (`measure` raises otherwise), and the decision is the float model's."""
    figures = measure(name)
    assert "refused" not in figures
    assert figures["agreement"] >= agreement
    assert name != "silero_vad" or figures["chain"] == 4


@pytest.mark.models
def test_sentences_keep_their_direction() -> None:
    """The proof verifies, and every held-back sentence has the float model's vector, but for a cosine of 0.999."""
    figures = measure("minilm_l6")
    assert "refused" not in figures
    assert figures["min_cosine"] >= 0.999


def test_the_table_has_every_model_even_a_refused_one() -> None:
    rows = [{"model": name, "refused": "1 node is not supported"} for name in MODELS]
    text = table(rows)
    assert text.count("refused: 1 node") == len(MODELS)
    assert len({line.count("|") for line in text.splitlines()}) == 1
