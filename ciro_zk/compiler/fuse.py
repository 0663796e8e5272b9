"""Fusions on steps: fewer requantisations, each of which costs look-ups.

    Sqrt of a sum of squares                        one step, exact up to its root
    Affine after Affine, Convolution or MatMul      folded into the constants (BatchNorm, bias, scaling)
    Affine after a view of axes of length 1         moves before it
    Affine by a number after a Pair                 folded into its factor
    Softmax of scores + constant with cells <= -1000   those cells are masked: left out of the maximum and of the sum
    Softmax of scores + a mask given at run time       the cells that its bits name are left out (`ciro_zk.compiler.masks`)
    Average of a Multiply                           its products are summed before they are rounded
    Affine of the last axis before MatMuls only     folded into their constants (a norm's scale and bias)
    Select of zeros before Convolution              becomes its padding
    Activation after a view or a max pool           moves before it (a max pool commutes with a monotone function)
    Activation after a requantised step             goes into its table
    Sum with a product                              goes into the product's accumulator (residual connections)

A weight that several products have stays as it is: what would change it is not folded into it.

A step is fused with its source only where nothing else uses the source and the source is no output of the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import partial
from math import isfinite, prod
from typing import TypeVar

import numpy as np

from ciro_zk.compiler.curves import SATURATING
from ciro_zk.compiler.lower.registry import Program
from ciro_zk.compiler.masks import MASKED, runtime_mask
from ciro_zk.compiler.steps import (
    Activation,
    Affine,
    Average,
    Clip,
    Convolution,
    Curve,
    Floats,
    Function,
    Leaky,
    Magnitude,
    MatMul,
    MaxPool,
    Multiply,
    Pair,
    Product,
    Requantised,
    Reshape,
    Scores,
    Select,
    Shape,
    Softmax,
    Step,
    Sum,
    Test,
    Transpose,
)

AnyRequantised = TypeVar("AnyRequantised", bound=Requantised)

MAX_UNEVENNESS = 4.0
"""Greatest |weight| of an affine step to its mean, for it to be folded into a product: all weights of one share a unit."""

MAX_SUM = 1 << 12
"""Products of one sum, at most: their accumulator stays far below the field's half at any precision."""


def fuse(program: Program, bits: Collection[str] = ()) -> None:
    """Fuse until nothing changes; `program.steps` is replaced. `bits` are the inputs that lie in [0, 1]."""
    rules: list[Callable[[_Steps], bool]] = [
        _mask,
        partial(_runtime_mask, program, bits),
        _magnitude,
        _squeezed,
        _affine,
        _scaling,
        _averaged,
        _forward,
        _padding,
        _activation,
        _residual,
    ]
    current = _Steps(program.steps, {name for _, name in program.outputs})
    while any(rule(current) for rule in rules):
        pass
    program.steps = current.ordered()


class _Steps:
    """Steps by output name, with how often each tensor is used."""

    def __init__(self, steps: Iterable[Step], outputs: set[str]) -> None:
        self.by_name = {step.output: step for step in steps}
        self.outputs = outputs

    @property
    def uses(self) -> Counter[str]:
        found = Counter(self.outputs)
        for step in self.by_name.values():
            found.update(step.inputs)
        return found

    def source(self, step: Step, kind: type[AnyRequantised], uses: Counter[str]) -> AnyRequantised | None:
        """The step above, where it is of a kind, has no function and is used once."""
        found = self.by_name.get(step.inputs[0])
        return found if isinstance(found, kind) and uses[found.output] == 1 and found.function is None else None

    def ordered(self) -> list[Step]:
        """The steps that an output needs, sources first."""
        done: dict[str, Step] = {}
        stack = [(name, False) for name in sorted(self.outputs, reverse=True)]
        while stack:
            name, ready = stack.pop()
            if name in done or name not in self.by_name:
                continue
            step = self.by_name[name]
            if ready:
                done[name] = step
            else:
                stack.append((name, True))
                stack.extend((source, False) for source in reversed(step.inputs))
        return list(done.values())

    def replace(self, old: Iterable[Step], new: Iterable[Step]) -> None:
        for step in old:
            del self.by_name[step.output]
        for step in new:
            self.by_name[step.output] = step


