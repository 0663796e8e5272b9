"""Opening linear forms on one and two oracles: honest openings verify, false ones are rejected where they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciro_zk.commitment import prover as opening
from ciro_zk.commitment.params import CommitmentParams, Level, opening_bytes
from ciro_zk.commitment.prover import Committed, combined_powers, commit, open_forms
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

LEVELS = (
    Level(log_columns=5, log_blowup=2, num_queries=20, grinding_bits=3),
    Level(log_columns=4, log_blowup=3, num_queries=9, grinding_bits=0),
    Level(log_columns=2, log_blowup=4, num_queries=7, grinding_bits=2),
)
PARAMS = CommitmentParams(num_vars=(6, 8), levels=LEVELS)
ONE_LEVEL = CommitmentParams(num_vars=(6, 8), levels=LEVELS[:1])


def cells_of(params: CommitmentParams, rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.integers(0, P, 1 << n, dtype=np.uint64) for n in params.num_vars]


def commit_all(params: CommitmentParams, cells: Sequence[np.ndarray]) -> list[Committed]:
    return [commit(KERNELS, params.levels[0], c) for c in cells]


def open_all(params: CommitmentParams, oracles: Sequence[Committed], forms: Sequence[np.ndarray]) -> bytes:
    transcript = ProverTranscript("test")
    for oracle in oracles:
        transcript.absorb("root", oracle.root)
    open_forms(transcript, KERNELS, params, oracles, forms)
    return transcript.proof_bytes()


def verify_all(params: CommitmentParams, roots: Sequence[bytes], body: bytes, claim: Ext, forms: Sequence[np.ndarray]) -> None:
    transcript = VerifierTranscript("test", body)
    for root in roots:
        transcript.absorb("root", root)
    verify_opening(transcript, params, roots, claim, lambda i, z: multilinear.evaluate(forms[i], z))
    transcript.finish()


def value(forms: Sequence[np.ndarray], cells: Sequence[np.ndarray]) -> Ext:
    found = Ext(0)
    for form, oracle in zip(forms, cells, strict=True):
        found = found + arrays.inner_product_base(form, oracle)
    return found


def made(
    params: CommitmentParams = PARAMS, seed: int = 0
) -> tuple[list[np.ndarray], list[np.ndarray], list[Committed], bytes, Ext, list[bytes]]:
    rng = np.random.default_rng(seed)
    cells = cells_of(params, rng)
    forms = [random_table(rng, 1 << n) for n in params.num_vars]
    oracles = commit_all(params, cells)
    return cells, forms, oracles, open_all(params, oracles, forms), value(forms, cells), [o.root for o in oracles]


@st.composite
def parameters(draw: st.DrawFn) -> CommitmentParams:
    """One to three oracles, one to four levels, folds of zero to three variables."""

    def level(log_columns: int) -> Level:
        blowup, queries, work = draw(st.integers(1, 3)), draw(st.integers(1, 12)), draw(st.sampled_from([0, 0, 2]))
        return Level(log_columns=log_columns, log_blowup=blowup, num_queries=queries, grinding_bits=work)

    columns = draw(st.integers(1, 5))
    num_vars = draw(st.lists(st.integers(columns, columns + 4), min_size=1, max_size=3))
    params = CommitmentParams(num_vars=tuple(num_vars), levels=(level(columns),))
    for _ in range(draw(st.integers(0, 3))):
        smaller = draw(st.integers(max(params.clear_vars - 3, 0), params.clear_vars))
        params = replace(params, levels=(*params.levels, level(smaller)))
    return params


@settings(max_examples=50)
@given(parameters(), SEEDS)
def test_honest_openings_verify(params: CommitmentParams, seed: int) -> None:
    """One, two or three oracles of equal or different sizes, down to a single row each."""
    _, forms, _, body, claim, roots = made(params, seed)
    verify_all(params, roots, body, claim, forms)


@pytest.mark.parametrize("num_vars", [(5,), (5, 5), (5, 8), (8, 5), (9, 6), (6, 6, 6)])
@pytest.mark.parametrize("num_levels", [1, 2, 3])
def test_sizes(num_vars: tuple[int, ...], num_levels: int) -> None:
    params = CommitmentParams(num_vars=num_vars, levels=LEVELS[:num_levels])
    _, forms, _, body, claim, roots = made(params)
    verify_all(params, roots, body, claim, forms)


def test_a_form_that_reads_one_cell_opens_that_cell() -> None:
    rng = np.random.default_rng(3)
    cells = cells_of(PARAMS, rng)
    forms = [arrays.zeros(1 << n) for n in PARAMS.num_vars]
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


@pytest.mark.parametrize("oracle", [0, 1])
def test_another_form(oracle: int) -> None:
    _, forms, _, body, claim, roots = made()
    forms[oracle][1, 3] ^= np.uint64(1)
    with pytest.raises(ProofRejected, match="linear forms"):
        verify_all(PARAMS, roots, body, claim, forms)


@pytest.mark.parametrize("params", [PARAMS, ONE_LEVEL], ids=["three levels", "one level"])
@pytest.mark.parametrize("oracle", [0, 1])
def test_a_cell_changed_after_the_commitment(params: CommitmentParams, oracle: int) -> None:
    """Codewords and tree are of the committed cells, the opening is of others: the columns' folds are not those of the message."""
    cells, forms, oracles, *_ = made(params)
    altered = cells[oracle].copy()
    altered[5] = (int(altered[5]) + 1) % P
    oracles[oracle] = Committed(altered, oracles[oracle].codewords, oracles[oracle].tree)
    now = [altered if i == oracle else c for i, c in enumerate(cells)]
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

    def tampered(kernels: Kernels, level: Level, cells: np.ndarray) -> Committed:
        seen.append(level)
        if len(seen) == index:
            cells = cells.copy()
            cells[0, 3] = (int(cells[0, 3]) + 1) % P
        return commit(kernels, level, cells)

    monkeypatch.setattr(opening, "commit", tampered)
    body = open_all(PARAMS, oracles, forms)
    assert seen == list(LEVELS[1:])
    with pytest.raises(ProofRejected) as caught:
        verify_all(PARAMS, roots, body, claim, forms)
    assert caught.value.stage == "opening"


