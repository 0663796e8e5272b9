"""Public tensors: quantisation, and what is refused with name, index and value."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import tiny, two_ports

from ciro_zk.circuit.graph import Port
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.errors import InputError, ProofRejected
from ciro_zk.program.public import by_name, check_given, check_public, quantise
from ciro_zk.program.statement import inference_digests, statement_of, tensors_digest
from ciro_zk.witness import infer

PORT = Port(name="x", tensor=0, scale=0.5)
TENSOR = Tensor(name="x", shape=(2, 3), storage=Storage.INPUT, low=-8, high=7, bounded_by="")
ZEROS = np.zeros((2, 3))


def with_value(value: float) -> np.ndarray:
    array = ZEROS.copy()
    array[1, 2] = value
    return array


# Quantisation --------------------------------------------------------------------------------------------------------------------------


def test_ties_go_upward() -> None:
    values = np.array([[0.25, -0.25, 0.75], [-0.75, 3.5, -4.0]])
    assert quantise(PORT, TENSOR, values).tolist() == [[1, 0, 2], [-1, 7, -8]]


@given(st.integers(-8 * 64 + 32, 7 * 64 + 31), st.integers(-6, 3))
def test_quantisation_is_the_floor_of_a_half_more(numerator: int, exponent: int) -> None:
    """For scales that are powers of two, where the division is exact."""
    scale = 2.0**exponent
    value = numerator / 64 * scale
    port = Port(name="x", tensor=0, scale=scale)
    expected = floor(Fraction(value) / Fraction(scale) + Fraction(1, 2))
    if -8 <= expected <= 7:
        assert quantise(port, TENSOR, with_value(value))[1, 2] == expected


@pytest.mark.parametrize("value", [3.75, 4.0, -4.26, 1e30, -1e30])
def test_a_value_outside_the_range_is_named_not_clamped(value: float) -> None:
    with pytest.raises(InputError, match="outside the declared range") as caught:
        quantise(PORT, TENSOR, with_value(value))
    assert (caught.value.field, caught.value.index, caught.value.value) == ("x", (1, 2), value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(value: float) -> None:
    with pytest.raises(InputError, match="not finite") as caught:
        quantise(PORT, TENSOR, with_value(value))
    assert (caught.value.field, caught.value.index) == ("x", (1, 2))


def test_unit_axes_may_be_added_or_left_out_and_nothing_else() -> None:
    assert quantise(PORT, TENSOR, ZEROS.reshape(1, 2, 3)).shape == (2, 3)
    assert quantise(PORT, TENSOR, ZEROS.reshape(2, 1, 3, 1)).shape == (2, 3)
    for shape in ((3, 2), (6,), (1, 6)):
        with pytest.raises(InputError, match="has shape"):
            quantise(PORT, TENSOR, ZEROS.reshape(shape))
    with pytest.raises(InputError, match="has shape"):
        quantise(PORT, TENSOR, np.zeros((2, 4)))


# Names and types -------------------------------------------------------------------------------------------------------------------------

PORTS = (PORT, Port(name="b", tensor=1, scale=1.0))


def test_one_input_needs_no_name() -> None:
    assert by_name("input", PORTS[:1], ZEROS)["x"].dtype == np.float64
    with pytest.raises(InputError, match="the model has 2 inputs") as caught:
        by_name("input", PORTS, ZEROS)
    assert "x, b" in caught.value.remedy


@pytest.mark.parametrize("given_names", [(), ("x",), ("x", "c"), ("x", "b", "c")])
def test_exactly_the_models_names(given_names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="the model has"):
        by_name("input", PORTS, dict.fromkeys(given_names, ZEROS))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.int64, np.float16, np.float32, np.float64])
def test_numbers_of_every_type_are_taken(dtype: Any) -> None:
    assert by_name("input", PORTS[:1], np.ones((2, 3), dtype=dtype))["x"].tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize("value", [np.array(["a"]), np.array([1j]), np.array([None]), np.array(["2020"], dtype="M8[Y]")])
def test_other_types_are_refused(value: np.ndarray) -> None:
    with pytest.raises(InputError, match="has type"):
        by_name("input", PORTS[:1], value)


# The verifier's checks -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "not those of the program"),
        ({"z": np.zeros((2, 3), dtype=np.int64)}, "not those of the program"),
        ({"x": np.zeros((2, 3), dtype=np.int64), "z": np.zeros(1, dtype=np.int64)}, "not those of the program"),
        ({"x": np.zeros((3, 2), dtype=np.int64)}, "another shape"),
        ({"x": np.full((2, 3), 8)}, "out of range"),
        ({"x": np.full((2, 3), -9)}, "out of range"),
        ({"x": np.full((2, 3), -(1 << 63))}, "out of range"),
    ],
)
def test_public_tensors_of_a_proof(values: dict[str, np.ndarray], reason: str) -> None:
    with pytest.raises(ProofRejected, match=reason) as caught:
        check_public("input", (PORT,), (TENSOR,), values)
    assert caught.value.stage == "statement"


def test_public_tensors_in_range_pass() -> None:
    check_public("input", (PORT,), (TENSOR,), {"x": np.array([[-8, 7, 0]] * 2)})


def test_given_values_are_those_of_the_statement() -> None:
    proven = {"x": np.array([[1, 2, 3], [4, 5, 6]])}
    check_given("input", (PORT,), (TENSOR,), proven, proven["x"] * 0.5)
    check_given("input", (PORT,), (TENSOR,), proven, {"x": (proven["x"] * 0.5).astype(np.float32)})
    other = proven["x"] * 0.5
    other[1, 0] += 0.5
    with pytest.raises(ProofRejected, match=r"about another input: 'x' differs at index \(1, 0\)") as caught:
        check_given("input", (PORT,), (TENSOR,), proven, other)
    assert (caught.value.expected, caught.value.actual) == (2.5, 2.0)


@pytest.mark.parametrize("value", [3.75, -1e30])
def test_a_given_value_that_no_proof_could_be_about_is_rejected_like_any_other(value: float) -> None:
    """Out of the declared range: a verdict on the proof, not an error of the caller's."""
    with pytest.raises(ProofRejected, match=r"differs at index \(1, 2\)"):
        check_given("output", (PORT,), (TENSOR,), {"x": np.zeros((2, 3), dtype=np.int64)}, with_value(value))
    with pytest.raises(InputError, match="not finite"):
        check_given("output", (PORT,), (TENSOR,), {"x": np.zeros((2, 3), dtype=np.int64)}, with_value(np.nan))


