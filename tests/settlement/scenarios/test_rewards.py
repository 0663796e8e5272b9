"""What work, stake and cheating earn: drawing, weights, the pool and its claims."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from settlement.conftest import GENESIS
from settlement.world import ANYONE, CIRO, CLIENT, HOLDER, OWNER, PRICE, SIGNATURES, START, STRANGER, WORKERS, World, populate

from ciro_zk.settlement.arithmetic import fifth_root
from ciro_zk.settlement.ledger.chain import EmbeddedLedger
from ciro_zk.settlement.ledger.pool import ALIVE, Record, Rewards, Worker
from ciro_zk.settlement.parameters import CLAIM_EPOCHS, COMMISSION, EPOCH, REPUTATION_JOB, JobType, Vote

WHOLE, PART, OTHER_PART = WORKERS[2], WORKERS[0], WORKERS[1]
FEE = PRICE * 250 // 10_000
"""The platform fee of a job, half of which is the pool's."""
MICRO = 10**12
FIRST = START // EPOCH
"""The epoch of the first block, in which every worker's stake was nothing at first."""


def start_of(world: World, epoch: int) -> None:
    """Waits until the epoch begins."""
    world.wait(epoch * EPOCH - world.chain.time)


def work(world: World, worker: int, *, jobs: int = 1, price: int = PRICE, job_type: int = JobType.AI_INFERENCE) -> None:
    """The worker claims jobs and is paid for them."""
    for _ in range(jobs):
        job = world.submit(price=price, open_claim=True, job_type=job_type)
        world.do(worker, "JobManager.claim", job)
        finish(world, job, worker)


def finish(world: World, job: int, worker: int) -> None:
    world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.wait(3601)
    world.do(ANYONE, "JobManager.finalise", job)


def stake(world: World, worker: int, amount: int) -> None:
    """Adds to the worker's own stake."""
    world.do(HOLDER, "CiroToken.transfer", worker, amount)
    world.do(worker, "StakeVault.stake", worker, amount)


def checkpoint(world: World, epoch: int, worker: int) -> int:
    """The weight."""
    (event,) = world.events(ANYONE, "CdcPool.checkpoint", epoch, worker)
    return int(event.fields["weight"])


def heartbeat(world: World, worker: int) -> int:
    """The ticket weight."""
    (event,) = world.events(worker, "CdcPool.heartbeat")
    return int(event.fields["weight"])


def worker_of(world: World, worker: int) -> Worker:
    return Worker(*world.see("CdcPool.worker_of", worker))


def grant(world: World, amount: int) -> None:
    world.do(HOLDER, "CiroToken.approve", world.chain.addresses["CdcPool"], amount)
    world.do(HOLDER, "CdcPool.grant", amount)


def register(world: World, worker: int, key: int) -> None:
    world.do(worker, "CdcPool.register", 255, SIGNATURES.public_key(key))


# --- drawing


def test_a_split_stake_draws_no_more_tickets(world: World) -> None:
    stake(world, WHOLE, world.stake(PART) + world.stake(OTHER_PART) - world.stake(WHOLE))
    parts = heartbeat(world, PART) + heartbeat(world, OTHER_PART)
    assert heartbeat(world, WHOLE) >= parts
    stake(world, WHOLE, 1_000 * CIRO)  # 3,010 dollars are a higher tier, in which none of three parts is
    world.do(ANYONE, "CdcPool.refresh_tier", WHOLE)
    assert heartbeat(world, WHOLE) > (parts + heartbeat(world, WORKERS[3])) * 3_010 // 3_040


def test_workers_are_drawn_in_proportion_to_their_weights() -> None:
    """The whole of a stake and its two parts, 20,000 draws: the same share within five standard deviations."""
    ledger = EmbeddedLedger(genesis=GENESIS, signatures=SIGNATURES)
    populate(ledger)
    world = World(ledger)
    stake(world, WHOLE, 990 * CIRO)
    weights = {worker: heartbeat(world, worker) for worker in WORKERS}
    drawn = [world.see("CdcPool.draw", seed, 1, 0, 0, 0, 0)[0] for seed in range(20_000)]
    for accounts in ((WHOLE,), (PART, OTHER_PART)):
        share = sum(weights[account] for account in accounts) / sum(weights.values())
        found = sum(drawn.count(account) for account in accounts) / len(drawn)
        assert abs(found - share) < 5 * (share * (1 - share) / len(drawn)) ** 0.5


def test_a_great_stake_that_leaves_does_not_stop_the_draw(world: World) -> None:
    whale = WORKERS[13]
    stake(world, whale, 10**6 * CIRO)
    world.do(ANYONE, "CdcPool.refresh_tier", whale)
    world.do(whale, "CdcPool.heartbeat")
    world.do(whale, "CdcPool.deregister")
    assert world.see("CdcPool.draw", 5, 1, 0, 0, 0, 0)[0] == 0, "nobody is accepted beside its weight"
    world.wait(2 * ALIVE)
    assert all(world.see("CdcPool.draw", seed, 1, 0, 0, 0, 0)[0] for seed in range(5))


