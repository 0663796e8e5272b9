"""Chains of proofs: a state comes out as it goes in, and a chain that skips, repeats, swaps or foists a step is refused."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper
from unit.compiler.checks import floats, model

import ciro_zk as cz
from ciro_zk.errors import InputError, ProofRejected

Array = NDArray[np.float64]
STATE = {"h": "hn"}
STEPS = 4
ZERO = {"h": np.zeros((1, 5))}


def step(seed: int = 0) -> onnx.ModelProto:
    """hn = 3 tanh(x W + h R), y = hn V."""
    rng = np.random.default_rng(seed)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["xw"]),
        helper.make_node("MatMul", ["h", "r"], ["hr"]),
        helper.make_node("Add", ["xw", "hr"], ["sum"]),
        helper.make_node("Tanh", ["sum"], ["t"]),
        helper.make_node("Mul", ["t", "three"], ["hn"]),
        helper.make_node("MatMul", ["hn", "v"], ["y"]),
    ]
    constants = {"w": floats(rng, 3, 5), "r": floats(rng, 5, 5), "v": floats(rng, 5, 2), "three": np.float32(3)}
    return model(nodes, {"x": (1, 3), "h": (1, 5)}, constants, outputs=("y", "hn"))


def data() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(1)
    return {"x": floats(rng, 20, 3), "h": np.clip(floats(rng, 20, 5), -3, 3)}


@cache
def keys(seed: int = 0) -> tuple[cz.ProvingKey, cz.VerifyingKey]:
    return cz.setup(cz.compile(step(seed), data(), state=STATE))


@cache
def proofs() -> tuple[cz.Proof, ...]:
    """One per step."""
    pk, _ = keys()
    found, h = [], ZERO["h"]
    for x in data()["x"][:STEPS]:
        run = cz.infer(pk, {"x": x[None], "h": h})
        found.append(cz.prove(pk, run))
        h = run.outputs["hn"]
    return tuple(found)


def rejected(chain: Sequence[cz.Proof], seed: int = 0, **options: dict[str, Array]) -> ProofRejected:
    with pytest.raises(ProofRejected) as caught:
        cz.verify_chain(keys(seed)[1], chain, state=STATE, **options)
    return caught.value


def test_a_state_has_one_scale() -> None:
    graph = keys()[0].program.graph
    (h,) = [port for port in graph.inputs if port.name == "h"]
    (hn,) = [port for port in graph.outputs if port.name == "hn"]
    assert h.scale == hn.scale
    assert graph.tensors[hn.tensor].high <= graph.tensors[h.tensor].high


def test_an_honest_chain_holds() -> None:
    verdicts = cz.verify_chain(keys()[1], proofs(), state=STATE, initial=ZERO)
    assert len(verdicts) == STEPS
    for before, after in itertools.pairwise(verdicts):
        assert np.array_equal(before.integer_outputs["hn"], after.integer_inputs["h"])
    assert cz.verify_chain(keys()[1], proofs()[1:3], state=STATE)


def test_batches_are_steps_in_order() -> None:
    pk, vk = keys()
    runs, h = [], ZERO["h"]
    for x in data()["x"][:3]:
        runs.append(cz.infer(pk, {"x": x[None], "h": h}))
        h = runs[-1].outputs["hn"]
    assert len(cz.verify_chain(vk, [cz.prove(pk, runs[:2]), cz.prove(pk, runs[2])], state=STATE, initial=ZERO)) == 2
    error = rejected([cz.prove(pk, runs[1::-1])])
    assert error.stage == "chain" and "proof 0, inference 1" in error.reason


@pytest.mark.parametrize(
    ("order", "position"), [((0, 2, 3), 1), ((0, 2, 1, 3), 1), ((0, 1, 1, 2), 2), ((0, 1, 2, 1), 3)], ids=["skip", "swap", "repeat", "back"]
)
def test_another_order_is_rejected(order: tuple[int, ...], position: int) -> None:
    error = rejected([proofs()[i] for i in order])
    assert error.stage == "chain" and f"proof {position} of the chain: 'h' is not the state of the step before" in error.reason


def test_another_start_is_rejected() -> None:
    error = rejected(proofs()[1:], initial=ZERO)
    assert error.stage == "chain" and "proof 0 of the chain: 'h' is not the initial state" in error.reason


def test_a_proof_under_another_key_is_rejected_with_its_position() -> None:
    pk, _ = keys(1)
    run = cz.infer(pk, {"x": data()["x"][:1], "h": ZERO["h"]})
    foreign = cz.prove(pk, run)
    error = rejected([proofs()[0], foreign])
    assert error.stage == "statement" and error.reason.startswith("proof 1 of the chain: the proof is for another")


def test_a_false_proof_is_rejected_with_its_position() -> None:
    honest = proofs()[1]
    false = replace(honest, outputs={**honest.outputs, "y": honest.outputs["y"] + 1})
    error = rejected([proofs()[0], false, proofs()[2]])
    assert error.stage != "chain" and error.reason.startswith("proof 1 of the chain: ")


def test_a_foisted_state_is_rejected() -> None:
    """The prover starts the second step from a state of its own: a true proof of another statement."""
    pk, _ = keys()
    state = cz.verify(keys()[1], proofs()[0]).outputs["hn"]
    run = cz.infer(pk, {"x": data()["x"][1:2], "h": state + pk.program.graph.inputs[1].scale})
    error = rejected([proofs()[0], cz.prove(pk, run)])
    assert error.stage == "chain" and "proof 1" in error.reason and "differs in cell 0" in error.reason


@pytest.mark.parametrize(
    ("state", "field"), [({}, "state"), ({"z": "hn"}, "state['z']"), ({"h": "z"}, "state['h']"), ({"x": "hn"}, "state['x']")]
)
def test_links_must_fit(state: dict[str, str], field: str) -> None:
    with pytest.raises(InputError) as caught:
        cz.verify_chain(keys()[1], proofs(), state=state)
    assert caught.value.field == field
    if state:
        with pytest.raises(InputError) as caught:
            cz.compile(step(), data(), state=state)
        assert caught.value.field == field


def test_an_unlinked_circuit_is_refused() -> None:
    _, vk = cz.setup(cz.compile(step(), data()))
    with pytest.raises(InputError, match="compile the model with the same state="):
        cz.verify_chain(vk, proofs(), state=STATE)


def test_other_misuse() -> None:
    with pytest.raises(InputError, match="at least one proof"):
        cz.verify_chain(keys()[1], [], state=STATE)
    with pytest.raises(InputError, match="no input that takes a state"):
        cz.verify_chain(keys()[1], proofs(), state=STATE, initial={"x": np.zeros((1, 3))})
    with pytest.raises(InputError, match="the range of a state follows"):
        cz.compile(step(), data(), input_range={"h": (-3, 3)}, state=STATE)


def test_a_stored_calibration_gives_the_same_circuit() -> None:
    circuit = cz.compile(step(), data(), state=STATE)
    again = cz.compile(step(), circuit.calibration, state=STATE)
    assert again.program.digest == circuit.program.digest
