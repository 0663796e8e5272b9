"""JSON-RPC to a Starknet node that is not trusted to answer, or to answer sensibly.

Every answer is bounded, checked against its request, and of the shape asked for; what is not is `Unreachable`, and changes nothing here.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import Any

from ciro_zk.errors import InputError, SettlementError
from ciro_zk.settlement.outbox import Unreachable
from ciro_zk.settlement.parameters import CODES

MOST_BYTES = 64 << 20
"""Of one answer."""
NOT_FOUND = frozenset({20, 24, 28, 29})
"""Contract, block, class or transaction not found."""
_FELT = re.compile(r"0x[0-9a-fA-F]{1,64}")


class NotFound(Unreachable):
    """The node knows no such block, contract or transaction."""


class Node:
    """One node.

    Parameters
    ----------
    url : str
        http or https.
    timeout : float
        Seconds for one answer.
    """

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        if not url.startswith(("http://", "https://")):
            raise InputError(f"{url!r} is no URL of a node", field="url", remedy="give http://... or https://...")
        self.url, self.timeout = url, timeout
        self._number = 0

    def ask(self, method: str, **params: Any) -> Any:
        """The result of one call.

        Raises
        ------
        SettlementError
            A contract refused, by its code.
        NotFound
            There is no such block, contract or transaction.
        Unreachable
            No answer in time, or one that is not JSON-RPC's.
        """
        self._number += 1
        body = json.dumps({"jsonrpc": "2.0", "id": self._number, "method": f"starknet_{method}", "params": params}).encode()
        request = urllib.request.Request(self.url, data=body, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                data = answer.read(MOST_BYTES + 1)
        except (OSError, ValueError, urllib.error.URLError) as error:
            raise Unreachable(f"{self.url}: {error}", remedy="check the node, or name another") from error
        if len(data) > MOST_BYTES:
            raise Unreachable(f"{self.url}: an answer over {MOST_BYTES} bytes")
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Unreachable(f"{self.url}: an answer that is not JSON") from error
        if not isinstance(found, dict) or found.get("id") != self._number:
            raise Unreachable(f"{self.url}: an answer to another question")
        if "error" in found:
            self._refuse(method, found["error"])
        if "result" not in found:
            raise Unreachable(f"{self.url}: an answer without a result")
        return found["result"]

    def _refuse(self, method: str, error: Any) -> None:
        text = json.dumps(error)[:100_000]
        code = refusal(text)
        if code:
            raise SettlementError(code)
        if isinstance(error, dict) and error.get("code") in NOT_FOUND:
            raise NotFound(f"{method}: {text[:300]}")
        raise Unreachable(f"{method}: {text[:300]}")


def refusal(text: str) -> str:
    """The error code of settlement that a node's text names, as a short string or its number; "" where it names none."""
    for felt in _FELT.findall(text):
        number = int(felt, 16)
        found = number.to_bytes((number.bit_length() + 7) // 8, "big")
        if found.isascii() and found.decode() in CODES:
            return found.decode()
    quoted = re.findall(r"'([A-Z][A-Z0-9_]{2,30})'", text)
    if re.search(r"Failed to deserialize param #\d+|Input too (long|short) for arguments", text):
        return "MALFORMED_CALLDATA"
    return next((code for code in quoted if code in CODES), "")


def number(value: object, what: str) -> int:
    """A felt of an answer; raises `Unreachable` where it is none."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and _FELT.fullmatch(value):
        return int(value, 16)
    raise Unreachable(f"{what} is no number: {value!r:.100}")


def numbers(value: object, what: str) -> list[int]:
    """A list of felts of an answer; raises `Unreachable` where it is none."""
    if not isinstance(value, list):
        raise Unreachable(f"{what} is no list: {value!r:.100}")
    return [number(item, what) for item in value]


def fields(value: object, what: str) -> dict[str, Any]:
    """An object of an answer; raises `Unreachable` where it is none."""
    if not isinstance(value, dict):
        raise Unreachable(f"{what} is no object: {value!r:.100}")
    return value
