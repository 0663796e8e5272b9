"""ciro_zk's own steps, each run by compare.py in a fresh process: `python benches/ours.py STEP FOLDER NAME [--repeats N]`.

    warm                compiles the kernels, or loads them from the cache
    compile             NAME.onnx, NAME.calibration.npz -> NAME.circuit.bin
    setup               -> NAME.pk.bin, NAME.vk.bin
    prove               NAME.inputs.npz -> NAME.proof.bin: a first proof, then N more, of the inputs in turn
    verify              numpy and hashlib only
    profile             where one proof's time goes: phases, and kernels within them

The last line of standard output is one JSON object. Times are wall seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

_STARTED = time.perf_counter()

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402

BITS = 12


class Clock:
    """`seconds` since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._start


class TimedKernels:
    """Kernels that note how often and for how long each was called, by phase; all of them, or those named."""

    def __init__(self, kernels: Any, only: frozenset[str] | None = None) -> None:
        self._kernels, self._only = kernels, only
        self.name, self.threads = kernels.name, kernels.threads
        self.phase = ""
        self.spent: dict[tuple[str, str], list[float]] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._kernels, name)
        if self._only is None or name in self._only:
            method = partial(self._timed, name, method)
        setattr(self, name, method)
        return method

    def _timed(self, name: str, method: Callable[..., Any], *arguments: Any) -> Any:
        start = time.perf_counter()
        result = method(*arguments)
        entry = self.spent.setdefault((self.phase, name), [0, 0.0])
        entry[0] += 1
        entry[1] += time.perf_counter() - start
        return result


class Phases:
    """A progress callback that measures the time between stages."""

    def __init__(self, kernels: TimedKernels) -> None:
        self.seconds: dict[str, float] = {}
        self._kernels = kernels
        self._enter("")

    def _enter(self, stage: str) -> None:
        self._stage, self._start = stage, time.perf_counter()
        self._kernels.phase = stage

    def start(self, stage: str) -> None:
        """End the stage that runs, begin another."""
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + time.perf_counter() - self._start
        self._enter(stage)

    def __call__(self, step: Any) -> None:
        if step.stage != self._stage:
            self.start(step.stage)


def grinding(kernels: TimedKernels) -> float:
    return sum(seconds for (_, name), (_, seconds) in kernels.spent.items() if name == "grind")


