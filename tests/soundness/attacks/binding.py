"""Weak Fiat-Shamir: false statements that hold where the transcript does not absorb one of a statement's fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from soundness.attacks.attempt import Attempt, unregistered
from soundness.attacks.lattice import invisible
from soundness.disabling import without
from soundness.malicious import (
    Claimed,
    Lie,
    as_cells,
    commit_cells,
    forge,
    forged_registration,
    kernels,
    keys,
    leaves_of,
    proving_of,
    run_graph,
)
from strategies import QUIET, tensor_ids, toy, toy_input

from ciro_zk.circuit.graph import GraphBuilder
from ciro_zk.commitment.prover import Committed
from ciro_zk.field.extension import Ext
from ciro_zk.hash.merkle import MerkleTree
from ciro_zk.lookup.tables import Clamp, Graph, Range
from ciro_zk.ops import Combine, MatMul, Requantise
from ciro_zk.poly import linear_form, multilinear
from ciro_zk.poly.linear_form import Eq
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.statement import Statement
from ciro_zk.proof import Proof
from ciro_zk.prover import committed_weights


def unbound(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """A protocol whose statement does not absorb one of its fields."""
    return lambda patch: without(patch, Statement, "bind", name)


@cache
def replayed_program() -> Attempt:
    """A proof for a program whose output means y, shown as one for the program whose output means 1000 y."""
    one, thousand = toy(QUIET), toy(QUIET, out_scale=1000.0)
    (pk, _), (_, vk) = keys(one), keys(thousand)  # before the patch: keys are kept, and a registration binds its statement too
    with pytest.MonkeyPatch.context() as patch:
        unbound("program digest")(patch)
        proof = forge(pk, Claimed(values=run_graph(one.graph, leaves_of(pk, toy_input()))))
    assert vk.model_commitment == proof.model_commitment
    return Attempt(vk, replace(proof, program_digest=thousand.program.digest), world=unregistered)


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
