"""Opening linear forms on one and two oracles: honest openings verify, false ones are rejected where they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciro_zk.commitment import prover as opening
from ciro_zk.commitment.levels import opening_bytes
from ciro_zk.commitment.params import Code, CommitmentParams, Oracle
from ciro_zk.commitment.prover import Committed, combined_powers, commit, evaluate, open_forms
from ciro_zk.commitment.verifier import PointClaims, evaluation_points, times_x, verify_opening
from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.field import arrays
from ciro_zk.field.extension import ONE, Ext, P, total
from ciro_zk.hash.merkle import MerkleTree
from ciro_zk.hash.transcript import ProverTranscript, VerifierTranscript
from ciro_zk.kernels import Kernels, plain_kernels
from ciro_zk.poly import multilinear
from tests.unit.poly_forms.reference import SEEDS, from_table, mle, random_point, random_table, zero_like

KERNELS = plain_kernels()


def oracle(num_vars: int, log_columns: int, log_blowup: int, num_queries: int) -> Oracle:
    return Oracle(num_vars=num_vars, code=Code(log_columns=log_columns, log_blowup=log_blowup, num_queries=num_queries))


FIRST = (oracle(6, 5, 2, 20), oracle(8, 4, 1, 25))
LATER = ((oracle(6, 4, 3, 9),), (oracle(4, 2, 4, 7),))
PARAMS = CommitmentParams(levels=(FIRST, *LATER), grinding_bits=2)
ONE_LEVEL = CommitmentParams(levels=(FIRST,), grinding_bits=3)


def cells_of(params: CommitmentParams, rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.integers(0, P, 1 << oracle.num_vars, dtype=np.uint64) for oracle in params.oracles]


def commit_all(params: CommitmentParams, cells: Sequence[np.ndarray]) -> list[Committed]:
    return [commit(KERNELS, oracle.code, c) for oracle, c in zip(params.oracles, cells, strict=True)]


def open_all(params: CommitmentParams, oracles: Sequence[Committed], forms: Sequence[np.ndarray]) -> bytes:
    transcript = ProverTranscript("test")
    for committed in oracles:
        transcript.absorb("root", committed.root)
    open_forms(transcript, KERNELS, params, oracles, list(forms))
    return transcript.proof_bytes()


def verify_all(params: CommitmentParams, roots: Sequence[bytes], body: bytes, claim: Ext, forms: Sequence[np.ndarray]) -> None:
    transcript = VerifierTranscript("test", body)
    for root in roots:
        transcript.absorb("root", root)
    verify_opening(transcript, KERNELS, params, roots, claim, lambda i, z: multilinear.evaluate(forms[i], z))
    transcript.finish()


def value(forms: Sequence[np.ndarray], cells: Sequence[np.ndarray]) -> Ext:
    found = Ext(0)
    for form, values in zip(forms, cells, strict=True):
        found = found + arrays.inner_product_base(form, values)
    return found


def made(
    params: CommitmentParams = PARAMS, seed: int = 0
) -> tuple[list[np.ndarray], list[np.ndarray], list[Committed], bytes, Ext, list[bytes]]:
    rng = np.random.default_rng(seed)
    cells = cells_of(params, rng)
    forms = [random_table(rng, 1 << oracle.num_vars) for oracle in params.oracles]
    oracles = commit_all(params, cells)
    return cells, forms, oracles, open_all(params, oracles, forms), value(forms, cells), [o.root for o in oracles]


@st.composite
def parameters(draw: st.DrawFn) -> CommitmentParams:
    """One to three oracles of any codes, one to four levels, folds of zero to four variables."""

    def coded(num_vars: int, log_columns: int) -> Oracle:
        return oracle(num_vars, log_columns, draw(st.integers(1, 3)), draw(st.integers(1, 12)))

    columns = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    first = tuple(coded(c + draw(st.integers(0, 4)), c) for c in columns)
    sampled = draw(st.booleans())
    params = CommitmentParams(
        levels=(first,),
        grinding_bits=draw(st.sampled_from([0, 0, 2])),
        fold_grinding_bits=draw(st.sampled_from([0, 1, 3])) if sampled else 0,
        is_sampled=sampled,
    )
    for _ in range(draw(st.integers(0, 3))):
        message = params.clear_vars
        params = replace(params, levels=(*params.levels, (coded(message, draw(st.integers(max(message - 3, 0), message))),)))
    return params


@settings(max_examples=50)
@given(parameters(), SEEDS)
def test_honest_openings_verify(params: CommitmentParams, seed: int) -> None:
    """One, two or three oracles of equal or different sizes, down to a single row each."""
    _, forms, _, body, claim, roots = made(params, seed)
    verify_all(params, roots, body, claim, forms)


LISTED = replace(PARAMS, fold_grinding_bits=2, is_sampled=True)


def test_each_message_of_list_decoding_is_in_the_opening() -> None:
    """A nonce for every folding round, a sample for every folded root, and nothing for the rounds on the message in clear."""
    *_, plain, claim, roots = made()
    _, forms, _, body, claim, roots = made(LISTED)
    verify_all(LISTED, roots, body, claim, forms)
    rounds = sum(LISTED.fold_rounds(i) for i in range(3))
    # positions are drawn anew, so columns and siblings differ in number: compare with the messages alone
    seen: list[str] = []

    class Recording(VerifierTranscript):
        def receive_bytes(self, label: str, length: int) -> bytes:
            seen.append(label)
            return super().receive_bytes(label, length)

    transcript = Recording("test", body)
    for root in roots:
        transcript.absorb("root", root)
    verify_opening(transcript, KERNELS, LISTED, roots, claim, lambda i, z: multilinear.evaluate(forms[i], z))
    assert (seen.count("fold grinding"), seen.count("sample"), seen.count("query grinding")) == (rounds, 2, 3)
    with pytest.raises((ProofRejected, ProofFormatError)):
        verify_all(PARAMS, roots, body, claim, forms)
    with pytest.raises((ProofRejected, ProofFormatError)):
        verify_all(LISTED, roots, plain, claim, forms)


def test_a_sample_is_the_multilinear_extension() -> None:
    rng = np.random.default_rng(4)
    for num_vars in (0, 1, 5):
        cells, point = rng.integers(0, P, 1 << num_vars, dtype=np.uint64), random_point(rng, num_vars)
        assert evaluate(KERNELS, cells, point) == multilinear.evaluate_base(cells, point)


def test_a_sample_of_a_large_oracle_is_taken_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LOG_FOLD_BLOCK", 3)
    rng = np.random.default_rng(4)
    cells, point = rng.integers(0, P, 1 << 6, dtype=np.uint64), random_point(rng, 6)
    assert evaluate(KERNELS, cells, point) == multilinear.evaluate_base(cells, point)


@pytest.mark.parametrize("index", [0, 1])
def test_another_sample_is_caught(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folded root with another value at its sample point, whether or not its claim is changed alike."""
    _, forms, oracles, _, claim, roots = made(LISTED)
    sent = ProverTranscript.send_elements
    count = 0

    def other(self: ProverTranscript, label: str, values: Sequence[Ext]) -> None:
        nonlocal count
        if label == "sample":
            count += 1
            values = [values[0] + ONE] if count == index + 1 else values
        sent(self, label, values)

    monkeypatch.setattr(ProverTranscript, "send_elements", other)
    body = open_all(LISTED, oracles, forms)
    with pytest.raises(ProofRejected, match="linear forms"):
        verify_all(LISTED, roots, body, claim, forms)


