"""Large weights: a stack of Gemm and ReLU in GPT-2's shape, compiled, set up, proven and verified; one process a step.

    python benches/large.py --scale 8 --json large-8.json     widths / sqrt(8) or so: about an eighth of the weights
    python benches/large.py --write                           in full, into docs/performance.md

A block has as many weights as a block of GPT-2 small: 768 -> 1536 -> 768 (attention's four projections) and 768 -> 3072 -> 768, each
followed by ReLU; then the head, 768 -> 50257. With 12 blocks that is 124 million weights. They are random, 32 rows are one inference.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

BLOCKS, WIDTH, TOKENS, ROWS = 12, 768, 50257, 32
GIB = 1 << 30
MARK = "<!-- large: {} -->"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def widths(scale: int) -> tuple[list[int], int]:
    """The widths of a block's layers and of the head, for a `scale`-th of the weights."""
    width = max(round(WIDTH / scale**0.5), 4)
    return [width, 2 * width, width, 4 * width, width], max(round(TOKENS / scale**0.5), 4)


def write_model(path: Path, scale: int) -> int:
    """Write the ONNX model; returns the number of weights."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    layers, tokens = widths(scale)
    nodes, constants, current = [], [], "x"

    def gemm(inner: int, outer: int, name: str, relu: bool) -> None:
        nonlocal current
        weights = rng.standard_normal((inner, outer), dtype=np.float32) * np.float32((2 / inner) ** 0.5)
        constants.append(numpy_helper.from_array(weights, f"{name}.weight"))
        constants.append(numpy_helper.from_array(rng.standard_normal(outer, dtype=np.float32) * np.float32(0.01), f"{name}.bias"))
        nodes.append(helper.make_node("Gemm", [current, f"{name}.weight", f"{name}.bias"], [name], name))
        current = name
        if relu:
            nodes.append(helper.make_node("Relu", [name], [f"{name}.relu"], f"{name}.relu"))
            current = f"{name}.relu"

    for block in range(BLOCKS):
        for i, (inner, outer) in enumerate(pairwise(layers)):
            gemm(inner, outer, f"block{block}.layer{i}", True)
    gemm(layers[0], tokens, "head", False)
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [ROWS, layers[0]])],
        [helper.make_tensor_value_info(current, TensorProto.FLOAT, [ROWS, tokens])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return sum(int(np.prod(c.dims)) for c in constants)


def inputs(scale: int) -> np.ndarray:
    """One inference's rows."""
    return np.random.default_rng(2).uniform(-1, 1, (ROWS, widths(scale)[0][0])).astype(np.float32)


def compile_step(folder: Path, scale: int) -> dict[str, Any]:
    import ciro_zk

    circuit = ciro_zk.compile(folder / "model.onnx", calibration=inputs(scale))
    started = time.perf_counter()
    circuit.save(folder / "circuit.bin")
    cost = circuit.report().cost
    return {
        "save_seconds": time.perf_counter() - started,
        "bytes": (folder / "circuit.bin").stat().st_size,
        "weights": cost.num_weights,
        "log_leaves": cost.log_leaves,
        "log_witness_cells": cost.log_witness_cells,
        "error": circuit.accuracy,
    }


def setup_step(folder: Path, scale: int) -> dict[str, Any]:
    import ciro_zk
    from ciro_zk.program.circuit import Circuit
    from ciro_zk.program.report import setup_bytes

    circuit = Circuit.load(folder / "circuit.bin")
    pk, vk = ciro_zk.setup(circuit, directory=folder / "codewords")
    started = time.perf_counter()
    pk.save(folder / "pk.bin")
    vk.save(folder / "vk.bin")
    registration = circuit.program.registration
    assert registration is not None
    return {
        "save_seconds": time.perf_counter() - started,
        "estimated_bytes": setup_bytes(circuit.program, True),
        "log_leaves": registration.plan.log_leaves,
        "pk_bytes": (folder / "pk.bin").stat().st_size,
        "vk_bytes": (folder / "vk.bin").stat().st_size,
        "codeword_bytes": sum(path.stat().st_size for path in (folder / "codewords").iterdir()),
    }


def prove_step(folder: Path, scale: int) -> dict[str, Any]:
    import ciro_zk
    from ciro_zk.kernels import numba_kernels
    from ciro_zk.program.report import memory_bytes
    from ciro_zk.prover import committed_weights

    started = time.perf_counter()
    pk = ciro_zk.ProvingKey.load(folder / "pk.bin")
    kernels = numba_kernels()
    committed_weights(kernels, pk, folder / "codewords")
    loaded = time.perf_counter()
    run = ciro_zk.infer(pk, inputs(scale))
    inferred = time.perf_counter()
    proof = ciro_zk.prove(pk, run, kernels=kernels)
    proven = time.perf_counter()
    proof.save(folder / "proof.bin")
    return {
        "load_seconds": loaded - started,
        "infer_seconds": inferred - loaded,
        "prove_seconds": proven - inferred,
        "estimated_bytes": memory_bytes(pk.program, True),
        "proof_bytes": len(proof.body),
        "file_bytes": (folder / "proof.bin").stat().st_size,
    }


