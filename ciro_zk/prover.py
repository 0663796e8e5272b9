"""One proof, phase by phase, the prover's half; `ciro_zk.verifier` is its mirror. Source: protocol.md, section 5.

1  bind the statement          2  commit the witness oracle          3  lookups: LogUp-GKR, then the accumulators' values
4  products: one batched sumcheck          5  one opening of every linear form on (weights, witness)
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ciro_zk import kernel_cache
from ciro_zk.circuit.claims import (
    WEIGHTS,
    WITNESS,
    AccumulatorClaim,
    Form,
    ProductInstance,
    Sample,
    factor_forms,
    output_form,
    product_instances,
    split_accumulators,
    tau_length,
)
from ciro_zk.circuit.factor import combine
from ciro_zk.circuit.graph import as_field
from ciro_zk.circuit.layout import Block, Layout
from ciro_zk.circuit.plan import Plan, padded_vars
from ciro_zk.circuit.segments import Segment
from ciro_zk.commitment.cells import IntegerCells
from ciro_zk.commitment.files import commit_in
from ciro_zk.commitment.prover import Committed, commit, evaluate, open_forms
from ciro_zk.errors import InputError, ProofFormatError
from ciro_zk.field import arrays, goldilocks
from ciro_zk.field.extension import ONE, Ext, powers
from ciro_zk.hash.transcript import ProverTranscript
from ciro_zk.kernels import Kernels, numba_kernels
from ciro_zk.lookup.prover import Leaves, Stack, prove_fractions
from ciro_zk.memory import MEMORY_CODEWORDS, check_memory
from ciro_zk.ops.batch import MAX_BATCH
from ciro_zk.poly import linear_form
from ciro_zk.poly.linear_form import Group, Term
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.keys import Integers, ProvingKey, VerifyingKey, weight_pieces
from ciro_zk.program.program import Program
from ciro_zk.program.report import codeword_bytes, memory_bytes, setup_bytes
from ciro_zk.program.statement import PROTOCOL, Statement, sample_point, statement_of
from ciro_zk.progress import Progress, Step, silent
from ciro_zk.proof import Proof
from ciro_zk.sumcheck.prover import Instance, prove_products
from ciro_zk.witness import Run

Cells = NDArray[np.uint64]
Extension = NDArray[np.uint64]

KEPT_KEY = ".vkey"


@dataclass(frozen=True, slots=True)
class Witness:
    """Field cells `(size,)` of every tensor of the graph and every multiplicity tensor, by tensor id."""

    cells: Mapping[int, Cells]

    @staticmethod
    def of(kernels: Kernels, plan: Plan, values: Mapping[int, NDArray[np.int64]]) -> Witness:
        """Field cells of a run's integers, and the multiplicities that they imply."""
        weights = {i: values[i] for i in plan.graph.weights}
        cells = {i: as_field(value) for i, value in values.items() if i not in weights}
        return Witness(FieldCells(cells | multiplicities(kernels, plan, FieldCells(cells, weights)), weights))


@dataclass(frozen=True, slots=True)
class FieldCells(Mapping[int, Cells]):
    """Field cells by tensor id; weights stay small integers, and become field elements each time they are asked for."""

    cells: Mapping[int, Cells]
    weights: Mapping[int, NDArray[np.signedinteger[Any]]]

    def __getitem__(self, tensor: int) -> Cells:
        return as_field(self.weights[tensor]) if tensor in self.weights else self.cells[tensor]

    def __iter__(self) -> Iterator[int]:
        return iter({**self.cells, **self.weights})

    def __len__(self) -> int:
        return len(self.cells) + len(self.weights)


def multiplicities(kernels: Kernels, plan: Plan, cells: Mapping[int, Cells]) -> dict[int, Cells]:
    """How often each table row is looked up. An entry that is no row is not counted: the proof will then fail."""
    counts = [np.zeros(table.num_rows, dtype=np.int64) for table in plan.graph.tables]
    for lookup in plan.lookups:
        columns = [goldilocks.to_signed(combine(kernels, c.terms, c.constant, cells)) for c in lookup.columns]
        rows = plan.graph.tables[lookup.table].rows(columns)
        counts[lookup.table] += np.bincount(rows[rows >= 0], minlength=counts[lookup.table].shape[0])
    return {plan.multiplicity(i): as_field(count) for i, count in enumerate(counts)}


