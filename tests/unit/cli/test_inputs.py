"""Input files: what is read, and what is refused with file, field and remedy."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciro_zk.cli.archive import read_archive
from ciro_zk.cli.inputs import Wanted, load_inputs
from ciro_zk.errors import InputError

IMAGE = Wanted("image", (1, 2, 3))
STATE = Wanted("state", (4,))


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def assert_refused(words: str, field: str, path: Path, wanted: tuple[Wanted, ...] = (IMAGE,), index: int | None = None) -> None:
    with pytest.raises(InputError) as caught:
        load_inputs(path, wanted, index)
    assert words in str(caught.value)
    assert caught.value.field == field
    assert caught.value.file == str(path) and str(path) in str(caught.value)
    assert caught.value.remedy


def test_one_sample(tmp_path: Path) -> None:
    image = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    path = save(tmp_path / "x.npz", image=image, state=np.arange(4), label=np.array([3]))
    inputs = load_inputs(path, (IMAGE, STATE))
    assert list(inputs) == ["image", "state"]
    assert np.array_equal(inputs["image"], image) and inputs["image"].dtype == np.float32
    assert inputs["state"].shape == (4,)
    assert np.array_equal(load_inputs(path, (IMAGE,), 0)["image"], image)


def test_several_samples(tmp_path: Path) -> None:
    images = np.arange(30.0).reshape(5, 2, 3)
    states = np.arange(20.0).reshape(5, 4)
    path = save(tmp_path / "x.npz", image=images, state=states, stacked=images[:, np.newaxis])
    inputs = load_inputs(path, (IMAGE, STATE), 3)
    assert np.array_equal(inputs["image"], images[3:4])
    assert np.array_equal(inputs["state"], states[3])
    assert np.array_equal(load_inputs(path, (Wanted("stacked", (1, 2, 3)),), 2)["stacked"], images[2:3])
    assert_refused("holds 5 samples", "image", path)
    assert_refused("--index 0 to 4", "image", path)
    assert_refused("no number 5", "image", path, index=5)


def test_fortran_order_and_compression(tmp_path: Path) -> None:
    image = np.asfortranarray(np.arange(6.0).reshape(1, 2, 3))
    np.savez_compressed(tmp_path / "x.npz", image=image)
    assert np.array_equal(load_inputs(tmp_path / "x.npz", (IMAGE,))["image"], image)


def test_wrong_archives(tmp_path: Path) -> None:
    assert_refused("cannot read", "", tmp_path / "missing.npz")
    assert_refused("has shape (2, 3)", "image", save(tmp_path / "a.npz", image=np.zeros((2, 3))))
    assert_refused("there is no array 'image'", "image", save(tmp_path / "b.npz", picture=np.zeros((1, 2, 3))))
    assert_refused("the file has: picture", "image", tmp_path / "b.npz")
    assert_refused("elements of type object", "image", save(tmp_path / "c.npz", image=np.array([{}], dtype=object)))
    assert_refused("elements of type <U1", "image", save(tmp_path / "d.npz", image=np.array(["a"])))
    assert_refused("elements of type complex", "image", save(tmp_path / "e.npz", image=np.zeros((1, 2, 3), dtype=complex)))
    assert_refused("holds 0 samples", "image", save(tmp_path / "f.npz", image=np.zeros((0, 2, 3))))
    whole = save(tmp_path / "g.npz", image=np.zeros((1, 2, 3))).read_bytes()
    (tmp_path / "g.npz").write_bytes(whole[:-30])
    assert_refused("not a readable .npz", "", tmp_path / "g.npz")


def member(path: Path, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("image.npy", data)
    return path


def test_lying_arrays(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"shape": (1 << 40, 1 << 10), "fortran_order": False, "descr": "<f8"})
    assert_refused("does not fit its 0 bytes", "image", member(tmp_path / "a.npz", stream.getvalue()))
    assert_refused("not an array", "image", member(tmp_path / "b.npz", b"nonsense"))
    assert_refused("not an array", "image", member(tmp_path / "c.npz", b""))


def test_size_is_bounded(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", image=np.zeros(100_000))
    with pytest.raises(InputError, match="at most 1000 are read"):
        read_archive(tmp_path / "bomb.npz", ["image"], max_bytes=1000)


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"input_data": [[1, 2.5, -3, 4, 5, 6], [[7, 8], [9, 10]]], "output_data": [[0]]}))
    inputs = load_inputs(path, (IMAGE, STATE))
    assert np.array_equal(inputs["image"], np.array([[[1, 2.5, -3], [4, 5, 6]]]))
    assert np.array_equal(inputs["state"], np.array([7.0, 8.0, 9.0, 10.0]))


@pytest.mark.parametrize(
    ("text", "words", "field"),
    [
        ("", "neither a .npz nor JSON", ""),
        ("nonsense", "neither a .npz nor JSON", ""),
        ("\x00\x01", "neither a .npz nor JSON", ""),
        ('{"input_data": [[1, NaN]]}', "NaN is not a finite number", ""),
        ('{"input_data": [[1, -Infinity]]}', "-Infinity is not a finite number", ""),
        ("[" * 100_000, "neither a .npz nor JSON", ""),
        ("[1]", 'there is no list "input_data"', "input_data"),
        ("{}", 'there is no list "input_data"', "input_data"),
        ('{"input_data": 3}', 'there is no list "input_data"', "input_data"),
        ('{"input_data": []}', "0 lists for 1 inputs", "input_data"),
        ('{"input_data": [[1], [2]]}', "2 lists for 1 inputs", "input_data"),
        ('{"input_data": [[1, 2]]}', "2 numbers, shape (1, 2, 3) has 6", "input_data[0] (image)"),
        ('{"input_data": [[1, 2, 3, 4, 5, "6"]]}', "is not a number at index 5 (value '6')", "input_data[0] (image)"),
        ('{"input_data": [[1, 2, 3, 4, 5, null]]}', "is not a number", "input_data[0] (image)"),
        ('{"input_data": [[1, 2, 3, 4, 5, 1' + "0" * 400 + "]]}", "too large", "input_data[0] (image)"),
    ],
)
def test_wrong_json(tmp_path: Path, text: str, words: str, field: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    assert_refused(words, field, path)


def test_json_holds_one_sample(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"input_data": [[1, 2, 3, 4, 5, 6]]}')
    assert_refused("only a .npz", "--index", path, index=1)


@given(st.binary(max_size=200), st.sampled_from([b"", b"PK", b"PK\x03\x04", b'{"input_data": [[']))
def test_random_files_raise_nothing_but_input_errors(tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "random"
    path.write_bytes(start + data)
    with pytest.raises(InputError):
        load_inputs(path, (IMAGE,))


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_mutated_archives_raise_nothing_but_input_errors(tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, image=np.arange(6.0).reshape(1, 2, 3))
    data = bytearray(stream.getvalue())
    for at, value in changes:
        data[at % len(data)] = value
    path = tmp_path_factory.getbasetemp() / "mutated.npz"
    path.write_bytes(data)
    try:
        assert load_inputs(path, (IMAGE,))["image"].shape == (1, 2, 3)
    except InputError as error:
        assert error.remedy
