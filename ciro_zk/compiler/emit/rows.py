"""Softmax and normalisation along the last axis: per row a quotient and a root, per cell one requantisation or two."""

from __future__ import annotations

from math import isqrt, ldexp

import numpy as np

from ciro_zk.circuit.error import Deviation
from ciro_zk.circuit.law import NormaliseLaw, SoftmaxLaw
from ciro_zk.compiler import scores
from ciro_zk.compiler.emit.context import Context, Value, cells
from ciro_zk.compiler.emit.pooling import along
from ciro_zk.compiler.quantise import round_half_up
from ciro_zk.compiler.steps import Mask, Normalise, Shape, Softmax
from ciro_zk.lookup.tables import Clamp
from ciro_zk.ops import AxisMap, Combine, Hadamard

ROUNDING_BITS = 3
"""Bits of a reciprocal beyond those that it is divided by."""
INNER_BITS = 16
"""Bits of what is squared and summed."""
RESULT_BITS = 14
"""Bits of the greatest |x| / sqrt(sum of x^2), at least."""
ROOT_BITS, MAX_SQUARE_BITS = 10, 56
"""A root of at least 2^10, of squares below 2^56."""


def softmax(context: Context, step: Softmax) -> Value:
    """See `ciro_zk.compiler.scores`; a masked cell takes the place of one that is not, and is left out of sums and results."""
    value, name, draft = context.values[step.inputs[0]], step.output, context.draft
    shape = cells(value.shape)
    length, last = shape[-1], len(shape) - 1
    z = value.tensor if step.mask is None else _unmasked(context, value.tensor, shape, step.mask, name)
    bits = scores.mass_bits(length)
    exponential = scores.exponential(value.scale, bits)
    if len(step.inputs) > 1:
        down = 2 * draft.magnitude(z) + exponential.window[1]
        op = Combine(inputs=(z, context.values[step.inputs[1]].tensor), coefficients=(1, -down))
        z = draft.add(op, f"{name}.masked")
    greatest = along(context, z, last, (tuple(range(length)),), name)
    difference = _difference(context, context.gather(greatest, last, (0,) * length, name), z, 1, f"{name}.below")
    e = draft.rescale(difference, 0, exponential, f"{name}.exp", Deviation(exact_low=True, exact_high=True))
    total = _total(context, e, shape, step.mask, (1 << bits, length << bits), name)
    if step.logarithm:
        return _logarithm(context, step, value, difference, total, bits)
    shift = bits + ROUNDING_BITS
    # + 1: the range of a sum does not say that the greatest cell adds 2^k to it
    divisor = draft.add(Combine(inputs=(total,), coefficients=(1,), offset=1), f"{name}.divisor", Deviation(cells=1.0))
    reciprocal = draft.divide(_number(context, divisor, context.top << shift, name), divisor, f"{name}.reciprocal")
    wide = context.gather(reciprocal, last, (0,) * length, name)
    product = draft.add(Hadamard(inputs=(e, wide)), f"{name}.product")
    f = Clamp(minimum=0, maximum=context.top)
    result = draft.rescale(product, shift, f, name, Deviation(exact_low=True, exact_high=True))
    if len(step.inputs) == 1:
        # a mask that is computed is part of the scores here, but leaves out cells altogether in the model
        mask, count = ("", 0) if step.mask is None else _bits(step.mask, shape)
        # e is off by 1/2, S by n / 2 and 1 more, of at least 2^k; the reciprocal by 1, the result by 1/2
        rounding = ldexp(context.top * (length + 3), -bits - 1) + ldexp(1.0, -ROUNDING_BITS) + 0.5
        law = SoftmaxLaw(source=value.tensor, peak=float(context.top), unit=value.scale, rounding=rounding, mask=mask, cells=count)
        draft.laws[result] = law
    if step.mask is not None:
        result = _masked(context, result, shape, step.mask, name)
    return Value(result, step.shape, 1.0 / context.top)


def _logarithm(context: Context, step: Softmax, value: Value, difference: int, total: int, bits: int) -> Value:
    """z - m - ln S at the scale of z, then at the output's."""
    draft, name, shape = context.draft, step.output, cells(step.shape)
    low, high = (int(end.max()) for end in draft.intervals[total])
    shift = max(0, high.bit_length() - scores.MAX_LOG_BITS)
    least = min(int(draft.intervals[total][0].min()), low) >> shift
    table = scores.logarithm(value.scale, bits - shift, max(least, 1), (high >> shift) + 1)
    logarithm = draft.rescale(total, shift, table, f"{name}.log")
    wide = context.gather(logarithm, len(shape) - 1, (0,) * shape[-1], name)
    result = draft.add(Combine(inputs=(difference, wide), coefficients=(-1, -1)), f"{name}.result")
    return context.requantise(step, result, value.scale, None)


