"""The constants of settlement; written by settlement/generate.py from settlement/parameters.toml; do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

PLATFORM_FEE = 250
"""bps: of the price, half to the reward pool, half to the treasury; governed within [0, 1000]"""
COORDINATOR_FEE = 100
"""bps: to the coordinator that the client named, if any; governed within [0, 500]"""
ATTESTER_FEE = 100
"""bps: split among the attesters who revealed with the majority; governed within [0, 500]"""
ABORT_FEE = 100
"""bps: of the price, from the client to the worker when the input was unprovable; governed within [0, 1000]"""
FEE_CAP = 5_000
"""bps: all fees of a job together"""
MINIMUM_PAYMENT = 1_000_000_000_000_000_000
"""ciro: of a job, beside the model's fee; governed within [1000000000000000, 1000000000000000000000]"""
JOB_DURATION = 3_600
"""s: from acknowledgement to the deadline where the client names none"""
JOB_DURATION_CAP = 86_400
"""s: the longest a client may name"""
ACK_WINDOW = 600
"""s: from assignment to acknowledgement; governed within [60, 3600]"""
QUEUE_EXPIRY = 86_400
"""s: from submission; then anyone may expire a queued job; governed within [3600, 604800]"""
VERDICT_EXPIRY = 172_800
"""s: from the result; then a job without a verdict is refunded; governed within [86400, 259200]"""
CHALLENGE_WINDOW_ATTESTED = 3_600
"""s: from the verdict; governed within [3600, 86400]"""
CHALLENGE_WINDOW_OPTIMISTIC = 86_400
"""s: from the verdict; governed within [86400, 172800]"""
DISPUTE_WINDOW = 259_200
"""s: from a challenge; then the job is refunded and bonds return"""
EVIDENCE_WINDOW = 345_600
"""s: from the result; evidence is taken after payment too"""
SEED_DELAY = 12
"""blocks: from a submission to the block whose hash decides"""
SEED_LIFE = 256
"""blocks: a hash older than this is drawn anew (what the EVM keeps)"""
SECURITY_MINIMUM = 96
"""count: bits of security of a settled proof"""
JOB_BOND_FACTOR = 2
"""count: job bond = max(factor * price, minimum), out of free stake"""
JOB_BOND_MINIMUM = 10_000_000_000_000_000_000
"""ciro: of a job; governed within [1000000000000000000, 1000000000000000000000]"""
CHALLENGE_BOND_MINIMUM = 10_000_000_000_000_000_000
"""ciro: challenge bond = price, clamped"""
CHALLENGE_BOND_MAXIMUM = 500_000_000_000_000_000_000
"""ciro: challenge bond = price, clamped"""
ATTESTER_BOND_FACTOR = 2
"""count: the quorum's attesters together bond factor * price"""
COMMITTEE_SIZE = 7
"""count: attesters of an escalation or a dispute"""
COMMITTEE_QUORUM = 5
"""count: equal votes that decide there"""
COMMIT_WINDOW = 7_200
"""s: from sampling to the last commitment; governed within [600, 14400]"""
REVEAL_WINDOW = 7_200
"""s: from the last commitment to the last reveal; governed within [600, 14400]"""
UNBONDING = 604_800
"""s: from a request to its withdrawal"""
OWN_STAKE_MINIMUM = 1_000
"""bps: of own and delegated stake, when others delegate"""
SLASH_FRAUD = 10_000
"""bps: of slashable stake: a signed receipt whose proof fails"""
SLASH_MALICIOUS = 5_000
"""bps: of slashable stake: two receipts of one job, or a false attestation"""
SLASH_VIOLATION = 3_000
"""bps: of slashable stake: a commitment not revealed"""
SLASH_UNAVAILABLE = 1_000
"""bps: of the job bond: an acknowledged job past its deadline"""
SLASH_POOR = 2_000
"""bps: of the attester's bond: sampled and silent"""
REPEAT_CAP = 3
"""count: a repeated offence counts min(1 + previous, cap) times"""
REPEAT_PERIOD = 7_776_000
"""s: previous offences that count"""
SLASH_CHALLENGER = 5_000
"""bps: of what is left after the client, at most twice the challenge bond"""
SLASH_TREASURY = 2_000
"""bps: of what is left after the client; the rest burns"""
REPUTATION_START = 500
"""points: of a new worker"""
REPUTATION_MOST = 1_000
"""points: reputation most"""
REPUTATION_JOB = 10
"""points: gained by a paid job"""
REPUTATION_DAY = 50
"""points: the most gained in a day"""
REPUTATION_TIMEOUT = 50
"""points: lost by a timeout"""
REPUTATION_DISPUTE = 100
"""points: lost by a rejected result"""
REPUTATION_LAPSE = 5
"""points: lost by an assignment not acknowledged"""
COMMISSION = 1_000
"""bps: of rewards, to the worker, before delegators share"""
COMMISSION_CAP = 5_000
"""bps: commission cap"""
COMMISSION_DELAY = 604_800
"""s: from the announcement of a rise to its effect"""
EPOCH = 604_800
"""s: of rewards"""
CLAIM_EPOCHS = 4
"""count: in which an epoch's rewards are claimed, from the second after it; the rest is the pool's again"""
HEARTBEAT = 300
"""s: expected interval"""
HEARTBEAT_MISSES = 3
"""count: then a worker is inactive"""
DRAWS = 64
"""count: trials of one rejection sampling"""
TIER_GRACE = 604_800
"""s: below Basic, before a worker is removed"""
PRICE_REPORTERS = 5
"""count: appointed by governance"""
PRICE_QUORUM = 3
"""count: fresh reports of a median"""
PRICE_CHANGE = 2_000
"""bps: the most that one update moves the price"""
PRICE_INTERVAL = 3_600
"""s: between updates; an older report is not fresh"""
PRICE_LAG = 86_400
"""s: tiers use the lower of the price now and this long ago; an older price is stale"""
PROPOSAL_THRESHOLD = 50_000_000_000_000_000_000_000
"""ciro: votes of a proposer"""
VOTE_PERIOD = 604_800
"""s: vote period"""
VOTE_QUORUM = 2_000
"""bps: of supply, votes cast"""
VOTE_MAJORITY = 5_000
"""bps: more than this share of votes cast: parameters, grants"""
VOTE_SUPERMAJORITY = 6_700
"""bps: at least this share of votes cast: upgrades, verifiers, roles"""
DELAY_UPGRADE = 864_000
"""s: from the queue to execution: upgrades, verifiers, roles"""
DELAY_PARAMETER = 172_800
"""s: from the queue to execution: parameters, grants, spending"""
EXECUTION_LIFE = 1_209_600
"""s: from the end of the delay; then a queued operation is dead"""
SPENDING_CAP = 100
"""bps: of the treasury, by the multisig in one period"""
SPENDING_PERIOD = 2_592_000
"""s: spending period"""
MULTISIG_SIZE = 5
"""count: multisig size"""
MULTISIG_QUORUM = 3
"""count: multisig quorum"""
GUARDIANS_SIZE = 3
"""count: guardians size"""
GUARDIANS_QUORUM = 2
"""count: guardians quorum"""
PAUSE_LENGTH = 259_200
"""s: then it ends by itself"""
PAUSE_INTERVAL = 1_209_600
"""s: between the starts of two pauses"""
SUPPLY = 1_000_000_000_000_000_000_000_000_000
"""ciro: minted once; balances and burned add up to it"""