@pytest.mark.parametrize(
    "sizes", [((5, 5),), ((5, 5), (5, 5)), ((6, 5), (9, 5)), ((9, 3), (6, 5)), ((4, 4), (9, 6)), ((6, 5), (6, 3), (5, 4))]
)
@pytest.mark.parametrize("num_folds", [0, 1, 2])
def test_sizes(sizes: tuple[tuple[int, int], ...], num_folds: int) -> None:
    """(variables, row length) of each oracle."""
    params = CommitmentParams(levels=(tuple(oracle(n, c, 2, 9) for n, c in sizes),), grinding_bits=0)
    for _ in range(num_folds):
        params = replace(params, levels=(*params.levels, (oracle(params.clear_vars, params.clear_vars - 2, 3, 5),)))
    _, forms, _, body, claim, roots = made(params)
    verify_all(params, roots, body, claim, forms)


def test_a_form_that_reads_one_cell_opens_that_cell() -> None:
    rng = np.random.default_rng(3)
    cells = cells_of(PARAMS, rng)
    forms = [arrays.zeros(1 << oracle.num_vars) for oracle in PARAMS.oracles]
    forms[1][0, 77] = 1
    oracles = commit_all(PARAMS, cells)
    body = open_all(PARAMS, oracles, forms)
    verify_all(PARAMS, [o.root for o in oracles], body, Ext(int(cells[1][77])), forms)
    with pytest.raises(ProofRejected) as caught:
        verify_all(PARAMS, [o.root for o in oracles], body, Ext(int(cells[1][77])) + ONE, forms)
    assert caught.value.stage == "opening"


