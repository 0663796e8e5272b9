"""Containers with other sections, or of another kind."""

from __future__ import annotations

from typing import Any

import pytest
from soundness.files.true import files, proving_key
from strategies import repack, sections, tiny

from ciro_zk.container import pack
from ciro_zk.errors import ProofFormatError
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.proof import Proof


@pytest.mark.parametrize("kind", ["proof", "key", "circuit", "proving key"])
def test_sections_swapped_dropped_and_doubled(kind: str) -> None:
    data, parse = {
        "proof": (files()["tiny"][1], Proof.from_bytes),
        "key": (files()["tiny"][0], VerifyingKey.from_bytes),
        "circuit": (bytes(tiny()), Circuit.from_bytes),
        "proving key": (proving_key(), ProvingKey.from_bytes),
    }[kind]
    parts = sections(data)
    variants: list[Any] = [parts[::-1], parts[:-1], parts[1:], [*parts, ("more", b"")], []]
    payloads = [payload for _, payload in parts]
    variants.append([(name, payload) for (name, _), payload in zip(parts, payloads[1:] + payloads[:1], strict=True)])
    for variant in variants:
        with pytest.raises(ProofFormatError):
            parse(repack(data, variant))
    for kind_bytes, version in ((b"PROF", 0), (b"PROF", 1), (b"PROF", 3), (b"VKEY", 9), (b"CIRC", 7), (b"XXXX", 1)):
        with pytest.raises(ProofFormatError):
            parse(pack(kind_bytes, version, parts))
    with pytest.raises(ProofFormatError):
        parse(data + b"\0")
    for length in range(0, len(data), max(len(data) // 200, 1)):
        with pytest.raises(ProofFormatError):
            parse(data[:length])


def test_other_kinds_of_files() -> None:
    """A key given as a proof, a proof as a circuit, and so on."""
    data = {
        Proof.from_bytes: files()["tiny"][1],
        VerifyingKey.from_bytes: files()["tiny"][0],
        Circuit.from_bytes: bytes(tiny()),
        ProvingKey.from_bytes: proving_key(),
    }
    for parse in data:
        for other, content in data.items():
            if other is not parse:
                with pytest.raises(ProofFormatError):
                    parse(content)  # type: ignore[operator]
