//! JobManager: escrow and the life of a job.
//!
//!     QUEUED -> ASSIGNED -> SUBMITTED -> PAID or REFUNDED, SUBMITTED -> DISPUTED -> PAID or REFUNDED
//!
//! The price is pulled when the job is submitted; parameters, fees, method, model and verifier version are those of that moment. A
//! worker bonds free stake, acknowledges that model and inputs are in hand (from then on it has a deadline), and submits a signed
//! receipt. ProofRegistry decides; then anyone may finalise. Payouts credit a withdrawable balance: JobManager's tokens = open escrow +
//! challenge bonds + withdrawable.
//!
//! Written for a small class. A branch that panics takes some 25 felts, so checks are functions that give the code of the first one that
//! fails, 0 for none, which `refuse` panics with; a dispatcher takes 90 felts a call, so contracts are called by `ask`.

#[starknet::contract]
pub mod JobManager {
    use core::num::traits::{SaturatingAdd, SaturatingMul, SaturatingSub, WideMul, Zero};
    use starknet::storage::{Map, StorageAsPointer, StoragePathEntry};
    use starknet::storage_access::{StorageBaseAddress, storage_address_from_base};
    use starknet::syscalls::{call_contract_syscall, get_block_hash_syscall, storage_read_syscall, storage_write_syscall};
    use starknet::{ContractAddress, ExecutionInfo, SyscallResultTrait, get_execution_info};
    use crate::arithmetic::hash_words;
    use crate::cells::{to_address, to_u128, to_u256, to_u32, to_u64};
    use crate::interfaces::{IJobManager, Job};
    use crate::job_cells::{Progress, load, progress, save_progress, save_result, save_terms};
    use crate::parameters;
    use crate::parameters::{codes, job_state, job_type, outcome, slash_reason, verification_method, vote as votes};
    use crate::receipts::{FORMAT_VERSION, Receipt, receipt_hash};
    use crate::signatures::signature_refusal;
    use crate::system::{Named, SystemComponent, names};

    const BPS: NonZero<u256> = 10_000;
    /// A worker, three attesters, and a committee of others.
    const FEWEST_WORKERS: u32 = 4 + parameters::COMMITTEE_SIZE;
    /// A block's hash is read at least this many blocks later.
    const HASH_LAG: u64 = 10;
    /// Of the draws of workers; the rounds of attestation are numbered from 1.
    const FIRST_ROUND: u32 = 1000;
    /// The parameters that a job is submitted under, in the order of `submit`.
    const TERMS: [felt252; 11] = [
        'platform_fee', 'coordinator_fee', 'attester_fee', 'abort_fee', 'minimum_payment', 'ack_window', 'queue_expiry', 'verdict_expiry',
        'challenge_window_attested', 'challenge_window_optimistic', 'job_bond_minimum',
    ];

    component!(path: SystemComponent, storage: system, event: SystemEvent);

    impl Name of Named {
        const NAME: felt252 = names::JOBS;
    }
    #[abi(embed_v0)]
    impl Shared = SystemComponent::Shared<ContractState>;
    impl SharedInternal = SystemComponent::Internal<ContractState>;

    #[storage]
    struct Storage {
        /// The first cell of each (job_cells.cairo).
        jobs: Map<u256, felt252>,
        nonces: Map<ContractAddress, u64>,
        credits: Map<ContractAddress, u128>,
        escrow: u128,
        bonds: u128,
        credited: u128,
        /// What slashes of a job gave its client.
        made_whole: Map<u256, u128>,
        #[substorage(v0)]
        system: SystemComponent::Storage,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    pub enum Event {
        JobSubmitted: JobSubmitted,
        CreditWithdrawn: CreditWithdrawn,
        SeedRenewed: SeedRenewed,
        ClaimingOpened: ClaimingOpened,
        JobAssigned: JobAssigned,
        JobAcknowledged: JobAcknowledged,
        JobRequeued: JobRequeued,
        ResultSubmitted: ResultSubmitted,
        ReportedUnprovable: ReportedUnprovable,
        JobDisputed: JobDisputed,
        JobPaid: JobPaid,
        JobRefunded: JobRefunded,
        Credited: Credited,
        #[flat]
        SystemEvent: SystemComponent::Event,
    }

