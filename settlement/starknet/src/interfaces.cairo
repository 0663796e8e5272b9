//! How the contracts call each other: one trait a contract, which its implementation fulfils and from which the dispatcher is derived.
//! What all of them share (`configure`, `set_parameter`, `upgrade`) is system.cairo's. The structs are those of the ledger
//! (ciro_zk/settlement/ledger), field by field, in order.
use starknet::ContractAddress;

/// An on-chain verifier of one proof system; it returns, and never reverts for a false proof.
#[starknet::interface]
pub trait IVerifier<TState> {
    fn verify(self: @TState, vk_digest: u256, statement_digest: u256, proof: Span<felt252>) -> bool;
}

/// A worker's stake: active and unbonding assets with their shares, what bonds hold of it, and how often it was wiped out.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct StakePool {
    pub assets: u128,
    pub shares: u128,
    pub unbonding_assets: u128,
    pub unbonding_shares: u128,
    pub locked: u128,
    pub generation: u32,
}

/// Shares of a worker's unbonding stake, and when they may be withdrawn.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct UnbondRequest {
    pub worker: ContractAddress,
    pub staker: ContractAddress,
    pub generation: u32,
    pub shares: u128,
    pub release: u64,
}

/// Active stake at the start of an epoch and the least held in it, written at the epoch's first change.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct EpochStake {
    pub start: u128,
    pub least: u128,
    pub touched: bool,
}

/// Micro-dollars for one CIRO, and when they were said.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct Price {
    pub value: u128,
    pub time: u64,
}

/// A registered worker; `place` is its index in the list plus one, `tier` 0 is below Basic, times in seconds, `since` a block.
#[derive(Copy, Drop, Serde)]
pub struct Worker {
    pub place: u32,
    pub key: felt252,
    pub capabilities: u32,
    pub tier: u8,
    pub reputation: u32,
    pub heartbeat: u64,
    pub weight: u128,
    pub below_since: u64,
    pub day: u64,
    pub gained: u32,
    pub open_jobs: u32,
    pub commission: u128,
    pub next_commission: u128,
    pub commission_time: u64,
    pub since: u64,
}

/// What a worker did in an epoch: jobs counted, platform fees of its paid jobs, and those from proven inference.
#[derive(Copy, Drop, Serde)]
pub struct Record {
    pub assigned: u32,
    pub acknowledged: u32,
    pub submitted: u32,
    pub verified: u32,
    pub fees: u128,
    pub proven: u128,
    pub weight: u128,
    pub checkpointed: bool,
    pub claimed: bool,
}

/// An epoch's budget, fixed at its first checkpoint, what no claim has taken of it, and the sum of its weights.
#[derive(Copy, Drop, Serde)]
pub struct Rewards {
    pub budget: u128,
    pub left: u128,
    pub weights: u128,
    pub opened: bool,
}

/// A model version: its owner, the digests that a proof is checked against, the proof system, and the owner's fee a job.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct Model {
    pub owner: ContractAddress,
    pub program_digest: u256,
    pub model_commitment: u256,
    pub vk_digest: u256,
    pub proof_system: u8,
    pub fee: u128,
    pub retired: bool,
}

/// One round of attestation of a job: draws that found too few, when one did not (0 before), at the end votes by kind.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct Session {
    pub seed_block: u64,
    pub draws: u32,
    pub sampled: u64,
    pub commit_window: u64,
    pub reveal_window: u64,
    pub size: u32,
    pub quorum: u32,
    pub bond: u128,
    pub tallied: bool,
    pub committed: u32,
    pub revealed: u32,
    pub verified: u32,
    pub rejected: u32,
    pub unavailable: u32,
}

/// What was decided, when, by whom (SAMPLE, COMMITTEE or VERIFIER), and whether anything was.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct Verdict {
    pub vote: u8,
    pub time: u64,
    pub by: u8,
    pub decided: bool,
}

/// An attester's commitment and revealed vote.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct Ballot {
    pub sampled: bool,
    pub commitment: u256,
    pub vote: u8,
}

/// An open challenge.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct Dispute {
    pub challenger: ContractAddress,
    pub bond: u128,
    pub opened: u64,
}

