//! How the contracts call each other: one trait a contract, which its implementation fulfils and from which the dispatcher is derived.
use starknet::ContractAddress;

#[starknet::interface]
pub trait IToken<TState> {
    fn name(self: @TState) -> ByteArray;
    fn symbol(self: @TState) -> ByteArray;
    fn decimals(self: @TState) -> u8;
    fn total_supply(self: @TState) -> u256;
    fn balance_of(self: @TState, account: ContractAddress) -> u256;
    fn allowance(self: @TState, owner: ContractAddress, spender: ContractAddress) -> u256;
    fn transfer(ref self: TState, to: ContractAddress, amount: u256) -> bool;
    fn transfer_from(ref self: TState, owner: ContractAddress, to: ContractAddress, amount: u256) -> bool;
    fn approve(ref self: TState, spender: ContractAddress, amount: u256) -> bool;
    fn burn(ref self: TState, amount: u256);
    fn balance_at(self: @TState, account: ContractAddress, block: u64) -> u256;
    fn total_supply_at(self: @TState, block: u64) -> u256;
}

/// Of GovernanceTreasury, as every other contract asks it.
#[starknet::interface]
pub trait IPausable<TState> {
    fn paused(self: @TState) -> bool;
}
