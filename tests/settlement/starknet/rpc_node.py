"""A stand-in for a Starknet node: JSON-RPC on the loopback interface over the contracts in the Python VM.

It is no sequencer: it has no fees, no account contracts and no proofs. It checks signatures and nonces of the accounts it knows, executes
an invoke's calls as that account, puts each transaction in a block of its own, and answers late, wrongly or twice when told to.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from settlement.starknet.machine import Contract, Machine, Reverted
from starknet_py.hash.address import compute_address

from ciro_zk.settlement.arithmetic import selector, short_string
from ciro_zk.settlement.starknet.artifacts import NAMES, Artifact, load
from ciro_zk.settlement.starknet.deploy import DEPLOYER
from ciro_zk.signatures import StarkSignatures

CHAIN_ID = short_string("CIRO_STAND_IN")


class RpcError(Exception):
    """Answered as JSON-RPC's error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.data = code, data


@dataclass
class StandIn:
    """The node; `fault` is "" or one of "silent", "garbage", "other", "twice", "huge" for every answer."""

    machine: Machine
    keys: dict[int, int]
    """Public keys by account."""
    block: int = 100
    fault: str = ""
    nonces: dict[int, int] = field(default_factory=dict)
    receipts: dict[int, dict[str, Any]] = field(default_factory=dict)
    blocks: list[int] = field(default_factory=list)
    final: bool = True
    asked: list[str] = field(default_factory=list)
    classes: dict[int, Artifact] = field(default_factory=dict)

    def answer(self, method: str, params: dict[str, Any]) -> Any:
        self.asked.append(method)
        handler = getattr(self, f"rpc_{method.removeprefix('starknet_')}", None)
        if handler is None:
            raise RpcError(-32601, "method not found")
        return handler(**params)

    # --- the methods

    def rpc_chainId(self) -> str:
        return hex(CHAIN_ID)

    def rpc_blockNumber(self) -> int:
        return self.block

    def rpc_getNonce(self, contract_address: str, block_id: Any) -> str:
        return hex(self.nonces.get(int(contract_address, 16), 0))

    def rpc_getBlockWithTxHashes(self, block_id: Any) -> dict[str, Any]:
        if isinstance(block_id, dict) and int(block_id["block_hash"], 16) not in self.blocks:
            raise RpcError(24, "Block not found")
        return {"timestamp": 1_000 + self.block, "status": "ACCEPTED_ON_L2" if self.final else "PRE_CONFIRMED", "block_number": self.block}

    def rpc_call(self, request: dict[str, Any], block_id: Any) -> list[str]:
        contract = self._contract(int(request["contract_address"], 16))
        entry = self._entry(contract, int(request["entry_point_selector"], 16))
        calldata = [int(felt, 16) for felt in request["calldata"]]
        try:
            answer = self.machine.ask("call", caller=0, contract=contract.address, entry_point=entry, calldata=calldata)
            self.machine.outcome(contract.abi, entry, answer)
        except Reverted as refused:
            raise RpcError(
                40, "Contract error", {"revert_error": f"Execution failed. Failure reason: 0x{refused.data[0]:x} ('{refused.code}')."}
            ) from None
        return [hex(felt) for felt in answer["data"]]

    def rpc_estimateFee(self, request: list[dict[str, Any]], simulation_flags: Any, block_id: Any) -> list[dict[str, str]]:
        before = self.machine.snapshot()
        try:
            self._execute(request[0])
        except Reverted as refused:
            raise RpcError(41, "Transaction execution error", {"execution_error": f"('{refused.code}')"}) from None
        finally:
            self.machine.restore(before)
        names = ("l1_gas", "l1_data_gas", "l2_gas")
        return [{f"{name}_{what}": "0x10" for name in names for what in ("consumed", "price")} | {"overall_fee": "0x300", "unit": "FRI"}]

    def rpc_addInvokeTransaction(self, invoke_transaction: dict[str, Any]) -> dict[str, str]:
        digest = self._check(invoke_transaction)
        if digest in self.receipts:
            raise RpcError(59, "DUPLICATE_TX")
        sender = int(invoke_transaction["sender_address"], 16)
        if int(invoke_transaction["nonce"], 16) != self.nonces.get(sender, 0):
            raise RpcError(52, "Invalid transaction nonce")
        self.nonces[sender] = self.nonces.get(sender, 0) + 1
        before = self.machine.snapshot()
        try:
            events = self._execute(invoke_transaction)
            self._include(digest, {"execution_status": "SUCCEEDED", "events": events})
        except Reverted as refused:
            self.machine.restore(before)
            reason = f"0x{refused.data[0]:x} ('{refused.code}')"
            self._include(digest, {"execution_status": "REVERTED", "revert_reason": reason})
        return {"transaction_hash": hex(digest)}

    def rpc_addDeclareTransaction(self, declare_transaction: dict[str, Any]) -> dict[str, str]:
        digest = self._check(declare_transaction)
        sender = int(declare_transaction["sender_address"], 16)
        self.nonces[sender] = self.nonces.get(sender, 0) + 1
        self.classes[self._declared(declare_transaction).class_hash] = self._declared(declare_transaction)
        self._include(digest, {"execution_status": "SUCCEEDED"})
        return {"transaction_hash": hex(digest)}

    def rpc_getClass(self, class_hash: str, block_id: Any) -> dict[str, Any]:
        if int(class_hash, 16) not in self.classes:
            raise RpcError(28, "Class hash not found")
        return {}

    def rpc_getClassHashAt(self, contract_address: str, block_id: Any) -> str:
        self._contract(int(contract_address, 16))
        return "0x1"

    def rpc_getTransactionReceipt(self, transaction_hash: str) -> dict[str, Any]:
        if int(transaction_hash, 16) not in self.receipts:
            raise RpcError(29, "Transaction hash not found")
        return self.receipts[int(transaction_hash, 16)]

    def reorganise(self) -> None:
        """The last block vanishes, with its transaction (its changes stay: the contracts refuse them the second time)."""
        gone = hex(self.blocks.pop())
        for digest, receipt in list(self.receipts.items()):
            if receipt["block_hash"] == gone:
                del self.receipts[digest]

    # --- inside

    def _include(self, digest: int, receipt: dict[str, Any]) -> None:
        self.block += 1
        self.blocks.append(self.block << 64)
        place = {"transaction_hash": hex(digest), "block_hash": hex(self.blocks[-1]), "block_number": self.block}
        self.receipts[digest] = {"events": [], "finality_status": "ACCEPTED_ON_L2"} | place | receipt

    def _declared(self, transaction: dict[str, Any]) -> Artifact:
        """The artefact whose class this is: the VM runs its CASM, which a sequencer would compile."""
        for name in NAMES:
            artifact = load(name)
            if transaction["contract_class"]["sierra_program"] == artifact.sierra["sierra_program"]:
                return artifact
        raise RpcError(10, "Invalid contract class")

    def _contract(self, address: int) -> Contract:
        if address not in self.machine.contracts:
            raise RpcError(20, "Contract not found")
        return self.machine.contracts[address]

    def _entry(self, contract: Contract, called: int) -> str:
        for name in contract.abi.functions:
            if selector(name) == called:
                return name
        raise RpcError(21, "Requested entrypoint does not exist in the contract")

    def _check(self, transaction: dict[str, Any]) -> int:
        """The hash, computed again from the document, and its signature."""
        from starknet_py.net.client_models import ResourceBounds, ResourceBoundsMapping
        from starknet_py.net.models.transaction import DeclareV3, InvokeV3
        from starknet_py.net.schemas.rpc.contract import SierraContractClassSchema

        bounds = {
            name: ResourceBounds(**{key: int(value, 16) for key, value in limits.items()})
            for name, limits in transaction["resource_bounds"].items()
        }
        common = {
            "version": 3,
            "signature": [],
            "tip": 0,
            "nonce": int(transaction["nonce"], 16),
            "resource_bounds": ResourceBoundsMapping(**bounds),
            "sender_address": int(transaction["sender_address"], 16),
        }
        invoke: InvokeV3 | DeclareV3
        if transaction["type"] == "DECLARE":
            parsed = SierraContractClassSchema().load(transaction["contract_class"])
            invoke = DeclareV3(compiled_class_hash=int(transaction["compiled_class_hash"], 16), contract_class=parsed, **common)
        else:
            invoke = InvokeV3(calldata=[int(felt, 16) for felt in transaction["calldata"]], **common)
        digest = invoke.calculate_hash(CHAIN_ID)
        r, s = (int(part, 16) for part in transaction["signature"])
        if not StarkSignatures().verify(self.keys[invoke.sender_address], digest, r, s):
            raise RpcError(55, "Account validation failed")
        return int(digest)

    def _execute(self, transaction: dict[str, Any]) -> list[dict[str, Any]]:
        self._check(transaction)
        if transaction["type"] == "DECLARE":
            return []
        felts = [int(felt, 16) for felt in transaction["calldata"]]
        assert felts[0] == 1 and felts[3] == len(felts) - 4
        if felts[1] == DEPLOYER:
            class_hash, salt, _, _, *arguments = felts[4:]
            name = next(NAMES[name] for name in NAMES if load(name).class_hash == class_hash)
            address = compute_address(class_hash=class_hash, constructor_calldata=arguments, salt=salt, deployer_address=0)
            self.machine.deploy(name, *arguments, address=address, raw=True)
            return []
        contract = self._contract(felts[1])
        entry = self._entry(contract, felts[2])
        answer = self.machine.ask(
            "invoke",
            caller=int(transaction["sender_address"], 16),
            contract=contract.address,
            entry_point=entry,
            calldata=felts[4:],
            kind="EXTERNAL",
        )
        self.machine.outcome(contract.abi, entry, answer)
        return [
            {"from_address": hex(a), "keys": [hex(k) for k in keys], "data": [hex(d) for d in data]} for a, keys, data in answer["events"]
        ]


def serve(node: StandIn) -> tuple[ThreadingHTTPServer, str]:
    """Starts it on a free port; gives the server and its URL."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body: dict[str, Any] = {"jsonrpc": "2.0", "id": question["id"]}
            with lock:
                try:
                    body["result"] = node.answer(question["method"], question.get("params") or {})
                    if node.fault == "twice":  # the same request, delivered again
                        node.answer(question["method"], question.get("params") or {})
                except RpcError as error:
                    if "result" not in body:
                        body["error"] = {"code": error.code, "message": str(error), "data": error.data}
            data = json.dumps(body).encode()
            if node.fault == "silent":
                time.sleep(1.5)
            elif node.fault == "garbage":
                data = b"<html>502</html>"
            elif node.fault == "other":
                data = json.dumps(body | {"id": -1}).encode()
            elif node.fault == "shape":
                data = json.dumps({"jsonrpc": "2.0", "id": question["id"], "result": {"unexpected": None}}).encode()
            try:
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                pass

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"
