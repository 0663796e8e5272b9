//! A job in storage: 21 felts, in the order in which they change, so that a step of a job writes three.
//!
//! A job is passed in a box: a function that gives the bare struct would carry its 41 felts through each of its refusals.
use starknet::ContractAddress;
use starknet::storage_access::StorageBaseAddress;
use crate::cells::{load as load_cells, save, to_address, to_u256, to_u32, to_u64, to_u8};
use crate::interfaces::Job;

/// What changes from step to step.
#[derive(Copy, Drop)]
pub struct Progress {
    pub state: u8,
    pub open_claim: bool,
    pub seed_block: u64,
    pub round: u32,
    pub worker: ContractAddress,
    pub assigned: u64,
    pub deadline: u64,
    pub submitted: u64,
    pub unprovable: bool,
    pub convicted: bool,
}

const RESULT: u8 = 3;
const TERMS: u8 = 10;
const CELLS: u8 = 21;

const U8: NonZero<u128> = 0x100;
const U16: NonZero<u128> = 0x10000;
const U32: NonZero<u128> = 0x100000000;
const U64: NonZero<u128> = 0x10000000000000000;
const U128: felt252 = 0x100000000000000000000000000000000;

/// The job at `base`; its state is NONE where nothing was written.
#[inline(never)]
pub fn load(base: StorageBaseAddress) -> Box<Job> {
    let cells: @Box<[felt252; 21]> = load_cells(base, CELLS).try_into().unwrap();
    unpack(*cells)
}

/// What changes of a job.
#[inline(never)]
pub fn progress(job: Box<Job>) -> Progress {
    Progress {
        state: job.state,
        open_claim: job.open_claim,
        seed_block: job.seed_block,
        round: job.round,
        worker: job.worker,
        assigned: job.assigned,
        deadline: job.deadline,
        submitted: job.submitted,
        unprovable: job.unprovable,
        convicted: job.convicted,
    }
}

#[inline(never)]
pub fn save_progress(base: StorageBaseAddress, progress: Progress) {
    let mut times = progress.assigned.into();
    push(ref times, U64, progress.deadline.into());
    let mut state = progress.state.into();
    push(ref state, U8, bit(progress.open_claim));
    push(ref state, U8, bit(progress.unprovable));
    push(ref state, U8, bit(progress.convicted));
    push(ref state, U32, progress.round.into());
    let cells = array![
        joined(times, progress.submitted.into()), joined(state, progress.seed_block.into()), progress.worker.into(),
    ];
    save(base, 0, cells);
}

#[inline(never)]
pub fn save_result(base: StorageBaseAddress, statement_digest: u256, proof_digest: u256, output_digest: u256, receipt: felt252) {
    let cells = array![
        statement_digest.low.into(),
        statement_digest.high.into(),
        proof_digest.low.into(),
        proof_digest.high.into(),
        output_digest.low.into(),
        output_digest.high.into(),
        receipt,
    ];
    save(base, RESULT, cells);
}

/// All but what changes.
#[inline(never)]
pub fn save_terms(base: StorageBaseAddress, job: Box<Job>) {
    let job = job.unbox();
    let mut fees = job.verifier_version.into();
    push(ref fees, U16, job.platform_fee);
    push(ref fees, U16, job.coordinator_fee);
    push(ref fees, U16, job.attester_fee);
    push(ref fees, U16, job.abort_fee);
    let mut kind = job.method.into();
    push(ref kind, U8, job.job_type.into());
    push(ref kind, U8, job.capabilities.into());
    push(ref kind, U32, job.duration.into());
    push(ref kind, U32, job.ack_window.into());
    push(ref kind, U32, job.challenge_window.into());
    let mut ends = job.queue_ends.into();
    push(ref ends, U32, job.verdict_expiry.into());
    let cells = array![
        job.client.into(),
        job.coordinator.into(),
        job.model.low.into(),
        job.model.high.into(),
        job.vk_digest.low.into(),
        job.vk_digest.high.into(),
        job.input_digest.low.into(),
        job.input_digest.high.into(),
        joined(job.price, fees),
        joined(job.bond, kind),
        joined(job.model_fee, ends),
    ];
    save(base, TERMS, cells);
}

