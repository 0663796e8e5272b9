//! Receipts' signatures: Stark ECDSA (r, s) by a key of the worker, with the low s only, since (r, n - s) verifies wherever (r, s) does.
use core::ec::stark_curve::ORDER;
use core::ecdsa::check_ecdsa_signature;
use starknet::ContractAddress;
use crate::interfaces::{ICdcPoolDispatcher, ICdcPoolDispatcherTrait};
use crate::parameters::codes;

/// The largest s that is taken: floor(n / 2).
const LARGEST_S: u256 = 0x4000000000000087FFFFFFFFFFFFFFFDBC08936E573D9190F335120D6E32697;

/// BAD_SIGNATURE: r or s out of range, or the high s; WRONG_SIGNER: the key is not the worker's, or did not sign the message.
/// `pool` is CdcPool, which knows whose a key is, rotated keys too.
#[inline(never)]
pub fn check_signature(pool: ContractAddress, worker: ContractAddress, message: felt252, key: felt252, r: u256, s: u256) {
    let owner = ICdcPoolDispatcher { contract_address: pool }.worker_of_key(key);
    let code = signature_refusal(owner.into(), worker.into(), message, key, r, s);
    assert(code == 0, code);
}

/// The code of the first check that fails, 0 for none; `owner` is the worker that CdcPool names for the key.
#[inline(never)]
pub fn signature_refusal(owner: felt252, worker: felt252, message: felt252, key: felt252, r: u256, s: u256) -> felt252 {
    if r == 0 || r >= ORDER.into() || s == 0 || s > LARGEST_S {
        codes::BAD_SIGNATURE
    } else if key == 0 || owner != worker || !check_ecdsa_signature(message, key, felt(r), felt(s)) {
        codes::WRONG_SIGNER
    } else {
        0
    }
}

/// Of a number below n, which is below the field's prime.
fn felt(value: u256) -> felt252 {
    value.low.into() + value.high.into() * 0x100000000000000000000000000000000
}
