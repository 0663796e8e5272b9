"""Sums of products: their outputs are accumulators, proven by the batched sumcheck.

    MatMul      y[b, s, o] = sum_k x[b, s, k] w[b, k, o]                                   (Thaler 2013)
    Conv        y[n, g, o, *p] = sum_(c, *i) w[g, o, c, *i] x[n, g, c, *(stride p + dilation i - pad)]
    Hadamard    y[*i] = x[*i] w[*i], an axis of w may be 1 (broadcast); not negative where w is x

Identity: for a form u_1 x u_2 x ... on y the axes that only one operand has are contracted before the sum, so that the
sum runs over the common axes: a sumcheck of degree 2 per variable, soundness error 2 / |K| a round. For Conv the
spatial axes of x are mapped by U[i][h] = sum over p with stride p + dilation i - pad = h of u[p]; stride, padding and
dilation change only U. Source: protocol.md, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ciro_zk.circuit.error import Approximation, Deviation, Error, Interval, bilinear
from ciro_zk.circuit.factor import Contract, Factor, Keep, Map, Role
from ciro_zk.circuit.op import HALF_FIELD, Batcher, CircuitError, Integers, ProductOp, register
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.lookup.tables import Table
from ciro_zk.ops.linear import Reshape, Transpose
from ciro_zk.poly.linear_form import Group, Term

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

EXACT_FLOAT = 1 << 53
MANY_PRODUCTS = 1 << 26


def accumulator(shape: tuple[int, ...], magnitude: int, *, square: bool = False) -> Tensor:
    """An accumulator whose cells are at most `magnitude`, of squares not negative; `CircuitError` where it could wrap around p."""
    if magnitude >= HALF_FIELD:
        raise CircuitError(f"sums up to {magnitude} would wrap around the field; use fewer bits")
    low = 0 if square else -magnitude
    return Tensor(name="", shape=shape, storage=Storage.ACCUMULATOR, low=low, high=magnitude, bounded_by="its operands")


def exact_matmul(a: Integers, b: Integers) -> Integers:
    """The integer product a @ b; through float64 where every partial sum is below 2^53, hence exact."""
    peak = int(np.abs(a).max(initial=0)) * int(np.abs(b).max(initial=0)) * a.shape[-1]
    if peak >= EXACT_FLOAT:
        return a @ b
    small = a.size * b.shape[-1] < MANY_PRODUCTS
    with _blas().limit(limits=1, user_api="blas") if small else nullcontext():
        return np.asarray(np.rint(a.astype(np.float64) @ b.astype(np.float64)), dtype=np.int64)


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    """The handle on numpy's BLAS; below `MANY_PRODUCTS` its threads cost more than they save, most of all on a busy machine."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _bilinear_interval(x: Interval, w: Interval, apply: Callable[[Integers, Integers], Integers]) -> Interval:
    """(lowest, highest) of a bilinear map that is monotone in x per sign of w; both operands may vary only if one of them is a
    point."""
    if np.array_equal(w[0], w[1]):
        up, down = np.maximum(w[0], 0), np.minimum(w[0], 0)
        return apply(x[0], up) + apply(x[1], down), apply(x[1], up) + apply(x[0], down)
    peak = apply(np.maximum(np.abs(x[0]), np.abs(x[1])), np.maximum(np.abs(w[0]), np.abs(w[1])))
    return -peak, peak


def single_groups(term: Term, num_axes: int) -> tuple[Group, ...]:
    """The groups of a term with one vector per axis; `CircuitError` for a form that does not separate."""
    if len(term.groups) != num_axes:
        raise CircuitError("a form on an accumulator must be a product of one vector per axis; requantise before reshaping it")
    return term.groups


