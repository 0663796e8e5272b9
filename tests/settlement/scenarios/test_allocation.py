"""Who is drawn to work and to attest, and what nobody can do about it once the seed can be read."""

from __future__ import annotations

import pytest
from settlement.world import ANYONE, CHALLENGER, CIRO, CLIENT, HOLDER, PRICE, SIGNATURES, STRANGER, WORKERS, World

from ciro_zk.settlement.arithmetic import hash_words
from ciro_zk.settlement.ledger.pool import ALIVE, Worker
from ciro_zk.settlement.ledger.registry import Session
from ciro_zk.settlement.parameters import DRAWS, JobState, VerificationMethod

SEEDS = range(40)


def worker_of(world: World, worker: int) -> Worker:
    return Worker(*world.see("CdcPool.worker_of", worker))


def drawn(world: World, *, block: int | None = None, repeated: int = 0, free: int = 0, capabilities: int = 0) -> list[int]:
    """Of forty seeds: whom each draws, 0 where nobody."""
    block = world.chain.block if block is None else block
    return [world.see("CdcPool.draw", hash_words(seed), block, repeated, 0, capabilities, free)[0] for seed in SEEDS]


def delegate(world: World, staker: int, worker: int, amount: int) -> None:
    world.do(HOLDER, "CiroToken.transfer", staker, amount)
    world.do(staker, "CiroToken.approve", world.chain.addresses["StakeVault"], amount)
    world.do(staker, "StakeVault.stake", worker, amount)


# --- the seed


def test_assigning_waits_for_the_seed(world: World) -> None:
    job = world.submit()
    world.wait(blocks=21)
    with world.refused("SEED_NOT_READY"):
        world.do(ANYONE, "JobManager.assign", job)
    world.wait()
    worker = world.do(ANYONE, "JobManager.assign", job)
    assert worker in WORKERS and world.job(job).state == JobState.ASSIGNED
    assert world.see("StakeVault.pool_of", worker)[4] == 2 * PRICE, "twice the price is bonded"
    with world.refused("WRONG_STATE"):
        world.do(ANYONE, "JobManager.assign", job)


def test_a_seed_too_old_is_renewed(world: World) -> None:
    job = world.submit()
    world.wait(blocks=12 + 256)
    world.wait()
    assert world.do(ANYONE, "JobManager.assign", job) == 0
    assert world.job(job).state == JobState.QUEUED and world.job(job).seed_block == world.chain.block + 12
    with world.refused("SEED_NOT_READY"):
        world.do(ANYONE, "JobManager.assign", job)
    assert world.assign(job) in WORKERS


def test_a_seed_of_256_blocks_still_draws(world: World) -> None:
    job = world.submit()
    world.wait(blocks=12 + 256)
    assert world.do(ANYONE, "JobManager.assign", job) in WORKERS


def test_sampling_waits_for_its_seed_and_happens_once(world: World) -> None:
    job, _ = world.submitted()
    world.wait(blocks=21)
    with world.refused("SEED_NOT_READY"):
        world.do(ANYONE, "ProofRegistry.sample", job)
    world.wait()
    assert world.do(ANYONE, "ProofRegistry.sample", job)
    with world.refused("ALREADY_SAMPLED"):
        world.do(ANYONE, "ProofRegistry.sample", job)


def test_nobody_samples_what_has_no_result(world: World) -> None:
    job, _ = world.assigned()
    with world.refused("UNKNOWN_SESSION"):
        world.do(ANYONE, "ProofRegistry.sample", job)


# --- who may be drawn


def test_a_silent_worker_is_not_drawn(world: World) -> None:
    world.chain.advance(1, ALIVE + 1)
    for worker in WORKERS[:7]:
        world.do(worker, "CdcPool.heartbeat")
    assert set(drawn(world)) <= set(WORKERS[:7])
    world.chain.advance(1, ALIVE + 1)
    assert set(drawn(world)) == {0}


def test_a_worker_without_the_capability_is_not_drawn(world: World) -> None:
    for worker in WORKERS[:10]:
        world.do(worker, "CdcPool.set_capabilities", 1)
    assert len(set(drawn(world, capabilities=2)) - {0}) > 0 and not set(drawn(world, capabilities=2)) & set(WORKERS[:10])


def test_a_worker_without_the_free_stake_is_not_drawn(world: World) -> None:
    assert set(drawn(world, free=1_100 * CIRO)) <= {0, *WORKERS[10:]}
    assert set(drawn(world, free=1_131 * CIRO)) == {0}


def test_a_worker_that_unbonds_is_not_drawn_by_its_old_weight(world: World) -> None:
    for worker in WORKERS[:13]:
        world.do(worker, "StakeVault.request_unbond", worker, world.stake(worker) - 10 * CIRO)
    assert set(drawn(world, free=11 * CIRO)) <= {0, WORKERS[13]}, "the weight is of the last heartbeat, the stake of now"


