"""StakeVault: the only holder of stake.

Each worker has a pool of active stake (its own and its delegators') and one of unbonding stake. A position is a number of shares:

    assets(s) = ⌊s (A + 1) / (S + 1)⌋,   shares(a) = ⌊a (S + 1) / (A + 1)⌋

with one virtual share and asset, so that a first depositor gains nothing by inflating the price. A slash takes from both pools in
proportion, and so from every position alike. A slash of everything starts a new generation: old shares are worth nothing and do not
dilute new ones. Slashed stake makes the client whole first; of the rest the challenger takes half, at most twice its bond, the treasury
a fifth, and what is left burns.

No step raises (S + 1) / (A + 1) but a slash, which takes all where it would pass 2^32. With A below 2^90, the supply, S + 1 stays below
2^123: no share overflows, and nobody's withdrawal is blocked by one.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

from ciro_zk.settlement.arithmetic import mul_div, mul_div_up
from ciro_zk.settlement.ledger.contract import Contract, Map, Trace, external, require, require_amount, view
from ciro_zk.settlement.ledger.types import U8, U64, U128, U256, Address, Flag
from ciro_zk.settlement.parameters import (
    DISPUTE_WINDOW,
    EPOCH,
    OWN_STAKE_MINIMUM,
    REPEAT_CAP,
    REPEAT_PERIOD,
    SLASH_CHALLENGER,
    SLASH_FRAUD,
    SLASH_MALICIOUS,
    SLASH_POOR,
    SLASH_TREASURY,
    SLASH_UNAVAILABLE,
    SLASH_VIOLATION,
    UNBONDING,
    SlashReason,
)

if TYPE_CHECKING:
    from ciro_zk.settlement.ledger.chain import EmbeddedLedger

BPS = 10_000
DILUTION = 2**32
"""Most shares of one unit of assets."""
OF_STAKE = {SlashReason.FRAUD: SLASH_FRAUD, SlashReason.MALICIOUS: SLASH_MALICIOUS, SlashReason.PROTOCOL_VIOLATION: SLASH_VIOLATION}
OF_BOND = {SlashReason.UNAVAILABLE: SLASH_UNAVAILABLE, SlashReason.POOR_PERFORMANCE: SLASH_POOR}


@dataclass(frozen=True, slots=True)
class StakePool:
    """A worker's stake: active and unbonding assets with their shares, what bonds hold of it, and how often it was wiped out."""

    assets: int = 0
    shares: int = 0
    unbonding_assets: int = 0
    unbonding_shares: int = 0
    locked: int = 0
    generation: int = 0


@dataclass(frozen=True, slots=True)
class UnbondRequest:
    """Shares of a worker's unbonding stake, and when they may be withdrawn."""

    worker: int = 0
    staker: int = 0
    generation: int = 0
    shares: int = 0
    release: int = 0


@dataclass(frozen=True, slots=True)
class EpochStake:
    """Active stake at the start of an epoch and the least held in it, written at the epoch's first change."""

    start: int = 0
    least: int = 0
    touched: int = 0


def assets_of(shares: int, pool_assets: int, pool_shares: int) -> int:
    """What shares are worth, rounded against their holder."""
    return mul_div(shares, pool_assets + 1, pool_shares + 1)


def _diluted(assets: int, shares: int) -> bool:
    return shares + 1 > (assets + 1) * DILUTION


