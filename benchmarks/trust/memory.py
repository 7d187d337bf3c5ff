"""Memory of `bitwright evaluate` on ever more frames of TFC_2W2A.

    python benchmarks/trust/memory.py [--data ../shared/data]

Random pixels and labels in an .npz file, which the command maps. memory.json holds for each number of frames the peak
of all memory, mapped pages of the file among it, and that of the command's own pages (RssAnon of Linux, asked every few
milliseconds), in MiB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from designs import model

import bitwright as bw

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "fuzz"))

from ledger import commit  # noqa: E402

FRAMES = (10_000, 100_000, 1_000_000)
PROGRAM = Path(sys.executable).with_name("bitwright")
ASKED = 0.005  # seconds


def write(path: Path, frames: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (frames, 1, 28, 28), dtype=np.uint8)
    np.savez(path, x=x, y=rng.integers(0, 10, frames))


def measured(network: Path, data: Path) -> dict[str, int]:
    """MiB of an evaluation."""
    command = [str(PROGRAM), "evaluate", str(network), "--data", str(data), "--input-scale", "1/255", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    own, status = 0, Path(f"/proc/{process.pid}/status")
    while True:
        pid, ended, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        found = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        own = max(own, int(found.get("RssAnon", "0 kB").split()[0]))
        time.sleep(ASKED)
    process.returncode = os.waitstatus_to_exitcode(ended)
    output, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(errors.decode())
    return {"samples": json.loads(output)["samples"], "all": usage.ru_maxrss >> 10, "own": own >> 10}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("DATA", "../shared/data"))
    given = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        network, data = Path(name) / "network.bw", Path(name) / "data.npz"
        bw.save(bw.load(model("TFC_2W2A", given.data)), network)
        for frames in FRAMES:
            write(data, frames)
            rows[str(frames)] = measured(network, data)
            assert rows[str(frames)]["samples"] == frames
            print(f"{frames:,} frames: {rows[str(frames)]}", flush=True)
    (HERE / "memory.json").write_text(json.dumps({"mib": rows, "commit": commit()}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
