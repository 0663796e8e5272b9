"""A circuit and its program in figures: what `compile` and `inspect` show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ciro_zk.program.circuit import Circuit
    from ciro_zk.program.program import Program


def program_facts(program: Program) -> dict[str, Any]:
    """Identity, shapes, size and security of a program."""
    graph = program.graph
    shapes = {
        side: {port.name: list(graph.tensors[port.tensor].shape) for port in ports}
        for side, ports in (("inputs", graph.inputs), ("outputs", graph.outputs))
    }
    return {
        "name": program.name,
        "program_digest": program.digest.hex(),
        "precision_bits": program.bits,
        "preset": program.preset.name,
        "operators": len(graph.nodes),
        "weights": sum(graph.tensors[number].size for number in graph.weights),
        **shapes,
        "security_bits": program.security.summed_bits,
    }


def max_abs_error(circuit: Circuit) -> float | None:
    """Largest error against the float model over the calibration samples and all outputs; None when nothing was measured."""
    errors = [float(output["max_abs_error"]) for output in circuit.accuracy.get("outputs", {}).values()]
    return max(errors, default=None)


def fact_text(name: str, value: Any) -> str:
    """One fact for a reader."""
    from ciro_zk.cli.report import bytes_text

    if isinstance(value, dict):
        return ", ".join(f"{key} {bytes_text(item) if name == 'sections' else item}" for key, item in value.items())
    if name == "bytes":
        return bytes_text(value)
    return f"{value:.1f}" if isinstance(value, float) else str(value)
