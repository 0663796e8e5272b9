"""Near twins of every core operator: from the inputs of a node, what a slightly other operator would have made of them.

views         a neighbouring cell in place of each, or one cell off by one
public        the same
products      another cell of the first operand, or one sum off by one
requantise    the function's value at the next argument: the other rounding
maximum       the least operand (a range), the greatest plus one (the zero check)
divide, root  one more or one less, remainder and slack to match (a range); the product of another value
range_check   (weights: see `lies/test_weights.py`)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from ciro_zk.circuit.graph import Graph, Node
from ciro_zk.circuit.op import LinearOp, Op, ProductOp, PublicOp
from ciro_zk.ops import Divide, Maximum, Requantise, SquareRoot

Outputs = tuple[Any, ...]
Lie = tuple[str, Callable[[Sequence[Any]], Outputs]]
"""The kind of the constraint that is broken, and the twin: the node's outputs from its inputs."""


def lies(graph: Graph, node: Node) -> Iterator[Lie]:
    """The lies about one node, the nearest first."""
    op = node.op

    def run(inputs: Sequence[Any]) -> Outputs:
        return op.run(inputs, graph.tables)

    if isinstance(op, LinearOp | PublicOp):
        yield "form", lambda inputs: tuple(np.roll(y.reshape(-1), 1).reshape(y.shape) for y in run(inputs))
    elif isinstance(op, ProductOp):
        yield "product", lambda inputs: run([np.roll(inputs[0], 1, axis=-1), inputs[1]])
    if isinstance(op, LinearOp | PublicOp | ProductOp):
        for by in (1, -1):
            yield "product" if isinstance(op, ProductOp) else "form", lambda inputs, by=by: (_one_off(run(inputs)[0], by),)
    elif isinstance(op, Requantise):
        for by in (1, -1):
            yield "lookup", lambda inputs, by=by: (run([inputs[0] + (by << op.shift)])[0], *run(inputs)[1:])
            yield "lookup", lambda inputs, by=by: (_one_off(run(inputs)[0], by), *run(inputs)[1:])
    elif isinstance(op, Maximum):
        yield "lookup", lambda inputs: (np.min(inputs, axis=0),)
        yield "lookup", lambda inputs: (_one_off(run(inputs)[0], -1),)
        yield "zero check", lambda inputs: (_one_off(run(inputs)[0], 1),)
    elif isinstance(op, Divide | SquareRoot):
        for by in (1, -1):
            wrong, hidden = _another(op, by), _another(op, by, hidden=True)
            yield "lookup", lambda inputs, wrong=wrong: wrong.run(inputs, graph.tables)
            yield "product", lambda inputs, hidden=hidden: hidden.run(inputs, graph.tables)
    else:
        raise TypeError(f"no near twin of {op.kind}")


def told(graph: Graph, leaves: Mapping[int, Any], number: int, twin: Callable[[Sequence[Any]], Outputs]) -> dict[int, Any]:
    """All tensors of a run in which the node of that number is its twin, everything after it honest about the lie."""
    values = dict(leaves)
    for i, node in enumerate(graph.nodes):
        inputs = [values[source] for source in node.op.inputs]
        outputs = twin(inputs) if i == number else node.op.run(inputs, graph.tables)
        values.update(zip(node.outputs, outputs, strict=True))
    return values


def _one_off(values: Any, by: int) -> Any:
    """One cell nearer to the others: the least one more, or the greatest one less."""
    changed = values.copy()
    changed.reshape(-1)[(np.argmin if by > 0 else np.argmax)(values)] += by
    return changed


def _another(op: Any, by: int, *, hidden: bool = False) -> Op:
    """The operator with one cell of its value off; if hidden, its remainder and slack are still the right value's."""
    kind = type(op)

    def value(self: Any, inputs: Sequence[Any]) -> Any:
        return _one_off(kind._value(self, inputs), by)

    def values(self: Any, y: Any, inputs: Sequence[Any]) -> tuple[Any, Any]:
        product, limit = kind._values(self, y, inputs)
        return (product, limit) if not hidden else (kind._values(self, kind._value(self, inputs), inputs)[0], limit)

    attributes = {f.name: getattr(op, f.name) for f in fields(op)}
    return type("Lying", (kind,), {"_value": value, "_values": values})(**attributes)  # type: ignore[no-any-return]
