"""The sentence encoder's parts: its weights are read with bounds, its tokens are BERT's, its vectors those that are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from models import fetch, safetensors
from models.minilm_l6.build import build
from models.minilm_l6.tokens import WordPiece

ENTRY = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def written(path: Path, header: Any, data: bytes = bytes(24), length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def test_tensors_are_read(tmp_path: Path) -> None:
    values = np.arange(6, dtype="<f4").reshape(2, 3)
    file = written(tmp_path / "x", {"__metadata__": {"format": "pt"}, "w": ENTRY}, values.tobytes())
    found = safetensors.read(file)
    assert list(found) == ["w"]
    assert np.array_equal(found["w"], values)


HOSTILE: dict[str, Any] = {
    "another type": {"w": ENTRY | {"dtype": "F8"}},
    "a negative length": {"w": ENTRY | {"shape": [-2, -3]}},
    "a length that is no integer": {"w": ENTRY | {"shape": [2.0, 3]}},
    "a length that is a bool": {"w": ENTRY | {"shape": [True, 6]}},
    "beyond the file": {"w": ENTRY | {"shape": [7], "data_offsets": [0, 28]}},
    "backwards": {"w": ENTRY | {"shape": [0], "data_offsets": [24, 0]}},
    "another size": {"w": ENTRY | {"data_offsets": [0, 20]}},
    "no offsets": {"w": {"dtype": "F32", "shape": [6]}},
    "no object": {"w": 3},
    "a list": [1, 2],
    "no JSON": b"{",
    "nested too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_broken_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(safetensors.SafetensorsError, match="x: "):
        safetensors.read(written(tmp_path / "x", HOSTILE[name]))


@pytest.mark.parametrize("length", [1 << 62, 1 << 25, 1000])
def test_a_header_beyond_the_file_is_refused(length: int, tmp_path: Path) -> None:
    with pytest.raises(safetensors.SafetensorsError, match="header"):
        safetensors.read(written(tmp_path / "x", {"w": ENTRY}, length=length))


def test_tokens(tmp_path: Path) -> None:
    """The longest pieces from the left, lower case, no accents; punctuation stands alone; one unknown token a word."""
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "cafe", "play", "##ing", "##in", "!", "a", "\u4e2d"]), encoding="utf-8"
    )
    found = WordPiece(vocabulary)(["Caf\u00e9\tPLAYING!", "a playx\u4e2da", "", "a " * 20], length=8)
    assert found["input_ids"].tolist() == [
        [2, 4, 5, 6, 8, 3, 0, 0], [2, 9, 1, 10, 9, 3, 0, 0], [2, 3, 0, 0, 0, 0, 0, 0], [2, 9, 9, 9, 9, 9, 9, 3],
    ]  # fmt: skip
    assert found["attention_mask"].sum(axis=1).tolist() == [6, 6, 2, 8]


@pytest.mark.models
def test_known_vectors() -> None:
    """Cosines that the documentation of sentence-transformers gives for this model, and what is unlike stays far away."""
    sentences = ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby.", "A man is riding a horse."]
    tokens = WordPiece(fetch.fetch("minilm_l6_vocabulary"))(sentences)
    session = onnxruntime.InferenceSession(str(build()), providers=["CPUExecutionProvider"])
    vectors = np.concatenate([session.run(None, {k: v[i : i + 1] for k, v in tokens.items()})[0] for i in range(len(sentences))])
    cosines = vectors @ vectors.T
    assert np.allclose(np.diag(cosines), 1, atol=1e-5)
    assert cosines[0, 1] == pytest.approx(0.7553, abs=1e-3)
    assert np.abs(cosines[:2, 2]).max() < 0.2
