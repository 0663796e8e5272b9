"""Measure `lenet5.onnx` with onnxruntime on the training, held-back and official test images.

    pip install onnxruntime numpy
    python models/lenet5/evaluate.py [MODEL.onnx]

Prints how many are right, and how many test images also occur in the training and held-back sets (compared by hash).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from models.lenet5.data import Images, mnist_test, split

HERE = Path(__file__).resolve().parent


def predict(model: Path, images: Images) -> NDArray[np.int64]:
    """(n,) digits, one image at a time, as the model's shape has it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.array([session.run(["logits"], {"image": image[None]})[0].argmax() for image in images.input])


def main(arguments: list[str]) -> None:
    """Print the table."""
    model = Path(arguments[0]) if arguments else HERE / "lenet5.onnx"
    training, held_back = split()
    test = mnist_test()
    for name, images in (("training", training), ("held back", held_back), ("official test", test)):
        right = int((predict(model, images) == images.labels).sum())
        print(f"{name:14} {right:6,} of {len(images):6,} right: {100 * right / len(images):.2f} %")
    known = set(test.digests())
    for name, images in (("training", training), ("held-back", held_back)):
        print(f"{name} images that are also test images: {len(known.intersection(images.digests()))}")


if __name__ == "__main__":
    main(sys.argv[1:])
