"""Functions of one variable: fused into the table of the requantisation before them."""

from __future__ import annotations

from ciro_zk.compiler import steps
from ciro_zk.compiler.lower.registry import NodeView, Refused, lowers
from ciro_zk.compiler.steps import Clip, Curve, Function, Leaky


def _activation(view: NodeView, function: Function) -> None:
    view.require_float(0)
    view.emit(steps.Activation, [view.name(0)], function=function)


@lowers("Relu", 6, 13, 14)
def relu(view: NodeView) -> None:
    _activation(view, Clip(0.0, None))


@lowers("LeakyRelu", 6, 16)
def leaky_relu(view: NodeView) -> None:
    slope = float(view.attribute("alpha", 0.01))
    if not 0.0 <= slope <= 1.0:
        raise Refused(f"a slope of {slope}", "slopes from 0 to 1 are supported")
    _activation(view, Leaky(slope))


@lowers("Clip", 6, 11, 12, 13)
def clip(view: NodeView) -> None:
    bounds: list[float | None] = []
    for index, name in ((1, "min"), (2, "max")):
        if view.version == 6:
            value = view.attribute(name)
        else:
            value = view.constant(index, f"the {name}imum", infinite=True).reshape(-1)[0] if view.has(index) else None
        # the schema's defaults are the ends of float32
        bounds.append(None if value is None or abs(value) > 3e38 else float(value))
    low, high = bounds
    if low is None and high is None:
        view.alias(view.name(0))
        return
    if low is not None and high is not None and low > high:
        raise Refused(f"min {low} above max {high}", "repair the bounds")
    _activation(view, Clip(low, high))


@lowers("Sigmoid", 6, 13)
def sigmoid(view: NodeView) -> None:
    _activation(view, Curve("sigmoid", view.node.input[0]))


@lowers("Tanh", 6, 13)
def tanh(view: NodeView) -> None:
    _activation(view, Curve("tanh", view.node.input[0]))
