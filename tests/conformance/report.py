"""A table of ONNX's backend tests by operator: passed within the certified bound, failed, and out of scope by reason.

    python tests/conformance/report.py                      all suites
    python tests/conformance/report.py node -k gelu -v      one suite, names that contain a text, with the reasons of failures

Exits with 1 if less than 90 % of the node tests in scope pass, or less than 60 of pytorch-converted.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from conformance.suite import KINDS, Case, Outcome, cases, run  # noqa: E402

MIN_NODE_SHARE, MIN_CONVERTED = 0.9, 60


def report(kind: str, text: str, verbose: bool) -> tuple[int, int]:
    """Run and print one suite; returns (passed, in scope)."""
    excluded: Counter[str] = Counter()
    outcomes: dict[str, list[tuple[Case, Outcome]]] = defaultdict(list)
    for test in cases(kind):
        if text in test.name:
            if test.excluded:
                excluded[test.excluded] += 1
            else:
                outcomes[test.operator].append((test, run(test)))
    passed = total = 0
    print(f"\n{kind}\n{'operator':28} passed failed  worst error  worst bound")
    for operator, found in sorted(outcomes.items()):
        good = [outcome for _, outcome in found if not outcome.error]
        worst = max((outcome.deviation for outcome in good), default=0.0)
        widest = max((outcome.bound for test, outcome in found if not outcome.error and not test.exception), default=0.0)
        print(f"{operator:28} {len(good):6} {len(found) - len(good):6}  {worst:11.3%}  {widest:11.3%}")
        if verbose:
            for test, outcome in found:
                if outcome.error:
                    print(f"    {test.name}: {outcome.error[:300]}")
        passed, total = passed + len(good), total + len(found)
    for reason, count in excluded.most_common():
        print(f"out of scope, {reason}: {count}")
    exceptions = Counter(test.exception for found in outcomes.values() for test, _ in found if test.exception)
    for reason, count in exceptions.most_common():
        print(f"not measured by the bound, {reason}: {count}")
    share = f" ({passed / total:.1%})" if total else ""
    print(f"{kind}: {passed} of {total} in scope passed{share}, {total - passed} failed, {sum(excluded.values())} out of scope", flush=True)
    return passed, total


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line above."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("kinds", nargs="*", default=KINDS, help=", ".join(KINDS))
    parser.add_argument("-k", dest="text", default="", help="only tests whose name contains this")
    parser.add_argument("-v", dest="verbose", action="store_true", help="reasons of failures")
    chosen = parser.parse_args(arguments)
    found = {kind: report(kind, chosen.text, chosen.verbose) for kind in chosen.kinds}
    passed, total = found.get("node", (1, 1))
    return int(passed < MIN_NODE_SHARE * total or found.get("pytorch-converted", (MIN_CONVERTED, 0))[0] < MIN_CONVERTED)


if __name__ == "__main__":
    raise SystemExit(main())
