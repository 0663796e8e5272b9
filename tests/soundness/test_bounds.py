"""The soundness bounds: a circuit that could wrap around p is refused, and without the refusal it proves something false.

So is a circuit with a tensor that nothing bounds, and one whose window table is not the function it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from soundness.malicious import Claimed, Lie, accepted, as_cells, forge, fraction, keys, leaves_of, outputs_of, run_field, run_graph
from strategies import QUIET

import ciro_zk.ops.linear
import ciro_zk.ops.products
import ciro_zk.ops.requantise
from ciro_zk.circuit.graph import GraphBuilder
from ciro_zk.circuit.op import CircuitError, CommitOp, Lookup
from ciro_zk.circuit.tensor import Storage, Tensor
from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.field.extension import P
from ciro_zk.lookup.tables import Clamp, Graph, Range, Sampled, Sign, Window
from ciro_zk.ops import AxisMap, Combine, Hadamard, MatMul, Maximum, RangeCheck, Requantise
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.program import Program

RELU = Graph(function=Clamp(minimum=0, maximum=7), low=-16, high=16)


def finished(b: GraphBuilder, output: int, weights: dict[int, Any] | None = None) -> Circuit:
    b.output("y", output, scale=1.0)
    return Circuit(b.build(), weights or {}, "bounds", 4, preset=QUIET)


@pytest.fixture
def unbounded(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lifts the bounds against wrapping; calling it restores them."""
    for module in (ciro_zk.ops.linear, ciro_zk.ops.products, ciro_zk.ops.requantise):
        monkeypatch.setattr(module, "HALF_FIELD", 1 << 200)
    return monkeypatch.undo


def refused(circuit: Circuit, reason: str) -> None:
    """The circuit's manifest is refused."""
    with pytest.raises(ProofFormatError) as error:
        Program.from_manifest(circuit.program.manifest)
    assert reason in error.value.reason


def test_requantisation_that_wraps(unbounded: Callable[[], None]) -> None:
    """x near p / 2^(B-t): the lowest limb may be a fraction, and q = 3 is proven for an x of 2^53."""
    b = GraphBuilder()
    limbs, relu = b.table(Range(bits=12)), b.table(RELU)
    x = b.input("x", (2,), low=-(1 << 54), high=1 << 54, scale=1.0)
    y, rem = b.add(Requantise(inputs=(x,), shift=1, tables=(relu,), range_table=limbs), "relu")
    circuit = finished(b, y)
    unbounded()
    # 2^11 (x + 1) - v = 2^12 q + p, v in [0, 2^12)
    q, v = 3, 2047
    assert (P + (q << 12) + v) % 2048 == 0
    value = (P + (q << 12) + v) // 2048 - 1
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, np.array([value, 4])))
    assert values[y][0] == 7  # the truth, clamped; though no table has that q
    values[y][0] = q

    def limb(cells: dict[int, Any]) -> None:
        cells[rem] = cells[rem].copy()
        cells[rem][0] = fraction(v, 1 << 11)

    assert accepted(vk, forge(pk, Claimed(values=values), Lie(cells=limb))).integer_outputs["y"].tolist() == [3, 2]
    refused(circuit, "would wrap around the field")


def wrapped_sum(build: Callable[[GraphBuilder, int, int], int], weights: Sequence[int]) -> tuple[Circuit, Callable[[], Any]]:
    """A circuit whose sums reach p, and the verification of a proof that says relu(2) for a sum of p + 8."""
    b = GraphBuilder()
    limbs, relu = b.table(Range(bits=4)), b.table(RELU)
    x = b.input("x", (1, 1, 2), low=-(1 << 59), high=1 << 59, scale=1.0)
    w = b.weight("w", (1, 2, 1), low=-128, high=127)
    acc = build(b, x, w)
    y, *_ = b.add(Requantise(inputs=(acc,), shift=2, tables=(relu,), range_table=limbs), "relu")
    circuit = finished(b, y, {w: np.array(weights).reshape(1, 2, 1)})

    def prove() -> Any:
        pk, vk = keys(circuit)
        first = (P + 8) // 127
        cells = run_field(circuit.graph, as_cells(leaves_of(pk, np.array([[[first, (P + 8) - 127 * first]]]))))
        return accepted(vk, forge(pk, Claimed(values=cells))).integer_outputs["y"].reshape(-1).tolist()

    return circuit, prove


