"""The demo's tamperings: each tries to have something false accepted, and says how it was rejected."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ciro_zk.container import CHECKSUM_BYTES, outline
from ciro_zk.errors import ProofFormatError, ProofRejected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ciro_zk.program.keys import VerifyingKey


@dataclass(frozen=True, slots=True)
class Tampering:
    """A lie and how it is told to the verifier."""

    name: str
    tell: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Rejection:
    """How the verifier answered."""

    tampering: str
    stage: str
    reason: str


def attempt(tampering: Tampering) -> Rejection:
    """Tells the lie; a verifier that believes it is a defect."""
    try:
        tampering.tell()
    except ProofRejected as rejected:
        return Rejection(tampering.name, rejected.stage, rejected.reason)
    except ProofFormatError as malformed:
        return Rejection(tampering.name, "format", malformed.reason)
    raise RuntimeError(f"the verifier accepted {tampering.name}")


def flipped(data: bytes, section: str, at: int) -> bytes:
    """A proof with the lowest bit of byte `at` of a section flipped and the file's checksum made right again."""
    body = bytearray(data[:-CHECKSUM_BYTES])
    marker = bytes([len(section)]) + section.encode()
    start = body.index(marker) + len(marker) + 8
    body[start + at] ^= 1
    return bytes(body) + hashlib.blake2s(body).digest()


def largest_section(data: bytes) -> tuple[str, int]:
    """Name and size of the largest section of a container."""
    return max(outline(data).sections, key=lambda section: section[1])


def tamperings(
    verifying_key: VerifyingKey, proof: bytes, *, image: NDArray[Any], other: NDArray[Any], of_swapped_model: Callable[[], bytes]
) -> Iterator[Tampering]:
    """The lies of the demo.

    Parameters
    ----------
    verifying_key : VerifyingKey
        Of the registered model.
    proof : bytes
        The honest proof.
    image, other : ndarray
        The input that was proven, and another one.
    of_swapped_model : callable
        Makes an honest proof of the same input under a model with two classes swapped.
    """
    import ciro_zk

    def verify(data: bytes, inputs: NDArray[Any]) -> object:
        return ciro_zk.verify(verifying_key, ciro_zk.Proof.from_bytes(data), inputs=inputs)

    def with_another_output() -> object:
        honest = ciro_zk.Proof.from_bytes(proof)
        outputs = {name: values.copy() for name, values in honest.outputs.items()}
        next(iter(outputs.values())).flat[0] += 1
        return verify(bytes(replace(honest, outputs=outputs)), image)

    section, size = largest_section(proof)
    yield Tampering("the claimed output changed by one unit", with_another_output)
    yield Tampering("one bit of the proof flipped", lambda: verify(flipped(proof, section, size // 2), image))
    yield Tampering("the proof presented for another image", lambda: verify(proof, other))
    yield Tampering("the model replaced by one with two classes swapped", lambda: verify(of_swapped_model(), image))
