"""Hostile programs: chains of views, numbers and names that do not fit, deep JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from strategies import tiny

from ciro_zk.circuit.manifest import canonical_json
from ciro_zk.errors import ProofFormatError
from ciro_zk.program.program import Program


def edited(edit: Callable[[dict[str, Any]], None]) -> bytes:
    """tiny's manifest after an edit, written canonically."""
    value = json.loads(tiny().program.manifest)
    edit(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def node(value: dict[str, Any], kind: str) -> Any:
    return next(n for n in value["graph"]["nodes"] if n["kind"] == kind)


def inserted(views: list[dict[str, Any]]) -> Callable[[dict[str, Any]], None]:
    """Views put between the input and the product."""

    def edit(value: dict[str, Any]) -> None:
        nodes = value["graph"]["nodes"]
        at = nodes.index(node(value, "matmul"))
        nodes[at:at] = views
        last = 1 + len(views)
        node(value, "matmul")["inputs"] = [last, 1]
        node(value, "requantise")["inputs"] = [last + 1]
        value["graph"]["outputs"][0]["tensor"] = last + 2

    return edit


def reshape(source: int) -> dict[str, Any]:
    return {"kind": "reshape", "name": "", "inputs": [source], "shape": [1, 1, 4]}


def twice(source: int) -> dict[str, Any]:
    return {"kind": "combine", "name": "", "inputs": [source, source], "coefficients": [1, 0], "offset": 0}


@pytest.mark.parametrize("count", [1, 10, 100])
def test_chains_of_views(count: int) -> None:
    program = Program.from_manifest(edited(inserted([reshape(0 if i == 0 else 1 + i) for i in range(count)])))
    assert program.digest != tiny().program.digest


@pytest.mark.parametrize(
    "views",
    [
        [reshape(0 if i == 0 else 1 + i) for i in range(3000)],
        [twice(0 if i == 0 else 1 + i) for i in range(40)],
        [{"kind": "axis_map", "name": "", "inputs": [0], "axis": 2, "index": [[0]] * 4, "weight": [[1 << 63]] * 4}],
        [{"kind": "axis_map", "name": "", "inputs": [0], "axis": 2, "index": [[0]] * 4, "weight": [[-(1 << 63)]] * 4}],
        [{"kind": "axis_map", "name": "", "inputs": [0], "axis": 2, "index": [[-1]] * 4, "weight": [[1]] * 4}],
        [{"kind": "reshape", "name": "", "inputs": [0], "shape": [-1, -1, 4]}],
        [{"kind": "reshape", "name": "", "inputs": [0], "shape": []}],
        [{"kind": "transpose", "name": "", "inputs": [0], "permutation": [0, 0, 2]}],
        [{"kind": "combine", "name": "", "inputs": [], "coefficients": [], "offset": 0}],
    ],
    ids=["long", "exponential", "2^63", "-2^63", "index", "negative", "empty", "permutation", "nothing"],
)
def test_hostile_views(views: list[dict[str, Any]]) -> None:
    with pytest.raises(ProofFormatError):
        Program.from_manifest(edited(inserted(views)))


def test_names_that_cannot_be_encoded() -> None:
    for edit in (
        lambda value: value.update(name="\ud800"),
        lambda value: value["graph"]["outputs"][0].update(name="\udfff"),
        lambda value: node(value, "input").update(name="\ud800"),
    ):
        with pytest.raises(ProofFormatError):
            Program.from_manifest(edited(edit))


@pytest.mark.parametrize("depth", [3, 6, 300, 900, 5000, 100_000])
def test_deep_json(depth: int) -> None:
    """Deeper than any field, than Python's recursion, than the parser's."""
    manifest = tiny().program.manifest.replace(b'"bits":4,"kind":"range"', b'"bits":' + b"[" * depth + b"]" * depth + b',"kind":"range"')
    assert manifest != tiny().program.manifest
    with pytest.raises(ProofFormatError):
        Program.from_manifest(manifest)


def test_canonical_json_refuses_what_has_no_form() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            canonical_json({"a": value})
