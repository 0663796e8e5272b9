"""The whole story on any chain whose time can be moved on: three jobs, three workers, and what became of their money.

1. An honest worker proves an inference; sampled attesters check the proof; it is paid, once.
2. A worker forges its outputs, and has bribed the attesters who were sampled. A challenger shows the proof to the committee, which rejects
   it: the forger loses its stake, the client has its money back, the challenger is paid, and the bribed attesters are slashed.
3. A worker goes silent; after its deadline anyone times the job out, the client has its money back and the worker loses a tenth of its
   bond.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from ciro_zk.errors import SettlementError
from ciro_zk.hooks import Verdict, input_digest_of, judge, receipt_of
from ciro_zk.program.keys import VerifyingKey
from ciro_zk.proof import Proof
from ciro_zk.receipt import SignedReceipt
from ciro_zk.settlement.interface import SteppedChain
from ciro_zk.settlement.ledger.registry import Session
from ciro_zk.settlement.outbox import Account, Outbox, State
from ciro_zk.settlement.parameters import HEARTBEAT, VerificationMethod
from ciro_zk.settlement.roles import Attester, Challenger, Settler, job_of, result_action
from ciro_zk.signatures import StarkSignatures

CIRO = 10**18
PRICE = 100 * CIRO
STAKE = 1_000 * CIRO
CLIENT, OWNER, CHALLENGER, ANYONE = 0xC11E, 0x0E12, 0xC4A1, 0xA11
HONEST, FORGER, SILENT = 0xA1, 0xA2, 0xA3
ATTESTERS = tuple(range(0xB0, 0xBD))
WORKERS = (HONEST, FORGER, SILENT, *ATTESTERS)
"""Private keys too: a story has no secrets."""


@dataclass
class Story:
    """The state of the telling.

    Parameters
    ----------
    chain : SteppedChain
        With a price of CIRO set, `holder` holding the supply.
    account : callable
        An outbox's account by address.
    prove : callable
        From an input to the bytes of its proof, as the worker makes it.
    """

    chain: SteppedChain
    account: Callable[[int], Account]
    vk: VerifyingKey
    prove: Callable[[NDArray[Any]], bytes]
    images: Sequence[NDArray[Any]]
    holder: int
    say: Callable[[str], None]
    outboxes: dict[int, Outbox] = field(default_factory=dict)
    published: dict[int, tuple[bytes, SignedReceipt, bytes]] = field(default_factory=dict)
    """By job: the proof, its signed receipt, and the input's digest, as everyone can fetch them."""
    model: int = 0

    def tell(self) -> dict[str, Any]:
        """All three jobs; gives the amounts that moved, in units of 1e-18 CIRO."""
        self.prepare()
        return {"honest": self.honest(), "forger": self.forger(), "silent": self.silent()}

    def prepare(self) -> None:
        """Everyone has CIRO; sixteen workers stake and register; the model's version is registered."""
        for account, amount in ((CLIENT, 1_000), (CHALLENGER, 1_000), *((worker, 2_000) for worker in WORKERS)):
            self.do(self.holder, "CiroToken", "transfer", account, amount * CIRO)
        for account in (CLIENT, CHALLENGER):
            self.do(account, "CiroToken", "approve", self.chain.addresses["JobManager"], 1_000 * CIRO)
        for worker in WORKERS:
            self.do(worker, "CiroToken", "approve", self.chain.addresses["StakeVault"], STAKE)
            self.do(worker, "StakeVault", "stake", worker, STAKE)
            self.do(worker, "CdcPool", "register", 1, StarkSignatures().public_key(worker))
            self.do(worker, "CdcPool", "heartbeat")
        words = (int.from_bytes(digest, "big") for digest in (self.vk.program.digest, self.vk.model_commitment, self.vk.digest))
        self.model = self.do(OWNER, "ModelRegistry", "register_model", *words, 1, CIRO)

    # --- the three jobs

    def honest(self) -> dict[str, int]:
        job = self.submit(0)
        self.claim(job, HONEST)
        self.publish(job, HONEST, self.prove(self.images[0]))
        verdict = self.attest(job)
        self.say(f"a worker claims it, proves it and signs; {len(self.attesters(job))} attesters sampled by stake verify the proof")
        self.wait(job_of(self.chain, job).challenge_window + 1)
        settler = Settler(self.chain, self.outbox(ANYONE))
        for _ in range(2):  # the same verdict again changes nothing
            settler.on_verdict(verdict)
            self.run()
        paid = int(self.do(HONEST, "JobManager", "withdraw"))
        self.refused("NOTHING_TO_WITHDRAW", HONEST, "JobManager", "withdraw")
        self.refused("WRONG_STATE", ANYONE, "JobManager", "finalise", job)
        self.say(f"the worker was paid {_ciro(paid)}, once")
        return {"paid": paid}

    def forger(self) -> dict[str, int]:
        job = self.submit(1)
        self.claim(job, FORGER)
        self.publish(job, FORGER, forged(self.prove(self.images[1])))
        bribed = self.sample(job)
        honest = self.judge(job)
        self.say(f"a second worker altered the outputs of its proof, which the verifier rejects at {honest.evidence.stage}")
        lie = replace(honest, accepted=True)
        self.vote(job, bribed, lie)
        self.say(f"the {len(bribed)} attesters sampled were bribed and voted for it")
        balance, stake = self.balance(CHALLENGER), int(self.chain.call("StakeVault", "stake_of", FORGER))
        Challenger(self.chain, CHALLENGER, self.outbox(CHALLENGER), b"challenger's secret").on_verdict(honest)
        self.run()
        self.wait(0)
        self.run()
        self.attest(job)
        self.do(ANYONE, "ProofRegistry", "resolve", job)
        self.do(CHALLENGER, "JobManager", "withdraw")
        refund = int(self.do(CLIENT, "JobManager", "withdraw"))
        reward = self.balance(CHALLENGER) - balance
        lost = stake - int(self.chain.call("StakeVault", "stake_of", FORGER))
        bribes = sum(STAKE - int(self.chain.call("StakeVault", "stake_of", attester)) for attester in bribed)
        self.say(f"a challenge called the committee, which rejected the proof: the forger lost {_ciro(lost)}, the bribed {_ciro(bribes)}")
        self.say(f"the client has {_ciro(refund)} back, the challenger earned {_ciro(reward)}")
        return {"slashed": lost, "attesters_slashed": bribes, "refunded": refund, "challenger": reward}

    def silent(self) -> dict[str, int]:
        job = self.submit(2)
        self.claim(job, SILENT)
        self.wait(3_601)
        stake = int(self.chain.call("StakeVault", "stake_of", SILENT))
        self.do(ANYONE, "JobManager", "time_out", job)
        refund = int(self.do(CLIENT, "JobManager", "withdraw"))
        lost = stake - int(self.chain.call("StakeVault", "stake_of", SILENT))
        self.say(f"a third worker went silent: timed out, the client has {_ciro(refund)} back, the worker lost {_ciro(lost)}")
        return {"slashed": lost, "refunded": refund}

    # --- the steps

    def submit(self, image: int) -> int:
        """The client escrows the price for one image."""
        digest = int.from_bytes(input_digest_of(self.vk, self.images[image]), "big")
        terms = (self.model, digest, PRICE, CIRO, int(VerificationMethod.ATTESTED), 0, 1, 0, 0, True)
        job = int(self.do(CLIENT, "JobManager", "submit", *terms))
        self.say(f"a client escrows {_ciro(PRICE)} for an inference of the registered model")
        return job

    def claim(self, job: int, worker: int) -> None:
        self.wait(0)
        self.do(worker, "JobManager", "claim", job)

    def publish(self, job: int, worker: int, proof: bytes) -> None:
        """The worker signs a receipt of what it proved, publishes the proof and submits the result."""
        facts = receipt_of(
            self.vk,
            proof,
            chain_id=self.chain.chain_id,
            job_manager=self.chain.addresses["JobManager"],
            job=job,
            model=self.model,
            verifier_version=job_of(self.chain, job).verifier_version,
            worker=worker,
        )
        signed = facts.sign(worker)
        self.published[job] = (proof, signed, job_of(self.chain, job).input_digest.to_bytes(32, "big"))
        self.outbox(worker).put(result_action(self.chain, signed))
        self.run()

    def attest(self, job: int) -> Verdict:
        """Attesters are sampled; each judges for itself and votes; the votes are counted."""
        attesters = self.sample(job)
        verdict = self.judge(job)
        self.vote(job, attesters, verdict)
        return verdict

    def sample(self, job: int) -> tuple[int, ...]:
        self.wait(60, blocks=22)
        self.do(ANYONE, "ProofRegistry", "sample", job)
        return self.attesters(job)

    def judge(self, job: int) -> Verdict:
        proof, signed, digest = self.published[job]
        return judge(self.vk, proof, signed, input_digest=digest)

    def vote(self, job: int, attesters: tuple[int, ...], verdict: Verdict) -> None:
        for attester in attesters:
            Attester(self.chain, attester, self.outbox(attester), attester.to_bytes(32, "big")).on_verdict(verdict)
        self.run()
        self.do(ANYONE, "ProofRegistry", "tally", job)

    def attesters(self, job: int) -> tuple[int, ...]:
        number = self.chain.call("ProofRegistry", "round_of", job) - 1
        session = Session(*self.chain.call("ProofRegistry", "session_of", job, number))
        return tuple(int(self.chain.call("ProofRegistry", "attester_at", job, number, place)) for place in range(session.size))

    # --- the chain

    def do(self, caller: int, contract: str, entry: str, *arguments: Any) -> Any:
        return self.chain.invoke(caller, contract, entry, *arguments).result

    def refused(self, code: str, caller: int, contract: str, entry: str, *arguments: Any) -> None:
        try:
            self.do(caller, contract, entry, *arguments)
        except SettlementError as error:
            if error.code == code:
                return
            raise
        raise SettlementError("WRONG_STATE", f"{contract}.{entry} should have been refused with {code}")

    def balance(self, account: int) -> int:
        return int(self.chain.call("CiroToken", "balance_of", account))

    def outbox(self, address: int) -> Outbox:
        if address not in self.outboxes:
            self.outboxes[address] = Outbox(":memory:", self.account(address))
        return self.outboxes[address]

    def run(self) -> None:
        """Every outbox moves on until none can."""
        before: list[tuple[str, State]] = []
        while True:
            for outbox in self.outboxes.values():
                outbox.step()
            rows = [row for outbox in self.outboxes.values() for row in outbox.rows()]
            failed = [row for row in rows if row.state is State.FAILED]
            if failed:
                raise SettlementError(failed[0].code, f"{failed[0].action.key} failed")
            after = [(row.action.key, row.state) for row in rows]
            if after == before:
                return
            before = after

    def wait(self, seconds: int, blocks: int = 1) -> None:
        self.chain.advance(blocks, seconds)
        if seconds >= HEARTBEAT:
            for worker in WORKERS:
                if self.chain.call("CdcPool", "is_registered", worker):
                    self.do(worker, "CdcPool", "heartbeat")


def forged(proof: bytes) -> bytes:
    """The same proof with every output one unit higher."""
    parsed = Proof.from_bytes(proof)
    return bytes(replace(parsed, outputs={name: value + 1 for name, value in parsed.outputs.items()}))


def _ciro(amount: int) -> str:
    return f"{amount / CIRO:,.2f} CIRO"
