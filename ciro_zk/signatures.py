"""How receipts are hashed and signed: SNIP-12 (revision 1) on the Stark curve, EIP-712 on secp256k1.

    stark       message = Poseidon("StarkNet Message", hash(domain), worker, hash(receipt)), the key is a point's x coordinate
    secp256k1   message = keccak("\\x19\\x01", hash(domain), hash(receipt)), the key is the Ethereum address of a point

ECDSA (r, s): if (r, s) verifies so does (r, n - s); only s <= n / 2 is accepted, so that a signature has one form.
Sources: SNIP-12, EIP-712, EIP-2.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from ciro_zk.errors import InputError

_RECEIPT = (
    ("format_version", "u128"),
    ("job_manager", "ContractAddress"),
    ("job", "u256"),
    ("model", "u256"),
    ("program_digest", "u256"),
    ("model_commitment", "u256"),
    ("vk_digest", "u256"),
    ("verifier_version", "u128"),
    ("preset", "felt"),
    ("security_bits", "u128"),
    ("statement_digest", "u256"),
    ("proof_digest", "u256"),
    ("output_digest", "u256"),
    ("index", "u128"),
)
"""A receipt's fields on the chain and their SNIP-12 types, in order; the worker is the account that signs."""

_STARK_DOMAIN = (("name", "shortstring"), ("version", "shortstring"), ("chainId", "shortstring"), ("revision", "shortstring"))


@cache
def _library(module: str, extra: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(f"signing receipts needs {module.split('.')[0]}", remedy=f"pip install 'ciro-zk[{extra}]'") from error


class Signatures(Protocol):
    """A scheme: how a receipt becomes a message, and how messages are signed."""

    order: int

    def receipt_hash(self, chain_id: int, receipt: Mapping[str, int]) -> int: ...

    def public_key(self, private_key: int) -> int: ...

    def sign(self, private_key: int, message: int) -> tuple[int, int]: ...

    def verify(self, key: int, message: int, r: int, s: int) -> bool: ...


class StarkSignatures:
    """Receipts on Starknet and on the embedded ledger."""

    order = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
    """Of the Stark curve."""

    def receipt_hash(self, chain_id: int, receipt: Mapping[str, int]) -> int:
        """SNIP-12 hash of a receipt that `receipt["worker"]` signs.

        Raises
        ------
        InputError
            starknet-py is not installed.
        """
        typed = _library("starknet_py.utils.typed_data", "starknet")
        fields = {name: _encoded(receipt[name], kind) for name, kind in _RECEIPT}
        data = typed.TypedData.from_dict(
            {
                "types": {
                    "StarknetDomain": [{"name": name, "type": kind} for name, kind in _STARK_DOMAIN],
                    "Receipt": [{"name": name, "type": kind} for name, kind in _RECEIPT],
                },
                "primaryType": "Receipt",
                "domain": {"name": "ciro_zk", "version": "1", "chainId": hex(chain_id), "revision": "1"},
                "message": fields,
            }
        )
        return int(data.message_hash(receipt["worker"]))

    def public_key(self, private_key: int) -> int:
        """The key's x coordinate."""
        return int(_library("starknet_py.hash.utils", "starknet").private_to_stark_key(private_key))

    def sign(self, private_key: int, message: int) -> tuple[int, int]:
        """(r, s) with the low s."""
        r, s = _library("starknet_py.hash.utils", "starknet").message_signature(message, private_key)
        return int(r), min(int(s), self.order - int(s))

    def verify(self, key: int, message: int, r: int, s: int) -> bool:
        """Whether (r, s) signs the message under the public key."""
        try:
            return bool(_library("starknet_py.hash.utils", "starknet").verify_message_signature(message, [r, s], key))
        except ValueError:  # no point has this x coordinate
            return False


class Secp256k1Signatures:
    """Receipts on EVM chains; `worker` and `job_manager` are addresses of 160 bits."""

    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

    def receipt_hash(self, chain_id: int, receipt: Mapping[str, int]) -> int:
        """EIP-712 hash of a receipt, with the chain id and the contract in the domain.

        Raises
        ------
        InputError
            eth-account is not installed.
        """
        messages = _library("eth_account.messages", "evm")
        fields = [(name, _EVM_TYPES[kind]) for name, kind in (*_RECEIPT, ("worker", "ContractAddress"))]
        message = messages.encode_typed_data(
            {"name": "ciro_zk", "version": "1", "chainId": chain_id, "verifyingContract": _address(receipt["job_manager"])},
            {"Receipt": [{"name": name, "type": kind} for name, kind in fields]},
            {name: _address(receipt[name]) if kind == "address" else receipt[name] for name, kind in fields},
        )
        keccak = _library("eth_utils", "evm").keccak
        return int.from_bytes(keccak(b"\x19" + message.version + message.header + message.body), "big")

    def public_key(self, private_key: int) -> int:
        """The Ethereum address."""
        return int(_library("eth_keys", "evm").keys.PrivateKey(private_key.to_bytes(32, "big")).public_key.to_address(), 16)

    def sign(self, private_key: int, message: int) -> tuple[int, int]:
        """(r, s) with the low s."""
        key = _library("eth_keys", "evm").keys.PrivateKey(private_key.to_bytes(32, "big"))
        signature = key.sign_msg_hash(message.to_bytes(32, "big"))
        return int(signature.r), min(int(signature.s), self.order - int(signature.s))

    def verify(self, key: int, message: int, r: int, s: int) -> bool:
        """Whether (r, s) signs the message for the address: one of the two points that it may recover to."""
        library = _library("eth_keys", "evm")
        for parity in (0, 1):
            try:
                point = library.keys.Signature(vrs=(parity, r, s)).recover_public_key_from_msg_hash(message.to_bytes(32, "big"))
            except (library.exceptions.BadSignature, library.exceptions.ValidationError):
                continue
            if int(point.to_address(), 16) == key:
                return True
        return False


SCHEMES: Mapping[str, type[StarkSignatures] | type[Secp256k1Signatures]] = {"stark": StarkSignatures, "secp256k1": Secp256k1Signatures}
"""By the name that receipts carry."""


def signatures(scheme: str) -> Signatures:
    """The scheme of that name.

    Raises
    ------
    InputError
        There is none.
    """
    if scheme not in SCHEMES:
        raise InputError(f"no signature scheme {scheme!r}", remedy=f"one of {', '.join(SCHEMES)}")
    return SCHEMES[scheme]()


_EVM_TYPES = {"u128": "uint128", "ContractAddress": "address", "u256": "uint256", "felt": "uint256"}


def _address(value: int) -> str:
    return "0x" + value.to_bytes(20, "big").hex()


def _encoded(value: int, kind: str) -> object:
    return {"low": hex(value % 2**128), "high": hex(value >> 128)} if kind == "u256" else hex(value)
