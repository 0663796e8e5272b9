//! ciro_settlement::signatures, callable, with a worker of each key.
use starknet::ContractAddress;

#[starknet::interface]
pub trait ISignatures<TState> {
    fn set_worker_of_key(ref self: TState, key: felt252, worker: ContractAddress);
    fn worker_of_key(self: @TState, key: felt252) -> ContractAddress;
    fn check_signature(self: @TState, worker: ContractAddress, message: felt252, key: felt252, r: u256, s: u256);
}

#[starknet::contract]
pub mod Signatures {
    use ciro_settlement::signatures;
    use starknet::storage::{Map, StoragePathEntry, StoragePointerReadAccess, StoragePointerWriteAccess};
    use starknet::{ContractAddress, get_contract_address};

    #[storage]
    struct Storage {
        workers: Map<felt252, ContractAddress>,
    }

    #[abi(embed_v0)]
    impl Functions of super::ISignatures<ContractState> {
        fn set_worker_of_key(ref self: ContractState, key: felt252, worker: ContractAddress) {
            self.workers.entry(key).write(worker);
        }

        fn worker_of_key(self: @ContractState, key: felt252) -> ContractAddress {
            self.workers.entry(key).read()
        }

        /// The contract is its own CdcPool.
        fn check_signature(self: @ContractState, worker: ContractAddress, message: felt252, key: felt252, r: u256, s: u256) {
            signatures::check_signature(get_contract_address(), worker, message, key, r, s);
        }
    }
}
