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


def compile_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="The model.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder to write to.")] = None,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", metavar="DATA.npz", help="Typical inputs, by ONNX input name, samples along axis 0.")
    ] = None,
    input_range: Annotated[
        list[str] | None,
        typer.Option("--input-range", metavar="[NAME=]lo,hi", help="Range that inputs may have."),
    ] = None,
    shape: Annotated[
        list[str] | None, typer.Option("--shape", metavar="NAME=1,3,..", help="Shape of an input with dynamic axes, or AXIS=length.")
    ] = None,
    bits: Annotated[int, typer.Option("--bits", min=6, max=16, help="Width of quantised weights and activations.")] = 12,
    preset: Annotated[
        str, typer.Option("--preset", metavar="|".join(PRESETS), help="Security settings; johnson: smaller proofs, more work.")
    ] = STANDARD.name,
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

        names = input_names(model)
        data = _calibration(calibration, names)
        ranges = parse_ranges(input_range or [], names)
        shapes = parse_shapes(shape or [], names)
        watch = Stopwatch()
        with out.progress() as progress, named_after(calibration, "calibration"):
            circuit = ciro_zk.compile(
                str(model), data, input_range=ranges or None, shapes=shapes or None, bits=bits, preset=preset, progress=progress
            )
        seconds = watch.seconds
        num_bytes = len(bytes(circuit)) if dry_run or output is None else write_circuit(out, output, circuit, model)
        _show(out, circuit, seconds, num_bytes, None if dry_run else output)
        estimate = {"estimate": asdict(circuit.report().cost)} if dry_run else {}
        out.result({**compile_fields(circuit, seconds, num_bytes), **estimate})


def compile_fields(circuit: Circuit, seconds: float, num_bytes: int) -> dict[str, Any]:
    """The JSON object of `compile`."""
    return {
        "seconds": rounded(seconds),
        "bytes": num_bytes,
        "max_abs_error": max_abs_error(circuit),
        "security_bits": circuit.program.security.summed_bits,
    }


def _calibration(path: Path | None, names: tuple[str, ...]) -> dict[str, Any] | str | None:
    """The arrays of a `.npz`, or the path of a stored calibration result, which the compiler reads itself."""
    from ciro_zk.cli.archive import is_archive, read_archive

    if path is None:
        return None
    return dict(read_archive(path, names)) if is_archive(path) else str(path)


def _show(out: Session, circuit: Circuit, seconds: float, num_bytes: int, output: Path | None) -> None:
    out.say(str(circuit.report()))
    out.say(f"compiled in {seconds_text(seconds)}" + (f": {output}/circuit.bin, manifest.json, {bytes_text(num_bytes)}" if output else ""))
