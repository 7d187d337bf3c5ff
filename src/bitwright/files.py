"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from bitwright.errors import OptionError


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let errors of the operating system name `path` in place of a temporary file beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_file(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write a file under a temporary name and rename it; on failure the old file, if any, stays."""
    path = Path(path)
    with _named(path):
        _write_renamed(path, content.encode() if isinstance(content, str) else content)


def _write_renamed(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its place at the end; on failure it vanishes.

    A folder that is there already is replaced. The caller decides before whether it may be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _named(path):
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        made = temporary / "new"
        made.mkdir()
        yield made
        if path.exists():
            os.replace(path, temporary / "old")
        os.replace(made, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_replaceable(folder: Path, kind: str, marker: str, own: Set[str]) -> None:
    """Raise `OptionError` unless `folder` is free, empty or an earlier one of its kind without foreign files.

    kind: what the folder is called in the message; marker: the file that every such folder holds; own: the names
    of all that it may hold.
    """
    parent = next(p for p in folder.absolute().parents if p.exists())
    if not parent.is_dir():
        raise OptionError(f"{folder} cannot be made: {parent} is a file")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OptionError(f"{folder} is a file; legal is a new folder, an empty one or an earlier {kind}")
    entries = {entry.name for entry in folder.iterdir()}
    foreign = sorted(entries - own)
    if entries and (foreign or marker not in entries):
        found = foreign[0] if foreign else sorted(entries)[0]
        raise OptionError(f"{folder} is no {kind} (it holds {found}); legal is a new, empty or earlier one")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
