"""The codewords of a large oracle in a file, mapped into memory: what an opening reads of them is a few columns.

    header   4096 bytes: magic, rows u64, length u64, binding and root of 32 bytes, zeros
    matrix   rows x length field elements of 8 bytes, row by row
    tree     its levels from the leaves on, 32 bytes a node

All integers are little-endian. `binding` says of what the codewords are: a digest of the program and of its weights. The file is written
under another name, its header last, and renamed when it is whole and on disk: an interrupted run leaves no file that would be taken
for one. Its space is set aside first. A file damaged later is found when it is opened at a position: the columns have to lead to the root.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import shutil
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ciro_zk.commitment.cells import Cells
from ciro_zk.commitment.params import Code
from ciro_zk.commitment.prover import Committed, column_digests, encoded_rows
from ciro_zk.errors import InputError, ResourceError
from ciro_zk.hash.blake2s import DIGEST_BYTES
from ciro_zk.hash.merkle import MerkleTree
from ciro_zk.kernels import Kernels

MAGIC = b"CIROCW\x00\x01"
HEADER_BYTES = 4096
_FIELDS = struct.Struct("<8sQQ32s32s")


def file_bytes(code: Code, num_cells: int) -> int:
    """The size of the file for an oracle of so many base cells."""
    length = 1 << code.log_length
    return HEADER_BYTES + 8 * (num_cells >> code.log_columns) * length + DIGEST_BYTES * (2 * length - 1)


def commit_in(kernels: Kernels, code: Code, cells: Cells, path: Path, binding: bytes) -> Committed:
    """Commit to base cells with the codewords in the file at `path`; a finished file of an earlier run is taken as it is.

    Raises
    ------
    ResourceError
        The disk has not enough room.
    InputError
        The folder cannot be made or written, or another process is writing the file.
    """
    try:
        found = _read(path, code, cells, binding)
        if found is not None:
            return found
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _new_file(path, file_bytes(code, cells.size)) as file:
            file.write(bytes(HEADER_BYTES))
            for block in encoded_rows(kernels, code, cells):
                file.write(block.data)
            file.flush()
            tree = _tree(kernels, file, cells.size >> code.log_columns, 1 << code.log_length)
            for level in tree.levels:
                file.write(level.data)
            file.seek(0)
            file.write(_header(code, cells, binding, tree.root))
        found = _read(path, code, cells, binding)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(path, file_bytes(code, cells.size), None) from error
        reason = f"the codewords cannot be written: {error.strerror or error}"
        raise InputError(reason, file=os.fspath(path), remedy="choose another directory") from error
    if found is None:
        raise InputError("the file of codewords went away", file=os.fspath(path), remedy="set up again")
    return found


def _header(code: Code, cells: Cells, binding: bytes, root: bytes) -> bytes:
    return _FIELDS.pack(MAGIC, cells.size >> code.log_columns, 1 << code.log_length, binding, root)


def _no_room(path: Path, needed: int, available: int | None) -> ResourceError:
    remedy = "free some space, or choose a directory on another disk"
    return ResourceError(f"no room on the disk for the codewords in {path.parent}", needed=needed, available=available, remedy=remedy)


@contextlib.contextmanager
def _new_file(path: Path, num_bytes: int) -> Iterator[BinaryIO]:
    """A file of this size to be filled, renamed to `path` if all goes well and removed if not; what a killed process left is written
    over."""
    unfinished = path.with_name(path.name + ".partial")
    with open(os.open(unfinished, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                "another process is writing this file", file=os.fspath(unfinished), remedy="wait until it has finished"
            ) from error
        try:
            file.truncate(0)
            free = shutil.disk_usage(path.parent).free
            if free < num_bytes:
                raise _no_room(path, num_bytes, free)
            os.posix_fallocate(file.fileno(), 0, num_bytes)
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(unfinished, path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def _tree(kernels: Kernels, file: BinaryIO, rows: int, length: int) -> MerkleTree:
    """The tree over the matrix's columns; pages that were hashed do not stay in this process's memory."""
    pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    matrix = np.frombuffer(pages, dtype=np.uint64, count=rows * length, offset=HEADER_BYTES).reshape(rows, length)
    return MerkleTree(column_digests(kernels, matrix, partial(pages.madvise, mmap.MADV_DONTNEED)), kernels)


def _read(path: Path, code: Code, cells: Cells, binding: bytes) -> Committed | None:
    """The oracle of a finished file; None where there is none, or one of something else."""
    rows, length = cells.size >> code.log_columns, 1 << code.log_length
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size != file_bytes(code, cells.size):
                return None
            header = file.read(_FIELDS.size)
            pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        return None
    root = header[-DIGEST_BYTES:]
    if header != _header(code, cells, binding, root):
        return None
    matrix = np.frombuffer(pages, dtype=np.uint64, count=rows * length, offset=HEADER_BYTES).reshape(rows, length)
    nodes = np.frombuffer(pages, dtype=np.uint8, offset=HEADER_BYTES + 8 * rows * length).reshape(-1, DIGEST_BYTES)
    levels, at = [], 0
    while length:
        levels.append(nodes[at : at + length])
        at, length = at + length, length // 2
    tree = MerkleTree.of_levels(levels)
    release = partial(pages.madvise, mmap.MADV_DONTNEED)
    return Committed(cells, matrix, tree, os.fspath(path), release) if tree.root == root else None
