"""GovernanceTreasury: votes, timelocks, the multisig, guardians, and the treasury's tokens.

Votes are balance plus own and delegated stake at the block before the proposal. A proposal is one call; its power follows from the call:
parameters and grants need a majority and two days, everything else a supermajority and ten days, longer than unbonding. A multisig of
five may spend at most a hundredth of the treasury a month, after two days, and cancel what is queued (but not a change of itself).
Guardians pause for three days at most, once in fourteen. An approval counts while its giver is in office. Nobody reaches escrow, stake or
user balances: no entry point of any contract moves them on governance's word.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from ciro_zk.settlement.arithmetic import hash_words, mul_div, selector
from ciro_zk.settlement.ledger.contract import Contract, Map, external, require, require_amount, view
from ciro_zk.settlement.ledger.types import U32, U64, U128, Address, Addresses, Felt, Felts, Flag
from ciro_zk.settlement.parameters import (
    DELAY_PARAMETER,
    DELAY_UPGRADE,
    EXECUTION_LIFE,
    GUARDIANS_QUORUM,
    GUARDIANS_SIZE,
    MULTISIG_QUORUM,
    MULTISIG_SIZE,
    PAUSE_INTERVAL,
    PAUSE_LENGTH,
    PROPOSAL_THRESHOLD,
    SPENDING_CAP,
    SPENDING_PERIOD,
    VOTE_MAJORITY,
    VOTE_PERIOD,
    VOTE_QUORUM,
    VOTE_SUPERMAJORITY,
    Power,
)

if TYPE_CHECKING:
    from ciro_zk.settlement.ledger.chain import EmbeddedLedger

BPS = 10_000
MOST_POSITIONS = 8
"""Workers whose stake one vote may count."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One call, and the votes on it; `snapshot` is the block whose balances count, `digest` that of the calldata."""

    target: int = 0
    selector: int = 0
    digest: int = 0
    power: int = 0
    snapshot: int = 0
    ends: int = 0
    votes_for: int = 0
    votes_against: int = 0
    queued: int = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """A call that waits for its delay: `ready` is 0 until it is queued; approvals are the multisig's, to spend and to cancel."""

    target: int = 0
    selector: int = 0
    digest: int = 0
    receiver: int = 0
    amount: int = 0
    ready: int = 0
    approvals: int = 0
    cancellations: int = 0
    executed: int = 0
    cancelled: int = 0


@dataclass(frozen=True, slots=True)
class Spending:
    """What the multisig may spend in a period, fixed at its first spending, and what it has."""

    started: int = 0
    cap: int = 0
    spent: int = 0


