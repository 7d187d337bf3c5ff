# SPDX-License-Identifier: Apache-2.0
"""Which models come in, and how near their integers come to the floats, beside ONNX Runtime's static QDQ.

    python benchmarks/models/run.py

Needs the extra `models`. Every model has seeded random weights and is exported by PyTorch; calibration and measurement
are on images of smooth noise. Results that are in the file already are kept; --redo measures again, --match takes a
part of the names, --accept stops behind what `check` tells: whether a model is read, and which operators it is refused
for. SQNR is 10 log10 of the power of the float output over that of the error.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from architectures import MODELS, Model
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from bitwright import targets
from bitwright.errors import UserError
from bitwright.models import read
from bitwright.network.passes import simplify
from bitwright.quantization.ptq import quantize
from bitwright.targets.contract import make_options

HERE = Path(__file__).parent
CALIBRATION, MEASURED = 32, 32
SEED, OPSET = 1, 17


def images(shape: tuple[int, ...], count: int, seed: int) -> np.ndarray:
    """Noise that is smooth, as images are, of mean 0 and deviation 1, float32 [count, *shape]."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, *shape))
    for axis in range(2, x.ndim):
        size = x.shape[axis]
        spectrum = np.fft.rfft(x, axis=axis) / (1 + np.arange(size // 2 + 1)).reshape(-1, *[1] * (x.ndim - axis - 1))
        x = np.fft.irfft(spectrum, size, axis=axis)
    return ((x - x.mean()) / x.std()).astype(np.float32)


def export(model: Model, path: Path) -> None:
    """The model as an ONNX file; its batch norms have seen some data."""
    torch.manual_seed(SEED)
    net = model.make()
    x = torch.from_numpy(images(model.shape, 16, 2))
    net.train()
    with torch.no_grad():
        for _ in range(2):
            net(x)
    torch.onnx.export(net.eval(), (x[:1],), str(path), opset_version=OPSET, dynamo=False, input_names=["x"])


def sqnr(wanted: np.ndarray, found: np.ndarray) -> float:
    """In dB."""
    wanted, found = (a.astype(np.float64).ravel() for a in (wanted, found))
    return float(10 * np.log10(np.square(wanted).sum() / max(np.square(wanted - found).sum(), 1e-30)))


class Reader(CalibrationDataReader):
    """Samples one by one."""

    def __init__(self, x: np.ndarray) -> None:
        self.left = [{"x": x[i : i + 1]} for i in range(len(x))]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self.left.pop() if self.left else None


def runtime(path: Path, x: np.ndarray) -> np.ndarray:
    """The outputs of an ONNX file for a fixed batch of 1."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"x": x[i : i + 1]})[0] for i in range(len(x))])


def of_runtime(path: Path, calibration: np.ndarray, x: np.ndarray, wanted: np.ndarray) -> float:
    """SQNR of ONNX Runtime's own quantizer: W8A8, per channel, minima and maxima of the calibration data."""
    ready, made = path.with_suffix(".ready.onnx"), path.with_suffix(".qdq.onnx")
    quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
    kinds: dict[str, Any] = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    quantize_static(str(ready), str(made), Reader(calibration), quant_format=QuantFormat.QDQ, per_channel=True, **kinds)
    return sqnr(wanted, runtime(made, x))


def measured(name: str, folder: Path, accept: bool) -> dict[str, Any]:
    """The row of a model."""
    model, path = MODELS[name], folder / "model.onnx"
    export(model, path)
    row: dict[str, Any] = {
        "input": list(model.shape),
        "parameters": sum(int(np.prod(t.dims)) for t in onnx.load(path).graph.initializer),
    }
    start = time.process_time()
    try:
        graph = read(path)
    except UserError as error:
        return row | {"read": False, "refusal": str(error)}
    row |= {"read": True, "read_seconds": round(time.process_time() - start, 2)}
    if accept:
        return row
    calibration, x = images(model.shape, CALIBRATION, 3), images(model.shape, MEASURED, 4)
    wanted, start = runtime(path, x), time.process_time()
    try:
        network = quantize(graph, calibration)
    except UserError as error:
        return row | {"quantized": False, "refusal": str(error)}
    row |= {"quantized": True, "quantize_seconds": round(time.process_time() - start, 1)}
    row["sqnr"] = round(sqnr(wanted, network.predict(x)), 2)
    row["onnxruntime_sqnr"] = round(of_runtime(path, calibration, x, wanted), 2)
    simple = simplify(network)
    row["refused_by"] = {}
    for target in map(targets.get, targets.names()):
        problems = target.check(simple, make_options(target, {}))
        if problems:
            row["refused_by"][target.name] = [str(p) for p in problems[:2]]
    return row


def main() -> None:
    """Measure what is missing, model by model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--match", default="", help="a part of the names of the models")
    parser.add_argument("--redo", action="store_true")
    parser.add_argument("--accept", action="store_true", help="only whether models are read")
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    rows = json.loads(options.output.read_text()) if options.output.exists() else {}
    for name in MODELS:
        done = name in rows and "failed" not in rows[name]
        if options.match not in name or (done and not options.redo):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                rows[name] = measured(name, Path(folder), options.accept)
            except Exception as error:  # of the exporter, or ONNX Runtime's quantizer: told, and the next one goes on
                rows[name] = {"failed": f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"}
        options.output.write_text(json.dumps(rows, indent=1) + "\n")
        print(name, {k: v for k, v in rows[name].items() if k != "refused_by"}, flush=True)
    read_in = [r for r in rows.values() if r.get("read")]
    print(f"{len(read_in)} of {sum('read' in r for r in rows.values())} models come in")


if __name__ == "__main__":
    main()
