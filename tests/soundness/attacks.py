"""Attacks by the malicious prover: each makes a false claim whose proof holds but for one check, and says who is meant to be fooled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from soundness.disabling import without
from soundness.malicious import (
    Claimed,
    Lie,
    Malicious,
    Repair,
    accepted,
    as_cells,
    commit_cells,
    committed_weights,
    forge,
    forged_registration,
    forgotten_registrations,
    fraction,
    honest,
    kernels,
    keys,
    leaves_of,
    mixed,
    outputs_of,
    proving_of,
    run_field,
    run_graph,
)
from strategies import LISTED, QUIET, deep, tensor_ids, tiny, tiny_input, toy, toy_input, two_ports

import ciro_zk.verifier
from ciro_zk.circuit.claims import ClaimLedger
from ciro_zk.circuit.graph import GraphBuilder
from ciro_zk.commitment import verifier as opening
from ciro_zk.commitment.prover import Committed
from ciro_zk.errors import ProofRejected
from ciro_zk.field import arrays
from ciro_zk.field.extension import Ext, P
from ciro_zk.hash.merkle import MerkleTree
from ciro_zk.hash.transcript import Transcript
from ciro_zk.lookup.tables import Clamp, Graph, Range
from ciro_zk.ops import Combine, MatMul, Requantise
from ciro_zk.poly import linear_form, multilinear
from ciro_zk.poly.linear_form import Eq
from ciro_zk.poly.rounds import halves
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import VerifyingKey
from ciro_zk.program.statement import Statement
from ciro_zk.proof import Proof
from ciro_zk.verifier import Checking, Verified


@dataclass(frozen=True)
class Attempt:
    """A proof and the key that it is shown to; calling it verifies."""

    vk: VerifyingKey
    proof: Proof
    given: Mapping[str, Any] = field(default_factory=dict)
    world: Callable[[pytest.MonkeyPatch], None] | None = None
    """What holds in the attack's world whether or not the check does: a chosen challenge, a verifier that forgets a claim."""

    def __call__(self) -> Verified:
        with pytest.MonkeyPatch.context() as patch, forgotten_registrations():
            if self.world is not None:
                self.world(patch)
            return accepted(self.vk, self.proof, **self.given)


# Statements ----------------------------------------------------------------------------------------------------------------------


@cache
def testing_key() -> Attempt:
    """An honest proof under a preset that has no security, to a verifier that did not ask for it."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, proof, {"allow_testing": False})


@cache
def relabelled_program() -> Attempt:
    """A proof file that says it is about another program."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, replace(proof, program_digest=tiny(name="other").program.digest))


@cache
def relabelled_model() -> Attempt:
    """A proof file that says it is about other weights."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, replace(proof, model_commitment=keys(tiny(seed=5))[1].model_commitment))


@cache
def extra_output() -> Attempt:
    """A proof with an output besides, that nothing proves."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, replace(proof, outputs={**proof.outputs, "approved": np.array([1])}))


@cache
def swapped_ports() -> Attempt:
    """Outputs listed in another order: a second encoding of the same proof."""
    circuit = two_ports()
    x = np.arange(-3, 3).reshape(2, 3)
    _, vk, proof = honest(circuit, x, x[::-1])
    return Attempt(vk, replace(proof, outputs=dict(reversed(proof.outputs.items()))))


@cache
def reshaped_output() -> Attempt:
    """The right cells under another shape."""
    _, vk, proof = honest(toy(), toy_input())
    return Attempt(vk, replace(proof, outputs={"y": proof.outputs["y"].reshape(4, 6)}))


@cache
def input_out_of_range() -> Attempt:
    """An honest run on an input that the circuit does not admit."""
    pk, vk = keys(tiny())
    x = np.array([[[20, 0, 0, 0]]])
    return Attempt(vk, forge(pk, Claimed(values=run_graph(pk.program.graph, leaves_of(pk, x)))))


@cache
def input_wrapped() -> Attempt:
    """Huge integers x whose products with the weights are 8, 16 and 24 modulo p and nothing like it over the integers."""
    pk, vk = keys(tiny())
    matrix = pk.weights[tensor_ids(tiny())["w"]][0].astype(object)  # (4, 3)
    leaves = as_cells(leaves_of(pk, np.zeros((1, 1, 4), dtype=np.int64)))
    leaves[pk.program.graph.inputs[0].tensor] = np.array(solve_mod(matrix.T, [8, 16, 24]), dtype=np.uint64)
    return Attempt(vk, forge(pk, Claimed(values=run_field(pk.program.graph, leaves))))


