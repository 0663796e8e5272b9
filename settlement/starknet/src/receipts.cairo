//! What a worker signs: the SNIP-12 (revision 1) hash of a receipt, as ciro_zk/signatures.py has it.
//!
//! message = Poseidon('StarkNet Message', hash(domain), worker, hash(receipt)); hash(struct) = Poseidon(type, fields...), where a type is
//! the selector of its text and a u256 a struct of two.
use core::poseidon::poseidon_hash_span;
use starknet::ContractAddress;

/// A receipt's fields, in the order in which they are hashed; the worker is the account that signs, the chain id is the domain's.
#[derive(Copy, Drop, Serde)]
pub struct Receipt {
    pub format_version: u32,
    pub job_manager: ContractAddress,
    pub job: u256,
    pub model: u256,
    pub program_digest: u256,
    pub model_commitment: u256,
    pub vk_digest: u256,
    pub verifier_version: u32,
    pub preset: felt252,
    pub security_bits: u32,
    pub statement_digest: u256,
    pub proof_digest: u256,
    pub output_digest: u256,
    pub index: u32,
}

pub const FORMAT_VERSION: u32 = 1;

const DOMAIN_TYPE: felt252 = selector!(
    "\"StarknetDomain\"(\"name\":\"shortstring\",\"version\":\"shortstring\",\"chainId\":\"shortstring\",\"revision\":\"shortstring\")",
);
const RECEIPT_TYPE: felt252 = selector!(
    "\"Receipt\"(\"format_version\":\"u128\",\"job_manager\":\"ContractAddress\",\"job\":\"u256\",\"model\":\"u256\",\"program_digest\":\"u256\",\"model_commitment\":\"u256\",\"vk_digest\":\"u256\",\"verifier_version\":\"u128\",\"preset\":\"felt\",\"security_bits\":\"u128\",\"statement_digest\":\"u256\",\"proof_digest\":\"u256\",\"output_digest\":\"u256\",\"index\":\"u128\")\"u256\"(\"low\":\"u128\",\"high\":\"u128\")",
);
const U256_TYPE: felt252 = selector!("\"u256\"(\"low\":\"u128\",\"high\":\"u128\")");

/// The message that `worker` signs for the receipt on the chain.
pub fn receipt_hash(chain_id: felt252, worker: ContractAddress, receipt: Receipt) -> felt252 {
    let fields = array![
        RECEIPT_TYPE,
        receipt.format_version.into(),
        receipt.job_manager.into(),
        hash_u256(receipt.job),
        hash_u256(receipt.model),
        hash_u256(receipt.program_digest),
        hash_u256(receipt.model_commitment),
        hash_u256(receipt.vk_digest),
        receipt.verifier_version.into(),
        receipt.preset,
        receipt.security_bits.into(),
        hash_u256(receipt.statement_digest),
        hash_u256(receipt.proof_digest),
        hash_u256(receipt.output_digest),
        receipt.index.into(),
    ];
    let domain = array![DOMAIN_TYPE, 'ciro_zk', 1, chain_id, 1];
    let message = array!['StarkNet Message', hash(domain), worker.into(), hash(fields)];
    hash(message)
}

#[inline(never)]
fn hash_u256(value: u256) -> felt252 {
    hash(array![U256_TYPE, value.low.into(), value.high.into()])
}

#[inline(never)]
fn hash(fields: Array<felt252>) -> felt252 {
    poseidon_hash_span(fields.span())
}
