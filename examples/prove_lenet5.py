"""Prove LeNet-5 on a real MNIST digit, verify the proof, and try to pass it off for another one.

Usage:

    python examples/prove_lenet5.py [digit 0 to 19]
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import ciro_zk

LENET5 = Path(__file__).resolve().parents[1] / "models" / "lenet5"


def main(index: int = 0) -> None:
    """Compile, set up, infer, prove, verify, tamper."""
    digits = np.load(LENET5 / "digits.npz")
    image, label = digits["image"][index : index + 1], int(digits["label"][index])

    circuit = ciro_zk.compile(LENET5 / "lenet5.onnx", calibration=np.load(LENET5 / "calibration.npz")["image"])
    print(circuit.report())
    pk, vk = ciro_zk.setup(circuit)

    start = time.perf_counter()
    run = ciro_zk.infer(pk, image)
    proof = ciro_zk.prove(pk, run)
    print(f"proved   {1e3 * (time.perf_counter() - start):.0f} ms, {len(bytes(proof)):,} bytes")

    start = time.perf_counter()
    verified = ciro_zk.verify(vk, proof, inputs=image)
    print(f"verified {1e3 * (time.perf_counter() - start):.0f} ms")
    print(f"the model says {verified.outputs['logits'].argmax()}, the label is {label}")
    print(verified.security)

    swapped = {"logits": run.integer_outputs["logits"][:, ::-1]}
    try:
        ciro_zk.verify(vk, replace(proof, outputs=swapped))
    except ciro_zk.ProofRejected as rejected:
        print(f"rejected at {rejected.stage}: {rejected.reason}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
