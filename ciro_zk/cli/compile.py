"""`ciro-zk compile`: an ONNX model becomes a circuit."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ciro_zk.cli.options import Json, parse_ranges, parse_shapes
from ciro_zk.cli.report import Stopwatch, bytes_text, rounded, seconds_text
from ciro_zk.cli.session import Session, session
from ciro_zk.cli.summary import max_abs_error
from ciro_zk.errors import InputError
from ciro_zk.params import PRESETS, STANDARD

if TYPE_CHECKING:
    from ciro_zk.program.circuit import Circuit
    from ciro_zk.program.report import CircuitReport


def compile_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="The model.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder to write to.")] = None,
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", metavar="DATA", help="Typical inputs: a .npz by ONNX input name, samples on axis 0, or a folder."),
    ] = None,
    validation: Annotated[
        Path | None, typer.Option("--validation", metavar="DATA", help="Inputs to measure the accuracy on, instead of some held back.")
    ] = None,
    calibration_method: Annotated[
        str | None,
        typer.Option("--calibration-method", metavar="METHOD", help="Ranges of inner tensors: max, percentile, percentile:99.9 or mse."),
    ] = None,
    input_range: Annotated[
        list[str] | None,
        typer.Option("--input-range", metavar="[NAME=]lo,hi", help="Range that inputs may have."),
    ] = None,
    shape: Annotated[
        list[str] | None, typer.Option("--shape", metavar="NAME=1,3,..", help="Shape of an input with dynamic axes, or AXIS=length.")
    ] = None,
    bits: Annotated[
        int | None, typer.Option("--bits", min=6, max=16, help="Width of quantised weights and activations; 12 by default.")
    ] = None,
    max_error: Annotated[
        float | None, typer.Option("--max-error", metavar="SHARE", help="Choose bits: greatest error as a share of the output's range.")
    ] = None,
    min_agreement: Annotated[
        float | None,
        typer.Option("--min-agreement", metavar="SHARE", help="Choose bits: share of equal greatest outputs."),
    ] = None,
    preset: Annotated[
        str, typer.Option("--preset", metavar="|".join(PRESETS), help="Security settings; johnson: smaller proofs, more work.")
    ] = STANDARD.name,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Write a chart of the errors by layer.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compile and report accuracy, bounds and cost; write nothing.")] = False,
    json: Json = False,
) -> None:
    """Compile a model to a circuit: DIR/circuit.bin and DIR/manifest.json."""
    with session(json) as out:
        if output is None and not dry_run:
            raise InputError("no folder to write to", field="--output", remedy="give -o DIR, or --dry-run")
        import ciro_zk
        from ciro_zk.cli.folder import write_circuit
        from ciro_zk.cli.model import input_names
        from ciro_zk.cli.public import named_after
        from ciro_zk.container import atomic_write

        names = input_names(model)
        data, checked = _samples(calibration, names), _samples(validation, names)
        ranges = parse_ranges(input_range or [], names)
        shapes = parse_shapes(shape or [], names)
        watch = Stopwatch()
        with out.progress() as progress, named_after(calibration, "calibration"), out.accuracy_warnings():
            circuit = ciro_zk.compile(
                str(model),
                data,
                validation=checked,
                calibration_method=calibration_method,
                input_range=ranges or None,
                shapes=shapes or None,
                bits=bits,
                max_error=max_error,
                min_agreement=min_agreement,
                preset=preset,
                progress=progress,
            )
        seconds = watch.seconds
        report = circuit.report()
        num_bytes = len(bytes(circuit)) if dry_run or output is None else write_circuit(out, output, circuit, model)
        if svg is not None:
            atomic_write(svg, report.svg().encode())
        _show(out, report, seconds, num_bytes, None if dry_run else output)
        estimate = {"estimate": asdict(report.cost)} if dry_run else {}
        out.result({**compile_fields(circuit, report, seconds, num_bytes), **estimate})


def compile_fields(circuit: Circuit, report: CircuitReport, seconds: float, num_bytes: int) -> dict[str, Any]:
    """The JSON object of `compile`."""
    return {
        "seconds": rounded(seconds),
        "bytes": num_bytes,
        "max_abs_error": max_abs_error(circuit),
        "accuracy": circuit.accuracy,
        "static_bounds": report.as_dict()["static_bounds"],
        "security_bits": circuit.program.security.summed_bits,
    }


def _samples(path: Path | None, names: tuple[str, ...]) -> dict[str, Any] | str | None:
    """The arrays of a `.npz`, or the path of a folder or a stored calibration result, which the compiler reads itself."""
    from ciro_zk.cli.archive import is_archive, read_archive

    if path is None:
        return None
    return dict(read_archive(path, names)) if path.is_file() and is_archive(path) else str(path)


def _show(out: Session, report: CircuitReport, seconds: float, num_bytes: int, output: Path | None) -> None:
    out.say(str(report))
    out.say(f"compiled in {seconds_text(seconds)}" + (f": {output}/circuit.bin, manifest.json, {bytes_text(num_bytes)}" if output else ""))
