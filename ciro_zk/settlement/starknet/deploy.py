"""Puts the system on a network: seven classes declared, seven contracts deployed, each told the others' addresses.

    python -m ciro_zk.settlement.starknet.deploy GENESIS.json ADDRESSES.json

GENESIS.json: {"holder": "0x...", "signers": [five], "guardians": [three], "reporters": [five]}; the node and the account as
`--chain starknet` has them. What is there already is left as it is, so that an interrupted deployment goes on.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from ciro_zk.errors import InputError
from ciro_zk.settlement.arithmetic import short_string
from ciro_zk.settlement.starknet.abi import Abi
from ciro_zk.settlement.starknet.artifacts import NAMES, load
from ciro_zk.settlement.starknet.client import StarknetAccount, StarknetChain
from ciro_zk.settlement.starknet.rpc import Node, NotFound, number

DEPLOYER = 0x02CEED65A4BD731034C01113685C831B01C15D7D432F71AFB1CF1634B53A2125
"""The universal deployer contract, the same on every network: deployContract(class hash, salt, unique, calldata)."""
LISTS = {"signers": 5, "guardians": 3, "reporters": 5}


def deploy(account: StarknetAccount, genesis: dict[str, Any], names: tuple[str, ...] = tuple(NAMES)) -> dict[str, int]:
    """Declares, deploys and configures; gives the addresses by name.

    Raises
    ------
    SettlementError
        A contract refused.
    Unreachable
        The node does not answer.
    """
    node, addresses = account.chain.node, {}
    for name in names:
        artifact = load(name)
        if not _known(node, "getClass", class_hash=hex(artifact.class_hash)):
            account.deliver(account.sign_declaration(artifact, account.nonce()))
        arguments = _constructor(Abi(artifact.abi), genesis | {"configurer": account.address})
        address = import_module("starknet_py.hash.address").compute_address(
            class_hash=artifact.class_hash, constructor_calldata=arguments, salt=0, deployer_address=0
        )
        if not _known(node, "getClassHashAt", contract_address=hex(address)):
            calldata = [artifact.class_hash, 0, 0, len(arguments), *arguments]
            account.deliver(account.sign_call(DEPLOYER, "deployContract", calldata, account.nonce()))
        addresses[name] = int(address)
    pairs = [felt for name, address in addresses.items() for felt in (short_string(name), address)]
    for name in names if len(names) == len(NAMES) else ():
        if _address_of(node, addresses[name], "CiroToken") == 0:
            account.deliver(account.sign_call(addresses[name], "configure", [len(addresses), *pairs], account.nonce()))
    return addresses


def _constructor(abi: Abi, genesis: dict[str, Any]) -> list[int]:
    inputs = abi.functions.get("constructor", {"inputs": []})["inputs"]
    return abi.arguments("constructor", [genesis[item["name"]] for item in inputs])


def _known(node: Node, method: str, **params: Any) -> bool:
    try:
        node.ask(method, block_id="latest", **params)
    except NotFound:
        return False
    return True


def _address_of(node: Node, contract: int, name: str) -> int:
    from ciro_zk.settlement.arithmetic import selector

    request = {
        "contract_address": hex(contract),
        "entry_point_selector": hex(selector("address_of")),
        "calldata": [hex(short_string(name))],
    }
    return number(node.ask("call", request=request, block_id="latest")[0], "address_of")


def read_genesis(path: Path) -> dict[str, Any]:
    """The genesis, checked.

    Raises
    ------
    InputError
        A field is missing, or no address.
    """
    try:
        document = json.loads(path.read_bytes()[:100_000])
        genesis: dict[str, Any] = {"holder": int(document["holder"], 16)}
        for name, count in LISTS.items():
            genesis[name] = tuple(int(value, 16) for value in document[name])
            if len(genesis[name]) != count:
                raise ValueError(f"{name} must be {count} addresses")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{error}", file=str(path), remedy="see the top of ciro_zk/settlement/starknet/deploy.py") from error
    return genesis


def main(genesis: str, target: str) -> None:
    node = Node(os.environ.get("STARKNET_RPC_URL", ""))
    chain = StarknetChain(node, dict.fromkeys(NAMES, 1))
    account = StarknetAccount(chain, int(os.environ["STARKNET_ACCOUNT"], 16), int(os.environ["STARKNET_PRIVATE_KEY"], 16))
    addresses = deploy(account, read_genesis(Path(genesis)))
    partial = Path(target + ".new")
    partial.write_text(json.dumps({name: hex(address) for name, address in addresses.items()}, indent=1))
    partial.rename(target)


if __name__ == "__main__":
    main(*sys.argv[1:3])
