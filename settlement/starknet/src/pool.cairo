//! CdcPool: who works, at which tier, who is drawn, and what an epoch's rewards are.
//!
//! Drawing: trial i of a seed takes h = keccak(seed, i), a place of the list from its low half, and accepts the worker there with a
//! chance, decided by its high half, in proportion to its ticket weight (free stake * tier priority * reputation).
//! Rewards: w = floor((S^4 F)^(1/5)) (1 + P)(1 + U)(1 + tier bonus)(1 + z/2), reward = min(R w / sum of w, F).
//! The reasons are in ciro_zk/settlement/ledger/pool.py.
//!
//! Arithmetic saturates where nothing can overflow: a refusal that never happens is code all the same.

#[starknet::contract]
pub mod CdcPool {
    use core::cmp::{max, min};
    use core::num::traits::{SaturatingAdd, SaturatingSub, WideMul, Zero};
    use starknet::storage::{Map, StorageAsPointer, StoragePathEntry, StoragePointerReadAccess, StoragePointerWriteAccess};
    use starknet::{ContractAddress, get_block_number, get_contract_address};
    use crate::arithmetic::{fifth_root, hash_pair, mul_div};
    use crate::cells::{to_address, to_u128, to_u32};
    use crate::checks::require;
    use crate::context::{caller, now, passed};
    use crate::interfaces::{
        ICdcPool, IStakeVaultDispatcher, IStakeVaultDispatcherTrait, ITokenDispatcher, ITokenDispatcherTrait, Record, Rewards, Worker,
    };
    use crate::parameters::{
        CAPABILITIES, CLAIM_EPOCHS, COMMISSION, COMMISSION_CAP, COMMISSION_DELAY, DRAWS, EPOCH, HEARTBEAT, HEARTBEAT_MISSES, REPUTATION_DAY,
        REPUTATION_DISPUTE, REPUTATION_JOB, REPUTATION_LAPSE, REPUTATION_MOST, REPUTATION_START, REPUTATION_TIMEOUT, SUPPLY, TIER_BONUS,
        TIER_GRACE, TIER_PRIORITY, TIER_STAKE, codes, outcome as outcomes,
    };
    use crate::pool_cells::{load_record, load_rewards, load_worker, save_record, save_rewards, save_worker};
    use crate::prices::PriceFeedComponent;
    use crate::system::{Named, SystemComponent, names};

    component!(path: SystemComponent, storage: system, event: SystemEvent);
    component!(path: PriceFeedComponent, storage: feed, event: PriceEvent);

    impl Name of Named {
        const NAME: felt252 = names::POOL;

        fn governed(name: felt252) -> (u128, u128, u128) {
            (0, 0, 0)
        }
    }
    #[abi(embed_v0)]
    impl Shared = SystemComponent::Shared<ContractState>;
    impl SharedInternal = SystemComponent::Internal<ContractState>;
    #[abi(embed_v0)]
    impl Prices = PriceFeedComponent::Prices<ContractState>;
    impl PricesInternal = PriceFeedComponent::Internal<ContractState>;

    const BPS: u128 = 10_000;
    const CIRO: u128 = 1_000_000_000_000_000_000;
    const MICRO_CIRO: u128 = 1_000_000_000_000;
    const DAY: u64 = 86_400;

