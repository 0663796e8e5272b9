"""ezkl's steps, each run by compare.py in a fresh process of .venv-ezkl: `python ezkl_steps.py STEP FOLDER NAME [options]`.

    version     what is installed
    settings    the circuit's settings at a fixed scale, then calibrated for resources; says how many rows it needs
    compile     model -> circuit
    srs         ezkl.gen_srs: a reference string made here, whose secret this machine knew; insecure, for measuring only
    setup       proving and verifying key
    prove       witness and proof
    verify      the verdict

In ezkl a proof's inputs and outputs are public and its parameters fixed in the circuit, the cheapest of its settings.
The last line of standard output is one JSON object. `prove` reads its keys from disk each time, as ezkl's interface has it.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Files:
    """Where a model's artefacts are."""

    def __init__(self, folder: Path, name: str, columns: int) -> None:
        self.model = str(folder / f"{name}.explicit.onnx")
        self.inputs = folder / f"{name}.inputs.json"
        stem = folder / f"{name}.ezkl{columns}"
        self.settings, self.circuit, self.vk, self.pk = (f"{stem}.{part}" for part in ("settings", "circuit", "vk", "pk"))
        self.witness, self.proof, self.data = (f"{stem}.{part}" for part in ("witness", "proof", "data"))
        self.folder = folder

    def srs(self, log_rows: int) -> str:
        return str(self.folder / f"ezkl.{log_rows}.srs")

    def log_rows(self) -> int:
        return int(json.loads(Path(self.settings).read_text())["run_args"]["logrows"])

    def write_data(self, key: str) -> str:
        """ezkl's input file, from one input ("input") or the calibration samples."""
        values = json.loads(self.inputs.read_text())[key]
        Path(self.data).write_text(json.dumps({"input_data": values}))
        return self.data


def timed(call: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call(*arguments, **named)
    seconds = time.perf_counter() - started
    if result is False:
        raise RuntimeError(f"{call.__name__} returned False")
    return seconds, result


def size(path: str) -> int:
    return Path(path).stat().st_size


def version(files: Files, options: argparse.Namespace) -> dict[str, Any]:
    import ezkl

    return {"version": ezkl.__version__}


def settings(files: Files, options: argparse.Namespace) -> dict[str, Any]:
    import ezkl

    arguments = ezkl.PyRunArgs()
    arguments.input_scale = arguments.param_scale = options.scale
    arguments.num_inner_cols = options.columns
    arguments.input_visibility = arguments.output_visibility = "public"
    arguments.param_visibility = "fixed"
    generate, _ = timed(ezkl.gen_settings, files.model, files.settings, py_run_args=arguments)
    rows = int(json.loads(Path(files.settings).read_text())["num_rows"])
    record = {"rows": rows, "generate_seconds": generate, "least_log_rows": math.ceil(math.log2(rows))}
    if record["least_log_rows"] > options.max_log_rows:
        return {**record, "seconds": generate, "calibrate_seconds": None, "log_rows": None}
    data = files.write_data("calibration")
    calibrate, _ = timed(
        ezkl.calibrate_settings, data, files.model, files.settings, "resources", scales=[options.scale], scale_rebase_multiplier=[1]
    )
    return {**record, "seconds": generate + calibrate, "calibrate_seconds": calibrate, "log_rows": files.log_rows()}


def compile_circuit(files: Files, options: argparse.Namespace) -> dict[str, Any]:
    import ezkl

    seconds, _ = timed(ezkl.compile_circuit, files.model, files.circuit, files.settings)
    return {"seconds": seconds, "bytes": size(files.circuit)}


def srs(files: Files, options: argparse.Namespace) -> dict[str, Any]:
    import ezkl

    log_rows = files.log_rows()
    seconds, _ = timed(ezkl.gen_srs, files.srs(log_rows), log_rows)
    return {"seconds": seconds, "bytes": size(files.srs(log_rows)), "log_rows": log_rows}


def setup(files: Files, options: argparse.Namespace) -> dict[str, Any]:
    import ezkl

    seconds, _ = timed(ezkl.setup, files.circuit, files.vk, files.pk, files.srs(files.log_rows()))
    return {"seconds": seconds, "pk_bytes": size(files.pk), "vk_bytes": size(files.vk)}


def prove(files: Files, options: argparse.Namespace) -> dict[str, Any]:
    import ezkl

    data = files.write_data("input")
    witness, _ = timed(ezkl.gen_witness, data, files.circuit, files.witness)
    seconds, _ = timed(ezkl.prove, files.witness, files.circuit, files.pk, files.proof, files.srs(files.log_rows()))
    outputs = json.loads(Path(files.witness).read_text())["pretty_elements"]["rescaled_outputs"]
    proof = json.loads(Path(files.proof).read_text())
    cells = sum(len(column) for column in proof["instances"])
    return {
        "seconds": witness + seconds,
        "witness_seconds": witness,
        "prove_seconds": seconds,
        "outputs": [float(value) for output in outputs for value in output],
        "body_bytes": len(bytes.fromhex(proof["hex_proof"].removeprefix("0x"))),
        "public_bytes": 32 * cells,
        "file_bytes": size(files.proof),
    }


def verify(files: Files, options: argparse.Namespace) -> dict[str, Any]:
    import ezkl

    seconds, result = timed(ezkl.verify, files.proof, files.settings, files.vk, files.srs(files.log_rows()))
    return {"seconds": seconds, "verified": bool(result)}


STEPS = {
    "version": version,
    "settings": settings,
    "compile": compile_circuit,
    "srs": srs,
    "setup": setup,
    "prove": prove,
    "verify": verify,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--scale", type=int, default=13)
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--max-log-rows", type=int, default=22)
    options = parser.parse_args()
    try:
        record = STEPS[options.step](Files(options.folder, options.name, options.columns), options)
    except BaseException as error:  # ezkl's panics are no Exceptions
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        raise SystemExit(1) from None
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
