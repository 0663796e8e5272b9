"""Time, size and memory of proofs against the size of the witness, on a circuit that fills three quarters of it.

    python benches/scaling.py [--low 14] [--high 22] [--full] [--threads N] [--repeats 3] [--write]

The circuit is three layers of a matrix product with 16 columns and a requantisation, with as many rows as the witness asks for; every cell
of an activation costs two witness cells and two lookups. Each size runs in a process of its own, so that its peak memory is its own.
`--full` goes to 2^26. `--write` puts the table between the markers of docs/performance.md and draws docs/performance.svg; sizes measured
earlier are kept (docs/performance.json holds the figures).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PAGE, PLOT, FIGURES = (ROOT / "docs" / f"performance.{suffix}" for suffix in ("md", "svg", "json"))
BEGIN, END = "<!-- scaling: begin -->", "<!-- scaling: end -->"
COLUMNS, LAYERS, SHIFT = 16, 3, 10
MIN_LOG, USUAL_LOG, MAX_LOG = 14, 22, 26

Row = dict[str, Any]


def circuit(log_cells: int) -> Any:
    """A circuit whose witness oracle has 2^log_cells cells."""
    from ciro_zk.circuit.graph import GraphBuilder
    from ciro_zk.lookup.tables import Clamp, Graph, Range
    from ciro_zk.ops import MatMul, Requantise
    from ciro_zk.program.circuit import Circuit

    rows = (1 << log_cells - 3) // COLUMNS  # a layer's activations: 2 cells each, three of four eighths of the witness
    rng = np.random.default_rng(1)
    builder = GraphBuilder()
    limbs = builder.table(Range(bits=SHIFT))
    clamp = builder.table(Graph(function=Clamp(minimum=-127, maximum=127), low=-1024, high=1023))
    last = builder.input("x", (1, rows, COLUMNS), low=-128, high=127, scale=1 / 128)
    weights = {}
    for layer in range(LAYERS):
        w = builder.weight(f"w{layer}", (1, COLUMNS, COLUMNS), low=-512, high=511)
        weights[w] = rng.integers(-512, 512, (1, COLUMNS, COLUMNS))
        (sums,) = builder.add(MatMul(inputs=(last, w)), f"matmul{layer}")
        last, _ = builder.add(Requantise(inputs=(sums,), shift=SHIFT, tables=(clamp,), range_table=limbs), f"requantise{layer}")
    builder.output("y", last, scale=1 / 128)
    return Circuit(builder.build(), weights, f"stack of 2^{log_cells}", SHIFT)


def measure(log_cells: int, threads: int | None, repeats: int) -> Row:
    """Prove and verify once warm, then `repeats` times; the least of each."""
    import ciro_zk
    from ciro_zk.cli.report import peak_rss_mb
    from ciro_zk.kernels import numba_kernels

    made = circuit(log_cells)
    program = made.program
    if program.plan.witness_layout.num_vars != log_cells:
        raise RuntimeError(f"the circuit has 2^{program.plan.witness_layout.num_vars} witness cells, not 2^{log_cells}")
    kernels = numba_kernels(threads)
    base = peak_rss_mb()
    pk, vk = ciro_zk.setup(made, threads=threads)
    port = program.graph.inputs[0]
    x = np.random.default_rng(2).integers(-128, 128, program.graph.tensors[port.tensor].shape) * port.scale
    run = ciro_zk.infer(pk, x)
    proof = ciro_zk.prove(pk, run, kernels=kernels)
    ciro_zk.verify(vk, proof, inputs=x)
    proving = min(timed(lambda: ciro_zk.prove(pk, run, kernels=kernels)) for _ in range(repeats))
    verifying = min(timed(lambda: ciro_zk.verify(vk, proof, inputs=x)) for _ in range(repeats))
    return {
        "log_cells": log_cells,
        "log_leaves": program.plan.log_leaves,
        "prove_seconds": proving,
        "verify_seconds": verifying,
        "proof_bytes": len(proof.body),
        "peak_mb": peak_rss_mb(),
        "idle_mb": base,
        "security_bits": program.security.summed_bits,
        "threads": kernels.threads,
        "load": os.getloadavg()[0],
    }


def timed(call: Any) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def in_process(log_cells: int, options: argparse.Namespace) -> Row:
    """`measure` in a process of its own; a row with the reason where it does not fit."""
    command = [sys.executable, __file__, "--one", str(log_cells), "--repeats", str(options.repeats if log_cells < 22 else 1)]
    command += ["--threads", str(options.threads)] if options.threads else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["killed"])[-1]
        return {"log_cells": log_cells, "error": reason}
    row: Row = json.loads(result.stdout.splitlines()[-1])
    return row


def cells_of(row: Row, before: Row | None) -> list[str]:
    """The table's cells of one row; growth per doubling against the size before."""
    if "error" in row:
        return [f"2^{row['log_cells']}", row["error"], "", "", "", ""]

    def growth(key: str) -> str:
        if before is None or "error" in before:
            return ""
        return f" (x {(row[key] / before[key]) ** (1 / (row['log_cells'] - before['log_cells'])):.2f})"

    return [
        f"2^{row['log_cells']}",
        f"{row['prove_seconds']:.3f}" + growth("prove_seconds"),
        f"{row['verify_seconds'] * 1e3:.0f}" + growth("verify_seconds"),
        f"{row['proof_bytes'] / 1e3:.1f}" + growth("proof_bytes"),
        f"{row['peak_mb']:.0f}" + growth("peak_mb"),
        f"{row['prove_seconds'] / (1 << row['log_cells']) * 1e9:.0f}",
    ]


