"""Deadlock freedom of whole designs on tlmac, read from the emitted SystemVerilog alone.

    python benchmarks/trust/deadlock.py [--data ../shared/data] [--only NAME ...]

The digits CNN, TFC_2W2A, the keyword spotter and MLPerf Tiny's ResNet-8, quantized to 8 bits. Each design is certified
as emitted, and then with the buffer of every join at depth 1, one at a time: those that may stop are counted as found.
Results go to deadlock.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from designs import DESIGNS, model

import bitwright as bw
from bitwright.network import Network
from bitwright.proving.deadlock import certify
from bitwright.targets.contract import Design

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "fuzz"))

from ledger import commit  # noqa: E402

RESNET, RESNET_OPTIONS = "ResNet-8", {"interval": 147456}
OPTIONS = {name: options for name, (_, options) in DESIGNS.items()} | {RESNET: RESNET_OPTIONS}
SAMPLES = 64  # for the ranges of ResNet-8
DEPTH = re.compile(r"(stream_fifo #\([^;]*?\.Depth\()(\d+)(\)[^;]*? i_in\d+_fifo \()", re.DOTALL)


def network(name: str, data: Path) -> Network:
    if name != RESNET:
        return bw.load(model(name, data))
    with np.load(data / "cifar10" / "calibration.npz") as samples:
        x = samples["images"][:SAMPLES].transpose(0, 3, 1, 2).astype(np.float32)
    return bw.quantize(data / "mlperf_tiny" / "resnet8.onnx", x)


def planted(design: Design) -> dict[str, object]:
    """Buffers of joins at depth 1, one at a time."""
    rows = []
    for path, text in design.files.items():
        for match in DEPTH.finditer(text) if path.endswith(".sv") else ():
            if int(match[2]) > 1:
                changed = text[: match.start(2)] + "1" + text[match.end(2) :]
                found = certify(replace(design, files={**design.files, path: changed}))
                rows.append({"file": path, "depth": int(match[2]), "status": found.status, "reason": found.reason})
    return {"buffers": len(rows), "found": sum(row["reason"] != "" for row in rows), "faults": rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("DATA", "../shared/data"))
    parser.add_argument("--only", nargs="*", choices=list(OPTIONS), default=list(OPTIONS))
    given = parser.parse_args()
    path = HERE / "deadlock.json"
    rows = json.loads(path.read_text()) if path.exists() else {}
    for name in given.only:
        design = bw.compile(network(name, Path(given.data)), "tlmac", **OPTIONS[name])
        certify(design)  # compiles the checker
        start = time.perf_counter()
        found = certify(design)
        seconds = round(time.perf_counter() - start, 2)
        row = {"options": OPTIONS[name], "status": found.status, "reason": found.reason, "seconds": seconds}
        row |= {"streams": len(found.channels), "moves": found.steps, "planted": planted(design), "commit": commit()}
        rows[name] = row
        path.write_text(json.dumps(rows, indent=1) + "\n")
        print(name, found, f"{seconds} s; buffers at depth 1: {row['planted']['found']} of", row["planted"]["buffers"])
    return int(not all(row["status"] == "certified" for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
