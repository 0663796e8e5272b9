"""Checking one proof, phase by phase; the mirror of `ciro_zk.prover`. numpy and hashlib only. Source: protocol.md, section 5.

The verifier raises: `ProofRejected(stage, reason)` for a false proof, `ProofFormatError` for bytes that are no proof. It never
returns False.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ciro_zk.circuit.claims import (
    WEIGHTS,
    WITNESS,
    AccumulatorClaim,
    ClaimLedger,
    Form,
    ProductInstance,
    Sample,
    batched,
    factor_forms,
    output_form,
    product_instances,
    split_accumulators,
    tau_length,
)
from ciro_zk.circuit.plan import padded_vars, point_term
from ciro_zk.circuit.tensor import Storage
from ciro_zk.commitment.verifier import verify_opening
from ciro_zk.errors import InputError, ProofRejected
from ciro_zk.field import goldilocks
from ciro_zk.field.extension import ONE, ZERO, Ext, powers
from ciro_zk.hash.blake2s import DIGEST_BYTES
from ciro_zk.hash.transcript import VerifierTranscript
from ciro_zk.kernels import Kernels, numba_kernels, plain_kernels
from ciro_zk.lookup.verifier import verify_fractions
from ciro_zk.poly import linear_form, multilinear
from ciro_zk.poly.linear_form import Term
from ciro_zk.program.keys import VerifyingKey
from ciro_zk.program.program import Program
from ciro_zk.program.public import check_given, check_public
from ciro_zk.program.statement import PROTOCOL, Inference, Statement, digest_tree, inference_digests, sample_point, statement_of
from ciro_zk.proof import Proof
from ciro_zk.security import SecurityReport
from ciro_zk.sumcheck.verifier import HALF, check_final, verify_rounds

Integers = NDArray[np.int64]


class Checking:
    """The phases of one verification."""

    def __init__(
        self,
        program: Program,
        statement: Statement,
        inputs: Mapping[str, Integers],
        outputs: Mapping[str, Integers],
        body: bytes,
        source: str,
        kernels: Kernels | None = None,
    ) -> None:
        self.program, self.plan = program, program.plan
        self.statement, self.kernels = statement, kernels or plain_kernels()
        # apart, since an output may be an input's tensor, and two outputs the same
        self.inputs = {port.tensor: inputs[port.name] for port in program.graph.inputs}
        self.outputs = outputs
        self.transcript = VerifierTranscript(PROTOCOL, body, source)
        self.ledger = ClaimLedger()

    def run(self) -> None:
        """All phases; returns if the proof holds."""
        self.statement.bind(self.transcript)
        self.transcript.absorb("parameters", self.program.parameters)
        witness_root = self.transcript.receive_bytes("witness root", DIGEST_BYTES)
        self.check_samples()
        claims, values = self.check_lookups()
        self.check_products(claims, values)
        self.check_outputs()
        self.check_opening(witness_root)
        self.transcript.finish()

    def check_samples(self) -> None:
        """Of each oracle out of its code's domain: with list decoding, they pin the cells that all other claims are about."""
        params = self.program.params
        if not params.is_sampled:
            return
        point = sample_point(self.statement.model_commitment, params.oracles[WEIGHTS].num_vars)
        self.ledger.add("weights sample", Sample(WEIGHTS, point), Ext.from_bytes(self.statement.weights_sample))
        point = self.transcript.challenges("witness sample point", params.oracles[WITNESS].num_vars)
        (value,) = self.transcript.receive_elements("witness sample", 1)
        self.ledger.add("witness sample", Sample(WITNESS, point), value)

    def check_lookups(self) -> tuple[tuple[AccumulatorClaim, ...], list[Ext]]:
        """The lookup argument down to forms on cells; returns the accumulators' claims and their values."""
        self.transcript.receive_work("lookup grinding", self.program.lookup_grinding_bits)
        alpha, beta = self.transcript.challenges("lookup challenges", 2)
        claim = verify_fractions(self.transcript, self.plan.log_leaves)
        forms = self.plan.leaf_forms(claim.point, beta)
        stored, accumulators = split_accumulators(self.plan, forms)
        values = self.transcript.receive_elements("accumulator values", len(accumulators))
        self.ledger.add("numerator", forms.multiplicities, claim.numerator - forms.lookup_weight)
        known = ONE + (alpha - ONE) * forms.real_weight - forms.phi - self.table_value(forms.tables, beta)
        for accumulator, value in zip(accumulators, values, strict=True):
            known = known - accumulator.scale * value
        self.ledger.add("denominator", stored, known - claim.denominator)
        return accumulators, values

    def table_value(self, tables: Sequence[tuple[int, linear_form.Term]], beta: Ext) -> Ext:
        """The forms on the tables' columns, weighted by powers of beta."""
        value = ZERO
        for index, term in tables:
            weights = linear_form.dense(term)
            power = beta
            for column in self.plan.graph.tables[index].columns():
                value = value + power * self.kernels.inner_product_base(weights, goldilocks.from_signed(column))
                power = power * beta
        return value

    def check_products(self, accumulators: Sequence[AccumulatorClaim], values: Sequence[Ext]) -> None:
        """The batched sumcheck; every factor's value becomes a claim."""
        transcript, plan = self.transcript, self.plan
        tau = transcript.challenges("zero check point", tau_length(plan))
        batch = transcript.challenge("product batch")
        instances = product_instances(plan, accumulators, tau)
        coefficients = powers(batch, len(instances))
        rounds = self.program.shape.product_rounds
        claim = ZERO
        for coefficient, value in zip(coefficients, values, strict=False):
            claim = claim + coefficient * value
        point, claim = verify_rounds(transcript, claim, rounds, plan.max_degree, "product")
        expected = ZERO
        for i, (instance, coefficient) in enumerate(zip(instances, coefficients, strict=True)):
            expected = expected + coefficient * self.instance_value(i, instance, point[rounds - instance.num_vars :], rounds)
        check_final("products", expected, claim, "the factors' values do not meet the sumcheck's claim")

    def instance_value(self, index: int, instance: ProductInstance, suffix: Sequence[Ext], rounds: int) -> Ext:
        finals = self.transcript.receive_elements("factor values", len(instance.factors))
        value = ONE
        for _ in range(rounds - instance.num_vars):
            value = value * HALF
        if instance.eq_point is not None:
            value = value * multilinear.eq(instance.eq_point, suffix)
        for j, ((form, constant), final) in enumerate(zip(factor_forms(self.plan, instance, suffix), finals, strict=True)):
            self.ledger.add(f"factor {index}.{j}", form, final - constant)
            value = value * final
        return value

    def check_outputs(self) -> None:
        """Each output tensor, as the verifier knows it, at a random point."""
        graph = self.plan.graph
        for i, port in enumerate(graph.outputs):
            shape = graph.tensors[port.tensor].shape
            point = self.transcript.challenges("output point", padded_vars(shape))
            form, constant = output_form(self.plan, i, point)
            value = linear_form.value_on(point_term(point, shape), self.outputs[port.name])
            self.ledger.add(f"output {port.name}", form, value - constant)

    def check_opening(self, witness_root: bytes) -> None:
        """All claims at once: public inputs evaluated here, the rest opened on (weights, witness)."""
        gamma = self.transcript.challenge("opening batch")
        claims = self.ledger.take(self.program.num_claims)
        weights = powers(gamma, len(claims))
        graph, plan = self.plan.graph, self.plan
        layouts = (plan.weight_layout, plan.witness_layout)
        stored: tuple[list[tuple[int, Term]], ...] = ([], [])
        samples: list[tuple[Sample, Ext]] = []
        forms: list[tuple[Form, Ext]] = []
        total = ZERO
        for claim, weight in zip(claims, weights, strict=True):
            total = total + weight * claim.value
            if isinstance(claim.form, Sample):
                samples.append((claim.form, weight))
            else:
                forms.append((claim.form, weight))
        for tensor, term in batched([form for form, _ in forms], [weight for _, weight in forms]):
            storage = graph.tensors[tensor].storage if tensor < len(graph.tensors) else Storage.WITNESS
            if storage is Storage.INPUT:
                total = total - linear_form.value_on(term, self.inputs[tensor])
            elif storage is Storage.PUBLIC:
                total = total - linear_form.value_at(term, graph.ones(tensor, self.inputs))
            else:
                stored[WEIGHTS if tensor in plan.weight_layout.shapes else WITNESS].append((tensor, term))

        def form_at(oracle: int, point: Sequence[Ext]) -> Ext:
            extra = len(point) - layouts[oracle].num_vars
            value = layouts[oracle].evaluate(stored[oracle], point[extra:])
            for r in point[:extra]:
                value = value * (ONE - r)
            for sample, weight in samples:
                if sample.oracle == oracle:
                    value = value + weight * multilinear.eq(sample.point, point)
            return value

        verify_opening(self.transcript, self.kernels, self.program.params, (self.statement.model_commitment, witness_root), total, form_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A verdict: the statement that holds, its public tensors dequantised and as integers, and what the proof is worth."""

    statement: Statement
    inputs: dict[str, NDArray[np.float64]]
    outputs: dict[str, NDArray[np.float64]]
    integer_inputs: dict[str, Integers]
    integer_outputs: dict[str, Integers]
    security: SecurityReport
    program: Program

    def inference(self, index: int) -> Inference:
        """One inference of the batch, addressed alone: its public tensors, with the paths of their digests to the statement's.

        Raises `InputError` for an index outside the batch.
        """
        batch, graph = self.statement.batch, self.program.graph
        if not 0 <= index < batch:
            raise InputError(f"the proof has {batch} inferences", field="index", value=index, remedy=f"give 0 to {batch - 1}")
        paths, tensors = [], []
        for ports, values in ((graph.inputs, self.integer_inputs), (graph.outputs, self.integer_outputs)):
            every = inference_digests(ports, graph.tensors, values, batch)
            paths.append(tuple(digest_tree(every).open([index])))
            tensors.append({name: value if batch == 1 else value[index] for name, value in values.items()})
        inference = Inference(
            statement=self.statement,
            program=self.program,
            index=index,
            input_path=paths[0],
            output_path=paths[1],
            integer_inputs=tensors[0],
            integer_outputs=tensors[1],
        )
        inference.check()
        return inference

    def __repr__(self) -> str:
        names = ", ".join(self.outputs)
        return f"Verified({names}; {self.security.summed_bits:.1f} bits, succinct and sound, not zero-knowledge)"


_REGISTERED: set[bytes] = set()


def check_registration(vk: VerifyingKey) -> None:
    """Verify once per key and process that the committed weights lie in their ranges. Raises `ProofRejected` (stage "registration")."""
    registration = vk.program.registration
    if registration is None and vk.registration:
        raise ProofRejected(stage="registration", reason="the model has no weights, but the key has a registration")
    if registration is None or vk.digest in _REGISTERED:
        return
    statement = vk.registration_statement
    try:
        Checking(registration, statement, {}, {}, vk.registration, "verifying key").run()
    except ProofRejected as error:
        raise ProofRejected(stage="registration", reason=f"{error.stage}: {error.reason}") from error
    _REGISTERED.add(vk.digest)


def verify(
    vk: VerifyingKey,
    proof: Proof,
    *,
    inputs: ArrayLike | Mapping[str, ArrayLike] | None = None,
    outputs: ArrayLike | Mapping[str, ArrayLike] | None = None,
    allow_testing: bool = False,
    accelerate: bool = False,
) -> Verified:
    """Check that a proof holds under a verifying key.

    Parameters
    ----------
    vk, proof
        The registered model's key and the proof; both may be untrusted, but the verdict is about the model of `vk`.
    inputs, outputs : array or dict by name, optional
        Real values that the statement must have (outputs may differ from the proven ones by rounding in float32).
    allow_testing : bool
        Accept a key of the `testing` preset, which has no security.
    accelerate : bool
        Compute with the compiled kernels (imports Numba) along the same path; worth it for large proofs.

    Returns
    -------
    Verified
        The statement, its inputs and outputs, and the security report.

    Raises
    ------
    ProofRejected
        The proof is false, or not about this model, inputs or outputs; `stage` and `reason` say which.
    ProofFormatError
        The bytes are no proof.
    """
    program = vk.program
    if program.preset.name == "testing" and not allow_testing:
        raise ProofRejected(
            stage="statement", reason="the key is of the testing preset, which has no security; get a key that was set up for use"
        )
    if proof.program_digest != program.digest:
        raise ProofRejected(
            stage="statement", reason="the proof is for another program", expected=program.digest.hex(), actual=proof.program_digest.hex()
        )
    if proof.model_commitment != vk.model_commitment:
        raise ProofRejected(
            stage="statement",
            reason="the proof is for other weights",
            expected=vk.model_commitment.hex(),
            actual=proof.model_commitment.hex(),
        )
    try:
        batched = program.batched(proof.batch)
        if proof.batch > 1:
            batched.validate()
    except ValueError as error:
        raise ProofRejected(stage="statement", reason=f"a batch of {proof.batch} is not possible: {error}") from error
    graph = batched.graph
    check_public("input", graph.inputs, graph.tensors, proof.inputs)
    check_public("output", graph.outputs, graph.tensors, proof.outputs)
    if inputs is not None:
        check_given("input", graph.inputs, graph.tensors, proof.inputs, inputs)
    if outputs is not None:
        check_given("output", graph.outputs, graph.tensors, proof.outputs, outputs)
    check_registration(vk)
    statement = statement_of(program, vk.model_commitment, proof.inputs, proof.outputs, proof.batch, vk.weights_sample)
    Checking(batched, statement, proof.inputs, proof.outputs, proof.body, proof.source, numba_kernels() if accelerate else None).run()
    return Verified(
        statement=statement,
        inputs={port.name: proof.inputs[port.name] * np.float64(port.scale) for port in graph.inputs},
        outputs={port.name: proof.outputs[port.name] * np.float64(port.scale) for port in graph.outputs},
        integer_inputs=dict(proof.inputs),
        integer_outputs=dict(proof.outputs),
        security=batched.security,
        program=program,
    )
