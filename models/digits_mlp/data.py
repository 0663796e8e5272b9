"""scikit-learn's 1,797 digits as the MLP sees them, and the split it is trained and measured on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SPLIT_SEED = 5
NUM_HELD_OUT = 360


def split() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """(training inputs (1437, 64), held-out inputs (360, 64), training labels, held-out labels), stratified by a fixed seed."""
    pixels, labels = load_digits(return_X_y=True)
    inputs = (pixels / 16).astype(np.float32)
    return tuple(train_test_split(inputs, labels, test_size=NUM_HELD_OUT, stratify=labels, random_state=SPLIT_SEED))
