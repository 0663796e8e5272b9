"""Messages that are not what the committed cells say, and claims left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from soundness.attacks import argument
from soundness.attacks.argument import toy_lie
from soundness.attacks.attempt import Attempt
from soundness.lies.toys import rejected, toy_values
from soundness.malicious import Lie, accepted, elements, honest, kernels, keys
from soundness.verdicts import LOOKUP, OPENING, PRODUCTS
from strategies import toy, toy_input

from ciro_zk.errors import ProofRejected
from ciro_zk.field.extension import Ext, P
from ciro_zk.prover import committed_weights


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


@pytest.mark.parametrize("attack", [argument.no_lookup_work, argument.no_query_work, argument.no_fold_work])
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
        argument.false_factor()()
    assert (error.value.stage, error.value.reason) == OPENING


@pytest.mark.parametrize("claim", range(9))
def test_omitted_claim(claim: int) -> None:
    """A claim is left out of the opening by the prover: the verifier has it."""
    assert toy().program.shape.num_claims == 9
    assert rejected(toy_values(), Lie(omit={claim})) == OPENING
