"""From a PyTorch model to a network of 2-bit integers, without quantization in the model's code.

    pip install "bitwright[train]" scikit-learn
    python examples/finetune_torch.py

A small CNN for 8x8 digits is trained as any PyTorch model and exported to ONNX. `bitwright.finetune` trains it further
as the integers that it becomes, towards the float model's own answers: it sees no labels. The file digits_2bit.bw is
what `bitwright compile` takes.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import bitwright as bw
from bitwright.training import finetune_model

EPOCHS = 20


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images, test images, float32 [N, 1, 8, 8] in 0..1, and their classes [N]."""
    x, y = load_digits(return_X_y=True)
    images = (x / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    x_train, x_test, y_train, y_test = train_test_split(images, y, test_size=0.2, random_state=0, stratify=y)
    return x_train, x_test, y_train, y_test


def train(x: np.ndarray, y: np.ndarray, epochs: int) -> nn.Module:
    """An ordinary float model, ordinarily trained."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(128, 10)),
    )
    optimizer, images, classes = torch.optim.Adam(model.parameters(), 3e-3), torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), classes[batch]).backward()
            optimizer.step()
    return model.eval()


def export(model: nn.Module, path: Path) -> None:
    """The model as ONNX; batch norms are folded into convolutions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(model, (torch.zeros(1, 1, 8, 8),), str(path), dynamo=False)


def main(folder: Path | None = None, epochs: int = EPOCHS, jobs: int = 0) -> dict[str, float]:
    """Train, export, fine-tune, save; test accuracies by name. jobs: threads, 0 is all cores."""
    x_train, x_test, y_train, y_test = digits()
    folder = Path(tempfile.mkdtemp()) if folder is None else folder
    export(train(x_train, y_train, epochs), folder / "digits.onnx")
    how = {"weight_bits": 2, "activation_bits": 2, "input_bits": 5, "epochs": 2 * epochs, "jobs": jobs}
    made = finetune_model(folder / "digits.onnx", x_train, evaluation=(x_test, y_test), **how)
    bw.save(made.network, folder / "digits_2bit.bw")
    report = made.report
    found = {"float": report.float_accuracy or 0.0}
    for name, score in (("post-training", report.post_training), ("fine-tuned", report.fine_tuned)):
        found[name] = score.accuracy or 0.0
    for name, accuracy in found.items():
        print(f"{name:14} {accuracy:.1%}")
    print(f"{folder / 'digits_2bit.bw'}: {made.report.quantization.summary().splitlines()[0]}")
    return found


if __name__ == "__main__":
    main()
