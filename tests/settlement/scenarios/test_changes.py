"""Parameters, upgrades and pauses change while jobs are under way: each ends as it began."""

from __future__ import annotations

import pytest
from settlement.world import ANYONE, CHALLENGER, CLIENT, PRICE, World

from ciro_zk.settlement.arithmetic import short_string
from ciro_zk.settlement.parameters import JobState, Vote

STATES = ("queued", "assigned", "acknowledged", "submitted", "sampled", "judged", "disputed")


def reached(world: World, state: str) -> int:
    """A job in that state."""
    job = world.submit()
    place = STATES.index(state)
    if place >= 1:
        worker = world.assign(job)
    if place >= 2:
        world.do(worker, "JobManager.acknowledge", job)
    if place >= 3:
        world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))
    if place >= 4:
        world.sample(job)
    if place >= 5:
        world.vote(job, dict.fromkeys(world.attesters(job), Vote.VERIFIED))
    if place >= 6:
        world.challenge(job)
    return job


def finished(world: World, job: int, state: str) -> int:
    """The rest of the job's life; gives its worker."""
    place = STATES.index(state)
    worker = world.job(job).worker if place >= 1 else world.assign(job)
    if place < 2:
        world.do(worker, "JobManager.acknowledge", job)
    if place < 3:
        world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))
    if place < 4 or place == 6:
        world.sample(job)
    if place < 5 or place == 6:
        world.vote(job, dict.fromkeys(world.attesters(job), Vote.VERIFIED))
    if place == 6:
        world.do(ANYONE, "ProofRegistry.resolve", job)
    else:
        world.wait(3601)
        world.do(ANYONE, "JobManager.finalise", job)
    return worker


def paid_in_full(world: World, worker: int, state: str) -> bool:
    each = PRICE // 100 // (7 if state == "disputed" else 3) * (7 if state == "disputed" else 3)
    bond = PRICE // 2 if state == "disputed" else 0
    return world.credit(worker) == bond + PRICE - PRICE * 250 // 10_000 - 10**18 - each


@pytest.mark.parametrize("state", STATES)
def test_a_fee_that_changes_does_not_reach_open_jobs(world: World, state: str) -> None:
    change = world.queued("JobManager", "set_parameter", short_string("platform_fee"), 1_000)
    job = reached(world, state)
    change()
    worker = finished(world, job, state)
    assert world.job(job).state == JobState.PAID and paid_in_full(world, worker, state)
    assert world.job(world.submit()).platform_fee == 1_000


@pytest.mark.parametrize("state", STATES)
def test_a_pause_does_not_hold_what_is_under_way(world: World, state: str) -> None:
    """A queued job waits, for at most three days; its client may have it back at once."""
    job = reached(world, state)
    world.pause()
    with world.refused("PAUSED"):
        world.submit()
    if state == "queued":
        world.wait(60, blocks=22)
        with world.refused("PAUSED"):
            world.do(ANYONE, "JobManager.assign", job)
        world.do(CLIENT, "JobManager.cancel", job)
        assert world.do(CLIENT, "JobManager.withdraw") == PRICE
        return
    worker = finished(world, job, state)
    assert paid_in_full(world, worker, state)
    assert world.do(worker, "JobManager.withdraw") > 0


def test_a_window_that_changes_does_not_reach_an_open_round(world: World) -> None:
    change = world.queued("ProofRegistry", "set_parameter", short_string("commit_window"), 600)
    job, _ = world.submitted()
    change()
    attesters = world.sample(job)
    world.wait(7_200)
    world.vote(job, dict.fromkeys(attesters, Vote.VERIFIED))
    other, _ = world.submitted()
    attesters = world.sample(other)
    world.wait(601)
    with world.refused("COMMIT_CLOSED"):
        world.commit(other, attesters[0], Vote.VERIFIED)


def test_a_parameter_stays_within_its_bounds(world: World) -> None:
    for name, value, code in (
        ("platform_fee", 1_001, "OUT_OF_BOUNDS"),
        ("minimum_payment", 10**15 - 1, "OUT_OF_BOUNDS"),
        ("unbonding", 1, "UNKNOWN_PARAMETER"),
    ):
        change = world.queued("JobManager", "set_parameter", short_string(name), value)
        with world.refused(code):
            change()
    with world.refused("NOT_GOVERNANCE"):
        world.do(ANYONE, "JobManager.set_parameter", short_string("platform_fee"), 0)


def test_a_challenger_in_a_pause(world: World) -> None:
    job = reached(world, "judged")
    world.pause()
    balance = world.balance(CHALLENGER)
    world.challenge(job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.do(CHALLENGER, "JobManager.withdraw") == PRICE
    assert world.balance(CHALLENGER) > balance and world.credit(CLIENT) == PRICE


@pytest.mark.parametrize("contract", ["JobManager", "ProofRegistry", "StakeVault", "CdcPool", "ModelRegistry"])
def test_nobody_but_a_vote_changes_code_or_parameters(world: World, contract: str) -> None:
    for account in (ANYONE, 1, 11, 1000):
        with world.refused("NOT_GOVERNANCE"):
            world.do(account, f"{contract}.upgrade", 5)


@pytest.mark.parametrize(("call", "arguments"), [("add_version", (1, 5)), ("freeze_version", (1,))])
def test_nobody_but_a_vote_changes_verifiers(world: World, call: str, arguments: tuple[int, ...]) -> None:
    with world.refused("NOT_GOVERNANCE"):
        world.do(ANYONE, f"ProofRegistry.{call}", *arguments)


def test_a_version_that_is_not_there_is_not_frozen(world: World) -> None:
    for version in (0, 2):
        freeze = world.queued("ProofRegistry", "freeze_version", version)
        with world.refused("UNKNOWN_SYSTEM"):
            freeze()
