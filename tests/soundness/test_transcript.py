"""Fiat-Shamir: everything that the prover says is absorbed before the challenge that follows, and nothing else is."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from soundness.malicious import Claimed, Lie, keys, leaves_of, proving_of, run_graph
from strategies import deep, toy, toy_input

from ciro_zk.circuit.graph import as_field
from ciro_zk.errors import ProofFormatError
from ciro_zk.field.extension import P
from ciro_zk.hash.transcript import ProverTranscript, Transcript, VerifierTranscript
from ciro_zk.program.circuit import Circuit
from ciro_zk.program.statement import PROTOCOL, Statement, statement_of
from ciro_zk.verifier import Checking

Event = tuple[str, str, Any]


@cache
def proved(circuit: Circuit) -> tuple[bytes, list[Event], Any]:
    """An honest proof's bytes, the prover's log of what was absorbed and drawn, and the prover."""
    pk, _ = keys(circuit)
    proving, _, _ = proving_of(pk, Claimed(values=run_graph(circuit.graph, leaves_of(pk, toy_input()))), Lie())
    body = proving.run()
    return body, proving.transcript.log, proving


def checked(circuit: Circuit) -> list[Event]:
    """The verifier's log of the same proof."""
    body, _, proving = proved(circuit)
    log: list[Event] = []
    with pytest.MonkeyPatch.context() as patch:
        absorb, words = Transcript.absorb, Transcript._words

        def absorbing(self: Transcript, label: str, data: bytes) -> None:
            absorb(self, label, data)
            log.append(("absorb", label, data))

        def drawing(self: Transcript, label: str, count: int) -> list[int]:
            found = words(self, label, count)
            log.append(("draw", label, tuple(found)))
            return found

        patch.setattr(Transcript, "absorb", absorbing)
        patch.setattr(Transcript, "_words", drawing)
        checking = Checking(proving.program, proving.statement, proving.inputs, proving.outputs, body, "proof")
        checking.run()
    return log


def draws_after(log: list[Event], index: int) -> Event | None:
    return next((event for event in log[index + 1 :] if event[0] == "draw"), None)


STATEMENT = ["domain", "program digest", "model commitment", "preset", "batch", "input digest", "output digest", "parameters"]
MESSAGES = {
    "witness root", "lookup grinding", "root denominator", "layer round", "layer values", "accumulator values", "product round",
    "factor values", "opening round", "folded root", "clear message", "query grinding", "columns", "siblings",
}  # fmt: skip
DRAWS = {
    "lookup challenges", "layer batch", "layer challenge", "layer half", "zero check point", "product batch", "product challenge",
    "output point", "opening batch", "opening challenge", "positions", "query batch",
}  # fmt: skip


@pytest.mark.parametrize("circuit", [toy(), deep()], ids=["toy", "deep"])
def test_prover_and_verifier_absorb_and_draw_the_same(circuit: Circuit) -> None:
    body, log, _ = proved(circuit)
    assert checked(circuit) == log
    assert b"".join(data for kind, label, data in log if kind == "absorb" and label not in STATEMENT) == body


def test_every_label_is_known() -> None:
    seen = {(kind, label) for circuit in (toy(), deep()) for kind, label, _ in proved(circuit)[1]}
    assert {label for kind, label in seen if kind == "absorb"} == MESSAGES | set(STATEMENT)
    assert {label for kind, label in seen if kind == "draw"} == DRAWS


def test_the_statement_is_absorbed_before_the_first_challenge() -> None:
    log = proved(toy())[1]
    assert [label for _, label, _ in log[: len(STATEMENT)]] == STATEMENT
    assert not any(label in STATEMENT for _, label, _ in log[len(STATEMENT) :])


def last(log: list[Event], kind: str, label: str) -> int:
    return max(i for i, event in enumerate(log) if event[:2] == (kind, label))


def first(log: list[Event], kind: str, label: str) -> int:
    return min(i for i, event in enumerate(log) if event[:2] == (kind, label))


