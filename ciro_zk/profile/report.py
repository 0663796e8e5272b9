"""A profile as a table, as JSON and as a bar chart.

Three clocks stand side by side. *measured*: the proof. *alone*: the same kernel calls on arguments of the same sizes, repeated and
warm, the best of each. *bulk*: the same multiplications and bytes at the best rate that the kernel reaches on any of these sizes or
on a large array that stays in the cache; this is the counted cost, which small calls, thread hand-overs, copies, page faults and
everything outside the kernels are measured against. The transcript, whose hashes are one after another by nature, counts as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import Any

from ciro_zk.profile.work import Work

_WORK_HEADINGS = f"{'base mul':>14}{'ext mul':>14}{'hashed':>13}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The calls of one kernel from one function in one phase."""

    phase: str
    where: str
    kernel: str
    work: Work
    seconds: float
    thread_seconds: float
    """Processor seconds of the thread that proves; its helpers and waiting are not in it."""
    alone_seconds: float
    bulk_seconds: float

    def __add__(self, other: Entry) -> Entry:
        return replace(
            self,
            work=self.work + other.work,
            seconds=self.seconds + other.seconds,
            thread_seconds=self.thread_seconds + other.thread_seconds,
            alone_seconds=self.alone_seconds + other.alone_seconds,
            bulk_seconds=self.bulk_seconds + other.bulk_seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A phase's clocks."""

    name: str
    seconds: float
    processor_seconds: float
    """Of all threads together."""
    thread_seconds: float
    """Of the thread that proves, the least measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """An operator's part; see `ciro_zk.profile.ops`."""

    name: str
    kind: str
    leaves: int
    cells: int
    seconds: float
    base: int
    ext: int
    hashed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Where one proof's time went."""

    circuit: str
    program_digest: str
    batch: int
    threads: int
    plain_seconds: float
    """The same proof without being recorded."""
    proof_bytes: int
    phases: tuple[Phase, ...]
    entries: tuple[Entry, ...]
    ops: tuple[Op, ...]
    rates: Mapping[str, float]
    """Of each kernel at its best: bytes, else multiplications, else additions per second."""

    @property
    def seconds(self) -> float:
        """The recorded proof."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def counted_seconds(self) -> float:
        """The counted work at the kernels' bulk rates."""
        return sum(entry.bulk_seconds for entry in self.entries)

    @property
    def ratio(self) -> float:
        """The proof, not recorded, over the counted cost."""
        return self.plain_seconds / self.counted_seconds

    @property
    def disturbed(self) -> bool:
        """Whether the proof waited for a processor: a proving thread alone would use one all the time."""
        return sum(phase.processor_seconds for phase in self.phases) < 0.9 * self.seconds

    def by_kernel(self, phase: str) -> list[Entry]:
        """A phase's kernels, the longest first."""
        found: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.phase == phase:
                found[entry.kernel] = found[entry.kernel] + entry if entry.kernel in found else replace(entry, where="")
        return sorted(found.values(), key=lambda entry: -entry.seconds)

    def by_function(self) -> list[Entry]:
        """All phases' calling functions and kernels, the longest first."""
        return sorted(self.entries, key=lambda entry: -entry.seconds)

    def outside(self, phase: Phase) -> float:
        """A phase's processor seconds in Python and numpy, outside kernels and transcript."""
        return phase.thread_seconds - sum(entry.thread_seconds for entry in self.entries if entry.phase == phase.name)

    def by_kind(self) -> list[Op]:
        """Operators of one kind together, the longest first."""
        found: dict[str, Op] = {}
        for op in self.ops:
            old = found.get(op.kind)
            found[op.kind] = replace(op, name=op.kind) if old is None else _joined(old, op)
        return sorted(found.values(), key=lambda op: -op.seconds)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "circuit": self.circuit,
            "program_digest": self.program_digest,
            "batch": self.batch,
            "threads": self.threads,
            "plain_seconds": self.plain_seconds,
            "seconds": self.seconds,
            "counted_seconds": self.counted_seconds,
            "ratio": self.ratio,
            "disturbed": self.disturbed,
            "proof_bytes": self.proof_bytes,
            "phases": [
                {
                    **asdict(phase),
                    "counted_seconds": _total(self.by_kernel(phase.name)).bulk_seconds,
                    "outside_seconds": self.outside(phase),
                    "kernels": [_entry_dict(entry) for entry in self.by_kernel(phase.name)],
                }
                for phase in self.phases
            ],
            "functions": [_entry_dict(entry) for entry in self.by_function()],
            "ops": [asdict(op) for op in self.ops],
            "rates": dict(self.rates),
        }

    def __str__(self) -> str:
        runs = f"{self.batch} inferences" if self.batch > 1 else "1 inference"
        lines = [
            f"{self.circuit}, {runs}, {self.threads} threads: {_ms(self.plain_seconds).strip()} ms ({_ms(self.seconds).strip()} recorded), "
            f"counted cost {_ms(self.counted_seconds).strip()} ms, ratio {self.ratio:.2f}",
            "",
            f"{'phase, kernel':<30}{'calls':>7}{'ms':>10}{'alone':>10}{'bulk':>10}{'ratio':>7}" + _WORK_HEADINGS,
        ]
        for phase in self.phases:
            entries = self.by_kernel(phase.name)
            cores = phase.processor_seconds / phase.seconds if phase.seconds else 0.0
            lines.append(_line(f"{phase.name}, {cores:.1f} cores", replace(_total(entries), seconds=phase.seconds)))
            lines += [_line(f"  {entry.kernel}", entry) for entry in entries]
            lines.append(f"{'  outside kernels':<37}{_ms(self.outside(phase))}")
        lines.append(_line("all", replace(_total(self.entries), seconds=self.seconds)))
        lines += [
            "",
            f"{'operators (shared out)':<30}{'':>7}{'ms':>10}{'leaves':>12}{'cells':>12}{'base mul':>20}{'ext mul':>14}{'hashed':>13}",
        ]
        if self.disturbed:
            lines.insert(1, "other programs had the processors at times: seconds are upper bounds, those outside kernels aside")
        for op in self.by_kind():
            lines.append(f"  {op.kind:<35}{_ms(op.seconds)}{op.leaves:>12,}{op.cells:>12,}{op.base:>14,}{op.ext:>14,}{op.hashed:>13,}")
        return "\n".join(lines)

    def svg(self) -> str:
        """Bars per phase and kernel: measured, and in front of it the counted cost."""
        rows: list[tuple[str, float, float, bool]] = []
        for phase in self.phases:
            entries = self.by_kernel(phase.name)
            rows.append((phase.name, phase.seconds, _total(entries).bulk_seconds, True))
            rows += [(e.kernel, e.seconds, e.bulk_seconds, False) for e in entries if e.seconds > self.seconds / 500]
            rows.append(("outside kernels", self.outside(phase), 0.0, False))
        title = (
            f"{self.circuit}, batch {self.batch}, {self.threads} threads: {self.plain_seconds * 1e3:.1f} ms, "
            f"{self.ratio:.2f} times the counted cost"
        )
        return bar_chart(title, rows)


