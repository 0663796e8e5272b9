"""Hooks that turn verdicts into calls: a worker's result, an attester's vote, a challenge, the settlement itself.

Each hook puts actions into its account's outbox, under keys that name job and account: the same verdict twice puts nothing twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ciro_zk.hooks import Verdict
from ciro_zk.receipt import SignedReceipt, digest_of
from ciro_zk.settlement.arithmetic import hash_words, short_string
from ciro_zk.settlement.interface import Chain
from ciro_zk.settlement.ledger.jobs import Job
from ciro_zk.settlement.ledger.registry import Session
from ciro_zk.settlement.outbox import Action, Outbox
from ciro_zk.settlement.parameters import EVIDENCE_WINDOW, Vote


def job_of(chain: Chain, job: int) -> Job:
    """The job's fields."""
    return Job(*chain.call("JobManager", "job_of", job))


def result_action(chain: Chain, signed: SignedReceipt) -> Action:
    """A worker's `submit_result`, with the job's deadline."""
    facts = signed.receipt.integers()
    digests = tuple(facts[name] for name in ("statement_digest", "proof_digest", "output_digest", "index"))
    return Action(
        key=f"submit_result:{signed.receipt.job:#x}",
        contract="JobManager",
        entry="submit_result",
        arguments=(
            signed.receipt.job,
            *digests,
            short_string(signed.receipt.preset),
            signed.receipt.security_bits,
            signed.key,
            signed.r,
            signed.s,
        ),
        job=signed.receipt.job,
        receipt=signed.receipt.message(signed.scheme),
        deadline=job_of(chain, signed.receipt.job).deadline,
    )


@dataclass(frozen=True, slots=True)
class Attester:
    """Votes what the verifier said, when its account is sampled.

    `secret` makes the salts: 32 bytes that are never sent, so that votes cannot be read from commitments.
    """

    chain: Chain
    address: int
    outbox: Outbox
    secret: bytes

    def on_verdict(self, verdict: Verdict) -> None:
        job = verdict.receipt.job
        number = self.chain.call("ProofRegistry", "round_of", job) - 1
        session = Session(*self.chain.call("ProofRegistry", "session_of", job, number))
        vote = Vote.VERIFIED if verdict.accepted else Vote.REJECTED
        salt = self._salt(job, number)
        closes = session.sampled + session.commit_window
        commitment = hash_words(job, number, self.address, vote, salt)
        self.outbox.put(
            self._action("commit", job, number, (job, commitment), closes),
            self._action("reveal", job, number, (job, int(vote), salt), closes + session.reveal_window),
        )

    def _salt(self, job: int, number: int) -> int:
        mark = job.to_bytes(32, "big") + number.to_bytes(4, "big") + self.address.to_bytes(32, "big")
        return int.from_bytes(hashlib.blake2s(mark, key=self.secret).digest()[:31], "big")

    def _action(self, entry: str, job: int, number: int, arguments: tuple[int, ...], deadline: int) -> Action:
        key = f"{entry}:{job:#x}:{number}:{self.address:#x}"
        return Action(key=key, contract="ProofRegistry", entry=entry, arguments=arguments, job=job, deadline=deadline)


@dataclass(frozen=True, slots=True)
class Challenger:
    """Challenges a result that the chain takes for verified and the verifier does not."""

    chain: Chain
    address: int
    outbox: Outbox
    secret: bytes

    def on_verdict(self, verdict: Verdict) -> None:
        if verdict.accepted:
            return
        job = verdict.receipt.job
        evidence = int.from_bytes(digest_of(bytes(verdict.evidence.receipt)), "big")
        salt = int.from_bytes(hashlib.blake2s(job.to_bytes(32, "big"), key=self.secret).digest()[:31], "big")
        deadline = job_of(self.chain, job).submitted + EVIDENCE_WINDOW
        commitment = hash_words(job, self.address, salt, evidence)
        for entry, arguments in (("commit_challenge", (job, commitment)), ("challenge", (job, salt, evidence))):
            key = f"{entry}:{job:#x}:{self.address:#x}"
            self.outbox.put(Action(key=key, contract="ProofRegistry", entry=entry, arguments=arguments, job=job, deadline=deadline))


@dataclass(frozen=True, slots=True)
class Settler:
    """Ends a job as the chain's own verdict says: pays it or refunds it, once."""

    chain: Chain
    outbox: Outbox

    def on_verdict(self, verdict: Verdict) -> None:
        job = verdict.receipt.job
        entry = "finalise" if verdict.accepted else "reject"
        receipt = verdict.receipt.message(verdict.evidence.receipt.scheme)
        self.outbox.put(Action(key=f"settle:{job:#x}", contract="JobManager", entry=entry, arguments=(job,), job=job, receipt=receipt))
