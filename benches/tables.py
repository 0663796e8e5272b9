"""The figures of compare.py as text: a plain table for a terminal, Markdown for the README. Pure functions of its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Report = Mapping[str, Any]

NAMES = {"ours": "ciro_zk", "ezkl": "ezkl", "jstprove": "jstprove"}
TITLES = {
    "mlp_110k": "MLP 784-128-64-10",
    "lenet5": "LeNet-5",
    "resnet8": "ResNet-8",
    "digits_mlp": "MLP 64-96-48-10",
}
TARGETS = {"mlp_110k": 0.2, "lenet5": 0.3, "resnet8": 1.0}
"""Seconds that one proof of ours is to take at most, warm, on two cores."""
VERIFY_TARGET, MEMORY_TARGET, SETUP_TARGET = 0.3, 500.0, 5.0
HEADER = ("model", "system", "compile", "setup", "prove", "verify", "memory, proving", "memory, at most", "proof", "error", "bits")


def seconds(value: float | None) -> str:
    """ "31 ms", "2.4 s", "131 s"; "-" for none."""
    if value is None:
        return "-"
    if value < 0.0995:
        return f"{value * 1e3:.1f} ms" if value < 0.00995 else f"{value * 1e3:.0f} ms"
    return f"{value:.2f} s" if value < 9.95 else f"{value:.1f} s" if value < 99.5 else f"{value:,.0f} s"


def megabytes(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f} MB" if value < 999.5 else f"{value / 1e3:.1f} GB"


def size(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1e3:.1f} kB" if value < 999_500 else f"{value / 1e6:.1f} MB"


def system_name(result: Report) -> str:
    """ "ezkl 23.0.5, 2 columns"."""
    columns = result.get("columns")
    suffix = f", {columns} column{'s' if columns > 1 else ''}" if columns else ""
    return f"{NAMES[result['system']]} {result.get('version', '')}".strip() + suffix


def row(result: Report) -> list[str]:
    """One line of the main table."""
    memory = result.get("peak_rss_mb", {})
    prove = seconds(result["prove_seconds"]) if "prove_seconds" in result else str(result["outcome"])
    if result.get("prove_p90") is not None:
        prove += f" (p90 {seconds(result['prove_p90'])})"
    error = result.get("max_abs_error")
    return [
        str(TITLES.get(result["model"], result["model"])),
        system_name(result),
        seconds(result.get("compile_seconds")),
        seconds(result.get("setup_seconds")) + (f" (+ SRS {seconds(result['srs_seconds'])})" if result.get("srs_seconds") else ""),
        prove,
        seconds(result.get("verify_seconds")),
        megabytes(memory.get("prove")),
        megabytes(max(memory.values())) if memory else "-",
        size(result.get("proof_bytes")),
        "-" if error is None else f"{error:.4f} of {result['max_abs_output']:.1f}",
        str(result.get("bits", "-")),
    ]


def heading(report: Report) -> str:
    """Where and when, in one line."""
    machine = report["machine"]
    changed = report["changed_files"]
    state = f" with {len(changed)} changed files" if changed else ""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    load = machine["load_average"][0]
    return (
        f"Commit {report['commit']}{state}, {report['date']}, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, {machine['system']}; {versions}; load average {load} before the run."
    )


def unfinished(report: Report) -> list[str]:
    return [
        f"{system_name(r)} on {TITLES.get(r['model'], r['model'])}: {r['outcome']}: {r['reason']}."
        for r in report["results"]
        if r["outcome"] != "done"
    ]


def notes(report: Report) -> list[str]:
    """What the columns hold; only of the systems that ran."""
    ran = {r["system"] for r in report["results"] if "prove_seconds" in r}
    lines = [
        "One input per proof (batch 1), the same ONNX files for all; memory is the largest resident set of the step's process; proof is "
        "without public inputs and outputs; error is the largest difference from onnxruntime in float32, of outputs of at most that size "
        "(ciro_zk: over all inputs proven; peers: over the one)."
    ]
    ours = [r for r in report["results"] if r["system"] == "ours" and r["outcome"] == "done"]
    if ours:
        first = ours[0]
        bits = ", ".join(f"{r['security_bits']:.1f}" for r in ours)
        plain = ", ".join(f"{r['details']['security_bits_without_grinding']:.1f}" for r in ours)
        lines.append(
            f"ciro_zk: inference and proof, warm, median and p90 of {first['num_proofs']} proofs of different inputs on "
            f"{first['details']['prove_threads']} threads; {bits} bits of security summed ({plain} without grinding), succinct and sound, "
            "not zero-knowledge; no trusted setup. Verification on numpy alone; the check of a key, once per process, is below."
        )
        heavy = sorted({module for r in ours for module in r["details"]["verify_heavy_modules"]})
        if heavy:
            lines.append(f"ciro_zk's verifier had loaded {', '.join(heavy)}, which it should not.")
    if "ezkl" in ran:
        done = [r for r in report["results"] if r["system"] == "ezkl" and "prove_seconds" in r]
        k = ", ".join(f"{TITLES.get(r['model'], r['model'])} k = {r['details']['log_rows']} at {r['columns']}" for r in done)
        lines.append(
            f"ezkl: witness and proof, median of up to 3 (one where it takes over 20 s); reads its proving key from disk each time; inner "
            f"columns: {k}; parameters fixed in the circuit; Halo2 with KZG on BN254, with a reference string made on this machine "
            "(insecure, for measuring; shown where it was made)."
        )
    if "jstprove" in ran:
        lines.append(
            "jstprove: its engine alone, witness and proof, median of up to 3; its command line adds seconds and about 500 MB for torch; "
            "its verifier reads the witness."
        )
    return lines


def queries(level: Sequence[Report]) -> str:
    """ "123", or "123 + 91" where a level's oracles differ."""
    counts = [str(oracle["code"]["num_queries"]) for oracle in level]
    return counts[0] if len(set(counts)) == 1 else " + ".join(counts)


