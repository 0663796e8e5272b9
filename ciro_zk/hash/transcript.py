"""The Fiat-Shamir transcript: one running BLAKE2s-256 state, absorbed into and drawn from by prover and verifier alike.

    absorb(label, data)     state <- H(state || "A" || len(label) || label || len(data) || data)
    challenge(label)        state <- H(state || "S" || len(label) || label || 0); candidates are the 8-byte words of H(state || counter),
                            those >= p rejected

A proof is the byte stream of what the prover absorbed: `ProverTranscript.send_*` appends to it,
`VerifierTranscript.receive_*` reads from it and absorbs what it read, so that no prover value can escape the hash and
no byte of a proof stays unread. Elements are canonical or rejected.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.field import goldilocks
from ciro_zk.field.extension import NUM_BYTES, Ext, P
from ciro_zk.hash.blake2s import DIGEST_BYTES, check_work

PERSON = b"ciro_fs1"
NONCE_BYTES = 8


class Transcript:
    """The shared half: absorbing and drawing challenges."""

    def __init__(self, domain: str) -> None:
        self._state = bytes(DIGEST_BYTES)
        self.absorb("domain", domain.encode())

    def _advance(self, tag: bytes, label: str, data: bytes) -> None:
        name = label.encode()
        header = b"".join((self._state, tag, len(name).to_bytes(2, "little"), name, len(data).to_bytes(8, "little")))
        self._state = hashlib.blake2s(header + data, person=PERSON).digest()

    def absorb(self, label: str, data: bytes) -> None:
        """Bind public data."""
        self._advance(b"A", label, data)

    def _words(self, label: str, count: int) -> list[int]:
        """`count` uniform integers in [0, p)."""
        self._advance(b"S", label, b"")
        words: list[int] = []
        counter = 0
        while len(words) < count:
            block = hashlib.blake2s(self._state + counter.to_bytes(8, "little"), person=PERSON).digest()
            for start in range(0, DIGEST_BYTES, 8):
                word = int.from_bytes(block[start : start + 8], "little")
                if word < P:
                    words.append(word)
            counter += 1
        return words[:count]

    def challenge(self, label: str) -> Ext:
        """A uniform extension element."""
        return self.challenges(label, 1)[0]

    def challenges(self, label: str, count: int) -> tuple[Ext, ...]:
        """`count` uniform extension elements."""
        words = self._words(label, 2 * count)
        return tuple(Ext(words[2 * i], words[2 * i + 1]) for i in range(count))

    def positions(self, label: str, count: int, log_length: int) -> list[int]:
        """`count` draws from [0, 2^log_length), sorted, repeats dropped. The low bits of words below p deviate from uniform by less
        than 2^-31."""
        return sorted({word & ((1 << log_length) - 1) for word in self._words(label, count)})


class ProverTranscript(Transcript):
    """Absorbs what the prover says and keeps it as the proof's bytes."""

    def __init__(self, domain: str) -> None:
        super().__init__(domain)
        self._stream = bytearray()

    def proof_bytes(self) -> bytes:
        return bytes(self._stream)

    def send_bytes(self, label: str, data: bytes) -> None:
        """A value of a length both sides know."""
        self._stream += data
        self.absorb(label, data)

    def send_elements(self, label: str, values: Sequence[Ext]) -> None:
        """Extension elements of a number both sides know."""
        self.send_bytes(label, b"".join(bytes(value) for value in values))

    def send_base(self, label: str, values: NDArray[np.uint64]) -> None:
        """Canonical base elements, any shape, in C order."""
        self.send_bytes(label, np.ascontiguousarray(values).astype("<u8", copy=False).tobytes())

    def send_work(self, label: str, nonce: int, bits: int) -> None:
        """The nonce of a proof of work over `work_state()`."""
        if bits:
            self.send_bytes(label, nonce.to_bytes(NONCE_BYTES, "little"))

    def work_state(self) -> bytes:
        """What a proof of work is about: the state so far."""
        return self._state


class VerifierTranscript(Transcript):
    """Reads a proof's bytes in order, absorbing all of them."""

    def __init__(self, domain: str, stream: bytes, source: str = "proof") -> None:
        super().__init__(domain)
        self._stream = memoryview(stream)
        self._at = 0
        self._source = source

    def receive_bytes(self, label: str, length: int) -> bytes:
        """The next `length` bytes; `ProofFormatError` where the proof ends early."""
        stop = self._at + length
        if stop > len(self._stream):
            raise ProofFormatError("truncated: the proof ends early", file=self._source, field=label, remedy="get the whole proof again")
        data = bytes(self._stream[self._at : stop])
        self._at = stop
        self.absorb(label, data)
        return data

    def receive_elements(self, label: str, count: int) -> list[Ext]:
        """`count` canonical extension elements."""
        data = self.receive_bytes(label, NUM_BYTES * count)
        try:
            return [Ext.from_bytes(data[i : i + NUM_BYTES]) for i in range(0, len(data), NUM_BYTES)]
        except ValueError as error:
            raise ProofFormatError(
                str(error), file=self._source, field=label, remedy="the proof is damaged or forged; get it again"
            ) from error

    def receive_base(self, label: str, shape: tuple[int, ...]) -> NDArray[np.uint64]:
        """Canonical base elements of a shape."""
        data = self.receive_bytes(label, 8 * int(np.prod(shape, dtype=np.int64)))
        values = np.frombuffer(data, dtype="<u8").astype(np.uint64).reshape(shape)
        if not goldilocks.is_canonical(values):
            raise ProofFormatError("an element is not canonical", file=self._source, field=label, remedy="the proof is damaged or forged")
        return values

    def receive_extension(self, label: str, length: int) -> NDArray[np.uint64]:
        """An extension array `(2, length)` sent as base elements."""
        return np.ascontiguousarray(self.receive_base(label, (2, length)))

    def receive_work(self, label: str, bits: int) -> None:
        """Check a proof of work over the state so far; `ProofRejected` if it does not hold."""
        if bits:
            state = self._state
            nonce = int.from_bytes(self.receive_bytes(label, NONCE_BYTES), "little")
            if not check_work(state, nonce, bits):
                raise ProofRejected(stage="grinding", reason=f"the proof of work {label!r} does not have {bits} zero bits")

    def finish(self) -> None:
        """`ProofFormatError` unless every byte was read."""
        left = len(self._stream) - self._at
        if left:
            raise ProofFormatError(f"{left} bytes are left unread", file=self._source, field="end", remedy="remove what was appended")
