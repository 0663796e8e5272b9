"""Text to token ids as an uncased BERT takes it: basic tokenisation, then WordPiece (Wu et al., 2016) on a given vocabulary.

A word becomes the longest pieces of the vocabulary from the left, those after the first marked with `##`; a word that has none is one
unknown token. Truncated and padded to a fixed length, between [CLS] and [SEP].
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LENGTH = 128
MAX_WORD = 100
PADDING, UNKNOWN, FIRST, LAST = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
CHINESE = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2CEAF), (0x2F800, 0x2FA1F))


class WordPiece:
    """The tokeniser of a `vocab.txt`, one token a line."""

    def __init__(self, vocabulary: Path) -> None:
        self.ids = {token: i for i, token in enumerate(vocabulary.read_text(encoding="utf-8").splitlines())}

    def __call__(self, sentences: Sequence[str], length: int = LENGTH) -> dict[str, NDArray[np.int64]]:
        """`input_ids` and `attention_mask`, both `(sentences, length)`."""
        ids = np.full((len(sentences), length), self.ids[PADDING], dtype=np.int64)
        mask = np.zeros_like(ids)
        for i, sentence in enumerate(sentences):
            pieces = [piece for word in _words(sentence) for piece in self._pieces(word)][: length - 2]
            found = [self.ids[token] for token in (FIRST, *pieces, LAST)]
            ids[i, : len(found)], mask[i, : len(found)] = found, 1
        return {"input_ids": ids, "attention_mask": mask}

    def _pieces(self, word: str) -> list[str]:
        found: list[str] = []
        start = 0
        while start < len(word) <= MAX_WORD:
            marks = "##" if start else ""
            end = next((e for e in range(len(word), start, -1) if marks + word[start:e] in self.ids), 0)
            if not end:
                return [UNKNOWN]
            found.append(marks + word[start:end])
            start = end
        return found or [UNKNOWN]


def _words(text: str) -> Iterator[str]:
    """Lower case without accents, split at spaces, punctuation and Chinese characters."""
    word = ""
    for c in unicodedata.normalize("NFD", text.lower()):
        kind = unicodedata.category(c)
        if kind == "Mn" or (kind in ("Cc", "Cf") and c not in "\t\n\r") or c == "\ufffd":
            continue
        if c.isspace():
            yield from [word] if word else []
            word = ""
        elif _stands_alone(c, kind):
            yield from [word, c] if word else [c]
            word = ""
        else:
            word += c
    if word:
        yield word


def _stands_alone(c: str, kind: str) -> bool:
    """ASCII symbols count as punctuation."""
    return kind.startswith("P") or (c.isascii() and not c.isalnum()) or any(low <= ord(c) <= high for low, high in CHINESE)