@register
@dataclass(frozen=True, slots=True, kw_only=True)
class MatMul(ProductOp):
    """x `(b, s, k)` times w `(b, k, o)`."""

    kind: ClassVar[str] = "matmul"

    def batch(self, batcher: Batcher, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """The batch joins s: x (N, b, s, k) as (b, N s, k), y (b, N s, o) as (N, b, s, o). Where w has it too it joins b."""
        size, b, s, k = batcher.shape(inputs[0])
        if len(batcher.shape(inputs[1])) == 4:
            o = batcher.shape(inputs[1])[3]
            (x,) = batcher.add(Reshape(inputs=inputs[:1], shape=(size * b, s, k)))
            (w,) = batcher.add(Reshape(inputs=inputs[1:], shape=(size * b, k, o)))
            (y,) = batcher.add(MatMul(inputs=(x, w)))
            return batcher.add(Reshape(inputs=(y,), shape=(size, b, s, o)))
        (moved,) = batcher.add(Transpose(inputs=inputs[:1], permutation=(1, 0, 2, 3)))
        (flat,) = batcher.add(Reshape(inputs=(moved,), shape=(b, size * s, k)))
        (y,) = batcher.add(MatMul(inputs=(flat, inputs[1])))
        (split,) = batcher.add(Reshape(inputs=(y,), shape=(b, size, s, batcher.shape(y)[2])))
        return batcher.add(Transpose(inputs=(split,), permutation=(1, 0, 2, 3)))

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        x, w = inputs
        if len(x.shape) != 3 or len(w.shape) != 3 or x.shape[0] != w.shape[0] or x.shape[2] != w.shape[1]:
            raise CircuitError(f"cannot multiply {x.shape} by {w.shape}")
        return (accumulator((x.shape[0], x.shape[1], w.shape[2]), x.shape[2] * x.magnitude * w.magnitude),)

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        return (exact_matmul(inputs[0], inputs[1]),)

    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        return (_bilinear_interval(inputs[0], inputs[1], exact_matmul),)

    def error(
        self, inputs: Sequence[Approximation], outputs: Sequence[Interval], tables: Sequence[Table], deviation: Deviation
    ) -> tuple[Error, ...]:
        return (bilinear(inputs[0], inputs[1], np.matmul),)

    def factors(self, term: Term, inputs: Sequence[Tensor]) -> tuple[Factor, Factor]:
        x, w = inputs
        u_b, u_s, u_o = single_groups(term, 3)
        left = Factor(tensors=((self.inputs[0], 1),), shape=x.shape, view=x.shape, roles=(Keep(), Contract(u_s), Keep()))
        right = Factor(tensors=((self.inputs[1], 1),), shape=w.shape, view=w.shape, roles=(Keep(u_b), Keep(), Contract(u_o)))
        return left, right


@register
@dataclass(frozen=True, slots=True, kw_only=True)
class Conv(ProductOp):
    """Convolution of x `(n, g, c, *spatial)` with w `(g, o, c, *kernel)`, zero padding."""

    kind: ClassVar[str] = "conv"
    strides: tuple[int, ...]
    pads_begin: tuple[int, ...]
    pads_end: tuple[int, ...]
    dilations: tuple[int, ...]

    def batch(self, batcher: Batcher, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """The batch joins n."""
        size, n, *rest = batcher.shape(inputs[0])
        (flat,) = batcher.add(Reshape(inputs=inputs[:1], shape=(size * n, *rest)))
        (y,) = batcher.add(replace(self, inputs=(flat, inputs[1])))
        return batcher.add(Reshape(inputs=(y,), shape=(size, n, *batcher.shape(y)[1:])))

    def _spatial(self, x: tuple[int, ...], w: tuple[int, ...]) -> tuple[int, ...]:
        parameters = zip(x[3:], w[3:], self.strides, self.pads_begin, self.pads_end, self.dilations, strict=True)
        return tuple((size + begin + end - d * (k - 1) - 1) // s + 1 for size, k, s, begin, end, d in parameters)

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        x, w = inputs
        rank = len(x.shape) - 3
        settings = (self.strides, self.pads_begin, self.pads_end, self.dilations)
        if rank < 1 or len(w.shape) != rank + 3 or any(len(values) != rank for values in settings):
            raise CircuitError(f"a convolution of {x.shape} with {w.shape} needs one stride, pad and dilation per spatial axis")
        if x.shape[1] != w.shape[0] or x.shape[2] != w.shape[2]:
            raise CircuitError(f"groups and channels of {x.shape} and {w.shape} differ")
        if min(*self.strides, *self.dilations) < 1 or min(*self.pads_begin, *self.pads_end) < 0:
            raise CircuitError("strides and dilations are at least 1, pads at least 0")
        if max(v for values in settings for v in values) >= 1 << 31:
            raise CircuitError("strides, pads and dilations are below 2^31")
        spatial = self._spatial(x.shape, w.shape)
        if min(spatial) < 1:
            raise CircuitError(f"the kernel {w.shape[3:]} does not fit {x.shape[3:]}")
        magnitude = prod(w.shape[2:]) * x.magnitude * w.magnitude
        return (accumulator((x.shape[0], x.shape[1], w.shape[1], *spatial), magnitude),)

    def _convolve(self, x: NDArray[Any], w: NDArray[Any], multiply: Callable[..., NDArray[Any]] = exact_matmul) -> NDArray[Any]:
        rank = x.ndim - 3
        spatial = self._spatial(x.shape, w.shape)
        padded = np.pad(x, [(0, 0)] * 3 + list(zip(self.pads_begin, self.pads_end, strict=True)))
        reach = tuple(d * (k - 1) + 1 for d, k in zip(self.dilations, w.shape[3:], strict=True))
        windows = sliding_window_view(padded, reach, axis=tuple(range(3, 3 + rank)))
        cut = (slice(None),) * 3 + tuple(slice(0, s * (p - 1) + 1, s) for s, p in zip(self.strides, spatial, strict=True))
        windows = windows[cut + tuple(slice(None, None, d) for d in self.dilations)]
        # (n, g, c, *spatial, *kernel) -> (g, n * positions, c * kernel)
        order = (1, 0, *range(3, 3 + rank), 2, *range(3 + rank, 3 + 2 * rank))
        rows = windows.transpose(order).reshape(x.shape[1], x.shape[0] * prod(spatial), -1)
        kernel = w.reshape(w.shape[0], w.shape[1], -1).transpose(0, 2, 1)
        result = multiply(rows, kernel).reshape(x.shape[1], x.shape[0], *spatial, w.shape[1])
        return np.ascontiguousarray(result.transpose(1, 0, 2 + rank, *range(2, 2 + rank)))

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        return (self._convolve(inputs[0], inputs[1]),)

    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        return (_bilinear_interval(inputs[0], inputs[1], self._convolve),)

    def error(
        self, inputs: Sequence[Approximation], outputs: Sequence[Interval], tables: Sequence[Table], deviation: Deviation
    ) -> tuple[Error, ...]:
        return (bilinear(inputs[0], inputs[1], partial(self._convolve, multiply=np.matmul)),)

    def _kernel_rows(self, group: Group, axis: int, size: int, kernel: int) -> NDArray[np.uint64]:
        """U `(kernel, 2, size)` of one spatial axis from the form's vector over its outputs."""
        values = group.dense()
        rows = np.zeros((kernel, 2, size), dtype=np.uint64)
        positions = np.arange(values.shape[-1])
        for i in range(kernel):
            source = self.strides[axis] * positions + self.dilations[axis] * i - self.pads_begin[axis]
            inside = (source >= 0) & (source < size)
            rows[i][:, source[inside]] = values[:, inside]
        return rows

    def factors(self, term: Term, inputs: Sequence[Tensor]) -> tuple[Factor, Factor]:
        x, w = inputs
        rank = len(x.shape) - 3
        u_n, u_g, u_o, *u_spatial = single_groups(term, 3 + rank)
        maps: list[Role] = [Map(self._kernel_rows(u, a, x.shape[3 + a], w.shape[3 + a])) for a, u in enumerate(u_spatial)]
        roles_w: list[Role] = [Keep(u_g), Contract(u_o), *[Keep()] * (1 + rank)]
        left = Factor(tensors=((self.inputs[0], 1),), shape=x.shape, view=x.shape, roles=(Contract(u_n), Keep(), Keep(), *maps))
        right = Factor(tensors=((self.inputs[1], 1),), shape=w.shape, view=w.shape, roles=tuple(roles_w))
        return left, right


@register
@dataclass(frozen=True, slots=True, kw_only=True)
class Hadamard(ProductOp):
    """Cell-wise product; where w has an axis of length 1 it is broadcast."""

    kind: ClassVar[str] = "hadamard"

    def batch(self, batcher: Batcher, inputs: tuple[int, ...]) -> tuple[int, ...]:
        x, w = inputs
        if len(batcher.shape(w)) < len(batcher.shape(x)):
            (w,) = batcher.add(Reshape(inputs=(w,), shape=(1, *batcher.shape(w))))
        return batcher.add(Hadamard(inputs=(x, w)))

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Table]) -> tuple[Tensor, ...]:
        x, w = inputs
        if len(x.shape) != len(w.shape) or any(b not in (1, a) for a, b in zip(x.shape, w.shape, strict=True)):
            raise CircuitError(f"{w.shape} does not broadcast to {x.shape}")
        return (accumulator(x.shape, x.magnitude * w.magnitude, square=self._is_square),)

    @property
    def _is_square(self) -> bool:
        return self.inputs[0] == self.inputs[1]

    def run(self, inputs: Sequence[Integers], tables: Sequence[Table]) -> tuple[Integers, ...]:
        return (inputs[0] * inputs[1],)

    def interval(self, inputs: Sequence[Interval], tables: Sequence[Table]) -> tuple[Interval, ...]:
        (x_low, x_high), (w_low, w_high) = inputs
        ends = [x_low * w_low, x_high * w_high]
        if self._is_square:
            inside = (x_low <= 0) & (x_high >= 0)
            return ((np.where(inside, 0, np.minimum(*ends)), np.maximum(*ends)),)
        ends += [x_low * w_high, x_high * w_low]
        return ((np.minimum.reduce(ends), np.maximum.reduce(ends)),)

    def error(
        self, inputs: Sequence[Approximation], outputs: Sequence[Interval], tables: Sequence[Table], deviation: Deviation
    ) -> tuple[Error, ...]:
        return (bilinear(inputs[0], inputs[1], np.multiply),)

    def factors(self, term: Term, inputs: Sequence[Tensor]) -> tuple[Factor, Factor]:
        x, w = inputs
        groups = single_groups(term, len(x.shape))
        roles = tuple(Keep(u) if d > 1 else Contract(u) for u, d in zip(groups, w.shape, strict=True))
        left = Factor(tensors=((self.inputs[0], 1),), shape=x.shape, view=x.shape, roles=roles)
        right = Factor(tensors=((self.inputs[1], 1),), shape=w.shape, view=w.shape, roles=(Keep(),) * len(w.shape))
        return left, right
