"""Results that keep more bits than their table has: those of the remainder that is committed anyway.

    q = round(x / 2^s),  out = clamp(q, -M, M),  y = 2^B out + floor(rem / 2^(s - B)) - 2^(B-1)

A requantisation commits the remainder rem of its rounding in limbs of B bits, the range table's. The top limb says where in
its unit x lies: y is x at a unit finer by 2^B, for no lookup at all, and the table can be small. Wherever out saturates y is
off by one coarse unit at most.

`refined` finds the tensors that have it: no function in their requantisation, and used by products, sums and functions only.
Maxima and divisors would need wider range checks, products of two such tensors along an axis leave too few bits of the field.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set

from ciro_zk.compiler.lower import Program
from ciro_zk.compiler.steps import (
    Activation,
    Affine,
    Average,
    Clip,
    Concat,
    Convolution,
    Curve,
    Leaky,
    Magnitude,
    MatMul,
    Multiply,
    Requantised,
    Reshape,
    Select,
    Step,
    Sum,
    Test,
    Transpose,
)

REFINED_BITS = 20
"""Bits of a refined tensor, the sign aside."""
MIN_TABLE_BITS = 6
"""Of which so many are its table's, at least: it saturates to within one of that table's units."""
VIEWS = (Reshape, Transpose, Select, Concat)


def refined(program: Program, tied: Sequence[Set[str]], *, relu: bool) -> set[str]:
    """Names of inputs and outputs of steps; of tied tensors all or none. What is put out is refined if it is tied, as
    the state of a recurrence is."""
    users: dict[str, list[Step]] = defaultdict(list)
    for step in program.steps:
        for name in step.inputs:
            users[name].append(step)
    outputs = {tensor for _, tensor in program.outputs}
    kept = frozenset().union(*tied)

    def suits(name: str, statistic: str) -> bool:
        if name in outputs and statistic not in kept:
            return False
        return all(suits(user.output, statistic) if _shows(user) else _takes(user) for user in users[name])

    statistics = {step.output: step.statistic for step in program.steps if isinstance(step, (Activation, Requantised))}
    statistics |= {name: name for name in program.inputs}
    makers = {step.output: step for step in program.steps}
    found = {name for name, stat in statistics.items() if (name in program.inputs or _makes(makers[name], relu=relu)) and suits(name, stat)}
    found |= {step.output for step in program.steps if isinstance(step, Concat) and not step.exact and suits(step.output, "")}
    for group in tied:
        members = {name for name, statistic in statistics.items() if statistic in group}
        if not members <= found:
            found -= members
    return found


def _shows(step: Step) -> bool:
    """Whether a step's result is its input's cells, or a multiple of them with a constant, without rounding."""
    return isinstance(step, VIEWS) or (isinstance(step, Affine) and step.weight.size == 1 and not step.signs and step.function is None)


def _makes(step: Step, *, relu: bool) -> bool:
    function = step.function if isinstance(step, (Activation, Requantised)) else None
    if step.exact or not (function is None or (relu and function == Clip(0.0, None))):
        return False
    if isinstance(step, Affine):
        return step.weight.size > 1 or bool(step.signs)
    return isinstance(step, (Activation, MatMul, Convolution, Multiply, Sum, Average, Magnitude))


def _takes(step: Step) -> bool:
    if not isinstance(step, (Activation, MatMul, Convolution, Affine, Multiply, Sum, Magnitude)) or step.exact:
        return False
    if isinstance(step, Activation):
        return isinstance(step.function, (Clip, Leaky, Curve))
    return not isinstance(step.function, Test)
