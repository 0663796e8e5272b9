"""Functions of one variable: fused into the table of the requantisation before them where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import TensorProto, helper

from ciro_zk.compiler import steps
from ciro_zk.compiler.load import FLOATS, WHOLE, type_name
from ciro_zk.compiler.lower.compositions import Composition
from ciro_zk.compiler.lower.registry import NodeView, Refused, lowers
from ciro_zk.compiler.steps import Clip, Curve, Function, Leaky, Test

ONE = np.asarray(1.0, dtype=np.float64)
NONE = np.asarray(-1.0, dtype=np.float64)


def apply(view: NodeView, function: Function) -> None:
    """The node's output as a function of its first input."""
    view.emit(steps.Activation, [view.name(0)], function=function)


def curve(view: NodeView, name: str, parameters: Sequence[float] = ()) -> None:
    """The node's output as a tabulated function of its first input."""
    source = view.node.input[0]
    # whole numbers behind a cast are exact still
    found = Curve(name, source, tuple(parameters), view.is_whole(view.name(0)), view.is_whole(view.output))
    apply(view, found)


def composition(view: NodeView, found: Composition) -> None:
    """A function that was written as its parts."""
    source = view.aliases.get(found.source, found.source)
    if source in view.static.shapes:  # else behind a node that is refused itself
        view.emit(steps.Activation, [source], function=Curve(found.name, found.source, found.parameters))


@lowers("Relu", 6, 13, 14)
def relu(view: NodeView) -> None:
    view.require_numbers(0)
    apply(view, Clip(0.0, None))


@lowers("LeakyRelu", 6, 16)
def leaky_relu(view: NodeView) -> None:
    view.require_float(0)
    slope = float(view.attribute("alpha", 0.01))
    if 0.0 <= slope <= 1.0:
        apply(view, Leaky(slope))
    else:
        curve(view, "leaky", (slope,))


@lowers("Clip", 6, 11, 12, 13)
def clip(view: NodeView) -> None:
    view.require_numbers(0)
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
    # where they cross the upper bound wins
    apply(view, Clip(low if low is None or high is None else min(low, high), high))


CURVES: dict[str, tuple[str, tuple[int, ...], tuple[tuple[str, float], ...]]] = {
    "Abs": ("abs", (6, 13), ()),
    "Acos": ("acos", (7, 22), ()),
    "Acosh": ("acosh", (9, 22), ()),
    "Asin": ("asin", (7, 22), ()),
    "Asinh": ("asinh", (9, 22), ()),
    "Atan": ("atan", (7, 22), ()),
    "Atanh": ("atanh", (9, 22), ()),
    "Ceil": ("ceil", (6, 13), ()),
    "Celu": ("celu", (12, 28), (("alpha", 1.0),)),
    "Cos": ("cos", (7, 22), ()),
    "Cosh": ("cosh", (9, 22), ()),
    "Elu": ("elu", (6, 22), (("alpha", 1.0),)),
    "Erf": ("erf", (9, 13), ()),
    "Exp": ("exp", (6, 13), ()),
    "Floor": ("floor", (6, 13), ()),
    "HardSigmoid": ("hard_sigmoid", (6, 22), (("alpha", 0.2), ("beta", 0.5))),
    "HardSwish": ("hard_swish", (14, 22), ()),
    "Log": ("log", (6, 13), ()),
    "Mish": ("mish", (18, 22), ()),
    "Reciprocal": ("reciprocal", (6, 13), ()),
    "Round": ("round", (11, 22), ()),
    "Selu": ("selu", (6, 22), (("alpha", 1.6732632), ("gamma", 1.0507010))),
    "Shrink": ("shrink", (9,), (("bias", 0.0), ("lambd", 0.5))),
    "Sigmoid": ("sigmoid", (6, 13), ()),
    "Sin": ("sin", (7, 22), ()),
    "Sinh": ("sinh", (9, 22), ()),
    "Softplus": ("softplus", (1, 22), ()),
    "Softsign": ("softsign", (1, 22), ()),
    "Sqrt": ("sqrt", (6, 13), ()),
    "Swish": ("swish", (24,), (("alpha", 1.0),)),
    "Tan": ("tan", (7, 22), ()),
    "Tanh": ("tanh", (6, 13), ()),
    "ThresholdedRelu": ("thresholded", (10, 22), (("alpha", 1.0),)),
}
"""By operator the function's name, the schema versions and the attributes that are its parameters."""


