//! ProofRegistry: verdicts on results, by sampled attesters, a committee or an on-chain verifier.
//!
//! A result opens round 0: attesters are drawn by stake with the hash of a later block, excluding the worker, the client and whoever has
//! stake behind or under them. They commit to a vote, then reveal it. A unanimous quorum for "verified" is a verdict; everything else, and
//! every challenge, goes to round 1, a committee of seven of which five decide; silence there is no verdict.

#[starknet::contract]
pub mod ProofRegistry {
    use core::cmp::{max, min};
    use core::num::traits::{CheckedSub, SaturatingAdd, Zero};
    use starknet::storage::{Map, StorageAsPointer, StoragePathEntry, StoragePointerReadAccess, StoragePointerWriteAccess};
    use starknet::storage_access::StorageBaseAddress;
    use starknet::syscalls::{call_contract_syscall, get_block_hash_syscall};
    use starknet::{ContractAddress, SyscallResultTrait, get_execution_info};
    use crate::arithmetic::{hash_words, mul_div_up};
    use crate::cells::{load, save, to_address, to_u128, to_u256, to_u32, to_u64, to_u8};
    use crate::checks::require;
    use crate::interfaces::{
        Ballot, Dispute, IProofRegistry, IVerifierDispatcher, IVerifierDispatcherTrait, Session, Verdict, Version,
    };
    use crate::parameters;
    use crate::parameters::{codes, job_state, slash_reason, verification_method, vote as votes};
    use crate::signatures::check_signature;
    use crate::system::{Named, SystemComponent, names};

    component!(path: SystemComponent, storage: system, event: SystemEvent);

    impl Name of Named {
        const NAME: felt252 = names::REGISTRY;
    }
    #[abi(embed_v0)]
    impl Shared = SystemComponent::Shared<ContractState>;
    impl SharedInternal = SystemComponent::Internal<ContractState>;

    /// Who decided: the sampled attesters (round 0), the committee (round 1), or an on-chain verifier.
    const SAMPLE: u8 = 0;
    const COMMITTEE: u8 = 1;
    const VERIFIER: u8 = 2;
    /// The proof system of native proofs, which the chain has no verifier of.
    const NATIVE: u8 = 1;
    /// A block's hash is read at least this many blocks later.
    const HASH_LAG: u64 = 10;

    /// A job as it is judged: what is asked of JobManager (the members are those of `Job`), what was decided, and the present call.
    #[derive(Copy, Drop)]
    struct Case {
        state: u8,
        client: ContractAddress,
        vk_digest: u256,
        price: u128,
        method: u8,
        challenge_window: u64,
        worker: ContractAddress,
        submitted: u64,
        convicted: bool,
        statement_digest: u256,
        proof_digest: u256,
        receipt: felt252,
        rounds: u32,
        verdict: Verdict,
        dispute: Dispute,
        version: Version,
        now: Now,
    }

    /// The present round of a job, what the caller did in it, and the present call.
    #[derive(Copy, Drop)]
    struct Round {
        number: u32,
        session: Session,
        ballot: Ballot,
        now: Now,
    }

    /// Who calls, and when.
    #[derive(Copy, Drop)]
    struct Now {
        caller: ContractAddress,
        block: u64,
        time: u64,
    }

    /// Places of a session's members in its cells.
    const SEED_BLOCK: u8 = 0;
    const SAMPLED: u8 = 2;
    const SIZE: u8 = 5;
    const TALLIED: u8 = 8;
    const COMMITTED: u8 = 9;
    const REVEALED: u8 = 10;
    /// And of a version's.
    const FROZEN: u8 = 2;

    #[storage]
    struct Storage {
        sessions: Map<(u256, u32), Session>,
        rounds: Map<u256, u32>,
        attesters: Map<(u256, u32, u32), ContractAddress>,
        ballots: Map<(u256, u32, ContractAddress), Ballot>,
        verdicts: Map<u256, Verdict>,
        disputes: Map<u256, Dispute>,
        /// Of a job, by account: the block of a challenge's commitment, plus one.
        commitments: Map<(u256, ContractAddress, u256), u64>,
        versions: Map<u32, Version>,
        num_versions: u32,
        current: Map<u8, u32>,
        #[substorage(v0)]
        system: SystemComponent::Storage,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    pub enum Event {
        VersionAdded: VersionAdded,
        VersionFrozen: VersionFrozen,
        SessionOpened: SessionOpened,
        SeedRenewed: SeedRenewed,
        AttestersSampled: AttestersSampled,
        VoteCommitted: VoteCommitted,
        VoteRevealed: VoteRevealed,
        VerdictReached: VerdictReached,
        ChallengeCommitted: ChallengeCommitted,
        Challenged: Challenged,
        Resolved: Resolved,
        Equivocated: Equivocated,
        #[flat]
        SystemEvent: SystemComponent::Event,
    }

