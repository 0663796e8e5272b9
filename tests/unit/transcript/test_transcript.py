"""The transcript: both sides draw the same challenges, everything said changes them, nothing unread or non-canonical passes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.field.extension import Ext, P
from ciro_zk.hash.blake2s import grind
from ciro_zk.hash.transcript import ProverTranscript, Transcript, VerifierTranscript

WORDS = st.one_of(st.sampled_from([0, 1, P - 1, 2**32]), st.integers(0, P - 1))
ELEMENTS = st.lists(st.builds(Ext, WORDS, WORDS), max_size=5)
LABELS = st.text(max_size=12)

Message = tuple[str, str, object]
MESSAGES = st.one_of(
    st.tuples(st.just("bytes"), LABELS, st.binary(max_size=40)),
    st.tuples(st.just("elements"), LABELS, ELEMENTS),
    st.tuples(st.just("base"), LABELS, st.lists(WORDS, max_size=6)),
    st.tuples(st.just("absorb"), LABELS, st.binary(max_size=40)),
    st.tuples(st.just("challenges"), LABELS, st.integers(0, 5)),
    st.tuples(st.just("positions"), LABELS, st.integers(1, 30)),
)


def send(transcript: ProverTranscript, message: Message) -> object:
    kind, label, value = message
    if kind == "bytes":
        transcript.send_bytes(label, value)  # type: ignore[arg-type]
    elif kind == "elements":
        transcript.send_elements(label, value)  # type: ignore[arg-type]
    elif kind == "base":
        transcript.send_base(label, np.array(value, dtype=np.uint64))
    return shared(transcript, message)


def shared(transcript: Transcript, message: Message) -> object:
    kind, label, value = message
    if kind == "absorb":
        transcript.absorb(label, value)  # type: ignore[arg-type]
    elif kind == "challenges":
        return transcript.challenges(label, value)  # type: ignore[arg-type]
    elif kind == "positions":
        return transcript.positions(label, value, 7)  # type: ignore[arg-type]
    return None


def receive(transcript: VerifierTranscript, message: Message) -> object:
    kind, label, value = message
    if kind == "bytes":
        assert transcript.receive_bytes(label, len(value)) == value  # type: ignore[arg-type]
    elif kind == "elements":
        assert transcript.receive_elements(label, len(value)) == value  # type: ignore[arg-type]
    elif kind == "base":
        assert transcript.receive_base(label, (len(value),)).tolist() == value  # type: ignore[arg-type]
    return shared(transcript, message)


# Agreement -----------------------------------------------------------------------------------------------------------------------------


@given(st.lists(MESSAGES, max_size=12))
def test_both_sides_agree(messages: list[Message]) -> None:
    prover = ProverTranscript("test")
    drawn = [send(prover, message) for message in messages]
    verifier = VerifierTranscript("test", prover.proof_bytes())
    assert [receive(verifier, message) for message in messages] == drawn
    verifier.finish()
    assert prover.challenge("end") == verifier.challenge("end")


def test_the_definition_of_absorb_and_challenge() -> None:
    """H(state || tag || len(label) || label || len(data) || data); words of H(state || counter) below p."""

    def h(data: bytes) -> bytes:
        return hashlib.blake2s(data, person=b"ciro_fs1").digest()

    def step(state: bytes, tag: bytes, label: bytes, data: bytes) -> bytes:
        return h(state + tag + len(label).to_bytes(2, "little") + label + len(data).to_bytes(8, "little") + data)

    state = step(bytes(32), b"A", b"domain", b"here")
    state = step(state, b"A", b"root", b"abc")
    state = step(state, b"S", b"alpha", b"")
    block = h(state + (0).to_bytes(8, "little"))
    words = [int.from_bytes(block[i : i + 8], "little") for i in (0, 8)]
    assert all(word < P for word in words)
    transcript = Transcript("here")
    transcript.absorb("root", b"abc")
    assert transcript.challenge("alpha") == Ext(*words)


def test_words_past_p_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fake:
        """A hash whose first block holds p and 2^64 - 1."""

        blocks = 0

        def __init__(self, data: bytes, person: bytes) -> None:
            self.data = data

        def digest(self) -> bytes:
            if len(self.data) != 40:
                return bytes(32)
            words = {0: [P, 5, 2**64 - 1, P + 1], 1: [P - 1, 9, 9, 9]}[int.from_bytes(self.data[32:], "little")]
            return b"".join(word.to_bytes(8, "little") for word in words)

    monkeypatch.setattr("ciro_zk.hash.transcript.hashlib.blake2s", Fake)
    assert Transcript("x").challenge("c") == Ext(5, P - 1)


def test_challenges_are_in_the_field_and_all_different() -> None:
    drawn = Transcript("x").challenges("many", 500)
    assert all(0 <= v.c0 < P and 0 <= v.c1 < P for v in drawn)
    assert len(set(drawn)) == 500


# Separation ----------------------------------------------------------------------------------------------------------------------------


def after(*steps: Callable[[Transcript], object], domain: str = "d") -> Ext:
    transcript = Transcript(domain)
    for step in steps:
        step(transcript)
    return transcript.challenge("c")


def absorb(label: str, data: bytes) -> Callable[[Transcript], object]:
    return lambda transcript: transcript.absorb(label, data)


def test_every_way_to_say_the_same_bytes_gives_another_challenge() -> None:
    """Labels, lengths, splits, order, domain and drawing itself are all bound."""
    histories = [
        after(),
        after(domain="e"),
        after(absorb("a", b"")),
        after(absorb("", b"a")),
        after(absorb("a", b"bc")),
        after(absorb("ab", b"c")),
        after(absorb("a", b"b"), absorb("a", b"c")),
        after(absorb("a", b"c"), absorb("a", b"b")),
        after(absorb("a", b"b"), absorb("", b"c")),
        after(absorb("a", b"bc"), absorb("a", b"")),
        after(absorb("a", b"bc\0")),
        after(lambda t: t.challenge("a")),
        after(lambda t: t.challenge("")),
        after(lambda t: t.challenge("c")),
        after(lambda t: t.challenges("c", 0), lambda t: t.challenges("c", 0)),
        Transcript("d").challenge("b"),
    ]
    assert len(set(histories)) == len(histories)


@given(st.lists(MESSAGES, min_size=1, max_size=5), st.data())
def test_a_changed_message_changes_every_later_challenge(messages: list[Message], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(messages) - 1))
    other = data.draw(MESSAGES)
    kind, label, value = messages[index]
    same_bytes = kind == other[0] and label == other[1] and (value == other[2] or kind in ("challenges", "positions"))
    if same_bytes or {kind, other[0]} <= {"challenges", "positions"}:
        return  # drawing another number of words advances the state alike
    first, second = ProverTranscript("test"), ProverTranscript("test")
    for message in messages:
        send(first, message)
    for message in [*messages[:index], other, *messages[index + 1 :]]:
        send(second, message)
    encoded = {"elements": lambda v: b"".join(map(bytes, v)), "base": lambda v: b"".join(w.to_bytes(8, "little") for w in v)}
    mine, theirs = (encoded.get(k, lambda v: v)(v) for k, v in ((kind, value), (other[0], other[2])))
    equal = label == other[1] and mine == theirs  # the same label and bytes by another method
    assert (first.challenge("end") == second.challenge("end")) == equal


def test_successive_challenges_differ() -> None:
    transcript = Transcript("d")
    assert transcript.challenge("c") != transcript.challenge("c")


# Reading -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [P, P + 1, 2**64 - 1])
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_non_canonical_elements_are_refused(word: int, place: int) -> None:
    words = [1, 2, 3, 4]
    words[place] = word
    stream = b"".join(w.to_bytes(8, "little") for w in words)
    with pytest.raises(ProofFormatError, match="not canonical") as caught:
        VerifierTranscript("d", stream, "file").receive_elements("values", 2)
    assert (caught.value.field, caught.value.file) == ("values", "file")
    with pytest.raises(ProofFormatError, match="not canonical"):
        VerifierTranscript("d", stream).receive_base("columns", (2, 2))
    with pytest.raises(ProofFormatError, match="not canonical"):
        VerifierTranscript("d", stream).receive_extension("row", 2)


def test_the_largest_canonical_element_is_taken() -> None:
    stream = (P - 1).to_bytes(8, "little") * 2
    assert VerifierTranscript("d", stream).receive_elements("v", 1) == [Ext(P - 1, P - 1)]


@given(st.binary(max_size=30), st.integers(0, 60))
def test_reading_past_the_end_is_refused(stream: bytes, length: int) -> None:
    transcript = VerifierTranscript("d", stream, "file")
    if length <= len(stream):
        assert transcript.receive_bytes("x", length) == stream[:length]
        return
    with pytest.raises(ProofFormatError, match="truncated") as caught:
        transcript.receive_bytes("x", length)
    assert caught.value.field == "x"


@pytest.mark.parametrize("left", [1, 8, 100])
def test_unread_bytes_are_refused(left: int) -> None:
    transcript = VerifierTranscript("d", bytes(16 + left))
    transcript.receive_elements("v", 1)
    with pytest.raises(ProofFormatError, match=f"{left} bytes are left unread"):
        transcript.finish()


def test_arrays_come_back_in_shape_and_writable() -> None:
    prover = ProverTranscript("d")
    matrix = np.arange(6, dtype=np.uint64).reshape(2, 3)
    prover.send_base("m", matrix.T)  # not contiguous: sent in C order of the transpose
    prover.send_base("row", matrix)
    verifier = VerifierTranscript("d", prover.proof_bytes())
    assert np.array_equal(verifier.receive_base("m", (3, 2)), matrix.T)
    row = verifier.receive_extension("row", 3)
    assert row.dtype == np.uint64 and row.flags.c_contiguous and row.flags.writeable and np.array_equal(row, matrix)


# Positions -----------------------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 300), st.integers(0, 30), st.binary(max_size=8))
def test_positions_are_sorted_distinct_and_in_range(count: int, log_length: int, seed: bytes) -> None:
    transcript = Transcript("d")
    transcript.absorb("seed", seed)
    positions = transcript.positions("p", count, log_length)
    assert positions == sorted(set(positions))
    assert 1 <= len(positions) <= min(count, 1 << log_length)
    assert positions[0] >= 0 and positions[-1] < 1 << log_length


def test_positions_spread_over_the_whole_code() -> None:
    positions = Transcript("d").positions("p", 2000, 4)
    assert positions == list(range(16))
    assert len(Transcript("d").positions("p", 100, 60)) == 100


# Proof of work -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1, 5, 9])
def test_work_is_over_the_state_before_it(bits: int) -> None:
    prover = ProverTranscript("d")
    prover.send_bytes("x", b"abc")
    nonce = grind(prover.work_state(), bits)
    prover.send_work("work", nonce, bits)
    verifier = VerifierTranscript("d", prover.proof_bytes())
    verifier.receive_bytes("x", 3)
    verifier.receive_work("work", bits)
    verifier.finish()
    assert prover.challenge("c") == verifier.challenge("c")


def test_too_little_work_is_rejected() -> None:
    prover = ProverTranscript("d")
    state = prover.work_state()
    nonce = next(n for n in range(1000) if grind(state, 3) != n and not _has_zero_bits(state, n, 3))
    prover.send_work("work", nonce, 3)
    with pytest.raises(ProofRejected, match="3 zero bits") as caught:
        VerifierTranscript("d", prover.proof_bytes()).receive_work("work", 3)
    assert caught.value.stage == "grinding"


def _has_zero_bits(state: bytes, nonce: int, bits: int) -> bool:
    digest = hashlib.blake2s(state + nonce.to_bytes(8, "little"), person=b"cirowork").digest()
    return int.from_bytes(digest, "little") % 2**bits == 0


def test_the_nonce_is_absorbed() -> None:
    first, second = ProverTranscript("d"), ProverTranscript("d")
    first.send_work("work", 1, 3)
    second.send_work("work", 2, 3)
    assert first.challenge("c") != second.challenge("c")


def test_no_work_says_nothing() -> None:
    prover = ProverTranscript("d")
    prover.send_work("work", 0, 0)
    assert prover.proof_bytes() == b""
    VerifierTranscript("d", b"").receive_work("work", 0)
    assert prover.challenge("c") == Transcript("d").challenge("c")
