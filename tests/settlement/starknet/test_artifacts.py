"""The compiled contracts that the package holds are those of the sources, and small enough to be declared."""

from __future__ import annotations

import json

import pytest

from settlement.starknet import build

NAMES = list(build.contracts())


def test_every_contract_has_its_artefact() -> None:
    assert sorted(path.name for path in build.ARTIFACTS.glob("*")) == sorted(f"{name}.json.gz" for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_artefact_is_canonical_and_small(name: str) -> None:
    path = build.ARTIFACTS / f"{name}.json.gz"
    content = build.load(path)
    assert build.encode(content) == path.read_bytes()
    assert content["casm_felts"] == len(content["casm"]["bytecode"]) < build.MOST_FELTS
    assert content["contract"] == build.contracts()[name]
    assert json.loads(content["sierra"]["abi"])


@pytest.mark.parametrize("name", [pytest.param(name, id=f"{name}-starknet") for name in NAMES])
def test_an_artefact_is_that_of_the_sources(name: str, tools: None) -> None:
    assert build.compiled(name).read_bytes() == (build.ARTIFACTS / f"{name}.json.gz").read_bytes(), (
        f"{name} changed: run python settlement/starknet/build.py {name}"
    )
