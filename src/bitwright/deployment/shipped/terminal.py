# SPDX-License-Identifier: Apache-2.0
"""The driver from a terminal: a test of the speed, or the classes of raw data."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bitwright.deployment.shipped.interface import Host


def main(open_host: Callable[..., Host]) -> int:
    """Run what the arguments say; the exit code: 2 for bad input, 1 where the hardware does not answer."""
    parser = argparse.ArgumentParser(description="Runs networks on hardware, or in simulation.")
    parser.add_argument("--simulate", action="store_true", help="run the hardware in simulation (needs bitwright)")
    known = inspect.signature(open_host).parameters
    if "memory_seed" in known:
        parser.add_argument("--memory-seed", type=int, help="simulate external memory with random latencies and pauses")
    if "port" in known:
        parser.add_argument("--port", help="serial port, where there is more than one")
    parser.add_argument("--network", help="load this network first")
    parser.add_argument("--data", type=Path, help="raw data: .npy, or .npz with x (or images) and, where known, labels")
    parser.add_argument("--float", action="store_true", help="--data holds the model's own floats, no raw data")
    parser.add_argument("--frames", type=positive, help="so many frames: all of --data, or 256 random ones")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds to wait for the hardware")
    chosen = parser.parse_args()
    names = [name for name in ("port", "memory_seed") if getattr(chosen, name, None) is not None]
    options = {name: getattr(chosen, name) for name in names}
    try:
        with open_host(simulate=chosen.simulate, timeout_s=chosen.timeout, **options) as host:
            if chosen.network:
                host.load(chosen.network)
            if chosen.data:
                found = classified(host, chosen.data, chosen.frames, chosen.float)
            else:
                found = host.throughput_test(chosen.frames or 256)
            print(json.dumps({**found, "counters": host.counters()}))
    except (ValueError, ImportError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, (TimeoutError, RuntimeError)) else 2
    return 0


def positive(text: str) -> int:
    """A whole number of at least 1; else argparse tells it in one line."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def classified(host: Host, path: Path, frames: int | None, floats: bool = False) -> dict[str, object]:
    """The classes of the data of a file, and the accuracy where it has labels."""
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = {"x": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except (EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no whole .npy or .npz file: {error}") from None
    raw = arrays.get("x", arrays.get("images"))
    if raw is None:
        raise ValueError(f"{path} holds {', '.join(arrays)}; legal is an array x, or images")
    found = host.classify(raw[:frames], floats)
    result: dict[str, object] = {"network": host.network, "frames": len(found), "classes": found.tolist()}
    if "labels" in arrays:
        names, labels = host.facts["classes"], arrays["labels"][:frames]
        if labels.shape != found.shape or labels.dtype.kind not in "iu" or np.any(labels < 0):
            raise ValueError(
                f"labels are {labels.dtype} {labels.shape}; legal is a whole number for each of {len(found)}"
            )
        if names and np.any(labels >= len(names)):
            raise ValueError(f"labels reach {labels.max()}; legal are those of the {len(names)} class names")
        result["accuracy"] = float((found == (np.array(names)[labels] if names else labels)).mean())
    return result