@dataclass(frozen=True, slots=True)
class Governed:
    """A parameter in a contract's storage: its first value and hard bounds."""

    value: int
    least: int
    most: int


GOVERNED: Mapping[str, Mapping[str, Governed]] = {
    "JobManager": {
        "platform_fee": Governed(250, 0, 1_000),
        "coordinator_fee": Governed(100, 0, 500),
        "attester_fee": Governed(100, 0, 500),
        "abort_fee": Governed(100, 0, 1_000),
        "minimum_payment": Governed(1_000_000_000_000_000_000, 1_000_000_000_000_000, 1_000_000_000_000_000_000_000),
        "ack_window": Governed(600, 60, 3_600),
        "queue_expiry": Governed(86_400, 3_600, 604_800),
        "verdict_expiry": Governed(172_800, 86_400, 259_200),
        "challenge_window_attested": Governed(3_600, 3_600, 86_400),
        "challenge_window_optimistic": Governed(86_400, 86_400, 172_800),
        "job_bond_minimum": Governed(10_000_000_000_000_000_000, 1_000_000_000_000_000_000, 1_000_000_000_000_000_000_000),
    },
    "ProofRegistry": {
        "commit_window": Governed(7_200, 600, 14_400),
        "reveal_window": Governed(7_200, 600, 14_400),
    },
}
"""Governed parameters by contract and name."""

TIER_NAMES = ("Basic", "Premium", "Enterprise", "Infrastructure", "Fleet", "Datacenter", "Hyperscale", "Institutional")
TIER_STAKE = (100_000_000, 500_000_000, 2_500_000_000, 10_000_000_000, 50_000_000_000, 100_000_000_000, 250_000_000_000, 500_000_000_000)
"""Micro-dollars."""
TIER_PRIORITY = (10, 12, 15, 20, 25, 30, 40, 50)
"""Tenths."""
TIER_BONUS = (500, 1000, 1500, 2500, 3000, 3500, 4000, 5000)
"""Basis points."""
ATTESTER_SIZES = (3, 5, 7)

