"""Votes, their delays, the multisig and the guardians."""

from __future__ import annotations

import pytest
from settlement.world import ANYONE, CHALLENGER, CIRO, CLIENT, GUARDIANS, HOLDER, SIGNERS, STRANGER, WORKERS, World

from ciro_zk.errors import SettlementError
from ciro_zk.settlement.arithmetic import selector, short_string
from ciro_zk.settlement.ledger.chain import CONTRACTS
from ciro_zk.settlement.ledger.governance import Operation, Proposal, Spending
from ciro_zk.settlement.ledger.types import parameters
from settlement.starknet import build

DAY = 86400
NEW_SIGNERS = (1, 2, 6, 7, 8)
FEE = ("JobManager", "set_parameter", short_string("platform_fee"), 300)
GRANT = ("GovernanceTreasury", "grant", STRANGER, 5 * CIRO)
CHANGE = ("GovernanceTreasury", "set_signers", 5, *NEW_SIGNERS)


@pytest.fixture
def world(world: World) -> World:
    """Every balance held since the block before."""
    world.chain.advance()
    return world


def propose(world: World, call: tuple[object, ...], caller: int = HOLDER, positions: tuple[int, ...] = ()) -> int:
    """A proposal of (contract, entry, *calldata)."""
    contract, entry, *calldata = call
    target = world.chain.addresses[str(contract)]
    return int(world.do(caller, "GovernanceTreasury.propose", target, selector(str(entry)), tuple(calldata), positions))


def proposal(world: World, number: int) -> Proposal:
    return Proposal(*world.see("GovernanceTreasury.proposal_of", number))


def operation(world: World, number: int) -> Operation:
    return Operation(*world.see("GovernanceTreasury.operation_of", number))


def vote(world: World, number: int, voter: int = HOLDER, support: bool = True, positions: tuple[int, ...] = ()) -> int:
    return int(world.do(voter, "GovernanceTreasury.vote", number, support, positions))


def queued(world: World, call: tuple[object, ...]) -> int:
    """The operation of a call that the holder, nearly alone, has voted for."""
    number = propose(world, call)
    vote(world, number)
    world.chain.advance(1, 7 * DAY)
    return int(world.do(ANYONE, "GovernanceTreasury.queue", number))


def execute(world: World, number: int, call: tuple[object, ...] = ()) -> None:
    world.do(ANYONE, "GovernanceTreasury.execute", number, tuple(call[2:]))


def give(world: World, account: int, amount: int) -> None:
    """CIRO from the holder, held since the block before."""
    world.do(HOLDER, "CiroToken.transfer", account, amount)
    world.chain.advance()


def endow(world: World, amount: int) -> None:
    world.do(HOLDER, "CiroToken.transfer", world.chain.addresses["GovernanceTreasury"], amount)


# --- proposals


def test_a_proposal_executes_once_after_its_delay(world: World) -> None:
    number = propose(world, FEE)
    with world.refused("VOTE_OPEN"):
        world.do(ANYONE, "GovernanceTreasury.queue", number)
    vote(world, number)
    world.chain.advance(1, 7 * DAY)
    with world.refused("VOTE_CLOSED"):
        vote(world, number, CLIENT)
    waiting = world.do(ANYONE, "GovernanceTreasury.queue", number)
    with world.refused("ALREADY_QUEUED"):
        world.do(ANYONE, "GovernanceTreasury.queue", number)
    world.chain.advance(1, 2 * DAY - 1)
    with world.refused("TIMELOCKED"):
        execute(world, waiting, FEE)
    world.chain.advance(1, 1)
    with world.refused("MALFORMED_CALLDATA"):
        execute(world, waiting, (*FEE[:3], 301))
    execute(world, waiting, FEE)
    assert world.see("JobManager.parameter_of", short_string("platform_fee")) == 300
    with world.refused("ALREADY_EXECUTED"):
        execute(world, waiting, FEE)


def test_a_job_keeps_the_fees_it_was_submitted_under(world: World) -> None:
    before = world.submit()
    waiting = queued(world, FEE)
    world.chain.advance(1, 2 * DAY)
    execute(world, waiting, FEE)
    assert (world.job(before).platform_fee, world.job(world.submit()).platform_fee) == (250, 300)


