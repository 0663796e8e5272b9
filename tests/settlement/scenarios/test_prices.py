"""The price of CIRO: who says it, how fast it moves, and what happens to workers when it falls or is not known."""

from __future__ import annotations

from settlement.world import ANYONE, CIRO, HOLDER, PRICE, REPORTERS, SIGNATURES, STRANGER, WORKERS, World

from ciro_zk.settlement.ledger.pool import Worker
from ciro_zk.settlement.ledger.prices import MOST_PRICE
from ciro_zk.settlement.parameters import PRICE_INTERVAL, PRICE_LAG, TIER_GRACE, JobState, Tier, Vote

DOLLAR = 10**6
WORKER = WORKERS[0]


def report(world: World, *prices: int) -> None:
    for reporter, price in zip(REPORTERS, prices, strict=False):
        world.do(reporter, "CdcPool.report_price", price)


def update(world: World, *prices: int) -> int:
    """An hour later, the reporters' prices and the feed's."""
    world.chain.advance(1, PRICE_INTERVAL)
    report(world, *prices)
    return int(world.do(ANYONE, "CdcPool.update_price"))


def alive(world: World, *workers: int) -> None:
    for worker in workers:
        world.do(worker, "CdcPool.heartbeat")


def worker_of(world: World, worker: int) -> Worker:
    return Worker(*world.see("CdcPool.worker_of", worker))


def test_the_price_is_the_median_moved_by_at_most_a_fifth(world: World) -> None:
    assert update(world, 900_000, 1_100_000, 1_050_000) == 1_050_000
    assert update(world, 1_000_000, 1_100_000, 1_090_000, 1_010_000) == 1_010_000, "the lower of two in the middle"
    assert update(world, 1, MOST_PRICE, MOST_PRICE, 1, MOST_PRICE) == 1_212_000
    assert update(world, 1, 1, 1) == 969_600
    assert world.see("CdcPool.price") == (969_600, world.chain.time)


def test_one_update_an_hour_from_fresh_reports(world: World) -> None:
    with world.refused("PRICE_TOO_SOON"):
        world.do(ANYONE, "CdcPool.update_price")
    world.chain.advance(1, PRICE_INTERVAL - 1)
    report(world, DOLLAR)
    with world.refused("PRICE_TOO_SOON"):
        world.do(ANYONE, "CdcPool.update_price")
    world.chain.advance(1, 1)
    world.do(ANYONE, "CdcPool.update_price")  # two of the reports are an hour old
    world.chain.advance(1, PRICE_INTERVAL)
    report(world, DOLLAR)
    with world.refused("NO_QUORUM"):
        world.do(ANYONE, "CdcPool.update_price")


def test_only_reporters_report_and_only_a_price(world: World) -> None:
    with world.refused("NOT_REPORTER"):
        world.do(STRANGER, "CdcPool.report_price", 0)
    with world.refused("ZERO_AMOUNT"):
        world.do(REPORTERS[0], "CdcPool.report_price", 0)
    with world.refused("AMOUNT_TOO_LARGE"):
        world.do(REPORTERS[0], "CdcPool.report_price", MOST_PRICE + 1)


def test_new_reporters_start_without_reports(world: World) -> None:
    governance, new = world.chain.addresses["GovernanceTreasury"], (31, 32, 33, 34, 21)
    with world.refused("NOT_GOVERNANCE"):
        world.do(ANYONE, "CdcPool.set_reporters", new)
    with world.refused("MALFORMED_CALLDATA"):
        world.do(governance, "CdcPool.set_reporters", new[:4])
    with world.refused("WRONG_ORDER"):
        world.do(governance, "CdcPool.set_reporters", (31, 32, 33, 34, 31))
    world.chain.advance(1, PRICE_INTERVAL)
    report(world, DOLLAR, DOLLAR, DOLLAR)
    world.do(governance, "CdcPool.set_reporters", new)
    with world.refused("NO_QUORUM"):
        world.do(ANYONE, "CdcPool.update_price")
    with world.refused("NOT_REPORTER"):
        world.do(REPORTERS[1], "CdcPool.report_price", DOLLAR)
    assert [world.see("CdcPool.reporter_at", place) for place in range(6)] == [*new, 0]


