"""A settlement system with people in it, on the ledger or on the contracts, and what they usually do, in their words.

Every scenario is written against `Chain`, and so runs on each implementation (`conftest.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple, Protocol

import pytest

from ciro_zk.errors import SettlementError
from ciro_zk.settlement.arithmetic import hash_words, selector, short_string
from ciro_zk.settlement.ledger.chain import EmbeddedLedger, Genesis
from ciro_zk.settlement.ledger.jobs import Job
from ciro_zk.settlement.ledger.registry import Session
from ciro_zk.settlement.ledger.store import Event
from ciro_zk.settlement.parameters import DELAY_UPGRADE, EPOCH, VOTE_PERIOD, VerificationMethod, Vote
from ciro_zk.signatures import StarkSignatures

CIRO = 10**18
HOLDER, CLIENT, OWNER, ANYONE, CHALLENGER, STRANGER = 1000, 500, 600, 700, 800, 900
SIGNERS, GUARDIANS, REPORTERS = (1, 2, 3, 4, 5), (11, 12, 13), (21, 22, 23, 24, 25)
WORKERS = tuple(range(101, 115))
START = 10 * EPOCH
"""The time of the first block: the start of an epoch."""
PRICE = 100 * CIRO
MODEL_FEE = CIRO
SALT = 7
GENESIS = Genesis(holder=HOLDER, signers=SIGNERS, guardians=GUARDIANS, reporters=REPORTERS, time=START)


class QuickSignatures(StarkSignatures):
    """Real signatures in a fortieth of the time: most of the library's is spent on drawing the nonce, which tests need not hide."""

    def __init__(self) -> None:
        self.public_key = cache(super().public_key)  # type: ignore[method-assign]

    def sign(self, private_key: int, message: int) -> tuple[int, int]:
        """r = x(k G), s = (message + r key) / k, the low one."""
        nonce = hash_words(private_key, message) % self.order
        r = super().public_key(nonce)
        s = (message + r * private_key) * pow(nonce, -1, self.order) % self.order
        return r, min(s, self.order - s)


SIGNATURES = QuickSignatures()


class Result(NamedTuple):
    """What a call gave, and its events."""

    result: Any
    events: tuple[Event, ...]


class Chain(Protocol):
    """What an implementation of settlement offers to those who use it."""

    chain_id: int
    addresses: dict[str, int]

    @property
    def block(self) -> int: ...

    @property
    def time(self) -> int: ...

    def advance(self, blocks: int = 1, seconds: int = 0) -> None: ...

    def invoke(self, caller: int, contract: str, entry: str, *arguments: Any) -> Any: ...

    def call(self, contract: str, entry: str, *arguments: Any) -> Any: ...


def populate(chain: Chain) -> None:
    """Fourteen workers with 1,000 to 1,130 CIRO of stake, a client, a challenger, a model at 1 CIRO a job, CIRO at one dollar."""
    for reporter in REPORTERS[:3]:
        chain.invoke(reporter, "CdcPool", "report_price", 10**6)
    chain.invoke(ANYONE, "CdcPool", "update_price")
    for account in (CLIENT, CHALLENGER):
        chain.invoke(HOLDER, "CiroToken", "transfer", account, 10_000 * CIRO)
        chain.invoke(account, "CiroToken", "approve", chain.addresses["JobManager"], 10**27)
    for place, worker in enumerate(WORKERS):
        chain.invoke(HOLDER, "CiroToken", "transfer", worker, 5_000 * CIRO)
        chain.invoke(worker, "CiroToken", "approve", chain.addresses["StakeVault"], 10**27)
        chain.invoke(worker, "StakeVault", "stake", worker, (1_000 + 10 * place) * CIRO)
        chain.invoke(worker, "CdcPool", "register", 255, SIGNATURES.public_key(worker))
        chain.invoke(worker, "CdcPool", "heartbeat")
    chain.invoke(OWNER, "ModelRegistry", "register_model", 11, 12, 13, 1, MODEL_FEE)


