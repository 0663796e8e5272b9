"""The life of a job, from submission to payment or refund."""

from __future__ import annotations

from settlement.world import ANYONE, CIRO, CLIENT, OWNER, PRICE, World

from ciro_zk.settlement.parameters import JobState, Vote


def test_an_honest_job_is_paid_once(world: World) -> None:
    before = world.balance(CLIENT)
    job, worker = world.judged()
    attesters = world.attesters(job)
    assert world.balance(CLIENT) == before - PRICE, "the price is pulled at submission"
    with world.refused("WINDOW_OPEN"):
        world.do(ANYONE, "JobManager.finalise", job)
    world.wait(3601)
    world.do(ANYONE, "JobManager.finalise", job)
    assert world.job(job).state == JobState.PAID
    each = PRICE // 100 // 3
    assert [world.credit(attester) for attester in attesters] == [each] * 3
    assert world.credit(OWNER) == CIRO
    assert world.credit(worker) == PRICE - PRICE * 250 // 10_000 - CIRO - 3 * each
    with world.refused("WRONG_STATE"):
        world.do(ANYONE, "JobManager.finalise", job)
    before = world.balance(worker)
    paid = world.do(worker, "JobManager.withdraw")
    assert world.balance(worker) == before + paid
    with world.refused("NOTHING_TO_WITHDRAW"):
        world.do(worker, "JobManager.withdraw")


def test_a_result_at_the_deadline_counts(world: World) -> None:
    job, worker = world.assigned()
    world.wait(3600)
    world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))
    assert world.job(job).state == JobState.SUBMITTED


def test_a_result_one_second_late_does_not_count_even_if_nobody_timed_out(world: World) -> None:
    job, worker = world.assigned()
    world.wait(3601)
    with world.refused("DEADLINE_PASSED"):
        world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))
    world.do(ANYONE, "JobManager.time_out", job)
    assert world.credit(CLIENT) == PRICE
    with world.refused("WRONG_STATE"):
        world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))


def test_a_forged_proof_is_rejected_by_the_committee_and_slashed(world: World) -> None:
    job, worker = world.judged(Vote.REJECTED)
    stake = world.stake(worker)
    with world.refused("NO_VERDICT"):
        world.do(ANYONE, "JobManager.reject", job)
    assert world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED)) == Vote.REJECTED
    supply = world.see("CiroToken.total_supply")
    world.do(ANYONE, "JobManager.reject", job)
    assert world.job(job).state == JobState.REFUNDED and world.credit(CLIENT) == PRICE
    assert world.stake(worker) == 0 and world.see("CiroToken.total_supply") == supply - stake * 8 // 10


def test_a_successful_challenge_is_paid_and_makes_the_client_whole(world: World) -> None:
    job, worker = world.paid()
    stake, before, client = world.stake(worker), world.balance(800), world.balance(CLIENT)
    world.challenge(job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.balance(CLIENT) == client + PRICE
    assert world.balance(800) == before - PRICE + min((stake - PRICE) // 2, 2 * PRICE)
    assert world.credit(800) == PRICE


def test_a_lost_challenge_costs_its_bond(world: World) -> None:
    job, worker = world.judged()
    world.challenge(job)
    with world.refused("WRONG_STATE"):
        world.do(ANYONE, "JobManager.finalise", job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.job(job).state == JobState.PAID and world.credit(800) == 0
    assert world.credit(worker) > PRICE // 2 + PRICE * 9 // 10
