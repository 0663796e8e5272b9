"""Proofs and keys are the same bytes whatever computed them."""

from __future__ import annotations

import pytest
from strategies import tiny, tiny_input, toy, toy_input

from ciro_zk import prover
from ciro_zk.kernels import Kernels, numba_kernels, plain_kernels
from ciro_zk.params import STANDARD
from ciro_zk.program.circuit import Circuit
from ciro_zk.verifier import verify
from ciro_zk.witness import infer
from tests.unit.program.made import setup


def made(circuit: Circuit, x: object, kernels: Kernels) -> tuple[bytes, bytes, bytes]:
    """Proving key, verifying key and proof."""
    pk, vk = setup(circuit, kernels)
    proof = prover.prove(pk, infer(pk, x), kernels=kernels)  # type: ignore[arg-type]
    verify(vk, proof, allow_testing=True)
    return bytes(pk), bytes(vk), bytes(proof)


@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_and_plain_kernels_make_the_same_bytes(threads: int) -> None:
    assert made(toy(), toy_input() / 128, numba_kernels(threads)) == made(toy(), toy_input() / 128, plain_kernels())


def test_also_with_the_standard_presets_levels_and_work() -> None:
    circuit = tiny(STANDARD)
    assert made(circuit, tiny_input() / 2, numba_kernels(2)) == made(circuit, tiny_input() / 2, plain_kernels())
