"""A Starknet state in a process of its own, driven by JSON lines: runs compiled classes with StarkWare's Python Cairo VM.

Run it with the interpreter of .venv-starknet. Each line of standard input is a request {"do": NAME, ...arguments}, answered by one
line {"ok": ...} or {"error": text}. Integers are JSON integers of any size. tests/settlement/starknet/machine.py is its client.

There are no account contracts, no fees and no sequencer: a call names its caller. A failing call leaves the state as it was, and so
does a failing inner call, whose caller gets the failure as on the network. Class declaration is left out: a class is registered under
the class hash that its artefact states, which settlement/starknet/build.py has computed with `class_hashes`.
"""

import gzip
import json
import sys
import traceback
from types import SimpleNamespace

import exact_vm  # first: it prepares cairo-lang for this interpreter
import fast_vm
from starkware.crypto.signature.signature import private_to_stark_key, sign
from starkware.starknet.business_logic.state.state_api import SyncState
from starkware.starknet.business_logic.state.state_api_objects import BlockInfo
from starkware.starknet.core.os.contract_address.contract_address import calculate_contract_address_from_hash
from starkware.starknet.core.os.contract_class.class_hash import compute_class_hash
from starkware.starknet.core.os.contract_class.compiled_class_hash import compute_compiled_class_hash
from starkware.starknet.definitions.constants import BLOCK_HASH_CONTRACT_ADDRESS
from starkware.starknet.definitions.general_config import StarknetGeneralConfig
from starkware.starknet.public.abi import get_selector_from_name
from starkware.starknet.services.api.contract_class.contract_class import CompiledClass, ContractClass, EntryPointType

STEPS = 10_000_000  # the network's limit of a transaction


class Config:
    """StarknetGeneralConfig with any chain id."""

    def __init__(self):
        self._config = StarknetGeneralConfig()
        self.chain_id = SimpleNamespace(value=int.from_bytes(b"CIRO_TEST", "big"))

    def __getattr__(self, name):
        return getattr(self._config, name)


class State(SyncState):
    """Contracts and their storage in two dictionaries; `checkpoint` and `restore` copy them."""

    def __init__(self):
        self.sources: dict[int, dict] = {}  # the compiler's output by class hash, from which each VM reads what it runs
        self.class_hashes: dict[int, int] = {}
        self.storage: dict[tuple[int, int], int] = {}
        self.block = BlockInfo.create_for_testing(0, 0)

    def checkpoint(self):
        return dict(self.class_hashes), dict(self.storage)

    def restore(self, checkpoint):
        self.class_hashes, self.storage = dict(checkpoint[0]), dict(checkpoint[1])

    @property
    def block_info(self):
        return self.block

    def update_block_info(self, block_info):
        self.block = block_info

    def source(self, class_hash):
        if class_hash not in self.sources:
            raise ValueError(f"class {class_hash:#x} is not declared")
        return self.sources[class_hash]

    def get_compiled_class_hash(self, class_hash):
        return class_hash if class_hash in self.sources else 0

    def get_compiled_class(self, compiled_class_hash):
        return exact_vm.loaded(self.source(compiled_class_hash))

    def set_compiled_class_hash(self, class_hash, compiled_class_hash):
        raise NotImplementedError

    def get_class_hash_at(self, contract_address):
        return self.class_hashes.get(contract_address, 0)

    def set_class_hash_at(self, contract_address, class_hash):
        self.class_hashes[contract_address] = class_hash

    def get_nonce_at(self, data_availability_mode, contract_address):
        return 0

    def increment_nonce(self, data_availability_mode, contract_address):
        raise NotImplementedError

    def get_storage_at(self, data_availability_mode, contract_address, key):
        return self.storage.get((contract_address, key), 0)

    def set_storage_at(self, data_availability_mode, contract_address, key, value):
        self.storage[contract_address, key] = value


