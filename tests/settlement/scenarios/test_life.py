"""The life of a job, from submission to payment or refund."""

from __future__ import annotations

from settlement.world import ANYONE, CIRO, CLIENT, OWNER, PRICE, WORKERS, World

from ciro_zk.settlement.parameters import JobState, VerificationMethod, Vote


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


# --- before the deadline starts


def test_a_worker_that_does_not_acknowledge_loses_reputation_and_no_stake(world: World) -> None:
    job = world.submit()
    worker = world.assign(job)
    stake = world.stake(worker)
    world.wait(600)
    with world.refused("NOT_EXPIRED"):
        world.do(ANYONE, "JobManager.lapse", job)
    world.wait(1)
    with world.refused("ACK_LAPSED"):
        world.do(worker, "JobManager.acknowledge", job)
    world.do(ANYONE, "JobManager.lapse", job)
    found = world.job(job)
    assert (found.state, found.worker, found.round) == (JobState.QUEUED, 0, 1)
    assert world.stake(worker) == world.see("StakeVault.free_stake", worker) == stake
    assert world.see("CdcPool.worker_of", worker)[4] == 495
    assert world.assign(job) in WORKERS, "another draw"


def test_an_acknowledgement_in_the_last_second_counts(world: World) -> None:
    job = world.submit()
    worker = world.assign(job)
    with world.refused("NOT_ACKNOWLEDGED"):
        world.do(ANYONE, "JobManager.time_out", job)
    world.wait(600)
    assert world.do(worker, "JobManager.acknowledge", job) == world.chain.time + 3600
    with world.refused("ALREADY_ACKNOWLEDGED"):
        world.do(worker, "JobManager.acknowledge", job)
    with world.refused("ALREADY_ACKNOWLEDGED"):
        world.do(worker, "JobManager.decline", job)
    with world.refused("ALREADY_ACKNOWLEDGED"):
        world.do(ANYONE, "JobManager.lapse", job)


def test_a_client_that_withholds_the_input_gains_nothing(world: World) -> None:
    """The worker declines what it cannot obtain: no slash, no reputation; the client has its price back, and no result."""
    before = world.balance(CLIENT)
    job = world.submit()
    worker = world.assign(job)
    with world.refused("WRONG_STATE"):
        world.do(CLIENT, "JobManager.cancel", job)
    world.do(worker, "JobManager.decline", job)
    assert world.see("CdcPool.worker_of", worker)[4] == 500 and world.see("StakeVault.pool_of", worker)[4] == 0
    world.do(CLIENT, "JobManager.cancel", job)
    assert world.do(CLIENT, "JobManager.withdraw") == PRICE and world.balance(CLIENT) == before


def test_only_the_worker_does_what_is_the_worker_s(world: World) -> None:
    job = world.submit()
    worker = world.assign(job)
    other = WORKERS[0] if worker != WORKERS[0] else WORKERS[1]
    for call in ("acknowledge", "decline", "report_unprovable"):
        with world.refused("NOT_WORKER"):
            world.do(other, f"JobManager.{call}", job)
    with world.refused("NOT_WORKER"):
        world.do(other, "JobManager.submit_result", job, *world.receipt(job, other))
    with world.refused("NOT_ACKNOWLEDGED"):
        world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))
    with world.refused("NOT_ACKNOWLEDGED"):
        world.do(worker, "JobManager.report_unprovable", job)


def test_only_the_client_cancels_and_only_a_queued_job(world: World) -> None:
    job = world.submit()
    with world.refused("NOT_CLIENT"):
        world.do(ANYONE, "JobManager.cancel", job)
    world.do(CLIENT, "JobManager.cancel", job)
    assert world.credit(CLIENT) == PRICE and world.job(job).state == JobState.REFUNDED
    with world.refused("WRONG_STATE"):
        world.do(CLIENT, "JobManager.cancel", job)


def test_a_queued_job_expires_after_a_day(world: World) -> None:
    job = world.submit()
    world.wait(86_400)
    with world.refused("NOT_EXPIRED"):
        world.do(ANYONE, "JobManager.expire", job)
    world.wait(1)
    world.do(ANYONE, "JobManager.expire", job)
    assert world.credit(CLIENT) == PRICE
    with world.refused("WRONG_STATE"):
        world.do(ANYONE, "JobManager.expire", job)


# --- the deadline


def test_a_job_is_not_timed_out_at_its_deadline(world: World) -> None:
    job, worker = world.assigned()
    stake = world.stake(worker)
    world.wait(3600)
    with world.refused("DEADLINE_OPEN"):
        world.do(ANYONE, "JobManager.time_out", job)
    world.wait(1)
    world.do(ANYONE, "JobManager.time_out", job)
    slashed = 2 * PRICE // 10
    assert world.stake(worker) == stake - slashed, "a tenth of the bond"
    assert world.see("CdcPool.worker_of", worker)[4] == 450
    assert world.credit(CLIENT) == PRICE and world.see("StakeVault.pool_of", worker)[4] == 0
    with world.refused("WRONG_STATE"):
        world.do(ANYONE, "JobManager.time_out", job)