class Proving:
    """The phases of one proof. A malicious prover in the tests overrides a phase and lets the rest run honestly."""

    def __init__(
        self, program: Program, statement: Statement, kernels: Kernels, weights: Committed, witness: Witness, progress: Progress = silent
    ) -> None:
        self.program, self.plan = program, program.plan
        self.statement, self.kernels = statement, kernels
        self.weights, self.witness, self.progress = weights, witness, progress
        self.transcript = ProverTranscript(PROTOCOL)
        self.accumulator_values: dict[tuple[int, tuple[Group, ...]], Ext] = {}

    def run(self) -> bytes:
        """All phases; the proof's byte stream."""
        self.progress(Step("commit", 0, 4))
        self.statement.bind(self.transcript)
        self.transcript.absorb("parameters", self.program.parameters)
        committed = self.commit_witness()
        forms: list[Form | Sample] = [*self.take_samples(committed)]
        self.progress(Step("lookups", 1, 4))
        leaf_forms, accumulators = self.prove_lookups()
        forms += leaf_forms
        self.progress(Step("products", 2, 4))
        forms += self.prove_products(accumulators)
        forms += self.bind_outputs()
        self.progress(Step("opening", 3, 4))
        self.open(committed, forms)
        return self.transcript.proof_bytes()

    def commit_witness(self) -> Committed:
        oracle = padded(self.plan.witness_layout, self.program.params.oracles[1].num_vars).pack(self.witness.cells)
        committed = commit(self.kernels, self.program.params.oracles[1].code, oracle)
        self.transcript.send_bytes("witness root", committed.root)
        return committed

    def take_samples(self, committed: Committed) -> list[Sample]:
        """Of each oracle out of its code's domain; the weights' is in the key."""
        params = self.program.params
        if not params.is_sampled:
            return []
        weights = sample_point(self.statement.model_commitment, params.oracles[WEIGHTS].num_vars)
        witness = self.transcript.challenges("witness sample point", params.oracles[WITNESS].num_vars)
        self.transcript.send_elements("witness sample", [evaluate(self.kernels, committed.cells, witness)])
        return [Sample(WEIGHTS, weights), Sample(WITNESS, witness)]

    def prove_lookups(self) -> tuple[list[Form], list[AccumulatorClaim]]:
        transcript, plan, bits = self.transcript, self.plan, self.program.lookup_grinding_bits
        transcript.send_work("lookup grinding", self.kernels.grind(transcript.work_state(), bits) if bits else 0, bits)
        alpha, beta = transcript.challenges("lookup challenges", 2)
        claim = prove_fractions(transcript, self.kernels, self.fractions(alpha, beta))
        leaf_forms = plan.leaf_forms(claim.point, beta)
        stored, accumulators = split_accumulators(plan, leaf_forms)
        transcript.send_elements("accumulator values", [self.accumulator_value(c) for c in accumulators])
        return [leaf_forms.multiplicities, stored], list(accumulators)

    def fractions(self, alpha: Ext, beta: Ext) -> Leaves | Stack:
        return Leaves(self.kernels, *self.leaves(alpha, beta))

    def leaves(self, alpha: Ext, beta: Ext) -> tuple[Cells, Extension]:
        """All fractions: numerators `(2^L,)` and denominators `(2, 2^L)`; unassigned ones are 0 / 1."""
        plan, size = self.plan, 1 << self.plan.log_leaves
        num, den = np.zeros(size, dtype=np.uint64), np.zeros((2, size), dtype=np.uint64)
        den[0] = 1
        for segment in plan.segments:
            origin, box = segment.box()
            leaves = as_strided(num[segment.offset :], box[0], 8 * box[2])
            if segment.is_table:
                leaves[...] = goldilocks.neg(self.witness.cells[plan.multiplicity(segment.index)])
            else:
                leaves[...] = 1
            start, terms = self.leaf_terms(segment, alpha, beta)
            for number, (cells, weight) in enumerate(terms):
                self.kernels.leaf_term(den, segment.offset, cells, origin, box, weight, None if number else start)
        return num, den

    def leaf_terms(self, segment: Segment, alpha: Ext, beta: Ext) -> tuple[Ext, Iterator[tuple[Cells, Ext]]]:
        """alpha - phi of a segment's lookup or table: a constant, less weighted cells."""
        if segment.is_table:
            columns = self.plan.graph.tables[segment.index].columns()
            weighted = zip(map(goldilocks.from_signed, columns), powers(beta, len(columns) + 1)[1:], strict=True)
            return alpha - Ext(segment.index + 1), weighted
        lookup, sums = self.plan.lookups[segment.index], dict[int, Ext]()
        start = alpha - Ext(lookup.table + 1)
        for column, power in zip(lookup.columns, powers(beta, len(lookup.columns) + 1)[1:], strict=True):
            start = start - power * column.constant
            for tensor, coefficient in column.terms:
                sums[tensor] = sums.get(tensor, Ext(0)) + power * coefficient
        return start, ((self.witness.cells[tensor], weight) for tensor, weight in sums.items())

    def accumulator_value(self, claim: AccumulatorClaim) -> Ext:
        """<term, accumulator>, computed once: two lookups of one shape may read the same cells."""
        key = claim.tensor, claim.term.groups
        if key not in self.accumulator_values:
            weights = dense(self.kernels, claim.term)
            self.accumulator_values[key] = self.kernels.inner_product_base(weights, self.witness.cells[claim.tensor])
        return self.accumulator_values[key]

    def prove_products(self, accumulators: Sequence[AccumulatorClaim]) -> list[Form]:
        transcript, plan = self.transcript, self.plan
        tau = transcript.challenges("zero check point", tau_length(plan))
        batch = transcript.challenge("product batch")
        specs = product_instances(plan, accumulators, tau)
        coefficients = powers(batch, len(specs))
        instances = [
            Instance(self.factor_tables(spec), coefficient, self.accumulator_value(accumulators[i]) if i < len(accumulators) else Ext(0))
            for i, (spec, coefficient) in enumerate(zip(specs, coefficients, strict=True))
        ]
        rounds = self.program.shape.product_rounds
        point, finals = prove_products(transcript, self.kernels, instances, rounds, plan.max_degree, "product")
        forms: list[Form] = []
        for spec, final in zip(specs, finals, strict=True):
            skip = 0 if spec.eq_point is None else 1
            transcript.send_elements("factor values", final[skip:])
            suffix = point[rounds - spec.num_vars :]
            forms += [form for form, _ in factor_forms(plan, spec, suffix)]
        return forms

    def factor_tables(self, spec: ProductInstance) -> NDArray[np.uint64]:
        tables = [factor.table(self.kernels, self.witness.cells) for factor in spec.factors]
        if spec.eq_point is not None:
            tables.insert(0, self.kernels.eq_table(spec.eq_point))
        return np.stack(tables)

    def bind_outputs(self) -> list[Form]:
        graph = self.plan.graph
        forms = []
        for i, port in enumerate(graph.outputs):
            point = self.transcript.challenges("output point", padded_vars(graph.tensors[port.tensor].shape))
            forms.append(output_form(self.plan, i, point)[0])
        return forms

    def open(self, committed: Committed, forms: Sequence[Form | Sample]) -> None:
        gamma = self.transcript.challenge("opening batch")
        params, plan = self.program.params, self.plan
        oracles = ((WEIGHTS, plan.weight_layout), (WITNESS, plan.witness_layout))
        combined = [combine_forms(self.kernels, i, padded(layout, params.oracles[i].num_vars), forms, gamma) for i, layout in oracles]
        open_forms(self.transcript, self.kernels, params, [self.weights, committed], combined)