def solve_mod(matrix: Any, target: Sequence[int]) -> list[int]:
    """A solution of matrix x = target modulo p, the last variable 1; as many rows as variables but one."""
    rows = [[int(v) % P for v in row] for row in matrix]
    n = len(rows)
    table = [[*row[:n], (t - row[n]) % P] for row, t in zip(rows, target, strict=True)]
    for c in range(n):
        pivot = next(r for r in range(c, n) if table[r][c])
        table[c], table[pivot] = table[pivot], table[c]
        inverse = pow(table[c][c], P - 2, P)
        table[c] = [v * inverse % P for v in table[c]]
        for r in range(n):
            if r != c and table[r][c]:
                factor = table[r][c]
                table[r] = [(a - factor * b) % P for a, b in zip(table[r], table[c], strict=True)]
    return [row[n] for row in table] + [1]


@cache
def high_output() -> Circuit:
    """Outputs just below p/2 in magnitude, where two int64 encode one field element."""
    b = GraphBuilder()
    limbs = b.table(Range(bits=4))
    relu = b.table(Graph(function=Clamp(minimum=0, maximum=7), low=-16, high=16))
    x = b.input("x", (4,), low=-8, high=7, scale=1.0)
    y, *_ = b.add(Requantise(inputs=(x,), shift=0, tables=(relu,), range_table=limbs), "relu")
    (z,) = b.add(Combine(inputs=(y,), coefficients=(1,), offset=2**63 - 2**32 + 1))
    b.output("z", z, scale=1.0)
    return Circuit(b.build(), {}, "high", 4, preset=QUIET)


@cache
def output_wrapped() -> Attempt:
    """y - p in place of y: the same field element, another integer."""
    circuit = high_output()
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, np.array([0, 1, 2, 7])))
    outputs = outputs_of(circuit.graph, values)
    return Attempt(vk, forge(pk, Claimed(values=values, outputs={"z": np.array([int(v) - P for v in outputs["z"]], dtype=np.int64)})))


