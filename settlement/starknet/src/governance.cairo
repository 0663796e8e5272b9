//! Votes, timelocks, the multisig, guardians, and the treasury's tokens.
//!
//! Votes are balance plus own and delegated stake at the block before the proposal. A proposal is one call; its power follows from the
//! call: parameters and grants need a majority and two days, everything else a supermajority and ten days, longer than unbonding. A
//! multisig of five may spend at most a hundredth of the treasury a month, after two days, and cancel what is queued (but not a change
//! of itself). Guardians pause for three days at most, once in fourteen.

#[starknet::contract]
pub mod GovernanceTreasury {
    use core::num::traits::Zero;
    use starknet::storage::{Map, StoragePathEntry, StoragePointerReadAccess, StoragePointerWriteAccess};
    use starknet::syscalls::call_contract_syscall;
    use starknet::{ContractAddress, SyscallResultTrait, get_block_number, get_block_timestamp, get_caller_address, get_contract_address};
    use crate::arithmetic::{hash_words, mul_div, to_u128};
    use crate::interfaces::{
        IGovernanceTreasury, IStakeVaultDispatcher, IStakeVaultDispatcherTrait, ITokenDispatcher, ITokenDispatcherTrait, Operation,
        Proposal, Spending,
    };
    use crate::parameters;
    use crate::parameters::{codes, power};
    use crate::system::{Named, SystemComponent, names};

    const BPS: u128 = 10_000;
    /// Workers whose stake one vote may count.
    const MOST_POSITIONS: u32 = 8;
    // Roles, and what their members approve.
    const SIGNER: felt252 = 'signer';
    const GUARDIAN: felt252 = 'guardian';
    const SPENDING: felt252 = 'spending';
    const CANCELLATION: felt252 = 'cancellation';
    const PAUSE: felt252 = 'pause';

    component!(path: SystemComponent, storage: system, event: SystemEvent);

    impl Name of Named {
        const NAME: felt252 = names::GOVERNANCE;
    }
    #[abi(embed_v0)]
    impl Shared = SystemComponent::Shared<ContractState>;
    impl SharedInternal = SystemComponent::Internal<ContractState>;