# Rejections ----------------------------------------------------------------------------------------------------------------------------


def test_another_claim() -> None:
    _, forms, _, body, claim, roots = made()
    with pytest.raises(ProofRejected, match="linear forms") as caught:
        verify_all(PARAMS, roots, body, claim + ONE, forms)
    assert caught.value.stage == "opening"


@pytest.mark.parametrize("index", [0, 1])
def test_another_form(index: int) -> None:
    _, forms, _, body, claim, roots = made()
    forms[index][1, 3] ^= np.uint64(1)
    with pytest.raises(ProofRejected, match="linear forms"):
        verify_all(PARAMS, roots, body, claim, forms)


@pytest.mark.parametrize("params", [PARAMS, ONE_LEVEL], ids=["three levels", "one level"])
@pytest.mark.parametrize("index", [0, 1])
def test_a_cell_changed_after_the_commitment(params: CommitmentParams, index: int) -> None:
    """Codewords and tree are of the committed cells, the opening is of others: the columns' folds are not those of the message."""
    cells, forms, oracles, *_ = made(params)
    altered = cells[index].copy()
    altered[5] = (int(altered[5]) + 1) % P
    oracles[index] = Committed(altered, oracles[index].codewords, oracles[index].tree)
    now = [altered if i == index else c for i, c in enumerate(cells)]
    body = open_all(params, oracles, forms)
    with pytest.raises(ProofRejected, match="linear forms") as caught:
        verify_all(params, [o.root for o in oracles], body, value(forms, now), forms)
    assert caught.value.stage == "opening"


def test_codewords_that_are_not_those_of_the_tree() -> None:
    cells, forms, oracles, _, claim, roots = made()
    codewords = oracles[1].codewords.copy()
    codewords[2] = (codewords[2] + np.uint64(1)) % np.uint64(P)
    oracles[1] = Committed(cells[1], codewords, oracles[1].tree)
    with pytest.raises(ProofRejected, match="level 0, oracle 1") as caught:
        verify_all(PARAMS, roots, open_all(PARAMS, oracles, forms), claim, forms)
    assert caught.value.stage == "merkle"


@pytest.mark.parametrize("params", [PARAMS, ONE_LEVEL], ids=["three levels", "one level"])
def test_a_word_that_is_no_codeword_is_caught(params: CommitmentParams) -> None:
    """One row of the committed matrix is random: no polynomial of low degree is near it."""
    rng = np.random.default_rng(9)
    cells, forms, oracles, _, claim, _ = made(params)
    codewords = oracles[1].codewords.copy()
    codewords[0] = rng.integers(0, P, codewords.shape[1], dtype=np.uint64)
    oracles[1] = Committed(cells[1], codewords, MerkleTree(KERNELS.hash_columns(codewords), KERNELS))
    with pytest.raises(ProofRejected) as caught:
        verify_all(params, [o.root for o in oracles], open_all(params, oracles, forms), claim, forms)
    assert caught.value.stage == "opening"


