"""Arithmetic in F_p and K = F_p[X]/(X^2 - 7) for Numba, elementwise kernels and the number-theoretic transform.

The scalar functions are intrinsics: they emit their LLVM instructions into the caller, so that loops over them vectorise (a called
function's comparisons have already been turned into overflow intrinsics when LLVM inlines it, and the loop then stays scalar), compile
fast, and refuse any argument that is not uint64 when they are compiled. All take and return canonical values; the reduction is that of
`ciro_zk.field.goldilocks`.

The transform works on vectors of 8 lanes: a buffer (m, 8) holds 8 interleaved inputs, every butterfly is a vector operation with one
twiddle. With z[g] = w_m^(bit reversal of g), the groups of each stage use z[0], z[1], ..., whatever m is: natural order in, bit-reversed
order out. A long row of N = n1 n2 values is transformed as n2 columns of length n1 (8 neighbouring columns a buffer), a multiplication by
powers, and n1 rows of length n2 (8 rows a buffer).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import int64, njit, types, uint64
from numba.extending import intrinsic

from ciro_zk.field.extension import P

INT, WORD = int64, uint64
BASE_IN, BASE_OUT = types.Array(uint64, 1, "C", readonly=True), types.Array(uint64, 1, "C")
MATRIX_IN, MATRIX_OUT = types.Array(uint64, 2, "C", readonly=True), types.Array(uint64, 2, "C")
STACK_IN, STACK_OUT = types.Array(uint64, 3, "C", readonly=True), types.Array(uint64, 3, "C")
INDEX_IN = types.Array(int64, 1, "C", readonly=True)

REGISTRY: list[tuple[Any, tuple[Any, ...]]] = []
LANES = 8


def kernel(*arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function without the interpreter lock, cached on disk, for these argument types only (see `ciro_zk.kernels.warm`)."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        dispatcher: Callable[..., Any] = njit(nogil=True, cache=True)(function)
        REGISTRY.append((dispatcher, arguments))
        return dispatcher

    return decorate


def instruction(typing: Callable[..., Any]) -> Callable[..., Any]:
    """`numba.extending.intrinsic`, for the type checker a function of anything."""
    function: Callable[..., Any] = intrinsic(typing)
    return function


# --- instructions, on 64-bit words or vectors of them -------------------------------------------------------------------------------------

_I64 = ir.IntType(64)
_VECTOR = ir.VectorType(_I64, LANES)


def _constant(value: int, like: Any) -> Any:
    word = ir.Constant(_I64, value)
    return ir.Constant(like.type, [word] * like.type.count) if isinstance(like.type, ir.VectorType) else word


def _if(b: Any, condition: Any, value: int, like: Any) -> Any:
    return b.select(condition, _constant(value, like), _constant(0, like))


def _add(b: Any, x: Any, y: Any) -> Any:
    complement = b.sub(_constant(P, y), y)
    return b.add(b.sub(x, complement), _if(b, b.icmp_unsigned("<", x, complement), P, x))


def _sub(b: Any, x: Any, y: Any) -> Any:
    return b.sub(b.sub(x, y), _if(b, b.icmp_unsigned("<", x, y), 2**32 - 1, x))


def _canonical(b: Any, x: Any) -> Any:
    y = b.sub(x, _constant(P, x))
    return b.select(b.icmp_unsigned("<", y, x), y, x)


def _add_carry(b: Any, x: Any, y: Any) -> Any:
    """x + y mod p for any x and any y <= 2^64 - 2^33 + 1, canonical."""
    z = b.add(x, y)
    return _canonical(b, b.add(z, _if(b, b.icmp_unsigned("<", z, y), 2**32 - 1, x)))


def _reduce(b: Any, low: Any, high: Any) -> Any:
    """low + 2^64 high mod p, canonical, for any two words."""
    epsilon, shift = _constant(2**32 - 1, low), _constant(32, low)
    h1 = b.lshr(high, shift)
    t = b.sub(b.sub(low, h1), _if(b, b.icmp_unsigned("<", low, h1), 2**32 - 1, low))
    return _add_carry(b, t, b.mul(b.and_(high, epsilon), epsilon))


def _mul(b: Any, x: Any, y: Any) -> Any:
    epsilon, shift = _constant(2**32 - 1, x), _constant(32, x)
    x0, x1, y0, y1 = b.and_(x, epsilon), b.lshr(x, shift), b.and_(y, epsilon), b.lshr(y, shift)
    low = b.mul(x0, y0)
    middle = b.add(b.mul(x0, y1), b.lshr(low, shift))
    cross = b.add(b.mul(x1, y0), b.and_(middle, epsilon))
    high = b.add(b.add(b.mul(x1, y1), b.lshr(middle, shift)), b.lshr(cross, shift))
    return _reduce(b, b.or_(b.shl(cross, shift), b.and_(low, epsilon)), high)


def _mul_7(b: Any, x: Any) -> Any:
    epsilon, shift, seven = _constant(2**32 - 1, x), _constant(32, x), _constant(7, x)
    cross = b.mul(b.lshr(x, shift), seven)
    return _add_carry(b, b.shl(cross, shift), b.add(b.mul(b.and_(x, epsilon), seven), b.mul(b.lshr(cross, shift), epsilon)))


def _mul_2_48(b: Any, x: Any) -> Any:
    return _reduce(b, b.shl(x, _constant(48, x)), b.lshr(x, _constant(16, x)))


def _multiply_add(b: Any, s0: Any, s1: Any, s2: Any, s3: Any, x: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    """The columns s plus x y, without a reduction."""
    epsilon, shift = _constant(2**32 - 1, x), _constant(32, x)
    x0, x1, y0, y1 = b.and_(x, epsilon), b.lshr(x, shift), b.and_(y, epsilon), b.lshr(y, shift)
    low, left, right, high = b.mul(x0, y0), b.mul(x0, y1), b.mul(x1, y0), b.mul(x1, y1)
    s1 = b.add(s1, b.add(b.lshr(low, shift), b.add(b.and_(left, epsilon), b.and_(right, epsilon))))
    s2 = b.add(s2, b.add(b.and_(high, epsilon), b.add(b.lshr(left, shift), b.lshr(right, shift))))
    return b.add(s0, b.and_(low, epsilon)), s1, s2, b.add(s3, b.lshr(high, shift))


def _dot(b: Any, *factors: Any) -> Any:
    """x0 y0 + x1 y1 + ... for a few pairs of factors, reduced once: with columns below 2^40, 2^64 = ε, 2^96 = -1 as in `_reduce`."""
    epsilon, shift = _constant(2**32 - 1, factors[0]), _constant(32, factors[0])
    zero = _constant(0, factors[0])
    columns = (zero, zero, zero, zero)
    for x, y in zip(factors[::2], factors[1::2], strict=True):
        columns = _multiply_add(b, *columns, x, y)
    s0, s1, s2, s3 = columns
    s2 = b.add(s2, b.lshr(s1, shift))
    s3 = b.add(s3, b.lshr(s2, shift))
    low = b.add(b.shl(s1, shift), s0)
    low = b.add(low, _if(b, b.icmp_unsigned("<", low, s0), 2**32 - 1, low))
    low = b.sub(b.sub(low, s3), _if(b, b.icmp_unsigned("<", low, s3), 2**32 - 1, low))
    return _add_carry(b, low, b.mul(b.and_(s2, epsilon), epsilon))


def _ext_mul(b: Any, x0: Any, x1: Any, y0: Any, y1: Any) -> tuple[Any, Any]:
    return _dot(b, x0, y0, _mul_7(b, x1), y1), _dot(b, x0, y1, x1, y0)


def _ext_mul_mul(b: Any, w0: Any, w1: Any, x0: Any, x1: Any, y0: Any, y1: Any, z0: Any, z1: Any) -> tuple[Any, Any]:
    return _dot(b, w0, x0, _mul_7(b, w1), x1, y0, z0, _mul_7(b, y1), z1), _dot(b, w0, x1, w1, x0, y0, z1, y1, z0)


def _scalar(emit: Callable[..., Any], arity: int, results: int = 1) -> Any:
    """An intrinsic on `arity` uint64 arguments, and on nothing else, with `results` uint64 results."""
    result = uint64 if results == 1 else types.UniTuple(uint64, results)  # type: ignore[no-untyped-call]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = emit(builder, *args)
        return value if results == 1 else context.make_tuple(builder, signature.return_type, value)

    def typed(given: tuple[Any, ...]) -> Any:
        return (result(*given), codegen) if given == (uint64,) * arity else None

    def two(_: Any, a: Any, b: Any) -> Any:
        return typed((a, b))

    def four(_: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        return typed((a, b, c, d))

    def six(_: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
        return typed((a, b, c, d, e, f))

    def eight(_: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> Any:
        return typed((a, b, c, d, e, f, g, h))

    typings: dict[int, Callable[..., Any]] = {1: lambda _, a: typed((a,)), 2: two, 4: four, 6: six, 8: eight}
    return instruction(typings[arity])


add = _scalar(_add, 2)
sub = _scalar(_sub, 2)
mul = _scalar(_mul, 2)
mul_7 = _scalar(_mul_7, 1)
reduce = _scalar(_reduce, 2)
dot = _scalar(_dot, 4)
ext_mul = _scalar(_ext_mul, 4, 2)
ext_mul_mul = _scalar(_ext_mul_mul, 8, 2)
"""w x + y z in the extension field."""


def _limbs(b: Any, low: Any, high: Any) -> Any:
    shift = _constant(32, low)
    shifted = b.shl(high, shift)
    total = b.add(low, shifted)
    return _reduce(b, total, b.add(b.lshr(high, shift), b.zext(b.icmp_unsigned("<", total, shifted), _I64)))


def _columns(b: Any, s0: Any, s1: Any, s2: Any, s3: Any) -> Any:
    s0, s1, s2, s3 = (_canonical(b, s) for s in (s0, s1, s2, s3))
    upper = _add(b, _mul(b, s1, _constant(2**32, s1)), _mul(b, s2, _constant(2**32 - 1, s2)))
    return _add(b, s0, _sub(b, upper, s3))


from_limb_sums = _scalar(_limbs, 2)
"""low + 2^32 high mod p: a sum of field elements from the sums of their 32-bit halves."""
multiply_add = _scalar(_multiply_add, 6, 4)
"""(s0, s1, s2, s3) plus the product of the last two, unreduced: columns of weight 1, 2^32, 2^64, 2^96, for less than 2^29 products."""
from_columns = _scalar(_columns, 4)
"""s0 + 2^32 s1 + 2^64 s2 + 2^96 s3 mod p."""


# --- elementwise --------------------------------------------------------------------------------------------------------------------------


@kernel(BASE_IN, BASE_IN, BASE_OUT, INT, INT)
def add_arrays(a, b, out, start, stop):  # type: ignore[no-untyped-def]
    x, y, z = a[start:stop], b[start:stop], out[start:stop]
    for i in range(z.shape[0]):
        z[i] = add(x[i], y[i])


@kernel(BASE_IN, BASE_IN, BASE_OUT, INT, INT)
def sub_arrays(a, b, out, start, stop):  # type: ignore[no-untyped-def]
    x, y, z = a[start:stop], b[start:stop], out[start:stop]
    for i in range(z.shape[0]):
        z[i] = sub(x[i], y[i])


@kernel(BASE_IN, BASE_IN, BASE_OUT, INT, INT)
def mul_arrays(a, b, out, start, stop):  # type: ignore[no-untyped-def]
    x, y, z = a[start:stop], b[start:stop], out[start:stop]
    for i in range(z.shape[0]):
        z[i] = mul(x[i], y[i])


@kernel(MATRIX_IN, MATRIX_IN, MATRIX_OUT, INT, INT)
def ext_mul_arrays(a, b, out, start, stop):  # type: ignore[no-untyped-def]
    a0, a1, b0, b1 = a[0, start:stop], a[1, start:stop], b[0, start:stop], b[1, start:stop]
    out0, out1 = out[0, start:stop], out[1, start:stop]
    for i in range(stop - start):
        c0, c1 = ext_mul(a0[i], a1[i], b0[i], b1[i])
        out0[i] = c0
        out1[i] = c1


@kernel(MATRIX_IN, BASE_IN, MATRIX_OUT, INT, INT)
def ext_mul_base_arrays(a, b, out, start, stop):  # type: ignore[no-untyped-def]
    a0, a1, y, out0, out1 = a[0, start:stop], a[1, start:stop], b[start:stop], out[0, start:stop], out[1, start:stop]
    for i in range(stop - start):
        out0[i] = mul(a0[i], y[i])
        out1[i] = mul(a1[i], y[i])


# --- vectors of 8 lanes -------------------------------------------------------------------------------------------------------------------


def data_pointer(context: Any, b: Any, signature: Any, args: Any, which: int) -> Any:
    """The address of the first element of an array argument."""
    return context.make_array(signature.args[which])(context, b, args[which]).data


class _Lanes:
    """Loads and stores of 8 neighbouring words inside an intrinsic."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self._state = (context, builder, signature, args)
        self.builder, self.args = builder, args

    def _at(self, which: int, index: Any) -> Any:
        base = data_pointer(*self._state, which)
        return self.builder.bitcast(self.builder.gep(base, [index]), _VECTOR.as_pointer())

    def load(self, which: int, index: Any) -> Any:
        return self.builder.load(self._at(which, index), align=8)

    def store(self, which: int, index: Any, value: Any) -> None:
        self.builder.store(value, self._at(which, index), align=8)

    def splat(self, word: Any) -> Any:
        undefined, zero = ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        lane = self.builder.insert_element(undefined, word, zero)
        return self.builder.shuffle_vector(lane, undefined, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [zero] * LANES))


