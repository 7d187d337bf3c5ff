# SPDX-License-Identifier: Apache-2.0
"""Which models come in, and how near their integers come to the floats, beside ONNX Runtime's static QDQ.

    python benchmarks/models/run.py

Needs the extra `models`. Every model has seeded random weights and is exported by PyTorch or Keras; calibration and
measurement are on images of smooth noise. SQNR is 10 log10 of the power of the float output over that of the error.
Seconds are those of the processor: `check` of the file and of the network, `quantize`, and `compare`.
"""

from __future__ import annotations

from pathlib import Path

import keras_models
import numpy as np
import onnx
import onnxruntime as ort
import quantizers
import torch
from apart import Clock, Failed, Row, main, short
from architectures import MODELS, Model

from bitwright import api
from bitwright.comparison import Answer, compare
from bitwright.errors import UserError
from bitwright.models import node_problems, read
from bitwright.quantization.ptq import quantize

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


def inputs(model: Model, count: int, seed: int) -> np.ndarray:
    """Images of a model, in its own order of axes."""
    x = images(model.shape, count, seed)
    return np.ascontiguousarray(np.moveaxis(x, 1, -1)) if model.keras else x


def export(model: Model, path: Path) -> None:
    """The model as an ONNX file that ONNX Runtime takes; its batch norms have seen some data."""
    given = inputs(model, 16, 2)
    if model.keras:
        keras_models.export(model.make, path, given)
    else:
        torch.manual_seed(SEED)
        net, x = model.make(), torch.from_numpy(given)
        net.train()
        with torch.no_grad():
            for _ in range(2):
                net(x)
        torch.onnx.export(net.eval(), (x[:1],), str(path), opset_version=OPSET, dynamo=False, input_names=["x"])
    runtime(path, given[:1])


def sqnr(wanted: np.ndarray, found: np.ndarray) -> float:
    """In dB."""
    wanted, found = (a.astype(np.float64).ravel() for a in (wanted, found))
    return float(10 * np.log10(np.square(wanted).sum() / max(np.square(wanted - found).sum(), 1e-30)))


def runtime(path: Path, x: np.ndarray, plain: bool = False) -> np.ndarray:
    """The outputs of an ONNX file for a fixed batch of 1; plain: without optimizations."""
    options = ort.SessionOptions()
    if plain:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x[i : i + 1]})[0] for i in range(len(x))])


def of_runtime(path: Path, calibration: np.ndarray, x: np.ndarray, wanted: np.ndarray) -> float:
    """SQNR of ONNX Runtime's own quantizer: W8A8, per channel, minima and maxima of the calibration data."""
    return sqnr(wanted, runtime(quantizers.by_runtime(path, "qdq_u8s8_channel", calibration), x))


def measured(name: str, folder: Path) -> Row:
    """The row of a model."""
    model, path = MODELS[name], folder / "model.onnx"
    path.with_suffix(".ready.onnx").unlink(missing_ok=True)  # of the row before
    try:
        export(model, path)
    except Exception as error:
        raise Failed(short(error)) from error
    row: Row = {
        "input": list(model.shape),
        "parameters": sum(int(np.prod(t.dims)) for t in onnx.load(path).graph.initializer),
    }
    clock = Clock()
    try:
        graph = read(path)
        node_problems(graph)
    except UserError as error:
        return row | {"read": False, "refusal": str(error)}
    row |= {"read": True, "check_seconds": clock.lap()}
    calibration, x = inputs(model, CALIBRATION, 3), inputs(model, MEASURED, 4)
    wanted = runtime(path, x)
    clock.lap()
    try:
        network = quantize(graph, calibration)
    except UserError as error:
        return row | {"quantized": False, "refusal": str(error)}
    row |= {"quantized": True, "quantize_seconds": clock.lap()}
    told = api.check(network)
    row |= {
        "check_network_seconds": clock.lap(),
        "refused_by": {k: [str(p) for p in v[:2]] for k, v in told.items() if v},
    }
    answers = compare(network)
    row |= {"compare_seconds": clock.lap(), "estimated_cycles": {a.target: cycles(a) for a in answers}}
    row["sqnr"] = round(sqnr(wanted, network.predict(x)), 2)
    row["onnxruntime_sqnr"] = round(of_runtime(path, calibration, x, wanted), 2)
    return row


def cycles(answer: Answer) -> float | None:
    return answer.estimate and round(answer.estimate.interval_cycles)


if __name__ == "__main__":
    read_in = [r for r in main(__doc__, MODELS, measured, HERE / "results.json").values() if "read" in r]
    print(f"{sum(r['read'] for r in read_in)} of {len(read_in)} models come in")
