"""Keys and proofs of the small circuits, made once per process with the plain kernels."""

from __future__ import annotations

from functools import cache
from unittest import mock

from strategies import tiny, tiny_input, toy, toy_input

from ciro_zk import prover
from ciro_zk.kernels import Kernels, plain_kernels
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.proof import Proof
from ciro_zk.witness import Run, infer


def setup(circuit: Circuit, kernels: Kernels | None = None) -> tuple[ProvingKey, VerifyingKey]:
    """`prover.setup` with the plain kernels, or others."""
    with mock.patch.object(prover, "numba_kernels", lambda threads=None: kernels or plain_kernels()):
        return prover.setup(circuit)


@cache
def toy_keys() -> tuple[ProvingKey, VerifyingKey]:
    return setup(toy())


@cache
def tiny_keys() -> tuple[ProvingKey, VerifyingKey]:
    return setup(tiny())


@cache
def toy_proof() -> tuple[Run, Proof]:
    pk, _ = toy_keys()
    run = infer(pk, toy_input() / 128)
    return run, prover.prove(pk, run, kernels=plain_kernels())


@cache
def tiny_proof() -> tuple[Run, Proof]:
    pk, _ = tiny_keys()
    run = infer(pk, tiny_input() / 2)
    return run, prover.prove(pk, run, kernels=plain_kernels())
