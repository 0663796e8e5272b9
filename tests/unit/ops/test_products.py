"""Products: run against implementations of others, and the two factors' sumcheck identity.

sum_x f_1(x) f_2(x) = <term, y> for a term of one vector per axis, and each factor's table extends to the linear forms it stands for.
"""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from ciro_zk.circuit.factor import Factor
from ciro_zk.circuit.graph import as_field
from ciro_zk.circuit.op import HALF_FIELD, CircuitError, ProductOp
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.field.extension import ONE, total
from ciro_zk.kernels import plain_kernels
from ciro_zk.ops import Conv, Hadamard, MatMul
from ciro_zk.ops.products import exact_matmul
from ciro_zk.poly.linear_form import Dense, Eq, Term
from tests.unit.ops.checks import check_bounds, check_interval, random_values, tensor
from tests.unit.poly_forms.reference import SEEDS, from_table, mle, pair, random_point, random_table, random_term, spelled, value_of

KERNELS = plain_kernels()


def check_factors(op: ProductOp, inputs: list[Tensor], values: list[np.ndarray], y: np.ndarray, rng: np.random.Generator) -> None:
    """The identity of the product on one random separable term, and both factors at a random point."""
    term = Term(random_term(rng, y.shape, separate=True).groups)
    cells = {source: as_field(value) for source, value in zip(op.inputs, values, strict=True)}
    left, right = op.factors(term, inputs)
    assert left.num_vars == right.num_vars
    tables = [from_table(factor.table(KERNELS, cells)) for factor in (left, right)]
    assert tables[0].shape == tables[1].shape == (1 << left.num_vars,)
    summed = total(a * b for a, b in zip(tables[0].tolist(), tables[1].tolist(), strict=True))
    assert summed == pair(spelled(term), y)
    by_id = dict(zip(op.inputs, values, strict=True))
    for factor, table in zip((left, right), tables, strict=True):
        point = random_point(rng, factor.num_vars)
        assert mle(table, point) == value_of(factor.forms(factor.term(point)), by_id) + factor.constant_in(factor.term(point))


def check_op(op: ProductOp, inputs: list[Tensor], seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Bounds, intervals, factors; returns the operands and the product."""
    rng = np.random.default_rng(seed)
    values = [random_values(rng, x) for x in inputs]
    (y,) = check_bounds(op, inputs, values)
    check_interval(op, rng, inputs, fixed=(1,))
    check_interval(op, rng, inputs)
    (made,) = op.infer(inputs, ())
    assert made.storage is Storage.ACCUMULATOR
    check_factors(op, inputs, values, y, rng)
    return values, np.asarray(y)


# MatMul ----------------------------------------------------------------------------------------------------------------------------


def test_matmul_by_hand() -> None:
    x, w = np.array([[[1, 2], [3, 4]]]), np.array([[[5], [6]]])
    assert MatMul(inputs=(0, 1)).run([x, w], ())[0].tolist() == [[[17], [39]]]
    (made,) = MatMul(inputs=(0, 1)).infer([tensor((1, 2, 2), -3, 4), tensor((1, 2, 1), -6, 5)], ())
    assert (made.low, made.high) == (-48, 48)


@settings(max_examples=60)
@given(st.tuples(*[st.integers(1, 5)] * 4), SEEDS)
def test_matmul(dims: tuple[int, int, int, int], seed: int) -> None:
    b, s, k, o = dims
    inputs = [tensor((b, s, k), -9, 12), tensor((b, k, o), -128, 127)]
    (x, w), y = check_op(MatMul(inputs=(4, 2)), inputs, seed)
    expected = [[[sum(int(x[i, j, t]) * int(w[i, t, q]) for t in range(k)) for q in range(o)] for j in range(s)] for i in range(b)]
    assert y.tolist() == expected


def test_matmul_of_one_tensor_by_itself() -> None:
    check_factors(
        MatMul(inputs=(0, 0)),
        [tensor((2, 3, 3), -5, 5)] * 2,
        [x := np.random.default_rng(0).integers(-5, 6, (2, 3, 3)), x],
        x @ x,
        np.random.default_rng(1),
    )


def test_sums_past_2_to_the_53_are_exact() -> None:
    a = np.full((1, 2, 3), (1 << 30) + 1)
    b = np.full((1, 3, 1), (1 << 30) - 1)
    assert exact_matmul(a, b).tolist() == [[[3 * ((1 << 60) - 1)]] * 2]


@given(SEEDS, st.integers(20, 31))
def test_exact_matmul_on_either_side_of_the_float_limit(seed: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-(1 << bits), 1 << bits, (2, 3)), rng.integers(-(1 << bits), 1 << bits, (3, 2))
    expected = [[sum(int(a[i, k]) * int(b[k, j]) for k in range(3)) for j in range(2)] for i in range(2)]
    assert exact_matmul(a, b).tolist() == expected


# Conv --------------------------------------------------------------------------------------------------------------------------------


def naive_convolution(op: Conv, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """y[n, g, o, *p] = sum over c and i of w[g, o, c, *i] x[n, g, c, *(stride p + dilation i - pad)], from the definition."""
    rank = x.ndim - 3
    sizes = zip(x.shape[3:], w.shape[3:], op.strides, op.pads_begin, op.pads_end, op.dilations, strict=True)
    spatial = tuple((d + a + b - t * (k - 1) - 1) // s + 1 for d, k, s, a, b, t in sizes)
    y = np.zeros((x.shape[0], x.shape[1], w.shape[1], *spatial), dtype=np.int64)
    for cell in product(*map(range, y.shape)):
        n, g, o, *p = cell
        for c, *i in product(*map(range, w.shape[2:])):
            at = [op.strides[a] * p[a] + op.dilations[a] * i[a] - op.pads_begin[a] for a in range(rank)]
            if all(0 <= h < d for h, d in zip(at, x.shape[3:], strict=True)):
                y[cell] += w[(g, o, c, *i)] * x[(n, g, c, *at)]
    return y


def onnx_convolution(op: Conv, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The same by ONNX's reference implementation, in float64."""
    groups, rank = x.shape[1], x.ndim - 3
    node = helper.make_node(
        "Conv",
        ["x", "w"],
        ["y"],
        group=groups,
        strides=op.strides,
        pads=(*op.pads_begin, *op.pads_end),
        dilations=op.dilations,
        kernel_shape=w.shape[3:],
    )
    values = {
        "x": x.reshape(x.shape[0], -1, *x.shape[3:]).astype(np.float64),
        "w": w.reshape(-1, *w.shape[2:]).astype(np.float64),
    }
    infos = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, value.shape) for name, value in values.items()]
    out = helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None] * (2 + rank))
    model = helper.make_model(helper.make_graph([node], "conv", infos, [out]), opset_imports=[helper.make_opsetid("", 17)])
    onnx.checker.check_model(model)
    (y,) = ReferenceEvaluator(model).run(None, values)
    return np.rint(y).astype(np.int64).reshape(x.shape[0], groups, w.shape[1], *y.shape[2:])