@cache
def other_input_given() -> Attempt:
    """A true proof, shown to somebody who asked about another input."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, proof, {"inputs": tiny_input(7) * 0.5})


@cache
def other_output_given() -> Attempt:
    """A true proof, shown to somebody who was told another output."""
    _, vk, proof = honest(tiny(), tiny_input())
    told = proof.outputs["y"].copy()
    told[0, 0, 0] = 7 - told[0, 0, 0]
    return Attempt(vk, proof, {"outputs": told * 1.0})


# One inference of a batch --------------------------------------------------------------------------------------------------------


@cache
def batch_of_three() -> Verified:
    """Three inferences of the toy in one proof, verified."""
    pk, vk = keys(toy())
    x = np.stack([toy_input(seed) for seed in (2, 3, 4)])
    values = run_graph(toy().program.batched(3).graph, leaves_of(pk, x, batch=3))
    return accepted(vk, forge(pk, Claimed(values=values, batch=3)))


def one_inference(**changes: Any) -> Callable[[], object]:
    """The second inference with something else, for a receiver who has the true statement."""
    false = replace(batch_of_three().inference(1), **changes)
    return lambda: false.check()


def inference_of_another() -> Callable[[], object]:
    """The output of the third."""
    return one_inference(integer_outputs=batch_of_three().inference(2).integer_outputs)


def inference_of_another_program() -> Callable[[], object]:
    """A program whose outputs are worth twice as much: the same integers mean other reals."""
    program = batch_of_three().program
    (port,) = program.graph.outputs
    return one_inference(program=replace(program, graph=replace(program.graph, outputs=(replace(port, scale=2 * port.scale),))))


def inference_of_another_shape() -> Callable[[], object]:
    """The true cells along an axis more."""
    return one_inference(integer_outputs={name: value[None] for name, value in batch_of_three().inference(1).integer_outputs.items()})


def inference_between_integers() -> Callable[[], object]:
    """Numbers that the digest, of integers, takes for the true ones."""
    outputs = batch_of_three().inference(1).integer_outputs
    return one_inference(integer_outputs={name: value + np.sign(value) * 0.25 for name, value in outputs.items()})


# Registration --------------------------------------------------------------------------------------------------------------------


def forged_weights(cell: int, lie: Lie | None = None) -> Attempt:
    """A model whose weights are all the field element `cell`: registered as if in range, then used in an otherwise honest proof."""
    circuit = tiny()
    program, graph = circuit.program, circuit.graph
    w = tensor_ids(circuit)["w"]
    cells = {w: np.full(12, cell % P, dtype=np.uint64)}
    committed = commit_cells(program, cells)
    vk = forged_registration(program, committed, cells, lie)
    pk, _ = keys(circuit)
    leaves = as_cells(leaves_of(pk, np.array([[[-8, 2, 4, 0]]]))) | cells
    return Attempt(vk, forge(pk, Claimed(values=run_field(graph, leaves), weights=committed)))


@cache
def weights_too_large() -> Attempt:
    """Weights of 20 where 7 is the greatest."""
    return forged_weights(-20)


@cache
def weights_fractional() -> Attempt:
    """Weights of 1/2, which no integer model has."""
    return forged_weights(fraction(1, 2))


@cache
def registration_of_nothing() -> Attempt:
    """A key of a model without weights that carries bytes nobody reads: a second key of the same model."""
    x = np.arange(-3, 3).reshape(2, 3)
    _, vk, proof = honest(two_ports(), x, x[::-1])
    return Attempt(replace(vk, registration=b"anything"), proof)


# Proof of work and zero denominators ---------------------------------------------------------------------------------------------


def without_work(label: str, circuit: Circuit, x: Any) -> Attempt:
    """The nonce is the least one that does *not* have the zero bits."""

    pk, vk = keys(circuit)
    values = run_graph(pk.program.graph, leaves_of(pk, x))
    for shift in range(1, 8):  # the next nonce may happen to work
        lie = Lie(messages={(label, 0): lambda data, shift=shift: (int.from_bytes(data, "little") + shift).to_bytes(8, "little")})
        attempt = Attempt(vk, forge(pk, Claimed(values=values), lie))
        try:
            attempt()
        except Exception:
            return attempt
    raise AssertionError("every nonce works")


@cache
def no_lookup_work() -> Attempt:
    return without_work("lookup grinding", tiny(), tiny_input())


@cache
def no_query_work() -> Attempt:
    return without_work("query grinding", tiny(), tiny_input())


@cache
def no_fold_work() -> Attempt:
    return without_work("fold grinding", listed(), toy_input())


@cache
def zero_denominator() -> Attempt:
    """Two cells outside a table where alpha happens to meet them: numerator and denominator vanish, and with them the lookup identity.

    Of probability 2^-100 or so; the world of the attack is that one alpha.
    """
    circuit = tiny()
    pk, vk = keys(circuit)
    out, rem = (tensor_ids(circuit)[name] for name in ("relu.out", "relu.rem0"))
    beta = Ext(11, 5)
    bad = -4  # x = 0: (0 + 4 - rem) / 8 = 1 for rem = -4, so that relu says 1 where it is 0
    alpha = Ext(1) + beta * (2 * bad % P)

    def world(patch: pytest.MonkeyPatch) -> None:
        drawn = Transcript.challenges

        def challenges(self: Transcript, label: str, count: int) -> tuple[Ext, ...]:
            found = drawn(self, label, count)
            return (alpha, beta) if label == "lookup challenges" else found

        patch.setattr(Transcript, "challenges", challenges)

    def first_two(value: int) -> Callable[[Mapping[int, Any]], Any]:
        def override(values: Mapping[int, Any]) -> Any:
            changed = values[out if value == 1 else rem].copy()
            changed.reshape(-1)[:2] = value
            return changed

        return override

    values = run_graph(circuit.graph, leaves_of(pk, np.zeros((1, 1, 4), dtype=np.int64)), {out: first_two(1), rem: first_two(bad)})
    with pytest.MonkeyPatch.context() as patch:
        world(patch)
        # The registration draws under another alpha when it is made: skip it, its own attacks are elsewhere.
        proof = forge(pk, Claimed(values=values))

    def skip(patch: pytest.MonkeyPatch) -> None:
        world(patch)
        unregistered(patch)

    return Attempt(vk, proof, world=skip)


# Lookups, products, opening ------------------------------------------------------------------------------------------------------


def plus(tensor: int, amount: int, cells: slice = slice(None, 1)) -> Callable[[Mapping[int, Any]], Any]:
    """An override that adds to the first cell of a tensor."""

    def override(values: Mapping[int, Any]) -> Any:
        changed = values[tensor].copy()
        changed.reshape(-1)[cells] += amount
        return changed

    return override


def toy_lie(overrides: Mapping[str, int], lie: Lie | None = None) -> Attempt:
    """The toy with an amount added to the first cell of each named tensor, all else after it honest."""
    pk, vk = keys(toy())
    ids = tensor_ids(toy())
    changes = {ids[name]: plus(ids[name], amount) for name, amount in overrides.items()}
    values = run_graph(toy().graph, leaves_of(pk, toy_input()), changes)
    return Attempt(vk, forge(pk, Claimed(values=values), lie))


@cache
def false_row(layers: int = 0) -> Attempt:
    """relu's output one unit off: a row that is in no table; the first `layers` layers lie in its favour."""
    return toy_lie({"relu.out": 1}, Lie(layers=layers))