def test_a_spike_buys_no_tier(world: World) -> None:
    for _ in range(6):
        update(world, MOST_PRICE, MOST_PRICE, MOST_PRICE)
    price, _ = world.see("CdcPool.price")
    assert price == 2_985_984 and world.see("CdcPool.tier_price") == DOLLAR
    world.do(ANYONE, "CdcPool.refresh_tier", WORKER)
    assert worker_of(world, WORKER).tier == Tier.PREMIUM
    world.chain.advance(1, PRICE_LAG - PRICE_INTERVAL)
    assert world.see("CdcPool.tier_price") == 2_488_320, "the last but one, which held a day ago"
    world.chain.advance(1, PRICE_INTERVAL)
    assert world.see("CdcPool.tier_price") == 2_985_984
    world.do(ANYONE, "CdcPool.refresh_tier", WORKER)
    assert worker_of(world, WORKER).tier == Tier.ENTERPRISE


def test_a_fall_below_basic_in_mid_job_touches_neither_the_job_nor_its_pay(world: World) -> None:
    job = world.submit(open_claim=True, duration=86_400)
    world.do(WORKER, "JobManager.claim", job)
    for _ in range(11):
        update(world, 1, 1, 1)
    world.do(ANYONE, "CdcPool.refresh_tier", WORKER)
    fallen = worker_of(world, WORKER)
    assert (fallen.tier, fallen.below_since) == (Tier.NONE, world.chain.time)
    alive(world, *WORKERS)
    assert not world.see("CdcPool.is_eligible", WORKER, 0, 0)
    assert worker_of(world, WORKER).weight == 0
    with world.refused("OPEN_JOBS"):
        world.do(ANYONE, "CdcPool.remove", WORKER)
    world.do(WORKER, "JobManager.submit_result", job, *world.receipt(job, WORKER))
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.wait(3601)
    world.do(ANYONE, "JobManager.finalise", job)
    assert world.job(job).state == JobState.PAID and world.credit(WORKER) > PRICE * 9 // 10
    with world.refused("NOT_BELOW"):
        world.do(ANYONE, "CdcPool.remove", WORKER)
    world.chain.advance(1, fallen.below_since + TIER_GRACE - world.chain.time)
    with world.refused("NOT_BELOW"):
        world.do(ANYONE, "CdcPool.remove", WORKER)
    world.chain.advance(1, 1)
    stake = world.stake(WORKER)
    world.do(ANYONE, "CdcPool.remove", WORKER)
    assert not world.see("CdcPool.is_registered", WORKER) and world.stake(WORKER) == stake


def test_stake_added_within_the_grace_keeps_the_worker(world: World) -> None:
    for _ in range(11):
        update(world, 1, 1, 1)
    world.do(ANYONE, "CdcPool.refresh_tier", WORKER)
    world.do(HOLDER, "CiroToken.transfer", WORKER, 1_000 * CIRO)
    world.do(WORKER, "StakeVault.stake", WORKER, 1_000 * CIRO)
    world.do(ANYONE, "CdcPool.refresh_tier", WORKER)
    risen = worker_of(world, WORKER)
    assert (risen.tier, risen.below_since) == (Tier.BASIC, 0)
    world.chain.advance(1, TIER_GRACE + 1)
    with world.refused("NOT_BELOW"):
        world.do(ANYONE, "CdcPool.remove", WORKER)


def test_without_a_fresh_price_nobody_registers_or_rises_and_all_else_goes_on(world: World) -> None:
    job = world.submit(open_claim=True)
    world.chain.advance(1, PRICE_LAG)
    assert world.see("CdcPool.price_fresh")
    world.chain.advance(1, 1)
    assert not world.see("CdcPool.price_fresh")
    alive(world, *WORKERS)
    world.do(WORKERS[1], "CdcPool.deregister")
    with world.refused("PRICE_STALE"):
        world.do(WORKERS[1], "CdcPool.register", 255, SIGNATURES.public_key(77))
    for worker in WORKERS[2:4]:
        world.do(HOLDER, "CiroToken.transfer", worker, 10**6 * CIRO)
        world.do(worker, "StakeVault.stake", worker, 10**6 * CIRO)
    with world.refused("PRICE_STALE"):
        world.do(ANYONE, "CdcPool.refresh_tier", WORKERS[2])
    world.do(WORKERS[4], "StakeVault.request_unbond", WORKERS[4], 1_000 * CIRO)
    world.do(ANYONE, "CdcPool.refresh_tier", WORKERS[4])
    assert worker_of(world, WORKERS[4]).tier == Tier.NONE, "a fall needs no fresh price"
    world.do(WORKER, "JobManager.claim", job)
    world.do(WORKER, "JobManager.submit_result", job, *world.receipt(job, WORKER))
    assert world.submit()
    assert update(world, DOLLAR, DOLLAR, DOLLAR) == DOLLAR
    world.do(ANYONE, "CdcPool.refresh_tier", WORKERS[2])
    assert worker_of(world, WORKERS[2]).tier == Tier.INSTITUTIONAL