def conv(strides: tuple[int, ...], begin: tuple[int, ...], end: tuple[int, ...], dilations: tuple[int, ...]) -> Conv:
    return Conv(inputs=(0, 1), strides=strides, pads_begin=begin, pads_end=end, dilations=dilations)


CONVOLUTIONS = {
    "1-d": ((1, 1, 1, 6), (1, 1, 1, 3), conv((1,), (0,), (0,), (1,))),
    "1-d, stride, dilation, one-sided pad, batch": ((2, 1, 3, 7), (1, 2, 3, 2), conv((2,), (3,), (0,), (3,))),
    "2-d": ((1, 1, 2, 5, 4), (1, 3, 2, 3, 2), conv((1, 1), (0, 0), (0, 0), (1, 1))),
    "2-d, same pads": ((1, 1, 2, 4, 4), (1, 2, 2, 3, 3), conv((1, 1), (1, 1), (1, 1), (1, 1))),
    "2-d, asymmetric pads, strides, dilations, batch": ((3, 1, 2, 5, 6), (1, 3, 2, 2, 3), conv((2, 3), (0, 2), (3, 1), (1, 2))),
    "2-d, groups": ((2, 3, 2, 4, 3), (3, 2, 2, 2, 2), conv((1, 2), (1, 0), (0, 1), (1, 1))),
    "2-d, depthwise": ((1, 5, 1, 4, 4), (5, 1, 1, 3, 3), conv((1, 1), (1, 1), (1, 1), (1, 1))),
    "2-d, kernel as large as the image": ((1, 1, 2, 3, 3), (1, 4, 2, 3, 3), conv((1, 1), (0, 0), (0, 0), (1, 1))),
    "2-d, pad wider than the kernel": ((1, 1, 1, 2, 2), (1, 1, 1, 2, 2), conv((1, 1), (3, 0), (4, 0), (1, 1))),
    "3-d": ((1, 1, 2, 3, 4, 3), (1, 2, 2, 2, 3, 2), conv((1, 1, 1), (0, 0, 0), (0, 0, 0), (1, 1, 1))),
    "3-d, everything": ((2, 2, 1, 3, 4, 3), (2, 2, 1, 2, 2, 2), conv((2, 1, 2), (1, 0, 1), (0, 2, 1), (1, 2, 1))),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_against_onnx(name: str) -> None:
    x, w, op = CONVOLUTIONS[name]
    (a, b), y = check_op(op, [tensor(x, -11, 9), tensor(w, -128, 127)], len(name))
    assert np.array_equal(y, onnx_convolution(op, a, b))


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], Conv]:
    rank = draw(st.integers(1, 2))
    n, g, o, c = (draw(st.integers(1, high)) for high in (2, 2, 3, 2))
    axes = []
    for _ in range(rank):
        size, kernel, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
        begin, end, stride = draw(st.integers(0, 3)), draw(st.integers(0, 3)), draw(st.integers(1, 3))
        end += max(0, dilation * (kernel - 1) + 1 - size - begin - end)
        axes.append((size, kernel, stride, begin, end, dilation))
    sizes, kernels, strides, begins, ends, dilations = zip(*axes, strict=True)
    return (n, g, c, *sizes), (g, o, c, *kernels), conv(strides, begins, ends, dilations)


