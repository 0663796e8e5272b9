"""Stake, delegation and unbonding: what is whose, when it may leave, and what holds it."""

from __future__ import annotations

import pytest
from settlement.world import ANYONE, CIRO, HOLDER, PRICE, SIGNATURES, STRANGER, WORKERS, World

from ciro_zk.settlement.ledger.vault import StakePool, UnbondRequest
from ciro_zk.settlement.parameters import EPOCH, SUPPLY, UNBONDING, Vote

WORKER, OTHER = WORKERS[0], WORKERS[1]
DAY = 86_400


def pool(world: World, worker: int) -> StakePool:
    return StakePool(*world.see("StakeVault.pool_of", worker))


def delegate(world: World, staker: int, worker: int, amount: int) -> None:
    world.do(HOLDER, "CiroToken.transfer", staker, amount)
    world.do(staker, "CiroToken.approve", world.chain.addresses["StakeVault"], amount)
    world.do(staker, "StakeVault.stake", worker, amount)


def unbond(world: World, staker: int, worker: int, amount: int) -> int:
    return int(world.do(staker, "StakeVault.request_unbond", worker, amount))


# --- in


@pytest.mark.parametrize(
    ("amount", "code"),
    [(0, "ZERO_AMOUNT"), (SUPPLY + 1, "AMOUNT_TOO_LARGE"), (2**128, "MALFORMED_CALLDATA"), (-1, "MALFORMED_CALLDATA")],
    ids=["zero", "supply", "overflow", "negative"],
)
def test_amounts_out_of_range(world: World, amount: int, code: str) -> None:
    with world.refused(code):
        world.do(WORKER, "StakeVault.stake", WORKER, amount)
    with world.refused(code):
        world.do(WORKER, "StakeVault.request_unbond", WORKER, amount)


def test_delegated_stake_moves_tokens(world: World) -> None:
    before, held = pool(world, WORKER), world.balance(world.chain.addresses["StakeVault"])
    delegate(world, STRANGER, WORKER, 500 * CIRO)
    assert world.balance(STRANGER) == 0
    assert world.balance(world.chain.addresses["StakeVault"]) == held + 500 * CIRO
    assert pool(world, WORKER).assets == before.assets + 500 * CIRO
    assert world.see("StakeVault.position_of", WORKER, STRANGER) == 500 * CIRO
    assert world.see("StakeVault.position_of", WORKER, WORKER) == before.assets


def test_nobody_stakes_what_it_does_not_hold(world: World) -> None:
    with world.refused("ALLOWANCE_TOO_LOW"):
        world.do(STRANGER, "StakeVault.stake", WORKER, CIRO)
    world.do(STRANGER, "CiroToken.approve", world.chain.addresses["StakeVault"], CIRO)
    with world.refused("BALANCE_TOO_LOW"):
        world.do(STRANGER, "StakeVault.stake", WORKER, CIRO)
    with world.refused("UNKNOWN_WORKER"):
        world.do(WORKER, "StakeVault.stake", STRANGER, CIRO)


def test_delegators_hold_at_most_nine_tenths(world: World) -> None:
    own = world.stake(WORKER)
    delegate(world, STRANGER, WORKER, 9 * own)
    world.do(HOLDER, "CiroToken.transfer", STRANGER, 1)
    world.do(STRANGER, "CiroToken.approve", world.chain.addresses["StakeVault"], 1)
    with world.refused("OWN_STAKE_LOW"):
        world.do(STRANGER, "StakeVault.stake", WORKER, 1)
    assert world.see("StakeVault.free_stake", WORKER) == 10 * own


def test_a_worker_below_its_own_share_takes_no_job(world: World) -> None:
    own = world.stake(WORKER)
    delegate(world, STRANGER, WORKER, 9 * own)
    unbond(world, WORKER, WORKER, 10 * CIRO)
    assert world.see("StakeVault.free_stake", WORKER) == 0
    job = world.submit(open_claim=True)
    with world.refused("FREE_STAKE_LOW"):
        world.do(WORKER, "JobManager.claim", job)