#[inline(never)]
fn unpack(cells: Box<[felt252; 21]>) -> Box<Job> {
    let [
        times, state, worker, statement_low, statement_high, proof_low, proof_high, output_low, output_high, receipt, client, coordinator,
        model_low, model_high, vk_low, vk_high, input_low, input_high, price, bond, model_fee,
    ] =
        cells
        .unbox();
    let (mut times, submitted) = split(times);
    let deadline = take(ref times, U64);
    let (mut state, seed_block) = split(state);
    let round = take(ref state, U32);
    let convicted = take(ref state, U8);
    let unprovable = take(ref state, U8);
    let open_claim = take(ref state, U8);
    let (price, mut fees) = split(price);
    let abort_fee = take(ref fees, U16);
    let attester_fee = take(ref fees, U16);
    let coordinator_fee = take(ref fees, U16);
    let platform_fee = take(ref fees, U16);
    let (bond, mut kind) = split(bond);
    let challenge_window = take(ref kind, U32);
    let ack_window = take(ref kind, U32);
    let duration = take(ref kind, U32);
    let capabilities = take(ref kind, U8);
    let job_type = take(ref kind, U8);
    let (model_fee, mut ends) = split(model_fee);
    let verdict_expiry = take(ref ends, U32);
    BoxTrait::new(
        Job {
            state: to_u8(state.into()),
            client: to_address(client),
            model: to_u256(model_low, model_high),
            vk_digest: to_u256(vk_low, vk_high),
            verifier_version: to_u32(fees.into()),
            input_digest: to_u256(input_low, input_high),
            price,
            model_fee,
            platform_fee,
            coordinator_fee,
            attester_fee,
            abort_fee,
            coordinator: to_address(coordinator),
            method: to_u8(kind.into()),
            job_type: to_u8(job_type.into()),
            capabilities: to_u32(capabilities.into()),
            duration: to_u64(duration.into()),
            ack_window: to_u64(ack_window.into()),
            verdict_expiry: to_u64(verdict_expiry.into()),
            challenge_window: to_u64(challenge_window.into()),
            queue_ends: to_u64(ends.into()),
            bond,
            open_claim: open_claim != 0,
            seed_block: to_u64(seed_block.into()),
            round: to_u32(round.into()),
            worker: to_address(worker),
            assigned: to_u64(times.into()),
            deadline: to_u64(deadline.into()),
            submitted: to_u64(submitted.into()),
            unprovable: unprovable != 0,
            convicted: convicted != 0,
            statement_digest: to_u256(statement_low, statement_high),
            proof_digest: to_u256(proof_low, proof_high),
            output_digest: to_u256(output_low, output_high),
            receipt,
        },
    )
}

/// Below what is there, a number below `size`.
#[inline(never)]
fn push(ref bits: u128, size: NonZero<u128>, value: u128) {
    let size: u128 = size.into();
    assert(value < size, 'JOB_FIELD_TOO_LARGE');
    bits = bits * size + value;
}

/// The inverse of `push`.
#[inline(never)]
fn take(ref bits: u128, size: NonZero<u128>) -> u128 {
    let (rest, value) = DivRem::div_rem(bits, size);
    bits = rest;
    value
}

/// One cell; `high` is below 2^123, so that the felt does not wrap.
#[inline(never)]
fn joined(low: u128, high: u128) -> felt252 {
    low.into() + U128 * high.into()
}

#[inline(never)]
fn bit(flag: bool) -> u128 {
    if flag {
        1
    } else {
        0
    }
}

/// The inverse of `joined`.
#[inline(never)]
fn split(cell: felt252) -> (u128, u128) {
    let value: u256 = cell.into();
    (value.low, value.high)
}
