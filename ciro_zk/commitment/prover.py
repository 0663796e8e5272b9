"""Committing to oracles and opening linear forms on them, the prover's half; see `ciro_zk.commitment.verifier` for the protocol.

Large oracles are worked on in blocks: rows are encoded and columns hashed some at a time, a round goes over its halves block by
block, and a fold overwrites what it folds. So an opening holds a form and the folded cells, no copies of them; integer cells become
field elements only block by block. (Reading a form takes a few per cent of a round's time. Folding several variables in one pass, whose
inner products grow with the square of the rows taken at once, would therefore gain nothing from its lesser memory traffic.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ciro_zk.commitment.cells import Cells, IntegerCells, field_cells
from ciro_zk.commitment.params import Code, CommitmentParams
from ciro_zk.commitment.verifier import evaluation_points
from ciro_zk.errors import ProofFormatError
from ciro_zk.field import arrays, goldilocks
from ciro_zk.field.extension import ONE, ZERO, Ext, powers
from ciro_zk.hash import blake2s
from ciro_zk.hash.blake2s import DIGEST_BYTES, Digests
from ciro_zk.hash.merkle import MerkleTree, verify_multi
from ciro_zk.hash.transcript import ProverTranscript
from ciro_zk.kernels import Kernels
from ciro_zk.sumcheck.verifier import HALF, complete, horner

Base = NDArray[np.uint64]
Extension = NDArray[np.uint64]

CODE_BLOCK = 1 << 24
"""Cells of codewords that are encoded or hashed at once."""
LOG_FOLD_BLOCK = 20
FOLD_BLOCK = 1 << LOG_FOLD_BLOCK
"""Cells of each half of a table that a round or a fold works on at once."""
OPENED_ROWS = 16
"""Rows of codewords that are read at once where columns are opened."""


@dataclass(frozen=True, slots=True)
class Committed:
    """An oracle's 2^n cells (base, or extension `(2, 2^n)`), its codewords `(rows, length)` and the Merkle tree over their columns.

    An extension oracle has its c0 rows first, then its c1 rows.
    """

    cells: Cells
    codewords: Base
    tree: MerkleTree
    file: str = ""
    """The file that codewords and tree are mapped from, if they are."""
    release: Callable[[], None] = lambda: None
    """Called when codewords have been read, so that pages of a file do not stay in this process's memory."""

    @property
    def root(self) -> bytes:
        return self.tree.root

    def open(self, positions: Sequence[int]) -> tuple[Base, list[bytes]]:
        """The columns at sorted distinct positions and their siblings. `ProofFormatError` for a file that is damaged there."""
        columns = np.empty((self.codewords.shape[0], len(positions)), dtype=np.uint64)
        for start in range(0, columns.shape[0], OPENED_ROWS):
            columns[start : start + OPENED_ROWS] = self.codewords[start : start + OPENED_ROWS, positions]
            self.release()
        siblings = self.tree.open(positions)
        self.release()
        if self.file:
            try:
                verify_multi(self.root, self.tree.depth, positions, blake2s.hash_columns(columns), siblings)
            except ValueError as error:
                remedy = "delete it: the next proof makes it again"
                raise ProofFormatError(f"is damaged: {error}", file=self.file, field="codewords", remedy=remedy) from error
        return columns, siblings


def commit(kernels: Kernels, code: Code, cells: Cells) -> Committed:
    """Encode and hash an oracle."""
    blocks = encoded_rows(kernels, code, cells)
    codewords = next(blocks)
    rows = cells.size >> code.log_columns
    if codewords.shape[0] < rows:
        first, codewords = codewords, np.empty((rows, 1 << code.log_length), dtype=np.uint64)
        start = first.shape[0]
        codewords[:start] = first
        for block in blocks:
            codewords[start : start + block.shape[0]] = block
            start += block.shape[0]
    return Committed(cells, codewords, MerkleTree(column_digests(kernels, codewords), kernels))


