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

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from soundness.malicious.keys import kernels
from soundness.malicious.lie import Lie
from soundness.malicious.opening import elements, forged_opening
from soundness.malicious.runs import Cells, Integers
from soundness.malicious.transcript import MaliciousTranscript
from soundness.malicious.words import filled, mixed, random_cells
from strategies import cell_indices

from ciro_zk.circuit.claims import AccumulatorClaim, Form, Sample, factor_forms, product_instances, tau_length
from ciro_zk.commitment import prover as commitment
from ciro_zk.commitment.params import Code
from ciro_zk.commitment.prover import Committed
from ciro_zk.field import arrays
from ciro_zk.field.extension import ONE, Ext, powers
from ciro_zk.hash.merkle import MerkleTree
from ciro_zk.hash.transcript import ProverTranscript
from ciro_zk.kernels import Kernels
from ciro_zk.lookup.prover import Stack
from ciro_zk.lookup.verifier import FractionClaim, next_claim, round_claim
from ciro_zk.poly.rounds import halves
from ciro_zk.program.program import Program
from ciro_zk.program.statement import PROTOCOL, Statement
from ciro_zk.prover import Proving, Witness, combine_forms, padded
from ciro_zk.sumcheck.prover import Instance, prove_products
from ciro_zk.sumcheck.verifier import HALF, complete, horner
from ciro_zk.verifier import Checking


class Malicious(Proving):
    """The honest phases, but for the lie."""

    def __init__(
        self,
        program: Program,
        statement: Statement,
        weights: Committed,
        witness: Witness,
        lie: Lie,
        inputs: Mapping[str, Integers],
        outputs: Mapping[str, Integers],
    ):
        super().__init__(program, statement, kernels(), weights, witness)
        self.lie, self.inputs, self.outputs = lie, inputs, outputs
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
            checking = Checking(self.program, self.statement, self.inputs, self.outputs, self.transcript.proof_bytes(), "so far")
            checking.run()
        (total,) = captured
        return total