    #[storage]
    struct Storage {
        // Felts, for what they cost in code: structs by their first cells (pool_cells), the others by `cells`.
        workers: Map<ContractAddress, felt252>,
        keys: Map<felt252, felt252>,
        list: Map<u128, felt252>,
        /// As many places as were ever used at once; `number` of them are, the others are in `holes`, a stack from 1 on.
        length: felt252,
        number: felt252,
        holes: Map<u32, felt252>,
        /// The greatest ticket weight written in a period, which is as long as a worker lives by one heartbeat.
        bounds: Map<u64, felt252>,
        coordinators: Map<ContractAddress, felt252>,
        records: Map<(u64, ContractAddress), felt252>,
        rewards: Map<u64, felt252>,
        funds: felt252,
        #[substorage(v0)]
        system: SystemComponent::Storage,
        #[substorage(v0)]
        feed: PriceFeedComponent::Storage,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    pub enum Event {
        WorkerRegistered: WorkerRegistered,
        WorkerLeft: WorkerLeft,
        CapabilitiesSet: CapabilitiesSet,
        KeyRotated: KeyRotated,
        Heartbeat: Heartbeat,
        TierSet: TierSet,
        CommissionAnnounced: CommissionAnnounced,
        CoordinatorRegistered: CoordinatorRegistered,
        WorkerOccupied: WorkerOccupied,
        ReputationSet: ReputationSet,
        Performance: Performance,
        PoolFunded: PoolFunded,
        Checkpointed: Checkpointed,
        RewardClaimed: RewardClaimed,
        #[flat]
        SystemEvent: SystemComponent::Event,
        #[flat]
        PriceEvent: PriceFeedComponent::Event,
    }

    #[derive(Drop, starknet::Event)]
    pub struct WorkerRegistered {
        pub worker: ContractAddress,
        pub capabilities: u32,
        pub key: felt252,
        pub tier: u8,
    }

    #[derive(Drop, starknet::Event)]
    pub struct WorkerLeft {
        pub worker: ContractAddress,
    }

    #[derive(Drop, starknet::Event)]
    pub struct CapabilitiesSet {
        pub worker: ContractAddress,
        pub capabilities: u32,
    }