@settings(max_examples=80)
@given(convolutions(), SEEDS)
def test_convolution(case: tuple[tuple[int, ...], tuple[int, ...], Conv], seed: int) -> None:
    x, w, op = case
    (a, b), y = check_op(op, [tensor(x, -11, 9), tensor(w, -128, 127)], seed)
    assert np.array_equal(y, naive_convolution(op, a, b))


# Hadamard ------------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=4), SEEDS)
def test_hadamard_with_broadcasting(axes: list[tuple[int, bool]], seed: int) -> None:
    x, w = tuple(d for d, _ in axes), tuple(1 if broadcast else d for d, broadcast in axes)
    (a, b), y = check_op(Hadamard(inputs=(1, 0)), [tensor(x, -20, 3), tensor(w, -7, 100)], seed)
    for cell in product(*map(range, x)):
        assert y[cell] == int(a[cell]) * int(b[tuple(i if d > 1 else 0 for i, d in zip(cell, w, strict=True))])


def test_a_square_is_a_hadamard_product_with_itself() -> None:
    x = np.arange(-3, 3).reshape(2, 3)
    check_factors(Hadamard(inputs=(0, 0)), [tensor((2, 3), -3, 2)] * 2, [x, x], x * x, np.random.default_rng(0))


# Intervals -----------------------------------------------------------------------------------------------------------------------------


def test_the_interval_of_a_product_with_known_weights_is_tight() -> None:
    low, high = np.array([[[-2, 0]]]), np.array([[[3, 4]]])
    w = np.array([[[5], [-1]]])
    ((bottom, top),) = MatMul(inputs=(0, 1)).interval([(low, high), (w, w)], ())
    assert (bottom.item(), top.item()) == (-2 * 5 - 4, 3 * 5 - 0)


# Factors by hand -----------------------------------------------------------------------------------------------------------------------


def test_a_factors_padding_is_zero_in_the_table_and_absent_from_the_form() -> None:
    """x of shape (3,) in a Hadamard product: the fourth cell of the table is 0."""
    op, inputs = Hadamard(inputs=(0, 1)), [tensor((3,), 0, 9), tensor((3,), 0, 9)]
    term = Term((Dense(np.array([[1, 1, 1], [0, 0, 0]], dtype=np.uint64)),))
    left, right = op.factors(term, inputs)
    cells = {0: as_field(np.array([4, 5, 6])), 1: as_field(np.array([1, 2, 3]))}
    assert left.table(KERNELS, cells)[0].tolist() == [4, 5, 6, 0]
    assert right.table(KERNELS, cells)[0].tolist() == [1, 2, 3, 0]
    ((_, form),) = right.forms(right.term((ONE, ONE)))  # the padding cell's corner
    assert value_of([(1, form)], {1: np.array([1, 2, 3])}) == total([])


def test_a_factor_of_a_constant_and_several_tensors() -> None:
    """The form of a zero check's column, with a constant that padding cells do not have."""
    from ciro_zk.circuit.factor import Keep

    rng = np.random.default_rng(5)
    factor = Factor(tensors=((0, 3), (1, 2**64 - 2**32)), shape=(3, 2), view=(3, 2), roles=(Keep(), Keep()), constant=11)
    a, b = rng.integers(-9, 9, (3, 2)), rng.integers(-9, 9, (3, 2))
    table = from_table(factor.table(KERNELS, {0: as_field(a), 1: as_field(b)}))
    padded = np.zeros((4, 2), dtype=object)
    padded[:3] = 3 * a - b + 11
    assert [(v.c0, v.c1) for v in table] == [(int(c) % (2**64 - 2**32 + 1), 0) for c in padded.reshape(-1)]
    point = random_point(rng, 3)
    assert mle(table, point) == value_of(factor.forms(factor.term(point)), {0: a, 1: b}) + factor.constant_in(factor.term(point))


