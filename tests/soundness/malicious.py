"""A prover that lies.

It deviates *before* it absorbs, then goes on honestly: every later message, challenge, proof of work and opening is computed for the lie,
so that a rejection shows the check that the lie runs into and not merely a broken hash chain. What it can forge:

    runs         any tensor of the graph, everything downstream recomputed (`run_graph`); leaves that are any field element (`run_field`)
    cells        any witness or virtual tensor and any multiplicity, as field elements, after the run (`Lie.cells`)
    statement    inputs, outputs, model commitment, program (`forge`)
    oracles      padding cells (`Lie.padding`), codewords (`Lie.codewords`)
    leaves       the fractions of the lookup argument (`Lie.leaves`), the values of its layers (`Lie.layers`)
    messages     any message by label and occurrence, absorbed as forged (`Lie.messages`)
    products     factor values that meet a false claim (`Lie.repair_products`)
    opening      a folded message of any level, and columns, that meet a false claim (`Lie.repair_opening`)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from strategies import cell_indices

import ciro_zk.verifier
from ciro_zk.circuit.claims import AccumulatorClaim, Form, Sample, factor_forms, product_instances, tau_length
from ciro_zk.circuit.graph import Graph, as_field
from ciro_zk.circuit.op import CommitOp
from ciro_zk.commitment import prover as commitment
from ciro_zk.commitment.cells import field_cells
from ciro_zk.commitment.params import Code, CommitmentParams
from ciro_zk.commitment.prover import Committed
from ciro_zk.commitment.verifier import times_x
from ciro_zk.field import arrays, goldilocks
from ciro_zk.field.extension import ONE, Ext, P, powers
from ciro_zk.hash.merkle import MerkleTree
from ciro_zk.hash.transcript import ProverTranscript
from ciro_zk.kernels import Kernels, numba_kernels
from ciro_zk.lookup.prover import Stack
from ciro_zk.lookup.verifier import FractionClaim, next_claim, round_claim
from ciro_zk.poly import multilinear
from ciro_zk.poly.rounds import halves
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import ProvingKey, VerifyingKey
from ciro_zk.program.program import Program
from ciro_zk.program.statement import PROTOCOL, Statement, statement_of
from ciro_zk.proof import Proof
from ciro_zk.prover import (
    Proving,
    Witness,
    combine_forms,
    committed_weights,
    multiplicities,
    padded,
    setup,
    weights_sample,
)
from ciro_zk.sumcheck.prover import Instance, prove_products
from ciro_zk.sumcheck.verifier import HALF, complete, horner
from ciro_zk.verifier import Checking, Verified

Integers = NDArray[np.int64]
Cells = NDArray[np.uint64]
Values = dict[int, Integers]
Override = Callable[[Mapping[int, Any]], Any]
Occurrence = tuple[str, int | None]


@cache
def kernels() -> Kernels:
    """The compiled kernels, one thread."""
    return numba_kernels(threads=1)


@cache
def keys(circuit: Circuit) -> tuple[ProvingKey, VerifyingKey]:
    """Keys of a circuit, set up once per session (`Circuit` hashes by identity here: its builders are cached)."""
    return setup(circuit, threads=1)


Circuit.__hash__ = lambda self: id(self)  # type: ignore[method-assign]


# Runs ----------------------------------------------------------------------------------------------------------------------------


def run_graph(graph: Graph, leaves: Mapping[int, Integers], overrides: Mapping[int, Override] | None = None) -> Values:
    """All tensors, int64. An override replaces a tensor as soon as its node has run; everything after it is honest about the lie."""
    values: Values = {i: leaf.astype(np.int64) for i, leaf in leaves.items()}
    for node in graph.nodes:
        values.update(zip(node.outputs, node.op.run([values[i] for i in node.op.inputs], graph.tables), strict=True))
        for i in node.outputs:
            if overrides and i in overrides:
                values[i] = np.asarray(overrides[i](values), dtype=np.int64).reshape(graph.tensors[i].shape)
    return values


_LIMB = 22


def run_field(graph: Graph, leaves: Mapping[int, Cells]) -> dict[int, Cells]:
    """All tensors as field cells `(size,)`, from leaves that may be any field elements: affine operators and products modulo p.

    Committed tensors are what the operator makes of the representatives in (-p/2, p/2).
    """
    cells = {i: np.asarray(value, dtype=np.uint64).reshape(-1) for i, value in leaves.items()}

    def shaped(i: int, values: Cells) -> Integers:
        return values.astype(np.int64).reshape(graph.tensors[i].shape)

    def limbs(i: int) -> list[Integers]:
        return [shaped(i, cells[i] >> np.uint64(_LIMB * k) & np.uint64((1 << _LIMB) - 1)) for k in range(3)]

    for node in graph.nodes:
        op, inputs = node.op, node.op.inputs
        if isinstance(op, CommitOp):
            outputs = op.run([goldilocks.to_signed(cells[i]).reshape(graph.tensors[i].shape) for i in inputs], graph.tables)
            cells.update((o, as_field(value)) for o, value in zip(node.outputs, outputs, strict=True))
            continue
        zeros = [np.zeros(graph.tensors[i].shape, dtype=np.int64) for i in inputs]
        offset = op.run(zeros, graph.tables)[0].reshape(-1).astype(object)
        total = offset.copy()
        parts = [limbs(i) for i in inputs]
        bilinear = graph.tensors[node.outputs[0]].storage.value == "accumulator"
        if bilinear:
            for a in range(3):
                for b in range(3):
                    part = op.run([parts[0][a], parts[1][b]], graph.tables)[0].reshape(-1).astype(object)
                    total = total + part * (1 << _LIMB * (a + b))
        else:
            for j in range(len(inputs)):
                for a in range(3):
                    given = [parts[j][a] if k == j else zeros[k] for k in range(len(inputs))]
                    total = total + (op.run(given, graph.tables)[0].reshape(-1).astype(object) - offset) * (1 << _LIMB * a)
        cells[node.outputs[0]] = np.array([int(v) % P for v in total], dtype=np.uint64)
    return cells


def as_cells(values: Mapping[int, Integers]) -> dict[int, Cells]:
    """A run's integers as field cells."""
    return {i: as_field(value) for i, value in values.items()}