class World:
    """Calls by name, and the usual steps of a job."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.model = hash_words(chain.chain_id, chain.addresses["ModelRegistry"], OWNER, 0)

    # --- calls

    def do(self, caller: int, call: str, *arguments: Any) -> Any:
        """`do(CLIENT, "JobManager.cancel", job)`: the result."""
        contract, entry = call.split(".")
        return self.chain.invoke(caller, contract, entry, *arguments).result

    def events(self, caller: int, call: str, *arguments: Any) -> tuple[Event, ...]:
        contract, entry = call.split(".")
        return tuple(self.chain.invoke(caller, contract, entry, *arguments).events)

    def see(self, call: str, *arguments: Any) -> Any:
        contract, entry = call.split(".")
        return self.chain.call(contract, entry, *arguments)

    @contextmanager
    def refused(self, code: str) -> Iterator[None]:
        """The call inside is refused with this code, and nothing has changed."""
        before = self.state()
        with pytest.raises(SettlementError) as caught:
            yield
        assert caught.value.code == code
        assert self.state() == before

    def state(self) -> Any:
        """All that is stored, where the implementation shows it; else what the contracts owe and hold."""
        if isinstance(self.chain, EmbeddedLedger):
            return self.chain.store.cells()
        held = tuple(self.balance(self.chain.addresses[name]) for name in ("JobManager", "StakeVault", "CdcPool"))
        return held, tuple(self.see("JobManager.totals")), self.balance(CLIENT), self.balance(CHALLENGER)

    def wait(self, seconds: int = 0, blocks: int = 1) -> None:
        """Time passes, and every worker stays alive."""
        self.chain.advance(blocks, seconds)
        if seconds >= 300:
            for worker in WORKERS:
                if self.see("CdcPool.is_registered", worker):
                    self.do(worker, "CdcPool.heartbeat")

    def balance(self, account: int) -> int:
        return int(self.see("CiroToken.balance_of", account))

    def credit(self, account: int) -> int:
        return int(self.see("JobManager.credit_of", account))

    def stake(self, worker: int) -> int:
        return int(self.see("StakeVault.stake_of", worker))

    def job(self, job: int) -> Job:
        return Job(*self.see("JobManager.job_of", job))

    # --- the steps of a job

    def submit(
        self,
        *,
        client: int = CLIENT,
        price: int = PRICE,
        method: int = VerificationMethod.ATTESTED,
        model: int | None = None,
        max_fee: int = 2 * CIRO,
        job_type: int = 0,
        capabilities: int = 1,
        duration: int = 0,
        coordinator: int = 0,
        open_claim: bool = False,
    ) -> int:
        model = self.model if model is None else model
        return int(
            self.do(
                client, "JobManager.submit", model, 77, price, max_fee, method, job_type, capabilities, duration, coordinator, open_claim
            )
        )

    def assign(self, job: int) -> int:
        self.wait(60, blocks=22)
        return int(self.do(ANYONE, "JobManager.assign", job))

    def assigned(self, **terms: Any) -> tuple[int, int]:
        """A job whose worker has acknowledged."""
        job = self.submit(**terms)
        worker = self.assign(job)
        self.do(worker, "JobManager.acknowledge", job)
        return job, worker

    def receipt(self, job: int, worker: int, *, proof: int = 32, output: int = 33, bits: int = 100, key: int = 0) -> tuple[int, ...]:
        """The arguments of `submit_result` after the job: digests and a signature (by the worker's first key where none is given)."""
        digests = (31, proof, output, 0, short_string("standard"), bits)
        private = key or worker
        r, s = SIGNATURES.sign(private, self.see("JobManager.receipt_hash", job, *digests))
        return (*digests, SIGNATURES.public_key(private), r, s)

    def submitted(self, **terms: Any) -> tuple[int, int]:
        """A job with a result."""
        job, worker = self.assigned(**terms)
        self.do(worker, "JobManager.submit_result", job, *self.receipt(job, worker))
        return job, worker

    def sample(self, job: int) -> tuple[int, ...]:
        """Attesters of the job's present round."""
        self.wait(60, blocks=22)
        assert self.do(ANYONE, "ProofRegistry.sample", job)
        return self.attesters(job)

    def attesters(self, job: int) -> tuple[int, ...]:
        number = self.see("ProofRegistry.round_of", job) - 1
        session = Session(*self.see("ProofRegistry.session_of", job, number))
        return tuple(int(self.see("ProofRegistry.attester_at", job, number, place)) for place in range(session.size))

    def commit(self, job: int, attester: int, vote: int) -> None:
        number = self.see("ProofRegistry.round_of", job) - 1
        self.do(attester, "ProofRegistry.commit", job, hash_words(job, number, attester, vote, SALT))

    def vote(self, job: int, votes: dict[int, Vote]) -> int:
        """Everyone commits, then everyone reveals; gives the tally."""
        for attester, vote in votes.items():
            self.commit(job, attester, vote)
        for attester, vote in votes.items():
            self.do(attester, "ProofRegistry.reveal", job, vote, SALT)
        return int(self.do(ANYONE, "ProofRegistry.tally", job))

    def judged(self, vote: Vote = Vote.VERIFIED, **terms: Any) -> tuple[int, int]:
        """A job with the sample's votes counted."""
        job, worker = self.submitted(**terms)
        self.vote(job, dict.fromkeys(self.sample(job), vote))
        return job, worker

    def paid(self, **terms: Any) -> tuple[int, int]:
        """A job paid after its challenge window."""
        job, worker = self.judged(**terms)
        self.wait(self.job(job).challenge_window + 1)
        self.do(ANYONE, "JobManager.finalise", job)
        return job, worker

    def challenge(self, job: int, *, challenger: int = CHALLENGER, salt: int = SALT) -> None:
        """A commitment, a block later the challenge."""
        self.do(challenger, "ProofRegistry.commit_challenge", job, hash_words(job, challenger, salt, 99))
        self.wait()
        self.do(challenger, "ProofRegistry.challenge", job, salt, 99)

    def equivocation(self, job: int, worker: int, *, output: int = 34, salt: int = SALT, **receipt: int) -> tuple[int, ...]:
        """The arguments of `report_equivocation`: another receipt of the job, and the salt of its commitment."""
        return (*self.receipt(job, worker, output=output, **receipt), salt)

    def convict(self, job: int, worker: int, *, reporter: int = CHALLENGER, output: int = 34) -> None:
        """A commitment to another receipt of the job, a block later the receipt."""
        report = self.equivocation(job, worker, output=output)
        receipt = self.see("JobManager.receipt_hash", job, *report[:6])
        self.do(reporter, "ProofRegistry.commit_challenge", job, hash_words(job, reporter, SALT, receipt))
        self.wait()
        self.do(reporter, "ProofRegistry.report_equivocation", job, *report)

    # --- governance

    def queued(self, contract: str, entry: str, *arguments: int) -> Callable[[], None]:
        """A call that the supply's holder has voted for and whose delay is over: what makes it.

        The arguments are felts. It takes seventeen days, which jobs are better submitted after.
        """
        self.wait()
        target = self.chain.addresses[contract]
        proposal = self.do(HOLDER, "GovernanceTreasury.propose", target, selector(entry), arguments, ())
        self.do(HOLDER, "GovernanceTreasury.vote", proposal, True, ())
        self.wait(VOTE_PERIOD)
        operation = self.do(ANYONE, "GovernanceTreasury.queue", proposal)
        self.wait(DELAY_UPGRADE)
        return lambda: self.do(ANYONE, "GovernanceTreasury.execute", operation, arguments)

    def freeze(self) -> Callable[[], None]:
        """What freezes the native verifier's version."""
        return self.queued("ProofRegistry", "freeze_version", 1)

    def pause(self) -> None:
        for guardian in GUARDIANS[:2]:
            self.do(guardian, "GovernanceTreasury.pause")

    # --- what always holds

    def check_invariants(self) -> None:
        """Tokens are conserved, and every contract's tokens are what it owes."""
        supply = int(self.see("CiroToken.total_supply"))
        accounts = {
            HOLDER,
            CLIENT,
            OWNER,
            ANYONE,
            CHALLENGER,
            STRANGER,
            *WORKERS,
            *SIGNERS,
            *GUARDIANS,
            *REPORTERS,
            *self.chain.addresses.values(),
        }
        assert sum(self.balance(account) for account in accounts) == supply
        assert self.balance(self.chain.addresses["JobManager"]) == sum(self.see("JobManager.totals"))
        pools = [self.see("StakeVault.pool_of", worker) for worker in (*WORKERS, STRANGER)]
        assert self.balance(self.chain.addresses["StakeVault"]) == sum(pool[0] + pool[2] for pool in pools)
        funds, reserved = self.see("CdcPool.funds")
        assert self.balance(self.chain.addresses["CdcPool"]) == funds >= reserved