def test_the_order_of_messages_and_challenges() -> None:
    """Each challenge comes after all that it must not be known to: protocol.md, sections 5 to 7."""
    log = proved(deep())[1]
    assert first(log, "absorb", "witness root") < first(log, "draw", "lookup challenges")
    assert first(log, "absorb", "root denominator") < first(log, "draw", "layer batch")
    assert last(log, "absorb", "accumulator values") < first(log, "draw", "zero check point") < first(log, "draw", "product batch")
    assert last(log, "absorb", "factor values") < first(log, "draw", "opening batch")
    assert last(log, "draw", "output point") < first(log, "draw", "opening batch")
    labels = [label for _, label, _ in log]
    for i, label in enumerate(labels):
        if label == "layer values":
            assert labels[i + 1] == "layer half"
            assert i + 2 == len(labels) or labels[i + 2] in ("layer batch", "accumulator values")
        elif label in ("layer round", "product round", "opening round"):
            assert labels[i + 1] == f"{label.split()[0]} challenge"
        elif label in ("folded root", "clear message"):
            assert labels[i + 1 : i + 5] == ["query grinding", "positions", "columns", "siblings"]
        elif label == "query batch":
            assert labels[i - 3 : i] == ["positions", "columns", "siblings"]


def test_every_message_changes_the_challenge_that_follows() -> None:
    """Of every kind, the first, a middle and the last one: one bit more or less in it and the next draw is another."""
    circuit = deep()
    pk, _ = keys(circuit)
    claimed = Claimed(values=run_graph(circuit.graph, leaves_of(pk, toy_input())))
    honest_log = proved(circuit)[1]
    spots: dict[str, list[int]] = {}
    for i, (kind, label, _) in enumerate(honest_log):
        if kind == "absorb" and label in MESSAGES:
            spots.setdefault(label, []).append(i)
    for label, places in spots.items():
        for number in sorted({0, len(places) // 2, len(places) - 1}):

            def forged(data: bytes) -> bytes:
                return (int.from_bytes(data[:8], "little") ^ 1).to_bytes(8, "little") + data[8:]

            proving, _, _ = proving_of(pk, claimed, Lie(messages={(label, number): forged}))
            proving.run()
            index = places[number]
            assert proving.transcript.log[:index] == honest_log[:index]
            before, after = draws_after(honest_log, index), draws_after(proving.transcript.log, index)
            assert before is not None, f"{label} {number} is followed by no challenge"
            assert after is not None
            assert before[1] == after[1]
            assert before[2] != after[2], f"{label} {number} does not change {before[1]}"


@pytest.mark.parametrize(
    "field", ["program_digest", "model_commitment", "weights_sample", "preset", "batch", "input_digest", "output_digest"]
)
def test_every_field_of_the_statement_changes_the_first_challenge(field: str) -> None:
    fields: dict[str, Any] = {
        "program_digest": bytes(32), "model_commitment": bytes(32), "preset": "standard", "batch": 1,
        "input_digest": bytes(32), "output_digest": bytes(32), "weights_sample": b"",
    }  # fmt: skip
    other = fields | {field: {"preset": "testing", "batch": 2}.get(field, b"\x01" + bytes(31))}

    def first_challenge(values: dict[str, Any]) -> Any:
        transcript = Transcript(PROTOCOL)
        Statement(**values).bind(transcript)
        return transcript.challenge("first")

    assert first_challenge(fields) != first_challenge(other)
    assert first_challenge(fields) == first_challenge(dict(fields))


def test_public_tensors_change_their_digest() -> None:
    """Name, shape and every cell of each public tensor are in the digest."""
    pk, vk = keys(toy())
    graph = toy().graph
    values = run_graph(graph, leaves_of(pk, toy_input()))
    outputs = {"y": values[graph.outputs[0].tensor]}
    inputs = {"x": toy_input()}
    base = statement_of(toy().program, vk.model_commitment, inputs, outputs)
    for index in (0, 35, 71):
        changed = toy_input()
        changed.reshape(-1)[index] += 1
        other = statement_of(toy().program, vk.model_commitment, {"x": changed}, outputs)
        assert other.input_digest != base.input_digest
        assert other.output_digest == base.output_digest
    assert base.input_digest != base.output_digest
    assert (as_field(toy_input()) < P).all()


# The hash chain ------------------------------------------------------------------------------------------------------------------


def challenge(*events: tuple[str, str, bytes], domain: str = "test") -> Any:
    transcript = Transcript(domain)
    for kind, label, data in events:
        if kind == "absorb":
            transcript.absorb(label, data)
        else:
            transcript.challenge(label)
    return transcript.challenge("end")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([("absorb", "a", b"xy")], [("absorb", "a", b"x"), ("absorb", "a", b"y")]),  # joined messages
        ([("absorb", "ab", b"c")], [("absorb", "a", b"bc")]),  # label and data
        ([("absorb", "a", b"c")], [("absorb", "b", b"c")]),  # labels
        ([("absorb", "a", b"")], [("draw", "a", b"")]),  # an empty message is no draw
        ([("absorb", "a", b"")], []),
        ([("draw", "a", b"")], []),
        ([("absorb", "a", b"x"), ("absorb", "b", b"y")], [("absorb", "b", b"y"), ("absorb", "a", b"x")]),  # order
        ([("absorb", "a", b"x")], [("absorb", "a", b"x\0")]),  # trailing zeros
        ([("absorb", "a", bytes(64))], [("absorb", "a", bytes(65))]),
    ],
)
def test_domain_separation_and_length_prefixes(one: list[Any], other: list[Any]) -> None:
    assert challenge(*one) != challenge(*other)
    assert challenge(*one) == challenge(*one)


