"""Negative tests: the malicious prover commits to a lie, computes everything after it honestly, and is rejected where the lie shows.

Protocol.md, section 10 (bugs that others had), where each is tested:

    opened values not absorbed; layer evaluations, LogUp sum or       test_transcript: every message kind changes the next challenge
      challenges not bound; final message not absorbed
    batching challenge drawn before the claims                        test_transcript: the order of messages and challenges
    final message of unchecked length, wrong lengths, duplicate or    test_transcript, test_bytes: lengths follow from the program,
      missing queries, non-canonical elements, trailing bytes           positions are the verifier's own; test_no_decoration: encodings
    a prover-claimed evaluation trusted                               below: accumulator and factor values; test_no_decoration: each claim
    a public input missing from the statement                         test_no_decoration: the statement must be bound
    consistency checked at one point only                             test_no_decoration: each oracle and each level of the opening
    prover-supplied tables                                            below: another table's rows; contents are in the program digest
    integer wrap                                                      below, test_bounds
    challenges replayed from a fresh transcript                       test_replay
    padding cells used                                                below: padding leaves; test_harness: random padding
    an operator left unproven but reported as verified                below: near twins of every operator
    unchecked division advice, sign of zero                           not yet: there is no Div
    sorting or TopK without multiplicities                            test_function_twins: TopK is rounds of maxima
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from soundness import attacks
from soundness.attacks import Attempt, change, plus, toy_lie
from soundness.malicious import (
    Claimed,
    Lie,
    Malicious,
    accepted,
    committed_weights,
    elements,
    forge,
    fraction,
    honest,
    kernels,
    keys,
    leaves_of,
    outputs_of,
    run_graph,
    with_op,
    with_table,
)
from strategies import ABS, RELU, tensor_ids, tiny, tiny_input, toy, toy_input

from ciro_zk.circuit.graph import Graph, as_field
from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.field import arrays
from ciro_zk.field.extension import Ext, P
from ciro_zk.lookup.tables import Clamp, Sampled, round_shift
from ciro_zk.lookup.tables import Graph as GraphTable

IDS = tensor_ids(toy())
LOOKUP = ("lookup", "a layer's fractions do not add up to the claim")
PRODUCTS = ("products", "the factors' values do not meet the sumcheck's claim")
OPENING = ("opening", "the linear forms at the final point do not meet the sumcheck's claim")


def toy_values(overrides: Mapping[int, Callable[[Mapping[int, Any]], Any]] | None = None, graph: Graph | None = None) -> dict[int, Any]:
    pk, _ = keys(toy())
    return run_graph(graph or toy().graph, leaves_of(pk, toy_input()), overrides)


def rejected(values: Mapping[int, Any], lie: Lie | None = None, **claimed: Any) -> tuple[str, str]:
    """Stage and reason of the rejection of a toy proof."""
    pk, vk = keys(toy())
    with pytest.raises(ProofRejected) as error:
        accepted(vk, forge(pk, Claimed(values=values, **claimed), lie))
    return error.value.stage, error.value.reason


# Public tensors ------------------------------------------------------------------------------------------------------------------


def test_false_public_input() -> None:
    """The witness is another input's."""
    with pytest.raises(ProofRejected) as error:
        attacks.false_input()()
    assert (error.value.stage, error.value.reason) == OPENING


@pytest.mark.parametrize("off", [1, -1, 50])
@pytest.mark.parametrize("index", [0, 11, 23])
def test_false_public_output(index: int, off: int) -> None:
    """The statement's output is off, the witness is honest."""
    values = toy_values()
    outputs = outputs_of(toy().graph, values)
    outputs["y"] = outputs["y"].copy()
    outputs["y"][index] += off if abs(outputs["y"][index] + off) <= 127 else -off
    assert rejected(values, outputs=outputs) == OPENING


