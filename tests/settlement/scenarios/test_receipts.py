"""Receipts: whose signature counts, in which form, and for which job on which chain."""

from __future__ import annotations

import pytest
from settlement.world import ANYONE, CLIENT, GENESIS, OWNER, SIGNATURES, WORKERS, World, populate

from ciro_zk.settlement.ledger.chain import EmbeddedLedger
from ciro_zk.settlement.parameters import JobState

ORDER = SIGNATURES.order
FIELD = 2**251 + 17 * 2**192 + 1


def submit(world: World, job: int, worker: int, receipt: tuple[int, ...]) -> None:
    world.do(worker, "JobManager.submit_result", job, *receipt)


def test_the_other_s_is_refused(world: World) -> None:
    """(r, n - s) verifies wherever (r, s) does: one form is taken."""
    job, worker = world.assigned()
    *digests, key, r, s = world.receipt(job, worker)
    assert SIGNATURES.verify(key, world.see("JobManager.receipt_hash", job, *digests), r, s)
    with world.refused("BAD_SIGNATURE"):
        submit(world, job, worker, (*digests, key, r, ORDER - s))
    submit(world, job, worker, (*digests, key, r, s))
    assert world.job(job).state == JobState.SUBMITTED


@pytest.mark.parametrize("r", [0, ORDER, 2**256 - 1], ids=["zero", "order", "most"])
def test_r_out_of_range(world: World, r: int) -> None:
    job, worker = world.assigned()
    *digests, key, _, s = world.receipt(job, worker)
    with world.refused("BAD_SIGNATURE"):
        submit(world, job, worker, (*digests, key, r, s))