class StakeVault(Contract):
    """Stake, delegation, unbonding, bonds and slashing."""

    name = "StakeVault"

    def __init__(self, chain: EmbeddedLedger) -> None:
        super().__init__(chain)
        self._pools = Map(self, "pools", StakePool())
        self._positions = Map(self, "positions", 0)
        self._requests = Map(self, "requests", UnbondRequest())
        self._num_requests = Map(self, "num_requests", 0)
        self._locks = Map(self, "locks", 0)
        self._disputes = Map(self, "disputes", 0)
        self._offences = Map(self, "offences", 0)
        self._epochs = Map(self, "epochs", EpochStake())
        self._assets_trace = Trace(self, "assets_trace")
        self._shares_trace = Trace(self, "shares_trace")
        self._generation_trace = Trace(self, "generation_trace")
        self._position_trace = Trace(self, "position_trace")

    # --- stake and delegation

    @external
    def stake(self, worker: Address, amount: U128) -> None:
        """Adds the caller's tokens to a worker's active stake: its own if the caller is the worker, else a delegation.

        PAUSED, UNKNOWN_WORKER, ZERO_AMOUNT, AMOUNT_TOO_LARGE, OWN_STAKE_LOW, ALLOWANCE_TOO_LOW, BALANCE_TOO_LOW.
        """
        self.require_live()
        require(self.caller == worker or self.call(self.chain.pool.is_registered, worker), "UNKNOWN_WORKER")
        require(worker != 0, "ZERO_ADDRESS")
        require_amount(amount)
        pool = self._pools[worker]
        shares = mul_div(amount, pool.shares + 1, pool.assets + 1)
        require(shares > 0, "ZERO_AMOUNT")
        after = replace(pool, assets=pool.assets + amount, shares=pool.shares + shares)
        if self.caller != worker:
            own = assets_of(self._positions[worker, pool.generation, worker], after.assets, after.shares)
            require(own * BPS >= after.assets * OWN_STAKE_MINIMUM, "OWN_STAKE_LOW")
        self._add_shares(worker, pool.generation, self.caller, shares)
        self._set_pool(worker, after)
        self.emit("Staked", worker=worker, staker=self.caller, amount=amount, shares=shares)
        self.call(self.chain.token.transfer_from, self.caller, self.address, amount)

    @external
    def request_unbond(self, worker: Address, amount: U128) -> U64:
        """Moves the caller's stake behind a worker to unbonding, with its own time; gives the request's number. Never paused.

        ZERO_AMOUNT, AMOUNT_TOO_LARGE, BALANCE_TOO_LOW, STAKE_LOCKED (a worker's own stake that bonds hold).
        """
        require_amount(amount)
        pool = self._pools[worker]
        held = self._positions[worker, pool.generation, self.caller]
        require(amount <= assets_of(held, pool.assets, pool.shares), "BALANCE_TOO_LOW")
        require(self.caller != worker or pool.assets - amount >= pool.locked, "STAKE_LOCKED")
        shares = mul_div_up(amount, pool.shares + 1, pool.assets + 1)
        unbonding = mul_div(amount, pool.unbonding_shares + 1, pool.unbonding_assets + 1)
        number = self._num_requests[()] + 1
        self._num_requests[()] = number
        self._requests[number] = UnbondRequest(worker, self.caller, pool.generation, unbonding, self.time + UNBONDING)
        self._add_shares(worker, pool.generation, self.caller, -shares)
        self._set_pool(
            worker,
            replace(
                pool,
                assets=pool.assets - amount,
                shares=pool.shares - shares,
                unbonding_assets=pool.unbonding_assets + amount,
                unbonding_shares=pool.unbonding_shares + unbonding,
            ),
        )
        self.emit("UnbondRequested", request=number, worker=worker, staker=self.caller, amount=amount, release=self.time + UNBONDING)
        return number

    @external
    def withdraw(self, request: U64) -> U128:
        """Pays an unbonding request out, less what was slashed meanwhile. Never paused.

        Disputes of results from before the request are over when the unbonding is; a later one delays it for a dispute's length at most,
        so that a worker cannot hold its delegators' stake by disputing itself. UNKNOWN_REQUEST, NOT_STAKER, DISPUTE_OPEN, STILL_BONDED.
        """
        found = self._requests[request]
        require(found.staker != 0, "UNKNOWN_REQUEST")
        require(found.staker == self.caller, "NOT_STAKER")
        require(self._disputes[found.worker] == 0 or self.time > found.release + DISPUTE_WINDOW, "DISPUTE_OPEN")
        require(self.time >= found.release, "STILL_BONDED")
        pool = self._pools[found.worker]
        amount = 0
        if found.generation == pool.generation:
            amount = min(assets_of(found.shares, pool.unbonding_assets, pool.unbonding_shares), pool.unbonding_assets)
            self._set_pool(
                found.worker,
                replace(pool, unbonding_assets=pool.unbonding_assets - amount, unbonding_shares=pool.unbonding_shares - found.shares),
            )
        self._requests[request] = UnbondRequest()
        self.emit("Withdrawn", request=request, staker=self.caller, amount=amount)
        if amount:
            self.call(self.chain.token.transfer, self.caller, amount)
        return amount

    # --- bonds and disputes, by the system

    @external
    def lock(self, worker: Address, key: U256, amount: U128) -> None:
        """Bonds free stake to a job or an attestation: NOT_SYSTEM, LOCK_EXISTS, FREE_STAKE_LOW."""
        self.require_system("JobManager", "ProofRegistry")
        require(self._locks[worker, key] == 0, "LOCK_EXISTS")
        require(self._free(worker) >= amount, "FREE_STAKE_LOW")
        self._locks[worker, key] = amount
        pool = self._pools[worker]
        self._pools[worker] = replace(pool, locked=pool.locked + amount)
        self.emit("StakeLocked", worker=worker, key=key, amount=amount)

    @external
    def unlock(self, worker: Address, key: U256) -> None:
        """Frees a bond: NOT_SYSTEM, UNKNOWN_LOCK."""
        self.require_system("JobManager", "ProofRegistry")
        amount = self._locks[worker, key]
        require(amount > 0, "UNKNOWN_LOCK")
        self._locks[worker, key] = 0
        pool = self._pools[worker]
        self._pools[worker] = replace(pool, locked=pool.locked - amount)
        self.emit("StakeUnlocked", worker=worker, key=key, amount=amount)

    @external
    def open_dispute(self, worker: Address) -> None:
        """Withdrawals from the worker's stake wait until the dispute is over: NOT_SYSTEM."""
        self.require_system("ProofRegistry")
        self._disputes[worker] += 1
        self.emit("DisputeNamed", worker=worker, open=self._disputes[worker])

    @external
    def close_dispute(self, worker: Address) -> None:
        """NOT_SYSTEM, NOT_DISPUTED."""
        self.require_system("ProofRegistry")
        require(self._disputes[worker] > 0, "NOT_DISPUTED")
        self._disputes[worker] -= 1
        self.emit("DisputeNamed", worker=worker, open=self._disputes[worker])

    @external
    def slash(
        self, worker: Address, reason: U8, bond: U128, client: Address, loss: U128, challenger: Address, challenge_bond: U128
    ) -> U128:
        """Takes stake for an offence and hands it out; gives the amount.

        Fraud, Malicious and ProtocolViolation take a share of slashable stake; Unavailable and PoorPerformance one of `bond`. The k-th
        offence in the repeat period counts min(k, cap) times, and never above the whole base. NOT_SYSTEM.
        """
        self.require_system("JobManager", "ProofRegistry")
        pool = self._pools[worker]
        slashable = pool.assets + pool.unbonding_assets
        base, rate = (slashable, OF_STAKE[SlashReason(reason)]) if reason in OF_STAKE else (bond, OF_BOND[SlashReason(reason)])
        times = min(1 + self._count_offence(worker), REPEAT_CAP)
        amount = min(mul_div(base, rate * times, BPS), base, slashable)
        active = mul_div(amount, pool.assets, slashable) if slashable else 0
        unbonding = min(amount - active, pool.unbonding_assets)
        active = amount - unbonding
        left = replace(pool, assets=pool.assets - active, unbonding_assets=pool.unbonding_assets - unbonding)
        if _diluted(left.assets, left.shares) or _diluted(left.unbonding_assets, left.unbonding_shares):
            amount = slashable
        if amount == slashable:
            left = StakePool(locked=pool.locked, generation=pool.generation + 1)
        self._set_pool(worker, left)
        to_client = min(amount, loss)
        rest = amount - to_client
        to_challenger = min(mul_div(rest, SLASH_CHALLENGER, BPS), 2 * challenge_bond) if challenger else 0
        to_treasury = mul_div(rest, SLASH_TREASURY, BPS)
        burned = rest - to_challenger - to_treasury
        self.emit(
            "Slashed",
            worker=worker,
            reason=reason,
            amount=amount,
            client=to_client,
            challenger=to_challenger,
            treasury=to_treasury,
            burned=burned,
        )
        for account, part in ((client, to_client), (challenger, to_challenger), (self.chain.addresses["GovernanceTreasury"], to_treasury)):
            if part:
                self.call(self.chain.token.transfer, account, part)
        if burned:
            self.call(self.chain.token.burn, burned)
        return amount

    @external
    def add_reward(self, worker: Address, amount: U128) -> None:
        """Raises what active shares are worth, by tokens that the pool has sent: NOT_SYSTEM."""
        self.require_system("CdcPool")
        pool = self._pools[worker]
        self._set_pool(worker, replace(pool, assets=pool.assets + amount))
        self.emit("RewardAdded", worker=worker, amount=amount)

    # --- views

    @view
    def pool_of(self, worker: Address) -> tuple[int, ...]:
        """assets, shares, unbonding_assets, unbonding_shares, locked, generation."""
        return astuple(self._pools[worker])

    @view
    def request_of(self, request: U64) -> tuple[int, ...]:
        """worker, staker, generation, shares, release; zeros where it was paid out or never made."""
        return astuple(self._requests[request])

    @view
    def stake_of(self, worker: Address) -> U128:
        """Active stake, own and delegated."""
        return self._pools[worker].assets

    @view
    def position_of(self, worker: Address, staker: Address) -> U128:
        """What the staker's active stake behind a worker is worth."""
        pool = self._pools[worker]
        return assets_of(self._positions[worker, pool.generation, staker], pool.assets, pool.shares)

    @view
    def free_stake(self, worker: Address) -> U128:
        """Active stake that no bond holds; 0 while the worker's own stake is below its share."""
        return self._free(worker)

    @view
    def disputes_of(self, worker: Address) -> U64:
        return self._disputes[worker]

    @view
    def linked(self, worker: Address, party: Address, block: U64) -> Flag:
        """Whether the worker has stake behind the party, or the party held at least half of the worker's at the end of a past block.

        Less than half, or later, is no link: else a party could shut out every honest attester by delegating to it. BLOCK_NOT_PAST.
        """
        if self._positions[party, self._pools[party].generation, worker]:
            return True
        generation = self._generation_trace.at((worker,), block)
        held = self._position_trace.at((worker, generation, party), block)
        return held > 0 and 2 * held >= self._shares_trace.at((worker,), block)

    @view
    def least_stake(self, worker: Address, epoch: U64) -> U128:
        """The least active stake held in an epoch; exact for the present epoch and the one before."""
        found, later = self._epochs[worker, epoch], self._epochs[worker, epoch + 1]
        return found.least if found.touched else later.start if later.touched else self._pools[worker].assets

    @view
    def stake_at(self, worker: Address, staker: Address, block: U64) -> U128:
        """What the staker's active stake behind a worker was worth at the end of a past block, else BLOCK_NOT_PAST."""
        generation = self._generation_trace.at((worker,), block)
        shares = self._position_trace.at((worker, generation, staker), block)
        return assets_of(shares, self._assets_trace.at((worker,), block), self._shares_trace.at((worker,), block))

    # --- inside

    def _free(self, worker: int) -> int:
        pool = self._pools[worker]
        own = assets_of(self._positions[worker, pool.generation, worker], pool.assets, pool.shares)
        if own * BPS < pool.assets * OWN_STAKE_MINIMUM:
            return 0
        return max(pool.assets - pool.locked, 0)

    def _add_shares(self, worker: int, generation: int, staker: int, shares: int) -> None:
        self._positions[worker, generation, staker] += shares
        self._position_trace.push((worker, generation, staker), self._positions[worker, generation, staker])

    def _set_pool(self, worker: int, after: StakePool) -> None:
        before = self._pools[worker].assets
        epoch = self.time // EPOCH
        found = self._epochs[worker, epoch]
        start, least = (found.start, found.least) if found.touched else (before, before)
        self._epochs[worker, epoch] = EpochStake(start, min(least, after.assets), 1)
        self._pools[worker] = after
        self._assets_trace.push((worker,), after.assets)
        self._shares_trace.push((worker,), after.shares)
        self._generation_trace.push((worker,), after.generation)

    def _count_offence(self, worker: int) -> int:
        """How many of the two offences before this one count, which is then remembered."""
        last, before = self._offences[worker, 0], self._offences[worker, 1]
        previous = sum(1 for offence in (last, before) if offence and self.time - offence <= REPEAT_PERIOD)
        self._offences[worker, 0], self._offences[worker, 1] = self.time, last
        return previous
