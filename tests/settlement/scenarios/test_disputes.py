"""Challenges: who may, when, at what price, and what the committee's word does."""

from __future__ import annotations

import pytest
from settlement.world import ANYONE, CHALLENGER, CIRO, CLIENT, HOLDER, PRICE, SALT, STRANGER, World

from ciro_zk.settlement.arithmetic import hash_words
from ciro_zk.settlement.parameters import JobState, Vote

DAY = 86_400
EVIDENCE = 99


def commitment(job: int, challenger: int, salt: int = SALT) -> int:
    return hash_words(job, challenger, salt, EVIDENCE)


def test_a_worker_does_not_challenge_its_own_job(world: World) -> None:
    job, worker = world.judged()
    world.do(worker, "ProofRegistry.commit_challenge", job, commitment(job, worker))
    world.wait()
    with world.refused("SELF_CHALLENGE"):
        world.do(worker, "ProofRegistry.challenge", job, SALT, EVIDENCE)


def test_a_challenge_by_the_worker_s_friend_loses(world: World) -> None:
    """The worker gets half of the bond that its friend lost, the other half burns; of a forged result it saves a fraction."""
    job, worker = world.judged()
    supply, balance = world.see("CiroToken.total_supply"), world.balance(CHALLENGER)
    world.challenge(job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    each = PRICE // 100 // 7
    assert world.balance(CHALLENGER) == balance - PRICE
    assert world.see("CiroToken.total_supply") == supply - PRICE // 2
    assert world.credit(worker) == PRICE // 2 + PRICE - PRICE * 250 // 10_000 - CIRO - 7 * each


def test_a_friend_s_challenge_of_a_forgery_saves_little(world: World) -> None:
    job, worker = world.judged()
    stake, balance = world.stake(worker), world.balance(CHALLENGER)
    world.challenge(job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.stake(worker) == 0 and world.credit(worker) == 0
    assert world.balance(CHALLENGER) + world.credit(CHALLENGER) == balance + 2 * PRICE < balance + stake // 2


def test_a_challenge_is_committed_to_a_block_before(world: World) -> None:
    job, _ = world.judged()
    with world.refused("NOT_COMMITTED"):
        world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    world.do(CHALLENGER, "ProofRegistry.commit_challenge", job, commitment(job, CHALLENGER))
    with world.refused("TOO_FRESH"):
        world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    with world.refused("ALREADY_COMMITTED"):
        world.do(CHALLENGER, "ProofRegistry.commit_challenge", job, commitment(job, CHALLENGER))
    world.wait()
    world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    assert world.job(job).state == JobState.DISPUTED


def test_a_copied_challenge_is_refused(world: World) -> None:
    job, _ = world.judged()
    world.do(HOLDER, "CiroToken.transfer", STRANGER, PRICE)
    world.do(STRANGER, "CiroToken.approve", world.chain.addresses["JobManager"], PRICE)
    world.do(CHALLENGER, "ProofRegistry.commit_challenge", job, commitment(job, CHALLENGER))
    world.do(STRANGER, "ProofRegistry.commit_challenge", job, commitment(job, CHALLENGER))
    world.wait()
    with world.refused("NOT_COMMITTED"):
        world.do(STRANGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    assert world.see("ProofRegistry.dispute_of", job)[0] == CHALLENGER


def test_a_copied_commitment_does_not_block_its_owner(world: World) -> None:
    """Whoever sees the commitment pending may commit to the same first: it is kept by account."""
    job, _ = world.judged()
    world.do(STRANGER, "ProofRegistry.commit_challenge", job, commitment(job, CHALLENGER))
    world.do(CHALLENGER, "ProofRegistry.commit_challenge", job, commitment(job, CHALLENGER))
    world.wait()
    world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    assert world.job(job).state == JobState.DISPUTED


def test_a_challenger_without_its_bond_is_refused(world: World) -> None:
    job, _ = world.judged()
    world.do(STRANGER, "ProofRegistry.commit_challenge", job, commitment(job, STRANGER))
    world.wait()
    with world.refused("ALLOWANCE_TOO_LOW"):
        world.do(STRANGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    world.do(STRANGER, "CiroToken.approve", world.chain.addresses["JobManager"], 10**24)
    with world.refused("BALANCE_TOO_LOW"):
        world.do(STRANGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    world.do(HOLDER, "CiroToken.transfer", STRANGER, PRICE)
    world.do(STRANGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    assert world.balance(STRANGER) == 0


@pytest.mark.parametrize(("price", "bond"), [(3 * CIRO, 10 * CIRO), (PRICE, PRICE), (501 * CIRO, 500 * CIRO)])
def test_the_bond_is_the_price_within_bounds(world: World, price: int, bond: int) -> None:
    job, _ = world.judged(price=price)
    balance = world.balance(CHALLENGER)
    world.challenge(job)
    assert world.balance(CHALLENGER) == balance - bond


def test_one_dispute_at_a_time(world: World) -> None:
    job, _ = world.judged()
    for account in (CHALLENGER, CLIENT):
        world.do(account, "ProofRegistry.commit_challenge", job, commitment(job, account))
    world.wait()
    world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    with world.refused("WRONG_STATE"):
        world.do(CLIENT, "ProofRegistry.challenge", job, SALT, EVIDENCE)


def test_one_late_dispute_at_a_time(world: World) -> None:
    job, _ = world.paid()
    for account in (CHALLENGER, CLIENT):
        world.do(account, "ProofRegistry.commit_challenge", job, commitment(job, account))
    world.wait()
    world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    with world.refused("ALREADY_JUDGED"):
        world.do(CLIENT, "ProofRegistry.challenge", job, SALT, EVIDENCE)


def test_the_committee_s_word_is_final(world: World) -> None:
    job, _ = world.judged()
    world.challenge(job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    with world.refused("ALREADY_JUDGED"):
        world.do(CLIENT, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    with world.refused("NOT_DISPUTED"):
        world.do(ANYONE, "ProofRegistry.resolve", job)


def test_a_job_escalated_by_its_sample_is_not_challenged_again(world: World) -> None:
    job, _ = world.submitted()
    first = world.sample(job)
    world.vote(job, {first[0]: Vote.REJECTED, first[1]: Vote.VERIFIED, first[2]: Vote.VERIFIED})
    with world.refused("NOT_VERIFIED"):
        world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    with world.refused("ALREADY_JUDGED"):
        world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)


@pytest.mark.parametrize("late", [0, 1])
def test_the_challenge_window_of_an_unpaid_job(world: World, late: int) -> None:
    job, _ = world.judged()
    world.do(CHALLENGER, "ProofRegistry.commit_challenge", job, commitment(job, CHALLENGER))
    decided = world.see("ProofRegistry.verdict_of", job)[1]
    world.wait(decided + 3600 + late - world.chain.time)
    if late:
        with world.refused("WINDOW_CLOSED"):
            world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
        world.do(ANYONE, "JobManager.finalise", job)
    else:
        with world.refused("WINDOW_OPEN"):
            world.do(ANYONE, "JobManager.finalise", job)
        world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)


@pytest.mark.parametrize("late", [0, 1])
def test_the_evidence_window_of_a_paid_job(world: World, late: int) -> None:
    job, _ = world.paid()
    world.do(CHALLENGER, "ProofRegistry.commit_challenge", job, commitment(job, CHALLENGER))
    world.wait(world.job(job).submitted + 4 * DAY + late - world.chain.time)
    if late:
        with world.refused("WINDOW_CLOSED"):
            world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
    else:
        world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)
        assert world.job(job).state == JobState.PAID, "what is paid stays paid"


def test_no_verdict_refunds_and_returns_the_bond(world: World) -> None:
    job, worker = world.judged()
    world.challenge(job)
    committee = world.sample(job)
    stakes = {account: world.stake(account) for account in (worker, *committee)}
    world.wait(3 * DAY - 60)
    with world.refused("NO_VERDICT"):
        world.do(ANYONE, "ProofRegistry.resolve", job)
    world.wait(61)
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.job(job).state == JobState.REFUNDED and world.credit(CLIENT) == world.credit(CHALLENGER) == PRICE
    assert world.stake(worker) == stakes[worker] and world.credit(worker) == 0
    world.do(ANYONE, "ProofRegistry.tally", job)
    bond = -(-2 * PRICE // 5)
    assert all(world.stake(account) == stakes[account] - bond // 5 for account in committee), "silence costs a fifth of the bond"
    with world.refused("NOT_DISPUTED"):
        world.do(ANYONE, "ProofRegistry.resolve", job)


def test_a_tally_after_the_dispute_changes_nothing_of_the_job(world: World) -> None:
    job, worker = world.judged()
    first = world.attesters(job)
    world.challenge(job)
    committee = world.sample(job)
    for attester in committee:
        world.commit(job, attester, Vote.REJECTED)
    for attester in committee:
        world.do(attester, "ProofRegistry.reveal", job, Vote.REJECTED, SALT)
    world.wait(3 * DAY + 1)
    world.do(ANYONE, "ProofRegistry.resolve", job)
    stakes = [world.stake(account) for account in (worker, *first)]
    assert world.do(ANYONE, "ProofRegistry.tally", job) == Vote.NONE
    assert [world.stake(account) for account in (worker, *first)] == stakes
    assert world.see("ProofRegistry.verdict_of", job)[0] == Vote.NONE


def test_no_verdict_on_a_paid_job_leaves_it_paid(world: World) -> None:
    job, worker = world.paid()
    credit, stake, balance = world.credit(worker), world.stake(worker), world.balance(CLIENT)
    world.challenge(job)
    world.wait(3 * DAY + 1)
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.job(job).state == JobState.PAID and world.credit(worker) == credit and world.stake(worker) == stake
    assert world.balance(CLIENT) == balance and world.credit(CHALLENGER) == PRICE
    with world.refused("NOT_VERIFIED"):
        world.do(CHALLENGER, "ProofRegistry.challenge", job, SALT, EVIDENCE)


def test_a_lost_late_challenge_pays_the_worker_again_only_its_half_of_the_bond(world: World) -> None:
    job, worker = world.paid()
    credit = world.credit(worker)
    world.challenge(job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.credit(worker) == credit + PRICE // 2 and world.job(job).state == JobState.PAID


def test_an_unavailable_result_costs_a_tenth_of_the_bond(world: World) -> None:
    job, worker = world.judged()
    stake = world.stake(worker)
    world.challenge(job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.UNAVAILABLE))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.credit(CLIENT) == PRICE and world.stake(worker) == stake - 2 * PRICE // 10
    assert world.credit(CHALLENGER) == PRICE


def test_four_of_seven_decide_nothing(world: World) -> None:
    job, _ = world.judged()
    world.challenge(job)
    committee = world.sample(job)
    votes = dict.fromkeys(committee[:4], Vote.REJECTED) | dict.fromkeys(committee[4:], Vote.VERIFIED)
    assert world.vote(job, votes) == Vote.NONE
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.credit(CLIENT) == PRICE and world.credit(CHALLENGER) == PRICE


def test_a_minority_of_the_committee_and_false_attesters_lose_half(world: World) -> None:
    job, worker = world.judged()
    first = world.attesters(job)
    world.challenge(job)
    committee = world.sample(job)
    stakes = {account: world.stake(account) for account in (*first, *committee)}
    votes = dict.fromkeys(committee[:5], Vote.REJECTED) | {committee[5]: Vote.VERIFIED, committee[6]: Vote.UNAVAILABLE}
    assert world.vote(job, votes) == Vote.REJECTED
    for account in (*first, committee[5]):
        assert world.stake(account) == stakes[account] - stakes[account] // 2
    for account in (*committee[:5], committee[6]):
        assert world.stake(account) == stakes[account]
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.stake(worker) == 0


def test_a_dispute_holds_withdrawals_but_not_for_ever(world: World) -> None:
    """A worker that disputes itself again and again delays its delegators by one dispute at most."""
    job, worker = world.judged()
    world.do(HOLDER, "CiroToken.transfer", STRANGER, 100 * CIRO)
    world.do(STRANGER, "CiroToken.approve", world.chain.addresses["StakeVault"], 100 * CIRO)
    world.do(STRANGER, "StakeVault.stake", worker, 100 * CIRO)
    request = world.do(STRANGER, "StakeVault.request_unbond", worker, 100 * CIRO)
    world.wait(3601)
    world.do(ANYONE, "JobManager.finalise", job)
    world.wait(4 * DAY)
    job = world.submit(open_claim=True)
    world.do(worker, "JobManager.claim", job)
    world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.challenge(job)
    world.wait(3 * DAY)
    with world.refused("DISPUTE_OPEN"):
        world.do(STRANGER, "StakeVault.withdraw", request)
    world.wait(3 * DAY)
    assert world.see("StakeVault.disputes_of", worker) == 1
    assert world.do(STRANGER, "StakeVault.withdraw", request) == 100 * CIRO


def test_unbonding_does_not_escape_a_dispute(world: World) -> None:
    """The worker unbonds all it can before each step; all of it is slashed."""
    job, worker = world.paid()
    stake = world.stake(worker)
    third = stake // 3
    world.do(worker, "StakeVault.request_unbond", worker, third)
    world.challenge(job)
    world.do(worker, "StakeVault.request_unbond", worker, third)
    committee = world.sample(job)
    world.do(worker, "StakeVault.request_unbond", worker, stake - 2 * third)
    assert world.stake(worker) == 0
    client = world.balance(CLIENT)
    world.vote(job, dict.fromkeys(committee, Vote.REJECTED))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.balance(CLIENT) == client + PRICE
    world.wait(7 * DAY)
    for request in (1, 2, 3):
        assert world.do(worker, "StakeVault.withdraw", request) == 0


def test_a_withdrawal_waits_for_the_dispute(world: World) -> None:
    job, worker = world.paid()
    world.do(worker, "StakeVault.request_unbond", worker, 100 * CIRO)
    world.wait(4 * DAY - 8 * 3600)
    world.challenge(job)
    world.wait(3 * DAY + 8 * 3600)
    with world.refused("DISPUTE_OPEN"):
        world.do(worker, "StakeVault.withdraw", 1)
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.do(worker, "StakeVault.withdraw", 1) == 100 * CIRO


def test_a_job_of_a_worker_without_stake_still_ends(world: World) -> None:
    """Another offence took all of it: the slash takes nothing, the client's price is back."""
    job, worker = world.judged()
    world.challenge(job, challenger=CLIENT)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    other = world.submit(open_claim=True)
    world.do(worker, "JobManager.claim", other)
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.stake(worker) == 0 and world.credit(CLIENT) == 2 * PRICE
    world.wait(3601)
    world.do(ANYONE, "JobManager.time_out", other)
    assert world.credit(CLIENT) == 3 * PRICE and world.see("StakeVault.pool_of", worker)[4] == 0
