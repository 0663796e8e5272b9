"""Options given as text."""

from __future__ import annotations

import pytest

from ciro_zk.cli.options import parse_ranges, parse_shapes
from ciro_zk.errors import InputError

NAMES = ("x", "state:0")


def test_ranges() -> None:
    assert parse_ranges(["-1,2.5"], NAMES) == {"x": (-1.0, 2.5), "state:0": (-1.0, 2.5)}
    assert parse_ranges(["0,1", "x=-3,3"], NAMES) == {"x": (-3.0, 3.0), "state:0": (0.0, 1.0)}
    assert parse_ranges([], NAMES) == {}


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "2,1", "1,1", "nan,1", "0,inf", "a,b", "x=", "y=0,1", "=,"])
def test_bad_ranges(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_ranges([text], NAMES)
    assert caught.value.field == "--input-range"
    assert caught.value.remedy


def test_shapes() -> None:
    assert parse_shapes(["x=1,3,8", "state:0=4"], NAMES) == {"x": (1, 3, 8), "state:0": (4,)}
    assert parse_shapes(["x="], NAMES) == {"x": ()}
    assert parse_shapes(["batch=2"], NAMES) == {"batch": 2}


@pytest.mark.parametrize("text", ["", "1,2", "x=0,1", "x=-1", "x=a", "x=1,,2", "y=1,2", "x=1.5"])
def test_bad_shapes(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_shapes([text], NAMES)
    assert caught.value.field == "--shape"
    assert caught.value.remedy
