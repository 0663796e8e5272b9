"""Receipts: a worker's signed word that one proof is the result of one job.

A receipt binds a job on one chain (chain id, contract, job id) to a model version, the verifier version and key it is judged under, and
to the digests of statement, proof and output. Its own digest leaves the signature out. A signed receipt whose proof fails is evidence
that anyone can recheck.

    digest of bytes = BLAKE2s-256, as an integer read big-endian where a chain wants one
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar

from ciro_zk.circuit.manifest import canonical_json
from ciro_zk.errors import FormatError, SettlementError
from ciro_zk.signatures import SCHEMES, signatures

FORMAT_VERSION = 1
MOST_BYTES = 16_384
"""Of a receipt's file."""
_DIGESTS = ("program_digest", "model_commitment", "vk_digest", "statement_digest", "proof_digest", "output_digest")
_LIMITS = {"format_version": 2**128, "chain_id": 2**251, "job_manager": 2**251, "job": 2**256, "model": 2**256, "verifier_version": 2**32}
_LIMITS |= {"security_bits": 2**32, "index": 2**32, "worker": 2**251}


def digest_of(data: bytes) -> bytes:
    """BLAKE2s-256."""
    return hashlib.blake2s(data).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedReceipt:
    """What a base install makes: the facts, which settlement refuses until a worker's key has signed them."""

    kind: ClassVar[str] = "unsigned receipt"

    format_version: int = FORMAT_VERSION
    chain_id: int
    job_manager: int
    """Address of the contract that holds the job."""
    job: int
    model: int
    """The model version's id."""
    program_digest: bytes
    model_commitment: bytes
    vk_digest: bytes
    verifier_version: int
    preset: str
    """Security preset, at most 31 ASCII characters."""
    security_bits: int
    """Whole bits, inference and registration together."""
    statement_digest: bytes
    proof_digest: bytes
    output_digest: bytes
    """Of the outputs of the inference at `index`."""
    index: int = 0
    """Which inference of a batch's proof the job is."""
    worker: int
    """The worker's account."""

    def __post_init__(self) -> None:
        for name in _DIGESTS:
            if len(getattr(self, name)) != 32:
                raise FormatError(f"receipt: {name} must be 32 bytes", remedy="give the BLAKE2s-256 digest")
        for name, limit in _LIMITS.items():
            if not 0 <= getattr(self, name) < limit:
                raise FormatError(f"receipt: {name} must be in [0, {limit})", remedy="check the field")
        if len(self.preset) > 31 or not self.preset.isascii():
            raise FormatError("receipt: preset must be at most 31 ASCII characters", remedy="name a security preset")
        if self.format_version != FORMAT_VERSION:
            raise FormatError(f"receipt: format version {self.format_version}", remedy=f"this library reads version {FORMAT_VERSION}")

    def integers(self) -> dict[str, int]:
        """The fields as a chain has them: digests as 256-bit integers, the preset as a short string."""
        values = asdict(self)
        found = {name: int.from_bytes(value, "big") if isinstance(value, bytes) else value for name, value in values.items()}
        return found | {"preset": int.from_bytes(self.preset.encode(), "big")}

    def message(self, scheme: str) -> int:
        """What a key signs: SNIP-12 under "stark", EIP-712 under "secp256k1"."""
        return signatures(scheme).receipt_hash(self.chain_id, self.integers())

    def sign(self, private_key: int, scheme: str = "stark") -> SignedReceipt:
        """The receipt with a signature.

        Raises
        ------
        InputError
            The library of that scheme is not installed.
        """
        maker = signatures(scheme)
        r, s = maker.sign(private_key, self.message(scheme))
        return SignedReceipt(receipt=self, scheme=scheme, key=maker.public_key(private_key), r=r, s=s)

    def __bytes__(self) -> bytes:
        return canonical_json(_to_json(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReceipt:
    """A receipt and the signature of one of its worker's keys."""

    receipt: UnsignedReceipt
    scheme: str
    key: int
    r: int
    s: int

    def check(self) -> None:
        """Raises unless the signature is the key's, in its one canonical form.

        Raises
        ------
        SettlementError
            BAD_SIGNATURE: r or s out of range, or the high s; WRONG_SIGNER.
        """
        maker = signatures(self.scheme)
        if not (0 < self.r < maker.order and 0 < self.s <= maker.order // 2):
            raise SettlementError("BAD_SIGNATURE", "r or s is out of range, or s is the high one")
        if not maker.verify(self.key, self.receipt.message(self.scheme), self.r, self.s):
            raise SettlementError("WRONG_SIGNER", "the key did not sign this receipt")

    def at(self, index: int) -> UnsignedReceipt:
        """The facts of another inference of the same batch, to be signed by themselves."""
        return replace(self.receipt, index=index)

    def __bytes__(self) -> bytes:
        signature = {"scheme": self.scheme, "key": hex(self.key), "r": hex(self.r), "s": hex(self.s)}
        return canonical_json(_to_json(self.receipt) | {"signature": signature})

    @staticmethod
    def from_bytes(data: bytes, source: str = "<receipt>") -> SignedReceipt:
        """Parse, without checking the signature.

        Raises
        ------
        FormatError
            Not a signed receipt, not canonical, or out of bounds; names the field.
        """
        document = _document(data, source)
        signature = document.pop("signature", None)
        if not isinstance(signature, dict) or set(signature) != {"scheme", "key", "r", "s"} or signature["scheme"] not in SCHEMES:
            raise FormatError(f"{source}: no signature", remedy="settlement takes signed receipts; sign it with the worker's key")
        numbers = {name: _number(signature[name], f"signature.{name}", 2**256, source) for name in ("key", "r", "s")}
        found = SignedReceipt(receipt=_from_json(document, source), scheme=signature["scheme"], **numbers)
        if bytes(found) != data:
            raise FormatError(f"{source}: not in canonical form", remedy="write receipts with bytes(receipt)")
        return found


def unsigned_from_bytes(data: bytes, source: str = "<receipt>") -> UnsignedReceipt:
    """Parse an unsigned receipt; raises `FormatError` as `SignedReceipt.from_bytes` does."""
    found = _from_json(_document(data, source), source)
    if bytes(found) != data:
        raise FormatError(f"{source}: not in canonical form", remedy="write receipts with bytes(receipt)")
    return found


def _to_json(receipt: UnsignedReceipt) -> dict[str, Any]:
    values = asdict(receipt)
    wide = ("chain_id", "job_manager", "job", "model", "worker")
    return {name: value.hex() if isinstance(value, bytes) else hex(value) if name in wide else value for name, value in values.items()}


def _document(data: bytes, source: str) -> dict[str, Any]:
    if len(data) > MOST_BYTES:
        raise FormatError(f"{source}: over {MOST_BYTES} bytes", remedy="a receipt is a small JSON document")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{source}: not JSON ({error})", remedy="a receipt is a small JSON document") from error
    if not isinstance(document, dict):
        raise FormatError(f"{source}: not a JSON object", remedy="a receipt is a small JSON document")
    return document


def _from_json(document: Mapping[str, Any], source: str) -> UnsignedReceipt:
    names = {field.name for field in fields(UnsignedReceipt)}
    if set(document) != names:
        odd = ", ".join(sorted(set(document) ^ names)[:8])
        raise FormatError(f"{source}: fields missing or unknown: {odd}", remedy="write receipts with bytes(receipt)")
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name in _DIGESTS:
            try:
                values[name] = bytes.fromhex(value)
            except (TypeError, ValueError) as error:
                raise FormatError(f"{source}: {name} is not hexadecimal", remedy="give 64 hexadecimal digits") from error
        elif name == "preset":
            if not isinstance(value, str):
                raise FormatError(f"{source}: preset is not a string", remedy="name a security preset")
            values[name] = value
        else:
            values[name] = _number(value, name, _LIMITS[name], source)
    return UnsignedReceipt(**values)


def _number(value: object, name: str, limit: int, source: str) -> int:
    if isinstance(value, str) and value.startswith("0x") and len(value) <= 66:
        try:
            value = int(value, 16)
        except ValueError:
            value = None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < limit:
        raise FormatError(f"{source}: {name} must be an integer in [0, {limit})", remedy="give a number, or 0x and hexadecimal digits")
    return value