def test_a_queued_operation_dies_after_fourteen_days(world: World) -> None:
    first, second = queued(world, FEE), queued(world, FEE)
    world.chain.advance(1, operation(world, first).ready + 14 * DAY + 1 - world.chain.time)
    with world.refused("OPERATION_EXPIRED"):
        execute(world, first, FEE)
    world.chain.advance(1, operation(world, second).ready + 14 * DAY - world.chain.time)
    execute(world, second, FEE)


def test_upgrades_and_roles_wait_ten_days(world: World) -> None:
    waiting = queued(world, CHANGE)
    world.chain.advance(1, 10 * DAY - 1)
    with world.refused("TIMELOCKED"):
        execute(world, waiting, CHANGE)
    world.chain.advance(1, 1)
    execute(world, waiting, CHANGE)
    assert [world.see("GovernanceTreasury.signer_at", place) for place in range(5)] == list(NEW_SIGNERS)


def test_what_the_call_refuses_leaves_the_operation_as_it_was(world: World) -> None:
    """A parameter beyond its hard bounds is refused whatever the vote; so is an unknown one, and a grant of what is not there."""
    beyond = (*FEE[:3], 1001)
    unknown = ("CiroToken", "set_parameter", short_string("platform_fee"), 1)
    for call, code in ((beyond, "OUT_OF_BOUNDS"), (unknown, "UNKNOWN_PARAMETER"), (GRANT, "BALANCE_TOO_LOW")):
        waiting = queued(world, call)
        world.chain.advance(1, 2 * DAY)
        with world.refused(code):
            execute(world, waiting, call)
        assert not operation(world, waiting).executed
    assert world.see("JobManager.parameter_of", short_string("platform_fee")) == 250


@pytest.mark.parametrize(
    "call",
    [
        ("GovernanceTreasury", "grant", 1),
        ("GovernanceTreasury", "grant", 1, 2, 3),
        ("GovernanceTreasury", "grant", 1, 2**128),
        ("StakeVault", "unlock", 1, 2),
        ("StakeVault", "unlock", 1, 2**128, 0),
        ("StakeVault", "unlock", 1, 0, 2**128),
    ],
    ids=["short", "long", "wide", "half", "wide-low", "wide-high"],
)
def test_calldata_that_the_called_contract_cannot_read(world: World, call: tuple[object, ...]) -> None:
    waiting = queued(world, call)
    world.chain.advance(1, 10 * DAY)
    with world.refused("MALFORMED_CALLDATA"):
        execute(world, waiting, call)


def test_a_grant_pays_once_the_treasury_can(world: World) -> None:
    waiting = queued(world, GRANT)
    world.chain.advance(1, 2 * DAY)
    with world.refused("BALANCE_TOO_LOW"):
        execute(world, waiting, GRANT)
    endow(world, 7 * CIRO)
    execute(world, waiting, GRANT)
    assert world.balance(STRANGER) == 5 * CIRO and world.balance(world.chain.addresses["GovernanceTreasury"]) == 2 * CIRO


@pytest.mark.parametrize("contract", ["StakeVault", "GovernanceTreasury"])
def test_an_upgrade_keeps_address_and_storage(world: World, contract: str) -> None:
    """To the class that is there, the only other one that a chain surely knows."""
    source = {"StakeVault": "vault", "GovernanceTreasury": "governance"}[contract]
    new = int(build.load(build.ARTIFACTS / f"{source}.json.gz")["class_hash"], 16)
    before = [world.see("StakeVault.pool_of", worker) for worker in WORKERS], world.see("GovernanceTreasury.signer_at", 4)
    call = (contract, "upgrade", new)
    waiting = queued(world, call)
    world.chain.advance(1, 10 * DAY)
    event = world.events(ANYONE, "GovernanceTreasury.execute", waiting, (new,))[-1]
    assert (event.contract, event.name, event.fields) == (contract, "Upgraded", {"class_hash": new})
    assert before == ([world.see("StakeVault.pool_of", worker) for worker in WORKERS], world.see("GovernanceTreasury.signer_at", 4))
    world.do(WORKERS[0], "StakeVault.stake", WORKERS[0], CIRO)