@cache
def false_accumulator() -> Attempt:
    """One cell of the convolution off by a whole unit of the next tensor."""
    return toy_lie({"conv": 256})


@cache
def false_factor() -> Attempt:
    """A false accumulator, and a factor value that makes up for it."""
    return toy_lie({"conv": 256}, Lie(repair_products=True))


@cache
def false_maximum() -> Attempt:
    """A maximum greater than all operands: the ranges hold, the zero check does not."""
    return toy_lie({"max.max": 1})


@cache
def false_output() -> Attempt:
    """The witness is honest, the statement's output one unit off."""
    pk, vk = keys(toy())
    values = run_graph(toy().graph, leaves_of(pk, toy_input()))
    outputs = {"y": outputs_of(toy().graph, values)["y"].copy()}
    outputs["y"][3] -= 1
    return Attempt(vk, forge(pk, Claimed(values=values, outputs=outputs)))


@cache
def false_input() -> Attempt:
    """The witness is of one input, the statement of another."""
    pk, vk = keys(toy())
    values = run_graph(toy().graph, leaves_of(pk, toy_input()))
    inputs = {"x": toy_input()}
    inputs["x"][0, 0, 0, 0, 0] += 1
    return Attempt(vk, forge(pk, Claimed(values=values, inputs=inputs)))


def _false_output_with(lie: Lie, circuit: Circuit | None = None) -> Attempt:
    circuit = circuit or toy()
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, toy_input()))
    outputs = {"y": outputs_of(circuit.graph, values)["y"].copy()}
    outputs["y"][3] -= 1
    return Attempt(vk, forge(pk, Claimed(values=values, outputs=outputs), lie))


@cache
def false_fold(level: int = 0, block: int = 0, forget: bool = False) -> Attempt:
    """A false output, and a folded message that makes up for it; what the columns say of it is left out if `forget`."""
    attempt = _false_output_with(Lie(repair_opening=Repair(level=level, block=block, forget=forget)), deep())
    if forget:  # an honest registration holds for no such verifier
        return replace(attempt, world=unregistered)
    return attempt


@cache
def false_columns(level: int = 0, block: int = 0) -> Attempt:
    """A false output, a folded message that makes up for it, and columns that agree with that message."""
    return _false_output_with(Lie(repair_opening=Repair(level=level, block=block, columns=True)), deep())


def unregistered(patch: pytest.MonkeyPatch) -> None:
    """A world in which registrations are not looked at (they have attacks of their own)."""
    patch.setattr("ciro_zk.verifier.check_registration", lambda vk: None)


# A verifier that forgets a claim -------------------------------------------------------------------------------------------------


def forgetful(owner: Any, name: str, needle: str) -> Callable[[pytest.MonkeyPatch], None]:
    """A verifier that leaves a claim out of its ledger, but still counts."""
    return lambda patch: without(patch, owner, name, needle)


def forged_numerators(proving: Malicious, num: Any, den: Any) -> None:
    """Multiplicities chosen after alpha: the first table leaf gets the extension element that makes the sum vanish."""
    balance(proving, num, den, table=0)