# Refusals ------------------------------------------------------------------------------------------------------------------------------

CONV = conv((1, 1), (0, 0), (0, 0), (1, 1))


@pytest.mark.parametrize(
    ("op", "x", "w", "reason"),
    [
        (MatMul(inputs=(0, 1)), (1, 2, 3), (1, 2, 3), "cannot multiply"),
        (MatMul(inputs=(0, 1)), (2, 2, 3), (1, 3, 3), "cannot multiply"),
        (MatMul(inputs=(0, 1)), (2, 3), (3, 3), "cannot multiply"),
        (Hadamard(inputs=(0, 1)), (2, 3), (3,), "does not broadcast"),
        (Hadamard(inputs=(0, 1)), (1, 3), (2, 3), "does not broadcast"),
        (CONV, (1, 1, 2, 4), (1, 1, 2, 3), "one stride, pad and dilation per spatial axis"),
        (CONV, (1, 1, 2), (1, 1, 2), "one stride, pad and dilation per spatial axis"),
        (CONV, (1, 1, 2, 4, 4), (1, 1, 2, 3), "one stride, pad and dilation per spatial axis"),
        (CONV, (1, 2, 2, 4, 4), (1, 1, 2, 3, 3), "groups and channels"),
        (CONV, (1, 1, 2, 4, 4), (1, 1, 3, 3, 3), "groups and channels"),
        (CONV, (1, 1, 2, 4, 4), (1, 1, 2, 3, 5), "does not fit"),
        (conv((0, 1), (0, 0), (0, 0), (1, 1)), (1, 1, 2, 4, 4), (1, 1, 2, 3, 3), "at least 1"),
        (conv((1, 1), (0, 0), (0, 0), (1, 0)), (1, 1, 2, 4, 4), (1, 1, 2, 3, 3), "at least 1"),
        (conv((1, 1), (0, -1), (0, 0), (1, 1)), (1, 1, 2, 4, 4), (1, 1, 2, 3, 3), "pads at least 0"),
        (conv((1, 1), (0, 0), (-1, 0), (1, 1)), (1, 1, 2, 4, 4), (1, 1, 2, 3, 3), "pads at least 0"),
    ],
)
def test_refusals(op: ProductOp, x: tuple[int, ...], w: tuple[int, ...], reason: str) -> None:
    with pytest.raises(CircuitError, match=reason):
        op.infer([tensor(x, -1, 1), tensor(w, -1, 1)], ())


def test_sums_that_could_wrap_around_the_field_are_refused() -> None:
    k = 4
    limit = (HALF_FIELD - 1) // k
    MatMul(inputs=(0, 1)).infer([tensor((1, 1, k), -limit, 0), tensor((1, k, 1), -1, 1)], ())
    with pytest.raises(CircuitError, match="wrap around"):
        MatMul(inputs=(0, 1)).infer([tensor((1, 1, k), -limit - 1, 0), tensor((1, k, 1), -1, 1)], ())
    with pytest.raises(CircuitError, match="wrap around"):
        CONV.infer([tensor((1, 1, 2, 2, 2), 0, 1 << 40), tensor((1, 1, 2, 2, 2), 0, 1 << 20)], ())
    with pytest.raises(CircuitError, match="wrap around"):
        Hadamard(inputs=(0, 1)).infer([tensor((2,), 0, 1 << 32), tensor((2,), -(1 << 31), 0)], ())


@pytest.mark.parametrize("op", [MatMul(inputs=(0, 1)), Hadamard(inputs=(0, 1))])
def test_a_form_that_does_not_separate_is_refused(op: ProductOp) -> None:
    shape = (2, 2, 2)
    term = Term((Dense(random_table(np.random.default_rng(0), 2, 2)), Eq((ONE,), 2)))
    with pytest.raises(CircuitError, match="one vector per axis"):
        op.factors(term, [tensor(shape, 0, 1), tensor(shape, 0, 1)])


def test_factors_have_as_many_variables_as_the_common_axes() -> None:
    x, w, op = CONVOLUTIONS["2-d, groups"]
    term = Term(tuple(Eq((), 1) if d == 1 else Dense(random_table(np.random.default_rng(0), d)) for d in (2, 3, 2, 4, 2)))
    left, right = op.factors(term, [tensor(x, 0, 1), tensor(w, 0, 1)])
    assert left.num_vars == right.num_vars == 2 + 1 + 1 + 1  # groups, channels, kernel rows, kernel columns
    assert prod(right.shape) == 3 * 2 * 2 * 2 * 2