    #[derive(Drop, starknet::Event)]
    pub struct KeyRotated {
        pub worker: ContractAddress,
        pub key: felt252,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Heartbeat {
        pub worker: ContractAddress,
        pub weight: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct TierSet {
        pub worker: ContractAddress,
        pub tier: u8,
        pub below_since: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct CommissionAnnounced {
        pub worker: ContractAddress,
        pub commission: u128,
        pub effective: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct CoordinatorRegistered {
        pub coordinator: ContractAddress,
    }

    #[derive(Drop, starknet::Event)]
    pub struct WorkerOccupied {
        pub worker: ContractAddress,
        pub open_jobs: u32,
    }

    #[derive(Drop, starknet::Event)]
    pub struct ReputationSet {
        pub worker: ContractAddress,
        pub outcome: u8,
        pub reputation: u32,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Performance {
        pub epoch: u64,
        pub worker: ContractAddress,
        pub assigned: u32,
        pub acknowledged: u32,
        pub submitted: u32,
        pub verified: u32,
        pub fees: u128,
        pub proven: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct PoolFunded {
        pub account: ContractAddress,
        pub amount: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Checkpointed {
        pub epoch: u64,
        pub worker: ContractAddress,
        pub weight: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct RewardClaimed {
        pub epoch: u64,
        pub worker: ContractAddress,
        pub reward: u128,
        pub commission: u128,
    }

    #[constructor]
    fn constructor(ref self: ContractState, configurer: ContractAddress, reporters: Span<ContractAddress>) {
        self.system.initialize(configurer);
        self.feed.appoint(reporters);
    }

    #[abi(embed_v0)]
    impl Pool of ICdcPool<ContractState> {
        // --- registration

        fn register(ref self: ContractState, capabilities: u32, key: felt252) {
            self.system.require_live();
            let worker = caller();
            let known = self.worker(worker);
            let tier = self.tier_of_stake(worker);
            require(
                array![
                    (known.place == 0, codes::ALREADY_REGISTERED),
                    (self.feed.is_fresh(), codes::PRICE_STALE),
                    (capabilities <= CAPABILITIES, codes::WRONG_CAPABILITIES),
                ],
            );
            self.take_key(worker, key);
            assert(tier > 0, codes::STAKE_TOO_LOW);
            let (length, number) = (self.places(), self.count());
            let free = length.saturating_sub(number);
            let place = if free == 0 {
                number + 1
            } else {
                to_u32(self.holes.entry(free).read())
            };
            self.length.write(max(length, place).into());
            self.number.write(number.into() + 1);
            self.set_listed(place, worker.into());
            let (reputation, commission) = if known.key == 0 {
                (REPUTATION_START, COMMISSION)
            } else {
                (min(known.reputation, REPUTATION_START), known.commission)
            };
            let found = Worker {
                place,
                key,
                capabilities,
                tier,
                reputation,
                heartbeat: 0,
                weight: 0,
                below_since: 0,
                open_jobs: 0,
                commission,
                next_commission: 0,
                commission_time: 0,
                since: get_block_number(),
                ..known.unbox(),
            };
            self.commit(worker, BoxTrait::new(found), Event::WorkerRegistered(WorkerRegistered { worker, capabilities, key, tier }));
        }

        fn deregister(ref self: ContractState) {
            self.leave(caller());
        }

        fn remove(ref self: ContractState, worker: ContractAddress) {
            let since = self.worker(worker).below_since;
            let below = since != 0 && passed(since, TIER_GRACE + 1) && self.tier_of_stake(worker) == 0;
            self.leave(worker);
            assert(below, codes::NOT_BELOW);
        }

        fn set_capabilities(ref self: ContractState, capabilities: u32) {
            let (worker, found) = self.mine();
            assert(capabilities <= CAPABILITIES, codes::WRONG_CAPABILITIES);
            let event = Event::CapabilitiesSet(CapabilitiesSet { worker, capabilities });
            self.commit(worker, BoxTrait::new(Worker { capabilities, ..found.unbox() }), event);
        }

        fn rotate_key(ref self: ContractState, key: felt252) {
            let (worker, found) = self.mine();
            self.take_key(worker, key);
            self.commit(worker, BoxTrait::new(Worker { key, ..found.unbox() }), Event::KeyRotated(KeyRotated { worker, key }));
        }

        fn heartbeat(ref self: ContractState) {
            let (worker, found) = self.mine();
            let free = self.free_stake(worker);
            let priority = of_tier(TIER_PRIORITY.span(), found.tier);
            let weight = ratio(free, priority * found.reputation.into(), BPS);
            let time = now();
            let period = time / alive();
            self.bounds.entry(period).write(max(self.bound(period), weight).into());
            let event = Event::Heartbeat(Heartbeat { worker, weight });
            self.commit(worker, BoxTrait::new(Worker { heartbeat: time, weight, ..found.unbox() }), event);
        }

        fn refresh_tier(ref self: ContractState, worker: ContractAddress) {
            let found = self.registered(worker);
            let tier = self.tier_of_stake(worker);
            assert(tier <= found.tier || self.feed.is_fresh(), codes::PRICE_STALE);
            let below_since = if tier > 0 {
                0
            } else if found.below_since != 0 {
                found.below_since
            } else {
                now()
            };
            let event = Event::TierSet(TierSet { worker, tier, below_since });
            self.commit(worker, BoxTrait::new(Worker { tier, below_since, ..found.unbox() }), event);
        }

        fn announce_commission(ref self: ContractState, commission: u128) {
            let (worker, found) = self.mine();
            assert(commission <= COMMISSION_CAP, codes::COMMISSION_TOO_HIGH);
            let before = self.commission(worker);
            let (present, next_commission, effective) = if commission <= before {
                (commission, 0, 0)
            } else {
                (before, commission, now().saturating_add(COMMISSION_DELAY))
            };
            let event = Event::CommissionAnnounced(CommissionAnnounced { worker, commission, effective });
            let found = Worker { commission: present, next_commission, commission_time: effective, ..found.unbox() };
            self.commit(worker, BoxTrait::new(found), event);
        }

        fn register_coordinator(ref self: ContractState) {
            let coordinator = caller();
            assert(!self.coordinates(coordinator), codes::ALREADY_REGISTERED);
            self.coordinators.entry(coordinator).write(1);
            self.say(Event::CoordinatorRegistered(CoordinatorRegistered { coordinator }));
        }

        // --- what the system records

        fn record_assigned(ref self: ContractState, worker: ContractAddress) {
            self.perform(worker, 1, 0, 0, 0, 0, 0);
            self.occupy(worker, true, names::JOBS);
        }

        fn record_acknowledged(ref self: ContractState, worker: ContractAddress) {
            self.perform(worker, 0, 1, 0, 0, 0, 0);
        }

        fn record_submitted(ref self: ContractState, worker: ContractAddress) {
            self.perform(worker, 0, 0, 1, 0, 0, 0);
        }

        fn record_closed(ref self: ContractState, worker: ContractAddress, outcome: u8, fee: u128, proven: bool, funds: u128) {
            self.occupy(worker, false, names::JOBS);
            self.judge(worker, outcome);
            if outcome == outcomes::PAID {
                self.perform(worker, 0, 0, 0, 1, fee, if proven {
                    fee
                } else {
                    0
                });
                self.add_funds(funds);
            }
        }

        fn record_attester(ref self: ContractState, worker: ContractAddress, engaged: bool) {
            self.occupy(worker, engaged, names::REGISTRY);
        }

        fn record_rejected(ref self: ContractState, worker: ContractAddress) {
            self.require_caller(names::JOBS);
            self.judge(worker, outcomes::REJECTED);
        }

        // --- rewards

        fn grant(ref self: ContractState, amount: u128) {
            require(array![(amount > 0, codes::ZERO_AMOUNT), (amount <= SUPPLY, codes::AMOUNT_TOO_LARGE)]);
            let account = caller();
            self.add_funds(amount);
            self.say(Event::PoolFunded(PoolFunded { account, amount }));
            self.token().transfer_from(account, get_contract_address(), amount.into());
        }

        fn checkpoint(ref self: ContractState, epoch: u64, worker: ContractAddress) {
            let age = epoch_now().saturating_sub(epoch);
            let record = self.record(epoch, worker);
            require(
                array![
                    (!record.checkpointed, codes::ALREADY_CHECKPOINTED),
                    (age > 0, codes::EPOCH_OPEN),
                    (age < 2, codes::EPOCH_CLOSED),
                ],
            );
            let mut rewards = self.epoch_rewards(epoch);
            if !rewards.opened {
                let budget = self.held() - self.reserved();
                rewards = BoxTrait::new(Rewards { budget, left: budget, weights: 0, opened: true });
            }
            let weight = self.weight(epoch, worker, record);
            self.set_record(epoch, worker, BoxTrait::new(Record { weight, checkpointed: true, ..record.unbox() }));
            self.set_rewards(epoch, BoxTrait::new(Rewards { weights: rewards.weights + weight, ..rewards.unbox() }));
            self.say(Event::Checkpointed(Checkpointed { epoch, worker, weight }));
        }

        fn claim(ref self: ContractState, epoch: u64) -> u128 {
            let worker = caller();
            let record = self.record(epoch, worker);
            let age = epoch_now().saturating_sub(epoch);
            let rewards = self.epoch_rewards(epoch);
            let share = ratio(rewards.budget, record.weight, rewards.weights);
            let reward = min(share, record.fees);
            require(
                array![
                    (record.checkpointed, codes::NOT_CHECKPOINTED),
                    (!record.claimed, codes::ALREADY_CLAIMED),
                    (age > 1, codes::EPOCH_OPEN),
                    (age < 2 + CLAIM_EPOCHS.into(), codes::EPOCH_CLOSED),
                    (reward > 0, codes::NOTHING_TO_CLAIM),
                ],
            );
            let commission = if self.stake_of(worker) == 0 {
                BPS
            } else {
                self.commission(worker)
            };
            let own = ratio(reward, commission, BPS);
            self.set_record(epoch, worker, BoxTrait::new(Record { claimed: true, ..record.unbox() }));
            self.funds.write((self.held() - reward).into());
            self.set_rewards(epoch, BoxTrait::new(Rewards { left: rewards.left - share, ..rewards.unbox() }));
            self.say(Event::RewardClaimed(RewardClaimed { epoch, worker, reward, commission: own }));
            self.pay(worker, own);
            let rest = reward.saturating_sub(own);
            if rest != 0 {
                let vault = self.vault();
                self.pay(vault.contract_address, rest);
                vault.add_reward(worker, rest);
            }
            reward
        }

        // --- views

        fn is_registered(self: @ContractState, worker: ContractAddress) -> bool {
            self.worker(worker).place != 0
        }

        fn is_coordinator(self: @ContractState, account: ContractAddress) -> bool {
            self.coordinates(account)
        }

        fn num_workers(self: @ContractState) -> u32 {
            self.count()
        }

        fn worker_of(self: @ContractState, worker: ContractAddress) -> Worker {
            self.worker(worker).unbox()
        }

        fn worker_of_key(self: @ContractState, key: felt252) -> ContractAddress {
            self.owner_of(key)
        }

        fn record_of(self: @ContractState, epoch: u64, worker: ContractAddress) -> Record {
            self.record(epoch, worker).unbox()
        }

        fn rewards_of(self: @ContractState, epoch: u64) -> Rewards {
            self.epoch_rewards(epoch).unbox()
        }

        fn funds(self: @ContractState) -> (u128, u128) {
            (self.held(), self.reserved())
        }

        fn is_eligible(self: @ContractState, worker: ContractAddress, capabilities: u32, free: u128) -> bool {
            self.eligible(worker, capabilities, free)
        }

        fn draw(
            self: @ContractState, seed: u256, seed_block: u64, repeated: u32, first: u32, capabilities: u32, free: u128,
        ) -> (ContractAddress, u32) {
            let period = now() / alive();
            let mut bound = max(self.bound(period), self.bound(period.saturating_sub(1)));
            let mut quarters = repeated;
            while quarters != 0 && bound != 0 {
                bound /= 4;
                quarters = quarters.saturating_sub(1);
            };
            let last = ones(self.places().saturating_sub(1).into());
            let mut trial = first;
            let mut found: ContractAddress = Zero::zero();
            while found.is_zero() && trial < DRAWS {
                let ticket = hash_pair(seed, trial.into());
                let worker = to_address(self.list.entry((ticket.low & last).saturating_add(1)).read());
                let known = self.worker(worker);
                let accepted = ticket.high.wide_mul(bound).high < known.weight && known.since <= seed_block;
                if accepted && self.eligible(worker, capabilities, free) {
                    found = worker;
                }
                trial = plus(trial, 1);
            };
            if found.is_zero() {
                (found, DRAWS)
            } else {
                (found, trial)
            }
        }
    }

    #[generate_trait]
    impl Internal of InternalTrait {
        #[inline(never)]
        fn say(ref self: ContractState, event: Event) {
            self.emit(event);
        }

        fn vault(self: @ContractState) -> IStakeVaultDispatcher {
            IStakeVaultDispatcher { contract_address: self.system.address(names::VAULT) }
        }

        fn token(self: @ContractState) -> ITokenDispatcher {
            ITokenDispatcher { contract_address: self.system.address(names::TOKEN) }
        }

        #[inline(never)]
        fn stake_of(self: @ContractState, worker: ContractAddress) -> u128 {
            self.vault().stake_of(worker)
        }

        #[inline(never)]
        fn free_stake(self: @ContractState, worker: ContractAddress) -> u128 {
            self.vault().free_stake(worker)
        }

        /// Writes a worker and says why.
        #[inline(never)]
        fn commit(ref self: ContractState, worker: ContractAddress, found: Box<Worker>, event: Event) {
            self.set_worker(worker, found);
            self.say(event);
        }

        /// Tokens of the reward pool.
        #[inline(never)]
        fn pay(ref self: ContractState, account: ContractAddress, amount: u128) {
            if amount != 0 {
                self.token().transfer(account, amount.into());
            }
        }

        #[inline(never)]
        fn add_funds(ref self: ContractState, amount: u128) {
            self.funds.write((self.held() + amount).into());
        }

        #[inline(never)]
        fn count(self: @ContractState) -> u32 {
            to_u32(self.number.read())
        }

        #[inline(never)]
        fn places(self: @ContractState) -> u32 {
            to_u32(self.length.read())
        }

        /// The reward pool's tokens.
        #[inline(never)]
        fn held(self: @ContractState) -> u128 {
            to_u128(self.funds.read())
        }

        #[inline(never)]
        fn owner_of(self: @ContractState, key: felt252) -> ContractAddress {
            to_address(self.keys.entry(key).read())
        }

        #[inline(never)]
        fn coordinates(self: @ContractState, account: ContractAddress) -> bool {
            self.coordinators.entry(account).read() != 0
        }

        #[inline(never)]
        fn set_listed(ref self: ContractState, place: u32, worker: felt252) {
            self.list.entry(place.into()).write(worker);
        }

        #[inline(never)]
        fn bound(self: @ContractState, period: u64) -> u128 {
            to_u128(self.bounds.entry(period).read())
        }

        #[inline(never)]
        fn require_caller(self: @ContractState, name: felt252) {
            assert(self.system.is_caller(name), codes::NOT_SYSTEM);
        }

        #[inline(never)]
        fn registered(self: @ContractState, worker: ContractAddress) -> Box<Worker> {
            let found = self.worker(worker);
            assert(found.place != 0, codes::UNKNOWN_WORKER);
            found
        }

        /// The caller and what it is registered as.
        #[inline(never)]
        fn mine(self: @ContractState) -> (ContractAddress, Box<Worker>) {
            let worker = caller();
            (worker, self.registered(worker))
        }

        #[inline(never)]
        fn worker(self: @ContractState, worker: ContractAddress) -> Box<Worker> {
            load_worker(self.workers.entry(worker).as_ptr().__storage_pointer_address__)
        }

        #[inline(never)]
        fn set_worker(ref self: ContractState, worker: ContractAddress, found: Box<Worker>) {
            save_worker(self.workers.entry(worker).as_ptr().__storage_pointer_address__, found);
        }

        #[inline(never)]
        fn record(self: @ContractState, epoch: u64, worker: ContractAddress) -> Box<Record> {
            load_record(self.records.entry((epoch, worker)).as_ptr().__storage_pointer_address__)
        }

        #[inline(never)]
        fn set_record(ref self: ContractState, epoch: u64, worker: ContractAddress, record: Box<Record>) {
            save_record(self.records.entry((epoch, worker)).as_ptr().__storage_pointer_address__, record);
        }

        #[inline(never)]
        fn epoch_rewards(self: @ContractState, epoch: u64) -> Box<Rewards> {
            load_rewards(self.rewards.entry(epoch).as_ptr().__storage_pointer_address__)
        }

        #[inline(never)]
        fn set_rewards(ref self: ContractState, epoch: u64, rewards: Box<Rewards>) {
            save_rewards(self.rewards.entry(epoch).as_ptr().__storage_pointer_address__, rewards);
        }

        #[inline(never)]
        fn eligible(self: @ContractState, worker: ContractAddress, capabilities: u32, free: u128) -> bool {
            let found = self.worker(worker);
            let active = found.place != 0 && found.tier != 0 && !passed(found.heartbeat, alive() + 1);
            active && found.capabilities & capabilities == capabilities && self.free_stake(worker) >= free
        }

        #[inline(never)]
        fn take_key(ref self: ContractState, worker: ContractAddress, key: felt252) {
            require(array![(key != 0, codes::ZERO_KEY), (self.owner_of(key).is_zero(), codes::KEY_TAKEN)]);
            self.keys.entry(key).write(worker.into());
        }

        #[inline(never)]
        fn leave(ref self: ContractState, worker: ContractAddress) {
            let found = self.registered(worker);
            assert(found.open_jobs == 0, codes::OPEN_JOBS);
            let number = self.count();
            self.number.write(number.into() - 1);
            self.set_listed(found.place, 0);
            self.holes.entry(self.places().saturating_sub(number) + 1).write(found.place.into());
            let event = Event::WorkerLeft(WorkerLeft { worker });
            self.commit(worker, BoxTrait::new(Worker { place: 0, weight: 0, tier: 0, below_since: 0, ..found.unbox() }), event);
        }

        #[inline(never)]
        fn tier_of_stake(self: @ContractState, worker: ContractAddress) -> u8 {
            self.tier_of(self.stake_of(worker))
        }

        #[inline(never)]
        fn tier_of(self: @ContractState, stake: u128) -> u8 {
            let dollars = ratio(stake, self.feed.lower_price(), CIRO);
            let mut tier = 0;
            for least in TIER_STAKE.span() {
                if dollars >= *least {
                    tier += 1;
                }
            };
            tier
        }

        /// The worker's present share of its rewards.
        #[inline(never)]
        fn commission(self: @ContractState, worker: ContractAddress) -> u128 {
            let found = self.worker(worker);
            if found.commission_time != 0 && passed(found.commission_time, 0) {
                found.next_commission
            } else {
                found.commission
            }
        }

        /// One open job or attestation more, or less, as the contract of that name says.
        #[inline(never)]
        fn occupy(ref self: ContractState, worker: ContractAddress, engaged: bool, by: felt252) {
            self.require_caller(by);
            let found = self.worker(worker);
            let open_jobs = if engaged {
                plus(found.open_jobs, 1)
            } else {
                found.open_jobs.saturating_sub(1)
            };
            let event = Event::WorkerOccupied(WorkerOccupied { worker, open_jobs });
            self.commit(worker, BoxTrait::new(Worker { open_jobs, ..found.unbox() }), event);
        }

        #[inline(never)]
        fn judge(ref self: ContractState, worker: ContractAddress, outcome: u8) {
            let found = self.worker(worker);
            let before = found.reputation;
            let (reputation, day, gained) = if outcome == outcomes::PAID {
                let day = now() / DAY;
                let gained = if found.day == day {
                    found.gained
                } else {
                    0
                };
                let gain = min(REPUTATION_JOB, min(REPUTATION_DAY.saturating_sub(gained), REPUTATION_MOST.saturating_sub(before)));
                (before + gain, day, gained + gain)
            } else {
                (before.saturating_sub(lost(outcome)), found.day, found.gained)
            };
            let event = Event::ReputationSet(ReputationSet { worker, outcome, reputation });
            self.commit(worker, BoxTrait::new(Worker { reputation, day, gained, ..found.unbox() }), event);
        }

        /// Adds to the worker's record of this epoch, as JobManager says.
        #[inline(never)]
        fn perform(
            ref self: ContractState,
            worker: ContractAddress,
            assigned: u32,
            acknowledged: u32,
            submitted: u32,
            verified: u32,
            fees: u128,
            proven: u128,
        ) {
            self.require_caller(names::JOBS);
            let epoch = epoch_now();
            let mut record = self.record(epoch, worker).unbox();
            record.assigned = plus(record.assigned, assigned);
            record.acknowledged = plus(record.acknowledged, acknowledged);
            record.submitted = plus(record.submitted, submitted);
            record.verified = plus(record.verified, verified);
            record.fees += fees;
            record.proven += proven;
            self.set_record(epoch, worker, BoxTrait::new(record));
            let Record { assigned, acknowledged, submitted, verified, fees, proven, .. } = record;
            self.say(Event::Performance(Performance { epoch, worker, assigned, acknowledged, submitted, verified, fees, proven }));
        }

        /// What the epochs whose claims are open or to come have left.
        #[inline(never)]
        fn reserved(self: @ContractState) -> u128 {
            let present = epoch_now();
            let mut epoch = present.saturating_sub(CLAIM_EPOCHS.into() + 1);
            let mut sum = 0;
            while epoch != present {
                sum += self.epoch_rewards(epoch).left;
                epoch += 1;
            };
            sum
        }

        fn weight(self: @ContractState, epoch: u64, worker: ContractAddress, record: Box<Record>) -> u128 {
            let least = self.vault().least_stake(worker, epoch);
            let stake = least / MICRO_CIRO;
            // The supply is 10^15 micro-CIRO: S^2 < 2^128 and S^4 F < 2^256.
            let square = stake.wide_mul(stake).low;
            let fourth = square.wide_mul(square);
            let fees = record.fees / MICRO_CIRO;
            let low = fourth.low.wide_mul(fees);
            let mut weight = fifth_root(u256 { low: low.low, high: low.high + fourth.high * fees });
            let tier = min(self.worker(worker).tier, self.tier_of(least));
            // A job may be submitted in one epoch and verified in the next: no ratio counts for more than one.
            let verified = min(record.verified, record.submitted);
            let acknowledged = min(record.acknowledged, record.assigned);
            weight = raised(weight, BPS / 2, verified.into(), record.submitted.into());
            weight = raised(weight, 3 * BPS / 10, acknowledged.into(), record.assigned.into());
            weight = raised(weight, of_tier(TIER_BONUS.span(), tier), BPS, BPS);
            raised(weight, BPS / 2, record.proven, record.fees)
        }
    }

    /// Seconds from a heartbeat to inactivity.
    fn alive() -> u64 {
        HEARTBEAT * HEARTBEAT_MISSES.into()
    }

    /// As many ones as the number has binary digits; it is below 2^32.
    fn ones(number: u128) -> u128 {
        let two = number | number / 2;
        let four = two | two / 4;
        let eight = four | four / 16;
        let sixteen = eight | eight / 256;
        sixteen | sixteen / 65536
    }

    #[inline(never)]
    fn epoch_now() -> u64 {
        now() / EPOCH
    }

    /// Of a table by tier; 0 below Basic.
    #[inline(never)]
    fn of_tier(table: Span<u128>, tier: u8) -> u128 {
        if tier == 0 {
            0
        } else {
            *table.at(tier.saturating_sub(1).into())
        }
    }

    /// floor(amount part / whole), 0 where the whole is nothing.
    #[inline(never)]
    fn ratio(amount: u128, part: u128, whole: u128) -> u128 {
        if whole == 0 {
            0
        } else {
            mul_div(amount, part, whole)
        }
    }

    /// By a bonus in basis points, of which the worker has earned part / whole.
    #[inline(never)]
    fn raised(weight: u128, bonus: u128, part: u128, whole: u128) -> u128 {
        ratio(weight, BPS + ratio(bonus, part, whole), BPS)
    }

    /// Of counts, which stay at the most that they can say.
    #[inline(never)]
    fn plus(a: u32, b: u32) -> u32 {
        a.saturating_add(b)
    }

    /// The reputation that an outcome costs.
    fn lost(outcome: u8) -> u32 {
        if outcome == outcomes::TIMED_OUT {
            REPUTATION_TIMEOUT
        } else if outcome == outcomes::REJECTED {
            REPUTATION_DISPUTE
        } else if outcome == outcomes::LAPSED {
            REPUTATION_LAPSE
        } else {
            0
        }
    }
}
