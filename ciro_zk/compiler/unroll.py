"""Control flow with constant conditions and counts: branches chosen and loops unrolled, before anything else.

The body's nodes are copied with names of their own: its inputs become the values given, its outputs those wanted, and what
it takes from outside keeps its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ciro_zk.compiler.static import Static

MAX_ITERATIONS = 1 << 10
Fold = Callable[[onnx.NodeProto], None]


def unroll(static: Static, node: onnx.NodeProto, fold: Fold) -> bool:
    """Fold the nodes that an If, Loop or Scan stands for; False where its condition or count is computed."""
    if node.op_type == "If":
        return _branch(static, node, fold)
    if node.op_type == "Loop":
        return _loop(static, node, fold)
    if node.op_type == "Scan":
        return _scan(static, node, fold)
    return False


def _graph(node: onnx.NodeProto, name: str) -> onnx.GraphProto:
    graph: onnx.GraphProto = next(attribute.g for attribute in node.attribute if attribute.name == name)
    return graph


def _inline(static: Static, graph: onnx.GraphProto, given: Mapping[str, str], prefix: str, fold: Fold) -> list[str]:
    """Fold a body's nodes; returns its outputs' names."""
    names = dict(given)
    for tensor in graph.initializer:
        names[tensor.name] = f"{prefix}/{tensor.name}"
        static.fix(names[tensor.name], numpy_helper.to_array(tensor))
    for inner in graph.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(inner)
        names.update({name: f"{prefix}/{name}" for name in inner.output if name})
        copy.input[:] = [names.get(name, name) for name in inner.input]
        copy.output[:] = [names.get(name, name) for name in inner.output]
        for attribute in copy.attribute:
            for body in (attribute.g, *attribute.graphs):
                _rename(body, names)
        fold(copy)
    return [names.get(value.name, value.name) for value in graph.output]


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """What a body inside a body takes from outside it, under its new name."""
    own = {value.name for value in graph.input} | {name for inner in graph.node for name in inner.output}
    outside = {name: new for name, new in names.items() if name not in own}
    for inner in graph.node:
        inner.input[:] = [outside.get(name, name) for name in inner.input]
        for attribute in inner.attribute:
            for body in (attribute.g, *attribute.graphs):
                _rename(body, outside)


def _named(fold: Fold, source: str, target: str) -> None:
    fold(helper.make_node("Identity", [source], [target]))


def _branch(static: Static, node: onnx.NodeProto, fold: Fold) -> bool:
    condition = static.constants.get(node.input[0])
    if condition is None:
        return False
    graph = _graph(node, "then_branch" if bool(np.asarray(condition).reshape(-1)[0]) else "else_branch")
    for source, target in zip(_inline(static, graph, {}, node.output[0], fold), node.output, strict=True):
        _named(fold, source, target)
    return True


def _loop(static: Static, node: onnx.NodeProto, fold: Fold) -> bool:
    """Every condition must be known when its round is reached; what each round puts out is stacked."""
    count = static.constants.get(node.input[0]) if node.input[0] else None
    condition = static.constants.get(node.input[1]) if len(node.input) > 1 and node.input[1] else None
    if (node.input[0] and count is None) or (len(node.input) > 1 and node.input[1] and condition is None):
        return False
    most = MAX_ITERATIONS if count is None else int(np.asarray(count).reshape(-1)[0])
    if most > MAX_ITERATIONS or any(name not in static.types for name in node.input[2:]):
        return False
    graph = _graph(node, "body")
    going, states = condition is None or bool(np.asarray(condition).reshape(-1)[0]), list(node.input[2:])
    stacked: list[list[str]] = [[] for _ in node.output[len(states) :]]
    for i in range(most):
        if not going:
            break
        prefix = f"{node.output[0]}/{i}"
        static.fix(f"{prefix}/count", np.array(i, dtype=np.int64))
        static.fix(f"{prefix}/condition", np.array(True))
        inputs = [f"{prefix}/count", f"{prefix}/condition", *states]
        outputs = _inline(static, graph, dict(zip((v.name for v in graph.input), inputs, strict=True)), prefix, fold)
        known = static.constants.get(outputs[0])
        if known is None:
            return False
        going, states = bool(np.asarray(known).reshape(-1)[0]), outputs[1 : 1 + len(states)]
        for pieces, name in zip(stacked, outputs[1 + len(states) :], strict=True):
            pieces.append(name)
    if count is None and going:
        return False
    for source, target in zip(states, node.output, strict=False):
        _named(fold, source, target)
    for pieces, target in zip(stacked, node.output[len(states) :], strict=True):
        if not pieces:
            return False
        _stack(static, pieces, target, 0, fold)
    return True


def _scan(static: Static, node: onnx.NodeProto, fold: Fold) -> bool:
    """A round for each cell of the scanned axes: states go from round to round, what each round puts out is stacked."""
    settings = {attribute.name: list(attribute.ints) for attribute in node.attribute if attribute.ints}
    count = next(attribute.i for attribute in node.attribute if attribute.name == "num_scan_inputs")
    states, scanned = list(node.input[: len(node.input) - count]), list(node.input[len(node.input) - count :])
    stacked: list[list[str]] = [[] for _ in node.output[len(states) :]]
    if any(name not in static.shapes for name in scanned):
        return False
    axes = [a % len(static.shapes[name]) for a, name in zip(settings.get("scan_input_axes", [0] * count), scanned, strict=True)]
    rounds = {static.shapes[name][a] for a, name in zip(axes, scanned, strict=True)}
    if len(rounds) != 1 or max(rounds) > MAX_ITERATIONS:
        return False
    (length,), graph = rounds, _graph(node, "body")
    turned = settings.get("scan_input_directions", [0] * count)
    for i in range(length):
        prefix = f"{node.output[0]}/{i}"
        slices = []
        for number, (name, axis, reverse) in enumerate(zip(scanned, axes, turned, strict=True)):
            slices.append(f"{prefix}/slice{number}")
            static.fix(f"{slices[-1]}/index", np.array(length - 1 - i if reverse else i, dtype=np.int64))
            fold(helper.make_node("Gather", [name, f"{slices[-1]}/index"], [slices[-1]], axis=axis))
        outputs = _inline(static, graph, dict(zip((v.name for v in graph.input), [*states, *slices], strict=True)), prefix, fold)
        states = outputs[: len(states)]
        for pieces, name in zip(stacked, outputs[len(states) :], strict=True):
            pieces.append(name)
    for source, target in zip(states, node.output, strict=False):
        _named(fold, source, target)
    of_outputs = settings.get("scan_output_axes", [0] * len(stacked)), settings.get("scan_output_directions", [0] * len(stacked))
    for pieces, target, axis, reverse in zip(stacked, node.output[len(states) :], *of_outputs, strict=True):
        if target:
            _stack(static, pieces[::-1] if reverse else pieces, target, axis, fold)
    return True


def _stack(static: Static, pieces: Sequence[str], target: str, axis: int, fold: Fold) -> None:
    """Tensors of one shape along a new axis."""
    if any(name not in static.shapes for name in pieces):
        return  # behind a node that is refused itself
    place = axis % (len(static.shapes[pieces[0]]) + 1)
    fold(helper.make_node("Concat", [_wider(static, name, place, fold) for name in pieces], [target], axis=place))


def _wider(static: Static, name: str, axis: int, fold: Fold) -> str:
    """A tensor with a new axis of length 1."""
    shape = static.shapes[name]
    static.fix(f"{name}/shape", np.array((*shape[:axis], 1, *shape[axis:]), dtype=np.int64))
    fold(helper.make_node("Reshape", [name, f"{name}/shape"], [f"{name}/wide"]))
    return f"{name}/wide"