def balance(proving: Malicious, num: Any, den: Any, table: int) -> None:
    """Change the numerator of one leaf of a table so that all fractions sum to zero."""
    plan = proving.plan
    segment = next(s for s in plan.segments if s.is_table and s.index == table)
    stack = halves(num, den)
    while stack.shape[2] > 1:
        stack = kernels().fraction_layer(stack)
    n_lo, n_hi, d_lo, d_hi = (arrays.get(table, 0) for table in stack)
    total = n_lo * d_lo.inverse() + n_hi * d_hi.inverse()
    change(num, segment.offset, arrays.get(num, segment.offset) - total * arrays.get(den, segment.offset))


def change(table: Any, index: int, value: Ext) -> None:
    """table[:, index] = value."""
    table[:, index] = (value.c0, value.c1)


@cache
def omitted_numerators() -> Attempt:
    """A false row, and multiplicities made up after alpha, to a verifier that forgets the numerators' claim."""
    return toy_lie({"relu.out": 1}, Lie(leaves=forged_numerators, omit={0}))


@cache
def omitted_denominators() -> Attempt:
    """A false row whose fraction is another's, to a verifier that forgets the denominators' claim."""
    pk, vk = keys(toy())
    ids = tensor_ids(toy())
    values = run_graph(toy().graph, leaves_of(pk, toy_input()), {ids["relu.out"]: plus(ids["relu.out"], 1)})
    rows = toy().graph.tables[1].num_rows

    def raised(cells: dict[int, Any]) -> None:
        m = toy().program.plan.multiplicity(1)
        cells[m] = cells[m].copy()
        cells[m][rows // 2] += np.uint64(1)

    def moved(proving: Malicious, num: Any, den: Any) -> None:
        plan = proving.plan
        table = next(s for s in plan.segments if s.is_table and s.index == 1)
        index = next(i for i, lookup in enumerate(plan.lookups) if lookup.table == 1)
        leaf = next(s for s in plan.segments if not s.is_table and s.index == index)
        change(den, leaf.offset, arrays.get(den, table.offset + rows // 2))

    return Attempt(vk, forge(pk, Claimed(values=values), Lie(count=False, cells=raised, leaves=moved, omit={1})))


@cache
def omitted_factor() -> Attempt:
    """A false accumulator with a factor value that makes up for it, to a verifier that forgets the factors' claims."""
    claims = toy().program.shape.num_claims
    return toy_lie({"conv": 256}, Lie(repair_products=True, omit=set(range(2, claims - 1))))


@cache
def omitted_output() -> Attempt:
    """A false output, to a verifier that forgets the outputs' claims."""
    claims = toy().program.shape.num_claims
    return _false_output_with(Lie(omit={claims - 1}))


# Samples: words that are close to two messages -----------------------------------------------------------------------------------


def until(make: Callable[[int], Attempt], disable: Callable[[pytest.MonkeyPatch], None]) -> Attempt:
    """The first attempt whose queries miss the columns that are another message's: a verifier without the check accepts it."""
    for seed in range(256):
        attempt = make(seed)
        with pytest.MonkeyPatch.context() as patch:
            disable(patch)
            try:
                attempt()
            except ProofRejected:
                continue
        return attempt
    raise AssertionError("no attempt is accepted")


def listed() -> Circuit:
    """Three queries an oracle: a word half of whose columns are another message's passes them often enough."""
    return deep(LISTED, 3)


def forget_sample(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """A verifier that leaves a sample of level 0 out of its ledger, and does not miss it."""

    def disable(patch: pytest.MonkeyPatch) -> None:
        without(patch, Checking, "check_samples", f"ledger.add('{name}'")
        without(patch, ClaimLedger, "take", "claims are missing")
        unregistered(patch)

    return disable


def forget_folds(patch: pytest.MonkeyPatch) -> None:
    """A verifier that leaves the samples of folded roots out of the claim."""
    without(patch, opening, "verify_opening", "added.append(SampleClaim", "claim + weight * value")
    unregistered(patch)


@cache
def weights_of_two_minds() -> VerifyingKey:
    """A key whose word is close to good weights and to others out of range: registered and sampled as the good ones, and accepted."""
    circuit = listed()
    program, (pk, _) = circuit.program, keys(circuit)
    cells = as_cells(pk.weights)
    word, _ = both_weights()
    for seed in range(256):
        vk = forged_registration(program, word, cells, Lie(padding=np.random.default_rng(seed)))
        with forgotten_registrations():
            try:
                check_key(vk)
                return vk
            except ProofRejected:
                continue
    raise AssertionError("no registration misses the other columns")


@cache
def both_weights() -> tuple[Committed, dict[int, Any]]:
    """The word, with the good cells; and the other weights."""
    circuit = listed()
    pk, _ = keys(circuit)
    w2 = tensor_ids(circuit)["w2"]
    other = dict(pk.weights) | {w2: pk.weights[w2].astype(np.int64) * 3 + 100}
    good, evil = (commit_cells(circuit.program, as_cells(weights)).cells for weights in (pk.weights, other))
    return mixed(circuit.program.params.oracles[0].code, good, evil, np.random.default_rng(5)), other


@cache
def other_weights() -> Attempt:
    """An inference with the weights that were not registered, under a commitment that is close to both."""
    circuit = listed()
    vk, (word, other), (pk, _) = weights_of_two_minds(), both_weights(), keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, toy_input()) | other)
    used = replace(word, cells=commit_cells(circuit.program, as_cells(other)).cells)

    def make(seed: int) -> Attempt:
        lie = Lie(padding=np.random.default_rng(seed), omit={0})
        return Attempt(vk, forge(pk, Claimed(values=values, weights=used, sample=vk.weights_sample), lie))

    return until(make, forget_sample("weights sample"))


@cache
def other_witness() -> Attempt:
    """The witness' sample is that of another message which its word is close to."""
    circuit = listed()
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, toy_input()))

    def make(seed: int) -> Attempt:
        return Attempt(vk, forge(pk, Claimed(values=values), Lie(second_witness=np.random.default_rng(seed), omit={1})))

    return until(make, forget_sample("witness sample"))


