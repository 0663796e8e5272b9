"""Accuracy of the quantised LeNet-5, as it is proven, beside the float model, on the 10,000 official MNIST test images.

    python benches/accuracy.py [--bits 12] [--json]

Every image runs through the circuit's integer semantics, which the proofs are bit-identical with. Fetches the test
images (pinned, see models/registry.toml).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import ciro_zk as cz  # noqa: E402
from models.lenet5.data import mnist_test  # noqa: E402
from models.lenet5.evaluate import predict  # noqa: E402

MODEL = ROOT / "models" / "lenet5" / "lenet5.onnx"


def measure(bits: int) -> dict[str, float | int]:
    """Both accuracies in percent, and how often the two agree."""
    calibration = np.load(MODEL.parent / "calibration.npz")["image"]
    circuit = cz.compile(str(MODEL), calibration, bits=bits)
    test = mnist_test()
    float_labels = predict(MODEL, test)
    labels = np.array([cz.infer(circuit, image[None]).outputs["logits"].argmax() for image in test.input])
    return {
        "bits": bits,
        "images": len(test),
        "float_accuracy": 100 * float(np.mean(float_labels == test.labels)),
        "quantised_accuracy": 100 * float(np.mean(labels == test.labels)),
        "agreement": 100 * float(np.mean(labels == float_labels)),
    }


def main() -> None:
    """Print one line, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bits", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.bits)
    if arguments.json:
        print(json.dumps(figures))
    else:
        print(
            f"{figures['images']:,} images, {figures['bits']} bits: float {figures['float_accuracy']:.2f} %, "
            f"quantised {figures['quantised_accuracy']:.2f} %, the same digit {figures['agreement']:.2f} %"
        )


if __name__ == "__main__":
    main()