    #[derive(Drop, starknet::Event)]
    pub struct JobSubmitted {
        pub job: u256,
        pub client: ContractAddress,
        pub model: u256,
        pub input_digest: u256,
        pub price: u128,
        pub method: u8,
        pub seed_block: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct CreditWithdrawn {
        pub account: ContractAddress,
        pub amount: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct SeedRenewed {
        pub job: u256,
        pub seed_block: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct ClaimingOpened {
        pub job: u256,
    }

    #[derive(Drop, starknet::Event)]
    pub struct JobAssigned {
        pub job: u256,
        pub worker: ContractAddress,
        pub round: u32,
    }

    #[derive(Drop, starknet::Event)]
    pub struct JobAcknowledged {
        pub job: u256,
        pub worker: ContractAddress,
        pub deadline: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct JobRequeued {
        pub job: u256,
        pub worker: ContractAddress,
        pub round: u32,
        pub seed_block: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct ResultSubmitted {
        pub job: u256,
        pub worker: ContractAddress,
        pub receipt: felt252,
        pub proof_digest: u256,
        pub output_digest: u256,
    }

    #[derive(Drop, starknet::Event)]
    pub struct ReportedUnprovable {
        pub job: u256,
        pub worker: ContractAddress,
    }

    #[derive(Drop, starknet::Event)]
    pub struct JobDisputed {
        pub job: u256,
    }

    #[derive(Drop, starknet::Event)]
    pub struct JobPaid {
        pub job: u256,
        pub worker: ContractAddress,
        pub amount: u128,
        pub platform_fee: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct JobRefunded {
        pub job: u256,
        pub client: ContractAddress,
        pub amount: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Credited {
        pub job: u256,
        pub account: ContractAddress,
        pub amount: u128,
    }

    #[constructor]
    fn constructor(ref self: ContractState, configurer: ContractAddress) {
        self.system.initialize(configurer);
    }

    /// A job at the start of a call.
    #[derive(Copy, Drop)]
    struct Step {
        number: u256,
        base: StorageBaseAddress,
        job: Box<Job>,
        caller: ContractAddress,
        now: u64,
    }

    #[abi(embed_v0)]
    impl Jobs of IJobManager<ContractState> {
        // The client.

        fn submit(
            ref self: ContractState,
            model: u256,
            input_digest: u256,
            price: u128,
            max_model_fee: u128,
            method: u8,
            job_type: u8,
            capabilities: u32,
            duration: u64,
            coordinator: ContractAddress,
            open_claim: bool,
        ) -> u256 {
            self.require_live();
            let found = self.ask(names::MODELS, selector!("model_of"), array![model.low.into(), model.high.into()]);
            let version = self.first(names::REGISTRY, selector!("current_version"), array![at(found, 7)]);
            let is_proven = method == verification_method::ZERO_KNOWLEDGE_PROOF;
            let has_judges = if is_proven {
                at(self.ask(names::REGISTRY, selector!("version_of"), array![version]), 1) != 0
            } else {
                to_u128(self.first(names::POOL, selector!("num_workers"), array![])) >= FEWEST_WORKERS.into()
            };
            let coordinates = self.first(names::POOL, selector!("is_coordinator"), array![coordinator.into()]) != 0;
            let [
                platform_fee, coordinator_fee, attester_fee, abort_fee, minimum_payment, ack_window, queue_expiry, verdict_expiry, attested,
                optimistic, bond_minimum,
            ] =
                self
                .terms()
                .unbox();
            let model_fee = to_u128(at(found, 8));
            refuse(
                submit_refusal(
                    found,
                    method,
                    has_judges,
                    job_type,
                    capabilities,
                    coordinator.is_zero() || coordinates,
                    duration,
                    price,
                    model_fee,
                    max_model_fee,
                    minimum_payment,
                ),
            );
            let context = context();
            let client = context.caller_address;
            let number = self.next_number(context);
            let seed_block = after(context.block_info.block_number, parameters::SEED_DELAY);
            let job = BoxTrait::new(
                Job {
                    state: job_state::QUEUED,
                    client,
                    model,
                    vk_digest: to_u256(at(found, 5), at(found, 6)),
                    verifier_version: to_u32(version),
                    input_digest,
                    price,
                    model_fee,
                    platform_fee,
                    coordinator_fee: either(coordinator.is_zero(), 0, coordinator_fee),
                    attester_fee: either(is_proven, 0, attester_fee),
                    abort_fee,
                    coordinator,
                    method,
                    job_type,
                    capabilities,
                    duration: to_u64(either(duration == 0, parameters::JOB_DURATION.into(), duration.into()).into()),
                    ack_window: to_u64(ack_window.into()),
                    verdict_expiry: to_u64(verdict_expiry.into()),
                    challenge_window: to_u64(either(method == verification_method::OPTIMISTIC, optimistic, attested).into()),
                    queue_ends: after(context.block_info.block_timestamp, to_u64(queue_expiry.into())),
                    bond: job_bond(price, bond_minimum),
                    open_claim,
                    seed_block,
                    round: 0,
                    worker: Zero::zero(),
                    assigned: 0,
                    deadline: 0,
                    submitted: 0,
                    unprovable: false,
                    convicted: false,
                    statement_digest: 0,
                    proof_digest: 0,
                    output_digest: 0,
                    receipt: 0,
                },
            );
            require_fees(job);
            let base = self.base(number);
            save_terms(base, job);
            save_progress(base, progress(job));
            adjust(self.escrow.as_ptr().__storage_pointer_address__, price, 0);
            self.log(Event::JobSubmitted(JobSubmitted { job: number, client, model, input_digest, price, method, seed_block }));
            self.pull(client, price);
            number
        }

        fn cancel(ref self: ContractState, job: u256) {
            let step = self.step(job);
            refuse(cancel_refusal(step));
            self.refund(step, step.job.price);
        }

        fn withdraw(ref self: ContractState) -> u128 {
            let account = context().caller_address;
            let credit = self.credit_base(account);
            let amount = held(credit);
            assert(amount != 0, codes::NOTHING_TO_WITHDRAW);
            adjust(credit, 0, amount);
            adjust(self.credited.as_ptr().__storage_pointer_address__, 0, amount);
            self.log(Event::CreditWithdrawn(CreditWithdrawn { account, amount }));
            self.send(account, amount);
            amount
        }

        // Allocation.

        fn assign(ref self: ContractState, job: u256) -> ContractAddress {
            self.require_live();
            let step = self.step(job);
            let block = context().block_info.block_number;
            refuse(assign_refusal(step.job, block));
            if block > after(step.job.seed_block, parameters::SEED_LIFE) {
                let seed_block = after(block, parameters::SEED_DELAY);
                save_progress(step.base, Progress { seed_block, ..progress(step.job) });
                self.log(Event::SeedRenewed(SeedRenewed { job, seed_block }));
                return Zero::zero();
            }
            let worker = self.drawn(step);
            if worker.is_zero() {
                save_progress(step.base, Progress { open_claim: true, ..progress(step.job) });
                self.log(Event::ClaimingOpened(ClaimingOpened { job }));
            } else {
                self.engage(step, worker, 0);
            }
            worker
        }

        fn claim(ref self: ContractState, job: u256) {
            self.require_live();
            let step = self.step(job);
            let worker = step.caller;
            let wanted = array![worker.into(), step.job.capabilities.into(), 0];
            let eligible = self.first(names::POOL, selector!("is_eligible"), wanted) != 0;
            refuse(claim_refusal(step.job, eligible && !is_party(step.job, worker)));
            let deadline = after(step.now, step.job.duration);
            self.engage(step, worker, deadline);
            self.start(step, worker, deadline);
        }

        fn acknowledge(ref self: ContractState, job: u256) -> u64 {
            let step = self.assigned(job, true, false);
            assert(step.now <= ack_ends(step.job), codes::ACK_LAPSED);
            let deadline = after(step.now, step.job.duration);
            save_progress(step.base, Progress { deadline, ..progress(step.job) });
            self.start(step, step.caller, deadline);
            deadline
        }

        fn decline(ref self: ContractState, job: u256) {
            let step = self.assigned(job, true, false);
            self.requeue(step, outcome::NEUTRAL);
        }

        fn lapse(ref self: ContractState, job: u256) {
            let step = self.assigned(job, false, false);
            assert(step.now > ack_ends(step.job), codes::NOT_EXPIRED);
            self.requeue(step, outcome::LAPSED);
        }

        // The result.

        fn submit_result(
            ref self: ContractState,
            job: u256,
            statement_digest: u256,
            proof_digest: u256,
            output_digest: u256,
            index: u32,
            preset: felt252,
            security_bits: u32,
            key: felt252,
            r: u256,
            s: u256,
        ) {
            let step = self.assigned(job, true, true);
            refuse(result_refusal(step, security_bits));
            let worker = step.caller;
            let receipt = self.receipt(step, statement_digest, proof_digest, output_digest, index, preset, security_bits);
            let owner = self.first(names::POOL, selector!("worker_of_key"), array![key]);
            refuse(signature_refusal(owner, worker.into(), receipt, key, r, s));
            save_result(step.base, statement_digest, proof_digest, output_digest, receipt);
            save_progress(step.base, Progress { state: job_state::SUBMITTED, submitted: step.now, ..progress(step.job) });
            self.log(Event::ResultSubmitted(ResultSubmitted { job, worker, receipt, proof_digest, output_digest }));
            self.tell(names::POOL, selector!("record_submitted"), array![worker.into()]);
            self.open_session(job);
        }

        fn report_unprovable(ref self: ContractState, job: u256) {
            let step = self.assigned(job, true, true);
            refuse(result_refusal(step, parameters::SECURITY_MINIMUM));
            assert(step.job.method != verification_method::ZERO_KNOWLEDGE_PROOF, codes::WRONG_METHOD);
            let reported = Progress {
                state: job_state::SUBMITTED, submitted: step.now, unprovable: true, ..progress(step.job),
            };
            save_progress(step.base, reported);
            self.log(Event::ReportedUnprovable(ReportedUnprovable { job, worker: step.caller }));
            self.open_session(job);
        }

        fn time_out(ref self: ContractState, job: u256) {
            let step = self.assigned(job, false, true);
            refuse(time_out_refusal(step, self.is_frozen(step.job)));
            self.close_refunded(step, outcome::TIMED_OUT);
            self.slash(step, slash_reason::UNAVAILABLE, 0, 0, 0);
        }

        // The end.

        fn finalise(ref self: ContractState, job: u256) {
            let (step, _) = self.judged(job, false);
            self.pay(step);
        }

        fn reject(ref self: ContractState, job: u256) {
            let (step, vote) = self.judged(job, true);
            self.close_refunded(step, outcome::REJECTED);
            self.slash(step, offence(step.job, vote), 0, 0, 0);
        }

        fn expire(ref self: ContractState, job: u256) {
            let step = self.step(job);
            let vote = at(self.verdict(job), 0);
            refuse(expire_refusal(step, vote, self.is_frozen(step.job)));
            if step.job.state == job_state::QUEUED {
                self.refund(step, step.job.price);
            } else {
                self.close_refunded(step, outcome::NEUTRAL);
            }
        }

        // Disputes, by ProofRegistry.

        fn open_dispute(ref self: ContractState, job: u256, challenger: ContractAddress, bond: u128) {
            let step = self.registry_step(job);
            if step.job.state == job_state::SUBMITTED {
                save_progress(step.base, Progress { state: job_state::DISPUTED, ..progress(step.job) });
                self.log(Event::JobDisputed(JobDisputed { job }));
            }
            adjust(self.bonds.as_ptr().__storage_pointer_address__, bond, 0);
            self.pull(challenger, bond);
        }

        fn close_dispute(ref self: ContractState, job: u256, vote: u8, challenger: ContractAddress, bond: u128) {
            let step = self.registry_step(job);
            let is_open = step.job.state == job_state::DISPUTED;
            let vote: felt252 = vote.into();
            let is_verified = vote == votes::VERIFIED.into();
            adjust(self.bonds.as_ptr().__storage_pointer_address__, 0, bond);
            if is_verified {
                let half = bond / 2;
                self.credit(job, step.job.worker, half);
                self.tell(names::TOKEN, selector!("burn"), array![(bond - half).into(), 0]);
            } else {
                self.credit(job, challenger, bond);
            }
            if is_open && is_verified {
                self.pay(step);
            } else if is_open {
                self.close_refunded(step, dispute_outcome(vote));
            } else if is_against(vote) {
                self.record_rejected(step.job);
            }
            if is_against(vote) {
                let loss = either(is_open || step.job.unprovable, 0, step.job.price);
                self.slash(step, offence(step.job, vote), loss, challenger.into(), bond);
            }
        }

        fn convict(ref self: ContractState, job: u256, reporter: ContractAddress, bond: u128) {
            let step = self.registry_step(job);
            let state = step.job.state;
            let convicted = Progress { convicted: true, ..progress(step.job) };
            if state == job_state::SUBMITTED {
                self.end(step, Progress { state: job_state::REFUNDED, ..convicted });
                self.give_back(step, step.job.price);
                self.release(step, outcome::REJECTED, 0, 0, 0);
            } else {
                save_progress(step.base, convicted);
                self.record_rejected(step.job);
            }
            let loss = either(state == job_state::PAID && !step.job.unprovable, step.job.price, 0);
            self.slash(step, slash_reason::MALICIOUS, loss, reporter.into(), bond);
        }

        // Views.

        fn job_of(self: @ContractState, job: u256) -> Job {
            load(self.base(job)).unbox()
        }

        fn receipt_hash(
            self: @ContractState,
            job: u256,
            statement_digest: u256,
            proof_digest: u256,
            output_digest: u256,
            index: u32,
            preset: felt252,
            security_bits: u32,
        ) -> felt252 {
            self.receipt(self.step(job), statement_digest, proof_digest, output_digest, index, preset, security_bits)
        }

        fn nonce_of(self: @ContractState, client: ContractAddress) -> u64 {
            to_u64(held(self.nonces.entry(client).as_ptr().__storage_pointer_address__).into())
        }

        fn credit_of(self: @ContractState, account: ContractAddress) -> u128 {
            held(self.credit_base(account))
        }

        fn totals(self: @ContractState) -> (u128, u128, u128) {
            let escrow = held(self.escrow.as_ptr().__storage_pointer_address__);
            let bonds = held(self.bonds.as_ptr().__storage_pointer_address__);
            (escrow, bonds, held(self.credited.as_ptr().__storage_pointer_address__))
        }
    }

    #[generate_trait]
    impl Internal of InternalTrait {
        /// What a contract of the system answers to a call.
        #[inline(never)]
        fn ask(self: @ContractState, name: felt252, selector: felt252, arguments: Array<felt252>) -> Span<felt252> {
            call_contract_syscall(self.contract(name), selector, arguments.span()).unwrap_syscall()
        }

        #[inline(never)]
        fn first(self: @ContractState, name: felt252, selector: felt252, arguments: Array<felt252>) -> felt252 {
            at(self.ask(name, selector, arguments), 0)
        }

        #[inline(never)]
        fn require_live(self: @ContractState) {
            assert(self.first(names::GOVERNANCE, selector!("paused"), array![]) == 0, codes::PAUSED);
        }

        #[inline(never)]
        fn tell(ref self: ContractState, name: felt252, selector: felt252, arguments: Array<felt252>) {
            let _ = self.ask(name, selector, arguments);
        }

        #[inline(never)]
        fn pull(ref self: ContractState, owner: ContractAddress, amount: u128) {
            self.tell(names::TOKEN, selector!("transfer_from"), array![owner.into(), context().contract_address.into(), amount.into(), 0]);
        }

        #[inline(never)]
        fn send(ref self: ContractState, receiver: ContractAddress, amount: u128) {
            if amount != 0 {
                self.tell(names::TOKEN, selector!("transfer"), array![receiver.into(), amount.into(), 0]);
            }
        }

        #[inline(never)]
        fn open_session(ref self: ContractState, job: u256) {
            self.tell(names::REGISTRY, selector!("open_session"), array![job.low.into(), job.high.into()]);
        }

        #[inline(never)]
        fn record_rejected(ref self: ContractState, job: Box<Job>) {
            self.tell(names::POOL, selector!("record_rejected"), array![job.worker.into()]);
        }

        /// vote, time, by, decided.
        #[inline(never)]
        fn verdict(self: @ContractState, job: u256) -> Span<felt252> {
            self.ask(names::REGISTRY, selector!("verdict_of"), array![job.low.into(), job.high.into()])
        }

        #[inline(never)]
        fn is_frozen(self: @ContractState, job: Box<Job>) -> bool {
            at(self.ask(names::REGISTRY, selector!("version_of"), array![job.verifier_version.into()]), 2) != 0
        }

        /// owner, program_digest, model_commitment (a u256 is two felts).
        #[inline(never)]
        fn model(self: @ContractState, job: Box<Job>) -> Span<felt252> {
            self.ask(names::MODELS, selector!("model_of"), array![job.model.low.into(), job.model.high.into()])
        }

        #[inline(never)]
        fn log(ref self: ContractState, event: Event) {
            self.emit(event);
        }

        #[inline(never)]
        fn base(self: @ContractState, number: u256) -> StorageBaseAddress {
            self.jobs.entry(number).as_ptr().__storage_pointer_address__
        }

        #[inline(never)]
        fn credit_base(self: @ContractState, account: ContractAddress) -> StorageBaseAddress {
            self.credits.entry(account).as_ptr().__storage_pointer_address__
        }

        #[inline(never)]
        fn contract(self: @ContractState, name: felt252) -> ContractAddress {
            self.system.address(name)
        }

        /// UNKNOWN_JOB.
        #[inline(never)]
        fn step(self: @ContractState, number: u256) -> Box<Step> {
            let base = self.base(number);
            let job = load(base);
            assert(job.state != job_state::NONE, codes::UNKNOWN_JOB);
            let context = context();
            let now = context.block_info.block_timestamp;
            BoxTrait::new(Step { number, base, job, caller: context.caller_address, now })
        }

        /// NOT_SYSTEM.
        #[inline(never)]
        fn registry_step(self: @ContractState, number: u256) -> Box<Step> {
            assert(self.system.is_caller(names::REGISTRY), codes::NOT_SYSTEM);
            self.step(number)
        }

        /// A job with a worker, the caller if it must be: UNKNOWN_JOB, NOT_WORKER, WRONG_STATE, NOT_ACKNOWLEDGED, ALREADY_ACKNOWLEDGED.
        #[inline(never)]
        fn assigned(self: @ContractState, job: u256, is_mine: bool, is_acknowledged: bool) -> Box<Step> {
            let step = self.step(job);
            refuse(assigned_refusal(step, is_mine, is_acknowledged));
            step
        }

        /// A result that may be paid, or is `against`, and the vote: UNKNOWN_JOB, WRONG_STATE, NO_VERDICT, NOT_VERIFIED, NOT_REJECTED,
        /// VERIFIER_FROZEN, WINDOW_OPEN.
        #[inline(never)]
        fn judged(self: @ContractState, job: u256, against: bool) -> (Box<Step>, felt252) {
            let step = self.step(job);
            let verdict = self.verdict(job);
            let is_frozen = self.is_frozen(step.job);
            refuse(verdict_refusal(step, verdict, against, is_frozen));
            (step, at(verdict, 0))
        }

        /// The present values of TERMS.
        #[inline(never)]
        fn terms(self: @ContractState) -> Box<[u128; 11]> {
            let mut values = array![];
            for name in TERMS.span() {
                values.append(self.system.parameter_of(*name));
            };
            let values: @Box<[u128; 11]> = values.span().try_into().unwrap();
            *values
        }

        /// The id of the caller's next job, which is counted.
        #[inline(never)]
        fn next_number(ref self: ContractState, context: Box<ExecutionInfo>) -> u256 {
            let client = context.caller_address;
            let nonces = self.nonces.entry(client).as_ptr().__storage_pointer_address__;
            let nonce = held(nonces);
            adjust(nonces, 1, 0);
            hash(
                array![word(context.tx_info.chain_id), word(context.contract_address.into()), word(client.into()), nonce.into()],
            )
        }

        #[inline(never)]
        fn receipt(
            self: @ContractState,
            step: Box<Step>,
            statement_digest: u256,
            proof_digest: u256,
            output_digest: u256,
            index: u32,
            preset: felt252,
            security_bits: u32,
        ) -> felt252 {
            let model = self.model(step.job);
            let context = context();
            let receipt = Receipt {
                format_version: FORMAT_VERSION,
                job_manager: context.contract_address,
                job: step.number,
                model: step.job.model,
                program_digest: to_u256(at(model, 1), at(model, 2)),
                model_commitment: to_u256(at(model, 3), at(model, 4)),
                vk_digest: step.job.vk_digest,
                verifier_version: step.job.verifier_version,
                preset,
                security_bits,
                statement_digest,
                proof_digest,
                output_digest,
                index,
            };
            receipt_hash(context.tx_info.chain_id, step.job.worker, receipt)
        }

        /// The worker that the job's seed draws, neither the client nor the coordinator; zero where there is none.
        #[inline(never)]
        fn drawn(self: @ContractState, step: Box<Step>) -> ContractAddress {
            let job = step.job;
            let block_hash = get_block_hash_syscall(job.seed_block).unwrap_syscall();
            let seed = hash(array![word(block_hash), step.number, (FIRST_ROUND + job.round).into()]);
            let mut trial = 0;
            loop {
                let wanted = array![
                    seed.low.into(), seed.high.into(), job.seed_block.into(), 0, trial, job.capabilities.into(), job.bond.into(),
                ];
                let answer = self.ask(names::POOL, selector!("draw"), wanted);
                let worker = to_address(at(answer, 0));
                trial = at(answer, 1);
                if worker.is_zero() || !is_party(job, worker) {
                    break worker;
                }
            }
        }

        /// A queued job becomes the worker's, whose bond is locked.
        #[inline(never)]
        fn engage(ref self: ContractState, step: Box<Step>, worker: ContractAddress, deadline: u64) {
            let number = step.number;
            let engaged = Progress { state: job_state::ASSIGNED, worker, assigned: step.now, deadline, ..progress(step.job) };
            save_progress(step.base, engaged);
            self.log(Event::JobAssigned(JobAssigned { job: number, worker, round: step.job.round }));
            let lock = array![worker.into(), number.low.into(), number.high.into(), step.job.bond.into()];
            self.tell(names::VAULT, selector!("lock"), lock);
            self.tell(names::POOL, selector!("record_assigned"), array![worker.into()]);
        }

        /// The worker has acknowledged.
        #[inline(never)]
        fn start(ref self: ContractState, step: Box<Step>, worker: ContractAddress, deadline: u64) {
            self.log(Event::JobAcknowledged(JobAcknowledged { job: step.number, worker, deadline }));
            self.tell(names::POOL, selector!("record_acknowledged"), array![worker.into()]);
        }

        #[inline(never)]
        fn requeue(ref self: ContractState, step: Box<Step>, outcome: u8) {
            let seed_block = after(context().block_info.block_number, parameters::SEED_DELAY);
            let round = step.job.round.saturating_add(1);
            let queued = Progress {
                state: job_state::QUEUED, worker: Zero::zero(), assigned: 0, seed_block, round, ..progress(step.job),
            };
            save_progress(step.base, queued);
            self.log(Event::JobRequeued(JobRequeued { job: step.number, worker: step.job.worker, round, seed_block }));
            self.release(step, outcome, 0, 0, 0);
        }

        /// The assignment is over: the bond is free, the worker's record says how it ended.
        #[inline(never)]
        fn release(ref self: ContractState, step: Box<Step>, outcome: u8, fee: u128, is_proven: felt252, funds: u128) {
            let worker: felt252 = step.job.worker.into();
            self.tell(names::VAULT, selector!("unlock"), array![worker, step.number.low.into(), step.number.high.into()]);
            let record = array![worker, outcome.into(), fee.into(), is_proven, funds.into()];
            self.tell(names::POOL, selector!("record_closed"), record);
        }

        #[inline(never)]
        fn credit(ref self: ContractState, number: u256, account: ContractAddress, amount: u128) {
            if amount != 0 {
                adjust(self.credit_base(account), amount, 0);
                adjust(self.credited.as_ptr().__storage_pointer_address__, amount, 0);
                self.log(Event::Credited(Credited { job: number, account, amount }));
            }
        }

        /// The job is over, its price no longer in escrow.
        #[inline(never)]
        fn end(ref self: ContractState, step: Box<Step>, progress: Progress) {
            save_progress(step.base, progress);
            adjust(self.escrow.as_ptr().__storage_pointer_address__, 0, step.job.price);
        }

        /// `amount` of an ended job's price is the client's.
        #[inline(never)]
        fn give_back(ref self: ContractState, step: Box<Step>, amount: u128) {
            self.log(Event::JobRefunded(JobRefunded { job: step.number, client: step.job.client, amount }));
            self.credit(step.number, step.job.client, amount);
        }

        #[inline(never)]
        fn refund(ref self: ContractState, step: Box<Step>, amount: u128) {
            self.end(step, Progress { state: job_state::REFUNDED, ..progress(step.job) });
            self.give_back(step, amount);
        }

        /// Refunded after an assignment.
        #[inline(never)]
        fn close_refunded(ref self: ContractState, step: Box<Step>, outcome: u8) {
            self.refund(step, step.job.price);
            self.release(step, outcome, 0, 0, 0);
        }

        /// An unprovable job is refunded but for the abort and attesters' fees.
        #[inline(never)]
        fn pay(ref self: ContractState, step: Box<Step>) {
            let job = step.job;
            let number = step.number;
            let worker = job.worker;
            let attesters = self.ask(names::REGISTRY, selector!("majority_of"), array![number.low.into(), number.high.into()]);
            let parts = parts(job, to_u128(at(attesters, 0)));
            if job.unprovable {
                self.refund(step, parts.client);
            } else {
                self.end(step, Progress { state: job_state::PAID, ..progress(job) });
                self.log(Event::JobPaid(JobPaid { job: number, worker, amount: parts.worker, platform_fee: parts.platform }));
                self.credit(number, job.coordinator, parts.coordinator);
                self.credit(number, to_address(at(self.model(job), 0)), job.model_fee);
            }
            self.credit(number, worker, parts.worker);
            self.credit_all(number, attesters, parts.attester);
            self.release(step, paid_outcome(job), parts.platform, is_inference(job), parts.pool);
            self.send(self.contract(names::POOL), parts.pool);
            self.send(self.contract(names::GOVERNANCE), parts.treasury);
        }

        /// `accounts` are preceded by their count.
        #[inline(never)]
        fn credit_all(ref self: ContractState, number: u256, mut accounts: Span<felt252>, amount: u128) {
            let _ = accounts.pop_front();
            for account in accounts {
                self.credit(number, to_address(*account), amount);
            };
        }

        /// The client gets `loss` out of it, less what earlier slashes of the job gave: two offences do not pay it twice.
        #[inline(never)]
        fn slash(ref self: ContractState, step: Box<Step>, reason: u8, loss: u128, challenger: felt252, bond: u128) {
            let job = step.job;
            let whole = self.made_whole.entry(step.number).as_ptr().__storage_pointer_address__;
            let loss = loss.saturating_sub(held(whole));
            let slash = array![
                job.worker.into(), reason.into(), job.bond.into(), job.client.into(), loss.into(), challenger, bond.into(),
            ];
            let amount = to_u128(self.first(names::VAULT, selector!("slash"), slash));
            adjust(whole, core::cmp::min(amount, loss), 0);
        }
    }

    // Checks: the code of the first that fails, 0 for none.

    #[inline(never)]
    fn refuse(code: felt252) {
        assert(code == 0, code);
    }

    #[inline(never)]
    fn submit_refusal(
        model: Span<felt252>,
        method: u8,
        has_judges: bool,
        job_type: u8,
        capabilities: u32,
        coordinates: bool,
        duration: u64,
        price: u128,
        model_fee: u128,
        max_model_fee: u128,
        minimum_payment: u128,
    ) -> felt252 {
        if at(model, 0) == 0 {
            return codes::UNKNOWN_MODEL;
        }
        if at(model, 9) != 0 {
            return codes::MODEL_RETIRED;
        }
        if method > verification_method::OPTIMISTIC {
            return codes::WRONG_METHOD;
        }
        if !has_judges {
            return if method == verification_method::ZERO_KNOWLEDGE_PROOF {
                codes::NO_VERIFIER
            } else {
                codes::NO_ATTESTERS
            };
        }
        if job_type > job_type::DATA_PROCESSING {
            return codes::WRONG_TYPE;
        }
        if capabilities > parameters::CAPABILITIES {
            return codes::WRONG_CAPABILITIES;
        }
        if !coordinates {
            return codes::WRONG_COORDINATOR;
        }
        if duration > parameters::JOB_DURATION_CAP {
            return codes::DURATION_TOO_LONG;
        }
        if price > parameters::SUPPLY {
            return codes::AMOUNT_TOO_LARGE;
        }
        if model_fee > max_model_fee {
            return codes::FEE_TOO_HIGH;
        }
        if price < minimum_payment.saturating_add(model_fee) {
            return codes::PRICE_TOO_LOW;
        }
        0
    }

    #[inline(never)]
    fn cancel_refusal(step: Box<Step>) -> felt252 {
        if step.caller != step.job.client {
            codes::NOT_CLIENT
        } else if step.job.state != job_state::QUEUED {
            codes::WRONG_STATE
        } else {
            0
        }
    }

    #[inline(never)]
    fn assign_refusal(job: Box<Job>, block: u64) -> felt252 {
        if job.state != job_state::QUEUED || job.open_claim {
            codes::WRONG_STATE
        } else if block < after(job.seed_block, HASH_LAG) {
            codes::SEED_NOT_READY
        } else {
            0
        }
    }

    #[inline(never)]
    fn claim_refusal(job: Box<Job>, is_eligible: bool) -> felt252 {
        if !is_eligible {
            codes::NOT_ELIGIBLE
        } else if job.state != job_state::QUEUED {
            codes::WRONG_STATE
        } else if !job.open_claim {
            codes::NOT_OPEN
        } else {
            0
        }
    }

    #[inline(never)]
    fn assigned_refusal(step: Box<Step>, is_mine: bool, is_acknowledged: bool) -> felt252 {
        if is_mine && step.caller != step.job.worker {
            codes::NOT_WORKER
        } else if step.job.state != job_state::ASSIGNED {
            codes::WRONG_STATE
        } else if is_acknowledged && step.job.deadline == 0 {
            codes::NOT_ACKNOWLEDGED
        } else if !is_acknowledged && step.job.deadline != 0 {
            codes::ALREADY_ACKNOWLEDGED
        } else {
            0
        }
    }

    #[inline(never)]
    fn result_refusal(step: Box<Step>, security_bits: u32) -> felt252 {
        if step.now > step.job.deadline {
            codes::DEADLINE_PASSED
        } else if security_bits < parameters::SECURITY_MINIMUM {
            codes::SECURITY_LOW
        } else {
            0
        }
    }

    #[inline(never)]
    fn time_out_refusal(step: Box<Step>, is_frozen: bool) -> felt252 {
        if is_frozen {
            codes::VERIFIER_FROZEN
        } else if step.now <= step.job.deadline {
            codes::DEADLINE_OPEN
        } else {
            0
        }
    }

    #[inline(never)]
    fn verdict_refusal(step: Box<Step>, verdict: Span<felt252>, against: bool, is_frozen: bool) -> felt252 {
        let vote = at(verdict, 0);
        if step.job.state != job_state::SUBMITTED {
            codes::WRONG_STATE
        } else if at(verdict, 3) == 0 {
            codes::NO_VERDICT
        } else if against && !is_against(vote) {
            codes::NOT_REJECTED
        } else if !against && vote != votes::VERIFIED.into() {
            codes::NOT_VERIFIED
        } else if is_frozen {
            codes::VERIFIER_FROZEN
        } else if !against
            && step.job.method != verification_method::ZERO_KNOWLEDGE_PROOF
            && step.now <= after(to_u64(at(verdict, 1)), step.job.challenge_window) {
            codes::WINDOW_OPEN
        } else {
            0
        }
    }

    #[inline(never)]
    fn expire_refusal(step: Box<Step>, vote: felt252, is_frozen: bool) -> felt252 {
        let state = step.job.state;
        if state == job_state::QUEUED {
            if is_frozen || step.now > step.job.queue_ends {
                0
            } else {
                codes::NOT_EXPIRED
            }
        } else if state != job_state::SUBMITTED && !(is_frozen && state == job_state::ASSIGNED) {
            codes::WRONG_STATE
        } else if is_frozen {
            0
        } else if vote != votes::NONE.into() {
            codes::VERDICT_EXISTS
        } else if step.now <= after(step.job.submitted, step.job.verdict_expiry) {
            codes::NOT_EXPIRED
        } else {
            0
        }
    }

    // Terms and amounts.

    /// FEE_TOO_HIGH: all fees together above the cap.
    #[inline(never)]
    fn require_fees(job: Box<Job>) {
        let fees = share(job, job.platform_fee) + share(job, job.coordinator_fee) + share(job, job.attester_fee) + job.model_fee;
        assert(fees <= share(job, parameters::FEE_CAP), codes::FEE_TOO_HIGH);
    }

    /// Basis points of a job's price, floored; fits, since the price is at most the supply and a fee has 16 bits.
    #[inline(never)]
    fn share(job: Box<Job>, fee: u128) -> u128 {
        let (share, _) = DivRem::div_rem(job.price.wide_mul(fee), BPS);
        share.low
    }

    /// Of a job's price; `attester` is each one's.
    #[derive(Copy, Drop)]
    struct Parts {
        worker: u128,
        client: u128,
        attester: u128,
        coordinator: u128,
        platform: u128,
        pool: u128,
        treasury: u128,
    }

    /// Fees floor, the remainder is the worker's, or the client's if the job was unprovable.
    #[inline(never)]
    fn parts(job: Box<Job>, attesters: u128) -> Box<Parts> {
        let attester = if attesters == 0 {
            0
        } else {
            share(job, job.attester_fee) / attesters
        };
        let left = job.price - attester * attesters;
        if job.unprovable {
            let worker = share(job, job.abort_fee);
            let client = left - worker;
            return BoxTrait::new(Parts { worker, client, attester, coordinator: 0, platform: 0, pool: 0, treasury: 0 });
        }
        let platform = share(job, job.platform_fee);
        let pool = platform / 2;
        let coordinator = share(job, job.coordinator_fee);
        let worker = left - platform - coordinator - job.model_fee;
        BoxTrait::new(Parts { worker, client: 0, attester, coordinator, platform, pool, treasury: platform - pool })
    }

    #[inline(never)]
    fn paid_outcome(job: Box<Job>) -> u8 {
        if job.unprovable {
            outcome::NEUTRAL
        } else {
            outcome::PAID
        }
    }

    #[inline(never)]
    fn dispute_outcome(vote: felt252) -> u8 {
        if vote == votes::NONE.into() {
            outcome::NEUTRAL
        } else {
            outcome::REJECTED
        }
    }

    /// As a flag in calldata.
    #[inline(never)]
    fn is_inference(job: Box<Job>) -> felt252 {
        if job.job_type == job_type::AI_INFERENCE {
            1
        } else {
            0
        }
    }

    #[inline(never)]
    fn job_bond(price: u128, minimum: u128) -> u128 {
        core::cmp::max(price.saturating_mul(parameters::JOB_BOND_FACTOR.into()), minimum)
    }

    #[inline(never)]
    fn ack_ends(job: Box<Job>) -> u64 {
        after(job.assigned, job.ack_window)
    }

    /// Neither works on the job.
    #[inline(never)]
    fn is_party(job: Box<Job>, account: ContractAddress) -> bool {
        account == job.client || account == job.coordinator
    }

    #[inline(never)]
    fn is_against(vote: felt252) -> bool {
        vote == votes::REJECTED.into() || vote == votes::UNAVAILABLE.into()
    }

    /// A rejected proof is fraud; a result nobody could obtain, or a wrong report that the input is unprovable, is unavailability.
    #[inline(never)]
    fn offence(job: Box<Job>, vote: felt252) -> u8 {
        if vote == votes::REJECTED.into() && !job.unprovable {
            slash_reason::FRAUD
        } else {
            slash_reason::UNAVAILABLE
        }
    }

    // Without the branches of a panic.

    /// An item of an answer; 0, which says nothing anywhere, where it has fewer.
    #[inline(never)]
    fn at(answer: Span<felt252>, place: u32) -> felt252 {
        match answer.get(place) {
            Option::Some(item) => *item.unbox(),
            Option::None => 0,
        }
    }

    #[inline(never)]
    fn either(condition: bool, yes: u128, no: u128) -> u128 {
        if condition {
            yes
        } else {
            no
        }
    }

    /// Later by `wait`, at most the end of all times.
    #[inline(never)]
    fn after(time: u64, wait: u64) -> u64 {
        time.saturating_add(wait)
    }

    #[inline(never)]
    fn hash(words: Array<u256>) -> u256 {
        hash_words(words.span())
    }

    /// To be hashed.
    #[inline(never)]
    fn word(value: felt252) -> u256 {
        value.into()
    }

    /// An amount in storage.
    #[inline(never)]
    fn held(amount: StorageBaseAddress) -> u128 {
        to_u128(storage_read_syscall(0, storage_address_from_base(amount)).unwrap_syscall())
    }

    #[inline(never)]
    fn adjust(amount: StorageBaseAddress, plus: u128, minus: u128) {
        let value = held(amount) + plus - minus;
        storage_write_syscall(0, storage_address_from_base(amount), value.into()).unwrap_syscall();
    }

    #[inline(never)]
    fn context() -> Box<ExecutionInfo> {
        get_execution_info()
    }
}