def normalise(context: Context, step: Normalise) -> Value:
    """u R / 2^s: u the cells (less their mean, in units of 2^-f), R = floor(N / H), H = floor(sqrt(4^t (sum u^2 + E))).

    |u| < (H + 1) / 2^t, since u^2 is part of the sum; so |u R| <= N (H + 1) / (2^t H).
    """
    value, name, draft = context.values[step.inputs[0]], step.output, context.draft
    shape = cells(value.shape)
    length, last = shape[-1], len(shape) - 1
    fine = max(0, INNER_BITS - draft.magnitude(value.tensor).bit_length() - 1) if step.centred else 0
    u = _centred(context, value.tensor, shape, fine, name) if step.centred else value.tensor
    squares = draft.add(Hadamard(inputs=(u, u)), f"{name}.squares")
    whole = (tuple(range(length)),)
    summed = draft.add(AxisMap(inputs=(squares,), axis=last, index=whole, weight=((1,) * length,)), f"{name}.sum")
    # E is at least one unit: a row of zeros has a reciprocal too
    epsilon = max(1.0, ldexp(step.epsilon / (value.scale * value.scale), 2 * fine))
    greatest = draft.magnitude(summed) + round_half_up(epsilon)
    root_shift = max(0, ROOT_BITS - (isqrt(round_half_up(epsilon)).bit_length() - 1))
    root_shift = min(root_shift, max(0, MAX_SQUARE_BITS - greatest.bit_length()) // 2)
    offset = round_half_up(ldexp(epsilon, 2 * root_shift))
    wanted = ldexp(step.epsilon / (value.scale * value.scale), 2 * (fine + root_shift))
    op = Combine(inputs=(summed,), coefficients=(1 << 2 * root_shift,), offset=offset)
    root = draft.square_root(draft.add(op, f"{name}.square", Deviation(cells=abs(offset - wanted))), f"{name}.root")
    least = isqrt(offset)
    result_bits = RESULT_BITS + max(0, (length.bit_length() - RESULT_BITS + 4) // 2)
    # a bound that no other clamp has: these values fit one graph table, which those of wider arguments would not share
    limit = (1 << result_bits) - 2
    shift = INNER_BITS + (length.bit_length() + 1) // 2
    numerator = (limit << (root_shift + shift)) * least // (least + 1)
    reciprocal = draft.divide(_number(context, root, numerator, name), root, f"{name}.reciprocal")
    bound = (numerator * (least + 1) // least >> root_shift) + 1
    wide = context.gather(reciprocal, last, (0,) * length, name)
    product = draft.add(Hadamard(inputs=(u, wide)), f"{name}.product", known=(-bound, bound))
    f = Clamp(minimum=-limit, maximum=limit)
    result = draft.rescale(product, shift, f, name, Deviation(exact_low=True, exact_high=True))
    peak, epsilon = ldexp(float(numerator), -root_shift - shift), step.epsilon / (value.scale * value.scale)
    draft.laws[result] = NormaliseLaw(source=value.tensor, peak=peak, epsilon=epsilon, centred=step.centred)
    return Value(result, step.shape, step.factor / peak)


def _centred(context: Context, x: int, shape: Shape, fine: int, name: str) -> int:
    """2^fine x - round(2^fine mean)."""
    draft, last, length = context.draft, len(shape) - 1, shape[-1]
    whole = AxisMap(inputs=(x,), axis=last, index=(tuple(range(length)),), weight=((1,) * length,))
    total = draft.add(whole, f"{name}.total")
    half = length // 2
    rounded = Combine(inputs=(total,), coefficients=(1 << fine,), offset=half)
    numerator = draft.add(rounded, f"{name}.rounded", Deviation(cells=float(half)))
    mean = draft.divide(numerator, _number(context, total, length, name), f"{name}.mean")
    return _difference(context, x, context.gather(mean, last, (0,) * length, name), 1 << fine, f"{name}.centred")


def _difference(context: Context, a: int, b: int, factor: int, name: str) -> int:
    return context.draft.add(Combine(inputs=(a, b), coefficients=(factor, -1)), name)


def _number(context: Context, like: int, number: int, name: str) -> int:
    """A constant of another tensor's shape."""
    return context.draft.add(Combine(inputs=(like,), coefficients=(0,), offset=number), f"{name}.number")


def _plane(mask: Mask, shape: Shape) -> tuple[int, Mask]:
    """The axis from which on a mask varies, and the mask over the axes from there on, in one."""
    first = next((a for a, d in enumerate(mask.shape) if d > 1), len(shape) - 1)
    return first, np.broadcast_to(mask.reshape(mask.shape[first:]), shape[first:]).reshape(-1)


def _bits(mask: Mask, shape: Shape) -> tuple[str, int]:
    """The mask over the axes from which on it varies, in hexadecimal, and how many cells that is."""
    _, plane = _plane(mask, shape)
    return np.packbits(plane).tobytes().hex(), int(plane.size)


def _flat(context: Context, tensor: int, shape: Shape, first: int, name: str) -> int:
    return context.reshape(tensor, (*shape[:first], int(np.prod(shape[first:]))), name)


def _unmasked(context: Context, z: int, shape: Shape, mask: Mask, name: str) -> int:
    """The scores with the first cell of its row that is not masked in every masked cell's place."""
    first, plane = _plane(mask, shape)
    rows = plane.reshape(-1, shape[-1])
    kept = np.argmin(rows, axis=1)
    columns = np.where(rows, kept[:, None], np.arange(shape[-1]))
    index = (columns + np.arange(rows.shape[0])[:, None] * shape[-1]).reshape(-1)
    flat = context.gather(_flat(context, z, shape, first, name), first, [int(i) for i in index], f"{name}.unmasked")
    return context.reshape(flat, shape, name)


def _masked(context: Context, tensor: int, shape: Shape, mask: Mask, name: str) -> int:
    """The tensor with zeros in its masked cells."""
    first, plane = _plane(mask, shape)
    index = [-1 if out else i for i, out in enumerate(plane)]
    flat = context.gather(_flat(context, tensor, shape, first, name), first, index, f"{name}.masked")
    return context.reshape(flat, shape, name)


def _total(context: Context, e: int, shape: Shape, mask: Mask | None, known: tuple[int, int], name: str) -> int:
    """The sum of each row's cells that are not masked, `(..., 1)`."""
    e = e if mask is None else _masked(context, e, shape, mask, f"{name}.mass")
    last = len(shape) - 1
    op = AxisMap(inputs=(e,), axis=last, index=(tuple(range(shape[-1])),), weight=((1,) * shape[-1],))
    return context.draft.add(op, f"{name}.sum", known=known)