@instruction
def scale_8(_: Any, out: Any, i: Any, a: Any, j: Any, s: Any) -> Any:
    """out[i : i + 8] = a[j : j + 8] s."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        v = _Lanes(context, b, signature, args)
        v.store(0, args[1], _mul(b, v.load(2, args[3]), v.splat(args[4])))
        return context.get_dummy_value()

    return (types.void(out, int64, a, int64, uint64), codegen) if s == uint64 else None


@instruction
def mul_8(_: Any, out: Any, i: Any, a: Any, j: Any, c: Any, k: Any) -> Any:
    """out[i : i + 8] = a[j : j + 8] c[k : k + 8]."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        v = _Lanes(context, b, signature, args)
        v.store(0, args[1], _mul(b, v.load(2, args[3]), v.load(4, args[5])))
        return context.get_dummy_value()

    return types.void(out, int64, a, int64, c, int64), codegen


@instruction
def copy_8(_: Any, out: Any, i: Any, a: Any, j: Any) -> Any:
    """out[i : i + 8] = a[j : j + 8]."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        v = _Lanes(context, b, signature, args)
        v.store(0, args[1], v.load(2, args[3]))
        return context.get_dummy_value()

    return types.void(out, int64, a, int64), codegen


@instruction
def butterfly_2(_: Any, x: Any, i: Any, step: Any, w: Any) -> Any:
    """(a, b) = (a + w b, a - w b), a at i, b at i + step."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        v = _Lanes(context, b, signature, args)
        at = [args[1], b.add(args[1], args[2])]
        x0, x1 = v.load(0, at[0]), _mul(b, v.load(0, at[1]), v.splat(args[3]))
        v.store(0, at[0], _add(b, x0, x1))
        v.store(0, at[1], _sub(b, x0, x1))
        return context.get_dummy_value()

    return (types.void(x, int64, int64, uint64), codegen) if w == uint64 else None


