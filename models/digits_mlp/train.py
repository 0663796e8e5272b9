"""Train the digits MLP and write `digits_mlp.onnx`, `samples.npz` and `calibration.npz` beside this file.

    pip install torch==2.13.0 onnx onnxruntime numpy scikit-learn      (a CPU wheel will do)
    python models/digits_mlp/train.py

Under a minute on one core, and no download: scikit-learn ships the data. Seeded, on one thread: one machine gives the same file again;
another CPU may round differently and end at other weights. The augmentation was chosen by 5-fold cross-validation on the training
images; the 360 held-out images choose nothing. Prints both accuracies, measured with onnxruntime on the file written.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from models.digits_mlp.data import split
from models.export import Layer, chain, num_parameters, save

HERE = Path(__file__).resolve().parent
SEED = 5
EPOCHS, BATCH = 150, 32
PEAK_RATE, WEIGHT_DECAY, SMOOTHING, NOISE = 2e-3, 2e-2, 0.05, 0.08
NUM_SAMPLES, NUM_CALIBRATION = 20, 200
DOC = (
    "MLP 64-96-48-10 with ReLU on scikit-learn's 8x8 digits. Input [1,64] in [0,1] (pixels 0..16 divided by 16, row by row), output logits "
    "[1,10]. Trained for ciro_zk by models/digits_mlp/train.py on 1,437 images of the UCI data set Optical Recognition of Handwritten "
    "Digits (CC BY 4.0, E. Alpaydin and C. Kaynak). Licence of the weights: Apache-2.0."
)


def shifted(inputs: Tensor, random: torch.Generator) -> Tensor:
    """Half of the images moved by -1, 0 or 1 pixel each way; a little noise on all."""
    canvas = functional.pad(inputs.reshape(-1, 8, 8), (1, 1, 1, 1))
    stays = torch.rand(len(inputs), generator=random) < 0.5
    steps = torch.randint(0, 3, (2, len(inputs)), generator=random).masked_fill(stays, 1)
    span = torch.arange(8)
    rows, columns = (steps[axis][:, None] + span for axis in (0, 1))
    moved = canvas[torch.arange(len(inputs))[:, None, None], rows[:, :, None], columns[:, None, :]]
    return (moved + NOISE * torch.randn(moved.shape, generator=random)).clamp(0, 1).flatten(1)


def train(inputs: NDArray[np.float32], labels: NDArray[np.int64]) -> nn.Sequential:
    """The network, 11,386 parameters."""
    random = torch.Generator().manual_seed(SEED)
    torch.manual_seed(SEED)
    model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, 10))
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * math.ceil(len(x) / BATCH))
    for _ in range(EPOCHS):
        for index in torch.randperm(len(x), generator=random).split(BATCH):
            loss = functional.cross_entropy(model(shifted(x[index], random)), y[index], label_smoothing=SMOOTHING)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model


def layers(model: nn.Sequential) -> list[Layer]:
    """The network as ONNX nodes."""
    chained = []
    for name, module in zip(["fc1", "relu1", "fc2", "relu2", "fc3"], model, strict=True):
        weights = {key: value.detach().numpy() for key, value in module.named_parameters()}
        chained.append(Layer(op="Gemm", name=name, weights=weights, attributes={"transB": 1}) if weights else Layer(op="Relu", name=name))
    return chained


def per_digit(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Positions of the first `count` / 10 of each digit, in the order 0 1 2 ... 9 0 1 2 ..."""
    return np.stack([np.flatnonzero(labels == digit)[: count // 10] for digit in range(10)], axis=1).reshape(-1)


def num_right(path: Path, inputs: NDArray[np.float32], labels: NDArray[np.int64]) -> int:
    """How many the file gets right, one at a time."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return sum(int(session.run(["logits"], {"input": row[None]})[0].argmax() == label) for row, label in zip(inputs, labels, strict=True))


def main() -> None:
    """Train, write the three files, measure."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    training, held_out, training_labels, held_out_labels = split()
    trained = train(training, training_labels)
    model = chain(layers(trained), name="digits_mlp", inputs=("input", [1, 64]), outputs=("logits", [1, 10]), doc=DOC)
    path = HERE / "digits_mlp.onnx"
    save(model, path)
    samples = per_digit(held_out_labels, NUM_SAMPLES)
    np.savez_compressed(HERE / "samples.npz", input=held_out[samples], label=held_out_labels[samples])
    np.savez_compressed(HERE / "calibration.npz", input=training[per_digit(training_labels, NUM_CALIBRATION)])
    print(f"{path.name}: {num_parameters(model):,} parameters")
    for name, inputs, labels in (("training", training, training_labels), ("held out", held_out, held_out_labels)):
        right = num_right(path, inputs, labels)
        print(f"{name} {right:,} of {len(labels):,} right: {100 * right / len(labels):.2f} %")


if __name__ == "__main__":
    main()
