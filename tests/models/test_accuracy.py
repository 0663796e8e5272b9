"""The quantised LeNet-5 is as good as the float one on the official test images."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benches.accuracy import measure


@pytest.mark.models
def test_quantised_lenet5_is_within_a_tenth_of_a_point_of_float() -> None:
    figures = measure(bits=12)
    assert figures["images"] == 10_000
    assert figures["quantised_accuracy"] >= figures["float_accuracy"] - 0.1
    assert figures["agreement"] >= 99.5
