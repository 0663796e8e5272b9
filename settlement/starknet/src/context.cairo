//! Who calls and when. Not inlined, which makes a class that asks often smaller.
use core::num::traits::SaturatingAdd;
use starknet::{ContractAddress, get_block_timestamp, get_caller_address};

#[inline(never)]
pub fn caller() -> ContractAddress {
    get_caller_address()
}

/// Seconds.
#[inline(never)]
pub fn now() -> u64 {
    get_block_timestamp()
}

/// Whether `delay` seconds have passed since `time`.
#[inline(never)]
pub fn passed(time: u64, delay: u64) -> bool {
    get_block_timestamp() >= time.saturating_add(delay)
}
