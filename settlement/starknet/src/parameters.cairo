// The constants of settlement; written by settlement/generate.py from settlement/parameters.toml; do not edit.

/// bps: of the price, half to the reward pool, half to the treasury
pub const PLATFORM_FEE: u128 = 250;
/// bps: to the coordinator that the client named, if any
pub const COORDINATOR_FEE: u128 = 100;
/// bps: split among the attesters who revealed with the majority
pub const ATTESTER_FEE: u128 = 100;
/// bps: of the price, from the client to the worker when the input was unprovable
pub const ABORT_FEE: u128 = 100;
/// bps: all fees of a job together
pub const FEE_CAP: u128 = 5000;
/// ciro: of a job, beside the model's fee
pub const MINIMUM_PAYMENT: u128 = 1000000000000000000;
/// s: from acknowledgement to the deadline where the client names none
pub const JOB_DURATION: u64 = 3600;
/// s: the longest a client may name
pub const JOB_DURATION_CAP: u64 = 86400;
/// s: from assignment to acknowledgement
pub const ACK_WINDOW: u64 = 600;
/// s: from submission; then anyone may expire a queued job
pub const QUEUE_EXPIRY: u64 = 86400;
/// s: from the result; then a job without a verdict is refunded
pub const VERDICT_EXPIRY: u64 = 172800;
/// s: from the verdict
pub const CHALLENGE_WINDOW_ATTESTED: u64 = 3600;
/// s: from the verdict
pub const CHALLENGE_WINDOW_OPTIMISTIC: u64 = 86400;
/// s: from a challenge; then the job is refunded and bonds return
pub const DISPUTE_WINDOW: u64 = 259200;
/// s: from the result; evidence is taken after payment too
pub const EVIDENCE_WINDOW: u64 = 345600;
/// blocks: from a submission to the block whose hash decides
pub const SEED_DELAY: u64 = 12;
/// blocks: a hash older than this is drawn anew (what the EVM keeps)
pub const SEED_LIFE: u64 = 256;
/// count: bits of security of a settled proof
pub const SECURITY_MINIMUM: u32 = 96;
/// count: job bond = max(factor * price, minimum), out of free stake
pub const JOB_BOND_FACTOR: u32 = 2;
/// ciro: of a job
pub const JOB_BOND_MINIMUM: u128 = 10000000000000000000;
/// ciro: challenge bond = price, clamped
pub const CHALLENGE_BOND_MINIMUM: u128 = 10000000000000000000;
/// ciro: challenge bond = price, clamped
pub const CHALLENGE_BOND_MAXIMUM: u128 = 500000000000000000000;
/// count: the quorum's attesters together bond factor * price
pub const ATTESTER_BOND_FACTOR: u32 = 2;
/// count: attesters of an escalation or a dispute
pub const COMMITTEE_SIZE: u32 = 7;
/// count: equal votes that decide there
pub const COMMITTEE_QUORUM: u32 = 5;
/// s: from sampling to the last commitment
pub const COMMIT_WINDOW: u64 = 7200;
/// s: from the last commitment to the last reveal
pub const REVEAL_WINDOW: u64 = 7200;
/// s: from a request to its withdrawal
pub const UNBONDING: u64 = 604800;
/// bps: of own and delegated stake, when others delegate
pub const OWN_STAKE_MINIMUM: u128 = 1000;
/// bps: of slashable stake: a signed receipt whose proof fails
pub const SLASH_FRAUD: u128 = 10000;
/// bps: of slashable stake: two receipts of one job, or a false attestation
pub const SLASH_MALICIOUS: u128 = 5000;
/// bps: of slashable stake: a commitment not revealed
pub const SLASH_VIOLATION: u128 = 3000;
/// bps: of the job bond: an acknowledged job past its deadline
pub const SLASH_UNAVAILABLE: u128 = 1000;
/// bps: of the attester's bond: sampled and silent
pub const SLASH_POOR: u128 = 2000;
/// count: a repeated offence counts min(1 + previous, cap) times
pub const REPEAT_CAP: u32 = 3;
/// s: previous offences that count
pub const REPEAT_PERIOD: u64 = 7776000;
/// bps: of what is left after the client, at most twice the challenge bond
pub const SLASH_CHALLENGER: u128 = 5000;
/// bps: of what is left after the client; the rest burns
pub const SLASH_TREASURY: u128 = 2000;
/// points: of a new worker
pub const REPUTATION_START: u32 = 500;
pub const REPUTATION_MOST: u32 = 1000;
/// points: gained by a paid job
pub const REPUTATION_JOB: u32 = 10;
/// points: the most gained in a day
pub const REPUTATION_DAY: u32 = 50;
/// points: lost by a timeout
pub const REPUTATION_TIMEOUT: u32 = 50;
/// points: lost by a rejected result
pub const REPUTATION_DISPUTE: u32 = 100;
/// points: lost by an assignment not acknowledged
pub const REPUTATION_LAPSE: u32 = 5;
/// bps: of rewards, to the worker, before delegators share
pub const COMMISSION: u128 = 1000;
pub const COMMISSION_CAP: u128 = 5000;
/// s: from the announcement of a rise to its effect
pub const COMMISSION_DELAY: u64 = 604800;
/// s: of rewards
pub const EPOCH: u64 = 604800;
/// count: in which an epoch's rewards are claimed, from the second after it; the rest is the pool's again
pub const CLAIM_EPOCHS: u32 = 4;
/// s: expected interval
pub const HEARTBEAT: u64 = 300;
/// count: then a worker is inactive
pub const HEARTBEAT_MISSES: u32 = 3;
/// count: trials of one rejection sampling
pub const DRAWS: u32 = 64;
/// s: below Basic, before a worker is removed
pub const TIER_GRACE: u64 = 604800;
/// count: appointed by governance
pub const PRICE_REPORTERS: u32 = 5;
/// count: fresh reports of a median
pub const PRICE_QUORUM: u32 = 3;
/// bps: the most that one update moves the price
pub const PRICE_CHANGE: u128 = 2000;
/// s: between updates; an older report is not fresh
pub const PRICE_INTERVAL: u64 = 3600;
/// s: tiers use the lower of the price now and this long ago; an older price is stale
pub const PRICE_LAG: u64 = 86400;
/// ciro: votes of a proposer
pub const PROPOSAL_THRESHOLD: u128 = 50000000000000000000000;
pub const VOTE_PERIOD: u64 = 604800;
/// bps: of supply, votes cast
pub const VOTE_QUORUM: u128 = 2000;
/// bps: more than this share of votes cast: parameters, grants
pub const VOTE_MAJORITY: u128 = 5000;
/// bps: at least this share of votes cast: upgrades, verifiers, roles
pub const VOTE_SUPERMAJORITY: u128 = 6700;
/// s: from the queue to execution: upgrades, verifiers, roles
pub const DELAY_UPGRADE: u64 = 864000;
/// s: from the queue to execution: parameters, grants, spending
pub const DELAY_PARAMETER: u64 = 172800;
/// s: from the end of the delay; then a queued operation is dead
pub const EXECUTION_LIFE: u64 = 1209600;
/// bps: of the treasury, by the multisig in one period
pub const SPENDING_CAP: u128 = 100;
pub const SPENDING_PERIOD: u64 = 2592000;
pub const MULTISIG_SIZE: u32 = 5;
pub const MULTISIG_QUORUM: u32 = 3;
pub const GUARDIANS_SIZE: u32 = 3;
pub const GUARDIANS_QUORUM: u32 = 2;
/// s: then it ends by itself
pub const PAUSE_LENGTH: u64 = 259200;
/// s: between the starts of two pauses
pub const PAUSE_INTERVAL: u64 = 1209600;
/// ciro: minted once; balances and burned add up to it
pub const SUPPLY: u128 = 1000000000000000000000000000;
pub const TIER_STAKE: [u128; 8] = [100000000, 500000000, 2500000000, 10000000000, 50000000000, 100000000000, 250000000000, 500000000000];
pub const TIER_PRIORITY: [u128; 8] = [10, 12, 15, 20, 25, 30, 40, 50];
pub const TIER_BONUS: [u128; 8] = [500, 1000, 1500, 2500, 3000, 3500, 4000, 5000];
pub const ATTESTER_SIZES: [u32; 3] = [3, 5, 7];
pub const CAPABILITIES: u32 = 255;

