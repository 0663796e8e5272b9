"""The malicious prover is the honest one when it does not lie, and what it may vary freely does not matter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from soundness.malicious import (
    Claimed,
    Lie,
    accepted,
    as_cells,
    commit_cells,
    filled,
    forge,
    forged_registration,
    honest,
    kernels,
    keys,
    leaves_of,
    random_cells,
    run_field,
    run_graph,
)
from strategies import LISTED, cell_indices, deep, tiny, tiny_input, toy, toy_input, two_ports

from ciro_zk.circuit.graph import as_field
from ciro_zk.commitment.prover import commit
from ciro_zk.field.extension import P
from ciro_zk.kernels import plain_kernels
from ciro_zk.params import JOHNSON, STANDARD, Preset
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.prover import padded, prove
from ciro_zk.verifier import Verified
from ciro_zk.witness import infer


@pytest.mark.parametrize("circuit", [toy(), tiny(), toy(STANDARD), deep(), deep(LISTED)], ids=["toy", "tiny", "standard", "deep", "listed"])
def test_without_a_lie_the_proof_is_the_honest_one(circuit: Circuit) -> None:
    given = tiny_input() if circuit is tiny() else toy_input()
    pk, vk, proof = honest(circuit, given)
    run = infer(pk, given * circuit.graph.inputs[0].scale)
    assert bytes(proof) == bytes(prove(pk, run, kernels=kernels()))
    assert isinstance(accepted(vk, proof), Verified)


@pytest.mark.parametrize("preset", [LISTED, JOHNSON], ids=lambda preset: preset.name)
@pytest.mark.parametrize("make", [toy, tiny, two_ports], ids=lambda make: make.__name__)
def test_honest_proofs_with_list_decoding(make: Callable[[Preset], Circuit], preset: Preset) -> None:
    """With weights and without, alone and in a batch; the keys as files."""
    circuit = make(preset)
    pk, vk = keys(circuit)
    run = infer(pk, {port.name: np.full(circuit.graph.tensors[port.tensor].shape, port.scale) for port in circuit.graph.inputs})
    for runs in (run, [run, run, run]):
        proof = prove(pk, runs, threads=1)
        assert isinstance(accepted(vk, proof), Verified)
    if preset is JOHNSON:
        read = VerifyingKey.from_bytes(bytes(vk))
        assert read.weights_sample == vk.weights_sample and len(read.weights_sample) == 16
        assert "Johnson" in accepted(read, proof).security.regime


def test_both_kernels_make_the_same_proof() -> None:
    pk, _, proof = honest(tiny(), tiny_input())
    assert bytes(prove(pk, infer(pk, tiny_input() * 0.5), kernels=plain_kernels())) == bytes(proof)


def test_the_field_run_is_the_integer_run() -> None:
    for circuit, given in ((toy(), (toy_input(),)), (tiny(), (tiny_input(),)), (two_ports(), (np.ones((2, 3), dtype=np.int64),) * 2)):
        pk, _ = keys(circuit)
        values = run_graph(circuit.graph, leaves_of(pk, *given))
        cells = run_field(circuit.graph, as_cells(leaves_of(pk, *given)))
        assert all(np.array_equal(as_field(values[i]), cells[i]) for i in values)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("circuit", [toy(), tiny(), deep()], ids=["toy", "tiny", "deep"])
def test_random_padding_in_the_witness_oracle(circuit: Circuit, seed: int) -> None:
    """No form trusts a padding cell: an honest proof holds whatever they are."""
    pk, vk, plain = honest(circuit, tiny_input() if circuit is tiny() else toy_input())
    values = run_graph(circuit.graph, leaves_of(pk, tiny_input() if circuit is tiny() else toy_input()))
    proof = forge(pk, Claimed(values=values), Lie(padding=np.random.default_rng(seed)))
    assert proof.body != plain.body
    assert accepted(vk, proof).integer_outputs.keys() == plain.outputs.keys()


@pytest.mark.parametrize("seed", range(3))
def test_random_padding_in_the_weight_oracle(seed: int) -> None:
    """Nor one of the weights' oracle, in a proof and in a registration."""
    circuit = toy()
    program = circuit.program
    pk, _ = keys(circuit)
    rng = np.random.default_rng(seed)
    layout = padded(program.plan.weight_layout, program.params.oracles[0].num_vars)
    oracle = filled(cell_indices(layout).values(), layout.pack(as_cells(pk.weights)), rng)
    assert (oracle != layout.pack(as_cells(pk.weights))).sum() > 100
    committed = commit(kernels(), program.params.oracles[0].code, oracle)
    vk = forged_registration(program, committed, as_cells(pk.weights), Lie(padding=rng))
    values = run_graph(circuit.graph, leaves_of(pk, toy_input()))
    proof = forge(pk, Claimed(values=values, weights=committed), Lie(padding=rng))
    assert isinstance(accepted(vk, proof), Verified)


def test_registration_by_the_harness_is_the_honest_one() -> None:
    for circuit in (toy(), tiny()):
        pk, vk = keys(circuit)
        cells = as_cells(pk.weights)
        assert bytes(forged_registration(circuit.program, commit_cells(circuit.program, cells), cells)) == bytes(vk)


def test_keys_read_back_verify() -> None:
    pk, vk, proof = honest(toy(), toy_input())
    assert isinstance(accepted(VerifyingKey.from_bytes(bytes(vk)), proof), Verified)
    assert isinstance(accepted(ProvingKey.from_bytes(bytes(pk)).vk, type(proof).from_bytes(bytes(proof))), Verified)


def test_random_cells_are_field_elements() -> None:
    assert random_cells(np.random.default_rng(1), 1000).max() < P
