"""`ciro-zk prove`: runs a model on one input or many, and proves the runs, each alone or all in one proof."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ciro_zk.cli.options import Codewords, Directory, Index, Json, Threads
from ciro_zk.cli.report import Stopwatch, bytes_text, peak_rss_mb, process_seconds, rounded, seconds_text
from ciro_zk.cli.session import Session, session
from ciro_zk.errors import InputError

if TYPE_CHECKING:
    from ciro_zk.cli.inputs import Wanted


class Device(StrEnum):
    """Where the witness is computed."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def prove_command(
    directory: Directory,
    input: Annotated[Path, typer.Option("--input", "-i", metavar="X", help="The input: .npz by ONNX input name, or ezkl's JSON.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PROOF", help="Where the proof goes; with --each, a folder.")],
    index: Index = None,
    all: Annotated[bool, typer.Option("--all", help="Prove all samples of the .npz in one proof.")] = False,
    each: Annotated[bool, typer.Option("--each", help="Prove each sample of the .npz alone, into PROOF/<index>.proof.")] = False,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="With --each: processes; one per processor by default.")] = None,
    device: Annotated[Device, typer.Option("--device", help="Where the model runs.")] = Device.AUTO,
    codewords: Codewords = None,
    profile: Annotated[Path | None, typer.Option("--profile", metavar="SVG", help="Say where the time went, and draw it there.")] = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Run the model on an input and prove the run; or on many, with --all or --each."""
    with session(json) as out:
        _check_options(index, all, each, workers, codewords, profile)
        if each:
            _prove_each(out, directory, input, output, workers, device, threads)
        else:
            _prove_one(out, directory, input, output, index, all, device, codewords, profile, threads)


def _check_options(index: int | None, all: bool, each: bool, workers: int | None, codewords: Path | None, profile: Path | None) -> None:
    clashes = {
        "--each": (all and each, "leave --all or --each out"),
        "--index": (index is not None and (all or each), "leave --index out to prove every sample"),
        "--directory": (codewords is not None and each, "leave --directory out: every worker finds the codewords in the cache folder"),
        "--profile": (profile is not None and each, "leave --profile out, or prove all samples in one proof with --all"),
        "--workers": (workers is not None and not each, "add --each; one proof is spread over --threads"),
    }
    for option, (clash, remedy) in clashes.items():
        if clash:
            raise InputError("does not go with the other options", field=option, remedy=remedy)


def _prove_one(
    out: Session,
    directory: Path,
    input: Path,
    output: Path,
    index: int | None,
    all: bool,
    device: Device,
    codewords: Path | None,
    chart: Path | None,
    threads: int | None,
) -> None:
    """One sample, or all in one proof."""
    import ciro_zk
    from ciro_zk.cli.folder import key_path
    from ciro_zk.cli.inputs import load_inputs
    from ciro_zk.cli.public import named_after, wanted_inputs
    from ciro_zk.container import atomic_write
    from ciro_zk.kernels import numba_kernels
    from ciro_zk.prover import committed_weights

    loading = Stopwatch()
    key = ciro_zk.ProvingKey.load(key_path(directory))
    wanted = wanted_inputs(key.program)
    samples = load_samples(input, wanted) if all else [load_inputs(input, wanted, index)]
    kernels = numba_kernels(threads)
    committed_weights(kernels, key, codewords)
    load_seconds = loading.seconds
    watch = Stopwatch()
    with out.progress() as progress, named_after(input):
        runs = [ciro_zk.infer(key, sample, device=device.value) for sample in samples]
        if chart is None:
            proof, profile = ciro_zk.prove(key, runs, kernels=kernels, progress=progress), None
        else:
            from ciro_zk.profile import profile_prove

            proof, profile = profile_prove(key, runs, threads=threads, repeats=1, progress=progress)
    seconds = watch.seconds
    data = bytes(proof)
    peak = peak_rss_mb()
    error = _max_abs_error(directory, samples, [run.outputs for run in runs])
    atomic_write(output, data)  # last, so that an interrupted command leaves nothing behind
    security_bits = key.program.batched(proof.batch).security.summed_bits
    outputs = runs[0].outputs if len(runs) == 1 else stacked([run.outputs for run in runs])
    many = f" {proof.batch} inferences" if proof.batch > 1 else ""
    out.say(f"proved{many} in {seconds_text(seconds)} on {runs[0].device}, {peak:.0f} MB at most, {security_bits:.0f} bits of security")
    out.rows({str(output): bytes_text(len(data)), **output_rows(outputs)})
    if chart is not None and profile is not None:
        atomic_write(chart, profile.svg().encode())
        out.say(str(profile))
    out.result(
        {
            "seconds": rounded(seconds),
            "load_seconds": rounded(load_seconds),
            "total_seconds": rounded(process_seconds()),
            "bytes": len(data),
            "peak_rss_mb": round(peak, 1),
            "security_bits": security_bits,
            "outputs": outputs,
            "max_abs_error": error,
            "device": runs[0].device,
            **batch_fields(proof.batch),
            **({"profile": profile.as_dict()} if profile is not None else {}),
        }
    )


def _prove_each(out: Session, directory: Path, input: Path, folder: Path, workers: int | None, device: Device, threads: int | None) -> None:
    """Each sample alone, on several processes; what is proven before an error stays."""
    import resource

    import ciro_zk
    from ciro_zk.cli.folder import key_path
    from ciro_zk.cli.public import named_after, wanted_inputs
    from ciro_zk.container import atomic_write

    loading = Stopwatch()
    path = key_path(directory)
    program = ciro_zk.ProvingKey.load(path).program
    samples = load_samples(input, wanted_inputs(program))
    load_seconds = loading.seconds
    _make_folder(folder)
    watch = Stopwatch()
    num_bytes = 0
    outputs: list[dict[str, Any]] = []
    scales = {port.name: port.scale for port in program.graph.outputs}
    with out.progress() as progress, named_after(input, "inputs"):
        proofs = ciro_zk.prove_many(path, samples, workers=workers, threads=threads or 1, device=device.value, progress=progress)
        with contextlib.closing(proofs):
            try:
                for number, proof in enumerate(proofs):
                    data = bytes(proof)
                    atomic_write(folder / f"{number}.proof", data)
                    num_bytes += len(data)
                    outputs.append({name: value * scales[name] for name, value in proof.outputs.items()})
            except BaseException:
                out.note(f"{len(outputs)} of {len(samples)} proofs are in {folder}")
                raise
    seconds = watch.seconds
    largest_worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    peak = max(peak_rss_mb(), largest_worker)
    security_bits = program.security.summed_bits
    all_outputs = stacked(outputs)
    pace = seconds_text(seconds / len(samples))
    out.say(f"proved {len(samples)} inferences in {seconds_text(seconds)}, {pace} each, {security_bits:.0f} bits of security")
    out.rows({str(folder): f"{len(samples)} proofs, {bytes_text(num_bytes)}", **output_rows(all_outputs)})
    out.result(
        {
            "seconds": rounded(seconds),
            "load_seconds": rounded(load_seconds),
            "total_seconds": rounded(process_seconds()),
            "bytes": num_bytes,
            "peak_rss_mb": round(peak, 1),
            "security_bits": security_bits,
            "outputs": all_outputs,
            "max_abs_error": _max_abs_error(directory, samples, outputs),
            "device": device.value,
            "proofs": len(samples),
        }
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder: {error.strerror}", file=str(folder), remedy="give another path") from error


def load_samples(path: Path, wanted: Sequence[Wanted]) -> list[dict[str, Any]]:
    """All samples of an input file, in order, in the circuit's shapes.

    Raises
    ------
    InputError
        The file is missing or malformed, an input is missing, a shape does not fit, or the inputs hold different numbers of samples.
    """
    import numpy as np

    from ciro_zk.cli.archive import is_archive, read_archive
    from ciro_zk.cli.inputs import load_inputs

    if not is_archive(path):
        return [load_inputs(path, wanted)]
    arrays = read_archive(path, tuple(item.name for item in wanted))
    samples: dict[str, Any] = {}
    for item in wanted:
        array = arrays[item.name]
        several = {item.shape, item.shape[1:]} if item.shape[:1] == (1,) else {item.shape}
        if array.shape == item.shape:
            array = array[np.newaxis]
        elif array.ndim == 0 or array.shape[1:] not in several:
            remedy = f"give shape {item.shape}, or several samples along axis 0"
            raise InputError(f"has shape {array.shape}", file=str(path), field=item.name, remedy=remedy)
        samples[item.name] = array.reshape(len(array), *item.shape)
    counts = {name: len(array) for name, array in samples.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"the inputs hold {counts} samples", file=str(path), remedy="give as many samples of every input")
    count = next(iter(counts.values()), 1)
    if count == 0:
        raise InputError("holds no samples", file=str(path), remedy="give at least one")
    return [{name: array[i] for name, array in samples.items()} for i in range(count)]


def stacked(outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Inputs or outputs of several inferences, the inference in front."""
    import numpy as np

    return {name: np.stack([one[name] for one in outputs]) for name in outputs[0]}


def _max_abs_error(directory: Path, samples: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]) -> float | None:
    """The largest error against the float model over all samples; None when it cannot be run here."""
    from ciro_zk.cli.accuracy import max_abs_error
    from ciro_zk.cli.folder import MODEL

    errors: list[float] = []
    for sample, found in zip(samples, outputs, strict=True):
        error = max_abs_error(directory / MODEL, sample, found)
        if error is None:
            return None
        errors.append(error)
    return max(errors)


def batch_fields(batch: int) -> dict[str, int]:
    """The JSON field that a proof of several inferences has besides; their outputs have the batch in front."""
    return {"batch": batch} if batch > 1 else {}


def output_rows(outputs: Mapping[str, Any]) -> dict[str, str]:
    """Outputs for a reader: name and the first values."""
    rows: dict[str, str] = {}
    for name, array in outputs.items():
        flat = array.reshape(-1)
        more = f", ... ({flat.size} values)" if flat.size > 10 else ""
        rows[name] = ", ".join(f"{value:.4g}" for value in flat[:10].tolist()) + more
    return rows