@cache
def other_folds() -> Attempt:
    """The samples of the folded roots are those of other messages which their words are close to."""
    circuit = listed()
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, toy_input()))

    def make(seed: int) -> Attempt:
        return Attempt(vk, forge(pk, Claimed(values=values), Lie(second_fold=np.random.default_rng(seed))))

    return until(make, forget_folds)


# Encodings -----------------------------------------------------------------------------------------------------------------------


@cache
def long_element() -> Attempt:
    """The accumulators' values of an all-zero run written as p instead of 0: another proof of the same statement."""
    pk, vk = keys(tiny())
    values = run_graph(tiny().graph, leaves_of(pk, np.zeros((1, 1, 4), dtype=np.int64)))
    lie = Lie(messages={("accumulator values", 0): lambda data: data.replace(bytes(8), P.to_bytes(8, "little"))})
    return Attempt(vk, forge(pk, Claimed(values=values), lie))


def reducing(patch: pytest.MonkeyPatch) -> None:
    """Elements are reduced instead of refused."""

    def from_bytes(data: bytes) -> Ext:
        return Ext(int.from_bytes(data[:8], "little") % P, int.from_bytes(data[8:], "little") % P)

    patch.setattr(Ext, "from_bytes", staticmethod(from_bytes))


@cache
def long_columns() -> Attempt:
    """A row of zeros committed as a row of p: columns of words that are no canonical elements, under a root of their own."""
    pk, vk = keys(toy())
    values = run_graph(toy().graph, leaves_of(pk, toy_input()))

    def stretched(codewords: Any) -> Any:
        empty = ~codewords.any(axis=1)
        assert empty.any()
        codewords[empty] = P
        return codewords

    return Attempt(vk, forge(pk, Claimed(values=values), Lie(codewords=stretched)))