def details(report: Report) -> tuple[list[str], list[list[str]]]:
    """The second table: what a proof of ours consists of."""
    ours = [r for r in report["results"] if r["system"] == "ours" and r["outcome"] == "done"]
    header = ["", *(TITLES.get(r["model"], r["model"]) for r in ours)]
    if not ours:
        return header, []

    def line(name: str, of: Any) -> list[str]:
        return [name, *(of(r) for r in ours)]

    rows = [
        line("input", lambda r: " ".join(str(s) for s in report["models"][r["model"]]["input_shape"].values())),
        line("parameters", lambda r: f"{report['models'][r['model']]['parameters']:,}"),
        line("witness cells", lambda r: f"{r['details']['witness_cells']:,}"),
        line("lookups + table rows", lambda r: f"{r['details']['lookups']:,} + {r['details']['table_rows']:,}"),
        line("leaves", lambda r: f"2^{r['details']['log_leaves']}"),
        line("oracles (weights, witness)", lambda r: ", ".join(f"2^{n}" for n in r["details"]["log_oracles"])),
        line("queries by level", lambda r: ", ".join(queries(level) for level in r["details"]["levels"])),
        line("grinding", lambda r: f"{r['details']['grinding_bits']} bits a level"),
    ]
    rows += [
        line(f"prove: {stage}", lambda r, stage=stage: seconds(r["details"]["phases"].get(stage))) for stage in ours[0]["details"]["phases"]
    ]
    rows += [
        line(
            "prove: grinding, in the above (most)",
            lambda r: f"{seconds(r['details']['grinding_seconds'])} ({seconds(r['details']['grinding_max'])})",
        ),
        line("first proof of a process", lambda r: seconds(r["details"]["first_proof_seconds"])),
        line("loading keys; kernels", lambda r: f"{seconds(r['details']['load_seconds'])}; {seconds(r['details']['kernel_load_seconds'])}"),
        line("verify: registration, once", lambda r: seconds(r["details"]["registration_seconds"])),
        line("verify: memory", lambda r: megabytes(r["peak_rss_mb"].get("verify"))),
        line("proof with public tensors", lambda r: size(r["proof_file_bytes"])),
        line("proving key, verifying key", lambda r: f"{size(r['details']['pk_bytes'])}, {size(r['details']['vk_bytes'])}"),
        line("error by input: median (most)", lambda r: f"{r['median_max_abs_error']:.4f} ({r['max_abs_error']:.4f})"),
        line("same class as float", lambda r: f"{r['argmax_same']} of {r['num_compared']}"),
        line("security bits", lambda r: f"{r['security_bits']:.1f}"),
        line("security bits, without grinding", lambda r: f"{r['details']['security_bits_without_grinding']:.1f}"),
    ]
    return header, rows


