"""A true proof under another statement, and challenges from another transcript."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from soundness.malicious import (
    Claimed,
    Lie,
    MaliciousTranscript,
    accepted,
    forge,
    forgotten_registrations,
    honest,
    keys,
    leaves_of,
    outputs_of,
    proving_of,
    run_graph,
    with_table,
)
from soundness.verdicts import LOOKUP
from strategies import tiny, tiny_input, toy, toy_input

from ciro_zk.commitment.params import Oracle
from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.hash.transcript import Transcript
from ciro_zk.lookup.tables import Clamp, Graph
from ciro_zk.params import CONSERVATIVE, JOHNSON, STANDARD, TESTING, Preset
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import VerifyingKey
from ciro_zk.proof import Proof


@cache
def standard() -> tuple[VerifyingKey, Proof]:
    """A proof of the toy of full strength."""
    _, vk, proof = honest(toy(STANDARD), toy_input())
    accepted(vk, proof, allow_testing=False)
    return vk, proof


def rejection(vk: VerifyingKey, proof: Proof) -> tuple[str, str]:
    with pytest.raises(ProofRejected) as error:
        accepted(vk, proof)
    return error.value.stage, error.value.reason


def test_another_input() -> None:
    vk, proof = standard()
    for index in (0, 17, 71):
        x = proof.inputs["x"].copy()
        x.reshape(-1)[index] ^= 1
        assert rejection(vk, replace(proof, inputs={"x": x})) == LOOKUP
    assert rejection(vk, replace(proof, inputs={"x": toy_input(9)})) == LOOKUP


def test_another_output() -> None:
    vk, proof = standard()
    for index in range(24):
        y = proof.outputs["y"].copy()
        y[index] += -1 if y[index] > 0 else 1
        assert rejection(vk, replace(proof, outputs={"y": y})) == LOOKUP
    pk, _ = keys(toy(STANDARD))
    other = outputs_of(pk.program.graph, run_graph(pk.program.graph, leaves_of(pk, toy_input(9))))
    assert rejection(vk, replace(proof, outputs=other)) == LOOKUP


def test_other_weights() -> None:
    _, proof = standard()
    _, other = keys(toy(STANDARD, seed=5))
    assert rejection(other, proof) == ("statement", "the proof is for other weights")
    assert rejection(other, replace(proof, model_commitment=other.model_commitment)) == LOOKUP


@pytest.mark.parametrize(
    "other",
    [
        toy(STANDARD, name="other"),
        toy(STANDARD, out_scale=2.0),
        toy(STANDARD, clamp=126),
    ],
    ids=["name", "scale", "clamp"],
)
def test_another_program_of_the_same_shapes(other: Circuit) -> None:
    vk, proof = standard()
    _, key = keys(other)
    assert other.program.shape == toy(STANDARD).program.shape
    assert key.model_commitment == vk.model_commitment
    assert rejection(key, proof) == ("statement", "the proof is for another program")
    relabelled = replace(proof, program_digest=other.program.digest)
    # the other clamp does not admit the output 127; any output that it admits comes after
    y = np.clip(proof.outputs["y"], -126, 126)
    assert rejection(key, replace(relabelled, outputs={"y": y})) == LOOKUP
    if y.shape and not np.array_equal(y, proof.outputs["y"]):
        assert rejection(key, relabelled)[0] in ("statement", "lookup")


def test_another_table() -> None:
    """A program that differs in one entry of one table."""
    graph = with_table(toy(STANDARD).graph, 1, Graph(function=Clamp(minimum=0, maximum=126), low=-300, high=300))
    honest_circuit = toy(STANDARD)
    other = Circuit(graph, honest_circuit.weights, "toy", 8, preset=STANDARD)
    _, proof = standard()
    vk = VerifyingKey(other.program, proof.model_commitment, keys(honest_circuit)[1].registration)
    assert rejection(vk, proof) == ("statement", "the proof is for another program")
    assert rejection(vk, replace(proof, program_digest=other.program.digest)) == LOOKUP


@pytest.mark.parametrize("preset", [CONSERVATIVE, JOHNSON, TESTING], ids=lambda preset: preset.name)
def test_another_preset(preset: Preset) -> None:
    _, proof = standard()
    _, other = keys(toy(preset))
    assert rejection(other, proof) == ("statement", "the proof is for another program")
    relabelled = replace(proof, program_digest=other.program.digest, model_commitment=other.model_commitment)
    with pytest.raises((ProofRejected, ProofFormatError)):
        accepted(other, relabelled)
    with pytest.raises((ProofRejected, ProofFormatError)):  # even if the preset were none of the digest
        accepted(VerifyingKey(replace(toy(STANDARD).program, preset=preset), proof.model_commitment, b""), proof)


@pytest.mark.parametrize("preset", [STANDARD, TESTING], ids=lambda preset: preset.name)
def test_list_decoding_is_not_downgraded(preset: Preset) -> None:
    """A proof with fewer queries and samples for a key without, and the other way round; whatever is relabelled."""
    (_, listed), (_, vk) = keys(toy(JOHNSON)), keys(toy(preset))
    for own, other, preset_given in ((listed, vk, JOHNSON), (vk, listed, preset)):
        _, _, proof = honest(toy(preset_given), toy_input())
        accepted(own, proof)
        assert rejection(other, proof) == ("statement", "the proof is for another program")
        relabelled = replace(proof, program_digest=other.program.digest, model_commitment=other.model_commitment)
        for key in (other, replace(other, weights_sample=bytes(len(other.weights_sample)))):
            with forgotten_registrations(), pytest.raises((ProofRejected, ProofFormatError)):
                accepted(key, relabelled)
        mixed = replace(own, program=replace(own.program, preset=other.program.preset), weights_sample=other.weights_sample)
        with forgotten_registrations(), pytest.raises((ProofRejected, ProofFormatError)):
            accepted(mixed, replace(proof, program_digest=mixed.program.digest))


def test_another_proofs_body() -> None:
    """Bodies of two true proofs, exchanged."""
    vk, proof = standard()
    _, _, other = honest(toy(STANDARD), toy_input(9))
    assert rejection(vk, replace(proof, body=other.body)) == LOOKUP


@pytest.mark.parametrize("cut", [32, 48, 500, 3000, 9000])
def test_two_true_proofs_spliced(cut: int) -> None:
    vk, proof = standard()
    _, _, other = honest(toy(STANDARD), toy_input(9))
    with pytest.raises((ProofRejected, ProofFormatError)):
        accepted(vk, replace(proof, body=proof.body[:cut] + other.body[cut : len(proof.body)]))


def test_a_registration_of_another_key() -> None:
    """A registration holds for one commitment and one program."""
    circuit, other = toy(STANDARD), toy(STANDARD, seed=5)
    (_, vk), (_, vk2) = keys(circuit), keys(other)
    _, proof = standard()
    with forgotten_registrations():
        assert rejection(replace(vk, registration=vk2.registration), proof) == ("registration", ": ".join(LOOKUP))
        accepted(vk, proof)
        # a key that was accepted does not vouch for one that differs in its registration, its commitment or its program
        assert rejection(replace(vk, registration=vk2.registration), proof)[0] == "registration"
        for damaged in (b"", vk.registration[:-1], vk.registration + b"\0"):
            with pytest.raises((ProofRejected, ProofFormatError)):
                accepted(replace(vk, registration=damaged), proof)


def test_a_registration_is_no_proof_of_a_run() -> None:
    vk, proof = standard()
    with pytest.raises((ProofRejected, ProofFormatError)):
        accepted(vk, replace(proof, body=vk.registration))


def replayed(change: Callable[[MaliciousTranscript], None]) -> tuple[str, str]:
    """A proof whose prover draws from a transcript that was changed after the statement was bound."""
    pk, vk = keys(toy(STANDARD))
    proving, _, _ = proving_of(pk, Claimed(values=run_graph(pk.program.graph, leaves_of(pk, toy_input()))), Lie())
    change(proving.transcript)
    body = proving.run()
    honest_proof = standard()[1]
    return rejection(vk, replace(honest_proof, body=body))


def test_challenges_replayed_from_a_fresh_transcript() -> None:
    """The prover starts from another domain, or draws every challenge as if nothing had been said before."""
    assert replayed(lambda transcript: Transcript.__init__(transcript, "ciro_zk native 0")) == LOOKUP

    def forgetful(transcript: MaliciousTranscript) -> None:
        words = type(transcript)._words

        def fresh(label: str, count: int) -> list[int]:
            return words(MaliciousTranscript("fresh", {}), label, count)

        transcript._words = fresh  # type: ignore[method-assign]

    assert replayed(forgetful)[0] in ("lookup", "grinding", "opening")


def test_messages_that_the_prover_does_not_absorb() -> None:
    """A prover that leaves a kind of message out of its hash draws other challenges than the verifier."""
    for label in ("witness root", "root denominator", "layer values", "accumulator values", "factor values", "clear message", "columns"):

        def silent(transcript: MaliciousTranscript, label: str = label) -> None:
            absorb = type(transcript).absorb

            def partly(name: str, data: bytes) -> None:
                if name != label:
                    absorb(transcript, name, data)

            transcript.absorb = partly  # type: ignore[method-assign]

        try:
            assert replayed(silent)[0] in ("lookup", "products", "opening", "grinding", "merkle"), label
        except ProofFormatError as error:  # at other positions, other siblings are missing
            assert (label, error.field) == ("columns", "siblings")


def test_a_proof_for_one_model_is_none_for_a_smaller_one() -> None:
    _, _, proof = honest(tiny(), tiny_input())
    vk, _ = standard()
    assert rejection(vk, proof) == ("statement", "the proof is for another program")
    with pytest.raises((ProofRejected, ProofFormatError)):
        accepted(vk, replace(standard()[1], body=proof.body))


def test_other_parameters() -> None:
    """A prover that answers fewer queries, or works less, for the same program: the parameters are in the hash from the start."""
    circuit = toy(STANDARD)
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, toy_input()))
    params = circuit.program.params

    def fewer(oracle: Oracle) -> Oracle:
        return replace(oracle, code=replace(oracle.code, num_queries=oracle.code.num_queries - 1))

    weaker = (
        replace(params, levels=tuple(tuple(fewer(oracle) for oracle in level) for level in params.levels)),
        replace(params, grinding_bits=params.grinding_bits - 1),
    )
    for other in weaker:
        program = replace(circuit.program)
        program.__dict__["params"] = other
        assert program.digest == circuit.program.digest
        assert rejection(vk, forge(pk, Claimed(values=values, program=program))) == LOOKUP
