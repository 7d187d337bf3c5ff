# SPDX-License-Identifier: Apache-2.0
"""Networks on hardware, whatever it is reached by: raw data, floats or integers in, the same kinds out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np

from bitwright.data.raw import classes
from bitwright.errors import DataError
from bitwright.network.inputs import dequantize, prepare, quantize
from bitwright.tools.elements import from_bytes, to_bytes

Facts = Mapping[str, Any]


class Link(Protocol):
    """What reaches the hardware. Every method raises `TimeoutError` where it does not answer in time."""

    def reset(self, weights: np.ndarray | None) -> None:
        """Reset the design; `weights` (uint32) are from now on sent to its weight stream, again and again."""

    def hold(self, words: np.ndarray, size: int) -> int:
        """The address of memory of `size` bytes that begins with these words (uint32), the design's until `close`."""

    def write(self, pairs: np.ndarray) -> None:
        """Write registers: address and word, uint32 [n, 2]."""

    def read(self, address: int) -> int:
        """The word of a register."""

    def transfer(self, frames: np.ndarray, out_bytes: int) -> np.ndarray:
        """Bytes of whole frames, uint8 [N, bytes], to those of their results, uint8 [N, out_bytes]."""

    def close(self) -> None:
        """Leave the hardware."""


class Host:
    """The networks of one design on hardware: loads one of them and runs frames through it.

    design: the facts that `deploy` wrote. folder: of programs, weights and memories. A `with` block closes the link.
    """

    def __init__(self, link: Link, design: Facts, folder: Path) -> None:
        self.link, self.design, self.folder = link, design, folder
        self.places: dict[str, int] = {}  # addresses of networks in memory
        self.load(self.names[0])

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the hardware."""
        self.link.close()

    @property
    def names(self) -> list[str]:
        """The networks that the design runs."""
        return list(self.design["networks"])

    def load(self, name: str) -> None:
        """Reset the design and load a network into it; a design without a program has one network.

        What a network has in external memory stays there: its next load is a few register writes.
        """
        if name not in self.design["networks"]:
            raise ValueError(f"there is no network {name!r}; legal are {', '.join(self.names)}")
        facts = self.design["networks"][name]
        weights = np.load(self.folder / facts["weights"]).reshape(-1) if facts["weights"] else None
        self.link.reset(weights)
        if facts["memory"]:
            if name not in self.places:
                self.places[name] = self.link.hold(np.load(self.folder / facts["memory"]), facts["memory_bytes"])
            halves = self.places[name] & 0xFFFFFFFF, self.places[name] >> 32
            self.link.write(np.array([*zip(self.design["memory"]["registers"], halves, strict=True)], np.uint32))
        if facts["program"]:
            self.link.write(np.load(self.folder / facts["program"]))
            if self.counters().get("errors"):
                raise RuntimeError("the design ignored a part of its program: load its bitstream anew")
        self.network, self.facts = name, facts
        self.inputs = {side["name"]: specification(side) for side in facts["inputs"]}
        self.outputs = {side["name"]: specification(side) for side in facts["outputs"]}

    def execute(self, raw: Any) -> Any:
        """Raw data [N, ...], prepared as the network declares it, to the model's floats [N, *shape]."""
        if not self.facts["raw_data"]:
            raise DataError(
                "the network does not say how raw data become its floats; legal are its own floats (execute_float; "
                "--float), its integers (execute_integers), or a design compiled with --input-scale, --input-mean, "
                "--input-std or --input-layout"
            )
        return self.execute_float({name: prepare(self.inputs[name], a) for name, a in self._named(raw).items()})

    def classify(self, data: Any, floats: bool = False) -> Any:
        """The class of each item of raw data, or of the model's own floats: its name where `deploy` was given names."""
        y = self.execute_float(data) if floats else self.execute(data)
        if isinstance(y, dict):
            raise DataError(f"the network has the outputs {', '.join(y)}; legal are networks of one output")
        found, names = classes(y), self.facts["classes"]
        return np.array(names)[found] if names else found

    def execute_float(self, x: Any) -> Any:
        """The model's own floats [N, *shape] to its floats, as `Network.predict` computes them."""
        y = self._run({name: quantize(self.inputs[name], a) for name, a in self._named(x).items()})
        return alone({name: dequantize(self.outputs[name], a) for name, a in y.items()})

    def execute_integers(self, x: Any) -> Any:
        """The network's integers [N, *shape], in (H, W, C) order, to its integers."""
        return alone(self._run(self._named(x)))

    def throughput_test(self, frames: int = 256) -> dict[str, Any]:
        """Frames a second and seconds a batch of random inputs, with and without the host's packing."""
        random = np.random.default_rng(0)
        sizes = [(1 << side["bits"], size_of(side)) for side in self.facts["inputs"]]
        codes = [random.integers(0, levels, (frames, size)) for levels, size in sizes]
        start = time.perf_counter()
        packed = self._packed(codes)
        begun = time.perf_counter()
        self.link.transfer(packed, self._out_bytes)
        done = time.perf_counter()
        return {
            "network": self.network,
            "frames": frames,
            "seconds": done - begun,
            "frames_per_second": frames / (done - begun),
            "frames_per_second_with_packing": frames / (done - start),
        }

    def counters(self) -> dict[str, int]:
        """The design's counters by name."""
        return {name: self.link.read(address) for name, address in self.design["counters"].items()}

    @property
    def _out_bytes(self) -> int:
        return sum(frame_bytes(side) for side in self.facts["outputs"])

    def _named(self, x: Any) -> dict[str, np.ndarray]:
        """The array of each input."""
        names = list(self.inputs)
        x = x if isinstance(x, dict) or len(names) > 1 else {names[0]: x}
        if not isinstance(x, dict) or set(x) != set(names):
            raise DataError(f"legal is an array for every input, by name: {', '.join(names)}")
        return {name: np.asarray(x[name]) for name in names}

    def _run(self, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        codes = [encode(given[side["name"]], side) for side in self.facts["inputs"]]
        count = len(codes[0])
        if any(len(part) != count for part in codes):
            raise DataError(f"the inputs have {[len(part) for part in codes]} frames; legal is one number for all")
        raw = self.link.transfer(self._packed(codes), self._out_bytes)
        results, start = {}, 0
        for side in self.facts["outputs"]:
            end = start + frame_bytes(side)
            words = np.ascontiguousarray(raw[:, start:end]).reshape(-1, side["word_bytes"])
            found = from_bytes(words, side["bits"], side["lanes"], size_of(side))
            results[side["name"]] = decode(found, side).reshape(count, *side["shape"])
            start = end
        return results

    def _packed(self, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Codes of all inputs, each [N, size], as the bytes of frames."""
        tensors = []
        for side, own in zip(self.facts["inputs"], codes, strict=True):
            packed = to_bytes(own, side["bits"], side["lanes"])
            words = np.zeros((len(packed), side["word_bytes"]), np.uint8)
            words[:, : packed.shape[1]] = packed
            tensors.append(words.reshape(len(own), frame_bytes(side)))
        return np.concatenate(tensors, axis=1)


def alone(arrays: dict[str, np.ndarray]) -> Any:
    """The array of one output as it is, several by name."""
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def size_of(side: Facts) -> int:
    """Elements of a tensor."""
    return int(np.prod(side["shape"]))


def frame_bytes(side: Facts) -> int:
    """Bytes that a tensor takes in a frame."""
    return int(side["words"] * side["word_bytes"])


def encode(x: np.ndarray, side: Facts) -> np.ndarray:
    """Integers [N, *shape] as unsigned codes of `bits` bits [N, size]."""
    if x.shape[1:] != tuple(side["shape"]) or x.dtype.kind not in "iub":
        raise DataError(f"{side['name']} is {x.dtype} {x.shape}; legal is integers (N, *{tuple(side['shape'])})")
    low = -(1 << (side["bits"] - 1)) if side["signed"] else 0
    high = (1 << (side["bits"] - side["signed"])) - 1
    low, high = (-1, 1) if side["bipolar"] else (low, high)
    if x.size and (x.min() < low or x.max() > high or (side["bipolar"] and np.any(x == 0))):
        raise DataError(f"{side['name']} spans [{x.min()}, {x.max()}], outside {side['type']}")
    x = x.reshape(len(x), size_of(side)).astype(np.int64)
    return (x + 1) >> 1 if side["bipolar"] else x & ((1 << side["bits"]) - 1)


def decode(codes: np.ndarray, side: Facts) -> np.ndarray:
    """The inverse of `encode`, [N, size]."""
    if side["bipolar"]:
        return 2 * codes - 1
    return codes - ((codes >> (side["bits"] - 1)) << side["bits"]) if side["signed"] else codes


def specification(side: Facts) -> Any:
    """What prepare, quantize and dequantize read of a side of the design."""
    fields = {name: np.array(v) if isinstance(v, list) else v for name, v in side["floats"].items()}
    dtype = SimpleNamespace(bits=side["bits"], signed=side["signed"], bipolar=side["bipolar"])
    return SimpleNamespace(type=SimpleNamespace(shape=side["shape"], dtype=dtype), **fields)
