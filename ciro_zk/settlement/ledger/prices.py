"""CIRO in dollars: the median of at least three fresh reports, at most 20 % an update, one an hour.

A price is an integer of micro-dollars for one CIRO. Tiers use the lower of the price now and a day ago, so that a spike buys no tier.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from ciro_zk.settlement.ledger.contract import Contract, Map, external, require, view
from ciro_zk.settlement.ledger.types import U128, Address, Addresses, Flag
from ciro_zk.settlement.parameters import (
    PRICE_CHANGE,
    PRICE_INTERVAL,
    PRICE_LAG,
    PRICE_QUORUM,
    PRICE_REPORTERS,
)

if TYPE_CHECKING:
    from ciro_zk.settlement.ledger.chain import EmbeddedLedger

BPS = 10_000
MOST_PRICE = 10**18
"""A million million dollars for one CIRO: what a typing error would give."""


@dataclass(frozen=True, slots=True)
class Price:
    """Micro-dollars for one CIRO, and when they were said."""

    value: int = 0
    time: int = 0


class PriceFeed(Contract):
    """The part of CdcPool that knows the price of CIRO."""

    def __init__(self, chain: EmbeddedLedger) -> None:
        super().__init__(chain)
        self._reporters = Map(self, "reporters", 0)
        self._reports = Map(self, "reports", Price())
        self._prices = Map(self, "prices", Price())
        self._num_prices = Map(self, "num_prices", 0)

    @external
    def set_reporters(self, reporters: Addresses) -> None:
        """Governance, all five at once: NOT_GOVERNANCE, MALFORMED_CALLDATA."""
        self.require_governance()
        self.appoint(reporters)

    def appoint(self, reporters: tuple[int, ...]) -> None:
        """Also at deployment."""
        require(len(reporters) == PRICE_REPORTERS, "MALFORMED_CALLDATA")
        require(len(set(reporters)) == len(reporters), "WRONG_ORDER")
        for place, reporter in enumerate(reporters):
            self._reporters[place] = reporter
            self._reports[place] = Price()
        self.emit("ReportersSet", reporters=reporters)

    @external
    def report_price(self, price: U128) -> None:
        """A reporter's view: NOT_REPORTER, ZERO_AMOUNT, AMOUNT_TOO_LARGE."""
        places = [place for place in range(PRICE_REPORTERS) if self._reporters[place] == self.caller]
        require(bool(places), "NOT_REPORTER")
        require(price > 0, "ZERO_AMOUNT")
        require(price <= MOST_PRICE, "AMOUNT_TOO_LARGE")
        self._reports[places[0]] = Price(price, self.time)
        self.emit("PriceReported", reporter=self.caller, price=price)

    @external
    def update_price(self) -> U128:
        """Anyone, once an hour: the median of fresh reports, moved by at most the cap. PRICE_TOO_SOON, NO_QUORUM."""
        last = self._last()
        require(last.time == 0 or self.time >= last.time + PRICE_INTERVAL, "PRICE_TOO_SOON")
        reports = [self._reports[place] for place in range(PRICE_REPORTERS)]
        fresh = sorted(report.value for report in reports if report.time and self.time <= report.time + PRICE_INTERVAL)
        require(len(fresh) >= PRICE_QUORUM, "NO_QUORUM")
        price = fresh[(len(fresh) - 1) // 2]
        if last.time:
            step = last.value * PRICE_CHANGE // BPS
            price = min(max(price, last.value - step), last.value + step)
        self._prices[self._num_prices[()]] = Price(price, self.time)
        self._num_prices[()] += 1
        self.emit("PriceSet", price=price)
        return price

    @view
    def price(self) -> tuple[int, ...]:
        """The last price and its time, zeros before the first."""
        return astuple(self._last())

    @view
    def tier_price(self) -> U128:
        """The lower of the price now and a day ago."""
        return self._tier_price()

    @view
    def reporter_at(self, place: U128) -> Address:
        return self._reporters[place]

    @view
    def price_fresh(self) -> Flag:
        return self._price_fresh()

    def _last(self) -> Price:
        count = self._num_prices[()]
        return self._prices[count - 1] if count else Price()

    def _price_fresh(self) -> bool:
        last = self._last()
        return bool(last.time) and self.time <= last.time + PRICE_LAG

    def _tier_price(self) -> int:
        """Updates are an hour apart, so that at most 25 prices are looked at."""
        place = self._num_prices[()]
        price = self._last()
        earlier = price
        while place and earlier.time + PRICE_LAG > self.time:
            place -= 1
            earlier = self._prices[place]
        return min(price.value, earlier.value)