def _magnitude(steps: _Steps) -> bool:
    """sqrt(a^2 + b^2 + ...) in one step: squares rounded to the scale of their greatest would lose small magnitudes."""
    changed = False
    uses = steps.uses
    for step in list(steps.by_name.values()):
        if not isinstance(step, Activation) or not _is_curve(step, "sqrt"):
            continue
        total = steps.source(step, Sum, uses)
        if total is None or any(s != 1 for s in total.signs):
            continue
        squares = [steps.by_name.get(name) for name in total.inputs]
        if all(_is_curve(s, "power", (2.0,)) and s is not None and uses[s.output] == 1 for s in squares):
            operands = tuple(s.inputs[0] for s in squares if s is not None)
            merged = Magnitude(node=step.node, inputs=operands, output=step.output, shape=step.shape, statistic=step.statistic)
            steps.replace([total, step, *(s for s in squares if s is not None)], [merged])
            changed = True
    return changed


def _is_curve(step: Step | None, name: str, parameters: tuple[float, ...] = ()) -> bool:
    """Whether a step is this function of its input, of real numbers."""
    if not isinstance(step, Activation) or not isinstance(step.function, Curve) or step.exact or step.function.exact_input:
        return False
    return (step.function.name, step.function.parameters) == (name, parameters)


def _affine(steps: _Steps) -> bool:
    """y = weight * source + offset into the source's own constants."""
    changed = False
    uses = steps.uses
    for step in list(steps.by_name.values()):
        if not isinstance(step, Affine) or len(step.inputs) != 1 or step.function is not None:
            continue
        source = steps.source(step, Product, uses)
        if source is None or len(source.inputs) != 1:
            continue
        weight = _folded_weight(source, step)
        if weight is None:
            continue
        offset = _added(None if source.offset is None else source.offset * step.weight, step.offset)
        if not _finite(weight) or (offset is not None and not _finite(offset)):
            continue
        merged = replace(
            source,
            node=step.node,
            output=step.output,
            statistic=step.statistic,
            exact=step.exact,
            shape=step.shape,
            weight=weight,
            offset=offset,
        )
        steps.replace([source, step], [merged])
        changed = True
    return changed


def _squeezed(steps: _Steps) -> bool:
    """weight * x + offset, of an x that was only given or rid of axes of length 1, before that view: a bias then meets its product."""
    changed = False
    uses = steps.uses
    for step in list(steps.by_name.values()):
        view = steps.by_name.get(step.inputs[0]) if isinstance(step, Affine) and len(step.inputs) == 1 else None
        if not isinstance(step, Affine) or not isinstance(view, Reshape) or uses[view.output] != 1 or step.shape != view.shape:
            continue
        source = steps.by_name.get(view.inputs[0])
        if not isinstance(source, Product) or step.exact != source.exact:
            continue
        weight, offset = (_reviewed(values, view.shape, source.shape) for values in (step.weight, step.offset))
        if weight is None or (offset is None and step.offset is not None):
            continue
        moved = replace(step, inputs=view.inputs, output=f"{step.output}#before", shape=source.shape, weight=weight, offset=offset)
        last = replace(view, inputs=(moved.output,), output=step.output, statistic=step.statistic, exact=step.exact)
        steps.replace([view, step], [moved, last])
        changed = True
    return changed


def _reviewed(values: Floats | None, shape: Shape, wanted: Shape) -> Floats | None:
    """A constant that broadcasts to `shape` as one that broadcasts to `wanted`, if these differ by axes of length 1 alone."""
    if values is None or [d for d in shape if d != 1] != [d for d in wanted if d != 1]:
        return None
    aligned = values.reshape((1,) * (len(shape) - values.ndim) + values.shape)
    kept = iter([length for length, d in zip(aligned.shape, shape, strict=True) if d != 1])
    return aligned.reshape([1 if d == 1 else next(kept) for d in wanted])