def test_a_tier_needs_its_stake(world: World) -> None:
    delegate(world, STRANGER, STRANGER, 100 * CIRO - 1)
    key = SIGNATURES.public_key(STRANGER)
    with world.refused("STAKE_TOO_LOW"):
        world.do(STRANGER, "CdcPool.register", 255, key)
    delegate(world, STRANGER, STRANGER, 1)
    world.do(STRANGER, "CdcPool.register", 255, key)
    assert world.see("CdcPool.worker_of", STRANGER)[3] == 1
    with world.refused("ALREADY_REGISTERED"):
        world.do(STRANGER, "CdcPool.register", 255, key)


def test_a_worker_that_falls_below_basic_has_seven_days(world: World) -> None:
    unbond(world, WORKER, WORKER, world.stake(WORKER) - 99 * CIRO)
    with world.refused("NOT_BELOW"):
        world.do(ANYONE, "CdcPool.remove", WORKER)
    world.do(ANYONE, "CdcPool.refresh_tier", WORKER)
    world.wait(7 * DAY)
    with world.refused("NOT_BELOW"):
        world.do(ANYONE, "CdcPool.remove", WORKER)
    world.wait(1)
    world.do(ANYONE, "CdcPool.remove", WORKER)
    assert not world.see("CdcPool.is_registered", WORKER)
    with world.refused("UNKNOWN_WORKER"):
        world.do(ANYONE, "CdcPool.remove", WORKER)
    assert world.do(WORKER, "StakeVault.withdraw", 1) == 901 * CIRO


# --- out


def test_each_request_keeps_its_own_amount_and_time(world: World) -> None:
    first = unbond(world, WORKER, WORKER, 100 * CIRO)
    world.wait(3 * DAY)
    second = unbond(world, WORKER, WORKER, 50 * CIRO)
    world.wait(4 * DAY - 1)
    with world.refused("STILL_BONDED"):
        world.do(WORKER, "StakeVault.withdraw", first)
    world.wait(1)
    balance = world.balance(WORKER)
    assert world.do(WORKER, "StakeVault.withdraw", first) == 100 * CIRO
    assert world.balance(WORKER) == balance + 100 * CIRO
    with world.refused("STILL_BONDED"):
        world.do(WORKER, "StakeVault.withdraw", second)
    world.wait(3 * DAY)
    assert world.do(WORKER, "StakeVault.withdraw", second) == 50 * CIRO


def test_a_request_is_paid_once_and_to_its_staker(world: World) -> None:
    delegate(world, STRANGER, WORKER, 100 * CIRO)
    request = unbond(world, STRANGER, WORKER, 100 * CIRO)
    world.wait(UNBONDING)
    for account in (WORKER, ANYONE):
        with world.refused("NOT_STAKER"):
            world.do(account, "StakeVault.withdraw", request)
    assert world.do(STRANGER, "StakeVault.withdraw", request) == 100 * CIRO
    with world.refused("UNKNOWN_REQUEST"):
        world.do(STRANGER, "StakeVault.withdraw", request)
    for unknown in (0, request + 1):
        with world.refused("UNKNOWN_REQUEST"):
            world.do(STRANGER, "StakeVault.withdraw", unknown)
    assert UnbondRequest(*world.see("StakeVault.request_of", request)) == UnbondRequest()


def test_raising_a_stake_resets_no_lock(world: World) -> None:
    request = unbond(world, WORKER, WORKER, 100 * CIRO)
    world.wait(6 * DAY)
    world.do(WORKER, "StakeVault.stake", WORKER, 50 * CIRO)
    delegate(world, STRANGER, WORKER, 50 * CIRO)
    world.wait(DAY)
    assert world.do(WORKER, "StakeVault.withdraw", request) == 100 * CIRO


