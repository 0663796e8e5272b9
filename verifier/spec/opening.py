"""Section 7 of `verification.md` in plain integers: a second choice of an opening's levels. Nothing of the library is imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import isqrt, prod

P = 2**64 - 2**32 + 1
Oracle = tuple[int, int, int, int, int]
"""n, c, b, Q, m"""
Levels = tuple[tuple[Oracle, ...], ...]


@dataclass(frozen=True)
class Sizes:
    """What the sum depends on beside the levels."""

    log_leaves: int
    columns: int
    rounds: int
    degree: int
    products: int
    zero_checks: int
    claims: int


@dataclass(frozen=True)
class Preset:
    """The table's row, and what is below it."""

    target: int
    log_blowup: int
    work: int
    lookup_work: int
    fold_work: int = 0
    multiplicity: int = 0


PRESETS = {
    "testing": Preset(20, 2, 4, 2),
    "standard": Preset(100, 2, 18, 0),
    "conservative": Preset(105, 2, 0, 12),
    "johnson": Preset(100, 3, 23, 0, 22, 16),
}


def up(a: int, b: int) -> int:
    return -(-a // b)


def lg(d: int) -> int:
    return (d - 1).bit_length()


def alpha(b: int, m: int) -> tuple[int, int]:
    return ((2 * m + 1) ** 2, m * m << b + 2) if m else ((2**b + 1) ** 2, 1 << 2 * b + 2)


def list_of(c: int, b: int, m: int) -> int:
    return isqrt((2 * m + 1) ** 2 * (1 << c + b) // (4 * ((1 << c) - 1))) if m else 1


@cache
def bad(c: int, b: int, m: int) -> int:
    length = 1 << c + b
    return isqrt((2 * m + 1) ** 14 * length**7 // (9 << 14) // ((1 << c) - 1) ** 3) + 1 if m else length


@cache
def queries(w: int, b: int, m: int) -> int:
    u, v = alpha(b, m)
    low, high = 0, 1
    while u ** (2 * high) << w > v ** (2 * high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if u ** (2 * middle) << w <= v ** (2 * middle) else (middle, high)
    return high


@cache
def size(oracle: Oracle, cell: int) -> int:
    n, c, b, q, _ = oracle
    depth = c + b
    x = (1 << depth + 8) - ((((1 << depth) - 1) ** q << 8) >> depth * (q - 1))
    y = [min(1 << d + 8, x) for d in range(1, depth + 1)]
    return (x * (cell << n - c) + 32 * sum(v - (v * v >> d + 8) for d, v in enumerate(y, 1))) >> 8


def message_vars(level: Sequence[Oracle]) -> int:
    return lg(sum(1 << c for _, c, _, _, _ in level))


def folds(level: Sequence[Oracle]) -> int:
    return max(n - c for n, c, _, _, _ in level)


def choose(preset: Preset, layouts: tuple[int, int], w: int, f: int, first: tuple[int, int] | None) -> tuple[int, Levels] | None:
    """(bytes, levels)"""
    sample = 16 if preset.multiplicity else 0
    budget = 4 * sum(1 << n for n in layouts) + 2**16

    def nonces(k: int) -> int:
        return 8 * (preset.work > 0) + 8 * k * (preset.fold_work > 0)

    def code(n: int, c: int, b: int) -> Oracle | None:
        def possible(m: int) -> bool:
            return ((n - c) * bad(c, b, m)) ** 4 << f - 4 * preset.fold_work <= P**8

        best = [m for m in range(3, preset.multiplicity + 1) if possible(m)][-1:]
        found = [(queries(w - 4 * preset.work, b, m), m) for m in [0, *best] if possible(m)]
        return (n, c, b, *min(found)) if found else None

    @cache
    def tail(m: int) -> tuple[int, Levels]:
        found: list[tuple[int, Levels]] = [(16 << m, ())]
        for k in (3, 4, 5):
            for b in range(preset.log_blowup, 7):
                if m - k >= 7 and 1 << m + b + 1 <= budget and (oracle := code(m, m - k, b)):
                    rest, levels = tail(m - k)
                    found.append((32 + sample + size(oracle, 16) + nonces(k) + rest, ((oracle,), *levels)))
        return min(found, key=lambda entry: entry[0])

    def options(n: int, fixed: tuple[int, int] | None) -> list[Oracle]:
        codes = [fixed] if fixed else [(c, preset.log_blowup) for c in range(max(n // 2, 4), max(n, 5) + 1)]
        return [oracle for c, b in codes if (oracle := code(max(n, c), c, b))]

    found = []
    for level in [(a, b) for a in options(layouts[0], first) for b in options(layouts[1], None)]:
        rest, levels = tail(message_vars(level))
        rounds = folds(level)
        total = sum(size(o, 8) for o in level) + 32 * (rounds + message_vars(level)) + nonces(rounds) + rest
        found.append((total, (level, *levels)))
    return min(found, key=lambda entry: entry[0], default=None)


def error(preset: Preset, sizes: Sizes, levels: Levels, fold_work: int) -> int:
    """The sum of the terms, in units of 2^-256."""

    def over_k(a: int) -> int:
        return up(max(a, 1) << 256, P * P)

    lookup = (sizes.columns + 1) << sizes.log_leaves
    lookup_work = max(preset.lookup_work, next(g for g in range(300) if lookup << preset.target + 5 <= P * P << g))
    lists = [prod(list_of(c, b, m) for _, c, b, _, m in level) for level in levels] + [1]
    sampled = preset.multiplicity > 0
    batching = lists[0] * (sizes.claims + 2 * sampled) + 2 * message_vars(levels[-1])
    for i, level in enumerate(levels):
        batching += 2 * lists[i] * folds(level) + lists[i + 1] * sum(q for _, _, _, q, _ in level) + (lists[i] if sampled and i else 0)
    every = [oracle for level in levels for oracle in level]
    total = up(over_k(lookup), 1 << lookup_work) + over_k(sum(3 * k + 2 for k in range(sizes.log_leaves)))
    total += over_k(64 * (sizes.zero_checks + 1)) + over_k(sizes.rounds * sizes.degree + sizes.products + sizes.zero_checks)
    if sampled:
        total += over_k(sum(list_of(c, b, m) * (list_of(c, b, m) - 1) // 2 * n for n, c, b, _, m in every))
    total += over_k(batching) + up(over_k(sum((n - c) * bad(c, b, m) for n, c, b, _, m in every)), 1 << fold_work)
    for _, _, b, q, m in every:
        u, v = alpha(b, m)
        total += up(isqrt((u**q << 512) // v**q) + 1, 1 << preset.work)
    return total


def opening(preset: Preset, layouts: tuple[int, int], sizes: Sizes, first: tuple[int, int] | None = None) -> tuple[Levels, int] | None:
    """The levels and the fold grinding; None where the program is refused."""
    target = 4 * (preset.target + 1)

    def meets(levels: Levels, fold_work: int = preset.fold_work) -> bool:
        return error(preset, sizes, levels, fold_work) <= 1 << 256 - preset.target - 1

    def again(levels: Levels, w: int) -> Levels:
        return tuple(tuple((n, c, b, queries(w - 4 * preset.work, b, m), m) for n, c, b, _, m in level) for level in levels)

    def whole(levels: Levels) -> int:
        found = sum(size(o, 16 if i else 8) for i, level in enumerate(levels) for o in level)
        found += 32 * (folds(levels[0]) + message_vars(levels[0])) + (16 << message_vars(levels[-1]))
        found += sum(8 * (preset.work > 0) + 8 * folds(level) * (preset.fold_work > 0) for level in levels)
        return found + (len(levels) - 1) * (32 + 16 * (preset.multiplicity > 0))

    found = []
    for g in (4, 6, 8, 12):
        for h in range(4, 65):
            chosen = choose(preset, layouts, target + h, target + g, first)
            if chosen is None:
                break
            if meets(chosen[1]):
                found.append(next(levels for i in range(h + 1) if meets(levels := again(chosen[1], target + i))))
                break
    if not found:
        return None
    best = min(found, key=whole)
    return best, next(g for g in range(preset.fold_work + 1) if meets(best, g))
