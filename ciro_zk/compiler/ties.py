"""Tensors that share one scale: a state going in and coming out, the hidden states of an unrolled recurrence; and large weights that
several products have.

Tied tensors get the greatest of their calibrated ranges, and requantisations to them hit that scale exactly. So a state
put out is, integer by integer, a state that can be put in, and the weights that multiply a hidden state are the same
integers at every step: one tensor, committed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from ciro_zk.compiler.curves import SATURATING
from ciro_zk.compiler.lower import Program
from ciro_zk.compiler.steps import Activation, Curve, Floats, MatMul, Requantised, Step
from ciro_zk.errors import InputError

Ranges = Mapping[str, float]
MIN_TABLE = 1 << 16
"""Cells of a weight that is worth one scale for all its uses."""


def tie_weights(program: Program) -> None:
    """Find the large weights that several products have, as they are or transposed: a language model's embedding and its head."""
    firsts: list[MatMul] = []
    tied: dict[str, MatMul] = {}
    for step in program.steps:
        if not isinstance(step, MatMul) or step.exact or step.weight.ndim != 2 or step.weight.size < MIN_TABLE:
            continue
        for first in firsts:
            turned = not _equal(first.weight, step.weight)
            if not turned or _equal(first.weight.T, step.weight):
                tied[first.output] = replace(first, is_tied=True)
                weight = first.weight.T if turned else first.weight
                tied[step.output] = replace(step, weight=weight, is_tied=True, turned=turned)
                break
        else:
            firsts.append(step)
    program.steps = [tied.get(step.output, step) for step in program.steps]


def _equal(a: Floats, b: Floats) -> bool:
    return a.shape == b.shape and bool((a[0] == b[0]).all()) and np.array_equal(a, b)


def check_state(program: Program, state: Mapping[str, str] | None, declared: Iterable[str]) -> dict[str, str]:
    """`state` as output by input; `InputError` where a name is not there, sizes differ, or the input has a declared range."""
    outputs = dict(program.outputs)
    shapes = {**program.inputs, **{step.output: step.shape for step in program.steps}}
    for source, target in (state or {}).items():
        field = f"state[{source!r}]"
        if source not in program.inputs:
            raise InputError("the model has no such input", field=field, remedy=f"its inputs are: {', '.join(program.inputs)}")
        if target not in outputs:
            raise InputError(f"the model has no output {target!r}", field=field, remedy=f"its outputs are: {', '.join(outputs)}")
        if prod(program.inputs[source]) != prod(shapes[outputs[target]]):
            raise InputError(f"{target!r} has another number of cells", field=field, remedy="link a state to its own new value")
        if source in declared:
            raise InputError("the range of a state follows from its scale", field=field, remedy="leave it out of input_range")
    return dict(state or {})


def groups(program: Program, state: Mapping[str, str]) -> list[set[str]]:
    """Statistics with one scale, disjoint."""
    outputs = dict(program.outputs)
    steps = {step.output: step for step in program.steps}
    found: list[set[str]] = []
    linked = ({source, outputs[target]} for source, target in state.items())
    for group in (*program.tied, *linked):
        wanted: set[str] = set().union(*(_origins(steps, name) for name in group))
        joined = wanted.union(*(known for known in found if known & wanted))
        found = [known for known in found if not known & joined] + [joined]
    return found


def _origins(steps: Mapping[str, Step], tensor: str) -> set[str]:
    """The statistics of the steps whose results a tensor shows, through views; an input is its own."""
    found, pending = set(), [tensor]
    while pending:
        name = pending.pop()
        step = steps.get(name)
        if step is None:
            found.add(name)
        elif isinstance(step, (Activation, Requantised)):
            found.add(step.statistic)
        else:
            pending.extend(step.inputs)
    return found


def tied_ranges(program: Program, tied: Iterable[set[str]], ranges: Ranges) -> dict[str, float]:
    """The ranges with those of every group made equal. The values of a curve that saturates have a range of their own, 1."""
    curves = [
        (s.statistic, s.function) for s in program.steps if isinstance(s, (Activation, Requantised)) and isinstance(s.function, Curve)
    ]
    unit = {statistic for statistic, function in curves if function.name in SATURATING}
    found = dict(ranges)
    for group in tied:
        peak = max(1.0 if name in unit else ranges.get(name, 0.0) for name in group)
        found.update(dict.fromkeys(group, peak))
    return found
