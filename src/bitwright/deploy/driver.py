"""The PYNQ driver of a design: one Python file that needs NumPy and pynq, and the program as data."""

from __future__ import annotations

import inspect
import pprint
from pathlib import Path

import numpy as np

from bitwright import packing
from bitwright.deploy.rendering import render
from bitwright.network import InputSpec, OutputSpec
from bitwright.targets.contract import Design, StreamSpec


def write_driver(design: Design, folder: Path, *, clock_mhz: float = 100) -> list[Path]:
    """Write `driver.py` and, where the design has them, `program.npy` and `weights.npy`; the files' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "driver.py"]
    paths[0].write_text(driver_text(design, clock_mhz))
    if design.program is not None:
        paths.append(folder / "program.npy")
        np.save(paths[-1], np.asarray(design.program, np.uint32))
    if _streams_weights(design):
        paths.append(folder / "weights.npy")
        np.save(paths[-1], np.asarray(design.weights.words, np.uint32))
    return paths


def _streams_weights(design: Design) -> bool:
    """Whether the network's weights come through the weight stream, if the design has one."""
    return design.weights is not None and len(design.weights.words) > 0


def driver_text(design: Design, clock_mhz: float) -> str:
    """The driver's source."""
    network = design.network
    data = {
        "network": network.name,
        "target": design.target,
        "digest": design.digest,
        "clock_mhz": clock_mhz,
        "program": "program.npy" if design.program is not None else None,
        "weights": "weights.npy" if _streams_weights(design) else None,
        "counters": dict(design.counters or {}),
        "input": _stream(design.input) | _floats(network.input) | _limits(network.input),
        "output": _stream(design.output) | _floats(network.output) | {"function": network.output.function},
    }
    helpers = [inspect.getsource(f) for f in (packing.to_bytes, packing.from_bytes)]
    return render(
        "driver.py.j2", design=pprint.pformat(data, width=110, sort_dicts=False), helpers="\n\n".join(helpers)
    )


def _stream(spec: StreamSpec) -> dict[str, object]:
    dtype = spec.type.dtype
    return {
        "shape": spec.type.shape,
        "type": str(dtype),
        "bits": dtype.bits,
        "signed": dtype.signed,
        "bipolar": dtype.bipolar,
        "lanes": spec.lanes,
        "words": spec.words,
        "word_bytes": spec.tdata_bits // 8,
    }


def _limits(spec: InputSpec) -> dict[str, object]:
    return {"low": spec.low, "high": spec.high}


def _floats(spec: InputSpec | OutputSpec) -> dict[str, object]:
    """Scale, offset, shape and layout of the model's own floats."""
    return {
        "scale": spec.scale.tolist(),
        "offset": spec.offset.tolist(),
        "float_shape": tuple(spec.shape),
        "layout": spec.layout,
    }