@pytest.mark.parametrize("value", [128, -128, 1 << 40, -(1 << 63), (1 << 63) - 1])
def test_output_out_of_range(value: int) -> None:
    """Every encoding of an output beside the canonical one is out of its range."""
    values = toy_values()
    outputs = outputs_of(toy().graph, values)
    outputs["y"] = outputs["y"].copy()
    outputs["y"][5] = value
    assert rejected(values, outputs=outputs) == ("statement", "output 'y' is out of range")


def test_y_and_y_plus_p_do_not_both_pass() -> None:
    """Also where both are int64: outputs within 2^32 of 2^63."""
    circuit = attacks.high_output()
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, np.array([0, 1, 2, 7])))
    assert accepted(vk, forge(pk, Claimed(values=values))).integer_outputs["z"][0] == 2**63 - 2**32 + 1
    with pytest.raises(ProofRejected) as error:
        attacks.output_wrapped()()
    assert (error.value.stage, error.value.reason) == ("statement", "output 'z' is out of range")


def test_input_that_wraps() -> None:
    """Integers in int64 whose image in the field makes a small sum."""
    with pytest.raises(ProofRejected) as error:
        attacks.input_wrapped()()
    assert (error.value.stage, error.value.reason) == ("statement", "input 'x' is out of range")


def test_output_of_the_witness_off_by_one() -> None:
    """The committed output is off too: its row is in no table."""
    for name, amount in (("y.out", -1), ("relu.out", 1), ("average.out", 1)):
        attempt = toy_lie({name: amount})
        with pytest.raises(ProofRejected) as error:
            attempt()
        assert (error.value.stage, error.value.reason, error.value.round) == (*LOOKUP, 0)


# Rounding and overflow -----------------------------------------------------------------------------------------------------------


def rounding(tensor: int, q_of: Callable[[Any], Any], shift: int, source: int) -> dict[int, Callable[[Mapping[int, Any]], Any]]:
    """relu's out and rem for another q, consistent in x + 2^(s-1) = 2^s q + rem."""
    return {
        tensor: lambda values: RELU(q_of(values[source])),
        tensor + 1: lambda values: values[source] + (1 << (shift - 1)) - (q_of(values[source]) << shift),
    }


BIASED = IDS["relu.out"] - 1


@pytest.mark.parametrize(
    "q_of",
    [
        lambda x: round_shift(x, 8) + 1,
        lambda x: round_shift(x, 8) - 1,
        lambda x: x >> 8,  # floor instead of half up
        lambda x: -(-x >> 8),  # ceiling
        lambda x: np.trunc(x / 256).astype(np.int64),
    ],
    ids=["up", "down", "floor", "ceiling", "truncate"],
)
def test_wrong_rounding(q_of: Callable[[Any], Any]) -> None:
    """q, rem and out agree with each other, but rem leaves [0, 2^s)."""
    assert rejected(toy_values(rounding(IDS["relu.out"], q_of, 8, BIASED))) == LOOKUP