@cache
def trailing_bytes() -> Attempt:
    """A proof with a postscript."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, replace(proof, body=proof.body + bytes(16)))


@cache
def cut_short() -> Attempt:
    """A proof without its last round."""
    _, vk, proof = honest(tiny(), tiny_input())
    return Attempt(vk, replace(proof, body=proof.body[:-32]))


# Weak Fiat-Shamir: what the statement must bind ----------------------------------------------------------------------------------


def unbound(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """A protocol whose statement does not absorb one of its fields."""
    return lambda patch: without(patch, Statement, "bind", name)


@cache
def replayed_program() -> Attempt:
    """A proof for a program whose output means y, shown as one for the program whose output means 1000 y."""
    one, thousand = toy(QUIET), toy(QUIET, out_scale=1000.0)
    with pytest.MonkeyPatch.context() as patch:
        unbound("program digest")(patch)
        pk, _ = keys(one)
        proof = forge(pk, Claimed(values=run_graph(one.graph, leaves_of(pk, toy_input()))))
    _, vk = keys(thousand)
    assert vk.model_commitment == proof.model_commitment
    return Attempt(vk, replace(proof, program_digest=thousand.program.digest), world=unregistered)


def lll(basis: list[list[int]]) -> list[list[int]]:
    """A reduced basis of the lattice (Lenstra, Lenstra, Lovász 1982), delta = 3/4; for a handful of dimensions."""
    rows = [list(row) for row in basis]

    def dot(a: Sequence[Any], b: Sequence[Any]) -> Any:
        return sum(x * y for x, y in zip(a, b, strict=True))

    def orthogonal() -> tuple[list[list[Fraction]], list[list[Fraction]]]:
        stars: list[list[Fraction]] = []
        mu = [[Fraction(0)] * len(rows) for _ in rows]
        for i, row in enumerate(rows):
            star = [Fraction(v) for v in row]
            for j in range(i):
                mu[i][j] = dot(row, stars[j]) / dot(stars[j], stars[j])
                star = [a - mu[i][j] * b for a, b in zip(star, stars[j], strict=True)]
            stars.append(star)
        return stars, mu

    k = 1
    stars, mu = orthogonal()
    while k < len(rows):
        for j in reversed(range(k)):
            q = round(mu[k][j])
            if q:
                rows[k] = [a - q * b for a, b in zip(rows[k], rows[j], strict=True)]
                stars, mu = orthogonal()
        if dot(stars[k], stars[k]) >= (Fraction(3, 4) - mu[k][k - 1] ** 2) * dot(stars[k - 1], stars[k - 1]):
            k += 1
        else:
            rows[k], rows[k - 1] = rows[k - 1], rows[k]
            stars, mu = orthogonal()
            k = max(k - 1, 1)
    return rows


def invisible(weights: Sequence[Ext]) -> list[int]:
    """Small integers d, not all zero, with sum_i d_i weights_i = 0 in the extension."""
    a, b = weights[0], weights[1]
    inverse = pow((a.c0 * b.c1 - a.c1 * b.c0) % P, P - 2, P)
    basis = [[P, 0] + [0] * (len(weights) - 2), [0, P] + [0] * (len(weights) - 2)]
    for k, w in enumerate(weights[2:]):
        first = (w.c0 * b.c1 - w.c1 * b.c0) * inverse % P
        second = (a.c0 * w.c1 - a.c1 * w.c0) * inverse % P
        basis.append([-first % P, -second % P] + [int(j == k) for j in range(len(weights) - 2)])
    return min(lll(basis), key=lambda row: max(abs(v) for v in row))


@cache
def wide() -> Circuit:
    """Six inputs of 2^40, and six outputs in steps of 2^40: room for differences that a few field equations do not see."""
    rng = np.random.default_rng(3)
    b = GraphBuilder()
    limbs = b.table(Range(bits=8))
    relu = b.table(Graph(function=Clamp(minimum=-7, maximum=7), low=-100, high=100))
    x = b.input("x", (1, 1, 6), low=-(1 << 40), high=1 << 40, scale=1.0)
    w = b.weight("w", (1, 6, 6), low=-128, high=127)
    (acc,) = b.add(MatMul(inputs=(x, w)), "dense")
    y, *_ = b.add(Requantise(inputs=(acc,), shift=8, tables=(relu,), range_table=limbs), "relu")
    (z,) = b.add(Combine(inputs=(y,), coefficients=(1 << 40,), offset=1 << 39))
    b.output("z", z, scale=1.0)
    return Circuit(b.build(), {w: rng.integers(-30, 31, (1, 6, 6))}, "wide", 8, preset=QUIET)


def _after(log: list[tuple[str, str, Any]], label: str) -> list[Ext]:
    """Challenges drawn under a label."""
    return [Ext(words[i], words[i + 1]) for kind, name, words in log if (kind, name) == ("draw", label) for i in range(0, len(words), 2)]


@cache
def chosen_output() -> Attempt:
    """With the outputs unbound: after the proof is made, another output that agrees with the true one at the drawn point."""
    circuit = wide()
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, np.array([[[9, 20, -3, 8, 1, 30]]])))
    with pytest.MonkeyPatch.context() as patch:
        unbound("output digest")(patch)
        proving, inputs, outputs = proving_of(pk, Claimed(values=values), Lie())
        body = proving.run()
    point = _after(proving.transcript.log, "output point")
    weights = multilinear.eq_table(point)[:, :6]
    d = np.array(invisible([Ext(int(a), int(b)) for a, b in weights.T]), dtype=np.int64).reshape(1, 1, 6)
    false = {"z": outputs["z"] + d}
    assert (false["z"] != outputs["z"]).any()
    return Attempt(
        vk,
        Proof(program_digest=circuit.program.digest, model_commitment=vk.model_commitment, inputs=inputs, outputs=false, body=body),
        world=unregistered,
    )


@cache
def chosen_input() -> Attempt:
    """With the inputs unbound: after the proof is made, another input that agrees with the true one in the sumcheck's form."""
    circuit = wide()
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, np.array([[[9, 20, -3, 8, 1, 30]]])))
    with pytest.MonkeyPatch.context() as patch:
        unbound("input digest")(patch)
        proving, inputs, outputs = proving_of(pk, Claimed(values=values), Lie())
        body = proving.run()
    point = _after(proving.transcript.log, "product challenge")
    weights = linear_form.dense(linear_form.Term((Eq((), 1), Eq((), 1), Eq(tuple(point), 6))))
    d = np.array(invisible([Ext(int(a), int(b)) for a, b in weights.T]), dtype=np.int64).reshape(1, 1, 6)
    return Attempt(
        vk,
        Proof(
            program_digest=circuit.program.digest,
            model_commitment=vk.model_commitment,
            inputs={"x": inputs["x"] + d},
            outputs=outputs,
            body=body,
        ),
        world=unregistered,
    )


