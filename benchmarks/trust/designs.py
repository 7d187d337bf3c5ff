"""The networks on tlmac that the benchmarks of trust speak of."""

from __future__ import annotations

from pathlib import Path

from bitwright import demo

DESIGNS = {
    "digits": (None, {"interval": 4608}),
    "TFC_2W2A": ("qonnx/TFC_2W2A.onnx", {"interval": 784}),
    "KWS": ("qonnx/kws_finn_submission_v0.7.onnx", {"interval": 1960}),
}


def model(name: str, data: Path) -> Path:
    """The quantized file of a design; the digits CNN is the one of the demo."""
    file = DESIGNS[name][0]
    return data / file if file else Path(demo.__file__).with_name("digits.onnx")
