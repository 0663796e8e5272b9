"""The statement must be bound: each field left out of the transcript lets a false statement pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from soundness.attacks import binding, samples
from soundness.attacks.attempt import Attempt, check_key
from soundness.checks.check import SUMS
from soundness.disabling import without
from soundness.malicious import Claimed, Lie, as_cells, commit_cells, forge, keys, leaves_of, outputs_of, run_graph
from soundness.verdicts import verdict
from strategies import QUIET, tensor_ids, toy, toy_input

from ciro_zk.commitment.proximity import agreement_squared
from ciro_zk.program.statement import Statement
from ciro_zk.verifier import Verified


@pytest.mark.parametrize(
    ("field", "attack"),
    [
        ("program digest", binding.replayed_program),
        ("model commitment", binding.chosen_weights),
        ("input digest", binding.chosen_input),
        ("output digest", binding.chosen_output),
    ],
)
def test_the_statement_must_be_bound(field: str, attack: Callable[[], Attempt], monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol that forgets to absorb a field of the statement has false statements accepted (weak Fiat-Shamir).

    Of the fields left: `preset` is part of the program digest, `batch` is always 1 so far.
    """
    attempt = attack()
    stage, reason = verdict(attempt)
    assert stage in ("lookup", "registration") and SUMS in reason
    without(monkeypatch, Statement, "bind", field)
    assert isinstance(attempt(), Verified)


def test_two_messages_are_close_to_the_weights_word() -> None:
    """The key of two minds is a good one: honest proofs hold under it. Only the sample tells the other weights from the registered."""
    circuit, vk = samples.listed(), samples.weights_of_two_minds()
    (word, other), (pk, _) = samples.both_weights(), keys(circuit)
    code = circuit.program.params.oracles[0].code
    over, under = agreement_squared(code.log_blowup, code.multiplicity)
    for weights in (pk.weights, other):
        codewords = commit_cells(circuit.program, as_cells(weights)).codewords
        agreeing = int((codewords == word.codewords).all(axis=0).sum())
        assert agreeing**2 * under >= over * codewords.shape[1] ** 2
    check_key(vk)
    values = run_graph(circuit.graph, leaves_of(pk, toy_input()))

    def honest(seed: int) -> Attempt:
        lie = Lie(padding=np.random.default_rng(seed))
        return Attempt(vk, forge(pk, Claimed(values=values, weights=word, sample=vk.weights_sample), lie))

    assert isinstance(samples.until(honest, lambda patch: None)(), Verified)
    tensor = circuit.graph.tensors[tensor_ids(circuit)["w2"]]
    assert other[tensor_ids(circuit)["w2"]].max() > tensor.high
    assert verdict(samples.other_weights())[0] == "opening"


def test_what_the_statement_attacks_claim_is_false() -> None:
    """The attacks above are on false statements indeed."""
    proof, honest = binding.chosen_input().proof, binding.wide()
    pk, _ = keys(honest)
    values = run_graph(honest.graph, leaves_of(pk, proof.inputs["x"]))
    assert not np.array_equal(outputs_of(honest.graph, values)["z"], proof.outputs["z"])
    proof = binding.chosen_output().proof
    values = run_graph(honest.graph, leaves_of(pk, proof.inputs["x"]))
    assert not np.array_equal(outputs_of(honest.graph, values)["z"], proof.outputs["z"])
    circuit = toy(QUIET)
    pk, _ = keys(circuit)
    proof = binding.chosen_weights().proof
    values = run_graph(circuit.graph, leaves_of(pk, proof.inputs["x"]))
    assert not np.array_equal(outputs_of(circuit.graph, values)["y"], proof.outputs["y"])