/// A verifier of a proof system: its contract (0 where the chain has none), and whether it was found unsound.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct Version {
    pub proof_system: u8,
    pub verifier: ContractAddress,
    pub frozen: bool,
}

/// A job and the terms it was submitted under; times in seconds, fees in basis points but for the model's.
#[derive(Copy, Drop, Serde)]
pub struct Job {
    pub state: u8,
    pub client: ContractAddress,
    pub model: u256,
    pub vk_digest: u256,
    pub verifier_version: u32,
    pub input_digest: u256,
    pub price: u128,
    pub model_fee: u128,
    pub platform_fee: u128,
    pub coordinator_fee: u128,
    pub attester_fee: u128,
    pub abort_fee: u128,
    pub coordinator: ContractAddress,
    pub method: u8,
    pub job_type: u8,
    pub capabilities: u32,
    pub duration: u64,
    pub ack_window: u64,
    pub verdict_expiry: u64,
    pub challenge_window: u64,
    pub queue_ends: u64,
    pub bond: u128,
    pub open_claim: bool,
    pub seed_block: u64,
    pub round: u32,
    pub worker: ContractAddress,
    pub assigned: u64,
    pub deadline: u64,
    pub submitted: u64,
    pub unprovable: bool,
    pub convicted: bool,
    pub statement_digest: u256,
    pub proof_digest: u256,
    pub output_digest: u256,
    pub receipt: felt252,
}

/// One call, and the votes on it; `snapshot` is the block whose balances count, `digest` that of the calldata.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct Proposal {
    pub target: ContractAddress,
    pub selector: felt252,
    pub digest: u256,
    pub power: u8,
    pub snapshot: u64,
    pub ends: u64,
    pub votes_for: u128,
    pub votes_against: u128,
    pub queued: bool,
}

/// A call that waits for its delay: `ready` is 0 until it is queued; approvals are the multisig's, to spend and to cancel.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct Operation {
    pub target: ContractAddress,
    pub selector: felt252,
    pub digest: u256,
    pub receiver: ContractAddress,
    pub amount: u128,
    pub ready: u64,
    pub approvals: u32,
    pub cancellations: u32,
    pub executed: bool,
    pub cancelled: bool,
}

/// What the multisig may spend in a period, fixed at its first spending, and what it has.
#[derive(Copy, Drop, Serde, starknet::Store)]
pub struct Spending {
    pub started: u64,
    pub cap: u128,
    pub spent: u128,
}

#[starknet::interface]
pub trait IStakeVault<TState> {
    fn stake(ref self: TState, worker: ContractAddress, amount: u128);
    fn request_unbond(ref self: TState, worker: ContractAddress, amount: u128) -> u64;
    fn withdraw(ref self: TState, request: u64) -> u128;
    fn lock(ref self: TState, worker: ContractAddress, key: u256, amount: u128);
    fn unlock(ref self: TState, worker: ContractAddress, key: u256);
    fn open_dispute(ref self: TState, worker: ContractAddress);
    fn close_dispute(ref self: TState, worker: ContractAddress);
    fn slash(ref self: TState, worker: ContractAddress, reason: u8, bond: u128, client: ContractAddress, loss: u128, challenger: ContractAddress, challenge_bond: u128) -> u128;
    fn add_reward(ref self: TState, worker: ContractAddress, amount: u128);
    fn pool_of(self: @TState, worker: ContractAddress) -> StakePool;
    fn request_of(self: @TState, request: u64) -> UnbondRequest;
    fn stake_of(self: @TState, worker: ContractAddress) -> u128;
    fn position_of(self: @TState, worker: ContractAddress, staker: ContractAddress) -> u128;
    fn free_stake(self: @TState, worker: ContractAddress) -> u128;
    fn disputes_of(self: @TState, worker: ContractAddress) -> u64;
    fn linked(self: @TState, worker: ContractAddress, party: ContractAddress, block: u64) -> bool;
    fn least_stake(self: @TState, worker: ContractAddress, epoch: u64) -> u128;
    fn stake_at(self: @TState, worker: ContractAddress, staker: ContractAddress, block: u64) -> u128;
}

