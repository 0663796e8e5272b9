//! The only holder of stake.
//!
//! Each worker has a pool of active stake (its own and its delegators') and one of unbonding stake. A position is a number of shares:
//!
//!     assets(s) = floor(s (A + 1) / (S + 1)),   shares(a) = floor(a (S + 1) / (A + 1))
//!
//! No step raises (S + 1) / (A + 1) but a slash, which takes all where it would pass 2^32. With A below 2^90, the supply, S + 1 stays
//! below 2^123: no share overflows, and nobody's withdrawal is blocked by one.

#[starknet::contract]
pub mod StakeVault {
    use core::num::traits::Zero;
    use starknet::storage::{Map, StoragePathEntry, StoragePointerReadAccess, StoragePointerWriteAccess};
    use starknet::{ContractAddress, get_block_number, get_block_timestamp, get_caller_address, get_contract_address};
    use crate::arithmetic::{mul_div, mul_div_up};
    use crate::checkpoints::{History, ReadHistory, WriteHistory};
    use crate::interfaces::{
        EpochStake, ICdcPoolDispatcher, ICdcPoolDispatcherTrait, IStakeVault, ITokenDispatcher, ITokenDispatcherTrait, StakePool,
        UnbondRequest,
    };
    use crate::parameters;
    use crate::parameters::{codes, slash_reason};
    use crate::system::{Named, SystemComponent, names};

    const BPS: u128 = 10_000;
    /// Most shares of one unit of assets.
    const DILUTION: u128 = 0x100000000;

    component!(path: SystemComponent, storage: system, event: SystemEvent);

    impl Name of Named {
        const NAME: felt252 = names::VAULT;
    }
    #[abi(embed_v0)]
    impl Shared = SystemComponent::Shared<ContractState>;
    impl SharedInternal = SystemComponent::Internal<ContractState>;