@cache
def chosen_weights() -> Attempt:
    """With the model commitment unbound: a tree whose columns are those of registered weights, but for the few that the proof opens.

    The proof is made first, for weights far out of range; then the registration of good weights is made until it opens none of the
    columns that had to be replaced.
    """
    circuit = toy(QUIET)
    program, graph = circuit.program, circuit.graph
    pk, _ = keys(circuit)
    ids = tensor_ids(circuit)
    good = committed_weights(kernels(), pk)
    evil_values = dict(pk.weights)
    evil_values[ids["w2"]] = evil_values[ids["w2"]].astype(np.int64) * 3 + 100
    evil = commit_cells(program, as_cells(evil_values))
    with pytest.MonkeyPatch.context() as patch:
        unbound("model commitment")(patch)
        values = run_graph(graph, leaves_of(pk, toy_input()) | {ids["w2"]: evil_values[ids["w2"]]})
        proving, inputs, outputs = proving_of(pk, Claimed(values=values, weights=evil), Lie())
        proving.run()
        words = next(words for kind, label, words in proving.transcript.log if (kind, label) == ("draw", "positions"))
        opened = sorted({word & ((1 << program.params.oracles[0].code.log_length) - 1) for word in words})
        codewords = good.codewords.copy()
        codewords[:, opened] = evil.codewords[:, opened]
        tree = MerkleTree(kernels().hash_columns(codewords), kernels())
        # The same proof with siblings of the mixed tree: messages before them do not change.
        mixed = Committed(evil.cells, codewords, tree)
        proving, _, _ = proving_of(pk, Claimed(values=values, weights=mixed), Lie())
        body = proving.run()
        registered = Committed(good.cells, codewords, tree)
        for seed in range(64):
            vk = forged_registration(program, registered, as_cells(pk.weights), Lie(padding=np.random.default_rng(seed)))
            attempt = Attempt(
                vk,
                Proof(program_digest=program.digest, model_commitment=tree.root, inputs=inputs, outputs=outputs, body=body),
            )
            try:
                attempt()
                break
            except Exception:
                continue
        else:
            raise AssertionError("no registration avoids the replaced columns")
    return attempt


def check_key(vk: VerifyingKey) -> None:
    """The verifier's check of a key alone."""
    ciro_zk.verifier.check_registration(vk)