# Inference and statement -----------------------------------------------------------------------------------------------------------------


def test_infer_dequantises_in_graph_order() -> None:
    circuit = two_ports()
    run = infer(circuit, {"b": np.full((2, 3), 1.0), "a": np.full((2, 3), -0.5)})
    assert list(run.integer_inputs) == ["a", "b"] and list(run.outputs) == ["y", "z"]
    assert run.integer_inputs["a"].tolist() == [[-1] * 3] * 2
    assert run.integer_outputs["y"].tolist() == [[2] * 3] * 2  # (-1 + 2 * 2 + 1) >> 1
    assert run.outputs["z"].tolist() == [[5.0] * 3] * 2
    assert run.device == "cpu"
    with pytest.raises(InputError, match="cannot run on 'cuda'"):
        infer(circuit, {"a": ZEROS, "b": ZEROS}, device="cuda")


def test_the_statement_is_of_these_tensors_under_these_names() -> None:
    program = tiny().program
    run = infer(tiny(), np.zeros((1, 1, 4)))
    statement = statement_of(program, bytes(32), run.integer_inputs, run.integer_outputs)
    graph = program.graph
    assert statement.program_digest == program.digest and statement.preset == "testing" and statement.batch == 1
    assert statement.input_digest == tensors_digest(graph.inputs, graph.tensors, run.integer_inputs)
    assert statement.output_digest == tensors_digest(graph.outputs, graph.tensors, run.integer_outputs)


def test_the_digest_of_tensors_binds_names_shapes_and_cells() -> None:
    def digest(name: str, shape: tuple[int, ...], cells: list[int]) -> bytes:
        tensor = Tensor(name="", shape=shape, storage=Storage.INPUT, low=-9, high=9, bounded_by="")
        return tensors_digest((Port(name=name, tensor=0, scale=1.0),), (tensor,), {name: np.array(cells).reshape(shape)})

    assert digest("x", (2, 2), [1, 2, 3, 4]) == digest("x", (2, 2), [1, 2, 3, 4])
    digests = {
        digest("x", (2, 2), [1, 2, 3, 4]),
        digest("x", (2, 2), [1, 2, 4, 3]),
        digest("x", (2, 2), [1, 2, 3, -4]),
        digest("x", (4,), [1, 2, 3, 4]),
        digest("x", (1, 4), [1, 2, 3, 4]),
        digest("y", (2, 2), [1, 2, 3, 4]),
        tensors_digest((), (), {}),
    }
    assert len(digests) == 7


def test_a_batch_has_a_digest_each() -> None:
    values = {"x": np.arange(12).reshape(2, 2, 3)}
    each = inference_digests((PORT,), (TENSOR,), values, 2)
    assert each == [tensors_digest((PORT,), (TENSOR,), {"x": values["x"][i]}) for i in range(2)]
