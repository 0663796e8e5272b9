"""Attesters: they commit, then reveal; silence, equivocation and falsehood cost, and only the majority is paid."""

from __future__ import annotations

import pytest
from settlement.world import ANYONE, CLIENT, PRICE, SALT, STRANGER, WORKERS, World

from ciro_zk.settlement.arithmetic import hash_words
from ciro_zk.settlement.ledger.registry import Session
from ciro_zk.settlement.parameters import JobState, VerificationMethod, Vote

BOND = PRICE
"""Of each of two of three: twice the price."""
WINDOW = 7_200


def session(world: World, job: int, number: int = 0) -> Session:
    return Session(*world.see("ProofRegistry.session_of", job, number))


def test_the_quorum_bonds_twice_the_price(world: World) -> None:
    job, _ = world.submitted()
    attesters = world.sample(job)
    found = session(world, job)
    assert (found.size, found.quorum, found.bond) == (3, 2, BOND)
    assert [world.see("StakeVault.pool_of", attester)[4] for attester in attesters] == [BOND] * 3
    with world.refused("OPEN_JOBS"):
        world.do(attesters[0], "CdcPool.deregister")
    world.vote(job, dict.fromkeys(attesters, Vote.VERIFIED))
    assert [world.see("StakeVault.pool_of", attester)[4] for attester in attesters] == [0] * 3
    world.do(attesters[0], "CdcPool.deregister")