CAPABILITIES: Mapping[str, int] = {
    "CUDA": 1,
    "OPENCL": 2,
    "FP16": 4,
    "INT8": 8,
    "NVLINK": 16,
    "INFINIBAND": 32,
    "TENSOR": 64,
    "MULTI_GPU": 128,
}


class JobState(IntEnum):
    NONE = 0
    QUEUED = 1
    ASSIGNED = 2
    SUBMITTED = 3
    DISPUTED = 4
    PAID = 5
    REFUNDED = 6


class JobType(IntEnum):
    AI_INFERENCE = 0
    PROOF_GENERATION = 1
    PROOF_VERIFICATION = 2
    DATA_PROCESSING = 3


class VerificationMethod(IntEnum):
    ZERO_KNOWLEDGE_PROOF = 0
    ATTESTED = 1
    OPTIMISTIC = 2


class Vote(IntEnum):
    NONE = 0
    VERIFIED = 1
    REJECTED = 2
    UNAVAILABLE = 3


class SlashReason(IntEnum):
    FRAUD = 0
    MALICIOUS = 1
    PROTOCOL_VIOLATION = 2
    UNAVAILABLE = 3
    POOR_PERFORMANCE = 4


class Outcome(IntEnum):
    NEUTRAL = 0
    PAID = 1
    TIMED_OUT = 2
    REJECTED = 3
    LAPSED = 4


class Power(IntEnum):
    UPGRADE = 0
    PARAMETER = 1
    SPENDING = 2


class Tier(IntEnum):
    NONE = 0
    BASIC = 1
    PREMIUM = 2
    ENTERPRISE = 3
    INFRASTRUCTURE = 4
    FLEET = 5
    DATACENTER = 6
    HYPERSCALE = 7
    INSTITUTIONAL = 8


