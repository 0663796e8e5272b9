"""The quick VM against StarkWare's unchanged one, and what the client refuses before a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from settlement.starknet.machine import Machine, MachineError, Reverted

from settlement.starknet import build

HOLDER, OTHER, CONFIGURER = 0x401DE5, 0x07E5, 0xC0F


def record(machine: Machine) -> list[Any]:
    """What a few calls of every kind answered, their steps, and the storage that they left."""
    machine.restore(0)
    token = machine.deploy("token", HOLDER, CONFIGURER)
    functions = machine.deploy(build.compiled("arithmetic", build.PROBES))
    network = machine.deploy(build.compiled("network", build.PROBES))
    item = {"owner": 1, "amount": 2**200, "open": True}
    calls: list[Callable[[], Any]] = [
        lambda: token.invoke(HOLDER, "transfer", OTHER, 5),
        lambda: token.invoke(OTHER, "transfer", HOLDER, 6),
        lambda: token.invoke(OTHER, "burn", 1),
        lambda: token.invoke(HOLDER, "transfer", 1, raw=True),
        lambda: functions.invoke(0, "hash_words", (1, 2, 3)),
        lambda: functions.invoke(0, "fifth_root", 2**250 - 1),
        lambda: functions.invoke(0, "mul_div", 2**127, 2, 1),
        lambda: network.invoke(0, "poseidon", (1, 2, 3)),
        lambda: network.invoke(0, "pedersen", 1, 2),
        lambda: network.invoke(0, "stark_signature", *machine.ask("stark_signature", key=77, hash=88)),
        lambda: network.invoke(0, "ethereum_signature", 1, 2, 3, True, 4),
        lambda: network.invoke(0, "put_through", network, 1, item),
        lambda: network.invoke(0, "fail_through", network, 2, item),
    ]
    answers: list[Any] = []
    for call in calls:
        try:
            answers.append(call())
        except Reverted as error:
            answers.append((error.code, error.data, error.steps))
    return [*answers, token.storage(), functions.storage(), network.storage()]


def test_the_quick_vm_does_what_starkware_s_does(machine: Machine) -> None:
    quick = record(machine)
    machine.ask("exact", value=True)
    try:
        exact = record(machine)
    finally:
        machine.ask("exact", value=False)
    assert quick == exact


@pytest.mark.parametrize("arguments", [(1,), (1, 2, 3), (-1, 1), (1, 2**256), (2**252, 1), ("x", 1), (1, True)])
def test_arguments_that_do_not_fit_are_refused(machine: Machine, arguments: tuple[Any, ...]) -> None:
    token = machine.deploy("token", HOLDER, CONFIGURER)
    with pytest.raises(MachineError):
        token.invoke(HOLDER, "transfer", *arguments)


def test_an_unknown_entry_point_is_refused(machine: Machine) -> None:
    token = machine.deploy("token", HOLDER, CONFIGURER)
    with pytest.raises(MachineError, match="no entry point 'mint'"):
        token.invoke(HOLDER, "mint", 1)


def test_an_address_is_taken_once(machine: Machine) -> None:
    machine.deploy("token", HOLDER, CONFIGURER, address=0x70)
    with pytest.raises(MachineError, match="there is a contract"):
        machine.deploy("token", HOLDER, CONFIGURER, address=0x70)