def test_nobody_unbonds_more_than_its_own(world: World) -> None:
    delegate(world, STRANGER, WORKER, 100 * CIRO)
    with world.refused("BALANCE_TOO_LOW"):
        unbond(world, STRANGER, WORKER, 100 * CIRO + 1)
    with world.refused("BALANCE_TOO_LOW"):
        unbond(world, ANYONE, WORKER, 1)
    unbond(world, STRANGER, WORKER, 100 * CIRO)
    with world.refused("BALANCE_TOO_LOW"):
        unbond(world, STRANGER, WORKER, 1)


def test_stake_that_bonds_a_job_does_not_unbond(world: World) -> None:
    job, worker = world.assigned()
    stake = world.stake(worker)
    with world.refused("STAKE_LOCKED"):
        unbond(world, worker, worker, stake - 2 * PRICE + 1)
    unbond(world, worker, worker, stake - 2 * PRICE)
    assert world.see("StakeVault.free_stake", worker) == 0
    world.wait(3601)
    world.do(ANYONE, "JobManager.time_out", job)
    left = world.stake(worker)
    unbond(world, worker, worker, left)


def test_unbonding_stake_bonds_nothing_and_counts_for_no_tier(world: World) -> None:
    unbond(world, WORKER, WORKER, 950 * CIRO)
    assert world.see("StakeVault.free_stake", WORKER) == world.stake(WORKER) == 50 * CIRO
    world.do(ANYONE, "CdcPool.refresh_tier", WORKER)
    assert world.see("CdcPool.worker_of", WORKER)[3] == 0


def test_a_withdrawal_is_never_paused(world: World) -> None:
    request = unbond(world, WORKER, WORKER, 100 * CIRO)
    world.wait(UNBONDING)
    world.pause()
    with world.refused("PAUSED"):
        world.do(WORKER, "StakeVault.stake", WORKER, CIRO)
    unbond(world, WORKER, WORKER, 100 * CIRO)
    assert world.do(WORKER, "StakeVault.withdraw", request) == 100 * CIRO


# --- slashes