HEADINGS = ["witness", "prove, s", "verify, ms", "proof, kB", "peak, MB", "prove, ns per cell"]


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " ---: |" * len(HEADINGS)]
    for before, row in zip([None, *rows], rows, strict=False):
        lines.append("| " + " | ".join(cells_of(row, before)) + " |")
    return "\n".join(lines)


def page_with(text: str, page: str) -> str:
    """`page` with `text` between its markers."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} has no markers {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{text}\n{END}{tail}"


def plot(rows: Sequence[Row], note: str) -> str:
    """Three panels over log2 of the witness, each with a logarithmic axis."""
    done = [row for row in rows if "error" not in row]
    panels = [("prove, s", "prove_seconds", 1.0), ("verify, ms", "verify_seconds", 1e3), ("proof, kB", "proof_bytes", 1e-3)]
    width, height, left, top, inner = 900, 300, 60, 50, 230
    y1 = height - 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="20" font-size="13">Proofs by the witness\'s size, 2^n cells: {escape(note)}</text>',
    ]
    for index, (title, key, unit) in enumerate(panels):
        x0 = left + index * 290
        values = [row[key] * unit for row in done]
        first, last = done[0]["log_cells"], max(done[-1]["log_cells"], done[0]["log_cells"] + 1)
        low, high = math.floor(math.log2(min(values))), math.ceil(math.log2(max(values)))
        high = max(high, low + 1)

        def place(n: int, value: float, x0: int = x0, first: int = first, last: int = last, low: int = low, high: int = high) -> str:
            x = x0 + (n - first) / (last - first) * inner
            return f"{x:.1f},{y1 - (math.log2(value) - low) / (high - low) * (y1 - top):.1f}"

        parts.append(f'<text x="{x0}" y="{top - 8}" font-weight="bold">{title}</text>')
        for power in range(low, high + 1):
            y = y1 - (power - low) / (high - low) * (y1 - top)
            label = f"{2.0**power:g}"
            parts.append(f'<path d="M{x0} {y:.1f}h{inner}" stroke="#dddddd"/>')
            parts.append(f'<text x="{x0 - 5}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
        for row in done:
            x = place(row["log_cells"], 2.0**low).partition(",")[0]
            parts.append(f'<text x="{x}" y="{y1 + 16}" text-anchor="middle">{row["log_cells"]}</text>')
        points = [place(row["log_cells"], value) for row, value in zip(done, values, strict=True)]
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="#2f5d8c" stroke-width="2"/>')
        parts += [f'<circle cx="{p.partition(",")[0]}" cy="{p.partition(",")[2]}" r="3" fill="#2f5d8c"/>' for p in points]
    return "\n".join([*parts, "</svg>", ""])


def machine(rows: Sequence[Row]) -> str:
    """What was measured on."""
    threads = max((row.get("threads", 0) for row in rows), default=0)
    model = platform.machine()
    try:
        names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    except OSError:
        pass
    return f"{model}, {threads} threads"


def write(rows: Sequence[Row]) -> None:
    """Table, plot and figures, earlier sizes kept."""
    known: Mapping[int, Row] = {row["log_cells"]: row for row in json.loads(FIGURES.read_text())} if FIGURES.exists() else {}
    merged = [row for _, row in sorted({**known, **{row["log_cells"]: row for row in rows}}.items())]
    load = max((row.get("load", 0.0) for row in merged), default=0.0)
    note = machine(merged)
    shared = f" The machine was shared (load up to {load:.1f}): seconds are upper bounds." if load > 1.5 else ""
    text = f"{note}, standard preset, least of the repeats; (x ...) is the growth per doubling.{shared}\n\n{table(merged)}"
    PAGE.write_text(page_with(text, PAGE.read_text()))
    PLOT.write_text(plot(merged, note))
    FIGURES.write_text(json.dumps(merged, indent=1) + "\n")


def main() -> None:
    """Measure each size, print as it goes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--low", type=int, default=MIN_LOG)
    parser.add_argument("--high", type=int, default=USUAL_LOG)
    parser.add_argument("--full", action="store_true", help=f"up to 2^{MAX_LOG}")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="update docs/performance.*")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure(options.one, options.threads, options.repeats)))
        return
    rows: list[Row] = []
    print(" | ".join(HEADINGS))
    for log_cells in range(options.low, (MAX_LOG if options.full else options.high) + 1):
        rows.append(in_process(log_cells, options))
        print(" | ".join(cells_of(rows[-1], rows[-2] if len(rows) > 1 else None)), flush=True)
        if options.write:
            write(rows)


if __name__ == "__main__":
    main()
