"""CdcPool: who works, at which tier, who is drawn, and what an epoch's rewards are.

*Drawing.* The ticket weight of a worker is its free stake × tier priority × reputation, written at its heartbeat. Trial i of a seed takes
h = keccak(seed, i), the place h mod 2¹²⁸ mod n in the list, n the least power of two that holds it, and accepts it if
⌊⌊h / 2¹²⁸⌋ B / 2¹²⁸⌋ < weight, where B is the greatest weight written in this period of 900 s or the last, in one of which every worker
that is alive wrote its own. Each is accepted in proportion to its weight, and splitting a stake gains nothing. Once the seed can be read
nobody can turn a draw to another worker: who registers after the seed's block is passed over, who leaves leaves a hole, and a higher
bound only refuses more. A draw that is repeated because too few were found takes a quarter of the bound each time, so that one large
stake does not keep small ones from ever attesting.

*Rewards.* Of an epoch, w = ⌊(S⁴ F)^(1/5)⌋ (1 + P)(1 + U)(1 + tier bonus)(1 + z/2), reward = min(R w / Σ w, F): S the least stake held and
F the platform fees of the worker's paid jobs, both in micro-CIRO, z the share of F from proven inference, P = 0.5 verified / submitted,
U = 0.3 acknowledged / assigned, the tier at most that of S. The root is concave of degree one in (S, F), so that a worker in two parts with
equal P, U and z weighs no more than whole (with its proven inference apart, at most 1.082 times as much). The cap F makes self-dealing
at best break even. Rewards not claimed in CLAIM_EPOCHS epochs return to the pool R.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

from ciro_zk.settlement.arithmetic import fifth_root, hash_words, mul_div
from ciro_zk.settlement.ledger.contract import Contract, Map, external, require, require_amount, view
from ciro_zk.settlement.ledger.prices import PriceFeed
from ciro_zk.settlement.ledger.types import U8, U32, U64, U128, U256, Address, Felt, Flag
from ciro_zk.settlement.parameters import (
    CAPABILITIES,
    CLAIM_EPOCHS,
    COMMISSION,
    COMMISSION_CAP,
    COMMISSION_DELAY,
    DRAWS,
    EPOCH,
    HEARTBEAT,
    HEARTBEAT_MISSES,
    REPUTATION_DAY,
    REPUTATION_DISPUTE,
    REPUTATION_JOB,
    REPUTATION_LAPSE,
    REPUTATION_MOST,
    REPUTATION_START,
    REPUTATION_TIMEOUT,
    TIER_BONUS,
    TIER_GRACE,
    TIER_PRIORITY,
    TIER_STAKE,
    Outcome,
)

if TYPE_CHECKING:
    from ciro_zk.settlement.ledger.chain import EmbeddedLedger

BPS = 10_000
CIRO = 10**18
MICRO_CIRO = 10**12
DAY = 86_400
ALIVE = HEARTBEAT * HEARTBEAT_MISSES
"""Seconds from a heartbeat to inactivity."""
ALL_CAPABILITIES = sum(CAPABILITIES.values())
LOST = {Outcome.TIMED_OUT: REPUTATION_TIMEOUT, Outcome.REJECTED: REPUTATION_DISPUTE, Outcome.LAPSED: REPUTATION_LAPSE}


@dataclass(frozen=True, slots=True)
class Worker:
    """A registered worker; `place` is its index in the list plus one, `tier` 0 is below Basic, times in seconds, `since` a block."""

    place: int = 0
    key: int = 0
    capabilities: int = 0
    tier: int = 0
    reputation: int = 0
    heartbeat: int = 0
    weight: int = 0
    below_since: int = 0
    day: int = 0
    gained: int = 0
    open_jobs: int = 0
    commission: int = 0
    next_commission: int = 0
    commission_time: int = 0
    since: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """What a worker did in an epoch: jobs counted, platform fees of its paid jobs, and those from proven inference."""

    assigned: int = 0
    acknowledged: int = 0
    submitted: int = 0
    verified: int = 0
    fees: int = 0
    proven: int = 0
    weight: int = 0
    checkpointed: int = 0
    claimed: int = 0


@dataclass(frozen=True, slots=True)
class Rewards:
    """An epoch's budget, fixed at its first checkpoint, what no claim has taken of it, and the sum of its weights."""

    budget: int = 0
    left: int = 0
    weights: int = 0
    opened: int = 0


