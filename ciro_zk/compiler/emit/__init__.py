"""From steps to the integer circuit, one emitter per kind of step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ciro_zk.compiler import steps
from ciro_zk.compiler.emit import pairs, pooling, products, rows, sums, trees, views
from ciro_zk.compiler.emit.context import Context, Value

__all__ = ["Context", "Value", "emit"]

_EMITTERS: dict[type[steps.Step], Any] = {
    steps.Activation: sums.activation,
    steps.Affine: products.product,
    steps.Average: sums.average,
    steps.Concat: views.concat,
    steps.Contraction: pairs.contraction,
    steps.Decisions: trees.decisions,
    steps.Leaves: trees.leaves,
    steps.Convolution: products.product,
    steps.Floored: pairs.floored,
    steps.Greatest: views.greatest,
    steps.Magnitude: sums.magnitude,
    steps.MatMul: products.product,
    steps.MaxPool: pooling.max_pool,
    steps.Multiply: pairs.multiply,
    steps.Normalise: rows.normalise,
    steps.OneHot: views.one_hot,
    steps.Quotient: pairs.quotient,
    steps.Remainder: pairs.remainder,
    steps.Reshape: views.reshape,
    steps.Select: views.select,
    steps.Softmax: rows.softmax,
    steps.Sum: sums.total,
    steps.Transpose: views.transpose,
    steps.Without: sums.without,
}


def emit(context: Context, program: Iterable[steps.Step], outputs: Iterable[str]) -> None:
    """Append every step to the draft; its value is then in `context.values`.

    Intervals that no later step asks for are dropped, those of `outputs` aside: a large model's would not fit memory together.
    """
    ordered = list(program)
    uses = Counter(name for step in ordered for name in step.inputs)
    uses.update(outputs)
    for step in ordered:
        first = len(context.draft.entries)
        context.bits = context.precision.get(step.output, context.base_bits)
        if isinstance(step, steps.Fixed):
            views.fixed(context, step)
        else:
            context.values[step.output] = _EMITTERS[type(step)](context, step)
        uses.subtract(step.inputs)
        needed = {value.tensor for name, value in context.values.items() if uses[name] > 0}
        sources = {context.values[name].tensor for name in step.inputs if name in context.values}
        context.draft.drop((sources | set(range(first, len(context.draft.entries)))) - needed)
    context.bits = context.base_bits