/// JobState
pub mod job_state {
    pub const NONE: u8 = 0;
    pub const QUEUED: u8 = 1;
    pub const ASSIGNED: u8 = 2;
    pub const SUBMITTED: u8 = 3;
    pub const DISPUTED: u8 = 4;
    pub const PAID: u8 = 5;
    pub const REFUNDED: u8 = 6;
}

/// JobType
pub mod job_type {
    pub const AI_INFERENCE: u8 = 0;
    pub const PROOF_GENERATION: u8 = 1;
    pub const PROOF_VERIFICATION: u8 = 2;
    pub const DATA_PROCESSING: u8 = 3;
}

/// VerificationMethod
pub mod verification_method {
    pub const ZERO_KNOWLEDGE_PROOF: u8 = 0;
    pub const ATTESTED: u8 = 1;
    pub const OPTIMISTIC: u8 = 2;
}

/// Vote
pub mod vote {
    pub const NONE: u8 = 0;
    pub const VERIFIED: u8 = 1;
    pub const REJECTED: u8 = 2;
    pub const UNAVAILABLE: u8 = 3;
}

/// SlashReason
pub mod slash_reason {
    pub const FRAUD: u8 = 0;
    pub const MALICIOUS: u8 = 1;
    pub const PROTOCOL_VIOLATION: u8 = 2;
    pub const UNAVAILABLE: u8 = 3;
    pub const POOR_PERFORMANCE: u8 = 4;
}