    #[storage]
    struct Storage {
        proposals: Map<u32, Proposal>,
        num_proposals: u32,
        voted: Map<(u32, ContractAddress), bool>,
        operations: Map<u32, Operation>,
        num_operations: u32,
        /// By role and place.
        members: Map<(felt252, u32), ContractAddress>,
        /// By what is approved, its number, and the member.
        approved: Map<(felt252, u32, ContractAddress), bool>,
        spending: Spending,
        paused_at: u64,
        num_pauses: u32,
        #[substorage(v0)]
        system: SystemComponent::Storage,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    pub enum Event {
        Proposed: Proposed,
        Voted: Voted,
        Queued: Queued,
        Executed: Executed,
        SpendingProposed: SpendingProposed,
        SpendingApproved: SpendingApproved,
        SpendingQueued: SpendingQueued,
        CancellationApproved: CancellationApproved,
        PauseApproved: PauseApproved,
        PauseStarted: PauseStarted,
        Granted: Granted,
        SignersSet: SignersSet,
        GuardiansSet: GuardiansSet,
        #[flat]
        SystemEvent: SystemComponent::Event,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Proposed {
        pub proposal: u32,
        pub proposer: ContractAddress,
        pub target: ContractAddress,
        pub selector: felt252,
        pub calldata: Span<felt252>,
        pub power: u8,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Voted {
        pub proposal: u32,
        pub voter: ContractAddress,
        pub support: bool,
        pub votes: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Queued {
        pub proposal: u32,
        pub operation: u32,
        pub ready: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Executed {
        pub operation: u32,
    }

    #[derive(Drop, starknet::Event)]
    pub struct SpendingProposed {
        pub operation: u32,
        pub receiver: ContractAddress,
        pub amount: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct SpendingApproved {
        pub operation: u32,
        pub signer: ContractAddress,
        pub count: u32,
    }

    #[derive(Drop, starknet::Event)]
    pub struct SpendingQueued {
        pub operation: u32,
        pub ready: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct CancellationApproved {
        pub operation: u32,
        pub signer: ContractAddress,
        pub count: u32,
    }

    #[derive(Drop, starknet::Event)]
    pub struct PauseApproved {
        pub guardian: ContractAddress,
        pub count: u32,
    }

    #[derive(Drop, starknet::Event)]
    pub struct PauseStarted {
        pub ends: u64,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Granted {
        pub receiver: ContractAddress,
        pub amount: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct SignersSet {
        pub signers: Span<ContractAddress>,
    }

    #[derive(Drop, starknet::Event)]
    pub struct GuardiansSet {
        pub guardians: Span<ContractAddress>,
    }

    #[constructor]
    fn constructor(
        ref self: ContractState, configurer: ContractAddress, signers: Span<ContractAddress>, guardians: Span<ContractAddress>,
    ) {
        self.system.initialize(configurer);
        self.appoint_signers(signers);
        self.appoint_guardians(guardians);
    }

    #[abi(embed_v0)]
    impl Governance of IGovernanceTreasury<ContractState> {
        fn propose(
            ref self: ContractState,
            target: ContractAddress,
            selector: felt252,
            calldata: Span<felt252>,
            positions: Span<ContractAddress>,
        ) -> u32 {
            let proposer = get_caller_address();
            let snapshot = get_block_number() - 1;
            assert(self.votes(proposer, snapshot, positions) >= parameters::PROPOSAL_THRESHOLD, codes::VOTES_TOO_LOW);
            let proposal = self.num_proposals.read() + 1;
            self.num_proposals.write(proposal);
            let power = power_of(target, selector);
            let made = Proposal {
                target,
                selector,
                digest: hash_felts(calldata),
                power,
                snapshot,
                ends: get_block_timestamp() + parameters::VOTE_PERIOD,
                votes_for: 0,
                votes_against: 0,
                queued: false,
            };
            self.set_proposal(proposal, made);
            self.emit(Proposed { proposal, proposer, target, selector, calldata, power });
            proposal
        }

        fn vote(ref self: ContractState, proposal: u32, support: bool, positions: Span<ContractAddress>) -> u128 {
            let mut found = self.proposal(proposal);
            let voter = get_caller_address();
            let voted = self.voted.entry((proposal, voter));
            assert(!voted.read(), codes::ALREADY_VOTED);
            assert(get_block_timestamp() < found.ends, codes::VOTE_CLOSED);
            let votes = self.votes(voter, found.snapshot, positions);
            assert(votes > 0, codes::VOTES_TOO_LOW);
            voted.write(true);
            if support {
                found.votes_for += votes;
            } else {
                found.votes_against += votes;
            }
            self.set_proposal(proposal, found);
            self.emit(Voted { proposal, voter, support, votes });
            votes
        }

        fn queue(ref self: ContractState, proposal: u32) -> u32 {
            let mut found = self.proposal(proposal);
            assert(!found.queued, codes::ALREADY_QUEUED);
            assert(get_block_timestamp() >= found.ends, codes::VOTE_OPEN);
            let cast = found.votes_for + found.votes_against;
            let supply = to_u128(self.token().total_supply_at(found.snapshot));
            assert(cast * BPS >= supply * parameters::VOTE_QUORUM, codes::NO_QUORUM);
            let (passed, delay) = if found.power == power::UPGRADE {
                (found.votes_for * BPS >= cast * parameters::VOTE_SUPERMAJORITY, parameters::DELAY_UPGRADE)
            } else {
                (found.votes_for * BPS > cast * parameters::VOTE_MAJORITY, parameters::DELAY_PARAMETER)
            };
            assert(passed, codes::NOT_PASSED);
            found.queued = true;
            self.set_proposal(proposal, found);
            let ready = get_block_timestamp() + delay;
            let operation = self.add(found.target, found.selector, found.digest, Zero::zero(), 0, ready);
            self.emit(Queued { proposal, operation, ready });
            operation
        }

        fn execute(ref self: ContractState, operation: u32, calldata: Span<felt252>) {
            let mut found = self.operation(operation);
            assert(!found.executed, codes::ALREADY_EXECUTED);
            assert(found.ready != 0 && get_block_timestamp() >= found.ready, codes::TIMELOCKED);
            assert(get_block_timestamp() <= found.ready + parameters::EXECUTION_LIFE, codes::OPERATION_EXPIRED);
            assert(hash_felts(calldata) == found.digest, codes::MALFORMED_CALLDATA);
            found.executed = true;
            self.set_operation(operation, found);
            self.emit(Executed { operation });
            if found.receiver.is_zero() {
                // The call's refusal becomes this call's, unchanged.
                call_contract_syscall(found.target, found.selector, calldata).unwrap_syscall();
            } else {
                self.pay(found.receiver, found.amount);
            }
        }

        fn propose_spending(ref self: ContractState, receiver: ContractAddress, amount: u128) -> u32 {
            self.require_member(SIGNER, parameters::MULTISIG_SIZE, codes::NOT_SIGNER);
            require_payment(receiver, amount);
            let operation = self.add(Zero::zero(), 0, hash_words([].span()), receiver, amount, 0);
            self.emit(SpendingProposed { operation, receiver, amount });
            self.approve(operation);
            operation
        }

        fn approve_spending(ref self: ContractState, operation: u32) {
            let found = self.operation(operation);
            self.require_member(SIGNER, parameters::MULTISIG_SIZE, codes::NOT_SIGNER);
            assert(!found.receiver.is_zero(), codes::WRONG_POWER);
            assert(found.ready == 0, codes::ALREADY_QUEUED);
            self.approve(operation);
        }

        fn cancel(ref self: ContractState, operation: u32) {
            let mut found = self.operation(operation);
            self.require_member(SIGNER, parameters::MULTISIG_SIZE, codes::NOT_SIGNER);
            assert(!found.executed, codes::ALREADY_EXECUTED);
            let of_signers = found.target == get_contract_address() && found.selector == selector!("set_signers");
            assert(!of_signers, codes::NOT_CANCELLABLE);
            let count = self.count_approval(CANCELLATION, operation, SIGNER, parameters::MULTISIG_SIZE);
            found.cancellations = count;
            found.cancelled = count >= parameters::MULTISIG_QUORUM;
            self.set_operation(operation, found);
            self.emit(CancellationApproved { operation, signer: get_caller_address(), count });
        }

        fn pause(ref self: ContractState) {
            self.require_member(GUARDIAN, parameters::GUARDIANS_SIZE, codes::NOT_GUARDIAN);
            let now = get_block_timestamp();
            let last = self.paused_at.read();
            assert(last == 0 || now >= last + parameters::PAUSE_INTERVAL, codes::PAUSE_TOO_SOON);
            let number = self.num_pauses.read();
            let count = self.count_approval(PAUSE, number, GUARDIAN, parameters::GUARDIANS_SIZE);
            self.emit(PauseApproved { guardian: get_caller_address(), count });
            if count >= parameters::GUARDIANS_QUORUM {
                self.paused_at.write(now);
                self.num_pauses.write(number + 1);
                self.emit(PauseStarted { ends: now + parameters::PAUSE_LENGTH });
            }
        }

        fn grant(ref self: ContractState, receiver: ContractAddress, amount: u128) {
            self.system.require_governance();
            require_payment(receiver, amount);
            self.emit(Granted { receiver, amount });
            self.pay(receiver, amount);
        }

        fn set_signers(ref self: ContractState, signers: Span<ContractAddress>) {
            self.system.require_governance();
            self.appoint_signers(signers);
        }

        fn set_guardians(ref self: ContractState, guardians: Span<ContractAddress>) {
            self.system.require_governance();
            self.appoint_guardians(guardians);
        }

        fn paused(self: @ContractState) -> bool {
            let start = self.paused_at.read();
            start != 0 && get_block_timestamp() < start + parameters::PAUSE_LENGTH
        }

        fn proposal_of(self: @ContractState, proposal: u32) -> Proposal {
            self.stored_proposal(proposal)
        }

        fn operation_of(self: @ContractState, operation: u32) -> Operation {
            self.stored_operation(operation)
        }

        fn spending(self: @ContractState) -> Spending {
            self.spending.read()
        }

        fn signer_at(self: @ContractState, place: u32) -> ContractAddress {
            self.members.entry((SIGNER, place)).read()
        }

        fn guardian_at(self: @ContractState, place: u32) -> ContractAddress {
            self.members.entry((GUARDIAN, place)).read()
        }

        fn votes_of(self: @ContractState, account: ContractAddress, block: u64, positions: Span<ContractAddress>) -> u128 {
            self.votes(account, block, positions)
        }
    }

    #[generate_trait]
    impl Internal of InternalTrait {
        fn token(self: @ContractState) -> ITokenDispatcher {
            ITokenDispatcher { contract_address: self.system.address(names::TOKEN) }
        }

        #[inline(never)]
        fn pay(ref self: ContractState, receiver: ContractAddress, amount: u128) {
            self.token().transfer(receiver, amount.into());
        }

        /// Balance, and stake behind `positions`, at the end of a past block.
        #[inline(never)]
        fn votes(self: @ContractState, account: ContractAddress, block: u64, positions: Span<ContractAddress>) -> u128 {
            assert(positions.len() <= MOST_POSITIONS, codes::WRONG_ORDER);
            require_ascending(positions);
            let mut votes = to_u128(self.token().balance_at(account, block));
            let vault = IStakeVaultDispatcher { contract_address: self.system.address(names::VAULT) };
            for worker in positions {
                votes += vault.stake_at(*worker, account, block);
            };
            votes
        }

        #[inline(never)]
        fn stored_proposal(self: @ContractState, proposal: u32) -> Proposal {
            self.proposals.entry(proposal).read()
        }

        #[inline(never)]
        fn set_proposal(ref self: ContractState, proposal: u32, value: Proposal) {
            self.proposals.entry(proposal).write(value);
        }

        fn proposal(self: @ContractState, proposal: u32) -> Proposal {
            let found = self.stored_proposal(proposal);
            assert(found.ends != 0, codes::UNKNOWN_PROPOSAL);
            found
        }

        #[inline(never)]
        fn stored_operation(self: @ContractState, operation: u32) -> Operation {
            self.operations.entry(operation).read()
        }

        #[inline(never)]
        fn set_operation(ref self: ContractState, operation: u32, value: Operation) {
            self.operations.entry(operation).write(value);
        }

        #[inline(never)]
        fn operation(self: @ContractState, operation: u32) -> Operation {
            assert(operation != 0 && operation <= self.num_operations.read(), codes::UNKNOWN_OPERATION);
            let found = self.stored_operation(operation);
            assert(!found.cancelled, codes::CANCELLED);
            found
        }

        fn add(
            ref self: ContractState,
            target: ContractAddress,
            selector: felt252,
            digest: u256,
            receiver: ContractAddress,
            amount: u128,
            ready: u64,
        ) -> u32 {
            let operation = self.num_operations.read() + 1;
            self.num_operations.write(operation);
            let made = Operation {
                target, selector, digest, receiver, amount, ready, approvals: 0, cancellations: 0, executed: false, cancelled: false,
            };
            self.set_operation(operation, made);
            operation
        }

        fn appoint_signers(ref self: ContractState, signers: Span<ContractAddress>) {
            self.appoint(SIGNER, parameters::MULTISIG_SIZE, signers);
            self.emit(SignersSet { signers });
        }

        fn appoint_guardians(ref self: ContractState, guardians: Span<ContractAddress>) {
            self.appoint(GUARDIAN, parameters::GUARDIANS_SIZE, guardians);
            self.emit(GuardiansSet { guardians });
        }

        #[inline(never)]
        fn appoint(ref self: ContractState, role: felt252, size: u32, accounts: Span<ContractAddress>) {
            assert(accounts.len() == size, codes::MALFORMED_CALLDATA);
            require_ascending(accounts);
            assert(!(*accounts[0]).is_zero(), codes::ZERO_ADDRESS);
            let mut place = 0;
            for account in accounts {
                self.members.entry((role, place)).write(*account);
                place += 1;
            };
        }

        #[inline(never)]
        fn require_member(self: @ContractState, role: felt252, size: u32, code: felt252) {
            let caller = get_caller_address();
            let mut place = 0;
            while place < size && self.members.entry((role, place)).read() != caller {
                place += 1;
            };
            assert(place < size, code);
        }

        /// Notes the caller's approval; gives how many of the role's present members have approved.
        #[inline(never)]
        fn count_approval(ref self: ContractState, what: felt252, number: u32, role: felt252, size: u32) -> u32 {
            let approval = self.approved.entry((what, number, get_caller_address()));
            assert(!approval.read(), codes::ALREADY_APPROVED);
            approval.write(true);
            let mut count = 0;
            for place in 0..size {
                if self.approved.entry((what, number, self.members.entry((role, place)).read())).read() {
                    count += 1;
                }
            };
            count
        }

        #[inline(never)]
        fn approve(ref self: ContractState, operation: u32) {
            let mut found = self.stored_operation(operation);
            let count = self.count_approval(SPENDING, operation, SIGNER, parameters::MULTISIG_SIZE);
            found.approvals = count;
            self.emit(SpendingApproved { operation, signer: get_caller_address(), count });
            if count >= parameters::MULTISIG_QUORUM {
                self.spend(found.amount);
                found.ready = get_block_timestamp() + parameters::DELAY_PARAMETER;
                self.emit(SpendingQueued { operation, ready: found.ready });
            }
            self.set_operation(operation, found);
        }

        /// Counts a payment against the period's cap, a share of the treasury when the period began.
        fn spend(ref self: ContractState, amount: u128) {
            let mut spending = self.spending.read();
            let now = get_block_timestamp();
            if spending.started == 0 || now >= spending.started + parameters::SPENDING_PERIOD {
                let treasury = to_u128(self.token().balance_of(get_contract_address()));
                spending = Spending { started: now, cap: mul_div(treasury, parameters::SPENDING_CAP, BPS), spent: 0 };
            }
            spending.spent += amount;
            assert(spending.spent <= spending.cap, codes::SPENDING_TOO_HIGH);
            self.spending.write(spending);
        }
    }

    fn power_of(target: ContractAddress, called: felt252) -> u8 {
        if called == selector!("set_parameter") || (called == selector!("grant") && target == get_contract_address()) {
            power::PARAMETER
        } else {
            power::UPGRADE
        }
    }

    #[inline(never)]
    fn require_payment(receiver: ContractAddress, amount: u128) {
        assert(!receiver.is_zero(), codes::ZERO_ADDRESS);
        assert(amount > 0, codes::ZERO_AMOUNT);
        assert(amount <= parameters::SUPPLY, codes::AMOUNT_TOO_LARGE);
    }

    #[inline(never)]
    fn require_ascending(accounts: Span<ContractAddress>) {
        let mut least: u256 = 0; // one more than the account before
        for account in accounts {
            let account: felt252 = (*account).into();
            let account: u256 = account.into();
            assert(account >= least, codes::WRONG_ORDER);
            least = account + 1;
        };
    }

    #[inline(never)]
    fn hash_felts(felts: Span<felt252>) -> u256 {
        let mut words = array![];
        for felt in felts {
            words.append((*felt).into());
        };
        hash_words(words.span())
    }
}
