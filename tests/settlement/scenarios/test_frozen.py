"""A verifier version found unsound is frozen: its open jobs are refunded without slashing, whatever state they are in."""

from __future__ import annotations

import pytest
from settlement.world import ANYONE, CLIENT, PRICE, WORKERS, World

from ciro_zk.settlement.parameters import JobState, Vote

BEFORE = {
    "queued": "NOT_EXPIRED",
    "assigned": "WRONG_STATE",
    "acknowledged": "WRONG_STATE",
    "submitted": "NOT_EXPIRED",
    "judged": "VERDICT_EXISTS",
}
"""What `expire` says of a job in each state while its verifier version is sound."""


def reached(world: World, state: str) -> int:
    """A job in that state."""
    job = world.submit()
    if state == "queued":
        return job
    worker = world.assign(job)
    if state == "assigned":
        return job
    world.do(worker, "JobManager.acknowledge", job)
    if state == "acknowledged":
        return job
    world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))
    if state == "judged":
        world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    return job


@pytest.mark.parametrize("state", BEFORE)
def test_an_open_job_is_refunded_at_once(world: World, state: str) -> None:
    freeze = world.freeze()
    job = reached(world, state)
    with world.refused(
        "VERDICT_EXISTS" if state == "judged" else "WRONG_STATE" if state in ("assigned", "acknowledged") else "NOT_EXPIRED"
    ):
        world.do(ANYONE, "JobManager.expire", job)
    stakes = [world.stake(worker) for worker in WORKERS]
    freeze()
    world.do(ANYONE, "JobManager.expire", job)
    assert world.job(job).state == JobState.REFUNDED and world.credit(CLIENT) == PRICE
    assert [world.stake(worker) for worker in WORKERS] == stakes
    assert all(world.see("StakeVault.pool_of", worker)[4] == 0 for worker in WORKERS), "the bond is free"


def test_an_acknowledged_job_is_not_timed_out(world: World) -> None:
    freeze = world.freeze()
    job, worker = world.assigned()
    stake = world.stake(worker)
    freeze()
    world.wait(3601)
    with world.refused("VERIFIER_FROZEN"):
        world.do(ANYONE, "JobManager.time_out", job)
    world.do(ANYONE, "JobManager.expire", job)
    assert world.credit(CLIENT) == PRICE and world.stake(worker) == stake


def test_a_verified_job_is_not_paid(world: World) -> None:
    freeze = world.freeze()
    job, worker = world.judged()
    freeze()
    world.wait(3601)
    with world.refused("VERIFIER_FROZEN"):
        world.do(ANYONE, "JobManager.finalise", job)
    with world.refused("VERIFIER_FROZEN"):
        world.do(CLIENT, "ProofRegistry.challenge", job, 1, 1)
    world.do(ANYONE, "JobManager.expire", job)
    assert world.credit(CLIENT) == PRICE and world.credit(worker) == 0


def test_a_rejected_job_is_refunded_without_slashing(world: World) -> None:
    freeze = world.freeze()
    job, worker = world.judged(Vote.REJECTED)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    stake = world.stake(worker)
    freeze()
    with world.refused("VERIFIER_FROZEN"):
        world.do(ANYONE, "JobManager.reject", job)
    world.do(ANYONE, "JobManager.expire", job)
    assert world.credit(CLIENT) == PRICE and world.stake(worker) == stake


def test_a_disputed_job_is_refunded_and_the_bond_returns(world: World) -> None:
    freeze = world.freeze()
    job, worker = world.judged()
    world.challenge(job)
    freeze()
    with world.refused("WRONG_STATE"):
        world.do(ANYONE, "JobManager.expire", job)
    stake = world.stake(worker)
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.job(job).state == JobState.REFUNDED and world.stake(worker) == stake
    assert world.credit(CLIENT) == PRICE and world.credit(800) == PRICE


def test_attesters_who_trusted_it_are_not_punished(world: World) -> None:
    freeze = world.freeze()
    job, worker = world.judged()
    first = world.attesters(job)
    world.challenge(job)
    committee = world.sample(job)
    for attester in committee:
        world.commit(job, attester, Vote.REJECTED)
    freeze()
    for attester in committee:
        world.do(attester, "ProofRegistry.reveal", job, Vote.REJECTED, 7)
    stakes = [world.stake(account) for account in (*first, worker)]
    world.do(ANYONE, "ProofRegistry.tally", job)
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert [world.stake(account) for account in (*first, worker)] == stakes
    assert world.credit(CLIENT) == PRICE and world.credit(800) == PRICE


def test_a_job_paid_before_stays_paid(world: World) -> None:
    freeze = world.freeze()
    job, worker = world.paid()
    freeze()
    with world.refused("WRONG_STATE"):
        world.do(ANYONE, "JobManager.expire", job)
    with world.refused("VERIFIER_FROZEN"):
        world.do(CLIENT, "ProofRegistry.challenge", job, 1, 1)
    assert world.credit(worker) > 0


def test_a_job_submitted_after_uses_the_next_version(world: World) -> None:
    world.queued("ProofRegistry", "add_version", 1, 0)()
    world.freeze()()
    job, _ = world.paid()
    assert world.job(job).verifier_version == 2 and world.job(job).state == JobState.PAID
