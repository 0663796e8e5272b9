"""JobManager: escrow and the life of a job.

    QUEUED → ASSIGNED → SUBMITTED → PAID or REFUNDED, SUBMITTED → DISPUTED → PAID or REFUNDED

The price is pulled when the job is submitted; parameters, fees, method, model and verifier version are those of that moment. A worker
bonds free stake,
acknowledges that model and inputs are in hand (from then on it has a deadline), and submits a signed receipt. ProofRegistry decides; then
anyone may
finalise. Payouts credit a withdrawable balance: JobManager's tokens = open escrow + challenge bonds + withdrawable.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

from ciro_zk.settlement.arithmetic import hash_words, mul_div
from ciro_zk.settlement.ledger.contract import Contract, Map, external, require, view
from ciro_zk.settlement.ledger.models import Model
from ciro_zk.settlement.ledger.registry import Version
from ciro_zk.settlement.ledger.types import U8, U32, U64, U128, U256, Address, Felt, Flag
from ciro_zk.settlement.parameters import (
    ATTESTER_SIZES,
    COMMITTEE_SIZE,
    FEE_CAP,
    JOB_BOND_FACTOR,
    JOB_DURATION,
    JOB_DURATION_CAP,
    SECURITY_MINIMUM,
    SEED_DELAY,
    SEED_LIFE,
    SUPPLY,
    JobState,
    JobType,
    Outcome,
    SlashReason,
    VerificationMethod,
    Vote,
)

if TYPE_CHECKING:
    from ciro_zk.settlement.ledger.chain import EmbeddedLedger

BPS = 10_000
RECEIPT_VERSION = 1
FEWEST_WORKERS = 1 + ATTESTER_SIZES[0] + COMMITTEE_SIZE
"""A worker, attesters, and a committee of others: without one, whoever challenges an honest result has it refunded."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job and the terms it was submitted under; times in seconds, fees in basis points but for the model's."""

    state: int = 0
    client: int = 0
    model: int = 0
    vk_digest: int = 0
    verifier_version: int = 0
    input_digest: int = 0
    price: int = 0
    model_fee: int = 0
    platform_fee: int = 0
    coordinator_fee: int = 0
    attester_fee: int = 0
    abort_fee: int = 0
    coordinator: int = 0
    method: int = 0
    job_type: int = 0
    capabilities: int = 0
    duration: int = 0
    ack_window: int = 0
    verdict_expiry: int = 0
    challenge_window: int = 0
    queue_ends: int = 0
    bond: int = 0
    open_claim: int = 0
    seed_block: int = 0
    round: int = 0
    worker: int = 0
    assigned: int = 0
    deadline: int = 0
    submitted: int = 0
    unprovable: int = 0
    convicted: int = 0
    statement_digest: int = 0
    proof_digest: int = 0
    output_digest: int = 0
    receipt: int = 0


