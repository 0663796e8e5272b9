"""Words that are close to two messages: only the sample says which is meant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from soundness.attacks.attempt import Attempt, check_key, unregistered
from soundness.disabling import without
from soundness.malicious import (
    Claimed,
    Lie,
    as_cells,
    commit_cells,
    forge,
    forged_registration,
    forgotten_registrations,
    keys,
    leaves_of,
    mixed,
    run_graph,
)
from strategies import LISTED, deep, tensor_ids, toy_input

from ciro_zk.circuit.claims import ClaimLedger
from ciro_zk.commitment import verifier as opening
from ciro_zk.commitment.prover import Committed
from ciro_zk.errors import ProofRejected
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import VerifyingKey
from ciro_zk.verifier import Checking


def until(make: Callable[[int], Attempt], disable: Callable[[pytest.MonkeyPatch], None]) -> Attempt:
    """The first attempt whose queries miss the columns that are another message's: a verifier without the check accepts it."""
    for seed in range(256):
        attempt = make(seed)
        with pytest.MonkeyPatch.context() as patch:
            disable(patch)
            try:
                attempt()
            except ProofRejected:
                continue
        return attempt
    raise AssertionError("no attempt is accepted")


def listed() -> Circuit:
    """Three queries an oracle: a word half of whose columns are another message's passes them often enough."""
    return deep(LISTED, 3)


def forget_sample(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """A verifier that leaves a sample of level 0 out of its ledger, and does not miss it."""

    def disable(patch: pytest.MonkeyPatch) -> None:
        without(patch, Checking, "check_samples", f"ledger.add('{name}'")
        without(patch, ClaimLedger, "take", "claims are missing")
        unregistered(patch)

    return disable


def forget_folds(patch: pytest.MonkeyPatch) -> None:
    """A verifier that leaves the samples of folded roots out of the claim."""
    without(patch, opening, "verify_opening", "added.append(SampleClaim", "claim + weight * value")
    unregistered(patch)


@cache
def weights_of_two_minds() -> VerifyingKey:
    """A key whose word is close to good weights and to others out of range: registered and sampled as the good ones, and accepted."""
    circuit = listed()
    program, (pk, _) = circuit.program, keys(circuit)
    cells = as_cells(pk.weights)
    word, _ = both_weights()
    for seed in range(256):
        vk = forged_registration(program, word, cells, Lie(padding=np.random.default_rng(seed)))
        with forgotten_registrations():
            try:
                check_key(vk)
                return vk
            except ProofRejected:
                continue
    raise AssertionError("no registration misses the other columns")


@cache
def both_weights() -> tuple[Committed, dict[int, Any]]:
    """The word, with the good cells; and the other weights."""
    circuit = listed()
    pk, _ = keys(circuit)
    w2 = tensor_ids(circuit)["w2"]
    other = dict(pk.weights) | {w2: pk.weights[w2].astype(np.int64) * 3 + 100}
    good, evil = (commit_cells(circuit.program, as_cells(weights)).cells for weights in (pk.weights, other))
    return mixed(circuit.program.params.oracles[0].code, good, evil, np.random.default_rng(5)), other


@cache
def other_weights() -> Attempt:
    """An inference with the weights that were not registered, under a commitment that is close to both."""
    circuit = listed()
    vk, (word, other), (pk, _) = weights_of_two_minds(), both_weights(), keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, toy_input()) | other)
    used = replace(word, cells=commit_cells(circuit.program, as_cells(other)).cells)

    def make(seed: int) -> Attempt:
        lie = Lie(padding=np.random.default_rng(seed), omit={0})
        return Attempt(vk, forge(pk, Claimed(values=values, weights=used, sample=vk.weights_sample), lie))

    return until(make, forget_sample("weights sample"))


def two_words(lie_of: Callable[[np.random.Generator], Lie], disable: Callable[[pytest.MonkeyPatch], None]) -> Attempt:
    """An honest run whose committed words are close to second messages, drawn until a verifier without the check accepts it."""
    circuit = listed()
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, toy_input()))
    return until(lambda seed: Attempt(vk, forge(pk, Claimed(values=values), lie_of(np.random.default_rng(seed)))), disable)


@cache
def other_witness() -> Attempt:
    """The witness' sample is that of another message which its word is close to."""
    return two_words(lambda rng: Lie(second_witness=rng, omit={1}), forget_sample("witness sample"))


@cache
def other_folds() -> Attempt:
    """The samples of the folded roots are those of other messages which their words are close to."""
    return two_words(lambda rng: Lie(second_fold=rng), forget_folds)
