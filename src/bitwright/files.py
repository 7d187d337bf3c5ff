# SPDX-License-Identifier: Apache-2.0
"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import functools
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from bitwright import limits
from bitwright.errors import OptionError, UserError

TEXT_BYTES = 1 << 26  # of a text that people write
_PIECE = 1 << 24  # bytes read at once where a file does not state its size
_LARGEST = 1 << 30  # and where it does

_KINDS = {stat.S_IFDIR: "Is a directory", stat.S_IFIFO: "it is a pipe", stat.S_IFSOCK: "it is a socket"}


def read_file(path: str | os.PathLike[str], error: type[UserError], limit: int | None = None) -> bytes:
    """The content of a regular file of at most `limit` bytes (default: the budget's); else `error`.

    Pipes and devices are refused without waiting for them.
    """
    path = Path(path)
    with _opened(path, error) as handle:
        return _content(path, handle, os.fstat(handle).st_size, error, limit)


def read_head(path: str | os.PathLike[str], count: int, error: type[UserError]) -> bytes:
    """The first bytes of a regular file, else `error`."""
    with _opened(Path(path), error) as handle:
        return os.read(handle, count)


@contextmanager
def _opened(path: Path, error: type[UserError]) -> Iterator[int]:
    """The handle of a regular file."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        try:
            mode = os.fstat(handle).st_mode
            if not stat.S_ISREG(mode):
                raise error(f"{path} is no file: {_KINDS.get(stat.S_IFMT(mode), 'it is a device')}")
            yield handle
        finally:
            os.close(handle)
    except (OSError, ValueError) as failure:  # a ValueError for names that hold the character 0
        raise error(f"cannot read {path}: {getattr(failure, 'strerror', None) or failure}") from None


def _content(path: Path, handle: int, size: int, error: type[UserError], limit: int | None) -> bytes:
    """All of an open file; one that grows, or states no size as those of /proc, is read up to the limit."""
    most = limits.current().bytes if limit is None else limit
    parts: list[bytes] = []
    done = 0
    while max(size, done) <= most and (part := os.read(handle, min(max(size - done, _PIECE), _LARGEST))):
        parts.append(part)
        done += len(part)
    size = max(size, done)
    if size > most:
        if limit is None:
            limits.check("bytes", size, f"{path} has", error)
        raise error(f"{path} has {size:,} bytes; legal are {most:,}")
    return b"".join(parts)


def read_text(path: str | os.PathLike[str], error: type[UserError], limit: int = TEXT_BYTES) -> str:
    """The text of a regular UTF-8 file of at most `limit` bytes; else `error`."""
    try:
        return read_file(path, error, limit).decode().replace("\r\n", "\n")
    except UnicodeDecodeError as failure:
        raise error(f"{path} is no text: byte {failure.start} is not UTF-8") from None


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Let errors of the operating system name `path` in place of a temporary file beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


@contextmanager
def named_within(path: Path, folder: Path) -> Iterator[None]:
    """Let errors of the operating system about files in `folder`, or about no file, name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is None or not Path(str(error.filename or folder)).is_relative_to(folder):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_file(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write a file under a temporary name and rename it; on failure the old file, if any, stays."""
    path = Path(path)
    with named(path):
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
    with named(path):
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        with named_within(path, temporary):
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


def user_folder() -> Path:
    """Where results are cached unless the caller says otherwise.

    Where the user has no cache folder that can be written, a folder of the user's own among the temporary files.
    """
    return _writable(Path(platformdirs.user_cache_dir("bitwright")))


@functools.cache
def _writable(wanted: Path) -> Path:
    if _can_write(wanted):
        return wanted
    own = Path(tempfile.gettempdir()) / f"bitwright-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"
    if not (_is_private(own) and _can_write(own)):
        own = Path(tempfile.mkdtemp(prefix="bitwright-"))
    print(f"bitwright: {wanted} cannot be written; results are cached in {own}", file=sys.stderr)
    return own


def _can_write(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        tempfile.TemporaryFile(dir=path).close()
    except OSError:
        return False
    return True


def _is_private(path: Path) -> bool:
    """Whether the folder, made here or earlier, belongs to this user alone: others can write beside it."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and (not hasattr(os, "getuid") or found.st_uid == os.getuid())
