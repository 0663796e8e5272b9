"""Whole proofs: what is proven verifies, the verdict says what holds, and statements that do not are refused at their stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import tiny, tiny_input, toy, toy_input, two_ports

from ciro_zk import prover
from ciro_zk.errors import InputError, ProofFormatError, ProofRejected
from ciro_zk.kernels import plain_kernels
from ciro_zk.params import CONSERVATIVE, STANDARD
from ciro_zk.program.keys import VerifyingKey
from ciro_zk.program.statement import statement_of
from ciro_zk.proof import Proof
from ciro_zk.verifier import verify
from ciro_zk.witness import infer
from tests.unit.circuit.random_circuits import random_circuit, random_leaves
from tests.unit.poly_forms.reference import SEEDS
from tests.unit.program.made import setup, tiny_keys, tiny_proof, toy_keys, toy_proof

KERNELS = plain_kernels()


def rejected(vk: VerifyingKey, proof: Proof, **options: Any) -> ProofRejected:
    with pytest.raises(ProofRejected) as caught:
        verify(vk, proof, allow_testing=True, **options)
    return caught.value


# What holds ----------------------------------------------------------------------------------------------------------------------------


def test_the_verdict_says_what_is_proven() -> None:
    _, vk = toy_keys()
    run, proof = toy_proof()
    verified = verify(vk, proof, allow_testing=True)
    assert verified.statement == statement_of(vk.program, vk.model_commitment, run.integer_inputs, run.integer_outputs)
    assert np.array_equal(verified.integer_inputs["x"], toy_input())
    assert np.array_equal(verified.integer_outputs["y"], run.integer_outputs["y"])
    assert np.array_equal(verified.inputs["x"], toy_input() / 128)
    assert np.array_equal(verified.outputs["y"], run.outputs["y"])
    assert verified.security == vk.program.security
    assert "not zero-knowledge" in repr(verified)


def test_given_inputs_and_outputs_are_checked() -> None:
    _, vk = toy_keys()
    run, proof = toy_proof()
    x = toy_input() / 128
    verify(vk, proof, inputs=x, outputs=run.outputs, allow_testing=True)
    verify(vk, proof, inputs=x.astype(np.float32), outputs=run.outputs["y"].astype(np.float32), allow_testing=True)
    other = x.copy()
    other[0, 0, 1, 2, 3] = 0.0 if other[0, 0, 1, 2, 3] else 0.5
    error = rejected(vk, proof, inputs=other)
    assert error.stage == "statement" and "another input: 'x' differs at index (0, 0, 1, 2, 3)" in error.reason
    for outputs in (-run.outputs["y"], run.outputs["y"] + 1, run.outputs["y"] * 1e9):  # the last two out of the output's range
        error = rejected(vk, proof, outputs=outputs)
        assert error.stage == "statement" and "another output: 'y' differs at index (0,)" in error.reason
    with pytest.raises(InputError):
        verify(vk, proof, inputs={"z": x}, allow_testing=True)


@settings(max_examples=15)
@given(SEEDS, st.integers(1, 6))
def test_random_circuits_prove_and_verify(seed: int, num_steps: int) -> None:
    """All operators in random order, on tensors of odd shapes, with keys and proof read back."""
    circuit = random_circuit(seed, num_steps)
    pk, vk = setup(circuit)
    leaves = random_leaves(circuit, np.random.default_rng(seed))
    run = infer(pk, {port.name: leaves[port.tensor] * port.scale for port in circuit.graph.inputs})
    proof = prover.prove(pk, run, kernels=KERNELS)
    verified = verify(VerifyingKey.from_bytes(bytes(vk)), Proof.from_bytes(bytes(proof)), allow_testing=True)
    for name, value in run.integer_outputs.items():
        assert np.array_equal(verified.integer_outputs[name], value)


@pytest.mark.parametrize("preset", [STANDARD, CONSERVATIVE], ids=lambda p: p.name)
def test_the_presets_reach_their_target(preset: Any) -> None:
    pk, vk = setup(tiny(preset))
    proof = prover.prove(pk, infer(pk, tiny_input() / 2), kernels=KERNELS)
    verified = verify(vk, proof)
    assert verified.security.summed_bits >= preset.target_bits >= 100
    assert verified.statement.preset == preset.name


def test_a_circuit_without_weights() -> None:
    pk, vk = setup(two_ports())
    assert vk.registration == b"" and vk.program.registration is None
    x = {"a": np.full((2, 3), 1.5), "b": np.full((2, 3), -0.5)}
    verified = verify(vk, prover.prove(pk, infer(pk, x), kernels=KERNELS), inputs=x, allow_testing=True)
    assert list(verified.outputs) == ["y", "z"]


def test_proving_twice_makes_the_same_bytes() -> None:
    pk, _ = tiny_keys()
    run, proof = tiny_proof()
    assert bytes(prover.prove(pk, run, kernels=KERNELS)) == bytes(proof)


# What does not -------------------------------------------------------------------------------------------------------------------------


def test_a_testing_key_is_refused_unless_allowed() -> None:
    _, vk = tiny_keys()
    _, proof = tiny_proof()
    with pytest.raises(ProofRejected, match="testing preset, which has no security") as caught:
        verify(vk, proof)
    assert caught.value.stage == "statement"
    verify(vk, proof, allow_testing=True)


def change_first(values: Any, step: int) -> dict[str, np.ndarray]:
    name, value = next(iter(values.items()))
    changed = value.copy()
    changed.reshape(-1)[0] += step if changed.reshape(-1)[0] + step <= 7 else -step
    return {name: changed}


STATEMENTS: dict[str, tuple[Callable[[Proof], Proof], str]] = {
    "another program": (lambda p: replace(p, program_digest=bytes(32)), "another program"),
    "other weights": (lambda p: replace(p, model_commitment=bytes(32)), "other weights"),
    "an input of another name": (lambda p: replace(p, inputs={"z": p.inputs["x"]}), "not those of the program"),
    "an input of another shape": (lambda p: replace(p, inputs={"x": p.inputs["x"].reshape(4)}), "another shape"),
    "an input out of range": (lambda p: replace(p, inputs={"x": p.inputs["x"] + 100}), "out of range"),
    "no output": (lambda p: replace(p, outputs={}), "not those of the program"),
    "an output out of range": (lambda p: replace(p, outputs={"y": p.outputs["y"] - 100}), "out of range"),
    "a batch": (lambda p: replace(p, batch=2), "another shape"),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements_that_do_not_fit_the_key(name: str) -> None:
    _, vk = tiny_keys()
    change, reason = STATEMENTS[name]
    error = rejected(vk, change(tiny_proof()[1]))
    assert error.stage == "statement" and reason in error.reason


@pytest.mark.parametrize("side", ["inputs", "outputs"])
@pytest.mark.parametrize("step", [-1, 1])
def test_another_public_cell_in_range(side: str, step: int) -> None:
    _, vk = tiny_keys()
    _, proof = tiny_proof()
    with pytest.raises((ProofRejected, ProofFormatError)):
        verify(vk, replace(proof, **{side: change_first(getattr(proof, side), step)}), allow_testing=True)


@settings(max_examples=60)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_no_byte_of_a_proof_can_be_changed(where: float, flip: int) -> None:
    _, vk = tiny_keys()
    _, proof = tiny_proof()
    body = bytearray(proof.body)
    body[int(where * len(body))] ^= flip
    with pytest.raises((ProofRejected, ProofFormatError)):
        verify(vk, replace(proof, body=bytes(body)), allow_testing=True)


def test_bodies_too_short_or_too_long() -> None:
    _, vk = tiny_keys()
    _, proof = tiny_proof()
    for body, reason in ((b"", "truncated"), (proof.body[:-1], "truncated"), (proof.body + b"\0", "left unread")):
        with pytest.raises(ProofFormatError, match=reason):
            verify(vk, replace(proof, body=body), allow_testing=True)


def test_a_proof_of_another_circuit_is_refused() -> None:
    assert "another program" in rejected(tiny_keys()[1], toy_proof()[1]).reason


def test_a_registration_that_does_not_hold() -> None:
    """The key is refused before its proofs are looked at."""
    _, vk = tiny_keys()
    _, proof = tiny_proof()
    damaged = bytearray(vk.registration)
    damaged[100] ^= 1
    error = rejected(replace(vk, registration=bytes(damaged)), proof)
    assert error.stage == "registration"
    with pytest.raises(ProofFormatError) as caught:
        verify(replace(vk, registration=vk.registration[:-1]), proof, allow_testing=True)
    assert caught.value.file == "verifying key"


def test_weights_out_of_their_range_cannot_be_registered() -> None:
    circuit = tiny(name="bad weights")
    ((tensor, weights),) = circuit.weights.items()
    outside = weights.copy()
    outside[0, 0, 0] = 8
    pk, vk = setup(replace(circuit, weights={tensor: outside}))
    run = infer(pk, tiny_input() / 2)
    assert rejected(vk, prover.prove(pk, run, kernels=KERNELS)).stage == "registration"


def test_a_run_outside_the_tables_cannot_be_proven() -> None:
    """A witness whose rounded values leave the table: no row is counted for them, and the fractions do not sum to zero."""
    pk, vk = tiny_keys()
    run, _ = tiny_proof()
    values = dict(run.values)
    out = next(i for i, t in enumerate(pk.program.graph.tensors) if t.name == "relu.out")
    values[out] = values[out] + 1
    lying = replace(run, values=values)
    proof = prover.prove(pk, lying, kernels=KERNELS)
    assert rejected(vk, proof).stage == "lookup"


def test_keys_are_not_interchangeable() -> None:
    """The same program with other weights."""
    _, vk = setup(tiny(seed=5))
    assert vk.program.digest == tiny_keys()[1].program.digest
    assert "other weights" in rejected(vk, tiny_proof()[1]).reason
    relabelled = replace(tiny_proof()[1], model_commitment=vk.model_commitment)
    with pytest.raises((ProofRejected, ProofFormatError)):
        verify(vk, relabelled, allow_testing=True)


def test_the_toy_is_what_it_says() -> None:
    """All kinds of operators and of tables are in it."""
    assert {node.op.kind for node in toy().graph.nodes} == {"conv", "axis_map", "combine", "requantise", "maximum", "reshape", "matmul"}
    assert {table.kind for table in toy().graph.tables} == {"range", "graph", "sign", "window"}