def fraction(numerator: int, denominator: int) -> int:
    """numerator / denominator in F_p."""
    return numerator * pow(denominator % P, P - 2, P) % P


def signed(value: int) -> int:
    """The representative in (-p/2, p/2)."""
    value %= P
    return value - P if value > P // 2 else value


# The lie -------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Repair:
    """A folded message that meets a false claim, at one level of the opening."""

    level: int = 0
    block: int = 0
    """The oracle (at level 0) whose fold is changed."""
    columns: bool = False
    """The opened columns are changed to agree with it."""
    forget: bool = False
    """The columns' claims are left out, for a verifier that forgets them."""


@dataclass
class Lie:
    """What a `Malicious` prover forges; every field's default is honesty."""

    messages: dict[Occurrence, Callable[[bytes], bytes]] = field(default_factory=dict)
    """By label and occurrence (None: every one): the message sent, and absorbed, instead."""
    cells: Callable[[dict[int, Cells]], None] | None = None
    """Edits the witness' cells and multiplicities in place before anything is committed."""
    count: bool = True
    """Multiplicities are counted after `cells` edited the tensors (it may edit multiplicities itself if False)."""
    padding: np.random.Generator | None = None
    """Fills the cells of the witness oracle that belong to no tensor with random values."""
    codewords: Callable[[Cells], Cells] | None = None
    """Edits the witness oracle's codewords before they are hashed."""
    leaves: Callable[[Any, Any, Any], None] | None = None
    """(proving, numerators, denominators): edits the lookup argument's fractions in place."""
    layers: int = 0
    """The first so many layers of the lookup argument are sent with values that meet the false claim."""
    repair_products: bool = False
    """Chooses a factor value so that the products' final check holds."""
    omit: set[int] = field(default_factory=set)
    """Leaves the claims of these numbers out of the opening, for a verifier that forgets them."""
    repair_opening: Repair | None = None
    """Chooses a folded message so that the opening's final check holds."""
    second_witness: np.random.Generator | None = None
    """The witness oracle's word is as close to a second message, of random padding, and the sample is that one's."""
    second_fold: np.random.Generator | None = None
    """The words of all folded roots are as close to a second, random message, the samples are that one's and left out of the claim."""


