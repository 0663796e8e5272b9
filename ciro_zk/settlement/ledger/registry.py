"""ProofRegistry: verdicts on results, by sampled attesters, a committee or an on-chain verifier.

A result opens round 0: attesters are drawn by stake with the hash of a later block, excluding the worker, the client and whoever has
stake behind or
under them; each bonds 2 price / quorum. They commit to a vote, then reveal it. A unanimous quorum for "verified" is a verdict; everything
else, and
every challenge, goes to round 1, a committee of seven of which five decide. The committee is final: silence there is no verdict.

A vote against the committee's verdict costs as Malicious, a commitment not revealed as ProtocolViolation, silence as PoorPerformance.
A worker is never rejected by round 0 alone: two colluding attesters of three could otherwise burn its whole stake.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

from ciro_zk.settlement.arithmetic import hash_words, mul_div_up
from ciro_zk.settlement.ledger.contract import Contract, Map, external, require, view
from ciro_zk.settlement.ledger.types import U8, U32, U256, Address, Felt, Felts, Flag
from ciro_zk.settlement.parameters import (
    ATTESTER_BOND_FACTOR,
    ATTESTER_SIZES,
    CHALLENGE_BOND_MAXIMUM,
    CHALLENGE_BOND_MINIMUM,
    COMMITTEE_QUORUM,
    COMMITTEE_SIZE,
    DISPUTE_WINDOW,
    EVIDENCE_WINDOW,
    SEED_DELAY,
    SEED_LIFE,
    JobState,
    SlashReason,
    VerificationMethod,
    Vote,
)

if TYPE_CHECKING:
    from ciro_zk.settlement.ledger.chain import EmbeddedLedger
    from ciro_zk.settlement.ledger.jobs import Job

SAMPLE, COMMITTEE, VERIFIER = 0, 1, 2
"""Who decided: the sampled attesters, the committee, or an on-chain verifier."""


@dataclass(frozen=True, slots=True)
class Session:
    """One round of attestation of a job: draws that found too few, when one did not (0 before), at the end votes by kind."""

    seed_block: int = 0
    draws: int = 0
    sampled: int = 0
    commit_window: int = 0
    reveal_window: int = 0
    size: int = 0
    quorum: int = 0
    bond: int = 0
    tallied: int = 0
    committed: int = 0
    revealed: int = 0
    verified: int = 0
    rejected: int = 0
    unavailable: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided, when, by whom (SAMPLE, COMMITTEE or VERIFIER), and whether anything was."""

    vote: int = 0
    time: int = 0
    by: int = 0
    decided: int = 0


@dataclass(frozen=True, slots=True)
class Ballot:
    """An attester's commitment and revealed vote."""

    sampled: int = 0
    commitment: int = 0
    vote: int = 0


@dataclass(frozen=True, slots=True)
class Dispute:
    """An open challenge."""

    challenger: int = 0
    bond: int = 0
    opened: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """A verifier of a proof system: its contract (0 where the chain has none), and whether it was found unsound."""

    proof_system: int = 0
    verifier: int = 0
    frozen: int = 0