def bar_chart(title: str, rows: Iterable[tuple[str, float, float, bool]]) -> str:
    """An SVG of (label, seconds, counted seconds, whether a heading) rows."""
    rows = list(rows)
    longest = max((seconds for _, seconds, _, _ in rows), default=0.0) or 1.0
    width, left, step = 860, 190, 20
    scale = (width - left - 150) / longest
    height = 64 + step * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="12" y="22" font-size="14">{escape(title)}</text>',
        '<rect x="12" y="32" width="10" height="10" fill="#b8cbe0"/><text x="26" y="41">measured</text>',
        '<rect x="100" y="32" width="10" height="10" fill="#2f5d8c"/><text x="114" y="41">counted work at the kernels\' rates</text>',
    ]
    for i, (label, seconds, counted, heading) in enumerate(rows):
        y = 52 + step * i
        weight = ' font-weight="bold"' if heading else ""
        parts.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end"{weight}>{escape(label)}</text>')
        parts.append(f'<rect x="{left}" y="{y + 2}" width="{max(seconds, 0) * scale:.1f}" height="14" fill="#b8cbe0"/>')
        if counted:
            parts.append(f'<rect x="{left}" y="{y + 5}" width="{min(counted, longest) * scale:.1f}" height="8" fill="#2f5d8c"/>')
        note = f"{seconds * 1e3:.2f} ms" + (f", x {seconds / counted:.1f}" if counted else "")
        parts.append(f'<text x="{left + max(seconds, 0) * scale + 6:.1f}" y="{y + 13}"{weight}>{note}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:>10.2f}"


def _total(entries: Iterable[Entry]) -> Entry:
    total = Entry(phase="", where="", kernel="", work=Work(), seconds=0.0, thread_seconds=0.0, alone_seconds=0.0, bulk_seconds=0.0)
    for entry in entries:
        total = total + entry
    return total


def _line(label: str, entry: Entry) -> str:
    ratio = f"{entry.seconds / entry.bulk_seconds:>7.1f}" if entry.bulk_seconds else f"{'':>7}"
    work = entry.work
    return (
        f"{label:<30}{work.calls:>7,}{_ms(entry.seconds)}{_ms(entry.alone_seconds)}{_ms(entry.bulk_seconds)}{ratio}"
        f"{work.base:>14,}{work.ext:>14,}{work.hashed:>13,}"
    )


def _entry_dict(entry: Entry) -> dict[str, Any]:
    fields = asdict(entry)
    work = fields.pop("work")
    return {**{key: value for key, value in fields.items() if value != ""}, **work}


def _joined(a: Op, b: Op) -> Op:
    return replace(
        a,
        leaves=a.leaves + b.leaves,
        cells=a.cells + b.cells,
        seconds=a.seconds + b.seconds,
        base=a.base + b.base,
        ext=a.ext + b.ext,
        hashed=a.hashed + b.hashed,
    )
