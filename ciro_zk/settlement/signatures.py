"""How receipts are hashed and signed: SNIP-12 (revision 1) on the Stark curve.

    message = Poseidon("StarkNet Message", hash(domain), worker, hash(receipt)),   ECDSA (r, s) over the Stark curve, low s only

If (r, s) verifies so does (r, n - s); only s <= n / 2 is accepted, so that a signature has one form. Source: SNIP-12.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

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

_DOMAIN = (("name", "shortstring"), ("version", "shortstring"), ("chainId", "shortstring"), ("revision", "shortstring"))


@cache
def _library(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError("signing needs starknet-py", remedy="pip install 'ciro-zk[starknet]'") from error


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
        typed = _library("starknet_py.utils.typed_data")
        fields = {name: _encoded(receipt[name], kind) for name, kind in _RECEIPT}
        data = typed.TypedData.from_dict(
            {
                "types": {
                    "StarknetDomain": [{"name": name, "type": kind} for name, kind in _DOMAIN],
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
        return int(_library("starknet_py.hash.utils").private_to_stark_key(private_key))

    def sign(self, private_key: int, message: int) -> tuple[int, int]:
        """(r, s) with the low s."""
        r, s = _library("starknet_py.hash.utils").message_signature(message, private_key)
        return int(r), min(int(s), self.order - int(s))

    def verify(self, key: int, message: int, r: int, s: int) -> bool:
        """Whether (r, s) signs the message under the public key."""
        try:
            return bool(_library("starknet_py.hash.utils").verify_message_signature(message, [r, s], key))
        except ValueError:  # no point has this x coordinate
            return False


def _encoded(value: int, kind: str) -> object:
    return {"low": hex(value % 2**128), "high": hex(value >> 128)} if kind == "u256" else hex(value)