class Machine:
    """One method a request."""

    def __init__(self):
        self.state = State()
        self.config = Config()
        self.time = self.number = 0
        self.snapshots: dict[int, tuple] = {}
        self.execute = fast_vm.execute

    def register(self, artifact):
        """Reads an artefact of build.py; answers its class hash."""
        with gzip.open(artifact, "rt") as file:
            content = json.load(file)
        class_hash = int(content["class_hash"], 16)
        self.state.sources.setdefault(class_hash, content["casm"])
        return class_hash

    def deploy(self, class_hash, calldata, caller, salt, address):
        """Answers the address (`address`, or the network's from salt and caller), and the constructor's outcome."""
        if address is None:
            address = calculate_contract_address_from_hash(
                salt=salt, class_hash=class_hash, constructor_calldata=calldata, deployer_address=caller
            )
        if address in self.state.class_hashes:
            raise ValueError(f"there is a contract at {address:#x}")
        before = self.state.checkpoint()
        self.state.set_class_hash_at(address, class_hash)
        if self.state.source(class_hash)["entry_points_by_type"]["CONSTRUCTOR"]:
            outcome = self._run(caller, address, "constructor", calldata, EntryPointType.CONSTRUCTOR)
        else:
            outcome = {"failed": False, "data": [], "events": [], "messages": [], "steps": 0}
        if outcome["failed"]:
            self.state.restore(before)
        return {"address": address, **outcome}

    def invoke(self, caller, contract, entry_point, calldata, kind):
        return self._run(caller, contract, entry_point, calldata, EntryPointType[kind])

    def call(self, caller, contract, entry_point, calldata):
        """`invoke` whose changes are dropped."""
        before = self.state.checkpoint()
        outcome = self._run(caller, contract, entry_point, calldata, EntryPointType.EXTERNAL)
        self.state.restore(before)
        return outcome

    def _run(self, caller, contract, entry_point, calldata, kind):
        if contract not in self.state.class_hashes:
            raise ValueError(f"no contract at {contract:#x}")
        return self.execute(
            state=self.state,
            config=self.config,
            caller=caller,
            contract=contract,
            selector=get_selector_from_name(entry_point),
            calldata=calldata,
            kind=kind,
            steps=STEPS,
        )

    def block(self, number, time, chain_id):
        """Sets those that are not None."""
        if chain_id is not None:
            self.config.chain_id = SimpleNamespace(value=chain_id)
        self.number = self.number if number is None else number
        self.time = self.time if time is None else time
        self.state.update_block_info(BlockInfo.create_for_testing(self.number, self.time))

    def block_hash(self, number, value):
        self.state.storage[BLOCK_HASH_CONTRACT_ADDRESS, number] = value

    def storage(self, contract, key):
        return self.state.storage.get((contract, key), 0)

    def storage_of(self, contract):
        """All cells that are not zero."""
        return [[key, value] for (address, key), value in self.state.storage.items() if address == contract and value]

    def snapshot(self):
        name = len(self.snapshots)
        self.snapshots[name] = (self.state.checkpoint(), self.number, self.time, self.config.chain_id.value)
        return name

    def restore(self, snapshot):
        checkpoint, number, time, chain_id = self.snapshots[snapshot]
        self.state.restore(checkpoint)
        self.block(number, time, chain_id)

    def selectors(self, names):
        return [get_selector_from_name(name) for name in names]

    def stark_signature(self, key, hash):
        """(hash, public key, r, s) of a private key."""
        r, s = sign(msg_hash=hash, priv_key=key)
        return [hash, private_to_stark_key(key), r, s]

    def exact(self, value):
        """Runs with StarkWare's unchanged VM instead of the quick one, to compare the two."""
        self.execute = exact_vm.execute if value else fast_vm.execute

    def class_hashes(self, sierra, casm):
        """The class hash and the compiled class hash of the compiler's two output files."""
        with open(sierra) as file:
            content = json.load(file)
        content.pop("sierra_program_debug_info", None)
        # The network hashes the ABI as this text.
        content["abi"] = json.dumps(content["abi"], separators=(", ", ": "))
        with open(casm) as file:
            compiled = CompiledClass.Schema().load(json.load(file))
        return [compute_class_hash(ContractClass.Schema().load(content)), compute_compiled_class_hash(compiled)]


def main():
    machine = Machine()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": getattr(machine, request.pop("do"))(**request)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
