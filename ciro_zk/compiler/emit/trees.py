"""Decision trees: one comparison for each decision, one conjunction for each leaf, both by a table of two values.

    decision    b = clamp(k - x + 1, 0, 1)                    1 where x <= k, for x and k in units; x < t is x <= k - 1
    leaf        e = clamp(sum s b - p + 1, 0, 1)              1 where its p decisions of sign +1 hold and no other does

Both are exact on integers. Thresholds are rounded as inputs are, so x <= t in the model is x <= k in the circuit; the
converse fails only where x > t by less than a unit. Trees share equal decisions.
"""

from __future__ import annotations

import numpy as np

from ciro_zk.circuit.error import Deviation
from ciro_zk.compiler.emit.context import Context, Value
from ciro_zk.compiler.quantise import round_half_up
from ciro_zk.compiler.steps import Decisions, Leaves
from ciro_zk.lookup.tables import Clamp
from ciro_zk.ops import AxisMap, Combine

BIT = Clamp(minimum=0, maximum=1)
STEP = Deviation(exact_low=True, exact_high=True, whole=True)


def decisions(context: Context, step: Decisions) -> Value:
    value = context.values[step.inputs[0]]
    tensor = context.draft.tensors[value.tensor]
    rows, name = value.shape[0], step.output
    numbers: dict[tuple[int, int], int] = {}
    place, off = [], 0.0
    for feature, threshold, strict in zip(step.features, step.thresholds, step.strict, strict=True):
        units = threshold / value.scale
        # beyond the range of x a threshold decides nothing
        bounded = min(max(units, tensor.low - 1.0), tensor.high + 1.0)
        rounded = round_half_up(bounded)
        k = min(max(rounded - strict, tensor.low - 1), tensor.high)
        if bounded == units:
            off = max(off, abs(units - rounded))
        place.append(numbers.setdefault((feature, k), len(numbers)))
    context.thresholds[step.node] = len(set(zip(step.features, step.thresholds, step.strict, strict=True))), len(numbers)
    levels = context.draft.weight(f"{name}.thresholds", np.array([[k for _, k in numbers]], dtype=np.int64), context.bits, off)
    if rows > 1:
        levels = context.gather(levels, 0, (0,) * rows, f"{name}.thresholds")
    x = context.gather(value.tensor, 1, [feature for feature, _ in numbers], f"{name}.features")
    distance = context.draft.add(Combine(inputs=(levels, x), coefficients=(1, -1), offset=1), f"{name}.distance")
    bits = context.draft.rescale(distance, 0, BIT, name, STEP)
    if place != list(range(len(numbers))):
        bits = context.gather(bits, 1, place, name)
    return Value(bits, step.shape, 1.0)


def leaves(context: Context, step: Leaves) -> Value:
    bits, name = context.values[step.inputs[0]].tensor, step.output
    width = max(1, *(len(path) for path in step.paths))
    index = tuple(tuple(d for d, _ in path) + (0,) * (width - len(path)) for path in step.paths)
    signs = tuple(tuple(sign for _, sign in path) + (0,) * (width - len(path)) for path in step.paths)
    needed = tuple((1 - sum(sign > 0 for _, sign in path),) for path in step.paths)
    total = context.draft.add(AxisMap(inputs=(bits,), axis=1, index=index, weight=signs), f"{name}.paths")
    one = context.draft.add(Combine(inputs=(bits,), coefficients=(0,), offset=1), f"{name}.one")
    constant = context.draft.add(AxisMap(inputs=(one,), axis=1, index=((0,),) * len(needed), weight=needed), f"{name}.needed")
    distance = context.draft.add(Combine(inputs=(total, constant), coefficients=(1, 1)), f"{name}.distance")
    return Value(context.draft.rescale(distance, 0, BIT, name, STEP), step.shape, 1.0)
