"""A true proof of a batch, changed where a batch can be: every change is rejected, and the verdict says where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from strategies import toy, toy_input

import ciro_zk
from ciro_zk.params import STANDARD
from ciro_zk.proof import Proof

COUNT = 3


@cache
def made() -> tuple[ciro_zk.VerifyingKey, Proof]:
    pk, vk = ciro_zk.setup(toy(STANDARD))
    (proof,) = ciro_zk.prove_many(pk, [toy_input(i) / 128 for i in range(COUNT)], engine="serial", batch=COUNT)
    return vk, Proof.from_bytes(bytes(proof))


def output_changed(proof: Proof) -> Proof:
    outputs = {name: value.copy() for name, value in proof.outputs.items()}
    outputs["y"][1, 4] += 1 if outputs["y"][1, 4] < 127 else -1
    return replace(proof, outputs=outputs)


def input_changed(proof: Proof) -> Proof:
    inputs = {name: value.copy() for name, value in proof.inputs.items()}
    inputs["x"].reshape(COUNT, -1)[2, 5] ^= 1
    return replace(proof, inputs=inputs)


def swapped(proof: Proof) -> Proof:
    """Two inferences, each still true, in the other order."""
    order = [1, 0, 2]
    return replace(proof, inputs={"x": proof.inputs["x"][order]}, outputs={"y": proof.outputs["y"][order]})


def outputs_swapped(proof: Proof) -> Proof:
    return replace(proof, outputs={"y": proof.outputs["y"][[1, 0, 2]]})


def count_smaller(proof: Proof) -> Proof:
    return replace(proof, batch=COUNT - 1)


def count_larger(proof: Proof) -> Proof:
    return replace(proof, batch=COUNT + 1)


def count_one(proof: Proof) -> Proof:
    return replace(proof, batch=1)


def one_left_out(proof: Proof) -> Proof:
    """Count and tensors agree."""
    return replace(proof, batch=COUNT - 1, inputs={"x": proof.inputs["x"][: COUNT - 1]}, outputs={"y": proof.outputs["y"][: COUNT - 1]})


def one_repeated(proof: Proof) -> Proof:
    order = [0, 1, 2, 2]
    return replace(proof, batch=COUNT + 1, inputs={"x": proof.inputs["x"][order]}, outputs={"y": proof.outputs["y"][order]})


def first_alone(proof: Proof) -> Proof:
    return replace(proof, batch=1, inputs={"x": proof.inputs["x"][0]}, outputs={"y": proof.outputs["y"][0]})


def test_the_true_one_holds() -> None:
    vk, proof = made()
    verified = ciro_zk.verify(vk, proof, inputs=np.stack([toy_input(i) / 128 for i in range(COUNT)]))
    assert verified.statement.batch == COUNT
    for i in range(COUNT):
        inference = verified.inference(i)
        inference.check()
        np.testing.assert_array_equal(inference.integer_outputs["y"], proof.outputs["y"][i])


@pytest.mark.parametrize("change", [output_changed, input_changed, swapped, outputs_swapped, one_left_out, one_repeated, first_alone])
def test_other_public_tensors(change: Callable[[Proof], Proof]) -> None:
    vk, proof = made()
    with pytest.raises(ciro_zk.ProofRejected) as caught:
        ciro_zk.verify(vk, Proof.from_bytes(bytes(change(proof))))
    assert caught.value.stage == "lookup"
    assert caught.value.reason


@pytest.mark.parametrize("change", [count_smaller, count_larger, count_one])
def test_another_count_in_the_header(change: Callable[[Proof], Proof]) -> None:
    vk, proof = made()
    with pytest.raises(ciro_zk.ProofRejected, match="shape") as caught:
        ciro_zk.verify(vk, Proof.from_bytes(bytes(change(proof))))
    assert caught.value.stage == "statement"


def test_the_inputs_in_another_order() -> None:
    """The proof is true, but not about these inputs in this order."""
    vk, proof = made()
    given = np.stack([toy_input(i) / 128 for i in (1, 0, 2)])
    with pytest.raises(ciro_zk.ProofRejected, match="another input") as caught:
        ciro_zk.verify(vk, proof, inputs=given)
    assert caught.value.stage == "statement"


@pytest.mark.parametrize("field", ["index", "integer_inputs", "integer_outputs", "input_path", "output_path"])
def test_an_inference_addressed_alone(field: str) -> None:
    vk, proof = made()
    verified = ciro_zk.verify(vk, proof)
    mine, other = verified.inference(0), verified.inference(1)
    with pytest.raises(ciro_zk.ProofRejected) as caught:
        replace(mine, **{field: getattr(other, field)}).check()
    assert caught.value.stage == "statement"