def _mask(steps: _Steps) -> bool:
    """Cells of a softmax's argument that a constant makes vastly negative are left out."""
    changed = False
    uses = steps.uses
    for step in list(steps.by_name.values()):
        scores = steps.by_name.get(step.inputs[0]) if isinstance(step, Softmax) else None
        source = steps.by_name.get(scores.inputs[0]) if isinstance(scores, Activation) else None
        if not isinstance(step, Softmax) or not isinstance(scores, Activation) or not isinstance(source, Affine):
            continue
        if source.offset is None or source.shape != step.shape or uses[scores.output] != 1 or len(source.inputs) != 1:
            continue
        offset = source.offset.reshape((1,) * (len(step.shape) - source.offset.ndim) + source.offset.shape)
        mask = offset <= MASKED
        if not mask.any() or np.broadcast_to(mask, step.shape).all(axis=-1).any():
            continue
        # what a mask multiplies, a constant number of the cells that stay, is dropped
        weight = np.where(mask, 1.0, source.weight)
        offset = np.where(mask, 0.0, offset)
        unmasked = steps.by_name.get(source.inputs[0])
        statistic = source.inputs[0] if unmasked is None else unmasked.statistic
        plain = replace(source, output=f"{step.output}#unmasked", weight=weight, offset=offset if offset.any() else None)
        made: list[Step] = [replace(step, mask=mask), replace(scores, function=Scores(statistic))]
        if plain.offset is None and (weight == 1.0).all():
            made[1] = replace(made[1], inputs=source.inputs)
        else:
            made[1] = replace(made[1], inputs=(plain.output,))
            made.append(plain)
        steps.replace([step, scores, *([source] if uses[source.output] == 1 else [])], made)
        changed = True
    return changed


def _runtime_mask(program: Program, bits: Collection[str], steps: _Steps) -> bool:
    """Cells of a softmax's argument that bits make vastly negative are left out."""
    changed = False
    uses = steps.uses
    for step in list(steps.by_name.values()):
        scores = steps.by_name.get(step.inputs[0]) if isinstance(step, Softmax) else None
        source = steps.by_name.get(scores.inputs[0]) if isinstance(scores, Activation) else None
        if not isinstance(step, Softmax) or not isinstance(scores, Activation) or not isinstance(source, Sum):
            continue
        if step.logarithm or len(step.inputs) > 1 or len(source.inputs) != 2 or source.signs != (1, 1) or uses[scores.output] != 1:
            continue
        for plain, name in (source.inputs, source.inputs[::-1]):
            mask = runtime_mask(steps.by_name, program.inputs, bits, name, step.output)
            if mask is not None:
                made = steps.by_name.get(plain)
                function = Scores(plain if made is None else made.statistic, masked=True)
                taken = [step, scores, *([source] if uses[source.output] == 1 else [])]
                fresh = [replace(step, inputs=(scores.output, mask.output)), replace(scores, inputs=(plain,), function=function)]
                steps.replace(taken, [*fresh, *mask.steps])
                changed = True
                break
    return changed


def _scaling(steps: _Steps) -> bool:
    """y = number * pair into the pair's factor."""
    changed = False
    uses = steps.uses
    for step in list(steps.by_name.values()):
        if not isinstance(step, Affine) or step.weight.size != 1 or step.offset is not None or step.signs or step.function is not None:
            continue
        source = steps.source(step, Pair, uses)
        if source is None or source.shape != step.shape:
            continue
        factor = source.factor * float(step.weight.reshape(-1)[0])
        if factor and isfinite(factor):
            steps.replace([source, step], [replace(source, output=step.output, statistic=step.statistic, factor=factor)])
            changed = True
    return changed


def _averaged(steps: _Steps) -> bool:
    """sum of a * b: the products, which may be far greater than their sum, are not rounded."""
    changed = False
    uses = steps.uses
    for step in list(steps.by_name.values()):
        source = steps.by_name.get(step.inputs[0]) if isinstance(step, Average) else None
        if not isinstance(step, Average) or not isinstance(source, Multiply) or uses[source.output] != 1:
            continue
        if source.function is not None or source.averages or source.exact or step.exact or _largest_sum(step) > MAX_SUM:
            continue
        merged = replace(
            source,
            node=step.node,
            output=step.output,
            statistic=step.statistic,
            shape=step.shape,
            function=step.function,
            averages=step.windows,
        )
        steps.replace([source, step], [merged])
        changed = True
    return changed