def padded(layout: Layout, num_vars: int) -> Layout:
    """The layout in an oracle of at least its own size."""
    return layout if layout.num_vars == num_vars else Layout(layout.blocks, num_vars, layout.shapes)


def dense(kernels: Kernels, term: Term) -> Extension:
    """All weights of a term, `(2, numel)`."""
    values = arrays.from_list([term.coefficient])
    for group in term.groups:
        values = kernels.outer(values, np.ascontiguousarray(group_values(kernels, group).reshape(2, -1)))
    return values


def group_values(kernels: Kernels, group: Group) -> Extension:
    if isinstance(group, linear_form.Eq):
        return np.ascontiguousarray(kernels.eq_table(group.point)[:, : group.length])
    return group.dense()


def combine_forms(kernels: Kernels, oracle: int, layout: Layout, forms: Sequence[Form | Sample], gamma: Ext) -> Extension:
    """sum_i gamma^i forms[i] restricted to an oracle of that layout, `(2, 2^num_vars)`."""
    result = np.zeros((2, 1 << layout.num_vars), dtype=np.uint64)
    parts: Parts = {}
    for form, power in zip(forms, powers(gamma, len(forms)), strict=True):
        if isinstance(form, Sample):
            if form.oracle == oracle:
                half = len(form.point) // 2
                high = kernels.outer(arrays.from_list([power]), kernels.eq_table(form.point[:half]))
                kernels.add_outer(result, 0, high, kernels.eq_table(form.point[half:]))
            continue
        for tensor, term in form:
            if tensor in layout.shapes:
                add_term(kernels, result, layout.by_tensor[tensor], term.scaled(power), parts)
    return result