/// The part of CdcPool that knows the price of CIRO.
#[starknet::interface]
pub trait IPriceFeed<TState> {
    fn set_reporters(ref self: TState, reporters: Span<ContractAddress>);
    fn report_price(ref self: TState, price: u128);
    fn update_price(ref self: TState) -> u128;
    fn price(self: @TState) -> Price;
    fn tier_price(self: @TState) -> u128;
    fn reporter_at(self: @TState, place: u128) -> ContractAddress;
    fn price_fresh(self: @TState) -> bool;
}

#[starknet::interface]
pub trait ICdcPool<TState> {
    fn register(ref self: TState, capabilities: u32, key: felt252);
    fn deregister(ref self: TState);
    fn remove(ref self: TState, worker: ContractAddress);
    fn set_capabilities(ref self: TState, capabilities: u32);
    fn rotate_key(ref self: TState, key: felt252);
    fn heartbeat(ref self: TState);
    fn refresh_tier(ref self: TState, worker: ContractAddress);
    fn announce_commission(ref self: TState, commission: u128);
    fn register_coordinator(ref self: TState);
    fn record_assigned(ref self: TState, worker: ContractAddress);
    fn record_acknowledged(ref self: TState, worker: ContractAddress);
    fn record_submitted(ref self: TState, worker: ContractAddress);
    fn record_closed(ref self: TState, worker: ContractAddress, outcome: u8, fee: u128, proven: bool, funds: u128);
    fn record_attester(ref self: TState, worker: ContractAddress, engaged: bool);
    fn record_rejected(ref self: TState, worker: ContractAddress);
    fn grant(ref self: TState, amount: u128);
    fn checkpoint(ref self: TState, epoch: u64, worker: ContractAddress);
    fn claim(ref self: TState, epoch: u64) -> u128;
    fn is_registered(self: @TState, worker: ContractAddress) -> bool;
    fn is_coordinator(self: @TState, account: ContractAddress) -> bool;
    fn num_workers(self: @TState) -> u32;
    fn worker_of(self: @TState, worker: ContractAddress) -> Worker;
    fn worker_of_key(self: @TState, key: felt252) -> ContractAddress;
    fn record_of(self: @TState, epoch: u64, worker: ContractAddress) -> Record;
    fn rewards_of(self: @TState, epoch: u64) -> Rewards;
    fn funds(self: @TState) -> (u128, u128);
    fn is_eligible(self: @TState, worker: ContractAddress, capabilities: u32, free: u128) -> bool;
    fn draw(self: @TState, seed: u256, seed_block: u64, repeated: u32, first: u32, capabilities: u32, free: u128) -> (ContractAddress, u32);
}

#[starknet::interface]
pub trait IModelRegistry<TState> {
    fn register_model(ref self: TState, program_digest: u256, model_commitment: u256, vk_digest: u256, proof_system: u8, fee: u128) -> u256;
    fn set_fee(ref self: TState, model: u256, fee: u128);
    fn retire(ref self: TState, model: u256);
    fn model_of(self: @TState, model: u256) -> Model;
}

#[starknet::interface]
pub trait IProofRegistry<TState> {
    fn add_version(ref self: TState, proof_system: u8, verifier: ContractAddress) -> u32;
    fn freeze_version(ref self: TState, version: u32);
    fn open_session(ref self: TState, job: u256);
    fn sample(ref self: TState, job: u256) -> bool;
    fn commit(ref self: TState, job: u256, commitment: u256);
    fn reveal(ref self: TState, job: u256, vote: u8, salt: felt252);
    fn tally(ref self: TState, job: u256) -> u8;
    fn prove(ref self: TState, job: u256, proof: Span<felt252>) -> u8;
    fn commit_challenge(ref self: TState, job: u256, commitment: u256);
    fn challenge(ref self: TState, job: u256, salt: felt252, evidence: u256);
    fn resolve(ref self: TState, job: u256);
    fn report_equivocation(ref self: TState, job: u256, statement_digest: u256, proof_digest: u256, output_digest: u256, index: u32, preset: felt252, security_bits: u32, key: felt252, r: u256, s: u256, salt: felt252);
    fn current_version(self: @TState, proof_system: u8) -> u32;
    fn version_of(self: @TState, version: u32) -> Version;
    fn verdict_of(self: @TState, job: u256) -> Verdict;
    fn round_of(self: @TState, job: u256) -> u32;
    fn session_of(self: @TState, job: u256, round: u32) -> Session;
    fn attester_at(self: @TState, job: u256, round: u32, place: u32) -> ContractAddress;
    fn ballot_of(self: @TState, job: u256, round: u32, attester: ContractAddress) -> Ballot;
    fn dispute_of(self: @TState, job: u256) -> Dispute;
    fn majority_of(self: @TState, job: u256) -> Span<ContractAddress>;
}