class GovernanceTreasury(Contract):
    """The owner of the other contracts' governed calls, and of the treasury."""

    name = "GovernanceTreasury"

    def __init__(self, chain: EmbeddedLedger) -> None:
        super().__init__(chain)
        self._proposals = Map(self, "proposals", Proposal())
        self._num_proposals = Map(self, "num_proposals", 0)
        self._voted = Map(self, "voted", 0)
        self._operations = Map(self, "operations", Operation())
        self._num_operations = Map(self, "num_operations", 0)
        self._approved = Map(self, "approved", 0)
        self._cancelled = Map(self, "cancelled", 0)
        self._signers = Map(self, "signers", 0)
        self._guardians = Map(self, "guardians", 0)
        self._spending = Map(self, "spending", Spending())
        self._paused_at = Map(self, "paused_at", 0)
        self._pause_votes = Map(self, "pause_votes", 0)
        self._pause_count = Map(self, "pause_count", 0)

    # --- proposals

    @external
    def propose(self, target: Address, selector: Felt, calldata: Felts, positions: Addresses) -> U32:
        """A call to vote on; `positions` names workers whose stake counts for the caller. WRONG_ORDER, VOTES_TOO_LOW."""
        snapshot = self.chain.block - 1
        require(self._votes(self.caller, snapshot, positions) >= PROPOSAL_THRESHOLD, "VOTES_TOO_LOW")
        number = self._num_proposals[()] + 1
        self._num_proposals[()] = number
        proposal = Proposal(
            target=target,
            selector=selector,
            digest=hash_words(*calldata),
            power=int(self._power(target, selector)),
            snapshot=snapshot,
            ends=self.time + VOTE_PERIOD,
        )
        self._proposals[number] = proposal
        self.emit(
            "Proposed", proposal=number, proposer=self.caller, target=target, selector=selector, calldata=calldata, power=proposal.power
        )
        return number

    @external
    def vote(self, proposal: U32, support: Flag, positions: Addresses) -> U128:
        """The caller's votes at the proposal's snapshot; gives their number.

        UNKNOWN_PROPOSAL, ALREADY_VOTED, VOTE_CLOSED, WRONG_ORDER, VOTES_TOO_LOW.
        """
        found = self._proposal(proposal)
        require(not self._voted[proposal, self.caller], "ALREADY_VOTED")
        require(self.time < found.ends, "VOTE_CLOSED")
        votes = self._votes(self.caller, found.snapshot, positions)
        require(votes > 0, "VOTES_TOO_LOW")
        self._voted[proposal, self.caller] = 1
        if support:
            found = replace(found, votes_for=found.votes_for + votes)
        else:
            found = replace(found, votes_against=found.votes_against + votes)
        self._proposals[proposal] = found
        self.emit("Voted", proposal=proposal, voter=self.caller, support=int(support), votes=votes)
        return votes

    @external
    def queue(self, proposal: U32) -> U32:
        """Anyone, of a proposal that passed: it waits for its delay; gives the operation's number.

        UNKNOWN_PROPOSAL, ALREADY_QUEUED, VOTE_OPEN, NO_QUORUM, NOT_PASSED.
        """
        found = self._proposal(proposal)
        require(not found.queued, "ALREADY_QUEUED")
        require(self.time >= found.ends, "VOTE_OPEN")
        cast = found.votes_for + found.votes_against
        supply = self.call(self.chain.token.total_supply_at, found.snapshot)
        require(cast * BPS >= supply * VOTE_QUORUM, "NO_QUORUM")
        upgrade = found.power == Power.UPGRADE
        passed = found.votes_for * BPS >= cast * VOTE_SUPERMAJORITY if upgrade else found.votes_for * BPS > cast * VOTE_MAJORITY
        require(passed, "NOT_PASSED")
        self._proposals[proposal] = replace(found, queued=1)
        ready = self.time + (DELAY_UPGRADE if upgrade else DELAY_PARAMETER)
        number = self._add(Operation(target=found.target, selector=found.selector, digest=found.digest, ready=ready))
        self.emit("Queued", proposal=proposal, operation=number, ready=ready)
        return number

    @external
    def execute(self, operation: U32, calldata: Felts) -> None:
        """Anyone, once, within its life after the delay: makes the call, or the multisig's payment (calldata empty).

        UNKNOWN_OPERATION, CANCELLED, ALREADY_EXECUTED, TIMELOCKED, OPERATION_EXPIRED, MALFORMED_CALLDATA (not what was voted on),
        and what the call raises.
        """
        found = self._operation(operation)
        require(not found.executed, "ALREADY_EXECUTED")
        require(found.ready != 0 and self.time >= found.ready, "TIMELOCKED")
        require(self.time <= found.ready + EXECUTION_LIFE, "OPERATION_EXPIRED")
        require(hash_words(*calldata) == found.digest, "MALFORMED_CALLDATA")
        self._operations[operation] = replace(found, executed=1)
        self.emit("Executed", operation=operation)
        if found.receiver:
            self.call(self.chain.token.transfer, found.receiver, found.amount)
        else:
            self.chain.call_selector(self.address, found.target, found.selector, calldata)

    # --- the multisig

    @external
    def propose_spending(self, receiver: Address, amount: U128) -> U32:
        """A signer: a payment out of the treasury, approved by its proposer; gives the operation's number.

        NOT_SIGNER, ZERO_ADDRESS, ZERO_AMOUNT, AMOUNT_TOO_LARGE.
        """
        self._require_signer()
        require(receiver != 0, "ZERO_ADDRESS")
        require_amount(amount)
        number = self._add(Operation(digest=hash_words(), receiver=receiver, amount=amount))
        self.emit("SpendingProposed", operation=number, receiver=receiver, amount=amount)
        self._approve(number)
        return number

    @external
    def approve_spending(self, operation: U32) -> None:
        """A signer; the third approval queues it, within what a period allows. UNKNOWN_OPERATION, CANCELLED, NOT_SIGNER, WRONG_POWER,
        ALREADY_QUEUED, ALREADY_APPROVED, SPENDING_TOO_HIGH."""
        found = self._operation(operation)
        self._require_signer()
        require(found.receiver != 0, "WRONG_POWER")
        require(found.ready == 0, "ALREADY_QUEUED")
        self._approve(operation)

    @external
    def cancel(self, operation: U32) -> None:
        """A signer; the third cancels what is queued, but for a change of the multisig.

        UNKNOWN_OPERATION, CANCELLED, NOT_SIGNER, ALREADY_EXECUTED, NOT_CANCELLABLE, ALREADY_APPROVED."""
        found = self._operation(operation)
        self._require_signer()
        require(not found.executed, "ALREADY_EXECUTED")
        require(not (found.target == self.address and found.selector == selector("set_signers")), "NOT_CANCELLABLE")
        count = self._count_approval(self._cancelled, operation, self._signers, MULTISIG_SIZE)
        self._operations[operation] = replace(found, cancellations=count, cancelled=int(count >= MULTISIG_QUORUM))
        self.emit("CancellationApproved", operation=operation, signer=self.caller, count=count)

    # --- guardians

    @external
    def pause(self) -> None:
        """A guardian; the second pauses at once. NOT_GUARDIAN, PAUSE_TOO_SOON, ALREADY_APPROVED."""
        require(any(self._guardians[place] == self.caller for place in range(GUARDIANS_SIZE)), "NOT_GUARDIAN")
        last = self._paused_at[()]
        require(last == 0 or self.time >= last + PAUSE_INTERVAL, "PAUSE_TOO_SOON")
        number = self._pause_count[()]
        count = self._count_approval(self._pause_votes, number, self._guardians, GUARDIANS_SIZE)
        self.emit("PauseApproved", guardian=self.caller, count=count)
        if count >= GUARDIANS_QUORUM:
            self._paused_at[()], self._pause_count[()] = self.time, number + 1
            self.emit("PauseStarted", ends=self.time + PAUSE_LENGTH)

    # --- what a vote may do here

    @external
    def grant(self, receiver: Address, amount: U128) -> None:
        """Pays out of the treasury: NOT_GOVERNANCE, ZERO_ADDRESS, ZERO_AMOUNT, AMOUNT_TOO_LARGE, BALANCE_TOO_LOW."""
        self.require_governance()
        require(receiver != 0, "ZERO_ADDRESS")
        require_amount(amount)
        self.emit("Granted", receiver=receiver, amount=amount)
        self.call(self.chain.token.transfer, receiver, amount)

    @external
    def set_signers(self, signers: Addresses) -> None:
        """All five at once: NOT_GOVERNANCE, MALFORMED_CALLDATA, WRONG_ORDER, ZERO_ADDRESS."""
        self.require_governance()
        self.appoint_signers(signers)

    @external
    def set_guardians(self, guardians: Addresses) -> None:
        """All three at once: NOT_GOVERNANCE, MALFORMED_CALLDATA, WRONG_ORDER, ZERO_ADDRESS."""
        self.require_governance()
        self.appoint_guardians(guardians)

    def appoint_signers(self, signers: tuple[int, ...]) -> None:
        """Also at deployment."""
        _appoint(self._signers, MULTISIG_SIZE, signers)
        self.emit("SignersSet", signers=signers)

    def appoint_guardians(self, guardians: tuple[int, ...]) -> None:
        """Also at deployment."""
        _appoint(self._guardians, GUARDIANS_SIZE, guardians)
        self.emit("GuardiansSet", guardians=guardians)

    # --- views

    @view
    def paused(self) -> Flag:
        start = self._paused_at[()]
        return bool(start) and self.time < start + PAUSE_LENGTH

    @view
    def proposal_of(self, proposal: U32) -> tuple[int, ...]:
        """target, selector, digest, power, snapshot, ends, votes_for, votes_against, queued."""
        return astuple(self._proposals[proposal])

    @view
    def operation_of(self, operation: U32) -> tuple[int, ...]:
        """target, selector, digest, receiver, amount, ready, approvals, cancellations, executed, cancelled."""
        return astuple(self._operations[operation])

    @view
    def spending(self) -> tuple[int, ...]:
        """started, cap, spent of the multisig's present period."""
        return astuple(self._spending[()])

    @view
    def signer_at(self, place: U32) -> Address:
        return self._signers[place]

    @view
    def guardian_at(self, place: U32) -> Address:
        return self._guardians[place]

    @view
    def votes_of(self, account: Address, block: U64, positions: Addresses) -> U128:
        """Balance and stake at the end of a past block. BLOCK_NOT_PAST, WRONG_ORDER."""
        return self._votes(account, block, positions)

    # --- inside

    def _power(self, target: int, called: int) -> Power:
        if called == selector("set_parameter") or (target == self.address and called == selector("grant")):
            return Power.PARAMETER
        return Power.UPGRADE

    def _votes(self, account: int, block: int, positions: tuple[int, ...]) -> int:
        require(len(positions) <= MOST_POSITIONS, "WRONG_ORDER")
        _require_ascending(positions)
        votes = self.call(self.chain.token.balance_at, account, block)
        return votes + sum(self.call(self.chain.vault.stake_at, worker, account, block) for worker in positions)

    def _proposal(self, proposal: int) -> Proposal:
        found = self._proposals[proposal]
        require(found.ends != 0, "UNKNOWN_PROPOSAL")
        return found

    def _operation(self, operation: int) -> Operation:
        require(0 < operation <= self._num_operations[()], "UNKNOWN_OPERATION")
        found = self._operations[operation]
        require(not found.cancelled, "CANCELLED")
        return found

    def _add(self, operation: Operation) -> int:
        number = self._num_operations[()] + 1
        self._num_operations[()] = number
        self._operations[number] = operation
        return number

    def _require_signer(self) -> None:
        require(any(self._signers[place] == self.caller for place in range(MULTISIG_SIZE)), "NOT_SIGNER")

    def _approve(self, operation: int) -> None:
        found = self._operations[operation]
        count = self._count_approval(self._approved, operation, self._signers, MULTISIG_SIZE)
        found = replace(found, approvals=count)
        self.emit("SpendingApproved", operation=operation, signer=self.caller, count=count)
        if count >= MULTISIG_QUORUM:
            self._spend(found.amount)
            found = replace(found, ready=self.time + DELAY_PARAMETER)
            self.emit("SpendingQueued", operation=operation, ready=found.ready)
        self._operations[operation] = found

    def _count_approval(self, approved: Map[int], number: int, members: Map[int], size: int) -> int:
        """Notes the caller's approval; gives how many of the present members have approved."""
        require(not approved[number, self.caller], "ALREADY_APPROVED")
        approved[number, self.caller] = 1
        return sum(approved[number, members[place]] for place in range(size))

    def _spend(self, amount: int) -> None:
        """Counts a payment against the period's cap, a share of the treasury when the period began."""
        spending = self._spending[()]
        if spending.started == 0 or self.time >= spending.started + SPENDING_PERIOD:
            treasury = self.call(self.chain.token.balance_of, self.address)
            spending = Spending(self.time, mul_div(treasury, SPENDING_CAP, BPS), 0)
        require(spending.spent + amount <= spending.cap, "SPENDING_TOO_HIGH")
        self._spending[()] = replace(spending, spent=spending.spent + amount)


def _appoint(members: Map[int], size: int, accounts: tuple[int, ...]) -> None:
    require(len(accounts) == size, "MALFORMED_CALLDATA")
    _require_ascending(accounts)
    require(accounts[0] != 0, "ZERO_ADDRESS")
    for place, account in enumerate(accounts):
        members[place] = account


def _require_ascending(accounts: tuple[int, ...]) -> None:
    require(all(a < b for a, b in pairwise(accounts)), "WRONG_ORDER")
