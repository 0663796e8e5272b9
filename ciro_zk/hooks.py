"""Verdicts, and the hooks that settlement and slashing hang on them.

`judge` rechecks a signed receipt against its proof: the verdict is "verified" or "rejected", with evidence that anyone can judge again and
get the same. What proves nothing about the worker (another's signature, other bytes than those signed for) is an error, not a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from numpy.typing import ArrayLike

from ciro_zk.errors import FormatError, InputError, ProofRejected, SettlementError
from ciro_zk.program.keys import VerifyingKey
from ciro_zk.program.public import by_name, quantise
from ciro_zk.program.statement import inference_digests, statement_of, tensors_digest
from ciro_zk.proof import Proof
from ciro_zk.receipt import SignedReceipt, UnsignedReceipt, digest_of
from ciro_zk.verifier import Verified, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What anyone needs to judge again: the signed receipt, the proof's bytes and the key's digest are in it or named by it."""

    receipt: SignedReceipt
    stage: str
    """Where a rejected proof failed, "" where it verified."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of judging a signed receipt."""

    accepted: bool
    evidence: Evidence
    verified: Verified | None
    """The verifier's result, None where the proof was rejected."""

    @property
    def receipt(self) -> UnsignedReceipt:
        return self.evidence.receipt.receipt

    def __repr__(self) -> str:
        word = "verified" if self.accepted else f"rejected at {self.evidence.stage}: {self.evidence.reason}"
        return f"Verdict(job {self.receipt.job:#x}, {word})"


@runtime_checkable
class VerifierHook(Protocol):
    """What settlement and slashing implement."""

    def on_verdict(self, verdict: Verdict) -> None:
        """Called once a verdict is reached; must be safe to call again with the same one."""
        ...


def input_digest_of(vk: VerifyingKey, inputs: ArrayLike | Mapping[str, ArrayLike]) -> bytes:
    """What a client submits a job for: the digest of one inference's inputs, quantised as the circuit quantises them.

    Raises
    ------
    InputError
        A name, shape or value that the circuit does not take.
    """
    graph = vk.program.graph
    values = by_name("input", graph.inputs, inputs)
    integers = {port.name: quantise(port, graph.tensors[port.tensor], values[port.name]) for port in graph.inputs}
    return tensors_digest(graph.inputs, graph.tensors, integers)


def receipt_of(
    vk: VerifyingKey,
    proof: bytes,
    *,
    chain_id: int,
    job_manager: int,
    job: int,
    model: int,
    verifier_version: int,
    worker: int,
    index: int = 0,
) -> UnsignedReceipt:
    """What a worker signs for a proof as the result of a job; `index` names the inference of a batch. The proof is read, not verified.

    Raises
    ------
    ProofFormatError
        The bytes are no proof.
    InputError
        The proof has no inference of that index.
    """
    parsed, program = Proof.from_bytes(proof), vk.program
    statement = statement_of(program, vk.model_commitment, parsed.inputs, parsed.outputs, parsed.batch, vk.weights_sample)
    if not 0 <= index < parsed.batch:
        raise InputError(f"the proof has {parsed.batch} inferences", field="index", value=index, remedy=f"give 0 to {parsed.batch - 1}")
    return UnsignedReceipt(
        chain_id=chain_id,
        job_manager=job_manager,
        job=job,
        model=model,
        program_digest=statement.program_digest,
        model_commitment=statement.model_commitment,
        vk_digest=vk.digest,
        verifier_version=verifier_version,
        preset=statement.preset,
        security_bits=int(program.batched(parsed.batch).security.summed_bits),
        statement_digest=statement.digest,
        proof_digest=digest_of(proof),
        output_digest=inference_digests(program.graph.outputs, program.graph.tensors, parsed.outputs, parsed.batch)[index],
        index=index,
        worker=worker,
    )


def judge(vk: VerifyingKey, proof: bytes, receipt: SignedReceipt, *, input_digest: bytes, hooks: tuple[VerifierHook, ...] = ()) -> Verdict:
    """Recheck a signed receipt, and tell the hooks.

    Parameters
    ----------
    vk : VerifyingKey
        The key of the job's model version.
    proof : bytes
        The bytes published under the receipt's proof digest. Bytes that are no proof are a rejected proof: the worker signed for them.
    receipt : SignedReceipt
        Untrusted.
    input_digest : bytes
        Of the job's input (32 bytes), as the client submitted it.
    hooks : tuple of VerifierHook
        Called in order.

    Raises
    ------
    SettlementError
        BAD_SIGNATURE, WRONG_SIGNER, WRONG_PROOF (other bytes than those signed for) or UNKNOWN_MODEL (a receipt about another key): none is
        evidence.
    """
    receipt.check()
    facts = receipt.receipt
    if digest_of(proof) != facts.proof_digest:
        raise SettlementError("WRONG_PROOF", "these bytes are not those that the receipt signs for")
    if facts.vk_digest != vk.digest:
        raise SettlementError("UNKNOWN_MODEL", "the receipt is about another verifying key")
    verified, stage, reason = None, "", ""
    try:
        verified = verify(vk, Proof.from_bytes(proof, "the proof"))
        _agree(verified, facts, input_digest)
    except ProofRejected as error:
        verified, stage, reason = None, error.stage, str(error)
    except FormatError as error:
        verified, stage, reason = None, "format", str(error)
    verdict = Verdict(accepted=verified is not None, evidence=Evidence(receipt=receipt, stage=stage, reason=reason), verified=verified)
    for hook in hooks:
        hook.on_verdict(verdict)
    return verdict


def _agree(verified: Verified, facts: UnsignedReceipt, input_digest: bytes) -> None:
    """A valid proof of something else than the receipt says is a rejected one."""
    if not 0 <= facts.index < verified.statement.batch:
        raise ProofRejected(stage="receipt", reason=f"the proof has {verified.statement.batch} inferences, none at {facts.index}")
    inference = verified.inference(facts.index)
    for name, said, proven in (
        ("program digest", facts.program_digest, verified.statement.program_digest),
        ("model commitment", facts.model_commitment, verified.statement.model_commitment),
        ("preset", facts.preset, verified.statement.preset),
        ("statement digest", facts.statement_digest, verified.statement.digest),
        ("output digest", facts.output_digest, inference.output_digest),
        ("input digest", input_digest, inference.input_digest),
    ):
        if said != proven:
            raise ProofRejected(stage="receipt", reason=f"the {name} is not the proof's", expected=said, actual=proven)
    if facts.security_bits > verified.security.summed_bits:
        raise ProofRejected(stage="receipt", reason="the proof has fewer bits of security than the receipt says")