@pytest.mark.parametrize(
    "call",
    [
        ("GovernanceTreasury.grant", ANYONE, 1),
        ("GovernanceTreasury.set_signers", SIGNERS),
        ("GovernanceTreasury.set_guardians", GUARDIANS),
        ("GovernanceTreasury.upgrade", 1),
        ("JobManager.set_parameter", FEE[2], 300),
        ("CiroToken.set_parameter", 1, 1),
    ],
    ids=lambda call: call[0],
)
def test_nobody_does_alone_what_needs_a_vote(world: World, call: tuple[str, object]) -> None:
    for caller in (HOLDER, SIGNERS[0], GUARDIANS[0]):
        with world.refused("NOT_GOVERNANCE"):
            world.do(caller, *call)


# --- votes


def test_borrowed_tokens_do_not_count(world: World) -> None:
    """Not those lent in the proposal's block, nor those given back in the block of the snapshot."""
    world.do(HOLDER, "CiroToken.transfer", STRANGER, 60_000 * CIRO)
    with world.refused("VOTES_TOO_LOW"):
        propose(world, FEE, STRANGER)
    world.do(STRANGER, "CiroToken.transfer", HOLDER, 60_000 * CIRO)
    world.chain.advance()
    with world.refused("VOTES_TOO_LOW"):
        propose(world, FEE, STRANGER)
    number = propose(world, FEE)
    world.do(HOLDER, "CiroToken.transfer", STRANGER, 60_000 * CIRO)
    world.chain.advance()
    with world.refused("VOTES_TOO_LOW"):
        vote(world, number, STRANGER)
    snapshot = proposal(world, number).snapshot
    assert vote(world, number) == world.see("CiroToken.balance_at", HOLDER, snapshot) == world.balance(HOLDER) + 60_000 * CIRO


def test_own_and_delegated_stake_votes_and_unbonding_stake_does_not(world: World) -> None:
    worker, other = WORKERS[0], WORKERS[1]
    world.do(other, "StakeVault.stake", worker, 100 * CIRO)
    world.do(other, "StakeVault.request_unbond", other, 10 * CIRO)
    world.chain.advance()
    number = propose(world, FEE)
    held = world.balance(other)
    votes = vote(world, number, other, positions=(worker, other))
    assert votes == held + 100 * CIRO + (1_010 - 10) * CIRO
    with world.refused("WRONG_ORDER"):
        vote(world, number, worker, positions=(other, worker))
    with world.refused("WRONG_ORDER"):
        vote(world, number, worker, positions=(worker, worker))
    with world.refused("WRONG_ORDER"):
        vote(world, number, worker, positions=WORKERS[:9])


def test_one_vote_each(world: World) -> None:
    number = propose(world, FEE)
    vote(world, number, CLIENT)
    for support in (True, False):
        with world.refused("ALREADY_VOTED"):
            vote(world, number, CLIENT, support)
    with world.refused("UNKNOWN_PROPOSAL"):
        vote(world, number + 1, CLIENT)
    assert (proposal(world, number).votes_for, proposal(world, number).votes_against) == (world.balance(CLIENT), 0)


@pytest.mark.parametrize(("call", "share"), [(FEE, 5_000), (GRANT, 5_000), (CHANGE, 6_699)], ids=["parameter", "grant", "role"])
def test_majorities(world: World, call: tuple[object, ...], share: int) -> None:
    """Parameters and grants need more than half, everything else at least 67 %."""
    unit = 30_000 * CIRO  # a ten-thousandth of the votes cast
    give(world, CHALLENGER, share * unit - world.balance(CHALLENGER))
    give(world, STRANGER, (10_000 - share) * unit)
    failing = propose(world, call, CHALLENGER)
    vote(world, failing, CHALLENGER)
    vote(world, failing, STRANGER, support=False)
    world.do(STRANGER, "CiroToken.transfer", CHALLENGER, unit)
    world.chain.advance()
    passing = propose(world, call, CHALLENGER)
    vote(world, passing, CHALLENGER)
    vote(world, passing, STRANGER, support=False)
    world.chain.advance(1, 7 * DAY)
    with world.refused("NOT_PASSED"):
        world.do(ANYONE, "GovernanceTreasury.queue", failing)
    world.do(ANYONE, "GovernanceTreasury.queue", passing)


def test_a_fifth_of_the_supply_must_vote(world: World) -> None:
    fifth = world.see("CiroToken.total_supply") // 5
    give(world, STRANGER, fifth - 1)
    failing = propose(world, FEE, STRANGER)
    vote(world, failing, STRANGER)
    give(world, STRANGER, 1)
    passing = propose(world, FEE, STRANGER)
    vote(world, passing, STRANGER, support=True)
    world.chain.advance(1, 7 * DAY)
    with world.refused("NO_QUORUM"):
        world.do(ANYONE, "GovernanceTreasury.queue", failing)
    world.do(ANYONE, "GovernanceTreasury.queue", passing)