/// Outcome
pub mod outcome {
    pub const NEUTRAL: u8 = 0;
    pub const PAID: u8 = 1;
    pub const TIMED_OUT: u8 = 2;
    pub const REJECTED: u8 = 3;
    pub const LAPSED: u8 = 4;
}

/// Power
pub mod power {
    pub const UPGRADE: u8 = 0;
    pub const PARAMETER: u8 = 1;
    pub const SPENDING: u8 = 2;
}

/// Tier
pub mod tier {
    pub const NONE: u8 = 0;
    pub const BASIC: u8 = 1;
    pub const PREMIUM: u8 = 2;
    pub const ENTERPRISE: u8 = 3;
    pub const INFRASTRUCTURE: u8 = 4;
    pub const FLEET: u8 = 5;
    pub const DATACENTER: u8 = 6;
    pub const HYPERSCALE: u8 = 7;
    pub const INSTITUTIONAL: u8 = 8;
}

/// First value and hard bounds of a parameter that a contract's storage holds; (0, 0, 0) where it holds none of that name.
pub fn governed(contract: felt252, name: felt252) -> (u128, u128, u128) {
    if contract == 'JobManager' && name == 'platform_fee' {
        return (250, 0, 1000);
    }
    if contract == 'JobManager' && name == 'coordinator_fee' {
        return (100, 0, 500);
    }
    if contract == 'JobManager' && name == 'attester_fee' {
        return (100, 0, 500);
    }
    if contract == 'JobManager' && name == 'abort_fee' {
        return (100, 0, 1000);
    }
    if contract == 'JobManager' && name == 'minimum_payment' {
        return (1000000000000000000, 1000000000000000, 1000000000000000000000);
    }
    if contract == 'JobManager' && name == 'ack_window' {
        return (600, 60, 3600);
    }
    if contract == 'JobManager' && name == 'queue_expiry' {
        return (86400, 3600, 604800);
    }
    if contract == 'JobManager' && name == 'verdict_expiry' {
        return (172800, 86400, 259200);
    }
    if contract == 'JobManager' && name == 'challenge_window_attested' {
        return (3600, 3600, 86400);
    }
    if contract == 'JobManager' && name == 'challenge_window_optimistic' {
        return (86400, 86400, 172800);
    }
    if contract == 'JobManager' && name == 'job_bond_minimum' {
        return (10000000000000000000, 1000000000000000000, 1000000000000000000000);
    }
    if contract == 'ProofRegistry' && name == 'commit_window' {
        return (7200, 600, 14400);
    }
    if contract == 'ProofRegistry' && name == 'reveal_window' {
        return (7200, 600, 14400);
    }
    (0, 0, 0)
}