@instruction
def butterfly_4(_: Any, x: Any, i: Any, step: Any, w: Any, u: Any, wu: Any) -> Any:
    """Two stages at once on the vectors at i + {0, 1, 2, 3} step: twiddle w, then u for the first pair and 2^48 u for the second (2^48 is
    the root of order 4)."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        v = _Lanes(context, b, signature, args)
        step = args[2]
        at = [args[1]]
        for _ in range(3):
            at.append(b.add(at[-1], step))
        x0 = v.load(0, at[0])
        x1 = _mul(b, v.load(0, at[1]), v.splat(args[4]))
        x2 = _mul(b, v.load(0, at[2]), v.splat(args[3]))
        x3 = _mul(b, v.load(0, at[3]), v.splat(args[5]))
        y0, y2, y1, y3 = _add(b, x0, x2), _sub(b, x0, x2), _add(b, x1, x3), _mul_2_48(b, _sub(b, x1, x3))
        for position, value in zip(at, (_add(b, y0, y1), _sub(b, y0, y1), _add(b, y2, y3), _sub(b, y2, y3)), strict=True):
            v.store(0, position, value)
        return context.get_dummy_value()

    return (types.void(x, int64, int64, uint64, uint64, uint64), codegen) if w == u == wu == uint64 else None


# --- the transform ------------------------------------------------------------------------------------------------------------------------


@kernel(BASE_OUT, INT, INT, BASE_IN)
def transform_lanes(x, size, groups, z):  # type: ignore[no-untyped-def]
    """In place on x, (size, 8) flattened: the stages from `groups` groups on; natural order in, bit-reversed order out."""
    half = size // groups // 2
    while half >= 2:
        quarter = half // 2
        for g in range(groups):
            w, u = z[g], z[2 * g]
            wu = mul(w, u)
            for j in range(2 * g * half, 2 * g * half + quarter):
                butterfly_4(x, 8 * j, 8 * quarter, w, u, wu)
        groups *= 4
        half //= 4
    if half == 1:
        for g in range(groups):
            butterfly_2(x, 16 * g, 8, z[g])


@kernel(BASE_IN, BASE_IN, MATRIX_IN, BASE_IN, BASE_IN, INDEX_IN, BASE_OUT, INT, INT, INT)
def encode_columns(row, shift, powers, step, z, reversal, middle, columns, start, stop):  # type: ignore[no-untyped-def]
    """First half of a long codeword: the column transforms of tiles start <= t < stop (8 columns each) and the multiplication by (7 W^i)^j.

    `row` is the message, read as (n1, columns); `shift` (n1,) = 7^(j1 columns); `powers` (size, 8) and `step` (size,) are the tile's
    factors (7 W^i)^j for the tile `start`, and their ratio from tile to tile, i in bit-reversed order; `middle` is (size, columns), natural
    order.
    """
    length = shift.shape[0]
    size = step.shape[0]
    x = np.empty(8 * size, np.uint64)
    factors = powers.copy().reshape(8 * size)
    for tile in range(start, stop):
        for j in range(length):
            scale_8(x, 8 * j, row, j * columns + 8 * tile, shift[j])
        for j in range(length, size):
            copy_8(x, 8 * j, x, 8 * (j - length))
        transform_lanes(x, size, size // length, z)
        for j in range(size):
            mul_8(middle, reversal[j] * columns + 8 * tile, x, 8 * j, factors, 8 * j)
            scale_8(factors, 8 * j, factors, 8 * j, step[j])


@kernel(BASE_IN, BASE_IN, INDEX_IN, BASE_OUT, INT, INT, INT)
def encode_finish(middle, z, reversal, out, columns, start, stop):  # type: ignore[no-untyped-def]
    """Second half: the transforms of the rows 8 t, ..., 8 t + 7 of `middle`, start <= t < stop, into the codeword in natural order."""
    size = out.shape[0] // columns
    x = np.empty(8 * columns, np.uint64)
    for tile in range(start, stop):
        for i in range(8):
            source = (8 * tile + i) * columns
            for j in range(columns):
                x[8 * j + i] = middle[source + j]
        transform_lanes(x, columns, 1, z)
        for j in range(columns):
            copy_8(out, reversal[j] * size + 8 * tile, x, 8 * j)


@kernel(MATRIX_IN, BASE_IN, MATRIX_IN, BASE_IN, BASE_IN, INDEX_IN, INDEX_IN, MATRIX_OUT, INT, INT)
def encode_long(message, shift, powers, step, z, reversal, row_reversal, out, start, stop):  # type: ignore[no-untyped-def]
    """Rows start <= r < stop of (rows, n) -> (rows, N), n at least 64."""
    columns = message.shape[1] // shift.shape[0]
    middle = np.empty(out.shape[1], np.uint64)
    for r in range(start, stop):
        encode_columns(message[r], shift, powers, step, z, reversal, middle, columns, 0, columns // 8)
        encode_finish(middle, z, row_reversal, out[r], columns, 0, step.shape[0] // 8)


@kernel(MATRIX_IN, BASE_IN, BASE_IN, INDEX_IN, MATRIX_OUT, INT, INT)
def encode_short(message, shift, z, reversal, out, start, stop):  # type: ignore[no-untyped-def]
    """Rows start <= r < stop, 8 at a time, of (rows, n) -> (rows, N), any n; `shift` (n,) = 7^j."""
    length = message.shape[1]
    size = out.shape[1]
    x = np.zeros(8 * size, np.uint64)
    for first in range(start, stop, 8):
        width = min(8, stop - first)
        for i in range(width):
            for j in range(length):
                x[8 * j + i] = mul(message[first + i, j], shift[j])
        for j in range(length, size):
            copy_8(x, 8 * j, x, 8 * (j - length))
        transform_lanes(x, size, size // length, z)
        for i in range(width):
            for j in range(size):
                out[first + i, j] = x[8 * reversal[j] + i]