#[starknet::interface]
pub trait IJobManager<TState> {
    fn submit(ref self: TState, model: u256, input_digest: u256, price: u128, max_model_fee: u128, method: u8, job_type: u8, capabilities: u32, duration: u64, coordinator: ContractAddress, open_claim: bool) -> u256;
    fn cancel(ref self: TState, job: u256);
    fn withdraw(ref self: TState) -> u128;
    fn assign(ref self: TState, job: u256) -> ContractAddress;
    fn claim(ref self: TState, job: u256);
    fn acknowledge(ref self: TState, job: u256) -> u64;
    fn decline(ref self: TState, job: u256);
    fn lapse(ref self: TState, job: u256);
    fn submit_result(ref self: TState, job: u256, statement_digest: u256, proof_digest: u256, output_digest: u256, index: u32, preset: felt252, security_bits: u32, key: felt252, r: u256, s: u256);
    fn report_unprovable(ref self: TState, job: u256);
    fn time_out(ref self: TState, job: u256);
    fn finalise(ref self: TState, job: u256);
    fn reject(ref self: TState, job: u256);
    fn expire(ref self: TState, job: u256);
    fn open_dispute(ref self: TState, job: u256, challenger: ContractAddress, bond: u128);
    fn close_dispute(ref self: TState, job: u256, vote: u8, challenger: ContractAddress, bond: u128);
    fn convict(ref self: TState, job: u256, reporter: ContractAddress, bond: u128);
    fn job_of(self: @TState, job: u256) -> Job;
    fn receipt_hash(self: @TState, job: u256, statement_digest: u256, proof_digest: u256, output_digest: u256, index: u32, preset: felt252, security_bits: u32) -> felt252;
    fn nonce_of(self: @TState, client: ContractAddress) -> u64;
    fn credit_of(self: @TState, account: ContractAddress) -> u128;
    fn totals(self: @TState) -> (u128, u128, u128);
}

#[starknet::interface]
pub trait IGovernanceTreasury<TState> {
    fn propose(ref self: TState, target: ContractAddress, selector: felt252, calldata: Span<felt252>, positions: Span<ContractAddress>) -> u32;
    fn vote(ref self: TState, proposal: u32, support: bool, positions: Span<ContractAddress>) -> u128;
    fn queue(ref self: TState, proposal: u32) -> u32;
    fn execute(ref self: TState, operation: u32, calldata: Span<felt252>);
    fn propose_spending(ref self: TState, receiver: ContractAddress, amount: u128) -> u32;
    fn approve_spending(ref self: TState, operation: u32);
    fn cancel(ref self: TState, operation: u32);
    fn pause(ref self: TState);
    fn grant(ref self: TState, receiver: ContractAddress, amount: u128);
    fn set_signers(ref self: TState, signers: Span<ContractAddress>);
    fn set_guardians(ref self: TState, guardians: Span<ContractAddress>);
    fn paused(self: @TState) -> bool;
    fn proposal_of(self: @TState, proposal: u32) -> Proposal;
    fn operation_of(self: @TState, operation: u32) -> Operation;
    fn spending(self: @TState) -> Spending;
    fn signer_at(self: @TState, place: u32) -> ContractAddress;
    fn guardian_at(self: @TState, place: u32) -> ContractAddress;
    fn votes_of(self: @TState, account: ContractAddress, block: u64, positions: Span<ContractAddress>) -> u128;
}

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