class JobManager(Contract):
    """Jobs and their escrow."""

    name = "JobManager"

    def __init__(self, chain: EmbeddedLedger) -> None:
        super().__init__(chain)
        self._jobs = Map(self, "jobs", Job())
        self._nonces = Map(self, "nonces", 0)
        self._credits = Map(self, "credits", 0)
        self._escrow = Map(self, "escrow", 0)
        self._bonds = Map(self, "bonds", 0)
        self._credited = Map(self, "credited", 0)
        self._made_whole = Map(self, "made_whole", 0)

    # --- the client

    @external
    def submit(
        self,
        model: U256,
        input_digest: U256,
        price: U128,
        max_model_fee: U128,
        method: U8,
        job_type: U8,
        capabilities: U32,
        duration: U64,
        coordinator: Address,
        open_claim: Flag,
    ) -> U256:
        """Queues a job and pulls its price; id = keccak(chain id, JobManager, client, client's count).

        PAUSED, UNKNOWN_MODEL, MODEL_RETIRED, NO_VERIFIER, NO_ATTESTERS, WRONG_METHOD, WRONG_TYPE, WRONG_CAPABILITIES, WRONG_COORDINATOR,
        DURATION_TOO_LONG, AMOUNT_TOO_LARGE, FEE_TOO_HIGH, PRICE_TOO_LOW, ALLOWANCE_TOO_LOW, BALANCE_TOO_LOW.
        """
        self.require_live()
        found = Model(*self.call(self.chain.models.model_of, model))
        require(found.owner != 0, "UNKNOWN_MODEL")
        require(not found.retired, "MODEL_RETIRED")
        require(method <= VerificationMethod.OPTIMISTIC, "WRONG_METHOD")
        version = self.call(self.chain.registry.current_version, found.proof_system)
        if method == VerificationMethod.ZERO_KNOWLEDGE_PROOF:
            require(Version(*self.call(self.chain.registry.version_of, version)).verifier != 0, "NO_VERIFIER")
        else:
            require(self.call(self.chain.pool.num_workers) >= FEWEST_WORKERS, "NO_ATTESTERS")
        require(job_type <= JobType.DATA_PROCESSING, "WRONG_TYPE")
        require(capabilities < 256, "WRONG_CAPABILITIES")
        require(coordinator == 0 or self.call(self.chain.pool.is_coordinator, coordinator), "WRONG_COORDINATOR")
        require(duration <= JOB_DURATION_CAP, "DURATION_TOO_LONG")
        require(price <= SUPPLY, "AMOUNT_TOO_LARGE")
        require(found.fee <= max_model_fee, "FEE_TOO_HIGH")
        require(price >= self.parameter("minimum_payment") + found.fee, "PRICE_TOO_LOW")
        optimistic = method == VerificationMethod.OPTIMISTIC
        job = Job(
            state=JobState.QUEUED,
            client=self.caller,
            model=model,
            vk_digest=found.vk_digest,
            verifier_version=version,
            input_digest=input_digest,
            price=price,
            model_fee=found.fee,
            platform_fee=self.parameter("platform_fee"),
            coordinator_fee=self.parameter("coordinator_fee") if coordinator else 0,
            attester_fee=0 if method == VerificationMethod.ZERO_KNOWLEDGE_PROOF else self.parameter("attester_fee"),
            abort_fee=self.parameter("abort_fee"),
            coordinator=coordinator,
            method=method,
            job_type=job_type,
            capabilities=capabilities,
            duration=duration or JOB_DURATION,
            ack_window=self.parameter("ack_window"),
            verdict_expiry=self.parameter("verdict_expiry"),
            challenge_window=self.parameter("challenge_window_optimistic" if optimistic else "challenge_window_attested"),
            queue_ends=self.time + self.parameter("queue_expiry"),
            bond=max(JOB_BOND_FACTOR * price, self.parameter("job_bond_minimum")),
            open_claim=int(open_claim),
            seed_block=self.chain.block + SEED_DELAY,
        )
        fees = sum(mul_div(price, fee, BPS) for fee in (job.platform_fee, job.coordinator_fee, job.attester_fee)) + job.model_fee
        require(fees <= mul_div(price, FEE_CAP, BPS), "FEE_TOO_HIGH")
        nonce = self._nonces[self.caller]
        number = hash_words(self.chain.chain_id, self.address, self.caller, nonce)
        self._nonces[self.caller] = nonce + 1
        self._jobs[number] = job
        self._escrow[()] += price
        self.emit(
            "JobSubmitted",
            job=number,
            client=self.caller,
            model=model,
            input_digest=input_digest,
            price=price,
            method=method,
            seed_block=job.seed_block,
        )
        self.call(self.chain.token.transfer_from, self.caller, self.address, price)
        return number

    @external
    def cancel(self, job: U256) -> None:
        """The client, of a queued job: all is refunded. UNKNOWN_JOB, NOT_CLIENT, WRONG_STATE."""
        found = self._existing(job)
        require(found.client == self.caller, "NOT_CLIENT")
        require(found.state == JobState.QUEUED, "WRONG_STATE")
        self._refund(job, found)

    @external
    def withdraw(self) -> U128:
        """Sends the caller what was credited to it. Never paused. NOTHING_TO_WITHDRAW."""
        amount = self._credits[self.caller]
        require(amount > 0, "NOTHING_TO_WITHDRAW")
        self._credits[self.caller] = 0
        self._credited[()] -= amount
        self.emit("CreditWithdrawn", account=self.caller, amount=amount)
        self.call(self.chain.token.transfer, self.caller, amount)
        return amount

    # --- allocation

    @external
    def assign(self, job: U256) -> Address:
        """Anyone, once the deciding block can be read: assigns the worker drawn; where none is, claiming opens; gives the worker or 0.

        PAUSED, UNKNOWN_JOB, WRONG_STATE, NOT_EXPIRED (claiming is open), SEED_NOT_READY.
        """
        self.require_live()
        found = self._existing(job)
        require(found.state == JobState.QUEUED and not found.open_claim, "WRONG_STATE")
        require(self.chain.block >= found.seed_block + self.chain.hash_lag, "SEED_NOT_READY")
        if self.chain.block > found.seed_block + SEED_LIFE:
            self._jobs[job] = replace(found, seed_block=self.chain.block + SEED_DELAY)
            self.emit("SeedRenewed", job=job, seed_block=self.chain.block + SEED_DELAY)
            return 0
        seed = hash_words(self.chain.block_hash(found.seed_block), job, 1000 + found.round)
        worker, trial = 0, 0
        while True:
            worker, trial = self.call(self.chain.pool.draw, seed, found.seed_block, 0, trial, found.capabilities, found.bond)
            if worker == 0 or worker not in (found.client, found.coordinator):
                break
        if worker == 0:
            self._jobs[job] = replace(found, open_claim=1)
            self.emit("ClaimingOpened", job=job)
            return 0
        self._assign(job, found, worker)
        return worker

    @external
    def claim(self, job: U256) -> None:
        """An eligible worker, where claiming is open; it is an acknowledgement too.

        PAUSED, UNKNOWN_JOB, NOT_ELIGIBLE, WRONG_STATE, NOT_OPEN, FREE_STAKE_LOW.
        """
        self.require_live()
        found = self._existing(job)
        eligible = self.caller not in (found.client, found.coordinator) and self.call(
            self.chain.pool.is_eligible, self.caller, found.capabilities, 0
        )
        require(eligible, "NOT_ELIGIBLE")
        require(found.state == JobState.QUEUED, "WRONG_STATE")
        require(bool(found.open_claim), "NOT_OPEN")
        self._assign(job, found, self.caller)
        self._acknowledge(job, self._jobs[job])

    @external
    def acknowledge(self, job: U256) -> U64:
        """The assigned worker has model and inputs: the deadline starts; gives it.

        UNKNOWN_JOB, NOT_WORKER, WRONG_STATE, ALREADY_ACKNOWLEDGED, ACK_LAPSED.
        """
        found = self._mine(job)
        self._unacknowledged(found)
        require(self.time <= found.assigned + found.ack_window, "ACK_LAPSED")
        return self._acknowledge(job, found)

    @external
    def decline(self, job: U256) -> None:
        """The assigned worker, before it acknowledges: back to the queue. UNKNOWN_JOB, NOT_WORKER, WRONG_STATE, ALREADY_ACKNOWLEDGED."""
        found = self._mine(job)
        self._unacknowledged(found)
        self._requeue(job, found, Outcome.NEUTRAL)

    @external
    def lapse(self, job: U256) -> None:
        """Anyone, of an assignment not acknowledged in time: back to the queue.

        UNKNOWN_JOB, WRONG_STATE, ALREADY_ACKNOWLEDGED, NOT_EXPIRED.
        """
        found = self._existing(job)
        self._unacknowledged(found)
        require(self.time > found.assigned + found.ack_window, "NOT_EXPIRED")
        self._requeue(job, found, Outcome.LAPSED)

    # --- the result

    @external
    def submit_result(
        self,
        job: U256,
        statement_digest: U256,
        proof_digest: U256,
        output_digest: U256,
        index: U32,
        preset: Felt,
        security_bits: U32,
        key: Felt,
        r: U256,
        s: U256,
    ) -> None:
        """The worker's signed receipt, at the deadline at the latest.

        UNKNOWN_JOB, NOT_WORKER, WRONG_STATE, NOT_ACKNOWLEDGED, DEADLINE_PASSED, SECURITY_LOW, BAD_SIGNATURE, WRONG_SIGNER.
        """
        found = self._acknowledged(job)
        require(self.time <= found.deadline, "DEADLINE_PASSED")
        require(security_bits >= SECURITY_MINIMUM, "SECURITY_LOW")
        receipt = self._receipt_hash(job, found, statement_digest, proof_digest, output_digest, index, preset, security_bits)
        self.chain.check_signature(found.worker, receipt, key, r, s)
        self._jobs[job] = replace(
            found,
            state=JobState.SUBMITTED,
            submitted=self.time,
            statement_digest=statement_digest,
            proof_digest=proof_digest,
            output_digest=output_digest,
            receipt=receipt,
        )
        self.emit("ResultSubmitted", job=job, worker=found.worker, receipt=receipt, proof_digest=proof_digest, output_digest=output_digest)
        self.call(self.chain.pool.record_submitted, found.worker)
        self.call(self.chain.registry.open_session, job)

    @external
    def report_unprovable(self, job: U256) -> None:
        """The worker: the input is missing or outside the declared range, which attesters then judge instead of a result.

        UNKNOWN_JOB, NOT_WORKER, WRONG_STATE, NOT_ACKNOWLEDGED, DEADLINE_PASSED, WRONG_METHOD (a job that an on-chain verifier settles).
        """
        found = self._acknowledged(job)
        require(self.time <= found.deadline, "DEADLINE_PASSED")
        require(found.method != VerificationMethod.ZERO_KNOWLEDGE_PROOF, "WRONG_METHOD")
        self._jobs[job] = replace(found, state=JobState.SUBMITTED, submitted=self.time, unprovable=1)
        self.emit("ReportedUnprovable", job=job, worker=found.worker)
        self.call(self.chain.registry.open_session, job)

    @external
    def time_out(self, job: U256) -> None:
        """Anyone, of an acknowledged job past its deadline: refunded, and the worker slashed as Unavailable.

        UNKNOWN_JOB, WRONG_STATE, NOT_ACKNOWLEDGED, VERIFIER_FROZEN, DEADLINE_OPEN."""
        found = self._existing(job)
        require(found.state == JobState.ASSIGNED, "WRONG_STATE")
        require(found.deadline != 0, "NOT_ACKNOWLEDGED")
        require(not self._frozen(found), "VERIFIER_FROZEN")
        require(self.time > found.deadline, "DEADLINE_OPEN")
        self._close_refunded(job, found, Outcome.TIMED_OUT)
        self._slash(job, found, SlashReason.UNAVAILABLE, 0, 0, 0)

    # --- the end

    @external
    def finalise(self, job: U256) -> None:
        """Anyone, when the verdict is "verified" and the challenge window is over: pays.

        UNKNOWN_JOB, WRONG_STATE, NO_VERDICT, NOT_VERIFIED, VERIFIER_FROZEN, WINDOW_OPEN.
        """
        found = self._existing(job)
        require(found.state == JobState.SUBMITTED, "WRONG_STATE")
        vote, time, _, decided = self.call(self.chain.registry.verdict_of, job)
        require(bool(decided), "NO_VERDICT")
        require(vote == Vote.VERIFIED, "NOT_VERIFIED")
        require(not self._frozen(found), "VERIFIER_FROZEN")
        require(found.method == VerificationMethod.ZERO_KNOWLEDGE_PROOF or self.time > time + found.challenge_window, "WINDOW_OPEN")
        self._pay(job, found)

    @external
    def reject(self, job: U256) -> None:
        """Anyone, when the verdict is against the result: refunds and slashes.

        UNKNOWN_JOB, WRONG_STATE, NO_VERDICT, NOT_REJECTED, VERIFIER_FROZEN.
        """
        found = self._existing(job)
        require(found.state == JobState.SUBMITTED, "WRONG_STATE")
        vote, _, _, decided = self.call(self.chain.registry.verdict_of, job)
        require(bool(decided), "NO_VERDICT")
        require(vote in (Vote.REJECTED, Vote.UNAVAILABLE), "NOT_REJECTED")
        require(not self._frozen(found), "VERIFIER_FROZEN")
        self._close_refunded(job, found, Outcome.REJECTED)
        self._slash(job, found, _offence(found, vote), 0, 0, 0)

    @external
    def expire(self, job: U256) -> None:
        """Anyone: a queued job after its time, a result without a verdict after its own, any open job of a frozen verifier at once;
        refunded, no slash. A disputed one is ended by `ProofRegistry.resolve`.

        UNKNOWN_JOB, WRONG_STATE, VERDICT_EXISTS, NOT_EXPIRED.
        """
        found = self._existing(job)
        frozen = self._frozen(found)
        require(found.state in (JobState.QUEUED, JobState.SUBMITTED) or (frozen and found.state == JobState.ASSIGNED), "WRONG_STATE")
        if found.state == JobState.QUEUED:
            require(frozen or self.time > found.queue_ends, "NOT_EXPIRED")
            self._refund(job, found)
            return
        if not frozen:
            vote, _, _, _ = self.call(self.chain.registry.verdict_of, job)
            require(vote == Vote.NONE, "VERDICT_EXISTS")
            require(self.time > found.submitted + found.verdict_expiry, "NOT_EXPIRED")
        self._close_refunded(job, found, Outcome.NEUTRAL)

    # --- disputes, by ProofRegistry

    @external
    def open_dispute(self, job: U256, challenger: Address, bond: U128) -> None:
        """Pulls the challenger's bond; a result not yet paid waits. NOT_SYSTEM, ALLOWANCE_TOO_LOW, BALANCE_TOO_LOW."""
        self.require_system("ProofRegistry")
        found = self._jobs[job]
        if found.state == JobState.SUBMITTED:
            self._jobs[job] = replace(found, state=JobState.DISPUTED)
            self.emit("JobDisputed", job=job)
        self._bonds[()] += bond
        self.call(self.chain.token.transfer_from, challenger, self.address, bond)

    @external
    def close_dispute(self, job: U256, vote: U8, challenger: Address, bond: U128) -> None:
        """The committee's verdict, or none: the bond returns unless the result was verified, which gives half to the worker and burns half.

        NOT_SYSTEM.
        """
        self.require_system("ProofRegistry")
        found = self._jobs[job]
        open_job = found.state == JobState.DISPUTED
        self._bonds[()] -= bond
        if vote == Vote.VERIFIED:
            self._credit(job, found.worker, bond // 2)
            self.call(self.chain.token.burn, bond - bond // 2)
        else:
            self._credit(job, challenger, bond)
        if open_job and vote == Vote.VERIFIED:
            self._pay(job, found)
        elif open_job:
            self._close_refunded(job, found, Outcome.NEUTRAL if vote == Vote.NONE else Outcome.REJECTED)
        elif vote in (Vote.REJECTED, Vote.UNAVAILABLE):
            self.call(self.chain.pool.record_rejected, found.worker)
        if vote in (Vote.REJECTED, Vote.UNAVAILABLE):
            self._slash(job, found, _offence(found, vote), 0 if open_job or found.unprovable else found.price, challenger, bond)

    @external
    def convict(self, job: U256, reporter: Address, bond: U128) -> None:
        """A second receipt of the job was shown: slashed as Malicious, and refunded unless it was. NOT_SYSTEM."""
        self.require_system("ProofRegistry")
        found = replace(self._jobs[job], convicted=1)
        self._jobs[job] = found
        if found.state == JobState.SUBMITTED:
            self._close_refunded(job, found, Outcome.REJECTED)
        else:
            self.call(self.chain.pool.record_rejected, found.worker)
        paid = found.state == JobState.PAID and not found.unprovable
        self._slash(job, found, SlashReason.MALICIOUS, found.price if paid else 0, reporter, bond)

    # --- views

    @view
    def job_of(self, job: U256) -> tuple[int, ...]:
        """The job, as the fields of `Job` in order."""
        return astuple(self._jobs[job])

    @view
    def receipt_hash(
        self, job: U256, statement_digest: U256, proof_digest: U256, output_digest: U256, index: U32, preset: Felt, security_bits: U32
    ) -> Felt:
        """What the worker signs: the receipt of the job with these digests (receipt.py)."""
        return self._receipt_hash(job, self._existing(job), statement_digest, proof_digest, output_digest, index, preset, security_bits)

    @view
    def nonce_of(self, client: Address) -> U64:
        """How many jobs the client has submitted."""
        return self._nonces[client]

    @view
    def credit_of(self, account: Address) -> U128:
        """What the account may withdraw."""
        return self._credits[account]

    @view
    def totals(self) -> tuple[int, ...]:
        """Open escrow, challenge bonds, withdrawable: together the contract's tokens."""
        return (self._escrow[()], self._bonds[()], self._credited[()])

    def job(self, job: int) -> Job:
        """`job_of`, named."""
        return self._jobs[job]

    # --- inside

    def _existing(self, job: int) -> Job:
        found = self._jobs[job]
        require(found.state != JobState.NONE, "UNKNOWN_JOB")
        return found

    def _mine(self, job: int) -> Job:
        found = self._existing(job)
        require(found.worker == self.caller, "NOT_WORKER")
        return found

    def _unacknowledged(self, job: Job) -> None:
        require(job.state == JobState.ASSIGNED, "WRONG_STATE")
        require(job.deadline == 0, "ALREADY_ACKNOWLEDGED")

    def _acknowledged(self, job: int) -> Job:
        found = self._mine(job)
        require(found.state == JobState.ASSIGNED, "WRONG_STATE")
        require(found.deadline != 0, "NOT_ACKNOWLEDGED")
        return found

    def _frozen(self, job: Job) -> bool:
        return bool(Version(*self.call(self.chain.registry.version_of, job.verifier_version)).frozen)

    def _receipt_hash(
        self,
        number: int,
        job: Job,
        statement_digest: int,
        proof_digest: int,
        output_digest: int,
        index: int,
        preset: int,
        security_bits: int,
    ) -> int:
        model = Model(*self.call(self.chain.models.model_of, job.model))
        return self.chain.receipt_hash(
            format_version=RECEIPT_VERSION,
            job_manager=self.address,
            job=number,
            model=job.model,
            program_digest=model.program_digest,
            model_commitment=model.model_commitment,
            vk_digest=job.vk_digest,
            verifier_version=job.verifier_version,
            preset=preset,
            security_bits=security_bits,
            statement_digest=statement_digest,
            proof_digest=proof_digest,
            output_digest=output_digest,
            index=index,
            worker=job.worker,
        )

    def _assign(self, number: int, job: Job, worker: int) -> None:
        self._jobs[number] = replace(job, state=JobState.ASSIGNED, worker=worker, assigned=self.time, deadline=0)
        self.emit("JobAssigned", job=number, worker=worker, round=job.round)
        self.call(self.chain.vault.lock, worker, number, job.bond)
        self.call(self.chain.pool.record_assigned, worker)

    def _acknowledge(self, number: int, job: Job) -> int:
        deadline = self.time + job.duration
        self._jobs[number] = replace(job, deadline=deadline)
        self.emit("JobAcknowledged", job=number, worker=job.worker, deadline=deadline)
        self.call(self.chain.pool.record_acknowledged, job.worker)
        return deadline

    def _requeue(self, number: int, job: Job, outcome: Outcome) -> None:
        seed_block = self.chain.block + SEED_DELAY
        self._jobs[number] = replace(job, state=JobState.QUEUED, worker=0, assigned=0, seed_block=seed_block, round=job.round + 1)
        self.emit("JobRequeued", job=number, worker=job.worker, round=job.round + 1, seed_block=seed_block)
        self.call(self.chain.vault.unlock, job.worker, number)
        self.call(self.chain.pool.record_closed, job.worker, int(outcome), 0, False, 0)

    def _credit(self, number: int, account: int, amount: int) -> None:
        if amount:
            self._credits[account] += amount
            self._credited[()] += amount
            self.emit("Credited", job=number, account=account, amount=amount)

    def _refund(self, number: int, job: Job) -> None:
        self._jobs[number] = replace(job, state=JobState.REFUNDED)
        self._escrow[()] -= job.price
        self.emit("JobRefunded", job=number, client=job.client, amount=job.price)
        self._credit(number, job.client, job.price)

    def _close_refunded(self, number: int, job: Job, outcome: Outcome) -> None:
        """Refunded after an assignment: the bond is free, the worker's record says how it ended."""
        self._refund(number, job)
        self.call(self.chain.vault.unlock, job.worker, number)
        self.call(self.chain.pool.record_closed, job.worker, int(outcome), 0, False, 0)

    def _pay(self, number: int, job: Job) -> None:
        """Splits the price: fees floor, the remainder is the worker's. An unprovable job is refunded but for the abort and attesters'
        fees."""
        attesters = self.call(self.chain.registry.majority_of, number)
        each = mul_div(job.price, job.attester_fee, BPS) // len(attesters) if attesters else 0
        self._escrow[()] -= job.price
        if job.unprovable:
            worker_part = mul_div(job.price, job.abort_fee, BPS)
            platform = to_pool = 0
            client_part = job.price - worker_part - each * len(attesters)
            self._jobs[number] = replace(job, state=JobState.REFUNDED)
            self.emit("JobRefunded", job=number, client=job.client, amount=client_part)
            self._credit(number, job.client, client_part)
        else:
            platform = mul_div(job.price, job.platform_fee, BPS)
            to_pool = platform // 2
            to_coordinator = mul_div(job.price, job.coordinator_fee, BPS)
            worker_part = job.price - platform - to_coordinator - job.model_fee - each * len(attesters)
            self._jobs[number] = replace(job, state=JobState.PAID)
            self.emit("JobPaid", job=number, worker=job.worker, amount=worker_part, platform_fee=platform)
            self._credit(number, job.coordinator, to_coordinator)
            self._credit(number, Model(*self.call(self.chain.models.model_of, job.model)).owner, job.model_fee)
        self._credit(number, job.worker, worker_part)
        for attester in attesters:
            self._credit(number, attester, each)
        proven = job.job_type == JobType.AI_INFERENCE
        outcome = Outcome.NEUTRAL if job.unprovable else Outcome.PAID
        self.call(self.chain.vault.unlock, job.worker, number)
        self.call(self.chain.pool.record_closed, job.worker, int(outcome), platform, proven, to_pool)
        for receiver, part in (("CdcPool", to_pool), ("GovernanceTreasury", platform - to_pool)):
            if part:
                self.call(self.chain.token.transfer, self.chain.addresses[receiver], part)

    def _slash(self, number: int, job: Job, reason: SlashReason, loss: int, challenger: int, bond: int) -> None:
        """The client gets `loss` out of it, less what earlier slashes of the job gave: two offences do not pay it twice."""
        whole = self._made_whole[number]
        loss = max(loss - whole, 0)
        amount = self.call(self.chain.vault.slash, job.worker, int(reason), job.bond, job.client, loss, challenger, bond)
        if loss:
            self._made_whole[number] = whole + min(amount, loss)


def _offence(job: Job, vote: int) -> SlashReason:
    """A rejected proof is fraud; a result nobody could obtain, or a wrong report that the input is unprovable, is unavailability."""
    return SlashReason.FRAUD if vote == Vote.REJECTED and not job.unprovable else SlashReason.UNAVAILABLE
