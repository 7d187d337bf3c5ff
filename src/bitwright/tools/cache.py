# SPDX-License-Identifier: Apache-2.0
"""A cache of folders on disk, safe against interrupts, concurrent use and damaged entries."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from bitwright.errors import DataError, UserError
from bitwright.files import named, named_within, read_file, user_folder
from bitwright.parsing import parse_json

MANIFEST = "manifest.json"
MANIFEST_BYTES = 1 << 20
STALE_SECONDS = 2 * 86_400
ATTEMPTS = 10


def folder(given: str | os.PathLike[str] | None) -> Path:
    """The cache folder that a caller gives, as an absolute path; without one the user's."""
    return user_folder() if given is None else Path(given).absolute()


def digest(parts: Iterable[str | bytes]) -> str:
    """SHA-256, in hex, of the parts and their boundaries."""
    h = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        h.update(len(data).to_bytes(8, "little"))
        h.update(data)
    return h.hexdigest()


def find(root: Path, key: str, names: Collection[str] = ()) -> Path | None:
    """The folder of `key` below `root`, if it is there and intact and has the files `names`."""
    final = root / key
    if not _intact(final, names):
        return None
    with contextlib.suppress(OSError):  # of a cache that can only be read
        os.utime(final)
    return final


def entry(
    root: Path, key: str, make: Callable[[Path], Iterable[Path]], names: Collection[str] = ()
) -> tuple[Path, bool]:
    """The folder of `key` below `root`, and whether it was there already.

    A missing or damaged entry, or one without the files `names`, is made: `make(folder)` works in a temporary folder
    and returns the files to keep, paths within it. The folder appears under its final name only when complete, by one
    rename; of two concurrent makers the first wins.
    """
    final = root / key
    if find(root, key, names):
        return final, True
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    with named(root):
        work = Path(tempfile.mkdtemp(prefix=".making-", dir=root))
    try:
        with named_within(final, work):
            kept = Path(tempfile.mkdtemp(prefix=".made-", dir=work))
            sums = {}
            for path in make(work):
                os.replace(path, kept / path.name)
                sums[path.name] = _sum(kept / path.name)
            (kept / MANIFEST).write_text(json.dumps(sums, indent=1, sort_keys=True))
            kept.chmod(0o755)
            _publish(kept, final, work, names)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final, False


def drop(root: Path, key: str) -> None:
    """Remove an entry that proved to be of no use."""
    shutil.rmtree(root / key, ignore_errors=True)


def _publish(kept: Path, final: Path, work: Path, names: Collection[str]) -> None:
    """Rename `kept` to `final`; a damaged entry gives way, an intact one of another process stays."""
    for attempt in range(ATTEMPTS):
        if _intact(final, names):
            return
        with contextlib.suppress(FileNotFoundError):  # none is there, or another maker moved it away
            os.replace(final, Path(tempfile.mkdtemp(dir=work)) / "damaged")
        try:
            os.replace(kept, final)
            return
        except OSError:
            if attempt == ATTEMPTS - 1:
                raise


def _sweep(root: Path) -> None:
    """Remove what makers left that were killed long ago."""
    for work in root.glob(".making-*"):
        with contextlib.suppress(OSError):
            if time.time() - work.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(work)


def _intact(folder: Path, names: Collection[str] = ()) -> bool:
    """Whether the manifest names files, `names` among them, and every one is there as it was written."""
    try:
        if folder.is_symlink():
            return False
        sums = parse_json(read_file(folder / MANIFEST, DataError, MANIFEST_BYTES))
        if not isinstance(sums, dict) or not sums or not set(names) <= set(sums):
            return False
        return all(_is_own(folder, name) and _sum(folder / name) == value for name, value in sums.items())
    except (OSError, ValueError, UserError):
        return False


def _is_own(folder: Path, name: str) -> bool:
    """Whether the name is that of a regular file in the folder itself."""
    return Path(name).name == name and stat.S_ISREG((folder / name).lstat().st_mode)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