def _largest_sum(step: Average) -> int:
    """Cells of the largest window, or more than any where windows have other counts than one."""
    even = all(len(set(counts)) == 1 for _, _, counts in step.windows)
    return prod(max(len(window) for window in windows) for _, windows, _ in step.windows) if even else MAX_SUM + 1


def _forward(steps: _Steps) -> bool:
    """(weight * x + offset) W = x (weight W) + offset W, for every use of the affine step."""
    changed = False
    for step in list(steps.by_name.values()):
        if not isinstance(step, Affine) or step.weight.size == 1 or len(step.inputs) != 1 or step.function is not None:
            continue
        users = [user for user in steps.by_name.values() if step.output in user.inputs]
        length = step.shape[-1]
        weight, offset = _last_axis(step.weight, length), _last_axis(step.offset, length)
        even = weight is not None and 0 < np.abs(weight).max() <= MAX_UNEVENNESS * np.abs(weight).mean()
        if step.output in steps.outputs or not users or weight is None or offset is None or not even:
            continue
        made = []
        for user in users:
            if not isinstance(user, MatMul) or user.is_tied or user.weight.ndim != 2 or step.output in user.inputs[1:]:
                break
            bias = offset @ user.weight
            made.append(
                replace(
                    user,
                    inputs=(step.inputs[0], *user.inputs[1:]),
                    weight=weight[:, None] * user.weight,
                    offset=_added(user.offset, bias if bias.any() else None),
                )
            )
        else:
            steps.replace([step, *users], made)
            changed = True
    return changed


def _last_axis(values: Floats | None, length: int) -> Floats | None:
    """A constant that varies along the last axis alone, on that axis, zeros for none; None where it varies along others."""
    if values is None:
        return np.zeros(length)
    if any(d != 1 for d in values.shape[:-1]):
        return None
    return np.broadcast_to(values.reshape(-1), (length,))


def _finite(values: Floats) -> bool:
    return bool(np.isfinite(values).all())


def _added(a: Floats | None, b: Floats | None) -> Floats | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _folded_weight(source: Product, step: Affine) -> Floats | None:
    """The source's weight times the step's, where the step's is constant along everything that the source's weight does not index."""
    if source.shape != step.shape:
        return None
    factor = step.weight
    if isinstance(source, Affine):
        return source.weight * factor
    rank = len(source.shape)
    aligned = factor.reshape((1,) * (rank - factor.ndim) + factor.shape)
    if isinstance(source, MatMul):
        if any(d != 1 for d in aligned.shape[:-1]):
            return None
        if source.is_tied:
            return source.weight if (factor == 1.0).all() else None
        return source.weight * aligned.reshape(-1)
    if isinstance(source, Convolution):
        if any(d != 1 for a, d in enumerate(aligned.shape) if a != 1):
            return None
        return source.weight * aligned.reshape(-1, *[1] * (source.weight.ndim - 1))
    return None


def _padding(steps: _Steps) -> bool:
    """Zeros around the spatial axes of a convolution's input become its padding."""
    changed = False
    uses = steps.uses
    for step in list(steps.by_name.values()):
        source = steps.by_name.get(step.inputs[0]) if isinstance(step, Convolution) else None
        if not isinstance(step, Convolution) or not isinstance(source, Select) or uses[source.output] != 1:
            continue
        begin, end = list(step.pads_begin), list(step.pads_end)
        for axis, index in source.axes:
            before = next((i for i, v in enumerate(index) if v >= 0), -1)
            length = source.lengths[axis]
            if axis < 2 or before < 0 or index[before : before + length] != tuple(range(length)) or index.count(-1) != len(index) - length:
                break
            begin[axis - 2] += before
            end[axis - 2] += len(index) - before - length
        else:
            merged = replace(step, inputs=(source.inputs[0], *step.inputs[1:]), pads_begin=tuple(begin), pads_end=tuple(end))
            steps.replace([source, step], [merged])
            changed = True
    return changed


