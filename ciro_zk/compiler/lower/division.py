"""Div and Mod: by constants, of floats by a computed tensor, and exactly of whole numbers by one.

floor(n / d)    the committed quotient of `ciro_zk.ops.Divide`         rest = n - d floor(n / d), the divisor's sign
n / d           towards zero: floor(n / d), and 1 more where that is negative and the rest is not zero
"""

from __future__ import annotations

import numpy as np
from onnx import helper

from ciro_zk.compiler import steps
from ciro_zk.compiler.lower.activation import NONE, curve, single
from ciro_zk.compiler.lower.elementwise import affine
from ciro_zk.compiler.lower.registry import NodeView, Refused, lowers
from ciro_zk.compiler.steps import Test


def _operands(view: NodeView) -> tuple[str, str]:
    """Dividend and computed divisor, the former of the output's shape unless it is constant, the latter with as many axes."""
    target = view.shape(view.output)
    divisor = view.name(1)
    source = view.shape(divisor)
    aligned = (1,) * (len(target) - len(source)) + source
    if aligned != source:
        divisor = view.emit(steps.Reshape, [divisor], view.fresh("divisor.rank", aligned))
    if view.is_constant(0):
        value = view.constant(0, "the dividend")
        return view.emit(steps.Fixed, [], view.fresh("dividend", value.shape), value=value), divisor
    return view.broadcast(view.name(0), target, "dividend"), divisor


def _whole(view: NodeView, *, truncating: bool, rest: bool) -> None:
    """The quotient of whole numbers, or what it leaves."""
    dividend, divisor = _operands(view)
    target = view.shape(view.output)
    wide = view.broadcast(divisor, target, "divisor")
    signed = np.iinfo(np.dtype(helper.tensor_dtype_to_np_dtype(view.static.types[view.output]))).min < 0
    plain = not truncating or not signed
    quotient = view.emit(steps.Floored, [dividend, divisor], view.fresh("floor", target) if rest or not plain else None, exact=True)
    if not plain:
        left = view.emit(steps.Remainder, [dividend, wide, quotient], view.fresh("left", target), exact=True)
        none = view.test("zero", [left], (1,))
        below = view.emit(steps.Affine, [quotient], view.fresh("below", target), weight=NONE, function=Test("positive"), exact=True)
        more = view.test("positive", [below, none], (1, -1), view.fresh("more", target))
        quotient = view.emit(steps.Sum, [quotient, more], view.fresh("truncated", target) if rest else None, signs=(1, 1), exact=True)
    if rest:
        view.emit(steps.Remainder, [dividend, wide, quotient], exact=True)


@lowers("Mod", 10, 13, 28)
def mod(view: NodeView) -> None:
    """The rest of a division: of the divisor's sign, or the dividend's with fmod."""
    view.require_numbers(0, 1)
    truncating = bool(view.attribute("fmod", 0))
    if not view.is_constant(1):
        if not view.is_whole(view.output):
            raise Refused("the rest of a division of floats by a computed tensor", "divide integers, or by a constant")
        _whole(view, truncating=truncating, rest=True)
        return
    divisor = single(view, "divisors")
    if divisor == 0.0:
        raise Refused("a division by zero", "repair the constant")
    curve(view, "fmod" if truncating else "modulo", (divisor,))


@lowers("Div", 7, 13, 14)
def div(view: NodeView) -> None:
    view.require_numbers(0, 1)
    if not view.is_constant(1):
        if view.is_whole(view.output):
            _whole(view, truncating=True, rest=False)
        else:
            view.emit(steps.Quotient, _operands(view))
        return
    divisor = view.constant(1, "the divisor")
    if (divisor == 0).any():
        raise Refused("a division by zero", "repair the constant")
    if view.is_whole(view.output):
        if divisor.size != 1 or view.shape(view.output) != view.shape(view.name(0)):
            raise Refused("a division of integers by different numbers", "at most 64 distinct constants are supported")
        curve(view, "quotient", (float(divisor.reshape(-1)[0]),))
        return
    affine(view, 0, 1.0 / divisor, None)
