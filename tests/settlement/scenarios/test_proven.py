"""Jobs that an on-chain verifier settles. No chain has a verifier of native proofs: a stand-in takes one proof."""

from __future__ import annotations

import pytest
from settlement.starknet.network import StarknetNetwork
from settlement.world import ANYONE, CHALLENGER, CLIENT, PRICE, WORKERS, World

from ciro_zk.settlement.arithmetic import hash_words
from ciro_zk.settlement.ledger.chain import EmbeddedLedger
from ciro_zk.settlement.parameters import JobState, VerificationMethod, Vote
from settlement.starknet import build

VERIFIER = 0x7E57
GOOD, BAD = (1, 2, 3), (1, 2, 4)
WORKER = WORKERS[0]


@pytest.fixture
def proving(world: World) -> World:
    """A system whose second version of the native verifier is on the chain: it takes one proof of the model's key and the statement."""
    if isinstance(world.chain, EmbeddedLedger):
        world.chain.verifiers[VERIFIER] = lambda vk, statement, proof: (vk, statement, proof) == (13, 31, GOOD)
    else:
        assert isinstance(world.chain, StarknetNetwork)
        world.chain.machine.deploy(build.compiled("verifier", build.PROBES), 13, 31, address=VERIFIER)
    world.queued("ProofRegistry", "add_version", 1, VERIFIER)()
    return world


def submitted(world: World, proof: tuple[int, ...]) -> int:
    job = world.submit(method=VerificationMethod.ZERO_KNOWLEDGE_PROOF, open_claim=True)
    world.do(WORKER, "JobManager.claim", job)
    world.do(WORKER, "JobManager.submit_result", job, *world.receipt(job, WORKER, proof=hash_words(*proof)))
    return job


def test_a_proof_that_verifies_is_paid_at_once(proving: World) -> None:
    job = submitted(proving, GOOD)
    with proving.refused("NO_VERDICT"):
        proving.do(WORKER, "JobManager.finalise", job)
    assert proving.do(ANYONE, "ProofRegistry.prove", job, GOOD) == Vote.VERIFIED
    with proving.refused("VERDICT_EXISTS"):
        proving.do(ANYONE, "ProofRegistry.prove", job, GOOD)
    proving.do(ANYONE, "JobManager.finalise", job)
    assert proving.job(job).state == JobState.PAID
    assert proving.credit(WORKER) == PRICE - PRICE * 250 // 10_000 - 10**18, "no attesters to pay"


def test_a_proof_that_fails_is_fraud(proving: World) -> None:
    job = submitted(proving, BAD)
    stake, supply = proving.stake(WORKER), proving.see("CiroToken.total_supply")
    assert proving.do(ANYONE, "ProofRegistry.prove", job, BAD) == Vote.REJECTED
    with proving.refused("NOT_VERIFIED"):
        proving.do(WORKER, "JobManager.finalise", job)
    proving.do(ANYONE, "JobManager.reject", job)
    assert proving.stake(WORKER) == 0 and proving.credit(CLIENT) == PRICE
    assert proving.see("CiroToken.total_supply") == supply - (stake - stake // 5)


def test_only_the_proof_signed_for_is_checked(proving: World) -> None:
    job = submitted(proving, GOOD)
    for other in (BAD, (), (*GOOD, 0)):
        with proving.refused("WRONG_PROOF"):
            proving.do(ANYONE, "ProofRegistry.prove", job, other)
    assert proving.do(ANYONE, "ProofRegistry.prove", job, GOOD) == Vote.VERIFIED


def test_a_proof_that_nobody_shows_is_refunded(proving: World) -> None:
    job = submitted(proving, GOOD)
    stake = proving.stake(WORKER)
    proving.wait(172_801)
    proving.do(ANYONE, "JobManager.expire", job)
    assert proving.credit(CLIENT) == PRICE and proving.stake(WORKER) == stake
    with proving.refused("WRONG_STATE"):
        proving.do(ANYONE, "ProofRegistry.prove", job, GOOD)


def test_a_verifier_s_word_is_not_challenged(proving: World) -> None:
    job = submitted(proving, GOOD)
    with proving.refused("NOT_VERIFIED"):
        proving.do(CHALLENGER, "ProofRegistry.challenge", job, 1, 1)
    proving.do(ANYONE, "ProofRegistry.prove", job, GOOD)
    with proving.refused("ALREADY_JUDGED"):
        proving.do(CHALLENGER, "ProofRegistry.challenge", job, 1, 1)
    with proving.refused("UNKNOWN_SESSION"):
        proving.do(ANYONE, "ProofRegistry.sample", job)


def test_two_receipts_of_a_proven_job_are_still_two(proving: World) -> None:
    job = submitted(proving, GOOD)
    proving.do(ANYONE, "ProofRegistry.prove", job, GOOD)
    proving.do(ANYONE, "JobManager.finalise", job)
    client = proving.balance(CLIENT)
    proving.convict(job, WORKER)
    assert proving.balance(CLIENT) == client + PRICE


def test_an_unprovable_input_is_no_matter_for_a_verifier(proving: World) -> None:
    job = proving.submit(method=VerificationMethod.ZERO_KNOWLEDGE_PROOF, open_claim=True)
    proving.do(WORKER, "JobManager.claim", job)
    with proving.refused("WRONG_METHOD"):
        proving.do(WORKER, "JobManager.report_unprovable", job)


def test_a_frozen_verifier_checks_nothing(proving: World) -> None:
    freeze = proving.queued("ProofRegistry", "freeze_version", 2)
    job = submitted(proving, GOOD)
    proved = submitted(proving, GOOD)
    proving.do(ANYONE, "ProofRegistry.prove", proved, GOOD)
    freeze()
    with proving.refused("VERIFIER_FROZEN"):
        proving.do(ANYONE, "ProofRegistry.prove", job, GOOD)
    with proving.refused("VERIFIER_FROZEN"):
        proving.do(ANYONE, "JobManager.finalise", proved)
    for each in (job, proved):
        proving.do(ANYONE, "JobManager.expire", each)
    assert proving.credit(CLIENT) == 2 * PRICE and proving.credit(WORKER) == 0