@pytest.mark.parametrize("s", [0, ORDER // 2 + 1, ORDER, 2**256 - 1], ids=["zero", "high", "order", "most"])
def test_s_out_of_range(world: World, s: int) -> None:
    job, worker = world.assigned()
    *digests, key, r, _ = world.receipt(job, worker)
    with world.refused("BAD_SIGNATURE"):
        submit(world, job, worker, (*digests, key, r, s))


def test_another_worker_s_key(world: World) -> None:
    job, worker = world.assigned()
    other = WORKERS[0] if worker != WORKERS[0] else WORKERS[1]
    with world.refused("WRONG_SIGNER"):
        submit(world, job, worker, world.receipt(job, worker, key=other))


def test_a_key_of_nobody(world: World) -> None:
    job, worker = world.assigned()
    with world.refused("WRONG_SIGNER"):
        submit(world, job, worker, world.receipt(job, worker, key=99_999))
    *digests, _, r, s = world.receipt(job, worker)
    for key in (0, 5, FIELD - 1):
        with world.refused("WRONG_SIGNER"):
            submit(world, job, worker, (*digests, key, r, s))


@pytest.mark.parametrize("place", range(5))
def test_a_receipt_that_was_changed_after_it_was_signed(world: World, place: int) -> None:
    job, worker = world.assigned()
    receipt = list(world.receipt(job, worker))
    receipt[place] += 1
    with world.refused("WRONG_SIGNER"):
        submit(world, job, worker, tuple(receipt))


def test_too_few_bits_of_security(world: World) -> None:
    job, worker = world.assigned()
    with world.refused("SECURITY_LOW"):
        submit(world, job, worker, world.receipt(job, worker, bits=95))
    submit(world, job, worker, world.receipt(job, worker, bits=96))


def test_a_receipt_of_another_job(world: World) -> None:
    jobs = [world.submit(open_claim=True) for _ in range(2)]
    for job in jobs:
        world.do(WORKERS[0], "JobManager.claim", job)
    receipt = world.receipt(jobs[0], WORKERS[0])
    with world.refused("WRONG_SIGNER"):
        submit(world, jobs[1], WORKERS[0], receipt)
    submit(world, jobs[0], WORKERS[0], receipt)
    with world.refused("WRONG_STATE"):
        submit(world, jobs[0], WORKERS[0], receipt)


def elsewhere(world: World, chain_id: int, addresses: dict[str, int] | None) -> World:
    """The same people on another chain, or on contracts deployed anew."""
    ledger = EmbeddedLedger(genesis=GENESIS, signatures=SIGNATURES, chain_id=chain_id, addresses=addresses)
    populate(ledger)
    return World(ledger)


@pytest.mark.parametrize("changed", ["chain", "contracts"])
def test_a_receipt_of_another_chain_or_of_contracts_deployed_anew(world: World, changed: str) -> None:
    """The receipt of the first job there is none of the first job here, though all else agrees."""
    moved = {name: address + 1 for name, address in world.chain.addresses.items()}
    chain_id = world.chain.chain_id
    there = elsewhere(world, chain_id + 1, world.chain.addresses) if changed == "chain" else elsewhere(world, chain_id, moved)
    jobs = [each.submit(open_claim=True) for each in (world, there)]
    for each, job in zip((world, there), jobs, strict=True):
        each.do(WORKERS[0], "JobManager.claim", job)
    assert jobs[0] != jobs[1]
    with world.refused("WRONG_SIGNER"):
        submit(world, jobs[0], WORKERS[0], there.receipt(jobs[1], WORKERS[0]))
    with world.refused("UNKNOWN_JOB"):
        submit(world, jobs[1], WORKERS[0], there.receipt(jobs[1], WORKERS[0]))


def test_a_rotated_key_and_the_one_before_both_sign(world: World) -> None:
    """A receipt signed just before the rotation counts; so does one by the new key; a key is nobody else's ever after."""
    jobs = [world.submit(open_claim=True) for _ in range(2)]
    for job in jobs:
        world.do(WORKERS[0], "JobManager.claim", job)
    world.do(WORKERS[0], "CdcPool.rotate_key", SIGNATURES.public_key(77_777))
    submit(world, jobs[0], WORKERS[0], world.receipt(jobs[0], WORKERS[0]))
    submit(world, jobs[1], WORKERS[0], world.receipt(jobs[1], WORKERS[0], key=77_777))
    for account in (WORKERS[0], WORKERS[1]):
        for key in (SIGNATURES.public_key(WORKERS[0]), SIGNATURES.public_key(77_777)):
            with world.refused("KEY_TAKEN"):
                world.do(account, "CdcPool.rotate_key", key)
    with world.refused("ZERO_KEY"):
        world.do(WORKERS[0], "CdcPool.rotate_key", 0)


def test_what_is_judged_is_what_the_job_was_submitted_under(world: World) -> None:
    """A key changed between submission and evidence: versions are immutable, a new one has another id, open jobs keep theirs."""
    job, worker = world.assigned()
    digests = world.receipt(job, worker)[:6]
    before = world.see("JobManager.receipt_hash", job, *digests)
    other = world.do(OWNER, "ModelRegistry.register_model", 11, 12, 14, 1, 10**18)
    world.do(OWNER, "ModelRegistry.retire", world.model)
    assert other != world.model and world.job(job).vk_digest == 13
    assert world.see("JobManager.receipt_hash", job, *digests) == before
    submit(world, job, worker, world.receipt(job, worker))
    world.convict(job, worker)
    assert world.credit(CLIENT) == 100 * 10**18


def test_a_new_verifier_version_leaves_open_jobs_alone(world: World) -> None:
    add = world.queued("ProofRegistry", "add_version", 1, 0)
    job, worker = world.assigned()
    receipt = world.receipt(job, worker)
    add()
    assert world.job(job).verifier_version == 1
    submit(world, job, worker, receipt)
    assert world.job(world.submit()).verifier_version == 2


def test_a_worker_s_receipt_is_its_own(world: World) -> None:
    """The worker that holds a requeued job cannot use the receipt of the one before it."""
    job = world.submit()
    first = world.assign(job)
    receipt = world.receipt(job, first)
    world.do(first, "JobManager.decline", job)
    second = first
    while second == first:
        second = world.assign(job)
        if second == first:
            world.do(first, "JobManager.decline", job)
    world.do(second, "JobManager.acknowledge", job)
    with world.refused("WRONG_SIGNER"):
        submit(world, job, second, receipt)
    with world.refused("NOT_WORKER"):
        submit(world, job, first, receipt)
    world.wait(3601)
    world.do(ANYONE, "JobManager.time_out", job)