@pytest.mark.parametrize("index", [1, 2])
def test_a_fold_committed_wrongly_is_caught(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later level's oracle is committed with one cell changed, and folded honestly."""
    _, forms, oracles, _, claim, roots = made()
    seen = []

    def tampered(kernels: Kernels, code: Code, cells: np.ndarray) -> Committed:
        seen.append(code)
        if len(seen) == index:
            cells = cells.copy()
            cells[0, 3] = (int(cells[0, 3]) + 1) % P
        return commit(kernels, code, cells)

    monkeypatch.setattr(opening, "commit", tampered)
    body = open_all(PARAMS, oracles, forms)
    assert seen == [level[0].code for level in LATER]
    with pytest.raises(ProofRejected) as caught:
        verify_all(PARAMS, roots, body, claim, forms)
    assert caught.value.stage == "opening"


@pytest.mark.parametrize("index", [0, 1])
def test_another_root(index: int) -> None:
    _, forms, _, body, claim, roots = made()
    roots[index] = bytes(32)
    with pytest.raises(ProofRejected):
        verify_all(PARAMS, roots, body, claim, forms)


def test_the_two_roots_are_not_interchangeable() -> None:
    params = replace(PARAMS, levels=((FIRST[0], FIRST[0]), *LATER))
    _, forms, _, body, claim, roots = made(params)
    with pytest.raises(ProofRejected):
        verify_all(params, roots[::-1], body, claim, forms)


@settings(max_examples=60)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_no_byte_of_an_opening_can_be_changed(where: float, flip: int) -> None:
    _, forms, _, body, claim, roots = MADE
    damaged = bytearray(body)
    damaged[int(where * len(body))] ^= flip
    with pytest.raises((ProofRejected, ProofFormatError)):
        verify_all(PARAMS, roots, bytes(damaged), claim, forms)


MADE = made()


def test_truncated_and_extended() -> None:
    _, forms, _, body, claim, roots = MADE
    with pytest.raises(ProofFormatError, match="truncated"):
        verify_all(PARAMS, roots, body[:-1], claim, forms)
    with pytest.raises(ProofFormatError, match="left unread"):
        verify_all(PARAMS, roots, body + b"\0", claim, forms)


def test_work_that_is_not_done_is_refused() -> None:
    """Opened without grinding, verified with: the byte stream does not even have the nonce."""
    _, forms, oracles, _, claim, roots = MADE
    body = open_all(replace(PARAMS, grinding_bits=0), oracles, forms)
    with pytest.raises((ProofRejected, ProofFormatError)):
        verify_all(PARAMS, roots, body, claim, forms)


# Parameters ----------------------------------------------------------------------------------------------------------------------------


def test_shapes_by_hand() -> None:
    """2 rows of 2^5 and 16 rows of 2^4 fold into 32 + 16 cells, packed into 2^6; then 4 rows of 2^4, then 4 rows of 2^2."""
    assert [o.code.log_length for level in PARAMS.levels for o in level] == [7, 5, 7, 6]
    assert [o.row_vars for level in PARAMS.levels for o in level] == [1, 4, 2, 2]
    assert [PARAMS.message_vars(i) for i in range(3)] == [6, 4, 2]
    assert [PARAMS.fold_rounds(i) for i in range(3)] == [4, 2, 2]
    assert [PARAMS.block_offsets(i) for i in range(3)] == [(0, 32), (0,), (0,)]
    assert (PARAMS.clear_vars, PARAMS.rounds) == (2, 10)


@given(parameters())
def test_shapes_fit_together(params: CommitmentParams) -> None:
    """Every fold is what the next level commits to; packed rows are aligned and apart."""
    assert sum(params.fold_rounds(i) for i in range(len(params.levels))) + params.clear_vars == params.rounds
    for i, level in enumerate(params.levels):
        taken = set()
        for o, offset in zip(level, params.block_offsets(i), strict=True):
            size = 1 << o.code.log_columns
            assert offset % size == 0 and offset + size <= 1 << params.message_vars(i)
            assert taken.isdisjoint(range(offset, offset + size))
            taken |= set(range(offset, offset + size))


@settings(max_examples=40)
@given(parameters(), SEEDS)
def test_the_estimated_length_of_an_opening(params: CommitmentParams, seed: int) -> None:
    """Exact but for repeated positions, shared siblings and nonces: within what they can make."""
    *_, body, _, _ = made(params, seed)
    slack = 0
    for i, level in enumerate(params.levels):
        slack += 40
        for o in level:
            slack += o.code.num_queries * (((8 if i == 0 else 16) << o.row_vars) + 32 * o.code.log_length)
    assert abs(len(body) - opening_bytes(params)) <= slack
    assert len(body) >= 32 * params.rounds + (16 << params.clear_vars)


def test_a_commitment_is_the_encoding_of_its_rows() -> None:
    cells, _, oracles, *_ = MADE
    for mine, values, committed in zip(FIRST, cells, oracles, strict=True):
        rows = values.reshape(1 << mine.row_vars, -1)
        assert committed.codewords.shape == (1 << mine.row_vars, 1 << mine.code.log_length)
        assert np.array_equal(committed.codewords, KERNELS.encode_rows(rows, mine.code.log_blowup))
        assert committed.root == committed.tree.root


# Folding and the claims of the queries ---------------------------------------------------------------------------------------------------


@given(SEEDS, st.integers(0, 6), st.integers(1, 5))
def test_combined_powers_are_the_powers(seed: int, log_size: int, num: int) -> None:
    rng = np.random.default_rng(seed)
    points, weights = rng.integers(0, P, num, dtype=np.uint64), random_table(rng, num)
    found = from_table(combined_powers(KERNELS, points, weights, log_size)).tolist()
    mine = from_table(weights).tolist()
    for i in range(1 << log_size):
        assert found[i] == total(w * pow(int(x), i, P) for w, x in zip(mine, points, strict=True))


@given(SEEDS, st.integers(0, 4), st.integers(0, 2), st.integers(0, 3), st.integers(0, 3))
def test_the_point_claims_form_is_the_extension_of_the_powers(seed: int, log_size: int, pack: int, block: int, start: int) -> None:
    """w(z) without the table: prod over i of 1 - z_i + z_i x^(2^i), in its block of the message."""
    rng = np.random.default_rng(seed)
    block %= 1 << pack
    points, weights = rng.integers(0, P, 3, dtype=np.uint64), random_table(rng, 3)
    message = zero_like((1 << (log_size + pack),))
    message[block << log_size : (block + 1) << log_size] = from_table(combined_powers(KERNELS, points, weights, log_size))
    z = random_point(rng, start + log_size + pack + 2)
    claims = PointClaims(points, weights, block, log_size, start, log_size + pack)
    assert claims.value_at(z) == mle(message, z[start : start + log_size + pack])


@given(SEEDS, st.integers(1, 5))
def test_times_x(seed: int, num: int) -> None:
    rng = np.random.default_rng(seed)
    c0, c1 = random_table(rng, num), random_table(rng, num)
    assert from_table(times_x(c0, c1)).tolist() == (from_table(c0) + from_table(c1) * Ext(0, 1)).tolist()


def test_a_column_is_the_message_at_its_point() -> None:
    """Enc(row)[position] = <t(x), row>, t(x) the powers of the position's evaluation point."""
    cells, _, oracles, *_ = MADE
    positions = [0, 1, 17, 30]
    points = evaluation_points(FIRST[1].code, positions)
    for cell_row, codeword in zip(cells[1].reshape(16, -1), oracles[1].codewords, strict=True):
        for x, position in zip(points, positions, strict=True):
            assert sum(int(c) * pow(int(x), i, P) for i, c in enumerate(cell_row)) % P == int(codeword[position])
