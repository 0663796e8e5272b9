"""Section 5: the rows of tables."""

from __future__ import annotations

from verifier.spec.reference.forms import Json


def function(entry: Json, q: int) -> int:
    if entry["kind"] == "sampled":
        return int(entry["values"][min(max(q - entry["low"], 0), len(entry["values"]) - 1)])
    if q < 0:
        scaled = q * entry["numerator"]
        q = scaled if entry["shift"] == 0 else (scaled + (1 << (entry["shift"] - 1))) >> entry["shift"]
    return int(min(max(q, entry["minimum"]), entry["maximum"]))


def table_columns(table: Json) -> list[list[int]]:
    """Section 5: the rows, by column."""
    match table["kind"]:
        case "range":
            return [list(range(1 << table["bits"]))]
        case "graph":
            q = range(table["low"], table["high"] + 1)
            return [list(q), [function(table["function"], v) for v in q]]
        case "sign":
            h = range(-table["limit"], table["limit"] + 1)
            return [list(h), [(v > 0) - (v < 0) for v in h]]
    size, low = 1 << table["bits"], table["low"]
    at = [(c, o, low if c < 0 else low + size - 1 if c else low + o) for c in (-1, 0, 1) for o in range(size)]
    return [[c for c, _, _ in at], [o for _, o, _ in at], [function(table["function"], q) for _, _, q in at]]
