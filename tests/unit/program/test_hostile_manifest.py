"""A manifest of little text cannot ask for much work: whatever is under the size limits is read in work bounded by them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ciro_zk.circuit import manifest, plan
from ciro_zk.circuit.graph import STEP, Graph
from ciro_zk.circuit.manifest import MAX_VALUES, canonical_json
from ciro_zk.errors import ProofFormatError
from ciro_zk.program.program import Program

Node = dict[str, Any]
ONE = (1.0).hex()
TABLES = [
    {"kind": "range", "bits": 4},
    {"kind": "graph", "low": -64, "high": 64, "function": {"kind": "clamp", "minimum": -8, "maximum": 7, "numerator": 1, "shift": 0}},
]


def read(nodes: list[Node], output: int) -> Program:
    graph = {"nodes": nodes, "tables": TABLES, "outputs": [{"name": "y", "tensor": output, "scale": ONE}]}
    return Program.from_manifest(canonical_json({"format": 2, "name": "h", "bits": 4, "preset": "testing", "graph": graph}))


def source(*shape: int) -> Node:
    return {"kind": "input", "name": "x", "shape": shape, "low": -8, "high": 7, "scale": ONE}


def requantised(tensor: int) -> Node:
    return {"kind": "requantise", "name": "n", "inputs": [tensor], "shift": 0, "tables": [1], "range_table": 0}


def mapped(tensor: int, rows: int, width: int = 1, weight: int = 1) -> Node:
    matrix = {"index": [[0] * width] * rows, "weight": [[weight] * width] * rows}
    return {"kind": "axis_map", "name": "n", "inputs": [tensor], "axis": 0, **matrix}


def doubled(tensor: int) -> Node:
    return {"kind": "combine", "name": "n", "inputs": [tensor, tensor], "coefficients": [1, -1], "offset": 0}


@contextmanager
def calls() -> Iterator[list[int]]:
    """How many functions, of Python or of C, are called."""
    count = [0]

    def seen(frame: Any, event: str, argument: Any) -> None:
        count[0] += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        yield count
    finally:
        sys.setprofile(before)


def test_the_honest_one_is_read() -> None:
    assert read([source(4), mapped(0, 8), doubled(1), requantised(2)], 3).graph.outputs[0].tensor == 3


@pytest.mark.parametrize(("rows", "width"), [(1 << 14, 1), (1, 1 << 14), (1 << 7, 1 << 7)])
def test_a_matrix_is_read_in_few_calls_an_entry(rows: int, width: int) -> None:
    with calls() as small:
        read([source(4), mapped(0, 4, weight=0), requantised(1)], 2)
    with calls() as large:
        read([source(4), mapped(0, rows, width, weight=0), requantised(1)], 2)
    assert large[0] - small[0] < 16 * 2 * rows * width


def test_values_are_counted_before_they_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda data: pytest.fail("parsed"))
    with pytest.raises(ProofFormatError, match=f"values, more than {MAX_VALUES}") as caught:
        Program.from_manifest(b"[" + b"0," * (MAX_VALUES + 1) + b"0]")
    assert caught.value.field == "manifest" and caught.value.remedy
    with pytest.raises(ProofFormatError, match=f"bytes, more than {manifest.MAX_BYTES}"):
        Program.from_manifest(b" " * (manifest.MAX_BYTES + 1))


@pytest.mark.parametrize(
    "nodes",
    [
        [source(4), *(doubled(i) for i in range(12)), *(requantised(12) for _ in range(300))],
        [source(4), mapped(0, 1 << 16), *(requantised(1) for _ in range(2100))],
        [source(1 << 16), mapped(0, 4), *(requantised(1) for _ in range(2100))],
    ],
    ids=["many ways", "a tall matrix used often", "a wide matrix used often"],
)
def test_all_forms_together_take_bounded_work(nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit of a 64th the 64th part of the uses is refused too, and no more steps are taken than that pays for."""
    limit = plan.MAX_FORM_WORK >> 6
    monkeypatch.setattr(plan, "MAX_FORM_WORK", limit)
    steps, resolve = [0], Graph.resolve

    def counted(*arguments: Any) -> Any:
        steps[0] += 1
        return resolve(*arguments)

    monkeypatch.setattr(Graph, "resolve", counted)
    few = [node for node in nodes if node["kind"] != "requantise"]
    tensor = len(few) - 1
    uses = (len(nodes) - len(few)) // 64 + 1
    with pytest.raises(ProofFormatError, match="more than"):
        read([*few, *(requantised(tensor) for _ in range(uses))], tensor + 1)
    assert steps[0] < 2 * limit // STEP + 100


def test_a_shape_alone_makes_no_weights() -> None:
    """An axis of 2^30 cells takes a few bytes of manifest, a form on it 16 GiB."""
    with pytest.raises(ProofFormatError, match="explicit weights"):
        read([source(1 << 30), mapped(0, 4), requantised(1)], 2)
    flat = {"kind": "reshape", "name": "n", "inputs": [0], "shape": (3 << 28,)}
    with pytest.raises(ProofFormatError, match="explicit weights"):
        read([source(3, 1 << 28), flat, mapped(1, 2), requantised(2)], 3)