class MaliciousTranscript(ProverTranscript):
    """Forges messages as they are sent, and keeps a log of everything absorbed and drawn."""

    def __init__(self, domain: str, messages: Mapping[Occurrence, Callable[[bytes], bytes]]) -> None:
        self.messages, self.seen = messages, dict[str, int]()
        self.arrays: dict[Occurrence, Callable[[Cells], Cells]] = {}
        self.log: list[tuple[str, str, Any]] = []
        super().__init__(domain)

    def absorb(self, label: str, data: bytes) -> None:
        super().absorb(label, data)
        self.log.append(("absorb", label, data))

    def _words(self, label: str, count: int) -> list[int]:
        words = super()._words(label, count)
        self.log.append(("draw", label, tuple(words)))
        return words

    def send_bytes(self, label: str, data: bytes) -> None:
        number = self.seen.get(label, 0)
        self.seen[label] = number + 1
        forge = self.messages.get((label, number)) or self.messages.get((label, None))
        super().send_bytes(label, forge(data) if forge else data)

    def send_base(self, label: str, values: NDArray[np.uint64]) -> None:
        forge = self.arrays.get((label, self.seen.get(label, 0)))
        super().send_base(label, forge(np.ascontiguousarray(values)) if forge else values)


class Malicious(Proving):
    """The honest phases, but for the lie."""

    def __init__(
        self, program: Program, statement: Statement, weights: Committed, witness: Witness, lie: Lie, public: Mapping[int, Integers]
    ):
        super().__init__(program, statement, kernels(), weights, witness)
        self.lie, self.public = lie, public
        self.transcript = MaliciousTranscript(PROTOCOL, lie.messages)

    def commit_witness(self) -> Committed:
        layout = padded(self.plan.witness_layout, self.program.params.oracles[1].num_vars)
        oracle = layout.pack(dict(self.witness.cells))
        if self.lie.padding is not None:
            oracle = filled(cell_indices(layout).values(), oracle, self.lie.padding)
        committed = commitment.commit(self.kernels, self.program.params.oracles[1].code, oracle)
        if self.lie.second_witness is not None:
            second = filled(cell_indices(layout).values(), oracle, self.lie.second_witness)
            committed = mixed(self.program.params.oracles[1].code, oracle, second, self.lie.second_witness)
            self.second = replace(committed, cells=second)
        if self.lie.codewords is not None:
            codewords = self.lie.codewords(committed.codewords.copy())
            committed = Committed(oracle, codewords, MerkleTree(self.kernels.hash_columns(codewords), self.kernels))
        self.transcript.send_bytes("witness root", committed.root)
        return committed

    def take_samples(self, committed: Committed) -> list[Sample]:
        return super().take_samples(self.second if self.lie.second_witness is not None else committed)

    def fractions(self, alpha: Ext, beta: Ext) -> Stack:
        numerators, den = super().leaves(alpha, beta)
        num = arrays.from_base(numerators)
        if self.lie.leaves is not None:
            self.challenges = alpha, beta
            self.lie.leaves(self, num, den)
        return Stack(self.kernels, halves(num, den))

    def prove_lookups(self) -> tuple[list[Form], list[AccumulatorClaim]]:
        if not self.lie.layers:
            return super().prove_lookups()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ciro_zk.prover.prove_fractions", self.forged_fractions)
            return super().prove_lookups()

    def forged_fractions(self, transcript: ProverTranscript, kernels: Kernels, leaves: Stack) -> FractionClaim:
        """`prove_fractions`, the first layers' values solved for what the verifier claims."""
        layers = [leaves._tables]
        while layers[-1].shape[2] > 1:
            layers.append(kernels.fraction_layer(layers[-1]))
        root = arrays.get(layers[-1][2], 0) * arrays.get(layers[-1][3], 0)
        transcript.send_elements("root denominator", [root])
        claim = FractionClaim(point=(), numerator=Ext(0), denominator=root)
        for number in range(len(layers)):
            stack = layers.pop()
            batch = transcript.challenge("layer batch")
            running, scale, bound = claim.numerator + batch * claim.denominator, ONE, []
            one = kernels.eq_table(())
            for k, r in enumerate(claim.point):
                at_zero, leading = (
                    value * scale for value in kernels.fraction_round(stack, one, kernels.eq_table(claim.point[k + 1 :]), batch)
                )
                transcript.send_elements("layer round", [at_zero, leading])
                x = transcript.challenge("layer challenge")
                running, scale = round_claim(running, scale, r, x, at_zero, leading)
                stack = kernels.fold_stack(stack, x)
                bound.append(x)
            n_lo, n_hi, d_lo, d_hi = (arrays.get(stack[i], 0) for i in range(4))
            if number < self.lie.layers:
                # scale (n_lo d_hi + n_hi d_lo + batch d_lo d_hi) = running
                n_hi = (running * scale.inverse() - batch * d_lo * d_hi - n_lo * d_hi) * d_lo.inverse()
            values = [n_lo, n_hi, d_lo, d_hi]
            transcript.send_elements("layer values", values)
            claim = next_claim(transcript, bound, values)
        return claim

    def prove_products(self, accumulators: Sequence[AccumulatorClaim]) -> list[Form]:
        if not self.lie.repair_products:
            return super().prove_products(accumulators)
        transcript, plan, rounds = self.transcript, self.plan, self.program.shape.product_rounds
        tau = transcript.challenges("zero check point", tau_length(plan))
        batch = transcript.challenge("product batch")
        specs = product_instances(plan, accumulators, tau)
        coefficients = powers(batch, len(specs))
        values = [self.accumulator_value(claim) for claim in accumulators]
        instances = [
            Instance(self.factor_tables(spec), coefficient, value)
            for spec, coefficient, value in zip(specs, coefficients, [*values, *[Ext(0)] * (len(specs) - len(values))], strict=True)
        ]
        before = len(transcript.log)
        point, finals = prove_products(transcript, self.kernels, instances, rounds, plan.max_degree, "product")
        # The verifier's claim after the rounds that were sent.
        claim = Ext(0)
        for coefficient, value in zip(coefficients, values, strict=False):
            claim = claim + coefficient * value
        sent = [elements(data) for kind, label, data in transcript.log[before:] if (kind, label) == ("absorb", "product round")]
        for x, coefficients_sent in zip(point, sent, strict=True):
            claim = horner(complete(claim, coefficients_sent), x)
        answers, expected, shares = [], Ext(0), []
        for spec, coefficient, final in zip(specs, coefficients, finals, strict=True):
            weight = coefficient
            for _ in range(rounds - spec.num_vars):
                weight = weight * HALF
            if spec.eq_point is not None:
                weight = weight * final[0]
            answers.append(final[0 if spec.eq_point is None else 1 :])
            value = weight
            for answer in answers[-1]:
                value = value * answer
            shares.append(value)
            expected = expected + value
        # Answer i's first factor is scaled so that its share makes up for the difference.
        i = next(i for i, share in enumerate(shares) if share)
        answers[i][0] = answers[i][0] * ((shares[i] + claim - expected) * shares[i].inverse())
        forms: list[Form] = []
        for spec, answer in zip(specs, answers, strict=True):
            transcript.send_elements("factor values", answer)
            forms += [form for form, _ in factor_forms(plan, spec, point[rounds - spec.num_vars :])]
        return forms

    def open(self, committed: Committed, forms: Sequence[Form | Sample]) -> None:
        forms = [form for i, form in enumerate(forms) if i not in self.lie.omit]
        if self.lie.second_fold is not None:
            return self.open_with_second_folds(committed, forms, self.lie.second_fold)
        if self.lie.repair_opening is None:
            return super().open(committed, forms)
        total = self.verifiers_total()
        gamma = self.transcript.challenge("opening batch")
        params, plan = self.program.params, self.plan
        tables = [
            combine_forms(self.kernels, i, padded(layout, oracle.num_vars), forms, gamma)
            for i, (layout, oracle) in enumerate(zip((plan.weight_layout, plan.witness_layout), params.oracles, strict=True))
        ]
        forged_opening(self.transcript, self.kernels, params, [self.weights, committed], tables, total, self.lie.repair_opening)
        return None

    def open_with_second_folds(self, committed: Committed, forms: Sequence[Form | Sample], rng: np.random.Generator) -> None:
        seconds: list[Cells] = []

        honest_commit = commitment.commit

        def commit(kernels: Kernels, code: Code, cells: Cells) -> Committed:
            seconds.append(random_cells(rng, cells.size).reshape(cells.shape))
            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(commitment, "commit", honest_commit)
                return mixed(code, cells, seconds[-1], rng)

        def add_sample(transcript: ProverTranscript, kernels: Kernels, share: Any) -> None:
            form = kernels.eq_table(transcript.challenges("sample point", share.form.shape[1].bit_length() - 1))
            transcript.send_elements("sample", [kernels.inner_product(form, seconds[-1])])
            transcript.challenge("sample batch")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(commitment, "commit", commit)
            patch.setattr(commitment, "_add_sample", add_sample)
            super().open(committed, forms)

    def verifiers_total(self) -> Ext:
        """The batched claim that the verifier will have: it is asked, with the messages so far."""
        captured: list[Ext] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ciro_zk.verifier.verify_opening", lambda *arguments: captured.extend(a for a in arguments if isinstance(a, Ext)))
            checking = Checking(self.program, self.statement, self.public, self.transcript.proof_bytes(), "so far")
            checking.run()
        (total,) = captured
        return total


