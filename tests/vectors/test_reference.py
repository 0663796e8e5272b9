"""A second verifier, written from the specification alone, follows the vectors step by step: the specification is complete."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from soundness.malicious import Claimed, forge, keys, leaves_of, outputs_of, run_graph
from strategies import passed_on

from ciro_zk.circuit.graph import GraphBuilder
from ciro_zk.lookup.tables import Clamp, Range
from ciro_zk.lookup.tables import Graph as GraphTable
from ciro_zk.ops import Combine, Divide, Hadamard, MatMul, OneHot, Requantise, Reshape, SquareRoot
from ciro_zk.params import TESTING
from ciro_zk.program.circuit import Circuit
from verifier.spec import opening, reference
from verifier.spec.make_vectors import FOLDER, honest_entry, proven
from verifier.spec.record import plan_entry


def entry(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_bytes())
    return found


def run(name: str, proof: bytes) -> tuple[list[str], list[str]]:
    value = entry(name)
    vk = (FOLDER / f"{name}.vkey").read_bytes()
    return reference.verify(vk, proof, value["plan"], value["key"]["plan"], value["key"]["manifest"])


@pytest.mark.parametrize("name", ["varied", "standard"])
def test_states(name: str) -> None:
    registration, proof = run(name, (FOLDER / f"{name}.proof").read_bytes())
    value = entry(name)
    assert registration == [step[3] for step in value["key"]["run"]["steps"]]
    assert proof == [step[3] for step in value["run"]["steps"]]


@pytest.mark.parametrize("name", ["blocks", "listed"])
def test_states_of_two_levels(name: str) -> None:
    assert run(name, (FOLDER / f"{name}.proof").read_bytes())[1] == [step[3] for step in entry(name)["run"]["steps"]]


def enclosed() -> Circuit:
    """A quotient and a root of accumulators; limbs that overlap; a square whose root divides it."""
    b = GraphBuilder()
    limbs = b.table(Range(bits=4))
    x = b.input("x", (2, 3), low=-40, high=40, scale=1.0)
    w = b.weight("w", (2, 3), low=-8, high=7)
    (square,) = b.add(Hadamard(inputs=(x, x)))
    root, *_ = b.add(SquareRoot.of((square,), ((np.array([0]), np.array([1600])),), limbs))
    (divisor,) = b.add(Combine(inputs=(root,), coefficients=(1,), offset=3))
    (product,) = b.add(Hadamard(inputs=(x, w)))
    ends = (np.array([-320]), np.array([320])), (np.array([3]), np.array([43]))
    quotient, *_ = b.add(Divide.of((product, divisor), ends, limbs))
    b.output("y", quotient, scale=1.0)
    return Circuit(b.build(), {w: np.arange(6).reshape(2, 3) - 3}, "enclosed", 4, preset=TESTING)


def rows() -> Circuit:
    """Rows of a table by public ids, one of them beyond the table."""
    b = GraphBuilder()
    limbs = b.table(Range(bits=4))
    identity = b.table(GraphTable(function=Clamp(minimum=-8, maximum=7), low=-48, high=48))
    ids = b.input("ids", (2, 3), low=-5, high=6, scale=1.0)
    w = b.weight("w", (1, 5, 3), low=-8, high=7)
    (hot,) = b.add(OneHot(inputs=(ids,), length=5), "hot")
    (flat,) = b.add(Reshape(inputs=(hot,), shape=(1, 6, 5)))
    (acc,) = b.add(MatMul(inputs=(flat, w)))
    y, *_ = b.add(Requantise(inputs=(acc,), shift=0, tables=(identity,), range_table=limbs))
    b.output("y", y, scale=1.0)
    return Circuit(b.build(), {w: np.arange(15).reshape(1, 5, 3) - 8}, "rows", 4, preset=TESTING)


@pytest.mark.parametrize("circuit", [enclosed, rows])
def test_operators_that_the_vectors_lack(circuit: Callable[[], Circuit]) -> None:
    _, vk, proof = proven(circuit())
    value = honest_entry(vk, proof)
    registration, states = reference.verify(vk, proof, value["plan"], value["key"]["plan"], value["key"]["manifest"])
    assert states == [step[3] for step in value["run"]["steps"]]
    assert registration == [step[3] for step in value["key"]["run"]["steps"]]


@pytest.mark.parametrize("port", ["x", "same", "y", "again", ""])
def test_tensors_that_are_public_twice(port: str) -> None:
    """An input that is an output, an output under two names: each port is held to the tensor by itself."""
    pk, vk = keys(passed_on())
    values = run_graph(pk.program.graph, leaves_of(pk, np.array([-3, 0, 2, 7])))
    outputs = outputs_of(pk.program.graph, values)
    public = {"x": outputs["same"], **outputs}
    if port:
        public[port] = public[port] + np.array([0, 1, 0, 0])
    inputs = {"x": public.pop("x")}
    proof = bytes(forge(pk, Claimed(values=values, inputs=inputs, outputs=public)))
    plans = plan_entry(pk.program), plan_entry(pk.program.registration), json.loads(pk.program.registration.manifest)
    if port:
        with pytest.raises(reference.Refused) as error:
            reference.verify(bytes(vk), proof, *plans)
        assert error.value.args == ("rejected", "opening")
    else:
        reference.verify(bytes(vk), proof, *plans)


LATER = ["input", "witness-root", "zero-denominator", "layer-value", "accumulator", "factor", "clear-message", "column", "sibling", "nonce",
         "truncated", "trailing", "not-canonical", "model", "range", "checksum"]  # fmt: skip


@pytest.mark.parametrize("name", LATER)
def test_false_proofs(name: str) -> None:
    wanted = json.loads((FOLDER / "false" / "verdicts.json").read_bytes())[f"{name}.proof"]
    with pytest.raises(reference.Refused) as error:
        run("varied", (FOLDER / "false" / f"{name}.proof").read_bytes())
    assert error.value.args == (wanted["verdict"], wanted.get("stage", wanted.get("field")))


def test_the_library_is_not_imported() -> None:
    code = "import sys, verifier.spec.reference; print([m for m in sys.modules if m.split('.')[0] in ('ciro_zk', 'numpy')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=FOLDER.parents[2], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_levels() -> None:
    """A second choice of the levels, from section 7 alone, is the library's everywhere: both compute in integers."""
    for listed in json.loads((FOLDER / "levels.json").read_bytes())["entries"]:
        weights, witness = listed["num_vars"]
        sizes = opening.Sizes(log_leaves=witness + 1, columns=3, rounds=weights, degree=3, products=4, zero_checks=2, claims=14)
        first = tuple(listed["first"]) if listed["first"] else None
        found = opening.opening(opening.PRESETS[listed["preset"]], (weights, witness), sizes, first)
        assert found is not None
        levels, fold_work = found
        assert [[list(oracle) for oracle in level] for level in levels] == listed["levels"], listed
        assert fold_work == listed["fold_grinding_bits"]
