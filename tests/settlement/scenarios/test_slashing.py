"""How much an offence costs, and where every unit of it goes."""

from __future__ import annotations

from settlement.world import ANYONE, CHALLENGER, CIRO, CLIENT, PRICE, WORKERS, World

from ciro_zk.settlement.parameters import JobState, SlashReason, Vote

DAY = 86_400


def late(world: World, worker: int, jobs: int) -> list[int]:
    """Jobs of one worker past their deadline."""
    found = [world.submit(open_claim=True) for _ in range(jobs)]
    for job in found:
        world.do(worker, "JobManager.claim", job)
    world.wait(3601)
    return found


def test_a_slash_moves_tokens_updates_totals_and_says_so(world: World) -> None:
    job, worker = world.paid()
    stake, supply = world.stake(worker), world.see("CiroToken.total_supply")
    treasury = world.chain.addresses["GovernanceTreasury"]
    before = {account: world.balance(account) for account in (CLIENT, CHALLENGER, treasury)}
    vault = world.balance(world.chain.addresses["StakeVault"])
    world.challenge(job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    first = world.balance(treasury)
    (event,) = [each for each in world.events(ANYONE, "ProofRegistry.resolve", job) if each.name == "Slashed"]
    rest = stake - PRICE
    challenger, share = min(rest // 2, 2 * PRICE), rest // 5
    assert event.fields == {
        "worker": worker,
        "reason": SlashReason.FRAUD,
        "amount": stake,
        "client": PRICE,
        "challenger": challenger,
        "treasury": share,
        "burned": rest - challenger - share,
    }
    assert world.balance(CLIENT) == before[CLIENT] + PRICE
    assert world.balance(CHALLENGER) == before[CHALLENGER] - PRICE + challenger
    assert world.balance(treasury) == first + share
    burned = supply - world.see("CiroToken.total_supply")
    to_treasury = world.balance(treasury) - before[treasury]
    left = vault - world.balance(world.chain.addresses["StakeVault"])
    assert left == burned + PRICE + challenger + to_treasury, "the false attesters' too"


def test_two_offences_in_one_block(world: World) -> None:
    """The second counts twice, of what the first left."""
    worker = WORKERS[0]
    first, second = late(world, worker, 2)
    stake, bond = world.stake(worker), 2 * PRICE
    world.do(ANYONE, "JobManager.time_out", first)
    assert world.stake(worker) == stake - bond // 10
    world.do(ANYONE, "JobManager.time_out", second)
    assert world.stake(worker) == stake - bond // 10 - 2 * bond // 10
    assert world.credit(CLIENT) == 2 * PRICE


def test_an_offence_counts_at_most_three_times_and_for_ninety_days(world: World) -> None:
    worker = WORKERS[0]
    stake, bond = world.stake(worker), 2 * PRICE
    for job in late(world, worker, 4):
        world.do(ANYONE, "JobManager.time_out", job)
    assert world.stake(worker) == stake - bond * (1 + 2 + 3 + 3) // 10
    stake = world.stake(worker)
    world.wait(90 * DAY - 3601)
    (job,) = late(world, worker, 1)
    world.do(ANYONE, "JobManager.time_out", job)
    assert world.stake(worker) == stake - bond * 3 // 10, "ninety days later they still count"
    stake = world.stake(worker)
    world.wait(90 * DAY)
    (job,) = late(world, worker, 1)
    world.do(ANYONE, "JobManager.time_out", job)
    assert world.stake(worker) == stake - bond // 10, "a second more and they do not"


def test_a_repeated_offence_takes_no_more_than_all(world: World) -> None:
    """Malicious after an offence: twice a half."""
    worker = WORKERS[0]
    job = world.submit(open_claim=True)
    world.do(worker, "JobManager.claim", job)
    world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))
    (missed,) = late(world, worker, 1)
    world.do(ANYONE, "JobManager.time_out", missed)
    world.convict(job, worker)
    assert world.stake(worker) == 0 and world.see("StakeVault.pool_of", worker)[5] == 1
    assert world.job(job).state == JobState.REFUNDED


def test_without_a_challenger_there_is_no_share(world: World) -> None:
    job, worker = world.judged(Vote.REJECTED)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    stake, supply, balance = world.stake(worker), world.see("CiroToken.total_supply"), world.balance(ANYONE)
    world.do(ANYONE, "JobManager.reject", job)
    assert world.see("CiroToken.total_supply") == supply - (stake - stake // 5) and world.balance(ANYONE) == balance


def test_a_rejected_job_is_slashed_once(world: World) -> None:
    job, worker = world.judged(Vote.REJECTED)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.do(ANYONE, "JobManager.reject", job)
    world.do(worker, "StakeVault.stake", worker, 100 * CIRO)
    for call in ("JobManager.reject", "JobManager.finalise", "JobManager.expire", "JobManager.time_out"):
        with world.refused("WRONG_STATE"):
            world.do(ANYONE, call, job)
    assert world.stake(worker) == 100 * CIRO and world.credit(CLIENT) == PRICE


def test_a_slash_below_a_tier_ends_the_worker_s_draws(world: World) -> None:
    job, worker = world.submitted()
    world.do(worker, "StakeVault.request_unbond", worker, world.stake(worker) - 2 * PRICE)
    world.convict(job, worker)
    assert world.stake(worker) == PRICE
    world.do(ANYONE, "CdcPool.refresh_tier", worker)
    assert world.see("CdcPool.worker_of", worker)[3] == 1
    world.do(worker, "StakeVault.request_unbond", worker, 1)
    world.do(ANYONE, "CdcPool.refresh_tier", worker)
    assert not world.see("CdcPool.is_eligible", worker, 0, 0)


def test_reputation_is_lost_and_won(world: World) -> None:
    job, worker = world.paid()
    assert world.see("CdcPool.worker_of", worker)[4] == 510
    world.challenge(job)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.do(ANYONE, "ProofRegistry.resolve", job)
    assert world.see("CdcPool.worker_of", worker)[4] == 410


def test_a_worker_gains_fifty_points_a_day_at_most(world: World) -> None:
    worker = WORKERS[0]
    world.wait(DAY)
    jobs = [world.submit(price=4 * CIRO, open_claim=True) for _ in range(6)]
    for job in jobs:
        world.do(worker, "JobManager.claim", job)
        world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))
        world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.wait(3601)
    for job in jobs:
        world.do(ANYONE, "JobManager.finalise", job)
    assert world.see("CdcPool.worker_of", worker)[4] == 550