Parts = dict[tuple[Group, tuple[int, ...], tuple[int, ...]], Extension]
"""A group's weights in a block, by the block's starts and logs on the group's axes: many terms have them in common."""


def add_term(kernels: Kernels, target: Extension, blocks: Sequence[Block], term: Term, parts: Parts) -> None:
    """Add a term, laid out in its tensor's blocks, to `target`: block by block the product of the groups' parts, never whole."""
    for block in blocks:
        weights, vectors = arrays.from_list([term.coefficient]), []
        for group, starts, logs in block.groups(term):
            if (group, starts, logs) not in parts:
                vector = group_values(kernels, group).reshape(2, *group.dims)
                part = Block(block.tensor, starts, logs, 0)
                parts[group, starts, logs] = np.stack([part.flat(vector[0]), part.flat(vector[1])])
            vectors.append(parts[group, starts, logs])
        *first, last = vectors or [arrays.from_list([ONE])]
        for vector in first:
            weights = kernels.outer(weights, vector)
        kernels.add_outer(target, block.offset, weights, last)


def setup(
    circuit: Circuit, *, directory: str | os.PathLike[str] | None = None, threads: int | None = None, progress: Progress = silent
) -> tuple[ProvingKey, VerifyingKey]:
    """Commit to a circuit's weights and prove that each lies in its range; once per model.

    Parameters
    ----------
    circuit : Circuit
        From `compile`.
    directory : path, optional
        Where the codewords and the verifying key are kept. By default in memory up to 1 GiB of codewords, which is 2^25 weights, and
        else in the user's cache folder. What an interrupted setup had finished there is taken up by the next one.
    threads : int, optional
        Threads to prove with; all cores by default.
    progress : callable
        See `ciro_zk.progress`.

    Raises
    ------
    ResourceError
        Memory or the directory's disk has not enough room; before any work.
    InputError
        The directory cannot be written.
    """
    program, registration = circuit.program, circuit.program.registration
    check_memory(setup_bytes(program, directory is not None))
    kernels = numba_kernels(threads=threads)
    progress(Step("weights", 0, 4))
    path = codewords_path(program, circuit.weights, directory)
    weights = commit_weights(kernels, program, circuit.weights, path)
    vk = _kept_key(path, program, weights.root)
    if vk is None:
        sample = weights_sample(kernels, program, weights)
        proof = b"" if registration is None else _registration(kernels, circuit, weights, sample, progress)
        vk = VerifyingKey(program, weights.root, proof, sample)
        if path is not None:
            vk.save(path.with_suffix(KEPT_KEY))
    pk = ProvingKey(vk, circuit.weights)
    _COMMITTED[pk] = weights
    return pk, vk


def _registration(kernels: Kernels, circuit: Circuit, weights: Committed, sample: bytes, progress: Progress) -> bytes:
    """The proof that every weight lies in its range."""
    program, registration = circuit.program, circuit.program.registration
    if registration is None:
        raise ValueError("the program has no weights")
    graph = registration.graph
    values = graph.run({i: circuit.weights[j] for i, j in zip(graph.weights, program.graph.weights, strict=True)})
    witness = Witness.of(kernels, registration.plan, values)
    statement = VerifyingKey(program, weights.root, b"", sample).registration_statement
    return Proving(registration, statement, kernels, weights, witness, progress).run()


def _kept_key(path: Path | None, program: Program, root: bytes) -> VerifyingKey | None:
    """The verifying key that an earlier setup of the same weights left beside the codewords."""
    if path is None or not path.with_suffix(KEPT_KEY).exists():
        return None
    try:
        vk = VerifyingKey.load(path.with_suffix(KEPT_KEY))
    except ProofFormatError:
        return None
    return vk if vk.program.manifest == program.manifest and vk.model_commitment == root else None


def weights_sample(kernels: Kernels, program: Program, committed: Committed) -> bytes:
    """The weight oracle's sample for the key; empty where the preset decodes uniquely."""
    if not program.preset.is_sampled:
        return b""
    return bytes(evaluate(kernels, committed.cells, sample_point(committed.root, program.params.oracles[WEIGHTS].num_vars)))


