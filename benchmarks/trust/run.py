"""Netlists of whole designs against their RTL, and the RTL against the network, unit by unit.

    python benchmarks/trust/run.py [--data ../shared/data] [--only NAME ...] [--jobs 1]

The digits CNN, TFC_2W2A and the keyword spotter on tlmac, with weights in LUTs, as block memories have no simulation
model in a netlist. Results, unit by unit, go to netlists.json; what is proven already comes from the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
from designs import DESIGNS, model

import bitwright as bw

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "fuzz"))

from ledger import commit  # noqa: E402

DEVICE = "xczu3eg"
FRAMES = 200  # random ones, for the operations
LEAST_BLOCKS = {"KWS": 5}  # block memories that a design cannot do without


def proven(file: Path, options: dict[str, int], jobs: int) -> dict[str, object]:
    """The result of a design, as JSON."""
    design = bw.compile(bw.load(file), "tlmac", **options)
    (spec,) = design.network.inputs
    t = spec.type.dtype
    x = np.random.default_rng(0).integers(t.min, t.max + 1, (FRAMES, *spec.type.shape))
    if t.bipolar:
        x = np.where(x > 0, 1, -1)
    found = bw.prove(design, x, device=DEVICE, jobs=jobs)
    return {"options": options, **found.as_dict()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("DATA", "../shared/data"))
    parser.add_argument("--only", nargs="*", choices=list(DESIGNS), default=list(DESIGNS))
    parser.add_argument("--blocks", action="store_true", help="with block memories, whose units are not decided")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    path = HERE / "netlists.json"
    rows = json.loads(path.read_text()) if path.exists() else {}
    for name in given.only:
        options = DESIGNS[name][1]
        if not given.blocks:
            options = {**options, "bram36": LEAST_BLOCKS.get(name, 0)}
        rows[name] = {**proven(model(name, Path(given.data)), options, given.jobs), "commit": commit()}
        path.write_text(json.dumps(rows, indent=1) + "\n")
        for unit in rows[name]["units"]:
            print(
                name, unit["name"], unit["netlist"]["status"], unit["netlist"]["reason"], unit["operation"], flush=True
            )
    return int(not all(row["good"] for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