# --- the multisig


def test_three_signers_cancel(world: World) -> None:
    waiting = queued(world, FEE)
    with world.refused("NOT_SIGNER"):
        world.do(GUARDIANS[0], "GovernanceTreasury.cancel", waiting)
    for signer in SIGNERS[:2]:
        world.do(signer, "GovernanceTreasury.cancel", waiting)
        with world.refused("ALREADY_APPROVED"):
            world.do(signer, "GovernanceTreasury.cancel", waiting)
    assert not operation(world, waiting).cancelled
    world.do(SIGNERS[2], "GovernanceTreasury.cancel", waiting)
    world.chain.advance(1, 2 * DAY)
    with world.refused("CANCELLED"):
        execute(world, waiting, FEE)


def test_the_multisig_cannot_keep_itself_in_office(world: World) -> None:
    waiting = queued(world, CHANGE)
    for signer in SIGNERS:
        with world.refused("NOT_CANCELLABLE"):
            world.do(signer, "GovernanceTreasury.cancel", waiting)
    world.chain.advance(1, 10 * DAY)
    execute(world, waiting, CHANGE)
    with world.refused("NOT_SIGNER"):
        world.do(SIGNERS[2], "GovernanceTreasury.propose_spending", ANYONE, 1)


def test_approvals_leave_with_those_who_gave_them(world: World) -> None:
    """Two who are voted out, and one who came, are not three."""
    endow(world, 1_000 * CIRO)
    change = queued(world, CHANGE)
    world.chain.advance(1, 10 * DAY)
    payment = world.do(SIGNERS[2], "GovernanceTreasury.propose_spending", STRANGER, CIRO)
    world.do(SIGNERS[3], "GovernanceTreasury.approve_spending", payment)
    execute(world, change, CHANGE)
    for count, signer in enumerate((1, 6, 7), start=1):
        assert operation(world, payment).ready == 0
        world.do(signer, "GovernanceTreasury.approve_spending", payment)
        assert operation(world, payment).approvals == count
    assert operation(world, payment).ready == world.chain.time + 2 * DAY


