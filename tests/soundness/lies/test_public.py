"""Public tensors that are not those of the witness, or not integers in their range."""

from __future__ import annotations

import numpy as np
import pytest
from soundness.attacks import argument, statement
from soundness.attacks.argument import toy_lie
from soundness.attacks.attempt import Attempt
from soundness.lies.toys import rejected, toy_values
from soundness.malicious import Claimed, accepted, forge, keys, leaves_of, outputs_of, run_graph
from soundness.verdicts import LOOKUP, OPENING, verdict
from strategies import passed_on, toy

from ciro_zk.errors import ProofRejected


def test_false_public_input() -> None:
    """The witness is another input's."""
    with pytest.raises(ProofRejected) as error:
        argument.false_input()()
    assert (error.value.stage, error.value.reason) == OPENING


@pytest.mark.parametrize("off", [1, -1, 50])
@pytest.mark.parametrize("index", [0, 11, 23])
def test_false_public_output(index: int, off: int) -> None:
    """The statement's output is off, the witness is honest."""
    values = toy_values()
    outputs = outputs_of(toy().graph, values)
    outputs["y"] = outputs["y"].copy()
    outputs["y"][index] += off if abs(outputs["y"][index] + off) <= 127 else -off
    assert rejected(values, outputs=outputs) == OPENING


@pytest.mark.parametrize("value", [128, -128, 1 << 40, -(1 << 63), (1 << 63) - 1])
def test_output_out_of_range(value: int) -> None:
    """Every encoding of an output beside the canonical one is out of its range."""
    values = toy_values()
    outputs = outputs_of(toy().graph, values)
    outputs["y"] = outputs["y"].copy()
    outputs["y"][5] = value
    assert rejected(values, outputs=outputs) == ("statement", "output 'y' is out of range")


def test_y_and_y_plus_p_do_not_both_pass() -> None:
    """Also where both are int64: outputs within 2^32 of 2^63."""
    circuit = statement.high_output()
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, np.array([0, 1, 2, 7])))
    assert accepted(vk, forge(pk, Claimed(values=values))).integer_outputs["z"][0] == 2**63 - 2**32 + 1
    with pytest.raises(ProofRejected) as error:
        statement.output_wrapped()()
    assert (error.value.stage, error.value.reason) == ("statement", "output 'z' is out of range")


def test_input_that_wraps() -> None:
    """Integers in int64 whose image in the field makes a small sum."""
    with pytest.raises(ProofRejected) as error:
        statement.input_wrapped()()
    assert (error.value.stage, error.value.reason) == ("statement", "input 'x' is out of range")


@pytest.mark.parametrize("false", [{"same"}, {"y"}, {"again"}, {"same", "y", "again"}, {"x"}], ids="-".join)
def test_a_tensor_that_is_public_twice(false: set[str]) -> None:
    """An input that is an output, one output under two names: each port is held to the tensor by itself."""
    pk, vk = keys(passed_on())
    x, other = np.array([-3, 0, 2, 7]), np.array([-3, 1, 2, 6])
    told, wrong = ({"same": value, "y": np.maximum(value, 0), "again": np.maximum(value, 0)} for value in (x, other))
    outputs = {name: (wrong if name in false else told)[name] for name in told}
    for run in (x, other):  # an honest run on what the input says, or on what the output says
        values = run_graph(pk.program.graph, leaves_of(pk, run))
        inputs = {"x": other if "x" in false else x}
        attempt = Attempt(vk, forge(pk, Claimed(values=values, inputs=inputs, outputs=outputs)))
        assert verdict(attempt) == OPENING
    values = run_graph(pk.program.graph, leaves_of(pk, x))
    assert accepted(vk, forge(pk, Claimed(values=values))).integer_outputs["same"].tolist() == x.tolist()


def test_output_of_the_witness_off_by_one() -> None:
    """The committed output is off too: its row is in no table."""
    for name, amount in (("y.out", -1), ("relu.out", 1), ("average.out", 1)):
        attempt = toy_lie({name: amount})
        with pytest.raises(ProofRejected) as error:
            attempt()
        assert (error.value.stage, error.value.reason, error.value.round) == (*LOOKUP, 0)
