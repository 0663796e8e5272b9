"""Random walks: on the ledger, whose invariants hold after every call, and again on the contracts, which must do the same."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from settlement.invariants import Invariants
from settlement.replay import Replay
from settlement.starknet.network import StarknetNetwork
from settlement.walk import Step, Walk, load, save, seeded

Populated = tuple[StarknetNetwork, tuple[int, int, int]]


def walk(seed: int, steps: int, *, keep: bool = True) -> Walk:
    """A walk whose invariants were checked after every call."""
    invariants = Invariants()
    found = invariants.bind(Walk(seeded(seed), invariants.after, keep))
    found.run(steps)
    return found


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_invariants_of_short_walks(data: st.DataObject) -> None:
    invariants = Invariants()
    drawn = Walk(lambda n: data.draw(st.integers(0, n - 1)), invariants.after)
    invariants.bind(drawn).run(60)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_invariants_of_a_long_walk(seed: int) -> None:
    """Of 100,000 calls in all; they come by everything that money does."""
    events: set[str] = set()
    invariants = Invariants()

    def watch(step: Step) -> None:
        invariants.after(step)
        events.update(name for _, name, _ in step.events)

    invariants.bind(Walk(seeded(seed), watch, keep=False)).run(25_000)
    assert events >= {"JobPaid", "JobRefunded", "Resolved", "Equivocated", "Slashed", "Withdrawn", "RewardClaimed", "Executed"}


def replayed(populated: Populated, found: Walk) -> Replay:
    network, snapshot = populated
    network.restore(snapshot)
    replay = Replay(network)
    for step in found.steps:
        replay.step(step)
    assert replay.views(found) > 1_000
    return replay


def test_the_contracts_do_as_the_ledger(populated_network: Populated) -> None:
    replay = replayed(populated_network, walk(7, 100))
    assert replay.codes[""] > 50


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20, 24))
def test_the_contracts_do_as_the_ledger_at_length(populated_network: Populated, seed: int) -> None:
    replay = replayed(populated_network, walk(seed, 2_000))
    assert len(replay.codes) > 40, "walks meet many refusals"


def test_a_trace_is_kept_as_json(tmp_path_factory: pytest.TempPathFactory) -> None:
    steps = walk(8, 30).steps
    path = tmp_path_factory.mktemp("trace") / "steps.json"
    save(steps, path)
    assert load(path) == steps


def test_a_walk_is_decided_by_its_seed() -> None:
    assert walk(5, 60).steps == walk(5, 60).steps
    assert walk(5, 60).steps != walk(6, 60).steps
