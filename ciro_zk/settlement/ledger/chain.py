"""EmbeddedLedger: the whole of settlement in one SQLite file, with no chain; the executable specification of the contracts.

A block number, a time, and calls. Every call is one transaction: either all of its changes and events, or an error code and an unchanged
state.
What the embedded ledger does not have is what a chain is for: anyone who holds the file can rewrite it. It settles between parties who
trust its keeper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciro_zk.errors import InputError, SettlementError
from ciro_zk.settlement.arithmetic import hash_words, selector, short_string
from ciro_zk.settlement.ledger.contract import Contract, require
from ciro_zk.settlement.ledger.governance import GovernanceTreasury
from ciro_zk.settlement.ledger.jobs import JobManager
from ciro_zk.settlement.ledger.models import ModelRegistry
from ciro_zk.settlement.ledger.pool import CdcPool
from ciro_zk.settlement.ledger.registry import ProofRegistry
from ciro_zk.settlement.ledger.store import Event, Store
from ciro_zk.settlement.ledger.token import CiroToken
from ciro_zk.settlement.ledger.types import from_calldata
from ciro_zk.settlement.ledger.vault import StakeVault
from ciro_zk.signatures import Signatures

NATIVE = 1
"""The proof system of this library's native proofs, version 1 of which is installed with no on-chain verifier."""
HASH_LAG = 10
"""A block's hash is read at least this many blocks later, as on Starknet."""
CHAIN_ID = short_string("CIRO_EMBEDDED")
CONTRACTS: tuple[type[Contract], ...] = (CiroToken, StakeVault, CdcPool, ModelRegistry, ProofRegistry, JobManager, GovernanceTreasury)