CODES: Mapping[str, str] = {
    "MALFORMED_CALLDATA": "the arguments do not decode: a type, a count or a range",
    "ALREADY_CONFIGURED": "the system's addresses are set once",
    "NOT_CONFIGURER": "only the account that deployed the system sets its addresses",
    "NOT_GOVERNANCE": "only GovernanceTreasury may call this",
    "NOT_SYSTEM": "only another contract of the system may call this",
    "PAUSED": "guardians have paused this call; a pause ends by itself",
    "ZERO_ADDRESS": "the zero address holds nothing",
    "ZERO_AMOUNT": "an amount of nothing",
    "AMOUNT_TOO_LARGE": "more than the supply",
    "AMOUNT_OVERFLOW": "an amount does not fit 128 bits",
    "BALANCE_TOO_LOW": "the account does not hold the amount",
    "ALLOWANCE_TOO_LOW": "the owner has not approved the amount",
    "BLOCK_NOT_PAST": "votes are read at a past block",
    "NOTHING_TO_WITHDRAW": "no amount is withdrawable",
    "UNKNOWN_MODEL": "no such model version",
    "MODEL_RETIRED": "its owner has retired the model version",
    "NOT_OWNER": "only the owner of the model may do this",
    "ALREADY_RETIRED": "the model version is retired",
    "UNKNOWN_SYSTEM": "no verifier version is registered for the proof system",
    "UNKNOWN_JOB": "no such job",
    "NOT_CLIENT": "only the job's client may do this",
    "NOT_WORKER": "only the job's worker may do this",
    "WRONG_STATE": "the job is in another state",
    "WRONG_METHOD": "no such verification method, or not this job's",
    "WRONG_TYPE": "no such job type",
    "PRICE_TOO_LOW": "below the minimum payment and the model's fee",
    "FEE_TOO_HIGH": "the model's fee is above the client's maximum, or all fees above the cap",
    "DURATION_TOO_LONG": "the duration is above the cap",
    "NO_VERIFIER": "this chain has no verifier for the proof system",
    "NO_ATTESTERS": "too few workers are registered to attest",
    "WRONG_COORDINATOR": "the coordinator is not registered",
    "SEED_NOT_READY": "the block that decides is not readable yet",
    "NOT_OPEN": "claiming opens when the draw found nobody",
    "NOT_EXPIRED": "too early",
    "ACK_LAPSED": "the acknowledgement window is over",
    "NOT_ACKNOWLEDGED": "the worker has not acknowledged",
    "ALREADY_ACKNOWLEDGED": "the worker has acknowledged",
    "DEADLINE_PASSED": "the job's deadline is over",
    "DEADLINE_OPEN": "the job's deadline is not over",
    "SECURITY_LOW": "fewer bits of security than a settled proof needs",
    "WRONG_SIGNER": "the receipt is not signed by a key of the worker",
    "BAD_SIGNATURE": "r or s is out of range, or s is the high one",
    "NO_VERDICT": "there is no verdict yet",
    "VERDICT_EXISTS": "there is a verdict",
    "NOT_VERIFIED": "the verdict is not that the proof verified",
    "NOT_REJECTED": "the verdict is not a rejection",
    "WINDOW_OPEN": "the challenge window is open",
    "WINDOW_CLOSED": "the challenge or evidence window is over",
    "VERIFIER_FROZEN": "the verifier version was found unsound; the job is refunded by `expire`",
    "UNKNOWN_SESSION": "no attestation is open for the job",
    "ALREADY_SAMPLED": "the attesters are sampled",
    "NOT_SAMPLED": "the attesters are not sampled",
    "NOT_ATTESTER": "the caller is not sampled for the job",
    "COMMIT_CLOSED": "the time to commit is over",
    "REVEAL_CLOSED": "it is not the time to reveal",
    "ALREADY_COMMITTED": "a commitment is made once",
    "NOT_COMMITTED": "there is no such commitment",
    "ALREADY_REVEALED": "a vote is revealed once",
    "WRONG_REVEAL": "the vote and salt are not those committed to",
    "WRONG_VOTE": "no such vote",
    "TALLY_OPEN": "votes may still come",
    "ALREADY_TALLIED": "the session is over",
    "ALREADY_JUDGED": "the committee has decided the job",
    "TOO_FRESH": "a challenge is committed to at least one block before",
    "SELF_CHALLENGE": "the worker does not challenge its own job",
    "NOT_DISPUTED": "no dispute is open for the job",
    "SAME_RECEIPT": "the receipts do not differ",
    "ALREADY_CONVICTED": "the offence was punished",
    "WRONG_PROOF": "the proof is not the one of the receipt",
    "UNKNOWN_WORKER": "the worker is not registered",
    "STAKE_TOO_LOW": "below the stake that is needed",
    "OWN_STAKE_LOW": "the worker's own stake would fall below its share",
    "STAKE_LOCKED": "the stake is bonded to open jobs",
    "FREE_STAKE_LOW": "too little free stake for the bond",
    "UNKNOWN_REQUEST": "no such unbonding request",
    "NOT_STAKER": "only the staker may do this",
    "STILL_BONDED": "the unbonding period is not over",
    "DISPUTE_OPEN": "a dispute names the worker",
    "UNKNOWN_LOCK": "no such bond",
    "LOCK_EXISTS": "the bond exists",
    "ALREADY_REGISTERED": "the account is registered",
    "KEY_TAKEN": "the key belongs to a worker",
    "ZERO_KEY": "the key is zero",
    "WRONG_CAPABILITIES": "unknown capability bits, or not those the job wants",
    "NOT_ELIGIBLE": "the worker is inactive, too small or lacks a capability",
    "OPEN_JOBS": "the worker has open jobs",
    "NOT_BELOW": "the worker's stake is not below Basic, or its grace is not over",
    "COMMISSION_TOO_HIGH": "above the cap",
    "NOT_REPORTER": "the caller is no price reporter",
    "PRICE_STALE": "no fresh price",
    "PRICE_TOO_SOON": "one price update an hour",
    "NO_QUORUM": "too few fresh reports or votes",
    "EPOCH_OPEN": "the epoch is not over",
    "EPOCH_CLOSED": "the epoch's checkpoints, or its claims, are closed",
    "ALREADY_CHECKPOINTED": "the checkpoint is made",
    "NOT_CHECKPOINTED": "there is no checkpoint",
    "ALREADY_CLAIMED": "the reward is claimed",
    "NOTHING_TO_CLAIM": "the reward is nothing",
    "UNKNOWN_PARAMETER": "no parameter of that name is held by the contract",
    "OUT_OF_BOUNDS": "outside the parameter's hard bounds",
    "UNKNOWN_PROPOSAL": "no such proposal",
    "UNKNOWN_OPERATION": "no such queued operation",
    "WRONG_POWER": "the call needs another power",
    "VOTES_TOO_LOW": "too few votes to propose",
    "VOTE_CLOSED": "the vote is over",
    "VOTE_OPEN": "the vote is not over",
    "ALREADY_VOTED": "one vote each",
    "WRONG_ORDER": "accounts must be given in ascending order, without repetition",
    "NOT_PASSED": "the proposal did not pass",
    "ALREADY_QUEUED": "the proposal is queued",
    "TIMELOCKED": "the delay is not over",
    "OPERATION_EXPIRED": "the operation was not executed in time",
    "ALREADY_EXECUTED": "an operation executes once",
    "CANCELLED": "the operation is cancelled",
    "NOT_CANCELLABLE": "the multisig cannot cancel a change of itself",
    "NOT_SIGNER": "the caller is not of the multisig",
    "NOT_GUARDIAN": "the caller is no guardian",
    "ALREADY_APPROVED": "one approval each",
    "SPENDING_TOO_HIGH": "above what the multisig may spend in a period",
    "PAUSE_TOO_SOON": "one pause in its interval",
}
"""Error codes, the same on every chain, and what they say."""