def test_the_multisig_spends_a_hundredth_of_the_treasury_a_month(world: World) -> None:
    endow(world, 10_000 * CIRO)

    def proposed(amount: int) -> int:
        payment = int(world.do(SIGNERS[0], "GovernanceTreasury.propose_spending", STRANGER, amount))
        with world.refused("TIMELOCKED"):
            execute(world, payment)
        world.do(SIGNERS[1], "GovernanceTreasury.approve_spending", payment)
        return payment

    def approved(amount: int) -> int:
        payment = proposed(amount)
        world.do(SIGNERS[2], "GovernanceTreasury.approve_spending", payment)
        return payment

    first = approved(60 * CIRO)
    with world.refused("ALREADY_QUEUED"):
        world.do(SIGNERS[3], "GovernanceTreasury.approve_spending", first)
    above = proposed(40 * CIRO + 1)
    with world.refused("SPENDING_TOO_HIGH"):
        world.do(SIGNERS[2], "GovernanceTreasury.approve_spending", above)
    approved(40 * CIRO)
    assert Spending(*world.see("GovernanceTreasury.spending")) == Spending(world.chain.time, 100 * CIRO, 100 * CIRO)
    with world.refused("TIMELOCKED"):
        execute(world, first)
    world.chain.advance(1, 2 * DAY)
    execute(world, first)
    assert world.balance(STRANGER) == 60 * CIRO
    with world.refused("ALREADY_EXECUTED"):
        execute(world, first)
    world.chain.advance(1, 28 * DAY - 1)
    above = proposed(1)
    with world.refused("SPENDING_TOO_HIGH"):
        world.do(SIGNERS[2], "GovernanceTreasury.approve_spending", above)
    world.chain.advance(1, 1)
    approved(9_940 * CIRO // 100)


def test_signers_approve_payments_alone(world: World) -> None:
    waiting = queued(world, FEE)
    with world.refused("WRONG_POWER"):
        world.do(SIGNERS[0], "GovernanceTreasury.approve_spending", waiting)
    for amount, code in ((0, "ZERO_AMOUNT"), (10**27 + 1, "AMOUNT_TOO_LARGE")):
        with world.refused(code):
            world.do(SIGNERS[0], "GovernanceTreasury.propose_spending", ANYONE, amount)
    with world.refused("ZERO_ADDRESS"):
        world.do(SIGNERS[0], "GovernanceTreasury.propose_spending", 0, 1)
    with world.refused("UNKNOWN_OPERATION"):
        execute(world, waiting + 1)


# --- guardians


def pause(world: World) -> None:
    for guardian in GUARDIANS[:2]:
        world.do(guardian, "GovernanceTreasury.pause")


def test_two_guardians_pause_and_the_pause_ends_by_itself(world: World) -> None:
    world.do(GUARDIANS[0], "GovernanceTreasury.pause")
    with world.refused("ALREADY_APPROVED"):
        world.do(GUARDIANS[0], "GovernanceTreasury.pause")
    with world.refused("NOT_GUARDIAN"):
        world.do(SIGNERS[0], "GovernanceTreasury.pause")
    assert not world.see("GovernanceTreasury.paused")
    world.do(GUARDIANS[2], "GovernanceTreasury.pause")
    world.chain.advance(1, 3 * DAY - 1)
    assert world.see("GovernanceTreasury.paused")
    with world.refused("PAUSED"):
        world.submit()
    world.chain.advance(1, 1)
    assert not world.see("GovernanceTreasury.paused")
    world.submit()
    world.chain.advance(1, 11 * DAY - 1)
    with world.refused("PAUSE_TOO_SOON"):
        world.do(GUARDIANS[1], "GovernanceTreasury.pause")
    world.chain.advance(1, 1)
    pause(world)
    assert world.see("GovernanceTreasury.paused")


def test_a_pause_stops_what_brings_in_and_nothing_else(world: World) -> None:
    """PAUSED is checked first, so that calls with any arguments tell."""
    pause(world)
    stopped = set()
    for contract in CONTRACTS:
        for entry in dir(contract):
            found = getattr(contract, entry)
            if getattr(found, "kind", None) == "external":
                arguments = tuple(() if each.array else 0 for each in parameters(found.__wrapped__))
                try:
                    world.do(STRANGER, f"{contract.name}.{entry}", *arguments)
                except SettlementError as error:
                    if error.code == "PAUSED":
                        stopped.add(f"{contract.name}.{entry}")
    assert stopped == {"JobManager.submit", "JobManager.assign", "JobManager.claim", "CdcPool.register", "StakeVault.stake"}


def test_what_is_under_way_goes_on_in_a_pause(world: World) -> None:
    job, worker = world.assigned()
    pause(world)
    world.do(worker, "JobManager.submit_result", job, *world.receipt(job, worker))
    world.vote(job, dict.fromkeys(world.sample(job), 1))
    world.wait(3601)
    world.do(ANYONE, "JobManager.finalise", job)
    world.do(worker, "JobManager.withdraw")
    assert world.see("GovernanceTreasury.paused")
    number = world.do(worker, "StakeVault.request_unbond", worker, CIRO)
    world.chain.advance(1, 7 * DAY)
    before = world.balance(worker)
    assert world.do(worker, "StakeVault.withdraw", number) == world.balance(worker) - before == CIRO


def test_a_pause_of_guardians_who_left_needs_two_who_stay(world: World) -> None:
    world.do(GUARDIANS[0], "GovernanceTreasury.pause")
    call = ("GovernanceTreasury", "set_guardians", 3, 12, 13, 14)
    waiting = queued(world, call)
    world.chain.advance(1, 10 * DAY)
    execute(world, waiting, call)
    world.do(14, "GovernanceTreasury.pause")
    assert not world.see("GovernanceTreasury.paused")
    world.do(12, "GovernanceTreasury.pause")
    assert world.see("GovernanceTreasury.paused")


def test_nobody_is_no_member(world: World) -> None:
    for entry, members in (("set_signers", (0, 2, 3, 4, 5)), ("set_guardians", (0, 12, 13))):
        for calldata, code in ((members, "ZERO_ADDRESS"), ((99, *members[1:]), "WRONG_ORDER"), (members[1:], "MALFORMED_CALLDATA")):
            call = ("GovernanceTreasury", entry, len(calldata), *calldata)
            waiting = queued(world, call)
            world.chain.advance(1, 10 * DAY)
            with world.refused(code):
                execute(world, waiting, call)