/// Error codes, the same on every chain.
pub mod codes {
    /// the arguments do not decode: a type, a count or a range
    pub const MALFORMED_CALLDATA: felt252 = 'MALFORMED_CALLDATA';
    /// the system's addresses are set once
    pub const ALREADY_CONFIGURED: felt252 = 'ALREADY_CONFIGURED';
    /// only the account that deployed the system sets its addresses
    pub const NOT_CONFIGURER: felt252 = 'NOT_CONFIGURER';
    /// only GovernanceTreasury may call this
    pub const NOT_GOVERNANCE: felt252 = 'NOT_GOVERNANCE';
    /// only another contract of the system may call this
    pub const NOT_SYSTEM: felt252 = 'NOT_SYSTEM';
    /// guardians have paused this call; a pause ends by itself
    pub const PAUSED: felt252 = 'PAUSED';
    /// the zero address holds nothing
    pub const ZERO_ADDRESS: felt252 = 'ZERO_ADDRESS';
    /// an amount of nothing
    pub const ZERO_AMOUNT: felt252 = 'ZERO_AMOUNT';
    /// more than the supply
    pub const AMOUNT_TOO_LARGE: felt252 = 'AMOUNT_TOO_LARGE';
    /// an amount does not fit 128 bits
    pub const AMOUNT_OVERFLOW: felt252 = 'AMOUNT_OVERFLOW';
    /// the account does not hold the amount
    pub const BALANCE_TOO_LOW: felt252 = 'BALANCE_TOO_LOW';
    /// the owner has not approved the amount
    pub const ALLOWANCE_TOO_LOW: felt252 = 'ALLOWANCE_TOO_LOW';
    /// votes are read at a past block
    pub const BLOCK_NOT_PAST: felt252 = 'BLOCK_NOT_PAST';
    /// no amount is withdrawable
    pub const NOTHING_TO_WITHDRAW: felt252 = 'NOTHING_TO_WITHDRAW';
    /// no such model version
    pub const UNKNOWN_MODEL: felt252 = 'UNKNOWN_MODEL';
    /// its owner has retired the model version
    pub const MODEL_RETIRED: felt252 = 'MODEL_RETIRED';
    /// only the owner of the model may do this
    pub const NOT_OWNER: felt252 = 'NOT_OWNER';
    /// the model version is retired
    pub const ALREADY_RETIRED: felt252 = 'ALREADY_RETIRED';
    /// no verifier version is registered for the proof system
    pub const UNKNOWN_SYSTEM: felt252 = 'UNKNOWN_SYSTEM';
    /// no such job
    pub const UNKNOWN_JOB: felt252 = 'UNKNOWN_JOB';
    /// only the job's client may do this
    pub const NOT_CLIENT: felt252 = 'NOT_CLIENT';
    /// only the job's worker may do this
    pub const NOT_WORKER: felt252 = 'NOT_WORKER';
    /// the job is in another state
    pub const WRONG_STATE: felt252 = 'WRONG_STATE';
    /// no such verification method, or not this job's
    pub const WRONG_METHOD: felt252 = 'WRONG_METHOD';
    /// no such job type
    pub const WRONG_TYPE: felt252 = 'WRONG_TYPE';
    /// below the minimum payment and the model's fee
    pub const PRICE_TOO_LOW: felt252 = 'PRICE_TOO_LOW';
    /// the model's fee is above the client's maximum, or all fees above the cap
    pub const FEE_TOO_HIGH: felt252 = 'FEE_TOO_HIGH';
    /// the duration is above the cap
    pub const DURATION_TOO_LONG: felt252 = 'DURATION_TOO_LONG';
    /// this chain has no verifier for the proof system
    pub const NO_VERIFIER: felt252 = 'NO_VERIFIER';
    /// too few workers are registered to attest
    pub const NO_ATTESTERS: felt252 = 'NO_ATTESTERS';
    /// the coordinator is not registered
    pub const WRONG_COORDINATOR: felt252 = 'WRONG_COORDINATOR';
    /// the block that decides is not readable yet
    pub const SEED_NOT_READY: felt252 = 'SEED_NOT_READY';
    /// claiming opens when the draw found nobody
    pub const NOT_OPEN: felt252 = 'NOT_OPEN';
    /// too early
    pub const NOT_EXPIRED: felt252 = 'NOT_EXPIRED';
    /// the acknowledgement window is over
    pub const ACK_LAPSED: felt252 = 'ACK_LAPSED';
    /// the worker has not acknowledged
    pub const NOT_ACKNOWLEDGED: felt252 = 'NOT_ACKNOWLEDGED';
    /// the worker has acknowledged
    pub const ALREADY_ACKNOWLEDGED: felt252 = 'ALREADY_ACKNOWLEDGED';
    /// the job's deadline is over
    pub const DEADLINE_PASSED: felt252 = 'DEADLINE_PASSED';
    /// the job's deadline is not over
    pub const DEADLINE_OPEN: felt252 = 'DEADLINE_OPEN';
    /// fewer bits of security than a settled proof needs
    pub const SECURITY_LOW: felt252 = 'SECURITY_LOW';
    /// the receipt is not signed by a key of the worker
    pub const WRONG_SIGNER: felt252 = 'WRONG_SIGNER';
    /// r or s is out of range, or s is the high one
    pub const BAD_SIGNATURE: felt252 = 'BAD_SIGNATURE';
    /// there is no verdict yet
    pub const NO_VERDICT: felt252 = 'NO_VERDICT';
    /// there is a verdict
    pub const VERDICT_EXISTS: felt252 = 'VERDICT_EXISTS';
    /// the verdict is not that the proof verified
    pub const NOT_VERIFIED: felt252 = 'NOT_VERIFIED';
    /// the verdict is not a rejection
    pub const NOT_REJECTED: felt252 = 'NOT_REJECTED';
    /// the challenge window is open
    pub const WINDOW_OPEN: felt252 = 'WINDOW_OPEN';
    /// the challenge or evidence window is over
    pub const WINDOW_CLOSED: felt252 = 'WINDOW_CLOSED';
    /// the verifier version was found unsound; the job is refunded by `expire`
    pub const VERIFIER_FROZEN: felt252 = 'VERIFIER_FROZEN';
    /// no attestation is open for the job
    pub const UNKNOWN_SESSION: felt252 = 'UNKNOWN_SESSION';
    /// the attesters are sampled
    pub const ALREADY_SAMPLED: felt252 = 'ALREADY_SAMPLED';
    /// the attesters are not sampled
    pub const NOT_SAMPLED: felt252 = 'NOT_SAMPLED';
    /// the caller is not sampled for the job
    pub const NOT_ATTESTER: felt252 = 'NOT_ATTESTER';
    /// the time to commit is over
    pub const COMMIT_CLOSED: felt252 = 'COMMIT_CLOSED';
    /// it is not the time to reveal
    pub const REVEAL_CLOSED: felt252 = 'REVEAL_CLOSED';
    /// a commitment is made once
    pub const ALREADY_COMMITTED: felt252 = 'ALREADY_COMMITTED';
    /// there is no such commitment
    pub const NOT_COMMITTED: felt252 = 'NOT_COMMITTED';
    /// a vote is revealed once
    pub const ALREADY_REVEALED: felt252 = 'ALREADY_REVEALED';
    /// the vote and salt are not those committed to
    pub const WRONG_REVEAL: felt252 = 'WRONG_REVEAL';
    /// no such vote
    pub const WRONG_VOTE: felt252 = 'WRONG_VOTE';
    /// votes may still come
    pub const TALLY_OPEN: felt252 = 'TALLY_OPEN';
    /// the session is over
    pub const ALREADY_TALLIED: felt252 = 'ALREADY_TALLIED';
    /// the committee has decided the job
    pub const ALREADY_JUDGED: felt252 = 'ALREADY_JUDGED';
    /// a challenge is committed to at least one block before
    pub const TOO_FRESH: felt252 = 'TOO_FRESH';
    /// the worker does not challenge its own job
    pub const SELF_CHALLENGE: felt252 = 'SELF_CHALLENGE';
    /// no dispute is open for the job
    pub const NOT_DISPUTED: felt252 = 'NOT_DISPUTED';
    /// the receipts do not differ
    pub const SAME_RECEIPT: felt252 = 'SAME_RECEIPT';
    /// the offence was punished
    pub const ALREADY_CONVICTED: felt252 = 'ALREADY_CONVICTED';
    /// the proof is not the one of the receipt
    pub const WRONG_PROOF: felt252 = 'WRONG_PROOF';
    /// the worker is not registered
    pub const UNKNOWN_WORKER: felt252 = 'UNKNOWN_WORKER';
    /// below the stake that is needed
    pub const STAKE_TOO_LOW: felt252 = 'STAKE_TOO_LOW';
    /// the worker's own stake would fall below its share
    pub const OWN_STAKE_LOW: felt252 = 'OWN_STAKE_LOW';
    /// the stake is bonded to open jobs
    pub const STAKE_LOCKED: felt252 = 'STAKE_LOCKED';
    /// too little free stake for the bond
    pub const FREE_STAKE_LOW: felt252 = 'FREE_STAKE_LOW';
    /// no such unbonding request
    pub const UNKNOWN_REQUEST: felt252 = 'UNKNOWN_REQUEST';
    /// only the staker may do this
    pub const NOT_STAKER: felt252 = 'NOT_STAKER';
    /// the unbonding period is not over
    pub const STILL_BONDED: felt252 = 'STILL_BONDED';
    /// a dispute names the worker
    pub const DISPUTE_OPEN: felt252 = 'DISPUTE_OPEN';
    /// no such bond
    pub const UNKNOWN_LOCK: felt252 = 'UNKNOWN_LOCK';
    /// the bond exists
    pub const LOCK_EXISTS: felt252 = 'LOCK_EXISTS';
    /// the account is registered
    pub const ALREADY_REGISTERED: felt252 = 'ALREADY_REGISTERED';
    /// the key belongs to a worker
    pub const KEY_TAKEN: felt252 = 'KEY_TAKEN';
    /// the key is zero
    pub const ZERO_KEY: felt252 = 'ZERO_KEY';
    /// unknown capability bits, or not those the job wants
    pub const WRONG_CAPABILITIES: felt252 = 'WRONG_CAPABILITIES';
    /// the worker is inactive, too small or lacks a capability
    pub const NOT_ELIGIBLE: felt252 = 'NOT_ELIGIBLE';
    /// the worker has open jobs
    pub const OPEN_JOBS: felt252 = 'OPEN_JOBS';
    /// the worker's stake is not below Basic, or its grace is not over
    pub const NOT_BELOW: felt252 = 'NOT_BELOW';
    /// above the cap
    pub const COMMISSION_TOO_HIGH: felt252 = 'COMMISSION_TOO_HIGH';
    /// the caller is no price reporter
    pub const NOT_REPORTER: felt252 = 'NOT_REPORTER';
    /// no fresh price
    pub const PRICE_STALE: felt252 = 'PRICE_STALE';
    /// one price update an hour
    pub const PRICE_TOO_SOON: felt252 = 'PRICE_TOO_SOON';
    /// too few fresh reports or votes
    pub const NO_QUORUM: felt252 = 'NO_QUORUM';
    /// the epoch is not over
    pub const EPOCH_OPEN: felt252 = 'EPOCH_OPEN';
    /// the epoch's checkpoints, or its claims, are closed
    pub const EPOCH_CLOSED: felt252 = 'EPOCH_CLOSED';
    /// the checkpoint is made
    pub const ALREADY_CHECKPOINTED: felt252 = 'ALREADY_CHECKPOINTED';
    /// there is no checkpoint
    pub const NOT_CHECKPOINTED: felt252 = 'NOT_CHECKPOINTED';
    /// the reward is claimed
    pub const ALREADY_CLAIMED: felt252 = 'ALREADY_CLAIMED';
    /// the reward is nothing
    pub const NOTHING_TO_CLAIM: felt252 = 'NOTHING_TO_CLAIM';
    /// no parameter of that name is held by the contract
    pub const UNKNOWN_PARAMETER: felt252 = 'UNKNOWN_PARAMETER';
    /// outside the parameter's hard bounds
    pub const OUT_OF_BOUNDS: felt252 = 'OUT_OF_BOUNDS';
    /// no such proposal
    pub const UNKNOWN_PROPOSAL: felt252 = 'UNKNOWN_PROPOSAL';
    /// no such queued operation
    pub const UNKNOWN_OPERATION: felt252 = 'UNKNOWN_OPERATION';
    /// the call needs another power
    pub const WRONG_POWER: felt252 = 'WRONG_POWER';
    /// too few votes to propose
    pub const VOTES_TOO_LOW: felt252 = 'VOTES_TOO_LOW';
    /// the vote is over
    pub const VOTE_CLOSED: felt252 = 'VOTE_CLOSED';
    /// the vote is not over
    pub const VOTE_OPEN: felt252 = 'VOTE_OPEN';
    /// one vote each
    pub const ALREADY_VOTED: felt252 = 'ALREADY_VOTED';
    /// accounts must be given in ascending order, without repetition
    pub const WRONG_ORDER: felt252 = 'WRONG_ORDER';
    /// the proposal did not pass
    pub const NOT_PASSED: felt252 = 'NOT_PASSED';
    /// the proposal is queued
    pub const ALREADY_QUEUED: felt252 = 'ALREADY_QUEUED';
    /// the delay is not over
    pub const TIMELOCKED: felt252 = 'TIMELOCKED';
    /// the operation was not executed in time
    pub const OPERATION_EXPIRED: felt252 = 'OPERATION_EXPIRED';
    /// an operation executes once
    pub const ALREADY_EXECUTED: felt252 = 'ALREADY_EXECUTED';
    /// the operation is cancelled
    pub const CANCELLED: felt252 = 'CANCELLED';
    /// the multisig cannot cancel a change of itself
    pub const NOT_CANCELLABLE: felt252 = 'NOT_CANCELLABLE';
    /// the caller is not of the multisig
    pub const NOT_SIGNER: felt252 = 'NOT_SIGNER';
    /// the caller is no guardian
    pub const NOT_GUARDIAN: felt252 = 'NOT_GUARDIAN';
    /// one approval each
    pub const ALREADY_APPROVED: felt252 = 'ALREADY_APPROVED';
    /// above what the multisig may spend in a period
    pub const SPENDING_TOO_HIGH: felt252 = 'SPENDING_TOO_HIGH';
    /// one pause in its interval
    pub const PAUSE_TOO_SOON: felt252 = 'PAUSE_TOO_SOON';
}
