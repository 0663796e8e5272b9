//! CIRO: an ERC-20 of fixed supply, minted once, with burning and with past balances for votes.
//! Amounts are u256 at the edge and u128 inside; balances and the burned amount add up to the supply.

#[starknet::contract]
pub mod CiroToken {
    use core::num::traits::Zero;
    use starknet::storage::{Map, StorageAsPath, StoragePathEntry, StoragePointerReadAccess, StoragePointerWriteAccess};
    use starknet::{ContractAddress, get_block_number, get_caller_address};
    use crate::arithmetic::to_u128;
    use crate::checkpoints::{History, ReadHistory, WriteHistory};
    use crate::interfaces::IToken;
    use crate::parameters;
    use crate::parameters::codes;
    use crate::system::{Named, SystemComponent, names};

    component!(path: SystemComponent, storage: system, event: SystemEvent);

    impl Name of Named {
        const NAME: felt252 = names::TOKEN;
    }
    #[abi(embed_v0)]
    impl Shared = SystemComponent::Shared<ContractState>;
    impl SharedInternal = SystemComponent::Internal<ContractState>;

    #[storage]
    struct Storage {
        balances: Map<ContractAddress, History>,
        supply: History,
        allowances: Map<(ContractAddress, ContractAddress), u128>,
        #[substorage(v0)]
        system: SystemComponent::Storage,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    pub enum Event {
        Transfer: Transfer,
        Approval: Approval,
        #[flat]
        SystemEvent: SystemComponent::Event,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Transfer {
        #[key]
        pub from: ContractAddress,
        #[key]
        pub to: ContractAddress,
        pub value: u256,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Approval {
        #[key]
        pub owner: ContractAddress,
        #[key]
        pub spender: ContractAddress,
        pub value: u256,
    }

    #[constructor]
    fn constructor(ref self: ContractState, holder: ContractAddress, configurer: ContractAddress) {
        assert(!holder.is_zero(), codes::ZERO_ADDRESS);
        self.system.initialize(configurer);
        let block = get_block_number();
        self.supply.as_path().record(block, parameters::SUPPLY);
        self.balances.entry(holder).record(block, parameters::SUPPLY);
        self.emit(Transfer { from: Zero::zero(), to: holder, value: parameters::SUPPLY.into() });
    }

    #[abi(embed_v0)]
    impl Token of IToken<ContractState> {
        fn name(self: @ContractState) -> ByteArray {
            "CIRO"
        }

        fn symbol(self: @ContractState) -> ByteArray {
            "CIRO"
        }

        fn decimals(self: @ContractState) -> u8 {
            18
        }

        fn total_supply(self: @ContractState) -> u256 {
            self.supply_now().into()
        }

        fn balance_of(self: @ContractState, account: ContractAddress) -> u256 {
            self.balance(account).into()
        }

        fn allowance(self: @ContractState, owner: ContractAddress, spender: ContractAddress) -> u256 {
            self.allowances.entry((owner, spender)).read().into()
        }

        fn transfer(ref self: ContractState, to: ContractAddress, amount: u256) -> bool {
            assert(!to.is_zero(), codes::ZERO_ADDRESS);
            self.move(get_caller_address(), to, to_u128(amount));
            true
        }

        fn transfer_from(ref self: ContractState, owner: ContractAddress, to: ContractAddress, amount: u256) -> bool {
            assert(!to.is_zero(), codes::ZERO_ADDRESS);
            let value = to_u128(amount);
            let allowance = self.allowances.entry((owner, get_caller_address()));
            let allowed = allowance.read();
            assert(value <= allowed, codes::ALLOWANCE_TOO_LOW);
            allowance.write(allowed - value);
            self.move(owner, to, value);
            true
        }

        fn approve(ref self: ContractState, spender: ContractAddress, amount: u256) -> bool {
            assert(!spender.is_zero(), codes::ZERO_ADDRESS);
            let owner = get_caller_address();
            self.allowances.entry((owner, spender)).write(to_u128(amount));
            self.emit(Approval { owner, spender, value: amount });
            true
        }

        fn burn(ref self: ContractState, amount: u256) {
            let value = to_u128(amount);
            let holder = get_caller_address();
            let block = get_block_number();
            self.take(holder, value, block);
            let supply = self.supply_now();
            self.supply.as_path().record(block, supply - value);
            self.emit(Transfer { from: holder, to: Zero::zero(), value: amount });
        }

        fn balance_at(self: @ContractState, account: ContractAddress, block: u64) -> u256 {
            assert(block < get_block_number(), codes::BLOCK_NOT_PAST);
            self.balances.entry(account).at_block(block).into()
        }

        fn total_supply_at(self: @ContractState, block: u64) -> u256 {
            assert(block < get_block_number(), codes::BLOCK_NOT_PAST);
            self.supply.as_path().at_block(block).into()
        }
    }

    #[generate_trait]
    impl Internal of InternalTrait {
        fn balance(self: @ContractState, account: ContractAddress) -> u128 {
            self.balances.entry(account).latest()
        }

        fn supply_now(self: @ContractState) -> u128 {
            self.supply.as_path().latest()
        }

        /// The caller has checked that `to` is not zero.
        fn move(ref self: ContractState, owner: ContractAddress, to: ContractAddress, value: u128) {
            let block = get_block_number();
            self.take(owner, value, block);
            // Read after the owner's new balance is written: the two may be one account.
            let balance = self.balance(to);
            self.balances.entry(to).record(block, balance + value);
            self.emit(Transfer { from: owner, to, value: value.into() });
        }

        fn take(ref self: ContractState, owner: ContractAddress, value: u128, block: u64) {
            let balance = self.balance(owner);
            assert(value <= balance, codes::BALANCE_TOO_LOW);
            self.balances.entry(owner).record(block, balance - value);
        }
    }
}
