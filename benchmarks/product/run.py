"""What a user waits for and what it takes: start of library and command line, size of a plain install and of pages.

    python benchmarks/product/run.py [--install]

Seconds are of the processor, the least of several runs. --install makes a virtual environment with a plain install of
this checkout, as `pip install .` does, and measures it: minutes, and a download of its packages.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OUTPUT = Path(__file__).with_name("results.json")
RUNS = 15
CODE = {"import": "import bitwright", "help": "from bitwright.cli import main; main(['--help'])"}
BOUNDS = {"import": 0.1, "help": 0.4, "install_mb": 700, "report_kb": 1000}


def spent(command: Sequence[str | Path]) -> float:
    """Processor seconds of a command, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def installed() -> float:
    """Megabytes of a new virtual environment with a plain install, files without their compiled modules."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        pip = [Path(folder, "bin", "python"), "-m", "pip", "install", "--quiet", "--no-compile", ROOT]
        subprocess.run(pip, check=True)
        files = [path for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink()]
        return sum(path.stat().st_size for path in files if path.suffix != ".pyc") / 1e6


def report() -> float:
    """Kilobytes of the demo's report, with a simulation of 50 frames."""
    import bitwright as bw
    from bitwright.cli import main
    from bitwright.demo.run import files

    model, data = files()
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder, "build")
        bw.save_design(bw.compile(bw.load(model), interval=4608), build)
        for command in (["simulate", build, "--data", data, "--frames", 50], ["report", build]):
            if main([str(word) for word in command]):
                raise SystemExit(f"{command[0]} failed")
        return (build / "report.html").stat().st_size / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="measure a plain install, too")
    arguments = parser.parse_args()
    results: dict[str, Any] = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else {}
    for name, code in CODE.items():
        results[name] = round(min(spent([sys.executable, "-c", code]) for _ in range(RUNS)), 3)
    results |= {"load_average": round(os.getloadavg()[0], 1), "python": platform.python_version()}
    results["report_kb"] = round(report(), 1)
    if arguments.install:
        results["install_mb"] = round(installed())
    results["met"] = {name: results[name] <= bound for name, bound in BOUNDS.items() if name in results}
    OUTPUT.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    print(OUTPUT.read_text())


if __name__ == "__main__":
    main()
