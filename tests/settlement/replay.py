"""A walk's trace, again, on the contracts: the same codes, results and events, and at the end the same answer from every view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from settlement.starknet.network import StarknetNetwork
from settlement.walk import ACTORS, NEWCOMERS, Step, Walk
from settlement.world import REPORTERS, SIGNATURES, WORKERS

from ciro_zk.errors import SettlementError
from ciro_zk.settlement.arithmetic import short_string
from ciro_zk.settlement.ledger.types import ADDRESS_LIMIT
from ciro_zk.settlement.parameters import EPOCH, GOVERNED

MOST_ASKED = 150
"""Of one view: every so many-th of all combinations of what it may be asked."""


class Replay:
    """Steps on the contracts, compared one by one; counts by entry point and by code in `calls` and `codes`."""

    def __init__(self, network: StarknetNetwork) -> None:
        self.network, self.calls, self.codes = network, Counter[str](), Counter[str]()
        self.made = 0

    def step(self, step: Step) -> None:
        network = self.network
        network.advance(step.block - network.block, step.time - network.time)
        code, result, events = "", None, ()
        try:
            result, found = network.invoke(step.caller, step.contract, step.entry, *step.arguments)
            events = tuple((event.contract, event.name, event.fields) for event in found)
        except SettlementError as error:
            code = error.code or str(error)
        self.made += 1
        self.calls[f"{step.contract}.{step.entry}"] += 1
        self.codes[code] += 1
        expected = (step.code, step.result, step.events)
        assert (code, result, events) == expected, f"step {self.made}, {step}\ngave {code!r}, {result!r}, {events!r}"

    def views(self, walk: Walk) -> int:
        """Compares what every view answers about all that the walk knows; gives how many answers were compared."""
        count = 0
        self.network.advance(walk.ledger.block - self.network.block, walk.ledger.time - self.network.time)
        for call, arguments in questions(walk):
            contract, entry = call.split(".")
            answers = []
            for chain in (walk.ledger, self.network):
                try:
                    answers.append(chain.call(contract, entry, *arguments))
                except SettlementError as error:
                    answers.append(error.code)
            assert answers[0] == answers[1], f"{call}{arguments}: {answers[0]!r} on the ledger, {answers[1]!r} on the contracts"
            count += 1
        return count


def questions(walk: Walk) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every view with what it may be asked."""
    ledger = walk.ledger
    epoch = ledger.time // EPOCH
    accounts = sorted({*ACTORS, *ledger.addresses.values()})
    known: dict[str, Sequence[Any]] = {
        "job": walk.jobs,
        "model": walk.models,
        "request": range(1, 12 + len(walk.requests)),
        "proposal": range(max(walk.proposals, default=0) + 2),
        "operation": range(max(walk.operations, default=0) + 2),
        "worker": WORKERS + NEWCOMERS,
        "epoch": range(max(epoch - 8, 0), epoch + 1),
        "block": (0, ledger.block // 2, ledger.block - 1, ledger.block),
        "round": (0, 1, 2),
        "place": range(8),
        "version": range(6),
        "proof_system": (0, 1, 2),
        "key": [SIGNATURES.public_key(walk.signer(worker)) for worker in WORKERS + NEWCOMERS],
        "name": [short_string(name) for contract in GOVERNED.values() for name in contract],
        "seed": (1, 2**255),
        "first": (0, 60),
        "free": (0, 10**20),
        "capabilities": (0, 17),
        "positions": ((), WORKERS[:2]),
        "reporter": REPORTERS,
        "price": (1,),
    }
    for call, wanted in walk.noise:
        contract, entry = call.split(".")
        if getattr(getattr(type(ledger.contracts[contract]), entry), "kind", None) != "view":
            continue
        choices = [known.get(each.name, accounts if each.unsigned.limit == ADDRESS_LIMIT else (0, 1, 2)) for each in wanted]
        count = prod(map(len, choices))
        for place in range(0, count, -(-count // MOST_ASKED) or 1):
            arguments = []
            for options in choices:
                place, index = divmod(place, len(options))
                arguments.append(options[index])
            yield call, tuple(arguments)