@dataclass(frozen=True, slots=True, kw_only=True)
class Genesis:
    """Who starts with what: the supply's holder, five signers, three guardians (ascending), five price reporters, and the first price."""

    holder: int
    signers: tuple[int, ...]
    guardians: tuple[int, ...]
    reporters: tuple[int, ...]
    time: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gave, and the events it made."""

    result: Any
    events: tuple[Event, ...]


class EmbeddedLedger:
    """The seven contracts over one `Store`.

    Parameters
    ----------
    path : str or Path
        A ledger file, made where there is none; ":memory:" for one that ends with the process.
    genesis : Genesis, optional
        Needed where the file is new.
    signatures : Signatures
        The scheme of receipts.
    chain_id : int
        In every job id and receipt.
    addresses : mapping of str to int, optional
        The contracts' addresses by name; derived from the chain id where not given.
    verifiers : mapping of int to callable
        On-chain verifiers by address: (vk digest, statement digest, proof felts) to whether the proof is valid.

    Raises
    ------
    FormatError
        The file is no ledger.
    InputError
        The file is new and no genesis was given.
    """

    def __init__(
        self,
        path: str | Path = ":memory:",
        *,
        genesis: Genesis | None = None,
        signatures: Signatures,
        chain_id: int = CHAIN_ID,
        addresses: Mapping[str, int] | None = None,
        verifiers: Mapping[int, Callable[[int, int, tuple[int, ...]], bool]] | None = None,
    ) -> None:
        self.store = Store(path)
        self.signatures, self.chain_id = signatures, chain_id
        self.hash_lag = HASH_LAG
        self.verifiers = dict(verifiers or {})
        names = [contract.name for contract in CONTRACTS]
        self.addresses = dict(addresses or {name: hash_words(chain_id, short_string(name)) >> 8 for name in names})
        self.callers: list[int] = []
        self.token, self.vault, self.pool = CiroToken(self), StakeVault(self), CdcPool(self)
        self.models, self.registry, self.jobs = ModelRegistry(self), ProofRegistry(self), JobManager(self)
        self.governance = GovernanceTreasury(self)
        self.contracts: dict[str, Contract] = {
            contract.name: contract
            for contract in (self.token, self.vault, self.pool, self.models, self.registry, self.jobs, self.governance)
        }
        if self.store.get("chain.block") is None:
            if genesis is None:
                raise InputError(f"{path} is a new ledger", remedy="give the genesis: who holds the supply, signers, guardians, reporters")
            self._found(genesis)

    def _found(self, genesis: Genesis) -> None:
        with self.store.transaction():
            self.store.set("chain.block", 1)
            self.store.set("chain.time", genesis.time)
            self.token.construct(genesis.holder)
            self.governance.appoint_signers(genesis.signers)
            self.governance.appoint_guardians(genesis.guardians)
            self.pool.appoint(genesis.reporters)
            self.registry.install(NATIVE, 0)

    # --- the chain

    @property
    def block(self) -> int:
        """The present block's number."""
        return int(self.store.get("chain.block"))

    @property
    def time(self) -> int:
        """The present block's time, in seconds."""
        return int(self.store.get("chain.time"))

    def advance(self, blocks: int = 1, seconds: int = 0) -> None:
        """Moves on: both numbers at least 0."""
        if blocks < 0 or seconds < 0:
            raise InputError(f"a chain does not go back: {blocks} blocks, {seconds} s")
        with self.store.transaction():
            self.store.set("chain.block", self.block + blocks)
            self.store.set("chain.time", self.time + seconds)

    def block_hash(self, block: int) -> int:
        """The hash of a past block; on the embedded ledger anyone can compute it beforehand."""
        return hash_words(self.chain_id, block) >> 8

    # --- calls

    def invoke(self, caller: int, contract: str, entry: str, *arguments: Any) -> Outcome:
        """An account's call that may change the state.

        Raises
        ------
        SettlementError
            By code; the state is unchanged.
        """
        with self.store.transaction() as events:
            return Outcome(self.enter(caller, contract, entry, *arguments), tuple(events))

    def enter(self, caller: int, contract: str, entry: str, *arguments: Any) -> Any:
        """A call inside a transaction that the caller of this method holds."""
        return self._enter(caller, self._entry(contract, entry, ("external", "view")), arguments)

    def simulate(self, caller: int, contract: str, entry: str, *arguments: Any) -> Any:
        """What the call would give now; it changes nothing. Raises as `invoke` does."""
        try:
            with self.store.transaction():
                raise _Simulated(self.enter(caller, contract, entry, *arguments))
        except _Simulated as done:
            return done.result

    def call(self, contract: str, entry: str, *arguments: Any) -> Any:
        """Reads a view."""
        return self._enter(0, self._entry(contract, entry, ("view",)), arguments)

    def call_selector(self, caller: int, target: int, called: int, calldata: tuple[int, ...]) -> None:
        """A contract's call by address and selector, as governance makes it."""
        for contract in self.contracts.values():
            if contract.address == target:
                for entry in entries(type(contract)):
                    if selector(entry) == called:
                        method = getattr(contract, entry)
                        arguments = from_calldata(method.__func__.__wrapped__, calldata)
                        self._enter(caller, method, arguments)
                        return
        raise SettlementError("MALFORMED_CALLDATA", "no such entry point")

    def _entry(self, contract: str, entry: str, kinds: tuple[str, ...]) -> Callable[..., Any]:
        found = getattr(self.contracts.get(contract), entry, None)
        if getattr(found, "kind", None) not in kinds or found is None:
            raise SettlementError("MALFORMED_CALLDATA", f"{contract} has no entry point {entry}")
        method: Callable[..., Any] = found
        return method

    def _enter(self, caller: int, method: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        self.callers.append(caller)
        try:
            return method(*arguments)
        finally:
            self.callers.pop()

    # --- what the contracts ask of the chain

    def receipt_hash(self, **receipt: int) -> int:
        """The digest that a worker signs."""
        return self.signatures.receipt_hash(self.chain_id, receipt)

    def check_signature(self, worker: int, message: int, key: int, r: int, s: int) -> None:
        """BAD_SIGNATURE: r or s out of range, or the high s, which would give each signature a twin; WRONG_SIGNER."""
        order = self.signatures.order
        require(0 < r < order and 0 < s <= order // 2, "BAD_SIGNATURE")
        require(key != 0 and self.pool.worker_of_key(key) == worker, "WRONG_SIGNER")
        require(self.signatures.verify(key, message, r, s), "WRONG_SIGNER")

    def run_verifier(self, address: int, vk_digest: int, statement_digest: int, proof: tuple[int, ...]) -> bool:
        """Whether the on-chain verifier takes the proof."""
        return self.verifiers[address](vk_digest, statement_digest, proof)


class _Simulated(Exception):
    """Ends a transaction that must not be kept."""

    def __init__(self, result: Any) -> None:
        self.result = result


def entries(contract: type[Contract]) -> tuple[str, ...]:
    """The names of a contract's entry points."""
    return tuple(name for name in dir(contract) if getattr(getattr(contract, name), "kind", None) in ("external", "view"))
