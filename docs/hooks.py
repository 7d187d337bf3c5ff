"""What MkDocs does beside its own work: files outside of docs/ become pages, and every command prints its help."""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"README.md": "overview.md", "CHANGELOG.md": "changelog.md"}  # of the root, which are pages of the site, too
SOURCE = "source"  # where the site keeps other files that pages link to
LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?\)")
HELP = "<!-- help of every command -->"


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the root, and the files outside of docs/ that pages link to."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text()))
    for page in [file for file in files if file.src_uri.endswith(".md")]:
        for _, target, _ in LINK.findall(page.content_string):
            path = _outside(page.src_uri, target)
            for file in _listed(path) if path else ():
                uri = f"{SOURCE}/{file.relative_to(ROOT)}.txt"
                if files.get_file_from_path(uri) is None:
                    files.append(File.generated(config, uri, content=file.read_text()))
            if path and path.is_dir() and files.get_file_from_path(_listing(path)) is None:
                lines = [f"- [{file.name}]({file.name}.txt)" for file in _listed(path)]
                content = f"# {path.relative_to(ROOT)}\n\n" + "\n".join(lines) + "\n"
                files.append(File.generated(config, _listing(path), content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links to files outside of docs/ lead to their copies."""

    def moved(match: re.Match[str]) -> str:
        head, target, anchor = match.groups()
        path = _outside(page.file.src_uri, target)
        if path is None:
            return match.group()
        uri = _uri(path)
        return f"{head}{posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or '.')}{anchor or ''})"

    return LINK.sub(moved, markdown).replace(HELP, _help() if HELP in markdown else "")


def _outside(page: str, target: str) -> Path | None:
    """The file or folder that a page's link means, where it is not one of the site's own pages as it stands."""
    of_root = page in PAGES.values()
    home = ROOT if of_root else (ROOT / "docs" / page).parent
    path = (home / target).resolve()
    if not path.exists() or not path.is_relative_to(ROOT):
        return None
    return None if path.is_relative_to(ROOT / "docs") and not of_root else path


def _uri(path: Path) -> str:
    """Where the site has a file or folder of the repository."""
    if path.is_relative_to(ROOT / "docs"):
        return str(path.relative_to(ROOT / "docs"))
    if str(path.relative_to(ROOT)) in PAGES:
        return PAGES[path.name]
    return _listing(path) if path.is_dir() else f"{SOURCE}/{path.relative_to(ROOT)}.txt"


def _listing(path: Path) -> str:
    return f"{SOURCE}/{path.relative_to(ROOT)}/index.md"


def _listed(path: Path) -> list[Path]:
    """A file, or the text files of a folder, if they are not pages of the site."""
    if path.is_relative_to(ROOT / "docs") or path.name in PAGES:
        return []
    found = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.is_file())
    return [file for file in found if file.suffix not in (".onnx", ".npz", ".bw", ".pyc")]


def _help() -> str:
    """The help of every command, as a terminal of 100 columns shows it."""
    from bitwright import cli

    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    parts = []
    for name in cli.RUNS:
        command = [Path(sys.executable).with_name("bitwright"), name, "--help"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        assert name in shown, f"{name} has no help"
        parts.append(f"## {name}\n\n```text\n{shown.strip()}\n```\n")
    return "\n".join(parts)