def test_a_slash_takes_from_active_and_unbonding_alike(world: World) -> None:
    job, worker = world.submitted()
    stake = world.stake(worker)
    delegate(world, STRANGER, worker, stake)
    request = unbond(world, STRANGER, worker, stake // 2)
    world.convict(job, worker)
    found = pool(world, worker)
    assert (found.assets, found.unbonding_assets) == ((2 * stake - stake // 2) // 2, stake // 4)
    assert world.see("StakeVault.position_of", worker, STRANGER) == stake // 4
    assert world.see("StakeVault.position_of", worker, worker) == stake // 2
    world.wait(UNBONDING)
    assert world.do(STRANGER, "StakeVault.withdraw", request) == stake // 4


def test_a_delegator_that_leaves_before_a_slash_bears_it(world: World) -> None:
    job, worker = world.submitted()
    stake = world.stake(worker)
    delegate(world, STRANGER, worker, 1_000 * CIRO)
    world.do(STRANGER, "StakeVault.request_unbond", worker, 1_000 * CIRO)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    supply = world.see("CiroToken.total_supply")
    world.do(ANYONE, "JobManager.reject", job)
    assert world.see("CiroToken.total_supply") == supply - (stake + 1_000 * CIRO) * 8 // 10
    world.wait(UNBONDING)
    assert world.do(STRANGER, "StakeVault.withdraw", 1) == 0 and world.balance(STRANGER) == 0


def test_stake_after_a_slash_is_not_the_old_stakers(world: World) -> None:
    """A slash of everything starts a new generation: shares from before are worth nothing and dilute nobody."""
    job, worker = world.submitted()
    delegate(world, STRANGER, worker, 500 * CIRO)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.do(ANYONE, "JobManager.reject", job)
    assert (pool(world, worker).generation, pool(world, worker).assets, pool(world, worker).shares) == (1, 0, 0)
    with world.refused("BALANCE_TOO_LOW"):
        unbond(world, STRANGER, worker, 1)
    world.do(worker, "StakeVault.stake", worker, 300 * CIRO)
    assert world.see("StakeVault.position_of", worker, worker) == 300 * CIRO
    assert world.see("StakeVault.position_of", worker, STRANGER) == 0
    unbond(world, worker, worker, 300 * CIRO)


def test_a_request_from_before_a_wipe_takes_nothing_from_after_it(world: World) -> None:
    job, worker = world.submitted()
    delegate(world, STRANGER, worker, 500 * CIRO)
    old = unbond(world, STRANGER, worker, 500 * CIRO)
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.vote(job, dict.fromkeys(world.sample(job), Vote.REJECTED))
    world.do(ANYONE, "JobManager.reject", job)
    world.do(worker, "StakeVault.stake", worker, 300 * CIRO)
    new = unbond(world, worker, worker, 300 * CIRO)
    world.wait(UNBONDING)
    assert world.do(STRANGER, "StakeVault.withdraw", old) == 0
    assert world.do(worker, "StakeVault.withdraw", new) == 300 * CIRO


def test_the_first_staker_gains_nothing_by_making_shares_dear(world: World) -> None:
    """All but one unit of a reward's pool unbonded: a share is worth a fortune, half of which the virtual share took from its owner."""
    world.wait(EPOCH)
    job = world.submit(open_claim=True)
    world.do(WORKER, "JobManager.claim", job)
    world.do(WORKER, "JobManager.submit_result", job, *world.receipt(job, WORKER))
    world.vote(job, dict.fromkeys(world.sample(job), Vote.VERIFIED))
    world.wait(3601)
    world.do(ANYONE, "JobManager.finalise", job)
    epoch = world.chain.time // EPOCH
    world.do(HOLDER, "CiroToken.approve", world.chain.addresses["CdcPool"], PRICE)
    world.do(HOLDER, "CdcPool.grant", PRICE)
    world.wait(EPOCH)
    world.do(OTHER, "CdcPool.checkpoint", epoch, WORKER)
    world.wait(EPOCH)
    unbond(world, WORKER, WORKER, world.stake(WORKER) - 1)
    reward = world.do(WORKER, "CdcPool.claim", epoch)
    shared = reward - reward // 10
    first = world.see("StakeVault.position_of", WORKER, WORKER)
    assert reward > CIRO and shared * 3 // 10 < first < shared * 7 // 10
    delegate(world, STRANGER, WORKER, 3 * first - 1)
    assert world.see("StakeVault.position_of", WORKER, WORKER) <= shared, "it never has again what it put in"
    assert world.see("StakeVault.position_of", WORKER, STRANGER) <= 3 * first - 1


def test_only_the_system_locks_slashes_and_rewards(world: World) -> None:
    calls = (
        ("lock", WORKER, 1, CIRO),
        ("unlock", WORKER, 1),
        ("open_dispute", WORKER),
        ("close_dispute", WORKER),
        ("slash", WORKER, 0, 0, ANYONE, CIRO, ANYONE, CIRO),
        ("add_reward", WORKER, CIRO),
    )
    for call, *arguments in calls:
        for account in (ANYONE, WORKER, HOLDER, world.chain.addresses["GovernanceTreasury"]):
            with world.refused("NOT_SYSTEM"):
                world.do(account, f"StakeVault.{call}", *arguments)


def test_a_bond_is_made_and_freed_once(world: World) -> None:
    jobs, free = world.chain.addresses["JobManager"], world.see("StakeVault.free_stake", WORKER)
    with world.refused("UNKNOWN_LOCK"):
        world.do(jobs, "StakeVault.unlock", WORKER, 1)
    world.do(jobs, "StakeVault.lock", WORKER, 1, free)
    with world.refused("LOCK_EXISTS"):
        world.do(jobs, "StakeVault.lock", WORKER, 1, 1)
    with world.refused("FREE_STAKE_LOW"):
        world.do(jobs, "StakeVault.lock", WORKER, 2, 1)
    world.do(jobs, "StakeVault.unlock", WORKER, 1)
    with world.refused("UNKNOWN_LOCK"):
        world.do(jobs, "StakeVault.unlock", WORKER, 1)
    assert world.see("StakeVault.free_stake", WORKER) == free
