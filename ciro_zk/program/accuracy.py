"""A circuit's accuracy against the float model, as text and as a chart. What is measured, and how: `ciro_zk.compiler.report`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from math import log10
from typing import Any

SOURCES = {
    "held back": "samples held back from calibration",
    "validation": "validation samples",
    "calibration": "the calibration samples themselves: too few to hold some back",
    "synthetic": "random inputs from the declared range: not real data",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticBound:
    """How far an output can be from exact real arithmetic of the float model, for all inputs in their declared ranges.

    `bound`: in the output's units; None where there is none, for the `reason`, which names the circuit's tensor.
    """

    bound: float | None
    reason: str = ""

    def __str__(self) -> str:
        return f"no bound: {self.reason}" if self.bound is None else f"at most {self.bound:.3g}"


def accuracy_rows(accuracy: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, text) pairs: one per output, one per step that rounds, and what a search for precision chose."""
    rows: list[tuple[str, str]] = []
    if not accuracy.get("outputs"):
        return rows
    source = SOURCES.get(accuracy["source"], accuracy["source"])
    rows.append(("compared on", f"{accuracy['num_samples']} inputs, {source}; ranges by {accuracy['method']}"))
    for name, figures in accuracy["outputs"].items():
        agreement = figures["argmax_agreement"]
        same = "" if agreement is None else f", same greatest entry {100 * agreement:.4g} %"
        bound = figures["error_bound"]
        certified = "no certified bound" if bound is None else f"certified {bound:.3g}"
        rows.append(
            (f"error of {name}", f"{figures['max_abs_error']:.3g} of {figures['max_abs']:.3g}: {_share(figures)}{same}; {certified}")
        )
    for name, figures in accuracy["layers"].items():
        rows.append((f"  {name}", f"{figures['bits']:>2} bits  {_share(figures)}"))
    if "search" in accuracy:
        found = accuracy["search"]
        raised = ", ".join(f"{name} {bits}" for name, bits in found["raised"].items())
        more = f"; more for {raised}" if raised else ""
        rows.append(("precision", f"{found['bits']} bits{more}: the cheapest of {found['trials']} choices with {found['target']}"))
    return rows


def _share(figures: Mapping[str, Any]) -> str:
    sqnr = figures["sqnr_db"]
    return f"{100 * figures['relative_error']:.3g} %" + ("" if sqnr is None else f", {sqnr:.0f} dB")


def accuracy_svg(title: str, accuracy: Mapping[str, Any]) -> str:
    """A bar chart: the relative error of every step and output, logarithmic from 0.001 % to 100 %."""
    rows = [(name, figures, False) for name, figures in accuracy.get("layers", {}).items()]
    rows += [(name, figures, True) for name, figures in accuracy.get("outputs", {}).items()]
    width, left, step = 860, 260, 20
    scale = (width - left - 150) / 5
    height = 72 + step * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="12" y="22" font-size="14">{escape(title)}</text>',
    ]
    for decade, text in enumerate(("0.001 %", "0.01 %", "0.1 %", "1 %", "10 %", "100 %")):
        x = left + decade * scale
        parts.append(f'<text x="{x:.1f}" y="42" text-anchor="middle" fill="#666">{text}</text>')
        parts.append(f'<line x1="{x:.1f}" y1="48" x2="{x:.1f}" y2="{height - 12}" stroke="#ddd"/>')
    for i, (name, figures, is_output) in enumerate(rows):
        y, error = 52 + step * i, figures["relative_error"]
        length = scale * min(max(log10(error) + 5, 0.0), 5.0) if error > 0 else 0.0
        weight, colour = (' font-weight="bold"', "#2f5d8c") if is_output else ("", "#b8cbe0")
        parts.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end"{weight}>{escape(name[-40:])}</text>')
        parts.append(f'<rect x="{left}" y="{y + 2}" width="{length:.1f}" height="14" fill="{colour}"/>')
        parts.append(f'<text x="{left + length + 6:.1f}" y="{y + 13}"{weight}>{escape(_share(figures))}</text>')
    return "\n".join([*parts, "</svg>", ""])