def _commutes(step: Step | None, function: Function) -> bool:
    """Whether a function may move before this step: before a max pool only one that never falls."""
    if isinstance(step, MaxPool):
        return isinstance(function, (Clip, Leaky)) or (isinstance(function, Curve) and function.name in SATURATING)
    return isinstance(step, (Reshape, Transpose)) or (isinstance(step, Select) and all(-1 not in index for _, index in step.axes))


def _activation(steps: _Steps) -> bool:
    """An activation goes up through views and max pools into the requantised step above them."""
    changed = False
    uses = steps.uses
    for step in list(steps.by_name.values()):
        if not isinstance(step, Activation) or isinstance(step.function, Test):
            continue
        chain: list[Step] = []
        source = steps.by_name.get(step.inputs[0])
        while source is not None and uses[source.output] == 1 and _commutes(source, step.function):
            chain.append(source)
            source = steps.by_name.get(source.inputs[0])
        if not isinstance(source, Requantised) or uses[source.output] != 1 or source.exact != step.exact:
            continue
        function = step.function if source.function is None else _composed(source.function, step.function)
        if function is None:
            continue
        merged = replace(source, function=function, statistic=step.statistic, exact=step.exact)
        if chain:
            last = replace(chain[0], output=step.output, statistic=step.statistic, exact=step.exact)
            steps.replace([source, chain[0], step], [merged, last])
        else:
            merged = replace(merged, output=step.output, node=source.node)
            steps.replace([source, step], [merged])
        changed = True
    return changed


def _composed(first: Function, second: Function) -> Function | None:
    """One clamp for two in a row; None for other functions."""
    if not isinstance(first, Clip) or not isinstance(second, Clip):
        return None

    def clamp(value: float | None, default: float | None) -> float | None:
        if value is None:
            return default
        raised = value if second.low is None else max(value, second.low)
        return raised if second.high is None else min(raised, second.high)

    return Clip(clamp(first.low, second.low), clamp(first.high, second.high))


def _residual(steps: _Steps) -> bool:
    """product + other tensors: the others join the product's accumulator, and so does one more product of the same layout."""
    changed = False
    uses = steps.uses
    for step in list(steps.by_name.values()):
        if not isinstance(step, Sum) or isinstance(step.function, Test):
            continue
        found = [i for i, name in enumerate(step.inputs) if _joins(steps.by_name.get(name), uses)]
        if not found:
            continue
        main = _signed(steps, step, found[0])
        taken, partner = [found[0]], None
        for i in found[1:]:
            other = _signed(steps, step, i)
            if _same_layout(main, other):
                taken.append(i)
                partner = other
                break
        rest = [i for i in range(len(step.inputs)) if i not in taken]
        merged = replace(
            main,
            node=step.node,
            output=step.output,
            statistic=step.statistic,
            exact=step.exact,
            function=step.function,
            offset=_added(main.offset, None if partner is None else partner.offset),
            inputs=(main.inputs[0], *(step.inputs[i] for i in rest), *(() if partner is None else partner.inputs)),
            signs=tuple(step.signs[i] for i in rest),
            partner=None if partner is None else replace(partner, offset=None),
        )
        steps.replace([*(steps.by_name[step.inputs[i]] for i in taken), step], [merged])
        changed = True
    return changed


def _joins(step: Step | None, uses: Counter[str]) -> bool:
    """Whether a product's accumulator can take part in a sum."""
    if not isinstance(step, (MatMul, Convolution)) or (isinstance(step, MatMul) and step.is_tied):
        return False
    return uses[step.output] == 1 and step.function is None and len(step.inputs) == 1


def _signed(steps: _Steps, step: Sum, position: int) -> Product:
    """The product at a position of a sum, with its sign."""
    source = steps.by_name[step.inputs[position]]
    if not isinstance(source, Product):
        raise TypeError(f"{type(source).__name__} is no product")
    sign = step.signs[position]
    return replace(source, weight=sign * source.weight, offset=None if source.offset is None else sign * source.offset)


def _same_layout(a: Product, b: Product) -> bool:
    """Whether two products of one output shape have accumulators of one shape."""
    if isinstance(a, Convolution) and isinstance(b, Convolution):
        return a.groups == b.groups
    return isinstance(a, MatMul) and isinstance(b, MatMul) and (a.weight.ndim == 2) == (b.weight.ndim == 2)
