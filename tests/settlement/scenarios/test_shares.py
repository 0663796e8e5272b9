"""Shares of a pool that was slashed again and again: they stay small enough to count, and what is staked afterwards comes back."""

from __future__ import annotations

from settlement.world import ANYONE, CIRO, HOLDER, WORKERS, World

from ciro_zk.settlement.ledger.vault import DILUTION, StakePool
from ciro_zk.settlement.parameters import UNBONDING, SlashReason


def slash(world: World, worker: int, loss: int = 0) -> int:
    """Three tenths at first, nine from the third on."""
    jobs = world.chain.addresses["JobManager"]
    return int(world.do(jobs, "StakeVault.slash", worker, SlashReason.PROTOCOL_VIOLATION, 0, ANYONE, loss, 0, 0))


def pool_of(world: World, worker: int) -> StakePool:
    return StakePool(*world.see("StakeVault.pool_of", worker))


def test_what_is_staked_after_slashes_comes_back(world: World) -> None:
    worker = WORKERS[0]
    world.do(worker, "StakeVault.request_unbond", worker, 400 * CIRO)  # its shares stay, and dilute
    while pool_of(world, worker).shares * 10 < DILUTION * pool_of(world, worker).assets:
        slash(world, worker)
    amount = 9 * 10**26
    world.do(HOLDER, "CiroToken.transfer", worker, amount)
    world.do(worker, "StakeVault.stake", worker, amount)
    number = world.do(worker, "StakeVault.request_unbond", worker, world.see("StakeVault.position_of", worker, worker))
    world.chain.advance(1, UNBONDING)
    assert world.do(worker, "StakeVault.withdraw", number) > amount * 999_999 // 10**6


def test_a_slash_that_would_leave_dust_takes_all(world: World) -> None:
    """Or shares would soon overflow, and nobody could unbond."""
    worker = WORKERS[0]
    world.do(worker, "StakeVault.request_unbond", worker, 400 * CIRO)
    taken = 0
    for _ in range(15):
        taken += slash(world, worker, loss=10**27)
        pool = pool_of(world, worker)
        assert pool.shares < DILUTION * (pool.assets + 1) and pool.unbonding_shares < DILUTION * (pool.unbonding_assets + 1)
    assert pool == StakePool(generation=pool.generation) and pool.generation > 0
    assert taken == 1_000 * CIRO == world.balance(ANYONE)
    world.do(worker, "StakeVault.stake", worker, 7 * CIRO)
    assert world.see("StakeVault.position_of", worker, worker) == 7 * CIRO
