"""A random walk over settlement: who calls what next, drawn so that jobs go through all states and every refusal is met.

The ledger is driven; each call is kept as a `Step`, which the contracts replay (`replay.py`). Half of the steps move one job on, a fifth is
noise (any entry point, any caller, arguments of the right kinds or none), the others are staking, workers, models, prices, governance.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from settlement.world import (
    ANYONE,
    CHALLENGER,
    CIRO,
    CLIENT,
    GENESIS,
    GUARDIANS,
    HOLDER,
    OWNER,
    REPORTERS,
    SIGNATURES,
    SIGNERS,
    STRANGER,
    WORKERS,
    Result,
    World,
    populate,
)

from ciro_zk.errors import SettlementError
from ciro_zk.settlement.arithmetic import hash_words, selector, short_string
from ciro_zk.settlement.ledger.chain import NATIVE, EmbeddedLedger
from ciro_zk.settlement.ledger.jobs import Job
from ciro_zk.settlement.ledger.registry import Session, Verdict
from ciro_zk.settlement.ledger.types import ADDRESS_LIMIT, FELT_PRIME, Parameter, parameters, to_calldata
from ciro_zk.settlement.parameters import (
    DISPUTE_WINDOW,
    EPOCH,
    EXECUTION_LIFE,
    GOVERNED,
    HEARTBEAT,
    HEARTBEAT_MISSES,
    PRICE_INTERVAL,
    UNBONDING,
    VOTE_PERIOD,
    JobState,
    VerificationMethod,
    Vote,
)

NEWCOMERS = tuple(range(115, 131))
"""Who may become workers during a walk."""
ACTORS = (HOLDER, CLIENT, OWNER, ANYONE, CHALLENGER, STRANGER, *WORKERS, *NEWCOMERS, *SIGNERS, *GUARDIANS, *REPORTERS)
MOST_OPEN = 6
"""Jobs at once."""
OPEN = (JobState.QUEUED, JobState.ASSIGNED, JobState.SUBMITTED, JobState.DISPUTED)
AMOUNTS = (0, 1, 10**12, CIRO, 7 * CIRO, 100 * CIRO, 5_000 * CIRO, 10**27, 10**27 + 1, 2**128 - 1)
Choose = Callable[[int], int]
"""n → an integer in [0, n): a seeded generator's, or hypothesis's, which then shrinks a failing walk."""


@dataclass(frozen=True, slots=True)
class Step:
    """A call at a block and a time: its error code, or "" and the result and the events (contract, name, fields)."""

    caller: int
    contract: str
    entry: str
    arguments: tuple[Any, ...]
    block: int
    time: int
    code: str
    result: Any
    events: tuple[tuple[str, str, dict[str, Any]], ...]


def save(steps: Sequence[Step], path: Path) -> None:
    """A trace as JSON: one step a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(asdict(step)) + "\n" for step in steps))


def load(path: Path) -> list[Step]:
    return [Step(**{name: _tuples(value) for name, value in json.loads(line).items()}) for line in path.read_text().splitlines()]


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_tuples, value))
    return {name: _tuples(item) for name, item in value.items()} if isinstance(value, dict) else value


def seeded(seed: int) -> Choose:
    return random.Random(seed).randrange


class Recorder:
    """The ledger, keeping every call that may change it."""

    def __init__(self, ledger: EmbeddedLedger, watch: Callable[[Step], None]) -> None:
        self.ledger, self.watch = ledger, watch
        self.chain_id, self.addresses = ledger.chain_id, ledger.addresses
        self.call, self.advance = ledger.call, ledger.advance

    @property
    def block(self) -> int:
        return self.ledger.block

    @property
    def time(self) -> int:
        return self.ledger.time

    def invoke(self, caller: int, contract: str, entry: str, *arguments: Any) -> Result:
        try:
            outcome = self.ledger.invoke(caller, contract, entry, *arguments)
        except SettlementError as error:
            self.watch(Step(caller, contract, entry, arguments, self.block, self.time, error.code, None, ()))
            raise
        events = tuple((event.contract, event.name, event.fields) for event in outcome.events)
        self.watch(Step(caller, contract, entry, arguments, self.block, self.time, "", outcome.result, events))
        return Result(outcome.result, outcome.events)