def filled(indices: Any, oracle: Cells, rng: np.random.Generator) -> Cells:
    """The oracle with random field elements in every cell that no tensor owns."""
    owned = np.zeros(oracle.shape, dtype=bool)
    for index in indices:
        owned[index] = True
    return np.where(owned, oracle, random_cells(rng, oracle.size))


def mixed(code: Code, cells: Cells, second: Cells, rng: np.random.Generator) -> Committed:
    """A word with half its columns, at random, of one message's codeword and half of another's: both are close to it."""
    codewords = commitment.commit(kernels(), code, cells).codewords.copy()
    columns = rng.permutation(codewords.shape[1])[: codewords.shape[1] // 2]
    codewords[:, columns] = commitment.commit(kernels(), code, second).codewords[:, columns]
    return Committed(cells, codewords, MerkleTree(kernels().hash_columns(codewords), kernels()))


def random_cells(rng: np.random.Generator, size: int) -> Cells:
    """Uniform field elements."""
    return rng.integers(0, P, size, dtype=np.uint64)


def elements(data: bytes) -> list[Ext]:
    """The extension elements of a message."""
    return [Ext.from_bytes(data[i : i + 16]) for i in range(0, len(data), 16)]


def forged_opening(
    transcript: MaliciousTranscript,
    kernels: Kernels,
    params: CommitmentParams,
    oracles: Sequence[Committed],
    forms: Sequence[Any],
    total: Ext,
    repair: Repair,
) -> None:
    """`open_forms` for a false total: at one level the folded message is chosen to meet the running claim."""
    missing = total
    for oracle, form in zip(oracles, forms, strict=True):
        missing = missing - kernels.inner_product_base(form, field_cells(oracle.cells, 0, oracle.cells.size))
    start, calls = len(transcript.log), 0
    message: Any = None
    pack = commitment._packed
    code = params.levels[repair.level][repair.block].code

    def challenges() -> list[Ext]:
        return [Ext(*words) for kind, label, words in transcript.log[start:] if (kind, label) == ("draw", "opening challenge")]

    def packed(shares: Any, offsets: Sequence[int], message_vars: int) -> Any:
        nonlocal calls, message
        share, calls = pack(shares, offsets, message_vars), calls + 1
        if calls - 1 == repair.level:
            # The rounds' linear coefficient took all of the error: <form, message> is short of the claim by that much. Change one cell of
            # the block, where the form is not zero.
            lack = missing
            for x in challenges():
                lack = lack * x
            at = offsets[repair.block]
            cell = at + int(np.nonzero(share.form[:, at : at + (1 << code.log_columns)].any(axis=0))[0][0])
            changed = arrays.get(share.cells, cell) + lack * arrays.get(share.form, cell).inverse()
            share.cells[:, cell] = (changed.c0, changed.c1)
            share.claim = share.claim + lack
            message = np.ascontiguousarray(share.cells[:, at : at + (1 << code.log_columns)])
        return share

    def forge_columns(columns: Cells) -> Cells:
        words = next(words for kind, label, words in reversed(transcript.log) if (kind, label) == ("draw", "positions"))
        positions = sorted({word & ((1 << code.log_length) - 1) for word in words})
        return agreeing(kernels, code, columns, positions, challenges(), message, base=repair.level == 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commitment, "_packed", packed)
        if repair.forget:
            patch.setattr(commitment, "_add_point_claims", lambda transcript, *arguments: transcript.challenge("query batch"))
        if repair.columns:
            number = repair.block if repair.level == 0 else len(params.levels[0]) + repair.level - 1
            transcript.arrays[("columns", number)] = forge_columns
        commitment.open_forms(transcript, kernels, params, oracles, list(forms))


def agreeing(
    kernels: Kernels, code: Code, columns: Cells, positions: Sequence[int], point: Sequence[Ext], message: Any, base: bool
) -> Cells:
    """The columns with two cells changed so that they fold to the message's codeword: of a base oracle the first two, of an extension
    oracle both coordinates of the first."""
    rows = columns.shape[0] if base else columns.shape[0] // 2
    weights = multilinear.eq_table(point[len(point) - (rows.bit_length() - 1) :] if rows > 1 else ())
    folded = multilinear.contract_rows(weights, columns[:rows])
    if not base:
        folded = times_x(folded, multilinear.contract_rows(weights, columns[rows:]))
    lack = goldilocks.sub(kernels.encode_rows(message, code.log_blowup)[:, positions], folded)
    a = arrays.get(weights, 0)
    b = arrays.get(weights, 1) if base else a * Ext(0, 1)
    other = 1 if base else rows
    inverse = pow((a.c0 * b.c1 - a.c1 * b.c0) % P, P - 2, P)
    out = columns.copy()
    for i in range(columns.shape[1]):
        u, v = int(lack[0, i]), int(lack[1, i])
        first, second = (u * b.c1 - v * b.c0) * inverse % P, (a.c0 * v - a.c1 * u) * inverse % P
        out[0, i], out[other, i] = (int(out[0, i]) + first) % P, (int(out[other, i]) + second) % P
    return out


# Proofs --------------------------------------------------------------------------------------------------------------------------


def leaves_of(pk: ProvingKey, *inputs: Integers, batch: int = 1) -> Values:
    """Leaf tensors of a run, or of a batch (inputs with the batch in front): the inputs in port order, and the key's weights."""
    graph = pk.program.batched(batch).graph
    given = {port.tensor: np.asarray(value, dtype=np.int64) for port, value in zip(graph.inputs, inputs, strict=True)}
    return given | {i: pk.weights[j] for i, j in zip(graph.weights, pk.program.graph.weights, strict=True)}


def outputs_of(graph: Graph, values: Mapping[int, Any]) -> dict[str, Integers]:
    """The output tensors of a run, by name; field cells are taken as signed."""
    found = {}
    for port in graph.outputs:
        value = values[port.tensor]
        value = goldilocks.to_signed(value) if value.dtype == np.uint64 else value
        found[port.name] = np.ascontiguousarray(value.reshape(graph.tensors[port.tensor].shape))
    return found


def inputs_of(graph: Graph, values: Mapping[int, Any]) -> dict[str, Integers]:
    """The input tensors of a run, by name."""
    found = {}
    for port in graph.inputs:
        value = values[port.tensor]
        value = goldilocks.to_signed(value) if value.dtype == np.uint64 else value
        found[port.name] = np.ascontiguousarray(value.reshape(graph.tensors[port.tensor].shape))
    return found


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """What a forged proof is of and about; what is left None follows from the run and the key."""

    values: Mapping[int, Any]
    """The run: int64 arrays or field cells by tensor id."""
    inputs: Mapping[str, Integers] | None = None
    outputs: Mapping[str, Integers] | None = None
    weights: Committed | None = None
    root: bytes | None = None
    sample: bytes | None = None
    program: Program | None = None
    batch: int = 1


def proving_of(pk: ProvingKey, claimed: Claimed, lie: Lie) -> tuple[Malicious, dict[str, Integers], dict[str, Integers]]:
    """The malicious prover, and the public tensors that it claims."""
    single = claimed.program or pk.program
    program = single.batched(claimed.batch)
    graph, plan = program.graph, program.plan
    inputs = dict(claimed.inputs if claimed.inputs is not None else inputs_of(graph, claimed.values))
    outputs = dict(claimed.outputs if claimed.outputs is not None else outputs_of(graph, claimed.values))
    cells = {i: value.copy() if value.dtype == np.uint64 else as_field(value) for i, value in claimed.values.items()}
    if not lie.count:
        cells |= multiplicities(kernels(), plan, cells)
    if lie.cells is not None:
        lie.cells(cells)
    if lie.count:
        cells |= multiplicities(kernels(), plan, cells)
    root = claimed.root or (claimed.weights.root if claimed.weights else pk.vk.model_commitment)
    weights = claimed.weights or committed_weights(kernels(), pk)
    public = {port.tensor: inputs[port.name] for port in graph.inputs} | {port.tensor: outputs[port.name] for port in graph.outputs}
    sample = weights_sample(kernels(), single, weights) if claimed.sample is None else claimed.sample
    statement = statement_of(single, root, inputs, outputs, claimed.batch, sample)
    return Malicious(program, statement, weights, Witness(cells), lie, public), inputs, outputs


def forge(pk: ProvingKey, claimed: Claimed, lie: Lie | None = None) -> Proof:
    """A proof by the malicious prover."""
    proving, inputs, outputs = proving_of(pk, claimed, lie or Lie())
    return Proof(
        program_digest=proving.statement.program_digest,
        model_commitment=proving.statement.model_commitment,
        inputs=inputs,
        outputs=outputs,
        body=proving.run(),
        batch=claimed.batch,
    )


def honest(circuit: Circuit, *inputs: Integers) -> tuple[ProvingKey, VerifyingKey, Proof]:
    """Keys and an honest proof, by way of the harness."""
    pk, vk = keys(circuit)
    return pk, vk, forge(pk, Claimed(values=run_graph(pk.program.graph, leaves_of(pk, *inputs))))


def forged_registration(program: Program, weights: Committed, cells: Mapping[int, Cells], lie: Lie | None = None) -> VerifyingKey:
    """A key whose registration proof was made for these weight cells (by the program's tensor ids), whatever they are."""
    registration = program.registration
    if registration is None:
        raise ValueError("the program has no weights")
    graph = registration.graph
    leaves = {i: cells[j] for i, j in zip(graph.weights, program.graph.weights, strict=True)}
    values = run_field(graph, leaves)
    sample = weights_sample(kernels(), program, weights)
    statement = VerifyingKey(program, weights.root, b"", sample).registration_statement
    lie = lie or Lie()
    if lie.cells is not None:
        lie.cells(values)
    values |= multiplicities(kernels(), registration.plan, values)
    body = Malicious(registration, statement, weights, Witness(values), lie, {}).run()
    return VerifyingKey(program, weights.root, body, sample)


def commit_cells(program: Program, cells: Mapping[int, Cells]) -> Committed:
    """The weight oracle of any field cells."""
    layout = padded(program.plan.weight_layout, program.params.oracles[0].num_vars)
    return commitment.commit(kernels(), program.params.oracles[0].code, layout.pack(dict(cells)))


def accepted(vk: VerifyingKey, proof: Proof, **given: Any) -> Verified:
    """`verify`, testing keys allowed."""
    return ciro_zk.verifier.verify(vk, proof, **({"allow_testing": True} | given))


@contextmanager
def forgotten_registrations() -> Iterator[None]:
    """No key is remembered as registered, inside and after."""
    ciro_zk.verifier._REGISTERED.clear()
    yield
    ciro_zk.verifier._REGISTERED.clear()


def with_op(graph: Graph, tensor: int, **attributes: Any) -> Graph:
    """The graph of a near twin: the operator that makes `tensor` has other attributes, ids and shapes stay."""
    nodes = tuple(replace(n, op=replace(n.op, **attributes)) if tensor in n.outputs else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


def with_table(graph: Graph, index: int, table: Any) -> Graph:
    """The graph of a near twin: another table in place of `index`."""
    return replace(graph, tables=tuple(table if i == index else t for i, t in enumerate(graph.tables)))
