"""ONNX in, integer circuit out.

    load        parse, check, weights finite                              -> Model
    fold        static shapes, constants folded                           -> Static
    lower       ONNX nodes to steps; all unsupported ones at once         -> Program
    fuse        bias, BatchNorm, activation, residual into products       -> Program
    calibrate   the range of every tensor over the data                   -> Calibration
    emit        steps to integer operators, intervals carried along       -> Draft
    assemble    tables chosen and shared                                  -> Graph
    report      the circuit beside the float model, on held-back samples
    precision   where an accuracy is asked for: the bits of every step

The interval analysis certifies completeness: whatever compiles proves, for every input in the declared range, or
`BoundsError` names node and bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from ciro_zk.errors import BoundsError, InputError
from ciro_zk.params import PRESETS
from ciro_zk.progress import Progress, Step, silent

if TYPE_CHECKING:
    from pathlib import Path

    from ciro_zk.compiler.load import Source
    from ciro_zk.program.circuit import Circuit

__all__ = ["compile", "supported_operators"]

MIN_BITS, MAX_BITS = 6, 16
DEFAULT_BITS = 12


def compile(
    model: Source,
    calibration: ArrayLike | Mapping[str, Any] | str | Path | None = None,
    *,
    validation: ArrayLike | Mapping[str, Any] | str | Path | None = None,
    calibration_method: str | None = None,
    input_range: Mapping[str, Sequence[float]] | None = None,
    shapes: Mapping[str, Sequence[int] | int] | None = None,
    bits: int | None = None,
    max_error: float | None = None,
    min_agreement: float | None = None,
    preset: str = "standard",
    state: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Circuit:
    """Compile an ONNX model to an integer circuit.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto; torch.nn.Module (extra `[torch]`), scikit-learn, XGBoost or LightGBM (`[sklearn]`)
        Opset 9 to the newest that the installed onnx knows.
    calibration : array, dict of arrays, path, or stored calibration result
        Samples by input name (an array for a model with one input), exactly of the model's shape or any number of
        samples on axis 0; or a .npz, a .npy, or a folder of them. Of 8 samples or more every fourth is held back, to
        measure the accuracy on. A stored result, the dict `Circuit.calibration` or the path of its JSON, gives the same
        circuit as the data did. Without calibration, random inputs from the declared range (`AccuracyWarning`).
    validation : array, dict of arrays or path, optional
        Samples to measure the accuracy on, instead of some held back.
    calibration_method : str, optional
        How the range of an inner tensor follows from its values: "max", "percentile" (99.99 %; "percentile:99.9") or
        "mse", the least squared error. By default "max" for 10 bits and more, "mse" for fewer. Outputs are never clipped.
    input_range : dict, optional
        (lowest, highest) by input name: the declared range, for which every input proves. By default all that the
        input's scale represents.
    shapes : dict, optional
        Full shapes by input name, or lengths by symbolic axis. A symbolic axis 0 is 1 by default.
    bits : int
        Bits of weights and activations, 6 to 16; 12 by default.
    max_error, min_agreement : float, optional
        An accuracy to reach on the compared samples at the least proving cost, `bits` being chosen, step by step
        (`ciro_zk.compiler.precision`): the greatest error of an output, as a share of that output's greatest magnitude;
        how often its greatest entry is that of the float model.
    preset : str
        The security settings: "standard", "conservative", "johnson" (smaller proofs for more work), or "testing"
        (no security). They become part of the program.
    state : dict, optional
        The output that holds the new state by the input that takes it: both get one scale, so that the proofs of
        several steps can be chained (`verify_chain`).
    progress : callable, optional
        Receives a `Step` now and then.

    Raises
    ------
    ModelError
        The model is broken.
    UnsupportedOperator
        It has nodes that cannot be proven: all of them are listed.
    InputError
        Calibration data, ranges, shapes, bits or preset are wrong or missing.
    BoundsError
        A bound that soundness or completeness needs cannot be certified.
    AccuracyError
        No precision reaches `max_error` and `min_agreement`; says how close it comes.
    """
    from ciro_zk.circuit.manifest import check_size
    from ciro_zk.compiler.assemble import check_name
    from ciro_zk.compiler.build import build
    from ciro_zk.compiler.clipping import parse_method
    from ciro_zk.compiler.importers import imported
    from ciro_zk.compiler.precision import Search, Target
    from ciro_zk.compiler.prepare import prepare
    from ciro_zk.compiler.report import Reference, accuracy
    from ciro_zk.program.circuit import Circuit
    from ciro_zk.program.program import MAX_NAME

    report = progress or silent
    target = Target(max_error, min_agreement)
    target.check()
    if bits is not None and target.text:
        raise InputError(
            "bits are chosen where an accuracy is asked for", field="bits", remedy="leave bits out, or max_error and min_agreement"
        )
    bits = DEFAULT_BITS if bits is None else bits
    if isinstance(bits, bool) or not isinstance(bits, int) or not MIN_BITS <= bits <= MAX_BITS:
        raise InputError(f"bits lie in [{MIN_BITS}, {MAX_BITS}]", field="bits", value=bits, remedy="12 is a good choice")
    if preset not in PRESETS:
        raise InputError("there is no such preset", field="preset", value=preset, remedy=f"give one of {', '.join(PRESETS)}")
    method = parse_method(calibration_method, bits)
    report(Step("read the model"))
    prepared = prepare(imported(model, calibration), calibration, validation, input_range, shapes, method, report)
    check_name(prepared.model.name, MAX_NAME)
    reference = Reference(prepared)
    report(Step("quantise"))
    precision: Mapping[str, int] = {}
    chosen: dict[str, Any] = {}
    if target.text:
        if not reference.feeds:
            raise InputError("there are no samples to measure the accuracy on", field="validation", remedy="give validation samples")
        search = Search(prepared, reference, target, state, report)
        best = search.run()
        bits, precision, built = best.bits, best.precision, best.built
        chosen = {"search": {"target": target.text, "trials": search.tried, "bits": bits, "raised": dict(precision)}}
    else:
        built = build(prepared, bits, state=state)
    every = {name: precision.get(name, bits) for name in built.layers}
    assembled = built.assembled
    if built.thresholds:
        chosen["thresholds"] = {name: list(counts) for name, counts in built.thresholds.items()}
    outputs = {port.name for port in assembled.graph.outputs}
    labels = {name: texts for name, texts in prepared.static.labels.items() if name in outputs}
    if labels:
        chosen["labels"] = labels
    circuit = Circuit(
        graph=assembled.graph,
        weights=assembled.weights,
        name=prepared.model.name,
        bits=bits,
        calibration=prepared.calibration.as_json(),
        preset=PRESETS[preset],
        accuracy={**accuracy(prepared, built, every, reference, report), **chosen},
        notes=assembled.notes,
    )
    try:
        check_size(circuit.program.manifest)
    except ValueError as error:
        raise BoundsError(f"the circuit's manifest {error}", remedy="compile with fewer bits, or a part of the model") from error
    return circuit


def supported_operators() -> dict[str, tuple[int, ...]]:
    """ONNX operators that can be proven, with the schema versions accepted."""
    from ciro_zk.compiler.lower import supported_operators as operators

    return operators()
