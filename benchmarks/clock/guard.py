"""The clock of every module that is watched, out of context, estimated: a table that tests compare with.

    python benchmarks/clock/guard.py [--only NAME ...]

Writes clocks.json: for each block of modules.json the middle estimate for an ECP5 of grade 6 over all its paths, ports
among them, its slowest path and the digest of its sources. Blocks with the digest of the table are left as they are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from modules import DEVICE, Block, blocks, synthesized

from bitwright.devices import find_device
from bitwright.tools import cache, yosys

TABLE = Path(__file__).with_name("clocks.json")
PART = find_device(DEVICE)
SLOWER = 0.9  # of the clock in the table: below, a module has become too slow


def digest(block: Block) -> str:
    """Of its sources, parameters, what packs its registers, the delays of the family and the version of Yosys."""
    texts = [text for item in sorted(block.files(PART.primitives).items()) for text in item]
    delays = PART.traits.delays
    model = (yosys.PACKING, repr(PART.traits.registers), delays.cells, delays.direct, repr(delays.nets))
    return cache.digest([*texts, block.name, *model, yosys.find().version])


def measure(block: Block) -> dict[str, object]:
    """Its row of the table."""
    timing, _, cells = synthesized(block, PART)
    path = timing.paths[0]
    return {
        "mhz": round(timing.fmax_mhz.mid, 1),
        "cells": cells,
        "from": path.start.name,
        "to": f"{path.end.name}.{path.end.pin}",
        "levels": path.levels,
        "hint": path.hint,
        "sources": digest(block),
    }


def too_slow(block: Block, table: dict[str, dict[str, object]]) -> str:
    """What is said of a block that is slower than its row allows, "" of any other."""
    row, found = table[block.name], measure(block)
    if found["mhz"] >= SLOWER * row["mhz"]:
        return ""
    return f"{block.name} reaches {found['mhz']} MHz, the table {row['mhz']}: {found['from']} to {found['to']}"


def main() -> None:
    """Measure what has changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    args = parser.parse_args()
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    table = {block.name: table[block.name] for block in blocks() if block.name in table}
    for block in blocks():
        wanted = not args.only or any(block.name.startswith(start) for start in args.only)
        if wanted and table.get(block.name, {}).get("sources") != digest(block):
            table[block.name] = measure(block)
            print(f"{block.name}: {table[block.name]['mhz']} MHz", flush=True)
            TABLE.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
