# SPDX-License-Identifier: Apache-2.0
"""Which quantized files come in, and whether their integers are what the file's own arithmetic gives.

    python benchmarks/models/quantized.py

Needs the extra `models`. Files are quantized by ONNX Runtime (QDQ and QOperator) and by Brevitas (QONNX and QCDQ, of
networks with 1 to 8 bits, and of networks of torchvision), on smooth noise. `definition.py` computes what a file says
in double precision. `equal` is the share of output elements within 2^-20 of the output's largest magnitude,
`onnxruntime_equal` that of ONNX Runtime itself, without its optimizations, on the same file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import definition
import numpy as np
import onnx
import quantizers
import run as floats
from apart import Clock, Failed, Row, main, short
from architectures import MODELS, SMALL, Model

from bitwright import api, models
from bitwright.errors import UserError

HERE = Path(__file__).parent
CALIBRATION, MEASURED = 8, 4
NEAR = 2.0**-20


def _small(name: str) -> Model:
    model = MODELS[name]
    return model if len(model.shape) < 3 else Model(model.make, SMALL)


def by_runtime(name: str, variant: str, folder: Path) -> Path:
    """An architecture's file, quantized by ONNX Runtime; the float one is exported once."""
    model, path = _small(name), folder / f"{name.replace('/', '_')}.onnx"
    if not path.exists():
        floats.export(model, path)
    return quantizers.by_runtime(path, variant, floats.images(model.shape, CALIBRATION, 3))


def by_brevitas(name: str, bits: int, form: str, folder: Path) -> Path:
    return quantizers.by_brevitas(name, bits, form, folder / f"{form}.onnx")


FILES: dict[str, tuple[Callable[[Path], Path], tuple[int, ...]]] = {
    **{
        f"onnxruntime/{name}/{variant}": (lambda f, n=name, v=variant: by_runtime(n, v, f), _small(name).shape)
        for name, variants in quantizers.RUNTIME.items()
        for variant in variants
    },
    **{
        f"brevitas/{name}/{bits}bit/{form}": (
            lambda f, n=name, b=bits, o=form: by_brevitas(n, b, o, f),
            quantizers.BREVITAS[name].shape,
        )
        for name, network in quantizers.BREVITAS.items()
        for bits in network.bits
        for form in quantizers.FORMS
        if (bits, form) not in quantizers.NO_FILE
    },
}


def share(wanted: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Of equal elements, and how far the others are off, as a share of the largest magnitude."""
    largest = float(np.abs(wanted).max()) or 1.0
    off = np.abs(wanted - found.reshape(wanted.shape)) / largest
    return {"equal": round(float(np.mean(off <= NEAR)), 4), "largest_difference": float(f"{off.max():.3g}")}


def measured(name: str, folder: Path) -> Row:
    """The row of a file."""
    make, shape = FILES[name]
    try:
        path = make(folder)
    except Exception as error:
        raise Failed(short(error)) from error
    row: dict[str, Any] = {"nodes": len(onnx.load(path).graph.node)}
    x, notes = floats.images(shape, MEASURED, 4), list[str]()
    clock = Clock()
    try:
        network = models.load(path, notes=notes)
    except UserError as error:
        if "give bitwright.load its integer type" not in str(error):
            return row | {"read": False, "refusal": str(error)}
        row["input_type"], scale = (
            "int8",
            float(np.abs(x).max() / 127),
        )  # the parts of the input have several quantizers
        x = (np.rint(x / scale) * scale).astype(np.float32)
        network = models.load(path, notes=notes, input_type="int8", input_scale=scale)
    row |= {"read": True, "load_seconds": clock.lap(), "notes": notes}
    told = api.check(network)
    row |= {"check_seconds": clock.lap(), "refused_by": {k: [str(p) for p in v[:2]] for k, v in told.items() if v}}
    wanted = definition.run(path, x)
    row |= share(wanted, network.predict(x))
    try:
        row["onnxruntime_equal"] = share(wanted, floats.runtime(path, x, plain=True))["equal"]
    except Exception:  # QONNX has no operators of its own, and kernels of some widths are missing
        row["onnxruntime_equal"] = None
    return row


if __name__ == "__main__":
    rows = main(__doc__, FILES, measured, HERE / "quantized.json")
    made = [r for r in rows.values() if "failed" not in r]
    print(f"{sum(r.get('read', False) for r in made)} of {len(made)} files come in")
    print(f"{sum(r.get('equal') == 1 for r in made)} compute what the file says for every element")
