"""jstprove's steps, each run by compare.py in a fresh process of .venv-jstprove: `python jstprove_steps.py STEP FOLDER NAME`.

    version     what is installed, and whether its engine starts
    compile     quantises the model, writes the circuit
    prove       witness and proof
    verify      the verdict; jstprove's verifier reads the witness file

Each step is `jst`'s own command, run in this process. It imports torch (seconds, hundreds of MB) and starts an engine; the engine's
seconds and memory are reported for themselves, since another front end would do without the rest.

The last line of standard output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

LAUNCH = Path(__file__).resolve().with_name("launch.py")
engine_runs: list[dict[str, float]] = []


class Files:
    """Where a model's artefacts are."""

    def __init__(self, folder: Path, name: str) -> None:
        self.model = str(folder / f"{name}.explicit.onnx")
        self.inputs = folder / f"{name}.inputs.json"
        stem = folder / f"{name}.jstprove"
        self.circuit, self.witness, self.proof = f"{stem}.circuit.txt", f"{stem}.witness.bin", f"{stem}.proof.bin"
        self.input, self.output = f"{stem}.input.json", f"{stem}.output.json"


class Subprocess:
    """Stands in for the `subprocess` module where jstprove starts its engine, and measures it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    @staticmethod
    def run(command: list[str], **named: Any) -> Any:
        with tempfile.NamedTemporaryFile(suffix=".json") as report:
            try:
                return subprocess.run([sys.executable, "-I", "-S", str(LAUNCH), report.name, *command], **named)
            finally:
                text = Path(report.name).read_text()
                if text:
                    engine_runs.append(json.loads(text))


def jst(*arguments: str) -> dict[str, Any]:
    """Run `jst` with these arguments; what it and its engine took."""
    import python.core.utils.helper_functions as helpers
    from python.frontend.cli import main as command_line

    helpers.subprocess = Subprocess()
    engine_runs.clear()
    started = time.perf_counter()
    code = command_line(["--no-banner", *arguments])
    seconds = time.perf_counter() - started
    if code:
        raise RuntimeError(f"jst {arguments[0]} ended with {code}")
    return {
        "command_seconds": seconds,
        "engine_seconds": sum(run["seconds"] for run in engine_runs),
        "engine_cpu_seconds": sum(run["cpu_seconds"] for run in engine_runs),
        "engine_peak_rss_mb": max((run["peak_rss_mb"] for run in engine_runs), default=0.0),
    }


def version(files: Files) -> dict[str, Any]:
    import python.core

    binaries = Path(next(iter(python.core.__path__))) / "binaries"
    engine = binaries / "expander-exec"
    done = subprocess.run([str(engine), "--version"], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or "exit code " + str(done.returncode)).strip().splitlines()
        raise RuntimeError(f"its engine does not start: {lines[-1].partition(': ')[2] or lines[-1]}")
    return {"version": installed("jstprove"), "torch": installed("torch")}


def compile_model(files: Files) -> dict[str, Any]:
    record = jst("compile", "-m", files.model, "-c", files.circuit)
    return {**record, "circuit_bytes": Path(files.circuit).stat().st_size}


def prove(files: Files) -> dict[str, Any]:
    given = json.loads(files.inputs.read_text())
    if len(given["input"]) != 1:
        raise ValueError("more than one input")
    Path(files.input).write_text(json.dumps({"input": given["input"][0]}))
    witness = jst("witness", "-c", files.circuit, "-i", files.input, "-o", files.output, "-w", files.witness)
    proof = jst("prove", "-c", files.circuit, "-w", files.witness, "-p", files.proof)
    outputs = json.loads(Path(files.output).read_text())["rescaled_output"]
    return {
        "witness": witness,
        "proof": proof,
        "outputs": [float(value) for value in outputs],
        "proof_bytes": Path(files.proof).stat().st_size,
        "witness_bytes": Path(files.witness).stat().st_size,
    }


def verify(files: Files) -> dict[str, Any]:
    return jst("verify", "-c", files.circuit, "-i", files.input, "-o", files.output, "-w", files.witness, "-p", files.proof)


STEPS = {"version": version, "compile": compile_model, "prove": prove, "verify": verify}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    options = parser.parse_args()
    try:
        record = STEPS[options.step](Files(options.folder, options.name))
    except Exception as error:
        print(json.dumps({"error": str(error)}), flush=True)
        raise SystemExit(1) from None
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
