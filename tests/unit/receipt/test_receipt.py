"""Receipts, their two signatures, and the verdicts that rest on them."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import pytest
from strategies import tiny, tiny_input

import ciro_zk as cz
from ciro_zk.errors import FormatError, SettlementError
from ciro_zk.hooks import Verdict, input_digest_of, judge, receipt_of
from ciro_zk.params import STANDARD
from ciro_zk.receipt import SignedReceipt, UnsignedReceipt, digest_of, unsigned_from_bytes
from ciro_zk.signatures import SCHEMES, signatures

PRIVATE = 12345
JOB = {"chain_id": 77, "job_manager": 88, "job": 99, "model": 1, "verifier_version": 1, "worker": 66}


@cache
def case(batch: int = 1) -> tuple[Any, bytes, UnsignedReceipt, bytes]:
    """A key, a proof's bytes, the receipt of its last inference, and that inference's input digest."""
    pk, vk = cz.setup(tiny(STANDARD))
    runs = [cz.infer(pk, tiny_input(seed).astype(float) / 2) for seed in range(batch)]
    proof = cz.prove(pk, runs if batch > 1 else runs[0])
    verified = cz.verify(vk, proof)
    receipt = receipt_of(vk, bytes(proof), index=batch - 1, **JOB)
    return vk, bytes(proof), receipt, verified.inference(batch - 1).input_digest


class Hook:
    def __init__(self) -> None:
        self.seen: list[Verdict] = []

    def on_verdict(self, verdict: Verdict) -> None:
        self.seen.append(verdict)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_honest_receipt_is_verified(scheme: str, batch: int) -> None:
    vk, proof, receipt, input_digest = case(batch)
    signed = receipt.sign(PRIVATE, scheme)
    again = SignedReceipt.from_bytes(bytes(signed))
    assert again == signed and unsigned_from_bytes(bytes(receipt)) == receipt
    hook = Hook()
    verdict = judge(vk, proof, again, input_digest=input_digest, hooks=(hook,))
    assert verdict.accepted and hook.seen == [verdict]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_signature_has_one_form(scheme: str) -> None:
    signed = case()[2].sign(PRIVATE, scheme)
    order = signatures(scheme).order
    for field, value in (("s", order - signed.s), ("r", 0), ("s", 0), ("r", order), ("s", signed.s + order)):
        with pytest.raises(SettlementError) as caught:
            dataclasses.replace(signed, **{field: value}).check()
        assert caught.value.code == "BAD_SIGNATURE"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(UnsignedReceipt) if field.name != "format_version"])
def test_every_field_is_signed(scheme: str, field: str) -> None:
    signed = case()[2].sign(PRIVATE, scheme)
    value = getattr(signed.receipt, field)
    other = bytes([value[0] ^ 1]) + value[1:] if isinstance(value, bytes) else value + "x" if isinstance(value, str) else value + 1
    with pytest.raises(SettlementError) as caught:
        dataclasses.replace(signed, receipt=dataclasses.replace(signed.receipt, **{field: other})).check()
    assert caught.value.code == "WRONG_SIGNER"


@pytest.mark.parametrize(
    ("field", "value"),
    [("statement_digest", bytes(32)), ("output_digest", bytes(32)), ("model_commitment", bytes(32)), ("index", 1), ("security_bits", 4000)],
)
def test_a_signed_falsehood_about_a_good_proof_is_evidence(field: str, value: Any) -> None:
    vk, proof, receipt, input_digest = case()
    verdict = judge(vk, proof, dataclasses.replace(receipt, **{field: value}).sign(PRIVATE), input_digest=input_digest)
    assert not verdict.accepted and verdict.evidence.stage == "receipt"


def test_a_forged_proof_is_evidence_and_so_are_bytes_that_are_none() -> None:
    vk, proof, receipt, input_digest = case()
    parsed = cz.Proof.from_bytes(proof)
    outputs = {name: value + 1 for name, value in parsed.outputs.items()}
    forged = bytes(dataclasses.replace(parsed, outputs=outputs))
    for data, stage in ((forged, None), (b"no proof", "format")):
        signed = dataclasses.replace(receipt, proof_digest=digest_of(data)).sign(PRIVATE)
        verdict = judge(vk, data, signed, input_digest=input_digest)
        assert not verdict.accepted and verdict.verified is None
        assert stage is None or verdict.evidence.stage == stage


def test_a_client_and_the_proof_agree_on_the_inputs_digest() -> None:
    vk, _, _, input_digest = case(3)
    assert input_digest_of(vk, tiny_input(2).astype(float) / 2) == input_digest


def test_another_input_than_the_jobs_is_rejected() -> None:
    vk, proof, receipt, _ = case()
    assert not judge(vk, proof, receipt.sign(PRIVATE), input_digest=bytes(32)).accepted


def test_what_says_nothing_about_the_worker_is_no_verdict() -> None:
    vk, proof, receipt, input_digest = case()
    for code, data, changed in (
        ("WRONG_PROOF", proof + b"x", receipt),
        ("UNKNOWN_MODEL", proof, dataclasses.replace(receipt, vk_digest=bytes(32))),
    ):
        with pytest.raises(SettlementError) as caught:
            judge(vk, data, changed.sign(PRIVATE), input_digest=input_digest)
        assert caught.value.code == code


def test_an_unsigned_receipt_is_no_signed_one() -> None:
    with pytest.raises(FormatError, match="no signature"):
        SignedReceipt.from_bytes(bytes(case()[2]))


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"job": 1}', b"\xff", b"[" * 9000, b"{" + b" " * 20000 + b"}"])
def test_malformed_receipts_are_refused(data: bytes) -> None:
    for parse in (SignedReceipt.from_bytes, unsigned_from_bytes):
        with pytest.raises(FormatError):
            parse(data)


def test_a_receipt_has_one_encoding() -> None:
    data = bytes(case()[2].sign(PRIVATE))
    for other in (data + b" ", data.replace(b'"index":0', b'"index":"0x0"'), data.replace(b'"scheme"', b' "scheme"')):
        assert other != data
        with pytest.raises(FormatError):
            SignedReceipt.from_bytes(other)