def verify_step(folder: Path, scale: int) -> dict[str, Any]:
    import ciro_zk
    from ciro_zk.verifier import check_registration

    started = time.perf_counter()
    vk = ciro_zk.VerifyingKey.load(folder / "vk.bin")
    proof = ciro_zk.Proof.load(folder / "proof.bin")
    loaded = time.perf_counter()
    check_registration(vk)
    registered = time.perf_counter()
    verified = ciro_zk.verify(vk, proof, inputs=inputs(scale))
    return {
        "load_seconds": loaded - started,
        "registration_seconds": registered - loaded,
        "verify_seconds": time.perf_counter() - registered,
        "security_bits": verified.security.summed_bits,
    }


STEPS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "compile": compile_step,
    "setup": setup_step,
    "prove": prove_step,
    "verify": verify_step,
}


def run_step(name: str, folder: Path, scale: int) -> dict[str, Any]:
    """A step in a process of its own: its seconds, the largest resident set, and what it reports."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--step", name, "--folder", str(folder), "--scale", str(scale)],
        stdout=subprocess.PIPE,
        check=True,
        env=environment,
    )
    result: dict[str, Any] = {"seconds": time.perf_counter() - started, **json.loads(done.stdout.splitlines()[-1])}
    print(f"{name}: {result['seconds']:.1f} s, {result['peak_bytes'] / GIB:.2f} GiB", file=sys.stderr, flush=True)
    return result


def measure(scale: int, folder: Path) -> dict[str, Any]:
    """All steps."""
    parameters = write_model(folder / "model.onnx", scale)
    report: dict[str, Any] = {"scale": scale, "parameters": parameters, "rows": ROWS, "threads": len(os.sched_getaffinity(0))}
    load = os.getloadavg()[0]
    for name in STEPS:
        report[name] = run_step(name, folder, scale)
        load = max(load, os.getloadavg()[0])
    return report | {"load": round(load, 1)}


def table(report: dict[str, Any]) -> str:
    """The page's table."""
    shared = (
        f" The machine was shared (load up to {report['load']}): seconds are upper bounds." if report["load"] > report["threads"] else ""
    )
    rows = [
        f"A stack of Gemm and ReLU in GPT-2's shape: {report['parameters']:,} weights, {report['rows']} rows, 12 bits, "
        f"{report['verify']['security_bits']:.1f} bits of security, {report['threads']} threads.{shared}",
        "",
        "| step | seconds | peak memory, GiB | made |",
        "| --- | ---: | ---: | --- |",
    ]
    setup, prove, verify = report["setup"], report["prove"], report["verify"]
    made = {
        "compile": f"circuit, {report['compile']['bytes'] / 1e6:.0f} MB; 2^{report['compile']['log_leaves']} leaves, "
        f"witness 2^{report['compile']['log_witness_cells']}",
        "setup": f"codewords, {setup['codeword_bytes'] / 1e9:.2f} GB on disk; verifying key, {setup['vk_bytes'] / 1e6:.2f} MB; "
        f"registration of 2^{setup['log_leaves']} leaves",
        "prove": f"proof, {prove['proof_bytes'] / 1e6:.2f} MB, in {prove['prove_seconds']:.0f} s, after loading "
        f"({prove['load_seconds']:.1f} s) and inference ({prove['infer_seconds']:.1f} s)",
        "verify": f"the proof in {verify['verify_seconds']:.2f} s, the registration, once a key, in {verify['registration_seconds']:.2f} s",
    }
    rows += [f"| {name} | {report[name]['seconds']:.0f} | {report[name]['peak_bytes'] / GIB:.1f} | {made[name]} |" for name in STEPS]
    return "\n".join(rows)


def write_page(report: dict[str, Any]) -> None:
    """Put the table between the page's marks."""
    before, rest = PAGE.read_text().split(MARK.format("begin"))
    after = rest.split(MARK.format("end"))[1]
    PAGE.write_text(before + MARK.format("begin") + "\n" + table(report) + "\n" + MARK.format("end") + after)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the files go, and stay; by default a temporary folder")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        from ciro_zk.kernels import warm
        from ciro_zk.memory import peak_bytes

        if options.step in ("setup", "prove"):
            warm()
        base = peak_bytes()
        result = STEPS[options.step](options.folder, options.scale)
        print(json.dumps({**result, "base_bytes": base, "peak_bytes": peak_bytes()}))
        return
    with tempfile.TemporaryDirectory(prefix="ciro_zk-large-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = measure(options.scale, folder)
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.write:
        write_page(report)


if __name__ == "__main__":
    main()
