"""Masks that a model gets at run time: bits times a vastly negative number, added to the scores of a softmax.

    softmax(scores + w bit + o),  one of o and w + o being 0 and the other at most -1000

is the softmax of the scores without the cells that a bit leaves out. The bits are an input declared to lie in [0, 1], or made by a
comparison. They may pass views and affine functions of one number on the way, as exporters write them: (1 - mask) * -3.4e38, or a choice
of 0 and -inf.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ciro_zk.compiler.steps import Affine, Floats, Requantised, Reshape, Select, Shape, Step, Test, Transpose
from ciro_zk.errors import InputError

MASKED = -1000.0
"""A score that is moved this far down has no share of a softmax."""


@dataclass(frozen=True, slots=True)
class RuntimeMask:
    """The bits of the cells that are left out, `output`, and the steps that make them."""

    steps: tuple[Step, ...]
    output: str


def runtime_mask(
    by_name: Mapping[str, Step], inputs: Mapping[str, Shape], bits: Collection[str], name: str, label: str
) -> RuntimeMask | None:
    """The mask that tensor `name` adds to scores; None where it is none. `bits` are the inputs that lie in [0, 1].

    Raises `InputError` for an input that masks with other numbers.
    """
    views: list[Step] = []
    weight, offset = 1.0, 0.0
    while not _is_bit(by_name.get(name)):
        step = by_name.get(name)
        if step is None:
            break
        if isinstance(step, Affine):
            if step.weight.size != 1 or step.function is not None or len(step.inputs) != 1:
                return None
            factor, constant = float(step.weight.reshape(-1)[0]), _number(step.offset)
            weight, offset = weight * factor, weight * constant + offset
        elif isinstance(step, Reshape | Transpose) or (isinstance(step, Select) and all(-1 not in index for _, index in step.axes)):
            views.insert(0, step)
        else:
            return None
        name = step.inputs[0]
    low, high = offset, weight + offset
    if min(low, high) > MASKED or max(low, high) != 0.0:
        return None
    if name in inputs and name not in bits:
        remedy = f"declare input_range={{{name!r}: (0, 1)}}"
        raise InputError("masks a softmax, and may hold other numbers than 0 and 1", field=name, remedy=remedy)
    made: list[Step] = []
    if low < high:
        shape = by_name[name].shape if name in by_name else inputs[name]
        one = np.asarray(1.0)
        left_out = f"{label}#left_out"
        made.append(Affine(node=label, inputs=(name,), output=left_out, shape=shape, statistic=name, exact=True, weight=-one, offset=one))
        name = left_out
    for i, view in enumerate(views):
        made.append(replace(view, inputs=(name,), output=f"{label}#left_out{i}", exact=True))
        name = made[-1].output
    return RuntimeMask(tuple(made), name)


def _is_bit(step: Step | None) -> bool:
    """Whether a step makes zeros and ones."""
    return isinstance(step, Requantised) and isinstance(step.function, Test) and step.function.kind != "sign"


def _number(offset: Floats | None) -> float:
    """A constant of one number; not a number for others."""
    if offset is None:
        return 0.0
    return float(offset.reshape(-1)[0]) if offset.size == 1 else np.nan