    #[storage]
    struct Storage {
        pools: Map<ContractAddress, StakePool>,
        assets: Map<ContractAddress, History>,
        shares: Map<ContractAddress, History>,
        generations: Map<ContractAddress, History>,
        /// Shares by worker, generation, staker.
        positions: Map<(ContractAddress, u32, ContractAddress), History>,
        requests: Map<u64, UnbondRequest>,
        num_requests: u64,
        locks: Map<(ContractAddress, u256), u128>,
        disputes: Map<ContractAddress, u64>,
        /// Times of a worker's last offence and of the one before it.
        offences: Map<ContractAddress, (u64, u64)>,
        epochs: Map<(ContractAddress, u64), EpochStake>,
        #[substorage(v0)]
        system: SystemComponent::Storage,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    pub enum Event {
        Staked: Staked,
        UnbondRequested: UnbondRequested,
        Withdrawn: Withdrawn,
        StakeLocked: StakeLocked,
        StakeUnlocked: StakeUnlocked,
        DisputeNamed: DisputeNamed,
        Slashed: Slashed,
        RewardAdded: RewardAdded,
        #[flat]
        SystemEvent: SystemComponent::Event,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Staked {
        pub worker: ContractAddress,
        pub staker: ContractAddress,
        pub amount: u128,
        pub shares: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct UnbondRequested {
        pub request: u64,
        pub worker: ContractAddress,
        pub staker: ContractAddress,
        pub amount: u128,
        pub release: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Withdrawn {
        pub request: u64,
        pub staker: ContractAddress,
        pub amount: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct StakeLocked {
        pub worker: ContractAddress,
        pub key: u256,
        pub amount: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct StakeUnlocked {
        pub worker: ContractAddress,
        pub key: u256,
        pub amount: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct DisputeNamed {
        pub worker: ContractAddress,
        pub open: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Slashed {
        pub worker: ContractAddress,
        pub reason: u8,
        pub amount: u128,
        pub client: u128,
        pub challenger: u128,
        pub treasury: u128,
        pub burned: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct RewardAdded {
        pub worker: ContractAddress,
        pub amount: u128,
    }

    #[constructor]
    fn constructor(ref self: ContractState, configurer: ContractAddress) {
        self.system.initialize(configurer);
    }

    #[abi(embed_v0)]
    impl Vault of IStakeVault<ContractState> {
        fn stake(ref self: ContractState, worker: ContractAddress, amount: u128) {
            self.system.require_live();
            let caller = get_caller_address();
            let workers = ICdcPoolDispatcher { contract_address: self.system.address(names::POOL) };
            assert(caller == worker || workers.is_registered(worker), codes::UNKNOWN_WORKER);
            assert(!worker.is_zero(), codes::ZERO_ADDRESS);
            require_amount(amount);
            let mut pool = self.pool(worker);
            let shares = mul_div(amount, pool.shares + 1, pool.assets + 1);
            assert(shares > 0, codes::ZERO_AMOUNT);
            pool.assets += amount;
            pool.shares += shares;
            if caller != worker {
                let own = assets_of(self.position(worker, pool.generation, worker), pool.assets, pool.shares);
                assert(own * BPS >= pool.assets * parameters::OWN_STAKE_MINIMUM, codes::OWN_STAKE_LOW);
            }
            let held = self.position(worker, pool.generation, caller);
            self.set_position(worker, pool.generation, caller, held + shares);
            self.set_pool(worker, pool);
            self.emit(Staked { worker, staker: caller, amount, shares });
            self.token().transfer_from(caller, get_contract_address(), amount.into());
        }

        fn request_unbond(ref self: ContractState, worker: ContractAddress, amount: u128) -> u64 {
            require_amount(amount);
            let caller = get_caller_address();
            let mut pool = self.pool(worker);
            let held = self.position(worker, pool.generation, caller);
            assert(amount <= assets_of(held, pool.assets, pool.shares), codes::BALANCE_TOO_LOW);
            assert(caller != worker || pool.assets - amount >= pool.locked, codes::STAKE_LOCKED);
            let shares = mul_div_up(amount, pool.shares + 1, pool.assets + 1);
            let unbonding = mul_div(amount, pool.unbonding_shares + 1, pool.unbonding_assets + 1);
            let request = self.num_requests.read() + 1;
            let release = get_block_timestamp() + parameters::UNBONDING;
            self.num_requests.write(request);
            self.set_request(request, UnbondRequest { worker, staker: caller, generation: pool.generation, shares: unbonding, release });
            self.set_position(worker, pool.generation, caller, held - shares);
            pool.assets -= amount;
            pool.shares -= shares;
            pool.unbonding_assets += amount;
            pool.unbonding_shares += unbonding;
            self.set_pool(worker, pool);
            self.emit(UnbondRequested { request, worker, staker: caller, amount, release });
            request
        }

        fn withdraw(ref self: ContractState, request: u64) -> u128 {
            let found = self.requests.entry(request).read();
            let caller = get_caller_address();
            assert(!found.staker.is_zero(), codes::UNKNOWN_REQUEST);
            assert(found.staker == caller, codes::NOT_STAKER);
            let time = get_block_timestamp();
            let late = time > found.release + parameters::DISPUTE_WINDOW;
            assert(late || self.disputes.entry(found.worker).read() == 0, codes::DISPUTE_OPEN);
            assert(time >= found.release, codes::STILL_BONDED);
            let mut pool = self.pool(found.worker);
            let mut amount = 0;
            if found.generation == pool.generation {
                amount =
                    core::cmp::min(assets_of(found.shares, pool.unbonding_assets, pool.unbonding_shares), pool.unbonding_assets);
                pool.unbonding_assets -= amount;
                pool.unbonding_shares -= found.shares;
                self.set_pool(found.worker, pool);
            }
            let none = UnbondRequest { worker: Zero::zero(), staker: Zero::zero(), generation: 0, shares: 0, release: 0 };
            self.set_request(request, none);
            self.emit(Withdrawn { request, staker: caller, amount });
            self.pay(caller, amount);
            amount
        }

        fn lock(ref self: ContractState, worker: ContractAddress, key: u256, amount: u128) {
            self.require_system();
            let lock = self.locks.entry((worker, key));
            assert(lock.read() == 0, codes::LOCK_EXISTS);
            assert(self.free(worker) >= amount, codes::FREE_STAKE_LOW);
            lock.write(amount);
            let mut pool = self.pool(worker);
            pool.locked += amount;
            self.pools.entry(worker).write(pool);
            self.emit(StakeLocked { worker, key, amount });
        }

        fn unlock(ref self: ContractState, worker: ContractAddress, key: u256) {
            self.require_system();
            let lock = self.locks.entry((worker, key));
            let amount = lock.read();
            assert(amount > 0, codes::UNKNOWN_LOCK);
            lock.write(0);
            let mut pool = self.pool(worker);
            pool.locked -= amount;
            self.pools.entry(worker).write(pool);
            self.emit(StakeUnlocked { worker, key, amount });
        }

        fn open_dispute(ref self: ContractState, worker: ContractAddress) {
            assert(self.system.is_caller(names::REGISTRY), codes::NOT_SYSTEM);
            let open = self.disputes.entry(worker).read() + 1;
            self.disputes.entry(worker).write(open);
            self.emit(DisputeNamed { worker, open });
        }

        fn close_dispute(ref self: ContractState, worker: ContractAddress) {
            assert(self.system.is_caller(names::REGISTRY), codes::NOT_SYSTEM);
            let open = self.disputes.entry(worker).read();
            assert(open > 0, codes::NOT_DISPUTED);
            self.disputes.entry(worker).write(open - 1);
            self.emit(DisputeNamed { worker, open: open - 1 });
        }

        fn slash(
            ref self: ContractState,
            worker: ContractAddress,
            reason: u8,
            bond: u128,
            client: ContractAddress,
            loss: u128,
            challenger: ContractAddress,
            challenge_bond: u128,
        ) -> u128 {
            self.require_system();
            let mut pool = self.pool(worker);
            let slashable = pool.assets + pool.unbonding_assets;
            let (base, rate) = terms(reason, slashable, bond);
            let times = core::cmp::min(1 + self.count_offence(worker), parameters::REPEAT_CAP.into());
            let mut amount = core::cmp::min(core::cmp::min(mul_div(base, rate * times, BPS), base), slashable);
            let mut active = if slashable == 0 {
                0
            } else {
                mul_div(amount, pool.assets, slashable)
            };
            let unbonding = core::cmp::min(amount - active, pool.unbonding_assets);
            active = amount - unbonding;
            pool.assets -= active;
            pool.unbonding_assets -= unbonding;
            if diluted(pool.assets, pool.shares) || diluted(pool.unbonding_assets, pool.unbonding_shares) {
                amount = slashable;
            }
            if amount == slashable {
                pool =
                    StakePool {
                        assets: 0,
                        shares: 0,
                        unbonding_assets: 0,
                        unbonding_shares: 0,
                        locked: pool.locked,
                        generation: pool.generation + 1,
                    };
            }
            self.set_pool(worker, pool);
            let to_client = core::cmp::min(amount, loss);
            let rest = amount - to_client;
            let to_challenger = if challenger.is_zero() {
                0
            } else {
                core::cmp::min(mul_div(rest, parameters::SLASH_CHALLENGER, BPS), 2 * challenge_bond)
            };
            let to_treasury = mul_div(rest, parameters::SLASH_TREASURY, BPS);
            let burned = rest - to_challenger - to_treasury;
            self
                .emit(
                    Slashed { worker, reason, amount, client: to_client, challenger: to_challenger, treasury: to_treasury, burned },
                );
            self.pay(client, to_client);
            self.pay(challenger, to_challenger);
            self.pay(self.system.address(names::GOVERNANCE), to_treasury);
            if burned > 0 {
                self.token().burn(burned.into());
            }
            amount
        }

        fn add_reward(ref self: ContractState, worker: ContractAddress, amount: u128) {
            assert(self.system.is_caller(names::POOL), codes::NOT_SYSTEM);
            let mut pool = self.pool(worker);
            pool.assets += amount;
            self.set_pool(worker, pool);
            self.emit(RewardAdded { worker, amount });
        }

        fn pool_of(self: @ContractState, worker: ContractAddress) -> StakePool {
            self.pool(worker)
        }

        fn request_of(self: @ContractState, request: u64) -> UnbondRequest {
            self.requests.entry(request).read()
        }

        fn stake_of(self: @ContractState, worker: ContractAddress) -> u128 {
            self.pool(worker).assets
        }

        fn position_of(self: @ContractState, worker: ContractAddress, staker: ContractAddress) -> u128 {
            let pool = self.pool(worker);
            assets_of(self.position(worker, pool.generation, staker), pool.assets, pool.shares)
        }

        fn free_stake(self: @ContractState, worker: ContractAddress) -> u128 {
            self.free(worker)
        }

        fn disputes_of(self: @ContractState, worker: ContractAddress) -> u64 {
            self.disputes.entry(worker).read()
        }

        fn linked(self: @ContractState, worker: ContractAddress, party: ContractAddress, block: u64) -> bool {
            if self.position(party, self.pool(party).generation, worker) != 0 {
                return true;
            }
            assert(block < get_block_number(), codes::BLOCK_NOT_PAST);
            let held = self.shares_at(worker, party, block);
            held != 0 && 2 * held >= self.shares.entry(worker).at_block(block)
        }

        fn least_stake(self: @ContractState, worker: ContractAddress, epoch: u64) -> u128 {
            let found = self.epochs.entry((worker, epoch)).read();
            let later = self.epochs.entry((worker, epoch + 1)).read();
            if found.touched {
                found.least
            } else if later.touched {
                later.start
            } else {
                self.pool(worker).assets
            }
        }

        fn stake_at(self: @ContractState, worker: ContractAddress, staker: ContractAddress, block: u64) -> u128 {
            assert(block < get_block_number(), codes::BLOCK_NOT_PAST);
            assets_of(self.shares_at(worker, staker, block), self.assets.entry(worker).at_block(block), self.shares.entry(worker).at_block(block))
        }
    }

    #[generate_trait]
    impl Internal of InternalTrait {
        fn token(self: @ContractState) -> ITokenDispatcher {
            ITokenDispatcher { contract_address: self.system.address(names::TOKEN) }
        }

        #[inline(never)]
        fn require_system(self: @ContractState) {
            assert(self.system.is_caller(names::JOBS) || self.system.is_caller(names::REGISTRY), codes::NOT_SYSTEM);
        }

        #[inline(never)]
        fn pay(ref self: ContractState, account: ContractAddress, amount: u128) {
            if amount > 0 {
                self.token().transfer(account, amount.into());
            }
        }

        #[inline(never)]
        fn pool(self: @ContractState, worker: ContractAddress) -> StakePool {
            self.pools.entry(worker).read()
        }

        #[inline(never)]
        fn position(self: @ContractState, worker: ContractAddress, generation: u32, staker: ContractAddress) -> u128 {
            self.positions.entry((worker, generation, staker)).latest()
        }

        #[inline(never)]
        fn set_position(ref self: ContractState, worker: ContractAddress, generation: u32, staker: ContractAddress, shares: u128) {
            self.positions.entry((worker, generation, staker)).record(get_block_number(), shares);
        }

        #[inline(never)]
        fn set_request(ref self: ContractState, request: u64, value: UnbondRequest) {
            self.requests.entry(request).write(value);
        }

        /// Writes the pool, what votes read of it at past blocks, and the least stake of the epoch.
        #[inline(never)]
        fn set_pool(ref self: ContractState, worker: ContractAddress, after: StakePool) {
            let before = self.pool(worker);
            let epoch = self.epochs.entry((worker, get_block_timestamp() / parameters::EPOCH));
            let found = epoch.read();
            let (start, least) = if found.touched {
                (found.start, found.least)
            } else {
                (before.assets, before.assets)
            };
            epoch.write(EpochStake { start, least: core::cmp::min(least, after.assets), touched: true });
            self.pools.entry(worker).write(after);
            let block = get_block_number();
            self.assets.entry(worker).record(block, after.assets);
            if after.shares != before.shares {
                self.shares.entry(worker).record(block, after.shares);
            }
            if after.generation != before.generation {
                self.generations.entry(worker).record(block, after.generation.into());
            }
        }

        /// Active stake that no bond holds; 0 while the worker's own stake is below its share.
        #[inline(never)]
        fn free(self: @ContractState, worker: ContractAddress) -> u128 {
            let pool = self.pool(worker);
            let own = assets_of(self.position(worker, pool.generation, worker), pool.assets, pool.shares);
            if own * BPS < pool.assets * parameters::OWN_STAKE_MINIMUM || pool.assets < pool.locked {
                return 0;
            }
            pool.assets - pool.locked
        }

        /// The staker's shares of a worker's stake at the end of a past block.
        #[inline(never)]
        fn shares_at(self: @ContractState, worker: ContractAddress, staker: ContractAddress, block: u64) -> u128 {
            let generation = self.generations.entry(worker).at_block(block).try_into().unwrap();
            self.positions.entry((worker, generation, staker)).at_block(block)
        }

        /// How many of the two offences before this one count, which is then remembered.
        fn count_offence(ref self: ContractState, worker: ContractAddress) -> u128 {
            let (last, before) = self.offences.entry(worker).read();
            let now = get_block_timestamp();
            self.offences.entry(worker).write((now, last));
            counts(last, now) + counts(before, now)
        }
    }

    fn require_amount(amount: u128) {
        assert(amount > 0, codes::ZERO_AMOUNT);
        assert(amount <= parameters::SUPPLY, codes::AMOUNT_TOO_LARGE);
    }

    /// What shares are worth, rounded against their holder.
    #[inline(never)]
    fn assets_of(shares: u128, pool_assets: u128, pool_shares: u128) -> u128 {
        mul_div(shares, pool_assets + 1, pool_shares + 1)
    }

    fn diluted(assets: u128, shares: u128) -> bool {
        shares + 1 > (assets + 1) * DILUTION
    }

    fn counts(offence: u64, now: u64) -> u128 {
        if offence != 0 && now - offence <= parameters::REPEAT_PERIOD {
            1
        } else {
            0
        }
    }

    /// What an offence's share is of, and the share in basis points.
    fn terms(reason: u8, slashable: u128, bond: u128) -> (u128, u128) {
        if reason == slash_reason::FRAUD {
            (slashable, parameters::SLASH_FRAUD)
        } else if reason == slash_reason::MALICIOUS {
            (slashable, parameters::SLASH_MALICIOUS)
        } else if reason == slash_reason::PROTOCOL_VIOLATION {
            (slashable, parameters::SLASH_VIOLATION)
        } else if reason == slash_reason::UNAVAILABLE {
            (bond, parameters::SLASH_UNAVAILABLE)
        } else {
            assert(reason == slash_reason::POOR_PERFORMANCE, codes::MALFORMED_CALLDATA);
            (bond, parameters::SLASH_POOR)
        }
    }
}
