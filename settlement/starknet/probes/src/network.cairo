//! What the contracts ask of the network, one entry point a facility.
use starknet::{ClassHash, ContractAddress};

#[derive(Drop, Serde, PartialEq)]
pub enum Verdict {
    Verified: u256,
    Rejected: felt252,
    Unknown,
}

#[derive(Drop, Copy, Serde, starknet::Store)]
pub struct Record {
    pub owner: ContractAddress,
    pub amount: u256,
    pub open: bool,
}

#[starknet::interface]
pub trait INetwork<TState> {
    fn block_hash(self: @TState, number: u64) -> felt252;
    fn block(self: @TState) -> (u64, u64, felt252);
    fn caller(self: @TState) -> (ContractAddress, ContractAddress);
    fn stark_signature(self: @TState, hash: felt252, key: felt252, r: felt252, s: felt252) -> bool;
    fn ethereum_signature(self: @TState, hash: u256, r: u256, s: u256, odd: bool, signer: felt252) -> bool;
    fn poseidon(self: @TState, values: Span<felt252>) -> felt252;
    fn pedersen(self: @TState, a: felt252, b: felt252) -> felt252;
    fn put(ref self: TState, id: u64, record: Record);
    fn get(self: @TState, id: u64) -> Record;
    fn put_and_fail(ref self: TState, id: u64, record: Record);
    fn put_through(ref self: TState, other: ContractAddress, id: u64, record: Record) -> Record;
    fn fail_through(ref self: TState, other: ContractAddress, id: u64, record: Record) -> (bool, felt252);
    fn verdict(self: @TState, verdict: Verdict) -> (Verdict, Option<u8>);
    fn message(ref self: TState, to: felt252, payload: Span<felt252>);
    fn upgrade(ref self: TState, class_hash: ClassHash);
}

#[starknet::contract]
pub mod Network {
    use core::ecdsa::check_ecdsa_signature;
    use core::pedersen::pedersen;
    use core::poseidon::poseidon_hash_span;
    use starknet::secp256_trait::{Signature, is_valid_signature, recover_public_key};
    use starknet::secp256k1::Secp256k1Point;
    use starknet::storage::{Map, StoragePathEntry, StoragePointerReadAccess, StoragePointerWriteAccess};
    use starknet::syscalls::{call_contract_syscall, get_block_hash_syscall, replace_class_syscall, send_message_to_l1_syscall};
    use starknet::{
        ClassHash, ContractAddress, SyscallResultTrait, get_block_number, get_block_timestamp, get_caller_address, get_contract_address,
        get_tx_info,
    };
    use super::{INetworkDispatcher, INetworkDispatcherTrait, Record, Verdict};

    #[storage]
    struct Storage {
        records: Map<u64, Record>,
        messages: Map<felt252, felt252>,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    pub enum Event {
        Put: Put,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Put {
        #[key]
        pub id: u64,
        pub record: Record,
    }

    #[l1_handler]
    fn receive(ref self: ContractState, from_address: felt252, value: felt252) {
        self.messages.entry(from_address).write(value);
    }

    #[abi(embed_v0)]
    impl Facilities of super::INetwork<ContractState> {
        fn block_hash(self: @ContractState, number: u64) -> felt252 {
            get_block_hash_syscall(number).unwrap_syscall()
        }

        fn block(self: @ContractState) -> (u64, u64, felt252) {
            (get_block_number(), get_block_timestamp(), get_tx_info().unbox().chain_id)
        }

        fn caller(self: @ContractState) -> (ContractAddress, ContractAddress) {
            (get_caller_address(), get_contract_address())
        }

        fn stark_signature(self: @ContractState, hash: felt252, key: felt252, r: felt252, s: felt252) -> bool {
            check_ecdsa_signature(hash, key, r, s)
        }

        fn ethereum_signature(self: @ContractState, hash: u256, r: u256, s: u256, odd: bool, signer: felt252) -> bool {
            match recover_public_key::<Secp256k1Point>(hash, Signature { r, s, y_parity: odd }) {
                Option::Some(key) => is_valid_signature::<Secp256k1Point>(hash, r, s, key)
                    && starknet::eth_signature::public_key_point_to_eth_address(key).into() == signer,
                Option::None => false,
            }
        }

        fn poseidon(self: @ContractState, values: Span<felt252>) -> felt252 {
            poseidon_hash_span(values)
        }

        fn pedersen(self: @ContractState, a: felt252, b: felt252) -> felt252 {
            pedersen(a, b)
        }

        fn put(ref self: ContractState, id: u64, record: Record) {
            self.records.entry(id).write(record);
            self.emit(Put { id, record });
        }

        fn get(self: @ContractState, id: u64) -> Record {
            self.records.entry(id).read()
        }

        fn put_and_fail(ref self: ContractState, id: u64, record: Record) {
            self.put(id, record);
            core::panic_with_felt252('REFUSED');
        }

        fn put_through(ref self: ContractState, other: ContractAddress, id: u64, record: Record) -> Record {
            let contract = INetworkDispatcher { contract_address: other };
            contract.put(id, record);
            contract.get(id)
        }

        fn fail_through(ref self: ContractState, other: ContractAddress, id: u64, record: Record) -> (bool, felt252) {
            let mut calldata: Array<felt252> = array![];
            (id, record).serialize(ref calldata);
            match call_contract_syscall(other, selector!("put_and_fail"), calldata.span()) {
                Result::Ok(_) => (true, 0),
                Result::Err(reason) => (false, *reason.at(0)),
            }
        }

        fn verdict(self: @ContractState, verdict: Verdict) -> (Verdict, Option<u8>) {
            let answer = if verdict == Verdict::Unknown {
                Option::None
            } else {
                Option::Some(7)
            };
            (verdict, answer)
        }

        fn message(ref self: ContractState, to: felt252, payload: Span<felt252>) {
            send_message_to_l1_syscall(to, payload).unwrap_syscall();
        }

        fn upgrade(ref self: ContractState, class_hash: ClassHash) {
            replace_class_syscall(class_hash).unwrap_syscall();
        }
    }
}
