//! ciro_settlement::receipts, callable.
use ciro_settlement::receipts::Receipt;
use starknet::ContractAddress;

#[starknet::interface]
pub trait IReceipts<TState> {
    fn receipt_hash(self: @TState, worker: ContractAddress, receipt: Receipt) -> felt252;
}

#[starknet::contract]
pub mod Receipts {
    use ciro_settlement::receipts;
    use starknet::{ContractAddress, get_tx_info};

    #[storage]
    struct Storage {}

    #[abi(embed_v0)]
    impl Functions of super::IReceipts<ContractState> {
        fn receipt_hash(self: @ContractState, worker: ContractAddress, receipt: receipts::Receipt) -> felt252 {
            receipts::receipt_hash(get_tx_info().unbox().chain_id, worker, receipt)
        }
    }
}
