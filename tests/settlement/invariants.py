"""What holds on the ledger after every call of a walk. Each check reads the storage, not the views."""

from __future__ import annotations

from collections import Counter

from settlement.walk import ACTORS, OPEN, Step, Walk

from ciro_zk.errors import SettlementError
from ciro_zk.settlement.ledger.chain import EmbeddedLedger
from ciro_zk.settlement.parameters import SUPPLY


class Broken(AssertionError):
    """An invariant does not hold: which, and after which call."""


class Undone(Exception):
    """Ends a transaction whose changes are not wanted."""


class Invariants:
    """Checks a walk: `Walk(choose, Invariants().after)`, then `bind` it."""

    def __init__(self) -> None:
        self.walk: Walk | None = None
        self.accounts: set[int] = set(ACTORS)
        self.workers: set[int] = set(ACTORS)
        self.jobs: set[int] = set()
        self.disputed: set[int] = set()
        self.closed: Counter[int] = Counter()
        self.requests: dict[int, int] = {}
        self.turn = 0

    def bind(self, walk: Walk) -> Walk:
        self.walk = walk
        self.accounts |= set(walk.ledger.addresses.values())
        return walk

    def after(self, step: Step) -> None:
        if self.walk is None:
            return
        ledger = self.walk.ledger
        for _, name, fields in step.events:
            if name == "Transfer":
                self.accounts |= {fields["to"]} - {0}
            elif name == "Staked":
                self.workers.add(fields["worker"])
            elif name == "JobSubmitted":
                self.jobs.add(fields["job"])
            elif name == "Challenged":
                self.disputed.add(fields["job"])
            elif name == "Resolved":
                self.disputed.discard(fields["job"])
            elif name in ("JobPaid", "JobRefunded"):
                self.closed[fields["job"]] += 1
                self.jobs.discard(fields["job"])
                self.holds(self.closed[fields["job"]] == 1, "a job is closed once", step)
            elif name == "UnbondRequested":
                self.requests[fields["request"]] = fields["staker"]
            elif name == "Withdrawn":
                del self.requests[fields["request"]]
        if step.code:
            self.holds(not step.events, "a refused call emits nothing", step)
        self.conserved(ledger, step)
        self.owed(ledger, step)
        self.withdrawable(ledger, step)

    def holds(self, condition: bool, what: str, step: Step) -> None:
        if not condition:
            raise Broken(f"{what}: {step}")

    def conserved(self, ledger: EmbeddedLedger, step: Step) -> None:
        balances, burned = ledger.token._balances, ledger.token._burned[()]
        self.holds(sum(balances[account] for account in self.accounts) + burned == SUPPLY, "balances + burned = supply", step)

    def owed(self, ledger: EmbeddedLedger, step: Step) -> None:
        """Every contract's tokens are what it owes."""
        jobs, vault, pool, balances = ledger.jobs, ledger.vault, ledger.pool, ledger.token._balances
        escrow, bonds, credited = jobs._escrow[()], jobs._bonds[()], jobs._credited[()]
        found = [jobs._jobs[job] for job in self.jobs]
        self.holds(all(job.state in OPEN for job in found), "only closed jobs leave the open ones", step)
        self.holds(escrow == sum(job.price for job in found), "escrow = prices of open jobs", step)
        self.holds(bonds == sum(ledger.registry._disputes[job].bond for job in self.disputed), "bonds = those of open disputes", step)
        self.holds(credited == sum(jobs._credits[account] for account in self.accounts), "withdrawable = sum of credits", step)
        self.holds(balances[jobs.address] >= escrow + bonds + credited, "JobManager holds what it owes", step)
        pools = [vault._pools[worker] for worker in self.workers]
        stake = sum(each.assets + each.unbonding_assets for each in pools)
        self.holds(balances[vault.address] >= stake, "StakeVault holds all stake", step)
        self.holds(all(each.locked >= 0 and each.shares >= 0 and each.unbonding_shares >= 0 for each in pools), "nothing is negative", step)
        self.holds(balances[pool.address] >= pool._funds[()] >= pool._reserved() >= 0, "CdcPool holds its funds", step)

    def withdrawable(self, ledger: EmbeddedLedger, step: Step) -> None:
        """One account's credit and one request, in turn: whoever is owed something can take it now."""
        self.turn += 1
        account = sorted(self.accounts)[self.turn % len(self.accounts)]
        if ledger.jobs._credits[account]:
            self.holds(_succeeds(ledger, account, "JobManager", "withdraw"), "a credit is never blocked", step)
        due = [
            request
            for request in self.requests
            if (found := ledger.vault._requests[request]).release <= ledger.time and not ledger.vault._disputes[found.worker]
        ]
        if due:
            request = due[self.turn % len(due)]
            succeeds = _succeeds(ledger, self.requests[request], "StakeVault", "withdraw", request)
            self.holds(succeeds, "unbonded stake is never blocked", step)


def _succeeds(ledger: EmbeddedLedger, caller: int, contract: str, entry: str, *arguments: int) -> bool:
    """Whether the call would, without making it."""
    try:
        with ledger.store.transaction():
            ledger._enter(caller, getattr(ledger.contracts[contract], entry), arguments)
            raise Undone
    except SettlementError:
        return False
    except Undone:
        return True
