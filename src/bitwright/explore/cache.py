# SPDX-License-Identifier: Apache-2.0
"""Results on disk under the digest of their inputs, so that an interrupted run resumes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitwright.errors import DataError, UserError
from bitwright.files import read_file, user_folder, write_file
from bitwright.parsing import parse_json

RESULT_BYTES = 1 << 26


def _sum(result: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()


class ResultCache:
    """JSON objects in a folder, one file a result; a file appears whole or not at all."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder).absolute() if folder else user_folder() / "search"

    def get(self, key: str) -> dict[str, Any] | None:
        """The result stored under the key, or None; a file that is damaged counts as none."""
        try:
            stored = parse_json(read_file(self._path(key), DataError, RESULT_BYTES))
            result = stored["result"]
            return result if isinstance(result, dict) and stored["sha256"] == _sum(result) else None
        except (UserError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def put(self, key: str, result: Mapping[str, object]) -> None:
        """Store a result; the last of two writers wins."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():  # no result: damage
            shutil.rmtree(path)
        write_file(path, json.dumps({"sha256": _sum(result), "result": result}))

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"
