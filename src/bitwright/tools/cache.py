"""A cache of folders on disk, safe against interrupts, concurrent use and damaged entries."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import platformdirs

MANIFEST = "manifest.json"
STALE_SECONDS = 2 * 86_400


def user_folder() -> Path:
    """Where results are cached unless the caller says otherwise."""
    return Path(platformdirs.user_cache_dir("bitwright"))


def digest(parts: Iterable[str | bytes]) -> str:
    """SHA-256, in hex, of the parts and their boundaries."""
    h = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        h.update(len(data).to_bytes(8, "little"))
        h.update(data)
    return h.hexdigest()


def find(root: Path, key: str) -> Path | None:
    """The folder of `key` below `root`, if it is there and intact."""
    final = root / key
    if not _intact(final):
        return None
    os.utime(final)
    return final


def entry(root: Path, key: str, make: Callable[[Path], Iterable[Path]]) -> tuple[Path, bool]:
    """The folder of `key` below `root`, and whether it was there already.

    A missing or damaged entry is made: `make(folder)` works in a temporary folder and returns the files
    to keep, paths within it. The folder appears under its final name only when complete, by one rename;
    of two concurrent makers the first wins.
    """
    final = root / key
    if find(root, key):
        return final, True
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    work = Path(tempfile.mkdtemp(prefix=".making-", dir=root))
    try:
        kept = Path(tempfile.mkdtemp(prefix=".made-", dir=work))
        sums = {}
        for path in make(work):
            os.replace(path, kept / path.name)
            sums[path.name] = _sum(kept / path.name)
        (kept / MANIFEST).write_text(json.dumps(sums, indent=1, sort_keys=True))
        kept.chmod(0o755)
        _publish(kept, final, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final, False


def _publish(kept: Path, final: Path, work: Path) -> None:
    """Rename `kept` to `final`; a damaged entry gives way, an intact one of another process stays."""
    while not _intact(final):
        if final.exists():
            os.replace(final, Path(tempfile.mkdtemp(dir=work)) / "damaged")
        try:
            os.replace(kept, final)
        except OSError:
            if not final.exists():
                raise


def _sweep(root: Path) -> None:
    """Remove what makers left that were killed long ago."""
    for work in root.glob(".making-*"):
        with contextlib.suppress(OSError):
            if time.time() - work.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(work)


def _intact(folder: Path) -> bool:
    """Whether the manifest is there and every file in it is as it was written."""
    try:
        sums = json.loads((folder / MANIFEST).read_text())
        return all(_sum(folder / name) == value for name, value in sums.items())
    except (OSError, ValueError, AttributeError):
        return False


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
