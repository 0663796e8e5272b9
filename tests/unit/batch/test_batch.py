"""Batches: one proof for several inferences, each the same as alone and addressable alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from strategies import cell_indices

import ciro_zk as cz
from ciro_zk.circuit.graph import Graph, GraphBuilder
from ciro_zk.circuit.op import CircuitError
from ciro_zk.kernels import numba_kernels
from ciro_zk.lookup.tables import Clamp, Range
from ciro_zk.lookup.tables import Graph as FunctionGraph
from ciro_zk.ops import AxisMap, Combine, Conv, Divide, Hadamard, MatMul, Maximum, Requantise, Reshape, SquareRoot, Transpose
from ciro_zk.ops.batch import MAX_BATCH, batch_graph
from ciro_zk.params import TESTING
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.proof import Proof
from ciro_zk.verifier import verify
from ciro_zk.witness import Run, infer
from tests.strategies import ends


def every_operator() -> Circuit:
    """A graph with every operator that a compiled model has; the bias is virtual and depends on weights alone."""
    rng = np.random.default_rng(7)
    builder = GraphBuilder()
    limbs = builder.table(Range(bits=8))
    clamp = builder.table(FunctionGraph(function=Clamp(minimum=-31, maximum=31), low=-4000, high=4000))
    x = builder.input("x", (2, 1, 2, 5, 4), low=-31, high=31, scale=1 / 31)
    w = builder.weight("w", (1, 3, 2, 2, 2), low=-32, high=31)
    bias = builder.weight("bias", (1, 1, 3, 1, 1), low=-(1 << 11), high=(1 << 11) - 1)
    scale = builder.weight("scale", (1, 1, 3, 1, 1), low=-32, high=31)
    v = builder.weight("v", (3, 6, 2), low=-32, high=31)
    (acc,) = builder.add(Conv(inputs=(x, w), strides=(2, 1), pads_begin=(1, 0), pads_end=(0, 1), dilations=(1, 1)))
    n, _, o, h, width = builder.tensors[acc].shape
    wide = bias
    for axis, size in ((0, n), (3, h), (4, width)):
        (wide,) = builder.add(AxisMap(inputs=(wide,), axis=axis, index=((0,),) * size, weight=((1,),) * size))
    (total,) = builder.add(Combine(inputs=(acc, wide), coefficients=(1, 1), offset=3))
    a, *_ = builder.add(Requantise(inputs=(total,), shift=5, tables=(clamp,), range_table=limbs))
    (acc,) = builder.add(Hadamard(inputs=(a, scale)))
    b, *_ = builder.add(Requantise(inputs=(acc,), shift=3, tables=(clamp,), range_table=limbs))
    (m,) = builder.add(Maximum(inputs=(a, b), range_table=limbs))
    (flat,) = builder.add(Reshape(inputs=(m,), shape=(n, o, h * width)))
    (moved,) = builder.add(Transpose(inputs=(flat,), permutation=(1, 0, 2)))
    (cut,) = builder.add(AxisMap(inputs=(moved,), axis=2, index=tuple((i, i + 1) for i in range(6)), weight=((1, 1),) * 6))
    (acc,) = builder.add(MatMul(inputs=(cut, v)))
    c, *_ = builder.add(Requantise(inputs=(acc,), shift=7, tables=(clamp,), range_table=limbs))
    (turned,) = builder.add(Transpose(inputs=(c,), permutation=(0, 2, 1)))
    (acc,) = builder.add(MatMul(inputs=(turned, c)))
    pairs, *_ = builder.add(Requantise(inputs=(acc,), shift=6, tables=(clamp,), range_table=limbs))
    (squares,) = builder.add(Hadamard(inputs=(pairs, pairs)))
    root, *_ = builder.add(SquareRoot.of((squares,), (ends(builder.tensors[squares]),), limbs))
    (divisor,) = builder.add(Combine(inputs=(root,), coefficients=(1,), offset=1))
    (numerator,) = builder.add(Hadamard(inputs=(pairs, root)))
    y, *_ = builder.add(Divide.of((numerator, divisor), (ends(builder.tensors[numerator]), ends(builder.tensors[divisor])), limbs))
    builder.output("y", y, scale=0.5)
    shapes = {i: builder.tensors[i] for i in (w, bias, scale, v)}
    weights = {i: rng.integers(t.low, t.high + 1, t.shape) for i, t in shapes.items()}
    return Circuit(builder.build(), weights, "every operator", 6, preset=TESTING)


@pytest.fixture(scope="module")
def keys() -> tuple[ProvingKey, VerifyingKey]:
    return cz.setup(every_operator())


def runs_of(pk: ProvingKey, count: int) -> list[Run]:
    rng = np.random.default_rng(count)
    return [infer(pk, rng.uniform(-1, 1, (2, 1, 2, 5, 4))) for _ in range(count)]


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_a_batch_proves_the_inferences_alone(keys: tuple[ProvingKey, VerifyingKey], count: int) -> None:
    pk, vk = keys
    runs = runs_of(pk, count)
    proof = Proof.from_bytes(bytes(cz.prove(pk, runs)))
    verified = verify(vk, proof, allow_testing=True, inputs=np.stack([run.integer_inputs["x"] / 31 for run in runs]))
    assert verified.statement.batch == count
    for i, run in enumerate(runs):
        inference = verified.inference(i)
        assert np.array_equal(inference.integer_outputs["y"], run.integer_outputs["y"])
        assert np.array_equal(inference.integer_inputs["x"], run.integer_inputs["x"])
        alone = verify(vk, cz.prove(pk, run), allow_testing=True).statement
        replace(inference, statement=alone, index=0, input_path=(), output_path=()).check()


def test_a_batch_of_one_is_the_single_proof(keys: tuple[ProvingKey, VerifyingKey]) -> None:
    pk, _ = keys
    (run,) = runs_of(pk, 1)
    assert bytes(cz.prove(pk, [run])) == bytes(cz.prove(pk, run))


def test_the_kernels_do_not_show(keys: tuple[ProvingKey, VerifyingKey]) -> None:
    pk, _ = keys
    runs = runs_of(pk, 3)
    assert bytes(cz.prove(pk, runs, kernels=numba_kernels(threads=1))) == bytes(cz.prove(pk, runs, kernels=numba_kernels(threads=2)))


def test_accelerated_verification_agrees(keys: tuple[ProvingKey, VerifyingKey]) -> None:
    pk, vk = keys
    proof = cz.prove(pk, runs_of(pk, 3))
    assert verify(vk, proof, allow_testing=True).statement == verify(vk, proof, allow_testing=True, accelerate=True).statement
    outputs = {"y": proof.outputs["y"] + (proof.outputs["y"] < 0) - (proof.outputs["y"] >= 0)}
    for accelerate in (False, True):
        with pytest.raises(cz.ProofRejected):
            verify(vk, replace(proof, outputs=outputs), allow_testing=True, accelerate=accelerate)


def test_an_inference_is_bound_to_its_place(keys: tuple[ProvingKey, VerifyingKey]) -> None:
    pk, vk = keys
    verified = verify(vk, cz.prove(pk, runs_of(pk, 5)), allow_testing=True)
    inference = verified.inference(2)
    for forged in (
        replace(inference, index=3),
        replace(inference, index=5),
        replace(inference, index=-1),
        replace(inference, integer_outputs=verified.inference(3).integer_outputs),
        replace(inference, input_path=inference.input_path[:-1]),
        replace(inference, output_path=(bytes(32), *inference.output_path[1:])),
    ):
        with pytest.raises(cz.ProofRejected, match="digest") as caught:
            forged.check()
        assert caught.value.stage == "statement"
    with pytest.raises(cz.InputError, match="5 inferences"):
        verified.inference(5)


def test_swapped_inferences_and_another_count_are_rejected(keys: tuple[ProvingKey, VerifyingKey]) -> None:
    pk, vk = keys
    proof = cz.prove(pk, runs_of(pk, 4))
    swapped = {"y": proof.outputs["y"][[1, 0, 2, 3]]}
    with pytest.raises(cz.ProofRejected):
        verify(vk, replace(proof, outputs=swapped), allow_testing=True)
    both = replace(proof, outputs=swapped, inputs={"x": proof.inputs["x"][[1, 0, 2, 3]]})
    with pytest.raises(cz.ProofRejected):
        verify(vk, both, allow_testing=True)
    for batch in (3, 5, 1):
        with pytest.raises(cz.ProofRejected) as caught:
            verify(vk, replace(proof, batch=batch), allow_testing=True)
        assert caught.value.stage == "statement"
    shorter = replace(proof, batch=3, inputs={"x": proof.inputs["x"][:3]}, outputs={"y": proof.outputs["y"][:3]})
    with pytest.raises((cz.ProofRejected, cz.ProofFormatError)):
        verify(vk, shorter, allow_testing=True)


def test_sizes_out_of_bounds(keys: tuple[ProvingKey, VerifyingKey]) -> None:
    pk, _ = keys
    graph: Graph = pk.program.graph
    for size in (0, 1, MAX_BATCH + 1):
        with pytest.raises(CircuitError):
            batch_graph(graph, size)
    with pytest.raises(cz.InputError):
        cz.prove(pk, [])


def test_weights_and_tables_stay_as_they_are(keys: tuple[ProvingKey, VerifyingKey]) -> None:
    pk, _ = keys
    batched = pk.program.batched(6)
    assert batched.graph.tables == pk.program.graph.tables
    single = {pk.program.graph.tensors[i].name: cell_indices(pk.program.plan.weight_layout)[i] for i in pk.program.graph.weights}
    for i in batched.graph.weights:
        assert np.array_equal(cell_indices(batched.plan.weight_layout)[i], single[batched.graph.tensors[i].name])
    assert batched.params.oracles[0].code.log_columns == pk.program.params.oracles[0].code.log_columns