@pytest.mark.parametrize("oracle", [0, 1])
def test_another_root(oracle: int) -> None:
    _, forms, _, body, claim, roots = made()
    roots[oracle] = bytes(32)
    with pytest.raises(ProofRejected):
        verify_all(PARAMS, roots, body, claim, forms)


def test_the_two_roots_are_not_interchangeable() -> None:
    params = replace(PARAMS, num_vars=(6, 6))
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
    lazy = replace(PARAMS, levels=tuple(replace(level, grinding_bits=0) for level in LEVELS))
    body = open_all(lazy, oracles, forms)
    with pytest.raises((ProofRejected, ProofFormatError)):
        verify_all(PARAMS, roots, body, claim, forms)


# Parameters ----------------------------------------------------------------------------------------------------------------------------


def test_shapes_by_hand() -> None:
    """Rows of 2^5: 2 and 8 of them; the packed fold has 2^6 cells, then 4 rows of 2^4, then 4 rows of 2^2."""
    assert [level.log_length for level in LEVELS] == [7, 7, 6]
    assert (PARAMS.pack_vars, PARAMS.head_rounds, PARAMS.num_rows(0), PARAMS.num_rows(1)) == (1, 3, 2, 8)
    assert [PARAMS.message_vars(i) for i in range(3)] == [6, 4, 2]
    assert [PARAMS.fold_rounds(i) for i in range(3)] == [3, 2, 2]
    assert (PARAMS.clear_vars, PARAMS.rounds) == (2, 9)
    assert sum(PARAMS.fold_rounds(i) for i in range(3)) + PARAMS.clear_vars == PARAMS.rounds


@settings(max_examples=40)
@given(parameters(), SEEDS)
def test_the_estimated_length_of_an_opening(params: CommitmentParams, seed: int) -> None:
    """Exact but for repeated positions, shared siblings and nonces: within what they can make."""
    *_, body, _, _ = made(params, seed)
    cells = [
        sum(8 * params.num_rows(o) for o in range(len(params.num_vars))),
        *(16 << params.fold_rounds(i) for i in range(1, len(params.levels))),
    ]
    slack = 0
    for i, level in enumerate(params.levels):
        slack += level.num_queries * (cells[i] + 32 * level.log_length * (len(params.num_vars) if i == 0 else 1)) + 40
    assert abs(len(body) - opening_bytes(params)) <= slack
    exact = 32 * params.rounds + (16 << params.clear_vars)
    assert len(body) >= exact


def test_a_commitment_is_the_encoding_of_its_rows() -> None:
    cells, _, oracles, *_ = MADE
    for i, oracle in enumerate(oracles):
        rows = cells[i].reshape(PARAMS.num_rows(i), -1)
        assert oracle.codewords.shape == (PARAMS.num_rows(i), 1 << LEVELS[0].log_length)
        assert np.array_equal(oracle.codewords, KERNELS.encode_rows(rows, LEVELS[0].log_blowup))
        assert oracle.root == oracle.tree.root


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
    positions = [0, 1, 17, 126]
    points = evaluation_points(LEVELS[0], positions)
    for cell_row, codeword in zip(cells[1].reshape(8, -1), oracles[1].codewords, strict=True):
        for x, position in zip(points, positions, strict=True):
            assert sum(int(c) * pow(int(x), i, P) for i, c in enumerate(cell_row)) % P == int(codeword[position])