class CdcPool(PriceFeed, Contract):
    """Registration, tiers, allocation, performance and rewards of workers."""

    name = "CdcPool"

    def __init__(self, chain: EmbeddedLedger) -> None:
        super().__init__(chain)
        self._workers = Map(self, "workers", Worker())
        self._keys = Map(self, "keys", 0)
        self._list = Map(self, "list", 0)
        self._length = Map(self, "length", 0)
        self._num_workers = Map(self, "num_workers", 0)
        self._holes = Map(self, "holes", 0)
        self._bounds = Map(self, "bounds", 0)
        self._coordinators = Map(self, "coordinators", 0)
        self._records = Map(self, "records", Record())
        self._rewards = Map(self, "rewards", Rewards())
        self._funds = Map(self, "funds", 0)

    # --- registration

    @external
    def register(self, capabilities: U32, key: Felt) -> None:
        """The caller becomes a worker whose receipts `key` signs; its stake must reach Basic.

        PAUSED, ALREADY_REGISTERED, PRICE_STALE, WRONG_CAPABILITIES, ZERO_KEY, KEY_TAKEN, STAKE_TOO_LOW.
        """
        self.require_live()
        require(self._workers[self.caller].place == 0, "ALREADY_REGISTERED")
        require(self._price_fresh(), "PRICE_STALE")
        require(capabilities | ALL_CAPABILITIES == ALL_CAPABILITIES, "WRONG_CAPABILITIES")
        self._take_key(key)
        tier = self._tier_of_stake(self.caller)
        require(tier > 0, "STAKE_TOO_LOW")
        length, number = self._length[()], self._num_workers[()]
        place = self._holes[length - number] if length > number else length + 1
        self._length[()] = max(length, place)
        self._num_workers[()] = number + 1
        self._list[place] = self.caller
        known = self._workers[self.caller]
        self._workers[self.caller] = Worker(
            place=place,
            key=key,
            capabilities=capabilities,
            tier=tier,
            reputation=min(known.reputation, REPUTATION_START) if known.key else REPUTATION_START,
            day=known.day,
            gained=known.gained,
            commission=known.commission if known.key else COMMISSION,
            since=self.chain.block,
        )
        self.emit("WorkerRegistered", worker=self.caller, capabilities=capabilities, key=key, tier=tier)

    @external
    def deregister(self) -> None:
        """The caller leaves the list; its keys stay slashable for what they signed. UNKNOWN_WORKER, OPEN_JOBS."""
        self._leave(self.caller)

    @external
    def remove(self, worker: Address) -> None:
        """Anyone, of a worker whose stake has been below Basic for the grace: UNKNOWN_WORKER, OPEN_JOBS, NOT_BELOW."""
        found = self._registered(worker)
        require(found.open_jobs == 0, "OPEN_JOBS")
        below = found.below_since and self.time > found.below_since + TIER_GRACE and self._tier_of_stake(worker) == 0
        require(bool(below), "NOT_BELOW")
        self._leave(worker)

    @external
    def set_capabilities(self, capabilities: U32) -> None:
        """UNKNOWN_WORKER, WRONG_CAPABILITIES."""
        found = self._registered(self.caller)
        require(capabilities | ALL_CAPABILITIES == ALL_CAPABILITIES, "WRONG_CAPABILITIES")
        self._workers[self.caller] = replace(found, capabilities=capabilities)
        self.emit("CapabilitiesSet", worker=self.caller, capabilities=capabilities)

    @external
    def rotate_key(self, key: Felt) -> None:
        """Receipts are signed by `key` from now on: UNKNOWN_WORKER, ZERO_KEY, KEY_TAKEN."""
        found = self._registered(self.caller)
        self._take_key(key)
        self._workers[self.caller] = replace(found, key=key)
        self.emit("KeyRotated", worker=self.caller, key=key)

    @external
    def heartbeat(self) -> None:
        """The caller is there; writes its ticket weight. UNKNOWN_WORKER."""
        found = self._registered(self.caller)
        free = self.call(self.chain.vault.free_stake, self.caller)
        priority = TIER_PRIORITY[found.tier - 1] if found.tier else 0
        weight = mul_div(free, priority * found.reputation, BPS)
        period = self.time // ALIVE
        self._bounds[period] = max(self._bounds[period], weight)
        self._workers[self.caller] = replace(found, heartbeat=self.time, weight=weight)
        self.emit("Heartbeat", worker=self.caller, weight=weight)

    @external
    def refresh_tier(self, worker: Address) -> None:
        """Anyone: the tier that the worker's stake has now; a fall below Basic starts its grace.

        UNKNOWN_WORKER, PRICE_STALE (for a rise).
        """
        found = self._registered(worker)
        tier = self._tier_of_stake(worker)
        require(tier <= found.tier or self._price_fresh(), "PRICE_STALE")
        below_since = 0 if tier else found.below_since or self.time
        self._workers[worker] = replace(found, tier=tier, below_since=below_since)
        self.emit("TierSet", worker=worker, tier=tier, below_since=below_since)

    @external
    def announce_commission(self, commission: U128) -> None:
        """The caller's share of its rewards: a fall at once, a rise after the delay. UNKNOWN_WORKER, COMMISSION_TOO_HIGH."""
        found = self._registered(self.caller)
        require(commission <= COMMISSION_CAP, "COMMISSION_TOO_HIGH")
        now = self._commission(found)
        if commission <= now:
            found = replace(found, commission=commission, next_commission=0, commission_time=0)
        else:
            found = replace(found, commission=now, next_commission=commission, commission_time=self.time + COMMISSION_DELAY)
        self._workers[self.caller] = found
        self.emit("CommissionAnnounced", worker=self.caller, commission=commission, effective=found.commission_time)

    @external
    def register_coordinator(self) -> None:
        """The caller may be named by clients: ALREADY_REGISTERED."""
        require(not self._coordinators[self.caller], "ALREADY_REGISTERED")
        self._coordinators[self.caller] = 1
        self.emit("CoordinatorRegistered", coordinator=self.caller)

    # --- what the system records

    @external
    def record_assigned(self, worker: Address) -> None:
        """A job was assigned: NOT_SYSTEM."""
        self.require_system("JobManager")
        self._change(worker, assigned=1)
        self._open(worker, 1)

    @external
    def record_acknowledged(self, worker: Address) -> None:
        """NOT_SYSTEM."""
        self.require_system("JobManager")
        self._change(worker, acknowledged=1)

    @external
    def record_submitted(self, worker: Address) -> None:
        """NOT_SYSTEM."""
        self.require_system("JobManager")
        self._change(worker, submitted=1)

    @external
    def record_closed(self, worker: Address, outcome: U8, fee: U128, proven: Flag, funds: U128) -> None:
        """A job is over: reputation, the epoch's fees, and `funds` for rewards, which JobManager sends. NOT_SYSTEM."""
        self.require_system("JobManager")
        self._open(worker, -1)
        self._reputation(worker, Outcome(outcome))
        if outcome == Outcome.PAID:
            self._change(worker, verified=1, fees=fee, proven=fee if proven else 0)
            self._funds[()] += funds

    @external
    def record_attester(self, worker: Address, engaged: Flag) -> None:
        """A worker was sampled to attest, or is free again: NOT_SYSTEM."""
        self.require_system("ProofRegistry")
        self._open(worker, 1 if engaged else -1)

    @external
    def record_rejected(self, worker: Address) -> None:
        """A result was rejected after its job was over: NOT_SYSTEM."""
        self.require_system("JobManager")
        self._reputation(worker, Outcome.REJECTED)

    # --- rewards

    @external
    def grant(self, amount: U128) -> None:
        """Anyone adds to the reward pool: ZERO_AMOUNT, AMOUNT_TOO_LARGE, ALLOWANCE_TOO_LOW, BALANCE_TOO_LOW."""
        require_amount(amount)
        self._funds[()] += amount
        self.emit("PoolFunded", account=self.caller, amount=amount)
        self.call(self.chain.token.transfer_from, self.caller, self.address, amount)

    @external
    def checkpoint(self, epoch: U64, worker: Address) -> None:
        """Anyone, in the epoch after: the worker's weight joins the sum. EPOCH_OPEN, EPOCH_CLOSED, ALREADY_CHECKPOINTED."""
        now = self.time // EPOCH
        record = self._records[epoch, worker]
        require(not record.checkpointed, "ALREADY_CHECKPOINTED")
        require(epoch < now, "EPOCH_OPEN")
        require(epoch + 1 == now, "EPOCH_CLOSED")
        rewards = self._rewards[epoch]
        if not rewards.opened:
            budget = self._funds[()] - self._reserved()
            rewards = Rewards(budget=budget, left=budget, opened=1)
        weight = self._weight(epoch, worker, record)
        self._records[epoch, worker] = replace(record, weight=weight, checkpointed=1)
        self._rewards[epoch] = replace(rewards, weights=rewards.weights + weight)
        self.emit("Checkpointed", epoch=epoch, worker=worker, weight=weight)

    @external
    def claim(self, epoch: U64) -> U128:
        """The caller's reward of an epoch whose checkpoints are closed: commission to the caller, the rest to all who stake behind it.

        What is not claimed in time is the pool's again. NOT_CHECKPOINTED, ALREADY_CLAIMED, EPOCH_OPEN, EPOCH_CLOSED, NOTHING_TO_CLAIM.
        """
        worker, record, rewards = self.caller, self._records[epoch, self.caller], self._rewards[epoch]
        require(bool(record.checkpointed), "NOT_CHECKPOINTED")
        require(not record.claimed, "ALREADY_CLAIMED")
        now = self.time // EPOCH
        require(epoch + 2 <= now, "EPOCH_OPEN")
        require(now < epoch + 2 + CLAIM_EPOCHS, "EPOCH_CLOSED")
        share = mul_div(rewards.budget, record.weight, rewards.weights) if rewards.weights else 0
        reward = min(share, record.fees)
        require(reward > 0, "NOTHING_TO_CLAIM")
        found = self._workers[worker]
        alone = self.call(self.chain.vault.stake_of, worker) == 0
        own = reward if alone else mul_div(reward, self._commission(found), BPS)
        self._records[epoch, worker] = replace(record, claimed=1)
        self._funds[()] -= reward
        self._rewards[epoch] = replace(rewards, left=rewards.left - share)
        self.emit("RewardClaimed", epoch=epoch, worker=worker, reward=reward, commission=own)
        if own:
            self.call(self.chain.token.transfer, worker, own)
        if reward - own:
            self.call(self.chain.token.transfer, self.chain.addresses["StakeVault"], reward - own)
            self.call(self.chain.vault.add_reward, worker, reward - own)
        return reward

    # --- views

    @view
    def is_registered(self, worker: Address) -> Flag:
        return self._workers[worker].place != 0

    @view
    def is_coordinator(self, account: Address) -> Flag:
        return bool(self._coordinators[account])

    @view
    def num_workers(self) -> U32:
        return self._num_workers[()]

    @view
    def worker_of(self, worker: Address) -> tuple[int, ...]:
        """place, key, capabilities, tier, reputation, heartbeat, weight, below_since, day, gained, open_jobs, commission, next_commission,
        commission_time, since."""
        return astuple(self._workers[worker])

    @view
    def worker_of_key(self, key: Felt) -> Address:
        """Whose key this is or was; 0 where nobody's."""
        return self._keys[key]

    @view
    def record_of(self, epoch: U64, worker: Address) -> tuple[int, ...]:
        """assigned, acknowledged, submitted, verified, fees, proven, weight, checkpointed, claimed."""
        return astuple(self._records[epoch, worker])

    @view
    def rewards_of(self, epoch: U64) -> tuple[int, ...]:
        """budget, left, weights, opened."""
        return astuple(self._rewards[epoch])

    @view
    def funds(self) -> tuple[int, ...]:
        """The reward pool's tokens, and how much of them budgets hold."""
        return (self._funds[()], self._reserved())

    @view
    def is_eligible(self, worker: Address, capabilities: U32, free: U128) -> Flag:
        """Registered, alive, at a tier, with the capabilities and the free stake."""
        return self._eligible(worker, capabilities, free)

    @view
    def draw(self, seed: U256, seed_block: U64, repeated: U32, first: U32, capabilities: U32, free: U128) -> tuple[int, ...]:
        """The first worker, eligible and registered by `seed_block`, that a trial from `first` on accepts, and the next trial's number.

        Worker 0 where none does; `repeated` counts earlier draws that found too few.
        """
        period, length = self.time // ALIVE, self._length[()]
        bound = max(self._bounds[period], self._bounds[period - 1] if period else 0) >> 2 * repeated
        places = 1 << max(length - 1, 0).bit_length()
        for trial in range(first, DRAWS):
            ticket = hash_words(seed, trial)
            worker = self._list[ticket % 2**128 % places + 1]
            accepted = (ticket >> 128) * bound >> 128 < self._workers[worker].weight and self._workers[worker].since <= seed_block
            if accepted and self._eligible(worker, capabilities, free):
                return (worker, trial + 1)
        return (0, DRAWS)

    # --- inside

    def _eligible(self, worker: int, capabilities: int, free: int) -> bool:
        found = self._workers[worker]
        alive = found.place and found.tier and self.time <= found.heartbeat + ALIVE
        return bool(alive) and found.capabilities & capabilities == capabilities and self.call(self.chain.vault.free_stake, worker) >= free

    def _registered(self, worker: int) -> Worker:
        found = self._workers[worker]
        require(found.place != 0, "UNKNOWN_WORKER")
        return found

    def _take_key(self, key: int) -> None:
        require(key != 0, "ZERO_KEY")
        require(self._keys[key] == 0, "KEY_TAKEN")
        self._keys[key] = self.caller

    def _leave(self, worker: int) -> None:
        found = self._registered(worker)
        require(found.open_jobs == 0, "OPEN_JOBS")
        number = self._num_workers[()] - 1
        self._num_workers[()] = number
        self._list[found.place], self._holes[self._length[()] - number] = 0, found.place
        self._workers[worker] = replace(found, place=0, weight=0, tier=0, below_since=0)
        self.emit("WorkerLeft", worker=worker)

    def _tier_of_stake(self, worker: int) -> int:
        return self._tier_of(self.call(self.chain.vault.stake_of, worker))

    def _tier_of(self, stake: int) -> int:
        dollars = mul_div(stake, self._tier_price(), CIRO)
        return sum(1 for least in TIER_STAKE if dollars >= least)

    def _commission(self, worker: Worker) -> int:
        return worker.next_commission if worker.commission_time and self.time >= worker.commission_time else worker.commission

    def _open(self, worker: int, change: int) -> None:
        found = self._workers[worker]
        self._workers[worker] = replace(found, open_jobs=found.open_jobs + change)
        self.emit("WorkerOccupied", worker=worker, open_jobs=found.open_jobs + change)

    def _reputation(self, worker: int, outcome: Outcome) -> None:
        found = self._workers[worker]
        if outcome == Outcome.PAID:
            day = self.time // DAY
            gained = found.gained if found.day == day else 0
            gain = min(REPUTATION_JOB, REPUTATION_DAY - gained, REPUTATION_MOST - found.reputation)
            found = replace(found, reputation=found.reputation + gain, day=day, gained=gained + gain)
        else:
            found = replace(found, reputation=max(found.reputation - LOST.get(outcome, 0), 0))
        self._workers[worker] = found
        self.emit("ReputationSet", worker=worker, outcome=int(outcome), reputation=found.reputation)

    def _change(self, worker: int, **changes: int) -> None:
        epoch = self.time // EPOCH
        record = self._records[epoch, worker]
        record = replace(record, **{name: getattr(record, name) + change for name, change in changes.items()})
        self._records[epoch, worker] = record
        self.emit(
            "Performance",
            epoch=epoch,
            worker=worker,
            assigned=record.assigned,
            acknowledged=record.acknowledged,
            submitted=record.submitted,
            verified=record.verified,
            fees=record.fees,
            proven=record.proven,
        )

    def _reserved(self) -> int:
        """What the epochs whose claims are open or to come have left."""
        now = self.time // EPOCH
        return sum(self._rewards[epoch].left for epoch in range(max(now - 1 - CLAIM_EPOCHS, 0), now))

    def _weight(self, epoch: int, worker: int, record: Record) -> int:
        least = self.call(self.chain.vault.least_stake, worker, epoch)
        root = fifth_root((least // MICRO_CIRO) ** 4 * (record.fees // MICRO_CIRO))
        tier = min(self._workers[worker].tier, self._tier_of(least))
        # A job may be submitted in one epoch and verified in the next: no ratio counts for more than one.
        verified, acknowledged = min(record.verified, record.submitted), min(record.acknowledged, record.assigned)
        factors = (
            mul_div(BPS // 2, verified, record.submitted) if record.submitted else 0,
            mul_div(3 * BPS // 10, acknowledged, record.assigned) if record.assigned else 0,
            TIER_BONUS[tier - 1] if tier else 0,
            mul_div(BPS // 2, record.proven, record.fees) if record.fees else 0,
        )
        for factor in factors:
            root = mul_div(root, BPS + factor, BPS)
        return root