def test_the_domain_and_the_label_of_a_draw_matter() -> None:
    assert challenge(domain="a") != challenge(domain="b")
    one, other = Transcript("test"), Transcript("test")
    assert one.challenge("a") != other.challenge("b")
    assert one.challenge("c") != other.challenge("c")


def test_challenges_follow_each_other() -> None:
    transcript = Transcript("test")
    assert len({transcript.challenge("a") for _ in range(50)}) == 50


def test_draws_are_canonical_and_positions_sorted() -> None:
    transcript = Transcript("test")
    found = transcript.challenges("a", 500)
    assert all(0 <= c < P for value in found for c in (value.c0, value.c1))
    positions = transcript.positions("b", 100, 5)
    assert positions == sorted(set(positions))
    assert 0 <= positions[0] <= positions[-1] < 32


def test_a_nonce_is_absorbed_and_about_the_state_before_it() -> None:
    prover = ProverTranscript("test")
    state = prover.work_state()
    prover.send_work("work", 5, 4)
    assert prover.work_state() != state
    other = ProverTranscript("test")
    other.send_work("work", 6, 4)
    assert other.challenge("a") != prover.challenge("a")


def test_without_bits_there_is_no_nonce() -> None:
    prover = ProverTranscript("test")
    prover.send_work("work", 5, 0)
    assert prover.proof_bytes() == b""
    VerifierTranscript("test", b"").receive_work("work", 0)


@pytest.mark.parametrize("word", [P, P + 1, 2**64 - 1])
def test_words_that_are_no_elements(word: int) -> None:
    for data in (word.to_bytes(8, "little") + bytes(8), bytes(8) + word.to_bytes(8, "little")):
        with pytest.raises(ProofFormatError, match="not canonical"):
            VerifierTranscript("test", data).receive_elements("a", 1)
        with pytest.raises(ProofFormatError, match="not canonical"):
            VerifierTranscript("test", data).receive_base("a", (2,))
    with pytest.raises(ProofFormatError, match="truncated"):
        VerifierTranscript("test", bytes(15)).receive_elements("a", 1)
    with pytest.raises(ProofFormatError, match="unread"):
        VerifierTranscript("test", b"x").finish()
