"""Hostile names through everything that prints names: the tests of tests/security, counted.

    python benchmarks/trust/sinks.py

Networks, models and files with names that try to be code, markup, paths, formulas or control sequences go through RTL,
Tcl and C of deployments, drivers, pages, CSV and JSON files, file names and the terminal. sinks.json holds how many
tests there are and which failed: escapes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fuzz"))

from ledger import commit  # noqa: E402


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "tests/security", f"--junit-xml={report}"]
        subprocess.run(command, cwd=ROOT, check=False)
        cases = list(xml.parse(report).iter("testcase"))
    failed = [c.get("name") for c in cases if c.find("failure") is not None or c.find("error") is not None]
    skipped = [c.get("name") for c in cases if c.find("skipped") is not None]
    found = {"tests": len(cases), "skipped": skipped, "escapes": failed, "commit": commit()}
    (Path(__file__).with_name("sinks.json")).write_text(json.dumps(found, indent=1) + "\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
