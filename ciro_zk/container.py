"""The one binary container of ciro_zk: circuits, proving keys, verifying keys and proofs are all files of this shape.

    magic     8 bytes   b"CIROZK\\x00\\x01"; the last byte is the version of this layout
    kind      4 bytes   what is inside: b"CIRC", b"PKEY", b"VKEY", b"PROF", ...
    version   u16       format version of that kind
    count     u16       number of sections
    sections            count times: name length u8, name (ASCII), payload length u64, payload
    checksum  32 bytes  BLAKE2s-256 of everything before it

All integers are little-endian. Sections come in the fixed order of their kind, each exactly once, so that one content has one encoding.
The checksum finds accidental damage and secures nothing: a verifier checks every value that it uses.

Every departure raises `ProofFormatError` naming source, field, reason and remedy; nothing is allocated by a length that the bytes do
not hold. No pickle.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ciro_zk.errors import InputError, ProofFormatError, ResourceError

__all__ = [
    "KINDS",
    "MAGIC",
    "Buffer",
    "Outline",
    "atomic_write",
    "kind_name",
    "outline",
    "pack",
    "pack_array",
    "peek",
    "pieces",
    "read_file",
    "unpack",
    "unpack_array",
]

Buffer = bytes | memoryview

MAGIC = b"CIROZK\x00\x01"
KINDS: Mapping[bytes, str] = {
    b"CIRC": "circuit",
    b"PKEY": "proving key",
    b"VKEY": "verifying key",
    b"PROF": "proof",
}
"""Known kinds and their names in messages."""
_MAKE: Mapping[bytes, str] = {
    b"CIRC": "compile the model again",
    b"PKEY": "set up the circuit again",
    b"VKEY": "set up the circuit again",
    b"PROF": "prove again",
}

CHECKSUM_BYTES = 32
MAX_NAME_BYTES = 32
_HEADER = struct.Struct("<8s4sHH")
_LENGTH = struct.Struct("<Q")
_AGAIN = "get the file again from where it was made, or make it again"

_DTYPES: Mapping[int, str] = {
    1: "|u1",
    2: "<u2",
    3: "<u4",
    4: "<u8",
    5: "|i1",
    6: "<i2",
    7: "<i4",
    8: "<i8",
    9: "<f4",
    10: "<f8",
    11: "|b1",
}
_CODES: Mapping[str, int] = {name: code for code, name in _DTYPES.items()}
_MAX_DIMENSIONS = 16


def kind_name(kind: bytes) -> str:
    """The kind in words, for messages."""
    return KINDS.get(kind, f"file of unknown kind {kind!r}")


def pack(kind: bytes, version: int, sections: Sequence[tuple[str, Buffer]]) -> bytes:
    """Encode sections as one container; see `pieces`."""
    return b"".join(pieces(kind, version, sections))


def pieces(kind: bytes, version: int, sections: Sequence[tuple[str, Buffer | Sequence[Buffer]]]) -> list[Buffer]:
    """The bytes of a container, piece by piece: payloads are not copied.

    Parameters
    ----------
    kind : bytes
        Four bytes.
    version : int
        Format version of the kind, below 2^16.
    sections : sequence of (name, payload)
        In the kind's fixed order; names are distinct, 1 to 32 ASCII characters. A payload may be in pieces itself.
    """
    if len(kind) != 4 or not 0 <= version < 1 << 16 or len(sections) >= 1 << 16:
        raise ValueError(f"cannot pack kind {kind!r}, version {version}, {len(sections)} sections")
    parts: list[Buffer] = [_HEADER.pack(MAGIC, kind, version, len(sections))]
    seen: set[str] = set()
    for name, payload in sections:
        encoded = name.encode("ascii")
        if not 1 <= len(encoded) <= MAX_NAME_BYTES or name in seen:
            raise ValueError(f"section name {name!r} is empty, too long or used twice")
        seen.add(name)
        payloads = [payload] if isinstance(payload, bytes | memoryview) else list(payload)
        payloads = [part.cast("B") if isinstance(part, memoryview) else part for part in payloads]
        parts += [bytes([len(encoded)]), encoded, _LENGTH.pack(sum(len(part) for part in payloads)), *payloads]
    checksum = hashlib.blake2s()
    for part in parts:
        checksum.update(part)
    return [*parts, checksum.digest()]


def peek(data: bytes | memoryview, *, source: str = "<bytes>") -> tuple[bytes, int]:
    """Kind and version of a container, from its first bytes alone; raises `ProofFormatError` if it is none."""
    head = bytes(memoryview(data)[: _HEADER.size])
    if head[: len(MAGIC) - 2] != MAGIC[:-2][: len(head)] or not head:
        raise ProofFormatError("not a ciro_zk file", file=source, field="magic", remedy="give a file that ciro-zk wrote")
    if len(head) < _HEADER.size:
        raise ProofFormatError(f"truncated: {len(head)} bytes", file=source, field="header", remedy=_AGAIN)
    magic, kind, version, _ = _HEADER.unpack(head)
    if magic != MAGIC:
        reason = f"container layout {magic[-2:].hex()} is not {MAGIC[-2:].hex()}: damaged, or made by a newer ciro_zk"
        raise ProofFormatError(reason, file=source, field="magic", remedy="upgrade ciro_zk, or " + _AGAIN)
    return bytes(kind), int(version)


@dataclass(frozen=True, slots=True)
class Outline:
    """What a container holds, without its meaning."""

    kind: bytes
    version: int
    sections: tuple[tuple[str, int], ...]
    """Names and sizes in bytes."""


def outline(data: bytes | memoryview, *, source: str = "<bytes>") -> Outline:
    """Kind, version and sections of any undamaged container; raises `ProofFormatError` otherwise."""
    kind, version = peek(data, source=source)
    view = memoryview(data)
    at, end = _HEADER.size, len(view) - CHECKSUM_BYTES
    sections: list[tuple[str, int]] = []
    for number in range(struct.unpack_from("<H", view, _HEADER.size - 2)[0]):
        stop = at + 1 + (view[at] if at < end else 0)
        if stop + _LENGTH.size > end:
            raise ProofFormatError("truncated", file=source, field=f"section {number}", remedy=_AGAIN)
        (length,) = _LENGTH.unpack(view[stop : stop + _LENGTH.size])
        sections.append((bytes(view[at + 1 : stop]).decode("ascii", errors="backslashreplace"), length))
        at = stop + _LENGTH.size + length
    if at != end or hashlib.blake2s(view[:end]).digest() != view[end:]:
        raise ProofFormatError("truncated or damaged: the checksum does not match", file=source, field="checksum", remedy=_AGAIN)
    return Outline(kind, version, tuple(sections))


def _check_header(view: memoryview, kind: bytes, version: int, source: str) -> None:
    found_kind, found = peek(view, source=source)
    wanted = kind_name(kind)
    if found_kind != kind:
        reason = f"this is a {kind_name(found_kind)}, not a {wanted}"
        raise ProofFormatError(reason, file=source, field="kind", remedy=f"give the {wanted} here")
    if found > version:
        reason = f"{wanted} format {found} was made by a newer ciro_zk; this one reads format {version}"
        raise ProofFormatError(reason, file=source, field="version", remedy="upgrade ciro_zk")
    if found < version:
        reason = f"{wanted} format {found} was made by an older ciro_zk; this one reads format {version}"
        raise ProofFormatError(reason, file=source, field="version", remedy=_MAKE.get(kind, "make it again") + " with this version")


def _next_section(view: memoryview, at: int, end: int, wanted: str, limits: Mapping[str, int], source: str) -> tuple[int, int]:
    """Bounds (start, stop) of the payload of section `wanted`, which must begin at `at`."""

    def fail(reason: str, field: str = wanted) -> ProofFormatError:
        return ProofFormatError(reason, file=source, field=field, remedy=_AGAIN)

    if at + 1 > end or at + 1 + view[at] + _LENGTH.size > end:
        raise fail("truncated: the section is missing or its header is cut off")
    stop = at + 1 + view[at]
    name = bytes(view[at + 1 : stop]).decode("ascii", errors="backslashreplace")
    if name != wanted:
        known = "duplicate or misplaced" if name in limits else "unknown"
        raise fail(f"{known} section {name[:MAX_NAME_BYTES]!r}, expected {wanted!r}", "sections")
    (length,) = _LENGTH.unpack(view[stop : stop + _LENGTH.size])
    start = stop + _LENGTH.size
    if length > limits[wanted]:
        raise fail(f"oversized: {length} bytes, at most {limits[wanted]} are allowed")
    if length > end - start:
        raise fail(f"truncated: {length} bytes announced, {end - start} are there")
    return start, start + length


def unpack(
    data: bytes | memoryview, *, kind: bytes, version: int, limits: Mapping[str, int], source: str = "<bytes>"
) -> dict[str, memoryview]:
    """Decode a container into its sections, as views into `data`.

    Parameters
    ----------
    data : bytes or memoryview
        The whole file.
    kind, version : bytes, int
        What it has to be.
    limits : mapping of section name to int
        Every section that it has to have, in order, with the largest payload allowed in bytes.
    source : str
        File name for messages.

    Raises
    ------
    ProofFormatError
        Truncated, oversized or surplus bytes, another kind or version, an unknown, missing or duplicate section, a wrong checksum.
    """
    view = memoryview(data).cast("B") if isinstance(data, memoryview) else memoryview(data)
    _check_header(view, kind, version, source)
    (count,) = struct.unpack_from("<H", view, _HEADER.size - 2)
    if count != len(limits):
        missing = f"{count} sections, expected {len(limits)}: {', '.join(limits)}"
        raise ProofFormatError(missing, file=source, field="sections", remedy=_AGAIN)
    at, end = _HEADER.size, len(view) - CHECKSUM_BYTES
    sections: dict[str, memoryview] = {}
    for name in limits:
        start, stop = _next_section(view, at, end, name, limits, source)
        sections[name] = view[start:stop].toreadonly()
        at = stop
    if at != end:
        reason = f"{end - at} surplus bytes after the last section" if at < end else "truncated: the checksum is cut off"
        raise ProofFormatError(reason, file=source, field="end", remedy=_AGAIN)
    if hashlib.blake2s(view[:end]).digest() != view[end:]:
        raise ProofFormatError("the bytes do not match their checksum: the file is damaged", file=source, field="checksum", remedy=_AGAIN)
    return sections


def pack_array(array: NDArray[Any]) -> bytes:
    """Encode an array: dtype code u8, number of dimensions u8, dimensions u64 each, then the elements in C order, little-endian."""
    little = array.dtype.newbyteorder("<") if array.dtype.byteorder != "|" else array.dtype
    code = _CODES.get(little.str)
    if code is None or array.ndim > _MAX_DIMENSIONS:
        raise ValueError(f"cannot pack an array of {array.dtype} with {array.ndim} dimensions")
    head = struct.pack(f"<BB{array.ndim}Q", code, array.ndim, *array.shape)
    return head + np.ascontiguousarray(array, dtype=little).tobytes()


def unpack_array(
    view: bytes | memoryview, dtype: DTypeLike, max_shape: Sequence[int], *, source: str = "<bytes>", field: str = "array"
) -> NDArray[Any]:
    """Decode an array that `pack_array` wrote.

    Parameters
    ----------
    view : bytes or memoryview
        The whole payload: surplus bytes are an error.
    dtype : dtype
        The type that it has to have.
    max_shape : sequence of int
        The largest extent along each dimension; its length is the number of dimensions that the array has to have.

    Returns
    -------
    ndarray
        A new array: aligned, writable, C-contiguous, in native byte order.

    Raises
    ------
    ProofFormatError
        Another type, number of dimensions, extent or length; a boolean byte that is neither 0 nor 1.
    """
    wanted = np.dtype(dtype)
    view = memoryview(view)

    def fail(reason: str) -> ProofFormatError:
        return ProofFormatError(reason, file=source, field=field, remedy=_AGAIN)

    if len(view) < 2:
        raise fail("truncated: no array header")
    code, num_dimensions = view[0], view[1]
    stored = _DTYPES.get(code)
    if stored is None or np.dtype(stored) != wanted.newbyteorder("<"):
        raise fail(f"elements of type {stored or f'code {code}'}, expected {wanted}")
    if num_dimensions != len(max_shape):
        raise fail(f"{num_dimensions} dimensions, expected {len(max_shape)}")
    start = 2 + 8 * num_dimensions
    if len(view) < start:
        raise fail("truncated: the shape is cut off")
    shape = struct.unpack_from(f"<{num_dimensions}Q", view, 2)
    if any(extent > limit for extent, limit in zip(shape, max_shape, strict=True)):
        raise fail(f"oversized: shape {shape}, at most {tuple(max_shape)} is allowed")
    num_bytes = wanted.itemsize
    for extent in shape:
        num_bytes *= extent
    if len(view) - start != num_bytes:
        raise fail(f"shape {shape} needs {num_bytes} bytes, {len(view) - start} are there")
    body = np.frombuffer(view, dtype=np.uint8, offset=start) if num_bytes else np.empty(0, dtype=np.uint8)
    if stored == "|b1" and body.size and int(body.max()) > 1:
        raise fail("a boolean is neither 0 nor 1")
    return body.view(stored).astype(wanted.newbyteorder("="), copy=True).reshape(shape)


def atomic_write(path: str | os.PathLike[str], *pieces: Buffer) -> None:
    """Write a file, given in pieces, whole or not at all: to a temporary file beside it, flushed to disk, then renamed.

    Whatever goes wrong (an error, Ctrl-C), the temporary file is removed and an older file stays as it was.

    Raises
    ------
    ResourceError
        The disk is full.
    InputError
        The folder does not exist, is not writable, or the path is a folder.
    """
    target = os.path.realpath(path)
    try:
        if os.path.exists(target) and not stat.S_ISREG(os.stat(target).st_mode) and not os.path.isdir(target):
            with open(target, "wb", buffering=0) as device:  # /dev/null, a pipe: nothing to rename over
                for piece in pieces:
                    device.write(piece)
            return
        _write_and_rename(target, pieces)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            needed = sum(len(piece) for piece in pieces)
            raise ResourceError("no space left on the disk for " + os.fspath(path), needed=needed, remedy="free some space") from error
        reason = f"cannot write: {error.strerror or error}"
        raise InputError(reason, file=os.fspath(path), remedy="give a path in a folder that exists and is writable") from error


def _write_and_rename(target: str, pieces: Sequence[Buffer]) -> None:
    temporary = f"{target}.{secrets.token_hex(6)}.tmp"
    if os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), target)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with open(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def read_file(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """The bytes of a file, at most `max_bytes`.

    Raises
    ------
    InputError
        The file does not exist or cannot be read.
    ProofFormatError
        It is larger than `max_bytes`.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = b"" if size > max_bytes else file.read(size)
            while size <= max_bytes and len(data) <= max_bytes and (more := file.read(1 << 16)):  # a pipe, or a file that grows
                data += more
    except OSError as error:
        reason = f"cannot read: {error.strerror or error}"
        raise InputError(reason, file=name, remedy="check the path and its permissions") from error
    if size > max_bytes or len(data) > max_bytes:
        raise ProofFormatError(f"oversized: more than {max_bytes} bytes", file=name, field="size", remedy=_AGAIN)
    return data