def test_neither_client_nor_coordinator_is_drawn(world: World) -> None:
    client, coordinator = WORKERS[0], WORKERS[1]
    world.do(client, "CiroToken.approve", world.chain.addresses["JobManager"], 10**24)
    world.do(coordinator, "CdcPool.register_coordinator")
    for _ in range(25):
        job = world.submit(client=client, coordinator=coordinator, price=3 * CIRO)
        world.wait(60, blocks=22)
        assert world.do(ANYONE, "JobManager.assign", job) not in (client, coordinator)


def test_claiming_opens_when_nobody_can_be_drawn(world: World) -> None:
    job = world.submit(price=600 * CIRO)
    with world.refused("NOT_OPEN"):
        world.do(WORKERS[0], "JobManager.claim", job)
    assert world.assign(job) == 0 and world.job(job).open_claim
    with world.refused("WRONG_STATE"):
        world.do(ANYONE, "JobManager.assign", job)
    with world.refused("FREE_STAKE_LOW"):
        world.do(WORKERS[0], "JobManager.claim", job)
    delegate(world, STRANGER, WORKERS[0], 300 * CIRO)
    world.do(WORKERS[0], "JobManager.claim", job)
    assert world.job(job).worker == WORKERS[0] and world.job(job).deadline == world.chain.time + 3600, "a claim acknowledges"


def test_only_an_eligible_stranger_to_the_job_claims(world: World) -> None:
    client, coordinator = WORKERS[0], WORKERS[1]
    world.do(client, "CiroToken.approve", world.chain.addresses["JobManager"], 10**24)
    world.do(coordinator, "CdcPool.register_coordinator")
    world.do(WORKERS[2], "CdcPool.set_capabilities", 2)
    job = world.submit(client=client, coordinator=coordinator, open_claim=True)
    for account in (client, coordinator, WORKERS[2], STRANGER):
        with world.refused("NOT_ELIGIBLE"):
            world.do(account, "JobManager.claim", job)
    world.do(WORKERS[3], "JobManager.claim", job)
    with world.refused("WRONG_STATE"):
        world.do(WORKERS[4], "JobManager.claim", job)


# --- once the seed can be read


def test_who_registers_after_the_seed_is_not_drawn(world: World) -> None:
    """Else whoever has an account for each place that a seed hits would be drawn by every seed."""
    block = world.chain.block
    world.wait()
    before = drawn(world, block=block)
    world.do(WORKERS[0], "CdcPool.deregister")
    delegate(world, STRANGER, STRANGER, 1_000 * CIRO)
    world.do(STRANGER, "CdcPool.register", 255, SIGNATURES.public_key(STRANGER))
    world.do(STRANGER, "CdcPool.heartbeat")
    assert worker_of(world, STRANGER).place == 1, "the hole is filled first"
    after = drawn(world, block=block)
    assert STRANGER not in after
    assert all(one == other for one, other in zip(before, after, strict=True) if one != WORKERS[0]), "no other draw moves"
    assert STRANGER in drawn(world, block=world.chain.block)


def test_leaving_moves_no_draw_to_another_place(world: World) -> None:
    before = drawn(world)
    for worker in (WORKERS[3], WORKERS[13], WORKERS[5]):
        world.do(worker, "CdcPool.deregister")
    after = drawn(world)
    assert all(one == other for one, other in zip(before, after, strict=True) if one not in (WORKERS[3], WORKERS[13], WORKERS[5]))
    assert world.see("CdcPool.num_workers") == 11
    assert [worker_of(world, worker).place for worker in WORKERS[:3]] == [1, 2, 3]


def test_holes_are_filled_before_the_list_grows(world: World) -> None:
    for worker in (WORKERS[3], WORKERS[7]):
        world.do(worker, "CdcPool.deregister")
    for key, worker in enumerate((WORKERS[7], WORKERS[3])):
        world.do(worker, "CdcPool.register", 255, SIGNATURES.public_key(5000 + key))
    assert {worker_of(world, worker).place for worker in (WORKERS[3], WORKERS[7])} == {4, 8}
    delegate(world, STRANGER, STRANGER, 1_000 * CIRO)
    world.do(STRANGER, "CdcPool.register", 255, SIGNATURES.public_key(STRANGER))
    assert worker_of(world, STRANGER).place == 15 and world.see("CdcPool.num_workers") == 15


def test_a_greater_weight_only_refuses_more(world: World) -> None:
    before = [world.see("CdcPool.draw", hash_words(seed), world.chain.block, 0, 0, 0, 0) for seed in SEEDS]
    delegate(world, WORKERS[0], WORKERS[0], 3_000 * CIRO)
    world.do(WORKERS[0], "CdcPool.heartbeat")
    for seed, (_, trial) in zip(SEEDS, before, strict=True):
        found, later = world.see("CdcPool.draw", hash_words(seed), world.chain.block, 0, 0, 0, 0)
        assert later >= trial or found == WORKERS[0]