def test_the_client_s_duration_is_the_deadline(world: World) -> None:
    job, worker = world.assigned(duration=86_400)
    assert world.job(job).deadline == world.chain.time + 86_400
    world.wait(86_401)
    with world.refused("DEADLINE_PASSED"):
        world.do(worker, "JobManager.report_unprovable", job)


# --- results


def test_a_model_retired_while_a_job_is_assigned(world: World) -> None:
    """The job goes on, under the terms it was submitted with; no new one is taken."""
    job, worker = world.assigned()
    world.do(OWNER, "ModelRegistry.set_fee", world.model, 2 * CIRO)
    world.do(OWNER, "ModelRegistry.retire", world.model)
    with world.refused("MODEL_RETIRED"):
        world.submit()
    world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.wait(3601)
    world.do(ANYONE, "JobManager.finalise", job)
    assert world.job(job).state == JobState.PAID and world.credit(OWNER) == CIRO


def test_an_unprovable_input_costs_the_client_the_abort_fee(world: World) -> None:
    job, worker = world.assigned()
    stake = world.stake(worker)
    world.do(worker, "JobManager.report_unprovable", job)
    attesters = world.sample(job)
    world.vote(job, dict.fromkeys(attesters, Vote.VERIFIED))
    world.wait(3601)
    world.do(ANYONE, "JobManager.finalise", job)
    each = PRICE // 100 // 3
    assert world.credit(worker) == PRICE // 100 and [world.credit(attester) for attester in attesters] == [each] * 3
    assert world.credit(CLIENT) == PRICE - PRICE // 100 - 3 * each
    assert world.job(job).state == JobState.REFUNDED and world.stake(worker) == stake
    assert world.credit(OWNER) == 0 and world.see("CdcPool.funds") == (0, 0)


def test_a_false_report_of_an_unprovable_input(world: World) -> None:
    job, worker = world.assigned()
    stake = world.stake(worker)
    world.do(worker, "JobManager.report_unprovable", job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.do(ANYONE, "JobManager.reject", job)
    assert world.credit(CLIENT) == PRICE and world.stake(worker) == stake - 2 * PRICE // 10
    assert world.see("CdcPool.worker_of", worker)[4] == 400


def test_a_report_that_nobody_judges_expires(world: World) -> None:
    job, worker = world.assigned()
    stake = world.stake(worker)
    world.do(worker, "JobManager.report_unprovable", job)
    attesters = world.sample(job)
    world.wait(172_800)
    world.wait(1)
    world.do(ANYONE, "JobManager.expire", job)
    assert world.credit(CLIENT) == PRICE and world.stake(worker) == stake and world.credit(worker) == 0
    world.do(ANYONE, "ProofRegistry.tally", job)
    assert all(world.see("StakeVault.pool_of", attester)[4] == 0 for attester in attesters)


def test_a_result_without_a_verdict_expires_after_two_days(world: World) -> None:
    job, worker = world.submitted()
    stake = world.stake(worker)
    world.wait(172_800)
    with world.refused("NOT_EXPIRED"):
        world.do(ANYONE, "JobManager.expire", job)
    world.wait(1)
    world.do(ANYONE, "JobManager.expire", job)
    assert world.credit(CLIENT) == PRICE and world.credit(worker) == 0 and world.stake(worker) == stake
    world.wait(60, blocks=22)
    with world.refused("WRONG_STATE"):
        world.do(ANYONE, "ProofRegistry.sample", job)


def test_a_verdict_keeps_a_result_from_expiring(world: World) -> None:
    job, worker = world.judged()
    world.wait(172_801)
    with world.refused("VERDICT_EXISTS"):
        world.do(ANYONE, "JobManager.expire", job)
    with world.refused("NOT_REJECTED"):
        world.do(ANYONE, "JobManager.reject", job)
    world.do(ANYONE, "JobManager.finalise", job)
    assert world.credit(worker) > 0


def test_nobody_is_paid_on_the_worker_s_word(world: World) -> None:
    job, worker = world.submitted()
    for account in (worker, CLIENT, ANYONE):
        with world.refused("NO_VERDICT"):
            world.do(account, "JobManager.finalise", job)
    world.wait(172_801)
    with world.refused("NO_VERDICT"):
        world.do(worker, "JobManager.finalise", job)


def test_an_optimistic_result_waits_a_day_and_needs_an_attester(world: World) -> None:
    job, worker = world.submitted(method=VerificationMethod.OPTIMISTIC)
    with world.refused("NO_VERDICT"):
        world.do(ANYONE, "JobManager.finalise", job)
    attesters = world.sample(job)
    assert len(attesters) == 1
    world.vote(job, {attesters[0]: Vote.VERIFIED})
    world.wait(86_400)
    with world.refused("WINDOW_OPEN"):
        world.do(ANYONE, "JobManager.finalise", job)
    world.wait(1)
    world.do(ANYONE, "JobManager.finalise", job)
    assert world.credit(attesters[0]) == PRICE // 100 and world.credit(worker) > 0


def test_no_proof_is_judged_where_the_chain_has_no_verifier(world: World) -> None:
    with world.refused("NO_VERIFIER"):
        world.submit(method=VerificationMethod.ZERO_KNOWLEDGE_PROOF)
    job, _ = world.submitted()
    with world.refused("WRONG_METHOD"):
        world.do(ANYONE, "ProofRegistry.prove", job, (1, 2))
