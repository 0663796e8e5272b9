"""Measures the contracts and writes the tables of docs/settlement-contracts.md.

    python settlement/report.py                 all of them: minutes, and the Starknet tools (`make starknet`)
    python settlement/report.py --classes       class hashes and sizes only, out of the artefacts, in a second

A table stands between two comments of its name; what is written around them stays.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "settlement-contracts.md"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from settlement.starknet import build  # noqa: E402

SEEDS, STEPS = (31,), 1_000
"""Of the walks that are replayed."""
LEDGER_STEPS = 20_000
"""Of a walk on the ledger alone."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Markdown, numbers to the right."""
    found = [list(map(_text, row)) for row in rows]
    right = [all(re.fullmatch(r"[\d,.]*", row[place]) for row in found) for place in range(len(head))]
    lines = [head, ["---:" if each else "---" for each in right], *found]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def classes() -> str:
    """What `make contracts` has built."""
    rows = []
    for name in build.contracts():
        content = build.load(build.ARTIFACTS / f"{name}.json.gz")
        rows.append((content["contract"], content["casm_felts"], f"`{content['class_hash']}`", f"`{content['compiled_class_hash']}`"))
    return table(("contract", "CASM felts", "class hash", "compiled class hash"), rows)


def steps() -> str:
    """Runs the scenarios on the contracts; Cairo steps of each entry point's successful calls."""
    import pytest
    from settlement.starknet.network import StarknetNetwork

    StarknetNetwork.measured.clear()
    if pytest.main(["-q", "-k", "starknet", str(ROOT / "tests" / "settlement" / "scenarios")]) != 0:
        raise SystemExit("the scenarios fail")
    found = defaultdict(list)
    for call, count in StarknetNetwork.measured:
        found[call].append(count)
    rows = ((f"`{call}`", len(each), round(statistics.median(each)), max(each)) for call, each in sorted(found.items()))
    return table(("call", "calls", "median steps", "most steps"), rows)


def replays() -> tuple[str, str, str]:
    """Walks replayed on the contracts: what was compared, calls by entry point, refusals by code."""
    from settlement.replay import Replay
    from settlement.starknet.machine import Machine
    from settlement.starknet.network import StarknetNetwork
    from settlement.walk import Walk, seeded
    from settlement.world import GENESIS, populate

    calls, refused, codes, rows = Counter[str](), Counter[str](), Counter[str](), []
    with Machine() as machine:
        network = StarknetNetwork(machine, genesis=GENESIS)
        populate(network)
        snapshot = network.snapshot()
        for seed in SEEDS:
            walk = Walk(seeded(seed))
            walk.run(STEPS)
            network.restore(snapshot)
            replay = Replay(network)
            for step in walk.steps:
                replay.step(step)
                name = f"{step.contract}.{step.entry}"
                calls[name] += 1
                refused[name] += bool(step.code)
                codes[step.code] += bool(step.code)
            rows.append((f"contracts, seed {seed}", replay.made, len(walk.jobs), f"{replay.views(walk):,} answers of views"))
    rows.append((f"ledger alone, seed {SEEDS[0]}", *_ledger(SEEDS[0])))
    by_call = table(("call", "made", "refused"), ((f"`{name}`", count, refused[name]) for name, count in sorted(calls.items())))
    by_code = table(("code", "times"), ((f"`{code}`", count) for code, count in codes.most_common() if count))
    return table(("walk", "calls", "jobs", "compared at the end"), rows), by_call, by_code


def _ledger(seed: int) -> tuple[int, int, str]:
    from settlement.invariants import Invariants
    from settlement.walk import Walk, seeded

    invariants = Invariants()
    walk = invariants.bind(Walk(seeded(seed), invariants.after, keep=False))
    walk.run(LEDGER_STEPS)
    return walk.made, len(walk.jobs), "invariants after each call"


def replace(page: str, name: str, content: str) -> str:
    """The page with another table between the comments of that name."""
    between = rf"(?<=<!-- {name} -->\n).*?(?=\n<!-- / -->)"
    found, count = re.subn(between, lambda _: f"\n{content}\n", page, count=1, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{PAGE.name} has no table {name!r}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", action="store_true", help="the table of classes only")
    tables = {"classes": classes()}
    if not parser.parse_args(arguments).classes:
        if reason := build.missing():
            raise SystemExit(reason)
        tables["steps"] = steps()
        tables["walks"], tables["calls"], tables["codes"] = replays()
    page = PAGE.read_text()
    for name, content in tables.items():
        page = replace(page, name, content)
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
