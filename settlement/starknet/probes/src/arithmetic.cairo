//! The functions of ciro_settlement::arithmetic, callable.

#[starknet::interface]
pub trait IArithmetic<TState> {
    fn hash_words(self: @TState, words: Span<u256>) -> u256;
    fn hash_pair(self: @TState, first: u256, second: u256) -> u256;
    fn mul_div(self: @TState, a: u128, b: u128, c: u128) -> u128;
    fn mul_div_up(self: @TState, a: u128, b: u128, c: u128) -> u128;
    fn fifth_root(self: @TState, x: u256) -> u128;
}

#[starknet::contract]
pub mod Arithmetic {
    use ciro_settlement::arithmetic;

    #[storage]
    struct Storage {}

    #[abi(embed_v0)]
    impl Functions of super::IArithmetic<ContractState> {
        fn hash_words(self: @ContractState, words: Span<u256>) -> u256 {
            arithmetic::hash_words(words)
        }

        fn hash_pair(self: @ContractState, first: u256, second: u256) -> u256 {
            arithmetic::hash_pair(first, second)
        }

        fn mul_div(self: @ContractState, a: u128, b: u128, c: u128) -> u128 {
            arithmetic::mul_div(a, b, c)
        }

        fn mul_div_up(self: @ContractState, a: u128, b: u128, c: u128) -> u128 {
            arithmetic::mul_div_up(a, b, c)
        }

        fn fifth_root(self: @ContractState, x: u256) -> u128 {
            arithmetic::fifth_root(x)
        }
    }
}