def read_inputs(folder: Path, name: str) -> list[dict[str, Any]]:
    """The inputs in turn; different ones, because the same input's proof always finds its work nonce after as many attempts."""
    with np.load(folder / f"{name}.inputs.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    return [dict(zip(arrays, values, strict=True)) for values in zip(*arrays.values(), strict=True)]


def warm(folder: Path, name: str, repeats: int) -> dict[str, Any]:
    from ciro_zk.kernels import warm as warm_kernels

    importing = time.perf_counter() - _STARTED
    return {"seconds": warm_kernels(), "import_seconds": importing}


def compile_model(folder: Path, name: str, repeats: int) -> dict[str, Any]:
    from ciro_zk import compile

    clock = Clock()
    with np.load(folder / f"{name}.calibration.npz") as archive:
        samples = {key: archive[key] for key in archive.files}
    circuit = compile(str(folder / f"{name}.onnx"), samples, bits=BITS)
    seconds = clock.seconds
    circuit.save(folder / f"{name}.circuit.bin")
    return {"seconds": seconds, "bytes": len(bytes(circuit)), "accuracy": dict(circuit.accuracy), **sizes(circuit.program)}


def sizes(program: Any) -> dict[str, Any]:
    """What the proof is about, in numbers."""
    plan, params, security = program.plan, program.params, program.security
    layouts = {"weight": plan.weight_layout, "witness": plan.witness_layout}
    cells = {kind: sum(int(np.prod(shape)) for shape in layout.shapes.values()) for kind, layout in layouts.items()}
    return {
        "bits": program.bits,
        "preset": program.preset.name,
        "security_bits": security.summed_bits,
        "security_bits_without_grinding": security.summed_bits_without_grinding,
        "weight_cells": cells["weight"],
        "witness_cells": cells["witness"],
        "log_oracles": [oracle.num_vars for oracle in params.oracles],
        "levels": [[asdict(oracle) for oracle in level] for level in params.levels],
        "grinding_bits": params.grinding_bits,
        "log_leaves": plan.log_leaves,
        "lookups": sum(int(np.prod(lookup.shape)) for lookup in plan.lookups),
        "table_rows": sum(table.num_rows for table in plan.graph.tables),
        "product_rounds": program.shape.product_rounds,
        "claims": program.shape.num_claims,
        "program_digest": program.digest.hex(),
    }


def setup(folder: Path, name: str, repeats: int) -> dict[str, Any]:
    from ciro_zk import Circuit
    from ciro_zk import setup as make_keys
    from ciro_zk.kernels import warm as warm_kernels

    circuit = Circuit.load(folder / f"{name}.circuit.bin")
    kernel_seconds = warm_kernels()
    clock = Clock()
    pk, vk = make_keys(circuit)
    seconds = clock.seconds
    data = {"pk": bytes(pk), "vk": bytes(vk)}
    for key, value in data.items():
        (folder / f"{name}.{key}.bin").write_bytes(value)
    return {
        "seconds": seconds,
        "kernel_seconds": kernel_seconds,
        "pk_bytes": len(data["pk"]),
        "vk_bytes": len(data["vk"]),
        "registration_bytes": len(vk.registration),
    }


def prove(folder: Path, name: str, repeats: int) -> dict[str, Any]:
    from ciro_zk import ProvingKey, infer
    from ciro_zk import prove as prove_run
    from ciro_zk.kernels import numba_kernels
    from ciro_zk.kernels import warm as warm_kernels

    import_seconds = time.perf_counter() - _STARTED
    kernel_seconds = warm_kernels()
    clock = Clock()
    key = ProvingKey.load(folder / f"{name}.pk.bin")
    inputs = read_inputs(folder, name)
    load_seconds = clock.seconds
    base = numba_kernels()
    seconds, grind, phases, sizes_found, outputs = [], [], [], [], []
    for i in range(1 + repeats):
        kernels = TimedKernels(base, frozenset({"grind"}))
        progress = Phases(kernels)
        clock = Clock()
        progress.start("inference")
        run = infer(key, inputs[max(i - 1, 0) % len(inputs)])
        progress.start("witness")
        proof = prove_run(key, run, progress=progress, kernels=kernels)
        progress.start("")
        seconds.append(clock.seconds)
        grind.append(grinding(kernels))
        phases.append(progress.seconds)
        sizes_found.append(len(bytes(proof)))
        if i == 0:
            proof.save(folder / f"{name}.proof.bin")
        elif i <= len(inputs):
            outputs.append([float(value) for array in run.outputs.values() for value in array.reshape(-1)])
    return {
        "first_seconds": seconds[0],
        "seconds": seconds[1:],
        "grinding_seconds": grind[1:],
        "phases": {stage: [entry[stage] for entry in phases[1:]] for stage in phases[0]},
        "load_seconds": load_seconds,
        "kernel_seconds": kernel_seconds,
        "import_seconds": import_seconds,
        "threads": base.threads,
        "device": run.device,
        "outputs": outputs,
        "proof_bytes": sizes_found,
        "public_bytes": 8 * sum(value.size for value in (*run.integer_inputs.values(), *run.integer_outputs.values())),
    }


def verify(folder: Path, name: str, repeats: int) -> dict[str, Any]:
    from ciro_zk.program.keys import VerifyingKey
    from ciro_zk.proof import Proof
    from ciro_zk.verifier import check_registration
    from ciro_zk.verifier import verify as check

    import_seconds = time.perf_counter() - _STARTED
    clock = Clock()
    key = VerifyingKey.load(folder / f"{name}.vk.bin")
    proof = Proof.load(folder / f"{name}.proof.bin")
    inputs = read_inputs(folder, name)[0]
    load_seconds = clock.seconds
    clock = Clock()
    check_registration(key)
    registration_seconds = clock.seconds
    seconds = []
    for _ in range(1 + repeats):
        clock = Clock()
        verified = check(key, proof, inputs=inputs)
        seconds.append(clock.seconds)
    heavy = [module for module in ("numba", "onnx", "onnxruntime", "torch") if module in sys.modules]
    return {
        "verified": verified.security.summed_bits > 0,
        "registration_seconds": registration_seconds,
        "first_seconds": seconds[0],
        "seconds": seconds[1:],
        "load_seconds": load_seconds,
        "import_seconds": import_seconds,
        "heavy_modules": heavy,
    }


def profile(folder: Path, name: str, repeats: int) -> dict[str, Any]:
    """Each phase's kernels: calls and seconds, medians over the repeats; the rest of a phase is Python and numpy."""
    from ciro_zk import ProvingKey, infer
    from ciro_zk import prove as prove_run
    from ciro_zk.kernels import numba_kernels

    key = ProvingKey.load(folder / f"{name}.pk.bin")
    inputs = read_inputs(folder, name)[0]
    base = numba_kernels()
    prove_run(key, infer(key, inputs), kernels=base)
    stages: dict[str, list[float]] = {}
    spent: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(max(repeats, 1)):
        kernels = TimedKernels(base)
        progress = Phases(kernels)
        progress.start("inference")
        run = infer(key, inputs)
        progress.start("witness")
        prove_run(key, run, progress=progress, kernels=kernels)
        progress.start("")
        for stage, seconds in progress.seconds.items():
            stages.setdefault(stage, []).append(seconds)
        for where, (calls, seconds) in kernels.spent.items():
            spent.setdefault(where, []).append((calls, seconds))
    table: dict[str, dict[str, Any]] = {}
    for stage, times in stages.items():
        mine = {kernel: entries for (phase, kernel), entries in spent.items() if phase == stage}
        kernels_of = {kernel: [int(e[0][0]), float(np.median([s for _, s in e]))] for kernel, e in mine.items()}
        total = float(np.median(times))
        rest = total - sum(seconds for _, seconds in kernels_of.values())
        ordered = dict(sorted(kernels_of.items(), key=lambda item: -item[1][1]))
        table[stage] = {"seconds": total, "outside_kernels": rest, "kernels": ordered}
    return {"profile": table, "functions": functions(key, inputs, base)}


def functions(key: Any, inputs: Mapping[str, Any], kernels: Any, count: int = 25) -> list[str]:
    """The functions with the most time of their own in one proof, from cProfile (which slows small ones down)."""
    import cProfile
    import pstats

    from ciro_zk import infer
    from ciro_zk import prove as prove_run

    profiler = cProfile.Profile()
    profiler.enable()
    prove_run(key, infer(key, inputs), kernels=kernels)
    profiler.disable()
    stats: Any = pstats.Stats(profiler)
    rows = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:count]
    lines = []
    for (file, line, function), (_, calls, own, total, _) in rows:
        place = file
        with suppress(ValueError):
            place = str(Path(file).relative_to(Path(__file__).resolve().parents[1]))
        lines.append(f"{own * 1e3:8.2f} ms own {total * 1e3:8.2f} ms in all {calls:6d} calls  {place}:{line} {function}")
    return lines


STEPS: dict[str, Callable[[Path, str, int], dict[str, Any]]] = {
    "warm": warm,
    "compile": compile_model,
    "setup": setup,
    "prove": prove,
    "verify": verify,
    "profile": profile,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    print(json.dumps(STEPS[options.step](options.folder, options.name, options.repeats)))


if __name__ == "__main__":
    main()
