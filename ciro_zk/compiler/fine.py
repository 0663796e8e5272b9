"""Inputs that need more precision than the circuit's: features of one tensor have ranges of their own, but share its unit.

Where nothing but trees' decisions is asked of an input, its unit tells their thresholds apart; where it is only scaled,
feature by feature, it has `SCALER_BITS`, and so have the factors. Neither costs much: comparisons and one product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from math import inf, ldexp

from ciro_zk.compiler.lower import Program
from ciro_zk.compiler.steps import Affine, Decisions, Reshape, Step

SCALER_BITS = 22
MAX_BITS, HEADROOM = 26, 2
"""Bits, at most, of an input over its calibrated range, and how far beyond that range it may lie."""


def fine_inputs(program: Program, ranges: Mapping[str, float]) -> tuple[dict[str, float], list[Step]]:
    """(the unit wanted by name of such an input, the steps with their scalers made as fine)."""
    others = {tensor for _, tensor in program.outputs}
    units: dict[str, float] = {}
    scalers = []
    for i, step in reversed(list(enumerate(program.steps))):
        if isinstance(step, Reshape) and step.output not in others:
            units[step.inputs[0]] = min(units.get(step.inputs[0], inf), units.get(step.output, inf))
        elif isinstance(step, Decisions):
            units[step.inputs[0]] = min(units.get(step.inputs[0], inf), _threshold_unit(step))
        elif isinstance(step, Affine) and step.weight.size > 1 and not step.signs:
            scalers.append(i)
            units.setdefault(step.inputs[0], inf)
        else:
            others.update(step.inputs)
    found = {name: unit for name, unit in units.items() if name in program.inputs and name not in others}
    steps = list(program.steps)
    for i in scalers:
        scaler = steps[i]
        name = scaler.inputs[0]
        if isinstance(scaler, Affine) and name in found:
            steps[i] = replace(scaler, weight_bits=SCALER_BITS)
            found[name] = min(found[name], ldexp(ranges[name], -SCALER_BITS))
    return {name: max(unit, ldexp(ranges[name], -MAX_BITS)) for name, unit in found.items()}, steps


def _threshold_unit(step: Decisions) -> float:
    """A sixteenth of the least distance between two thresholds of a feature, and 2^-16 of the least threshold."""
    by_feature: dict[int, set[float]] = {}
    for feature, threshold in zip(step.features, step.thresholds, strict=True):
        by_feature.setdefault(feature, set()).add(threshold)
    gaps = [b - a for found in by_feature.values() for a, b in pairwise(sorted(found))]
    sizes = [ldexp(abs(threshold), -12) for threshold in step.thresholds if threshold]
    return min((*gaps, *sizes), default=inf) / 16
