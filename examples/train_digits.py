"""Train the demo network: a 3-bit CNN for scikit-learn's 8x8 digits, exported as QONNX by Brevitas.

    pip install "bitwright[examples]"
    python examples/train_digits.py            # writes digits.onnx and digits_test.npz of `bitwright demo`

Weights and activations have 3 bits, the input 4 bits; a residual block shows how branches are kept
on one scale (the two summands share a quantizer). Training takes about two minutes on two cores.
"""

from __future__ import annotations

from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import onnx
import torch
from brevitas.export import export_qonnx
from brevitas.inject.enum import RestrictValueType, ScalingImplType
from brevitas.quant import Int8WeightPerTensorFloat, Uint8ActPerTensorFloat
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

FOLDER = Path(__file__).parents[1] / "src" / "bitwright" / "demo"
BITS = 3


class InputQuant(Uint8ActPerTensorFloat):
    """4-bit unsigned codes with the fixed scale 1/16: pixels are 0..16 sixteenths."""

    bit_width = 4
    scaling_impl_type = ScalingImplType.CONST
    scaling_init = 15 / 16
    restrict_scaling_type = RestrictValueType.FP


def conv(inputs: int, outputs: int) -> nn.Sequential:
    """3x3 convolution with 3-bit weights and batch norm."""
    return nn.Sequential(
        qnn.QuantConv2d(
            inputs, outputs, 3, padding=1, bias=False,
            weight_quant=Int8WeightPerTensorFloat, weight_bit_width=BITS, weight_scaling_per_output_channel=True,
        ),
        nn.BatchNorm2d(outputs),
    )  # fmt: skip


class Digits(nn.Module):
    """8x8x1 -> conv 16 -> residual block of two convs 16 -> pool -> conv 32 -> pool -> dense 10."""

    def __init__(self) -> None:
        super().__init__()
        self.quantize = qnn.QuantIdentity(act_quant=InputQuant, return_quant_tensor=False)
        self.stem, self.first, self.second, self.last = conv(1, 16), conv(16, 16), conv(16, 16), conv(16, 32)
        self.relu_stem, self.relu_first, self.relu_last = (
            qnn.QuantReLU(bit_width=BITS, return_quant_tensor=False) for _ in range(3)
        )
        # One quantizer for both summands: their scales are equal, so the sum is exact in integers.
        self.align = qnn.QuantIdentity(bit_width=BITS + 1, return_quant_tensor=False)
        self.relu_sum = qnn.QuantReLU(bit_width=BITS, return_quant_tensor=False)
        self.pool = nn.MaxPool2d(2)
        self.dense = qnn.QuantLinear(
            32 * 2 * 2, 10, bias=True, weight_quant=Int8WeightPerTensorFloat, weight_bit_width=BITS
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu_stem(self.stem(self.quantize(x)))
        branch = self.second(self.relu_first(self.first(x)))
        x = self.relu_sum(self.align(x) + self.align(branch))
        x = self.relu_last(self.last(self.pool(x)))
        return self.dense(torch.flatten(self.pool(x), 1))


def export(model: Digits, x: torch.Tensor, path: Path) -> None:
    """Write the QONNX file: one file, without the exporter's notes on the machine it ran on."""
    export_qonnx(model, args=x, export_path=str(path))
    exported = onnx.load(path)
    path.with_suffix(".onnx.data").unlink(missing_ok=True)
    del exported.metadata_props[:]
    for part in (exported.graph, *exported.graph.node, *exported.graph.value_info, *exported.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.save(exported, path)


def main() -> None:
    torch.manual_seed(1)
    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        digits.images.astype(np.uint8), digits.target.astype(np.int64),
        test_size=0.2, random_state=0, stratify=digits.target,
    )  # fmt: skip

    def tensor(x: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(x.astype(np.float32) / 16)[:, None]

    model, epochs = Digits(), 60
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    x, y = tensor(x_train), torch.from_numpy(y_train)
    for epoch in range(epochs):
        model.train()
        for index in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[index]), y[index]).backward()
            optimizer.step()
        schedule.step()
        if epoch % 10 == 9:
            model.eval()
            with torch.no_grad():
                accuracy = (model(tensor(x_test)).argmax(1).numpy() == y_test).mean()
            print(f"epoch {epoch + 1}: test accuracy {100 * accuracy:.2f} %")

    model.eval()
    export(model, tensor(x_test[:1]), FOLDER / "digits.onnx")
    np.savez_compressed(FOLDER / "digits_test.npz", images=x_test, labels=y_test.astype(np.uint8))
    with torch.no_grad():
        accuracy = (model(tensor(x_test)).argmax(1).numpy() == y_test).mean()
    print(f"wrote {FOLDER}: test accuracy {100 * accuracy:.2f} % on {len(x_test)} images")


if __name__ == "__main__":
    main()