def test_more_attesters_where_three_cannot_bond_enough(world: World) -> None:
    """At 1,150 CIRO two of three would bond 1,150 each, which nobody has; three of five bond 767."""
    world.do(1000, "CiroToken.transfer", WORKERS[0], 5_000 * 10**18)
    world.do(WORKERS[0], "StakeVault.stake", WORKERS[0], 2_000 * 10**18)
    job = world.submit(price=1_150 * 10**18, open_claim=True)
    world.do(WORKERS[0], "JobManager.claim", job)
    world.do(WORKERS[0], "JobManager.submit_result", job, *world.receipt(job, WORKERS[0]))
    world.sample(job)
    found = session(world, job)
    assert (found.size, found.quorum, found.bond) == (5, 3, -(-2 * 1_150 * 10**18 // 3))


def test_who_is_not_sampled_does_not_vote(world: World) -> None:
    """Neither the worker on its own job, nor the client, nor a stranger."""
    job, worker = world.submitted()
    world.sample(job)
    for account in (worker, CLIENT, STRANGER):
        with world.refused("NOT_ATTESTER"):
            world.do(account, "ProofRegistry.commit", job, 1)
        with world.refused("NOT_ATTESTER"):
            world.do(account, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)


def test_votes_are_committed_and_revealed_once(world: World) -> None:
    job, _ = world.submitted()
    first, second, third = world.sample(job)
    with world.refused("NOT_COMMITTED"):
        world.do(first, "ProofRegistry.commit", job, 0)
    with world.refused("NOT_COMMITTED"):
        world.do(first, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)
    world.commit(job, first, Vote.VERIFIED)
    with world.refused("ALREADY_COMMITTED"):
        world.commit(job, first, Vote.REJECTED)
    with world.refused("REVEAL_CLOSED"):
        world.do(first, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)
    world.commit(job, second, Vote.VERIFIED)
    world.commit(job, third, Vote.VERIFIED)
    with world.refused("WRONG_REVEAL"):
        world.do(first, "ProofRegistry.reveal", job, Vote.REJECTED, SALT)
    with world.refused("WRONG_REVEAL"):
        world.do(first, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT + 1)
    for vote in (Vote.NONE, 4, 255):
        with world.refused("WRONG_VOTE"):
            world.do(first, "ProofRegistry.reveal", job, vote, SALT)
    world.do(first, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)
    with world.refused("ALREADY_REVEALED"):
        world.do(first, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)
    found = session(world, job)
    assert (found.committed, found.revealed, found.verified) == (3, 1, 1)


def test_a_copied_vote_cannot_be_revealed(world: World) -> None:
    job, _ = world.submitted()
    first, second, third = world.sample(job)
    copied = hash_words(job, 0, first, Vote.VERIFIED, SALT)
    for attester in (first, second):
        world.do(attester, "ProofRegistry.commit", job, copied)
    world.commit(job, third, Vote.VERIFIED)
    world.do(first, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)
    with world.refused("WRONG_REVEAL"):
        world.do(second, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)


def test_commitments_close(world: World) -> None:
    job, _ = world.submitted()
    first, second, _ = world.sample(job)
    world.wait(WINDOW)
    world.commit(job, first, Vote.VERIFIED)
    with world.refused("REVEAL_CLOSED"):
        world.do(first, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)
    world.wait(1)
    with world.refused("COMMIT_CLOSED"):
        world.commit(job, second, Vote.VERIFIED)
    world.do(first, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)


def test_reveals_close(world: World) -> None:
    job, _ = world.submitted()
    first, second, _ = world.sample(job)
    for attester in (first, second):
        world.commit(job, attester, Vote.VERIFIED)
    world.wait(2 * WINDOW)
    world.do(first, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)
    with world.refused("TALLY_OPEN"):
        world.do(ANYONE, "ProofRegistry.tally", job)
    world.wait(1)
    with world.refused("REVEAL_CLOSED"):
        world.do(second, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)
    world.do(ANYONE, "ProofRegistry.tally", job)
    assert session(world, job).tallied


def test_a_tally_waits_and_happens_once(world: World) -> None:
    job, _ = world.submitted()
    with world.refused("NOT_SAMPLED"):
        world.do(ANYONE, "ProofRegistry.tally", job)
    attesters = world.sample(job)
    with world.refused("TALLY_OPEN"):
        world.do(ANYONE, "ProofRegistry.tally", job)
    assert world.vote(job, dict.fromkeys(attesters, Vote.VERIFIED)) == Vote.VERIFIED
    with world.refused("ALREADY_TALLIED"):
        world.do(ANYONE, "ProofRegistry.tally", job)


def test_a_silent_attester_loses_a_fifth_of_its_bond_and_the_fee(world: World) -> None:
    job, worker = world.submitted()
    first, second, silent = world.sample(job)
    stakes = [world.stake(account) for account in (first, second, silent)]
    for attester in (first, second):
        world.commit(job, attester, Vote.VERIFIED)
    world.wait(WINDOW + 1)
    for attester in (first, second):
        world.do(attester, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)
    world.wait(WINDOW)
    assert world.do(ANYONE, "ProofRegistry.tally", job) == Vote.VERIFIED, "two of three are a quorum"
    assert [world.stake(account) for account in (first, second, silent)] == [*stakes[:2], stakes[2] - BOND // 5]
    world.wait(3601)
    world.do(ANYONE, "JobManager.finalise", job)
    assert world.credit(first) == world.credit(second) == PRICE // 100 // 2 and world.credit(silent) == 0
    assert world.credit(worker) == PRICE - PRICE * 250 // 10_000 - 10**18 - PRICE // 100


def test_a_commitment_not_revealed_costs_three_tenths_of_all_stake(world: World) -> None:
    job, _ = world.submitted()
    first, second, hidden = world.sample(job)
    stake = world.stake(hidden)
    for attester in (first, second, hidden):
        world.commit(job, attester, Vote.VERIFIED)
    for attester in (first, second):
        world.do(attester, "ProofRegistry.reveal", job, Vote.VERIFIED, SALT)
    world.wait(2 * WINDOW + 1)
    assert world.do(ANYONE, "ProofRegistry.tally", job) == Vote.VERIFIED
    assert world.stake(hidden) == stake - stake * 3 // 10


@pytest.mark.parametrize("against", [Vote.REJECTED, Vote.UNAVAILABLE])
def test_one_voice_against_calls_the_committee(world: World, against: Vote) -> None:
    job, _ = world.submitted()
    first, second, third = world.sample(job)
    assert world.vote(job, {first: Vote.VERIFIED, second: Vote.VERIFIED, third: against}) == Vote.NONE
    assert world.see("ProofRegistry.round_of", job) == 2 and world.see("ProofRegistry.verdict_of", job)[3] == 0
    with world.refused("NO_VERDICT"):
        world.do(ANYONE, "JobManager.finalise", job)
    committee = world.sample(job)
    assert session(world, job, 1).bond == -(-2 * PRICE // 5)
    stakes = [world.stake(attester) for attester in (first, second, third)]
    assert world.vote(job, dict.fromkeys(committee, Vote.VERIFIED)) == Vote.VERIFIED
    lost = stakes[2] // 2 if against == Vote.REJECTED else 0
    assert [world.stake(attester) for attester in (first, second, third)] == [*stakes[:2], stakes[2] - lost]
    world.wait(3601)
    world.do(ANYONE, "JobManager.finalise", job)
    assert all(world.credit(attester) == PRICE // 100 // 7 for attester in committee)
    assert world.credit(first) == 0, "those who decided are paid"


def test_three_silent_attesters_call_the_committee(world: World) -> None:
    job, _ = world.submitted()
    world.sample(job)
    world.wait(2 * WINDOW + 1)
    assert world.do(ANYONE, "ProofRegistry.tally", job) == Vote.NONE
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.wait(3601)
    world.do(ANYONE, "JobManager.finalise", job)
    assert world.job(job).state == JobState.PAID


def test_two_false_attesters_of_three_burn_no_honest_worker(world: World) -> None:
    job, worker = world.judged(Vote.REJECTED)
    first, stake = world.attesters(job), world.stake(worker)
    stakes = [world.stake(attester) for attester in first]
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    assert world.stake(worker) == stake
    assert [world.stake(attester) for attester in first] == [each - each // 2 for each in stakes]
    with world.refused("NOT_REJECTED"):
        world.do(ANYONE, "JobManager.reject", job)


def test_a_committee_without_majority_is_no_verdict(world: World) -> None:
    job, worker = world.judged(Vote.REJECTED)
    committee = world.sample(job)
    stake = world.stake(worker)
    votes = dict.fromkeys(committee[:3], Vote.REJECTED) | dict.fromkeys(committee[3:], Vote.VERIFIED)
    assert world.vote(job, votes) == Vote.NONE
    for call, code in (("finalise", "NOT_VERIFIED"), ("reject", "NOT_REJECTED"), ("expire", "NOT_EXPIRED")):
        with world.refused(code):
            world.do(ANYONE, f"JobManager.{call}", job)
    world.wait(172_801)
    world.do(ANYONE, "JobManager.expire", job)
    assert world.credit(CLIENT) == PRICE and world.stake(worker) == stake and world.credit(worker) == 0


def test_an_unavailable_result_costs_a_tenth_of_the_bond(world: World) -> None:
    job, worker = world.judged(Vote.UNAVAILABLE)
    stake = world.stake(worker)
    committee = world.sample(job)
    votes = dict.fromkeys(committee[:4], Vote.UNAVAILABLE) | {committee[4]: Vote.REJECTED} | dict.fromkeys(committee[5:], Vote.VERIFIED)
    assert world.vote(job, votes) == Vote.UNAVAILABLE, "five against, fewer than five for one offence: the lesser"
    world.do(ANYONE, "JobManager.reject", job)
    assert world.stake(worker) == stake - 2 * PRICE // 10 and world.credit(CLIENT) == PRICE


def test_votes_on_a_job_that_expired(world: World) -> None:
    """Nobody asked in time: those who answer are freed unharmed, the job stays refunded."""
    job, worker = world.submitted()
    world.wait(172_800 - 60)
    attesters = world.sample(job)
    world.wait(1)
    world.do(ANYONE, "JobManager.expire", job)
    stakes = [world.stake(attester) for attester in attesters]
    assert world.vote(job, dict.fromkeys(attesters, Vote.VERIFIED)) == Vote.VERIFIED
    assert [world.stake(attester) for attester in attesters] == stakes
    assert world.job(job).state == JobState.REFUNDED and world.credit(worker) == 0
    with world.refused("WRONG_STATE"):
        world.do(ANYONE, "JobManager.finalise", job)
    with world.refused("WRONG_STATE"):
        world.do(CLIENT, "ProofRegistry.challenge", job, 1, 1)


def test_a_disagreement_on_a_job_that_expired_calls_nobody(world: World) -> None:
    job, _ = world.submitted()
    world.wait(172_800 - 60)
    first, second, third = world.sample(job)
    world.wait(1)
    world.do(ANYONE, "JobManager.expire", job)
    assert world.vote(job, {first: Vote.VERIFIED, second: Vote.VERIFIED, third: Vote.REJECTED}) == Vote.NONE
    assert world.see("ProofRegistry.round_of", job) == 1


def test_an_attester_bonds_for_two_jobs_at_once(world: World) -> None:
    """A bond of each job; a slash for one leaves the other's in place."""
    jobs = [world.submitted(method=VerificationMethod.ATTESTED)[0] for _ in range(6)]
    seats = [attester for job in jobs for attester in world.sample(job)]
    twice = next(attester for attester in seats if seats.count(attester) > 1)
    assert world.see("StakeVault.pool_of", twice)[4] >= seats.count(twice) * BOND
    world.wait(2 * WINDOW + 1)
    stake = world.stake(twice)
    for job in jobs:
        world.do(ANYONE, "ProofRegistry.tally", job)
    expected, left = stake, 0
    for offence in range(seats.count(twice)):
        left = BOND * 2_000 * min(1 + offence, 3) // 10_000
        expected -= left
    assert world.stake(twice) == expected, "a repeated offence counts twice, then three times"
