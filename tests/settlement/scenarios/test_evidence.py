"""Two receipts of one job: who may show them, until when, and what it costs."""

from __future__ import annotations

import pytest
from settlement.world import ANYONE, CHALLENGER, CIRO, CLIENT, PRICE, SALT, STRANGER, World

from ciro_zk.settlement.arithmetic import hash_words
from ciro_zk.settlement.parameters import JobState, Vote

DAY = 86_400


def test_a_second_receipt_before_payment_refunds_and_slashes(world: World) -> None:
    job, worker = world.submitted()
    stake, before, supply = world.stake(worker), world.balance(CHALLENGER), world.see("CiroToken.total_supply")
    world.convict(job, worker)
    slashed = stake // 2
    assert world.job(job).state == JobState.REFUNDED and world.credit(CLIENT) == PRICE
    assert world.stake(worker) == stake - slashed
    assert world.balance(CHALLENGER) == before + 2 * PRICE, "at most twice what a challenge would have staked"
    assert world.see("CiroToken.total_supply") == supply - (slashed - 2 * PRICE - slashed // 5)
    with world.refused("WRONG_STATE"):
        world.do(ANYONE, "JobManager.finalise", job)


def test_a_second_receipt_after_payment_makes_the_client_whole(world: World) -> None:
    job, worker = world.paid()
    stake, client, before = world.stake(worker), world.balance(CLIENT), world.balance(CHALLENGER)
    world.convict(job, worker)
    rest = stake // 2 - PRICE
    assert world.balance(CLIENT) == client + PRICE and world.job(job).state == JobState.PAID
    assert world.balance(CHALLENGER) == before + min(rest // 2, 2 * PRICE)
    with world.refused("ALREADY_CONVICTED"):
        world.do(CHALLENGER, "ProofRegistry.report_equivocation", job, *world.equivocation(job, worker, output=35))


def test_the_client_is_made_whole_once(world: World) -> None:
    """A conviction, then a lost dispute of the same job: the second gives the client nothing more."""
    job, worker = world.paid()
    client = world.balance(CLIENT)
    world.convict(job, worker)
    assert world.balance(CLIENT) == client + PRICE
    world.challenge(job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.balance(CLIENT) == client + PRICE and world.stake(worker) == 0


def test_what_the_first_offence_did_not_give_the_second_does(world: World) -> None:
    """Unavailable gives the client a tenth of the bond, the conviction the rest of the price."""
    job, worker = world.paid()
    client = world.balance(CLIENT)
    world.challenge(job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.UNAVAILABLE))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.balance(CLIENT) == client + 2 * PRICE // 10
    world.convict(job, worker)
    assert world.balance(CLIENT) == client + PRICE


def test_the_same_receipt_is_no_evidence(world: World) -> None:
    job, worker = world.submitted()
    with world.refused("SAME_RECEIPT"):
        world.do(CHALLENGER, "ProofRegistry.report_equivocation", job, *world.equivocation(job, worker, output=33))


def test_a_worker_does_not_report_itself(world: World) -> None:
    job, worker = world.submitted()
    with world.refused("SELF_CHALLENGE"):
        world.do(worker, "ProofRegistry.report_equivocation", job, *world.equivocation(job, worker))


def test_another_s_signature_is_no_evidence(world: World) -> None:
    job, worker = world.submitted()
    other = 101 if worker != 101 else 102
    with world.refused("WRONG_SIGNER"):
        world.do(CHALLENGER, "ProofRegistry.report_equivocation", job, *world.equivocation(job, worker, key=other))


def test_there_is_no_evidence_before_a_result(world: World) -> None:
    job, worker = world.assigned()
    with world.refused("WRONG_STATE"):
        world.do(CHALLENGER, "ProofRegistry.report_equivocation", job, *world.equivocation(job, worker))
    with world.refused("UNKNOWN_JOB"):
        world.do(CHALLENGER, "ProofRegistry.commit_challenge", 5, 1)


def test_evidence_is_committed_to_a_block_before(world: World) -> None:
    job, worker = world.submitted()
    report = world.equivocation(job, worker)
    receipt = world.see("JobManager.receipt_hash", job, *report[:6])
    with world.refused("NOT_COMMITTED"):
        world.do(CHALLENGER, "ProofRegistry.report_equivocation", job, *report)
    world.do(CHALLENGER, "ProofRegistry.commit_challenge", job, hash_words(job, CHALLENGER, SALT, receipt))
    with world.refused("TOO_FRESH"):
        world.do(CHALLENGER, "ProofRegistry.report_equivocation", job, *report)
    world.wait()
    world.do(CHALLENGER, "ProofRegistry.report_equivocation", job, *report)
    assert world.job(job).convicted


def test_nobody_commits_to_receipts_not_seen(world: World) -> None:
    """A commitment says which receipt: one made to every job beforehand does not let a reporter be overtaken."""
    job, worker = world.submitted()
    for evidence in (0, 1, world.job(job).receipt):
        world.do(STRANGER, "ProofRegistry.commit_challenge", job, hash_words(job, STRANGER, SALT, evidence))
    world.wait()
    with world.refused("NOT_COMMITTED"):
        world.do(STRANGER, "ProofRegistry.report_equivocation", job, *world.equivocation(job, worker))


@pytest.mark.parametrize(("wait", "late"), [(0, False), (1, True)])
def test_evidence_is_taken_for_four_days(world: World, wait: int, late: bool) -> None:
    job, worker = world.paid()
    report = world.equivocation(job, worker)
    receipt = world.see("JobManager.receipt_hash", job, *report[:6])
    world.do(CHALLENGER, "ProofRegistry.commit_challenge", job, hash_words(job, CHALLENGER, SALT, receipt))
    world.wait(world.job(job).submitted + 4 * DAY + wait - world.chain.time)
    if late:
        with world.refused("WINDOW_CLOSED"):
            world.do(CHALLENGER, "ProofRegistry.report_equivocation", job, *report)
    else:
        world.do(CHALLENGER, "ProofRegistry.report_equivocation", job, *report)
    assert bool(world.job(job).convicted) != late


def test_a_rotated_key_stays_slashable(world: World) -> None:
    job, worker = world.paid()
    world.do(worker, "CdcPool.rotate_key", 12345)
    stake = world.stake(worker)
    world.convict(job, worker)
    assert world.stake(worker) == stake - stake // 2


def test_a_worker_that_left_stays_slashable(world: World) -> None:
    job, worker = world.paid()
    stake = world.stake(worker)
    world.do(worker, "StakeVault.request_unbond", worker, stake)
    world.do(worker, "CdcPool.deregister")
    client = world.balance(CLIENT)
    world.convict(job, worker)
    assert world.balance(CLIENT) == client + PRICE
    world.wait(7 * DAY)
    assert world.do(worker, "StakeVault.withdraw", 1) == stake - stake // 2


def test_a_receipt_against_a_report_that_it_cannot_be_proven(world: World) -> None:
    """Signed for a result, and reported unprovable: one of the two is false."""
    job, worker = world.assigned()
    world.do(worker, "JobManager.report_unprovable", job)
    stake = world.stake(worker)
    world.convict(job, worker)
    assert world.job(job).state == JobState.REFUNDED and world.credit(CLIENT) == PRICE
    assert world.stake(worker) == stake - stake // 2


def test_a_conviction_while_attesters_are_at_work_frees_them(world: World) -> None:
    job, worker = world.submitted()
    attesters = world.sample(job)
    stakes = [world.stake(attester) for attester in attesters]
    world.convict(job, worker)
    assert world.vote(job, dict.fromkeys(attesters, Vote.VERIFIED)) == Vote.VERIFIED
    assert [world.stake(attester) for attester in attesters] == stakes
    assert all(world.see("StakeVault.pool_of", attester)[4] == 0 for attester in attesters)
    for call in ("JobManager.finalise", "JobManager.reject", "JobManager.expire"):
        with world.refused("WRONG_STATE"):
            world.do(ANYONE, call, job)
    with world.refused("WRONG_STATE"):
        world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, 99)


def test_an_unsampled_session_of_a_convicted_job_is_never_sampled(world: World) -> None:
    job, worker = world.submitted()
    world.convict(job, worker)
    world.wait(60, blocks=22)
    with world.refused("WRONG_STATE"):
        world.do(ANYONE, "ProofRegistry.sample", job)
    assert world.credit(CLIENT) == PRICE and world.see("StakeVault.free_stake", worker) == world.stake(worker) > 100 * CIRO


def test_a_second_receipt_shown_in_a_dispute_waits_for_its_end(world: World) -> None:
    """The job is the dispute's until then; a convicted worker that was verified is paid, and its stake makes the client whole."""
    job, worker = world.judged()
    world.challenge(job)
    committee = world.sample(job)
    with world.refused("WRONG_STATE"):
        world.do(STRANGER, "ProofRegistry.report_equivocation", job, *world.equivocation(job, worker))
    world.vote(job, dict.fromkeys(committee, Vote.VERIFIED))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    client = world.balance(CLIENT)
    world.convict(job, worker)
    assert world.job(job).state == JobState.PAID and world.balance(CLIENT) == client + PRICE


def test_a_second_receipt_while_a_late_dispute_is_open(world: World) -> None:
    job, worker = world.paid()
    stake, client = world.stake(worker), world.balance(CLIENT)
    world.challenge(job)
    world.convict(job, worker, reporter=STRANGER)
    assert world.balance(CLIENT) == client + PRICE and world.stake(worker) == stake - stake // 2
    assert world.balance(STRANGER) == min((stake // 2 - PRICE) // 2, 2 * PRICE)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.balance(CLIENT) == client + PRICE and world.stake(worker) == stake - stake // 2