def codewords_path(program: Program, weights: Mapping[int, Integers], directory: str | os.PathLike[str] | None) -> Path | None:
    """The file for the codewords of a program's weights; None to keep them in memory. Its name is a digest of both."""
    oracle = program.params.oracles[0]
    if directory is None and codeword_bytes(oracle) <= MEMORY_CODEWORDS:
        return None
    digest = hashlib.blake2s(program.digest + bytes(program.params), person=b"cirocode")
    for piece in weight_pieces(program, weights):
        digest.update(piece)
    folder = kernel_cache.root() / kernel_cache.CODEWORDS if directory is None else Path(directory)
    return folder / f"{digest.hexdigest()}.codewords"


def commit_weights(kernels: Kernels, program: Program, weights: Mapping[int, Integers], path: Path | None = None) -> Committed:
    """The weight oracle, committed; its codewords in the file at `path` from `codewords_path`, or in memory."""
    oracle = program.params.oracles[0]
    runs = tuple((block.offset, block.flat(weights[block.tensor])) for block in program.plan.weight_layout.blocks)
    cells = IntegerCells(1 << oracle.num_vars, runs)
    if path is None:
        return commit(kernels, oracle.code, cells)
    return commit_in(kernels, oracle.code, cells, path, bytes.fromhex(path.stem))


_COMMITTED: WeakKeyDictionary[ProvingKey, Committed] = WeakKeyDictionary()


def committed_weights(kernels: Kernels, pk: ProvingKey, directory: str | os.PathLike[str] | None = None) -> Committed:
    """The key's weight oracle, encoded once per key and process, or read from `directory`, as `setup` takes it. Raises
    `ProofFormatError` where the weights are not those committed to."""
    if pk not in _COMMITTED:
        path = codewords_path(pk.program, pk.weights, directory)
        committed = commit_weights(kernels, pk.program, pk.weights, path)
        if committed.root != pk.vk.model_commitment:
            raise ProofFormatError(
                "are not those of the model commitment", file="proving key", field="weights", remedy="set up the circuit again"
            )
        _COMMITTED[pk] = committed
    return _COMMITTED[pk]


def prove(
    pk: ProvingKey,
    runs: Run | Sequence[Run],
    *,
    directory: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    progress: Progress = silent,
    kernels: Kernels | None = None,
) -> Proof:
    """Prove one run, or several in one proof.

    Parameters
    ----------
    pk : ProvingKey
        From `setup`.
    runs : Run or sequence of Run
        From `infer` with the same key. A batch's cost per run falls: weights, tables and the opening's tail are paid once.
    directory : path, optional
        The one given to `setup`.
    threads : int, optional
        Threads to prove with; all cores by default.
    progress : callable
        See `ciro_zk.progress`.
    kernels : Kernels, optional
        The implementation to compute with; Numba's by default. The proof's bytes do not depend on it.

    Raises
    ------
    InputError
        No runs, or too many.
    ResourceError
        The proof does not fit in memory.
    """
    batch = 1 if isinstance(runs, Run) else len(runs)
    run = runs if isinstance(runs, Run) else runs[0] if batch == 1 else None
    if not 1 <= batch <= MAX_BATCH:
        raise InputError(f"{batch} runs cannot be proven at once", field="runs", remedy=f"give 1 to {MAX_BATCH} runs")
    program = pk.program.batched(batch)
    check_memory(memory_bytes(program, directory is not None))
    kernels = kernels or numba_kernels(threads=threads)
    progress(Step("witness", 0, 4))
    if run is None:
        run = joined(pk, program, list(runs) if not isinstance(runs, Run) else [])
    statement = statement_of(pk.program, pk.vk.model_commitment, run.integer_inputs, run.integer_outputs, batch, pk.vk.weights_sample)
    witness = Witness.of(kernels, program.plan, run.values)
    body = Proving(program, statement, kernels, committed_weights(kernels, pk, directory), witness, progress).run()
    return Proof(
        program_digest=pk.program.digest,
        model_commitment=pk.vk.model_commitment,
        inputs=run.integer_inputs,
        outputs=run.integer_outputs,
        body=body,
        batch=batch,
    )


def joined(pk: ProvingKey, program: Program, runs: Sequence[Run]) -> Run:
    """Several runs as one run of the batched program."""
    graph = program.graph
    inputs = {port.name: np.stack([run.integer_inputs[port.name] for run in runs]) for port in graph.inputs}
    weights = {i: pk.weights[j] for i, j in zip(graph.weights, pk.program.graph.weights, strict=True)}
    values = graph.run({port.tensor: inputs[port.name] for port in graph.inputs} | weights)
    outputs = {port.name: np.ascontiguousarray(values[port.tensor]) for port in graph.outputs}
    return Run(inputs, outputs, {port.name: outputs[port.name] * np.float64(port.scale) for port in graph.outputs}, values, runs[0].device)
