"""The container: round trips, and every malformation refused with the field that is wrong."""

from __future__ import annotations

import hashlib
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk import container
from ciro_zk.container import atomic_write, outline, pack, pack_array, peek, read_file, unpack, unpack_array
from ciro_zk.errors import InputError, ProofFormatError, ResourceError

LIMITS = {"header": 64, "body": 1000}
SECTIONS = [("header", b"hello"), ("body", bytes(range(200)))]
DATA = pack(b"PROF", 3, SECTIONS)


def read(data: bytes, **changes: object) -> dict[str, memoryview]:
    arguments: dict[str, object] = {"kind": b"PROF", "version": 3, "limits": LIMITS, "source": "some.bin"}
    return unpack(data, **{**arguments, **changes})  # type: ignore[arg-type]


def resealed(data: bytes) -> bytes:
    """`data` with its checksum made right again."""
    return data[:-32] + hashlib.blake2s(data[:-32]).digest()


def assert_refused(data: bytes, field: str, words: str, **changes: object) -> None:
    with pytest.raises(ProofFormatError) as caught:
        read(data, **changes)
    error = caught.value
    assert error.field == field
    assert words in error.reason
    assert error.file == "some.bin"
    assert error.remedy
    assert "some.bin" in str(error) and error.remedy in str(error)


def test_round_trip() -> None:
    sections = read(DATA)
    assert {name: bytes(payload) for name, payload in sections.items()} == dict(SECTIONS)
    assert all(payload.readonly for payload in sections.values())
    assert peek(DATA) == (b"PROF", 3)
    assert pack(b"PROF", 3, list(sections.items())) == DATA


def test_layout_is_as_documented() -> None:
    data = pack(b"VKEY", 1, [("a", b"xy")])
    body = b"CIROZK\x00\x01" + b"VKEY" + struct.pack("<HH", 1, 1) + b"\x01a" + struct.pack("<Q", 2) + b"xy"
    assert data == body + hashlib.blake2s(body).digest()


def test_outline() -> None:
    found = outline(DATA)
    assert (found.kind, found.version, found.sections) == (b"PROF", 3, (("header", 5), ("body", 200)))
    for length in range(len(DATA)):
        with pytest.raises(ProofFormatError):
            outline(DATA[:length])


def test_refuses_what_is_no_container() -> None:
    assert_refused(b"", "magic", "not a ciro_zk file")
    assert_refused(b"PK\x03\x04 a zip", "magic", "not a ciro_zk file")
    assert_refused(DATA[:10], "header", "truncated")
    assert_refused(b"CIROZK\x00\x02" + DATA[8:], "magic", "newer")


def test_names_the_kind_it_found() -> None:
    assert_refused(pack(b"VKEY", 3, SECTIONS), "kind", "this is a verifying key, not a proof")
    assert_refused(pack(b"ZZZZ", 3, SECTIONS), "kind", "unknown kind")


def test_versions() -> None:
    assert_refused(DATA, "version", "made by a newer ciro_zk", version=2)
    assert_refused(DATA, "version", "made by an older ciro_zk", version=4)


def test_sections() -> None:
    assert_refused(pack(b"PROF", 3, SECTIONS[:1]), "sections", "1 sections, expected 2")
    assert_refused(pack(b"PROF", 3, [*SECTIONS, ("more", b"")]), "sections", "3 sections")
    assert_refused(pack(b"PROF", 3, SECTIONS[::-1]), "sections", "misplaced section 'body'")
    assert_refused(pack(b"PROF", 3, [("header", b""), ("bodies", b"")]), "sections", "unknown section 'bodies'")
    twice = resealed(pack(b"PROF", 3, [("header", b""), ("heades", b"")]).replace(b"heades", b"header"))
    assert_refused(twice, "sections", "duplicate or misplaced section 'header'")


def test_lengths() -> None:
    assert_refused(pack(b"PROF", 3, [("header", b""), ("body", bytes(1001))]), "body", "oversized: 1001 bytes, at most 1000")
    huge = bytearray(pack(b"PROF", 3, [("header", b""), ("body", b"")]))
    huge[-40:-32] = struct.pack("<Q", 1 << 60)
    assert_refused(resealed(bytes(huge)), "body", "oversized")
    huge[-40:-32] = struct.pack("<Q", 900)
    assert_refused(resealed(bytes(huge)), "body", "truncated: 900 bytes announced, 0 are there")
    assert_refused(DATA + b"\x00", "end", "1 surplus bytes")
    assert_refused(DATA[:-32], "body", "truncated")


def test_every_truncation_is_refused() -> None:
    for length in range(len(DATA)):
        with pytest.raises(ProofFormatError):
            read(DATA[:length])


def test_every_bit_flip_is_refused() -> None:
    for bit in range(8 * len(DATA)):
        damaged = bytearray(DATA)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProofFormatError):
            read(bytes(damaged))


mutations = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 400), st.integers(0, 255)),
        st.tuples(st.just("insert"), st.integers(0, 400), st.integers(0, 255)),
        st.tuples(st.just("delete"), st.integers(0, 400), st.integers(1, 60)),
    ),
    min_size=1,
    max_size=6,
)