def remarks(report: Report) -> list[str]:
    """Start-up and the command line."""
    lines = []
    kernels = report.get("kernels", {})
    if "compile_seconds" in kernels:
        lines.append(
            f"The first run on a machine compiles the kernels: {seconds(kernels['compile_seconds'])}, once; "
            f"later processes load them in {seconds(kernels['load_seconds'])}."
        )
    command = report.get("command_line", {})
    if "prove_total_seconds" in command:
        lines.append(
            f"Command line on {TITLES.get(command['model'], command['model'])}, from process start to end: prove "
            f"{seconds(command['prove_total_seconds'])}, verify {seconds(command['verify_total_seconds'])} (medians of 3)."
        )
    elif "reason" in command:
        lines.append(f"Command line on {command['model']}: {command['outcome']}: {command['reason']}.")
    return lines


def targets(report: Report) -> list[str]:
    """Each target of ours and whether it is met."""
    lines = []

    def check(what: str, value: float, limit: float, text: Any) -> None:
        lines.append(f"{'met   ' if value <= limit else 'MISSED'} {what}: {text(value)} (target {text(limit)})")

    for r in report["results"]:
        if r["system"] != "ours" or r["outcome"] != "done":
            continue
        name = TITLES.get(r["model"], r["model"])
        if r["model"] in TARGETS:
            check(f"{name} prove", r["prove_seconds"], TARGETS[r["model"]], seconds)
        check(f"{name} verify", r["verify_seconds"], VERIFY_TARGET, seconds)
        check(f"{name} compile + setup", r["compile_seconds"] + r["setup_seconds"], SETUP_TARGET, seconds)
        check(f"{name} peak memory, all steps", max(r["peak_rss_mb"].values()), MEMORY_TARGET, megabytes)
    command = report.get("command_line", {})
    if command.get("model") == "lenet5" and "prove_total_seconds" in command:
        check("LeNet-5 command line prove", command["prove_total_seconds"], 3.0, seconds)
        check("LeNet-5 command line verify", command["verify_total_seconds"], 1.0, seconds)
    return lines


def profile(report: Report) -> list[str]:
    """Where a proof's time goes, where --profile asked."""
    lines = []
    for r in report["results"]:
        stages = r.get("details", {}).get("profile", {})
        for stage, entry in stages.items():
            kernels = ", ".join(f"{name} {total * 1e3:.1f} ({calls})" for name, (calls, total) in list(entry["kernels"].items())[:8])
            rest = f"outside kernels {entry['outside_kernels'] * 1e3:6.1f} ms"
            lines.append(f"{r['model']:10} {stage:10} {entry['seconds'] * 1e3:7.1f} ms, {rest}; {kernels}")
        lines += [f"{r['model']:10} {line}" for line in r.get("details", {}).get("functions", [])]
    return lines


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in [header, *rows]]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def pipes(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def plain(report: Report) -> str:
    """For a terminal."""
    blocks = [heading(report), aligned(HEADER, [row(result) for result in report["results"]]), "\n".join(unfinished(report))]
    header, rows = details(report)
    if rows:
        blocks += [aligned(header, rows)]
    blocks += ["\n".join(remarks(report)), "\n".join(notes(report)), "\n".join(targets(report)), "\n".join(profile(report))]
    return "\n\n".join(block for block in blocks if block)


def markdown(report: Report) -> str:
    """For the README."""
    blocks = [pipes(HEADER, [row(result) for result in report["results"]])]
    blocks += ["\n".join(f"- {line}" for line in [*unfinished(report), *notes(report), *remarks(report)])]
    header, rows = details(report)
    if rows:
        blocks += ["What a proof of ciro_zk consists of:", pipes(header, rows)]
    blocks += [heading(report) + " Made by `benches/compare.py`."]
    return "\n\n".join(block for block in blocks if block)
