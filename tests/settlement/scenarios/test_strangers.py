"""Calls about nothing, and calls that only another contract of the system may make."""

from __future__ import annotations

import pytest
from settlement.world import ANYONE, CLIENT, HOLDER, OWNER, PRICE, SALT, SIGNATURES, STRANGER, WORKERS, World

from ciro_zk.settlement.parameters import SUPPLY, Outcome, Vote

NONE = 5
"""No job, no model."""


@pytest.mark.parametrize(
    "call",
    ["cancel", "assign", "claim", "acknowledge", "decline", "lapse", "report_unprovable", "time_out", "finalise", "reject", "expire"],
)
def test_an_unknown_job(world: World, call: str) -> None:
    with world.refused("UNKNOWN_JOB"):
        world.do(WORKERS[0], f"JobManager.{call}", NONE)


def test_an_unknown_job_s_results_and_disputes(world: World) -> None:
    receipt = (31, 32, 33, 0, 1, 100, SIGNATURES.public_key(WORKERS[0]), 1, 1)
    calls = (
        ("JobManager.submit_result", receipt, "UNKNOWN_JOB"),
        ("ProofRegistry.sample", (), "UNKNOWN_SESSION"),
        ("ProofRegistry.commit", (1,), "UNKNOWN_SESSION"),
        ("ProofRegistry.reveal", (Vote.VERIFIED, SALT), "UNKNOWN_SESSION"),
        ("ProofRegistry.tally", (), "UNKNOWN_SESSION"),
        ("ProofRegistry.prove", ((1,),), "UNKNOWN_JOB"),
        ("ProofRegistry.commit_challenge", (1,), "UNKNOWN_JOB"),
        ("ProofRegistry.challenge", (SALT, 1), "UNKNOWN_JOB"),
        ("ProofRegistry.resolve", (), "NOT_DISPUTED"),
        ("ProofRegistry.report_equivocation", (*receipt, SALT), "UNKNOWN_JOB"),
    )
    for call, arguments, code in calls:
        with world.refused(code):
            world.do(WORKERS[0], call, NONE, *arguments)
    with world.refused("UNKNOWN_JOB"):
        world.see("JobManager.receipt_hash", NONE, *receipt[:6])


SYSTEM = (
    ("JobManager.open_dispute", (NONE, ANYONE, 1)),
    ("JobManager.close_dispute", (NONE, Vote.VERIFIED, ANYONE, 1)),
    ("JobManager.convict", (NONE, ANYONE, 1)),
    ("ProofRegistry.open_session", (NONE,)),
    ("CdcPool.record_assigned", (WORKERS[0],)),
    ("CdcPool.record_acknowledged", (WORKERS[0],)),
    ("CdcPool.record_submitted", (WORKERS[0],)),
    ("CdcPool.record_closed", (WORKERS[0], Outcome.PAID, 10**18, True, 10**18)),
    ("CdcPool.record_attester", (WORKERS[0], True)),
    ("CdcPool.record_rejected", (WORKERS[0],)),
)


@pytest.mark.parametrize(("call", "arguments"), SYSTEM, ids=[call for call, _ in SYSTEM])
def test_only_the_system_records(world: World, call: str, arguments: tuple[int, ...]) -> None:
    """Nobody credits itself work, rewards or verdicts: neither a worker nor whoever governs."""
    for account in (WORKERS[0], HOLDER, 1, 11, world.chain.addresses["GovernanceTreasury"]):
        with world.refused("NOT_SYSTEM"):
            world.do(account, call, *arguments)


def test_one_contract_does_not_speak_for_another(world: World) -> None:
    vault, pool = world.chain.addresses["StakeVault"], world.chain.addresses["CdcPool"]
    for account in (vault, pool, world.chain.addresses["CiroToken"]):
        with world.refused("NOT_SYSTEM"):
            world.do(account, "StakeVault.slash", WORKERS[0], 0, 0, ANYONE, PRICE, ANYONE, PRICE)
        with world.refused("NOT_SYSTEM"):
            world.do(account, "ProofRegistry.open_session", NONE)
    with world.refused("NOT_SYSTEM"):
        world.do(vault, "StakeVault.add_reward", WORKERS[0], PRICE)


def test_models_are_their_owner_s(world: World) -> None:
    for call in (("set_fee", 0), ("retire",)):
        with world.refused("NOT_OWNER"):
            world.do(CLIENT, f"ModelRegistry.{call[0]}", world.model, *call[1:])
        with world.refused("UNKNOWN_MODEL"):
            world.do(OWNER, f"ModelRegistry.{call[0]}", NONE, *call[1:])
    for call, arguments in (("register_model", (1, 2, 3, 1, SUPPLY + 1)), ("set_fee", (world.model, SUPPLY + 1))):
        with world.refused("AMOUNT_TOO_LARGE"):
            world.do(OWNER, f"ModelRegistry.{call}", *arguments)
    with world.refused("UNKNOWN_SYSTEM"):
        world.do(OWNER, "ModelRegistry.register_model", 1, 2, 3, 9, 0)
    world.do(OWNER, "ModelRegistry.retire", world.model)
    for call in (("set_fee", 0), ("retire",)):
        with world.refused("MODEL_RETIRED"):
            world.do(OWNER, f"ModelRegistry.{call[0]}", world.model, *call[1:])


def test_what_a_stranger_is_owed(world: World) -> None:
    with world.refused("NOTHING_TO_WITHDRAW"):
        world.do(STRANGER, "JobManager.withdraw")
    for call in ("deregister", "heartbeat"):
        with world.refused("UNKNOWN_WORKER"):
            world.do(STRANGER, f"CdcPool.{call}")
    with world.refused("UNKNOWN_WORKER"):
        world.do(STRANGER, "CdcPool.rotate_key", 5)
    with world.refused("WRONG_CAPABILITIES"):
        world.do(WORKERS[0], "CdcPool.set_capabilities", 256)
    with world.refused("COMMISSION_TOO_HIGH"):
        world.do(WORKERS[0], "CdcPool.announce_commission", 5_001)


def test_the_zero_address_and_amounts_of_tokens(world: World) -> None:
    with world.refused("ZERO_ADDRESS"):
        world.do(CLIENT, "CiroToken.transfer", 0, 1)
    with world.refused("ZERO_ADDRESS"):
        world.do(CLIENT, "CiroToken.approve", 0, 1)
    with world.refused("AMOUNT_OVERFLOW"):
        world.do(CLIENT, "CiroToken.transfer", ANYONE, 2**128)
    with world.refused("BALANCE_TOO_LOW"):
        world.do(CLIENT, "CiroToken.transfer", ANYONE, world.balance(CLIENT) + 1)
    with world.refused("ALLOWANCE_TOO_LOW"):
        world.do(ANYONE, "CiroToken.transfer_from", CLIENT, ANYONE, 1)
    with world.refused("BALANCE_TOO_LOW"):
        world.do(ANYONE, "CiroToken.burn", 1)
    assert world.do(CLIENT, "CiroToken.transfer", CLIENT, world.balance(CLIENT)), "to itself: nothing is made"
    assert world.balance(CLIENT) == 10_000 * 10**18