@given(mutations, st.booleans())
def test_mutations_raise_nothing_but_format_errors(changes: list[tuple[str, int, int]], reseal: bool) -> None:
    data = bytearray(DATA)
    for what, at, value in changes:
        if what == "set" and at < len(data):
            data[at] = value
        elif what == "insert":
            data.insert(at, value)
        elif what == "delete":
            del data[at : at + value]
    mutated = resealed(bytes(data)) if reseal else bytes(data)
    try:
        outline(mutated)
        sections = read(mutated)
    except ProofFormatError:
        return
    # What is read has one encoding.
    assert pack(b"PROF", 3, list(sections.items())) == mutated
    assert reseal or mutated == DATA


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_format_errors(data: bytes) -> None:
    with pytest.raises(ProofFormatError):
        read(data)


@pytest.mark.parametrize("name", ["", "x" * 33])
def test_pack_refuses_bad_names(name: str) -> None:
    with pytest.raises(ValueError):
        pack(b"PROF", 1, [(name, b"")])


def test_pack_refuses_duplicates() -> None:
    with pytest.raises(ValueError):
        pack(b"PROF", 1, [("a", b""), ("a", b"")])


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u4", "<u8", "i1", "<i2", "<i4", ">i8", "<f4", "<f8", "?"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_arrays_round_trip(dtype: str, shape: tuple[int, ...]) -> None:
    array = (np.arange(np.prod(shape, dtype=int)) % 2).reshape(shape).astype(dtype)
    view = memoryview(b"x" + pack_array(array))[1:]  # at an odd address
    again = unpack_array(view, dtype, shape)
    assert again.dtype == np.dtype(dtype).newbyteorder("=")
    assert again.shape == shape
    assert np.array_equal(again, array)
    assert again.flags.writeable and again.flags.aligned and again.flags.c_contiguous


def test_arrays_are_little_endian() -> None:
    assert pack_array(np.array([1, 2], dtype=">u2")) == b"\x02\x01" + struct.pack("<Q", 2) + b"\x01\x00\x02\x00"
    assert pack_array(np.arange(6, dtype="<u2").reshape(2, 3).T) == pack_array(np.arange(6, dtype="<u2").reshape(2, 3).T.copy())


ARRAY = pack_array(np.arange(6, dtype=np.uint64).reshape(2, 3))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "truncated"),
        (ARRAY[:9], "the shape is cut off"),
        (ARRAY[:-1], "needs 48 bytes, 47 are there"),
        (ARRAY + b"\x00", "needs 48 bytes, 49 are there"),
        (b"\x63" + ARRAY[1:], "code 99"),
        (b"\x08" + ARRAY[1:], "<i8, expected uint64"),
        (b"\x04\x01" + ARRAY[2:], "1 dimensions, expected 2"),
        (ARRAY[:2] + struct.pack("<QQ", 1 << 63, 1 << 63) + ARRAY[18:], "oversized"),
        (ARRAY[:2] + struct.pack("<QQ", 5, 3) + ARRAY[18:], "oversized"),
    ],
)
def test_array_malformations(data: bytes, words: str) -> None:
    with pytest.raises(ProofFormatError, match=words) as caught:
        unpack_array(data, np.uint64, (4, 4), source="some.bin", field="weights")
    assert caught.value.field == "weights" and caught.value.file == "some.bin"


def test_booleans_are_canonical() -> None:
    with pytest.raises(ProofFormatError, match="neither 0 nor 1"):
        unpack_array(pack_array(np.ones(3, dtype=bool))[:-1] + b"\x02", bool, (3,))


def test_objects_cannot_be_packed() -> None:
    with pytest.raises(ValueError):
        pack_array(np.array([object()]))


@given(st.binary(max_size=80))
def test_random_arrays_raise_nothing_but_format_errors(data: bytes) -> None:
    try:
        array = unpack_array(data, np.uint16, (8, 8))
    except ProofFormatError:
        return
    assert pack_array(array) == data


def test_atomic_write_replaces(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    atomic_write(path, b"one")
    atomic_write(path, memoryview(b"two"))
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["file.bin"]
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_atomic_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.bin"
    atomic_write(path, b"old")
    for error, expected in [
        (OSError(28, "No space left"), ResourceError),
        (PermissionError(13, "no"), InputError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ]:

        def fail(descriptor: int, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(container.os, "fsync", fail)
        with pytest.raises(expected):
            atomic_write(path, b"new")
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["file.bin"]


def test_atomic_write_to_odd_places(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        atomic_write(tmp_path / "missing" / "file.bin", b"")
    with pytest.raises(InputError, match="cannot write"):
        atomic_write(tmp_path, b"")
    atomic_write("/dev/null", b"gone")
    target = tmp_path / "target"
    target.write_bytes(b"")
    (tmp_path / "link").symlink_to(target)
    atomic_write(tmp_path / "link", b"through")
    assert (tmp_path / "link").is_symlink() and target.read_bytes() == b"through"


def test_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the middle of the write, for real."""
    code = (
        "import os, sys, time\nfrom ciro_zk import container\n"
        "def slow(fd):\n print('writing', flush=True)\n time.sleep(30)\n"
        "container.os.fsync = slow\ncontainer.atomic_write(sys.argv[1], b'x' * 1000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "out")], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert len(os.listdir(tmp_path)) == 1
        time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        child.wait(timeout=20)
    assert os.listdir(tmp_path) == []


def test_read_file(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    with pytest.raises(ProofFormatError, match="oversized"):
        read_file(path, 4)
    with pytest.raises(ProofFormatError, match="oversized"):
        read_file("/dev/zero", 1000)
    for missing in (tmp_path / "missing", tmp_path):
        with pytest.raises(InputError, match="cannot read"):
            read_file(missing, 5)
