"""The contracts as a `settlement.world.Chain`: the ledger's interface, addresses, block hashes, errors and events, on the Starknet VM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from settlement.starknet.machine import PRIME, Machine, MachineError, Reverted
from settlement.starknet.machine import Event as MachineEvent
from settlement.world import Result

from ciro_zk.errors import SettlementError
from ciro_zk.settlement.arithmetic import hash_words, short_string
from ciro_zk.settlement.ledger.chain import CHAIN_ID, Genesis
from ciro_zk.settlement.ledger.store import Event

CLASSES = {
    "CiroToken": "token",
    "StakeVault": "vault",
    "CdcPool": "pool",
    "ModelRegistry": "models",
    "ProofRegistry": "registry",
    "JobManager": "jobs",
    "GovernanceTreasury": "governance",
}
"""The contracts' names in the ledger, and their source files."""
CONFIGURER = 0xC0F


class StarknetNetwork:
    """The seven contracts, deployed at the ledger's addresses into an empty `Machine`, and configured.

    Parameters
    ----------
    machine : Machine
        Its contracts and block are this network's from now on.
    genesis : Genesis
        As the ledger's.
    chain_id : int
        As the ledger's: its addresses and block hashes follow from it.
    """

    measured: ClassVar[list[tuple[str, int]]] = []
    """Each call that succeeded on any network, as "Contract.entry", and its Cairo steps."""

    def __init__(self, machine: Machine, *, genesis: Genesis, chain_id: int = CHAIN_ID) -> None:
        self.machine, self.chain_id = machine, chain_id
        self.addresses = {name: hash_words(chain_id, short_string(name)) >> 8 for name in CLASSES}
        self.block, self.time = 1, genesis.time
        machine.block(number=1, time=genesis.time, chain_id=chain_id)
        machine.block_hash(0, self.block_hash(0))
        given = {
            "configurer": CONFIGURER,
            "holder": genesis.holder,
            "reporters": genesis.reporters,
            "signers": genesis.signers,
            "guardians": genesis.guardians,
        }
        self.contracts = {}
        for name, source in CLASSES.items():
            _, abi = machine.declare(source)
            arguments = (given[each["name"]] for each in abi.functions["constructor"]["inputs"])
            self.contracts[name] = machine.deploy(source, *arguments, address=self.addresses[name])
        directory = tuple((short_string(name), address) for name, address in self.addresses.items())
        for contract in self.contracts.values():
            contract.invoke(CONFIGURER, "configure", directory)
        self._names = {address: name for name, address in self.addresses.items()}

    def block_hash(self, block: int) -> int:
        """The ledger's, so that both draw the same workers and attesters."""
        return hash_words(self.chain_id, block) >> 8

    def advance(self, blocks: int = 1, seconds: int = 0) -> None:
        """Moves on: the hashes of the blocks that are past become known."""
        for block in range(self.block, self.block + blocks):
            self.machine.block_hash(block, self.block_hash(block))
        self.block, self.time = self.block + blocks, self.time + seconds
        self.machine.block(number=self.block, time=self.time)

    def snapshot(self) -> tuple[int, int, int]:
        """What `restore` takes, any number of times."""
        return self.machine.snapshot(), self.block, self.time

    def restore(self, snapshot: tuple[int, int, int]) -> None:
        name, self.block, self.time = snapshot
        self.machine.restore(name)

    def invoke(self, caller: int, contract: str, entry: str, *arguments: Any) -> Result:
        """As the ledger's. Raises SettlementError."""
        outcome = self._made("invoke", contract, entry, arguments, caller)
        self.measured.append((f"{contract}.{entry}", outcome.steps))
        return Result(_plain(outcome.value), tuple(map(self._event, outcome.events)))

    def call(self, contract: str, entry: str, *arguments: Any) -> Any:
        """As the ledger's: a struct is a tuple. Raises SettlementError."""
        return _plain(self._made("call", contract, entry, arguments, 0))

    def _made(self, do: str, contract: str, entry: str, arguments: tuple[Any, ...], caller: int) -> Any:
        target = self.contracts[contract]
        if entry not in target.abi.functions:
            raise SettlementError("MALFORMED_CALLDATA", f"{contract} has no entry point {entry}")
        felts = self._felts(contract, entry, arguments)
        try:
            if do == "invoke":
                return target.invoke(caller, entry, *felts, raw=True)
            return target.call(entry, *felts, caller=caller, raw=True)
        except Reverted as error:
            raise SettlementError(error.code) from error

    def _felts(self, contract: str, entry: str, arguments: tuple[Any, ...]) -> list[int]:
        """Calldata, also of arguments that the contract must refuse itself: too many, too few or too large ones."""
        abi = self.contracts[contract].abi
        types = [each["type"] for each in abi.functions[entry]["inputs"]]
        try:
            return abi.arguments(entry, arguments)
        except MachineError:
            felts: list[int] = []
            for place, value in enumerate(arguments):
                wide = place < len(types) and types[place].endswith("::u256")
                items = (len(value), *value) if isinstance(value, tuple) else (value % 2**128, value >> 128) if wide else (value,)
                felts += [int(item) for item in items]
            if any(not 0 <= felt < PRIME for felt in felts):
                raise SettlementError("MALFORMED_CALLDATA", "no felts say this") from None
            return felts

    def _event(self, event: MachineEvent) -> Event:
        return Event(self._names[event.contract], event.name, event.fields)


def _plain(value: Any) -> Any:
    """Structs as tuples of their members in order."""
    return tuple(value.values()) if isinstance(value, Mapping) else value
