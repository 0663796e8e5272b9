"""The contracts on a Starknet network: reading, and calls of one account with their fees, nonces and proofs of inclusion.

A transaction is an invoke of version 3: hashed and signed by starknet-py, its resource bounds the node's estimate and a half, never above
the fee that the user allows. An account is a Cairo 1 account contract: calldata = [1, to, selector, length, arguments...].
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ciro_zk.errors import InputError, SettlementError
from ciro_zk.settlement.arithmetic import selector
from ciro_zk.settlement.interface import Outcome
from ciro_zk.settlement.ledger.store import Event
from ciro_zk.settlement.outbox import Action, Inclusion, Signed, Unreachable
from ciro_zk.settlement.starknet.abi import Abi
from ciro_zk.settlement.starknet.artifacts import NAMES, Artifact, load
from ciro_zk.settlement.starknet.rpc import Node, NotFound, fields, number, numbers, refusal

FINAL = {"l2": ("ACCEPTED_ON_L2", "ACCEPTED_ON_L1"), "l1": ("ACCEPTED_ON_L1",)}
RESOURCES = ("l1_gas", "l1_data_gas", "l2_gas")
MARGIN = 3, 2
"""A bound is the estimate times this ratio."""
POLL_SECONDS, MOST_POLLS = 2.0, 150
Bounds = dict[str, tuple[int, int]]
"""The most of a resource, and the most to pay for one unit of it."""


@dataclass(frozen=True, slots=True)
class Done:
    """A call that was included."""

    result: Any
    events: tuple[Event, ...]


class StarknetChain:
    """`ciro_zk.settlement.interface.Chain` over a node.

    Parameters
    ----------
    node : Node
        Where to ask.
    addresses : mapping of str to int
        The contracts' addresses by name.
    account : StarknetAccount, optional
        Who calls; reading needs none.
    """

    def __init__(self, node: Node, addresses: Mapping[str, int], account: StarknetAccount | None = None) -> None:
        missing = sorted(set(NAMES) - set(addresses))
        if missing:
            raise InputError(f"no address of {', '.join(missing)}", field="addresses", remedy="give the address of all seven contracts")
        self.node, self.addresses, self.account = node, dict(addresses), account
        self._names = {address: name for name, address in self.addresses.items()}
        self._abis: dict[str, Abi] = {}

    @staticmethod
    def from_environment() -> StarknetChain:
        """From STARKNET_RPC_URL, CIRO_ADDRESSES (a JSON file), and, to call, STARKNET_ACCOUNT and STARKNET_PRIVATE_KEY.

        Raises
        ------
        InputError
            A variable is missing, or its value is not of that form.
        """
        try:
            node = Node(os.environ["STARKNET_RPC_URL"])
            with open(os.environ["CIRO_ADDRESSES"], encoding="utf-8") as file:
                addresses = {name: int(value, 16) for name, value in json.loads(file.read(100_000)).items()}
        except KeyError as error:
            raise InputError(f"{error.args[0]} is not set", field="--chain", remedy="set STARKNET_RPC_URL and CIRO_ADDRESSES") from error
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise InputError(f"CIRO_ADDRESSES: {error}", field="--chain", remedy='a JSON file {"JobManager": "0x...", ...}') from error
        chain = StarknetChain(node, addresses)
        if "STARKNET_ACCOUNT" in os.environ:
            try:
                chain.account = StarknetAccount(
                    chain, int(os.environ["STARKNET_ACCOUNT"], 16), int(os.environ.get("STARKNET_PRIVATE_KEY", ""), 16)
                )
            except ValueError as error:
                raise InputError("the account cannot be read", field="--as", remedy="give 0x and hexadecimal digits") from error
        return chain

    @property
    def chain_id(self) -> int:
        return number(self.node.ask("chainId"), "chainId")

    @property
    def block(self) -> int:
        return number(self.node.ask("blockNumber"), "blockNumber")

    @property
    def time(self) -> int:
        return number(fields(self.node.ask("getBlockWithTxHashes", block_id="latest"), "block").get("timestamp"), "timestamp")

    def call(self, contract: str, entry: str, *arguments: Any) -> Any:
        """Reads a view of the latest block.

        Raises
        ------
        SettlementError
            By code.
        Unreachable
            The node does not answer, or answers garbage.
        """
        request = {
            "contract_address": hex(self.address_of(contract)),
            "entry_point_selector": hex(selector(entry)),
            "calldata": [hex(felt) for felt in self.calldata(contract, entry, arguments)],
        }
        felts = numbers(self.node.ask("call", request=request, block_id="latest"), "call")
        try:
            return plain(self._abi(contract).result(entry, felts))
        except (StopIteration, RuntimeError, OverflowError, UnicodeDecodeError) as error:
            raise Unreachable(f"{contract}.{entry}: an answer that does not decode") from error

    def invoke(self, caller: int, contract: str, entry: str, *arguments: Any) -> Outcome:
        """A call of our account, waited for until it is included.

        Raises
        ------
        SettlementError
            By code; NOT_OWNER where `caller` is not our account.
        Unreachable
            The node does not answer, or the transaction was not included in five minutes.
        """
        if self.account is None or caller != self.account.address:
            raise InputError("not our account", field="--as", value=hex(caller), remedy="set STARKNET_ACCOUNT and STARKNET_PRIVATE_KEY")
        action = Action(key="", contract=contract, entry=entry, arguments=arguments)
        signed = self.account.sign(action, self.account.nonce())
        self.account.deliver(signed)
        return Done(None, self.events_of(signed.hash))

    def events_of(self, transaction: str) -> tuple[Event, ...]:
        """The events of our contracts in a transaction."""
        receipt = fields(self.node.ask("getTransactionReceipt", transaction_hash=transaction), "receipt")
        found = []
        for item in receipt.get("events", []):
            event = fields(item, "event")
            name = self._names.get(number(event.get("from_address"), "from_address"))
            keys = numbers(event.get("keys"), "keys")
            if name is not None and keys and keys[0] in self._abi(name).events:
                decoded = self._abi(name).event(0, keys, numbers(event.get("data"), "data"))
                found.append(Event(name, decoded.name, {field: plain(value) for field, value in decoded.fields.items()}))
        return tuple(found)

    def _abi(self, contract: str) -> Abi:
        if contract not in self._abis:
            self.address_of(contract)
            self._abis[contract] = Abi(load(contract).abi)
        return self._abis[contract]

    def address_of(self, contract: str) -> int:
        if contract not in self.addresses:
            raise SettlementError("MALFORMED_CALLDATA", f"no contract {contract}")
        return self.addresses[contract]

    def calldata(self, contract: str, entry: str, arguments: tuple[Any, ...]) -> list[int]:
        """The felts of a call; MALFORMED_CALLDATA where they do not fit the entry point."""
        return self._abi(contract).arguments(entry, arguments)


class StarknetAccount:
    """One account of the network, as the outbox has it.

    Parameters
    ----------
    chain : StarknetChain
        The contracts.
    address, private_key : int
        An account contract, and its Stark key; never printed.
    max_fee : int
        The most that one transaction may cost, in units of 1e-18 STRK.
    finality : str
        "l2": a block accepted on Starknet is final; "l1": only one proven on Ethereum, as bridge messages need.
    """

    def __init__(self, chain: StarknetChain, address: int, private_key: int, *, max_fee: int = 10**19, finality: str = "l2") -> None:
        if finality not in FINAL:
            raise InputError(f"no finality {finality!r}", remedy="l2 or l1")
        self.chain, self.address, self.max_fee, self.finality = chain, address, max_fee, finality
        self._private_key = private_key

    def __repr__(self) -> str:
        return f"StarknetAccount({self.address:#x})"

    def time(self) -> int:
        return self.chain.time

    def nonce(self) -> int:
        return number(self.chain.node.ask("getNonce", contract_address=hex(self.address), block_id="latest"), "nonce")

    def sign(self, action: Action, nonce: int) -> Signed:
        """A transaction within the fee allowed, tried on the node first.

        Raises
        ------
        SettlementError
            The contract would refuse it, by its code.
        InputError
            It would cost more than `max_fee`.
        """
        arguments = self.chain.calldata(action.contract, action.entry, action.arguments)
        return self.sign_call(self.chain.address_of(action.contract), action.entry, arguments, nonce)

    def sign_call(self, to: int, entry: str, arguments: list[int], nonce: int) -> Signed:
        """As `sign`, of felts to any contract."""
        calldata = [1, to, selector(entry), len(arguments), *arguments]
        return self._estimated(lambda bounds: self._invoke(calldata, nonce, bounds))

    def sign_declaration(self, artifact: Artifact, nonce: int) -> Signed:
        """A declaration of a class; raises as `sign` does."""
        return self._estimated(lambda bounds: self._declare(artifact, nonce, bounds))

    def _estimated(self, build: Callable[[Bounds], tuple[dict[str, Any], int]]) -> Signed:
        trial, _ = build(dict.fromkeys(RESOURCES, (0, 0)))
        answer = self.chain.node.ask("estimateFee", request=[trial], simulation_flags=[], block_id="latest")
        if not isinstance(answer, list) or len(answer) != 1:
            raise Unreachable("an estimate of something else")
        transaction, digest = build(self._bounds(fields(answer[0], "estimate")))
        return Signed(hex(digest), json.dumps(transaction, sort_keys=True).encode())

    def send(self, payload: bytes) -> None:
        """Sends it; a node that has it already, or has moved past its nonce, is content."""
        transaction = json.loads(payload)
        try:
            if transaction["type"] == "DECLARE":
                self.chain.node.ask("addDeclareTransaction", declare_transaction=transaction)
            else:
                self.chain.node.ask("addInvokeTransaction", invoke_transaction=transaction)
        except Unreachable as error:
            text = str(error)
            if "-32" in text or not any(word in text for word in ("already", "ALREADY", "DUPLICATE", "nonce", "NONCE")):
                raise

    def deliver(self, signed: Signed) -> None:
        """Sends it, and waits until it is included; raises as `StarknetChain.invoke` does."""
        self.send(signed.payload)
        for _ in range(MOST_POLLS):
            found = self.find(signed.hash)
            if found is not None:
                if found.code:
                    raise SettlementError(found.code)
                return
            time.sleep(POLL_SECONDS)
        raise Unreachable(f"{signed.hash} was not included", remedy="look it up; it may still be")

    def find(self, transaction: str) -> Inclusion | None:
        try:
            receipt = fields(self.chain.node.ask("getTransactionReceipt", transaction_hash=transaction), "receipt")
        except NotFound:
            return None
        if number(receipt.get("transaction_hash"), "transaction_hash") != int(transaction, 16):
            raise Unreachable("the receipt of another transaction")
        if "block_hash" not in receipt:
            return None
        reverted = receipt.get("execution_status") == "REVERTED"
        code = (refusal(str(receipt.get("revert_reason", ""))) or "REVERTED") if reverted else ""
        return Inclusion(hex(number(receipt["block_hash"], "block_hash")), code)

    def is_final(self, block: str) -> bool:
        try:
            found = fields(self.chain.node.ask("getBlockWithTxHashes", block_id={"block_hash": block}), "block")
        except NotFound:
            return False
        return found.get("status") in FINAL[self.finality]

    def receipt_of(self, job: int) -> int:
        return int(self.chain.call("JobManager", "job_of", job)[-1])

    def _bounds(self, estimate: dict[str, Any]) -> Bounds:
        times, over = MARGIN
        bounds = {}
        for resource in RESOURCES:
            amount = number(estimate.get(f"{resource}_consumed"), f"{resource}_consumed")
            price = number(estimate.get(f"{resource}_price"), f"{resource}_price")
            bounds[resource] = (amount * times // over, price * times // over)
        fee = sum(amount * price for amount, price in bounds.values())
        if fee > self.max_fee:
            raise InputError(
                f"would cost up to {fee / 1e18:.3f} STRK", field="max_fee", value=self.max_fee / 1e18, remedy="allow more, or wait"
            )
        return bounds

    def _invoke(self, calldata: list[int], nonce: int, bounds: Bounds) -> tuple[dict[str, Any], int]:
        """The transaction as a node takes it, and its hash."""
        invoke = _library("net.models.transaction").InvokeV3(
            version=3,
            signature=[],
            tip=0,
            nonce=nonce,
            resource_bounds=_resources(bounds),
            calldata=calldata,
            sender_address=self.address,
        )
        return self._document(invoke, "INVOKE", nonce, bounds, calldata=[hex(felt) for felt in calldata])

    def _declare(self, artifact: Artifact, nonce: int, bounds: Bounds) -> tuple[dict[str, Any], int]:
        """The declaration as a node takes it, and its hash."""
        schema = _library("net.schemas.rpc.contract").SierraContractClassSchema()
        sierra = {key: artifact.sierra[key] for key in ("abi", "contract_class_version", "entry_points_by_type", "sierra_program")}
        declare = _library("net.models.transaction").DeclareV3(
            version=3,
            signature=[],
            tip=0,
            nonce=nonce,
            resource_bounds=_resources(bounds),
            sender_address=self.address,
            compiled_class_hash=artifact.compiled_class_hash,
            contract_class=schema.load(sierra),
        )
        hashes = {"compiled_class_hash": hex(artifact.compiled_class_hash), "contract_class": sierra}
        return self._document(declare, "DECLARE", nonce, bounds, **hashes)

    def _document(self, transaction: Any, kind: str, nonce: int, bounds: Bounds, **more: Any) -> tuple[dict[str, Any], int]:
        digest = int(transaction.calculate_hash(self.chain.chain_id))
        r, s = _library("hash.utils").message_signature(digest, self._private_key)
        document = {
            "type": kind,
            "version": "0x3",
            "sender_address": hex(self.address),
            "signature": [hex(r), hex(s)],
            "nonce": hex(nonce),
            "resource_bounds": {
                name: {"max_amount": hex(amount), "max_price_per_unit": hex(price)} for name, (amount, price) in bounds.items()
            },
            "tip": "0x0",
            "paymaster_data": [],
            "account_deployment_data": [],
            "nonce_data_availability_mode": "L1",
            "fee_data_availability_mode": "L1",
            **more,
        }
        return document, digest


def _resources(bounds: Bounds) -> Any:
    models = _library("net.client_models")
    limits = {name: models.ResourceBounds(max_amount=amount, max_price_per_unit=price) for name, (amount, price) in bounds.items()}
    return models.ResourceBoundsMapping(**limits)


def plain(value: Any) -> Any:
    """A decoded value as the ledger gives it: a struct is the tuple of its fields."""
    if isinstance(value, dict):
        return tuple(plain(item) for item in value.values())
    return tuple(plain(item) for item in value) if isinstance(value, tuple) else value


def _library(module: str) -> Any:
    try:
        return import_module(f"starknet_py.{module}")
    except ImportError as error:
        raise InputError("Starknet needs starknet-py", remedy="pip install 'ciro-zk[starknet]'") from error
