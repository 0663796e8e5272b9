"""CiroToken: ERC-20 of a fixed supply, with balances at past blocks for votes.

Amounts are `u256` at the edge, as ERC-20 has them, and below 2^128 inside. Burned tokens leave the supply: balances + burned = supply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ciro_zk.settlement.ledger.contract import Contract, Map, Trace, external, require, view
from ciro_zk.settlement.ledger.types import U64, U256, Address, Flag
from ciro_zk.settlement.parameters import SUPPLY

if TYPE_CHECKING:
    from ciro_zk.settlement.ledger.chain import EmbeddedLedger


class CiroToken(Contract):
    """The network's token, 18 decimals."""

    name = "CiroToken"

    def __init__(self, chain: EmbeddedLedger) -> None:
        super().__init__(chain)
        self._balances = Map(self, "balances", 0)
        self._allowances = Map(self, "allowances", 0)
        self._burned = Map(self, "burned", 0)
        self._balance_trace = Trace(self, "balance_trace")
        self._supply_trace = Trace(self, "supply_trace")

    def construct(self, holder: int) -> None:
        """The whole supply to one account."""
        self._move(0, holder, SUPPLY)
        self._supply_trace.push((), SUPPLY)

    def _move(self, sender: int, receiver: int, amount: int) -> None:
        if sender:
            require(self._balances[sender] >= amount, "BALANCE_TOO_LOW")
            self._balances[sender] -= amount
            self._balance_trace.push((sender,), self._balances[sender])
        if receiver:
            self._balances[receiver] += amount
            self._balance_trace.push((receiver,), self._balances[receiver])
        self.emit("Transfer", from_=sender, to=receiver, value=amount)

    @view
    def total_supply(self) -> U256:
        return SUPPLY - self._burned[()]

    @view
    def balance_of(self, account: Address) -> U256:
        return self._balances[account]

    @view
    def allowance(self, owner: Address, spender: Address) -> U256:
        return self._allowances[owner, spender]

    @view
    def balance_at(self, account: Address, block: U64) -> U256:
        """At the end of a past block, else BLOCK_NOT_PAST."""
        return self._balance_trace.at((account,), block)

    @view
    def total_supply_at(self, block: U64) -> U256:
        """At the end of a past block, else BLOCK_NOT_PAST."""
        return self._supply_trace.at((), block)

    @external
    def transfer(self, to: Address, amount: U256) -> Flag:
        """ZERO_ADDRESS, AMOUNT_OVERFLOW, BALANCE_TOO_LOW."""
        _check(to, amount)
        self._move(self.caller, to, amount)
        return True

    @external
    def transfer_from(self, owner: Address, to: Address, amount: U256) -> Flag:
        """ZERO_ADDRESS, AMOUNT_OVERFLOW, ALLOWANCE_TOO_LOW, BALANCE_TOO_LOW."""
        _check(to, amount)
        require(self._allowances[owner, self.caller] >= amount, "ALLOWANCE_TOO_LOW")
        self._allowances[owner, self.caller] -= amount
        self._move(owner, to, amount)
        return True

    @external
    def approve(self, spender: Address, amount: U256) -> Flag:
        """ZERO_ADDRESS, AMOUNT_OVERFLOW."""
        _check(spender, amount)
        self._allowances[self.caller, spender] = amount
        self.emit("Approval", owner=self.caller, spender=spender, value=amount)
        return True

    @external
    def burn(self, amount: U256) -> None:
        """Of the caller's: AMOUNT_OVERFLOW, BALANCE_TOO_LOW."""
        require(amount >> 128 == 0, "AMOUNT_OVERFLOW")
        self._move(self.caller, 0, amount)
        self._burned[()] += amount
        self._supply_trace.push((), SUPPLY - self._burned[()])


def _check(account: int, amount: int) -> None:
    require(account != 0, "ZERO_ADDRESS")
    require(amount >> 128 == 0, "AMOUNT_OVERFLOW")
