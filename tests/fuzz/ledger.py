"""The results of a campaign, added up over its runs: one JSON file, which is also where the next run goes on."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def commit() -> str:
    """The commit of the checkout, with a plus where files differ from it; empty outside a checkout."""
    asked = ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


class Ledger:
    """What a campaign has found so far. data: as JSON; `data["commits"]` counts what each version was tried with.

    Without a path nothing is kept.
    """

    def __init__(self, path: Path | None, **empty: Any) -> None:
        self.path = path
        self.version = commit()
        self.data: dict[str, Any] = {**empty, "commits": {}}
        if path and path.exists():
            self.data |= json.loads(path.read_text())

    def count(self, number: int = 1) -> None:
        """So many more were tried with this version."""
        commits = self.data["commits"]
        commits[self.version] = commits.get(self.version, 0) + number

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside = self.path.with_suffix(".part")
            beside.write_text(json.dumps(self.data, indent=1) + "\n")
            os.replace(beside, self.path)