@pytest.mark.parametrize("tie", [4, 12, 20, -4, -12, -20])
def test_half_goes_up(tie: int) -> None:
    """A tie is proven to go up, for negatives too; the other side of it (half down, half to even, away from zero) is refuted."""
    pk, vk = keys(tiny())
    ids = tensor_ids(tiny())
    inputs = np.stack(np.meshgrid(*[np.arange(-8, 8)] * 4), axis=-1).reshape(-1, 1, 1, 4)
    sums = inputs @ pk.weights[ids["w"]]
    x = inputs[np.argmax((sums[:, 0, 0, 0] == tie) & (np.abs(sums) < 400).all(axis=(1, 2, 3)))]
    values = run_graph(tiny().graph, leaves_of(pk, x))
    assert values[ids["dense"]][0, 0, 0] == tie
    assert values[ids["relu.rem0"]][0, 0, 0] == 0
    assert accepted(vk, forge(pk, Claimed(values=values))).integer_outputs["y"][0, 0, 0] == np.clip((tie + 4) // 8, 0, 7)
    values[ids["relu.out"]][0, 0, 0] = np.clip((tie - 4) // 8, 0, 7)
    values[ids["relu.rem0"]][0, 0, 0] = 8
    with pytest.raises(ProofRejected) as error:
        accepted(vk, forge(pk, Claimed(values=values)))
    assert (error.value.stage, error.value.reason) == LOOKUP


@pytest.mark.parametrize("amount", [1 << 8, -(1 << 8), 1 << 40])
def test_remainder_out_of_range(amount: int) -> None:
    """rem + 2^s k with q - k: the same sum."""

    def out(values: Mapping[int, Any]) -> Any:
        q = round_shift(values[BIASED], 8).copy()
        q.reshape(-1)[0] -= amount >> 8
        return RELU(q)

    overrides = {IDS["relu.out"]: out, IDS["relu.rem0"]: plus(IDS["relu.rem0"], amount)}
    assert rejected(toy_values(overrides)) == LOOKUP


def tiny_cells(edit: Callable[[dict[int, Any]], None]) -> tuple[str, str]:
    """The rejection of a tiny proof whose cells (field elements) were edited."""
    pk, vk = keys(tiny())
    values = run_graph(tiny().graph, leaves_of(pk, tiny_input()))
    with pytest.raises(ProofRejected) as error:
        accepted(vk, forge(pk, Claimed(values=values), Lie(cells=edit)))
    return error.value.stage, error.value.reason


def with_q(q: int) -> Callable[[dict[int, Any]], None]:
    """The first cell's rem solved in the field for a q of choice, out to match: rem = x + 4 - 8 q mod p."""
    ids = tensor_ids(tiny())

    def edit(cells: dict[int, Any]) -> None:
        x = int(cells[ids["dense"]][0])
        cells[ids["relu.rem0"]] = cells[ids["relu.rem0"]].copy()
        cells[ids["relu.rem0"]][0] = (x + 4 - 8 * q) % P
        cells[ids["relu.out"]] = cells[ids["relu.out"]].copy()
        cells[ids["relu.out"]][0] = min(max(q if q < P // 2 else q - P, 0), 7)

    return edit


@pytest.mark.parametrize("q", [P // 8, P // 8 + 1, (P + 1) // 2, P // 16, 3 * P // 8, fraction(1, 8), fraction(-3, 8), fraction(1, 3)])
def test_q_shifted_by_p_over_a_power_of_two(q: int) -> None:
    """x + 2^(s-1) = 2^s q + rem holds modulo p for many q; one of (q, out) and rem is always out of its table."""
    assert tiny_cells(with_q(q)) == LOOKUP


@pytest.mark.parametrize("limb", [fraction(1, 2), fraction(3, 2), fraction(1, 8), P - 1, 1 << 32])
def test_limb_that_is_no_small_integer(limb: int) -> None:
    """The lowest limb is looked up times 2^(B-t): a multiple of a half is in the range table, but then q is none."""
    ids = tensor_ids(tiny())

    def edit(cells: dict[int, Any]) -> None:
        cells[ids["relu.rem0"]] = cells[ids["relu.rem0"]].copy()
        cells[ids["relu.rem0"]][0] = limb

    assert tiny_cells(edit) == LOOKUP


@pytest.mark.parametrize("factor", [1, -1, 2])
def test_overflow_by_p(factor: int) -> None:
    """out = y + p has no encoding of its own: y + p is y as a cell, and 2^64 - p more as a word, which is refused."""
    ids = tensor_ids(tiny())
    pk, vk = keys(tiny())
    values = run_graph(tiny().graph, leaves_of(pk, np.zeros((1, 1, 4), dtype=np.int64)))
    cells = {i: as_field(v) for i, v in values.items()}
    word = (int(cells[ids["relu.out"]][0]) + factor * P) % (1 << 64)
    if word >= P:
        lie = Lie(codewords=lambda codewords: np.where(codewords == 0, np.uint64(P), codewords))
        with pytest.raises(ProofFormatError) as error:
            accepted(vk, forge(pk, Claimed(values=values), lie))
        assert error.value.field == "columns"
    else:

        def edit(cells: dict[int, Any]) -> None:
            cells[ids["relu.out"]] = cells[ids["relu.out"]].copy()
            cells[ids["relu.out"]][0] = word

        assert tiny_cells(edit) == LOOKUP


# Weights -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [8, -9, -20, 1 << 40, fraction(1, 2), fraction(-1, 3), (P - 1) // 2])
def test_weight_out_of_range(cell: int) -> None:
    """The registration's range check: integers beyond the range, and field elements that are no small integers."""
    attempt = attacks.forged_weights(cell)
    with pytest.raises(ProofRejected) as error:
        attempt()
    assert (error.value.stage, error.value.reason) == ("registration", ": ".join(LOOKUP))


@pytest.mark.parametrize("cell", [-8, 0, 7])
def test_weight_at_the_ends_of_its_range(cell: int) -> None:
    attacks.forged_weights(cell)()


def test_weight_out_of_range_with_limbs() -> None:
    """Two limbs: the top one, virtual, is out of range, or the committed one is chosen to bring it back."""
    circuit = toy()
    pk, _ = keys(circuit)
    cells = attacks.as_cells(pk.weights)
    bias = IDS["bias"]
    for value in (1 << 15, -(1 << 15) - 1, fraction(1, 256)):
        cells[bias] = as_field(pk.weights[bias]).copy()
        cells[bias][0] = value % P
        committed = attacks.commit_cells(circuit.program, cells)
        registration = circuit.program.registration
        assert registration is not None
        limb = next(i for i, t in enumerate(registration.graph.tensors) if t.name.endswith("limb0") and t.size == 4)

        def chosen(values: dict[int, Any], limb: int = limb, value: int = value) -> None:
            values[limb] = values[limb].copy()
            values[limb][0] = (value + (1 << 15) - 256 * 255) % P

        for lie in (None, Lie(cells=chosen)):
            vk = attacks.forged_registration(circuit.program, committed, cells, lie)
            with pytest.raises(ProofRejected) as error:
                attacks.Attempt(vk, honest(circuit, toy_input())[2])()
            assert error.value.stage == "statement"  # the honest proof is for other weights
            with pytest.raises(ProofRejected) as error, attacks.forgotten_registrations():
                attacks.check_key(vk)
            assert (error.value.stage, error.value.reason) == ("registration", ": ".join(LOOKUP))


def test_weights_that_are_not_committed_to() -> None:
    """The right root in the statement, other weights in the proof: their own tree does not lead to the root, the right tree's columns
    do not fold to their message."""
    pk, _ = keys(toy())
    weights = dict(pk.weights)
    weights[IDS["w2"]] = weights[IDS["w2"]] + 1
    other = attacks.commit_cells(toy().program, attacks.as_cells(weights))
    values = run_graph(toy().graph, leaves_of(pk, toy_input()) | weights)
    right = committed_weights(kernels(), pk)
    assert rejected(values, weights=other, root=right.root) == ("merkle", "level 0, oracle 0: the opening does not lead to the root")
    mixed = replace(right, cells=other.cells)
    assert rejected(values, weights=mixed, root=right.root) == OPENING


# Near twins ----------------------------------------------------------------------------------------------------------------------


def second_largest(values: Mapping[int, Any]) -> Any:
    left, right = (values[i] for i in toy().graph.producer(IDS["max.max"]).op.inputs)
    return np.minimum(left, right)


def sampled(function: Callable[[int], int]) -> Sampled:
    return Sampled(low=-300, values=tuple(function(q) for q in range(-300, 301)))


TWINS: dict[str, tuple[Graph, tuple[str, str]]] = {
    "Abs for Relu": (with_table(toy().graph, 1, GraphTable(function=ABS, low=-300, high=300)), LOOKUP),
    "Neg for Relu": (with_table(toy().graph, 1, GraphTable(function=sampled(lambda q: -q), low=-300, high=300)), LOOKUP),
    "LeakyRelu for Relu": (
        with_table(toy().graph, 1, GraphTable(function=Clamp(minimum=-127, maximum=127, numerator=1, shift=3), low=-300, high=300)),
        LOOKUP,
    ),
    "Identity for Relu": (with_table(toy().graph, 1, GraphTable(function=Clamp(minimum=-300, maximum=300), low=-300, high=300)), LOOKUP),
    "no clamp": (with_table(toy().graph, 1, GraphTable(function=Clamp(minimum=0, maximum=300), low=-300, high=300)), LOOKUP),
    "another shift": (with_op(toy().graph, IDS["relu.out"], shift=7), LOOKUP),
    "another multiplier of the average": (with_op(toy().graph, IDS["average.out"] - 1, weight=((2, 1), (2, 1))), OPENING),
    "another row in the average": (with_op(toy().graph, IDS["average.out"] - 1, index=((0, 1), (2, 1))), OPENING),
    "maximum of other columns": (with_op(toy().graph, IDS["max.max"] - 2, index=((0,), (3,))), OPENING),
    "no bias": (with_op(toy().graph, BIASED, coefficients=(1, 0)), OPENING),
    "bias subtracted": (with_op(toy().graph, BIASED, coefficients=(1, -1)), OPENING),
    "another bias row": (with_op(toy().graph, BIASED - 1, index=((0,), (0,), (0,), (0,)), weight=((1,), (1,), (1,), (2,))), OPENING),
}


@pytest.mark.parametrize("name", TWINS)
def test_near_twin(name: str) -> None:
    """The witness of another operator, everything after it honest, under the program's digest."""
    graph, verdict = TWINS[name]
    values = toy_values(graph=graph)
    assert any(not np.array_equal(a, toy_values()[i]) for i, a in values.items())
    assert rejected(values) == verdict


def test_maximum_that_is_second_largest() -> None:
    assert rejected(toy_values({IDS["max.max"]: second_largest})) == LOOKUP


@pytest.mark.parametrize("above", [1, 3, 100])
def test_maximum_above_all_operands(above: int) -> None:
    """The ranges hold; the zero check is violated in one cell."""
    assert rejected(toy_values({IDS["max.max"]: plus(IDS["max.max"], above)})) == PRODUCTS


def test_convolution_of_a_flipped_kernel_and_transposed_matmul() -> None:
    """A product with another operand: the batched sumcheck."""
    conv, dense = toy().graph.producer(IDS["conv"]).op, toy().graph.producer(IDS["dense"]).op

    def flipped(values: Mapping[int, Any]) -> Any:
        x, w = (values[i] for i in conv.inputs)
        return conv.run([x, w[..., ::-1, ::-1]], ())[0]

    def permuted(values: Mapping[int, Any]) -> Any:
        x, w = (values[i] for i in dense.inputs)
        return dense.run([x[..., ::-1], w], ())[0]

    assert rejected(toy_values({IDS["conv"]: flipped})) == PRODUCTS
    assert rejected(toy_values({IDS["dense"]: permuted})) == PRODUCTS


def test_window_of_the_wrong_sign() -> None:
    """A window's sign and offset say where q is: each alone is refuted by its table."""
    for name in ("y.sign", "y.offset"):
        for amount in (1, -1):
            values = toy_values({IDS[name]: plus(IDS[name], amount)})
            assert rejected(values) == LOOKUP
    # q - 256 with sign and out of the saturated side: (h, sign) is a row, x is not what it says
    moved = {IDS["y.offset"]: plus(IDS["y.offset"], -256), IDS["y.sign"]: plus(IDS["y.sign"], 1)}
    assert rejected(toy_values(moved)) == LOOKUP


# Lookups -------------------------------------------------------------------------------------------------------------------------


def multiplicity(table: int) -> int:
    return toy().program.plan.multiplicity(table)


@pytest.mark.parametrize("table", range(5))
@pytest.mark.parametrize("changes", [{0: 1}, {0: -1}, {1: 1, 2: -1}, {0: 7, 3: P - 7}, {4: (P - 1) // 2, 5: (P + 1) // 2}])
def test_forged_multiplicities(table: int, changes: Mapping[int, int]) -> None:
    """Of rows looked up, of rows not looked up, and changes that cancel modulo p."""

    def edit(cells: dict[int, Any]) -> None:
        m = multiplicity(table)
        cells[m] = cells[m].copy()
        for row, amount in changes.items():
            cells[m][row] = (int(cells[m][row]) + amount) % P

    stage_reason = rejected(toy_values(), Lie(cells=edit, count=False))
    assert stage_reason == LOOKUP


@pytest.mark.parametrize("layers", [1, 6, 11])
def test_false_row_hidden_from_the_first_layers(layers: int) -> None:
    with pytest.raises(ProofRejected) as error:
        attacks.false_row(layers)()
    assert (error.value.stage, error.value.reason, error.value.round) == (*LOOKUP, layers)


def test_false_row_hidden_from_all_layers() -> None:
    with pytest.raises(ProofRejected) as error:
        attacks.false_row(12)()
    assert (error.value.stage, error.value.reason) == OPENING


def leaf_of(proving: Malicious, table: int, number: int = 0) -> Any:
    """The segment of a table's lookup."""
    found = [i for i, lookup in enumerate(proving.plan.lookups) if lookup.table == table]
    return next(s for s in proving.plan.segments if not s.is_table and s.index == found[number])


def test_another_tables_row() -> None:
    """(q, |q|) is a row of table 4, not of relu's table 1. The honest id is in no table; the wrong id is not the verifier's."""

    def absolute(values: Mapping[int, Any]) -> Any:
        return ABS(round_shift(values[BIASED], 8))

    values = toy_values({IDS["relu.out"]: absolute})
    assert rejected(values) == LOOKUP

    def counted(cells: dict[int, Any]) -> None:
        """The lookups of relu are counted in the other table."""
        q = round_shift(values[BIASED], 8).reshape(-1)
        cells[multiplicity(1)] = np.zeros(601, dtype=np.uint64)
        cells[multiplicity(4)] = cells[multiplicity(4)] + np.bincount(q + 300, minlength=601).astype(np.uint64)

    def moved(proving: Malicious, num: Any, den: Any) -> None:
        segment = leaf_of(proving, 1)
        for i in range(segment.offset, segment.offset + segment.size):
            change(den, i, arrays.get(den, i) - Ext(3))  # alpha - 5 - ... in place of alpha - 2 - ...

    assert rejected(values, Lie(cells=counted, count=False, leaves=moved)) == OPENING


def test_padding_leaves_used() -> None:
    """A false row is cancelled by a fraction in a leaf that belongs to no cell."""

    def cancelled(proving: Malicious, num: Any, den: Any) -> None:
        used = np.zeros(num.shape[1], dtype=bool)
        for segment in proving.plan.segments:
            used[segment.offset : segment.offset + segment.size] = True
        segment = leaf_of(proving, 1)
        free = int(np.nonzero(~used)[0][0])
        change(num, free, Ext(P - 1))
        change(den, free, arrays.get(den, segment.offset))

    values = toy_values({IDS["relu.out"]: plus(IDS["relu.out"], 1)})
    assert rejected(values, Lie(leaves=cancelled)) == OPENING


def test_fractions_of_cells_that_are_not_committed() -> None:
    """Numerators or denominators made up after the challenges: their forms do not open."""
    for attempt in (attacks.omitted_numerators(), attacks.omitted_denominators()):
        with pytest.raises(ProofRejected) as error:
            replace(attempt, proof=attempt.proof)()
        assert (error.value.stage, error.value.reason) == OPENING


def test_zero_denominator() -> None:
    with pytest.raises(ProofRejected) as error:
        attacks.zero_denominator()()
    assert (error.value.stage, error.value.reason) == ("lookup", "the product of all denominators is zero")
    # without any luck with alpha: a root denominator of zero is simply said
    assert rejected(toy_values(), Lie(messages={("root denominator", 0): lambda data: bytes(16)})) == (
        "lookup",
        "the product of all denominators is zero",
    )


# Messages ------------------------------------------------------------------------------------------------------------------------


def one_more(data: bytes) -> bytes:
    """The first element plus one."""
    return bytes(elements(data[:16])[0] + Ext(1)) + data[16:]


def one_more_word(data: bytes) -> bytes:
    return ((int.from_bytes(data[:8], "little") + 1) % P).to_bytes(8, "little") + data[8:]


def flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


MERKLE = ("merkle", "level 0, oracle 0: the opening does not lead to the root")


@pytest.mark.parametrize(
    ("message", "forged", "verdict"),
    [
        (("witness root", 0), flip, ("merkle", "level 0, oracle 1: the opening does not lead to the root")),
        (("root denominator", 0), one_more, LOOKUP),
        (("layer round", 0), one_more, LOOKUP),
        (("layer round", 30), one_more, LOOKUP),
        (("layer values", 0), one_more, LOOKUP),
        (("layer values", 11), one_more, LOOKUP),
        (("accumulator values", 0), one_more, PRODUCTS),
        (("product round", 0), one_more, PRODUCTS),
        (("product round", 4), one_more, PRODUCTS),
        (("factor values", 0), one_more, PRODUCTS),
        (("opening round", 0), one_more, OPENING),
        (("opening round", -1), one_more, OPENING),
        (("clear message", 0), one_more_word, OPENING),
        (("columns", 0), one_more_word, MERKLE),
        (("siblings", 0), flip, MERKLE),
    ],
    ids=lambda value: value[0] + str(value[1]) if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int) else "",
)
def test_forged_message(message: tuple[str, int], forged: Callable[[bytes], bytes], verdict: tuple[str, str]) -> None:
    """One message is another, absorbed as such; every challenge after it is recomputed."""
    if message[1] < 0:
        rounds = toy().program.params.rounds
        message = (message[0], rounds - 1)
    assert rejected(toy_values(), Lie(messages={message: forged})) == verdict


def test_swapped_roots() -> None:
    """The weights' root in place of the witness', and the other way round."""
    pk, vk = keys(toy())
    root = committed_weights(kernels(), pk).root
    assert rejected(toy_values(), Lie(messages={("witness root", 0): lambda data: root})) == (
        "merkle",
        "level 0, oracle 1: the opening does not lead to the root",
    )
    proof = honest(toy(), toy_input())[2]
    with pytest.raises(ProofRejected) as error:
        accepted(replace(vk, model_commitment=proof.body[:32]), proof)
    assert (error.value.stage, error.value.reason) == ("statement", "the proof is for other weights")


@pytest.mark.parametrize("attack", [attacks.no_lookup_work, attacks.no_query_work, attacks.no_fold_work])
def test_wrong_nonce(attack: Callable[[], Attempt]) -> None:
    label = f"{attack.__name__.split('_')[1]} grinding"
    with pytest.raises(ProofRejected) as error:
        attack()()
    assert error.value.stage == "grinding"
    assert repr(label) in error.value.reason


def test_accumulator_value_that_the_prover_made_up() -> None:
    """acc(r) sent so that the lookups hold for a false row; nothing but the products refutes it."""
    for name in ("conv", "dense"):
        for amount in (32, 256, -512):
            with pytest.raises(ProofRejected) as error:
                toy_lie({name: amount})()
            assert (error.value.stage, error.value.reason) == PRODUCTS
    with pytest.raises(ProofRejected) as error:
        attacks.false_factor()()
    assert (error.value.stage, error.value.reason) == OPENING


# Claims --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", range(9))
def test_omitted_claim(claim: int) -> None:
    """A claim is left out of the opening by the prover: the verifier has it."""
    assert toy().program.shape.num_claims == 9
    assert rejected(toy_values(), Lie(omit={claim})) == OPENING
