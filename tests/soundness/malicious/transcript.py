"""A transcript that absorbs what is forged as it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from soundness.malicious.lie import Occurrence
from soundness.malicious.runs import Cells

from ciro_zk.hash.transcript import ProverTranscript


class MaliciousTranscript(ProverTranscript):
    """Forges messages as they are sent, and keeps a log of everything absorbed and drawn."""

    def __init__(self, domain: str, messages: Mapping[Occurrence, Callable[[bytes], bytes]]) -> None:
        self.messages, self.seen = messages, dict[str, int]()
        self.arrays: dict[Occurrence, Callable[[Cells], Cells]] = {}
        self.log: list[tuple[str, str, Any]] = []
        super().__init__(domain)

    def absorb(self, label: str, data: bytes) -> None:
        super().absorb(label, data)
        self.log.append(("absorb", label, data))

    def _words(self, label: str, count: int) -> list[int]:
        words = super()._words(label, count)
        self.log.append(("draw", label, tuple(words)))
        return words

    def send_bytes(self, label: str, data: bytes) -> None:
        number = self.seen.get(label, 0)
        self.seen[label] = number + 1
        forge = self.messages.get((label, number)) or self.messages.get((label, None))
        super().send_bytes(label, forge(data) if forge else data)

    def send_base(self, label: str, values: NDArray[np.uint64]) -> None:
        forge = self.arrays.get((label, self.seen.get(label, 0)))
        super().send_base(label, forge(np.ascontiguousarray(values)) if forge else values)
