"""Several inferences in one proof: each is proven, and stays with its own input."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from soundness.attacks.argument import plus
from soundness.malicious import Claimed, Lie, accepted, forge, kernels, keys, leaves_of, outputs_of, run_graph
from soundness.verdicts import LOOKUP, OPENING, PRODUCTS
from strategies import tensor_ids, toy, toy_input

from ciro_zk.errors import InputError, ProofRejected
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.proof import Proof
from ciro_zk.prover import prove
from ciro_zk.witness import infer

SIZE = 3


def inputs() -> Any:
    return np.stack([toy_input(seed) for seed in range(2, 2 + SIZE)])


@cache
def graph() -> Any:
    return toy().program.batched(SIZE).graph


def values(overrides: Any = None) -> dict[int, Any]:
    pk, _ = keys(toy())
    return run_graph(graph(), leaves_of(pk, inputs(), batch=SIZE), overrides)


@cache
def proved() -> tuple[ProvingKey, VerifyingKey, Proof]:
    pk, vk = keys(toy())
    return pk, vk, forge(pk, Claimed(values=values(), batch=SIZE))


def rejection(proof: Proof) -> tuple[str, str]:
    with pytest.raises(ProofRejected) as error:
        accepted(proved()[1], proof)
    return error.value.stage, error.value.reason


def batched(name: str) -> int:
    """The id in the batched graph of a tensor of the toy: the nodes keep their order."""
    single = tensor_ids(toy())[name]
    node = next(i for i, n in enumerate(toy().graph.nodes) if single in n.outputs)
    kinds = [n.op.kind for n in toy().graph.nodes[: node + 1]]
    same = [n for n in graph().nodes if n.op.kind == kinds[-1]]
    found = same[kinds.count(kinds[-1]) - 1]
    return int(found.outputs[toy().graph.nodes[node].outputs.index(single)])


def test_the_batch_is_the_single_inferences() -> None:
    pk, vk, proof = proved()
    runs = [infer(pk, x / 128) for x in inputs()]
    assert bytes(prove(pk, runs, kernels=kernels())) == bytes(proof)
    verified = accepted(vk, proof, inputs=inputs() / 128)
    for i, run in enumerate(runs):
        assert np.array_equal(verified.inference(i).integer_outputs["y"], run.integer_outputs["y"])
    with pytest.raises(InputError):
        verified.inference(SIZE)


def test_random_padding() -> None:
    pk, vk, proof = proved()
    other = forge(pk, Claimed(values=values(), batch=SIZE), Lie(padding=np.random.default_rng(1)))
    assert other.body != proof.body
    accepted(vk, other)


@pytest.mark.parametrize("inference", range(SIZE))
def test_one_false_inference(inference: int) -> None:
    """Output claimed off, committed off, product off: in whichever inference, the batch is rejected."""
    pk = proved()[0]
    outputs = {"y": outputs_of(graph(), values())["y"].copy()}
    outputs["y"][inference, 3] -= 1
    assert rejection(forge(pk, Claimed(values=values(), outputs=outputs, batch=SIZE))) == OPENING
    for name, amount, verdict in (("relu.out", 1, LOOKUP), ("max.max", 1, PRODUCTS)):
        tensor = batched(name)
        cells = toy().graph.tensors[tensor_ids(toy())[name]].size
        lie = {tensor: plus(tensor, amount, slice(cells * inference, cells * inference + 1))}
        assert rejection(forge(pk, Claimed(values=values(lie), batch=SIZE))) == verdict


@pytest.mark.parametrize(("i", "j"), [(0, 1), (1, 2), (0, 2)])
def test_outputs_exchanged_between_inferences(i: int, j: int) -> None:
    order = list(range(SIZE))
    order[i], order[j] = j, i
    pk, _, proof = proved()
    assert rejection(replace(proof, outputs={"y": proof.outputs["y"][order]}))[0] in ("grinding", "lookup")
    claimed = Claimed(values=values(), outputs={"y": outputs_of(graph(), values())["y"][order]}, batch=SIZE)
    assert rejection(forge(pk, claimed)) == OPENING


def test_another_size_of_batch() -> None:
    _, _, proof = proved()
    for size in (1, 2, 4, 1 << 14):
        assert rejection(replace(proof, batch=size)) == ("statement", "input 'x' has another shape")
    for size in (0, -1, (1 << 14) + 1):
        stage, reason = rejection(replace(proof, batch=size))
        assert stage == "statement"
        assert "is not possible" in reason
    fewer = {"x": proof.inputs["x"][:2]}, {"y": proof.outputs["y"][:2]}
    assert rejection(replace(proof, batch=2, inputs=fewer[0], outputs=fewer[1]))[0] in ("grinding", "lookup")


def test_a_single_inference_taken_out_of_a_batch_is_no_proof() -> None:
    _, _, proof = proved()
    one = replace(proof, batch=1, inputs={"x": proof.inputs["x"][0]}, outputs={"y": proof.outputs["y"][0]})
    assert rejection(one)[0] in ("grinding", "lookup")


def test_one_inference_addressed_alone() -> None:
    verified = accepted(proved()[1], proved()[2])
    for i in range(SIZE):
        inference = verified.inference(i)
        inference.check()
        for changed in (
            replace(inference, integer_inputs=verified.inference((i + 1) % SIZE).integer_inputs),
            replace(inference, integer_outputs=inference.integer_inputs),
            replace(inference, index=(i + 1) % SIZE),
            replace(inference, index=-1),
            replace(inference, index=SIZE),
            replace(inference, input_path=inference.input_path[:-1]),
            replace(inference, output_path=(*inference.output_path, bytes(32))),
            replace(inference, output_path=inference.input_path),
        ):
            with pytest.raises(ProofRejected) as error:
                changed.check()
            assert error.value.stage == "statement"
