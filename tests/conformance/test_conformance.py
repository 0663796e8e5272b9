"""ONNX's backend tests, proven and verified: one for every operator in seconds, all of them in minutes."""

from __future__ import annotations

import pytest
from conformance.suite import KINDS, Case, cases, run

from ciro_zk.errors import UnsupportedOperator

MIN_SHARE = {"node": 0.9, "pytorch-converted": 0.95, "pytorch-operator": 0.9, "simple": 1.0}
"""Of the tests in scope that pass."""


def cells(test: Case) -> int:
    """How large a test is."""
    return sum(getattr(array, "size", 0) for inputs, outputs in test.data for array in (*inputs, *outputs))


def smallest() -> list[Case]:
    """The smallest test in scope of every operator that has any."""
    found: dict[str, Case] = {}
    for test in sorted(cases("node"), key=cells):
        if not test.excluded:
            found.setdefault(test.operator, test)
    return sorted(found.values(), key=lambda test: test.operator)


def test_every_operator() -> None:
    """What compiles passes; the rest is refused by name."""
    proven, failed = 0, {}
    for test in smallest():
        error = run(test).error
        proven += not error
        if error and not error.startswith(UnsupportedOperator.__name__):
            failed[test.name] = error
    assert not failed
    assert proven >= 100


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_all(kind: str) -> None:
    outcomes = {test.name: run(test).error for test in cases(kind) if not test.excluded}
    failed = {name: error[:200] for name, error in outcomes.items() if error}
    assert len(failed) <= (1 - MIN_SHARE[kind]) * len(outcomes), failed


def test_a_wrong_output_is_seen() -> None:
    """The measure itself: a deviation beyond the tolerance fails, and so does another type."""
    test = next(t for t in cases("node") if t.name == "test_relu")
    ((inputs, (wanted,)),) = test.data
    assert not run(test).error
    for changed in (wanted * 1.05, wanted.astype("float64"), wanted[None]):
        assert run(Case(test.kind, test.name, test.model, [(inputs, [changed])])).error