def encoded_rows(kernels: Kernels, code: Code, cells: Cells) -> Iterator[Base]:
    """The codewords `(some rows, length)`, in order."""
    if not isinstance(cells, IntegerCells):
        cells = cells.reshape(-1)
    step = max(CODE_BLOCK >> code.log_length, 1) << code.log_columns
    for start in range(0, cells.size, step):
        part = field_cells(cells, start, min(start + step, cells.size))
        yield kernels.encode_rows(part.reshape(-1, 1 << code.log_columns), code.log_blowup)


def column_digests(kernels: Kernels, codewords: Base, release: Callable[[], None] = lambda: None) -> Digests:
    """The leaves `(length, 32)` of the tree over a codeword matrix's columns; `release` is called when some have been read."""
    rows, length = codewords.shape
    step = max(CODE_BLOCK // rows, 1)
    if step >= length:
        return kernels.hash_columns(codewords)
    digests = np.empty((length, DIGEST_BYTES), dtype=np.uint8)
    for start in range(0, length, step):
        digests[start : start + step] = kernels.hash_columns(np.ascontiguousarray(codewords[:, start : start + step]))
        release()
    return digests


def evaluate(kernels: Kernels, cells: Cells, point: Sequence[Ext]) -> Ext:
    """The multilinear extension of base cells at a point: block by block, from eq on the low variables."""
    split = max(len(point) - LOG_FOLD_BLOCK, 0)
    low = kernels.eq_table(point[split:])
    value = ZERO
    for block, weight in enumerate(arrays.to_list(kernels.eq_table(point[:split]))):
        start = block << len(point) - split
        value = value + weight * kernels.inner_product_base(low, field_cells(cells, start, start + low.shape[1]))
    return value


@dataclass(slots=True)
class _Share:
    """One oracle's part of the running sum: cells and form, folded so far, its claim, its weight, the round it joins at."""

    cells: Cells
    form: Extension
    start: int
    claim: Ext
    scale: Ext
    first: tuple[Ext, Ext] | None = None
    """The sums of its first round, where they are known."""

    @property
    def is_base(self) -> bool:
        return isinstance(self.cells, IntegerCells) or self.cells.ndim == 1


def open_forms(
    transcript: ProverTranscript,
    kernels: Kernels,
    params: CommitmentParams,
    oracles: Sequence[Committed],
    forms: list[Extension],
) -> None:
    """Open sum_i <forms[i], oracles[i]>; the forms are `(2, 2^n_i)`. They are taken from the list, and large ones are overwritten."""
    head = params.fold_rounds(0)
    shares = [
        _started(kernels, committed.cells, form, head - oracle.row_vars)
        for committed, form, oracle in zip(oracles, forms, params.oracles, strict=True)
    ]
    forms.clear()
    for index, level in enumerate(params.levels):
        for k in range(params.fold_rounds(index)):
            _round(transcript, kernels, shares, k, params.fold_grinding_bits)
        offsets = params.block_offsets(index)
        share = _packed(shares, offsets, params.message_vars(index))
        shares = [share]
        folded: list[Committed] = []
        if index == len(params.levels) - 1:
            transcript.send_base("clear message", _extension(share.cells))
        else:
            folded = [commit(kernels, params.levels[index + 1][0].code, share.cells)]
            transcript.send_bytes("folded root", folded[0].root)
            if params.is_sampled:
                _add_sample(transcript, kernels, share)
        _work(transcript, kernels, "query grinding", params.grinding_bits)
        for committed, oracle, offset in zip(oracles, level, offsets, strict=True):
            positions = transcript.positions("positions", oracle.code.num_queries, oracle.code.log_length)
            columns, siblings = committed.open(positions)
            transcript.send_base("columns", columns)
            transcript.send_bytes("siblings", b"".join(siblings))
            _add_point_claims(transcript, kernels, oracle.code, share, positions, offset)
        oracles = folded
    for k in range(params.clear_vars):
        _round(transcript, kernels, shares, k, 0)


def _work(transcript: ProverTranscript, kernels: Kernels, label: str, bits: int) -> None:
    transcript.send_work(label, kernels.grind(transcript.work_state(), bits) if bits else 0, bits)


def _packed(shares: Sequence[_Share], offsets: Sequence[int], message_vars: int) -> _Share:
    """The folded messages side by side in one message; the forms carry the scales."""
    cells, form = np.zeros((2, 1 << message_vars), dtype=np.uint64), np.zeros((2, 1 << message_vars), dtype=np.uint64)
    claim = ZERO
    for share, offset in zip(shares, offsets, strict=True):
        cut = slice(offset, offset + share.form.shape[1])
        if share.is_base:
            cells[0, cut] = field_cells(share.cells, 0, share.cells.size)
        else:
            cells[:, cut] = _extension(share.cells)
        form[:, cut] = share.form if share.scale == ONE else arrays.scale(share.form, share.scale)
        claim = claim + share.claim
    return _Share(cells, form, 0, claim, ONE)


def _add_sample(transcript: ProverTranscript, kernels: Kernels, share: _Share) -> None:
    """Sample a new root out of its domain; <eq(z, .), message> joins the running claim."""
    form = kernels.eq_table(transcript.challenges("sample point", share.form.shape[1].bit_length() - 1))
    value = kernels.inner_product(form, _extension(share.cells))
    transcript.send_elements("sample", [value])
    weight = transcript.challenge("sample batch")
    share.claim = share.claim + weight * value
    kernels.add_outer(share.form, 0, arrays.from_list([weight]), form)


def _add_point_claims(
    transcript: ProverTranscript, kernels: Kernels, code: Code, share: _Share, positions: Sequence[int], offset: int
) -> None:
    """Join <t(x), block> at every position to the running claim."""
    delta = transcript.challenge("query batch")
    weights = arrays.from_list(powers(delta, len(positions) + 1)[1:])
    tensor = combined_powers(kernels, evaluation_points(code, positions), weights, code.log_columns)
    cut = slice(offset, offset + (1 << code.log_columns))
    share.claim = share.claim + kernels.inner_product(tensor, _part(_extension(share.cells), cut.start, cut.stop))
    share.form[:, cut] = goldilocks.add(share.form[:, cut], tensor)


def combined_powers(kernels: Kernels, points: Base, weights: Extension, log_size: int) -> Extension:
    """`(2, 2^log_size)`: sum_j weights[j] points[j]^i at every i, from the powers of the low and the high half of i's bits."""
    low_vars = log_size // 2
    low, step = _powers(kernels, points, low_vars)
    high, _ = _powers(kernels, step, log_size - low_vars)
    weighted = kernels.ext_mul_base(np.tile(weights, len(low)), low.reshape(-1)).reshape(2, *low.shape)
    rows = np.ascontiguousarray(weighted.transpose(1, 0, 2))
    return kernels.contract_axis(high.reshape(1, *high.shape, 1), rows).reshape(2, -1)


def _powers(kernels: Kernels, points: Base, log_size: int) -> tuple[Base, Base]:
    """`(2^log_size, q)`: row i is the i-th power of every point; and the next power."""
    matrix = np.ones((1 << log_size, points.shape[0]), dtype=np.uint64)
    power = points
    for k in range(log_size):
        filled = 1 << k
        matrix[filled : 2 * filled] = kernels.mul(matrix[:filled].reshape(-1), np.tile(power, filled)).reshape(filled, -1)
        power = kernels.mul(power, power)
    return matrix, power


def _round(transcript: ProverTranscript, kernels: Kernels, shares: Sequence[_Share], k: int, fold_grinding_bits: int) -> None:
    coefficients: list[list[Ext]] = []
    for share in shares:
        if k < share.start:
            share.scale = share.scale * HALF
            coefficients.append([share.claim * HALF, ZERO, ZERO])
            continue
        at_zero, leading = _round_sums(kernels, share)
        coefficients.append(complete(share.claim, [at_zero * share.scale, leading * share.scale]))
    sent = coefficients[0]
    for polynomial in coefficients[1:]:
        sent = [a + b for a, b in zip(sent, polynomial, strict=True)]
    transcript.send_elements("opening round", [sent[0], sent[2]])
    _work(transcript, kernels, "fold grinding", fold_grinding_bits)
    x = transcript.challenge("opening challenge")
    for share, polynomial in zip(shares, coefficients, strict=True):
        share.claim = horner(polynomial, x)
        if k < share.start:
            continue
        share.form = _folded(kernels, share.form, x)
        share.cells = _folded_base(kernels, share.cells, x) if share.is_base else _folded(kernels, _extension(share.cells), x)


def _started(kernels: Kernels, cells: Cells, form: Extension, start: int) -> _Share:
    """A share of base cells: its claim <form, cells> and the sums of its first round, in one pass."""
    half = cells.size // 2
    at_zero, at_one, leading = ZERO, ZERO, ZERO
    for at in range(0, half, FOLD_BLOCK):
        stop = min(at + FOLD_BLOCK, half)
        low, high = _part(form, at, stop), _part(form, half + at, half + stop)
        low_cells, high_cells = field_cells(cells, at, stop), field_cells(cells, half + at, half + stop)
        at_zero = at_zero + kernels.inner_product_base(low, low_cells)
        at_one = at_one + kernels.inner_product_base(high, high_cells)
        leading = leading + kernels.inner_product_base(kernels.sub(high, low), kernels.sub(high_cells, low_cells))
    return _Share(cells, form, start, at_zero + at_one, ONE, (at_zero, leading))


def _round_sums(kernels: Kernels, share: _Share) -> tuple[Ext, Ext]:
    """The constant and the leading coefficient of sum_x form(X, x) cells(X, x)."""
    if share.first is not None:
        sums, share.first = share.first, None
        return sums
    table, half = _extension(share.cells), share.form.shape[1] // 2
    at_zero, leading = ZERO, ZERO
    for start in range(0, half, FOLD_BLOCK):
        stop = min(start + FOLD_BLOCK, half)
        low, high = _part(share.form, start, stop), _part(share.form, half + start, half + stop)
        cells = _part(table, start, stop)
        at_zero = at_zero + kernels.inner_product(low, cells)
        rise = kernels.sub(_part(table, half + start, half + stop), cells)
        leading = leading + kernels.inner_product(kernels.sub(high, low), rise)
    return at_zero, leading


def _folded(kernels: Kernels, table: Extension, x: Ext) -> Extension:
    """lo + x (hi - lo) of a table `(2, n)`; of a large one in its own memory."""
    half = table.shape[1] // 2
    if half <= FOLD_BLOCK:
        folded: Extension = kernels.fold_stack(np.ascontiguousarray(table)[None], x)[0]
        return folded
    for start in range(0, half, FOLD_BLOCK):
        stop = start + FOLD_BLOCK
        halves = np.concatenate([table[:, start:stop], table[:, half + start : half + stop]], axis=1)
        table[:, start:stop] = kernels.fold_stack(halves[None], x)[0]
    return table[:, :half]


def _folded_base(kernels: Kernels, cells: Cells, x: Ext) -> Extension:
    """lo + x (hi - lo) of base cells, `(2, n / 2)`."""
    half = cells.size // 2
    if half <= FOLD_BLOCK:
        return kernels.fold_base(field_cells(cells, 0, cells.size), x)
    folded = np.empty((2, half), dtype=np.uint64)
    for start in range(0, half, FOLD_BLOCK):
        stop = start + FOLD_BLOCK
        halves = np.concatenate([field_cells(cells, start, stop), field_cells(cells, half + start, half + stop)])
        folded[:, start:stop] = kernels.fold_base(halves, x)
    return folded


def _part(table: Extension, start: int, stop: int) -> Extension:
    """Columns start, ..., stop - 1 of a table `(2, n)`."""
    return np.ascontiguousarray(table[:, start:stop])


def _extension(cells: Cells) -> Extension:
    """The cells of a share that is folded already, `(2, n)`."""
    if isinstance(cells, IntegerCells):
        raise TypeError("integer cells are base cells")
    return cells
