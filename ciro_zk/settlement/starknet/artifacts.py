"""The compiled contracts that the package carries: canonical JSON under gzip, one file a class."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ciro_zk.errors import InputError

NAMES = {
    "CiroToken": "token",
    "StakeVault": "vault",
    "CdcPool": "pool",
    "ModelRegistry": "models",
    "ProofRegistry": "registry",
    "JobManager": "jobs",
    "GovernanceTreasury": "governance",
}
"""The artefact's file by contract."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A class as it is declared: Sierra with its ABI, CASM, and both hashes."""

    sierra: dict[str, Any]
    casm: dict[str, Any]
    class_hash: int
    compiled_class_hash: int

    @property
    def abi(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.sierra["abi"])
        return found


@cache
def load(contract: str) -> Artifact:
    """The class of a contract, by the contract's name.

    Raises
    ------
    InputError
        There is no such contract.
    """
    if contract not in NAMES:
        raise InputError(f"no contract {contract!r}", remedy=f"one of {', '.join(NAMES)}")
    data = files("ciro_zk.settlement").joinpath("artifacts", f"{NAMES[contract]}.json.gz").read_bytes()
    document = json.loads(gzip.decompress(data))
    return Artifact(document["sierra"], document["casm"], _number(document["class_hash"]), _number(document["compiled_class_hash"]))


def _number(value: int | str) -> int:
    return int(value, 16) if isinstance(value, str) else value