def _lowering(name: str, parameters: tuple[tuple[str, float], ...]) -> Callable[[NodeView], None]:
    def lowering(view: NodeView) -> None:
        view.require_numbers(0)
        curve(view, name, [float(view.attribute(key, default)) for key, default in parameters])

    return lowering


for _operator, (_name, _versions, _parameters) in CURVES.items():
    lowers(_operator, *_versions)(_lowering(_name, _parameters))


@lowers("Gelu", 20)
def gelu(view: NodeView) -> None:
    view.require_float(0)
    curve(view, "gelu" if view.attribute("approximate", "none") == "none" else "gelu_tanh")


@lowers("Pow", 7, 12, 13, 15)
def pow_(view: NodeView) -> None:
    """x^c for one constant exponent."""
    view.require_numbers(0, 1)
    exponent = single(view, "exponents")
    if view.shape(view.output) != view.shape(view.name(0)):
        raise Refused("an exponent of a larger shape than the base", "use a single number")
    if exponent == 1.0:
        view.alias(view.name(0))
    else:
        curve(view, "power", (exponent,))


def single(view: NodeView, what: str) -> float:
    """Input 1, which is one number."""
    values = view.constant(1, f"one of the {what}").reshape(-1)
    if len(values) != 1:
        raise Refused(f"{len(values)} different {what}", "at most 64 distinct constants are supported")
    return float(values[0])


@lowers("QuantizeLinear", 10, 13, 19, 21, 23, 24, 25, 28)
def quantize_linear(view: NodeView) -> None:
    """round(x / scale) + zero point, halves to the even number, saturated at the ends of the output's type."""
    view.require_numbers(0)
    scale = view.constant(1, "the scale")
    zero = view.constant(2, "the zero point") if view.has(2) else np.zeros(1)
    if scale.size != 1 or zero.size != 1:
        raise Refused(f"{scale.size} scales", "at most 64 different ones are supported")
    if scale.reshape(-1)[0] <= 0:
        raise Refused("a scale that is not positive", "repair the scale")
    if not view.is_whole(view.output):
        raise Refused(f"an output of {type_name(view.static.types[view.output])}", "use 8 or 16-bit integers")
    ends = np.iinfo(np.dtype(helper.tensor_dtype_to_np_dtype(view.static.types[view.output])))
    curve(view, "quantise", (float(scale.reshape(-1)[0]), float(zero.reshape(-1)[0]), float(ends.min), float(ends.max)))


@lowers("Sign", 9, 13)
def sign(view: NodeView) -> None:
    view.require_numbers(0)
    source = view.name(0)
    if view.is_whole(view.output):
        view.emit(steps.Affine, [source], weight=ONE, function=Test("sign"))
        return
    found = view.emit(steps.Affine, [source], view.fresh("sign", view.shape(source)), weight=ONE, function=Test("sign"), exact=True)
    view.alias(found)


@lowers("Cast", 9, 13, 19, 21, 23, 24, 25, 28)
def cast(view: NodeView) -> None:
    """Floats to integers towards zero, anything to bool by being other than zero; the rest keeps its value."""
    source, target = view.static.types[view.node.input[0]], view.attribute("to")
    for kind in (source, target):
        if kind not in (*FLOATS, *WHOLE):
            raise Refused(f"a cast of {type_name(source)} to {type_name(target)} is not supported", "use float, integer or bool tensors")
    if target == TensorProto.BOOL and source != TensorProto.BOOL:
        view.invert(view.test("zero", [view.name(0)], (1,)))
    elif target in WHOLE and source in FLOATS:
        curve(view, "truncate")
    else:
        view.alias(view.name(0))
