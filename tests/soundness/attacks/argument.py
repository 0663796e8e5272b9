"""False rows, products, outputs and folds; no proof of work; a denominator of zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from soundness.attacks.attempt import Attempt, unregistered
from soundness.attacks.samples import listed
from soundness.malicious import Claimed, Lie, Repair, forge, keys, leaves_of, outputs_of, run_graph
from strategies import deep, tensor_ids, tiny, tiny_input, toy, toy_input

from ciro_zk.field.extension import Ext, P
from ciro_zk.hash.transcript import Transcript
from ciro_zk.program.circuit import Circuit


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
def false_input() -> Attempt:
    """The witness is of one input, the statement of another."""
    pk, vk = keys(toy())
    values = run_graph(toy().graph, leaves_of(pk, toy_input()))
    inputs = {"x": toy_input()}
    inputs["x"][0, 0, 0, 0, 0] += 1
    return Attempt(vk, forge(pk, Claimed(values=values, inputs=inputs)))


def false_output_with(lie: Lie | None = None, circuit: Circuit | None = None) -> Attempt:
    """The witness is honest, the statement's output one unit off; what else the prover forges."""
    circuit = circuit or toy()
    pk, vk = keys(circuit)
    values = run_graph(circuit.graph, leaves_of(pk, toy_input()))
    outputs = {"y": outputs_of(circuit.graph, values)["y"].copy()}
    outputs["y"][3] -= 1
    return Attempt(vk, forge(pk, Claimed(values=values, outputs=outputs), lie))


@cache
def false_output() -> Attempt:
    """The witness is honest, the statement's output one unit off."""
    return false_output_with()


@cache
def false_fold(level: int = 0, block: int = 0, forget: bool = False) -> Attempt:
    """A false output, and a folded message that makes up for it; what the columns say of it is left out if `forget`."""
    attempt = false_output_with(Lie(repair_opening=Repair(level=level, block=block, forget=forget)), deep())
    if forget:  # an honest registration holds for no such verifier
        return replace(attempt, world=unregistered)
    return attempt


@cache
def false_columns(level: int = 0, block: int = 0) -> Attempt:
    """A false output, a folded message that makes up for it, and columns that agree with that message."""
    return false_output_with(Lie(repair_opening=Repair(level=level, block=block, columns=True)), deep())
