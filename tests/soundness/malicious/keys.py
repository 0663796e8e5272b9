"""Kernels and keys, made once per session; a key's registration is looked at again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import ciro_zk.verifier
from ciro_zk.kernels import Kernels, numba_kernels
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.proof import Proof
from ciro_zk.prover import setup
from ciro_zk.verifier import Verified


@cache
def kernels() -> Kernels:
    """The compiled kernels, one thread."""
    return numba_kernels(threads=1)


@cache
def keys(circuit: Circuit) -> tuple[ProvingKey, VerifyingKey]:
    """Keys of a circuit, set up once per session (`Circuit` hashes by identity here: its builders are cached)."""
    return setup(circuit, threads=1)


Circuit.__hash__ = lambda self: id(self)  # type: ignore[method-assign]


def accepted(vk: VerifyingKey, proof: Proof, **given: Any) -> Verified:
    """`verify`, testing keys allowed."""
    return ciro_zk.verifier.verify(vk, proof, **({"allow_testing": True} | given))


@contextmanager
def forgotten_registrations() -> Iterator[None]:
    """No key is remembered as registered, inside and after."""
    ciro_zk.verifier._REGISTERED.clear()
    yield
    ciro_zk.verifier._REGISTERED.clear()
