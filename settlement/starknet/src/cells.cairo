//! Structs in storage as felts. The derived access to a struct of n members has 2n exits for what never happens, which is most of a class.
//!
//! The conversions are total: what was stored, or what a contract of the system answers, fits its type.
use core::num::traits::Bounded;
use starknet::storage_access::{StorageBaseAddress, storage_address_from_base_and_offset};
use starknet::syscalls::{storage_read_syscall, storage_write_syscall};
use starknet::{ContractAddress, SyscallResultTrait, contract_address_const};

/// The first `count` cells from `base` on.
#[inline(never)]
pub fn load(base: StorageBaseAddress, count: u8) -> Span<felt252> {
    let mut cells = array![];
    let mut offset = 0;
    while offset != count {
        cells.append(storage_read_syscall(0, storage_address_from_base_and_offset(base, offset)).unwrap_syscall());
        offset += 1;
    };
    cells.span()
}

/// Writes consecutive cells, of which the first is `base` + `first`.
#[inline(never)]
pub fn save(base: StorageBaseAddress, first: u8, cells: Array<felt252>) {
    let mut offset = first;
    for cell in cells {
        storage_write_syscall(0, storage_address_from_base_and_offset(base, offset), cell).unwrap_syscall();
        offset += 1;
    };
}

#[inline(never)]
pub fn to_u128(cell: felt252) -> u128 {
    cell.try_into().unwrap_or(Bounded::MAX)
}

#[inline(never)]
pub fn to_u64(cell: felt252) -> u64 {
    cell.try_into().unwrap_or(Bounded::MAX)
}

#[inline(never)]
pub fn to_u32(cell: felt252) -> u32 {
    cell.try_into().unwrap_or(Bounded::MAX)
}

#[inline(never)]
pub fn to_u8(cell: felt252) -> u8 {
    cell.try_into().unwrap_or(Bounded::MAX)
}

#[inline(never)]
pub fn to_u256(low: felt252, high: felt252) -> u256 {
    u256 { low: to_u128(low), high: to_u128(high) }
}

#[inline(never)]
pub fn to_address(cell: felt252) -> ContractAddress {
    cell.try_into().unwrap_or(contract_address_const::<0>())
}
