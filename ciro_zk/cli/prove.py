"""`ciro-zk prove`: runs a model on an input and proves the run."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ciro_zk.cli.options import Directory, Index, Json, Threads
from ciro_zk.cli.report import Stopwatch, bytes_text, peak_rss_mb, process_seconds, rounded, seconds_text
from ciro_zk.cli.session import session


class Device(StrEnum):
    """Where the witness is computed."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def prove_command(
    directory: Directory,
    input: Annotated[Path, typer.Option("--input", "-i", metavar="X", help="The input: .npz by ONNX input name, or ezkl's JSON.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PROOF", help="Where the proof goes.")],
    index: Index = None,
    device: Annotated[Device, typer.Option("--device", help="Where the model runs.")] = Device.AUTO,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Run the model on an input and prove the run."""
    with session(json) as out:
        import ciro_zk
        from ciro_zk.cli.accuracy import max_abs_error
        from ciro_zk.cli.folder import MODEL, key_path
        from ciro_zk.cli.inputs import load_inputs
        from ciro_zk.cli.public import named_after, wanted_inputs
        from ciro_zk.container import atomic_write
        from ciro_zk.kernels import numba_kernels
        from ciro_zk.prover import committed_weights

        loading = Stopwatch()
        key = ciro_zk.ProvingKey.load(key_path(directory))
        inputs = load_inputs(input, wanted_inputs(key.program), index)
        kernels = numba_kernels(threads)
        committed_weights(kernels, key)
        load_seconds = loading.seconds
        watch = Stopwatch()
        with out.progress() as progress, named_after(input):
            run = ciro_zk.infer(key, inputs, device=device.value)
            proof = ciro_zk.prove(key, run, kernels=kernels, progress=progress)
        seconds = watch.seconds
        data = bytes(proof)
        peak = peak_rss_mb()
        error = max_abs_error(directory / MODEL, inputs, run.outputs)
        atomic_write(output, data)  # last, so that an interrupted command leaves nothing behind
        security_bits = key.program.security.summed_bits
        out.say(f"proved in {seconds_text(seconds)} on {run.device}, {peak:.0f} MB at most, {security_bits:.0f} bits of security")
        out.rows({str(output): bytes_text(len(data)), **output_rows(run.outputs)})
        out.result(
            {
                "seconds": rounded(seconds),
                "load_seconds": rounded(load_seconds),
                "total_seconds": rounded(process_seconds()),
                "bytes": len(data),
                "peak_rss_mb": round(peak, 1),
                "security_bits": security_bits,
                "outputs": run.outputs,
                "max_abs_error": error,
                "device": run.device,
            }
        )


def output_rows(outputs: Mapping[str, Any]) -> dict[str, str]:
    """Outputs for a reader: name and the first values."""
    rows: dict[str, str] = {}
    for name, array in outputs.items():
        flat = array.reshape(-1)
        more = f", ... ({flat.size} values)" if flat.size > 10 else ""
        rows[name] = ", ".join(f"{value:.4g}" for value in flat[:10].tolist()) + more
    return rows