class Walk:
    """Draws and makes one step after another.

    Parameters
    ----------
    choose : callable
        All randomness.
    watch : callable, optional
        Told of each step made; the steps are in `steps` as well unless `keep` is false.
    """

    def __init__(self, choose: Choose, watch: Callable[[Step], None] | None = None, keep: bool = True) -> None:
        self.ledger = EmbeddedLedger(genesis=GENESIS, signatures=SIGNATURES)
        populate(self.ledger)
        self.choose, self.steps, self.made, self._watch, self._keep = choose, [], 0, watch, keep
        self.world = World(Recorder(self.ledger, self._seen))
        self.models, self.jobs, self.open = [self.world.model], [], []
        self.votes: dict[tuple[int, int, int], int] = {}
        self.requests: list[tuple[int, int]] = []
        self.proposals: dict[int, tuple[int, ...]] = {}
        self.operations: dict[int, tuple[int, ...]] = {}
        self.keys = dict.fromkeys(WORKERS + NEWCOMERS, 0)
        self.noise = _noise(self.ledger)
        self._hurried = self._draining = False
        """One job's deadline is being met; no new jobs, so that a long time may pass."""

    def run(self, steps: int) -> None:
        """Makes at least so many steps."""
        while self.made < steps:
            self.act()

    def _seen(self, step: Step) -> None:
        self.made += 1
        if self._keep:
            self.steps.append(step)
        for _, name, fields in step.events:
            if name == "JobSubmitted":
                self.jobs.append(fields["job"])
                self.open.append(fields["job"])
            elif name == "UnbondRequested":
                self.requests.append((fields["request"], fields["staker"]))
            elif name == "ModelRegistered":
                self.models.append(fields["model"])
            elif name == "Proposed":
                self.proposals[fields["proposal"]] = fields["calldata"]
            elif name == "Queued":
                self.operations[fields["operation"]] = self.proposals[fields["proposal"]]
            elif name == "SpendingProposed":
                self.operations[fields["operation"]] = ()
        if self._watch:
            self._watch(step)

    # --- drawing

    def chance(self, percent: int) -> bool:
        return self.choose(100) < percent

    def one(self, items: Sequence[Any]) -> Any:
        return items[self.choose(len(items))]

    def try_(self, caller: int, call: str, *arguments: Any) -> Any:
        """The result, or None where it is refused."""
        try:
            return self.world.do(caller, call, *arguments)
        except SettlementError:
            return None

    def wait(self, seconds: int, blocks: int = 1) -> bool:
        """Time passes; before a long time those who have a deadline mostly do what they must, instead. Says whether it passed."""
        if seconds > 2_000 and not self._hurried and self.chance(95):
            hurry = [job for job in self.open if self.in_a_hurry(job)]
            if hurry:
                self._hurried, self._draining = True, self._draining or seconds > 86_400
                number = self.one(hurry)
                self.advance(number, self.world.job(number))
                self._hurried = False
                return False
        self.ledger.advance(blocks, seconds)
        return True

    def in_a_hurry(self, number: int) -> bool:
        job = self.world.job(number)
        if job.state == JobState.ASSIGNED:
            return True
        rounds = self.world.see("ProofRegistry.round_of", number)
        session = Session(*self.world.see("ProofRegistry.session_of", number, rounds - 1)) if rounds else Session()
        return bool(session.sampled) and not session.tallied

    def act(self) -> None:
        """One decision, of one step or a few."""
        if self.chance(3) and self.world.see("GovernanceTreasury.paused"):
            self.wait(86_400)
        draw = self.choose(1_000)
        if draw < 500:
            self.job()
        elif draw < 700:
            self.anything()
        else:
            rules = (
                (self.credit, 60),
                (self.staking, 90),
                (self.worker, 50),
                (self.price, 20),
                (self.reward, 20),
                (self.model, 8),
                (self.vote_, 30),
                (self.multisig, 15),
                (self.token, 10),
                (self.pause, 1),
            )
            draw = self.choose(sum(weight for _, weight in rules))
            for rule, weight in rules:
                if draw < weight:
                    rule()
                    return
                draw -= weight

    # --- jobs

    def job(self) -> None:
        self.open = [job for job in self.open if self.world.job(job).state in OPEN]
        if self._draining and not self.open:
            self._draining = False
            self.one((self.motion, self.motion, self.checkpoints))()
        if len(self.open) < MOST_OPEN and self.chance(1 if self._draining else 25 if self.open else 100):
            self.submit()
        elif self.chance(2):
            self.late_challenge()
        elif self.open:
            number = self.one(self.open)
            job = self.world.job(number)
            if self.chance(18):
                self.mischief(number, job)
            else:
                self.advance(number, job)

    def submit(self) -> None:
        price = self.one((3, 10, 20, 50, 100)) * CIRO + self.choose(1_000)
        client = self.one((CLIENT, CLIENT, CHALLENGER, *WORKERS[:2]))
        if self.world.balance(client) < price:
            self.try_(HOLDER, "CiroToken.transfer", client, 10_000 * CIRO)
        if not self.world.see("CiroToken.allowance", client, self.ledger.addresses["JobManager"]):
            self.try_(client, "CiroToken.approve", self.ledger.addresses["JobManager"], 10**27)
        method = VerificationMethod.OPTIMISTIC if self.chance(20) else VerificationMethod.ATTESTED
        coordinator = OWNER if self.chance(15) else 0
        if coordinator:
            self.try_(OWNER, "CdcPool.register_coordinator")
        arguments = (self.models[self.choose(min(2, len(self.models)))], self.choose(2**32), price, 2 * CIRO, int(method))
        terms = (self.choose(4), self.one((0, 1, 17)), self.one((0, 0, 1_800, 7_200)), coordinator, self.chance(10))
        call = [*arguments, *terms]
        if self.chance(10):
            place, value = self.one(((0, 5), (2, 0), (2, 10**27 + 1), (3, 0), (4, 0), (4, 3), (5, 4), (6, 256), (7, 86_401), (8, STRANGER)))
            call[place] = value
        self.try_(client, "JobManager.submit", *call)

    def mischief(self, number: int, job: Job) -> None:
        """What should not come next for a job, from those who might try."""
        rounds = self.world.see("ProofRegistry.round_of", number)
        attesters = [self.world.see("ProofRegistry.attester_at", number, rounds - 1, place) for place in range(3)] if rounds else []
        caller = self.one((job.worker, job.worker, job.client, CHALLENGER, *attesters))
        commitment = hash_words(number, CHALLENGER, 5, 0)
        calls = (
            *(("JobManager." + entry, ()) for entry in ("cancel", "assign", "claim", "acknowledge", "decline", "lapse", "time_out")),
            *(("JobManager." + entry, ()) for entry in ("report_unprovable", "finalise", "reject", "expire")),
            *(("ProofRegistry." + entry, ()) for entry in ("sample", "tally", "resolve")),
            ("ProofRegistry.commit", (self.choose(3),)),
            ("ProofRegistry.reveal", (self.choose(5), 7)),
            ("ProofRegistry.reveal", (1, 8)),
            ("ProofRegistry.commit_challenge", (commitment,)),
            ("ProofRegistry.challenge", (5, 0)),
            ("ProofRegistry.prove", ((1, 2),)),
            ("JobManager.submit_result", None),
            ("ProofRegistry.report_equivocation", None),
        )
        call, arguments = self.one(calls)
        if arguments is None and not job.worker:
            return
        if arguments is None:
            *digests, key, r, s = self.receipt(number, job)
            r, s = self.one(((r, s), (r, SIGNATURES.order - s), (0, s), (r, 0), (s, r)))
            arguments = (*digests, key, r, s) if call.endswith("result") else (*digests, key, r, s, 5)
        self.try_(caller, call, number, *arguments)

    def beat(self) -> None:
        """Heartbeats of all who are near to inactive."""
        for worker in WORKERS + NEWCOMERS:
            place, *_, heartbeat = self.world.see("CdcPool.worker_of", worker)[:6]
            if place and self.ledger.time > heartbeat + HEARTBEAT * (HEARTBEAT_MISSES - 1):
                self.try_(worker, "CdcPool.heartbeat")

    def advance(self, number: int, job: Job) -> None:
        """What naturally comes next for a job, or now and then something else that may."""
        if job.state == JobState.QUEUED:
            self.queued(number, job)
        elif job.state == JobState.ASSIGNED:
            self.assigned(number, job)
        else:
            self.judged(number, job)

    def queued(self, number: int, job: Job) -> None:
        if self.chance(3):
            self.try_(job.client, "JobManager.cancel", number)
        elif self.chance(3):
            self.try_(self.one(WORKERS), "JobManager.claim", number)
        elif self.ledger.time > job.queue_ends:
            self.try_(ANYONE, "JobManager.expire", number)
        elif job.open_claim:
            self.beat()
            self.try_(self.one(WORKERS + NEWCOMERS), "JobManager.claim", number)
        elif self.ledger.block < job.seed_block + 10:
            self.wait(self.one((12, 60, 120)), job.seed_block + 10 - self.ledger.block)
        else:
            self.beat()
            self.try_(ANYONE, "JobManager.assign", number)

    def assigned(self, number: int, job: Job) -> None:
        draw = self.choose(100)
        if not job.deadline:
            if draw < 4:
                self.try_(job.worker, "JobManager.decline", number)
            elif draw < 8 or self.ledger.time > job.assigned + job.ack_window:
                self.wait(job.ack_window + 1)
                self.try_(*self.one(((ANYONE, "JobManager.lapse"), (job.worker, "JobManager.acknowledge"))), number)
            else:
                self.try_(job.worker, "JobManager.acknowledge", number)
        elif self.ledger.time > job.deadline:
            self.try_(ANYONE, "JobManager.time_out", number)
        elif draw < 3:
            self.ledger.advance(1, job.deadline + 1 - self.ledger.time)
            self.try_(job.worker, "JobManager.submit_result", number, *self.receipt(number, job))
        elif draw < 10:
            self.try_(job.worker, "JobManager.report_unprovable", number)
        else:
            self.try_(job.worker, "JobManager.submit_result", number, *self.receipt(number, job))

    def receipt(self, number: int, job: Job) -> tuple[int, ...]:
        """Of the worker's present key; at times of another's, or weak."""
        key = self.signer(job.worker if self.chance(95) else self.one(WORKERS))
        return self.world.receipt(number, job.worker, proof=self.choose(5), bits=100 if self.chance(97) else 95, key=key)

    def signer(self, worker: int) -> int:
        """The private key of a worker, which changes with each rotation."""
        return worker + 1_000 * self.keys[worker]

    def judged(self, number: int, job: Job) -> None:
        rounds = self.world.see("ProofRegistry.round_of", number)
        session = Session(*self.world.see("ProofRegistry.session_of", number, rounds - 1))
        verdict = Verdict(*self.world.see("ProofRegistry.verdict_of", number))
        if not session.sampled:
            if self.ledger.block < session.seed_block + 10:
                self.wait(12, session.seed_block + 10 - self.ledger.block)
            else:
                self.beat()
                if self.try_(ANYONE, "ProofRegistry.sample", number) is False:
                    self.unsampled(number, job)
        elif not session.tallied:
            self.attest(number, rounds - 1, session)
        elif job.state == JobState.DISPUTED:
            self.try_(ANYONE, "ProofRegistry.resolve", number)
        elif verdict.vote == Vote.VERIFIED:
            if verdict.by == 0 and self.chance(15):
                self.challenge(number)
            else:
                left = verdict.time + job.challenge_window + 1 - self.ledger.time
                if left <= 0 or self.wait(left) or self.chance(10):
                    self.try_(ANYONE, "JobManager.finalise", number)
        elif verdict.vote == Vote.NONE:
            self.unsampled(number, job)
        else:
            self.try_(ANYONE, "JobManager.reject", number)

    def unsampled(self, number: int, job: Job) -> None:
        """No verdict will come soon: wait until the job expires or its dispute is over."""
        if self.chance(20):
            if job.state == JobState.DISPUTED:
                if self.wait(DISPUTE_WINDOW + 1):
                    self.try_(ANYONE, "ProofRegistry.resolve", number)
            elif self.wait(job.verdict_expiry + 1):
                self.try_(ANYONE, "JobManager.expire", number)

    def attest(self, job: int, number: int, session: Session) -> None:
        """One attester's next move, or the tally."""
        attesters = [self.world.see("ProofRegistry.attester_at", job, number, place) for place in range(session.size)]
        over = self.ledger.time - session.sampled - session.commit_window
        silent = False
        for attester in attesters:
            _, commitment, vote = self.world.see("ProofRegistry.ballot_of", job, number, attester)
            wish = self.wish(job, number, attester)
            if wish % 100 == 98 or (wish % 100 == 97 and commitment):
                silent = silent or not vote
            elif not commitment and over <= 0:
                self.try_(attester, "ProofRegistry.commit", job, hash_words(job, number, attester, wish // 100, 7))
                return
            elif commitment and not vote and (session.committed == session.size or over > 0) and over <= session.reveal_window:
                self.try_(attester, "ProofRegistry.reveal", job, wish // 100, 7)
                return
        waiting = session.committed < session.size and over <= 0
        if waiting:
            self.wait(1 - over)
        elif silent and over <= session.reveal_window:
            self.wait(session.reveal_window + 1 - over)
        else:
            self.try_(ANYONE, "ProofRegistry.tally", job)

    def wish(self, job: int, number: int, attester: int) -> int:
        """100 vote + how: 98 never commits, 97 never reveals. Drawn once; most agree with the truth of the job."""
        key = (job, number, attester)
        if key not in self.votes:
            truth = self.votes.setdefault((job, -1, 0), self.one((1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3)))
            vote = truth if self.chance(96) else 1 + self.choose(3)
            self.votes[key] = 100 * vote + (self.choose(100) if self.chance(50) else 0)
        return self.votes[key]

    def challenge(self, number: int) -> None:
        salt, evidence = self.choose(1_000), self.choose(1_000)
        caller = self.one((CHALLENGER, CHALLENGER, CLIENT, STRANGER))
        self.try_(caller, "ProofRegistry.commit_challenge", number, hash_words(number, caller, salt, evidence))
        if self.chance(95):
            self.ledger.advance(1, 12)
        self.try_(caller, "ProofRegistry.challenge", number, salt, evidence)

    def late_challenge(self) -> None:
        """Of one of the last jobs: a challenge, or a second receipt of its worker."""
        if not self.jobs:
            return
        number = self.jobs[-1 - self.choose(min(8, len(self.jobs)))]
        job = self.world.job(number)
        if self.chance(50) or not job.worker:
            self.challenge(number)
            return
        digests = (31, 99, 33, 0, short_string("standard"), 100)
        key = self.signer(job.worker)
        receipt = self.world.see("JobManager.receipt_hash", number, *digests)
        signature = SIGNATURES.sign(key, receipt)
        self.try_(CHALLENGER, "ProofRegistry.commit_challenge", number, hash_words(number, CHALLENGER, 5, receipt))
        self.ledger.advance(1, 12)
        arguments = (number, *digests, SIGNATURES.public_key(key), *signature, 5)
        self.try_(CHALLENGER, "ProofRegistry.report_equivocation", *arguments)

    # --- money

    def credit(self) -> None:
        accounts = (*WORKERS, *NEWCOMERS, CLIENT, CHALLENGER, OWNER)
        owed = [account for account in accounts if self.world.credit(account)]
        self.try_(self.one(owed if owed and self.chance(90) else accounts), "JobManager.withdraw")

    def staking(self) -> None:
        worker = self.one(WORKERS + NEWCOMERS)
        draw = self.choose(100)
        if draw < 50:
            staker = worker if self.chance(70) else self.one((CLIENT, STRANGER, *WORKERS))
            amount = self.one((1, 50, 400)) * CIRO + self.choose(1_000)
            if self.world.balance(staker) < amount:
                self.try_(HOLDER, "CiroToken.transfer", staker, 5_000 * CIRO)
            if not self.world.see("CiroToken.allowance", staker, self.ledger.addresses["StakeVault"]):
                self.try_(staker, "CiroToken.approve", self.ledger.addresses["StakeVault"], 10**27)
            self.try_(staker, "StakeVault.stake", worker, amount)
        elif draw < 75 or not self.requests:
            staker = self.one((worker, worker, CLIENT, STRANGER))
            held = self.world.see("StakeVault.position_of", worker, staker)
            self.try_(staker, "StakeVault.request_unbond", worker, self.one((1, held // 10, held // 10, held)) or 1)
        else:
            request, staker = self.one(self.requests)
            release = self.world.see("StakeVault.request_of", request)[4]
            if self.ledger.time < release and self.chance(3):
                self.wait(UNBONDING)
            if self.ledger.time >= release or self.chance(30):
                self.try_(staker if self.chance(95) else STRANGER, "StakeVault.withdraw", request)
                self.requests.remove((request, staker))

    def token(self) -> None:
        draw = self.choose(4)
        caller, other, amount = self.one(ACTORS), self.one(ACTORS), self.choose(10) * CIRO
        if draw == 0:
            self.try_(caller, "CiroToken.transfer", other, amount)
        elif draw == 1:
            self.try_(caller, "CiroToken.approve", other, amount)
        elif draw == 2:
            self.try_(caller, "CiroToken.transfer_from", other, self.one(ACTORS), amount)
        else:
            self.try_(caller, "CiroToken.burn", amount)

    # --- workers

    def worker(self) -> None:
        worker = self.one(WORKERS + NEWCOMERS)
        draw = self.choose(100)
        if not self.world.see("CdcPool.is_registered", worker):
            if self.world.see("StakeVault.stake_of", worker) < 200 * CIRO:
                self.try_(HOLDER, "CiroToken.transfer", worker, 2_000 * CIRO)
                self.try_(worker, "CiroToken.approve", self.ledger.addresses["StakeVault"], 10**27)
                self.try_(worker, "StakeVault.stake", worker, 1_000 * CIRO)
            self.fresh_price()
            self.new_key(worker, "CdcPool.register", self.one((255, 255, 1, 0)))
            self.try_(worker, "CdcPool.heartbeat")
        elif draw < 20:
            self.new_key(worker, "CdcPool.rotate_key")
        elif draw < 40:
            self.try_(worker, "CdcPool.set_capabilities", self.one((255, 255, 255, 1, 256)))
        elif draw < 60:
            self.try_(worker, "CdcPool.announce_commission", self.one((0, 500, 1_000, 3_000, 5_001)))
        elif draw < 85:
            self.try_(ANYONE, "CdcPool.refresh_tier", worker)
        elif draw < 92:
            self.try_(ANYONE, "CdcPool.remove", worker)
        elif draw < 95:
            self.try_(worker, "CdcPool.deregister")
        else:
            self.try_(worker, "CdcPool.heartbeat")

    def new_key(self, worker: int, call: str, *arguments: int) -> None:
        """Registers or rotates with a key nobody had; it is the worker's only if that succeeds."""
        self.keys[worker] += 1
        key = SIGNATURES.public_key(self.signer(worker))
        try:
            self.world.do(worker, call, *arguments, key)
        except SettlementError:
            self.keys[worker] -= 1

    def price(self) -> None:
        for reporter in REPORTERS[: self.one((2, 3, 3, 5))]:
            self.try_(reporter, "CdcPool.report_price", self.one((900_000, 10**6, 1_100_000, 5 * 10**6)))
        self.try_(ANYONE, "CdcPool.update_price")
        if self.chance(30):
            self.wait(PRICE_INTERVAL)

    def fresh_price(self) -> None:
        if not self.world.see("CdcPool.price_fresh"):
            for reporter in REPORTERS[:3]:
                self.try_(reporter, "CdcPool.report_price", 10**6)
            self.try_(ANYONE, "CdcPool.update_price")

    def reward(self) -> None:
        epoch = self.ledger.time // EPOCH
        worker = self.one(WORKERS + NEWCOMERS)
        draw = self.choose(100)
        if draw < 50:
            self.try_(ANYONE, "CdcPool.checkpoint", epoch - self.one((0, 1, 1, 1, 1, 2)), worker)
        elif draw < 80:
            self.try_(worker, "CdcPool.claim", epoch - self.one((1, 2, 2, 3)))
        elif draw < 90:
            self.try_(CLIENT, "CiroToken.approve", self.ledger.addresses["CdcPool"], 10**21)
            self.try_(CLIENT, "CdcPool.grant", self.choose(100) * CIRO)
        elif draw < 94:
            self._draining = True

    def checkpoints(self) -> None:
        """An epoch ends: everyone's checkpoint, an epoch later everyone's claim."""
        self.ledger.advance(1, EPOCH - self.ledger.time % EPOCH)
        epoch = self.ledger.time // EPOCH - 1
        for worker in WORKERS:
            self.try_(ANYONE, "CdcPool.checkpoint", epoch, worker)
        if self.chance(70):
            self.ledger.advance(1, EPOCH)
            for worker in WORKERS:
                self.try_(worker, "CdcPool.claim", epoch)

    def model(self) -> None:
        draw = self.choose(10)
        if draw < 5:
            self.try_(OWNER, "ModelRegistry.register_model", self.choose(99), 12, 13, self.one((1, 1, 2)), CIRO)
        elif draw < 8:
            self.try_(OWNER, "ModelRegistry.set_fee", self.one(self.models), self.one((0, CIRO, CIRO, 2 * CIRO)))
        elif len(self.models) > 2:
            self.try_(OWNER, "ModelRegistry.retire", self.one(self.models[2:]))

    # --- governance

    def vote_(self) -> None:
        """A step of a proposal's life; the holder decides, others vote along."""
        draw = self.choose(100)
        if draw < 10:
            self._draining = True
        elif draw < 25 or not self.proposals:
            self.propose()
            self.ledger.advance(1, 12)
        elif draw < 55:
            positions = tuple(sorted({self.one(WORKERS) for _ in range(self.choose(3))}))
            number = max(self.proposals) - self.choose(min(3, len(self.proposals)))
            self.try_(self.one((HOLDER, HOLDER, CLIENT, *WORKERS)), "GovernanceTreasury.vote", number, self.chance(85), positions)
        elif draw < 80:
            number = max(self.proposals) - self.choose(min(3, len(self.proposals)))
            ends = self.world.see("GovernanceTreasury.proposal_of", number)[5]
            if self.ledger.time >= ends or (self.chance(35) and self.wait(VOTE_PERIOD)) or self.chance(10):
                self.try_(ANYONE, "GovernanceTreasury.queue", number)
        elif self.operations:
            self.execute(max(self.operations) - self.choose(min(4, len(self.operations))))

    def motion(self) -> None:
        """A proposal from its making to its execution, while no job is open."""
        self.propose()
        self.ledger.advance(1, 12)
        number = max(self.proposals, default=0)
        self.try_(HOLDER, "GovernanceTreasury.vote", number, self.chance(90), ())
        self.try_(self.one(WORKERS), "GovernanceTreasury.vote", number, self.chance(50), WORKERS[:1])
        self.ledger.advance(1, VOTE_PERIOD)
        operation = self.try_(ANYONE, "GovernanceTreasury.queue", number)
        if operation is not None:
            ready = self.world.see("GovernanceTreasury.operation_of", operation)[5]
            self.ledger.advance(1, ready - self.ledger.time + (EXECUTION_LIFE + 1 if self.chance(5) else 0))
            self.execute(operation)

    def propose(self) -> None:
        addresses = self.ledger.addresses
        contract = self.one(tuple(GOVERNED))
        name = self.one(tuple(GOVERNED[contract]))
        bounds = GOVERNED[contract][name]
        value = self.one((bounds.value, bounds.value, bounds.least, bounds.most, bounds.most + 1))
        calls = (
            (contract, "set_parameter", (short_string(name), value)),
            (contract, "set_parameter", (short_string(name), bounds.value)),
            ("GovernanceTreasury", "grant", (CLIENT, self.choose(3) * CIRO)),
            ("CdcPool", "set_reporters", (REPORTERS,)),
            ("GovernanceTreasury", "set_signers", (SIGNERS,)),
            ("GovernanceTreasury", "set_guardians", (GUARDIANS,)),
            ("ProofRegistry", "add_version", (NATIVE, 0)),
            ("ProofRegistry", "freeze_version", (self.one((1, 1, 99)),)),
        )
        target, entry, arguments = self.one(calls)
        calldata = to_calldata(getattr(self.ledger.contracts[target], entry).__wrapped__, arguments)
        caller = self.one((HOLDER, HOLDER, HOLDER, STRANGER))
        positions = self.one(((), (), WORKERS[:2], WORKERS[1::-1]))
        self.try_(caller, "GovernanceTreasury.propose", addresses[target], selector(entry), calldata, positions)

    def execute(self, operation: int) -> None:
        if operation not in self.operations:
            return
        ready = self.world.see("GovernanceTreasury.operation_of", operation)[5]
        if ready > self.ledger.time and not (self.chance(50) and self.wait(ready - self.ledger.time)) and self.chance(80):
            return
        calldata = self.operations[operation] if self.chance(95) else (1, 2)
        self.try_(ANYONE, "GovernanceTreasury.execute", operation, calldata)

    def multisig(self) -> None:
        signer = self.one((*SIGNERS, STRANGER))
        draw = self.choose(100)
        if draw < 30 or not self.operations:
            if self.world.balance(self.ledger.addresses["GovernanceTreasury"]) < 1_000 * CIRO:
                self.try_(HOLDER, "CiroToken.transfer", self.ledger.addresses["GovernanceTreasury"], 10_000 * CIRO)
            self.try_(signer, "GovernanceTreasury.propose_spending", STRANGER, self.one((0, 1, 20, 200)) * CIRO)
        elif draw < 75:
            self.try_(signer, "GovernanceTreasury.approve_spending", max(self.operations) - self.choose(2))
        elif draw < 85:
            self.try_(signer, "GovernanceTreasury.cancel", max(self.operations) - self.choose(3))
        else:
            self.execute(max(self.operations))

    def pause(self) -> None:
        for guardian in GUARDIANS[: self.one((1, 2, 3))]:
            self.try_(guardian, "GovernanceTreasury.pause")
        if self.chance(80):
            self.wait(3 * 86_400)

    # --- noise

    def anything(self) -> None:
        """Any entry point, from anyone, with arguments of the right kinds, of which at times one does not fit."""
        call, wanted = self.one(self.noise)
        arguments = [self.argument(parameter) for parameter in wanted]
        if self.chance(4):
            fault = self.choose(3)
            # A flag's felt other than 0 and 1 is true for Cairo.
            plain = [place for place, each in enumerate(wanted) if not each.array and 2 < each.unsigned.limit < FELT_PRIME]
            if fault == 0 and plain:
                place = self.one(plain)
                arguments[place] = wanted[place].unsigned.limit + self.choose(2)
            elif fault == 1 and arguments:
                arguments.pop()
            else:
                arguments.append(0)
        self.try_(self.one(ACTORS), call, *arguments)

    def argument(self, parameter: Parameter) -> Any:
        name, limit = parameter.name, parameter.unsigned.limit
        if parameter.array:
            return tuple(sorted({self.one(ACTORS) for _ in range(self.choose(3))}))
        pools: dict[str, Sequence[int]] = {
            "job": self.jobs[-10:] or (1,),
            "model": self.models[-4:],
            "request": [request for request, _ in self.requests[-5:]] or (1,),
            "proposal": tuple(self.proposals)[-3:] or (1,),
            "operation": tuple(self.operations)[-3:] or (1,),
            "epoch": [self.ledger.time // EPOCH - back for back in range(3)],
            "block": [self.ledger.block - back for back in range(3)],
            "vote": range(5),
            "key": [SIGNATURES.public_key(worker) for worker in WORKERS],
        }
        if name in pools and not self.chance(3):
            pool: Sequence[int] = pools[name]
        elif limit == 2:
            pool = (0, 1)
        elif limit == 2**128 or name == "amount":
            pool = AMOUNTS
        elif limit == ADDRESS_LIMIT and name != "class_hash":
            pool = (0, *ACTORS, *self.ledger.addresses.values(), limit - 1)
        else:
            pool = (0, 1, 2, 3, 255, limit - 1)
        return self.one([value for value in pool if value < limit])


def _noise(ledger: EmbeddedLedger) -> list[tuple[str, tuple[Parameter, ...]]]:
    """Every entry point and what it takes. Proposals are the walk's own: what passes must be a call that every chain can make."""
    found = []
    for name, contract in ledger.contracts.items():
        for entry in dir(type(contract)):
            function = getattr(type(contract), entry)
            if getattr(function, "kind", None) in ("external", "view") and entry not in ("propose", "burn"):
                found.append((f"{name}.{entry}", parameters(function.__wrapped__)))
    return found