class ProofRegistry(Contract):
    """Verdicts, attestations, disputes and verifier versions."""

    name = "ProofRegistry"

    def __init__(self, chain: EmbeddedLedger) -> None:
        super().__init__(chain)
        self._sessions = Map(self, "sessions", Session())
        self._rounds = Map(self, "rounds", 0)
        self._attesters = Map(self, "attesters", 0)
        self._ballots = Map(self, "ballots", Ballot())
        self._verdicts = Map(self, "verdicts", Verdict())
        self._disputes = Map(self, "disputes", Dispute())
        self._commitments = Map(self, "commitments", 0)
        self._versions = Map(self, "versions", Version())
        self._num_versions = Map(self, "num_versions", 0)
        self._current = Map(self, "current", 0)

    # --- verifier versions

    @external
    def add_version(self, proof_system: U8, verifier: Address) -> U32:
        """Governance: jobs submitted from now on use it; gives its number. NOT_GOVERNANCE."""
        self.require_governance()
        return self.install(proof_system, verifier)

    def install(self, proof_system: int, verifier: int) -> int:
        """Also at deployment."""
        number = self._num_versions[()] + 1
        self._num_versions[()] = number
        self._versions[number] = Version(proof_system, verifier)
        self._current[proof_system] = number
        self.emit("VersionAdded", version=number, proof_system=proof_system, verifier=verifier)
        return number

    @external
    def freeze_version(self, version: U32) -> None:
        """Governance: found unsound; its jobs are refunded without slashing. NOT_GOVERNANCE, UNKNOWN_SYSTEM."""
        self.require_governance()
        found = self._versions[version]
        require(version > 0 and version <= self._num_versions[()], "UNKNOWN_SYSTEM")
        self._versions[version] = replace(found, frozen=1)
        self.emit("VersionFrozen", version=version)

    # --- attestation

    @external
    def open_session(self, job: U256) -> None:
        """A result is there: NOT_SYSTEM."""
        self.require_system("JobManager")
        if self._job(job).method != VerificationMethod.ZERO_KNOWLEDGE_PROOF:
            self._open(job, SAMPLE)

    @external
    def sample(self, job: U256) -> Flag:
        """Anyone, once the deciding block can be read: draws the round's attesters, or a later block where it finds too few.

        Gives whether attesters were found. UNKNOWN_SESSION, ALREADY_SAMPLED, WRONG_STATE, SEED_NOT_READY.
        """
        number, session = self._session(job)
        require(not session.sampled, "ALREADY_SAMPLED")
        found = self._job(job)
        require(found.state in (JobState.SUBMITTED, JobState.DISPUTED) or bool(self._disputes[job].opened), "WRONG_STATE")
        require(self.chain.block >= session.seed_block + self.chain.hash_lag, "SEED_NOT_READY")
        if self.chain.block <= session.seed_block + SEED_LIFE:
            seed = hash_words(self.chain.block_hash(session.seed_block), job, number + 1)
            for size in self._sizes(number, found):
                quorum = COMMITTEE_QUORUM if number == COMMITTEE else size // 2 + 1
                bond = mul_div_up(found.price, ATTESTER_BOND_FACTOR, quorum)
                attesters = self._draw(job, number, found, session, seed, size, bond)
                if len(attesters) == size:
                    self._engage(job, number, replace(session, sampled=self.time, size=size, quorum=quorum, bond=bond), attesters)
                    return True
            session = replace(session, draws=session.draws + 1)
        self._sessions[job, number] = replace(session, seed_block=self.chain.block + SEED_DELAY)
        self.emit("SeedRenewed", job=job, round=number, seed_block=self.chain.block + SEED_DELAY)
        return False

    @external
    def commit(self, job: U256, commitment: U256) -> None:
        """A sampled attester's keccak(job, round, attester, vote, salt).

        UNKNOWN_SESSION, NOT_ATTESTER, ALREADY_COMMITTED, COMMIT_CLOSED.
        """
        number, session, ballot = self._ballot(job)
        require(ballot.commitment == 0, "ALREADY_COMMITTED")
        require(self.time <= session.sampled + session.commit_window, "COMMIT_CLOSED")
        require(commitment != 0, "NOT_COMMITTED")
        self._ballots[job, number, self.caller] = replace(ballot, commitment=commitment)
        self._sessions[job, number] = replace(session, committed=session.committed + 1)
        self.emit("VoteCommitted", job=job, round=number, attester=self.caller, commitment=commitment)

    @external
    def reveal(self, job: U256, vote: U8, salt: Felt) -> None:
        """Once commitments are closed or complete: the vote (VERIFIED says "obtained and verified") and its salt.

        UNKNOWN_SESSION, NOT_ATTESTER, NOT_COMMITTED, ALREADY_REVEALED, REVEAL_CLOSED, WRONG_VOTE, WRONG_REVEAL.
        """
        number, session, ballot = self._ballot(job)
        require(ballot.commitment != 0, "NOT_COMMITTED")
        require(ballot.vote == 0, "ALREADY_REVEALED")
        closed = session.sampled + session.commit_window
        require(session.committed == session.size or self.time > closed, "REVEAL_CLOSED")
        require(self.time <= closed + session.reveal_window, "REVEAL_CLOSED")
        require(vote in (Vote.VERIFIED, Vote.REJECTED, Vote.UNAVAILABLE), "WRONG_VOTE")
        require(hash_words(job, number, self.caller, vote, salt) == ballot.commitment, "WRONG_REVEAL")
        self._ballots[job, number, self.caller] = replace(ballot, vote=vote)
        self._sessions[job, number] = replace(
            session,
            revealed=session.revealed + 1,
            verified=session.verified + (vote == Vote.VERIFIED),
            rejected=session.rejected + (vote == Vote.REJECTED),
            unavailable=session.unavailable + (vote == Vote.UNAVAILABLE),
        )
        self.emit("VoteRevealed", job=job, round=number, attester=self.caller, vote=vote)

    @external
    def tally(self, job: U256) -> U8:
        """Anyone, when all have revealed or the time is over: decides, or calls the committee; frees and penalises attesters.

        Gives the vote that was decided, 0 for none. UNKNOWN_SESSION, NOT_SAMPLED, ALREADY_TALLIED, TALLY_OPEN.
        """
        number, session = self._session(job)
        require(bool(session.sampled), "NOT_SAMPLED")
        require(not session.tallied, "ALREADY_TALLIED")
        over = session.sampled + session.commit_window + session.reveal_window
        require(session.revealed == session.size or self.time > over, "TALLY_OPEN")
        session = replace(session, tallied=1)
        self._sessions[job, number] = session
        decided = _decision(number, session)
        self._release(job, number, session)
        if self._verdicts[job].by == COMMITTEE:  # the dispute ended before the committee did
            return int(Vote.NONE)
        if number == COMMITTEE or decided:
            self._decide(job, decided, number)
        elif self._job(job).state == JobState.SUBMITTED:
            self._open(job, COMMITTEE)
        frozen = bool(self._versions[self._job(job).verifier_version].frozen)
        if number == COMMITTEE and decided in (Vote.VERIFIED, Vote.REJECTED) and not frozen:
            self._punish(job, Vote.REJECTED if decided == Vote.VERIFIED else Vote.VERIFIED)
        return int(decided)

    @external
    def prove(self, job: U256, proof: Felts) -> U8:
        """Anyone, of a job settled by an on-chain verifier: the proof of the receipt is checked; gives the verdict.

        UNKNOWN_JOB, WRONG_METHOD, WRONG_STATE, VERDICT_EXISTS, VERIFIER_FROZEN, WRONG_PROOF.
        """
        found = self._job(job)
        require(found.method == VerificationMethod.ZERO_KNOWLEDGE_PROOF, "WRONG_METHOD")
        require(found.state == JobState.SUBMITTED, "WRONG_STATE")
        require(not self._verdicts[job].decided, "VERDICT_EXISTS")
        version = self._versions[found.verifier_version]
        require(not version.frozen, "VERIFIER_FROZEN")
        require(hash_words(*proof) == found.proof_digest, "WRONG_PROOF")
        good = self.chain.run_verifier(version.verifier, found.vk_digest, found.statement_digest, proof)
        self._decide(job, Vote.VERIFIED if good else Vote.REJECTED, VERIFIER)
        return int(self._verdicts[job].vote)

    # --- challenges

    @external
    def commit_challenge(self, job: U256, commitment: U256) -> None:
        """keccak(job, challenger, salt, evidence digest), at least one block before the challenge, which nobody can copy then.

        Kept by account: the same commitment of another does not stand in its way. UNKNOWN_JOB, ALREADY_COMMITTED."""
        self._job(job)
        require(self._commitments[job, self.caller, commitment] == 0, "ALREADY_COMMITTED")
        self._commitments[job, self.caller, commitment] = self.chain.block + 1
        self.emit("ChallengeCommitted", job=job, commitment=commitment)

    @external
    def challenge(self, job: U256, salt: Felt, evidence: U256) -> None:
        """Any account but the worker, with a bond that JobManager pulls: calls the committee.

        Before payment within the challenge window, after it within the evidence window. UNKNOWN_JOB, SELF_CHALLENGE, WRONG_STATE,
        NOT_VERIFIED,
        ALREADY_JUDGED, VERIFIER_FROZEN, WINDOW_CLOSED, NOT_COMMITTED, TOO_FRESH, ALLOWANCE_TOO_LOW, BALANCE_TOO_LOW.
        """
        found, verdict = self._job(job), self._verdicts[job]
        require(self.caller != found.worker, "SELF_CHALLENGE")
        require(found.state in (JobState.SUBMITTED, JobState.PAID), "WRONG_STATE")
        require(verdict.vote == Vote.VERIFIED, "NOT_VERIFIED")
        require(verdict.by == SAMPLE and self._rounds[job] == SAMPLE + 1, "ALREADY_JUDGED")
        require(not self._versions[found.verifier_version].frozen, "VERIFIER_FROZEN")
        closes = found.submitted + EVIDENCE_WINDOW if found.state == JobState.PAID else verdict.time + found.challenge_window
        require(self.time <= closes, "WINDOW_CLOSED")
        self._take_commitment(job, salt, evidence)
        bond = challenge_bond(found.price)
        self._disputes[job] = Dispute(self.caller, bond, self.time)
        self._open(job, COMMITTEE)
        self.emit("Challenged", job=job, challenger=self.caller, evidence=evidence, bond=bond)
        self.call(self.chain.vault.open_dispute, found.worker)
        self.call(self.chain.jobs.open_dispute, job, self.caller, bond)

    @external
    def resolve(self, job: U256) -> None:
        """Anyone, when the committee has decided or the dispute window is over: the job and the bond go where they belong.

        NOT_DISPUTED, NO_VERDICT.
        """
        dispute = self._disputes[job]
        require(dispute.opened != 0, "NOT_DISPUTED")
        found, verdict = self._job(job), self._verdicts[job]
        judged = verdict.by == COMMITTEE
        frozen = bool(self._versions[found.verifier_version].frozen)
        require(judged or frozen or self.time > dispute.opened + DISPUTE_WINDOW, "NO_VERDICT")
        vote = verdict.vote if judged and not frozen else int(Vote.NONE)
        self._disputes[job] = Dispute()
        if not judged:
            self._decide(job, Vote.NONE, COMMITTEE)
        self.emit("Resolved", job=job, vote=vote)
        self.call(self.chain.vault.close_dispute, found.worker)
        self.call(self.chain.jobs.close_dispute, job, vote, dispute.challenger, dispute.bond)

    @external
    def report_equivocation(
        self,
        job: U256,
        statement_digest: U256,
        proof_digest: U256,
        output_digest: U256,
        index: U32,
        preset: Felt,
        security_bits: U32,
        key: Felt,
        r: U256,
        s: U256,
        salt: Felt,
    ) -> None:
        """Anyone, with a second receipt of the job that its worker signed and that differs; committed to as a challenge, its hash the
        evidence.

        UNKNOWN_JOB, SELF_CHALLENGE, WRONG_STATE, ALREADY_CONVICTED, WINDOW_CLOSED, SAME_RECEIPT, BAD_SIGNATURE, WRONG_SIGNER,
        NOT_COMMITTED, TOO_FRESH.
        """
        found = self._job(job)
        require(self.caller != found.worker, "SELF_CHALLENGE")
        require(found.submitted != 0 and found.state != JobState.DISPUTED, "WRONG_STATE")
        require(not found.convicted, "ALREADY_CONVICTED")
        require(self.time <= found.submitted + EVIDENCE_WINDOW, "WINDOW_CLOSED")
        other = self.call(self.chain.jobs.receipt_hash, job, statement_digest, proof_digest, output_digest, index, preset, security_bits)
        require(other != found.receipt, "SAME_RECEIPT")
        self.chain.check_signature(found.worker, other, key, r, s)
        self._take_commitment(job, salt, other)
        self.emit("Equivocated", job=job, worker=found.worker, reporter=self.caller, receipt=other)
        self.call(self.chain.jobs.convict, job, self.caller, challenge_bond(found.price))

    # --- views

    @view
    def current_version(self, proof_system: U8) -> U32:
        """The verifier version that new jobs of a proof system use; 0 where there is none."""
        return self._current[proof_system]

    @view
    def version_of(self, version: U32) -> tuple[int, ...]:
        """proof_system, verifier, frozen."""
        return astuple(self._versions[version])

    @view
    def verdict_of(self, job: U256) -> tuple[int, ...]:
        """vote, time, by, decided."""
        return astuple(self._verdicts[job])

    @view
    def round_of(self, job: U256) -> U32:
        """How many rounds were opened."""
        return self._rounds[job]

    @view
    def session_of(self, job: U256, round: U32) -> tuple[int, ...]:
        """seed_block, draws, sampled, commit_window, reveal_window, size, quorum, bond, tallied, committed, revealed, verified,
        rejected, unavailable."""
        return astuple(self._sessions[job, round])

    @view
    def attester_at(self, job: U256, round: U32, place: U32) -> Address:
        return self._attesters[job, round, place]

    @view
    def ballot_of(self, job: U256, round: U32, attester: Address) -> tuple[int, ...]:
        """sampled, commitment, vote."""
        return astuple(self._ballots[job, round, attester])

    @view
    def dispute_of(self, job: U256) -> tuple[int, ...]:
        """challenger, bond, opened; zeros where none is open."""
        return astuple(self._disputes[job])

    @view
    def majority_of(self, job: U256) -> tuple[int, ...]:
        """The attesters of the deciding round who revealed the verdict."""
        verdict = self._verdicts[job]
        if not verdict.decided or verdict.by == VERIFIER:
            return ()
        return tuple(a for a in self._round(job, verdict.by) if self._ballots[job, verdict.by, a].vote == verdict.vote)

    # --- inside

    def _job(self, job: int) -> Job:
        found = self.chain.jobs.job(job)
        require(found.state != JobState.NONE, "UNKNOWN_JOB")
        return found

    def _session(self, job: int) -> tuple[int, Session]:
        rounds = self._rounds[job]
        require(rounds > 0, "UNKNOWN_SESSION")
        return rounds - 1, self._sessions[job, rounds - 1]

    def _ballot(self, job: int) -> tuple[int, Session, Ballot]:
        number, session = self._session(job)
        ballot = self._ballots[job, number, self.caller]
        require(bool(ballot.sampled), "NOT_ATTESTER")
        return number, session, ballot

    def _round(self, job: int, number: int) -> tuple[int, ...]:
        return tuple(self._attesters[job, number, place] for place in range(self._sessions[job, number].size))

    def _open(self, job: int, number: int) -> None:
        self._rounds[job] = number + 1
        self._sessions[job, number] = Session(
            seed_block=self.chain.block + SEED_DELAY,
            commit_window=self.parameter("commit_window"),
            reveal_window=self.parameter("reveal_window"),
        )
        self.emit("SessionOpened", job=job, round=number, seed_block=self.chain.block + SEED_DELAY)

    def _sizes(self, number: int, job: Job) -> tuple[int, ...]:
        if number == COMMITTEE:
            return (COMMITTEE_SIZE,)
        return (1,) if job.method == VerificationMethod.OPTIMISTIC else ATTESTER_SIZES

    def _draw(self, job: int, number: int, found: Job, session: Session, seed: int, size: int, bond: int) -> list[int]:
        """Up to `size` distinct workers without an interest in the job; the trials of one seed are shared by the seats."""
        attesters: list[int] = []
        parties = [found.worker, found.client] + ([self._disputes[job].challenger] if self._disputes[job].opened else [])
        before = self._round(job, SAMPLE) if number == COMMITTEE else ()
        trial = 0
        while len(attesters) < size:
            candidate, trial = self.call(self.chain.pool.draw, seed, session.seed_block, session.draws, trial, 0, bond)
            if candidate == 0:
                break
            if candidate in attesters or candidate in before or candidate in parties:
                continue
            if any(self.call(self.chain.vault.linked, candidate, party, session.seed_block) for party in parties):
                continue
            attesters.append(candidate)
        return attesters

    def _engage(self, job: int, number: int, session: Session, attesters: list[int]) -> None:
        self._sessions[job, number] = session
        for place, attester in enumerate(attesters):
            self._attesters[job, number, place] = attester
            self._ballots[job, number, attester] = Ballot(sampled=1)
        self.emit("AttestersSampled", job=job, round=number, attesters=tuple(attesters), quorum=session.quorum, bond=session.bond)
        for attester in attesters:
            self.call(self.chain.vault.lock, attester, hash_words(job, number + 1), session.bond)
            self.call(self.chain.pool.record_attester, attester, True)

    def _release(self, job: int, number: int, session: Session) -> None:
        """Frees the attesters' bonds; silence and commitments not revealed cost."""
        for attester in self._round(job, number):
            ballot = self._ballots[job, number, attester]
            self.call(self.chain.vault.unlock, attester, hash_words(job, number + 1))
            self.call(self.chain.pool.record_attester, attester, False)
            if not ballot.commitment:
                self._slash(attester, SlashReason.POOR_PERFORMANCE, session.bond)
            elif not ballot.vote:
                self._slash(attester, SlashReason.PROTOCOL_VIOLATION, session.bond)

    def _punish(self, job: int, false_vote: Vote) -> None:
        for number in (SAMPLE, COMMITTEE):
            for attester in self._round(job, number):
                if self._ballots[job, number, attester].vote == false_vote:
                    self._slash(attester, SlashReason.MALICIOUS, self._sessions[job, number].bond)

    def _slash(self, attester: int, reason: SlashReason, bond: int) -> None:
        self.call(self.chain.vault.slash, attester, int(reason), bond, 0, 0, 0, 0)

    def _decide(self, job: int, vote: Vote, by: int) -> None:
        self._verdicts[job] = Verdict(int(vote), self.time, by, 1)
        self.emit("VerdictReached", job=job, vote=int(vote), by=by)

    def _take_commitment(self, job: int, salt: int, evidence: int) -> None:
        committed = self._commitments[job, self.caller, hash_words(job, self.caller, salt, evidence)]
        require(committed != 0, "NOT_COMMITTED")
        require(committed - 1 < self.chain.block, "TOO_FRESH")


def challenge_bond(price: int) -> int:
    """The price, clamped."""
    return min(max(price, CHALLENGE_BOND_MINIMUM), CHALLENGE_BOND_MAXIMUM)


def _decision(number: int, session: Session) -> Vote:
    """What the votes of a round decide; NONE calls the committee, or ends without a verdict."""
    against = session.rejected + session.unavailable
    if number == SAMPLE:
        return Vote.VERIFIED if session.verified >= session.quorum and not against else Vote.NONE
    if session.verified >= session.quorum:
        return Vote.VERIFIED
    if session.rejected >= session.quorum:
        return Vote.REJECTED
    return Vote.UNAVAILABLE if against >= session.quorum else Vote.NONE