# --- weights


@given(st.tuples(*[st.integers(0, 10**15)] * 4))
def test_the_weight_of_two_parts_is_at_most_that_of_the_whole(parts: tuple[int, int, int, int]) -> None:
    stake, other_stake, fees, other_fees = parts
    split = fifth_root(stake**4 * fees) + fifth_root(other_stake**4 * other_fees)
    assert split <= fifth_root((stake + other_stake) ** 4 * (fees + other_fees))


def test_a_split_stake_earns_no_more(world: World) -> None:
    stake(world, WHOLE, world.stake(PART) + world.stake(OTHER_PART) - world.stake(WHOLE))
    start_of(world, FIRST + 1)
    work(world, WHOLE, price=2 * PRICE)
    work(world, PART)
    work(world, OTHER_PART)
    grant(world, CIRO)
    start_of(world, FIRST + 2)
    weights = [checkpoint(world, FIRST + 1, worker) for worker in (WHOLE, PART, OTHER_PART)]
    assert weights[0] >= weights[1] + weights[2] > 0
    start_of(world, FIRST + 3)
    whole, *parts = [world.do(worker, "CdcPool.claim", FIRST + 1) for worker in (WHOLE, PART, OTHER_PART)]
    assert whole >= sum(parts) > 0


def test_the_weight_is_the_formula(world: World) -> None:
    start_of(world, FIRST + 1)
    work(world, PART)
    work(world, PART, job_type=JobType.PROOF_GENERATION)
    job = world.submit(open_claim=True)
    world.do(PART, "JobManager.claim", job)
    world.wait(3601)
    world.do(ANYONE, "JobManager.time_out", job)
    left = world.stake(PART)
    start_of(world, FIRST + 2)
    root = fifth_root((left // MICRO) ** 4 * (2 * FEE // MICRO))
    for factor in (5_000, 3_000, 1_000, 2_500):  # two of two verified, three of three acknowledged, Premium, half of the fees proven
        root = root * (10_000 + factor) // 10_000
    assert checkpoint(world, FIRST + 1, PART) == root
    assert Record(*world.see("CdcPool.record_of", FIRST + 1, PART)) == Record(3, 3, 2, 2, 2 * FEE, FEE, root, 1, 0)


def test_jobs_across_the_end_of_an_epoch_count_once(world: World) -> None:
    start_of(world, FIRST + 2)
    world.chain.advance(1, EPOCH - 600)
    for worker in WORKERS:
        world.do(worker, "CdcPool.heartbeat")
    jobs = [world.submit(open_claim=True) for _ in range(3)]
    for job in jobs:
        world.do(PART, "JobManager.claim", job)
        world.do(PART, "JobManager.submit_result", job, *world.receipt(job, PART))
    world.wait(600)
    work(world, OTHER_PART)
    for job in jobs:
        world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.wait(3601)
    for job in jobs:
        world.do(ANYONE, "JobManager.finalise", job)
    work(world, PART)
    record = Record(*world.see("CdcPool.record_of", FIRST + 3, PART))
    assert (record.submitted, record.verified) == (1, 4)
    start_of(world, FIRST + 4)
    root = fifth_root((world.stake(PART) // MICRO) ** 4 * (4 * FEE // MICRO))
    for factor in (5_000, 3_000, 1_000, 5_000):
        root = root * (10_000 + factor) // 10_000
    assert checkpoint(world, FIRST + 3, PART) == root


def test_a_tier_bought_after_the_epoch_adds_nothing(world: World) -> None:
    stake(world, PART, world.stake(OTHER_PART) - world.stake(PART))
    start_of(world, FIRST + 1)
    work(world, PART)
    work(world, OTHER_PART)
    start_of(world, FIRST + 2)
    for reporter in (21, 22, 23):
        world.do(reporter, "CdcPool.report_price", 10**6)
    world.do(ANYONE, "CdcPool.update_price")
    stake(world, PART, 10**6 * CIRO)
    world.do(ANYONE, "CdcPool.refresh_tier", PART)
    assert worker_of(world, PART).tier > worker_of(world, OTHER_PART).tier
    assert checkpoint(world, FIRST + 1, PART) == checkpoint(world, FIRST + 1, OTHER_PART)


def test_stake_of_the_present_epoch_weighs_nothing_yet(world: World) -> None:
    work(world, PART)
    start_of(world, FIRST + 1)
    assert checkpoint(world, FIRST, PART) == 0


# --- the pool


def test_a_wash_job_earns_no_more_than_it_paid(world: World) -> None:
    """Client, worker and the model's owner are one, alone in an epoch whose pool is rich: they lose what the attesters earn."""
    start_of(world, FIRST + 1)
    grant(world, 10_000 * CIRO)

    def wealth() -> int:
        return world.stake(PART) + sum(world.balance(account) + world.credit(account) for account in (PART, CLIENT, OWNER))

    before = wealth()
    work(world, PART)
    start_of(world, FIRST + 2)
    checkpoint(world, FIRST + 1, PART)
    start_of(world, FIRST + 3)
    assert world.do(PART, "CdcPool.claim", FIRST + 1) == FEE
    assert wealth() == before - 3 * (PRICE // 100 // 3)


def test_rewards_go_to_the_worker_and_all_who_stake_behind_it(world: World) -> None:
    world.do(HOLDER, "CiroToken.approve", world.chain.addresses["StakeVault"], 10**27)
    world.do(HOLDER, "StakeVault.stake", PART, 1_000 * CIRO)
    start_of(world, FIRST + 1)
    work(world, PART)
    with world.refused("EPOCH_OPEN"):
        checkpoint(world, FIRST + 1, PART)
    start_of(world, FIRST + 2)
    with world.refused("EPOCH_CLOSED"):
        checkpoint(world, FIRST, PART)
    with world.refused("NOT_CHECKPOINTED"):
        world.do(PART, "CdcPool.claim", FIRST + 1)
    checkpoint(world, FIRST + 1, PART)
    with world.refused("ALREADY_CHECKPOINTED"):
        checkpoint(world, FIRST + 1, PART)
    with world.refused("EPOCH_OPEN"):
        world.do(PART, "CdcPool.claim", FIRST + 1)
    start_of(world, FIRST + 3)
    before, position = world.balance(PART), world.see("StakeVault.position_of", PART, HOLDER)
    reward = world.do(PART, "CdcPool.claim", FIRST + 1)
    own = reward * COMMISSION // 10_000
    assert reward == FEE // 2, "all that the pool held"
    assert world.balance(PART) == before + own
    earned = world.see("StakeVault.position_of", PART, HOLDER) - position
    assert 0 <= (reward - own) // 2 - earned <= 1
    with world.refused("ALREADY_CLAIMED"):
        world.do(PART, "CdcPool.claim", FIRST + 1)


def test_an_empty_pool_pays_nothing_and_loses_nothing(world: World) -> None:
    start_of(world, FIRST + 1)
    assert checkpoint(world, FIRST, PART) == 0
    assert Rewards(*world.see("CdcPool.rewards_of", FIRST)) == Rewards(0, 0, 0, 1)
    start_of(world, FIRST + 2)
    with world.refused("NOTHING_TO_CLAIM"):
        world.do(PART, "CdcPool.claim", FIRST)
    with world.refused("ZERO_AMOUNT"):
        world.do(HOLDER, "CdcPool.grant", 0)
    grant(world, CIRO)
    assert world.see("CdcPool.funds") == (CIRO, 0)


def test_what_nobody_claims_is_the_pool_s_again(world: World) -> None:
    """Anyone may open an epoch with an account that earned nothing: the budget must not stay in it."""
    grant(world, 100 * CIRO)
    start_of(world, FIRST + 1)
    assert checkpoint(world, FIRST, STRANGER) == 0
    assert world.see("CdcPool.funds") == (100 * CIRO, 100 * CIRO)
    world.chain.advance(1, CLAIM_EPOCHS * EPOCH)
    assert world.see("CdcPool.funds") == (100 * CIRO, 100 * CIRO)
    world.chain.advance(1, EPOCH)
    assert world.see("CdcPool.funds") == (100 * CIRO, 0)


def test_a_reward_is_claimed_in_time(world: World) -> None:
    start_of(world, FIRST + 1)
    work(world, PART)
    work(world, OTHER_PART)
    start_of(world, FIRST + 2)
    for worker in (PART, OTHER_PART):
        checkpoint(world, FIRST + 1, worker)
    start_of(world, FIRST + 2 + CLAIM_EPOCHS)
    reward = world.do(PART, "CdcPool.claim", FIRST + 1)
    assert world.see("CdcPool.funds") == (FEE - reward, FEE - reward)
    start_of(world, FIRST + 3 + CLAIM_EPOCHS)
    with world.refused("EPOCH_CLOSED"):
        world.do(OTHER_PART, "CdcPool.claim", FIRST + 1)
    assert world.see("CdcPool.funds") == (FEE - reward, 0)


def test_what_the_cap_leaves_is_the_pool_s_again(world: World) -> None:
    start_of(world, FIRST + 1)
    grant(world, 100 * CIRO)
    work(world, PART)
    start_of(world, FIRST + 2)
    checkpoint(world, FIRST + 1, PART)
    start_of(world, FIRST + 3)
    assert world.do(PART, "CdcPool.claim", FIRST + 1) == FEE
    assert world.see("CdcPool.funds") == (100 * CIRO + FEE // 2 - FEE, 0)


# --- reputation


def test_a_day_s_reputation_survives_a_new_registration(world: World) -> None:
    work(world, PART)
    assert worker_of(world, PART).gained == REPUTATION_JOB
    world.do(PART, "CdcPool.deregister")
    register(world, PART, key=55)
    again = worker_of(world, PART)
    assert (again.gained, again.day) == (REPUTATION_JOB, world.chain.time // 86_400)
    assert again.reputation == 500, "above the start is not kept"
