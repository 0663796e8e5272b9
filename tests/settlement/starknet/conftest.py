"""The Starknet machine for tests; skipped, with the reason, where its tools cannot be installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from settlement.starknet.machine import Machine

from settlement.starknet import build


@pytest.fixture(scope="session")
def tools() -> None:
    """The compiler and the VM."""
    if reason := build.missing():
        pytest.skip(reason)


@pytest.fixture(scope="session", params=["starknet"])
def session_machine(tools: None) -> Iterator[Machine]:
    with Machine() as machine:
        machine.block(number=1, time=1)
        machine.snapshot()
        yield machine


@pytest.fixture
def machine(session_machine: Machine) -> Machine:
    """An empty state at block 1."""
    session_machine.restore(0)
    return session_machine