    #[derive(Drop, starknet::Event)]
    pub struct VersionAdded {
        pub version: u32,
        pub proof_system: u8,
        pub verifier: ContractAddress,
    }

    #[derive(Drop, starknet::Event)]
    pub struct VersionFrozen {
        pub version: u32,
    }

    #[derive(Drop, starknet::Event)]
    pub struct SessionOpened {
        pub job: u256,
        pub round: u32,
        pub seed_block: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct SeedRenewed {
        pub job: u256,
        pub round: u32,
        pub seed_block: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct AttestersSampled {
        pub job: u256,
        pub round: u32,
        pub attesters: Span<ContractAddress>,
        pub quorum: u32,
        pub bond: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct VoteCommitted {
        pub job: u256,
        pub round: u32,
        pub attester: ContractAddress,
        pub commitment: u256,
    }

    #[derive(Drop, starknet::Event)]
    pub struct VoteRevealed {
        pub job: u256,
        pub round: u32,
        pub attester: ContractAddress,
        pub vote: u8,
    }

    #[derive(Drop, starknet::Event)]
    pub struct VerdictReached {
        pub job: u256,
        pub vote: u8,
        pub by: u8,
    }

    #[derive(Drop, starknet::Event)]
    pub struct ChallengeCommitted {
        pub job: u256,
        pub commitment: u256,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Challenged {
        pub job: u256,
        pub challenger: ContractAddress,
        pub evidence: u256,
        pub bond: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Resolved {
        pub job: u256,
        pub vote: u8,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Equivocated {
        pub job: u256,
        pub worker: ContractAddress,
        pub reporter: ContractAddress,
        pub receipt: felt252,
    }

    #[constructor]
    fn constructor(ref self: ContractState, configurer: ContractAddress) {
        self.system.initialize(configurer);
        self.install(NATIVE, Zero::zero());
    }

    #[abi(embed_v0)]
    impl Registry of IProofRegistry<ContractState> {
        // --- verifier versions

        fn add_version(ref self: ContractState, proof_system: u8, verifier: ContractAddress) -> u32 {
            self.system.require_governance();
            self.install(proof_system, verifier)
        }

        fn freeze_version(ref self: ContractState, version: u32) {
            self.system.require_governance();
            assert(version > 0 && version <= self.num_versions.read(), codes::UNKNOWN_SYSTEM);
            save(self.version_cells(version), FROZEN, array![1]);
            self.log(Event::VersionFrozen(VersionFrozen { version }));
        }

        // --- attestation

        fn open_session(ref self: ContractState, job: u256) {
            assert(self.system.is_caller(names::JOBS), codes::NOT_SYSTEM);
            if self.case(job).method != verification_method::ZERO_KNOWLEDGE_PROOF {
                self.open(job, SAMPLE);
            }
        }

        fn sample(ref self: ContractState, job: u256) -> bool {
            let round = self.round(job);
            let case = self.case(job);
            let block = case.now.block;
            let seed_block = round.session.seed_block;
            let judged = case.state == job_state::SUBMITTED || case.state == job_state::DISPUTED || case.dispute.opened != 0;
            require(
                array![
                    (round.session.sampled == 0, codes::ALREADY_SAMPLED), (judged, codes::WRONG_STATE),
                    (block >= later(seed_block, HASH_LAG), codes::SEED_NOT_READY),
                ],
            );
            let readable = block <= later(seed_block, parameters::SEED_LIFE);
            let engaged = readable && self.draw(job, round, case);
            if !engaged {
                let seed_block = later(block, parameters::SEED_DELAY);
                let cells = array![seed_block.into(), round.session.draws.into() + one(readable)];
                save(self.session_cells(job, round.number), SEED_BLOCK, cells);
                self.log(Event::SeedRenewed(SeedRenewed { job, round: round.number, seed_block }));
            }
            engaged
        }

        fn commit(ref self: ContractState, job: u256, commitment: u256) {
            let round = self.round(job);
            let (number, session, attester) = (round.number, round.session, round.now.caller);
            require(
                array![
                    (round.ballot.sampled, codes::NOT_ATTESTER), (round.ballot.commitment == 0, codes::ALREADY_COMMITTED),
                    (round.now.time <= later(session.sampled, session.commit_window), codes::COMMIT_CLOSED),
                    (commitment != 0, codes::NOT_COMMITTED),
                ],
            );
            self.set_ballot(job, number, attester, commitment, votes::NONE);
            save(self.session_cells(job, number), COMMITTED, array![session.committed.into() + 1]);
            self.log(Event::VoteCommitted(VoteCommitted { job, round: number, attester, commitment }));
        }

        fn reveal(ref self: ContractState, job: u256, vote: u8, salt: felt252) {
            let round = self.round(job);
            let (number, session, attester, time) = (round.number, round.session, round.now.caller, round.now.time);
            let commitment = round.ballot.commitment;
            let closed = later(session.sampled, session.commit_window);
            let words = array![job, number.into(), word(attester.into()), vote.into(), word(salt)];
            require(
                array![
                    (round.ballot.sampled, codes::NOT_ATTESTER), (commitment != 0, codes::NOT_COMMITTED),
                    (round.ballot.vote == votes::NONE, codes::ALREADY_REVEALED),
                    (session.committed == session.size || time > closed, codes::REVEAL_CLOSED),
                    (time <= later(closed, session.reveal_window), codes::REVEAL_CLOSED),
                    (vote != votes::NONE && vote <= votes::UNAVAILABLE, codes::WRONG_VOTE),
                    (digest(words) == commitment, codes::WRONG_REVEAL),
                ],
            );
            self.set_ballot(job, number, attester, commitment, vote);
            let counts = array![
                session.revealed.into() + 1, session.verified.into() + one(vote == votes::VERIFIED),
                session.rejected.into() + one(vote == votes::REJECTED), session.unavailable.into() + one(vote == votes::UNAVAILABLE),
            ];
            save(self.session_cells(job, number), REVEALED, counts);
            self.log(Event::VoteRevealed(VoteRevealed { job, round: number, attester, vote }));
        }

        fn tally(ref self: ContractState, job: u256) -> u8 {
            let round = self.round(job);
            let (number, session) = (round.number, round.session);
            let over = later(later(session.sampled, session.commit_window), session.reveal_window);
            require(
                array![
                    (session.sampled != 0, codes::NOT_SAMPLED), (!session.tallied, codes::ALREADY_TALLIED),
                    (session.revealed == session.size || round.now.time > over, codes::TALLY_OPEN),
                ],
            );
            save(self.session_cells(job, number), TALLIED, array![1]);
            self.release(job, number, session.bond);
            let case = self.case(job);
            if case.verdict.by == COMMITTEE { // the dispute ended before the committee did
                return votes::NONE;
            }
            let decided = decision(round);
            let by = if number == COMMITTEE.into() {
                COMMITTEE
            } else {
                SAMPLE
            };
            if by == COMMITTEE || decided != votes::NONE {
                self.decide(job, decided, by);
            } else if case.state == job_state::SUBMITTED {
                self.open(job, COMMITTEE);
            }
            if by == COMMITTEE && !case.version.frozen {
                self.punish(job, opposite(decided));
            }
            decided
        }

        fn prove(ref self: ContractState, job: u256, proof: Span<felt252>) -> u8 {
            let case = self.case(job);
            require(
                array![
                    (case.method == verification_method::ZERO_KNOWLEDGE_PROOF, codes::WRONG_METHOD),
                    (case.state == job_state::SUBMITTED, codes::WRONG_STATE), (!case.verdict.decided, codes::VERDICT_EXISTS),
                    (!case.version.frozen, codes::VERIFIER_FROZEN), (digest(words(proof)) == case.proof_digest, codes::WRONG_PROOF),
                ],
            );
            let verifier = IVerifierDispatcher { contract_address: case.version.verifier };
            let vote = if verifier.verify(case.vk_digest, case.statement_digest, proof) {
                votes::VERIFIED
            } else {
                votes::REJECTED
            };
            self.decide(job, vote, VERIFIER);
            vote
        }

        // --- challenges

        fn commit_challenge(ref self: ContractState, job: u256, commitment: u256) {
            let case = self.case(job);
            let account = case.now.caller;
            assert(self.committed(job, account, commitment) == 0, codes::ALREADY_COMMITTED);
            self.commitments.entry((job, account, commitment)).write(later(case.now.block, 1));
            self.log(Event::ChallengeCommitted(ChallengeCommitted { job, commitment }));
        }

        fn challenge(ref self: ContractState, job: u256, salt: felt252, evidence: u256) {
            let case = self.case(job);
            let (challenger, time) = (case.now.caller, case.now.time);
            let paid = case.state == job_state::PAID;
            let closes = if paid {
                later(case.submitted, parameters::EVIDENCE_WINDOW)
            } else {
                later(case.verdict.time, case.challenge_window)
            };
            require(
                array![
                    (challenger != case.worker, codes::SELF_CHALLENGE), (paid || case.state == job_state::SUBMITTED, codes::WRONG_STATE),
                    (case.verdict.vote == votes::VERIFIED, codes::NOT_VERIFIED),
                    (case.verdict.by == SAMPLE && case.rounds == 1, codes::ALREADY_JUDGED),
                    (!case.version.frozen, codes::VERIFIER_FROZEN), (time <= closes, codes::WINDOW_CLOSED),
                ],
            );
            self.require_commitment(job, case.now, salt, evidence);
            let bond = challenge_bond(case.price);
            self.set_dispute(job, challenger, bond, time);
            self.open(job, COMMITTEE);
            self.log(Event::Challenged(Challenged { job, challenger, evidence, bond }));
            self.ask(names::VAULT, selector!("open_dispute"), array![case.worker.into()]);
            let (low, high) = (job.low.into(), job.high.into());
            self.ask(names::JOBS, selector!("open_dispute"), array![low, high, challenger.into(), bond.into()]);
        }

        fn resolve(ref self: ContractState, job: u256) {
            let case = self.any_case(job);
            let (dispute, verdict) = (case.dispute, case.verdict);
            let (judged, frozen) = (verdict.by == COMMITTEE, case.version.frozen);
            let over = case.now.time > later(dispute.opened, parameters::DISPUTE_WINDOW);
            require(array![(dispute.opened != 0, codes::NOT_DISPUTED), (judged || frozen || over, codes::NO_VERDICT)]);
            let vote = if judged && !frozen {
                verdict.vote
            } else {
                votes::NONE
            };
            self.set_dispute(job, Zero::zero(), 0, 0);
            if !judged {
                self.decide(job, votes::NONE, COMMITTEE);
            }
            self.log(Event::Resolved(Resolved { job, vote }));
            self.ask(names::VAULT, selector!("close_dispute"), array![case.worker.into()]);
            let (low, high) = (job.low.into(), job.high.into());
            let arguments = array![low, high, vote.into(), dispute.challenger.into(), dispute.bond.into()];
            self.ask(names::JOBS, selector!("close_dispute"), arguments);
        }

        fn report_equivocation(
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
            salt: felt252,
        ) {
            let case = self.case(job);
            let (reporter, time) = (case.now.caller, case.now.time);
            let arguments = array![
                job.low.into(),
                job.high.into(),
                statement_digest.low.into(),
                statement_digest.high.into(),
                proof_digest.low.into(),
                proof_digest.high.into(),
                output_digest.low.into(),
                output_digest.high.into(),
                index.into(),
                preset,
                security_bits.into(),
            ];
            let receipt = self.ask_one(names::JOBS, selector!("receipt_hash"), arguments);
            require(
                array![
                    (reporter != case.worker, codes::SELF_CHALLENGE),
                    (case.submitted != 0 && case.state != job_state::DISPUTED, codes::WRONG_STATE),
                    (!case.convicted, codes::ALREADY_CONVICTED),
                    (time <= later(case.submitted, parameters::EVIDENCE_WINDOW), codes::WINDOW_CLOSED),
                    (receipt != case.receipt, codes::SAME_RECEIPT),
                ],
            );
            check_signature(self.contract(names::POOL), case.worker, receipt, key, r, s);
            self.require_commitment(job, case.now, salt, word(receipt));
            self.log(Event::Equivocated(Equivocated { job, worker: case.worker, reporter, receipt }));
            let (low, high) = (job.low.into(), job.high.into());
            self.ask(names::JOBS, selector!("convict"), array![low, high, reporter.into(), challenge_bond(case.price).into()]);
        }

        // --- views

        fn current_version(self: @ContractState, proof_system: u8) -> u32 {
            self.current.entry(proof_system).read()
        }

        fn version_of(self: @ContractState, version: u32) -> Version {
            self.version(version)
        }

        fn verdict_of(self: @ContractState, job: u256) -> Verdict {
            self.verdict(job)
        }

        fn round_of(self: @ContractState, job: u256) -> u32 {
            self.round_count(job)
        }

        fn session_of(self: @ContractState, job: u256, round: u32) -> Session {
            self.session(job, round).unbox()
        }

        fn attester_at(self: @ContractState, job: u256, round: u32, place: u32) -> ContractAddress {
            self.attester(job, round, place)
        }

        fn ballot_of(self: @ContractState, job: u256, round: u32, attester: ContractAddress) -> Ballot {
            self.ballot(job, round, attester)
        }

        fn dispute_of(self: @ContractState, job: u256) -> Dispute {
            self.dispute(job)
        }

        fn majority_of(self: @ContractState, job: u256) -> Span<ContractAddress> {
            let verdict = self.verdict(job);
            if verdict.decided && verdict.by != VERIFIER {
                self.voters(job, verdict.by.into(), verdict.vote)
            } else {
                array![].span()
            }
        }
    }

    #[generate_trait]
    impl Internal of InternalTrait {
        // --- what is stored

        #[inline(never)]
        fn session_cells(self: @ContractState, job: u256, number: u32) -> StorageBaseAddress {
            self.sessions.entry((job, number)).as_ptr().__storage_pointer_address__
        }

        #[inline(never)]
        fn session(self: @ContractState, job: u256, number: u32) -> Box<Session> {
            let mut cells = load(self.session_cells(job, number), 14);
            let [
                seed_block, draws, sampled, commit_window, reveal_window, size, quorum, bond, tallied, committed, revealed, verified, rejected,
                unavailable,
            ] = (*cells.multi_pop_front::<14>().unwrap()).unbox();
            BoxTrait::new(
                Session {
                    seed_block: to_u64(seed_block),
                    draws: to_u32(draws),
                    sampled: to_u64(sampled),
                    commit_window: to_u64(commit_window),
                    reveal_window: to_u64(reveal_window),
                    size: to_u32(size),
                    quorum: to_u32(quorum),
                    bond: to_u128(bond),
                    tallied: tallied != 0,
                    committed: to_u32(committed),
                    revealed: to_u32(revealed),
                    verified: to_u32(verified),
                    rejected: to_u32(rejected),
                    unavailable: to_u32(unavailable),
                },
            )
        }

        #[inline(never)]
        fn ballot(self: @ContractState, job: u256, number: u32, attester: ContractAddress) -> Ballot {
            let mut cells = load(self.ballot_cells(job, number, attester), 4);
            let [sampled, low, high, vote] = (*cells.multi_pop_front::<4>().unwrap()).unbox();
            Ballot { sampled: sampled != 0, commitment: to_u256(low, high), vote: to_u8(vote) }
        }

        #[inline(never)]
        fn ballot_cells(self: @ContractState, job: u256, number: u32, attester: ContractAddress) -> StorageBaseAddress {
            self.ballots.entry((job, number, attester)).as_ptr().__storage_pointer_address__
        }

        /// Of a sampled attester.
        #[inline(never)]
        fn set_ballot(ref self: ContractState, job: u256, number: u32, attester: ContractAddress, commitment: u256, vote: u8) {
            let cells = array![1, commitment.low.into(), commitment.high.into(), vote.into()];
            save(self.ballot_cells(job, number, attester), 0, cells);
        }

        #[inline(never)]
        fn verdict(self: @ContractState, job: u256) -> Verdict {
            let mut cells = load(self.verdicts.entry(job).as_ptr().__storage_pointer_address__, 4);
            let [vote, time, by, decided] = (*cells.multi_pop_front::<4>().unwrap()).unbox();
            Verdict { vote: to_u8(vote), time: to_u64(time), by: to_u8(by), decided: decided != 0 }
        }

        #[inline(never)]
        fn dispute(self: @ContractState, job: u256) -> Dispute {
            let mut cells = load(self.disputes.entry(job).as_ptr().__storage_pointer_address__, 3);
            let [challenger, bond, opened] = (*cells.multi_pop_front::<3>().unwrap()).unbox();
            Dispute { challenger: to_address(challenger), bond: to_u128(bond), opened: to_u64(opened) }
        }

        #[inline(never)]
        fn set_dispute(ref self: ContractState, job: u256, challenger: ContractAddress, bond: u128, opened: u64) {
            let cells = array![challenger.into(), bond.into(), opened.into()];
            save(self.disputes.entry(job).as_ptr().__storage_pointer_address__, 0, cells);
        }

        #[inline(never)]
        fn version_cells(self: @ContractState, version: u32) -> StorageBaseAddress {
            self.versions.entry(version).as_ptr().__storage_pointer_address__
        }

        #[inline(never)]
        fn version(self: @ContractState, version: u32) -> Version {
            let mut cells = load(self.version_cells(version), 3);
            let [proof_system, verifier, frozen] = (*cells.multi_pop_front::<3>().unwrap()).unbox();
            Version { proof_system: to_u8(proof_system), verifier: to_address(verifier), frozen: frozen != 0 }
        }

        /// The block of a commitment to a challenge, plus one; 0 where there is none.
        #[inline(never)]
        fn committed(self: @ContractState, job: u256, account: ContractAddress, commitment: u256) -> u64 {
            self.commitments.entry((job, account, commitment)).read()
        }

        /// The caller committed to this evidence at least one block ago: NOT_COMMITTED, TOO_FRESH.
        #[inline(never)]
        fn require_commitment(self: @ContractState, job: u256, now: Now, salt: felt252, evidence: u256) {
            let commitment = digest(array![job, word(now.caller.into()), word(salt), evidence]);
            let committed = self.committed(job, now.caller, commitment);
            require(array![(committed != 0, codes::NOT_COMMITTED), (committed <= now.block, codes::TOO_FRESH)]);
        }

        #[inline(never)]
        fn round_count(self: @ContractState, job: u256) -> u32 {
            self.rounds.entry(job).read()
        }

        /// UNKNOWN_SESSION.
        #[inline(never)]
        fn round(self: @ContractState, job: u256) -> Box<Round> {
            let number = self.round_count(job).checked_sub(1).expect(codes::UNKNOWN_SESSION);
            let now = now();
            let session = self.session(job, number).unbox();
            BoxTrait::new(Round { number, session, ballot: self.ballot(job, number, now.caller), now })
        }

        #[inline(never)]
        fn attester(self: @ContractState, job: u256, number: u32, place: u32) -> ContractAddress {
            self.attesters.entry((job, number, place)).read()
        }

        #[inline(never)]
        fn attesters_of(self: @ContractState, job: u256, number: u32) -> Span<ContractAddress> {
            let mut attesters = array![];
            let size = self.session(job, number).size;
            for place in 0..size {
                attesters.append(self.attester(job, number, place));
            };
            attesters.span()
        }

        /// The attesters who revealed this vote in the round.
        #[inline(never)]
        fn voters(self: @ContractState, job: u256, number: u32, vote: u8) -> Span<ContractAddress> {
            let mut voters = array![];
            for attester in self.attesters_of(job, number) {
                if self.ballot(job, number, *attester).vote == vote {
                    voters.append(*attester);
                }
            };
            voters.span()
        }

        #[inline(never)]
        fn log(ref self: ContractState, event: Event) {
            self.emit(event);
        }

        // --- the other contracts

        /// What the contract of that name answers. The typed dispatchers, each with a decoder of its own, are larger.
        #[inline(never)]
        fn ask(self: @ContractState, name: felt252, selector: felt252, calldata: Array<felt252>) -> Span<felt252> {
            call_contract_syscall(self.contract(name), selector, calldata.span()).unwrap_syscall()
        }

        #[inline(never)]
        fn ask_one(self: @ContractState, name: felt252, selector: felt252, calldata: Array<felt252>) -> felt252 {
            *self.ask(name, selector, calldata)[0]
        }

        #[inline(never)]
        fn contract(self: @ContractState, name: felt252) -> ContractAddress {
            self.system.address(name)
        }

        /// UNKNOWN_JOB.
        #[inline(never)]
        fn case(self: @ContractState, job: u256) -> Box<Case> {
            let case = self.any_case(job);
            assert(case.state != job_state::NONE, codes::UNKNOWN_JOB);
            case
        }

        #[inline(never)]
        fn any_case(self: @ContractState, job: u256) -> Box<Case> {
            let mut members = self.ask(names::JOBS, selector!("job_of"), array![job.low.into(), job.high.into()]);
            let [
                state, client, _, _, vk_low, vk_high, version, _, _, price, _, _, _, _, _, _, method, _, _, _, _, _, window, _, _, _, _, _,
                worker, _, _, submitted, _, convicted, statement_low, statement_high, proof_low, proof_high, _, _, receipt,
            ] = (*members.multi_pop_front::<41>().unwrap()).unbox();
            BoxTrait::new(
                Case {
                    state: to_u8(state),
                    client: to_address(client),
                    vk_digest: to_u256(vk_low, vk_high),
                    price: to_u128(price),
                    method: to_u8(method),
                    challenge_window: to_u64(window),
                    worker: to_address(worker),
                    submitted: to_u64(submitted),
                    convicted: convicted != 0,
                    statement_digest: to_u256(statement_low, statement_high),
                    proof_digest: to_u256(proof_low, proof_high),
                    receipt,
                    rounds: self.round_count(job),
                    verdict: self.verdict(job),
                    dispute: self.dispute(job),
                    version: self.version(to_u32(version)),
                    now: now(),
                },
            )
        }

        // --- inside

        /// A new version, the current one of its proof system.
        #[inline(never)]
        fn install(ref self: ContractState, proof_system: u8, verifier: ContractAddress) -> u32 {
            let version = self.num_versions.read() + 1;
            self.num_versions.write(version);
            let cells = array![proof_system.into(), verifier.into(), 0];
            save(self.version_cells(version), 0, cells);
            self.current.entry(proof_system).write(version);
            self.log(Event::VersionAdded(VersionAdded { version, proof_system, verifier }));
            version
        }

        #[inline(never)]
        fn open(ref self: ContractState, job: u256, number: u8) {
            let round = number.into();
            self.rounds.entry(job).write(round + 1);
            let seed_block = later(now().block, parameters::SEED_DELAY);
            let commit_window = self.system.parameter('commit_window', parameters::COMMIT_WINDOW.into());
            let reveal_window = self.system.parameter('reveal_window', parameters::REVEAL_WINDOW.into());
            let cells = array![seed_block.into(), 0, 0, commit_window.into(), reveal_window.into()];
            save(self.session_cells(job, round), SEED_BLOCK, cells);
            self.log(Event::SessionOpened(SessionOpened { job, round, seed_block }));
        }

        /// Draws and engages the round's attesters, by the hash of the deciding block; whether it found enough of them.
        #[inline(never)]
        fn draw(ref self: ContractState, job: u256, round: Box<Round>, case: Box<Case>) -> bool {
            let (number, seed_block) = (round.number, round.session.seed_block);
            let hash = get_block_hash_syscall(seed_block).unwrap_syscall();
            let seed = digest(array![word(hash), job, word(number.into() + 1)]);
            let mut parties = array![case.worker, case.client];
            if case.dispute.opened != 0 {
                parties.append(case.dispute.challenger);
            }
            let before = self.attesters_of(job, SAMPLE.into()); // none yet where that is the round
            let mut engaged = false;
            for size in sizes(number, case.method) {
                let quorum = if number == COMMITTEE.into() {
                    parameters::COMMITTEE_QUORUM
                } else {
                    *size / 2 + 1
                };
                let bond = mul_div_up(case.price, parameters::ATTESTER_BOND_FACTOR.into(), quorum.into());
                let attesters = self.candidates(parties.span(), before, seed, round, *size, bond);
                if attesters.len() == *size {
                    save(self.session_cells(job, number), SAMPLED, array![case.now.time.into()]);
                    save(self.session_cells(job, number), SIZE, array![(*size).into(), quorum.into(), bond.into()]);
                    self.log(Event::AttestersSampled(AttestersSampled { job, round: number, attesters, quorum, bond }));
                    self.engage(job, number, attesters, bond);
                    engaged = true;
                    break;
                }
            };
            engaged
        }

        /// Up to `size` distinct workers without an interest in the job; the trials of one seed are shared by the seats.
        #[inline(never)]
        fn candidates(
            self: @ContractState,
            parties: Span<ContractAddress>,
            before: Span<ContractAddress>,
            seed: u256,
            round: Box<Round>,
            size: u32,
            bond: u128,
        ) -> Span<ContractAddress> {
            let mut attesters = array![];
            let mut trial = 0;
            while attesters.len() < size {
                let (seed_block, draws) = (round.session.seed_block.into(), round.session.draws.into());
                let arguments = array![seed.low.into(), seed.high.into(), seed_block, draws, trial, 0, bond.into()];
                let mut drawn = self.ask(names::POOL, selector!("draw"), arguments);
                let [candidate, next] = (*drawn.multi_pop_front::<2>().unwrap()).unbox();
                if candidate == 0 {
                    break;
                }
                trial = next;
                let candidate = to_address(candidate);
                if !holds(attesters.span(), candidate) && !holds(before, candidate) && !self.has_interest(candidate, parties, seed_block) {
                    attesters.append(candidate);
                }
            };
            attesters.span()
        }

        /// Whether the account is a party, or was linked to one by stake at the end of the block.
        #[inline(never)]
        fn has_interest(self: @ContractState, account: ContractAddress, parties: Span<ContractAddress>, block: felt252) -> bool {
            let mut found = holds(parties, account);
            for party in parties {
                found = found || self.ask_one(names::VAULT, selector!("linked"), array![account.into(), (*party).into(), block]) != 0;
            };
            found
        }

        #[inline(never)]
        fn engage(ref self: ContractState, job: u256, number: u32, attesters: Span<ContractAddress>, bond: u128) {
            let key = bond_key(job, number);
            let mut place: u32 = 0;
            for attester in attesters {
                self.attesters.entry((job, number, place)).write(*attester);
                self.set_ballot(job, number, *attester, 0, votes::NONE);
                self.ask(names::VAULT, selector!("lock"), array![(*attester).into(), key.low.into(), key.high.into(), bond.into()]);
                self.ask(names::POOL, selector!("record_attester"), array![(*attester).into(), 1]);
                place += 1;
            };
        }

        /// Frees the attesters' bonds; silence and commitments not revealed cost.
        #[inline(never)]
        fn release(ref self: ContractState, job: u256, number: u32, bond: u128) {
            let key = bond_key(job, number);
            for attester in self.attesters_of(job, number) {
                let ballot = self.ballot(job, number, *attester);
                self.ask(names::VAULT, selector!("unlock"), array![(*attester).into(), key.low.into(), key.high.into()]);
                self.ask(names::POOL, selector!("record_attester"), array![(*attester).into(), 0]);
                if ballot.vote == votes::NONE {
                    let reason = if ballot.commitment == 0 {
                        slash_reason::POOR_PERFORMANCE
                    } else {
                        slash_reason::PROTOCOL_VIOLATION
                    };
                    self.slash(*attester, reason, bond);
                }
            };
        }

        /// Slashes those of both rounds who revealed a vote that the committee found false; nobody where that is NONE.
        #[inline(never)]
        fn punish(ref self: ContractState, job: u256, vote: u8) {
            if vote != votes::NONE {
                self.punish_round(job, SAMPLE.into(), vote);
                self.punish_round(job, COMMITTEE.into(), vote);
            }
        }

        #[inline(never)]
        fn punish_round(ref self: ContractState, job: u256, number: u32, vote: u8) {
            let bond = self.session(job, number).bond;
            for attester in self.voters(job, number, vote) {
                self.slash(*attester, slash_reason::MALICIOUS, bond);
            };
        }

        #[inline(never)]
        fn slash(ref self: ContractState, attester: ContractAddress, reason: u8, bond: u128) {
            self.ask(names::VAULT, selector!("slash"), array![attester.into(), reason.into(), bond.into(), 0, 0, 0, 0]);
        }

        #[inline(never)]
        fn decide(ref self: ContractState, job: u256, vote: u8, by: u8) {
            let cells = array![vote.into(), now().time.into(), by.into(), 1];
            save(self.verdicts.entry(job).as_ptr().__storage_pointer_address__, 0, cells);
            self.log(Event::VerdictReached(VerdictReached { job, vote, by }));
        }
    }

    #[inline(never)]
    fn now() -> Now {
        let info = get_execution_info().unbox();
        let block = info.block_info.unbox();
        Now { caller: info.caller_address, block: block.block_number, time: block.block_timestamp }
    }

    /// The block or the time, so much later.
    #[inline(never)]
    fn later(start: u64, length: u64) -> u64 {
        start.saturating_add(length)
    }

    /// How many attesters a round may have, the fewest first.
    fn sizes(number: u32, method: u8) -> Span<u32> {
        if number == COMMITTEE.into() {
            array![parameters::COMMITTEE_SIZE].span()
        } else if method == verification_method::OPTIMISTIC {
            array![1].span()
        } else {
            parameters::ATTESTER_SIZES.span()
        }
    }

    /// What the votes of a round decide; NONE calls the committee, or ends without a verdict.
    #[inline(never)]
    fn decision(round: Box<Round>) -> u8 {
        let session = round.session;
        let against = session.rejected.saturating_add(session.unavailable);
        if session.verified >= session.quorum && (round.number == COMMITTEE.into() || against == 0) {
            votes::VERIFIED
        } else if round.number == SAMPLE.into() {
            votes::NONE
        } else if session.rejected >= session.quorum {
            votes::REJECTED
        } else if against >= session.quorum {
            votes::UNAVAILABLE
        } else {
            votes::NONE
        }
    }

    /// The vote that a committee's verdict proves false.
    fn opposite(verdict: u8) -> u8 {
        if verdict == votes::VERIFIED {
            votes::REJECTED
        } else if verdict == votes::REJECTED {
            votes::VERIFIED
        } else {
            votes::NONE
        }
    }

    /// The price, clamped.
    #[inline(never)]
    fn challenge_bond(price: u128) -> u128 {
        min(max(price, parameters::CHALLENGE_BOND_MINIMUM), parameters::CHALLENGE_BOND_MAXIMUM)
    }

    /// What StakeVault knows the bonds of a round by.
    #[inline(never)]
    fn bond_key(job: u256, number: u32) -> u256 {
        digest(array![job, word(number.into() + 1)])
    }

    #[inline(never)]
    fn holds(accounts: Span<ContractAddress>, account: ContractAddress) -> bool {
        let mut found = false;
        for other in accounts {
            found = found || *other == account;
        };
        found
    }

    #[inline(never)]
    fn digest(words: Array<u256>) -> u256 {
        hash_words(words.span())
    }

    #[inline(never)]
    fn words(felts: Span<felt252>) -> Array<u256> {
        let mut words = array![];
        for felt in felts {
            words.append(word(*felt));
        };
        words
    }

    /// A word to hash.
    #[inline(never)]
    fn word(felt: felt252) -> u256 {
        felt.into()
    }

    #[inline(never)]
    fn one(counted: bool) -> felt252 {
        if counted {
            1
        } else {
            0
        }
    }
}