def test_product_that_wraps(unbounded: Callable[[], None]) -> None:
    """127 x_0 + x_1 = p + 8 over the integers, 8 in the field."""
    circuit, prove = wrapped_sum(lambda b, x, w: b.add(MatMul(inputs=(x, w)), "dense")[0], [127, 1])
    unbounded()
    refused(circuit, "would wrap around the field")
    assert prove() == [2]


def test_combination_that_wraps(unbounded: Callable[[], None]) -> None:
    """The same sum, written as views."""

    def build(b: GraphBuilder, x: int, w: int) -> int:
        (first,) = b.add(AxisMap(inputs=(x,), axis=2, index=((0,),), weight=((127,),)))
        (second,) = b.add(AxisMap(inputs=(x,), axis=2, index=((1,),), weight=((1,),)))
        return b.add(Combine(inputs=(first, second), coefficients=(1, 1)))[0]

    circuit, prove = wrapped_sum(build, [1, 1])
    unbounded()
    refused(circuit, "would wrap around the field")
    assert prove() == [2]


def test_window_that_is_not_its_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function goes on rising outside the window; the table says it does not."""
    b = GraphBuilder()
    limbs, sign = b.table(Range(bits=4)), b.table(Sign(limit=20))
    with monkeypatch.context() as patch:
        patch.setattr(Window, "check", lambda self: None)
        window = b.table(Window(function=Sampled(low=-100, values=tuple(range(201))), low=-8, bits=4))
    x = b.input("x", (3,), low=-100, high=99, scale=1.0)
    y, *_ = b.add(Requantise(inputs=(x,), shift=0, tables=(sign, window), range_table=limbs), "rise")
    circuit = finished(b, y)
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, np.array([-90, 0, 90])))
    truth = values[y].copy()
    with pytest.raises(ProofRejected):  # the truth is in no row
        accepted(vk, forge(pk, Claimed(values=values)))
    values[y] = np.array([92, 100, 107])
    assert not np.array_equal(truth, values[y])
    assert accepted(vk, forge(pk, Claimed(values=values))).integer_outputs["y"].tolist() == [92, 100, 107]
    refused(circuit, "the function is not constant outside the window")


@dataclass(frozen=True, slots=True, kw_only=True)
class Free(CommitOp):
    """Commits a tensor and looks nothing up: any output passes."""

    kind: ClassVar[str] = "free"

    def infer(self, inputs: Sequence[Tensor], tables: Sequence[Any]) -> tuple[Tensor, ...]:
        return (Tensor(name="out", shape=inputs[0].shape, storage=Storage.WITNESS, low=0, high=7, bounded_by="nothing"),)

    def run(self, inputs: Sequence[Any], tables: Sequence[Any]) -> tuple[Any, ...]:
        return (np.clip(inputs[0], 0, 7),)

    def interval(self, inputs: Sequence[Any], tables: Sequence[Any]) -> tuple[Any, ...]:
        return (inputs[0],)

    def lookups(self, outputs: Sequence[int], inputs: Sequence[Tensor], tables: Sequence[Any]) -> tuple[Lookup, ...]:
        return ()


def test_committed_tensor_that_nothing_bounds() -> None:
    """The range ledger: without it the output is whatever the prover likes."""
    b = GraphBuilder()
    limbs, relu = b.table(Range(bits=4)), b.table(RELU)
    x = b.input("x", (3,), low=-8, high=7, scale=1.0)
    b.add(Requantise(inputs=(x,), shift=1, tables=(relu,), range_table=limbs), "relu")
    (y,) = b.add(Free(inputs=(x,)), "free")
    circuit = finished(b, y)
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, np.array([1, 2, 3])))
    values[y] = np.array([7, 0, 5])
    assert accepted(vk, forge(pk, Claimed(values=values))).integer_outputs["y"].tolist() == [7, 0, 5]
    with pytest.raises(CircuitError, match="no lookup bounds tensor"):
        circuit.program.validate()


def base() -> tuple[GraphBuilder, int, int, int]:
    b = GraphBuilder()
    return b, b.table(Range(bits=4)), b.table(RELU), b.input("x", (1, 1, 3), low=-8, high=7, scale=1.0)


def test_accumulator_used_without_requantisation() -> None:
    """An output, a factor, a maximum: nothing but a lookup may read an accumulator."""
    for use in ("output", "factor", "maximum"):
        b, limbs, relu, x = base()
        w = b.weight("w", (1, 3, 3), low=-8, high=7)
        (acc,) = b.add(MatMul(inputs=(x, w)), "dense")
        y, *_ = b.add(Requantise(inputs=(acc,), shift=3, tables=(relu,), range_table=limbs), "relu")
        if use == "factor":
            b.add(MatMul(inputs=(acc, w)), "dense")
        if use == "maximum":
            limbs = b.table(Range(bits=9))
            b.add(Maximum(inputs=(y, acc), range_table=limbs), "max")
        circuit = finished(b, acc if use == "output" else y, {w: np.ones((1, 3, 3), dtype=np.int64)})
        refused(circuit, "is used without requantisation")


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        (lambda x, limbs, relu: Requantise(inputs=(x,), shift=49, tables=(relu,), range_table=limbs), "a shift lies in"),
        (lambda x, limbs, relu: Requantise(inputs=(x,), shift=-1, tables=(relu,), range_table=limbs), "a shift lies in"),
        (lambda x, limbs, relu: Requantise(inputs=(x,), shift=1, tables=(relu,), range_table=relu), "is no range table"),
        (lambda x, limbs, relu: Requantise(inputs=(x,), shift=1, tables=(limbs,), range_table=limbs), "is no graph table"),
        (lambda x, limbs, relu: Requantise(inputs=(x,), shift=1, tables=(relu, relu), range_table=limbs), "is no sign table"),
        (lambda x, limbs, relu: Requantise(inputs=(x,), shift=1, tables=(7,), range_table=limbs), "is no graph table"),
        (lambda x, limbs, relu: Requantise(inputs=(9,), shift=1, tables=(relu,), range_table=limbs), "does not exist yet"),
        (lambda x, limbs, relu: Maximum(inputs=(x,), range_table=limbs), "takes 2 to 4 tensors"),
        (lambda x, limbs, relu: RangeCheck(inputs=(x,), range_table=limbs, low=-7, num_limbs=1), "do not make the range"),
        (lambda x, limbs, relu: RangeCheck(inputs=(x,), range_table=limbs, low=-8, num_limbs=9), "1 to 8 limbs"),
        (lambda x, limbs, relu: Hadamard(inputs=(x, x)), None),
        (lambda x, limbs, relu: AxisMap(inputs=(x,), axis=2, index=((3,),), weight=((1,),)), "outside axis"),
        (lambda x, limbs, relu: AxisMap(inputs=(x,), axis=2, index=((0,),), weight=((1 << 63,),)), "does not fit the field"),
        (lambda x, limbs, relu: Combine(inputs=(x,), coefficients=(P,)), "does not fit the field"),
        (lambda x, limbs, relu: Combine(inputs=(x,), coefficients=(1,), offset=1 << 63), "does not fit the field"),
    ],
)
def test_operators_keep_their_rules(op: Callable[[int, int, int], Any], reason: str | None) -> None:
    b, limbs, relu, x = base()
    if reason is None:
        b.add(op(x, limbs, relu))
        return
    with pytest.raises(CircuitError, match=reason):
        b.add(op(x, limbs, relu))


def test_maximum_of_differences_past_the_range_table() -> None:
    """Refused; a difference past the table would only make honest proofs fail."""
    b, limbs, _, x = base()
    (wide,) = b.add(Combine(inputs=(x,), coefficients=(9,)))
    with pytest.raises(CircuitError, match="do not fit the range table"):
        b.add(Maximum(inputs=(x, wide), range_table=limbs))


@pytest.mark.parametrize(("low", "high"), [(-8, 6), (0, 0), (0, 16), (-(1 << 15), 1 << 15)])
def test_weights_that_no_registration_covers(low: int, high: int) -> None:
    """high - low + 1 must be 2^(B m): the registration proves no other range."""
    b, limbs, relu, x = base()
    w = b.weight("w", (1, 3, 2), low=low, high=high)
    (acc,) = b.add(MatMul(inputs=(x, w)), "dense")
    y, *_ = b.add(Requantise(inputs=(acc,), shift=1, tables=(relu,), range_table=limbs), "relu")
    refused(finished(b, y, {w: np.zeros((1, 3, 2), dtype=np.int64)}), "do not make the range")


def test_outputs_are_what_the_field_says() -> None:
    """The helper of these tests reads cells as signed integers."""
    b, limbs, relu, x = base()
    y, *_ = b.add(Requantise(inputs=(x,), shift=1, tables=(relu,), range_table=limbs), "relu")
    circuit = finished(b, y)
    pk, _ = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, np.array([[[-8, 0, 7]]])))
    assert outputs_of(circuit.graph, as_cells(values))["y"].tolist() == values[y].tolist() == [[[0, 0, 4]]]