def test_a_great_stake_does_not_stop_attestation(world: World) -> None:
    """A worker of a thousand times the others' weight: attesters are found when the draw is repeated."""
    whale = WORKERS[13]
    delegate(world, whale, whale, 10**6 * CIRO)
    world.do(ANYONE, "CdcPool.refresh_tier", whale)
    world.do(whale, "CdcPool.heartbeat")
    job = world.submit(open_claim=True)
    world.do(WORKERS[0], "JobManager.claim", job)
    world.do(WORKERS[0], "JobManager.submit_result", job, *world.receipt(job, WORKERS[0]))
    draws = 0
    while True:
        world.wait(60, blocks=22)
        if world.do(ANYONE, "ProofRegistry.sample", job):
            break
        draws += 1
    assert 1 <= draws <= 8 and Session(*world.see("ProofRegistry.session_of", job, 0)).draws == draws


def test_a_draw_ends_after_its_trials(world: World) -> None:
    assert world.see("CdcPool.draw", 1, world.chain.block, 0, 0, 0, 10**27) == (0, DRAWS)
    assert world.see("CdcPool.draw", 1, world.chain.block, 0, DRAWS, 0, 0) == (0, DRAWS)


# --- who does not attest


def test_a_worker_with_stake_behind_a_party_never_attests(world: World) -> None:
    job = world.submit(open_claim=True)
    for other in WORKERS[1:8]:
        delegate(world, other, WORKERS[0], CIRO)
    world.do(WORKERS[0], "JobManager.claim", job)
    world.do(WORKERS[0], "JobManager.submit_result", job, *world.receipt(job, WORKERS[0]))
    assert not set(world.sample(job)) & set(WORKERS[:8])


def test_a_worker_that_mostly_belongs_to_a_party_never_attests(world: World) -> None:
    for other in WORKERS[:8]:
        delegate(world, CLIENT, other, world.stake(other) + CIRO)
    job, worker = world.submitted()
    sampled = False
    while not sampled:
        world.wait(60, blocks=22)
        sampled = world.do(ANYONE, "ProofRegistry.sample", job)
    assert not set(world.attesters(job)) & {*WORKERS[:8], worker}


def test_a_client_cannot_shut_out_attesters_with_dust(world: World) -> None:
    """Else a client with one unit behind every worker would have every honest result refunded for want of a verdict."""
    for other in WORKERS:
        delegate(world, CLIENT, other, CIRO)
    job, worker = world.paid()
    assert world.credit(worker) > 0 and world.job(job).state == JobState.PAID


def test_a_party_cannot_shut_out_attesters_once_the_seed_is_known(world: World) -> None:
    """Else the worker would delegate to each honest attester that is drawn, until those left are its own."""
    job, worker = world.submitted()
    world.wait(60, blocks=22)
    snapshot = world.see("ProofRegistry.session_of", job, 0)[0]
    others = [account for account in WORKERS if account != worker]
    for other in others:
        delegate(world, worker, other, world.stake(other) + CIRO)
    assert not any(world.see("StakeVault.linked", other, worker, snapshot) for other in others)
    assert world.do(ANYONE, "ProofRegistry.sample", job)
    world.wait()
    assert all(world.see("StakeVault.linked", other, worker, world.chain.block - 1) for other in others)


def test_half_of_the_stake_is_a_link_and_less_is_none(world: World) -> None:
    delegate(world, STRANGER, WORKERS[0], world.stake(WORKERS[0]))
    delegate(world, STRANGER, WORKERS[1], world.stake(WORKERS[1]) - 1)
    world.wait()
    last = world.chain.block - 1
    assert world.see("StakeVault.linked", WORKERS[0], STRANGER, last)
    assert not world.see("StakeVault.linked", WORKERS[0], STRANGER, last - 1), "not before it was there"
    assert not world.see("StakeVault.linked", WORKERS[1], STRANGER, last)
    assert not world.see("StakeVault.linked", WORKERS[2], STRANGER, last)
    with world.refused("BLOCK_NOT_PAST"):
        world.see("StakeVault.linked", WORKERS[2], STRANGER, last + 1)


def test_the_committee_is_of_others(world: World) -> None:
    """Not the first attesters, the worker, or the challenger, though it is a worker with stake."""
    job, worker = world.judged()
    first = world.attesters(job)
    challenger = next(account for account in WORKERS if account not in (worker, *first))
    world.do(challenger, "CiroToken.approve", world.chain.addresses["JobManager"], 10**24)
    world.challenge(job, challenger=challenger)
    sampled = False
    while not sampled:
        world.wait(60, blocks=22)
        sampled = world.do(ANYONE, "ProofRegistry.sample", job)
    committee = world.attesters(job)
    assert len(set(committee)) == 7 and not set(committee) & {*first, worker, challenger}


@pytest.mark.parametrize("method", [VerificationMethod.ATTESTED, VerificationMethod.OPTIMISTIC])
def test_a_job_needs_workers_for_a_committee(world: World, method: int) -> None:
    """A worker, three attesters and seven others: without them a challenge of any result would end without a verdict, and a refund."""
    for worker in WORKERS[:3]:
        world.do(worker, "CdcPool.deregister")
    job = world.submit(method=method)
    world.do(WORKERS[3], "CdcPool.deregister")
    with world.refused("NO_ATTESTERS"):
        world.submit(method=method)
    world.do(CLIENT, "JobManager.cancel", job)
    assert world.credit(CLIENT) == PRICE and world.balance(CHALLENGER) == 10_000 * CIRO
